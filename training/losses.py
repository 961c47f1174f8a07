"""Parts of the losses of the 3D detector and of the surfaces; the 2D detector's loss is in ``detection_loss``."""

from __future__ import annotations

import torch
from torch.nn import functional


def orthogonality_loss(transform: torch.Tensor) -> torch.Tensor:
    """Mean of ||I - A A^T||^2 over a batch of transforms (batch, size, size): keeps the feature T-Net a rotation."""
    identity = torch.eye(transform.shape[1], device=transform.device)
    return ((transform @ transform.transpose(1, 2) - identity) ** 2).sum(dim=(1, 2)).mean()


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
