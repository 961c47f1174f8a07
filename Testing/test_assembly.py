"""From findings to objects: masks, who gets which pixel, and the numbers that explain an object, by plain counting."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.assembly import assemble, made_object
from GrayscaleDetSegLib.core.explain import confidence, stability
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.explanations.thresholds import PROBES, ThresholdRule, explained, probes
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.mask import field_mask, rule_mask
from GrayscaleDetSegLib.core.overlaps import Overlaps
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.radiograph import Radiograph, Spacing
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.windowed import WindowedMask
from Testing.fakes import SHAPE, bar, letter_l, radiograph

ROI = (12.25, 6.5, 70.75, 52.25)
GROWN = (6.5, 2.25, 77.0, 57.5)


def oblique_field(roi=GROWN) -> ThresholdMap:
    row, column = np.mgrid[:4, :3].astype(np.float32)
    return ThresholdMap(roi, 40 + 12 * row + 25 * column, 260 - 9 * row - 20 * column)


class Finding(NamedTuple):
    """A region, the rule that a method found in it, and the method's name."""

    region: RegionProposal
    rule: ThresholdRule
    method: str


def finding(method="surfaces", label="femur", roi=ROI, field=None, low=90.0, high=240.0, score=0.9) -> Finding:
    if field is None:
        field = ThresholdMap.uniform(roi, low, high) if method == "box" else oblique_field()
    box, proposal = (*roi[:2], low, *roi[2:], high), (*roi[:2], low - 9, *roi[2:], high)
    return Finding(RegionProposal(label, score, roi), ThresholdRule(box, field, method == "box", proposal, 0.7), method)


def assembled(image, findings, clean_up, stopwatch=None):
    made = explained(image, [(region, rule) for region, rule, _ in findings], stopwatch)
    parts = [replace(part, method=method) for part, (_, _, method) in zip(made, findings)]
    return assemble(image, parts, clean_up, stopwatch)


def noisy(shape=SHAPE, **fields) -> Radiograph:
    image = radiograph(shape, **fields)
    noise = np.random.default_rng(0).integers(-400, 400, shape)
    return Radiograph((image.pixels + noise.astype(np.int32)).clip(0).astype(np.uint16), image.mapping, **fields)


def whole(mask, roi, shape=SHAPE) -> np.ndarray:
    full = np.zeros(shape, bool)
    full[boxes.pixel_slices(roi, shape)] = mask
    return full


def test_each_method_has_its_rule():
    image = noisy()
    by_box, by_field = finding("box"), finding()
    np.testing.assert_array_equal(by_box.rule.mask(image), rule_mask(image, ROI, 90.0, 240.0))
    np.testing.assert_array_equal(by_field.rule.mask(image), field_mask(image, oblique_field()))
    assert by_box.rule.mask(image).shape != by_field.rule.mask(image).shape, "each in the window of its own field"


@pytest.mark.parametrize("method", ["surfaces", "box"])
def test_the_mask_is_the_rule_in_its_place(method):
    image, given = noisy(), finding(method)
    (item,) = assembled(image, [given], None)
    np.testing.assert_array_equal(item.mask, whole(given.rule.mask(image), given.rule.field.roi))
    assert item.thresholds.rule_pixel_count == item.pixel_count == item.mask.sum() > 0
    with pytest.raises(ValueError):
        item.mask[0, 0] = True


def test_an_object_tells_what_it_was_made_from():
    given = finding(label="tibia", score=0.83)
    (item,) = assembled(noisy(), [given], None)
    assert (item.name, item.label, item.score, item.region) == ("tibia", "tibia", 0.83, ROI)
    assert item.thresholds.box == given.rule.box
    assert (item.thresholds.proposal, item.thresholds.box_score) == (given.rule.proposal, 0.7)
    assert item.method == "surfaces" and item.thresholds.interval == (90.0, 240.0)
    field = item.thresholds.field
    assert field.low is not given.rule.field.low and (field.roi, field.bottom) == (given.rule.field.roi, 0.0)
    np.testing.assert_array_equal(np.stack(field.cells), np.stack(given.rule.field.cells))
    gray = noisy().gray()[item.mask]
    assert gray.min() <= field.reach[0] < field.reach[1] <= gray.max()


@pytest.mark.parametrize("inverted", [False, True])
def test_thresholds_in_units_and_in_the_files_values(inverted):
    image = noisy().inverted("test") if inverted else noisy()
    (item,) = assembled(image, [finding()], None)
    low, high = image.mapping.interval_to_units(90.0, 240.0)
    assert item.thresholds.interval_units == (low, high)
    pivot = image.polarity.pivot
    assert item.thresholds.interval_file == ((pivot - high, pivot - low) if inverted else (low, high))


