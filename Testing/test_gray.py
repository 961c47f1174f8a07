"""The map between own units and gray levels, and polarity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from GrayscaleDetSegLib.core.gray import GrayMapping, Polarity
from GrayscaleDetSegLib.core.radiograph import Radiograph

finite = st.floats(-5e3, 5e3, allow_nan=False, width=32)


@st.composite
def mappings(draw):
    count = draw(st.integers(2, 6))
    steps = draw(st.lists(st.floats(0.5, 900), min_size=count - 1, max_size=count - 1))
    grays = np.cumsum([0.0, *draw(st.lists(st.floats(0.5, 50), min_size=count - 1, max_size=count - 1))])
    units = draw(finite) + np.cumsum([0.0, *steps])
    gray = grays * (255.0 / grays[-1])
    return GrayMapping(tuple(map(float, units)), (0.0, *map(float, gray[1:-1]), 255.0), "VOI LUT")


@given(mappings(), st.lists(finite, min_size=2, max_size=20))
@settings(deadline=None)
def test_the_map_is_monotone_and_stays_within_0_and_255(mapping, values):
    gray = mapping.to_gray(np.sort(np.array(values)))
    assert (np.diff(gray) >= 0).all() and gray.min() >= 0.0 and gray.max() <= 255.0
    assert gray.dtype == np.float32


@given(mappings(), st.floats(0, 255))
@settings(deadline=None)
def test_units_are_the_inverse_of_gray_levels(mapping, gray):
    assert mapping.to_gray(mapping.to_units(gray)) == pytest.approx(gray, abs=0.1)
    slope = (mapping.units[-1] - mapping.units[0]) / 255.0
    assert mapping.units[0] - 1e-6 <= mapping.to_units(gray) <= mapping.units[-1] + 1e-6
    assert slope > 0


@given(mappings(), st.floats(-20, 275), st.floats(-20, 275))
@settings(deadline=None)
def test_ends_are_open_at_0_and_255_only(mapping, low, high):
    lower, upper = mapping.interval_to_units(low, high)
    assert (lower == -np.inf) == (low <= 0) and (upper == np.inf) == (high >= 255)
    if low > 0:
        assert lower == mapping.to_units(low)
    if high < 255:
        assert upper == mapping.to_units(high)


def test_values_beyond_the_window_reach_its_ends():
    mapping = GrayMapping.window(100, 300, "VOI window")
    values = np.array([-9e9, 99, 100, 200, 300, 301, 9e9])
    np.testing.assert_allclose(mapping.to_gray(values), [0, 0, 0, 127.5, 255, 255, 255])
    assert mapping.to_gray(200.0) == pytest.approx(127.5)


def test_a_window_without_width_gets_one_unit():
    assert GrayMapping.window(7, 7, "x").units == (7.0, 8.0)
    assert GrayMapping.window(7, 3, "x").units == (7.0, 8.0)


@pytest.mark.parametrize(
    "units, gray",
    [
        ((1.0,), (0.0,)),
        ((1.0, 2.0, 3.0), (0.0, 255.0)),
        ((1.0, 1.0), (0.0, 255.0)),
        ((2.0, 1.0), (0.0, 255.0)),
        ((0.0, 1.0, 2.0), (0.0, 0.0, 255.0)),
        ((0.0, 1.0), (1.0, 255.0)),
        ((0.0, 1.0), (0.0, 254.0)),
        ((0.0, float("nan")), (0.0, 255.0)),
        ((0.0, float("inf")), (0.0, 255.0)),
    ],
)
def test_maps_that_cannot_be_inverted_are_refused(units, gray):
    with pytest.raises(ValueError, match="gray mapping"):
        GrayMapping(units, gray, "VOI LUT")


def test_percentiles_leave_out_what_piles_up_at_the_ends():
    """Black borders and burnt-in white letters must not set the window."""
    body = np.linspace(1000, 2000, 6000)
    pixels = np.concatenate([np.zeros(3000), body, np.full(3000, 4095.0)])
    lower, upper = GrayMapping.from_percentiles(pixels).units
    np.testing.assert_allclose((lower, upper), np.percentile(body, (0.5, 99.5)), rtol=1e-6)
    narrow = GrayMapping.from_percentiles(pixels, 10, 60).units
    np.testing.assert_allclose(narrow, np.percentile(body, (10, 60)), rtol=1e-6)


def test_percentiles_of_nearly_binary_and_constant_images():
    binary = np.repeat([0, 1000], [500, 500])
    assert GrayMapping.from_percentiles(binary).units == (0.0, 1000.0)
    assert GrayMapping.from_percentiles(np.append(binary, 500)).units == (0.0, 1000.0)
    assert GrayMapping.from_percentiles(np.full((4, 4), 9)).units == (9.0, 10.0)


def test_percentiles_ignore_what_is_not_finite():
    pixels = np.linspace(0, 100, 1001)
    dirty = np.concatenate([pixels, [np.nan, np.inf, -np.inf]])
    assert GrayMapping.from_percentiles(dirty).units == GrayMapping.from_percentiles(pixels).units
    with pytest.raises(ValueError, match="finite"):
        GrayMapping.from_percentiles(np.array([np.nan, np.inf]))


def test_percentiles_of_a_large_image_see_all_of_it():
    pixels = np.repeat(np.linspace(0, 1000, 3000), 1000).astype(np.float32)
    lower, upper = GrayMapping.from_percentiles(pixels).units
    assert lower == pytest.approx(5, abs=2) and upper == pytest.approx(995, abs=2)


@given(mappings(), st.floats(-1e4, 1e4), st.lists(finite, min_size=1, max_size=10))
@settings(deadline=None)
def test_turned_over_each_gray_level_becomes_255_minus_itself(mapping, pivot, values):
    values = np.array(values)
    turned = mapping.turned_over(pivot).to_gray(pivot - values)
    np.testing.assert_allclose(turned, 255.0 - mapping.to_gray(values), atol=0.2)


TYPES = [np.uint8, np.uint16, np.int16, np.int32, np.float32]


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_polarity_is_its_own_inverse(dtype, data):
    """With the pivot that keeps the range, integers come back exactly, however near they are to the type's ends."""
    if np.issubdtype(dtype, np.integer):
        values = data.draw(arrays.arrays(dtype, st.integers(1, 20), elements=arrays.from_dtype(np.dtype(dtype))))
    else:
        values = data.draw(arrays.arrays(dtype, st.integers(1, 20), elements=st.integers(-4000, 4000).map(float)))
    pivot = float(values.max()) + float(values.min())
    polarity = Polarity(True, pivot, "test")
    turned = polarity.apply(values)
    np.testing.assert_array_equal(turned.astype(np.float64), pivot - values.astype(np.float64))
    assert turned.dtype == values.dtype
    np.testing.assert_array_equal(polarity.apply(turned), values)


