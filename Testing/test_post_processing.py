"""Post-processing: each step by itself, and large masks, smoothed by blocks, against every pixel's own count."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.post_processing import (
    BLOCKS,
    PostProcessing,
    block_shares,
    box_mean,
    enlarged,
    filled,
    majority,
)
from Testing.fakes import letter_l

OFF = PostProcessing(smooth=0.0, keep_largest=False, fill_holes=False)
EVERYWHERE = np.ones((3, 3), bool)
TURNS = [Orientation(*turn) for turn in itertools.product([False, True], repeat=3)]


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
        return PostProcessing(**{**OFF.to_dict(), **on}).apply(mask, "femur")

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
    settings = PostProcessing(smooth=0.03, largest_parts={"femur": 0}, fill_holes=False)
    assert settings.apply(large, "femur")[101, 40:90].all()
    small = large[95:108, 60:73]
    assert not settings.apply(small, "femur")[6, 5]


def test_smoothing_never_removes_an_object():
    mask = np.zeros((20, 20), bool)
    mask[4:18, 9] = True  # one pixel wide: no majority anywhere
    assert PostProcessing(smooth=0.2).apply(mask, "femur").any()


def test_parts_that_touch_at_a_corner_are_one():
    mask = np.zeros((9, 9), bool)
    mask[1:4, 1:4] = mask[4:6, 4:6] = True
    np.testing.assert_array_equal(PostProcessing(smooth=0.0).apply(mask, "femur"), mask)


def test_an_empty_mask_stays_empty():
    assert not PostProcessing().apply(np.zeros((5, 6), bool), "femur").any()


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_an_object_without_symmetry_stays_in_place(turn):
    mask = turn.view(letter_l((90, 130)))
    cleaned = PostProcessing().apply(mask, "femur")
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
    cleaned = PostProcessing(smooth=0.05).apply(mask, "femur")
    assert cleaned[0, 35:].all() and cleaned[:20, -1].all()


def test_names_of_the_steps_that_ran():
    assert PostProcessing().steps() == ("smooth", "keep largest parts", "fill holes")
    assert PostProcessing(smooth=0.0, fill_holes=False).steps() == ("keep largest parts",)


def test_configuration_survives_json():
    settings = PostProcessing(0.01, True, {"right lung": 2}, False)
    assert PostProcessing.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def phantom(shape: tuple[int, int], specks: float = 0.02) -> np.ndarray:
    """Oblique parts of which two touch the edges of the image, with holes and specks; without any symmetry."""
    y, x = ((np.arange(size) + 0.5) / size for size in shape)
    y, x = np.meshgrid(y, x, indexing="ij")
    along, across = (x - 0.32) * 0.9 + (y - 0.45) * 0.35, (y - 0.45) * 0.9 - (x - 0.32) * 0.35
    mask = (along / 0.2) ** 2 + (across / 0.38) ** 2 < 1
    mask |= (np.abs(x - 0.55 - (y - 0.2) * 0.4) < 0.05) & (y < 0.62)
    mask |= (x - 0.85) ** 2 + 2 * (y - 0.75) ** 2 < 0.02
    mask |= (x > 0.93) & (y > 0.1) & (y < 0.3)
    mask &= ((x - 0.3) / 0.05) ** 2 + ((y - 0.4) / 0.09) ** 2 > 1
    mask &= (np.abs(x - 0.36) > 0.015) | (np.abs(y - 0.62) > 0.03)
    return mask ^ (np.random.default_rng(0).random(shape) < specks)


def by_every_pixel(clean_up: PostProcessing, mask: np.ndarray, keep: int) -> tuple[np.ndarray, int]:
    """The post-processing without blocks, by scipy; and how many px across a block is."""
    x0, y0, x1, y1 = boxes.of_mask(mask).astype(int)
    size = 2 * int(round(clean_up.smooth * min(x1 - x0, y1 - y0))) + 1
    smoothed = ndimage.uniform_filter(mask.astype(float), size, mode="nearest") > 0.5
    parts, count = ndimage.label(smoothed, EVERYWHERE)
    sizes = ndimage.sum_labels(smoothed, parts, np.arange(1, count + 1))
    kept = np.isin(parts, 1 + np.argsort(-sizes)[: keep or count])
    return ndimage.binary_fill_holes(kept), size // BLOCKS


@pytest.mark.parametrize("keep", [1, 2, 0])
@pytest.mark.parametrize(
    "shape, smooth", [((600, 500), 0.015), ((611, 733), 0.03), ((900, 1300), 0.015), ((400, 420), 0.05)]
)
def test_blocks_differ_from_every_pixel_by_a_thin_rim(shape, smooth, keep):
    settings = PostProcessing(smooth=smooth, largest_parts={"femur": keep})
    mask = phantom(shape)
    expected, block = by_every_pixel(settings, mask, keep)
    assert block >= 2, "else no blocks are in use"
    found = settings.apply(mask, "femur")
    different = found != expected
    assert different.sum() < 0.01 * expected.sum()
    rim = ndimage.distance_transform_edt(expected) + ndimage.distance_transform_edt(~expected)
    assert rim[different].max() <= block + 1
    assert ndimage.label(found, EVERYWHERE)[1] == ndimage.label(expected, EVERYWHERE)[1] == (keep or 3)
    np.testing.assert_array_equal(filled(found), found)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_blocks_keep_their_place_and_what_touches_the_edges(turn):
    settings = PostProcessing(largest_parts={"femur": 3})
    mask = phantom((607, 802), specks=0.0)
    found = turn.stored(settings.apply(turn.view(mask), "femur"))
    expected = ndimage.binary_fill_holes(mask)
    assert (found & expected).sum() / (found | expected).sum() > 0.995
    # a bar starts at the upper edge, and a block at the right one
    assert found[0, 380:400].all() and found[100:150, -1].all()
    assert not found[0, :300].any() and not found[200:300, -1].any()


def test_what_is_added_away_from_an_object_does_not_move_it():
    """Blocks lie relative to the object, not to the image."""
    mask = phantom((600, 500), specks=0.01)
    mask[:2] = mask[-2:] = mask[:, :2] = mask[:, -2:] = False  # what touches the edges of an image goes on beyond them
    around = np.zeros((700, 640), bool)
    around[67:667, 93:593] = mask
    found = PostProcessing().apply(around, "femur")[67:667, 93:593]
    np.testing.assert_array_equal(found, PostProcessing().apply(mask, "femur"))


def test_thin_lines_that_smoothing_would_take_away_stay():
    mask = np.zeros((900, 1000), bool)
    mask[30:850, 40:46] = mask[850:856, 40:960] = True
    found = PostProcessing().apply(mask, "femur")
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("seed", [480, 1087, 1206])
def test_the_least_majority_of_blocks_is_not_lost_between_their_middles(seed):
    mask = np.zeros((60, 70), bool)
    mask[20:40, 22:44] = np.random.default_rng(seed).random((20, 22)) < 0.555
    assert PostProcessing(smooth=0.37, keep_largest=False, fill_holes=False).apply(mask, "femur").any()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**31))
def test_shares_of_blocks_are_counted(rows, columns, block, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.4
    shares = block_shares(mask, block)
    assert shares.shape == (-(-rows // block), -(-columns // block)) and shares.dtype == np.float32
    for row, column in np.ndindex(*shares.shape):
        inside = [
            mask[min(row * block + i, rows - 1), min(column * block + j, columns - 1)]
            for i in range(block)
            for j in range(block)
        ]
        assert shares[row, column] == pytest.approx(np.mean(inside))


def test_shares_of_large_blocks_do_not_overflow():
    np.testing.assert_array_equal(block_shares(np.ones((600, 301), bool), 300), np.ones((2, 2)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 6), st.integers(0, 2**31))
def test_the_mean_of_a_window_is_that_of_scipy(rows, columns, radius, seed):
    values = np.random.default_rng(seed).random((rows, columns)).astype(np.float32)
    padded = np.pad(values, radius, mode="edge").astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1, 2 * radius + 1))
    found = box_mean(values, radius)
    np.testing.assert_allclose(found, windows.mean((2, 3)), atol=1e-6)
    assert found.dtype == np.float32


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_enlarging_is_bilinear_interpolation_above_a_half(rows, columns, block, seed):
    random = np.random.default_rng(seed)
    shares = np.clip(random.normal(0.5, 0.5, (rows, columns)), 0, 1).astype(np.float32)
    shape = tuple(int(size * block - random.integers(block)) for size in (rows, columns))
    places = [(np.arange(size) + 0.5) / block - 0.5 for size in shape]
    values = ndimage.map_coordinates(
        shares.astype(float), np.meshgrid(*places, indexing="ij"), order=1, mode="nearest"
    )
    clear = np.abs(values - 0.5) > 1e-5
    found = enlarged(shares, block, shape)
    assert found.shape == shape and (found == (values > 0.5))[clear].all()


def test_the_mask_itself_is_not_changed():
    for shape in ((60, 80), (600, 700)):
        mask = phantom(shape)
        before = mask.copy()
        PostProcessing().apply(mask, "femur")
        np.testing.assert_array_equal(mask, before)


def test_without_smoothing_large_masks_are_cleaned_by_the_pixel():
    mask = phantom((600, 500), specks=0.001)
    parts, _ = ndimage.label(mask, EVERYWHERE)
    largest = parts == 1 + np.argmax(np.bincount(parts[mask])[1:])
    found = PostProcessing(smooth=0.0).apply(mask, "femur")
    np.testing.assert_array_equal(found, ndimage.binary_fill_holes(largest))
