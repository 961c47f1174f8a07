"""PointNet in PyTorch; ``description`` says what it is."""

from __future__ import annotations

from ..layers.torch_parts import TorchPart
from . import description
from .description import PointNetConfig, bin_index, pool_bins

__all__ = ["PointNet", "PointNetConfig", "SharedLayers", "TransformNet", "bin_index", "pool_bins"]


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
