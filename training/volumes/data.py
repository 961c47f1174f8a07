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
    """

    label: str
    values: tuple[int, ...]
    within: str | None = None
    within_values: tuple[int, ...] = ()
    reach: float = 15 / 512


@dataclass(frozen=True)
class Prepared:
    """A case in the working grid: gray uint8 and the target's mask, both (superior, posterior, left)."""

    gray: np.ndarray
    mask: np.ndarray

    @property
    def working(self) -> np.ndarray:
        """float32, 0..1, as the methods see it."""
        return self.gray.astype(np.float32) / np.float32(GRAY_MAX)


def prepared(case: VolumeCase, target: Target, settings: VolumeSettings) -> Prepared:
    """A case as the networks see it; of a part, what is around its true organ."""
    volume = case.volume()
    if settings.window is not None:
        volume = volume.windowed(*settings.window)
    grid = Grid.of(volume, settings.spacing, settings.longest)
    working = grid.working(volume)
    mask = grid.of_mask(case.mask(target.values))
    if target.within is not None:
        organ = grid.of_mask(case.mask(target.within_values))
        if not organ.any():
            raise VolumeDataError(f"{case.labels} shows no {target.within}.")
        around = near(organ, target.reach * max(working.shape))
        z0, y0, x0, z1, y1, x1 = bounding_box(around)
        window = slice(z0, z1), slice(y0, y1), slice(x0, x1)
        working, mask = np.where(around[window], working[window], np.float32(0.0)), mask[window] & around[window]
    return Prepared(np.rint(working * GRAY_MAX).astype(np.uint8), np.ascontiguousarray(mask))


@dataclass
class Sample:
    """A slice with its neighbours; not frozen, because Lightning moves its tensors to the device.

    Parameters
    ----------
    view : str
    image, truth : Tensor, (slices, rows, columns)
        0..1, and 0 or 1.
    window : tuple of 4 int
        (top, left, bottom, right) of the true box with random margins.
    """

    view: str
    image: torch.Tensor
    truth: torch.Tensor
    window: tuple[int, int, int, int]


class SliceDataset(Dataset):
    """All slices of all views that show enough of the target.

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
    """

    def __init__(
        self,
        cases: Sequence[Prepared],
        slices: int,
        seed: int,
        margin: float = MARGIN,
        least: float = LEAST,
        contrast: float = 0.2,
    ) -> None:
        self.cases, self.slices, self.seed = list(cases), slices, seed
        self.margin, self.contrast = margin, contrast
        self.items: list[tuple[int, str, int]] = []
        for number, case in enumerate(self.cases):
            for view in VIEWS:
                shown = along(case.mask, view)
                enough = max(1.0, least * shown.shape[1] * shown.shape[2])
                chosen = np.flatnonzero(shown.sum((1, 2)) >= enough)
                self.items += [(number, view, int(index)) for index in chosen]
        if not self.items:
            raise VolumeDataError("No slice shows enough of the target; check the labels in the configuration.")

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
        truth = stack(along(case.mask, view), position, self.slices)
        power, shift = 1.0 + self.contrast * random.uniform(-1, 1), 0.2 * self.contrast * random.uniform(-1, 1)
        black = image == 0.0  # what lies beyond an organ stays black
        image = np.where(black, np.float32(0.0), np.clip(image ** np.float32(power) + np.float32(shift), 0.0, 1.0))
        window = random_window(truth[self.slices // 2], self.margin, random)
        return Sample(
            view, torch.from_numpy(image.astype(np.float32)), torch.from_numpy(truth.astype(np.float32)), window
        )


def random_window(mask: np.ndarray, margin: float, random: np.random.Generator) -> tuple[int, int, int, int]:
    """The box of a mask (rows, columns) with a random margin on each side, up to a share of the image's side."""
    (box,) = slice_boxes(mask[None]).tolist()
    ends = []
    for axis in (0, 1):
        side = mask.shape[axis]
        most = max(2, int(round(margin * side)))
        low, high = box[axis] - random.integers(0, most + 1), box[axis + 2] + random.integers(0, most + 1)
        start, stop = grown(np.array(max(low, 0)), np.array(min(high, side)), 0, side)
        ends.append((int(start), int(stop)))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]
