"""Threshold surfaces: many boxes side by side, each with thresholds of its own; the single box is their summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ... import boxes
from ...explanations.threshold_map import ThresholdMap
from ...explanations.thresholds import ThresholdRule, Thresholds, explained
from ...gray_image import GrayImage
from ...radiograph import Radiograph
from ...regions import RegionMask, Regions
from ...stopwatch import Stopwatch
from ...types import Box2D, Box3D
from ...weights import Bundle
from ..base import Method
from ..box import Box

if TYPE_CHECKING:
    from ...surfaces.detector import SurfaceDetector


class Surfaces(Method):
    """The threshold surfaces.

    Parameters
    ----------
    detector : SurfaceDetector
    box : Box
        Its box is reported with every object.
    margin : float
        What is looked at beyond a found region, on every side, as a share of its size.
    """

    name = "surfaces"
    title = "Threshold surfaces"
    summary = "many boxes side by side with thresholds of their own"
    stages = {**Box.stages, "surfaces": "Finding threshold surfaces"}
    networks = ("surfaces", *Box.networks)
    trained_by = (*Box.trained_by, ".fine_tuning.networks:SURFACES")
    explanation = Thresholds

    def __init__(self, detector: SurfaceDetector, box: Box, margin: float = 0.1) -> None:
        self.detector, self.box, self.margin = detector, box, margin

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that both the surfaces and the box know."""
        return tuple(label for label in self.box.classes if self.detector.knows(label))

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str) -> Surfaces:
        """The surfaces of a bundle, and its box."""
        detector = bundle.once(("surfaces", device), lambda: load_surface_detector(bundle, device))
        return cls(detector, Box.from_bundle(bundle, device), bundle.network("surfaces")["margin"])

    def segment(self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch) -> list[RegionMask]:
        """The surfaces of every region, and the pixels between them."""
        found = self.box.find(radiograph, regions, stopwatch)
        with stopwatch("surfaces"):
            fields = self._fields(radiograph.gray_image(), regions)
        rules = [
            ThresholdRule(Box3D(*item.box), field, False, Box3D(*item.proposal), item.score)
            for item, field in zip(found, fields)
        ]
        return explained(radiograph, list(zip(regions.found, rules)), stopwatch)

    def _fields(self, gray: GrayImage, regions: Regions) -> list[ThresholdMap]:
        """The threshold maps; like the boxes, they are looked for in the view that the regions were found in."""
        margins = [0.0 if region.drawn else self.margin for region in regions.found]
        rois = [tuple(boxes.grown(region.roi, margin, gray.shape)) for region, margin in zip(regions.found, margins)]
        labels = [region.label for region in regions.found]
        if regions.orientation.is_identity:
            return self.detector.detect_all(gray, rois, labels)
        view = regions.orientation
        turned = [view.roi_to_view(roi, gray.shape) for roi in rois]
        found = self.detector.detect_all(view.view_of(gray), turned, labels)
        fields = []
        for roi, field in zip(rois, found):
            low, high = (np.ascontiguousarray(view.stored(surface)) for surface in (field.low, field.high))
            fields.append(ThresholdMap(Box2D(*map(float, roi)), low, high))
        return fields


def load_surface_detector(bundle: Bundle, device: str = "cpu") -> SurfaceDetector:
    """The threshold surfaces of a bundle."""
    from ...surfaces.description import SurfaceConfig, SurfaceNetwork
    from ...surfaces.detector import SurfaceDetector

    entry = bundle.network("surfaces")
    network = bundle.ready(SurfaceNetwork(SurfaceConfig.from_dict(entry["config"])), "surfaces", device)
    return SurfaceDetector(network, **entry.get("settings", {}))
