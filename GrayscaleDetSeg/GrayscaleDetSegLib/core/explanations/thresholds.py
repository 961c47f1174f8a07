"""The explanation by thresholds: an object is what lies between a bottom and a top, one pair or one in every cell.

Any method that finds thresholds explains its masks so: it makes a :class:`ThresholdRule` for a region, and
:func:`explained` turns rules into masks and into the numbers that say how far they can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from .. import boxes
from ..explain import Stability, agreement, confidence, stability
from ..gray import GRAY_MAX
from ..gray_image import GrayImage
from ..mask import field_mask, rule_mask
from ..point_cloud import point_cloud, sample_points
from ..radiograph import Radiograph
from ..regions import RegionMask, RegionProposal
from ..stopwatch import Stopwatch
from ..types import AnyBox2D, Box3D, Count, Interval, Share
from .threshold_map import ThresholdMap

PROBES = 112
"""Objects are explained by PROBES x PROBES pixels of their ROI, or by all where there are fewer."""
REACH = (0.005, 0.995)
"""Quantiles of an object's gray levels that count as its darkest and its brightest, see ``ThresholdMap.reach``."""


@dataclass(frozen=True)
class ThresholdRule:
    """Which pixels of a region belong to the object, by their gray levels alone.

    Parameters
    ----------
    box : Box3D
        The single box: the region with one bottom and one top, in gray levels 0..255. It makes the mask where `single`;
        else it is the summary that people read and move.
    field : ThresholdMap
        The thresholds that make the mask: a bottom and a top for each of many cells, or, of a single box, for one. Its
        ROI is the searched one, which may be larger than the region.
    single : bool
        Whether the box itself makes the mask.
    proposal : Box3D or None
        The box before refinement, where the method refines one.
    box_score : float or None
        Score of the proposal, where the method scores it.
    """

    box: Box3D
    field: ThresholdMap
    single: bool
    proposal: Box3D | None = None
    box_score: Share | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", Box3D(*self.box))
        if self.proposal is not None:
            object.__setattr__(self, "proposal", Box3D(*self.proposal))

    @classmethod
    def of_interval(cls, region: AnyBox2D, low: float, high: float) -> ThresholdRule:
        """The rule of one interval of gray levels in a region."""
        x0, y0, x1, y1 = map(float, region)
        return cls(
            Box3D(x0, y0, float(low), x1, y1, float(high)), ThresholdMap.uniform(region, low, high), single=True
        )

    def mask(self, radiograph: Radiograph) -> np.ndarray:
        """The pixels (bool) in the window of the field's ROI, ``boxes.pixel_slices(field.roi, radiograph.shape)``."""
        if self.single:
            return rule_mask(radiograph, self.field.roi, self.box.g0, self.box.g1)
        return field_mask(radiograph, self.field)

    def moved(self, bottom: float = 0.0, top: float = 0.0, cell: tuple[int, int] | None = None) -> ThresholdRule:
        """The rule with its thresholds moved by some gray levels: those of one cell, or of all cells and of the box.

        The box stays within 0..255; so does the only cell of a single box.

        Raises
        ------
        IndexError
            If there is no such cell.
        """
        field = self.field.shifted(bottom, top, cell)
        if cell is not None and not self.single:
            return replace(self, field=field)
        low, high = (float(np.clip(value, 0.0, GRAY_MAX)) for value in (self.box.g0 + bottom, self.box.g1 + top))
        if self.single:
            field = ThresholdMap.uniform(field.roi, low, high)
        return replace(self, field=field, box=self.box._replace(g0=low, g1=high))

    def explain(self, radiograph: Radiograph, rule_pixel_count: int) -> Thresholds:
        """The rule with all that its thresholds say of the object; `rule_pixel_count` is the size of its mask."""
        field, interval = self.field, Interval(self.box.g0, self.box.g1)
        units = radiograph.mapping.interval_to_units(*interval)
        x, y, gray = probes(radiograph.gray_image(), field.roi).T
        low, high = field.at(x, y)
        by_field = (gray >= low) & (gray <= high)
        is_as_found = field.reach is None and not (field.bottom or field.top)
        if not self.single and is_as_found and by_field.any():
            lowest, highest = np.quantile(gray[by_field], REACH)
            field = replace(field, reach=(float(lowest), float(highest)))
        return Thresholds(
            rule=replace(self, field=field),
            interval_units=Interval(*units),
            interval_file=Interval(*radiograph.polarity.interval_to_file(*units)),
            rule_pixel_count=rule_pixel_count,
            confidence=confidence(gray, low, high),
            stability=stability(gray, low, high),
            box_agreement=1.0 if self.single else agreement(_in_box(x, y, gray, self.box), by_field),
        )


