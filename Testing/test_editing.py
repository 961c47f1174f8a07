"""Thresholds and regions moved by hand: the least is computed again, and comes out as if all had been."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.assembly import assemble
from GrayscaleDetSegLib.core.editing import (
    drawn_regions,
    with_object,
    with_region,
    with_thresholds,
    without_object,
)
from GrayscaleDetSegLib.core.errors import MethodError
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.explanations.thresholds import ThresholdRule, explained
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.lie import Lie
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.result import SegmentationResult
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox
from Testing.fakes import GEOMETRIES, SHAPE, radiograph
from Testing.pipelines import rigged

ROIS = {"femur": (6.5, 2.25, 77.0, 57.5), "tibia": (60.0, 40.0, 125.0, 85.0)}


def image() -> Radiograph:
    plain = radiograph()
    noise = np.random.default_rng(0).integers(-500, 500, SHAPE)
    return Radiograph((plain.pixels + noise.astype(np.int32)).clip(0).astype(np.uint16), plain.mapping)


def oblique_field(roi=ROIS["femur"]) -> ThresholdMap:
    row, column = np.mgrid[:5, :4].astype(np.float32)
    return ThresholdMap(roi, 40 + 12 * row + 15 * column, 260 - 9 * row - 20 * column)


def rule_of(method="surfaces", label="femur", low=90.0, high=240.0) -> ThresholdRule:
    roi = ROIS[label]
    field = ThresholdMap.uniform(roi, low, high) if method == "box" else oblique_field(roi)
    box, proposal = (*roi[:2], low, *roi[2:], high), (*roi[:2], low - 9, *roi[2:], high)
    return ThresholdRule(box, field, method == "box", proposal, 0.7)


def assembled(picture, rules: dict[str, ThresholdRule], method="surfaces", clean_up=None):
    made = explained(picture, [(RegionProposal(label, 0.9, ROIS[label]), rule) for label, rule in rules.items()])
    return assemble(picture, [replace(part, method=method) for part in made], clean_up)


def result(method="surfaces", clean_up=None) -> SegmentationResult:
    picture = image()
    objects = assembled(picture, {label: rule_of(method, label) for label in ROIS}, method, clean_up)
    return SegmentationResult(picture, objects, None, 0.5, (), "stored", "cpu", {}, "rigged")


def whole(mask, roi) -> np.ndarray:
    full = np.zeros(SHAPE, bool)
    full[boxes.pixel_slices(roi, SHAPE)] = mask
    return full


def test_an_object_gives_back_what_it_was_made_from():
    for method in ("surfaces", "box"):
        rule = rule_of(method)
        back = assembled(image(), {"femur": rule}, method)[0].thresholds.rule
        assert (back.box, back.proposal, back.single, back.box_score) == (rule.box, rule.proposal, rule.single, 0.7)
        for name in ("roi", "bottom", "top"):
            assert getattr(back.field, name) == getattr(rule.field, name)
        np.testing.assert_array_equal(np.stack(back.field.cells), np.stack(rule.field.cells))


def test_moving_all_thresholds_moves_the_box_too():
    before = rule_of()
    after = before.moved(bottom=-7.5, top=4.0)
    assert (after.field.bottom, after.field.top) == (-7.5, 4.0) and after.field.low is not None
    np.testing.assert_array_equal(after.field.cells[0], before.field.low - np.float32(7.5))
    np.testing.assert_array_equal(after.field.cells[1], np.minimum(before.field.high, 255) + np.float32(4))
    assert after.box == (*ROIS["femur"][:2], 82.5, *ROIS["femur"][2:], 244.0)
    assert after.proposal == before.proposal
    assert before.box.g0 == 90.0, "a rule stays as it was"


def test_a_move_bites_inside_of_the_object():
    """The network leaves the inside open; a bottom that is raised by hand takes the darkest pixels all the same."""
    wide = ThresholdMap(ROIS["femur"], np.full((3, 3), -400.0), np.full((3, 3), 700.0))
    rule = replace(rule_of(), field=wide)
    picture = replace(image(), mapping=GrayMapping.window(-2000, 5000, "full range"))
    objects = assembled(picture, {"femur": rule})
    before = SegmentationResult(picture, objects, None, 0.5, (), "stored", "cpu", {}, "rigged")
    gray = picture.gray()[before.objects[0].mask]
    darkest, brightest = before.objects[0].thresholds.field.reach
    assert 0 < gray.min() <= darkest < np.quantile(gray, 0.02) and np.quantile(gray, 0.98) < brightest <= gray.max()
    after = with_thresholds(before, "femur", bottom=30.0).objects[0]
    np.testing.assert_array_equal(after.mask[before.objects[0].mask], gray >= darkest + np.float32(30.0))
    assert after.thresholds.field.reach == (darkest, brightest), "it stays that of the object as it was found"
    twice = with_thresholds(with_thresholds(before, "femur", bottom=30.0), "femur", bottom=-30.0).objects[0]
    np.testing.assert_array_equal(twice.mask, before.objects[0].mask)


def test_moving_one_cell_leaves_the_box_and_the_others():
    before = rule_of()
    after = before.moved(bottom=30.0, top=-5.0, cell=(3, 1))
    assert after.box == before.box
    changed = np.argwhere(after.field.low != before.field.low).tolist()
    assert changed == np.argwhere(after.field.high != before.field.high).tolist() == [[3, 1]]


@pytest.mark.parametrize("cell", [None, (0, 0)])
@pytest.mark.parametrize(
    "bottom, top, expected",
    [(10, -20, (100, 220)), (-500, 0, (0, 240)), (0, 99, (90, 255)), (300, 0, (255, 240)), (0, -300, (90, 0))],
)
def test_the_box_and_its_only_cell_stay_one(cell, bottom, top, expected):
    after = rule_of("box").moved(bottom, top, cell)
    assert (after.box.g0, after.box.g1) == expected
    assert (float(after.field.low[0, 0]), float(after.field.high[0, 0])) == expected
    picture = image()
    np.testing.assert_array_equal(field_mask(picture, after.field), after.mask(picture))


def test_there_is_no_such_cell():
    for method, cell in (("surfaces", (5, 0)), ("surfaces", (0, -1)), ("box", (0, 1))):
        with pytest.raises(IndexError, match="no cell"):
            rule_of(method).moved(1.0, cell=cell)


@pytest.mark.parametrize("method", ["surfaces", "box"])
@pytest.mark.parametrize("clean_up", [None, PostProcessing(smooth=0.02)])
def test_the_edited_object_follows_its_thresholds_and_the_others_keep_theirs(method, clean_up):
    before = result(method)
    pixels = [item.mask.copy() for item in before.objects]
    after = with_thresholds(before, "tibia", bottom=-35.0, top=12.0, clean_up=clean_up)
    femur, tibia = after.objects
    assert femur is before.objects[0] and after.radiograph is before.radiograph
    expected = before.objects[1].thresholds.rule.moved(-35.0, 12.0)
    rule = expected.mask(before.radiograph)
    cleaned = rule if clean_up is None else clean_up.apply(rule, "tibia")
    np.testing.assert_array_equal(tibia.mask, whole(cleaned, ROIS["tibia"]) & ~femur.mask)
    assert tibia.thresholds.rule_pixel_count == rule.sum() != before.objects[1].thresholds.rule_pixel_count
    assert tibia.thresholds.interval == (55.0, 252.0) and (tibia.name, tibia.score) == ("tibia", 0.9)
    assert tibia.thresholds.interval_units == before.radiograph.mapping.interval_to_units(55.0, 252.0)
    alone = assembled(before.radiograph, {"tibia": expected}, method)[0]
    assert (tibia.thresholds.stability, tibia.thresholds.confidence, tibia.thresholds.box_agreement) == (
        alone.thresholds.stability,
        alone.thresholds.confidence,
        alone.thresholds.box_agreement,
    )
    for item, mask in zip(before.objects, pixels):
        np.testing.assert_array_equal(item.mask, mask)
    assert not tibia.mask.flags.writeable


def test_one_cell_of_a_result():
    before = result()
    after = with_thresholds(before, "femur", bottom=-60.0, cell=(1, 2))
    changed = np.argwhere(after.objects[0].mask != before.objects[0].mask)
    field = before.objects[0].thresholds.field
    assert len(changed) > 0
    x0, y0, x1, y1 = field.roi
    places = (changed + 0.5 - [y0, x0]) / [(y1 - y0) / 5, (x1 - x0) / 4]  # in cells, down and across
    assert (np.abs(places - [1.5, 2.5]) < 1).all(), "as far as the middles of the neighbours"
    assert after.objects[0].thresholds.interval == before.objects[0].thresholds.interval
    assert after.objects[0].thresholds.field.low[1, 2] == field.low[1, 2] - 60


def test_there_and_back_again():
    before = result()
    there = with_thresholds(before, "femur", bottom=32.0, top=-16.0)
    back = with_thresholds(there, "femur", bottom=-32.0, top=16.0)
    assert (there.objects[0].mask != before.objects[0].mask).any()
    np.testing.assert_array_equal(back.objects[0].thresholds.field.low, before.objects[0].thresholds.field.low)
    rule = rule_of().mask(before.radiograph)
    np.testing.assert_array_equal(back.objects[0].mask, whole(rule, ROIS["femur"]) & ~before.objects[1].mask)


def test_names_that_the_result_does_not_have():
    with pytest.raises(KeyError, match="no object 'femur 2'"):
        with_thresholds(result(), "femur 2", 1.0)
    with pytest.raises(KeyError, match="no object 'hand'"):
        with_region(pipeline(), result(), "hand", ROIS["femur"])
    with pytest.raises(IndexError):
        with_thresholds(result(), "femur", 1.0, cell=(99, 0))


class BoxFake:
    classes = ("femur", "tibia")

    def detect(self, gray, roi, label):
        corners = tuple(map(float, boxes.extrude(np.asarray(roi), 100.0, 230.0)))
        return DetectedBox(corners, corners, 0.6)


class SurfaceFake:
    def __init__(self) -> None:
        self.rois = []

    def knows(self, label):
        return True

    def detect_all(self, gray, rois, labels):
        self.rois.extend(rois)
        return [oblique_field(roi) for roi in rois]


def pipeline():
    return rigged(None, BoxFake(), clean_up=PostProcessing(smooth=0.02), surfaces=SurfaceFake(), margin=0.3)


@pytest.mark.parametrize("method", ["surfaces", "box"])
@pytest.mark.parametrize("clean_up", [False, True])
def test_a_region_drawn_anew(method, clean_up):
    before, made, roi = result(method), pipeline(), (20.0, 11.0, 70.5, 60.0)
    after = with_region(made, before, "femur", roi, clean_up=clean_up)
    femur, tibia = after.objects
    assert tibia is before.objects[1]
    assert (femur.name, femur.region, femur.score, femur.method) == ("femur", roi, 1.0, method)
    assert femur.thresholds.box == (*roi[:2], 100.0, *roi[2:], 230.0) and femur.thresholds.field.roi == roi
    assert made.methods["surfaces"].detector.rois == ([roi] if method == "surfaces" else [])
    field = oblique_field(roi) if method == "surfaces" else ThresholdMap.uniform(roi, 100.0, 230.0)
    rule = field_mask(before.radiograph, field)
    cleaned = made.clean_up.apply(rule, "femur") if clean_up else rule
    np.testing.assert_array_equal(femur.mask, whole(cleaned, roi) & ~tibia.mask)
    assert femur.thresholds.rule_pixel_count == rule.sum()


@pytest.mark.parametrize(
    "drawn, kept",
    [
        ((-10.0, 5.0, 60.0, 200.0), (0.0, 5.0, 60.0, 90.0)),
        ((60.0, 5.0, 10.0, 40.0), (10.0, 5.0, 60.0, 40.0)),
        ((60.0, 40.0, 10.0, 5.0), (10.0, 5.0, 60.0, 40.0)),
        ((150.0, 95.0, 190.0, 99.0), (130.0, 90.0, 130.0, 90.0)),
    ],
)
def test_a_region_may_be_drawn_from_any_corner_and_beyond_the_image(drawn, kept):
    for method in ("surfaces", "box"):
        item = with_region(pipeline(), result(method), "femur", drawn).objects[0]
        assert item.region == item.thresholds.field.roi == kept
        inside = whole(True, kept)
        assert inside.any() and not (item.mask & ~inside).any()


@pytest.mark.parametrize("method", ["surfaces", "box", None])
def test_one_more_object_from_a_region(method):
    """It is the last, has a name of its own, and takes no pixel of the others."""
    before, made, roi, stages = result("box"), pipeline(), (20.0, 11.0, 70.5, 60.0), []
    after = with_object(made, before, "femur", roi, method, clean_up=False, progress=stages.append)
    assert after.objects[:2] == before.objects and len(after.objects) == 3
    new = after.objects[2]
    assert (new.name, new.label, new.region, new.score) == ("femur 2", "femur", roi, 1.0)
    assert new.method == (method or "surfaces") and stages[0] == "boxes"
    field = ThresholdMap.uniform(roi, 100.0, 230.0) if method == "box" else oblique_field(roi)
    rule = field_mask(before.radiograph, field)
    taken = before.objects[0].mask | before.objects[1].mask
    np.testing.assert_array_equal(new.mask, whole(rule, roi) & ~taken)
    assert (whole(rule, roi) & taken).any() and new.thresholds.rule_pixel_count == rule.sum()
    third = with_object(made, after, "femur", roi).objects[3]
    assert third.name == "femur 3" and not (third.mask & new.mask).any()
    again = with_object(made, without_object(after, "femur"), "femur", roi)
    assert [item.name for item in again.objects] == ["tibia", "femur 2", "femur"]


@pytest.mark.parametrize(
    "there, drawn, side",
    [
        (["tibia"], "femur", "left"),
        (["tibia", "femur"], "femur", None),  # both knees: which one is which, the file does not say
        (["right lung"], "tibia", None),  # it contradicts what was found
        (["left lung"], "tibia", "left"),
        (["tibia"], "right lung", "right"),
        ([], "femur", "left"),
        (["tibia"], "heart", None),
    ],
)
def test_a_drawn_object_has_the_side_that_a_found_one_would_have(there, drawn, side):
    roi, before = (20.0, 11.0, 70.5, 60.0), result("box")
    film = replace(before.radiograph, lie=Lie(laterality="left", laterality_by="ImageLaterality L"))
    objects = tuple(replace(before.objects[0], name=label, label=label) for label in there)
    box = BoxFake()
    box.classes = ("femur", "tibia", "right lung", "heart")
    made = rigged(None, box)
    after = with_object(made, replace(before, radiograph=film, objects=objects), drawn, roi, "box")
    assert after.objects[-1].side == side and after.objects[:-1] == objects
    (region,) = drawn_regions(made, film, drawn, roi, others=there).found
    assert region.side == side


def test_without_an_object():
    before = result()
    assert without_object(before, "femur").objects == before.objects[1:] and len(before.objects) == 2
    with pytest.raises(KeyError, match="no object 'hand'"):
        without_object(before, "hand")


def test_a_class_or_a_method_that_is_not_there():
    with pytest.raises(ValueError, match="does not know 'hand': choose one of femur, tibia"):
        with_object(pipeline(), result(), "hand", ROIS["femur"])
    with pytest.raises(MethodError, match="no method 'magic'"):
        with_object(pipeline(), result(), "femur", ROIS["femur"], "magic")
    boxes_alone = rigged(None, BoxFake(), model="boxes 1")
    with pytest.raises(MethodError, match="boxes 1 has no method 'surfaces': choose one of box"):
        with_region(boxes_alone, result("surfaces"), "femur", ROIS["femur"])


def test_an_object_without_thresholds_has_none_to_move():
    before = result()
    plain = replace(before, objects=(replace(before.objects[0], explanation=None), before.objects[1]))
    with pytest.raises(MethodError, match="no thresholds to move: 'femur' was made by the method 'surfaces'"):
        with_thresholds(plain, "femur", 1.0)
    assert with_thresholds(plain, "tibia", 1.0).objects[0] is plain.objects[0], "the others go on"


def test_pixels_that_are_taken_are_left_alone():
    before, taken = result(), np.zeros(SHAPE, bool)
    taken[:, :40] = True
    free = with_thresholds(before, "femur", bottom=-20.0).objects[0].mask
    held = with_thresholds(before, "femur", bottom=-20.0, taken=taken).objects[0].mask
    assert free[taken].any()
    np.testing.assert_array_equal(held, free & ~taken)


def test_a_drawn_region_is_looked_at_as_the_image_is_hung():
    plain = drawn_regions(pipeline(), image(), "tibia", (70.0, 50.0, 10.0, -20.0))
    assert plain.found == (RegionProposal("tibia", 1.0, (10.0, 0.0, 70.0, 50.0), drawn=True),) and plain.best is None
    assert plain.orientation.is_identity
    turned = replace(image(), geometry=GEOMETRIES["flipped"])
    assert drawn_regions(pipeline(), turned, "tibia", ROIS["tibia"]).orientation.flip_columns
