"""From line integrals to a radiograph: exposure, blur, scatter, quanta, read-out, and the processing of a CR reader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

MAXIMUM = 4095  # 12 bit


@dataclass(frozen=True)
class Exposure:
    """How the image is taken.

    Parameters
    ----------
    quanta : float
        Detected photons per mm2 in the open beam.
    blur : float
        Standard deviation of the point spread (focal spot and detector together), mm.
    scatter : float
        Scattered over primary signal, 0 for none; `scatter_width` is its spread (standard deviation), mm.
    heel : float
        Relative change of the beam from the middle to the edge along `heel_degrees` (0: to the right).
    electronic : float
        Standard deviation of the read-out noise, in quanta per pixel.
    """

    quanta: float = 8000.0
    blur: float = 0.15
    scatter: float = 0.25
    scatter_width: float = 25.0
    heel: float = 0.05
    heel_degrees: float = 90.0
    electronic: float = 5.0


@dataclass(frozen=True)
class Processing:
    """What is made of the signal.

    Parameters
    ----------
    logarithmic : bool
        Grays linear in the attenuation; False: linear in the signal (as old film digitisers), inverted.
    flatten : float
        Share (0..1) of the wide structures (over `flatten_width` mm) that is taken out.
    sharpen : float
        Gain of the unsharp mask over `sharpen_width` mm.
    window : tuple of 2 float
        Percentiles of the exposed field that become gray 0 and 4095.
    headroom : float
        Factor on the width of the window: above 1 leaves the brightest grays unused.
    middle : float or None
        Gray level (0..1) that the median of the exposed field is brought to, by a gamma between 0.4 and 2.5.
    """

    logarithmic: bool = True
    flatten: float = 0.3
    flatten_width: float = 25.0
    sharpen: float = 0.4
    sharpen_width: float = 2.0
    window: tuple[float, float] = (1.0, 99.7)
    headroom: float = 1.0
    middle: float | None = None


def transmitted(integral: np.ndarray) -> np.ndarray:
    """Share of the beam that passes: exp(-integral) (Beer-Lambert), float32 of the same shape."""
    return np.exp(-np.asarray(integral, np.float32))


def wide_blur(image: np.ndarray, sigma: tuple[float, float]) -> np.ndarray:
    """Gaussian blur with standard deviations (row, column) in px, float32; wide ones on a coarse grid, for speed."""
    steps = [max(1, min(int(value / 3), size // 4)) for value, size in zip(sigma, image.shape)]
    if max(steps) == 1:
        return gaussian_filter(image, sigma, mode="nearest", truncate=3.0)
    rows, columns = (size // step for size, step in zip(image.shape, steps))
    block = image[: rows * steps[0], : columns * steps[1]]
    coarse = block.reshape(rows, steps[0], columns, steps[1]).mean(axis=(1, 3), dtype=np.float32)
    coarse = gaussian_filter(coarse, [s / step for s, step in zip(sigma, steps)], mode="nearest", truncate=3.0)
    factors = (image.shape[0] / rows, image.shape[1] / columns)
    return zoom(coarse, factors, order=1, mode="nearest", grid_mode=True)


def expose(
    integral: np.ndarray,
    spacing: tuple[float, float],
    exposure: Exposure,
    rng: np.random.Generator,
    field: np.ndarray | None = None,
) -> np.ndarray:
    """The signal over that of the open beam, float32, shape (rows, columns).

    Quanta are normally distributed with the variance of the Poisson distribution (there are hundreds per pixel) and
    rounded: the random numbers used do not depend on the signal.

    Parameters
    ----------
    integral : ndarray, shape (rows, columns)
        Sum of mu times path length.
    spacing : tuple of 2 float
        (row, column) in mm.
    field : ndarray of float, shape (rows, columns), or None
        Share of the beam that collimators let through.
    """
    rows, columns = integral.shape
    beam = np.float32(1.0)
    if exposure.heel:
        angle = np.radians(exposure.heel_degrees)
        v, u = np.linspace(-1, 1, rows, dtype=np.float32)[:, None], np.linspace(-1, 1, columns, dtype=np.float32)[None]
        beam = 1 + np.float32(exposure.heel) * (u * np.float32(np.cos(angle)) + v * np.float32(np.sin(angle)))
    primary = transmitted(integral) * beam
    if field is not None:
        primary = primary * field
    if exposure.blur > 0:
        sigma = [exposure.blur / step for step in spacing]
        if max(sigma) > 0.2:
            primary = gaussian_filter(primary, sigma, mode="nearest", truncate=3.0)
    if exposure.scatter > 0:
        sigma = tuple(exposure.scatter_width / step for step in spacing)
        # what passes through little of the body scatters little: the open beam adds none
        primary = primary + np.float32(exposure.scatter) * wide_blur(np.minimum(primary, 0.3), sigma)
    scale = np.float32(exposure.quanta * spacing[0] * spacing[1])
    expected = primary * scale
    noise = rng.standard_normal(integral.shape, dtype=np.float32)
    quanta = np.rint(np.maximum(expected + np.sqrt(expected) * noise, 0))
    if exposure.electronic:
        quanta += np.float32(exposure.electronic) * rng.standard_normal(integral.shape, dtype=np.float32)
    return quanta / scale


def develop(
    signal: np.ndarray, spacing: tuple[float, float], processing: Processing, valid: np.ndarray | None = None
) -> np.ndarray:
    """Gray levels 0..1 (float32, bone bright) of a signal, as a CR reader shows it.

    Parameters
    ----------
    signal : ndarray, shape (rows, columns)
        As :func:`expose` gives it.
    valid : ndarray of bool or None
        The exposed field, from which the window is taken.
    """
    if processing.logarithmic:
        image = -np.log(np.maximum(signal, np.float32(1e-4)))
    else:
        image = -np.sqrt(np.maximum(signal, 0))
    if processing.flatten:
        wide = wide_blur(image, tuple(processing.flatten_width / step for step in spacing))
        image = image - np.float32(processing.flatten) * wide
    if processing.sharpen:
        near = wide_blur(image, tuple(processing.sharpen_width / step for step in spacing))
        image = image + np.float32(processing.sharpen) * (image - near)
    sample = image if valid is None else image[valid]
    sample = sample.reshape(-1)
    sample = sample[:: max(1, sample.size // 20000)]
    low, median, high = np.percentile(sample, (processing.window[0], 50, processing.window[1]))
    width = max((high - low) * processing.headroom, 1e-3)
    gray = np.clip((image - np.float32(low)) / np.float32(width), 0, 1)
    if processing.middle is None:
        return gray
    gamma = np.log(processing.middle) / np.log(np.clip((median - low) / width, 0.02, 0.98))
    return gray ** np.float32(np.clip(gamma, 0.4, 2.5))
