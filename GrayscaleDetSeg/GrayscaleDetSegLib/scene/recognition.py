"""Whether an image is the one that a result was made from, by its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.radiograph import Radiograph

_SAMPLE = 250  # pixels kept, about, to tell the image again


def is_of(fingerprint: str | None, sample: Sequence[float], plain: Radiograph, image: Radiograph) -> bool:
    """Whether a result was made from `plain`, the volume's own values, which are those of `image` turned bone-bright.

    All pixels are compared, by their fingerprint. An even choice of them is where the record has nothing else, as those
    of earlier versions, and where values that are no whole numbers were inverted twice, which costs some digits.

    Parameters
    ----------
    fingerprint : str or None
        Of the bone-bright image that the result was made from; None in records of earlier versions.
    sample : sequence of float
        What :func:`sample_of` gave of that volume's own values.
    plain, image : Radiograph
        What is there now.
    """
    if fingerprint == image.fingerprint:
        return True
    is_exact = image.polarity.inverted or np.issubdtype(image.pixels.dtype, np.integer)
    if fingerprint is not None and is_exact:
        return False
    kept = np.asarray(sample, float)
    return kept.size == 0 or _alike(kept, np.array(sample_of(plain.pixels)))


def sample_of(values: np.ndarray) -> tuple[float, ...]:
    """An even choice of values (rows, columns)."""
    flat = values.ravel()
    return tuple(flat[:: max(1, flat.size // _SAMPLE)].astype(float).tolist())


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    # inverting twice costs some digits of values that are no whole numbers
    return bool(np.abs(first - second).max() <= 1e-3 * max(np.ptp(first), 1e-30))
