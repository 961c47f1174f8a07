"""What the 2D detector finds in a radiograph."""

from __future__ import annotations

from dataclasses import dataclass

from .orientation import Orientation
from .result import Candidate


@dataclass(frozen=True)
class Regions:
    """The outcome of the 2D stage: what passed, the best of all, and the view it was found in."""

    found: tuple[Candidate, ...]
    best: Candidate | None
    orientation: Orientation
