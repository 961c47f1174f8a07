"""The boxes that a method has seen, drawn by Slicer's own slice view: each shows its outline in its own slice alone."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.explanations.seen import SeenBox
from GrayscaleDetSegLib.core.volumes.result import VolumeBox
from GrayscaleDetSegLib.scene import volumes
from GrayscaleDetSegLib.scene.geometry import WHOLE
from GrayscaleDetSegLib.scene.seen_boxes import add_seen_boxes
from Testing import standins
from Testing.fakes import GEOMETRIES
from Testing.scene_nodes import add_transform, add_volume

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_slice_view_shows_the_outlines_of_its_slice(panel_session, screen, is_moved):
    from Testing.scene_views import SliceView

    volume = add_volume(screen.scene, np.zeros((9, 40, 40), np.int16), GEOMETRIES["turned"])
    if is_moved:
        volume.SetAndObserveTransformNodeID(add_transform(screen.scene).GetID())
    boxes = [
        SeenBox("axial", 4, VolumeBox(10.0, 8.0, 4.0, 30.0, 20.0, 5.0), 0.9),
        SeenBox("axial", 6, VolumeBox(4.0, 25.0, 6.0, 14.0, 35.0, 7.0), None),
    ]
    for index, lit, dark in ((4, (30.0, 14.0), (14.0, 30.0)), (6, (14.0, 30.0), (30.0, 14.0)), (1, None, (30.0, 14.0))):
        view = SliceView(screen, volume, volumes.grid_of(volume, index), tag=f"S{index}")
        before = view.picture().astype(int)
        node = add_seen_boxes(screen.scene, volume, volumes.grid_of(volume, WHOLE), boxes, "boxes")
        changed = np.abs(view.picture().astype(int) - before).sum(-1) > 60
        screen.scene.RemoveNode(node)
        for place, is_lit in ((lit, True), (dark, False)):
            if place is not None:
                row, column = view.screen(*place)
                assert changed[row - 4 : row + 5, column - 4 : column + 5].any() == is_lit, (index, place)
