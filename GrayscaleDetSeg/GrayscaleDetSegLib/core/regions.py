"""What the 2D detector finds in a radiograph, and what a method makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import boxes
from .orientation import Orientation
from .types import AnyBox2D, Box2D, Share, Window

if TYPE_CHECKING:
    from .radiograph import Radiograph


@dataclass(frozen=True)
class RegionProposal:
    """A region of interest.

    Regions that were drawn by hand say so with `drawn`: they are taken as they are, while those of the 2D detector,
    which are never quite exact, get a margin where a method can use one.

    Parameters
    ----------
    label : str
        Class of the object in it.
    score : float
        Score of the 2D detector, 0..1; 1 for a region drawn by hand.
    roi : Box2D
        Where it lies, in px.
    drawn : bool
        Whether it was drawn by hand.
    side : str or None
        ``"right"`` or ``"left"`` in the patient; None where it is not known, or there is none.
    """

    label: str
    score: Share
    roi: Box2D
    drawn: bool = False
    side: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "roi", Box2D(*self.roi))


@dataclass(frozen=True)
class Regions:
    """The outcome of the 2D stage: what passed, the best of all, the view it was found in, and notes on that."""

    found: tuple[RegionProposal, ...]
    best: RegionProposal | None
    orientation: Orientation
    notes: tuple[str, ...] = ()

    def view_name(self, radiograph: Radiograph) -> str:
        """In which view of the pixels they were found, see ``SegmentationResult.orientation``."""
        if self.orientation.is_identity:
            return "stored"
        return "canonical" if radiograph.lie.turn is None else "upright"


@dataclass(frozen=True, eq=False)
class RegionMask:
    """What a method says of one region.

    Parameters
    ----------
    region : RegionProposal
        As it was given to the method.
    extent : Box2D
        Where the method has looked, in px: the region, or more of the image around it.
    mask : ndarray of bool
        The object's pixels in the window of the extent, see :meth:`window`. Masks of different objects may overlap.
    explanation : Explanation or None
        How the method came to the mask, if it can say so; see ``methods.base``.
    method : str
        Name of the method; the pipeline enters it.
    """

    region: RegionProposal
    extent: AnyBox2D
    mask: np.ndarray
    explanation: Any = None
    method: str = ""

    def window(self, shape: tuple[int, int]) -> Window:
        """Rows and columns of an image of `shape` that the mask covers."""
        return boxes.pixel_slices(self.extent, shape)
