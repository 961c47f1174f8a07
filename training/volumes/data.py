"""Slices of volumes as both methods learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core.gray import GRAY_MAX
from GrayscaleDetSegLib.core.volumes.grid import Grid
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings
from GrayscaleDetSegLib.core.volumes.views import VIEWS, along, bounding_box, grown, near, slice_boxes, stack

from .augmentation import Augmentation, augmented
from .cases import VolumeCase, VolumeDataError

LEAST = 100 / 512**2
"""Share of a slice that the target must fill for it to be learnt from: the article's 100 px."""
MARGIN = 60 / 512
"""The largest random margin of a fine box, as a share of the image's side."""


@dataclass(frozen=True)
class Target:
    """What is to be learnt.

    Parameters
    ----------
    label : str
        Its name in the model.
    values : tuple of int
        Of the label map: several are taken together.
    within : str or None
        The name of what it lies in; the image is black beyond `reach` of that.
    within_values : tuple of int
    reach : float
        As a share of the longest side.
    several : tuple of (str, tuple of int)
        Names and values of labels that one network learns together, none of which shares a voxel with another.
    """

    label: str
    values: tuple[int, ...]
    within: str | None = None
    within_values: tuple[int, ...] = ()
    reach: float = 15 / 512
    several: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and values of all labels."""
        return self.several or ((self.label, self.values),)


@dataclass(frozen=True)
class Prepared:
    """A case in the working grid: gray uint8 and the labels, both (superior, posterior, left).

    The labels are bool, or uint8 and count from 1 in the order of :attr:`Target.parts`.
    """

    gray: np.ndarray
    labels: np.ndarray

    @property
    def working(self) -> np.ndarray:
        """float32, 0..1, as the methods see it."""
        return self.gray.astype(np.float32) / np.float32(GRAY_MAX)

    @property
    def mask(self) -> np.ndarray:
        """Where any of the labels is."""
        return self.labels > 0

    def mask_of(self, number: int) -> np.ndarray:
        """Where a label is; the first is 0."""
        return self.labels == number + 1


def prepared(case: VolumeCase, target: Target, settings: VolumeSettings) -> Prepared:
    """A case as the networks see it; of a part, what is around its true organ."""
    volume = case.volume()
    if settings.window is not None:
        volume = volume.windowed(*settings.window)
    grid = Grid.of(volume, settings.spacing, settings.longest)
    working = grid.working(volume)
    labels = np.zeros(working.shape, np.uint8)
    for number, (_, values) in enumerate(target.parts):
        labels[grid.of_mask(case.mask(values))] = number + 1
    if target.within is not None:
        organ = grid.of_mask(case.mask(target.within_values))
        if not organ.any():
            raise VolumeDataError(f"{case.labels} shows no {target.within}.")
        around = near(organ, target.reach * max(working.shape))
        z0, y0, x0, z1, y1, x1 = bounding_box(around)
        window = slice(z0, z1), slice(y0, y1), slice(x0, x1)
        working = np.where(around[window], working[window], np.float32(0.0))
        labels = np.where(around[window], labels[window], np.uint8(0))
    return Prepared(np.rint(working * GRAY_MAX).astype(np.uint8), np.ascontiguousarray(labels))


@dataclass
class Sample:
    """A slice with its neighbours; not frozen, because Lightning moves its tensors to the device.

    Parameters
    ----------
    view : str
    image : Tensor, (slices, rows, columns)
        0..1.
    truth : Tensor, (labels, slices, rows, columns)
        0..1.
    window : tuple of 4 int
        (top, left, bottom, right) of the true box with random margins.
    """

    view: str
    image: torch.Tensor
    truth: torch.Tensor
    window: tuple[int, int, int, int]


class SliceDataset(Dataset):
    """All slices of the views that show enough of the target; with augmentation, some others as well.

    Parameters
    ----------
    cases : sequence of Prepared
    slices : int
        That are seen together.
    seed : int
        With the index, which counts on over the epochs, it decides every random number.
    margin : float
        The largest random margin, as a share of the side.
    least : float
        Share of the slice that the target fills at least.
    contrast : float
        Gray levels are raised to a power from 1 - this to 1 + this, and shifted by up to a fifth of it.
    augmentation : Augmentation, optional
        Then all slices of a view are brought to one size, and may be turned, scaled, bent, blurred.
    views : sequence of str
    labels : int
    boxes : str
        Of each slice, or of the whole volume; see ``IterationSettings``.
    """

    def __init__(
        self,
        cases: Sequence[Prepared],
        slices: int,
        seed: int,
        margin: float = MARGIN,
        least: float = LEAST,
        contrast: float = 0.2,
        augmentation: Augmentation | None = None,
        views: Sequence[str] = tuple(VIEWS),
        labels: int = 1,
        boxes: str = "slice",
    ) -> None:
        self.cases, self.slices, self.seed = list(cases), slices, seed
        self.margin, self.contrast, self.augmentation = margin, contrast, augmentation
        self.labels, self.boxes = labels, boxes
        self.items: list[tuple[int, str, int]] = []
        shows: list[bool] = []
        for number, case in enumerate(self.cases):
            for view in views:
                shown = along(case.mask, view)
                enough = max(1.0, least * shown.shape[1] * shown.shape[2])
                seen = shown.sum((1, 2)) >= enough
                chosen = np.flatnonzero(seen) if augmentation is None or not augmentation.empty else range(len(seen))
                self.items += [(number, view, int(index)) for index in chosen]
                shows += [bool(seen[index]) for index in chosen]
        if not any(shows):
            raise VolumeDataError("No slice shows enough of the target; check the labels in the configuration.")
        if augmentation is not None:
            self.weights = self._weights(np.array(shows), augmentation.empty)
            self.sides = {view: self._side(view) for view in views}

    @property
    def set_names(self) -> list[str]:
        """The view of each: views are drawn alike."""
        return [view for _, view, _ in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        number, view, position = self.items[index % len(self.items)]
        random = np.random.default_rng([self.seed, index])
        case = self.cases[number]
        image = stack(along(case.gray, view), position, self.slices).astype(np.float32) / np.float32(GRAY_MAX)
        seen = along(case.labels, view)
        values = stack(seen, position, self.slices)
        truth = np.stack([values == label + 1 for label in range(self.labels)]).astype(np.float32)
        shown = (values[self.slices // 2] > 0) if self.boxes == "slice" else np.zeros((), bool)
        around = shown if shown.any() else (seen > 0).any(0)
        if self.augmentation is not None:
            image, truth, around = augmented(
                image, truth, around, view, self.sides[view], self.augmentation, random
            )  # fmt: skip
        power, shift = 1.0 + self.contrast * random.uniform(-1, 1), 0.2 * self.contrast * random.uniform(-1, 1)
        black = image == 0.0  # what lies beyond an organ stays black
        image = np.where(black, np.float32(0.0), np.clip(image ** np.float32(power) + np.float32(shift), 0.0, 1.0))
        window = random_window(around, self.margin, random)
        return Sample(view, torch.from_numpy(image.astype(np.float32)), torch.from_numpy(truth), window)

    def _weights(self, shows: np.ndarray, empty: float) -> np.ndarray:
        """How often each slice is drawn: views alike, and slices without the target in a share of `empty`."""
        names = np.array(self.set_names)
        weights = np.zeros(len(names))
        for view in np.unique(names):
            for wanted, share in ((shows, 1.0 - empty), (~shows, empty)):
                chosen = (names == view) & wanted
                if chosen.any():
                    weights[chosen] = share / chosen.sum()
        return weights

    def _side(self, view: str) -> tuple[int, int]:
        """The size that all slices of a view get: the median of what there is, to multiples of 16."""
        sizes = np.median([along(case.gray, view).shape[1:] for case in self.cases], axis=0)
        down, across = (int(-(-size // 16) * 16) for size in sizes)
        return down, across


def random_window(mask: np.ndarray, margin: float, random: np.random.Generator) -> tuple[int, int, int, int]:
    """The box of a mask (rows, columns) with a random margin on each side, up to a share of the image's side."""
    (box,) = slice_boxes(mask[None]).tolist()
    if box[2] <= 0:  # nothing of it is left in the picture
        return 0, 0, mask.shape[0], mask.shape[1]
    ends = []
    for axis in (0, 1):
        side = mask.shape[axis]
        most = max(2, int(round(margin * side)))
        low, high = box[axis] - random.integers(0, most + 1), box[axis + 2] + random.integers(0, most + 1)
        start, stop = grown(np.array(max(low, 0)), np.array(min(high, side)), 0, side)
        ends.append((int(start), int(stop)))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]
