"""PointNet in PyTorch; ``description`` says what it is."""

from __future__ import annotations

import torch

from ..layers.torch_parts import TorchPart
from . import description
from .description import PointNetConfig, bin_index, pool_bins

__all__ = ["PointNet", "PointNetConfig", "SharedLayers", "TransformNet", "bin_index", "orthogonality_loss", "pool_bins"]


class SharedLayers(TorchPart, describes=description.SharedLayers):
    """See ``description``."""


class TransformNet(TorchPart, describes=description.TransformNet):
    """See ``description``."""

    def begin(self) -> None:
        """The identity at the start."""
        self.output.weight.zero_()
        self.output.bias.zero_()


class PointNet(TorchPart, describes=description.PointNet):
    """See ``description``."""


def orthogonality_loss(transform: torch.Tensor) -> torch.Tensor:
    """Mean of ||I - A A^T||^2 over a batch of transforms (batch, size, size): keeps the feature T-Net a rotation."""
    identity = torch.eye(transform.shape[1], device=transform.device)
    return ((transform @ transform.transpose(1, 2) - identity) ** 2).sum(dim=(1, 2)).mean()
