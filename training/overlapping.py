"""What it is worth that objects may overlap: IoU with it and without, on films whose whole bones are known.

    python -m training.overlapping FILMS [--data DATA] [--each 20] [--model BUNDLE]

FILMS holds films of ``python -m training.simulate.bones``, which the model has not seen: of a bone behind another one,
the label has all pixels. No heart is drawn there; those of the val films of jsrt_heart_clavicles in DATA, whose
outlines go on below lungs and clavicles, stand in for it. Every film is segmented once in the regions that the detector
finds, and once in the true regions. "Without" is the same result as ``--exclusive`` makes it: each pixel has the more
confident object. An object that is not found counts 0.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.exclusive import made_exclusive
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.overlaps import EXCLUSIVE
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal, Regions

from .data.folders import scan_folders
from .data.labelled import Case
from .films.film import read_films
from .films.marked import marked_objects
from .markdown_table import markdown_table
from .views import LEAST, Objects, Picture, matched

LABELS = ("femur", "hip bone", "fibula", "ulna", "heart")
WAYS = ("found, with", "found, without", "true region, with", "true region, without")


CHESTS = ("jsrt_heart_clavicles", "jsrt_lungs")
"""Sets of the same images; the objects of the second one lie over those of the first."""


def drawn_films(folder: Path, labels: Sequence[str], each: int) -> Iterator[Picture]:
    """The films of a folder, in order, that show a class of which fewer than `each` objects were in those before."""
    counts = dict.fromkeys(labels, 0)
    for path in sorted(folder.glob("*.npz")):
        for film in read_films(path):
            shown = [item.label for item in film.objects if item.asked and item.label in counts]
            if any(counts[label] < each for label in shown):
                for label in shown:
                    counts[label] += 1
                shape = film.image.shape
                yield Picture(film.image, [(item.label, item.mask(shape)) for item in film.objects if item.asked])


def chests(data: Path, each: int) -> Iterator[Picture]:
    """Val films of the chest with heart, clavicles and lungs; at most `each` of them."""
    objects: dict[str, Objects] = {}
    pixels = {}
    for name in CHESTS:
        for case in scan_folders(data / name, "val"):
            if isinstance(case, Case):
                objects.setdefault(case.name, []).extend(marked_objects(case, data / name))
                pixels[case.name] = case.pixels
    for name in list(objects)[:each]:
        if len({label for label, _ in objects[name]}) > 3:  # it is in both sets
            yield Picture(pixels[name], objects[name])


def figures(pipeline: Pipeline, picture: Picture) -> dict[str, list[tuple[str, float]]]:
    """(class, IoU) of every object of a film, for each of the `WAYS`."""
    radiograph = Radiograph.from_array(picture.pixels)
    objects = [(label, mask) for label, mask in picture.objects if mask.sum() >= LEAST]
    true = tuple(RegionProposal(label, 1.0, tuple(map(float, boxes.of_mask(mask)))) for label, mask in objects)
    results = []
    for regions in (pipeline.find_regions(radiograph), Regions(true, None, Orientation())):
        result = pipeline.segment_regions(radiograph, regions)
        results += [result, made_exclusive(result)]
    return {way: matched(objects, result.objects) for way, result in zip(WAYS, results)}


def table(rows: dict[str, dict[str, list[float]]]) -> str:
    """The mean IoU of every class and way, and what overlap gains in found regions; Markdown."""
    means = {label: [f"{np.mean(ways[way]):.3f}" for way in WAYS] for label, ways in rows.items()}
    return markdown_table(["class", "n", *WAYS], [[label, len(rows[label][WAYS[0]]), *means[label]] for label in rows])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder of drawn films")
    parser.add_argument("--data", type=Path, help=f"folder with {' and '.join(CHESTS)}, for hearts")
    parser.add_argument("--each", type=int, default=20, help="objects of every class at least (default: 20)")
    parser.add_argument("--labels", nargs="+", default=LABELS, metavar="CLASS", help="classes to list")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pipeline = load_pipeline(options.model, "cpu")
    if pipeline.overlaps == EXCLUSIVE:
        print(f"The model {pipeline.model} does not let objects overlap: both ways are the same.", file=sys.stderr)
    rows: dict[str, dict[str, list[float]]] = {label: defaultdict(list) for label in options.labels}
    count = 0
    pictures = drawn_films(options.films, options.labels, options.each)
    for picture in chain(pictures, chests(options.data, options.each) if options.data else ()):
        count += 1
        for way, found in figures(pipeline, picture).items():
            for label, iou in found:
                if label in rows:
                    rows[label][way].append(iou)
    if not count:
        print(f"{options.films} has no drawn films of {', '.join(options.labels)}.", file=sys.stderr)
        return 2
    print(f"{pipeline.model} on {count} films\n")
    print(table({label: ways for label, ways in rows.items() if ways}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
