"""The article's piecewise schedule: a run is a list of stages, each with its own learning rate and freeze rule."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage.

    Parameters
    ----------
    trainable : str
        ``"all"``, or the part that alone learns: ``"output"`` (2D detector: the output layers, the last 3 of
        Darknet-53), ``"head"`` (PointNet: the last fully connected layers).
    learning_rate : float
        Adam's, at the start of the stage.
    epochs : int
    decay : str
        ``"constant"`` as in the article, or ``"cosine"``, with a short warm-up, to a hundredth.
    """

    trainable: str
    learning_rate: float
    epochs: int
    decay: str = "constant"

    def rate(self, position: float) -> float:
        """The learning rate at a position (0..1) in the stage."""
        if self.decay == "constant":
            return self.learning_rate
        warm_up = min(1.0, (position + 1e-3) / 0.02)
        return self.learning_rate * warm_up * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * position)))


def stage_rate(stages: list[Stage], step: int, steps_per_epoch: int) -> tuple[Stage, float]:
    """The stage that a step of the whole run belongs to, and its learning rate there."""
    for stage in stages:
        length = stage.epochs * steps_per_epoch
        if step < length:
            return stage, stage.rate(step / length)
        step -= length
    return stages[-1], stages[-1].rate(1.0)
