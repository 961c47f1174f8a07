"""The first stage: a gray image in, scored regions of interest out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .. import boxes
from ..content_crop import content_window
from ..engines import answer, prepared
from ..labels import lie_alongside
from ..regions import RegionProposal
from ..types import Box2D
from .decode import decode
from .description import Yolo
from .letterbox import Letterbox
from .looks import LEAST, Look, agreed

SAME = 0.5
"""IoU from which a small bone's region is that of the large bone below it."""
SMALLEST = 4.0
"""px of the picture: smaller regions are none."""
SILENT = 0.003
"""Boxes with a lower score have no say in where a region ends: they are nearly all, and weigh nothing."""


@dataclass(frozen=True)
class DetectionSettings:
    """Thresholds of the detector.

    Parameters
    ----------
    score : float
        Regions below it are not reported.
    suppression : float
        IoU above which the weaker of two regions of a class is dropped.
    voting : float
        IoU from which a region's edges are averaged with those of the regions it suppresses, see ``boxes.vote``.
    across : float
        The same for regions of different classes: almost the same place cannot be two things.
    alongside : tuple of tuple of str
        Groups of classes that do lie at almost the same place: the two bones of a shank, of a forearm. Among them
        `together` counts in place of `across`.
    together : float
        IoU above which also of these the weaker one is dropped.
    per_class : int
        At most so many regions of a class.
    many : int
        At most so many of a class in `numerous`.
    numerous : tuple of str
        Classes of which a picture shows many: vertebrae, single teeth.
    shared : mapping of str to float
        IoU of two masks of a class that stands in rows (vertebrae) from which they are one object, see ``crowds``.
    loose : mapping of str to float
        IoU of a mask's box and its region below which an object of the class is looked at again in that box.
    context : float
        How far the best score of a class in `numerous` lifts those of its neighbours, because where one vertebra surely
        is, there are more: s becomes s^(1 - context) best^context. 0 leaves them as they are.
    exponents : mapping of str to float
        Powers to which the scores of classes are raised, so that one threshold fits all: a class that is found rarely
        in training has low scores where it is right, too. 1 where it is not named.
    over : tuple of (str, str)
        A small bone and the large one that it lies over: kneecap and femur. Where both are found in one place (an IoU
        of `SAME`) it is the large one, whichever score is better: a kneecap as large as a femur's end is that end.
    looks : tuple of Look, or of mappings with the same names
        How often a picture is looked at, and how, see ``looks``.
    """

    score: float = 0.3
    suppression: float = 0.4
    voting: float = 0.6
    across: float = 0.75
    alongside: tuple[tuple[str, ...], ...] = ()
    together: float = 0.9
    per_class: int = 2
    many: int = 24
    numerous: tuple[str, ...] = ()
    shared: Mapping[str, float] = field(default_factory=dict)
    loose: Mapping[str, float] = field(default_factory=dict)
    context: float = 0.0
    exponents: Mapping[str, float] = field(default_factory=dict)
    over: tuple[tuple[str, str], ...] = ()
    looks: tuple[Look, ...] = (Look(),)

    def __post_init__(self) -> None:
        looks = tuple(look if isinstance(look, Look) else Look(**look) for look in self.looks)
        object.__setattr__(self, "looks", looks)


