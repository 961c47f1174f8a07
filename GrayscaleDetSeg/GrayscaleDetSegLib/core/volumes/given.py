"""Boxes that somebody draws in the place of a detector's, or around them (paper 003, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import MethodError
from .attention import around, span
from .grid import Corners, Grid
from .proposals import SliceRegions
from .result import VolumeBox
from .views import VIEWS

FITS = ("clip", "scale")
Row = tuple[int, Sequence[float], float]
"""A region: its slice, its box and its score."""


@dataclass(frozen=True)
class GivenBoxes:
    """What is known of where one object lies, in voxels of the volume as it is stored.

    Parameters
    ----------
    roi : VolumeBox or None
        Around the whole object. What is detected is fitted to it slice by slice; without any of that, the box counts.
    slices : tuple of VolumeBox
        Boxes of single slices, each as thick as the slices that it speaks of (one voxel of the stored grid, say). In
        these it takes the place of what is detected, and may go beyond `roi`.
    fit : str
        ``"clip"``: what is detected is cut off at `roi`. ``"scale"``: the box around all that is detected is stretched
        to `roi`, as when somebody drags it.
    detect : bool
        Whether the detector looks at all; without it, `roi` and `slices` alone count.
    scores : tuple of float or None
        Of `slices`, of those that were detected before and are kept; none of them where it is empty.
    """

    roi: VolumeBox | None = None
    slices: tuple[VolumeBox, ...] = ()
    fit: str = "clip"
    detect: bool = True
    scores: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class WorkingBoxes:
    """The same in the working grid; boxes are (z0, y0, x0, z1, y1, x1)."""

    roi: Corners | None
    slices: tuple[Corners, ...]
    fit: str
    detect: bool
    scores: tuple[float | None, ...] = ()


def in_working_grid(given: GivenBoxes, grid: Grid, label: str) -> WorkingBoxes:
    """Given boxes as a method takes them.

    Raises
    ------
    MethodError
        If there are none, one is no box or lies outside of the volume, or they shall be fitted in an unknown way.
    """
    if given.fit not in FITS:
        raise MethodError(f"Boxes of {label} can't be fitted by '{given.fit}'; choose {' or '.join(FITS)}.")
    if given.roi is None and not given.slices:
        raise MethodError(f"No box of {label} is given; give a box around it or boxes in slices, or leave it out.")
    roi = None if given.roi is None else _checked(given.roi, grid, label)
    slices = tuple(_checked(box, grid, label) for box in given.slices)
    return WorkingBoxes(roi, slices, given.fit, given.detect, given.scores)


def _checked(box: Sequence[float], grid: Grid, label: str) -> Corners:
    numbers = np.asarray(box, np.float64)
    text = "(" + ", ".join(f"{number:g}" for number in numbers.ravel()) + ")"
    if numbers.shape != (6,) or not np.isfinite(numbers).all() or not (numbers[:3] < numbers[3:]).all():
        raise MethodError(f"{text} is no box of {label}; give x0, y0, z0, x1, y1, z1 with x0 < x1, y0 < y1, z0 < z1.")
    size = np.array(grid.stored[::-1], np.float64)
    low, high = np.maximum(numbers[:3], 0.0), np.minimum(numbers[3:], size)
    if not (low < high).all():
        ends = " x ".join(f"{side:g}" for side in size)
        raise MethodError(f"The box {text} of {label} lies outside of the volume of {ends} voxels; draw it inside.")
    return grid.box_to_working((*low.tolist(), *high.tolist()))


def fitted(regions: SliceRegions, given: WorkingBoxes, view: str, shape: tuple[int, ...]) -> SliceRegions:
    """What was detected, after what was given.

    Parameters
    ----------
    regions : SliceRegions
        Detected in the slices of a view; none where the detector did not look.
    shape : tuple of 3 int
        Of the working grid.
    """
    rows = regions.rows()
    if given.roi is not None:
        rows = (_scaled if given.fit == "scale" else _clipped)(regions, given.roi, view, shape)
        rows = rows or _filled(given.roi, view, shape)
    scores = given.scores or (None,) * len(given.slices)
    of_slices = [
        row for corners, score in zip(given.slices, scores) for row in _filled(corners, view, shape, score)
    ]
    replaced = {row[0] for row in of_slices}
    return SliceRegions.of([*(row for row in rows if row[0] not in replaced), *of_slices])


def _filled(corners: Corners, view: str, shape: tuple[int, ...], score: float | None = None) -> list[Row]:
    """A box as a region of each slice that it goes through; without a score nobody has detected it."""
    axis = VIEWS[view]
    slices = range(*span(corners[axis], corners[axis + 3], shape[axis]))
    return [(index, _flat(corners, axis), float("nan") if score is None else score) for index in slices]


def _clipped(regions: SliceRegions, roi: Corners, view: str, shape: tuple[int, ...]) -> list[Row]:
    """The regions of the slices that a box goes through, cut off at its sides."""
    axis = VIEWS[view]
    first, stop = span(roi[axis], roi[axis + 3], shape[axis])
    x0, y0, x1, y1 = _flat(roi, axis)
    rows: list[Row] = []
    for index, box, score in regions.rows():
        cut = [max(box[0], x0), max(box[1], y0), min(box[2], x1), min(box[3], y1)]
        if first <= index < stop and cut[0] < cut[2] and cut[1] < cut[3]:
            rows.append((index, cut, score))
    return rows


def _scaled(regions: SliceRegions, roi: Corners, view: str, shape: tuple[int, ...]) -> list[Row]:
    """The regions, moved and stretched so that the box around them all becomes another one."""
    whole, axis = around(view, regions), VIEWS[view]
    if whole is None:
        return []
    old, new = _flat(whole, axis), _flat(roi, axis)
    factors = [(new[side + 2] - new[side]) / (old[side + 2] - old[side]) for side in (0, 1)]
    first, stop = span(roi[axis], roi[axis + 3], shape[axis])
    by_slice: dict[int, list[Row]] = {}
    for row in regions.rows():
        by_slice.setdefault(row[0], []).append(row)
    rows: list[Row] = []
    for index in range(first, stop):
        share = (index + 0.5 - roi[axis]) / (roi[axis + 3] - roi[axis])
        source = int(np.floor(whole[axis] + np.clip(share, 0.0, 1.0 - 1e-9) * (whole[axis + 3] - whole[axis])))
        for _, box, score in by_slice.get(source, []):
            moved = [new[side % 2] + (box[side] - old[side % 2]) * factors[side % 2] for side in range(4)]
            rows.append((index, moved, score))
    return rows


def _flat(corners: Corners, axis: int) -> list[float]:
    """What a slice across an axis shows of a box: x0, y0, x1, y1."""
    low, high = [[*ends[:axis], *ends[axis + 1 :]] for ends in (corners[:3], corners[3:])]
    return [low[1], low[0], high[1], high[0]]
