"""Gray values: the map from an image's own units to 0..255, and polarity. Both live here and nowhere else.

The method works on gray levels 0 (black) to 255 (white) with bone bright. Files hold 8 to 16 bits in
units of their own, some of them with bone dark (MONOCHROME1). :class:`Polarity` brings values to bone-bright once;
:class:`GrayMapping` brings bone-bright values to gray levels, and thresholds back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

GRAY_MAX = 255.0
_SINGLE = 64.0  # window widths from zero within which single precision errs by less than 0.002 gray levels
_NARROWEST = 1e-30  # window width from which the factor to gray levels is within single precision


@dataclass(frozen=True)
class GrayMapping:
    """A monotone, piecewise linear and invertible map from an image's own units to gray levels 0..255.

    Values below the first knot map to its gray level (0) and those above the last to its gray level (255), so a
    threshold at gray 0 or 255 is open: no pixel lies beyond it.

    Parameters
    ----------
    units, gray : tuple of float
        The knots, both strictly increasing and of the same length (at least 2); `gray` runs from 0 to 255.
    source : str
        Where the map comes from: ``"percentile"``, ``"VOI window"``, ``"VOI LUT"`` or ``"full range"``.
    """

    units: tuple[float, ...]
    gray: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        units, gray = np.asarray(self.units, float), np.asarray(self.gray, float)
        if units.shape != gray.shape or units.ndim != 1 or units.size < 2:
            raise ValueError("A gray mapping needs two or more knots, as many in units as in gray levels.")
        if not (np.isfinite(units).all() and np.isfinite(gray).all()):
            raise ValueError("The knots of a gray mapping must be finite.")
        if (np.diff(units) <= 0).any() or (np.diff(gray) <= 0).any():
            raise ValueError("The knots of a gray mapping must increase strictly in both directions.")
        if gray[0] != 0.0 or gray[-1] != GRAY_MAX:
            raise ValueError("The gray levels of a gray mapping must run from 0 to 255.")

    @classmethod
    def window(cls, lower: float, upper: float, source: str) -> GrayMapping:
        """The linear map that sends `lower` to 0 and `upper` to 255 (widened to one unit where they coincide)."""
        if not upper > lower:
            upper = lower + 1.0
        return cls((float(lower), float(upper)), (0.0, GRAY_MAX), source)

    @classmethod
    def from_percentiles(cls, pixels: np.ndarray, low: float = 0.5, high: float = 99.5) -> GrayMapping:
        """The linear map between two percentiles of `pixels` (any shape, own units, bone-bright).

        The percentiles leave out all pixels that hold exactly the lowest or the highest value: collimated borders,
        burnt-in text, padding and saturation pile up there. Where fewer than a tenth of the pixels would remain, the
        map runs from the lowest to the highest value instead. Large images are sampled evenly, at 2**20 to 2**21
        pixels; NaN and infinite values never count. Raises ValueError where no finite value is left.
        """
        flat = np.asarray(pixels).reshape(-1)
        sample = flat[:: max(1, flat.size // 2**20)]
        if sample.dtype not in (np.uint8, np.uint16):  # of which wider copies would say nothing else
            sample = sample.astype(np.float64)
            finite = np.isfinite(sample)
            sample = sample if finite.all() else sample[finite]
        if sample.size == 0:
            raise ValueError("A gray mapping needs at least one finite pixel value.")
        inner = sample[(sample > sample.min()) & (sample < sample.max())]
        if inner.size < 0.1 * sample.size:
            return cls.window(sample.min(), sample.max(), "percentile")
        lower, upper = np.percentile(inner, (low, high), overwrite_input=True)
        if not upper > lower:
            lower, upper = sample.min(), sample.max()
        return cls.window(lower, upper, "percentile")

    def to_gray(self, values: np.ndarray | float) -> np.ndarray:
        """Gray levels (float32, 0..255) of `values` in own units; same shape."""
        if len(self.units) == 2:
            lower, upper = self.units
            width = upper - lower
            # one pass in single precision, which full-size images take, unless the values lie so far from zero, for
            # the width of the window, that its rounding would show
            is_single = width >= _NARROWEST and max(abs(lower), abs(upper)) <= _SINGLE * width
            real: Any = np.float32 if is_single else np.float64
            gray = np.asarray(values, real) - real(lower)
            gray *= real(GRAY_MAX / width)
            clipped: Any = np.clip(gray, 0.0, GRAY_MAX, out=gray if gray.ndim else None)  # a scalar of a scalar
            return clipped.astype(np.float32, copy=False)
        levels: Any = np.interp(values, self.units, self.gray)
        return levels.astype(np.float32)

    def to_units(self, gray: np.ndarray | float) -> np.ndarray:
        """Values in own units (float64) of gray levels; the inverse of :meth:`to_gray` on 0..255."""
        units: Any = np.interp(gray, self.gray, self.units)
        return units

    def turned_over(self, pivot: float) -> GrayMapping:
        """The map for values turned over to `pivot` - value: each pixel's gray level g becomes 255 - g."""
        units = tuple(pivot - unit for unit in reversed(self.units))
        return GrayMapping(units, tuple(GRAY_MAX - gray for gray in reversed(self.gray)), self.source)

    def interval_to_units(self, low: float, high: float) -> tuple[float, float]:
        """The interval [low, high] of gray levels in own units; minus or plus infinity where an end is open."""
        lower = -np.inf if low <= 0.0 else float(self.to_units(low))
        upper = np.inf if high >= GRAY_MAX else float(self.to_units(high))
        return lower, upper


@dataclass(frozen=True)
class Polarity:
    """How the file's values relate to bone-bright values.

    Parameters
    ----------
    inverted : bool
        True if the values were inverted to make bone bright.
    pivot : float
        With `inverted`: bone-bright value = `pivot` - file value, and the other way round.
    reason : str
        Why, in words for the user (for example "MONOCHROME1 in the file").
    """

    inverted: bool = False
    pivot: float = 0.0
    reason: str = "bone is bright in the file"

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Bone-bright values of the file's values, or the file's values of bone-bright ones (it is its own inverse).

        The type is kept where it can hold the result, else float32.
        """
        if not self.inverted:
            return values
        if np.issubdtype(values.dtype, np.integer) and float(self.pivot).is_integer() and values.size:
            information = np.iinfo(values.dtype)
            ends = self.pivot - float(values.max()), self.pivot - float(values.min())
            if ends[0] >= information.min and ends[1] <= information.max:
                # unsigned arithmetic wraps around and comes back: no wider temporary is needed
                return np.subtract(np.array(int(self.pivot)).astype(values.dtype), values, dtype=values.dtype)
        return (np.float32(self.pivot) - values.astype(np.float32)).astype(np.float32)

    def interval_to_file(self, low: float, high: float) -> tuple[float, float]:
        """The interval [low, high] of bone-bright values as the file's own values."""
        return (self.pivot - high, self.pivot - low) if self.inverted else (low, high)
