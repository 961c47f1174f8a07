"""What the tests of training data share: small sets of images with labels, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

SHAPE = (60, 48)


def picture(seed: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A picture unlike any other, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def square(row: int = 10, column: int = 8, size: int = 20, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A mask with one square."""
    mask = np.zeros(shape, bool)
    mask[row : row + size, column : column + size] = True
    return mask


def write_folder_set(folder: Path, names: dict[str, str], labels: dict[str, int] | None = None) -> Path:
    """Images with a square of value 1 each: name -> split."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number, name in enumerate(names):
        Image.fromarray(picture(number)).save(folder / "images" / f"{name}.png")
        Image.fromarray(square().astype(np.uint8)).save(folder / "labels" / f"{name}.png")
    (folder / "labels.json").write_text(json.dumps(labels or {"femur": 1}))
    write_table(folder, [f"{name},{split}" for name, split in names.items()])
    return folder


def write_table(folder: Path, lines: list[str], head: str = "name,split") -> None:
    (folder / "split.csv").write_text("\n".join([head, *lines]) + "\n")
