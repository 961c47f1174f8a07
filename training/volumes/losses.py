"""The article's loss, one minus the soft Dice coefficient, and one that adds the cross entropy."""

from __future__ import annotations

import torch

KINDS = ("dsc", "dsc+ce")
"""The article's, of each slice by itself; and the coefficient of a batch with the cross entropy of its pixels."""


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


def slices_loss(likely: torch.Tensor, truth: torch.Tensor, kind: str = "dsc") -> torch.Tensor:
    """The loss of slices with their neighbours.

    Parameters
    ----------
    likely, truth : Tensor, (n, labels, slices, rows, columns)
    kind : str
        One of `KINDS`.
    """
    labels = truth.shape[1]
    if kind == "dsc":
        each = [dsc_loss(one[label], true[label]) for one, true in zip(likely, truth) for label in range(labels)]
        return torch.stack(each).mean()
    overlap = torch.stack([dsc_loss(likely[:, label], truth[:, label]) for label in range(labels)]).mean()
    nothing, empty = 1.0 - likely.sum(1), 1.0 - truth.sum(1)
    entropy = (truth * likely.clamp_min(1e-4).log()).sum(1) + empty * nothing.clamp_min(1e-4).log()
    return overlap - entropy.mean()


def round_weights(rounds: int) -> list[float]:
    """The weights of the coarse stage and of each round: 2 l0 = l1 = ... = 2 / (2 T + 1); they add up to 1."""
    return [1.0 / (2 * rounds + 1)] + [2.0 / (2 * rounds + 1)] * rounds
