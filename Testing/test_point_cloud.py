"""Pixels as points."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.point_cloud import normalise, point_cloud, sample_points

GRAY = np.arange(7 * 9, dtype=np.float32).reshape(7, 9)


def test_every_pixel_is_a_point_at_its_centre():
    cloud = point_cloud(GRAY, (2, 1, 5, 3))
    expected = [[column + 0.5, row + 0.5, GRAY[row, column]] for row in (1, 2) for column in (2, 3, 4)]
    assert cloud.tolist() == expected and cloud.dtype == np.float32


@pytest.mark.parametrize("roi", [(0, 0, 9, 7), (2.2, 1.6, 7.9, 6.1), (-4, -4, 40, 40), (3, 3, 3.2, 3.1)])
@pytest.mark.parametrize("side", [1, 4, 20])
def test_samples_are_pixels_of_the_roi(roi, side):
    points = sample_points(GRAY, roi, side, np.random.default_rng(0))
    assert points.shape == (side * side, 3) and points.dtype == np.float32
    allowed = {tuple(point) for point in point_cloud(GRAY, roi).tolist()}
    assert {tuple(point) for point in points.tolist()} <= allowed


def test_samples_are_spread_one_to_a_cell():
    gray = np.zeros((64, 96), np.float32)
    points = sample_points(gray, (0, 0, 96, 64), 8, np.random.default_rng(3))
    cells = np.floor(points[:, :2] / [12, 8]).astype(int)
    assert len({tuple(cell) for cell in cells}) == 64


def test_samples_cover_all_pixels_in_time_and_follow_the_seed():
    seen = set()
    for seed in range(60):
        seen |= {tuple(point) for point in sample_points(GRAY, (0, 0, 9, 7), 3, np.random.default_rng(seed)).tolist()}
    assert len(seen) == GRAY.size
    one, same, other = (sample_points(GRAY, (0, 0, 9, 7), 3, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_normalised_points_lie_between_minus_1_and_1():
    roi = (10.0, 20.0, 30.0, 60.0)
    points = np.array([[10, 20, 0], [30, 60, 255], [20, 40, 127.5], [15, 50, 51]], np.float32)
    expected = [[-1, -1, -1], [1, 1, 1], [0, 0, 0], [-0.5, 0.5, -0.6]]
    np.testing.assert_allclose(normalise(points, roi), expected, atol=1e-6)
    assert normalise(points, roi).dtype == np.float32


def test_a_roi_without_extent_gives_finite_points():
    assert np.isfinite(normalise(np.array([[5, 5, 9]], np.float32), (5, 5, 5, 5))).all()
