"""How iterating methods explain their masks: the box and the agreement of each round, and maps of saliency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..explanations.seen import SeenMap
from ..types import Count, Share
from .result import VolumeBox


@dataclass(frozen=True)
class Round:
    """One round.

    Parameters
    ----------
    number : int
        0 for the coarse stage, then 1, 2, ...
    box : VolumeBox or None
        The smallest box around what it found, in voxels of the stored grid; null where it found nothing.
    volume_mm3 : float
        Content of what it found.
    similarity : float or None
        DSC with the round before; null for the coarse stage.
    """

    number: Count
    box: VolumeBox | None
    volume_mm3: float
    similarity: Share | None = None


@dataclass(frozen=True)
class Rounds:
    """A fixed point: rounds that each look into the boxes of the one before, until two agree.

    Parameters
    ----------
    rounds : tuple of Round
        The coarse stage first; the last one made the mask.
    threshold : float
        The DSC of two rounds that ended it.
    most : int
        Rounds after which it would have ended in any case.
    converged : bool
        Whether the last two rounds agreed.
    margin : float
        What was added to each box on every side, as a share of the image's side.
    within : str or None
        The object around which alone it was looked for.
    drawn : bool
        Whether the rounds began from a box given by hand, which stands in the place of the coarse stage.
    """

    kind: ClassVar[str] = "rounds"

    rounds: tuple[Round, ...]
    threshold: Share
    most: Count
    converged: bool
    margin: Share
    within: str | None = None
    drawn: bool = False


@dataclass(frozen=True)
class SaliencyMap:
    """The weights that one channel of one slice was multiplied by in the last round.

    Parameters
    ----------
    view : str
        coronal, sagittal or axial.
    slice : int
        Of the working grid, along the view: the one that shows most of the object.
    channel : int
        0, 1 and 2 are the slice before, the slice and the one behind it.
    values : ndarray of uint8
        The weights from lowest (0) to highest (255), thinned.
    lowest, highest : float
        The weights that 0 and 255 stand for.
    box : VolumeBox or None
        Where the slice lies, in voxels of the stored grid; null in results of earlier versions.
    """

    view: str
    slice: Count
    channel: Count
    values: np.ndarray
    lowest: float
    highest: float
    box: VolumeBox | None = None


@dataclass(frozen=True)
class SaliencyRounds(Rounds):
    """Rounds of a recurrent network, and what it weighted the image by in the last one.

    Parameters
    ----------
    maps : tuple of SaliencyMap
    """

    kind: ClassVar[str] = "saliency"

    maps: tuple[SaliencyMap, ...] = ()

    def seen_maps(self) -> tuple[SeenMap, ...]:
        """Of each view the weights of the slice itself, not of its neighbours; none of those that say no place."""
        middle = max((each.channel for each in self.maps), default=0) // 2
        return tuple(
            SeenMap(
                "weights", each.view, each.slice,
                each.lowest + np.asarray(each.values, np.float32) / np.float32(255.0) * (each.highest - each.lowest),
                each.box,
            )
            for each in self.maps
            if each.channel == middle and each.box is not None
        )  # fmt: skip


LONGEST_MAP = 40
"""Samples along the longer side of a map."""


def saliency_map(
    view: str, index: int, channel: int, weights: np.ndarray, box: VolumeBox | None = None
) -> SaliencyMap:
    """The map of weights (rows, columns), thinned to `LONGEST_MAP`; `box` is of the working grid yet."""
    step = max(1, -(-max(weights.shape) // LONGEST_MAP))
    thin = weights[::step, ::step]
    lowest, highest = float(thin.min()), float(thin.max())
    scaled = (thin - lowest) / max(highest - lowest, 1e-12) * 255.0
    return SaliencyMap(view, index, channel, np.rint(scaled).astype(np.uint8), lowest, highest, box)