@pytest.mark.parametrize(
    "dtype, values, pivot",
    [(np.uint8, [0, 200], 255), (np.uint8, [0, 255], 300), (np.int16, [-30000, 30000], 30000), (np.uint16, [5, 9], 4)],
)
def test_polarity_never_wraps_around(dtype, values, pivot):
    values = np.array(values, dtype)
    turned = Polarity(True, float(pivot), "test").apply(values)
    np.testing.assert_array_equal(turned.astype(np.float64), pivot - values.astype(np.float64))
    information = np.iinfo(dtype)
    fits = all(information.min <= pivot - int(value) <= information.max for value in values)
    assert turned.dtype == (dtype if fits else np.float32)


def test_a_pivot_between_whole_numbers_gives_floats():
    turned = Polarity(True, 10.5, "test").apply(np.array([1, 2], np.uint8))
    assert turned.dtype == np.float32 and turned.tolist() == [9.5, 8.5]


def test_polarity_that_is_right_changes_nothing():
    values = np.array([1, 2], np.uint8)
    assert Polarity().apply(values) is values
    assert Polarity().interval_to_file(3.0, 9.0) == (3.0, 9.0)


@given(st.integers(0, 4000), st.integers(0, 16000), st.integers(0, 16000))
@settings(deadline=None)
def test_the_interval_in_the_file_holds_the_same_pixels(pivot, a, b):
    low, high = sorted((a / 4, b / 4))  # exact in binary, so that nothing hangs on rounding
    polarity = Polarity(True, float(pivot), "test")
    stored = np.arange(0, 4001, 37, dtype=np.int32)
    bright = polarity.apply(stored)
    first, last = polarity.interval_to_file(low, high)
    assert first <= last
    np.testing.assert_array_equal((bright >= low) & (bright <= high), (stored >= first) & (stored <= last))


def test_open_ends_change_sides_with_the_polarity():
    assert Polarity(True, 100.0).interval_to_file(-np.inf, 30.0) == (70.0, np.inf)


def test_a_radiograph_turned_over_twice_is_the_one_it_was():
    pixels = np.random.default_rng(0).integers(0, 4096, (20, 30)).astype(np.uint16)
    first = Radiograph.from_array(pixels)
    turned = first.inverted("looks inverted")
    np.testing.assert_allclose(turned.gray(), 255.0 - first.gray(), atol=1e-2)
    assert turned.polarity.inverted and turned.polarity.reason == "looks inverted"
    back = turned.inverted("again")
    np.testing.assert_array_equal(back.pixels, pixels)
    assert not back.polarity.inverted
    np.testing.assert_allclose(back.mapping.units, first.mapping.units)


def test_pixels_of_a_radiograph_are_read_only_and_the_callers_stay_writable():
    pixels = np.zeros((3, 4), np.uint8)
    image = Radiograph.from_array(pixels)
    with pytest.raises(ValueError):
        image.pixels[0, 0] = 1
    pixels[0, 0] = 1


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 5)])
def test_a_radiograph_has_two_dimensions(shape):
    with pytest.raises(ValueError, match="two dimensions"):
        Radiograph(np.zeros(shape), GrayMapping.window(0, 1, "full range"))


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.float64])
def test_values_far_from_zero_keep_all_gray_levels(dtype):
    """Single precision has steps of 8 at 1e8, which would leave 33 of 256 gray levels."""
    values = np.arange(256).astype(dtype) + dtype(100_000_000)
    gray = GrayMapping.window(1e8, 1e8 + 255, "full range").to_gray(values)
    assert gray.dtype == np.float32
    np.testing.assert_array_equal(gray, np.arange(256, dtype=np.float32))
