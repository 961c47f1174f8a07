"""What the data sets prepare of every image once: in memory while it is little, in files where it is much.

A prepared image has up to a few megabytes. Those of a small lab stay in memory; of 20,000 images they would fill it,
and then each is prepared by whoever draws it first (the processes of a loader among them) and kept in a file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from GrayscaleDetSegLib import __version__
from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError

from .data.labelled import Case
from .files import write_aside

MEMORY = 2**30
"""Bytes that the prepared images of one data set may have in memory."""
SAMPLES = "samples"
"""Folder of prepared images in that of a run, for as long as it is not finished."""

Part = dict[str, np.ndarray]


class SpaceError(GrayscaleDetSegError):
    """Prepared images cannot be written."""


class Prepared:
    """What is prepared of each of some cases: a list of parts, each a dict of arrays.

    Parameters
    ----------
    cases : list of Case
    prepare : callable (Case) -> list of dict of str to ndarray
        The same for the same case, whenever and wherever it is called.
    settings : tuple
        All besides the case that decides what it gives.
    folder : Path or None
        For the files, if there have to be any; what lies there of unchanged images is used again. None for a folder
        that goes with this process, where ``tempfile`` puts such things (the environment's TMPDIR).
    limit : int or None
        Bytes to be held in memory at most; by default `MEMORY`.
    """

    def __init__(
        self,
        cases: list[Case],
        prepare: Callable[[Case], list[Part]],
        settings: tuple = (),
        folder: Path | None = None,
        limit: int | None = None,
    ) -> None:
        self.cases, self.prepare, self.settings, self.folder = cases, prepare, settings, folder
        self._held: list[list[Part]] | None = None
        if folder is not None and folder.is_dir():
            return  # a run of many images goes on
        self._held, size = [], 0
        for case in cases:
            self._held.append(prepare(case))
            size += sum(values.nbytes for part in self._held[-1] for values in part.values())
            if size > (MEMORY if limit is None else limit):
                self._move_to_files()
                break

    def _move_to_files(self) -> None:
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="samples-"))
            weakref.finalize(self, _remove, self.folder, os.getpid())
        held, self._held = self._held, None
        for case, parts in zip(self.cases, held):
            self._write(self._path(case), parts)

    def __len__(self) -> int:
        return len(self.cases)

    def parts(self, index: int) -> list[Part]:
        """All parts of a case, in the order in which they were prepared."""
        if self._held is not None:
            return self._held[index]
        return self._read(index, None)

    def part(self, index: int, number: int) -> Part:
        """One part of a case; the others are not read."""
        if self._held is not None:
            return self._held[index][number]
        return self._read(index, number)[0]

    def _read(self, index: int, number: int | None) -> list[Part]:
        path = self._path(self.cases[index])
        try:
            with safe_open(path, "numpy") as file:
                count = int(file.metadata()["parts"])
                found: list[Part] = [{} for _ in range(count)]
                for key in file.keys():
                    own, _, name = key.partition(".")
                    if number is None or int(own) == number:
                        found[int(own)][name] = file.get_tensor(key)
        except (OSError, SafetensorError):  # not there yet, or damaged
            found = self.prepare(self.cases[index])
            self._write(path, found)
        return found if number is None else [found[number]]

    def _path(self, case: Case) -> Path:
        values = {name: value for name, value in vars(case).items() if name in ("set_name", "name", "inverted")}
        facts = __version__, self.settings, values, list(case.labels.items()), type(case).__name__, _origin(case)
        return self.folder / f"{hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()}.safetensors"

    def _write(self, path: Path, parts: list[Part]) -> None:
        """Aside, then renamed: several processes may prepare the same image, and a kill leaves no half of it."""
        tensors = {f"{number}.{name}": np.ascontiguousarray(values)
                   for number, part in enumerate(parts) for name, values in part.items()}  # fmt: skip
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(path, save(tensors, {"parts": str(len(parts))}))
        except (OSError, SafetensorError) as error:
            raise SpaceError(f"Prepared images cannot be kept in {path.parent} ({error}): make room there, or choose "
                             "another folder.") from error  # fmt: skip


def _origin(case: Case) -> tuple:
    """Where a case's content comes from, or what it is."""
    source = vars(case).get("source")
    if source is not None:
        return source.key, source.stamp
    digest = hashlib.blake2b(case.fingerprint().encode(), digest_size=16)
    for label, mask in case.objects():
        digest.update(label.encode() + np.packbits(mask).tobytes())
    return (digest.hexdigest(),)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in processes that were forked from it
        shutil.rmtree(folder, ignore_errors=True)


def remove_samples(run: Path) -> None:
    """Remove the prepared images of a finished run."""
    shutil.rmtree(run / SAMPLES, ignore_errors=True)
