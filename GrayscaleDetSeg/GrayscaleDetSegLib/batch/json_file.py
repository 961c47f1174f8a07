"""The file of ``--json``: what it may replace, and how it is written."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import OutputError
from . import outputs
from .console import put
from .inputs import REPORT, SEGMENTATION, Job, file_key


def check(path: Path, overwrite: bool, planned: Sequence[Job], directory: Path | None, suffixes: Sequence[str]) -> None:
    """Try, before any work, that the file can be written and replaces nothing that is needed.

    Parameters
    ----------
    overwrite : bool
        Whether a file that ``--json`` has written before may be replaced; no other ever is.
    planned : sequence of Job
        Those of the run.
    directory : Path or None
        Its output folder.
    suffixes : sequence of str
        The endings of the files of its results.

    Raises
    ------
    OutputError
        If it cannot, or would: it is an input, a file of a result, or one that something else has written.
    """
    key = file_key(path)
    if any(file_key(job.path) == key for job in planned):
        raise OutputError(f"{path} is one of the inputs: give --json another file.")
    results = (file for job in planned for file in job.outputs(directory or Path(), suffixes))
    if directory is not None and any(file_key(file) == key for file in results):
        raise OutputError(f"{path} is a file of one of the results: give --json another file.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except FileNotFoundError as error:
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}.") from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    _check_replaceable(path, overwrite)


def deliver(text: str, path: Path | None, overwrite: bool = False) -> None:
    """Write `text` to standard output or, complete or not at all, to `path`.

    Raises
    ------
    OutputError
        If it cannot be written, or another program has put there meanwhile what may not be replaced.
    """
    if path is None:
        put(sys.stdout, text)
        return
    _check_replaceable(path, overwrite)
    aside = path.with_name(f".{uuid.uuid4().hex}.json")
    try:
        aside.write_bytes(text.encode("utf-8"))
        os.replace(aside, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        aside.unlink(missing_ok=True)


def _check_replaceable(path: Path, overwrite: bool) -> None:
    """Raise OutputError if something is there that may not be replaced: it may be the only copy of an image."""
    outputs.check_free([path], overwrite)
    if not os.path.lexists(path):
        return
    stem, ending = os.path.splitext(path)
    if ending.lower() == REPORT and os.path.lexists(stem + SEGMENTATION):
        raise OutputError(f"{path} is a file of a result: give --json another file.")
    if not outputs.is_report(path):
        raise OutputError(f"{path} was not written by --json and is not replaced: give --json another file.")
