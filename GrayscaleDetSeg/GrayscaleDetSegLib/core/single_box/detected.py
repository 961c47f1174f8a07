"""What the 3D detector finds, apart from it: who handles results needs no network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectedBox:
    """The proposal and the refined box (x0, y0, g0, x1, y1, g1) in px and gray levels, and the proposal's score."""

    proposal: tuple[float, ...]
    box: tuple[float, ...]
    score: float
