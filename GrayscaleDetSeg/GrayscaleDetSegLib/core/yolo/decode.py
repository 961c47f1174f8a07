"""From raw network outputs to boxes: ``b_x = (sigmoid(t_x) + c_x) stride``, ``b_w = a_w exp(t_w)`` (YOLOv3)."""

from __future__ import annotations

from typing import Any

from ..layers import operations_of
from .description import Yolo

LARGEST_LOG_SCALE = 4.0
"""t_w and t_h are cut off here: exp(4) is 55 anchors wide, more than any image, and keeps exp finite."""


def decode_scale(raw, anchors, stride: int):
    """Boxes (batch, anchors, rows, columns, 4) as x0, y0, x1, y1 in px of the input.

    Parameters
    ----------
    raw : ndarray or tensor (batch, anchors, rows, columns, 5 + classes)
    anchors : of the same kind (anchors, 2)
        Widths and heights in px of the input.
    stride : int
        px of the input per cell.
    """
    operations = operations_of(raw)
    rows, columns = raw.shape[2:4]
    down, across = operations.counted(rows, anchors)[:, None], operations.counted(columns, anchors)
    x = (operations.sigmoid(raw[..., 0]) + across) * stride
    y = (operations.sigmoid(raw[..., 1]) + down) * stride
    sizes = operations.exponential(operations.at_most(raw[..., 2:4], LARGEST_LOG_SCALE))
    halves = 0.5 * anchors[:, None, None, :] * sizes
    centres = operations.stacked([x, y])
    return operations.joined([centres - halves, centres + halves], -1)


def decode(network: Yolo, outputs: list) -> tuple[Any, Any]:
    """All boxes (batch, n, 4) in px of the input, and their scores (batch, n, classes) = objectness x class, 0..1.

    Parameters
    ----------
    network : Yolo
        Of numpy or PyTorch; only what it says of itself is looked at.
    outputs : list of ndarray or of tensor
        Raw, of each scale.
    """
    operations = operations_of(outputs[0])
    anchors = operations.array(network.config.anchors, outputs[0])
    boxes, scores = [], []
    for raw, stride, indices in zip(outputs, network.strides, network.anchor_indices):
        batch, classes = raw.shape[0], raw.shape[-1] - 5
        boxes.append(decode_scale(raw, anchors[list(indices)], stride).reshape(batch, -1, 4))
        likely = operations.sigmoid(raw[..., 4:])
        scores.append((likely[..., :1] * likely[..., 1:]).reshape(batch, -1, classes))
    return operations.joined(boxes, 1), operations.joined(scores, 1)
