"""L-Net in the place of a 2D detector: where a model has no other, the pipeline works with its regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..boxes import clip, volume
from ..gray import GRAY_MAX
from ..regions import RegionProposal
from ..types import Box2D
from .looking import best_region, heat_and_distances, regions_of, squared
from .networks import Networks
from .settings import LSNetSettings


@dataclass(frozen=True)
class LocaliserSettings:
    """What a pipeline asks of its detector's settings.

    Parameters
    ----------
    score : float
        From which a region is reported.
    shared : mapping of str to float
        Classes that stand in rows, see ``crowds``: none.
    loose : mapping of str to float
        Classes that are looked at again where their regions are loose: none.
    alongside : tuple of tuple of str
        Groups of classes that may have nearly one mask: none are named.
    """

    score: float = 0.5
    shared: Mapping[str, float] = field(default_factory=dict)
    loose: Mapping[str, float] = field(default_factory=dict)
    alongside: tuple[tuple[str, ...], ...] = ()


def source_of(gray: np.ndarray, networks: Networks, device: str) -> torch.Tensor:
    """The square (1, 1, source, source), 0..1, of gray levels 0..255 (rows, columns)."""
    square = squared(gray, networks.config.source) / np.float32(GRAY_MAX)
    return torch.from_numpy(square)[None, None].to(device)


class Localiser:
    """Finds the regions of all classes of one or more L-SNets, as ``yolo.detector.RoiDetector`` does.

    Parameters
    ----------
    groups : sequence of (Networks, LSNetSettings)
    device : str
    """

    def __init__(self, groups: Sequence[tuple[Networks, LSNetSettings]], device: str) -> None:
        self.groups, self.device = list(groups), device
        self.settings = LocaliserSettings(min(settings.score for _, settings in self.groups))

    def candidates(
        self, gray: np.ndarray, pixel_aspect: float = 1.0, score_threshold: float | None = None
    ) -> list[RegionProposal]:
        """The regions of all components that are activated, and the best of every other class; best score first.

        Parameters
        ----------
        gray : ndarray, shape (rows, columns)
            Gray levels 0..255, bone bright.
        pixel_aspect : float
            Of no effect: the image is stretched to a square.
        score_threshold : float or None
            Where the heat map is cut off, instead of what the model says.
        """
        rows, columns = gray.shape
        found = []
        for networks, settings in self.groups:
            heat, distances = heat_and_distances(networks, source_of(gray, networks, self.device))
            threshold = settings.score if score_threshold is None else score_threshold
            for index, label in enumerate(networks.config.classes):
                regions = regions_of(heat[0, index], distances[0, index], threshold)
                for region in regions or [best_region(heat[0, index], distances[0, index])]:
                    roi = clip(np.asarray(region.box) * [columns, rows, columns, rows], (rows, columns))
                    if volume(roi) >= 4.0:
                        found.append(RegionProposal(label, min(region.score, 1.0), Box2D(*map(float, roi))))
        return sorted(found, key=lambda item: -item.score)
