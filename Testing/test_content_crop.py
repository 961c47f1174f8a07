"""Blank margins are cut, pictures are not."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.content_crop import content_window


def picture(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(10, 245, (rows, columns)).astype(np.float32)


@pytest.mark.parametrize("blank", [0.0, 255.0, 3.0])
def test_a_wide_margin_is_cut_on_its_side_alone(blank):
    gray = picture(100, 140)
    gray[:30] = blank
    gray[:, 125:] = blank
    gray[5:10, 4:6] = 128.0  # a letter in the margin does not hold it
    assert content_window(gray) == (slice(30, 100), slice(0, 125))


def test_thin_margins_and_dark_pictures_stay():
    gray = picture(100, 140)
    gray[:5] = gray[-7:] = 0.0
    assert content_window(gray) == (slice(0, 100), slice(0, 140))
    gray[:, :70] *= 0.03  # half of it almost black, but not blank
    gray[:, 30] = 200.0
    assert content_window(gray)[1].start <= 30
    assert content_window(np.zeros((20, 30), np.float32)) == (slice(0, 20), slice(0, 30))


def test_large_images_are_cut_as_exactly_as_their_thinning_allows():
    gray = np.zeros((2100, 1600), np.float32)
    gray[503:1700, 300:1400] = 100.0
    rows, columns = content_window(gray)
    assert 500 <= rows.start <= 506 and 1697 <= rows.stop <= 1703
    assert 297 <= columns.start <= 303 and 1397 <= columns.stop <= 1403
