"""Training of the recurrent saliency transformation network: all rounds unrolled, one loss.

    python -m training.volumes.rstn --data ../shared/data --config training/configs/volumes/heart_rstn.toml
        --output runs/heart_rstn

The loss weights are 2 l0 = l1 = ... = 2 / (2 T + 1). The windows come from the truth at first, and from the prediction
of the round before in the later part of the run (`predictions_from`, a share of all steps), which the article calls
fine-tuning.
"""

from __future__ import annotations

import sys
from functools import partial

import torch

from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, ViewNetworks
from GrayscaleDetSegLib.core.volumes.views import margin_px, windows

from ..runs import StagedTraining, command
from .batches import alike, cut, groups, placed
from .data import Sample
from .losses import round_weights, slices_loss
from .run import VolumeRun, train

DEFAULTS = {"threshold": 0.99, "margin": 20 / 512, "vote": "mean"}
"""The article's, where a configuration says nothing else."""


class RstnTraining(StagedTraining):
    """The networks of all views, trained through `rounds` rounds.

    Parameters
    ----------
    rounds : int
        T; the article takes up to 5.
    margin : float
        Around the windows, as a share of the image's side.
    predictions_from : float
        Share of all steps after which the windows come from the predictions.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        stages: list,
        steps_per_epoch: int,
        rounds: int = 2,
        margin: float = DEFAULTS["margin"],
        predictions_from: float = 0.6,
        loss: str = "dsc",
    ) -> None:
        super().__init__(network, stages, steps_per_epoch, weight_decay=1e-4)
        self.rounds, self.margin, self.loss = rounds, margin, loss
        self.change = predictions_from * steps_per_epoch * sum(stage.epochs for stage in stages)

    def training_step(self, batch: list[Sample], batch_idx: int) -> torch.Tensor:
        by_truth = self.global_step < self.change
        losses, counts = [], []
        for view, image, truth, otherwise in groups(batch, self.device):
            said = self.unrolled(self.network[view], image, truth, by_truth, otherwise)
            losses.append(torch.stack([slices_loss(likely, truth, self.loss) for likely in said]))
            counts.append(len(image) / len(batch))
        each = (torch.tensor(counts, device=self.device)[:, None] * torch.stack(losses)).sum(0)
        weights = torch.tensor(round_weights(self.rounds), device=each.device)
        self.log_dict({f"train/round_{number}": value for number, value in enumerate(each)}, batch_size=len(batch))
        return (weights * each).sum()

    def unrolled(
        self,
        networks: ViewNetworks,
        image: torch.Tensor,
        truth: torch.Tensor,
        by_truth: bool,
        otherwise: list | None = None,
    ) -> list[torch.Tensor]:
        """The probabilities (as `truth`) of the coarse stage and of each round, 0 beyond the windows.

        `otherwise` are windows for slices that do not show the target.
        """
        rows, columns = image.shape[-2:]
        said = [networks.likely(networks.coarse(image))]
        for _ in range(self.rounds):
            reference = truth if by_truth else said[-1].detach()
            each = [self.window(*pair) for pair in zip(reference, truth)]
            if otherwise is not None:
                each = [box or window for box, window in zip(each, otherwise)]
            windows = alike([box or (0, 0, rows, columns) for box in each], rows, columns)
            seen, before = cut(image, windows), cut(said[-1].sum(1), windows)
            likely = networks.likely(networks.fine(networks.weighted(seen, before)))
            said.append(placed(likely, windows, rows, columns))
        return said

    def window(self, reference: torch.Tensor, truth: torch.Tensor) -> tuple[int, int, int, int] | None:
        """Around the middle slice of reference maps (labels, slices, rows, columns), or of the truth where those find
        nothing; None where that shows nothing either."""
        middle = reference.shape[1] // 2
        for each in (reference, truth):
            mask = (each[:, middle] >= 0.5).any(0)[None].cpu().numpy()
            (box,) = windows(mask, margin_px(self.margin, mask.shape[1:])).tolist()
            if box[2] > 0:
                return tuple(box)
        return None


@command
def main(arguments: list[str] | None = None) -> int:
    run = VolumeRun.of("training.volumes.rstn", __doc__, arguments)
    settings = run.settings
    settings["iteration"] = {**DEFAULTS, **settings.get("iteration", {})}
    config = NetworkConfig.from_dict({"saliency": "3x3 3x3", **run.network_settings})
    own = settings.get("training", {})
    module_of = partial(
        RstnTraining,
        rounds=own.get("rounds", 2),
        margin=IterationSettings.from_dict(settings["iteration"]).margin,
        predictions_from=own.get("predictions_from", 0.6),
        loss=run.loss,
    )
    train(run, "rstn", module_of, config)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
