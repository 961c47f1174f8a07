"""What says how far a result can be trusted: stability, confidence and agreement, each against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from GrayscaleDetSegLib.core.explain import DOUBT, agreement, confidence, stability

QUICKLY = settings(max_examples=60, deadline=None)
LEVELS = st.integers(-20, 280).map(float) | st.floats(-20, 280, width=32)
GRAY = st.integers(0, 255).map(float) | st.floats(0, 255, width=32)


@st.composite
def points(draw):
    """Gray levels and a bottom and a top for each."""
    count = draw(st.integers(1, 30))
    return tuple(draw(arrays.arrays(np.float32, count, elements=of)) for of in (GRAY, LEVELS, LEVELS))


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


@QUICKLY
@given(points())
def test_stability_moves_all_bottoms_or_all_tops_but_not_the_open_ones(given_points):
    gray, low, high = given_points

    def area(bottom, top):
        inside = 0
        for g, lower, upper in zip(gray.tolist(), low.tolist(), high.tolist()):
            inside += (lower <= 0 or lower + bottom <= g) and (upper >= 255 or g <= upper + top)
        return inside

    now = area(0, 0)
    bottom, top = (sum(abs(area(*move) - now) for move in moves) for moves in ([(-1, 0), (1, 0)], [(0, -1), (0, 1)]))
    found = stability(gray, low, high)
    assert (found.bottom, found.top) == pytest.approx((bottom / (2 * max(now, 1)), top / (2 * max(now, 1))))
    assert 0.0 <= found.value <= 1.0


def test_one_threshold_for_all_is_an_array_of_the_same():
    gray = np.random.default_rng(0).uniform(0, 255, (20, 30)).astype(np.float32)
    low, high = np.full(gray.shape, 90.0, np.float32), np.full(gray.shape, 180.0, np.float32)
    assert stability(gray, 90.0, 180.0) == stability(gray, low, high)
    assert confidence(gray, 90.0, 180.0) == confidence(gray, low, high)


def brute_confidence(gray, low, high):
    """Each pixel belongs to the object with a probability of its own: expected intersection over expected union."""
    both = either = 0.0
    for g, lower, upper in zip(gray.ravel().tolist(), low.ravel().tolist(), high.ravel().tolist()):
        below = math.inf if lower <= 0 else g - lower
        above = math.inf if upper >= 255 else upper - g
        likely = 1 / (1 + math.exp(-min(below, above, 700) / DOUBT))
        if min(below, above) >= 0:
            both, either = both + likely, either + 1
        else:
            either += likely
    return both / either if either else 0.0


@QUICKLY
@given(points())
def test_confidence_is_the_expected_iou(given_points):
    found = confidence(*given_points)
    assert found == pytest.approx(brute_confidence(*given_points), abs=1e-9)
    assert 0.0 <= found <= 1.0


def test_confidence_falls_as_the_thresholds_come_nearer():
    gray = np.array([20.0] * 60 + [200.0] * 40)
    found = [confidence(gray, low, 300.0) for low in (110.0, 150.0, 180.0, 195.0, 200.0)]
    assert found == sorted(found, reverse=True) and found[0] > 0.95
    assert found[-1] == pytest.approx(0.5, abs=1e-3), "on the threshold, either side is as likely"


def test_confidence_where_nothing_is_left_or_everything_is_taken():
    gray = np.linspace(0, 255, 100)
    assert confidence(gray, 0.0, 255.0) == confidence(gray, -9.0, 400.0) == 1.0
    assert confidence(gray, 120.0, 110.0) == 0.0 and confidence(gray, 300.0, 400.0) == 0.0
    assert stability(gray, 0.0, 255.0).value == 1.0


def test_confidence_is_the_mean_iou_of_many_draws():
    """The formula is a ratio of means; with many pixels that is the mean of the ratio."""
    random = np.random.default_rng(0)
    gray = random.uniform(0, 255, 4000)
    low, high = np.full(gray.shape, 100.0), np.full(gray.shape, 190.0)
    inside = (gray >= low) & (gray <= high)
    likely = 1 / (1 + np.exp(-np.minimum(gray - low, high - gray) / DOUBT))
    truths = random.random((200, len(gray))) < likely
    ious = (truths & inside).sum(1) / (truths | inside).sum(1)
    assert confidence(gray, low, high) == pytest.approx(ious.mean(), abs=0.002)


def test_no_warning_far_from_the_thresholds():
    with np.errstate(all="raise"):
        confidence(np.array([0.0, 255.0], np.float32), np.array([765.0, -510.0]), np.array([-510.0, 765.0]))
        stability(np.array([0.0, 255.0], np.float32), np.array([765.0, -510.0]), np.array([-510.0, 765.0]))


@QUICKLY
@given(arrays.arrays(bool, (2, 17)))
def test_agreement_is_the_iou(pair):
    one, other = pair
    both, either = sum(one & other), sum(one | other)
    assert agreement(one, other) == agreement(other, one) == (both / either if either else 1.0)
    assert agreement(one, one) == 1.0