class RoiDetector:
    """Finds the regions of interest of all classes in a gray image.

    Parameters
    ----------
    network : Yolo
        Of numpy or PyTorch, with trained weights; it is put in evaluation mode.
    settings : DetectionSettings
    """

    def __init__(self, network: Yolo, settings: DetectionSettings | None = None) -> None:
        self.network = prepared(network)
        self.settings = settings or DetectionSettings()

    def candidates(
        self, gray: np.ndarray, pixel_aspect: float = 1.0, score_threshold: float | None = None
    ) -> list[RegionProposal]:
        """The best region of every class whatever its score, and all that pass, best score first.

        Parameters
        ----------
        gray : ndarray, shape (rows, columns)
            Gray levels 0..255, bone bright.
        pixel_aspect : float
            Row spacing over column spacing.
        score_threshold : float or None
            Instead of the one in the settings.
        """
        window, settings = content_window(gray), self.settings
        picture, threshold = gray[window], settings.score if score_threshold is None else score_threshold
        least = threshold if len(settings.looks) == 1 else min(LEAST, threshold)
        looks = [self._seen(picture, look, pixel_aspect, least) for look in settings.looks]
        kept: dict[str, list[RegionProposal]] = {}
        for item in agreed(looks, settings.suppression, threshold):
            same = kept.setdefault(item.label, [])
            # always the best one of a class, so that "nothing found" can name it
            if not same or (item.score >= threshold and len(same) < self._most(item.label)):
                same.append(item)
        shift = np.array([window[1].start, window[0].start] * 2)
        found = [replace(item, roi=Box2D(*map(float, item.roi + shift))) for same in kept.values() for item in same]
        found = self._without_overgrown(sorted(found, key=lambda item: -item.score), threshold)
        return self._one_per_place(found)

    def _seen(self, picture: np.ndarray, look: Look, pixel_aspect: float, least: float) -> list[RegionProposal]:
        """What one look finds, in px of the picture: the best region of every class, and all of a score of `least`."""
        settings, config = self.settings, self.network.config
        letterbox = Letterbox.fit(picture.shape, look.size or config.input_size, pixel_aspect)
        image = letterbox.image_to_input(look.picture(picture)).repeat(config.channels, axis=1)
        found, scores = decode(self.network, answer(self.network, image))
        found, scores = found[0], scores[0]
        if settings.exponents:
            scores **= [settings.exponents.get(label, 1.0) for label in config.classes]
        found = boxes.clip(letterbox.boxes_to_image(found), picture.shape)
        if settings.context and len(scores):
            scores = _in_context(scores, config.classes, settings)
        passing = scores >= least
        passing[scores.argmax(axis=0), np.arange(scores.shape[1])] = True
        items, classes = np.nonzero(passing)
        survivors = boxes.class_aware_suppression(found[items], scores[passing], classes, settings.suppression)
        kept = [items[survivors[classes[survivors] == index]][: self._most(label)]
                for index, label in enumerate(config.classes)]  # fmt: skip
        places, kinds = np.concatenate(kept), np.repeat(np.arange(len(kept)), [len(each) for each in kept])
        speaking = np.union1d(np.flatnonzero(scores.max(axis=1) >= SILENT), places)
        says = scores[speaking].T[kinds]
        voted = boxes.vote(found[speaking], says, np.searchsorted(speaking, places), settings.voting)
        seen = [RegionProposal(config.classes[index], float(scores[item, index]), Box2D(*map(float, roi)))
                for item, index, roi in zip(places, kinds, voted) if boxes.volume(roi) >= SMALLEST]  # fmt: skip
        return look.back(sorted(seen, key=lambda item: -item.score), picture.shape[1], config.classes)

    def _most(self, label: str) -> int:
        """How many objects of a class a picture has at most."""
        return self.settings.many if label in self.settings.numerous else self.settings.per_class

    def _without_overgrown(self, candidates: list[RegionProposal], threshold: float) -> list[RegionProposal]:
        """The candidates without small bones in the place of the large ones that they lie over, see `over`."""
        for small, large in self.settings.over:
            ends = [item.roi for item in candidates if item.label == large and item.score >= threshold]
            rois = np.array(ends, float).reshape(-1, 4)
            overgrown = [item for item in candidates
                         if item.label == small and (boxes.iou(np.asarray(item.roi), rois) >= SAME).any()]  # fmt: skip
            candidates = [item for item in candidates if item not in overgrown]
        return candidates

    def _one_per_place(self, candidates: list[RegionProposal]) -> list[RegionProposal]:
        """The candidates, best first, without those that lie where a better one of another class does."""
        kept: list[RegionProposal] = []
        for candidate in candidates:
            ious = boxes.iou(np.asarray(candidate.roi), np.array([item.roi for item in kept]).reshape(-1, 4))
            if all(iou <= self._bound(candidate.label, item.label) for iou, item in zip(ious, kept)):
                kept.append(candidate)
        return kept

    def _bound(self, first: str, second: str) -> float:
        """The IoU up to which regions of two classes stay beside each other."""
        beside = first != second and lie_alongside(first, second, self.settings.alongside)
        return self.settings.together if beside else self.settings.across


def _in_context(scores: np.ndarray, classes: Sequence[str], settings: DetectionSettings) -> np.ndarray:
    """The scores (n, classes), those of numerous classes lifted towards the best of their class in the picture."""
    lifted = scores.copy()
    for index, label in enumerate(classes):
        if label in settings.numerous:
            best = scores[:, index].max()
            lifted[:, index] = scores[:, index] ** (1.0 - settings.context) * best**settings.context
    return lifted
