"""The peer: MONAI's DynUNet, the network of nnU-Net, on the same volumes, with the same augmentation, loss and loop.

    python -m training.volumes.dynunet --data ../shared/data --config training/configs/volumes/heart_dynunet.toml
        --output runs/heart_dynunet

An epoch counts volumes; ``epoch_length`` of a configuration is set so that as many slices are seen as by the other
methods. It is for comparisons: no bundle holds it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core.gray import GRAY_MAX
from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings, together
from GrayscaleDetSegLib.core.volumes.networks import likelihood
from GrayscaleDetSegLib.core.volumes.views import VIEWS, along, dsc

from ..runs import StagedTraining, Validation, command
from .augmentation import Augmentation, augmented
from .data import Prepared, Sample
from .losses import slices_loss
from .run import VolumeRun, as_list


class DynUNet(torch.nn.Module):
    """(n, 1, slices, rows, columns), 0..1 -> logits (n, outputs, slices, rows, columns).

    Parameters
    ----------
    labels : int
    channels : sequence of int
        Of the levels.
    flat : int
        Levels, from the first, that do not look across slices nor thin them, as nnU-Net does for thick slices.
    """

    def __init__(self, labels: int, channels: Sequence[int] = (16, 32, 64, 96), flat: int = 0) -> None:
        from monai.networks.nets import DynUNet as Network

        super().__init__()
        self.labels = labels
        kernels = [[1, 3, 3] if level < flat else [3, 3, 3] for level in range(len(channels))]
        strides = [[1, 1, 1]] + [[1, 2, 2] if level < flat + 1 else [2, 2, 2] for level in range(1, len(channels))]
        self.multiple = tuple(int(np.prod([stride[axis] for stride in strides])) for axis in range(3))
        self.network = Network(
            3, 1, labels + 1 if labels > 1 else 1, kernels, strides, strides[1:], filters=list(channels)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        size = images.shape[2:]
        more = [-side % each for side, each in zip(size, self.multiple)]
        pad = (0, more[2], 0, more[1], 0, more[0])
        padded = functional.pad(images - 0.5, pad, mode="replicate") if any(more) else images - 0.5
        return self.network(padded)[..., : size[0], : size[1], : size[2]]

    def likely(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, labels, slices, rows, columns) of images (n, slices, rows, columns)."""
        return likelihood(self(images[:, None]).flatten(1, 2), self.labels)


