"""The settings of Slicer's Segment Editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLScene

TAG = "SegmentEditor"
"""Slicer's editor has one node in a scene, of this singleton tag."""


def allows_overlap(scene: vtkMRMLScene | None) -> bool:
    """Whether Segment Editor lets segments overlap ("Modify other segments: Allow overlap").

    False also if the scene has no Segment Editor node: the default is to overwrite other segments.
    """
    import slicer

    node = None if scene is None else scene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
    return node is not None and node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteNone
