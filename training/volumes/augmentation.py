"""Slices that are turned, scaled, bent, mirrored, blurred and noisy: a few dozen volumes are few to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.gray import GRAY_MAX

KNOTS = 5
"""Points along a side that a bending moves."""


@dataclass(frozen=True)
class Augmentation:
    """How far slices are changed; the table ``[augmentation]`` of a configuration.

    Parameters
    ----------
    rotation : float
        Degrees, in the plane of the slice, to either side.
    scale : float
        Sizes from 1 - this to 1 + this, half as much of it different along the two axes.
    shift : float
        Share of the side, in either direction.
    elastic : float
        Standard deviation of the knots' displacements, as a share of the side.
    gamma : float
        Gray levels are raised to a power from 1 / (1 + this) to 1 + this.
    gain : float
        Contrast around the mean from 1 - this to 1 + this, and brightness by up to half of it.
    noise : float
        The largest standard deviation of noise, of 0..1.
    blur : float
        How often a slice is blurred, or seen at half its resolution.
    mirror : bool
        Whether left and right may be exchanged.
    empty : float
        Share of the samples that need not show the target.
    """

    rotation: float = 15.0
    scale: float = 0.2
    shift: float = 0.08
    elastic: float = 0.015
    gamma: float = 0.4
    gain: float = 0.25
    noise: float = 0.05
    blur: float = 0.2
    mirror: bool = False
    empty: float = 0.15

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Augmentation:
        """Of a configuration file."""
        return cls(**content)


def augmented(
    image: np.ndarray,
    truth: np.ndarray,
    around: np.ndarray,
    view: str,
    size: tuple[int, int],
    how: Augmentation,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A changed slice with its neighbours, all by one draw.

    Parameters
    ----------
    image : ndarray, float32, (slices, rows, columns)
        0..1; what lies beyond it repeats its border.
    truth : ndarray, float32, (labels, slices, rows, columns)
    around : ndarray of bool, (rows, columns)
        What the fine box is taken of.
    size : tuple of 2 int
        Rows and columns of the result; both images have the same middle, but for the shift.

    Returns
    -------
    image, truth, around
    """
    if how.mirror and random.random() < 0.5:
        if view == "sagittal":  # its slices follow each other from right to left
            image, truth = image[::-1], truth[:, ::-1]
        else:
            image, truth, around = image[..., ::-1], truth[..., ::-1], around[..., ::-1]
    where = _where(image.shape[1:], size, how, random)
    labels, slices = truth.shape[:2]
    seen = _sampled(image, where, "border")
    maps = np.concatenate([truth.reshape(labels * slices, *truth.shape[2:]), around[None].astype(np.float32)])
    placed = _sampled(maps, where, "zeros").numpy()
    changed = _gray(seen, how, random)
    return changed.numpy(), placed[:-1].reshape(labels, slices, *size), placed[-1] >= 0.5


def _where(
    before: tuple[int, ...], after: tuple[int, int], how: Augmentation, random: np.random.Generator
) -> torch.Tensor:
    """Where each pixel of the result lies in the source: (1, rows, columns, 2), x and y from -1 to 1."""
    angle = np.deg2rad(random.uniform(-how.rotation, how.rotation))
    scale = 1.0 + random.uniform(-how.scale, how.scale)
    sizes = scale * (1.0 + 0.5 * how.scale * random.uniform(-1, 1, 2))
    middle = np.array(before) / 2.0 + random.uniform(-how.shift, how.shift, 2) * before
    down, across = np.meshgrid(*(np.arange(side) + 0.5 - side / 2.0 for side in after), indexing="ij")
    rows = (np.cos(angle) * down - np.sin(angle) * across) / sizes[0] + middle[0]
    columns = (np.sin(angle) * down + np.cos(angle) * across) / sizes[1] + middle[1]
    where = np.stack([columns / before[1], rows / before[0]]).astype(np.float32) * 2.0 - 1.0
    if how.elastic:
        knots = torch.from_numpy(random.normal(0.0, 2.0 * how.elastic, (1, 2, KNOTS, KNOTS)).astype(np.float32))
        bent = functional.interpolate(knots, size=after, mode="bicubic", align_corners=True)
        where = where + bent[0].numpy()
    return torch.from_numpy(np.moveaxis(where, 0, -1)[None].astype(np.float32))


def _sampled(values: np.ndarray, where: torch.Tensor, beyond: str) -> torch.Tensor:
    given = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]
    return functional.grid_sample(given, where, mode="bilinear", padding_mode=beyond, align_corners=False)[0]


def _gray(image: torch.Tensor, how: Augmentation, random: np.random.Generator) -> torch.Tensor:
    """Other gray levels, sharpness and noise; what is black stays black."""
    black = image < 0.5 / GRAY_MAX
    if random.random() < how.blur:
        if random.random() < 0.5:
            image = functional.avg_pool2d(image[None], 3, 1, 1, count_include_pad=False)[0]
        else:
            half = functional.avg_pool2d(image[None], 2, ceil_mode=True, count_include_pad=False)
            image = functional.interpolate(half, size=image.shape[-2:], mode="bilinear", align_corners=False)[0]
    power = (1.0 + random.uniform(0.0, how.gamma)) ** (1 if random.random() < 0.5 else -1)
    image = image.clamp(0.0, 1.0) ** power
    mean = image.mean()
    gain, lift = 1.0 + random.uniform(-how.gain, how.gain), 0.5 * random.uniform(-how.gain, how.gain)
    image = (image - mean) * gain + mean + lift
    if random.random() < 0.5:
        seed = int(random.integers(2**31))
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
        image = image + random.uniform(0.0, how.noise) * noise
    return torch.where(black, torch.zeros(()), image.clamp(0.0, 1.0))
