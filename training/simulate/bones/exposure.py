"""From thicknesses to the picture on a film: attenuation, scatter, noise, and the processing that films get."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SOFT = 0.020
"""Attenuation of soft tissue, 1 / mm, at about 70 kV; the other materials are drawn as multiples of it."""


@dataclass(frozen=True)
class Thicknesses:
    """Line integrals in mm, each float32 (rows, columns).

    Parameters
    ----------
    soft : ndarray
        Soft tissue with the bones in it.
    bone : ndarray
        Whole bones.
    marrow : ndarray
        What is inside of their compact layer.
    air : ndarray
        Lungs and gas, taken from the soft tissue.
    metal : ndarray
        Implants, wires, markers of lead.
    plaster : ndarray
        Casts, outside of the body.
    """

    soft: np.ndarray
    bone: np.ndarray
    marrow: np.ndarray
    air: np.ndarray
    metal: np.ndarray
    plaster: np.ndarray


def smooth_noise(shape: tuple[int, int], sigma: float, generator: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and deviation 1 whose blobs are about `sigma` px wide."""
    step = max(1, int(sigma / 2))
    coarse = generator.standard_normal((shape[0] // step + 3, shape[1] // step + 3)).astype(np.float32)
    coarse = ndimage.gaussian_filter(coarse, sigma / step)
    if step > 1:
        coarse = ndimage.zoom(coarse, step, order=1)
    noise = coarse[: shape[0], : shape[1]]
    return noise / max(float(noise.std()), 1e-6)


def expose(parts: Thicknesses, generator: np.random.Generator) -> np.ndarray:
    """The picture, float32 in 0..1 with bone bright, of what lies between tube and detector.

    Noise is that of counted quanta, before the logarithm; scatter is a blurred veil; then come the window, unsharp
    masking and the curve of the film.
    """
    draw, shape = generator.uniform, parts.soft.shape
    compact = SOFT * draw(2.0, 4.2)
    spongy = SOFT * draw(0.95, 1.6)
    marrow = np.clip(parts.marrow, 0.0, parts.bone)
    grain = 1.0 + draw(0.0, 0.12) * smooth_noise(shape, draw(0.8, 2.0), generator)
    tissue = np.maximum(parts.soft, parts.bone + 4.0 * (parts.bone > 0)) - parts.bone
    clouds = 1.0 + 0.025 * smooth_noise(shape, draw(5.0, 30.0), generator)
    tissue = np.maximum(tissue - parts.air, 0.15 * tissue) * clouds
    depth = SOFT * tissue + compact * (parts.bone - marrow) + spongy * marrow * grain
    depth = depth + 0.35 * parts.metal + SOFT * draw(0.6, 2.0) * parts.plaster
    primary = np.exp(-np.clip(depth, 0.0, 9.0))
    veil = draw(0.0, 0.25) * ndimage.gaussian_filter(primary, 0.08 * max(shape))
    # the tube's automatic exposure: so many quanta where the body lets through a middling share
    body = parts.soft > 1.0
    quanta = 10.0 ** draw(2.0, 4.0) / max(float(np.median(primary[body])) if body.any() else 1.0, 1e-4)
    counted = primary + veil
    counted = counted + np.sqrt(counted / quanta) * generator.standard_normal(shape).astype(np.float32)
    film = -np.log(np.clip(counted, 1.5 / quanta, None)).astype(np.float32)
    return develop(film, body, generator)


def develop(film: np.ndarray, body: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Window, unsharp masking and curve of a film of optical depths, to 0..1."""
    draw = generator.uniform
    film = ndimage.gaussian_filter(film, draw(0.0, 0.8))
    if generator.random() < 0.7:  # unsharp masking; wide, it brings thick and thin regions together
        wide, amount = draw(3.0, 45.0), draw(0.2, 1.6)
        if generator.random() < 0.3:  # so strongly that an arm shows as well as the trunk beside it
            wide, amount = draw(15.0, 60.0), draw(1.5, 5.0)
        film = film + amount * (film - ndimage.gaussian_filter(film, wide))
    inside = film[body] if body.any() else film
    low, high = np.percentile(inside, [draw(0.0, 8.0), draw(97.0, 99.9)])
    if generator.random() < 0.5:  # air around the body stays darker than the body
        low = min(low, float(np.percentile(film, 5)) + draw(0.0, 0.6) * (low - float(np.percentile(film, 5))))
    value = np.clip((film - low) / max(high - low, 1e-3), -0.2, 1.3)
    value = np.clip(draw(-0.05, 0.12) + draw(0.7, 1.0) * value, 0.0, 1.0)
    return (value ** draw(0.6, 1.5)).astype(np.float32)
