"""Pixel values of any type as those that the pipeline computes with: integers of at most 32 bits, or finite float32."""

from __future__ import annotations

import numpy as np

from .errors import RadiographError
from .gray import GRAY_MAX, GrayMapping

_SAMPLE = 2**17
_LOST = 0.5
"""Gray levels by which a value may be wrong in single precision."""
_MOST_LOST = 0.01
"""Share of the values that may be more wrong."""


def tidy(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """The values as an integer type of at most 32 bits or float32, all finite, and notes.

    NaN, infinite values and those beyond single precision become the smallest other one.

    Parameters
    ----------
    values : ndarray, any shape
        Booleans, integers or real numbers.
    name : str
        What errors call the image.

    Raises
    ------
    RadiographError
        If no value is finite, if they are no real numbers, or if single precision would lose their differences.
    """
    if values.dtype == bool:
        return values.astype(np.uint8), []
    if np.issubdtype(values.dtype, np.integer):
        if values.dtype.itemsize <= 4:
            return values, []
        if _fits(values, np.int32):
            return values.astype(np.int32), []
    elif not np.issubdtype(values.dtype, np.floating):
        raise RadiographError(f"{name} holds {values.dtype} values; convert it to gray values first.")
    if values.dtype.itemsize > 4 and not _is_narrowed_well(values):
        if np.isfinite(values).all() and _fits(values, np.int32) and (values == np.rint(values)).all():
            return values.astype(np.int32), []
        raise RadiographError(f"{name} holds values from {np.nanmin(values):.12g} to {np.nanmax(values):.12g}, whose "
                              f"differences are lost in single precision; subtract their minimum, divide them by "
                              f"their range, and save it again.")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    finite = np.isfinite(values)
    if finite.all():
        return values, []
    if not finite.any():
        raise RadiographError(f"{name} holds no finite pixel value; export it again.")
    lowest = values[finite].min()
    count = int(values.size - np.count_nonzero(finite))
    return np.where(finite, values, lowest), [f"{count} pixels were NaN or infinite and are set to the minimum"]


def _fits(values: np.ndarray, dtype: type) -> bool:
    limits = np.iinfo(dtype)
    return bool(limits.min <= int(values.min()) and int(values.max()) <= limits.max)


def _is_narrowed_well(values: np.ndarray) -> bool:
    """Whether 64 bit values have the same gray levels in single precision; some of them are looked at.

    Those at the ends do not count where others are there: marks for "nothing is here", such as -1.8e308, lie there.
    """
    some = values.flat[:: max(1, values.size // _SAMPLE) | 1].astype(np.float64)  # odd: not one column again and again
    some = some[np.isfinite(some)]
    if some.size == 0 or some.min() == some.max():
        return True
    inner = (some > some.min()) & (some < some.max())
    with np.errstate(over="ignore"):
        lower, upper = GrayMapping.from_percentiles(some / 2.0).units  # halves: the width of whole ones can overflow
        wrong = np.abs(some.astype(np.float32) / 2.0 - some / 2.0)
    lost = wrong > _LOST / GRAY_MAX * (upper - lower)
    return float((lost[inner] if inner.any() else lost).mean()) <= _MOST_LOST
