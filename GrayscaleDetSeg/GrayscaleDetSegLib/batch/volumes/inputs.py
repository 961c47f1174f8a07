"""Which files and folders are volumes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core.reading.dicom import DicomReader
from ...core.reading.dicom_file import is_dicom
from ...core.volumes.files import EXTENSIONS
from ..inputs import OUTPUTS, SEGMENTATION, Input, Problem, folders_below, gathered


def collect(paths: Iterable[Path], suffixes: Sequence[str] = OUTPUTS) -> tuple[list[Input], list[Problem]]:
    """The volumes in `paths`, in their order, each once, and the paths that give none.

    A folder that holds DICOM files itself is one volume; of any other folder, all such folders and all files of a
    volume's format below it are. Segmentations are no inputs.
    """
    return gathered(paths, _walk, "volumes")


def _walk(folder: Path, unreadable: list[OSError]) -> Iterable[Input]:
    for here, names in folders_below(folder, unreadable):
        if _holds_slices([here / name for name in names if name.upper() != "DICOMDIR"], unreadable):
            named = here if here.name else here.resolve()  # "." has no name
            yield Input(named, here.parent.relative_to(folder) if here != folder else Path())
        for name in names:
            lower = name.lower()
            if lower.endswith(EXTENSIONS) and not lower.endswith(SEGMENTATION):
                yield Input(here / name, here.relative_to(folder))


def _holds_slices(files: Iterable[Path], unreadable: list[OSError]) -> bool:
    """Whether one of the files is a DICOM file; where none is, one of those that cannot be read may be."""
    errors = []
    for path in files:
        try:
            if stat.S_ISREG(os.stat(path).st_mode) and is_dicom(path):
                return True  # reading the series tells what is wrong with the others
        except OSError as error:
            lower, is_gone = path.name.lower(), isinstance(error, FileNotFoundError)
            if not lower.endswith(EXTENSIONS) and (not is_gone or lower.endswith(DicomReader.extensions)):
                errors.append(error)
    unreadable += errors
    return False
