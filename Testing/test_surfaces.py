"""The field of thresholds: its surfaces against plain loops, and its cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from GrayscaleDetSegLib.core import boxes, interpolation
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.interpolation import interpolated_rows, neighbours

IMAGE = (47, 61)
QUICKLY = settings(max_examples=50, deadline=None)
LEVELS = st.one_of(
    st.integers(-40, 300).map(float),
    st.floats(-300, 600, width=32),
    st.sampled_from([0.0, 255.0]),
)


@st.composite
def fields(draw, largest=6, levels=LEVELS):
    """Fields of few cells over ROIs of any place and size, reaching out of an image of `IMAGE` at times."""
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=largest))
    x0, y0 = draw(st.floats(-9, 70)), draw(st.floats(-9, 50))
    size = st.one_of(st.floats(0.01, 70), st.integers(1, 60).map(float))
    roi = x0, y0, x0 + draw(size), y0 + draw(size)
    low, high = (draw(arrays.arrays(np.float32, shape, elements=levels)) for _ in range(2))
    return ThresholdMap(roi, low, high)


def oblique(shape=(3, 5), roi=(2.0, 1.0, 52.0, 40.0)) -> ThresholdMap:
    """Surfaces that rise along neither axis and have no symmetry."""
    row, column = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return ThresholdMap(roi, 20 + 3 * row + 7 * column + row * column, 200 - 11 * row + column**2)


def brute(values: np.ndarray, roi, x: float, y: float) -> float:
    """Bilinear interpolation by its definition: tents over the middles of the cells."""
    rows, columns = values.shape
    x0, y0, x1, y1 = roi
    down = min(max((y - y0) / (y1 - y0) * rows - 0.5, 0.0), rows - 1.0)
    across = min(max((x - x0) / (x1 - x0) * columns - 0.5, 0.0), columns - 1.0)
    return sum(
        max(0.0, 1 - abs(down - row)) * max(0.0, 1 - abs(across - column)) * float(values[row, column])
        for row in range(rows)
        for column in range(columns)
    )


@pytest.mark.parametrize("roi", [(2.0, 1.0, 52.0, 40.0), (3.3, 0.7, 9.1, 46.2), (-4.0, 10.5, 70.0, 60.0)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 5), (40, 64)])
def test_surfaces_are_interpolated_between_the_middles_of_the_cells(roi, shape):
    field = oblique(shape, roi)
    window = boxes.pixel_slices(roi, IMAGE)
    low, high = field.surfaces(window)
    assert low.dtype == high.dtype == np.float32
    assert low.shape == high.shape == tuple(part.stop - part.start for part in window)
    random = np.random.default_rng(0)
    for row, column in random.integers(0, low.shape, (40, 2)):
        x, y = window[1].start + column + 0.5, window[0].start + row + 0.5
        assert low[row, column] == pytest.approx(brute(field.low, roi, x, y), rel=1e-5)
        assert high[row, column] == pytest.approx(brute(field.high, roi, x, y), rel=1e-5, abs=1e-3)


@given(fields(), st.integers(0, 2**31))
@QUICKLY
def test_surfaces_bands_and_places_agree_exactly(field, seed):
    """What explains an object, at few places, sees the very thresholds that made its mask."""
    window = boxes.pixel_slices(field.roi, IMAGE)
    low, high = field.surfaces(window)
    row, column = np.random.default_rng(seed).integers(0, low.shape, (30, 2)).T
    x, y = (column + window[1].start + 0.5, row + window[0].start + 0.5)
    for found, expected in zip(field.at(x.astype(np.float32), y.astype(np.float32)), (low, high)):
        np.testing.assert_array_equal(found, expected[row, column])
    part = tuple(slice(s.start + (s.stop - s.start) // 3, s.stop) for s in window)
    inner = tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, window))
    for found, expected in zip(field.surfaces(part), (low, high)):
        np.testing.assert_array_equal(found, expected[inner])


@pytest.mark.parametrize("rows", [1, 40, 333])
def test_many_stripes_at_once_are_as_each_alone(rows, monkeypatch):
    field = oblique((9, 7), (0.0, 0.0, 60.0, float(rows)))
    window = slice(0, rows), slice(0, 60)
    monkeypatch.setattr(interpolation, "FEW_ROWS", 0)
    alone = field.surfaces(window)
    monkeypatch.setattr(interpolation, "FEW_ROWS", 10_000)
    for found, expected in zip(field.surfaces(window), alone):
        np.testing.assert_array_equal(found, expected)


@given(fields())
@QUICKLY
def test_between_the_cells_no_threshold_goes_beyond_them(field):
    for surface, cell in zip(field.surfaces(boxes.pixel_slices(field.roi, IMAGE)), (field.low, field.high)):
        slack = 1e-6 * np.abs(cell).max()
        assert cell.min() - slack <= surface.min() and surface.max() <= cell.max() + slack


@pytest.mark.parametrize("inner", [100.1, 33.3, 254.9, 0.1])
def test_open_thresholds_stay_open_to_the_edge(inner):
    """Saturated pixels lie at exactly 0 and 255: an open threshold rounded by the least amount would lose them."""
    low = np.array([[inner, 0.0]], np.float32)
    field = ThresholdMap((0.0, 0.0, 40.0, 10.0), low, 255.0 - low)
    bottom, top = field.surfaces((slice(0, 10), slice(30, 40)))
    assert (bottom == 0.0).all() and (top == 255.0).all()


def test_the_same_threshold_everywhere_is_not_changed_by_interpolation():
    field = ThresholdMap((0.3, 0.2, 40.7, 30.1), np.full((7, 9), 100.1, np.float32), np.full((7, 9), 200.3))
    low, high = field.surfaces(boxes.pixel_slices(field.roi, IMAGE))
    assert (low == np.float32(100.1)).all() and (high == np.float32(200.3)).all()


def test_a_flipped_field_has_flipped_surfaces():
    field = oblique((3, 5), (2.0, 1.0, 52.0, 40.0))
    turned = ThresholdMap(field.roi, field.low[::-1, ::-1], field.high[::-1, ::-1])
    window = boxes.pixel_slices(field.roi, IMAGE)
    for found, expected in zip(turned.surfaces(window), field.surfaces(window)):
        np.testing.assert_allclose(found, expected[::-1, ::-1], rtol=1e-5)
    upright = ThresholdMap((1.0, 2.0, 40.0, 52.0), field.low.T, field.high.T)
    for found, expected in zip(upright.surfaces(window[::-1]), field.surfaces(window)):
        np.testing.assert_allclose(found, expected.T, rtol=1e-5)


def test_bands_cover_all_rows_once_and_stay_small():
    down, across = (np.arange(size) + 0.5 for size in (333, 20))
    grid = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    seen = []
    for rows, (values,) in interpolated_rows([grid], down / 333, across / 20):
        assert values.shape == (rows.stop - rows.start, 20) and len(values) <= 32
        seen.extend(range(rows.start, rows.stop))
    assert seen == list(range(333))
    assert list(interpolated_rows([grid], down[:0], across)) == []


def test_neighbours_at_and_beyond_the_middles():
    before, after, share = neighbours(np.array([-1.0, 0.0, 0.125, 0.25, 0.375, 0.875, 1.0, 9.0]), 4)
    assert before.tolist() == [0, 0, 0, 0, 1, 3, 3, 3]
    assert after.tolist() == [1, 1, 1, 1, 2, 3, 3, 3]
    assert share.tolist() == [0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    assert [part.tolist() for part in neighbours(np.array([0.1, 0.9]), 1)] == [[0, 0], [0, 0], [0.0, 0.0]]


def test_a_roi_without_extent_still_has_thresholds():
    """A 2D detector's box can be cut down to nothing at the edge of the image; its window is a pixel wide."""
    field = oblique((3, 5), (61.0, 4.0, 61.0, 9.0))
    low, high = field.surfaces(boxes.pixel_slices(field.roi, IMAGE))
    assert low.shape == (5, 1) and np.isfinite(low).all() and np.isfinite(high).all()
    assert field.cell_at(61.0, 5.0) is None


