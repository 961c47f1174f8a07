"""Sets in COCO's form: images with a JSON file of their objects, each a class with polygons or a run-length mask.

The JSON files lie in the folder, in ``annotations/``, or in a folder for each split, beside the images or apart from
them. A file with "train" or "val" in its name, or in its folder's, says so of its images; otherwise ``split.csv`` does,
and without it all are for training. The categories are the classes; one without any object anywhere in the set counts
as not looked for. In COCO an image's objects are all marked: a class without an object in an image is not in it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from skimage.draw import polygon

from GrayscaleDetSegLib.core.training_case import class_of

from .images import FAULTS, read_pixels, sentence, stem
from .labelled import CLASSES, SPLITS, Case, Problem
from .objects import ObjectsCase
from .split_table import TABLE, Row, read_table
from .stored import Known, stored_case

KEYS = ("images", "annotations", "categories")
OTHERS = ("labels.json", "network.json", "manifest.json", "run.json")
"""What lies in folders of other forms, in runs and in bundles."""


def is_coco_folder(folder: Path) -> bool:
    """Whether a folder has JSON files where those of COCO lie."""
    return bool(_files(folder))


def _files(folder: Path) -> list[Path]:
    below = [path for path in folder.iterdir() if path.name == "annotations" or _split_in(path.name)]
    return sorted(path for place in (folder, *below) for path in place.glob("*.json") if path.name not in OTHERS)


def _split_in(text: str) -> str:
    found = re.findall(r"(?<![a-z])(train|val|test)", text.lower())
    return found[-1] if found else ""


def split_of(path: Path, folder: Path) -> str:
    """The split that a JSON file's name says, or that of its folder within `folder`; empty where they say none."""
    return _split_in(path.stem) or ("" if path.parent == folder else _split_in(path.parent.name))


@dataclass(frozen=True)
class _Entry:
    """An image with its annotations, and the JSON file they stand in.

    The annotations are JSON text: as lists of numbers, the polygons of 20,000 images would fill the memory.
    """

    image: dict[str, Any]
    text: str
    classes: dict[int, str]
    path: Path

    @property
    def annotations(self) -> list[dict[str, Any]]:
        return json.loads(self.text)

    @property
    def name(self) -> str:
        return stem(str(self.image["file_name"]).replace("\\", "/"))


def scan_coco(folder: Path, split: str | None = None, known: Known | None = None) -> Iterator[Case | Problem]:
    """The cases that can be used (of one `split`, or of both), and what is wrong; see ``data.scan_set``."""
    entries = []
    for path in _files(folder):
        try:
            entries += _entries(path)
        except ValueError as error:
            yield Problem(folder.name, path.relative_to(folder).as_posix(), str(error))
    found = {entry.classes.get(item.get("category_id")) for entry in entries for item in entry.annotations}
    marked = sorted(found - {None})
    table, problems = read_table(folder)
    yield from problems
    rows = {stem(name): row for name, row in (table or {}).items()}
    absent = f"is in {TABLE}, but there is no such image."
    known_names = {entry.name for entry in entries}
    yield from (Problem(folder.name, name, absent, "warning") for name in rows if name not in known_names)
    for entry in entries:
        row = rows.get(entry.name, Row())
        # where the files say nothing, the table does
        chosen = split_of(entry.path, folder) or row.split or "train"
        if chosen not in SPLITS or split not in (None, chosen):
            continue
        try:
            image = _image_path(folder, entry)
            case, notes = stored_case(partial(_read, folder, image, entry, chosen, row, marked), (image,), known)
        except ValueError as error:
            yield Problem(folder.name, entry.name, str(error))
            continue
        yield case
        yield from (Problem(folder.name, entry.name, note, "warning") for note in notes)


