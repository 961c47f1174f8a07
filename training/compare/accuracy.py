"""Accuracy of all methods on val: a record per object and method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.mask import rule_mask
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph

from ..data import Case
from ..intervals import best_interval
from ..metrics import overlap
from .oracle_bounds import best_cells

Masks = Callable[[Case], dict[str, np.ndarray]]
"""From a case to the mask of every class that it marks."""

GRIDS = (64,)
ORACLE_BOUNDS = ("one box, best", *(f"{grid} x {grid} boxes, best" for grid in GRIDS))


def records_of(name: str, masks: Masks, cases: list[Case]) -> list[dict]:
    """IoU, DSC, FN and FP of a method for every marked class of every case."""
    records = []
    for case in cases:
        for label, mask in masks(case).items():
            truth = case.mask_of(label)
            if truth.any():
                figures = asdict(overlap(mask, truth))
                records.append(
                    {"method": name, "set": case.set_name, "class": label, "name": case.name, **figures}
                )
    return records


def pipeline_masks(pipeline: Pipeline, method: str, clean_up: bool = True, as_filed: bool = True) -> Masks:
    """What the whole pipeline finds from a file's pixels, all objects of a class together.

    Parameters
    ----------
    as_filed : bool
        Whether it has to see for itself that an image is inverted; False shows it bone-bright ones, like the baselines.
    """

    def masks(case: Case) -> dict[str, np.ndarray]:
        radiograph = Radiograph.from_array(case.pixels) if as_filed else case.radiograph()
        result = pipeline.segment(radiograph, method=method, clean_up=clean_up)
        found = {label: np.zeros(case.label_map.shape, bool) for label in case.labels}
        for item in result.objects:
            if item.label in found:
                found[item.label] |= item.mask
        return found

    return masks


def oracle_bounds(cases: list[Case]) -> list[dict]:
    """Records of the best single interval in the true ROI, and of the best interval for each cell of a grid."""
    records = []
    for case in cases:
        radiograph = case.radiograph()
        gray = radiograph.gray()
        whole = {f"{grid} x {grid} boxes, best": defaultdict(list) for grid in GRIDS}
        whole["one box, best"] = defaultdict(list)
        for label, truth in case.objects():
            roi = boxes.of_mask(truth)
            window = boxes.pixel_slices(roi, truth.shape)
            best = best_interval(gray[window], truth[window])
            one = np.zeros_like(truth)
            one[window] = rule_mask(radiograph, roi, best.low, best.high)
            whole["one box, best"][label].append(one)
            for grid in GRIDS:
                whole[f"{grid} x {grid} boxes, best"][label].append(best_cells(gray, truth, roi, grid))
        for method, masks in whole.items():
            joined = {label: np.any(parts, axis=0) for label, parts in masks.items()}
            records += records_of(method, lambda _, joined=joined: joined, [case])
    return records


def confidences(pipeline: Pipeline, cases: list[Case]) -> list[dict]:
    """For every object that was found: its set, IoU with the truth, confidence and stability."""
    rows = []
    for case in cases:
        result = pipeline.segment(Radiograph.from_array(case.pixels), method="surfaces")
        for label, truth in case.objects():
            found = [item for item in result.objects if item.label == label]
            ious = [overlap(item.mask, truth).iou for item in found]
            if ious and max(ious) > 0.0:
                best = found[int(np.argmax(ious))]
                rows.append(
                    {
                        "set": case.set_name,
                        "class": label,
                        "name": case.name,
                        "iou": max(ious),
                        "confidence": best.thresholds.confidence,
                        "stability": best.thresholds.stability.value,
                    }
                )
    return rows
