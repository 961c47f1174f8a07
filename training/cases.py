"""Cases that were saved in Slicer, read like any other set: pairs of an image and NAME.seg.nrrd in one folder.

python -m training.cases FOLDER lists what is there and what cannot be used.

Beside the pairs that the module saves, with the module's mark in the image's header, a segmentation that Slicer saved
itself will do, beside an image of the same name in any format that we read ("NAME segmentation.seg.nrrd" counts as
NAME). Nothing else is needed: the names of the segments are the classes. An optional ``split.csv`` (``name,split``,
and ``polarity``, "inverted" for an image in which bone is dark) puts cases aside for validation. By default all are
for training: which images show the same patient, nobody but their owner knows.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.core.gray import Polarity
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.training_case import MARK, PIVOT, POLARITY, SEGMENTATION_EXTENSION, class_of

from .data import CLASSES, SEPARABLE, Case, side_by_side
from .segmentation_files import SegmentationError, key_values, read_segments

IMAGES = (".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz", ".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Endings of images, in the order in which they are preferred where a name has several."""
SPLITS = ("train", "val")


@dataclass(frozen=True)
class SavedCase(Case):
    """A case whose objects may overlap, and may be several of a class. Its pixels are bone bright, of any depth.

    In the label map, later segments cover earlier ones. A copy with another label map (``dataclasses.replace``) has
    the objects of that.
    """

    parts: tuple[tuple[str, np.ndarray], ...] = field(default=(), init=False, compare=False)

    @classmethod
    def of(
        cls, set_name: str, name: str, split: str, pixels: np.ndarray, segments: list[tuple[str, np.ndarray]]
    ) -> SavedCase:
        """A case of segments: (class, mask)."""
        labels = {label: value for value, label in enumerate(dict.fromkeys(label for label, _ in segments), start=1)}
        label_map, is_plain = np.zeros(pixels.shape, np.uint8), len(labels) == len(segments)
        for label, mask in segments:
            is_plain = is_plain and not label_map[mask].any()
            label_map[mask] = labels[label]
        case = cls(set_name, name, split, pixels, label_map, labels)
        if not is_plain:  # the label map does not tell all
            object.__setattr__(case, "parts", tuple(segments))
        return case

    def objects(self) -> list[tuple[str, np.ndarray]]:
        """(label, mask) of every object."""
        if not self.parts:
            return super().objects()
        return [
            (label, part)
            for label, mask in self.parts
            if label in self.labels
            for part in (side_by_side(mask) if label in SEPARABLE else [mask])
        ]


def is_case_folder(folder: Path) -> bool:
    """Whether a folder holds cases from Slicer, rather than a set with ``labels.json``."""
    return not (folder / "labels.json").exists() and any(folder.glob(f"*{SEGMENTATION_EXTENSION}"))


def load_cases(folder: Path, split: str | None = None) -> list[Case]:
    """The cases of a folder that can be used; the others are listed on stderr, one line each.

    Raises
    ------
    ValueError
        If none can be used.
    """
    cases, problems = read_cases(folder, split)
    if problems:
        print(f"{folder}: {len(problems)} left out:", *problems, sep="\n  ", file=sys.stderr)
    if problems and not cases and split != "val":
        raise ValueError(f"{folder} has no case that can be used; see the list of what is wrong.")
    return cases


def read_cases(folder: Path, split: str | None = None) -> tuple[list[Case], list[str]]:
    """The cases of a folder (of one `split`, or of both), and one line for each that cannot be used."""
    pairs, problems = _pairs(folder)
    rows, more = _split_table(folder, set(pairs))
    problems += more
    cases = []
    for name, (image, segmentation) in sorted(pairs.items()):
        row = rows.get(name, {})
        chosen = row.get("split") or "train"
        if chosen not in SPLITS or split not in (None, chosen):
            continue
        try:
            radiograph = _read_image(image, row.get("polarity") or "")
            segments = read_segments(segmentation, radiograph)
            cases.append(SavedCase.of(folder.name, name, chosen, radiograph.pixels, _classed(segments)))
        except (GrayscaleDetSegError, ValueError, OSError) as error:
            problems.append(f"{name}: {str(error).rstrip('.')}.")
    return cases, problems


