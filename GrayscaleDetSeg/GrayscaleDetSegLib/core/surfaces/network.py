"""The network of the threshold surfaces in PyTorch, see ``description``, and what its training needs beside it."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..layers.torch_parts import TorchPart
from ..single_box.pointnet import SharedLayers  # noqa: F401 (it registers what the pillars are made of)
from . import description
from .description import SurfaceConfig

__all__ = ["SurfaceConfig", "SurfaceNetwork", "soft_interval", "surfaces_at"]


class SurfaceNetwork(TorchPart, describes=description.SurfaceNetwork):
    """See ``description``."""

    def begin(self) -> None:
        """At the start every interval holds something."""
        self.head.weight.zero_()
        self.head.bias.view(-1, 2).copy_(torch.tensor([-0.1, 0.1] if self.config.relative else [0.2, 0.8]))


def surfaces_at(field: torch.Tensor, side: int) -> torch.Tensor:
    """Bottom and top (batch, 2, side, side) in the middles of a side x side raster over the ROI, by interpolation.

    Parameters
    ----------
    field : tensor (batch, 2, cells, cells)
        At the middles of the cells; outside of the outermost middles it goes on unchanged.
    """
    return functional.interpolate(field, (side, side), mode="bilinear", align_corners=False)


def soft_interval(gray: torch.Tensor, low: torch.Tensor, high: torch.Tensor, softness: float) -> torch.Tensor:
    """How far gray levels lie inside their interval, in units of `softness`: min((g - low) / s, (high - g) / s).

    Positive inside, negative outside; the logits of the training's loss.
    """
    return torch.minimum(gray - low, high - gray) / softness