class VolumeDataset(Dataset):
    """Whole volumes, or pieces of them, turned and bent as the slices of the other methods are, about any view's axis.

    Parameters
    ----------
    cases : sequence of Prepared
    seed : int
    augmentation : Augmentation
    views : sequence of str
        The axes that volumes are turned about.
    labels : int
    patch : sequence of 3 int
        (slices, rows, columns) of what is seen at a time, at most.
    """

    def __init__(
        self,
        cases: Sequence[Prepared],
        seed: int,
        augmentation: Augmentation,
        views: Sequence[str],
        labels: int,
        patch: Sequence[int],
    ) -> None:
        self.cases, self.seed, self.augmentation, self.views = list(cases), seed, augmentation, tuple(views)
        self.labels, self.patch = labels, tuple(patch)

    @property
    def set_names(self) -> list[str]:
        """All alike."""
        return ["volumes"] * len(self)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> Sample:
        case, random = self.cases[index % len(self.cases)], np.random.default_rng([self.seed, index])
        view = self.views[random.integers(len(self.views))]
        gray = along(case.gray, view).astype(np.float32) / np.float32(GRAY_MAX)
        values = along(case.labels, view)
        truth = np.stack([values == label + 1 for label in range(self.labels)]).astype(np.float32)
        image, truth, _ = augmented(
            gray, truth, (values > 0).any(0), view, gray.shape[1:], self.augmentation, random
        )  # fmt: skip
        image, truth = np.moveaxis(image, 0, VIEWS[view]), np.moveaxis(truth, 1, VIEWS[view] + 1)
        for axis, most in enumerate(self.patch):
            image, truth = self._cut(image, truth, axis, most, random)
        return Sample(
            "volume", torch.from_numpy(np.ascontiguousarray(image)), torch.from_numpy(np.ascontiguousarray(truth)),
            (0, 0, 0, 0),
        )  # fmt: skip

    def _cut(
        self, image: np.ndarray, truth: np.ndarray, axis: int, most: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """`most` slices along an axis, around a random one that shows the target in two of three cases."""
        side = image.shape[axis]
        if side < most:
            pad = [(0, most - side if each == axis else 0) for each in range(3)]
            return np.pad(image, pad, mode="edge"), np.pad(truth, [(0, 0), *pad])
        shown = np.flatnonzero(truth.any(axis=tuple(each for each in range(4) if each != axis + 1)))
        aim = random.choice(shown) if shown.size and random.random() < 2 / 3 else random.integers(side)
        start = int(np.clip(aim - random.integers(most), 0, side - most))
        chosen = [slice(start, start + most) if each == axis else slice(None) for each in range(3)]
        return image[tuple(chosen)], truth[(slice(None), *chosen)]


class DynUNetTraining(StagedTraining):
    """The network with its loss."""

    def __init__(self, network: torch.nn.Module, stages: list, steps_per_epoch: int, loss: str = "dsc+ce") -> None:
        super().__init__(network, stages, steps_per_epoch, weight_decay=1e-4)
        self.loss = loss

    def training_step(self, batch: list[Sample], batch_idx: int) -> torch.Tensor:
        image, truth = (torch.stack([getattr(each, name) for each in batch]) for name in ("image", "truth"))
        value = slices_loss(self.network.likely(image.to(self.device)), truth.to(self.device), self.loss)
        self.log("train/loss", value, batch_size=len(batch))
        return value


@torch.inference_mode()
def masks_of(case: Prepared, network: DynUNet, settings: IterationSettings, patch: Sequence[int]) -> np.ndarray:
    """The masks (labels, superior, posterior, left) of a case, cleaned as those of the other methods are.

    The volume is seen as nnU-Net sees it: in pieces of the size that was learnt from, which overlap by half and count
    most in their middle. Seen whole, its norms are of more background than they have learnt.
    """
    from monai.inferers import sliding_window_inference

    image = torch.from_numpy(case.working)[None, None].to(next(network.parameters()).device)
    likely = sliding_window_inference(
        image, tuple(patch), 1, lambda pieces: network.likely(pieces[:, 0]), overlap=0.5, mode="gaussian",
        padding_mode="replicate",
    )  # fmt: skip
    return together({"axial": likely[0].cpu().numpy()}, settings)[1]


class DynUNetValidation(Validation):
    """DSC on val."""

    def __init__(self, cases: list[Prepared], settings: IterationSettings, every: int, patch: Sequence[int]) -> None:
        super().__init__(every)
        self.cases, self.settings, self.patch = cases, settings, tuple(patch)

    def figures(self, module: DynUNetTraining) -> tuple[dict[str, float], list[str]]:
        rows = []
        for case in self.cases:
            masks = masks_of(case, module.network, self.settings, self.patch)
            rows.append([dsc(mask, case.mask_of(number)) for number, mask in enumerate(masks)])
        each = np.mean(rows, axis=0)
        return {"dsc": float(each.mean())}, [", ".join(f"{value:.4f}" for value in each)] if len(each) > 1 else []


@command
def main(arguments: list[str] | None = None) -> int:
    run = VolumeRun.of("training.volumes.dynunet", __doc__, arguments)
    settings: dict[str, Any] = run.settings
    own = {**settings.get("network", {})}
    views, patch = own.pop("views", tuple(VIEWS)), own.pop("patch")
    labels = len(run.target.parts)
    run.keep("dynunet", {"labels": labels, **own})
    cases = run.prepared("train")
    dataset = VolumeDataset(
        cases, settings["seed"], Augmentation.from_dict(settings.get("augmentation", {})), views, labels, patch
    )
    loader = run.loader(dataset, as_list)
    module_of = partial(DynUNetTraining, loss=run.loss)
    validation = DynUNetValidation(
        run.prepared("val", settings.get("validate_with")), run.iteration, settings["validate_every"], patch
    )
    run.fit(module_of(DynUNet(labels, **own), run.stages, len(loader)), loader, validation, clip=5.0, quiet=True)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
