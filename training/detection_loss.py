"""The loss of the 2D detector: YOLOv3's three parts, for partly labelled images.

Objectness and classes are YOLOv3's binary cross-entropies. Boxes use the complete-IoU loss (Zheng et al. 2020)
instead of squared errors on t, because what counts afterwards is the overlap of the ROI.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.yolo.decode import decode_scale
from GrayscaleDetSegLib.core.yolo.networks import YoloV3, YoloV3Tiny

from .detection_data import DetectionSample


@dataclass(frozen=True)
class LossWeights:
    """Weights of the parts, and the two thresholds of YOLOv3's assignment."""

    box: float = 2.0
    objectness: float = 1.0
    classes: float = 0.5
    ignore_iou: float = 0.6
    anchor_iou: float = 0.5


def pairwise_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """IoU of all pairs of boxes (n, 4) and (m, 4): (n, m)."""
    lower, upper = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = (upper - lower).clamp(min=0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (a, b)]
    return overlap / (areas[0][:, None] + areas[1][None] - overlap).clamp(min=1e-9)


def complete_iou(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Complete IoU and plain IoU of matched boxes (n, 4): overlap less the centres' distance and the aspect's error."""
    lower, upper = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    overlap = (upper - lower).clamp(min=0).prod(-1)
    size_a, size_b = (a[:, 2:] - a[:, :2]).clamp(min=1e-6), (b[:, 2:] - b[:, :2]).clamp(min=1e-6)
    iou = overlap / (size_a.prod(-1) + size_b.prod(-1) - overlap)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    distance = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) ** 2).sum(-1) / 4.0
    angle = torch.atan(size_b[:, 0] / size_b[:, 1]) - torch.atan(size_a[:, 0] / size_a[:, 1])
    aspect = 4.0 / torch.pi**2 * angle**2
    weight = (aspect / (1.0 - iou + aspect + 1e-9)).detach()
    return iou - distance / (hull**2).sum(-1).clamp(min=1e-9) - weight * aspect, iou


def detection_loss(
    network: YoloV3 | YoloV3Tiny, outputs: list[torch.Tensor], samples: list[DetectionSample], weights: LossWeights
) -> dict[str, torch.Tensor]:
    """The parts ``box``, ``objectness`` and ``classes``, weighted, and their sum ``total``.

    An object is assigned to the cell that holds its centre, for the anchor that fits its size best and every other one
    whose size IoU exceeds `anchor_iou`. Where a cell's class is one that the image does not mark, its objectness is
    not pushed to 0: the unmarked bone may well be there.
    """
    device = outputs[0].device
    anchors = torch.tensor(network.config.anchors, dtype=torch.float32, device=device)
    parts = {name: torch.zeros((), device=device) for name in ("box", "objectness", "classes")}
    positives = 0
    for raw, stride, indices in zip(outputs, network.strides, network.anchor_indices):
        predicted = decode_scale(raw, anchors[list(indices)], stride)
        target = torch.zeros(raw.shape[:-1], device=device)
        weight = torch.ones(raw.shape[:-1], device=device)
        matched, wanted, classes = [], [], []
        for number, sample in enumerate(samples):
            with torch.no_grad():
                probabilities = raw[number, ..., 5:].sigmoid()
                unmarked = (probabilities * ~sample.marked).amax(-1)
                known = (probabilities * sample.marked).amax(-1)
                weight[number] = torch.where(unmarked > known, 0.0, 1.0)
                if not len(sample.boxes):
                    continue
                overlap = pairwise_iou(predicted[number].reshape(-1, 4), sample.boxes).amax(1)
                weight[number][overlap.view(weight[number].shape) > weights.ignore_iou] = 0.0
            sizes = sample.boxes[:, 2:] - sample.boxes[:, :2]
            centred = torch.cat([-anchors, anchors], 1), torch.cat([-sizes, sizes], 1)
            fit = pairwise_iou(*(boxes / 2.0 for boxes in centred))
            chosen = (fit > weights.anchor_iou) | (fit == fit.amax(0, keepdim=True))
            for local, anchor in enumerate(indices):
                for item in torch.nonzero(chosen[anchor]).flatten().tolist():
                    centre = (sample.boxes[item, :2] + sample.boxes[item, 2:]) / (2.0 * stride)
                    column, row = (int(value) for value in centre.clamp(0, raw.shape[3] - 1))
                    matched.append((number, local, row, column))
                    wanted.append(sample.boxes[item])
                    classes.append(int(sample.labels[item]))
        if matched:
            where = tuple(torch.tensor(matched, device=device).T)
            overlap, plain = complete_iou(predicted[where], torch.stack(wanted))
            parts["box"] = parts["box"] + (1.0 - overlap).sum()
            one_hot = functional.one_hot(torch.tensor(classes, device=device), raw.shape[-1] - 5).float()
            loss = functional.binary_cross_entropy_with_logits(raw[where][:, 5:], one_hot, reduction="none")
            # all classes count, marked or not: what is marked as one class is known not to be another
            parts["classes"] = parts["classes"] + loss.sum()
            positives += len(matched)
            weight[where], target[where] = 1.0, 1.0
        loss = functional.binary_cross_entropy_with_logits(raw[..., 4], target, reduction="none")
        parts["objectness"] = parts["objectness"] + (loss * weight).sum()
    scale = 1.0 / max(positives, 1)
    parts = {name: getattr(weights, name) * value * scale for name, value in parts.items()}
    parts["total"] = sum(parts.values())
    return parts
