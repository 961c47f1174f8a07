"""Sets of images with label maps: ``images/NAME.png``, ``labels/NAME.png``, ``labels.json``, ``split.csv``.

Images may be in any format that is read here and keep their depth; label maps hold one whole number a pixel. With a
``split.csv``, what it does not list is not used; without one, all is for training.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .data import KNOWN_INVERTED, SPLITS, Case, Problem
from .images import FAULTS, LABEL_MAPS, by_stem, read_label_map, read_pixels, sentence
from .splits import TABLE, Row, read_table

LABELS = "labels.json"


def is_folder_set(folder: Path) -> bool:
    """Whether a folder is of this form."""
    return (folder / LABELS).is_file()


def read_labels(folder: Path) -> dict[str, int]:
    """Label name -> value of ``labels.json``; ValueError, as the rest of a sentence, if it is not that."""
    try:
        labels = json.loads((folder / LABELS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read ({error}).") from error
    if not isinstance(labels, dict) or not all(type(value) is int and 0 < value < 256 for value in labels.values()):
        raise ValueError('must give every label a value from 1 to 255, like {"femur": 1, "tibia": 2}.')
    if len(set(labels.values())) < len(labels):
        raise ValueError("gives one value to two labels; give each its own.")
    return labels


def read_folders(folder: Path, split: str | None = None) -> tuple[list[Case], list[Problem]]:
    """The cases that can be used (of one `split`, or of both), and what is wrong."""
    try:
        labels = read_labels(folder)
    except ValueError as error:
        return [], [Problem(folder.name, LABELS, str(error))]
    images, masks = by_stem(folder / "images"), by_stem(folder / "labels", LABEL_MAPS)
    table, problems = read_table(folder)
    rows = dict.fromkeys(sorted({*images, *masks}), Row()) if table is None else table

    def wrong(name: str, text: str, severity: str = "error") -> None:
        problems.append(Problem(folder.name, name, text, severity))

    for name in sorted({*images, *masks} - set(rows)):
        wrong(name, f"is not in {TABLE}; not used.", "warning")
    cases = []
    for name, row in rows.items():
        chosen = row.split or "train"
        if chosen not in SPLITS or split not in (None, chosen):
            continue
        if name not in images:
            has = "there is a label map but no image" if name in masks else f"is in {TABLE}, but there is no image"
            wrong(name, f"{has} images/{name}.png (or another format).")
        elif name not in masks:
            # what a table lists is meant to be used; beside the others, an image may still be waiting for its labels
            is_listed = table is not None
            wrong(name, f"an image without label map labels/{name}.png; not used.", "error" if is_listed else "warning")
        else:
            try:
                cases.append(_read(folder, name, chosen, row, images[name][0], masks[name][0], labels))
            except ValueError as error:
                wrong(name, str(error))
    return cases, problems


def _read(folder: Path, name: str, split: str, row: Row, image: Path, mask: Path, labels: dict[str, int]) -> Case:
    path = image
    try:
        pixels = read_pixels(image, "as-is" if row.polarity else "auto")
        path = mask
        label_map = read_label_map(mask)
    except FAULTS as error:
        raise ValueError(sentence(error, path)) from error
    if pixels.shape != label_map.shape:
        sizes = (f"{shape[1]} x {shape[0]}" for shape in (pixels.shape, label_map.shape))
        raise ValueError("sizes differ: the image has {} pixels, its label map {}.".format(*sizes))
    unnamed = sorted(set(np.unique(label_map).tolist()) - {0, *labels.values()})
    if unnamed:
        shown = ", ".join(map(str, unnamed[:5])) + (" and others" if len(unnamed) > 5 else "")
        raise ValueError(f"the label map has pixels of the value {shown}, which {LABELS} does not name.")
    inverted = row.polarity == "inverted" or (folder.name, name) in KNOWN_INVERTED
    return Case(folder.name, name, split, pixels, label_map.astype(np.uint8), labels, inverted, row.patient)
