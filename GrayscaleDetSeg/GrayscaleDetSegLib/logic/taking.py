"""Whether a segmentation can take another result, and what that would cost its user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError
from ..scene import outcome, record, segmentation
from ..scene.locks import is_locked
from .shown import AnyReading

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from .workspace import Workspace


def fits(workspace: Workspace, node: vtkMRMLSegmentationNode, reading: AnyReading) -> bool:
    """See ``Workspace.fits``."""
    if record.is_unreadable(node):
        return False
    workspace.follow_image(node)
    held, index = outcome.outcome_of(node).volume, record.kept_slice(node)
    if held is None:  # what belonged to an image that is gone belongs to no other
        return index is None
    return held is reading.volume and index in (None, reading.grid.index)


def check_place(workspace: Workspace, node: vtkMRMLSegmentationNode, reading: AnyReading) -> None:
    """See ``Workspace.check_place``."""
    if not node.IsA("vtkMRMLSegmentationNode") or node.GetScene() is not workspace.scene:
        wrong = "is no segmentation of this scene"
    elif record.is_unreadable(node):
        wrong = "holds a result that cannot be read"
    elif not fits(workspace, node, reading):
        wrong = "belongs to another image or slice"
    else:
        return
    raise GrayscaleDetSegError(f"{node.GetName()} {wrong}; choose another segmentation, or a new one.")


def would_lose_edits(workspace: Workspace, node: vtkMRMLSegmentationNode) -> bool:
    """See ``Workspace.would_lose_edits``."""
    if record.is_unreadable(node):
        return True
    store = workspace.store(node)
    if store.volume is None or record.kept_slice(node) is None:
        return False
    workspace.settle(node)
    edits = segmentation.edits_of(node, store.volume, store.grid)
    return bool(edits.changed or edits.removed)


def holds_locked(node: vtkMRMLSegmentationNode) -> bool:
    """See ``Workspace.holds_locked``."""
    return any(is_locked(node, each) for each in segmentation.segment_ids(node))
