"""The attention volume: regions of all slices, or a box, as voxels of the working grid; and how it is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..explanations.seen import SeenBox
from ..types import Count, Share
from .grid import Corners, Grid
from .proposals import SliceRegions
from .result import VolumeBox
from .views import VIEWS, along

KINDS = ("slices", "box_3d", "none")
"""What a segmentation network is given beside the image: regions of each slice, one box in 3D, or nothing."""


@dataclass(frozen=True)
class ProposedBox:
    """A region of one slice.

    Parameters
    ----------
    slice : int
        Of the working grid, along the view.
    box : VolumeBox
        As thick as the slice, in voxels of the stored grid.
    score : float or None
        Probability of an object in it; null where it was given and not detected.
    """

    slice: Count
    box: VolumeBox
    score: Share | None


@dataclass(frozen=True)
class AttentionBoxes:
    """Segmentation by detection: where the segmentation was told to look.

    Parameters
    ----------
    attention : str
        slices: the regions of each slice; box_3d: one box around them all; none: the whole volume, and no regions.
    view : str
        coronal, sagittal or axial: the slices that were looked at.
    least_score : float
        Regions with a lower score did not count.
    margin : float
        What each detected region had grown by on every side, as a share of the slice's longest side.
    given : bool
        Whether boxes were given that replaced detected ones, or bounded them.
    box : VolumeBox or None
        The smallest box around the attention, in voxels of the stored grid.
    volume_mm3 : float
        Content of the attention.
    regions : tuple of ProposedBox
        By slice, the best of each first; margins are part of them.
    """

    kind: ClassVar[str] = "attention"

    attention: str
    view: str
    least_score: Share
    margin: Share
    given: bool
    box: VolumeBox | None
    volume_mm3: float
    regions: tuple[ProposedBox, ...]

    def seen_boxes(self) -> tuple[SeenBox, ...]:
        """The regions."""
        return tuple(SeenBox(self.view, each.slice, each.box, each.score) for each in self.regions)


def span(low: float, high: float, side: int) -> tuple[int, int]:
    """The voxels of an axis whose middles lie in [low, high): first, and the one behind the last; at least one."""
    first = int(np.clip(np.ceil(low - 0.5), 0, side - 1))
    return first, int(np.clip(np.ceil(high - 0.5), first + 1, side))


def attention_of(shape: tuple[int, ...], view: str, regions: SliceRegions) -> np.ndarray:
    """The regions of all slices, stacked to a binary volume (bool, of `shape` in the working grid)."""
    attention = np.zeros(shape, bool)
    slices = along(attention, view)
    for index, (x0, y0, x1, y1) in zip(regions.index, regions.boxes):
        top, bottom = span(y0, y1, slices.shape[1])
        left, right = span(x0, x1, slices.shape[2])
        slices[index, top:bottom, left:right] = True
    return attention


def box_of(shape: tuple[int, ...], corners: Corners | None) -> np.ndarray:
    """One box (z0, y0, x0, z1, y1, x1) as a binary volume; empty without one."""
    attention = np.zeros(shape, bool)
    if corners is not None:
        z, y, x = (slice(*span(low, high, side)) for low, high, side in zip(corners[:3], corners[3:], shape))
        attention[z, y, x] = True
    return attention


def corners_of(view: str, index: int, box: Sequence[float]) -> Corners:
    """A box of one slice as (z0, y0, x0, z1, y1, x1) of the working grid."""
    x0, y0, x1, y1 = box
    low = np.insert(np.array([y0, x0], np.float64), VIEWS[view], index)
    high = np.insert(np.array([y1, x1], np.float64), VIEWS[view], index + 1)
    (z0, top, left), (z1, bottom, right) = low.tolist(), high.tolist()
    return z0, top, left, z1, bottom, right


def around(view: str, regions: SliceRegions) -> Corners | None:
    """The smallest box (z0, y0, x0, z1, y1, x1) of the working grid around the regions of all slices."""
    if not len(regions):
        return None
    corners = np.array([corners_of(view, index, box) for index, box, _ in regions.rows()])
    return (*corners[:, :3].min(0).tolist(), *corners[:, 3:].max(0).tolist())


def stored_box(grid: Grid, corners: Corners) -> VolumeBox:
    """A box of the working grid in voxels of the stored one."""
    return VolumeBox(*grid.box_to_stored(corners))
