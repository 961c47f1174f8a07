"""How well regions of interest are found: recall at IoU 0.5 and mean IoU per set and class."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.yolo.detector import RoiDetector

from .data import Case


def roi_overlaps(detector: RoiDetector, cases: list[Case]) -> dict[tuple[str, str], list[float]]:
    """The IoU of every marked object with the best region found of its class (0 where none), per (set, class)."""
    overlaps = defaultdict(list)
    for case in cases:
        found = detector.candidates(case.radiograph().gray())
        found = [candidate for candidate in found if candidate.score >= detector.settings.score]
        for label, mask in case.objects():
            regions = np.array([candidate.roi for candidate in found if candidate.label == label]).reshape(-1, 4)
            iou = boxes.iou(boxes.of_mask(mask), regions)
            overlaps[case.set_name, label].append(float(iou.max(initial=0.0)))
    return dict(overlaps)


def summarise(overlaps: dict[tuple[str, str], list[float]]) -> list[dict]:
    """A row per set and class: objects, recall at IoU 0.5, mean IoU, worst IoU."""
    return [
        {
            "set": set_name,
            "class": label,
            "objects": len(values),
            "recall": float(np.mean(np.array(values) >= 0.5)),
            "iou": float(np.mean(values)),
            "worst": float(np.min(values)),
        }
        for (set_name, label), values in sorted(overlaps.items())
    ]
