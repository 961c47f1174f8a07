"""The 3D detector: stages two to six on one ROI, from its points to the refined box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import boxes
from ..engines import answer, prepared
from ..gray_image import GrayImage
from ..point_cloud import normalise, sample_points
from ..types import AnyBox2D
from .anchors import AnchorConfig
from .description import PointNet
from .detected import DetectedBox
from .refinement import refine


@dataclass(frozen=True)
class BoxSettings:
    """How a box is looked for.

    Parameters
    ----------
    side : int
        The network sees side x side points of the ROI.
    suppression : float
        3D IoU above which the weaker of two anchors is dropped.
    seed : int
        Of the choice of points: the same image gives the same result.
    separate : bool
        Run the whole network once per anchor, as the article does, instead of once per ROI.
    """

    side: int = 32
    suppression: float = 0.5
    seed: int = 0
    separate: bool = False


class BoxDetector:
    """Finds the box of gray levels that holds an object's points.

    Parameters
    ----------
    network : PointNet
        Of numpy or PyTorch, with trained weights; it is put in evaluation mode.
    anchors : AnchorConfig
    refinement : dict of str to ndarray (features + 1, 2)
        T of each class, see ``refinement``.
    settings : BoxSettings
    """

    def __init__(
        self,
        network: PointNet,
        anchors: AnchorConfig,
        refinement: dict[str, np.ndarray],
        settings: BoxSettings | None = None,
    ) -> None:
        self.network, self.anchors = prepared(network), anchors
        self.refinement, self.settings = refinement, settings or BoxSettings()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes it can find the box of."""
        return tuple(self.network.config.classes)

    def anchor_scores(self, gray: np.ndarray | GrayImage, roi: AnyBox2D) -> tuple[np.ndarray, np.ndarray]:
        """Class probabilities (anchors, 1 + classes) and pooled features (anchors, features) of a ROI's anchors.

        Parameters
        ----------
        gray : ndarray, shape (rows, columns)
            Gray levels 0..255 of the whole image.
        roi : tuple of 4 float
            (x0, y0, x1, y1) in px.
        """
        points = sample_points(gray, roi, self.settings.side, np.random.default_rng(self.settings.seed))
        levels, cloud = np.ascontiguousarray(points[None, :, 2]), normalise(points, roi)[None]
        scores, pooled = answer(self.network, cloud, levels, self.anchors, self.settings.separate)
        return scores[0], pooled[0]

    def proposals(self, gray: np.ndarray | GrayImage, roi: AnyBox2D, label: str) -> list[DetectedBox]:
        """All boxes of a class that survive non-maximum suppression with 3D IoU, refined, best score first.

        Parameters
        ----------
        gray, roi
            As for :meth:`anchor_scores`.
        label : str
            The class of the object.

        Raises
        ------
        KeyError
            If `label` is not a class of the network.
        """
        if label not in self.refinement:
            raise KeyError(f"The 3D detector does not know the class '{label}'.")
        scores, pooled = self.anchor_scores(gray, roi)
        score = scores[:, 1 + self.network.config.classes.index(label)]
        kept = boxes.non_maximum_suppression(self.anchors.boxes(roi), score, self.settings.suppression)
        intervals = self.anchors.intervals()[kept]
        refined = refine(intervals, pooled[kept], self.refinement[label])
        before, after = (boxes.extrude(np.asarray(roi), *pair.T) for pair in (intervals, refined))
        return [
            DetectedBox(tuple(map(float, proposal)), tuple(map(float, box)), float(score[index]))
            for proposal, box, index in zip(before, after, kept)
        ]

    def detect(self, gray: np.ndarray | GrayImage, roi: AnyBox2D, label: str) -> DetectedBox:
        """The best box of a class in a ROI: per class one survives (Ge et al. 2022, "NMS with 3D IoU")."""
        return self.proposals(gray, roi, label)[0]
