"""The files of a result: all of them complete under their names, or none."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import OutputError
from ..core.plugins import Plugin, Plugins, said
from ..core.result import SegmentationResult
from .inputs import SEGMENTATION
from .interruption import uninterrupted
from .plain import SCHEMAS
from .writers import ReportWriter, Writer, writers

_ASIDE, _READY = ".grayscale-detseg-", ".ready"


@dataclass(frozen=True)
class Written:
    """The files of a result, and a sentence for each writer of another package that has failed."""

    files: tuple[Path, ...]
    problems: tuple[str, ...] = ()


def prepare(directory: Path) -> None:
    """Make the output folder and try that files can be written to it.

    Raises
    ------
    OutputError
        If it is a file, or nothing can be written there.
    """
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise OutputError(f"The output folder {directory} is a file: give a folder.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OutputError(f"Nothing can be written to the output folder {directory}: {error.strerror}.") from error


def check_free(files: Sequence[Path], overwrite: bool) -> None:
    """Raise OutputError if one of `files` exists already and may not be overwritten, or has a name that none can."""
    for path in files:
        if os.path.isdir(path):
            raise OutputError(f"{path} cannot be written: it is a folder.")
        try:
            os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
        if not overwrite:
            raise OutputError(f"{path} exists already: use another output folder, or --overwrite.")


def check_ours(files: Sequence[Path]) -> None:
    """Raise OutputError if one of `files` exists and belongs to no result: it may be the only copy of a picture.

    It belongs to one where a segmentation or a report is among them.
    """
    there = [path for path in files if os.path.lexists(path)]
    if there and not any(path.name.endswith(SEGMENTATION) or is_report(path) for path in there):
        raise OutputError(f"{there[0]} is no file of a result and is not replaced: use another output folder.")


def is_report(path: Path) -> bool:
    """Whether a file holds JSON of this program: a report, what stands in place of one, or a list of them."""
    if not path.is_file():  # a device or a pipe, which may never end
        return False
    try:
        with path.open("rb") as stream:
            if stream.read(1) not in (b"{", b"["):  # an image need not be read whole
                return False
            stream.seek(0)
            document = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return False
    documents = document if isinstance(document, list) else [document]
    return bool(documents) and all(isinstance(each, dict) and each.get("schema") in SCHEMAS for each in documents)


def write(
    result: SegmentationResult,
    directory: Path,
    name: Path,
    overwrite: bool = False,
    made_with: dict[str, Any] | None = None,
    chosen: Plugins[Writer] | None = None,
) -> Written:
    """Write all files of `result`, called `name` (a path without extension) in `directory`.

    All are written to a hidden folder beside them first and renamed when the last is complete, so that an interruption
    at any time leaves all of them or none. A writer of another package that fails is left out, and says so.

    Parameters
    ----------
    made_with : dict, optional
        For the report, see ``process.made_with_of``.
    chosen : Plugins of Writer, optional
        In place of ``writers()``.

    Raises
    ------
    OutputError
        If one exists already and `overwrite` is false, or cannot be written.
    """
    plugins = (chosen or writers()).plugins
    base = directory / name
    paths = [base.with_name(f"{base.name}{plugin.part.suffix}") for plugin in plugins]
    check_free(paths, overwrite)
    folder = base.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f"{_ASIDE}{_here()}-{os.getpid()}-", dir=folder))
    except OSError as error:
        raise OutputError(f"Nothing can be written to {folder}: {error.strerror}.") from error
    drafts, files, problems = [], [], []
    try:
        for plugin, path in zip(plugins, paths):
            draft = aside / path.name
            problem = _draft(plugin, result, draft, made_with)
            if problem:
                problems.append(problem)
            else:
                drafts.append(draft)
                files.append(path)
        check_free(files, overwrite)  # another program may have been here meanwhile
        (aside / _READY).touch()
        _put_in_place(drafts, files)
    except OSError as error:
        raise OutputError(f"The results cannot be written to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Written(tuple(files), tuple(problems))


def recover(folder: Path) -> bool:
    """Clear up after processes of this machine that died while they wrote to `folder`; whether there were any.

    Where all files of a result had been written, and only renaming was not done, they get their names. What cannot be
    renamed stays for another time.
    """
    found = False
    if not os.path.isdir(folder):
        return found
    for aside in folder.glob(f"{_ASIDE}*-*-*"):
        host, number, _ = aside.name[len(_ASIDE) :].rsplit("-", 2)
        if host != _here() or not number.isdigit() or _is_alive(int(number)):
            continue
        found = True
        try:
            if (aside / _READY).exists():
                for draft in aside.iterdir():
                    if draft.name != _READY:
                        os.replace(draft, folder / draft.name)
        except OSError:
            continue
        shutil.rmtree(aside, ignore_errors=True)
    return found


def _here() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node())


def _is_alive(number: int) -> bool:
    """Whether a process of this machine runs; True where that cannot be told."""
    if os.name == "nt":
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _draft(plugin: Plugin[Writer], result: SegmentationResult, path: Path, made_with: dict[str, Any] | None) -> str:
    """Write one file; what went wrong with a writer of another package, in a sentence."""
    if plugin.is_built_in:
        writer = ReportWriter(made_with) if isinstance(plugin.part, ReportWriter) else plugin.part
        writer.write(result, path)
        return ""
    try:
        plugin.part.write(result, path)
        reason = "" if path.is_file() else "it has written nothing"
    except Exception as error:  # a fault of theirs is no reason to lose the other files
        reason = said(error)
    return f"No {plugin.part.suffix} was written: {plugin.source} has failed ({reason})." if reason else ""


def _put_in_place(drafts: Sequence[Path], files: Sequence[Path]) -> None:
    """Rename all `drafts` to `files`; if one fails, the new ones before it go."""
    placed: list[Path] = []
    with uninterrupted():
        try:
            for draft, path in zip(drafts, files):
                new = not os.path.lexists(path)
                os.replace(draft, path)
                if new:
                    placed.append(path)
        except OSError:
            for path in placed:
                path.unlink(missing_ok=True)
            raise
