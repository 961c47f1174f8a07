"""The network of the threshold surfaces in PyTorch; ``description`` says what it is."""

from __future__ import annotations

import torch

from ..layers.torch_parts import TorchPart
from ..single_box.pointnet import SharedLayers  # noqa: F401 (it registers what the pillars are made of)
from . import description
from .description import SurfaceConfig

__all__ = ["SurfaceConfig", "SurfaceNetwork"]


class SurfaceNetwork(TorchPart, describes=description.SurfaceNetwork):
    """See ``description``."""

    def begin(self) -> None:
        """At the start every interval holds something."""
        self.head.weight.zero_()
        self.head.bias.view(-1, 2).copy_(torch.tensor([-0.1, 0.1] if self.config.relative else [0.2, 0.8]))
