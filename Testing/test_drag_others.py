"""Thresholds dragged beside other objects and hand edits, which stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core import editing
from GrayscaleDetSegLib.scene import kept_copies, masks, segmentation
from Testing.dragged import CLEAN, Dragged
from Testing.fakes import bar, letter_l

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def touching(scene, clean_up=None):
    """The bar's region reaches over the L; the L is the one that is dragged next to it."""
    case = Dragged(scene, "femur_2", clean_up)
    item = case.result.objects[1]
    wide = (0.0, 0.0, 125.0, 80.0)
    rule = item.thresholds.rule
    rule = replace(rule, box=(*wide[:2], 120.0, *wide[2:], 255.0), field=replace(rule.field, roi=wide))
    item = replace(item, region=wide, explanation=replace(item.thresholds, rule=rule))
    case.keep(replace(case.result, objects=(case.result.objects[0], item)))
    case.show("femur_2")
    return case


@pytest.mark.parametrize("clean_up", [None, CLEAN])
def test_objects_that_touch_never_overlap(clean_up, scene):
    case = touching(scene, clean_up)
    lung = case.mask("right_lung")
    drag = case.begin()
    numbers = drag.move((10.0, 255.0))
    assert (case.live(-110.0, 0.0) & lung).any() and not (case.mask() & lung).any()
    assert numbers.pixel_count == case.mask().sum()
    whole = drag.finish((10.0, 255.0))
    wanted = editing.with_thresholds(case.result, "femur 2", -110.0, 0.0, clean_up=clean_up)
    assert (whole.objects[1].mask == wanted.objects[1].mask).all() and (case.mask() == whole.objects[1].mask).all()
    assert whole.objects[0] is case.result.objects[0] and (case.mask("right_lung") == lung).all()


def test_edits_of_other_objects_count(scene):
    """What the result says of the other is stale: pixels painted to it are taken, those erased are free."""
    case = touching(scene)
    case.paint("right_lung", (60, 70), (5, 25))
    case.paint("right_lung", (10, 20), (0, 130), False)
    lung = case.mask("right_lung")
    assert (lung != letter_l()).any()
    drag = case.begin()
    drag.move((0.0, 255.0))
    assert (case.mask() == (case.live(-120.0, 0.0) & ~lung)).all()
    whole = drag.finish((0.0, 255.0))
    assert (case.mask() == (case.live(-120.0, 0.0) & ~lung)).all() and (case.mask() & letter_l()).any()
    assert (case.mask("right_lung") == lung).all() and (whole.objects[0].mask == lung).all()
    assert whole.objects[0].area_mm2 == pytest.approx(lung.sum() * 0.06)
    assert (case.result.objects[0].mask == letter_l()).all()
    assert sum(item.mask.astype(int) for item in whole.objects).max() == 1
    assert case.edits().changed == ("right_lung",)  # still by hand, and still known to be


def add_by_hand(case, identity, mask, is_visible=True):
    segment = slicer.vtkSegment()
    segment.SetName(identity)
    segment.AddRepresentation(masks.binary(), masks.label_map(case.node, case.volume, case.grid, mask))
    case.node.GetSegmentation().AddSegment(segment, identity)
    case.node.GetDisplayNode().SetSegmentVisibility(identity, is_visible)


@pytest.mark.parametrize("is_visible, overlaps, is_left", [(True, False, True), (False, False, False),
                                                           (True, True, False)])
def test_segments_that_somebody_added(is_visible, overlaps, is_left, scene):
    """A visible one keeps its pixels, unless it was laid over the object on purpose."""
    case = touching(scene)
    implant = np.zeros(case.grid.shape, bool)
    implant[55:75, 5:20] = True
    if overlaps:
        implant |= bar()
    add_by_hand(case, "implant", implant, is_visible)
    drag = case.begin()
    drag.move((0.0, 255.0))
    assert (case.mask() & implant).any() != is_left
    whole = drag.finish((0.0, 255.0))
    assert (case.mask() & implant).any() != is_left
    assert len(whole.objects) == 2 and {item.name for item in whole.objects} == {"right lung", "femur 2"}
    assert whole.objects[1].pixel_count == case.mask().sum()
    assert (case.mask("implant") == implant).all() and "implant" in case.edits().added


