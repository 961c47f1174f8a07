"""From raw network outputs to boxes: ``b_x = (sigmoid(t_x) + c_x) stride``, ``b_w = a_w exp(t_w)`` (YOLOv3)."""

from __future__ import annotations

import torch

from .networks import Yolo

LARGEST_LOG_SCALE = 4.0
"""t_w and t_h are cut off here: exp(4) is 55 anchors wide, more than any image, and keeps exp finite."""


def cell_grid(rows: int, columns: int, device: torch.device) -> torch.Tensor:
    """(rows, columns, 2): the (x, y) index of every cell, float32."""
    y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1).to(torch.float32)


def decode_scale(raw: torch.Tensor, anchors: torch.Tensor, stride: int) -> torch.Tensor:
    """Boxes (batch, anchors, rows, columns, 4) as x0, y0, x1, y1 in px of the input.

    Parameters
    ----------
    raw : tensor (batch, anchors, rows, columns, 5 + classes)
    anchors : tensor (anchors, 2)
        Widths and heights in px of the input.
    stride : int
        px of the input per cell.
    """
    grid = cell_grid(raw.shape[2], raw.shape[3], raw.device)
    centres = (raw[..., 0:2].sigmoid() + grid) * stride
    halves = 0.5 * anchors[:, None, None, :] * raw[..., 2:4].clamp(max=LARGEST_LOG_SCALE).exp()
    return torch.cat([centres - halves, centres + halves], dim=-1)


def decode(network: Yolo, outputs: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """All boxes (batch, n, 4) in px of the input, and their scores (batch, n, classes) = objectness x class, 0..1."""
    anchors = torch.tensor(network.config.anchors, dtype=torch.float32, device=outputs[0].device)
    boxes, scores = [], []
    for raw, stride, indices in zip(outputs, network.strides, network.anchor_indices):
        boxes.append(decode_scale(raw, anchors[list(indices)], stride).flatten(1, 3))
        scores.append((raw[..., 4:5].sigmoid() * raw[..., 5:].sigmoid()).flatten(1, 3))
    return torch.cat(boxes, 1), torch.cat(scores, 1)