def _entries(path: Path) -> list[_Entry]:
    """The images of a JSON file; ValueError, as the rest of a sentence, if it is none of COCO's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read as JSON ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in KEYS):
        raise ValueError(f"is no COCO file: it needs the lists {', '.join(KEYS)}.")
    try:
        named = {item["id"]: class_of(str(item["name"]), CLASSES) for item in content["categories"]}
        nameless = [str(item["name"]) for item in content["categories"] if named[item["id"]] is None]
        if nameless:
            raise ValueError(f"has a category {nameless[0]!r}, which does not say what it shows; name it.")
        members = defaultdict(list)
        for item in content["annotations"]:
            members[item["image_id"]].append(item)
        found = [_Entry(image, json.dumps(members.pop(image["id"], [])), named, path) for image in content["images"]]
        if any("file_name" not in entry.image for entry in found):
            raise KeyError("file_name")
    except (KeyError, TypeError) as error:
        raise ValueError(f"is incomplete: an image, annotation or category has no {error}.") from error
    if members:
        raise ValueError(f"has annotations of {len(members)} images that it does not list; export it again.")
    return found


def _read(
    folder: Path, path: Path, entry: _Entry, split: str, row: Row, marked: list[str]
) -> tuple[Case, list[str]]:
    try:
        pixels = read_pixels(path, "as-is" if row.polarity else "auto")
    except FAULTS as error:
        raise ValueError(sentence(error, path)) from error
    rows, columns = pixels.shape
    told = entry.image.get("height", rows), entry.image.get("width", columns)
    if told != pixels.shape:
        raise ValueError(f"sizes differ: the image has {columns} x {rows} pixels, its entry in {entry.path.name} "
                         f"{told[1]} x {told[0]}.")
    objects, crowded, notes = [], set(), []
    for number, item in enumerate(entry.annotations, start=1):
        label = entry.classes.get(item.get("category_id"))
        if label is None:
            raise ValueError(f"object {number} has the category {item.get('category_id')}, which nobody named.")
        if item.get("iscrowd") and label not in crowded:
            crowded.add(label)
            notes.append(f"a crowd of {label} without single objects; this class counts as not marked here.")
        try:
            mask = mask_of(item.get("segmentation"), pixels.shape)
        except ValueError as error:
            raise ValueError(f"object {number} ({label}) {error}") from error
        if mask.any():
            objects.append((label, mask))
        else:
            notes.append(f"object {number} ({label}) covers no pixel; left out.")
    objects = [(label, mask) for label, mask in objects if label not in crowded]
    marked = [label for label in marked if label not in crowded]
    is_inverted = row.polarity == "inverted"
    case = ObjectsCase.of(
        folder.name, entry.name, split, pixels, objects, marked, is_inverted, row.patient
    )
    return case, notes


def _image_path(folder: Path, entry: _Entry) -> Path:
    """The image's file, looked for where exporters put it; ValueError if it is missing or outside the folder."""
    name = str(entry.image["file_name"]).replace("\\", "/")
    beside, split = entry.path.parent, split_of(entry.path, folder)
    places = [beside, beside / "images", folder / "images", folder, folder / entry.path.stem]
    years = re.search(r"(train|val)\d*$", entry.path.stem)  # instances_train2017.json goes with train2017/
    for word in dict.fromkeys(filter(None, (years and years.group(), split))):
        places += [folder / word, folder / "images" / word]
    for place in places:
        path = place / name
        if path.is_file():
            if not path.resolve().is_relative_to(folder.resolve()):
                raise ValueError("the image lies outside the folder of its set; copy it there.")
            return path
    raise ValueError(f"there is an entry in {entry.path.name} but no image {name} beside it, in images/ or in a folder "
                     "of its split.")


def mask_of(segmentation: object, shape: tuple[int, int]) -> np.ndarray:
    """The mask, bool (rows, columns), of polygons [[x, y, x, y, ...], ...] or a run-length code, plain or compressed.

    Raises
    ------
    ValueError
        The end of a sentence, if it is none of these or does not fit the shape.
    """
    if isinstance(segmentation, dict):
        return decode_runs(segmentation, shape)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("has no outline, only a rectangle or nothing; mark it with polygons or a mask.")
    mask = np.zeros(shape, bool)
    for points in segmentation:
        if not isinstance(points, list) or len(points) < 6 or len(points) % 2:
            raise ValueError("has a polygon of fewer than three points; mark it again.")
        try:
            x, y = np.asarray(points, np.float64).reshape(-1, 2).T
        except (TypeError, ValueError) as error:
            raise ValueError("has a polygon whose points are no numbers; mark it again.") from error
        # corners are told from the image's corner, pixels count from their middle
        mask[polygon(y - 0.5, x - 0.5, shape)] = True
    return mask


def decode_runs(code: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """The mask of ``{"size": [rows, columns], "counts": ...}``: lengths of runs of 0 and 1, column by column."""
    size, counts = code.get("size"), code.get("counts")
    if list(size or ()) != list(shape):
        raise ValueError(f"has a mask of the size {size}, and the image has {list(shape)} (rows, columns).")
    if isinstance(counts, str):
        counts = decompress(counts)
    if not isinstance(counts, list) or not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError("has a run-length code that is damaged.")
    if sum(counts) != shape[0] * shape[1]:
        raise ValueError("has a run-length code that is longer or shorter than the image.")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(shape[::-1]).T


def decompress(text: str) -> list[int]:
    """The counts in COCO's compressed string: 5 bits a character, and from the fourth on differences to two before."""
    counts, value, shift = [], 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError("has a run-length code that is damaged.")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:  # the last of a number; its highest bit is the sign
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    if shift:
        raise ValueError("has a run-length code that is damaged.")
    return counts
