"""Random views, exposures, collimation and markers: what differs between two images of one anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .bodies import Capsule
from .detector import Exposure, Processing

# strokes of the letters, (x, y) from the top left corner, in letter heights
_STROKES = {
    "L": [[(0.1, 0.1), (0.1, 0.9), (0.55, 0.9)]],
    "R": [
        [(0.1, 0.9), (0.1, 0.1), (0.38, 0.1), (0.52, 0.17), (0.57, 0.3), (0.52, 0.43), (0.38, 0.5), (0.1, 0.5)],
        [(0.34, 0.5), (0.6, 0.9)],
    ],
}


@dataclass(frozen=True)
class Look:
    """The ranges that an anatomy's images are drawn from; pairs are (lowest, highest)."""

    quanta: tuple[float, float] = (3000.0, 20000.0)
    scatter: tuple[float, float] = (0.1, 0.5)
    flatten: tuple[float, float] = (0.1, 0.6)
    flatten_width: float = 25.0
    sharpen: tuple[float, float] = (0.0, 1.2)
    headroom: tuple[float, float] = (1.0, 1.2)
    middle: tuple[float, float] = (0.4, 0.7)
    low: tuple[float, float] = (0.0, 3.0)
    high: tuple[float, float] = (98.5, 99.95)
    collimated: float = 0.3
    marker: float = 0.5


def draw(look: Look, rng: np.random.Generator) -> tuple[Exposure, Processing]:
    """A random exposure and processing within `look`."""
    exposure = Exposure(
        quanta=float(np.exp(rng.uniform(*np.log(look.quanta)))),
        blur=float(rng.uniform(0.08, 0.35)),
        scatter=float(rng.uniform(*look.scatter)),
        heel=float(rng.uniform(0.0, 0.12)),
        heel_degrees=float(rng.uniform(0, 360)),
        electronic=float(rng.uniform(1.0, 8.0)),
    )
    processing = Processing(
        logarithmic=bool(rng.random() < 0.85),
        flatten=float(rng.uniform(*look.flatten)),
        flatten_width=look.flatten_width * float(rng.uniform(0.7, 1.4)),
        sharpen=float(rng.uniform(*look.sharpen)),
        sharpen_width=float(rng.uniform(0.7, 4.0)),
        window=(float(rng.uniform(*look.low)), float(rng.uniform(*look.high))),
        headroom=float(rng.uniform(*look.headroom)),
        middle=float(rng.uniform(*look.middle)),
    )
    return exposure, processing


def collimated_field(shape: tuple[int, int], rng: np.random.Generator, largest: float = 0.07) -> np.ndarray:
    """The exposed field, bool (rows, columns): a rectangle, turned, up to `largest` of the size from each edge."""
    rows, columns = shape
    angle = np.radians(np.clip(rng.normal(0, 1.5), -5, 5))
    v = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) / rows - 0.5
    u = (np.arange(columns, dtype=np.float32)[None] + 0.5) / columns - 0.5
    aspect = columns / rows
    turned_u = u * np.cos(angle) + v * np.sin(angle) / aspect
    turned_v = v * np.cos(angle) - u * np.sin(angle) * aspect
    left, right, top, bottom = 0.5 - rng.uniform(0.0, largest, 4)
    return (turned_u > -left) & (turned_u < right) & (turned_v > -top) & (turned_v < bottom)


def add_marker(
    gray: np.ndarray, text: str, position: tuple[float, float], height: int, level: float = 1.0
) -> np.ndarray:
    """The gray levels (0..1) with the lead letter R or L burnt in.

    Parameters
    ----------
    gray : ndarray, shape (rows, columns)
    position : tuple of 2 float
        Of the letter's top left corner, (row, column) as shares of the size.
    height : int
        Of the letters, px.
    level : float
        Gray level of the letter.
    """
    row, column = (int(share * size) for share, size in zip(position, gray.shape))
    target = gray[row : row + height, column : column + height]
    v, u = np.mgrid[: target.shape[0], : target.shape[1]].astype(np.float32) / np.float32(height)
    length = np.zeros(target.shape, np.float32)
    for points in _STROKES[text]:
        for start, end in zip(points, points[1:]):
            stroke = Capsule((start[0] + 0.1, start[1]), (end[0] + 0.1, end[1]), (0.07, 0.07))
            length = np.maximum(length, stroke.thickness(u, v))
    cover = np.clip(length * np.float32(10), 0, 1)
    target += (np.float32(level) - target) * cover
    return gray


def corner_boxes(gray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The gray levels with black or white patches at the upper corners now and then, as over names and on labels."""
    rows, columns = gray.shape
    if rng.random() < 0.35:
        level = np.float32(rng.choice([0.0, 0.0, 1.0]))
        for on_right in (False, True):
            height, width = int(rows * rng.uniform(0.03, 0.09)), int(columns * rng.uniform(0.08, 0.2))
            if rng.random() < 0.7:
                first = columns - width if on_right else 0
                gray[:height, first : first + width] = level
    return gray


def stitched(gray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The gray levels of a tall image as if joined from three plates: own gains, pale seams, a ruler at the side."""
    rows, columns = gray.shape
    if rng.random() < 0.7:
        seams = sorted(int(rows * (share + rng.normal(0, 0.02))) for share in (0.33, 0.66))
        for first, last in zip([0, *seams], [*seams, rows]):
            gray[first:last] *= np.float32(rng.uniform(0.8, 1.1))
        for seam in seams:
            gray[seam : seam + max(1, rows // 500)] = np.float32(rng.uniform(0.6, 1.0))
    if rng.random() < 0.5:
        step, column = max(4, rows // 60), int(columns * rng.uniform(0.9, 0.97))
        gray[::step, column : column + max(2, columns // 30)] += np.float32(0.25)
    return np.clip(gray, 0, 1)


def soft_edges(field: np.ndarray, sigma: float) -> np.ndarray:
    """The exposed field (bool) with a penumbra of `sigma` px: float32, 0.004 (leakage) to 1."""
    soft = gaussian_filter(field.astype(np.float32), sigma, mode="nearest", truncate=3.0) if sigma > 0.3 else field
    return np.maximum(np.asarray(soft, np.float32), np.float32(0.004))
