"""The losses of L-SNet: focal loss with Dice for heat maps and masks, DIoU for boxes (the article's eq. 5 and 6)."""

from __future__ import annotations

import torch
from torch.nn import functional

from .targets import LOCATED

DICE, LAMBDA, FOCUS = 0.2, 0.5, 2.0
"""The article's weights of Dice and of boxes, and the exponent of the focal loss (Lin et al. 2017)."""


def focal(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """|y - p|^2 times the cross-entropy, for each element.

    That is the focal loss where the truth is 0 or 1; between them, as in heat maps, it is 0 where p = y.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (truth - logits.sigmoid()).abs() ** FOCUS * entropy


def dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - 2 sum(p y) / (sum(p^2) + sum(y^2)) of maps (..., rows, columns): 0 where p = y, also between 0 and 1."""
    likely = logits.sigmoid()
    both = (likely * truth).sum((-2, -1))
    total = (likely**2).sum((-2, -1)) + (truth**2).sum((-2, -1))
    return 1.0 - (2.0 * both + 1.0) / (total + 1.0)


def classification(logits: torch.Tensor, truth: torch.Tensor, settled: torch.Tensor) -> torch.Tensor:
    """L_cls: focal loss + 0.2 Dice of maps (n, classes, rows, columns), over the classes settled in (n, classes)."""
    each = focal(logits, truth).mean((-2, -1)) + DICE * dice(logits, truth)
    return (each * settled).sum() / settled.sum().clamp(min=1)


def entropy(logits: torch.Tensor, truth: torch.Tensor, settled: torch.Tensor) -> torch.Tensor:
    """Plain binary cross-entropy in the place of L_cls: what the article's Table 2 puts its loss beside."""
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((-2, -1))
    return (each * settled).sum() / settled.sum().clamp(min=1)


KINDS = {"focal": classification, "entropy": entropy}
"""What L_cls can be."""


def distance_iou(found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """1 - IoU + d^2 / c^2 (Zheng et al. 2020) of boxes that are given by l, r, t, b (n, 4) from a common place.

    d is the distance of their centres, and c the diagonal of the smallest box around both.
    """
    left, right, top, bottom = found.unbind(-1)
    of_left, of_right, of_top, of_bottom = true.unbind(-1)
    wide = (torch.minimum(right, of_right) + torch.minimum(left, of_left)).clamp_min(0.0)
    high = (torch.minimum(bottom, of_bottom) + torch.minimum(top, of_top)).clamp_min(0.0)
    shared = wide * high
    content = (left + right).clamp_min(0.0) * (top + bottom).clamp_min(0.0)
    union = content + (of_left + of_right) * (of_top + of_bottom) - shared
    away = ((right - left - of_right + of_left) / 2.0) ** 2 + ((bottom - top - of_bottom + of_top) / 2.0) ** 2
    # boxes may be inside out: the outermost of all edges count
    across = _around(left, right, of_left, of_right)
    down = _around(top, bottom, of_top, of_bottom)
    return 1.0 - shared / union.clamp_min(1e-9) + away / (across**2 + down**2).clamp_min(1e-9)


def _around(low: torch.Tensor, high: torch.Tensor, of_low: torch.Tensor, of_high: torch.Tensor) -> torch.Tensor:
    first = torch.minimum(torch.minimum(-low, high), -of_low)
    last = torch.maximum(torch.maximum(-low, high), of_high)
    return last - first


def localisation(
    logits: torch.Tensor,
    distances: torch.Tensor,
    heat: torch.Tensor,
    true: torch.Tensor,
    settled: torch.Tensor,
    weight: float = LAMBDA,
    kind: str = "focal",
) -> torch.Tensor:
    """The loss of L-Net, eq. 5: L_cls of the heat maps, and the mean DIoU of all places where K* >= 0.5.

    Parameters
    ----------
    logits, heat : Tensor (n, classes, h, w)
    distances, true : Tensor (n, classes, 4, h, w)
    settled : Tensor of bool (n, classes)
    weight : float
        The article's lambda.
    kind : str
        Of L_cls, one of `KINDS`.
    """
    loss = KINDS[kind](logits, heat, settled)
    located = (heat >= LOCATED) & settled[:, :, None, None]
    if located.any():
        found, wanted = (each.movedim(2, -1)[located] for each in (distances, true))
        loss = loss + weight * distance_iou(found, wanted).mean()
    return loss
