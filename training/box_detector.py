"""Training of the 3D detector: PointNet on anchor boxes by stages, then the linear refinement on its features.

    python -m training.box_detector --data ../shared/data --config training/configs/box_detector.toml --output runs/box

The classifier's cross-entropy is joined by the refinement's own loss (a linear layer on the pooled features, dropped
afterwards): max-pooled features that only had to tell classes apart hold too little about where an interval ends.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.nn import functional
from torch.utils.data import DataLoader

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.anchors import AnchorConfig, interval_iou
from GrayscaleDetSegLib.core.intervals import interval_overlaps
from GrayscaleDetSegLib.core.pointnet import PointNet, PointNetConfig, orthogonality_loss
from GrayscaleDetSegLib.core.refinement import apply_offsets, refine, solve_ridge, targets

from .box_data import BoxAugmentation, BoxDataset, BoxSample
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
