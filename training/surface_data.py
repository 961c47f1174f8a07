"""Training samples of the threshold surfaces: the points of varied ROIs, each with whether it is the object's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.labels import mirrored
from GrayscaleDetSegLib.core.point_cloud import stratified_places
from GrayscaleDetSegLib.core.yolo.detector import RoiDetector

from .data import Case
from .prepared import Part, Prepared
from .sampling import spread

JUDGED = 2000
"""Images on which the 2D detector's errors are found, at most."""


class SurfaceSample(NamedTuple):
    """The points of one ROI: float32 (side * side, 3) in -1..1; inside: (side * side,) 0 or 1; label: class index."""

    points: torch.Tensor
    inside: torch.Tensor
    label: int


@dataclass(frozen=True)
class SurfaceAugmentation:
    """How ROIs and their gray levels are varied.

    Parameters
    ----------
    rotation : float
        Degrees; most turns are small.
    log_scale, log_aspect : float
        Natural log of the largest factor (they change how thick an object's parts are in its ROI only little).
    shear : float
    flip : float
        Probability of a left-right flip.
    margin : float
        The largest margin added on every side of the ROI, as a share of its size.
    jitter : float
        Standard deviation of each edge where no error of the 2D detector is drawn.
    detected : float
        Probability that the errors of the ROI are those that the 2D detector made.
    gamma, contrast, noise : float
        Largest log exponent, shift of black and white as a share of the range, noise in gray levels.
    shade : float
        Largest change of exposure across the ROI, as a share of the range.
    invert, cover : float
        Probabilities of inverted polarity, and of a uniform band along one side.
    """

    rotation: float = 15.0
    log_scale: float = 0.0
    log_aspect: float = 0.15
    shear: float = 0.1
    flip: float = 0.5
    margin: float = 0.2
    jitter: float = 0.03
    detected: float = 0.5
    gamma: float = 0.4
    contrast: float = 0.15
    noise: float = 5.0
    shade: float = 0.15
    invert: float = 0.03
    cover: float = 0.1


@dataclass(frozen=True)
class LabelledObject:
    """An object in its image: gray levels (uint8) and mask with generous surroundings, its ROI, some of its edge."""

    gray: np.ndarray
    mask: np.ndarray
    roi: np.ndarray
    outline: np.ndarray
    label: str


