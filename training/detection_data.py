"""Training samples of the 2D detector: warped images with the boxes of what is visible and marked in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core.yolo.letterbox import Letterbox

from .augmentation import AugmentationSettings, random_gray, random_warp
from .data import Case
from .detection_sample import DetectionSample, swapped_sides
from .prepared import Part, Prepared
from .sampling import seeded_generator


class DetectionDataset(Dataset):
    """Augmented (or, without settings, just fitted) samples of labelled radiographs.

    Parameters
    ----------
    cases : list of Case
    classes : tuple of str
    size : int
        Side of the detector's input, px.
    augmentation : AugmentationSettings or None
    seed : int
        With the index it decides every random number. Indices beyond the number of cases start over with other
        numbers: index = epoch * cases + case, see ``EpochSampler``.
    visible : float
        An object of which a smaller share is left after the crop counts as unmarked.
    folder : Path or None
        For prepared images, where they are too many for the memory, see ``Prepared``.
    """

    def __init__(
        self,
        cases: list[Case],
        classes: tuple[str, ...],
        size: int,
        augmentation: AugmentationSettings | None = None,
        seed: int = 0,
        visible: float = 0.25,
        folder: Path | None = None,
    ) -> None:
        self.classes, self.size, self.augmentation = classes, size, augmentation
        self.set_names = [case.set_name for case in cases]
        self.seed, self.visible = seed, visible
        self._items = Prepared(cases, self._prepare, ("detection, layers", classes, size), folder)

    def _prepare(self, case: Case) -> list[Part]:
        """Shrink once to 1.5 times the input, so that each warp samples little and does not alias."""
        letterbox = Letterbox.fit(case.label_map.shape, int(1.5 * self.size))
        top, left = int(letterbox.offset[1]), int(letterbox.offset[0])
        window = slice(top, top + letterbox.fitted[0]), slice(left, left + letterbox.fitted[1])
        image = letterbox.image_to_input(case.radiograph().gray())[0, 0][window]
        layers, labels = [np.zeros(case.label_map.shape, np.uint8)], []
        marked = np.array([case.is_settled(name) for name in self.classes], bool)
        for label, mask in case.objects():
            if label in self.classes:
                labels.append(self.classes.index(label))
                free = next((layer for layer in layers if not layer[mask].any()), None)
                if free is None:  # a bone over another one: neither is cut
                    layers.append(free := np.zeros(case.label_map.shape, np.uint8))
                free[mask] = len(labels)
        instances = torch.from_numpy(np.stack(layers))[None].float()
        resized = functional.interpolate(instances, letterbox.fitted, mode="nearest")
        prepared = (image * 255).round().astype(np.uint8), resized[0].to(torch.uint8).numpy()
        return [dict(zip(("image", "instances", "labels", "marked"), (*prepared, np.array(labels, np.int64), marked)))]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> DetectionSample:
        item = self._items.part(index % len(self._items), 0)
        image, instances, marked = (torch.from_numpy(item[name]) for name in ("image", "instances", "marked"))
        labels = item["labels"].tolist()
        settings = self.augmentation or AugmentationSettings.none()
        generator = seeded_generator(self.seed, index)
        grid, flipped = random_warp(tuple(image.shape), self.size, settings, generator)
        warped = functional.grid_sample(image[None, None].float() / 255.0, grid, align_corners=False)[0, 0]
        numbers = functional.grid_sample(instances[None].float(), grid, mode="nearest", align_corners=False)[0]
        if self.augmentation is not None:
            warped = random_gray(warped, settings, generator)
        return self._sample(warped, numbers, instances, labels, marked, grid, flipped)

    def _sample(self, image, numbers, instances, labels, marked, grid, flipped) -> DetectionSample:
        marked, boxes, kept = marked.clone(), [], []
        step = grid[0, :, 1, :] - grid[0, :, 0, :], grid[0, 1, :, :] - grid[0, 0, :, :]
        (ax, ay), (bx, by) = step[0][0].tolist(), step[1][0].tolist()
        pixels_per_pixel = 4.0 / (abs(ax * by - ay * bx) * instances[0].numel())
        if flipped:
            order = swapped_sides(self.classes)
            marked = marked[order]
        for number, label in enumerate(labels, start=1):
            if flipped:
                label = order[label]
            mask = (numbers == number).any(0)
            expected = int((instances == number).sum()) * pixels_per_pixel
            if float(mask.sum()) < max(self.visible * expected, 16.0):
                marked[label] = False
                continue
            rows, columns = torch.nonzero(mask.any(1)).flatten(), torch.nonzero(mask.any(0)).flatten()
            boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            kept.append(label)
        return DetectionSample(
            image[None],
            torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            torch.tensor(kept, dtype=torch.int64),
            marked,
        )


def collate(samples: list[DetectionSample]) -> list[DetectionSample]:
    """A batch stays a list: images have different numbers of boxes."""
    return samples
