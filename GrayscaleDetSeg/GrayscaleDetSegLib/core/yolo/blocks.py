"""Building blocks shared by all YOLOv3 variants, in PyTorch; ``description`` says what they do."""

from __future__ import annotations

import torch
from torch import nn

from ..layers import torch_operations
from ..layers.torch_parts import TorchPart, mirrors
from . import description


class ConvolutionBlock(TorchPart, describes=description.ConvolutionBlock):
    """See ``description``."""


class ResidualBlock(TorchPart, describes=description.ResidualBlock):
    """See ``description``."""


class PoolSameSize(TorchPart, describes=description.PoolSameSize):
    """See ``description``."""


@mirrors(description.OutputLayer)
class OutputLayer(nn.Conv2d):
    """See ``description``."""

    def __init__(self, inputs: int, anchors: int, classes: int) -> None:
        super().__init__(inputs, anchors * (5 + classes), 1)
        self.anchors, self.classes = anchors, classes
        with torch.no_grad():  # objects are rare among cells: start from a low objectness, so that training is calm
            assert self.bias is not None
            self.bias.view(anchors, -1)[:, 4] = -4.0

    @classmethod
    def of(cls, part: description.OutputLayer) -> OutputLayer:
        """The layer that a description describes."""
        return cls(part.inputs, part.anchors, part.classes)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, anchors, rows, columns, 5 + classes), see ``description.by_anchor``; all before activation."""
        return description.by_anchor(super().forward(features), self.anchors, torch_operations)


def upsample(features: torch.Tensor) -> torch.Tensor:
    """Twice the size by repetition."""
    return torch_operations.enlarged(features, 2)
