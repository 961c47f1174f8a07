"""Training of the baselines on whole images, and their masks at full size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from monai.losses import DiceLoss
from torch.nn import functional
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core.labels import mirrored
from GrayscaleDetSegLib.core.yolo.letterbox import Letterbox

from ..augmentation import AugmentationSettings, random_gray, random_warp
from ..data import Case
from ..runs import StagedTraining
from ..sampling import seeded_generator

SIZE = 256
AUGMENTATION = AugmentationSettings(
    rotation=15.0, log_scale=(-0.2, 0.25), log_aspect=0.2, shift=0.08, gamma=0.4, invert=0.0, markers=0.1, collimate=0.2
)


class WholeImageSample(NamedTuple):
    """image (1, size, size) in 0..1; masks (classes, size, size), 0 or 1; settled (classes,): which of them count."""

    image: torch.Tensor
    masks: torch.Tensor
    settled: torch.Tensor


class WholeImageDataset(Dataset):
    """Radiographs stretched to a square with a mask per class; augmented, or as they are without settings.

    Parameters
    ----------
    cases : list of Case
    classes : tuple of str
    augmentation : AugmentationSettings or None
    seed : int
        With the index it decides every random number.
    size : int
        Side of the square, px.
    """

    def __init__(
        self,
        cases: list[Case],
        classes: tuple[str, ...],
        augmentation: AugmentationSettings | None,
        seed: int = 0,
        size: int = SIZE,
    ) -> None:
        self.classes, self.augmentation, self.seed, self.size = classes, augmentation, seed, size
        self.set_names = [case.set_name for case in cases]
        self._items = [self._prepare(case) for case in cases]

    def _prepare(self, case: Case) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        size = self.size * 5 // 4 if self.augmentation else self.size
        image = stretched(case.radiograph().gray(), size)
        labels = torch.from_numpy(case.label_map.astype(np.float32))[None, None]
        labels = functional.interpolate(labels, (size, size), mode="nearest-exact")[0, 0]
        value = {case.labels[name]: index + 1 for index, name in enumerate(self.classes) if name in case.labels}
        classes = torch.zeros((size, size), dtype=torch.uint8)
        for stored, wanted in value.items():
            classes[labels == stored] = wanted
        settled = torch.tensor([case.is_settled(name) for name in self.classes])
        return (image * 255.0).round().to(torch.uint8), classes, settled

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> WholeImageSample:
        image, labels, settled = self._items[index % len(self._items)]
        image, order = image[None, None].float() / 255.0, list(range(1, len(self.classes) + 1))
        if self.augmentation:
            generator = seeded_generator(self.seed, index)
            grid, flipped = random_warp(tuple(labels.shape), self.size, self.augmentation, generator)
            image = functional.grid_sample(image, grid, align_corners=False)
            labels = functional.grid_sample(labels[None, None].float(), grid, mode="nearest", align_corners=False)[0, 0]
            image = random_gray(image[0, 0], self.augmentation, generator)[None, None]
            if flipped:
                twins = [mirrored(name) for name in self.classes]
                order = [self.classes.index(twin) + 1 if twin in self.classes else 0 for twin in twins]
                settled = torch.stack([settled[number - 1] & (number > 0) for number in torch.tensor(order)])
        masks = torch.stack([(labels == number) & (number > 0) for number in order]).float()
        return WholeImageSample(image[0], masks, settled)


def stretched(gray: np.ndarray, size: int = SIZE) -> torch.Tensor:
    """Gray levels 0..255 (rows, columns) as (size, size) in 0..1."""
    square = Letterbox(size, (size, size), (size / gray.shape[1], size / gray.shape[0]), (0.0, 0.0))
    return torch.from_numpy(square.image_to_input(gray)[0, 0])


class BaselineTraining(StagedTraining):
    """Binary cross-entropy and Dice per class, over the classes that an image's set settles."""

    def __init__(self, network: torch.nn.Module, stages: list, steps_per_epoch: int) -> None:
        super().__init__(network, stages, steps_per_epoch, weight_decay=1e-4)
        self.dice = DiceLoss(sigmoid=True, reduction="none", batch=False)

    def training_step(self, batch: list, batch_idx: int) -> torch.Tensor:
        images, masks, settled = batch
        logits = self.network(images.contiguous(memory_format=torch.channels_last))
        entropy = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none").mean((2, 3))
        present = settled & masks.flatten(2).any(-1)
        dice = self.dice(logits, masks).flatten(1)
        loss = _mean(entropy, settled) + _mean(dice, present)
        self.log("train/loss", loss, batch_size=len(images))
        return loss


def _mean(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The mean of the values that count; 0 where none does."""
    return (values * counted).sum() / counted.sum().clamp(min=1)


def predict(
    network: torch.nn.Module, gray: np.ndarray, classes: list[int] | None = None, size: int = SIZE
) -> np.ndarray:
    """Masks (classes, rows, columns) at the size of `gray` (levels 0..255), from logits enlarged bilinearly.

    Parameters
    ----------
    classes : list of int or None
        Which of the network's classes are wanted; None for all.
    size : int
        Side of the network's input, px.
    """
    with torch.inference_mode():
        image = stretched(gray, size)[None, None].contiguous(memory_format=torch.channels_last)
        logits = network(image)[0]
        logits = logits if classes is None else logits[classes]
        masks = np.empty((len(logits), *gray.shape), bool)
        for mask, logit in zip(masks, logits):  # one class at a time: all at once would need gigabytes at 4096 px
            mask[:] = functional.interpolate(logit[None, None].contiguous(), gray.shape, mode="bilinear")[0, 0] > 0.0
    return masks
