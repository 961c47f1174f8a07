"""The loss of the 2D detector: YOLOv3's three parts, for partly labelled images.

Objectness and classes are YOLOv3's binary cross-entropies. Boxes use the complete-IoU loss (Zheng et al. 2020)
instead of squared errors on t, because what counts afterwards is the overlap of the ROI.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.yolo.decode import decode_scale

from .detection_sample import DetectionSample, is_weak
from .films.outlined import IGNORE
from .networks import Yolo

SAME_PLACE = 0.65
"""IoU from which the boxes of two objects are one place."""
DOUBT = 0.5
"""Share of its best marked class from which the best unmarked one makes a prediction right to stay."""
IGNORED_IOU = 0.3
"""IoU with what is cut off too much to be asked for from which nothing is held against a prediction."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the parts, and the two thresholds of YOLOv3's assignment; `masks` is for samples that have them."""

    box: float = 2.0
    objectness: float = 1.0
    classes: float = 0.5
    masks: float = 0.0
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
    network: Yolo, outputs: list[torch.Tensor], samples: list[DetectionSample], weights: LossWeights
) -> dict[str, torch.Tensor]:
    """The parts ``box``, ``objectness`` and ``classes``, weighted, and their sum ``total``.

    An object is assigned to the cell that holds its centre, for the anchor that fits its size best and every other one
    whose size IoU exceeds `anchor_iou`. Where a cell's class is one that the image does not mark, its objectness is
    not pushed to 0: the unmarked bone may well be there; nor is it on a sample's ignored boxes and places. Objects
    that lie in the same place (radius and ulna from the side) share a cell: then all of their classes are right there.
    """
    device = outputs[0].device
    anchors = torch.tensor(network.config.anchors, dtype=torch.float32, device=device)
    parts = {name: torch.zeros((), device=device) for name in ("box", "objectness", "classes")}
    chosen = [_chosen_anchors(sample, anchors, weights.anchor_iou) for sample in samples]
    together = [_classes_in_place(sample, outputs[0].shape[-1] - 5) for sample in samples]
    positives = 0
    for raw, stride, indices in zip(outputs, network.strides, network.anchor_indices):
        predicted = decode_scale(raw, anchors[list(indices)], stride)
        target = torch.zeros(raw.shape[:-1], device=device)
        weight = _objectness_weight(raw, predicted, samples, weights.ignore_iou)
        where, wanted, classes = [], [], []
        for number, (sample, fits) in enumerate(zip(samples, chosen)):
            local, items = torch.nonzero(fits[list(indices)], as_tuple=True)
            if not len(items):
                continue
            centres = (sample.boxes[items, :2] + sample.boxes[items, 2:]) / (2.0 * stride)
            column = centres[:, 0].long().clamp(0, raw.shape[3] - 1)
            row = centres[:, 1].long().clamp(0, raw.shape[2] - 1)
            where.append(torch.stack([torch.full_like(local, number), local, row, column]))
            wanted.append(sample.boxes[items])
            classes.append(together[number][items])
        if where:
            cells = tuple(torch.cat(where, 1))
            overlap, _ = complete_iou(predicted[cells], torch.cat(wanted))
            parts["box"] = parts["box"] + (1.0 - overlap).sum()
            # all classes count, marked or not: what is marked as one class is known not to be another
            loss = functional.binary_cross_entropy_with_logits(raw[cells][:, 5:], torch.cat(classes), reduction="sum")
            parts["classes"] = parts["classes"] + loss
            positives += len(cells[0])
            weight[cells], target[cells] = 1.0, 1.0
        loss = functional.binary_cross_entropy_with_logits(raw[..., 4], target, reduction="none")
        parts["objectness"] = parts["objectness"] + (loss * weight).sum()
        parts["classes"] = parts["classes"] + _absent_classes(raw, samples)
    scale = 1.0 / max(positives, 1)
    parts = {name: getattr(weights, name) * value * scale for name, value in parts.items()}
    parts["total"] = sum(parts.values())
    return parts


@torch.no_grad()
def _chosen_anchors(sample: DetectionSample, anchors: torch.Tensor, least: float) -> torch.Tensor:
    """Which anchors answer for which boxes: bool (anchors, n)."""
    sizes = sample.boxes[:, 2:] - sample.boxes[:, :2]
    centred = torch.cat([-anchors, anchors], 1), torch.cat([-sizes, sizes], 1)
    fit = pairwise_iou(*(boxes / 2.0 for boxes in centred))
    return (fit > least) | (fit == fit.amax(0, keepdim=True))


@torch.no_grad()
def _classes_in_place(sample: DetectionSample, count: int) -> torch.Tensor:
    """For every box 1 for its own class and for those of boxes in the same place: (n, classes), float32."""
    one_hot = functional.one_hot(sample.labels, count).float()
    if len(sample.boxes) < 2:
        return one_hot
    return ((pairwise_iou(sample.boxes, sample.boxes) > SAME_PLACE).float() @ one_hot).clamp(max=1.0)


def _absent_classes(raw: torch.Tensor, samples: list[DetectionSample]) -> torch.Tensor:
    """What weak samples teach: where something is seen, it is none of the classes that cannot be there."""
    total = raw.new_zeros(())
    for number, sample in enumerate(samples):
        if is_weak(sample.labels, sample.marked):
            seen = raw[number, ..., 4:5].detach().sigmoid()
            total = total + (seen * functional.softplus(raw[number, ..., 5:][..., sample.marked])).sum()
    return total


@torch.no_grad()
def _objectness_weight(
    raw: torch.Tensor, predicted: torch.Tensor, samples: list[DetectionSample], ignore: float
) -> torch.Tensor:
    """0 where a sample cannot tell that there is nothing, else 1: (batch, anchors, rows, columns)."""
    marked = torch.stack([sample.marked for sample in samples])[:, None, None, None]
    probabilities = raw[..., 5:].sigmoid()
    weight = ((probabilities * ~marked).amax(-1) <= DOUBT * (probabilities * marked).amax(-1)).float()
    for number, sample in enumerate(samples):
        if is_weak(sample.labels, sample.marked):
            weight[number] = 0.0
        found = predicted[number].reshape(-1, 4)
        for boxes, limit in ((sample.boxes, ignore), (sample.ignored_boxes, IGNORED_IOU)):
            if boxes is not None and len(boxes):
                overlap = pairwise_iou(found, boxes).amax(1)
                weight[number][overlap.view(weight[number].shape) > limit] = 0.0
        if sample.masks is not None:
            ignored = (sample.masks >> IGNORE & 1).float()[None, None]
            weight[number][:, functional.adaptive_avg_pool2d(ignored, weight.shape[-2:])[0, 0] >= 0.5] = 0.0
    return weight
