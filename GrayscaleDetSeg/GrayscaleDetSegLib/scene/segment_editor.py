"""What the user has chosen in Slicer's Segment Editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLScene

TAG = "SegmentEditor"
"""Slicer's editor has one node in a scene, of this singleton tag."""


def allows_overlap(scene: vtkMRMLScene | None) -> bool:
    """Whether the editor is set to let segments overlap ("Modify other segments: Allow overlap").

    False as well where there is no editor: its own choice at first is to overwrite other segments.
    """
    import slicer

    node = None if scene is None else scene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
    return node is not None and node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteNone
