"""A method of somebody else: Otsu's threshold in every region. It learns nothing, and explains itself by thresholds."""

from __future__ import annotations

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.explanations.thresholds import ThresholdRule, Thresholds, explained
from GrayscaleDetSegLib.core.gray import GRAY_MAX
from GrayscaleDetSegLib.core.methods.base import Method


class Otsu(Method):
    """What is brighter than Otsu's threshold; of lungs, what is darker."""

    name = "otsu"
    title = "Otsu's threshold"
    summary = "one threshold by Otsu"
    stages = {"otsu": "Finding Otsu's threshold"}
    explanation = Thresholds

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes

    @property
    def classes(self):
        return self._classes

    @classmethod
    def from_bundle(cls, bundle, device):
        return cls(bundle.classes)

    def segment(self, radiograph, regions, stopwatch):
        gray, found = radiograph.gray_image(), []
        with stopwatch("otsu"):
            for region in regions.found:
                threshold = otsu(gray[boxes.pixel_slices(region.roi, gray.shape)])
                ends = (0.0, threshold) if "lung" in region.label else (threshold, GRAY_MAX)
                found.append((region, ThresholdRule.of_interval(region.roi, *ends)))
        return explained(radiograph, found, stopwatch)


def otsu(gray: np.ndarray) -> float:
    """The gray level that parts the histogram into the two classes with the largest variance between them."""
    counts, edges = np.histogram(gray, 256, (0.0, GRAY_MAX))
    middles = (edges[:-1] + edges[1:]) / 2.0
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.nanargmax(between))]) if np.isfinite(between).any() else 0.0
