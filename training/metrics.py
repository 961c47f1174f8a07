"""Overlap of two masks: IoU, DSC, FN and FP (Ge et al. 2022, "Performance assessment")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Overlap:
    """How well a mask T meets the truth G.

    Parameters
    ----------
    iou : float
        |T and G| / |T or G|.
    dsc : float
        2 |T and G| / (|T| + |G|) (eq. 8).
    fn, fp : float
        Missed pixels |G without T| and wrongly taken pixels |T without G|, both as shares of |G|. The article does
        not say how it normalises; with |G| under both, they add up to the pixels a person would have to correct.
    """

    iou: float
    dsc: float
    fn: float
    fp: float


def overlap(mask: np.ndarray, truth: np.ndarray) -> Overlap:
    """Compare two masks of equal shape; `truth` must not be empty."""
    size = int(np.count_nonzero(truth))
    if size == 0:
        raise ValueError("There is nothing to compare with: the true mask is empty.")
    both, taken = int(np.count_nonzero(mask & truth)), int(np.count_nonzero(mask))
    return Overlap(
        both / (taken + size - both), 2.0 * both / (taken + size), (size - both) / size, (taken - both) / size
    )


def placed(mask: np.ndarray, window: tuple[slice, slice], shape: tuple[int, int]) -> np.ndarray:
    """A window's mask as one of the whole image of `shape` (rows, columns)."""
    whole = np.zeros(shape, bool)
    whole[window] = mask
    return whole