def test_every_middle_of_a_cell_lies_in_it_and_has_its_thresholds():
    field = oblique((4, 5), (2.5, 1.25, 52.0, 40.0))
    for row in range(4):
        for column in range(5):
            x, y = 2.5 + (column + 0.5) * 49.5 / 5, 1.25 + (row + 0.5) * 38.75 / 4
            assert field.cell_at(x, y) == (row, column)
            np.testing.assert_allclose(
                np.stack(field.at(np.array([x]), np.array([y]))),
                [field.low[row, column, None], field.high[row, column, None]],
                rtol=1e-6,
            )


@given(fields(largest=9), st.floats(0, 1), st.floats(0, 1))
@QUICKLY
def test_every_place_in_the_roi_has_a_cell(field, across, down):
    x0, y0, x1, y1 = field.roi
    edge_x, edge_y = np.nextafter(x1, x0), np.nextafter(y1, y0)
    assert field.cell_at(edge_x, edge_y) == (field.shape[0] - 1, field.shape[1] - 1)
    assert field.cell_at(x0, y0) == (0, 0)
    row, column = field.cell_at(min(x0 + across * (x1 - x0), edge_x), min(y0 + down * (y1 - y0), edge_y))
    assert 0 <= row < field.shape[0] and 0 <= column < field.shape[1]
    for x, y in ((x1, y0), (x0, y1), (x0 - 1, y0), (x0, y0 - 1)):
        assert field.cell_at(x, y) is None


