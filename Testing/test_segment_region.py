"""Regions drawn by hand, segmented by one call: alone, joined to a result, over what is there, and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.core.overlaps import EXCLUSIVE, Overlaps
from GrayscaleDetSegLib.logic.drawn import occupant_of
from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.scene import masks, volumes
from Testing.fakes import GEOMETRIES, bar, letter_l
from Testing.rigged import box, film, rigged_engine
from Testing.scene_nodes import add_bending_transform, add_transform, add_volume, ids
from Testing.segmenting import BOTH, mask, names

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

MODULE = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg"


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_region_drawn_by_hand(name, is_moved, scene):
    """The detector is not asked: one that finds nothing will do."""
    segmenter = Segmenter(scene, rigged_engine(labels=()))
    volume = add_volume(scene, film(), GEOMETRIES[name])
    if is_moved:
        volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    region = box(scene, volume)
    size, middle = list(region.GetSize()), list(region.GetCenter())
    segmented = segmenter.segment_region(volume, region, "tibia")
    assert names(segmented) == ("tibia",) and segmented.objects[0].score == 1.0
    assert segmented.objects[0].region == pytest.approx((60.0, 50.0, 125.0, 85.0), abs=0.02)
    assert (mask(segmented, "tibia")[50:85, 66:] == bar()[50:85, 66:]).all()
    assert list(region.GetSize()) == size and list(region.GetCenter()) == middle and region.GetName() == "drawn"
    assert segmented.outcome.regions["tibia"] is not region


def test_a_region_that_joins_a_result(scene, segmenter):
    volume = add_volume(scene, film())
    first = segmenter.segment(volume)
    edited = letter_l()
    edited[:4, 60:70] = True
    masks.write_mask(first.segmentation, "femur", volume, volumes.grid_of(volume), edited)
    region = box(scene, volume, (2.0, 60.0, 60.0, 89.0))
    joined = segmenter.segment_region(volume, region, "femur", segmentation=first.segmentation)
    assert joined.segmentation is first.segmentation and names(joined) == (*BOTH, "femur 3")
    assert joined.table.GetNumberOfRows() == 3 and len(joined.outcome.regions) == 3
    assert (mask(joined) == edited).all() and mask(joined, "femur_3").any()  # nobody's edits are in its way
    assert segmenter.undo(first.segmentation)
    assert len(segmenter.workspace.shown(first.segmentation).identities) == 2 and (mask(first) == edited).all()
    mine = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    own = segmenter.segment_region(volume, region, "tibia", segmentation=mine)
    assert own.segmentation is mine and names(own) == ("tibia",)


def test_a_region_over_an_object_that_is_there(scene, segmenter):
    """It would get next to nothing: that is said, and the user chooses."""
    volume = add_volume(scene, film())
    first = segmenter.segment(volume)
    node, space = first.segmentation, segmenter.workspace
    region, before = box(scene, volume, (12.0, 6.0, 68.0, 47.0)), space.shown(node)

    def draw(label, existing):
        return segmenter.segment_region(volume, region, label, segmentation=node, existing=existing)

    for label, existing, sentence in (
        ("femur", None, "femur is there already: replace it .* extend it .* or keep it"),
        ("tibia", None, "femur is there already and shares no pixels with tibia: replace it, or keep it"),
        ("tibia", "extend", "femur is there already"),
    ):
        with pytest.raises(GrayscaleDetSegError, match=sentence):
            draw(label, existing)
    assert space.shown(node) is before and not space.can_undo(node)
    with pytest.raises(GrayscaleDetSegError, match="^Femur leaves no pixels of this region to a new femur, and none"):
        draw("femur", "keep")
    assert space.shown(node) is before and not space.can_undo(node)
    half = letter_l()
    half[:, 20:] = False
    masks.write_mask(node, "femur", volume, volumes.grid_of(volume), half)
    assert draw("femur", "keep").objects[-1].name == "femur 3" and len(space.shown(node).identities) == 3
    assert mask(first, "femur_3").any() and (mask(first) == half).all()
    assert space.shown(node).result.notes[-1] == "femur was there already and keeps its pixels."
    assert space.store(node).new_notes() == ("femur was there already and keeps its pixels.",)
    assert space.undo(node)
    masks.write_mask(node, "femur", volume, volumes.grid_of(volume), letter_l())
    replaced = draw("femur", "replace").objects[0]
    assert replaced.name == "femur" and replaced.region == pytest.approx((12.0, 6.0, 68.0, 47.0), abs=0.05)
    assert space.shown(node).identities == before.identities and space.undo(node) and not space.can_undo(node)
    own = before.result.objects[0].region
    extended = draw("femur", "extend").objects[0].region
    union = (min(own.x0, 12.0), min(own.y0, 6.0), max(own.x1, 68.0), max(own.y1, 47.0))
    assert extended == pytest.approx(union, abs=0.05) and space.undo(node)
    painted = letter_l()
    painted[:4, 60:70] = True
    masks.write_mask(node, "femur", volume, volumes.grid_of(volume), painted)
    assert draw("tibia", "replace").objects[-1].name == "tibia"
    assert space.shown(node).identities == ("femur_2", "tibia") and set(space.outcome(node).regions) == {
        "femur_2", "tibia"
    }
    segments = node.GetSegmentation()
    copies = [segments.GetNthSegmentID(n) for n in range(segments.GetNumberOfSegments())]
    assert copies == ["femur_2", "femur_edited", "tibia"]  # what was painted is kept, and undo brings all back
    assert space.undo(node) and (mask(first) == painted).all() and space.shown(node).identities == before.identities


def test_what_is_in_the_way_of_a_region(scene, segmenter):
    volume = add_volume(scene, film())
    shown = segmenter.workspace.shown(segmenter.segment(volume).segmentation)
    over_l, over_bar = (10.0, 5.0, 70.0, 48.0), (70.0, 58.0, 125.0, 78.0)

    def name(label, roi, overlaps=EXCLUSIVE):
        found = occupant_of(replace(shown, result=replace(shown.result, overlaps=overlaps)), label, roi)
        return None if found is None else found.name

    assert name("femur", over_l) == "femur" and name("tibia", over_bar) == "femur 2"
    assert name("femur", (20.0, 15.0, 24.0, 30.0)) == "femur"  # full of a small part of it
    assert name("femur", (60.0, 2.0, 128.0, 45.0)) is None  # its tip alone reaches in
    assert name("femur", (0.0, 50.0, 60.0, 89.0)) is None
    free, apart = Overlaps(True), Overlaps(True, (("femur", "tibia"),))
    assert name("tibia", over_l, free) is None  # where classes may overlap, there is room
    assert name("tibia", over_l, apart) == "femur" and name("femur", over_l, free) == "femur"


def test_regions_that_cannot_be_segmented(scene, segmenter):
    volume = add_volume(scene, film())
    region = box(scene, volume)
    beside, empty = box(scene, volume, (-60.0, -50.0, -5.0, -5.0)), scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    bent = box(scene, volume)
    bent.SetName("bent")
    bent.SetAndObserveTransformNodeID(add_bending_transform(scene).GetID())
    before = ids(scene)
    for node, label, sentence in (
        (region, "unicorn", "does not know 'unicorn': choose one of femur, tibia"),
        (region, "", "does not know ''"),
        (beside, "femur", "drawn lies beside image; move it onto the image"),
        (empty, "femur", "lies beside image"),
        (bent, "femur", "bent lies under a transform that bends it"),
        (None, "femur", "That is no region; choose the ROI node"),
        (volume, "femur", "That is no region"),
    ):
        with pytest.raises(GrayscaleDetSegError, match=sentence):
            segmenter.segment_region(volume, node, label)
    assert ids(scene) == before
