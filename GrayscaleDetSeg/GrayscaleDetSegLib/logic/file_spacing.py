"""Give a volume the spacing of its file if Slicer loaded it with another one, and undo that.

Slicer's rulers then measure the same lengths as this software's areas. Results on the volume move with it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError, RadiographError
from ..core.radiograph import Spacing
from ..scene import record, volumes
from ..scene.geometry import WHOLE
from ..scene.nodes import attribute, folded, set_attribute
from ..scene.placement import Placement
from ..scene.volume_source import is_a_readers, spacing_of
from .dicom_context import context_of
from .workspace import Workspace

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

_BEFORE = "SpacingBefore"


def offered_spacing(volume: vtkMRMLScalarVolumeNode, slice_index: int | None = None) -> Spacing | None:
    """The spacing of a volume's file, if one of Slicer's readers has changed it.

    None if the spacings are equal, the file's is not known, or the user has set the volume's spacing since.
    """
    try:
        grid = volumes.grid_of(volume, slice_index)
    except GrayscaleDetSegError:
        return None
    column, row, _ = grid.geometry.spacing
    context = context_of(volume, grid)
    if not is_a_readers((row, column), context):
        return None
    spacing, _ = spacing_of(grid.geometry, context, None)
    if spacing is None or spacing.source == "volume":
        return None
    is_same = abs(spacing.row / row - 1) < 1e-6 and abs(spacing.column / column - 1) < 1e-6
    return None if is_same else spacing


def give_file_spacing(
    workspace: Workspace, volume: vtkMRMLScalarVolumeNode, slice_index: int | None = None
) -> Spacing | None:
    """Give a volume the spacing of its file, see :func:`offered_spacing`. :func:`take_file_spacing_back` undoes it.

    Undoing works in a saved and reopened scene as well. Results on the volume stay on its pixels, with all their
    segments, edits by hand and states for undo.

    Returns
    -------
    Spacing or None
        The spacing that was set; None if there is none to set.
    """
    spacing = offered_spacing(volume, slice_index)
    if spacing is None:
        return None
    grid = volumes.grid_of(volume, slice_index)
    before = list(volume.GetSpacing())
    after = list(before)
    after[grid.axes[0]], after[grid.axes[1]] = spacing.column, spacing.row
    _change(workspace, volume, after)
    set_attribute(volume, _BEFORE, " ".join(map(repr, before)))
    return spacing


def can_take_back(volume: vtkMRMLScalarVolumeNode) -> bool:
    """Whether :func:`give_file_spacing` has changed a volume."""
    return attribute(volume, _BEFORE) is not None


def take_file_spacing_back(workspace: Workspace, volume: vtkMRMLScalarVolumeNode) -> bool:
    """Undo :func:`give_file_spacing`. Returns False if there was nothing to undo."""
    text = attribute(volume, _BEFORE)
    try:
        before = [float(number) for number in (text or "").split()]
    except ValueError:
        before = []
    is_known = len(before) == 3 and min(before) > 0
    if is_known:
        _change(workspace, volume, before)
    set_attribute(volume, _BEFORE, None)
    return is_known


def _change(workspace: Workspace, volume: vtkMRMLScalarVolumeNode, spacing: list[float]) -> None:
    places = []
    for node in workspace.results_on(volume):
        workspace.settle(node)
        with suppress(RadiographError):  # under a transform that bends, it lies on no pixels anyway
            grid, held = volumes.grid_of(volume, WHOLE), record.kept_placement(node)
            if held is None or held.is_of(grid):  # one that has stayed elsewhere, as that of other pixels, stays there
                places.append((node, Placement.of(node, volume, grid)))
    with workspace.writing(), folded(volume):
        volume.SetSpacing(*spacing)
    for node, place in places:
        workspace.follow_image(node, place)
