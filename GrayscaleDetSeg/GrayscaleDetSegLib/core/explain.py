"""Numbers that say how far a result can be trusted, from the gray levels and the thresholds alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .gray import GRAY_MAX
from .types import Share

DOUBT = 20.0
"""The softness of thresholds, gray levels: so far from one, a pixel is on the right side of it three in four times."""


@dataclass(frozen=True)
class Stability:
    """How much an object's area changes when its thresholds move by one gray level, as a share of its area.

    Parameters
    ----------
    bottom, top : float
        Mean over a step up and a step down of all bottoms, or of all tops; 0 means that nothing changes.
    value : float
        1 - bottom - top, not below 0: 1 is a result that does not hang on the exact thresholds.
    """

    derived: ClassVar[tuple[str, ...]] = ("value",)

    bottom: float
    top: float

    @property
    def value(self) -> Share:
        """1 - bottom - top, not below 0: 1 is a result that does not hang on the exact thresholds."""
        return max(0.0, 1.0 - self.bottom - self.top)


def stability(gray: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> Stability:
    """How much the area of {low <= g <= high} changes per gray level, see :class:`Stability`.

    Parameters
    ----------
    gray : ndarray of float, any shape
        Gray levels of the ROI's pixels, or of an even choice among them.
    low, high : ndarray of the same shape, or float
        Thresholds at 0 and 255 and beyond are open: nothing lies outside of them, and they do not move.
    """
    low, high = _opened(low, high)
    now = max(_area(gray, low, high), 1)
    bottom = sum(abs(_area(gray, low + step, high) - _area(gray, low, high)) for step in (-1.0, 1.0))
    top = sum(abs(_area(gray, low, high + step) - _area(gray, low, high)) for step in (-1.0, 1.0))
    return Stability(bottom / (2.0 * now), top / (2.0 * now))


def confidence(gray: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> float:
    """The IoU to expect if pixels near a threshold are as likely wrong as their distance to it suggests (0..1).

    A pixel d gray levels inside its interval belongs to the object with the probability 1 / (1 + exp(-d / `DOUBT`)):
    the softness that the surfaces were trained with. The expected intersection over the expected union follows.

    Parameters
    ----------
    gray, low, high
        As for :func:`stability`.
    """
    low, high = _opened(low, high)
    depth = np.minimum(gray - low, high - gray)
    likely = 1.0 / (1.0 + np.exp(np.clip(-depth / DOUBT, -50.0, 50.0)))
    inside = depth >= 0.0
    union = np.count_nonzero(inside) + float(likely[~inside].sum())
    return float(likely[inside].sum() / union) if inside.any() else 0.0


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two choices (bool) among the same pixels; 1 where both are empty."""
    either = np.count_nonzero(first | second)
    return float(np.count_nonzero(first & second) / either) if either else 1.0


def _opened(low: np.ndarray | float, high: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return np.where(low <= 0.0, -np.inf, low), np.where(high >= GRAY_MAX, np.inf, high)


def _area(gray: np.ndarray, low: np.ndarray, high: np.ndarray) -> int:
    return int(np.count_nonzero((gray >= low) & (gray <= high)))
