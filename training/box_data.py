"""Training samples of the 3D detector: clouds of jittered ROIs with the best interval of what lies inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.labels import mirrored
from GrayscaleDetSegLib.core.point_cloud import normalise, sample_points

from .data import Case
from .intervals import best_interval
from .prepared import Part, Prepared

TIE = 0.003
"""IoU within which the widest interval is the target, see ``best_interval``."""


class BoxSample(NamedTuple):
    """One cloud.

    points : float32 (n, 3), normalised; gray : float32 (n,), 0..255; label : class index;
    interval : float32 (2,), the best interval; ceiling : its IoU.
    """

    points: np.ndarray
    gray: np.ndarray
    label: int
    interval: np.ndarray
    ceiling: float


@dataclass(frozen=True)
class Crop:
    """An object with its surroundings, thinned to some size: gray levels, mask, and its ROI in px of these."""

    gray: np.ndarray
    mask: np.ndarray
    roi: np.ndarray
    label: str


@dataclass(frozen=True)
class BoxAugmentation:
    """How clouds are varied.

    Parameters
    ----------
    jitter : float
        Standard deviation of the ROI's edges, as a share of its size.
    gamma, contrast, noise : float
        Largest log exponent, shift of black and white as a share of the range, noise in gray levels.
    flip, rotate, cover : float
        Probabilities of a left-right flip, of a turn by up to 15 degrees (black or drawn-out corners), and of a black
        band along one side, as collimation leaves it.
    """

    jitter: float = 0.04
    gamma: float = 0.35
    contrast: float = 0.12
    noise: float = 3.0
    flip: float = 0.5
    rotate: float = 0.3
    cover: float = 0.1


class Crops(Sequence):
    """The objects of all cases, one after the other; `labels` has their classes without reading them."""

    def __init__(self, items: Prepared, shown: list[list[str]]) -> None:
        self._items = items
        self._places = [(index, number) for index, labels in enumerate(shown) for number in range(len(labels))]
        self.labels = [label for labels in shown for label in labels]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Crop:
        return Crop(**self._items.part(*self._places[index]), label=self.labels[index])


class BoxDataset(Dataset):
    """Clouds of labelled objects, augmented anew at every draw, or as they are without settings.

    Gray values change by monotone maps only, and the best interval is found again in the jittered ROI, so that the
    target is exact in every sample.

    Parameters
    ----------
    cases : list of Case
    classes : sequence of str
    side : int
        Points per axis of a cloud.
    augmentation : BoxAugmentation or None
    seed : int
    resolution : int
        Objects are kept at about this many px a side.
    folder : Path or None
        For prepared objects, where they are too many for the memory, see ``Prepared``.
    """

    def __init__(
        self,
        cases: list[Case],
        classes: Sequence[str],
        side: int,
        augmentation: BoxAugmentation | None = None,
        seed: int = 0,
        resolution: int = 160,
        folder: Path | None = None,
    ) -> None:
        self.classes, self.side, self.augmentation, self.seed = tuple(classes), side, augmentation, seed
        self.resolution = resolution
        shown = [[label for label in case.object_labels() if label in self.classes] for case in cases]
        cases = [case for case, labels in zip(cases, shown) if labels]
        shown = [labels for labels in shown if labels]
        items = Prepared(cases, self._prepare, ("boxes", self.classes, resolution), folder)
        self.crops = Crops(items, shown)
        self.set_names = [case.set_name for case, labels in zip(cases, shown) for _ in labels]

    def _prepare(self, case: Case) -> list[Part]:
        gray = case.radiograph().gray()
        crops = [
            crop_object(gray, mask, label, self.resolution) for label, mask in case.objects() if label in self.classes
        ]
        return [{"gray": crop.gray, "mask": crop.mask, "roi": crop.roi} for crop in crops]

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> BoxSample:
        crop = self.crops[index % len(self.crops)]
        generator = np.random.default_rng([self.seed, index])
        gray, mask, roi, label = crop.gray, crop.mask, crop.roi, crop.label
        if self.augmentation is not None:
            gray, mask, roi, label = _augment(crop, self.augmentation, generator)
        window = boxes.pixel_slices(roi, gray.shape)
        if not mask[window].any():
            window, roi = boxes.pixel_slices(crop.roi, gray.shape), crop.roi
            gray, mask, label = crop.gray, crop.mask, crop.label
        best = best_interval(gray[window], mask[window], TIE)
        points = sample_points(gray, roi, self.side, generator)
        interval = np.array([best.low, best.high], np.float32)
        return BoxSample(normalise(points, roi), points[:, 2], self.classes.index(label), interval, best.iou)


def crop_object(gray: np.ndarray, mask: np.ndarray, label: str, resolution: int, margin: float = 0.25) -> Crop:
    """An object with a margin (share of its size) around it, thinned to about `resolution` px a side."""
    roi = boxes.of_mask(mask)
    size = roi[2:] - roi[:2]
    around = np.concatenate([roi[:2] - margin * size, roi[2:] + margin * size])
    rows, columns = boxes.pixel_slices(boxes.clip(around, gray.shape), gray.shape)
    step_x, step_y = (max(1, int(np.ceil(length / resolution))) for length in size)
    window = slice(rows.start, rows.stop, step_y), slice(columns.start, columns.stop, step_x)
    shift, step = np.array([columns.start, rows.start] * 2), np.array([step_x, step_y] * 2)
    return Crop(np.ascontiguousarray(gray[window]), np.ascontiguousarray(mask[window]), (roi - shift) / step, label)


def _augment(
    crop: Crop, settings: BoxAugmentation, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    gray, mask, roi, label = crop.gray, crop.mask, crop.roi, crop.label
    if generator.random() < settings.rotate:
        gray, mask = _turn(gray, mask, np.radians(generator.uniform(-15.0, 15.0)), generator.random() < 0.5)
        roi = boxes.of_mask(mask)
    if generator.random() < settings.cover:
        gray, mask = gray.copy(), mask.copy()
        band = round(generator.uniform(0.0, 0.3) * gray.shape[1])
        gray[:, :band], mask[:, :band] = 0.0, False
        if not mask.any():
            return crop.gray, crop.mask, crop.roi, crop.label
        roi = boxes.of_mask(mask)
    size = np.tile(roi[2:] - roi[:2], 2)
    roi = boxes.clip(roi + np.clip(generator.normal(0.0, settings.jitter, 4), -0.12, 0.12) * size, gray.shape)
    if generator.random() < settings.flip:
        gray, mask, label = gray[:, ::-1], mask[:, ::-1], mirrored(label)
        roi = np.array([gray.shape[1] - roi[2], roi[1], gray.shape[1] - roi[0], roi[3]])
    low, high = generator.uniform(-settings.contrast, settings.contrast, 2) + (0.0, 1.0)
    unit = np.clip((gray / 255.0 - low) / (high - low), 0.0, 1.0)
    gray = 255.0 * unit ** np.exp(generator.uniform(-settings.gamma, settings.gamma))
    gray = gray + generator.normal(0.0, settings.noise * generator.random(), gray.shape)
    return np.clip(gray, 0.0, 255.0).astype(np.float32), mask, roi, label


def _turn(gray: np.ndarray, mask: np.ndarray, angle: float, black: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both turned about their middle by an angle (radians), pixels taken whole; outside, black or drawn-out edges."""
    rows, columns = gray.shape
    y, x = np.mgrid[:rows, :columns]
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    cosine, sine = np.cos(angle), np.sin(angle)
    row = np.rint(cosine * y - sine * x + (rows - 1) / 2).astype(np.int64)
    column = np.rint(sine * y + cosine * x + (columns - 1) / 2).astype(np.int64)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    row, column = row.clip(0, rows - 1), column.clip(0, columns - 1)
    turned = mask[row, column] & inside
    if not turned.any():
        return gray, mask
    return (np.where(inside, gray[row, column], np.float32(0.0)) if black else gray[row, column]), turned
