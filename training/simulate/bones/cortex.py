"""How thick the compact bone of a bone of the leg is."""

from __future__ import annotations

import numpy as np

from .surface import Surface

ADULT_CONDYLES = 82.0
"""mm; the compact bone of smaller people is thinner in proportion to their condylar width."""
SHAFTS = {"femur": (5.5, 1.1), "tibia": (4.5, 1.0), "fibula": (2.5, 0.8)}
"""Thickness of the compact bone in the middle of the shaft and at the ends of adults, mm."""


def shaft_cortex(heights: np.ndarray, name: str, size: float) -> np.ndarray:
    """Thickness of the compact bone (n,) of a long bone, mm, by the heights (n,) of its vertices."""
    middle, end = (size * value for value in SHAFTS[name])
    along = (heights - heights.min()) / np.ptp(heights)
    inside = np.clip(np.minimum(along, 1 - along) / 0.32, 0, 1)
    return (end + (middle - end) * inside**1.4).astype(np.float32)


def even_cortex(surface: Surface, thickness: float) -> np.ndarray:
    """The same thickness (n,) at each vertex."""
    return np.full(len(surface.vertices), thickness, np.float32)


def relative_size(width: float) -> float:
    """The thickness of the compact bone of people with that condylar width, by an adult's."""
    return float(np.clip(width / ADULT_CONDYLES, 0.5, 1.15))
