"""The article's method: one box of gray levels for each region, found by a PointNet among anchors and refined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ... import boxes
from ...explanations.thresholds import ThresholdRule, Thresholds, explained
from ...gray_image import GrayImage
from ...orientation import Orientation
from ...radiograph import Radiograph
from ...regions import Candidate, RegionMask, Regions
from ...single_box.detected import DetectedBox
from ...stopwatch import Stopwatch
from ...types import Box3D
from ...weights import Bundle
from ..base import Method

if TYPE_CHECKING:
    from ...single_box.detector import BoxDetector


class Box(Method):
    """The single box.

    Parameters
    ----------
    detector : BoxDetector
    """

    name = "box"
    title = "Single box"
    summary = "the article's single box of gray levels"
    stages = {"boxes": "Finding boxes of gray levels"}
    networks = ("box_detector", "refinement")
    explanation = Thresholds

    def __init__(self, detector: BoxDetector) -> None:
        self.detector = detector

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the detector."""
        return tuple(self.detector.classes)

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str) -> Box:
        """PointNet, anchors and refinement of a bundle; methods that share them load them once."""
        from ...loading import load_box_detector

        return cls(bundle.once(("box_detector", device), lambda: load_box_detector(bundle, device)))

    def segment(self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch) -> list[RegionMask]:
        """The box of every region, and the pixels in it."""
        found = self.find(radiograph, regions, stopwatch)
        rules = [
            replace(
                ThresholdRule.of_interval(region.roi, item.box[2], item.box[5]),
                box=Box3D(*item.box), proposal=Box3D(*item.proposal), box_score=item.score,
            )
            for region, item in zip(regions.found, found)
        ]  # fmt: skip
        return explained(radiograph, list(zip(regions.found, rules)), stopwatch)

    def find(self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch) -> list[DetectedBox]:
        """The 3D boxes of all regions."""
        gray = radiograph.gray_image()
        with stopwatch("boxes"):
            return [self._find(gray, region, regions.orientation) for region in regions.found]

    def _find(self, gray: GrayImage, region: Candidate, orientation: Orientation) -> DetectedBox:
        """The 3D box of a region; the network sees the view that the region was found in."""
        if orientation.is_identity:
            return self.detector.detect(gray, region.roi, region.label)
        seen, whole, _ = orientation.seen(gray, region.roi)
        item = self.detector.detect(seen, whole, region.label)
        across = np.asarray(region.roi)
        proposal, box = (boxes.extrude(across, part[2], part[5]) for part in (item.proposal, item.box))
        return replace(item, proposal=tuple(map(float, proposal)), box=tuple(map(float, box)))