def test_an_edited_object_is_kept_as_a_hidden_copy(scene):
    case = Dragged(scene, clean_up=CLEAN)
    case.node.GetSegmentation().GetSegment("right_lung").SetColor(0.2, 1.0, 0.4)
    case.paint("right_lung", (60, 70), (5, 25))
    edited, others = case.mask(), case.mask("femur_2")
    drag = case.begin()
    assert drag.kept_edited is None  # not before something changes
    drag.move((60.0, 230.0))
    copy = drag.kept_edited
    assert copy is not None and (case.mask(copy) == edited).all()
    assert (case.mask() == case.live(-60.0, 0.0) & ~others).all()  # what was painted outside of the region, too
    drag.finish((50.0, 230.0))
    wanted = editing.with_thresholds(case.result, "right lung", -70.0, 0.0, clean_up=CLEAN)
    assert (case.mask() == wanted.objects[0].mask).all() and (case.mask(copy) == edited).all()
    segment, display = case.node.GetSegmentation().GetSegment(copy), case.node.GetDisplayNode()
    assert segment.GetName() == "right lung (edited)" and segment.GetColor() == (0.2, 1.0, 0.4)
    assert not display.GetSegmentVisibility(copy) and display.GetSegmentVisibility("right_lung")
    assert case.edits() == segmentation.Edits(added=(copy,)) and kept_copies.is_copy(case.node, copy)
    # the next drag has nothing to keep, and the copy, even shown, is not in its way
    display.SetSegmentVisibility(copy, True)
    drag = case.begin()
    drag.finish((40.0, 230.0))
    assert drag.kept_edited is None and (case.mask() & edited).any()
    # edited again: one more copy, and another result leaves both
    case.paint("right_lung", (0, 4), (0, 9))
    drag = case.begin()
    drag.move((90.0, 200.0))
    assert drag.kept_edited not in (None, copy)
    segmentation.show_objects(case.node, case.volume, case.grid, case.result.objects)
    assert (case.mask(copy) == edited).all() and case.mask(drag.kept_edited)[:4, :9].all()


def test_another_name_is_no_edit(scene):
    case = Dragged(scene)
    case.node.GetSegmentation().GetSegment("right_lung").SetName("lung, right")
    assert case.edits().changed == ("right_lung",)
    drag = case.begin()
    drag.finish((60.0, 230.0))
    assert drag.kept_edited is None and case.node.GetSegmentation().GetSegment("right_lung").GetName() == "lung, right"
    assert not case.edits()
    drag = case.begin()
    drag.finish((70.0, 230.0))
    assert drag.kept_edited is None


def test_pixels_painted_in_other_slices_are_kept(scene):
    """The result belongs to one slice; what somebody painted beside it goes to the copy, and comes back."""
    from vtk.util.numpy_support import numpy_to_vtk

    case = Dragged(scene, name="sideways", stack=3)
    own = case.node.GetSegmentation().GetSegment("right_lung").GetRepresentation(masks.binary())
    image = slicer.vtkOrientedImageData()
    image.DeepCopy(own)
    extent = [edge for size in case.grid.dimensions for edge in (0, size - 1)]
    values = np.zeros(case.grid.dimensions[::-1], np.uint8)
    values[case.grid.index], values[0, 3:9, 40:60] = case.mask(), 1
    image.SetExtent(extent)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    case.node.GetSegmentation().GetSegment("right_lung").AddRepresentation(masks.binary(), image)
    assert case.edits().changed == ("right_lung",)
    drag = case.begin()
    drag.move((60.0, 230.0))
    copy = case.node.GetSegmentation().GetSegment(drag.kept_edited).GetRepresentation(masks.binary())
    assert copy.GetScalarRange() == (0.0, 1.0) and copy.GetExtent() == tuple(extent)
    drag.finish((120.0, 230.0))
    held = case.node.GetSegmentation().GetSegment("right_lung").GetRepresentation(masks.binary())
    assert held.GetExtent() == tuple(extent) and case.edits().changed == ("right_lung",)


def test_a_segment_that_shares_its_label_map(scene):
    """As files and the Segment Editor leave it."""
    case = Dragged(scene)
    case.node.GetSegmentation().CollapseBinaryLabelmaps(False)
    femur = case.mask("femur_2")
    drag = case.begin()
    drag.move((60.0, 230.0))
    assert (case.mask() == case.live(-60.0, 0.0)).all() and (case.mask("femur_2") == femur).all()
    drag.finish((120.0, 230.0))
    assert (case.mask() == letter_l()).all() and (case.mask("femur_2") == femur).all()
