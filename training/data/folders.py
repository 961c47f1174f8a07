"""Sets of images with label maps: ``images/NAME.png``, ``labels/NAME.png``, ``labels.json``, ``split.csv``.

Images may be in any format that is read here and keep their depth; label maps hold one whole number a pixel. With a
``split.csv``, what it does not list is not used; without one, all is for training.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from .images import FAULTS, LABEL_MAPS, by_stem, read_label_map, read_pixels, sentence
from .labelled import KNOWN_INVERTED, SPLITS, Case, Problem
from .split_table import TABLE, Row, read_table
from .stored import Known, stored_case

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


def scan_folders(folder: Path, split: str | None = None, known: Known | None = None) -> Iterator[Case | Problem]:
    """The cases that can be used (of one `split`, or of both), and what is wrong; see ``data.scan_set``."""

    def wrong(name: str, text: str, severity: str = "error") -> Problem:
        return Problem(folder.name, name, text, severity)

    try:
        labels = read_labels(folder)
    except ValueError as error:
        yield wrong(LABELS, str(error))
        return
    images, masks = by_stem(folder / "images"), by_stem(folder / "labels", LABEL_MAPS)
    table, problems = read_table(folder)
    yield from problems
    rows = dict.fromkeys(sorted({*images, *masks}), Row()) if table is None else table
    for name in sorted({*images, *masks} - set(rows)):
        yield wrong(name, f"is not in {TABLE}; not used.", "warning")
    for name, row in rows.items():
        chosen = row.split or "train"
        if chosen not in SPLITS or split not in (None, chosen):
            continue
        if name not in images:
            has = "there is a label map but no image" if name in masks else f"is in {TABLE}, but there is no image"
            yield wrong(name, f"{has} images/{name}.png (or another format).")
        elif name not in masks:
            # what a table lists is meant to be used; beside the others, an image may still be waiting for its labels
            is_listed = table is not None
            text = f"an image without label map labels/{name}.png; not used."
            yield wrong(name, text, "error" if is_listed else "warning")
        else:
            files = images[name][0], masks[name][0]
            try:
                yield stored_case(partial(_read, folder, name, chosen, row, *files, labels), files, known)[0]
            except ValueError as error:
                yield wrong(name, str(error))


def _read(
    folder: Path, name: str, split: str, row: Row, image: Path, mask: Path, labels: dict[str, int]
) -> tuple[Case, list[str]]:
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
    # counting is several times as fast as sorting, which np.unique does
    values = np.bincount(label_map.ravel()).nonzero()[0] if label_map.dtype == np.uint8 else np.unique(label_map)
    unnamed = sorted(set(values.tolist()) - {0, *labels.values()})
    if unnamed:
        shown = ", ".join(map(str, unnamed[:5])) + (" and others" if len(unnamed) > 5 else "")
        raise ValueError(f"the label map has pixels of the value {shown}, which {LABELS} does not name.")
    inverted = row.polarity == "inverted" or (folder.name, name) in KNOWN_INVERTED
    return Case(folder.name, name, split, pixels, label_map.astype(np.uint8), labels, inverted, row.patient), []
