"""Hidden copies of segments that were edited by hand, and nodes in scenes that lack what Slicer's window gives them."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.scene import hierarchy, kept_copies, live, masks, segmentation
from GrayscaleDetSegLib.scene.frame import CloudFrame
from GrayscaleDetSegLib.scene.geometry import geometry_of
from Testing.rigged import Bench
from Testing.scene_nodes import add_volume

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_copy_has_the_pixels_and_is_hidden_behind_the_others(is_shown, scene):
    bench = Bench(scene)
    edited = bench.paint()
    if not is_shown:
        scene.RemoveNode(bench.node.GetDisplayNode())
    copy = kept_copies.keep_copy(bench.node, "femur")
    assert bench.segments()[-1] == copy and kept_copies.is_copy(bench.node, copy)
    assert not kept_copies.is_copy(bench.node, "femur") and not kept_copies.is_copy(bench.node, "gone")
    assert bench.node.GetSegmentation().GetSegment(copy).GetName() == "femur (edited)"
    assert np.array_equal(bench.mask(copy), edited)
    if is_shown:
        assert not bench.node.GetDisplayNode().GetSegmentVisibility(copy)
    other = kept_copies.keep_copy(bench.node, "femur")
    assert other != copy and np.array_equal(bench.mask(other), edited)


def test_a_segment_that_is_not_there_is_said(scene):
    bench = Bench(scene)
    where = bench.volume, bench.reading.grid
    calls = [
        lambda: kept_copies.keep_copy(bench.node, "gone"),
        lambda: masks.mask_of(bench.node, "gone", *where),
        lambda: masks.stamp_of(bench.node, "gone", *where),
        lambda: masks.write_mask(bench.node, "gone", *where, np.zeros(bench.reading.grid.shape, bool)),
        lambda: masks.own_label_map(bench.node, "gone", *where),
        lambda: live.LiveMask(bench.node, "gone", *where),
    ]
    before = bench.state()
    for call in calls:
        with pytest.raises(KeyError, match="gone"):
            call()
    assert bench.state() == before
    assert not masks.write_window(bench.node, "gone", bench.reading.grid, np.ones((2, 2), bool), np.s_[:2, :2])


def test_a_segment_without_a_label_map_has_no_pixels(scene):
    bench = Bench(scene)
    bench.node.GetSegmentation().AddSegment(slicer.vtkSegment(), "empty")
    bench.node.GetSegmentation().GetSegment("empty").RemoveRepresentation(masks.binary())
    where = bench.volume, bench.reading.grid
    assert not masks.mask_of(bench.node, "empty", *where).any()
    assert masks.stamp_of(bench.node, "empty", *where) is None
    assert not masks.lies_elsewhere(bench.node, "empty", *where)
    assert segmentation.edits_of(bench.node, *where).added == ("empty",)


def test_a_scene_without_a_subject_hierarchy_stays_without(scene):
    for node in list(scene.GetNodesByClass("vtkMRMLSubjectHierarchyNode") or []):
        scene.RemoveNode(node)
    volume = add_volume(scene, np.zeros((8, 9), np.uint8))
    hierarchy.place_beside(scene, volume, [volume])
    hierarchy.place_in_folder(scene, volume, "thresholds", [volume])
    hierarchy.forget(scene, [volume])
    assert hierarchy.hierarchy_of(scene) is None


def test_matrices_and_texts_that_say_no_place():
    matrix = np.eye(4)
    matrix[:, 1] = 0.0
    with pytest.raises(RadiographError):
        geometry_of(matrix)
    for text in (None, "", "nothing"):
        with pytest.raises(ValueError):
            CloudFrame.loads(text)
    frame = CloudFrame((3.0, 4.0), (0.5, 0.25), 0.1)
    assert CloudFrame.loads(frame.dumps()) == frame
