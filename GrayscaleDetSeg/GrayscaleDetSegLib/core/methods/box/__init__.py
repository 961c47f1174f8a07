"""The article's method: one box of gray levels for each region, found by a PointNet among anchors and refined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ... import boxes
from ...errors import WeightsError
from ...explanations.thresholds import ThresholdRule, Thresholds, explained
from ...gray_image import GrayImage
from ...orientation import Orientation
from ...radiograph import Radiograph
from ...regions import RegionMask, RegionProposal, Regions
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
    trained_by = (".fine_tuning.networks:BOX",)
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

    def _find(self, gray: GrayImage, region: RegionProposal, orientation: Orientation) -> DetectedBox:
        """The 3D box of a region; the network sees the view that the region was found in."""
        if orientation.is_identity:
            return self.detector.detect(gray, region.roi, region.label)
        turned = orientation.roi_to_view(region.roi, gray.shape)
        item = self.detector.detect(orientation.view_of(gray), turned, region.label)
        across = np.asarray(region.roi)
        proposal, box = (boxes.extrude(across, part[2], part[5]) for part in (item.proposal, item.box))
        return replace(item, proposal=tuple(map(float, proposal)), box=tuple(map(float, box)))


def load_box_detector(bundle: Bundle, device: str = "cpu") -> BoxDetector:
    """The 3D detector of a bundle: PointNet, anchors and the refinement's T of every class.

    Raises
    ------
    WeightsError
        If weights are missing or damaged, or the refinement lacks a class.
    """
    from ...single_box.anchors import AnchorConfig
    from ...single_box.description import PointNet, PointNetConfig
    from ...single_box.detector import BoxDetector, BoxSettings

    entry = bundle.network("box_detector")
    config = PointNetConfig.from_dict(entry["config"])
    network = bundle.ready(PointNet(config), "box_detector", device)
    tensors = bundle.arrays("refinement")
    missing = [label for label in config.classes if label not in tensors]
    if missing:
        raise WeightsError(f"The refinement weights in {bundle.folder} lack the classes {', '.join(missing)}.")
    refinement = {label: tensors[label].astype(np.float64) for label in config.classes}
    anchors, settings = AnchorConfig.from_dict(entry["anchors"]), BoxSettings(**entry.get("settings", {}))
    return BoxDetector(network, anchors, refinement, settings)
