"""Training of the step-wise method: a coarse and a fine network for each view, each by its own loss.

    python -m training.volumes.step_wise --data ../shared/data --config training/configs/volumes/heart_step_wise.toml
        --output runs/heart

The coarse networks see whole slices, the fine ones the true box with random margins. They have no parameter and no
loss in common; one loop and one checkpoint hold them all.
"""

from __future__ import annotations

import sys
from functools import partial

import torch

from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig

from ..runs import StagedTraining, command
from .batches import alike, coarse_pair, cut, groups
from .data import Sample
from .losses import slices_loss
from .run import VolumeRun, train


class StepWiseTraining(StagedTraining):
    """The networks of all views with their losses."""

    def __init__(
        self, network: torch.nn.Module, stages: list, steps_per_epoch: int, loss: str = "dsc"
    ) -> None:
        super().__init__(network, stages, steps_per_epoch, weight_decay=1e-4)
        self.loss = loss

    def training_step(self, batch: list[Sample], batch_idx: int) -> torch.Tensor:
        coarse, fine, counts = [], [], []
        for view, image, truth, windows in groups(batch, self.device):
            networks = self.network[view]
            coarse.append(slices_loss(*coarse_pair(networks, image, truth), self.loss))
            windows = alike(windows, *image.shape[-2:])
            seen, true = cut(image, windows), cut(truth, windows)
            fine.append(slices_loss(networks.likely(networks.fine(seen)), true, self.loss))
            counts.append(len(image) / len(batch))
        shares = torch.tensor(counts, device=self.device)
        losses = {
            "train/coarse": (shares * torch.stack(coarse)).sum(),
            "train/fine": (shares * torch.stack(fine)).sum(),
        }
        self.log_dict(losses, batch_size=len(batch))
        return losses["train/coarse"] + losses["train/fine"]


@command
def main(arguments: list[str] | None = None) -> int:
    run = VolumeRun.of("training.volumes.step_wise", __doc__, arguments)
    config = NetworkConfig.from_dict({**run.network_settings, "saliency": None})
    train(run, "step_wise", partial(StepWiseTraining, loss=run.loss), config)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