class SurfaceDataset(Dataset):
    """All objects of an image at a time, varied anew at every draw, or as they are without settings.

    Parameters
    ----------
    cases : list of Case
    classes : tuple of str
    side : int
        Points along each axis of a ROI.
    augmentation : SurfaceAugmentation or None
    residuals : mapping of str to ndarray (n, 4), optional
        Errors of the 2D detector per class, see :func:`detector_residuals`.
    seed : int
    resolution : int
        Objects are kept at up to twice this many px a side.
    folder : Path or None
        For prepared objects, where they are too many for the memory, see ``Prepared``.
    """

    def __init__(
        self,
        cases: list[Case],
        classes: tuple[str, ...],
        side: int,
        augmentation: SurfaceAugmentation | None = None,
        residuals: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
        resolution: int = 320,
        folder: Path | None = None,
    ) -> None:
        self.classes, self.side, self.augmentation, self.seed = classes, side, augmentation, seed
        self.residuals = residuals or {}
        self.resolution = resolution
        cases = [case for case in cases if any(label in classes for label in case.object_labels())]
        self.set_names = [case.set_name for case in cases]
        self._items = Prepared(cases, self._prepare, ("surfaces", classes, resolution), folder)

    def _prepare(self, case: Case) -> list[Part]:
        gray = case.radiograph().gray()
        found = [(label, mask) for label, mask in case.objects() if label in self.classes]
        objects = [labelled_object(gray, mask, label, self.resolution) for label, mask in found]
        return [
            {"gray": item.gray, "mask": item.mask, "roi": item.roi, "outline": item.outline,
             "label": np.array([self.classes.index(item.label)])}
            for item in objects
        ]  # fmt: skip

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> list[SurfaceSample]:
        generator = np.random.default_rng([self.seed, index])
        samples = []
        for part in self._items.parts(index % len(self._items)):
            item = LabelledObject(**{**part, "label": self.classes[part["label"][0]]})
            samples.append(self.sample(item, generator))
        return samples

    def sample(self, item: LabelledObject, generator: np.random.Generator) -> SurfaceSample:
        """The points of one object's ROI, augmented where there are settings."""
        settings, label = self.augmentation, item.label
        to_image, roi = np.eye(2), item.roi
        centre = (item.roi[:2] + item.roi[2:]) / 2.0
        if settings is not None:
            to_image, flipped = _random_linear(settings, item.roi, generator)
            turned = (item.outline - centre) @ np.linalg.inv(to_image).T
            roi = np.concatenate([turned.min(0), turned.max(0)]) + np.tile(centre, 2)
            label = mirrored(label) if flipped and mirrored(label) in self.classes else label
            roi = self._vary(roi, label, generator)
            if generator.random() < 0.7:  # as the pipeline does with ROIs that reach beyond the image
                corners = (_corners(item.gray.shape) - centre) @ np.linalg.inv(to_image).T + centre
                corners = np.sort(corners, axis=0)
                limits = corners[:2].mean(0), corners[2:].mean(0)
                roi = np.concatenate([np.maximum(roi[:2], limits[0]), np.minimum(roi[2:], limits[1])])
        place = stratified_places(self.side, generator)
        where = roi[:2] + place * (roi[2:] - roi[:2])
        where = (where - centre) @ to_image.T + centre
        column, row = np.floor(where).astype(np.int64).T
        rows, columns = item.gray.shape
        seen = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        row, column = row.clip(0, rows - 1), column.clip(0, columns - 1)
        gray, inside = item.gray[row, column].astype(np.float32), item.mask[row, column]
        # beyond the image it is black, or the image's edge goes on: then so does an object that touches it
        if settings is None or generator.random() < 0.7:
            gray, inside = np.where(seen, gray, np.float32(0.0)), inside & seen
        if settings is not None:
            gray = _vary_gray(gray, place, settings, generator)
            if generator.random() < settings.cover:
                hidden = _band(place, generator)
                gray, inside = np.where(hidden, np.float32(0.0), gray), inside & ~hidden
        points = np.concatenate([2.0 * place - 1.0, (gray / 127.5 - 1.0)[:, None]], 1)
        return SurfaceSample(
            torch.from_numpy(points.astype(np.float32)),
            torch.from_numpy(inside.astype(np.float32)),
            self.classes.index(label),
        )

    def _vary(self, roi: np.ndarray, label: str, generator: np.random.Generator) -> np.ndarray:
        settings, size = self.augmentation, np.tile(roi[2:] - roi[:2], 2)
        errors = self.residuals.get(label)
        if errors is not None and len(errors) and generator.random() < settings.detected:
            moved = errors[generator.integers(len(errors))] * generator.uniform(0.7, 1.5)
        else:
            moved = np.clip(generator.normal(0.0, settings.jitter, 4), -0.12, 0.12)
        margin = generator.uniform(0.0, settings.margin) * np.array([-1.0, -1.0, 1.0, 1.0])
        return roi + (moved + margin) * size


def collate(images: list[list[SurfaceSample]]) -> list[torch.Tensor]:
    """All objects of all images as one batch: points, inside, labels."""
    points, inside, labels = zip(*(sample for samples in images for sample in samples))
    return [torch.stack(points), torch.stack(inside), torch.tensor(labels)]


