"""How L-SNet explains its masks: the heat map of centres, and the boxes that were read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..explanations.seen import SeenBox, SeenMap
from ..types import Count, Share
from ..volumes.result import VolumeBox

RADIOGRAPH = "radiograph"
"""In the place of a view where the image is no volume."""


@dataclass(frozen=True)
class HeatMap:
    """How likely the centre of an object lies at each place of a slice.

    Parameters
    ----------
    view : str
        axial, coronal or sagittal; or radiograph.
    slice : int
        Of the working grid, along the view: the one that shows most of the object. 0 of a radiograph.
    values : ndarray of uint8
        Probabilities from 0 (0) to 1 (255), evenly over the whole slice: rows and columns as in the working grid, or as
        the radiograph is stored.
    """

    view: str
    slice: Count
    values: np.ndarray


@dataclass(frozen=True)
class LocatedBox:
    """A region that was looked into, without its margin.

    Parameters
    ----------
    view : str
        axial, coronal or sagittal; or radiograph.
    slice : int
        As of `HeatMap`.
    box : VolumeBox
        In voxels of the stored grid; of a radiograph in px, with z from 0 to 1.
    score : float or None
        The heat map's largest value in the component that it was read from; null where it was drawn by hand, or found
        by another detector.
    """

    view: str
    slice: Count
    box: VolumeBox
    score: Share | None


@dataclass(frozen=True)
class Localisation:
    """A mask that was segmented in the regions that a heat map of centres says.

    Parameters
    ----------
    threshold : float
        Of the heat map: what lies above it is activated, and each connected part of that is an object.
    margin : float
        What the width and the height of each region grew by, in all, as a share of the image's side.
    boxes : tuple of LocatedBox
        All of them, by view and slice.
    maps : tuple of HeatMap
        Of the middle slice of each view.
    """

    kind: ClassVar[str] = "localisation"

    threshold: Share
    margin: Share
    boxes: tuple[LocatedBox, ...]
    maps: tuple[HeatMap, ...] = ()

    def seen_boxes(self) -> tuple[SeenBox, ...]:
        """The boxes, without margins."""
        return tuple(SeenBox(each.view, each.slice, each.box, each.score) for each in self.boxes)

    def seen_maps(self) -> tuple[SeenMap, ...]:
        """The heat maps, probabilities."""
        return tuple(
            SeenMap("heat map", each.view, each.slice, np.asarray(each.values, np.float32) / np.float32(255.0))
            for each in self.maps
        )


def heat_map(view: str, index: int, heat: np.ndarray) -> HeatMap:
    """The heat map (rows, columns) of one slice, probabilities."""
    return HeatMap(view, index, np.rint(np.clip(heat, 0.0, 1.0) * 255.0).astype(np.uint8))
