"""The three files of a result: all of them complete under their names, or none."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import OutputError
from ..core.result import SegmentationResult
from ..scene.files import write_result
from .overlay import draw_overlay
from .plain import dumps
from .report import report


def prepare(directory: Path) -> None:
    """Make the output folder and try that files can be written to it.

    Raises
    ------
    OutputError
        If it is a file, or nothing can be written there.
    """
    if directory.exists() and not directory.is_dir():
        raise OutputError(f"The output folder {directory} is a file: give a folder.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OutputError(f"Nothing can be written to the output folder {directory}: {error.strerror}.") from error


def check_free(files: Sequence[Path], overwrite: bool) -> None:
    """Raise OutputError if one of `files` exists already and may not be overwritten."""
    for path in files:
        if path.is_dir():
            raise OutputError(f"{path} cannot be written: it is a folder.")
        if not overwrite and os.path.lexists(path):
            raise OutputError(f"{path} exists already: use another output folder, or --overwrite.")


def write(result: SegmentationResult, files: Sequence[Path], overwrite: bool = False) -> None:
    """Write segmentation, report and overlay of `result` to `files`, in this order; they share one folder.

    All are written to a hidden folder beside them first and renamed when the last is complete, so that an interruption
    at any time leaves the three of them or none.

    Raises
    ------
    OutputError
        If one exists already and `overwrite` is false, or cannot be written.
    """
    check_free(files, overwrite)
    folder = files[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".grayscale-detseg-", dir=folder))
    except OSError as error:
        raise OutputError(f"Nothing can be written to {folder}: {error.strerror}.") from error
    try:
        drafts = [aside / path.name for path in files]
        write_result(result, drafts[0])
        drafts[1].write_bytes((dumps(report(result)) + "\n").encode("utf-8"))
        draw_overlay(result).save(drafts[2])
        check_free(files, overwrite)  # another program may have been here meanwhile
        _put_in_place(drafts, files)
    except OSError as error:
        raise OutputError(f"The results cannot be written to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(drafts: Sequence[Path], files: Sequence[Path]) -> None:
    """Rename all `drafts` to `files`; if one fails, the new ones before it go."""
    placed: list[Path] = []
    with _uninterrupted():
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


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Holds back Ctrl-C and SIGTERM until the end of the block; renaming takes no noticeable time."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread is ever interrupted
        yield
        return
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda received, _: caught.append(received)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None is a handler that Python did not install and cannot put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if caught:
            signal.raise_signal(caught[0])