def _classed(segments: list[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    if not segments:
        raise SegmentationError("no segment has pixels on this image")
    labels = [class_of(name, CLASSES) for name, _ in segments]
    for (name, _), label in zip(segments, labels):
        if label is None:
            raise SegmentationError(f"the segment {name!r} has no name that says what it shows; name it in Slicer")
    return [(label, mask) for label, (_, mask) in zip(labels, segments)]


def _pairs(folder: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Image and segmentation by name, and what has no partner."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    images: dict[str, list[Path]] = {}
    segmentations: dict[str, Path] = {}
    problems = []
    for path in files:
        lower = path.name.lower()
        if lower.endswith(SEGMENTATION_EXTENSION):
            segmentations[path.name[: -len(SEGMENTATION_EXTENSION)]] = path
            continue
        ending = max((ending for ending in IMAGES if lower.endswith(ending)), key=len, default=None)
        if ending is not None:
            images.setdefault(path.name[: -len(ending)], []).append(path)
    pairs = {}
    for stem, path in segmentations.items():
        name = stem if stem in images else re.sub(r"[ _-]segmentation$", "", stem, flags=re.IGNORECASE)
        if name not in images:
            problems.append(f"{stem}: no image {stem}{IMAGES[0]} (or another format) beside {path.name}.")
        elif name in pairs:
            problems.append(f"{name}: has two segmentations, {pairs[name][1].name} and {path.name}; keep one.")
        else:
            best = min(images[name], key=lambda image: IMAGES.index(_ending(image)))
            pairs[name] = best, path
    problems += [
        f"{name}: no segmentation {name}{SEGMENTATION_EXTENSION} beside {paths[0].name}."
        for name, paths in images.items()
        if name not in pairs
    ]
    return pairs, problems


def _ending(path: Path) -> str:
    return max((ending for ending in IMAGES if path.name.lower().endswith(ending)), key=len)


def _split_table(folder: Path, names: set[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The rows of ``split.csv`` by name, where there is one, and what is wrong with it."""
    path = folder / "split.csv"
    if not path.exists():
        return {}, []
    with open(path, newline="", encoding="utf-8-sig") as stream:
        rows = {row.get("name") or "": row for row in csv.DictReader(stream)}
    problems = [f"{name}: is in split.csv, but there is no such case." for name in rows if name not in names]
    wrong = [name for name, row in rows.items() if (row.get("split") or "train") not in SPLITS]
    problems += [f"{name}: split.csv says {rows[name]['split']!r}, not train or val; not used." for name in wrong]
    return rows, problems


def _read_image(path: Path, polarity: str) -> Radiograph:
    """An image, bone bright: as the table of splits says, else the header, else the format (MONOCHROME1)."""
    if polarity not in ("", "as-is", "inverted"):
        raise SegmentationError(f"split.csv says polarity {polarity!r}, not inverted or as-is")
    image = read_radiograph(path, polarity=polarity or "auto")
    keys = key_values(path)
    if polarity or keys.get(POLARITY) in (None, "as is"):
        return image
    try:
        turn = Polarity(True, float(keys[PIVOT]), "header")
    except (KeyError, ValueError) as error:
        raise SegmentationError(f"{path.name} does not say which way round its values are; save it again") from error
    return replace(image, pixels=turn.apply(image.pixels), polarity=turn, mapping=image.mapping.turned_over(turn.pivot))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.cases", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="folder with the cases")
    folder = parser.parse_args(arguments).folder
    if not folder.is_dir():
        print(f"{folder} is no folder.", file=sys.stderr)
        return 2
    cases, problems = read_cases(folder)
    splits = Counter(case.split for case in cases)
    objects = Counter(label for case in cases for label, _ in case.objects())
    saved = sum(MARK in key_values(image) for image, _ in _pairs(folder)[0].values())
    print(f"{len(cases)} cases ({splits['train']} train, {splits['val']} val), {saved} saved by the module")
    for label, count in sorted(objects.items()):
        print(f"  {label}: {count}" + ("" if label in CLASSES else " (no class of the shipped model)"))
    if problems:
        print(f"{len(problems)} cannot be used:", *problems, sep="\n  ")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
