"""Writing sets of simulated radiographs in the form in which the project keeps its training data."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import write_aside
from .anatomies import ANATOMIES, default_size
from .simulation import simulate


def png(image: np.ndarray) -> bytes:
    """A PNG file of a uint8 image (rows, columns)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def label_values(anatomies: Sequence[str]) -> dict[str, int]:
    """The values of all labels of several anatomies together: counted from 1 in the order in which they appear."""
    names = dict.fromkeys(name for anatomy in anatomies for name in ANATOMIES[anatomy].labels)
    return {name: value for value, name in enumerate(names, start=1)}


def write_set(
    directory: Path,
    anatomies: Sequence[str],
    count: int,
    size: int = 512,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> int:
    """Write `count` radiographs of each anatomy; returns how many there are in all.

    Makes images/NAME.png (8 bit, bone bright), labels/NAME.png (values of the labels), labels.json (label name to
    value) and split.csv (name, train or val; every fifth image is for validation). The last two come last: a folder
    with a split.csv is complete.

    Parameters
    ----------
    size : int
        Longest side in px of most anatomies (see :func:`simulation.default_size`).
    seed : int
        Image i has the seed `seed` + i.
    report : callable, optional
        Called with (images done, images in all) now and then.
    """
    for name in ("images", "labels"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    values, rows, total = label_values(anatomies), ["name,split"], count * len(anatomies)
    for anatomy in anatomies:
        for i in range(count):
            simulation = simulate(anatomy, seed + i, default_size(anatomy, size))
            name = f"{anatomy}_{seed + i:06d}"
            table = np.zeros(256, np.uint8)
            for label, value in simulation.labels.items():
                table[value] = values[label]
            write_aside(directory / "images" / f"{name}.png", png(simulation.gray8()))
            write_aside(directory / "labels" / f"{name}.png", png(table[simulation.label_map]))
            rows.append(f"{name},{'val' if i % 5 == 4 else 'train'}")
            if report is not None and (len(rows) % 50 == 0 or len(rows) == total + 1):
                report(len(rows) - 1, total)
    write_aside(directory / "labels.json", (json.dumps(values, indent=1) + "\n").encode())
    write_aside(directory / "split.csv", ("\n".join(rows) + "\n").encode())
    return total