def test_area_needs_a_spacing():
    assert assembled(noisy(), [finding()], None)[0].area_mm2 is None
    (item,) = assembled(noisy(spacing=Spacing(0.2, 0.15, "test")), [finding()], None)
    assert item.area_mm2 == pytest.approx(item.mask.sum() * 0.03)


def test_two_findings_share_no_pixel_and_the_rule_is_counted_before():
    image = Radiograph(np.full(SHAPE, 2000, np.uint16), GrayMapping.window(0, 2550, "full range"))
    rois = [(10.0, 10.0, 70.0, 60.0), (50.0, 20.0, 120.0, 80.0)]
    given = [finding("box", roi=roi) for roi in rois]
    first, second = assembled(image, given, None)
    assert (first.name, second.name) == ("femur", "femur 2")
    assert first.thresholds.rule_pixel_count == 60 * 50 and second.thresholds.rule_pixel_count == 70 * 60
    both = whole(np.ones((50, 60), bool), rois[0]) | whole(np.ones((60, 70), bool), rois[1])
    np.testing.assert_array_equal(first.mask.astype(int) + second.mask, both)
    assert first.mask[30, 52] and second.mask[50, 68], "a pixel goes where it lies deeper"


def test_clean_up_runs_in_the_window_of_each_object():
    pixels = radiograph().pixels.copy()
    pixels[20:24, 20:23] = 300  # a hole in the L
    pixels[10, 55] = 3000  # a speck beside it
    image = Radiograph(pixels, radiograph().mapping)
    given = [finding("box", low=150.0), finding("box", "tibia", (70.0, 55.0, 125.0, 80.0), low=150.0)]
    bare = assembled(image, given, None)
    clean = assembled(image, given, PostProcessing(smooth=0.0))
    assert bare[0].mask[10, 55] and not bare[0].mask[21, 21]
    np.testing.assert_array_equal(clean[0].mask, letter_l())
    np.testing.assert_array_equal(clean[1].mask, bar())
    assert bare[0].thresholds.rule_pixel_count == clean[0].thresholds.rule_pixel_count
    assert bare[0].thresholds.rule_pixel_count == bare[0].pixel_count == letter_l().sum() - 12 + 1


def test_masks_that_clean_up_lets_grow_into_each_other_are_parted():
    """A ring whose hole holds another object: filling it would take that object's pixels."""
    pixels = np.full(SHAPE, 200, np.uint16)
    pixels[10:70, 20:100] = 2000
    pixels[20:60, 30:90] = 200
    pixels[30:50, 45:70] = 2200
    image = Radiograph(pixels, GrayMapping.window(0, 2550, "full range"))
    given = [
        finding("box", "tibia", (40.0, 25.0, 80.0, 55.0), low=210.0, high=255.0),
        finding("box", roi=(15.0, 5.0, 110.0, 80.0), low=190.0, high=210.0),
    ]
    inner, ring = assembled(image, given, PostProcessing(smooth=0.0))
    assert inner.mask.sum() == 20 * 25 and not (inner.mask & ring.mask).any()
    assert (inner.mask | ring.mask).sum() == 60 * 80


def test_nothing_found_makes_no_objects():
    assert assembled(noisy(), [], PostProcessing()) == ()


def test_an_object_can_come_out_empty():
    closed = ThresholdMap(GROWN, np.full((2, 2), 90), np.full((2, 2), 80))
    (item,) = assembled(noisy(), [finding(field=closed)], PostProcessing())
    assert item.pixel_count == item.thresholds.rule_pixel_count == 0 and item.thresholds.confidence == 0.0
    assert item.thresholds.box_agreement == 0.0 and item.thresholds.stability.value == 1.0


def test_explanations_of_a_small_object_look_at_every_pixel():
    image, field = noisy(), oblique_field()
    (item,) = assembled(image, [finding(low=30.0)], None)
    window = boxes.pixel_slices(GROWN, SHAPE)
    gray, (low, high) = image.gray()[window], field.surfaces(window)
    assert item.thresholds.stability == stability(gray, low, high) and 0 < item.thresholds.stability.value < 1
    assert item.thresholds.confidence == pytest.approx(confidence(gray, low, high))
    by_box = whole(rule_mask(image, ROI, 30.0, 240.0), ROI)
    by_field = whole(field_mask(image, field), GROWN)
    expected = (by_box & by_field).sum() / (by_box | by_field).sum()
    assert item.thresholds.box_agreement == pytest.approx(expected) and 0.05 < expected < 0.95


