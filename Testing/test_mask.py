"""From thresholds to masks: the rules and the overlaps, each against plain loops."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.mask import field_mask, rule_mask, settle_overlaps, shared_parts
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.windowed import WindowedMask
from training.metrics import placed

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


def oblique_field(roi) -> ThresholdMap:
    row, column = np.mgrid[:3, :4].astype(np.float32)
    return ThresholdMap(roi, 20 + 30 * row - 9 * column, 280 - 45 * row - 23 * column)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.source)
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("roi", [(2.0, 1.0, 15.0, 11.0), (0.4, 3.6, 16.2, 9.4), (-3.0, 5.0, 30.0, 40.0)])
def test_the_surfaces_pixels_lie_between_them(mapping, inverted, dtype, roi):
    radiograph, field = image(mapping, inverted, dtype), oblique_field(roi)
    found = field_mask(radiograph, field)
    rows, columns = boxes.pixel_slices(roi, radiograph.shape)
    gray, (low, high) = radiograph.gray()[rows, columns], field.surfaces((rows, columns))
    assert found.dtype == bool and 0.1 < found.mean() < 0.95
    np.testing.assert_array_equal(found, (gray >= low) & (gray <= high))
    part = slice(rows.start + 2, rows.stop - 1), slice(columns.start + 1, columns.stop - 3)
    np.testing.assert_array_equal(field_mask(radiograph, field, part), found[2:-1, 1:-3])


def test_a_field_of_one_cell_is_the_box_rule():
    """To the pixel: what is seen while a threshold is dragged is what comes out, also where pixels lie on it."""
    pixels = np.random.default_rng(0).permutation(np.arange(3, 1789)).astype(np.uint16).reshape(38, 47)
    radiograph, roi = Radiograph(pixels, GrayMapping.window(3, 1788, "full range")), (2.0, 1.0, 45.0, 36.0)
    for low, high in [(float(level), 255.0 - level // 2) for level in range(0, 256, 3)] + [(-5.0, 300.0)]:
        expected = rule_mask(radiograph, roi, low, high)
        field = ThresholdMap.uniform(roi, low, high)
        np.testing.assert_array_equal(field_mask(radiograph, field), expected)
        np.testing.assert_array_equal(field_mask(radiograph, field, (slice(3, 8), slice(4, 9))), expected[2:7, 2:7])


def test_beside_the_mask_no_temporary_grows_with_the_image():
    radiograph = Radiograph(np.zeros((1500, 700), np.uint16), MAPPINGS[0])
    field = oblique_field((0.0, 0.0, 700.0, 1500.0))
    assert radiograph.denoised is radiograph.pixels  # measured once, on a part of the image
    tracemalloc.start()
    try:
        mask = field_mask(radiograph, field)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * mask.nbytes


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


@st.composite
def windows(draw):
    starts, sizes = (draw(st.tuples(st.integers(*ends), st.integers(*ends))) for ends in ((0, 15), (1, 20)))
    return tuple(slice(a, min(a + b, size)) for a, b, size in zip(starts, sizes, SHAPE))


@settings(max_examples=60, deadline=None)
@given(st.lists(windows(), max_size=4), st.integers(0, 2**31))
def test_an_earlier_mask_keeps_its_pixels(given_windows, seed):
    random = np.random.default_rng(seed)
    masks = [random.random([part.stop - part.start for part in window]) < 0.7 for window in given_windows]
    held = [WindowedMask.within(mask, window, SHAPE) for mask, window in zip(masks, given_windows)]
    taken = np.zeros(SHAPE, bool)
    for number, (mask, window) in enumerate(zip(masks, given_windows)):
        whole = placed(mask, window, SHAPE)
        np.testing.assert_array_equal(held[number].without(held[:number]).whole(), whole & ~taken)
        taken |= whole


@settings(max_examples=60, deadline=None)
@given(windows(), windows())
def test_shared_parts_are_the_same_pixels(first, second):
    numbers = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
    both = set(numbers[first].ravel().tolist()) & set(numbers[second].ravel().tolist())
    parts = shared_parts(first, second)
    if parts is None:
        assert not both
        return
    np.testing.assert_array_equal(numbers[first][parts[0]], numbers[second][parts[1]])
    assert set(numbers[first][parts[0]].ravel().tolist()) == both


def test_what_is_given_to_be_settled_is_not_changed():
    rois, masks = ROIS[:2], [np.ones((8, 12), bool), np.ones((12, 12), bool)]
    settle_overlaps(masks, rois, SHAPE)
    assert all(mask.all() for mask in masks)
