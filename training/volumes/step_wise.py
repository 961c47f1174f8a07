"""Training of the step-wise method: a coarse and a fine network for each view, each by its own loss.

    python -m training.volumes.step_wise --data ../shared/data --config training/configs/volumes/heart_step_wise.toml
        --output runs/heart

The coarse networks see whole slices, the fine ones the true box with random margins. They have no parameter and no
loss in common; one loop and one checkpoint hold them all.
"""

from __future__ import annotations

import sys

import torch

from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig

from ..runs import StagedTraining, command
from .data import Sample
from .losses import dsc_loss
from .run import VolumeRun, train


class StepWiseTraining(StagedTraining):
    """The networks of all views with their losses."""

    def __init__(self, network: torch.nn.Module, stages: list, steps_per_epoch: int) -> None:
        super().__init__(network, stages, steps_per_epoch, weight_decay=1e-4)

    def training_step(self, batch: list[Sample], batch_idx: int) -> torch.Tensor:
        coarse, fine = [], []
        for sample in batch:
            networks = self.network[sample.view]
            image, truth = sample.image[None].to(self.device), sample.truth[None].to(self.device)
            coarse.append(dsc_loss(networks.coarse(image).sigmoid(), truth))
            top, left, bottom, right = sample.window
            seen, true = image[..., top:bottom, left:right], truth[..., top:bottom, left:right]
            fine.append(dsc_loss(networks.fine(seen.contiguous()).sigmoid(), true))
        losses = {"train/coarse": torch.stack(coarse).mean(), "train/fine": torch.stack(fine).mean()}
        self.log_dict(losses, batch_size=len(batch))
        return losses["train/coarse"] + losses["train/fine"]


@command
def main(arguments: list[str] | None = None) -> int:
    run = VolumeRun.of("training.volumes.step_wise", __doc__, arguments)
    config = NetworkConfig.from_dict({**run.settings.get("network", {}), "saliency": None})
    train(run, "step_wise", StepWiseTraining, config)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
