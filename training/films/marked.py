"""Val cases of every set with a card, their objects under the names of the classes, for ``evaluate`` and ``views``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..data.labelled import Case, side_by_side
from ..data.objects import ObjectsCase
from .knowledge import CARDS
from .real import ALONE, LEAST_PART


def marked_objects(case: Case, folder: Path) -> list[tuple[str, np.ndarray]]:
    """(class, mask) of every object of a case whose set lies in `folder` and has a card; masks in full size."""
    card = CARDS[case.set_name]
    instances = folder / "instances" / f"{case.name}.png"
    if instances.exists():
        numbers, label = np.asarray(Image.open(instances)), next(iter(card.marks.values()))
        return [(label, numbers == value) for value in np.unique(numbers) if value]
    objects = []
    for name, value in case.labels.items():
        mask = case.label_map == value
        if name in card.marks and mask.any():
            label = card.marks[name]
            parts = [mask] if card.touching or label in ALONE else side_by_side(mask, least=LEAST_PART)
            objects += [(label, part) for part in parts]
    return objects


def marked(case: Case, folder: Path) -> Case:
    """The case with the classes of its set's card; a set without one stays as it is."""
    if case.set_name not in CARDS:
        return case
    objects = marked_objects(case, folder)
    return ObjectsCase.of(case.set_name, case.name, case.split, case.pixels, objects, (), case.inverted, case.patient)
