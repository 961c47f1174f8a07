"""Random changes that real radiographs show, applied to the detector's training images.

Geometry (one affine warp): scale, aspect, rotation to 15 degrees, shift with crop, left-right flip with the classes of
the two sides swapped. Gray values: gamma, contrast, inverted polarity, noise, blur, collimated borders, text markers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch.nn import functional


@dataclass(frozen=True)
class AugmentationSettings:
    """Strengths; probabilities 0..1, angles in degrees, others as factors (natural log of the largest)."""

    rotation: float = 15.0
    log_scale: tuple[float, float] = (-0.45, 0.3)
    log_aspect: float = 0.35
    shift: float = 0.15
    flip: float = 0.5
    gamma: float = 0.6
    invert: float = 0.05
    noise: float = 0.03
    blur: float = 0.2
    collimate: float = 0.25
    markers: float = 0.3
    contrast: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_scale", tuple(self.log_scale))  # a list, in a configuration file

    @classmethod
    def none(cls) -> AugmentationSettings:
        """No change at all: the fitted image as it is."""
        return cls(0.0, (0.0, 0.0), *(0.0 for _ in fields(cls)[2:]))


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def _mostly_small(limit: float, generator: torch.Generator) -> float:
    """Between -limit and limit, most often near 0: radiographs are mostly upright, and some are not."""
    return _uniform(-limit, limit, generator) * _uniform(0.0, 1.0, generator)


def _chance(probability: float, generator: torch.Generator) -> bool:
    return torch.rand((), generator=generator).item() < probability


def random_warp(
    shape: tuple[int, int], size: int, settings: AugmentationSettings, generator: torch.Generator
) -> tuple[torch.Tensor, bool]:
    """A random affine sampling grid (1, size, size, 2) for an image of `shape`, and whether it flips left and right.

    At zero strength it is the centred fit of the image into the square.
    """
    rows, columns = shape
    longest = max(rows, columns)
    angle = math.radians(_mostly_small(settings.rotation, generator))
    scale = math.exp(_uniform(*settings.log_scale, generator))
    aspect = math.exp(_mostly_small(settings.log_aspect, generator) / 2.0)
    flipped = _chance(settings.flip, generator)
    shift = [_uniform(-settings.shift, settings.shift, generator) * 2.0 for _ in range(2)]
    # maps output coordinates (-1..1 over the square) to input coordinates (-1..1 over the image)
    cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
    to_x, to_y = longest / columns / aspect, longest / rows * aspect
    mirror = -1.0 if flipped else 1.0
    matrix = torch.tensor(
        [
            [mirror * to_x * cosine, mirror * to_x * sine, mirror * to_x * shift[0]],
            [-to_y * sine, to_y * cosine, to_y * shift[1]],
        ]
    )
    return functional.affine_grid(matrix[None], [1, 1, size, size], align_corners=False), flipped


def random_gray(image: torch.Tensor, settings: AugmentationSettings, generator: torch.Generator) -> torch.Tensor:
    """Random exposure, contrast, polarity, noise, blur, borders and markers on an image (rows, columns) in 0..1."""
    image = image ** math.exp(_uniform(-settings.gamma, settings.gamma, generator))
    if _chance(settings.contrast, generator):
        low, high = _uniform(-0.25, 0.25, generator), _uniform(0.75, 1.25, generator)
        image = ((image - low) / (high - low)).clamp(0.0, 1.0)
    if _chance(settings.blur, generator):
        image = functional.avg_pool2d(image[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    if settings.noise:
        level = settings.noise * _uniform(0.0, 1.0, generator)
        image = image + level * torch.randn(image.shape, generator=generator)
    if _chance(settings.invert, generator):
        image = 1.0 - image
    if _chance(settings.collimate, generator):
        image = _collimate(image, generator)
    if _chance(settings.markers, generator):
        image = _mark(image, generator)
    return image.clamp(0.0, 1.0)


def _collimate(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Up to a tenth of each side covered by a uniform border, mostly black."""
    image, value = image.clone(), 0.0 if _chance(0.8, generator) else 1.0
    rows, columns = image.shape
    edges = [int(_uniform(0.0, 0.1, generator) * size) for size in (rows, rows, columns, columns)]
    image[: edges[0]] = value
    image[rows - edges[1] :] = value
    image[:, : edges[2]] = value
    image[:, columns - edges[3] :] = value
    return image


def _mark(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One to three small blocks of bright strokes, as burnt-in letters look at this size."""
    image = image.clone()
    rows, columns = image.shape
    for _ in range(1 + int(_uniform(0, 3, generator))):
        height, width = (
            int(_uniform(0.02, 0.06, generator) * rows) + 2,
            int(_uniform(0.02, 0.15, generator) * columns) + 2,
        )
        row, column = int(_uniform(0, rows - height, generator)), int(_uniform(0, columns - width, generator))
        strokes = torch.rand((height, width), generator=generator) > 0.5
        patch = image[row : row + height, column : column + width]
        image[row : row + height, column : column + width] = torch.where(strokes, torch.ones_like(patch), patch)
    return image
