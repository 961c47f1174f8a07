"""The threshold surfaces of one ROI: its points in, a field of bottoms and tops out."""

from __future__ import annotations

import functools

import numpy as np

from ..engines import answer, prepared
from ..explanations.threshold_map import ThresholdMap
from ..gray import GRAY_MAX
from ..gray_image import GrayImage
from ..point_cloud import stratified_places
from ..types import Box2D
from .description import SurfaceNetwork

REACH = 2.0
"""Thresholds are kept within this many gray ranges of the range itself: far beyond it they say nothing more."""

BLOCK = 3
"""A point of a high-resolution image is the mean of up to so many px squared around its place. The network has learnt
from images that were made smaller by averaging: single pixels of large ones are noisier than anything it has seen."""


class SurfaceDetector:
    """Finds the field of thresholds between which an object's points lie.

    Parameters
    ----------
    network : SurfaceNetwork
        Of numpy or PyTorch, with trained weights; it is put in evaluation mode.
    seed : int
        Of the choice of points: the same image gives the same result.
    """

    def __init__(self, network: SurfaceNetwork, seed: int = 0) -> None:
        self.network, self.seed = prepared(network), seed

    def knows(self, label: str) -> bool:
        """Whether the network was trained for a class."""
        return label in self.network.config.classes

    def detect(self, gray: np.ndarray | GrayImage, roi: tuple[float, ...], label: str) -> ThresholdMap:
        """The threshold map of one ROI (x0, y0, x1, y1) in px, as :meth:`detect_all`."""
        return self.detect_all(gray, [roi], [label])[0]

    def detect_all(self, gray: np.ndarray | GrayImage, rois: list, labels: list[str]) -> list[ThresholdMap]:
        """The threshold maps of several ROIs of one image.

        Parameters
        ----------
        gray : ndarray or GrayImage, shape (rows, columns)
            Gray levels 0..255 of the whole image; only the chosen points are looked at.
        rois : list of tuple of 4 float
            (x0, y0, x1, y1) in px, inside of the image.
        labels : list of str
            The class of the object in each.

        Raises
        ------
        KeyError
            If a label is not a class of the network.
        """
        config = self.network.config
        for label in labels:
            if not self.knows(label):
                raise KeyError(f"The threshold surfaces do not know the class '{label}'.")
        if not rois:
            return []
        points = np.stack([self.points(gray, roi) for roi in rois])
        numbers = [config.classes.index(label) for label in labels]
        fields = answer(self.network, points)[np.arange(len(rois)), numbers]
        fields = fields.clip(-REACH, 1.0 + REACH) * np.float32(GRAY_MAX)
        return [ThresholdMap(Box2D(*map(float, roi)), *field) for roi, field in zip(rois, fields)]

    def points(self, gray: np.ndarray | GrayImage, roi: tuple[float, ...]) -> np.ndarray:
        """The network's input for a ROI: float32 (side * side, 3), x, y and g each -1..1, row by row."""
        side = self.network.config.side
        places = _places(side, self.seed)
        x0, y0, x1, y1 = roi
        block = int(np.clip(np.sqrt((x1 - x0) * (y1 - y0) / 3.0) / side, 1, BLOCK))
        around = np.arange(block) - block // 2
        columns = (x0 + places[:, :1] * (x1 - x0)).astype(np.int64) + around
        rows = (y0 + places[:, 1:] * (y1 - y0)).astype(np.int64) + around
        columns, rows = columns.clip(0, gray.shape[1] - 1), rows.clip(0, gray.shape[0] - 1)
        levels = np.asarray(gray[rows[:, :, None], columns[:, None, :]], np.float32).mean(axis=(1, 2))
        return np.concatenate([2.0 * places - 1.0, (2.0 / GRAY_MAX * levels - 1.0)[:, None]], 1).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _places(side: int, seed: int) -> np.ndarray:
    """The places of the points over every ROI, see ``point_cloud.stratified_places``; read-only."""
    places = stratified_places(side, np.random.default_rng(seed))
    places.flags.writeable = False
    return places
