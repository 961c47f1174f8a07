"""Which files and folders are volumes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core.volumes.files import EXTENSIONS
from ...core.volumes.series import is_dicom
from ..inputs import OUTPUTS, SEGMENTATION, Input, Problem


def collect(paths: Iterable[Path], suffixes: Sequence[str] = OUTPUTS) -> tuple[list[Input], list[Problem]]:
    """The volumes in `paths`, in their order, each once, and the paths that give none.

    A folder that holds DICOM files itself is one volume; of any other folder, all such folders and all files of a
    volume's format below it are. Segmentations are no inputs.
    """
    inputs: dict[Path, Input] = {}
    problems = []
    for path in map(Path, paths):
        if path.is_dir():
            unreadable: list[OSError] = []
            found = list(_walk(path, unreadable))
            problems += [Problem(Path(error.filename or path), f"{error.strerror}.") for error in unreadable]
            if not found and not unreadable:
                problems.append(Problem(path, "The folder holds no volumes."))
        elif os.path.lexists(path):
            found = [Input(path)]
        else:
            found = []
            problems.append(Problem(path, "There is no such file or folder."))
        for item in found:
            inputs.setdefault(Path(os.path.realpath(item.path)), item)
    return list(inputs.values()), problems


def _walk(folder: Path, unreadable: list[OSError]) -> Iterable[Input]:
    for root, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(root)
        shown = [name for name in sorted(names) if not name.startswith(".")]
        if any(name.upper() != "DICOMDIR" and is_dicom(here / name) for name in shown):
            named = here if here.name else here.resolve()  # "." has no name
            yield Input(named, here.parent.relative_to(folder) if here != folder else Path())
        for name in shown:
            lower = name.lower()
            if lower.endswith(EXTENSIONS) and not lower.endswith(SEGMENTATION):
                yield Input(here / name, here.relative_to(folder))
