"""Cases whose images and labels stay in their files: read when they are looked at, and forgotten again.

20,000 radiographs of 2048 x 2048 pixels with 16 bits are 170 GB. What is held of each is where it lies, and its facts.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError

from .labelled import CONTENT, Case, Problem
from .objects import ObjectsCase

RECENT_BYTES = 2**29
"""Of pixels and labels that were looked at last, kept by each process: val of a small set is read once."""
KINDS = {"Case": Case, "ObjectsCase": ObjectsCase}

Known = Mapping[str, dict[str, Any]]
"""Key of a case's source -> `facts`, as a check has kept them."""


class ChangedError(GrayscaleDetSegError):
    """A file is no longer what it was when the data were read."""


class Recent:
    """What was looked at last, up to a number of bytes; in processes that others started, the last one alone."""

    def __init__(self, limit: int) -> None:
        self.limit, self._held, self._bytes = limit, OrderedDict(), 0

    def get(self, source: Source) -> Case | None:
        """The content of a source, if it is held."""
        if source in self._held:
            self._held.move_to_end(source)
        return self._held.get(source)

    def hold(self, source: Source, content: Case) -> Case:
        """Hold a content, and let go of those that nobody looked at for longest."""
        for values in (content.pixels, content.label_map):
            values.flags.writeable = False  # everybody who looks gets the same one
        self._held[source] = content
        self._bytes += _size(content)
        # a process of a loader prepares one image after the other, and there may be many such processes
        limit = self.limit if multiprocessing.parent_process() is None else 0
        while self._bytes > limit and len(self._held) > 1:
            self._bytes -= _size(self._held.popitem(last=False)[1])
        return content


def _size(content: Case) -> int:
    parts = sum(part.mask.nbytes for part in getattr(content, "parts", ()))
    return content.pixels.nbytes + content.label_map.nbytes + parts


RECENT = Recent(RECENT_BYTES)


@dataclass(eq=False)
class Source:
    """Where a case comes from; copies of a case share it.

    Parameters
    ----------
    read : callable () -> (Case, list of str)
        Reads the files: the whole case, and notes on it (a ``functools.partial``, which processes can hand on).
    files : tuple of Path
    stamp : list of [int, int]
        Size (bytes) and time of change (ns) of each of the files when they were read.
    key : str
        Of the files' names and all else that decides what is read.
    notes : list of str
    look : dict or None
        What a check saw, see ``checking``.
    """

    read: Callable[[], tuple[Case, list[str]]]
    files: tuple[Path, ...]
    stamp: list[list[int]]
    key: str
    notes: list[str]
    look: dict[str, Any] | None = None
    _labels: list[str] | None = None

    def content(self) -> Case:
        """The whole case.

        Raises
        ------
        ChangedError
            If a file is gone or has changed since it was first read.
        """
        held = RECENT.get(self)
        if held is not None:
            return held
        if stamp_of(self.files) != self.stamp:
            names = " or ".join(path.name for path in self.files)
            raise ChangedError(f"{names} in {self.files[0].parent} has changed since the data were read; start again.")
        return RECENT.hold(self, self.read()[0])

    def object_labels(self) -> list[str]:
        """The label of every object."""
        if self.look:
            return self.look["objects"]
        if self._labels is None:
            self._labels = [label for label, _ in self.content().objects()]
        return self._labels


def stamp_of(files: Iterable[Path]) -> list[list[int]]:
    """Size and time of change of files; of one that is missing, -1."""
    stamps = []
    for path in files:
        try:
            state = path.stat()
            stamps.append([state.st_size, state.st_mtime_ns])
        except OSError:
            stamps.append([-1, -1])
    return stamps


def stored_case(read: Callable, files: tuple[Path, ...], known: Known | None = None) -> tuple[Case, list[str]]:
    """A case that leaves its content in its files, and notes on it; it is read once, unless it is `known` unchanged.

    What `read` raises is passed on.
    """
    key = hashlib.blake2b(repr((read.func.__module__, read.args)).encode(), digest_size=16).hexdigest()
    source = Source(read, files, stamp_of(files), key, [])
    facts = (known or {}).get(key)
    if facts is not None and facts["stamp"] == source.stamp:
        source.notes, source.look = facts["notes"], facts["look"]
        return _case(KINDS[facts["kind"]], facts["values"], source), source.notes
    content, source.notes = read()
    RECENT.hold(source, content)
    return _case(type(content), vars(content), source), source.notes


def _case(kind: type[Case], values: dict[str, Any], source: Source) -> Case:
    case = object.__new__(kind)
    case.__dict__.update({name: value for name, value in values.items() if name not in CONTENT}, source=source)
    return case


def facts(case: Case) -> dict[str, Any]:
    """What is kept of a case that was checked, for JSON; `look` apart."""
    values = {name: value for name, value in vars(case).items() if name != "source"}
    source: Source = case.source
    return {"stamp": source.stamp, "kind": type(case).__name__, "values": values, "notes": source.notes}


def collected(found: Iterable[Case | Problem]) -> tuple[list[Case], list[Problem]]:
    """Cases and problems apart, each in their order."""
    cases, problems = [], []
    for item in found:
        (problems if isinstance(item, Problem) else cases).append(item)
    return cases, problems
