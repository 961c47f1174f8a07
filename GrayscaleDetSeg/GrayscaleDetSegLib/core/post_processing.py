"""Post-processing of a mask after the rule: smoothing, the largest parts, holes; each step can be switched off."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from . import boxes
from .interpolation import neighbours
from .pieces import Pieces

BLOCKS = 7
"""The smoothing's window is at least this many blocks wide; where blocks are larger than pixels, it sees their shares
alone, so that its cost does not grow with the radius."""


def majority(mask: np.ndarray, radius: int) -> np.ndarray:
    """The median filter of a mask: true where most of the (2 radius + 1)^2 pixels around are; its edges go on outside.

    By running sums, so that its time does not grow with the radius.
    """
    if radius < 1:
        return mask
    size = 2 * radius + 1
    counts = np.pad(np.pad(mask, radius, mode="edge"), ((1, 0), (1, 0))).astype(np.int32)
    counts = counts.cumsum(axis=0)
    counts = (counts[size:] - counts[:-size]).cumsum(axis=1)
    counts = counts[:, size:] - counts[:, :-size]
    return counts > size * size // 2


def block_shares(mask: np.ndarray, block: int) -> np.ndarray:
    """The share of true pixels (float32) in each block x block of a mask; its edges go on outside."""
    rows, columns = (-size % block for size in mask.shape)
    whole = np.pad(mask, ((0, rows), (0, columns)), mode="edge").view(np.uint8)
    # down first, along whole rows: no wide copy of the mask is made
    sums = whole.reshape(-1, block, whole.shape[1]).sum(axis=1, dtype=np.uint8 if block < 256 else np.uint16)
    sums = np.add.reduceat(sums.astype(np.float32), np.arange(0, whole.shape[1], block), axis=1)
    return sums / np.float32(block * block)


def box_mean(values: np.ndarray, radius: int) -> np.ndarray:
    """The mean (float32) of the (2 radius + 1)^2 values around each; the edges go on outside."""
    if radius < 1:
        return values
    size = 2 * radius + 1
    sums = np.pad(np.pad(values, radius, mode="edge"), ((1, 0), (1, 0))).astype(np.float64).cumsum(0).cumsum(1)
    sums = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    return (sums / (size * size)).astype(np.float32)


def enlarged(shares: np.ndarray, block: int, shape: tuple[int, int]) -> np.ndarray:
    """The mask of `shape` where `shares`, one per block x block of px, interpolated bilinearly, exceed a half."""
    down, across = ((np.arange(size) + 0.5) / (block * count) for size, count in zip(shape, shares.shape))
    above, _below, share = neighbours(down, shares.shape[0])
    left, right, part = neighbours(across, shares.shape[1])
    first, wide = shares[:, left], shares[:, right]
    wide -= first
    wide *= part
    wide += first
    over = wide > 0.5
    mask = over.take(above, axis=0)
    # only where two rows of blocks differ does it depend on the place between them
    upper, columns = np.nonzero(over[1:] != over[:-1])
    top, step = wide[upper, columns], wide[upper + 1, columns]
    step -= top
    start, stop = np.searchsorted(above, [upper, upper + 1])
    for number in range(int((stop - start).max(initial=0))):
        rows = start + number
        held = np.flatnonzero(rows < stop)
        rows = rows[held]
        mask[rows, columns[held]] = top[held] + step[held] * share[rows] > 0.5
    return mask


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask with its holes filled: background that no path of side-by-side pixels joins to the outside.

    By the pieces of the background, whose time does not grow with the number of holes.
    """
    background = np.pad(~mask, 1, constant_values=True)
    pieces = Pieces.of(background, corners=False)
    if pieces.count == 1:  # the outside alone
        return mask
    return ~pieces.chosen(np.arange(pieces.count) == 0)[1:-1, 1:-1]


@dataclass(frozen=True)
class PostProcessing:
    """What is done to a mask after the rule; every step can be switched off.

    Parameters
    ----------
    smooth : float
        Radius of a median filter (:func:`majority`), as a share of the object's shorter side; 0 is off.
    keep_largest : bool
        Whether only the largest connected parts are kept.
    largest_parts : dict of str to int
        How many a class keeps, largest first; classes not named keep one, and 0 keeps all.
    fill_holes : bool
    """

    smooth: float = 0.015
    keep_largest: bool = True
    largest_parts: dict[str, int] = field(default_factory=dict)
    fill_holes: bool = True

    @classmethod
    def from_dict(cls, values: dict) -> PostProcessing:
        """The inverse of :meth:`to_dict`, from parsed JSON."""
        return cls(**values)

    def to_dict(self) -> dict:
        """The parameters for a JSON file."""
        return asdict(self)

    def steps(self) -> tuple[str, ...]:
        """The names of the steps that are on, for the report, in the order they run."""
        named = {
            "smooth": self.smooth > 0,
            "keep largest parts": self.keep_largest,
            "fill holes": self.fill_holes,
        }
        return tuple(name for name, on in named.items() if on)

    def apply(self, mask: np.ndarray, label: str) -> np.ndarray:
        """The cleaned mask (rows, columns); an empty mask stays empty."""
        if not mask.any():
            return mask
        x0, y0, x1, y1 = boxes.of_mask(mask).astype(int)
        margin = 2
        window = (
            slice(max(0, y0 - margin), y1 + margin),
            slice(max(0, x0 - margin), x1 + margin),
        )
        cleaned = np.zeros_like(mask)
        cleaned[window] = self._apply(mask[window], label, min(x1 - x0, y1 - y0))
        return cleaned

    def _apply(self, mask: np.ndarray, label: str, shortest: int) -> np.ndarray:
        radius = int(round(self.smooth * shortest))
        block = (2 * radius + 1) // BLOCKS
        if block < 2:
            smoothed = majority(mask, radius)
            return self._choose(smoothed if smoothed.any() else mask, label)
        shares = box_mean(block_shares(mask, block), radius // block)
        coarse = shares > 0.5
        if not coarse.any():
            return self._choose(mask, label)
        chosen = self._choose(coarse, label)
        shares[coarse & ~chosen], shares[chosen & ~coarse] = 0.0, 1.0
        smoothed = enlarged(shares, block, mask.shape)
        return smoothed if smoothed.any() else self._choose(mask, label)

    def _choose(self, mask: np.ndarray, label: str) -> np.ndarray:
        """The largest parts, holes filled."""
        keep = self.largest_parts.get(label, 1) if self.keep_largest else 0
        if keep > 0:
            pieces = Pieces.of(mask, corners=True)
            if pieces.count > keep:
                is_kept = np.zeros(pieces.count, bool)
                is_kept[np.argsort(-pieces.sizes, kind="stable")[:keep]] = True  # of equal ones, the first
                mask = pieces.chosen(is_kept)
        return filled(mask) if self.fill_holes else mask
