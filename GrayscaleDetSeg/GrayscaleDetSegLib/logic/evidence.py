"""On what a model was shown to work, by the figures that its manifest holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.weights import MANIFEST

ENOUGH = 0.8
"""Share of the measured objects of a class that a model has to find to count as working on it."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of a model's classes.

    Parameters
    ----------
    works, misses, unmeasured : tuple of str
        The classes of which it finds at least `ENOUGH` of the objects, those of which it finds fewer, and those of
        which nothing was measured; in the model's order.
    figures : dict of str to (int, float)
        For each class that was measured the number of objects, and the share of them that is found, 0..1.
    """

    works: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    figures: dict[str, tuple[int, float]] = field(default_factory=dict)


def evidence_of(folder: Path, classes: Sequence[str]) -> Evidence:
    """What the manifest of a bundle says was measured; all classes are unmeasured where it says nothing usable."""
    try:
        rows = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("validation", [])
        sums: dict[str, tuple[int, float]] = {}
        for row in rows:
            number, found = sums.get(row["class"], (0, 0.0))
            count = int(row["n"])
            sums[row["class"]] = (number + count, found + count * float(row["recall"]))
        figures = {label: (number, found / number) for label, (number, found) in sums.items() if number > 0}
    except (AttributeError, KeyError, OSError, TypeError, ValueError):  # a manifest of somebody else's
        figures = {}
    measured = [label for label in classes if label in figures]
    return Evidence(
        tuple(label for label in measured if figures[label][1] >= ENOUGH),
        tuple(label for label in measured if figures[label][1] < ENOUGH),
        tuple(label for label in classes if label not in figures),
        {label: figures[label] for label in measured},
    )
