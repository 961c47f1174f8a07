"""Connected pieces by runs: the same as ITK's components, number for number."""

import numpy as np
import pytest
import SimpleITK as sitk

from GrayscaleDetSegLib.core.pieces import Pieces


def components(mask: np.ndarray, corners: bool) -> np.ndarray:
    """ITK's components, numbered from 1."""
    return sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.view(np.uint8)), corners))


def masks():
    random = np.random.default_rng(5)
    for share in (0.02, 0.2, 0.4, 0.55, 0.7, 0.95):
        for shape in ((1, 1), (1, 40), (40, 1), (37, 52), (300, 20)):
            yield random.random(shape) < share
    for size in (0, 1):
        yield np.full((5, 4), bool(size))
    spiral = np.zeros((41, 41), bool)
    y = x = 20
    for step in range(38):
        down, across = ((0, 1), (1, 0), (0, -1), (-1, 0))[step % 4]
        for _ in range(step // 2 * 2 // 2 + 1):
            y, x = y + down, x + across
            spiral[y, x] = True
    yield spiral
    yield ~spiral


@pytest.mark.parametrize("corners", [False, True])
def test_pieces_are_itks_components(corners):
    for mask in masks():
        expected, pieces = components(mask, corners), Pieces.of(mask, corners)
        np.testing.assert_array_equal(pieces.labels(), expected)
        assert pieces.count == expected.max()
        np.testing.assert_array_equal(pieces.sizes, np.bincount(expected.ravel(), minlength=pieces.count + 1)[1:])


def test_boxes_cuts_and_choices():
    mask = np.random.default_rng(1).random((60, 45)) < 0.35
    expected, pieces = components(mask, False), Pieces.of(mask, corners=False)
    for number, (x0, y0, x1, y1) in enumerate(pieces.boxes):
        rows, columns = np.nonzero(expected == number + 1)
        assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        np.testing.assert_array_equal(pieces.cut_out(number), expected[y0:y1, x0:x1] == number + 1)
    which = np.arange(pieces.count) % 3 == 0
    np.testing.assert_array_equal(pieces.chosen(which), np.isin(expected, 1 + np.flatnonzero(which)))


def test_views_and_more_rows_than_are_looked_at_at_once():
    mask = (np.random.default_rng(2).random((700, 31)) < 0.5)[::-1, ::2]
    np.testing.assert_array_equal(Pieces.of(mask, True).labels(), components(np.ascontiguousarray(mask), True))
