"""Labelled radiographs from folders of images and label maps, as training and evaluation see them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.radiograph import Radiograph

CLASSES = ("right lung", "left lung", "femur", "tibia", "teeth")

SETS = (
    "montgomery_lungs",
    "shenzhen_lungs",
    "jsrt_lungs",
    "knee_femur",
    "knee_tibia",
    "longleg_femur_tibia",
    "ufba425_teeth",
)

_NOT_IN_CHEST, _NOT_IN_LEGS = ("femur", "tibia", "teeth"), ("right lung", "left lung", "teeth")
_NOT_IN_JAWS = ("right lung", "left lung", "femur", "tibia")
ABSENT = {
    "montgomery_lungs": _NOT_IN_CHEST,
    "shenzhen_lungs": _NOT_IN_CHEST,
    "jsrt_lungs": _NOT_IN_CHEST,
    "knee_femur": _NOT_IN_LEGS,
    "knee_tibia": _NOT_IN_LEGS,
    "longleg_femur_tibia": _NOT_IN_LEGS,
    "ufba425_teeth": _NOT_IN_JAWS,
    "simulated_few_teeth": _NOT_IN_JAWS,
    "simulated_others": CLASSES,
}
"""Classes that the images of a set cannot show: there the detector may learn that they are absent. A class that is
neither here nor among a set's labels may show unmarked (the tibia in knee_femur) and stays out of its loss."""

# By the data's own README: bone is dark in these. They train the right way round, and are evaluated as they are.
KNOWN_INVERTED = {("knee_femur", "3"), ("knee_femur", "73"), ("knee_tibia", "50"), ("knee_tibia", "92")}

SEPARABLE = ("femur", "tibia")
"""Classes of which an image can show two objects, side by side (both legs)."""


@dataclass(frozen=True)
class Case:
    """One labelled radiograph.

    Parameters
    ----------
    set_name, name, split : str
        `split` is "train" or "val".
    pixels : ndarray of uint8, shape (rows, columns)
        As in the file. Of any depth, and bone bright, where the case was saved in Slicer.
    label_map : ndarray of uint8, same shape
    labels : dict of str to int
        Class name to its value in the label map. Classes that are not in here are not marked, though they may show.
    inverted : bool
        Whether bone is dark in the file.
    """

    set_name: str
    name: str
    split: str
    pixels: np.ndarray
    label_map: np.ndarray
    labels: dict[str, int]
    inverted: bool = False

    def radiograph(self) -> Radiograph:
        """Bone-bright radiograph, whatever the file's polarity."""
        return Radiograph.from_array(255 - self.pixels if self.inverted else self.pixels)

    def is_settled(self, label: str) -> bool:
        """Whether the label map tells where a class is and where it is not: it is marked, or cannot be there."""
        return label in self.labels or label in ABSENT.get(self.set_name, ())

    def objects(self) -> list[tuple[str, np.ndarray]]:
        """(label, mask) of every object; two legs side by side are two objects."""
        found = []
        for label, value in self.labels.items():
            mask = self.label_map == value
            if mask.any():
                found += [(label, part) for part in (side_by_side(mask) if label in SEPARABLE else [mask])]
        return found


def side_by_side(mask: np.ndarray, share: float = 0.2) -> list[np.ndarray]:
    """The mask's large parts if they lie side by side (no column in common), otherwise the mask as a whole."""
    parts, count = ndimage.label(mask)
    if count < 2:
        return [mask]
    sizes = np.bincount(parts.ravel())[1:]
    large = np.flatnonzero(sizes >= share * sizes.max()) + 1
    extents = sorted((boxes.of_mask(parts == part)[[0, 2]].tolist(), part) for part in large)
    if len(large) < 2 or any(left[0][1] > right[0][0] for left, right in zip(extents, extents[1:])):
        return [mask]
    return [parts == part for _, part in extents]


def load_set(folder: Path, split: str | None = None) -> list[Case]:
    """The cases of one set: ``images/NAME.png``, ``labels/NAME.png``, ``labels.json``, ``split.csv``.

    Or cases that were saved in Slicer, see ``cases``.

    Parameters
    ----------
    folder : Path
        Its name becomes the set's name.
    split : "train", "val" or None for both
    """
    from .cases import is_case_folder, load_cases  # which builds on this module

    if is_case_folder(folder):
        return load_cases(folder, split)
    labels = json.loads((folder / "labels.json").read_text())
    cases = []
    with open(folder / "split.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            if split is not None and row["split"] != split:
                continue
            name = row["name"]
            pixels = np.asarray(Image.open(folder / "images" / f"{name}.png").convert("L"))
            label_map = np.asarray(Image.open(folder / "labels" / f"{name}.png"))
            if pixels.shape != label_map.shape:
                raise ValueError(f"{folder.name}/{name}: image {pixels.shape} and labels {label_map.shape} differ.")
            inverted = (folder.name, name) in KNOWN_INVERTED
            cases.append(Case(folder.name, name, row["split"], pixels, label_map, labels, inverted))
    return cases


def load_sets(data: Path, split: str | None = None, names: tuple[str, ...] = SETS) -> list[Case]:
    """The cases of several sets below one folder."""
    from .cases import is_case_folder

    missing = [name for name in names if not (data / name / "split.csv").exists() and not is_case_folder(data / name)]
    if missing:
        raise FileNotFoundError(f"{data} has no set {', '.join(missing)}.")
    return [case for name in names for case in load_set(data / name, split)]