@dataclass(frozen=True)
class Thresholds:
    """An object explained by thresholds.

    Parameters
    ----------
    rule : ThresholdRule
        What makes the mask, before overlaps are settled and the post-processing runs.
    interval_units, interval_file : Interval
        Bottom and top of the single box in the image's own units, bone-bright, and as values of the file (they differ
        where the polarity was inverted). Infinite at an open end.
    rule_pixel_count : int
        Pixels by the rule alone, before overlaps were settled and the post-processing ran.
    confidence : float
        The IoU to expect by how far the gray levels of the pixels lie from their thresholds, 0..1; no test against a
        true outline. See ``explain.confidence``.
    stability : Stability
        How much the area by the rule changes when all thresholds move by one gray level.
    box_agreement : float
        IoU of the single box's rule with the rule that makes the mask, 0..1: how much of the result the interval alone
        explains. 1 where the single box makes it. Large regions are measured by an even choice of their pixels.
    interval : Interval
        Bottom and top of the single box in gray levels 0..255.
    """

    kind: ClassVar[str] = "thresholds"
    derived: ClassVar[tuple[str, ...]] = ("interval",)

    rule: ThresholdRule
    interval_units: Interval
    interval_file: Interval
    rule_pixel_count: Count
    confidence: Share
    stability: Stability
    box_agreement: Share

    @property
    def interval(self) -> Interval:
        """Bottom and top of the box in gray levels 0..255: the summary that people read."""
        return Interval(self.rule.box.g0, self.rule.box.g1)

    @property
    def field(self) -> ThresholdMap:
        """The thresholds that make the mask."""
        return self.rule.field

    @property
    def box(self) -> Box3D:
        """The single box."""
        return self.rule.box

    @property
    def proposal(self) -> Box3D | None:
        """The box before refinement."""
        return self.rule.proposal

    @property
    def box_score(self) -> float | None:
        """Score of the proposal."""
        return self.rule.box_score


def explained(
    radiograph: Radiograph, found: Sequence[tuple[RegionProposal, ThresholdRule]], stopwatch: Stopwatch | None = None
) -> list[RegionMask]:
    """What a method that found these rules in these regions has to give back: the masks, explained."""
    stopwatch = stopwatch or Stopwatch()
    with stopwatch("masks"):
        masks = [rule.mask(radiograph) for _, rule in found]
    with stopwatch("explanation"):
        return [
            RegionMask(region, rule.field.roi, mask, rule.explain(radiograph, int(np.count_nonzero(mask))))
            for (region, rule), mask in zip(found, masks)
        ]


def probes(gray: GrayImage, roi: AnyBox2D) -> np.ndarray:
    """Points (n, 3), x, y in px and gray levels: all pixels of a small ROI, an even and fixed choice of a large one."""
    rows, columns = boxes.pixel_slices(roi, gray.shape)
    if (rows.stop - rows.start) * (columns.stop - columns.start) <= PROBES**2:
        return point_cloud(gray, roi)
    return sample_points(gray, roi, PROBES, np.random.default_rng(0))


def _in_box(x: np.ndarray, y: np.ndarray, gray: np.ndarray, box: Box3D) -> np.ndarray:
    x0, y0, bottom, x1, y1, top = box
    return (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (gray >= bottom) & (gray <= top)
