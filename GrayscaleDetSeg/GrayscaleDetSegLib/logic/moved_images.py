"""Results whose image was moved or rescaled since: in Volumes, by a hardened transform, or by its file's spacing.

Pixels are the same then, and so are the masks on them: segments, regions and areas follow, edits by hand and segments
of others included. States for undo follow when they are brought back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import RadiographError
from ..core.results import image_of
from ..scene import record, volumes
from ..scene.geometry import WHOLE, PixelGrid
from ..scene.placement import Placement, carry_segments
from ..scene.record import StoredImage
from ..scene.volume_source import spacing_of
from . import following
from .dicom_context import context_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

    from .workspace import Workspace


def follow_image(workspace: Workspace, node: vtkMRMLSegmentationNode, since: Placement | None = None) -> bool:
    """See ``Workspace.follow_image``."""
    store = workspace.store(node)
    volume = store.volume
    if volume is None or record.kept_slice(node) is None:
        return False
    try:
        before, grid = since or record.kept_placement(node), store.grid
        if before is not None and before.is_of(grid):
            return False
        now = Placement.of(node, volume, grid)
    except RadiographError:  # whoever reads the result is told why
        return False
    with workspace.writing():
        index = _slice_now(node, volume, grid, before)
        is_there = index == grid.index
        if is_there and since is None and store.loaded() is None:  # another image, which it does not belong to
            return before is not None and _order_restored(workspace, node, volume, grid, before)
        if is_there and before is None:
            record.place_result(node, now, index, lambda image: image)
            return False
        store.settle()
        if is_there and before is not None:
            carry_segments(node, grid, before, now, record.kept_segments(node))
        record.place_result(node, now, index, lambda image: _spaced(image, volume, grid, before))
        shown = store.loaded()
        if shown is not None:
            volumes.note_reading(volume, image_of(shown.result))
            following.refresh(workspace, node, shown)
    return True


def _order_restored(
    workspace: Workspace,
    node: vtkMRMLSegmentationNode,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    before: Placement,
) -> bool:
    """Give a volume the order of slices back in which its result was made, if Slicer's reader has reversed them.

    Boxes and rounds of a whole volume are in voxels. Nothing is done where other results were made from the volume as
    it is.
    """
    places = [record.kept_placement(each) for each in workspace.results_on(volume) if each is not node]
    has_others = any(place is not None and place.is_of(grid) for place in places)
    if has_others or not before.is_reversed(grid) or not record.shows_reversed(node, volume):
        return False
    volumes.reverse_slices(volume)
    return True


def _slice_now(
    node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid, before: Placement | None
) -> int:
    """The index of a result's slice, counted from the other end if Slicer's reader has reversed the slices."""
    count = grid.dimensions[2]
    if grid.index == WHOLE or grid.axes[2] != 2 or count == 1:
        return grid.index
    if before is None and record.shows_slice(node, volume, grid.index):
        return grid.index
    other = count - 1 - grid.index
    is_possible = before is None or before.is_reversed(grid)
    return other if is_possible and record.shows_slice(node, volume, other) else grid.index


def _spaced(
    image: StoredImage, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid, before: Placement | None
) -> StoredImage:
    """What is stored of a radiograph, with the spacing that it has now; unchanged where its pixels have the same size.
    """
    if before is None:
        return image
    former = replace(grid, ijk_to_ras=before.matrices[0])
    if np.allclose(former.geometry.spacing[:2], grid.geometry.spacing[:2], rtol=1e-6, atol=0.0):
        return image
    context, file, is_colour = context_of(volume, grid), volumes.file_of(volume), volume.IsA("vtkMRMLVectorVolumeNode")
    _, outdated = spacing_of(former.geometry, context, file, is_colour)
    spacing, notes = spacing_of(grid.geometry, context, file, is_colour)
    kept = [note for note in image.notes if note not in outdated]
    return replace(image, spacing=spacing, notes=(*kept, *notes))
