"""Gray levels on demand: those of the whole image, wherever they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.gray_image import THINNED, GrayImage
from GrayscaleDetSegLib.core.point_cloud import point_cloud, sample_points
from Testing.fakes import radiograph

MAPPINGS = [
    GrayMapping.window(300, 3000, "VOI window"),
    GrayMapping((100.0, 900.0, 3500.0), (0.0, 200.0, 255.0), "VOI LUT"),
]


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.source)
@pytest.mark.parametrize("turned", [False, True])
def test_indexing_gives_the_gray_levels_of_those_pixels(mapping, turned):
    image = radiograph(mapping=mapping)
    image = image.inverted("test") if turned else image
    gray, lazy = image.gray(), image.gray_image()
    assert lazy.shape == gray.shape == (90, 130)
    rows, columns = np.array([3, 89, 0]), np.array([129, 0, 7])
    for index in (np.s_[:, :], np.s_[2:50, 60:61], np.s_[::3, ::-1], (rows, columns), gray > 200, 5, (7, 8)):
        found = lazy[index]
        np.testing.assert_array_equal(found, gray[index])
        assert np.asarray(found).dtype == np.float32


def test_the_points_of_a_roi_do_not_tell_the_difference():
    image, roi = radiograph(), (10.2, 4.7, 70.1, 60.6)
    np.testing.assert_array_equal(point_cloud(image.gray_image(), roi), point_cloud(image.gray(), roi))
    one, other = (sample_points(gray, roi, 9, np.random.default_rng(0)) for gray in (image.gray_image(), image.gray()))
    np.testing.assert_array_equal(one, other)


def test_small_images_are_not_thinned():
    image = radiograph()
    thinned, step = image.gray_image().thinned()
    assert step == 1
    np.testing.assert_array_equal(thinned, image.gray())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6000), st.integers(1, 200), st.booleans())
def test_thinned_images_sample_their_squares(long, short, upright):
    """Every n-th pixel, from the middle of its n x n square, which a ROI in the thinned image is read by."""
    shape = (long, short) if upright else (short, long)
    row, column = np.ogrid[: shape[0], : shape[1]]
    pixels = (row * 8191 + column).astype(np.int32)
    mapping = GrayMapping.window(0, 255, "full range")
    gray = GrayImage(pixels, mapping)
    thinned, step = gray.thinned()
    assert step == max(1, max(shape) // THINNED)
    if min(shape) > step // 2:
        np.testing.assert_array_equal(thinned, gray[step // 2 :: step, step // 2 :: step])
    assert min(thinned.shape) >= 1 and thinned.dtype == np.float32
    if max(shape) >= THINNED:
        assert THINNED <= max(thinned.shape) < 2 * THINNED
    for size, given_size in zip(thinned.shape, shape):
        assert abs(size * step - given_size) < step


def test_a_thinned_image_is_no_view_of_all_gray_levels():
    pixels = np.zeros((5000, 3000), np.uint16)
    thinned, step = GrayImage(pixels, MAPPINGS[0]).thinned()
    assert step == 4 and thinned.shape == (1250, 750) and (thinned.base is None or thinned.base.size == thinned.size)
