"""Noise: measured on pictures of known noise, smoothed from a limit on, the same when a result is opened again."""

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.mask import rule_mask
from GrayscaleDetSegLib.core.noise import HIGHEST, LIMIT, noise_level, smoothed, smoothing_for
from GrayscaleDetSegLib.core.radiograph import Radiograph

MAPPING = GrayMapping.window(0, 255, "full range")


def _picture(noise: float, shape=(160, 120), contrast: float = 90.0) -> np.ndarray:
    """A slanted bar on a gradient, with a saturated border and noise."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = 40.0 + 0.3 * x + contrast * (np.abs(x - 0.3 * y - 30) < 14)
    picture += np.random.default_rng(1).normal(0, noise, shape)
    picture[:, :10] = 255
    return picture.clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("noise", [3.0, 6.0, 12.0, 20.0])
def test_the_noise_of_a_picture_with_edges_is_measured(noise):
    assert noise_level(_picture(noise), MAPPING) == pytest.approx(noise, rel=0.12)


def test_a_clean_picture_is_taken_as_it_is():
    radiograph = Radiograph(_picture(0.4), MAPPING)
    assert radiograph.noise < 1.0
    assert radiograph.denoised is radiograph.pixels


def test_it_is_measured_once_for_all_radiographs_of_the_same_pixels(monkeypatch):
    asked = []
    monkeypatch.setattr("GrayscaleDetSegLib.core.radiograph.noise_level", lambda *_: asked.append(1) or 12.0)
    first = Radiograph(_picture(12.0), MAPPING)
    second = replace(first, notes=("one more",))
    assert second.denoised is first.denoised and second.fingerprint == first.fingerprint and len(asked) == 1
    other = replace(second, pixels=_picture(0.0))
    assert other.fingerprint != first.fingerprint and other.noise == 12.0 and len(asked) == 2


def test_a_picture_too_small_or_saturated_has_no_noise():
    assert noise_level(np.full((2, 9), 7), MAPPING) == 0.0
    assert noise_level(np.full((50, 50), 255), MAPPING) == 0.0


def test_smoothing_starts_at_the_limit_and_ends_at_the_most():
    assert smoothing_for(LIMIT) == 0.0
    assert 0.3 < smoothing_for(LIMIT + 0.1) < smoothing_for(12.0) < smoothing_for(20.0) == smoothing_for(HIGHEST - 1)
    assert smoothing_for(HIGHEST) == 0.0


def test_a_gaussian_keeps_the_sum_and_the_centre_of_a_point():
    point = np.zeros((21, 31), np.uint16)
    point[8, 19] = 1000
    soft = smoothed(point, 1.1)
    y, x = np.mgrid[:21, :31]
    assert soft.dtype == np.float32 and soft.sum() == pytest.approx(1000, rel=1e-4)
    assert (soft * y).sum() / soft.sum() == pytest.approx(8, abs=1e-3)
    assert (soft * x).sum() / soft.sum() == pytest.approx(19, abs=1e-3)
    spread = (soft * (x - 19.0) ** 2).sum() / soft.sum()
    assert spread == pytest.approx(1.1**2, rel=0.05)


def test_the_edge_of_a_flat_picture_stays_flat():
    np.testing.assert_allclose(smoothed(np.full((6, 9), 77, np.int16), 1.2), 77, rtol=1e-5)


def test_a_noisy_mask_crumbles_less():
    clean, noisy = (Radiograph(_picture(noise, contrast=45.0), MAPPING) for noise in (0.0, 14.0))
    roi = (20.0, 20.0, 110.0, 150.0)
    wanted, found = (rule_mask(radiograph, roi, 90, 250) for radiograph in (clean, noisy))
    rows, columns = slice(20, 150), slice(20, 110)
    raw = (noisy.pixels[rows, columns] >= 90) & (noisy.pixels[rows, columns] <= 250)
    assert (found != wanted).mean() < 0.6 * (raw != wanted).mean()
