"""From boxes to masks: the rule, overlaps, the clean-up and the stability, each against plain loops."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.clean_up import CleanUp, filled, majority
from GrayscaleDetSegLib.core.explain import stability
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.mask import placed, rule_mask, settle_overlaps
from GrayscaleDetSegLib.core.radiograph import Radiograph
from Testing.fakes import letter_l

OFF = CleanUp(smooth=0.0, keep_largest=False, fill_holes=False)
MAPPINGS = [
    GrayMapping.window(500, 3000, "VOI window"),
    GrayMapping((100.0, 900.0, 3500.0), (0.0, 200.0, 255.0), "VOI LUT"),
]


def image(mapping: GrayMapping, inverted: bool, dtype=np.uint16) -> Radiograph:
    pixels = np.random.default_rng(0).integers(0, 4096, (12, 17)).astype(dtype)
    radiograph = Radiograph(pixels, mapping)
    return radiograph.inverted("test") if inverted else radiograph


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.source)
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("low, high", [(60.0, 190.0), (0.0, 120.0), (120.0, 255.0), (0.0, 255.0), (200.0, 100.0)])
def test_the_rule_compares_own_units(mapping, inverted, dtype, low, high):
    radiograph, roi = image(mapping, inverted, dtype), (2.0, 1.0, 15.0, 11.0)
    found = rule_mask(radiograph, roi, low, high)
    lower, upper = radiograph.mapping.interval_to_units(low, high)
    expected = np.zeros((10, 13), bool)
    for row in range(10):
        for column in range(13):
            value = float(radiograph.pixels[row + 1, column + 2])
            expected[row, column] = (low <= 0 or value >= lower) and (high >= 255 or value <= upper)
    np.testing.assert_array_equal(found, expected)
    gray = radiograph.gray()[1:11, 2:15]
    clear = (np.abs(gray - low) > 1e-3) & (np.abs(gray - high) > 1e-3) | (low <= 0) | (high >= 255)
    np.testing.assert_array_equal(found[clear], ((gray >= low) & (gray <= high))[clear])
    if (low, high) == (0.0, 255.0):
        assert found.all()


def test_a_threshold_is_inclusive():
    radiograph = Radiograph(np.arange(256, dtype=np.uint8).reshape(16, 16), GrayMapping.window(0, 255, "full range"))
    found = rule_mask(radiograph, (0, 0, 16, 16), 100.0, 103.0)
    assert np.flatnonzero(found).tolist() == [100, 101, 102, 103]


def test_the_thresholds_in_the_files_own_values_select_the_same_pixels():
    pixels = np.random.default_rng(0).integers(0, 4096, (12, 17)).astype(np.uint16)
    radiograph = Radiograph(pixels, MAPPINGS[0]).inverted("MONOCHROME1")
    found = rule_mask(radiograph, (0, 0, 17, 12), 60.2, 190.7)
    low, high = radiograph.polarity.interval_to_file(*radiograph.mapping.interval_to_units(60.2, 190.7))
    np.testing.assert_array_equal(found, (pixels >= low) & (pixels <= high))


def brute_stability(gray, low, high):
    def area(bottom, top):
        return sum(bool(bottom <= value <= top) for value in gray.ravel().tolist())

    now = max(area(low, high), 1)
    bottom = (abs(area(low - 1, high) - area(low, high)) + abs(area(low + 1, high) - area(low, high))) / (2 * now)
    top = (abs(area(low, high - 1) - area(low, high)) + abs(area(low, high + 1) - area(low, high))) / (2 * now)
    return (0.0 if low <= 0 else bottom), (0.0 if high >= 255 else top)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "low, high", [(100.0, 160.0), (100.0, 100.5), (0.0, 90.0), (90.0, 255.0), (0.5, 254.5), (30.25, 31.0), (9.0, 8.0)]
)
def test_stability_is_the_change_of_area_per_gray_level(whole, low, high):
    gray = (np.random.default_rng(0).random((25, 30)) * 255).astype(np.float32)
    gray = np.floor(gray) if whole else gray
    found = stability(gray, low, high)
    assert (found.bottom, found.top) == pytest.approx(brute_stability(gray, low, high))
    assert 0.0 <= found.value <= 1.0


def test_stability_of_a_clear_object_is_1_and_of_one_on_the_edge_is_not():
    gray = np.array([[10.0] * 50 + [200.0] * 50])
    assert stability(gray, 100.0, 255.0).value == 1.0
    assert stability(gray, 200.0, 255.0).bottom == 0.5
    assert stability(np.zeros((2, 2)), 100.0, 255.0).value == 1.0


ROIS = [(2.0, 1.0, 14.0, 9.0), (8.0, 3.0, 20.0, 15.0), (0.0, 5.0, 11.0, 18.0)]
SHAPE = (20, 22)


def settled(rois, seed=0):
    random = np.random.default_rng(seed)
    masks = []
    for roi in rois:
        rows, columns = boxes.pixel_slices(roi, SHAPE)
        masks.append(random.random((rows.stop - rows.start, columns.stop - columns.start)) < 0.8)
    windows = [boxes.pixel_slices(roi, SHAPE) for roi in rois]
    found = settle_overlaps(masks, rois, SHAPE)
    return masks, [placed(mask, window, SHAPE) for mask, window in zip(found, windows)]


@pytest.mark.parametrize("rois", [ROIS, ROIS[::-1], [ROIS[0], ROIS[0]]])
def test_settled_masks_are_disjoint_and_lose_no_pixel(rois):
    masks, found = settled(rois)
    union = np.zeros(SHAPE, bool)
    for mask, roi, item in zip(masks, rois, found):
        full = np.zeros(SHAPE, bool)
        full[boxes.pixel_slices(roi, SHAPE)] = mask
        union |= full
        assert not (item & ~full).any(), "nobody gains a pixel"
    np.testing.assert_array_equal(np.sum(found, axis=0), union.astype(int))


def test_a_pixel_in_two_masks_goes_where_it_lies_deeper():
    masks, found = settled(ROIS)
    full = []
    for mask, roi in zip(masks, ROIS):
        full.append(np.zeros(SHAPE, bool))
        full[-1][boxes.pixel_slices(roi, SHAPE)] = mask
    contested = 0
    for row in range(SHAPE[0]):
        for column in range(SHAPE[1]):
            x, y = column + 0.5, row + 0.5
            depths = [
                min((x - x0) / (x1 - x0), (x1 - x) / (x1 - x0), (y - y0) / (y1 - y0), (y1 - y) / (y1 - y0))
                if mask[row, column]
                else -1
                for mask, (x0, y0, x1, y1) in zip(full, ROIS)
            ]
            if max(depths) >= 0:
                ranked = sorted(depths)
                if ranked[-1] - ranked[-2] > 1e-6:  # single precision settles the rest
                    assert found[int(np.argmax(depths))][row, column]
                contested += sum(depth >= 0 for depth in depths) > 1
    assert contested > 10


def test_of_equal_depths_the_first_wins():
    _, found = settled([ROIS[0]] * 2)
    masks, _ = settled([ROIS[0]] * 2)
    full = np.zeros(SHAPE, bool)
    full[boxes.pixel_slices(ROIS[0], SHAPE)] = masks[0]
    np.testing.assert_array_equal(found[0], full)


def test_nothing_to_settle():
    assert settle_overlaps([], [], SHAPE) == []


def test_everything_off_changes_nothing():
    mask = np.random.default_rng(0).random((30, 40)) < 0.5
    np.testing.assert_array_equal(OFF.apply(mask, "femur"), mask)


def test_each_step_does_its_own_part_and_no_other():
    mask = np.zeros((60, 80), bool)
    mask[5:45, 10:50] = True
    mask[20:30, 25:35] = False  # a hole
    mask[50:56, 60:72] = True  # a second part
    mask[10, 70] = True  # a speck
    filled, largest, no_speck = mask.copy(), mask.copy(), mask.copy()
    filled[20:30, 25:35] = True
    largest[46:, :] = False
    largest[10, 70] = False
    no_speck[10, 70] = False

    def apply(**on):
        return CleanUp(**{**OFF.to_dict(), **on}).apply(mask, "femur")

    np.testing.assert_array_equal(apply(fill_holes=True), filled)
    np.testing.assert_array_equal(apply(keep_largest=True, largest_parts={"femur": 1}), largest)
    np.testing.assert_array_equal(apply(keep_largest=True, largest_parts={"femur": 2}), no_speck)
    np.testing.assert_array_equal(apply(keep_largest=True, largest_parts={"tibia": 0}), largest)  # not named: one
    smoothed = apply(smooth=1 / 62)  # radius 1: of edges and corners only the corners change
    assert not smoothed[10, 70] and (smoothed != no_speck).sum() <= 12


def test_the_radius_of_smoothing_grows_with_the_object():
    large = np.zeros((200, 200), bool)
    large[20:180, 20:180] = True
    large[100:103, 20:100] = False  # a crack 3 px wide
    settings = CleanUp(smooth=0.03, largest_parts={"femur": 0}, fill_holes=False)
    assert settings.apply(large, "femur")[101, 40:90].all()
    small = large[95:108, 60:73]
    assert not settings.apply(small, "femur")[6, 5]


def test_smoothing_never_removes_an_object():
    mask = np.zeros((20, 20), bool)
    mask[4:18, 9] = True  # one pixel wide: no majority anywhere
    assert CleanUp(smooth=0.2).apply(mask, "femur").any()


def test_parts_that_touch_at_a_corner_are_one():
    mask = np.zeros((9, 9), bool)
    mask[1:4, 1:4] = mask[4:6, 4:6] = True
    np.testing.assert_array_equal(CleanUp(smooth=0.0).apply(mask, "femur"), mask)


def test_an_empty_mask_stays_empty():
    assert not CleanUp().apply(np.zeros((5, 6), bool), "femur").any()


@pytest.mark.parametrize("turn", range(8))
def test_an_object_without_symmetry_stays_in_place(turn):
    mask = letter_l((90, 130))
    mask = (mask.T if turn & 1 else mask)[:: -1 if turn & 2 else 1, :: -1 if turn & 4 else 1]
    cleaned = CleanUp().apply(mask, "femur")
    assert cleaned.shape == mask.shape
    assert (cleaned & mask).sum() / (cleaned | mask).sum() > 0.98


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_majority_is_the_median_filter(radius):
    mask = np.random.default_rng(radius).random((41, 57)) > 0.45
    expected = ndimage.median_filter(mask.astype(np.uint8), 2 * radius + 1, mode="nearest").astype(bool)
    np.testing.assert_array_equal(majority(mask, radius), expected)


def test_filling_is_that_of_scipy():
    mask = np.random.default_rng(3).random((60, 80)) > 0.4
    np.testing.assert_array_equal(filled(mask), ndimage.binary_fill_holes(mask))


def test_objects_at_the_edge_of_the_image_keep_their_edge():
    mask = np.zeros((40, 50), bool)
    mask[:25, 30:] = True
    cleaned = CleanUp(smooth=0.05).apply(mask, "femur")
    assert cleaned[0, 35:].all() and cleaned[:20, -1].all()


def test_names_of_the_steps_that_ran():
    assert CleanUp().steps() == ("smooth", "keep largest parts", "fill holes")
    assert CleanUp(smooth=0.0, fill_holes=False).steps() == ("keep largest parts",)


def test_configuration_survives_json():
    settings = CleanUp(0.01, True, {"right lung": 2}, False)
    assert CleanUp.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
