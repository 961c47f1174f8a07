"""The chosen image: whether it can be segmented, and the index of its slice."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..scene import volumes
from ..scene.whole_volumes import whole_problem


def image_problem(volume, is_whole: bool = False) -> str:
    """Why a volume cannot be segmented, as one slice or as a whole; empty if it can."""
    if is_whole:
        return _("Choose a volume first.") if volume is None else whole_problem(volume)
    if volume is None:
        return _("Choose a radiograph first.")
    try:
        volumes.grid_of(volume, 0)
    except GrayscaleDetSegError as error:
        return str(error)
    return ""


def current_slice(volume) -> int | None:
    """The index of the slice that the Red view shows; None if the volume has only one."""
    grid = volumes.grid_of(volume, 0)
    if grid.dimensions[grid.axes[2]] == 1:
        return None
    node = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    if node is None:
        return grid.dimensions[grid.axes[2]] // 2
    matrix = node.GetSliceToRAS()
    return volumes.slice_at(volume, tuple(matrix.GetElement(row, 3) for row in range(3)))