def test_closed_cells():
    low = np.array([[10, 90, 300, -9, 255, 0]], np.float32)
    high = np.array([[20, 80, 400, -5, 300, 0]], np.float32)
    field = ThresholdMap((0, 0, 6, 1), low, high)
    assert field.closed.tolist() == [[False, True, True, True, False, False]]


@pytest.mark.parametrize("reach, ends", [(None, (0.0, 255.0)), ((40.0, 200.0), (40.0, 200.0))])
def test_thresholds_beyond_the_object_move_from_where_they_take_effect(reach, ends):
    """After interpolation, so that the outline between open and closed cells stays where it is."""
    low, high = np.array([[-300, 90, 300]], np.float32), np.array([[600, 180, -20]], np.float32)
    field = ThresholdMap((0, 0, 30, 10), low, high, reach=reach)
    whole = (slice(0, 10), slice(0, 30))
    before = field.surfaces(whole)
    moved = field.shifted(bottom=20.0, top=-10.0).surfaces(whole)
    np.testing.assert_allclose(moved[0], np.maximum(before[0], ends[0]) + 20.0, rtol=1e-6)
    np.testing.assert_allclose(moved[1], np.minimum(before[1], ends[1]) - 10.0, rtol=1e-6)
    for end, one in enumerate((field.shifted(bottom=20.0), field.shifted(top=-10.0))):
        np.testing.assert_array_equal(one.surfaces(whole)[1 - end], before[1 - end])
        np.testing.assert_array_equal(one.surfaces(whole)[end], moved[end])


def test_shifting_all_cells_or_one():
    field = oblique()
    shifted = field.shifted(bottom=2.5, top=-4.0)
    np.testing.assert_array_equal(shifted.cells[0], field.low + np.float32(2.5))
    np.testing.assert_array_equal(shifted.cells[1], np.minimum(field.high, 255) - np.float32(4.0))
    again = shifted.shifted(bottom=-2.5, top=4.0)
    assert (again.bottom, again.top) == (0.0, 0.0) and again.low is not None
    np.testing.assert_array_equal(np.stack(again.cells), np.stack([field.low, field.high]))
    one = field.shifted(bottom=-7.0, top=1.0, cell=(2, 3))
    changed = np.zeros(field.shape, bool)
    changed[2, 3] = True
    np.testing.assert_array_equal(one.low - field.low, np.where(changed, np.float32(-7), 0))
    np.testing.assert_array_equal(one.high - field.high, np.where(changed, np.float32(1), 0))
    assert one.roi == field.roi and field.low[2, 3] == 20 + 6 + 21 + 6, "the field itself stays as it was"


@pytest.mark.parametrize("cell", [(-1, 0), (3, 0), (0, 5), (0, -1)])
def test_there_is_no_such_cell(cell):
    with pytest.raises(IndexError, match="3 x 5"):
        oblique().shifted(1.0, cell=cell)


def test_thresholds_are_copies_and_read_only():
    low = np.zeros((2, 3), np.float32)
    field = ThresholdMap((0, 0, 6, 4), low, low + 255)
    low[0, 0] = 99.0
    assert field.low[0, 0] == 0.0 and field.high.dtype == np.float32
    with pytest.raises(ValueError):
        field.low[0, 0] = 1.0
    with pytest.raises(AttributeError):
        field.roi = (0, 0, 1, 1)


@pytest.mark.parametrize(
    "low, high",
    [
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(3), np.zeros(3)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.array([[np.nan]]), np.zeros((1, 1))),
        (np.zeros((1, 1)), np.array([[np.inf]])),
    ],
)
def test_what_is_no_field_is_refused(low, high):
    with pytest.raises(ValueError):
        ThresholdMap((0, 0, 5, 5), low, high)


def test_the_article_s_box_is_a_field_of_one_cell():
    field = ThresholdMap.uniform((1.5, 2.0, 30.0, 40.0), 100.0, 255.0)
    assert field.shape == (1, 1)
    low, high = field.surfaces(boxes.pixel_slices(field.roi, IMAGE))
    assert (low == 100.0).all() and (high == 255.0).all()
