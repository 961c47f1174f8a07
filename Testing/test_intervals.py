"""The best interval against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from training.intervals import best_interval, interval_overlaps


def rule_iou(gray, mask, low, high):
    """IoU of the box rule low <= g <= high with the mask."""
    inside = (gray >= low) & (gray <= high)
    return (inside & mask).sum() / (inside | mask).sum()


def bone(seed, whole=False):
    """Bright object on a dark ground, with noise that mixes them."""
    random = np.random.default_rng(seed)
    mask = random.random((12, 15)) < 0.4
    gray = np.clip(np.where(mask, 170, 110) + random.normal(0, 40, mask.shape), 0, 255)
    return (np.floor(gray) if whole else gray).astype(np.float32), mask


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("whole", [False, True])
def test_overlaps_against_counting(seed, whole):
    gray, mask = bone(seed, whole)
    overlaps = interval_overlaps(gray, mask)
    assert overlaps.shape == (255, 255)
    for i in range(0, 255, 17):
        for j in range(0, 255, 13):
            if j < i:
                assert overlaps[i, j] == 0.0
                continue
            inside = (gray >= i) & ((gray < j + 1) if j < 254 else True)
            assert overlaps[i, j] == pytest.approx((inside & mask).sum() / (inside | mask).sum(), abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_best_interval_against_all_pairs_of_gray_levels(seed):
    """Whole gray levels below 255: every interval of the rule is one of the pairs, so none may be better."""
    gray, mask = bone(seed, whole=True)
    gray = np.minimum(gray, 254)
    best = best_interval(gray, mask)
    levels = np.unique(gray)
    ceiling = max(rule_iou(gray, mask, low, high) for low in levels for high in levels if high >= low)
    assert best.iou == pytest.approx(ceiling, abs=1e-9)
    assert rule_iou(gray, mask, best.low, best.high) == pytest.approx(best.iou, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_no_interval_beats_the_ceiling(seed):
    gray, mask = bone(seed)
    best = best_interval(gray, mask)
    random = np.random.default_rng(100 + seed)
    for low, high in np.sort(random.integers(0, 256, (500, 2)), axis=1):
        assert rule_iou(gray, mask, low, high) <= best.iou + 1e-9
    # between whole gray levels there may be something to gain, but not more than the pixels of two levels
    slack = max(np.bincount(gray.astype(int).ravel())) * 2 / mask.sum()
    for low, high in np.sort(random.random((500, 2)) * 255, axis=1):
        assert rule_iou(gray, mask, low, high) <= best.iou + slack


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("whole", [False, True])
def test_the_rule_reaches_the_iou_that_is_reported(seed, whole):
    gray, mask = bone(seed, whole)
    best = best_interval(gray, mask)
    assert rule_iou(gray, mask, best.low, best.high) == pytest.approx(best.iou, abs=1e-9)


def test_a_clean_object_has_its_own_interval():
    gray = np.full((8, 8), 100.0, np.float32)
    mask = np.zeros((8, 8), bool)
    mask[2:5, 2:6] = True
    gray[mask] = 200.4
    gray[7] = 240.0
    best = best_interval(gray, mask)
    assert best.iou == 1.0
    assert best.low == 101.0 and best.high == pytest.approx(240.0, abs=1e-4) and best.high < 240.0


def test_of_equals_the_widest():
    gray = np.array([[50.5, 200.5]], np.float32)
    best = best_interval(gray, np.array([[False, True]]))
    assert (best.low, best.high) == (51.0, 255.0)
    whole = best_interval(gray, np.array([[True, True]]))
    assert (whole.low, whole.high, whole.iou) == (0.0, 255.0, 1.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [0.0, 0.01, 0.1])
def test_tolerance_takes_the_widest_of_nearly_equals(seed, tolerance):
    gray, mask = bone(seed)
    overlaps = interval_overlaps(gray, mask)
    best = best_interval(gray, mask, tolerance)
    near = [(j + 1 - i) for i in range(255) for j in range(i, 255) if overlaps[i, j] >= overlaps.max() - tolerance]
    assert round(best.high - best.low) == max(near)
    assert best.iou >= overlaps.max() - tolerance
    assert rule_iou(gray, mask, best.low, best.high) == pytest.approx(best.iou, abs=1e-9)


def test_an_empty_mask_has_no_interval():
    with pytest.raises(ValueError, match="empty"):
        best_interval(np.zeros((2, 2)), np.zeros((2, 2), bool))
