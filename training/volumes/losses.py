"""The article's loss: one minus the soft Dice coefficient."""

from __future__ import annotations

import torch


def dsc_loss(likely: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - 2 sum(p y) / (sum(p) + sum(y)) of all that is given together.

    Parameters
    ----------
    likely : Tensor
        Probabilities, 0..1.
    truth : Tensor
        0 or 1, the same shape.
    """
    total = likely.sum() + truth.sum()
    return 1.0 - 2.0 * (likely * truth).sum() / total.clamp_min(1e-6)


def round_weights(rounds: int) -> list[float]:
    """The weights of the coarse stage and of each round: 2 l0 = l1 = ... = 2 / (2 T + 1); they add up to 1."""
    return [1.0 / (2 * rounds + 1)] + [2.0 / (2 * rounds + 1)] * rounds