def test_the_box_agrees_with_itself():
    image = noisy()
    (by_box,) = assembled(image, [finding("box")], None)
    even = ThresholdMap(ROI, np.full((3, 3), 90.0), np.full((3, 3), 240.0))
    (as_field,) = assembled(image, [finding(field=even)], None)
    assert by_box.thresholds.box_agreement == as_field.thresholds.box_agreement == 1.0
    assert by_box.thresholds.confidence == as_field.thresholds.confidence
    assert by_box.thresholds.stability == as_field.thresholds.stability
    np.testing.assert_array_equal(by_box.mask, as_field.mask)


def test_explanations_of_a_large_object_are_those_of_a_fair_choice():
    image = noisy((900, 1300))
    roi = (65.0, 22.5, 770.0, 575.0)
    given = finding(roi=(122.5, 65.0, 707.5, 522.5), field=oblique_field(roi))
    (item,), (again,) = assembled(image, [given], None), assembled(image, [given], None)
    window = boxes.pixel_slices(roi, image.shape)
    gray, (low, high) = image.gray()[window], given.rule.field.surfaces(window)
    assert item.thresholds.confidence == pytest.approx(confidence(gray, low, high), abs=0.03)
    assert item.thresholds.stability.value == pytest.approx(stability(gray, low, high).value, abs=0.02)
    assert (item.thresholds.confidence, item.thresholds.stability, item.thresholds.box_agreement) == (
        again.thresholds.confidence,
        again.thresholds.stability,
        again.thresholds.box_agreement,
    )


def test_probes_are_pixels_of_the_roi_all_or_evenly_many():
    image = noisy((300, 400))
    gray = image.gray_image()
    small = probes(gray, (10.0, 20.0, 60.0, 90.0))
    assert small.shape == (50 * 70, 3) and len(np.unique(small[:, :2], axis=0)) == 50 * 70
    large = probes(gray, (10.0, 20.0, 390.0, 290.0))
    assert large.shape == (PROBES**2, 3)
    x, y, level = large.T
    assert x.min() >= 10 and x.max() <= 390 and y.min() >= 20 and y.max() <= 290
    np.testing.assert_array_equal(level, image.gray()[y.astype(int), x.astype(int)])
    quarters, _, _ = np.histogram2d(x, y, bins=2, range=[[10, 390], [20, 290]])
    np.testing.assert_allclose(quarters / PROBES**2, 0.25, atol=0.005)
    np.testing.assert_array_equal(large, probes(gray, (10.0, 20.0, 390.0, 290.0)))


def test_an_object_has_the_mask_that_it_is_given():
    """After an edit that is another one than the rule's, for example without the pixels of other objects."""
    image, mask = noisy(), letter_l()
    ((region, rule, _),) = [finding()]
    (part,) = explained(image, [(region, rule)])
    item = made_object(image, part, "femur 3", WindowedMask.of(mask))
    assert item.name == "femur 3" and item.pixel_count == letter_l().sum()
    assert item.thresholds.rule_pixel_count == np.count_nonzero(rule.mask(image)) != item.pixel_count
    np.testing.assert_array_equal(item.mask, mask)
    assert not item.mask.flags.writeable


def test_masks_overlap_where_their_classes_may():
    image = Radiograph(np.full(SHAPE, 2000, np.uint16), GrayMapping.window(0, 2550, "full range"))
    findings = [finding("box", roi=roi) for roi in ((10.0, 10.0, 70.0, 60.0), (50.0, 20.0, 120.0, 80.0))]
    labels = ("femur", "hip bone")
    named = [(replace(region, label=label), rule) for label, (region, rule, _) in zip(labels, findings)]
    made = explained(image, named)
    first, second = assemble(image, made, PostProcessing(smooth=0.0), overlaps=Overlaps(True))
    assert (first.pixel_count, second.pixel_count) == (60 * 50, 70 * 60) and (first.mask & second.mask).any()


def test_stages_are_timed_and_named():
    named, stopwatch = [], Stopwatch()
    stopwatch.progress = named.append
    assembled(noisy(), [finding()], PostProcessing(), stopwatch)
    assert named == list(stopwatch.seconds) == ["masks", "explanation", "overlaps", "post-processing"]
    assert all(seconds > 0 for seconds in stopwatch.seconds.values())


def test_a_stage_that_runs_twice_adds_up(monkeypatch):
    times = iter([1.0, 3.0, 10.0, 14.5])
    monkeypatch.setattr("GrayscaleDetSegLib.core.stopwatch.time.perf_counter", lambda: next(times))
    stopwatch = Stopwatch()
    for _ in range(2):
        with stopwatch("masks"):
            pass
    assert stopwatch.seconds == {"masks": 6.5}
