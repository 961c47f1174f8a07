"""Thresholds that move together: the fast way of a drag gives what the plain way gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes, editing
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.mask import field_mask
from Testing.fakes import radiograph


def field_over(roi, shape, seed=0):
    generator = np.random.default_rng(seed)
    low, high = generator.uniform(-20, 160, shape), generator.uniform(120, 290, shape)
    return ThresholdMap(roi, low.astype(np.float32), high.astype(np.float32))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (5.0, 0.0), (0.0, -12.25), (-300.0, 300.0), (30.0, -30.0), (300.0, 0.0)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 64)])
@pytest.mark.parametrize("roi", [(0.0, 0.0, 130.0, 90.0), (-12.5, 20.25, 77.0, 300.0), (50.0, 40.0, 51.0, 41.0)])
def test_as_the_moved_field(shift, shape, roi):
    image, field = radiograph(), field_over(roi, shape)
    moving = editing.MovingThresholds(image, field)
    assert moving.window == boxes.pixel_slices(roi, image.shape)
    expected = field_mask(image, field.shifted(*shift))
    found = moving.mask(*shift)
    assert found.dtype == bool and found.shape == expected.shape
    assert np.count_nonzero(found != expected) <= 1  # a pixel on its threshold to the last digit


@pytest.mark.parametrize("before", [(12.0, 0.0), (0.0, -9.5), (-30.0, 18.0)])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (-12.0, 9.5), (30.0, -18.0), (7.0, 7.0)])
def test_a_field_that_was_moved_before(before, shift):
    """Also back to where it began, where the darkest and brightest pixels come back, too."""
    field = replace(field_over((3.0, 4.5, 110.0, 88.0), (7, 6)), reach=(60.0, 190.0)).shifted(*before)
    image = radiograph()
    expected = field_mask(image, field.shifted(*shift))
    assert np.count_nonzero(editing.MovingThresholds(image, field).mask(*shift) != expected) <= 1


def test_moves_do_not_add_up():
    image = radiograph()
    moving = editing.MovingThresholds(image, field_over((0.0, 0.0, 130.0, 90.0), (6, 4)))
    first = moving.mask()
    moving.mask(40.0, -40.0)
    assert (moving.mask() == first).all()