def labelled_object(
    gray: np.ndarray, mask: np.ndarray, label: str, resolution: int, margin: float = 0.6
) -> LabelledObject:
    """An object with a margin (share of its size) around it, thinned where it has more than 2 * `resolution` px."""
    roi = boxes.of_mask(mask)
    size = roi[2:] - roi[:2]
    around = np.concatenate([roi[:2] - margin * size, roi[2:] + margin * size])
    rows, columns = boxes.pixel_slices(boxes.clip(around, gray.shape), gray.shape)
    step_x, step_y = (max(1, int(length // resolution)) for length in size)
    window = slice(rows.start, rows.stop, step_y), slice(columns.start, columns.stop, step_x)
    shift, step = np.array([columns.start, rows.start] * 2), np.array([step_x, step_y] * 2)
    kept, part = np.round(gray[window]).astype(np.uint8), np.ascontiguousarray(mask[window])
    edge = part.copy()
    edge[1:-1, 1:-1] &= ~(part[:-2, 1:-1] & part[2:, 1:-1] & part[1:-1, :-2] & part[1:-1, 2:])
    row, column = np.nonzero(edge)
    outline = np.stack([column, row], 1)[:, None] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    outline = outline.reshape(-1, 2).astype(np.float64)
    return LabelledObject(kept, part, (roi - shift) / step, outline[:: max(1, len(outline) // 2000)], label)


def detector_residuals(detector: RoiDetector, cases: list[Case]) -> dict[str, np.ndarray]:
    """The errors of the 2D detector on its own training images: per class (n, 4), edges, as shares of the true size.

    Of very many images, `JUDGED` that are evenly spread over them are looked at.
    """
    residuals = defaultdict(list)
    for case in (cases[index] for index in spread(len(cases), JUDGED)):
        candidates = detector.candidates(case.radiograph().gray())
        for label, mask in case.objects():
            true = boxes.of_mask(mask)
            found = [np.asarray(item.roi) for item in candidates if item.label == label]
            overlaps = [float(boxes.iou(roi, true)) for roi in found]
            if found and max(overlaps) >= 0.5:
                roi = found[int(np.argmax(overlaps))]
                residuals[label].append((roi - true) / np.tile(true[2:] - true[:2], 2))
    return {label: np.array(rows) for label, rows in residuals.items()}


def _corners(shape: tuple[int, int]) -> np.ndarray:
    rows, columns = shape
    return np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], np.float64)


def _random_linear(settings: SurfaceAugmentation, roi: np.ndarray, generator) -> tuple[np.ndarray, bool]:
    """A random 2 x 2 map from the varied image to the stored one, and whether it flips."""
    angle = np.radians(settings.rotation) * generator.uniform(-1, 1) * generator.random()
    aspect = np.exp(settings.log_aspect * generator.uniform(-1, 1))
    # turned as if the ROI were square: a long leg, stored squeezed, would be torn apart otherwise
    size = roi[2:] - roi[:2]
    ratio = float(np.clip(size[1] / size[0], 0.5, 2.0) * size[0] / size[1])
    squeeze = np.diag([1.0, 1.0 / ratio])
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shear = np.array([[1.0, settings.shear * generator.uniform(-1, 1)], [0.0, 1.0]])
    flipped = bool(generator.random() < settings.flip)
    mirror = np.diag([-1.0 if flipped else 1.0, 1.0])
    return squeeze @ turn @ shear @ np.diag([aspect, 1.0 / aspect]) @ np.linalg.inv(squeeze) @ mirror, flipped


def _vary_gray(gray: np.ndarray, place: np.ndarray, settings: SurfaceAugmentation, generator) -> np.ndarray:
    """Other exposure, contrast and noise, for gray levels 0..255 at places (x, y) in 0..1."""
    low, high = generator.uniform(-settings.contrast, settings.contrast, 2) + (0.0, 1.0)
    unit = np.clip((gray / 255.0 - low) / (high - low), 0.0, 1.0)
    unit = unit ** np.exp(generator.uniform(-settings.gamma, settings.gamma))
    slope = settings.shade * generator.uniform(-1, 1, 2) * generator.random()
    unit = unit + (place - 0.5) @ slope
    unit = unit + generator.normal(0.0, settings.noise / 255.0 * generator.random(), unit.shape)
    if generator.random() < settings.invert:
        unit = 1.0 - unit
    return (255.0 * np.clip(unit, 0.0, 1.0)).astype(np.float32)


def _band(place: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The places within a band along one side, up to a quarter wide."""
    along = place[:, int(generator.integers(2))]
    along = along if generator.random() < 0.5 else 1.0 - along
    return along < generator.uniform(0.0, 0.25)
