"""Cases that were saved in Slicer, read like any other set: pairs of an image and NAME.seg.nrrd in one folder.

Beside the pairs that the module saves, with the module's mark in the image's header, a segmentation that Slicer saved
itself will do, beside an image of the same name in any format that we read ("NAME segmentation.seg.nrrd" counts as
NAME). Nothing else is needed: the names of the segments are the classes. An optional ``split.csv`` (``name,split``,
and ``patient``; ``polarity`` "inverted" for an image in which bone is dark) puts cases aside for validation. By default
all are for training: which images show the same patient, nobody but their owner knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.core.gray import Polarity
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.training_case import PIVOT, POLARITY, SEGMENTATION_EXTENSION, class_of

from .images import IMAGES, by_stem
from .labelled import CLASSES, SPLITS, Case, Problem
from .objects import ObjectsCase
from .segmentation_files import SegmentationError, key_values, read_segments
from .split_table import TABLE, Row, read_table
from .stored import Known, collected, stored_case


def is_case_folder(folder: Path) -> bool:
    """Whether a folder holds cases from Slicer, rather than a set with ``labels.json``."""
    return not (folder / "labels.json").exists() and any(folder.glob(f"*{SEGMENTATION_EXTENSION}"))


def read_cases(folder: Path, split: str | None = None) -> tuple[list[Case], list[Problem]]:
    """The cases of a folder that can be used (of one `split`, or of both), and what is wrong."""
    return collected(scan_cases(folder, split))


def scan_cases(folder: Path, split: str | None = None, known: Known | None = None) -> Iterator[Case | Problem]:
    """The same, one after the other; see ``data.scan_set``."""
    pairs, problems = _pairs(folder)
    table, more = read_table(folder)
    rows = table or {}
    absent = f"is in {TABLE}, but there is no such case."
    yield from problems + more
    yield from (Problem(folder.name, name, absent, "warning") for name in rows if name not in pairs)
    for name, files in sorted(pairs.items()):
        row = rows.get(name, Row())
        chosen = row.split or "train"
        if chosen not in SPLITS or split not in (None, chosen):
            continue
        try:
            yield stored_case(partial(_read, folder.name, name, chosen, row, *files), files, known)[0]
        except (GrayscaleDetSegError, ValueError, OSError) as error:
            yield Problem(folder.name, name, f"{str(error).rstrip('.')}.")


def _read(
    set_name: str, name: str, split: str, row: Row, image: Path, segmentation: Path
) -> tuple[Case, list[str]]:
    radiograph = _read_image(image, row.polarity)
    segments = _classed(read_segments(segmentation, radiograph))
    return ObjectsCase.of(set_name, name, split, radiograph.pixels, segments, patient=row.patient), []


def _classed(segments: list[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    if not segments:
        raise SegmentationError("no segment has pixels on this image")
    labels = [class_of(name, CLASSES) for name, _ in segments]
    for (name, _), label in zip(segments, labels):
        if label is None:
            raise SegmentationError(f"the segment {name!r} has no name that says what it shows; name it in Slicer")
    return [(label, mask) for label, (_, mask) in zip(labels, segments)]


def _pairs(folder: Path) -> tuple[dict[str, tuple[Path, Path]], list[Problem]]:
    """Image and segmentation by name, and what has no partner."""
    segmentations = by_stem(folder, (SEGMENTATION_EXTENSION,))
    images = {
        name: [path for path in paths if not path.name.lower().endswith(SEGMENTATION_EXTENSION)]
        for name, paths in by_stem(folder).items()
    }
    images = {name: paths for name, paths in images.items() if paths}
    pairs, problems = {}, []

    def wrong(name: str, text: str, severity: str = "error") -> None:
        problems.append(Problem(folder.name, name, text, severity))

    for stem, (path, *_) in segmentations.items():
        name = stem if stem in images else re.sub(r"[ _-]segmentation$", "", stem, flags=re.IGNORECASE)
        if name not in images:
            wrong(stem, f"no image {stem}{IMAGES[0]} (or another format) beside {path.name}.")
        elif name in pairs:
            wrong(name, f"has two segmentations, {pairs[name][1].name} and {path.name}; keep one.")
        else:
            pairs[name] = images[name][0], path
    for name, paths in images.items():
        if name not in pairs:  # it may still be waiting for its labels
            wrong(name, f"no segmentation {name}{SEGMENTATION_EXTENSION} beside {paths[0].name}; not used.", "warning")
    return pairs, problems


def _read_image(path: Path, polarity: str) -> Radiograph:
    """An image, bone bright: as the table of splits says, else the header, else the format (MONOCHROME1)."""
    image = read_radiograph(path, polarity=polarity or "auto")
    keys = key_values(path)
    if polarity or keys.get(POLARITY) in (None, "as is"):
        return image
    try:
        turn = Polarity(True, float(keys[PIVOT]), "header")
    except (KeyError, ValueError) as error:
        raise SegmentationError(f"{path.name} does not say which way round its values are; save it again") from error
    return replace(image, pixels=turn.apply(image.pixels), polarity=turn, mapping=image.mapping.turned_over(turn.pivot))
