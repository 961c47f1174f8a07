"""Images with their masks and boxes, as L-SNet learns from them: radiographs, and slices of volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core import boxes as geometry
from GrayscaleDetSegLib.core.gray import GRAY_MAX
from GrayscaleDetSegLib.core.lsnet.looking import squared
from GrayscaleDetSegLib.core.volumes.views import along

from ..augmentation import AugmentationSettings, random_gray, random_warp
from ..baselines.training import WholeImageSample
from ..sampling import seeded_generator
from ..volumes.cases import VolumeDataError
from ..volumes.data import Prepared

SLICES = AugmentationSettings(
    rotation=10.0, log_scale=(-0.15, 0.15), log_aspect=0.1, shift=0.05, flip=0.0, gamma=0.3, invert=0.0, noise=0.02,
    blur=0.1, collimate=0.0, markers=0.0, contrast=0.3,
)  # fmt: skip
"""For slices of volumes: left and right stay where they are."""
EMPTY = 0.25
"""Share of the slices drawn that show nothing of the target, where there are any."""
SMALL = 0.1
"""Connected parts smaller than this share of the largest one are no objects of their own."""


class LocatedSample(NamedTuple):
    """image (1, s, s), 0..1; masks (classes, s, s), 0 or 1; settled (classes,); boxes (k, 5): class, x0, y0, x1, y1."""

    image: torch.Tensor
    masks: torch.Tensor
    settled: torch.Tensor
    boxes: torch.Tensor


class Batch(NamedTuple):
    """As `LocatedSample`, with a dimension for the images; `boxes` is a list."""

    images: torch.Tensor
    masks: torch.Tensor
    settled: torch.Tensor
    boxes: list[torch.Tensor]


def collate(samples: Sequence[LocatedSample]) -> Batch:
    """A batch of samples."""
    images, masks, settled, boxes = zip(*samples)
    return Batch(torch.stack(images), torch.stack(masks), torch.stack(settled), list(boxes))


def boxes_of(masks: np.ndarray) -> torch.Tensor:
    """The objects in masks (classes, s, s): (k, 5) of class and x0, y0, x1, y1, as shares.

    Each connected part is one, unless it is far smaller than the largest.
    """
    found = []
    for index, mask in enumerate(masks):
        parts, count = ndimage.label(mask, np.ones((3, 3)))
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        for part in np.flatnonzero(sizes >= SMALL * sizes.max(initial=1)) + 1:
            rows, columns = mask.shape
            box = geometry.of_mask(parts == part) / [columns, rows, columns, rows]
            found.append([float(index), *box.tolist()])
    return torch.tensor(found, dtype=torch.float32).reshape(-1, 5)


class LocatedDataset(Dataset):
    """A data set of `WholeImageSample` with the boxes of each image.

    Parameters
    ----------
    images : Dataset
        With `set_names`, and `weights` where it has any.
    """

    def __init__(self, images: Dataset) -> None:
        self.images, self.set_names = images, images.set_names
        if hasattr(images, "weights"):
            self.weights = images.weights

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LocatedSample:
        image, masks, settled = self.images[index]
        return LocatedSample(image, masks, settled, boxes_of(masks.numpy() > 0.5))


class SlicesDataset(Dataset):
    """The slices of prepared volumes, stretched to squares.

    Parameters
    ----------
    cases : sequence of Prepared
    views : sequence of str
    side : int
        Px of the squares.
    augmentation : AugmentationSettings or None
    seed : int
        With the index it decides every random number.
    least : float
        Share of a slice that the target fills where it shows; slices with less of it, but some, are not learnt from.
    empty : float
        Share of the slices drawn that show nothing of it.
    """

    def __init__(
        self,
        cases: Sequence[Prepared],
        views: Sequence[str],
        side: int,
        augmentation: AugmentationSettings | None,
        seed: int,
        least: float,
        empty: float = EMPTY,
    ) -> None:
        self.cases, self.side, self.augmentation, self.seed = list(cases), side, augmentation, seed
        self.items: list[tuple[int, str, int]] = []
        shows: list[bool] = []
        for number, case in enumerate(self.cases):
            for view in views:
                filled = along(case.mask, view).mean((1, 2))
                for index, share in enumerate(filled):
                    if share == 0.0 or share >= least:
                        self.items.append((number, view, index))
                        shows.append(share > 0.0)
        shown = np.array(shows, bool)
        if not shown.any():
            raise VolumeDataError("No slice shows enough of the target; check the labels in the configuration.")
        share = empty if (~shown).any() else 0.0
        self.weights = np.where(shown, (1.0 - share) / shown.sum(), share / max(1, (~shown).sum()))

    @property
    def set_names(self) -> list[str]:
        """The view of each."""
        return [view for _, view, _ in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> WholeImageSample:
        number, view, position = self.items[index % len(self.items)]
        case = self.cases[number]
        side = self.side * 5 // 4 if self.augmentation else self.side
        gray = squared(along(case.gray, view)[position], side) / np.float32(GRAY_MAX)
        mask = squared(along(case.mask, view)[position], side)
        both = torch.from_numpy(np.stack([gray, mask]))[None]
        if self.augmentation:
            generator = seeded_generator(self.seed, index)
            grid, _ = random_warp((side, side), self.side, self.augmentation, generator)
            both = functional.grid_sample(both, grid, align_corners=False)
            both[0, 0] = random_gray(both[0, 0], self.augmentation, generator)
        return WholeImageSample(both[0, :1], (both[0, 1:] >= 0.5).float(), torch.ones(1, dtype=torch.bool))
