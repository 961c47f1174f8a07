"""Box geometry against counting, naive loops and the laws that it must obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core import boxes

SIDE = 6
number = st.floats(-50, 50, allow_nan=False, width=32)


@st.composite
def box(draw, dimensions: int, corner=number):
    lower = draw(st.lists(corner, min_size=dimensions, max_size=dimensions))
    upper = draw(st.lists(corner, min_size=dimensions, max_size=dimensions))
    pairs = [sorted(pair) for pair in zip(lower, upper)]
    return np.array([pair[0] for pair in pairs] + [pair[1] for pair in pairs], np.float64)


whole = st.integers(0, SIDE).map(float)
dimensions = st.sampled_from([2, 3])
pair_of_boxes = dimensions.flatmap(lambda size: st.tuples(box(size), box(size)))


@given(dimensions.flatmap(lambda size: st.tuples(box(size, whole), box(size, whole))))
@settings(max_examples=200, deadline=None)
def test_iou_is_that_of_counted_cells(pair):
    """Eq. 1: whole-numbered boxes cover whole cells, which can be counted."""
    covered = []
    for corners in pair:
        half = len(corners) // 2
        cells = np.zeros((SIDE,) * half, bool)
        cells[tuple(slice(int(a), int(b)) for a, b in zip(corners[:half], corners[half:]))] = True
        covered.append(cells)
    a, b = covered
    union = (a | b).sum()
    assert boxes.iou(*pair) == pytest.approx((a & b).sum() / union if union else 0.0)
    assert boxes.volume(pair[0]) == a.sum()


@given(pair_of_boxes)
@settings(deadline=None)
def test_iou_is_symmetric_and_between_0_and_1(pair):
    a, b = pair
    assert boxes.iou(a, b) == boxes.iou(b, a)
    assert 0.0 <= boxes.iou(a, b) <= 1.0 + 1e-12


@given(dimensions.flatmap(box))
@settings(deadline=None)
def test_iou_with_itself_is_1(a):
    assert boxes.iou(a, a) == pytest.approx(1.0 if boxes.volume(a) > 0 else 0.0)


@given(pair_of_boxes, st.floats(-100, 100), st.floats(0.01, 100))
@settings(deadline=None)
def test_iou_does_not_change_when_both_move_and_grow(pair, shift, scale):
    a, b = (np.round(corners, 2) for corners in pair)
    moved = boxes.iou(a * scale + shift, b * scale + shift)
    if min(boxes.volume(a), boxes.volume(b)) > 1e-3:
        assert moved == pytest.approx(boxes.iou(a, b), abs=1e-6)


def test_iou_broadcasts_to_all_pairs():
    a = np.array([[0, 0, 2, 2], [0, 0, 1, 1.0]])
    b = np.array([[0, 0, 2, 2], [5, 5, 6, 6], [1, 1, 3, 3.0]])
    expected = [[1.0, 0.0, 1 / 7], [0.25, 0.0, 0.0]]
    np.testing.assert_allclose(boxes.iou(a[:, None], b[None]), expected)


def test_known_overlap_in_3d():
    assert boxes.iou([0, 0, 0, 2, 2, 2], [1, 1, 1, 3, 3, 3]) == pytest.approx(1 / 15)


def test_boxes_turned_inside_out_have_no_volume():
    assert boxes.volume([2, 0, 0, 2]) == 0.0
    assert boxes.volume([2, 2, 0, 0]) == 0.0
    assert boxes.iou([2, 2, 0, 0], [0, 0, 2, 2]) == 0.0


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_other_lengths_are_refused(length):
    with pytest.raises(ValueError, match="4 .* or 6"):
        boxes.volume(np.zeros(length))


def naive_suppression(corners, scores, threshold):
    left, kept = sorted(range(len(scores)), key=lambda index: -scores[index]), []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [index for index in left if not boxes.iou(corners[best], corners[index]) > threshold]
    return kept


@given(
    st.integers(0, 12), st.sampled_from([2, 3]), st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.integers(0, 2**32 - 1)
)
@settings(deadline=None)
def test_suppression_against_a_naive_one(count, size, threshold, seed):
    random = np.random.default_rng(seed)
    lower = random.random((count, size)) * 4
    corners = np.hstack([lower, lower + random.random((count, size)) * 4])
    scores = random.integers(0, 5, count) / 5  # with ties
    kept = boxes.non_maximum_suppression(corners, scores, threshold)
    assert kept.tolist() == naive_suppression(corners, scores, threshold)

    labels = random.integers(0, 3, count)
    expected = []
    for label in range(3):
        index = np.flatnonzero(labels == label)
        expected += index[naive_suppression(corners[index], scores[index], threshold)].tolist()
    aware = boxes.class_aware_suppression(corners, scores, labels, threshold)
    assert sorted(aware.tolist()) == sorted(expected)
    assert (np.diff(scores[aware]) <= 0).all()


def test_classes_do_not_suppress_each_other():
    same = np.array([[0, 0, 4, 4.0]] * 3)
    assert boxes.class_aware_suppression(same, [0.5, 0.9, 0.7], [0, 1, 0], 0.5).tolist() == [1, 2]
    assert boxes.non_maximum_suppression(same, [0.5, 0.9, 0.7], 0.5).tolist() == [1]
    assert boxes.class_aware_suppression(np.zeros((0, 4)), [], [], 0.5).tolist() == []


def test_a_box_at_the_threshold_survives():
    """Only a box that exceeds the threshold is removed."""
    corners = np.array([[0, 0, 2, 1], [0, 0, 1, 1.0]])
    assert boxes.non_maximum_suppression(corners, [0.9, 0.8], 0.5).tolist() == [0, 1]
    assert boxes.non_maximum_suppression(corners, [0.9, 0.8], 0.49).tolist() == [0]


@given(box(2, st.floats(-3, 12)), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_pixel_slices_hold_the_centres_in_the_box(corners, rows, columns):
    x0, y0, x1, y1 = corners
    y, x = np.mgrid[:rows, :columns] + 0.5
    inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    selected = np.zeros((rows, columns), bool)
    selected[boxes.pixel_slices(corners, (rows, columns))] = True
    assert selected.any()
    if inside.any():
        np.testing.assert_array_equal(selected, inside)
    else:
        assert selected.any(axis=0).sum() == 1 or selected.any(axis=1).sum() == 1


def test_pixel_slices_of_a_box_outside_hold_the_nearest_pixel():
    assert boxes.pixel_slices((20, -9, 30, -5), (4, 6)) == (slice(0, 1), slice(5, 6))


def test_a_row_is_y_and_a_column_is_x():
    assert boxes.pixel_slices((1, 2, 3, 5), (10, 10)) == (slice(2, 5), slice(1, 3))


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_the_box_of_a_mask_is_tight(rows, columns, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.2
    if not mask.any():
        with pytest.raises(ValueError, match="empty"):
            boxes.of_mask(mask)
        return
    corners = boxes.of_mask(mask)
    y, x = np.nonzero(mask)
    assert corners.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    window = np.zeros_like(mask)
    window[boxes.pixel_slices(corners, mask.shape)] = True
    assert not (mask & ~window).any()


def test_clip_cuts_at_the_edges_of_the_image():
    clipped = boxes.clip([[-3, -4, 20, 30], [1, 2, 3, 4], [50, 60, 70, 80.0]], (10, 15))
    assert clipped.tolist() == [[0, 0, 15, 10], [1, 2, 3, 4], [15, 10, 15, 10]]


def test_extrude():
    assert boxes.extrude((1, 2, 3, 4), 10.0, 20.0).tolist() == [1, 2, 10, 3, 4, 20]
    many = boxes.extrude(np.array([1, 2, 3, 4]), np.array([5, 6]), 9)
    assert many.tolist() == [[1, 2, 5, 3, 4, 9], [1, 2, 6, 3, 4, 9]]


def test_voting_averages_what_agrees_and_nothing_else():
    found = np.array([[0, 0, 10, 10], [0, 0, 10, 12], [30, 0, 40, 10], [1, 0, 11, 10]], float)
    scores = np.array([0.9, 0.3, 0.8, 0.3])
    moved = boxes.vote(found, scores, np.array([0, 2]), 0.6)
    np.testing.assert_allclose(moved[0], (3 * found[0] + found[1] + found[3]) / 5)
    np.testing.assert_array_equal(moved[1], found[2])
    np.testing.assert_array_equal(boxes.vote(found, scores, np.array([0]), 1.1), found[:1])
