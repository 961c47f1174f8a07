"""Objects that lie over each other: which may, what edits leave alone, and how files hold them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import importorskip

from GrayscaleDetSegLib.core.assembly import assemble
from GrayscaleDetSegLib.core.editing import _made
from GrayscaleDetSegLib.core.overlaps import EXCLUSIVE, Overlaps
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionMask, RegionProposal
from GrayscaleDetSegLib.core.result import SegmentationResult
from GrayscaleDetSegLib.core.types import Box2D

SKELETON = Overlaps(True, (("right lung", "left lung"),))
SHAPE = (40, 60)


def part(label: str, x0: int, y0: int, x1: int, y1: int) -> RegionMask:
    roi = Box2D(float(x0), float(y0), float(x1), float(y1))
    return RegionMask(RegionProposal(label, 0.9, roi), roi, np.ones((y1 - y0, x1 - x0), bool), None, "by hand")


def result_of(parts: list, overlaps: Overlaps) -> SegmentationResult:
    radiograph = Radiograph.from_array(np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(np.uint16))
    objects = assemble(radiograph, parts, None, overlaps=overlaps)
    return SegmentationResult(radiograph, objects, None, 0.3, (), "stored", "cpu", {}, "", overlaps=overlaps)


@pytest.mark.parametrize(
    ("first", "second", "may"),
    [("femur", "hip bone", True), ("vertebra", "vertebra", False), ("right lung", "left lung", False),
     ("left lung", "heart", True)],
)  # fmt: skip
def test_bones_of_different_names_may_and_lungs_and_vertebrae_do_not(first, second, may):
    assert SKELETON.may(first, second) is SKELETON.may(second, first) is may
    assert not EXCLUSIVE.may(first, second)


def test_a_manifest_without_a_word_on_it_keeps_every_pixel_for_one_object():
    assert Overlaps.from_dict({}) == EXCLUSIVE
    assert Overlaps.from_dict({"allowed": True, "apart": [["right lung", "left lung"]]}) == SKELETON


def test_a_femur_behind_a_hip_bone_keeps_its_pixels_and_two_lungs_share_none():
    parts = [part("femur", 0, 0, 30, 20), part("hip bone", 20, 10, 50, 30),
             part("right lung", 0, 20, 35, 40), part("left lung", 30, 20, 60, 40)]  # fmt: skip
    femur, hip, right, left = result_of(parts, SKELETON).objects
    assert (femur.mask & hip.mask).sum() == 10 * 10 and femur.pixel_count == 600 and hip.pixel_count == 600
    assert not (right.mask & left.mask).any() and (right.mask | left.mask).sum() == 20 * 60
    alone = [item.mask for item in result_of(parts, EXCLUSIVE).objects]
    assert np.sum(alone, axis=0).max() == 1


def test_an_edit_takes_nothing_from_what_it_may_overlap():
    result = result_of([part("femur", 0, 0, 30, 20), part("femur", 35, 0, 60, 20)], SKELETON)
    moved = part("hip bone", 10, 0, 60, 20)
    new = _made(result, moved, "hip bone", result.objects, None)
    assert new.pixel_count == 50 * 20
    again = _made(result, part("femur", 10, 0, 60, 20), "femur 3", result.objects, None)
    assert again.pixel_count == 5 * 20  # between the two others


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["femur", "tibia", "fibula"]), st.integers(0, 30), st.integers(0, 20),
                          st.integers(2, 25), st.integers(2, 18)), max_size=7))  # fmt: skip
def test_layers_hold_every_pixel_of_every_object_and_few_layers_do(boxes):
    parts = [part(label, x, y, x + width, y + height) for label, x, y, width, height in boxes]
    result = result_of(parts, Overlaps(True))
    layers = result.layers()
    held = [index for _, indices in layers for index in indices]
    assert sorted(held) == list(range(len(parts)))
    for labels, indices in layers:
        for value, index in enumerate(indices, start=1):
            np.testing.assert_array_equal(labels == value, result.objects[index].mask)
    pairs = [(a, b) for a in result.objects for b in result.objects if a is not b]
    if not any((a.mask & b.mask).any() for a, b in pairs):
        assert len(layers) == 1


def test_a_file_with_overlapping_objects_is_read_back_whole(tmp_path):
    slicer = importorskip("slicer")
    from GrayscaleDetSegLib.scene.files import write_result
    from Testing.scene_nodes import read_node

    result = result_of([part("femur", 0, 0, 30, 20), part("hip bone", 20, 10, 50, 30)], SKELETON)
    path = tmp_path / "film.seg.nrrd"
    write_result(result, path)
    segmentation = read_node(path, slicer.vtkMRMLScene()).GetSegmentation()
    assert segmentation.GetNumberOfSegments() == segmentation.GetNumberOfLayers() == 2
