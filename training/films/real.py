"""Labelled and unlabelled radiographs as films: masks that may overlap, and what each set's labels leave open."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from GrayscaleDetSegLib.core.radiograph import Radiograph

from ..data.folders import scan_folders
from ..data.labelled import Case, side_by_side
from .film import Film, FilmObject
from .knowledge import BOXED, CARDS, CLASSES, SetCard, absent_in
from .outlined import nearest

LONGEST = 448
"""px of the longer side that a film keeps."""
LEAST_PART = 0.004
"""Of the picture: smaller separate parts of a mask are crumbs of their object, not objects."""
ALONE = ("teeth", "heart")
"""Classes whose whole mask is one object, however many parts it has."""
CLINICAL = Path(__file__).parent.parent / "clinical"
SEALED, TRAINING_BOXES = CLINICAL / "boxes.csv", CLINICAL / "training_boxes.csv"
FURTHER_BOXES = CLINICAL / "further_boxes.csv"
"""Boxes of bones that a labelled set shows and does not mark; its films are named "set/name"."""
FURTHER = "further_boxes"
"""The set that films with these boxes count as."""
HOSPITALS = "clinical_boxes"
"""Set of the films of hospitals with boxes to train with."""


def read_set_films(folder: Path, split: str, generator: np.random.Generator) -> list[Film]:
    """The films of one split of a labelled set that has a card in `knowledge.CARDS`."""
    card = CARDS[folder.name]
    return [film_of_case(case, card, generator, folder) for case in scan_folders(folder, split)
            if isinstance(case, Case)]  # fmt: skip


def film_of_case(case: Case, card: SetCard, generator: np.random.Generator, folder: Path | None = None) -> Film:
    """A labelled radiograph as a film."""
    image = case.radiograph().gray()
    shape = _shape(image.shape, card, generator)
    image = _resized(image, shape)
    objects, spines = [], []
    instances = folder / "instances" / f"{case.name}.png" if folder else None
    if instances is not None and instances.exists():
        numbers = np.asarray(Image.open(instances))
        label = next(iter(card.marks.values()))
        masks = [(label, numbers == value) for value in np.unique(numbers) if value]
    else:
        masks = [(card.marks[name], case.label_map == value) for name, value in case.labels.items()
                 if name in card.marks]  # fmt: skip
    for label, mask in masks:
        mask = mask[nearest(mask.shape, shape)]
        if label == "vertebra" and mask.any():
            spines.append(np.flatnonzero(mask.any(1))[0])
        for part in [mask] if card.touching or label in ALONE else side_by_side(mask, least=LEAST_PART):
            if part.sum() >= 12:
                objects.append(FilmObject.of(label, part))
    ignore_mask = None
    if spines:  # cervical vertebrae show above the first marked one, and nobody marked them
        ignore_mask = np.zeros(shape, bool)
        ignore_mask[: max(0, min(spines) - 2)] = True
    settled = frozenset(card.marks.values()) | frozenset(card.absent)
    return Film(case.set_name, case.name, image, tuple(objects), settled, ignore_mask, kind=case.set_name)


def sealed_films() -> set[str]:
    """The films ("folder/file") that were boxed for judging and that no training sees."""
    return set(_rows(SEALED))


def _rows(path: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of a table of boxes by film."""
    found: dict[str, list[dict[str, str]]] = {}
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["film"], []).append(row)
    return found


def further_films(data: Path, generator: np.random.Generator, table: Path = FURTHER_BOXES) -> Iterator[Film]:
    """Films of labelled sets once more: with what the set marks, and with boxes, set by eye, of what it does not.

    A class is settled on the films that have a box of it: where there is none it may lie hidden behind another bone. A
    box whose extent is a guess is not asked for, and nobody may call it false.
    """
    rows = _rows(table)
    for set_name in sorted({name.split("/")[0] for name in rows}):
        for case in scan_folders(data / set_name, "train"):
            found = rows.get(f"{set_name}/{case.name}")
            if found is None or not isinstance(case, Case):
                continue
            film = film_of_case(case, CARDS[set_name], generator)
            shape = film.image.shape
            stored = case.label_map.shape
            factors = shape[1] / stored[1], shape[0] / stored[0]
            boxes = [(_boxed(row, shape, factors), row["certain"] == "yes") for row in found if row["class"] in CLASSES]
            sure = (replace(box, asked=box.asked and certain) for box, certain in boxes if box)
            objects = *film.objects, *sure
            classes = {item.label for item in objects}
            yield replace(film, set_name=FURTHER, objects=objects, settled=film.settled | classes, boxed=True)


def clinical_films(folder: Path) -> Iterator[Film]:
    """Ordinary films without masks: with the boxes that were set by eye, or saying only what cannot be in them.

    Sealed films are left out.
    """
    sealed, boxed = sealed_films(), _rows(TRAINING_BOXES)
    for path in sorted(folder.glob("*/*")):
        name = f"{path.parent.name}/{path.name}"
        absent = absent_in(path.parent.name)
        if name in sealed or path.suffix not in (".jpg", ".png") or (absent is None and name not in boxed):
            continue
        whole = Radiograph.from_array(np.asarray(Image.open(path).convert("L"))).gray()
        factor = min(1.0, LONGEST / max(whole.shape))
        shape = tuple(max(8, round(side * factor)) for side in whole.shape)
        objects, settled = [], set(absent or ())
        if name in boxed:
            settled |= set(BOXED)
            for row in boxed[name]:
                if row["class"] in CLASSES:
                    objects.append(_boxed(row, shape, (factor, factor)))
                elif row["class"]:  # a class that is told less exactly than ours
                    settled -= {label for label in CLASSES if label.endswith(row["class"])}
        yield Film(HOSPITALS if name in boxed else "body_parts_unlabelled", name, _resized(whole, shape),
                   tuple(item for item in objects if item), frozenset(settled), kind=path.parent.name,
                   boxed=name in boxed)  # fmt: skip


def _boxed(row: dict[str, str], shape: tuple[int, int], factors: tuple[float, float]) -> FilmObject | None:
    """The rectangle of a box; crumbs are not asked for. `factors` are px of the film over px stored, (x, y)."""
    x0, y0, x1, y1 = (round(float(row[key]) * factors[key[0] == "y"]) for key in ("x0", "y0", "x1", "y1"))
    mask = np.zeros(shape, bool)
    mask[max(0, y0) : y1, max(0, x0) : x1] = True
    return FilmObject.of(row["class"], mask, row["part"] != "little") if mask.any() else None


def training_films(data: Path, seed: int = 0) -> list[Film]:
    """All real films of the train parts of the sets with a card, and the clinical ones."""
    generator = np.random.default_rng(seed)
    films = []
    for name in CARDS:
        films += read_set_films(data / name, "train", generator)
    films += further_films(data, np.random.default_rng(seed))
    return films + list(clinical_films(data / "body_parts_unlabelled"))


def _shape(shape: tuple[int, int], card: SetCard, generator: np.random.Generator) -> tuple[int, int]:
    rows, columns = float(shape[0]), float(shape[1])
    if card.stretch is not None:
        columns = rows * generator.uniform(*card.stretch)
    factor = min(1.0, LONGEST / max(rows, columns))
    return max(8, round(rows * factor)), max(8, round(columns * factor))


def _resized(gray: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    picture = Image.fromarray(np.asarray(gray, np.float32), mode="F").resize(shape[::-1], Image.Resampling.BOX if (
        shape[0] < gray.shape[0] and shape[1] < gray.shape[1]) else Image.Resampling.BILINEAR)  # fmt: skip
    return np.asarray(picture).clip(0, 255).round().astype(np.uint8)
