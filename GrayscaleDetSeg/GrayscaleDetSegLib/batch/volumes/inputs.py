"""Which files and folders are volumes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core.volumes.files import EXTENSIONS
from ...core.volumes.series import is_dicom
from ..inputs import OUTPUTS, SEGMENTATION, Input, Problem, gathered


def collect(paths: Iterable[Path], suffixes: Sequence[str] = OUTPUTS) -> tuple[list[Input], list[Problem]]:
    """The volumes in `paths`, in their order, each once, and the paths that give none.

    A folder that holds DICOM files itself is one volume; of any other folder, all such folders and all files of a
    volume's format below it are. Segmentations are no inputs.
    """
    return gathered(paths, _walk, "volumes")


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
