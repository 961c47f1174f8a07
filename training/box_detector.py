"""Training of the 3D detector: PointNet on anchor boxes by stages, then the linear refinement on its features.

    python -m training.box_detector --data ../shared/data --config training/configs/box_detector.toml --output runs/box

The classifier's cross-entropy is joined by the refinement's own loss (a linear layer on the pooled features, dropped
afterwards): max-pooled features that only had to tell classes apart hold too little about where an interval ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import tomllib
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.nn import functional
from torch.utils.data import DataLoader

from GrayscaleDetSegLib.core.anchors import AnchorConfig, anchor_recall, interval_iou
from GrayscaleDetSegLib.core.pointnet import PointNet, PointNetConfig, orthogonality_loss
from GrayscaleDetSegLib.core.refinement import apply_offsets, targets

from . import refinement
from .box_data import BoxAugmentation, BoxDataset
from .data import CLASSES, load_sets
from .sampling import EpochSampler
from .stages import Stage, stage_rate


@dataclass(frozen=True)
class BoxLoss:
    """Weights of the parts, and the 3D IoU that makes an anchor positive or negative (between them it is left out)."""

    classes: float = 1.0
    offsets: float = 1.0
    orthogonality: float = 1e-3
    positive: float = 0.7
    negative: float = 0.55


class BoxTraining(lightning.LightningModule):
    """A PointNet over anchors with the joint loss of classes, offsets and orthogonality."""

    def __init__(
        self, config: PointNetConfig, anchors: AnchorConfig, stages: list[Stage], steps_per_epoch: int, weights: BoxLoss
    ) -> None:
        super().__init__()
        self.network, self.anchors, self.weights = PointNet(config), anchors, weights
        self.offsets = torch.nn.Linear(self.network.pooled_features, 2 * len(config.classes))
        self.stages, self.steps_per_epoch = stages, steps_per_epoch
        self.intervals = anchors.intervals()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.stages[0].learning_rate, weight_decay=1e-3)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        stage, rate = stage_rate(self.stages, self.global_step, self.steps_per_epoch)
        for group in self.optimizers().param_groups:
            group["lr"] = rate
        freeze(self.network, stage.trainable)

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


def freeze(network: PointNet, trainable: str) -> None:
    """Let only the last fully connected layers learn (``"head"``), or everything (``"all"``)."""
    head = {id(module) for part in (network.head, network.classifier) for module in part.modules()}
    for module in network.modules():
        learns = trainable == "all" or id(module) in head
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(learns)
        if isinstance(module, torch.nn.BatchNorm1d):
            module.train(learns)


class Validation(Callback):
    """After every few epochs: mask IoU beside the ceiling in true ROIs of val, by the training's own linear layer."""

    def __init__(self, dataset: BoxDataset, every: int) -> None:
        self.dataset, self.every = dataset, every

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: BoxTraining) -> None:
        if (trainer.current_epoch + 1) % self.every and trainer.current_epoch + 1 != trainer.max_epochs:
            return
        module.eval()
        rows = defaultdict(list)
        for index, set_name in enumerate(self.dataset.set_names):
            sample = self.dataset[index]
            interval = self._interval(module, sample)
            key = set_name, self.dataset.classes[sample.label]
            rows[key].append((refinement.mask_iou(self.dataset.crops[index], interval), sample.ceiling))
        module.train()
        ratios = {key: np.mean(values, axis=0) for key, values in sorted(rows.items())}
        score = float(np.mean([iou / ceiling for iou, ceiling in ratios.values()]))
        module.log("val/ceiling_ratio", score, batch_size=1)
        print(f"epoch {trainer.current_epoch + 1}: mean share of the ceiling {score:.4f}")
        for (set_name, label), (iou, ceiling) in ratios.items():
            print(f"   {set_name:20s} {label:11s} IoU {iou:.3f} ceiling {ceiling:.3f} share {iou / ceiling:.3f}")
        sys.stdout.flush()

    @staticmethod
    @torch.no_grad()
    def _interval(module: BoxTraining, sample) -> np.ndarray:
        points, gray = torch.from_numpy(sample.points)[None], torch.from_numpy(sample.gray)[None]
        pooled = module.network.pool_anchors(module.network.point_features(points)[0], gray, module.anchors)
        best = int(module.network.classify(pooled).softmax(-1)[0, :, 1 + sample.label].argmax())
        offsets = module.offsets(pooled[:, best]).view(-1, 2)[sample.label].numpy()
        return apply_offsets(module.intervals[best : best + 1], offsets[None])[0]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.box_detector", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--config", type=Path, required=True, help="experiment, a TOML file")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--from", dest="start", type=Path, help="folder of a finished run whose weights to start from")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare clouds (default 1)")
    options = parser.parse_args(arguments)

    torch.set_num_threads(options.threads)
    settings = tomllib.loads(options.config.read_text())
    lightning.seed_everything(settings["seed"], workers=True, verbose=False)
    sets = tuple(settings["sets"])
    augmentation = BoxAugmentation(**settings.get("augmentation", {}))
    training = BoxDataset(
        load_sets(options.data, "train", sets), CLASSES, settings["side"], augmentation, settings["seed"]
    )
    validation = BoxDataset(load_sets(options.data, "val", sets), CLASSES, settings["side"])
    anchors = AnchorConfig.from_dict(settings["anchors"])
    intervals = np.array([training[index].interval for index in range(len(training))])
    for threshold in (0.5, 0.7, 0.8):
        recall = anchor_recall(anchors, intervals, threshold)
        print(f"anchors: {len(anchors.intervals())}, recall of the training boxes at 3D IoU {threshold}: {recall:.4f}")

    config = PointNetConfig(CLASSES, settings["width"], settings["context"])
    options.output.mkdir(parents=True, exist_ok=True)
    description = {"config": config.to_dict(), "anchors": anchors.to_dict(), "side": settings["side"]}
    (options.output / "network.json").write_text(json.dumps(description, indent=1))
    (options.output / "config.toml").write_text(options.config.read_text())
    loader = DataLoader(
        training,
        settings["batch_size"],
        sampler=EpochSampler(training.set_names, settings.get("balance", 1.0), settings["seed"]),
        drop_last=True,
        num_workers=options.workers,
    )
    stages = [Stage(**stage) for stage in settings["stages"]]
    module = BoxTraining(config, anchors, stages, len(loader), BoxLoss(**settings.get("loss", {})))
    if options.start:
        module.network.load_state_dict(torch.load(options.start / "network.pt", weights_only=True))
    trainer = lightning.Trainer(
        max_epochs=sum(stage.epochs for stage in stages),
        accelerator="auto" if torch.cuda.is_available() else "cpu",
        logger=TensorBoardLogger(options.output, name="", version=""),
        callbacks=[
            Validation(validation, settings.get("validate_every", 10)),
            ModelCheckpoint(options.output / "checkpoints", save_last=True, every_n_epochs=1),
        ],
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        gradient_clip_val=5.0,
        log_every_n_steps=10,
    )
    last = options.output / "checkpoints" / "last.ckpt"
    trainer.fit(module, loader, ckpt_path=str(last) if last.exists() else None)
    network = module.network.cpu().eval()
    torch.save(network.state_dict(), options.output / "network.pt")
    weights = refinement.fit(network, anchors, training, validation)
    torch.save({label: torch.from_numpy(matrix) for label, matrix in weights.items()}, options.output / "refinement.pt")
    for label, (closed, descended) in refinement.compare_descent(network, anchors, training).items():
        print(f"   {label:11s} loss of eq. 6, 7 a proposal: closed form {closed:.5f}, SGD {descended:.5f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
