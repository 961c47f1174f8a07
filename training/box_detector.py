"""Training of the 3D detector: PointNet on anchor boxes by stages, then the linear refinement on its features.

    python -m training.box_detector --data ../shared/data --config training/configs/box_detector.toml --output runs/box

The classifier's cross-entropy is joined by the refinement's own loss (a linear layer on the pooled features, dropped
afterwards): max-pooled features that only had to tell classes apart hold too little about where an interval ends.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.single_box.refinement import apply_offsets

from . import refinement
from .anchors import anchor_recall, interval_iou
from .box_data import BoxAugmentation, BoxDataset, BoxSample
from .data import CLASSES
from .films.cases import as_cases
from .films.collection import all_films
from .films.knowledge import CLASSES as FILM_CLASSES
from .films.real import training_films
from .losses import orthogonality_loss
from .networks import PointNet, PointNetConfig
from .ridge import targets
from .runs import Run, StagedTraining, Validation, command, is_first
from .runs.record import say
from .sampling import spread

DRAWS = 6000
"""Clouds that the anchors are judged by, at most."""


@dataclass(frozen=True)
class BoxLoss:
    """Weights of the parts, and the 3D IoU that makes an anchor positive or negative (between them it is left out)."""

    classes: float = 1.0
    offsets: float = 1.0
    orthogonality: float = 1e-3
    positive: float = 0.7
    negative: float = 0.55


class BoxTraining(StagedTraining):
    """A PointNet over anchors with the joint loss of classes, offsets and orthogonality."""

    def __init__(
        self, config: PointNetConfig, anchors: AnchorConfig, weights: BoxLoss, stages: list, steps_per_epoch: int
    ) -> None:
        super().__init__(PointNet(config), stages, steps_per_epoch, weight_decay=1e-3)
        self.anchors, self.weights, self.intervals = anchors, weights, anchors.intervals()
        self.offsets = torch.nn.Linear(self.network.pooled_features, 2 * len(config.classes))

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        """``"head"``: the last fully connected layers."""
        if trainable != "head":
            return super().learning_parts(trainable)
        return {*self.network.head.modules(), *self.network.classifier.modules()}

    def training_step(self, batch: list, batch_idx: int) -> torch.Tensor:
        points, gray, labels, truth, _ = batch
        features, transform = self.network.point_features(points)
        pooled = self.network.pool_anchors(features, gray, self.anchors)
        overlap = interval_iou(self.intervals[None], truth.cpu().numpy()[:, None])
        positive = (overlap >= self.weights.positive) | (overlap == overlap.max(1, keepdims=True))
        near = overlap >= min(0.4, self.weights.negative)
        wanted = [targets(self.intervals, np.broadcast_to(row, self.intervals.shape)) for row in truth.cpu().numpy()]

        logits = self.network.classify(pooled)
        goal = torch.as_tensor(positive, device=self.device) * (labels[:, None] + 1)
        losses = functional.cross_entropy(logits.flatten(0, 1), goal.flatten(), reduction="none").view_as(goal)
        positive = torch.as_tensor(positive, device=self.device)
        negative = torch.as_tensor(overlap < self.weights.negative, device=self.device) & ~positive
        parts = {"classes": losses[positive].mean() + losses[negative].mean()}
        offsets = self.offsets(pooled).view(*pooled.shape[:2], -1, 2)
        offsets = offsets[torch.arange(len(labels)), :, labels]
        wanted, near = torch.as_tensor(np.stack(wanted), dtype=torch.float32, device=self.device), torch.as_tensor(near)
        parts["offsets"] = functional.smooth_l1_loss(offsets[near], wanted[near], beta=0.05)
        parts["orthogonality"] = orthogonality_loss(transform)
        total = sum(getattr(self.weights, name) * value for name, value in parts.items())
        self.log_dict({f"train/{name}": value for name, value in parts.items()}, batch_size=len(labels))
        return total


class BoxValidation(Validation):
    """Mask IoU beside the ceiling in the true ROIs of val, by the training's own linear layer."""

    def __init__(self, dataset: BoxDataset, every: int) -> None:
        super().__init__(every)
        self.dataset = dataset

    def figures(self, module: BoxTraining) -> tuple[dict[str, float], list[str]]:
        rows = defaultdict(list)
        for index, set_name in enumerate(self.dataset.set_names):
            sample = self.dataset[index]
            iou = refinement.mask_iou(self.dataset.crops[index], self._interval(module, sample))
            rows[set_name, self.dataset.classes[sample.label]].append((iou, sample.ceiling))
        means = {key: np.mean(values, axis=0) for key, values in sorted(rows.items())}
        share = float(np.mean([iou / ceiling for iou, ceiling in means.values()]))
        lines = [
            f"{set_name:20s} {label:11s} IoU {iou:.3f} ceiling {ceiling:.3f} share {iou / ceiling:.3f}"
            for (set_name, label), (iou, ceiling) in means.items()
        ]
        return {"share_of_ceiling": share}, lines

    @staticmethod
    @torch.no_grad()
    def _interval(module: BoxTraining, sample: BoxSample) -> np.ndarray:
        points, gray = (torch.from_numpy(values)[None].to(module.device) for values in (sample.points, sample.gray))
        pooled = module.network.pool_anchors(module.network.point_features(points)[0], gray, module.anchors)
        best = int(module.network.classify(pooled).softmax(-1)[0, :, 1 + sample.label].argmax())
        offsets = module.offsets(pooled[:, best]).view(-1, 2)[sample.label].cpu().numpy()
        return apply_offsets(module.intervals[best : best + 1], offsets[None])[0]


@command
def main(arguments: list[str] | None = None) -> int:
    run = Run.of("training.box_detector", __doc__, arguments)
    settings, side = run.settings, run.settings["side"]
    augmentation = BoxAugmentation(**settings.get("augmentation", {}))
    cases, classes = run.training_cases(), CLASSES
    if run.films:
        drawn = all_films(run.films, None, settings["seed"])
        cases = as_cases(drawn, settings["films"]) + as_cases(training_films(run.data, settings["seed"]))
        classes = FILM_CLASSES
    training = BoxDataset(cases, classes, side, augmentation, settings["seed"], folder=run.samples)
    validation = BoxDataset(run.validation_cases(), classes, side, folder=run.samples)
    anchors = AnchorConfig.from_dict(settings["anchors"])
    intervals = np.array([training[index].interval for index in spread(len(training), DRAWS)])
    for threshold in (0.5, 0.7, 0.8):
        recall = anchor_recall(anchors, intervals, threshold)
        say(f"anchors: {len(anchors.intervals())}, recall of the training boxes at 3D IoU {threshold}: {recall:.4f}")

    config = PointNetConfig(classes, settings["width"], settings["context"])
    run.describe({"config": config.to_dict(), "anchors": anchors.to_dict(), "side": side})
    loader = run.loader(training)
    module = BoxTraining(config, anchors, BoxLoss(**settings.get("loss", {})), run.stages, len(loader))
    run.fit(module, loader, BoxValidation(validation, settings["validate_every"]), clip=5.0)

    if not is_first():
        return 0
    weights = refinement.fit(module.network, anchors, training, validation)
    torch.save({label: torch.from_numpy(matrix) for label, matrix in weights.items()}, run.output / "refinement.pt")
    for label, (closed, descended) in refinement.compare_descent(module.network, anchors, training).items():
        say(f"   {label:11s} loss of eq. 6, 7 a proposal: closed form {closed:.5f}, SGD {descended:.5f}")
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
