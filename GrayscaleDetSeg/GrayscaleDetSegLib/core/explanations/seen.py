"""What of an explanation can be shown in an image: boxes of slices with their scores, and maps over slices.

A kind of explanation that has any of these says so by the methods of :class:`Seen`, whichever method it belongs to;
the panel and the scene ask for no kind by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..volumes.result import VolumeBox


@dataclass(frozen=True)
class SeenBox:
    """A box in one slice.

    Parameters
    ----------
    view : str
        coronal, sagittal or axial; of a radiograph something else.
    slice : int
        Of the working grid, along the view.
    box : VolumeBox
        As thick as the slice, in voxels of the stored grid; of a radiograph in px, with z from 0 to 1.
    score : float or None
        0..1; None where somebody drew it.
    """

    view: str
    slice: int
    box: VolumeBox
    score: float | None


@dataclass(frozen=True)
class SeenMap:
    """Values over one slice.

    Parameters
    ----------
    title : str
        What they are, for the name of a node: "weights", say.
    view : str
    slice : int
        As of `SeenBox`.
    values : ndarray of float32, shape (rows, columns)
        Rows and columns as in the working grid, or as the radiograph is stored.
    box : VolumeBox or None
        Where they lie, in voxels of the stored grid; None where they cover the whole slice.
    """

    title: str
    view: str
    slice: int
    values: np.ndarray
    box: VolumeBox | None = None


class Seen(Protocol):
    """What a kind of explanation may offer, each or none."""

    def seen_boxes(self) -> tuple[SeenBox, ...]:
        """By view and slice."""

    def seen_maps(self) -> tuple[SeenMap, ...]:
        """At most one of each view."""


def seen_boxes(explanation: object) -> tuple[SeenBox, ...]:
    """The boxes of an explanation; none where its kind has none."""
    tell = getattr(explanation, "seen_boxes", None)
    return () if tell is None else tuple(tell())


def seen_maps(explanation: object) -> tuple[SeenMap, ...]:
    """The maps of an explanation; none where its kind has none."""
    tell = getattr(explanation, "seen_maps", None)
    return () if tell is None else tuple(tell())
