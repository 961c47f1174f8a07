"""Building blocks shared by all YOLOv3 variants; they register their parameters in Darknet's file order."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class ConvolutionBlock(nn.Module):
    """Convolution without bias, batch norm, leaky ReLU with slope 0.1: Darknet's ``[convolutional]`` section."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-5, momentum=0.03)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.leaky_relu(self.norm(self.convolution(features)), 0.1, inplace=True)


class ResidualBlock(nn.Module):
    """A 1 x 1 convolution to half the channels, a 3 x 3 convolution back, and the input added (``[shortcut]``)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = ConvolutionBlock(channels, channels // 2, 1)
        self.expand = ConvolutionBlock(channels // 2, channels, 3)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.expand(self.squeeze(features))


class PoolSameSize(nn.Module):
    """2 x 2 max pooling with stride 1 that keeps the size: Darknet pads right and bottom with minus infinity."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(functional.pad(features, (0, 1, 0, 1), value=float("-inf")), 2, 1)


class OutputLayer(nn.Conv2d):
    """The 1 x 1 convolution, with bias and without norm, that ends a scale: anchors x (4 + 1 + classes) channels."""

    def __init__(self, inputs: int, anchors: int, classes: int) -> None:
        super().__init__(inputs, anchors * (5 + classes), 1)
        self.anchors, self.classes = anchors, classes
        with torch.no_grad():  # objects are rare among cells: start from a low objectness, so that training is calm
            self.bias.view(anchors, -1)[:, 4] = -4.0

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, anchors, rows, columns, 5 + classes): x, y, w, h, objectness, classes, all before activation."""
        raw = super().forward(features)
        batch, _, rows, columns = raw.shape
        return raw.view(batch, self.anchors, 5 + self.classes, rows, columns).permute(0, 1, 3, 4, 2)


def upsample(features: torch.Tensor) -> torch.Tensor:
    """Twice the size by repetition."""
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")
