"""From thresholds to finished objects: masks, overlaps, clean-up, and the numbers that explain each object.

No network takes part: this is also what runs after every edit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import boxes
from .clean_up import CleanUp
from .explain import agreement, confidence, stability
from .gray_image import GrayImage
from .mask import Box2D, field_mask, placed, rule_mask, settle_overlaps, without_overlaps
from .point_cloud import point_cloud, sample_points
from .radiograph import Radiograph, area_of
from .result import Candidate, SegmentedObject
from .single_box.detected import DetectedBox
from .stopwatch import Stopwatch
from .surfaces.field import ThresholdField

PROBES = 112
"""Objects are explained by PROBES x PROBES pixels of their ROI, or by all where there are fewer."""
REACH = (0.005, 0.995)
"""Quantiles of an object's gray levels that count as its darkest and its brightest, see ``ThresholdField.reach``."""


@dataclass(frozen=True)
class Finding:
    """What the detectors say of one object: its region, its single box, and the thresholds that its mask follows."""

    region: Candidate
    box: DetectedBox
    method: str
    field: ThresholdField

    def rule(self, radiograph: Radiograph) -> np.ndarray:
        """The mask by the thresholds alone, in the window of the field's ROI."""
        if self.method == "box":
            return rule_mask(radiograph, self.field.roi, self.box.box[2], self.box.box[5])
        return field_mask(radiograph, self.field)


def assemble(
    radiograph: Radiograph, findings: list[Finding], clean_up: CleanUp | None, stopwatch: Stopwatch | None = None
) -> tuple[SegmentedObject, ...]:
    """The objects of all findings; their masks never overlap.

    Parameters
    ----------
    radiograph : Radiograph
    findings : list of Finding
    clean_up : CleanUp or None
        None leaves the masks as the rule makes them.
    stopwatch : Stopwatch, optional
    """
    stopwatch = stopwatch or Stopwatch()
    rois = [finding.field.roi for finding in findings]
    windows = [boxes.pixel_slices(roi, radiograph.shape) for roi in rois]
    with stopwatch("masks"):
        ruled = [finding.rule(radiograph) for finding in findings]
        masks = settle_overlaps(ruled, rois, radiograph.shape)
    if clean_up is not None:
        with stopwatch("clean-up"):
            masks = [clean_up.apply(mask, item.region.label) for mask, item in zip(masks, findings)]
            masks = without_overlaps(masks, windows)
    with stopwatch("explanation"):
        names = unique_names([finding.region.label for finding in findings])
        return tuple(
            describe_object(
                radiograph, finding, name, placed(mask, window, radiograph.shape), int(np.count_nonzero(rule))
            )
            for finding, name, mask, window, rule in zip(findings, names, masks, windows, ruled)
        )


def describe_object(
    radiograph: Radiograph, finding: Finding, name: str, mask: np.ndarray, rule_pixel_count: int
) -> SegmentedObject:
    """A finding with its mask (rows, columns), as an object with all its numbers; the mask becomes read-only."""
    mask.flags.writeable = False
    box, field = finding.box, finding.field
    interval = box.box[2], box.box[5]
    units = radiograph.mapping.interval_to_units(*interval)
    pixel_count = int(np.count_nonzero(mask))
    x, y, gray = probes(radiograph.gray_image(), field.roi).T
    low, high = field.at(x, y)
    by_field = (gray >= low) & (gray <= high)
    is_as_found = field.reach is None and not (field.bottom or field.top)
    if finding.method != "box" and is_as_found and by_field.any():
        field = replace(field, reach=tuple(map(float, np.quantile(gray[by_field], REACH))))
    return SegmentedObject(
        name=name,
        label=finding.region.label,
        roi_score=finding.region.score,
        roi=finding.region.roi,
        proposal=box.proposal,
        box=box.box,
        box_score=box.score,
        method=finding.method,
        field=field,
        box_agreement=1.0 if finding.method == "box" else agreement(_in_box(x, y, gray, box.box), by_field),
        confidence=confidence(gray, low, high),
        interval_units=units,
        interval_file=radiograph.polarity.interval_to_file(*units),
        mask=mask,
        rule_pixel_count=rule_pixel_count,
        area_mm2=area_of(pixel_count, radiograph.spacing),
        stability=stability(gray, low, high),
    )


def probes(gray: GrayImage, roi: Box2D) -> np.ndarray:
    """Points (n, 3), x, y in px and gray levels: all pixels of a small ROI, an even and fixed choice of a large one."""
    rows, columns = boxes.pixel_slices(roi, gray.shape)
    if (rows.stop - rows.start) * (columns.stop - columns.start) <= PROBES**2:
        return point_cloud(gray, roi)
    return sample_points(gray, roi, PROBES, np.random.default_rng(0))


def _in_box(x: np.ndarray, y: np.ndarray, gray: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    x0, y0, bottom, x1, y1, top = box
    return (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (gray >= bottom) & (gray <= top)


def unique_names(labels: list[str]) -> list[str]:
    """Names for objects in order: the label, with a number from the second of a class on."""
    counts: dict[str, int] = {}
    names = []
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
        names.append(label if counts[label] == 1 else f"{label} {counts[label]}")
    return names
