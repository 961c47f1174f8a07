"""The linear refinement: eq. 2 to 7."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core.single_box.refinement import (
    LARGEST_OFFSET,
    apply_offsets,
    refine,
    with_constant,
)
from training.ridge import descend_ridge, solve_ridge, targets


def intervals(count: int, seed: int) -> np.ndarray:
    low, width = np.random.default_rng(seed).random((2, count))
    return np.stack([low * 100, low * 100 + 50 + width * 70], axis=1)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_offsets_are_the_inverse_of_targets(seed):
    proposals, truth = intervals(9, seed), intervals(9, seed + 1)
    np.testing.assert_allclose(apply_offsets(proposals, targets(proposals, truth)), truth, atol=1e-9)


def test_targets_by_hand():
    """Eq. 4, 5: centre 60 and width 40 against centre 70 and width 20."""
    t = targets(np.array([[40.0, 80.0]]), np.array([[60.0, 80.0]]))
    np.testing.assert_allclose(t, [[10 / 40, np.log(20 / 40)]])
    assert targets(np.array([[40.0, 80.0]]), np.array([[40.0, 80.0]])).tolist() == [[0.0, 0.0]]


def test_offsets_by_hand():
    """Eq. 2, 3."""
    refined = apply_offsets(np.array([[100.0, 140.0]]), np.array([[0.5, np.log(2.0)]]))
    np.testing.assert_allclose(refined, [[140 - 40, 140 + 40]])


def test_refined_intervals_stay_within_the_gray_levels_and_offsets_within_bounds():
    proposals = np.array([[100.0, 101.0]])
    assert apply_offsets(proposals, np.array([[0.0, 99.0]])) == pytest.approx(
        np.array([[100.5 - np.exp(LARGEST_OFFSET) / 2, 100.5 + np.exp(LARGEST_OFFSET) / 2]])
    )
    assert apply_offsets(np.array([[200.0, 250.0]]), np.array([[9e9, 0.0]])).tolist() == [[255.0, 255.0]]
    refined = apply_offsets(intervals(50, 0), np.random.default_rng(0).normal(0, 10, (50, 2)))
    assert refined.min() >= 0 and refined.max() <= 255 and (refined[:, 0] <= refined[:, 1]).all()


def problem(count: int, size: int, seed: int = 0):
    """Features as pooling makes them, 0 or more, alike and of different size, and offsets that follow from them."""
    random = np.random.default_rng(seed)
    causes = random.normal(size=(count, 4))
    features = np.maximum(causes @ random.normal(size=(4, size)) + 0.2 * random.normal(size=(count, size)) + 1, 0)
    offsets = np.stack([0.3 * np.tanh(causes[:, 0]), 0.2 * causes[:, 1]], axis=1)
    return features * random.lognormal(0, 2, size), offsets + 0.05 * random.normal(size=offsets.shape) + 0.1


def loss(weights, features, offsets, penalty):
    """Eq. 6 and 7."""
    residual = offsets - with_constant(features) @ weights
    return (residual**2).sum() + penalty * (weights[:-1] ** 2).sum()


@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_solution_has_no_gradient_and_no_better_neighbour(penalty):
    features, offsets = problem(60, 7)
    weights = solve_ridge(features, offsets, penalty)
    extended = with_constant(features)
    gradient = extended.T @ (extended @ weights - offsets)
    gradient[:-1] += penalty * weights[:-1]
    assert np.abs(gradient).max() < 1e-7 * np.abs(extended.T @ offsets).max()
    best, random = loss(weights, features, offsets, penalty), np.random.default_rng(1)
    for _ in range(50):
        moved = weights + 1e-3 * random.normal(size=weights.shape)
        assert loss(moved, features, offsets, penalty) > best


def test_the_penalty_spares_the_constant():
    features, offsets = problem(60, 7)
    weights = solve_ridge(features, offsets, 1e12)
    np.testing.assert_allclose(weights[-1], offsets.mean(axis=0), atol=1e-3)
    assert np.abs(weights[:-1]).max() < 1e-6


def test_without_a_penalty_to_speak_of_a_linear_law_is_found_exactly():
    features = np.random.default_rng(0).normal(size=(50, 3))
    law = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 3.0], [0.7, -0.2]])
    np.testing.assert_allclose(solve_ridge(features, with_constant(features) @ law, 1e-9), law, atol=1e-6)


@pytest.mark.parametrize("count, size, penalty", [(400, 20, 10.0), (600, 60, 1.0), (300, 5, 1000.0)])
def test_descent_approaches_the_solution(count, size, penalty):
    """With the article's rate and epochs: offsets within 1 % of their spread, and the loss within 0.2 %."""
    features, offsets = problem(count, size)
    exact, descended = solve_ridge(features, offsets, penalty), descend_ridge(features, offsets, penalty)
    extended = with_constant(features)
    difference = extended @ (descended - exact)
    assert np.sqrt((difference**2).mean()) < 0.01 * offsets.std()
    assert loss(descended, features, offsets, penalty) < 1.002 * loss(exact, features, offsets, penalty)


@pytest.mark.parametrize("learning_rate", [1e-4, 1.0])
def test_descent_is_stable_on_many_like_features_dead_ones_and_outliers(learning_rate):
    features, offsets = problem(200, 400)
    features[:, 5] = 0.0
    features[:, 6] = 3.0
    features[:, 7] = np.random.default_rng(0).random(200) * 1e-5
    features[3] *= 1e3
    descended = descend_ridge(features, offsets, 1.0, 40, learning_rate)
    residual = offsets - with_constant(features) @ descended
    assert np.isfinite(descended).all()
    assert (residual**2).sum() < ((offsets - offsets.mean(axis=0)) ** 2).sum()


def test_descent_follows_its_seed():
    features, offsets = problem(80, 5)
    one, same, other = (descend_ridge(features, offsets, 1.0, epochs=3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_refine_applies_t_to_the_features():
    proposals, features = intervals(6, 0), np.random.default_rng(0).random((6, 3))
    weights = np.random.default_rng(1).normal(0, 0.2, (4, 2))
    expected = apply_offsets(proposals, features @ weights[:3] + weights[3])
    np.testing.assert_allclose(refine(proposals, features, weights), expected)
    np.testing.assert_allclose(refine(proposals, features, np.zeros((4, 2))), proposals)
