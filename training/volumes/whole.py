"""Whole volumes as segmentation by detection learns from them: varied a little, some slices, a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core.volumes.views import along

from .cases import VolumeDataError
from .data import Prepared


@dataclass
class VolumeSample:
    """A volume; not frozen, because Lightning moves its tensors to the device.

    Parameters
    ----------
    image, truth : Tensor, (superior, posterior, left)
        0..1, and 0 or 1.
    slices : tuple of int
        Of the detector's view, that it learns from.
    window : tuple of 3 slice
        That the segmentation learns from.
    number : int
        Decides what is drawn of the anchors.
    """

    image: torch.Tensor
    truth: torch.Tensor
    slices: tuple[int, ...]
    window: tuple[slice, ...]
    number: int


@dataclass(frozen=True)
class Variation:
    """How much a volume is varied.

    Parameters
    ----------
    degrees, scale, shift : float
        Turned by up to so much about each axis, scaled by up to this share, moved by up to this share of each side.
    contrast : float
        Gray levels are raised to a power from 1 - this to 1 + this, and shifted by up to a fifth of it.
    """

    degrees: float = 10.0
    scale: float = 0.12
    shift: float = 0.06
    contrast: float = 0.2


class VolumeDataset(Dataset):
    """The volumes of train.

    Parameters
    ----------
    cases : sequence of Prepared
    seed : int
        With the index, which counts on over the epochs, it decides every random number.
    view : str
        Of the detector.
    slices : int
        That the detector learns from in each volume: half of them show something of the target.
    patch : tuple of 3 int, or None
        Voxels of the window along (superior, posterior, left) at most; the whole volume if None.
    variation : Variation
    """

    def __init__(
        self,
        cases: Sequence[Prepared],
        seed: int,
        view: str,
        slices: int,
        patch: Sequence[int] | None = None,
        variation: Variation | None = None,
    ) -> None:
        self.cases, self.seed, self.view, self.slices = list(cases), seed, view, slices
        self.patch, self.variation = patch, variation or Variation()
        if not any(case.mask.any() for case in self.cases):
            raise VolumeDataError("No volume shows the target; check the labels in the configuration.")

    @property
    def set_names(self) -> list[str]:
        """Volumes are drawn alike."""
        return ["volumes"] * len(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> VolumeSample:
        random = np.random.default_rng([self.seed, index])
        case = self.cases[index % len(self.cases)]
        image, truth = varied(case.working, case.mask, random, self.variation)
        shown = np.flatnonzero(along(truth, self.view).any((1, 2)))
        every = np.arange(along(truth, self.view).shape[0])
        half = random.choice(shown, min(len(shown), self.slices // 2), replace=False)
        rest = np.setdiff1d(every, half)
        more = random.choice(rest, min(len(rest), self.slices - len(half)), replace=False)
        chosen = tuple(int(each) for each in np.sort(np.concatenate([half, more])))
        window = tuple(slice(0, side) for side in image.shape)
        if self.patch is not None:
            window = patch_window(truth, self.patch, random)
        return VolumeSample(torch.from_numpy(image), torch.from_numpy(truth), chosen, window, index)


def varied(
    image: np.ndarray, mask: np.ndarray, random: np.random.Generator, how: Variation
) -> tuple[np.ndarray, np.ndarray]:
    """A volume (float32, 0..1) and its mask (bool), turned, scaled and moved about its middle, in another contrast."""
    angles = np.radians(how.degrees) * random.uniform(-1.0, 1.0, 3)
    scale = 1.0 + how.scale * random.uniform(-1.0, 1.0)
    shift = how.shift * random.uniform(-1.0, 1.0, 3)
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    # in voxels a rotation; grid_sample counts each axis from -1 to 1, the last axis first
    half = np.array(image.shape[::-1]) / 2.0
    matrix = (turn / scale) * half[None, :] / half[:, None]
    theta = torch.from_numpy(np.concatenate([matrix, 2.0 * shift[:, None]], 1).astype(np.float32))[None]
    grid = functional.affine_grid(theta, [1, 1, *image.shape], align_corners=False)
    both = torch.from_numpy(np.stack([image, mask.astype(np.float32)]))[:, None]
    seen = functional.grid_sample(
        both.transpose(0, 1), grid, mode="bilinear", padding_mode="border", align_corners=False
    )[0].numpy()
    power, more = 1.0 + how.contrast * random.uniform(-1, 1), 0.2 * how.contrast * random.uniform(-1, 1)
    gray = np.clip(np.clip(seen[0], 0.0, 1.0) ** np.float32(power) + np.float32(more), 0.0, 1.0)
    return gray.astype(np.float32), seen[1] >= 0.5


def patch_window(mask: np.ndarray, patch: Sequence[int], random: np.random.Generator) -> tuple[slice, ...]:
    """A window of at most `patch` voxels: in two of three cases one that holds a random voxel of the mask."""
    held = np.argwhere(mask)
    near = held[random.integers(len(held))] if len(held) and random.uniform() < 2 / 3 else None
    window = []
    for axis, (side, length) in enumerate(zip(mask.shape, patch)):
        length = min(side, length)
        low, high = 0, side - length
        if near is not None:
            low, high = max(low, int(near[axis]) - length + 1), min(high, int(near[axis]))
        start = int(random.integers(low, high + 1))
        window.append(slice(start, start + length))
    return tuple(window)

