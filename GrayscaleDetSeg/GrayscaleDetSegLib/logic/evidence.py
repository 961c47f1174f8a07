"""What was measured of a model's classes, from the figures in its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.weights import MANIFEST

FEWEST = 10
"""Objects on clinical films from which these figures count and those of the sets that were trained with do not."""
ENOUGH = 0.8
"""Share of the measured objects of a class that a model has to find to count as working on it."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of a model's classes.

    Parameters
    ----------
    works, misses, unmeasured : tuple of str
        The classes of which the model finds at least the share `ENOUGH` of the objects; those of which it finds fewer;
        and those that were not measured. All in the model's order.
    figures : dict of str to (int, float)
        For each measured class the number of objects and the share of them that is found, 0..1.
    """

    works: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    figures: dict[str, tuple[int, float]] = field(default_factory=dict)


def evidence_of(folder: Path, classes: Sequence[str]) -> Evidence:
    """Read the figures in the manifest of a bundle; if it contains no usable ones, all classes are unmeasured.

    Figures on clinical films that were not trained on have priority over those on the validation parts of the training
    sets. They may name a class without its side.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        validation = [(row["class"], int(row["n"]), float(row["recall"])) for row in manifest.get("validation", [])]
        figures = _summed((label, number, number * recall) for label, number, recall in validation)
        told = manifest.get("clinical", [])
        clinical = _summed((row["class"], int(row["wanted"]), int(row["found"])) for row in told)
    except (AttributeError, KeyError, OSError, TypeError, ValueError):  # a manifest of somebody else's
        figures = clinical = {}
    for label in classes:
        seen = clinical.get(label, clinical.get(label.removeprefix("right ").removeprefix("left ")))
        if seen is not None and seen[0] >= FEWEST:
            figures[label] = seen
    measured = [label for label in classes if label in figures]
    return Evidence(
        tuple(label for label in measured if figures[label][1] >= ENOUGH),
        tuple(label for label in measured if figures[label][1] < ENOUGH),
        tuple(label for label in classes if label not in figures),
        {label: figures[label] for label in measured},
    )


def _summed(rows: Iterable[tuple[str, int, float]]) -> dict[str, tuple[int, float]]:
    """From (class, objects, found): for each class the number of objects, and the share that is found."""
    sums: dict[str, tuple[int, float]] = {}
    for label, count, share in rows:
        number, found = sums.get(label, (0, 0.0))
        sums[label] = (number + count, found + share)
    return {label: (number, found / number) for label, (number, found) in sums.items() if number > 0}
