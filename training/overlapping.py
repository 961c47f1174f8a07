"""What it is worth that objects may overlap: IoU with it and without, on films whose whole bones are known.

    python -m training.overlapping FILMS [--most 100] [--model BUNDLE]

FILMS holds films of ``python -m training.simulate.bones``, which the model has not seen: of a bone behind another one,
the label has all pixels. Every film is segmented once in the regions that the detector finds, and once in the true
regions. "Without" is the same result as ``--exclusive`` makes it: each pixel has the more confident object. An object
that is not found counts 0.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
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
from GrayscaleDetSegLib.core.regions import Candidate, Regions

from .films.film import Film, read_films
from .views import LEAST, matched

LABELS = ("femur", "hip bone", "fibula", "ulna", "heart")
WAYS = ("found, with", "found, without", "true region, with", "true region, without")


def films_of(folder: Path, labels: Sequence[str], most: int) -> Iterator[Film]:
    """The films of a folder that show a class, in order; at most `most` of them."""
    count = 0
    for path in sorted(folder.glob("*.npz")):
        for film in read_films(path):
            if any(item.label in labels for item in film.objects):
                if count == most:
                    return
                count += 1
                yield film


def figures(pipeline: Pipeline, film: Film) -> dict[str, list[tuple[str, float]]]:
    """(class, IoU) of every object of a film, for each of the `WAYS`."""
    radiograph, shape = Radiograph.from_array(film.image), film.image.shape
    objects = [(item.label, item.mask(shape)) for item in film.objects if item.asked]
    objects = [(label, mask) for label, mask in objects if mask.sum() >= LEAST]
    true = tuple(Candidate(label, 1.0, tuple(map(float, boxes.of_mask(mask)))) for label, mask in objects)
    results = []
    for regions in (pipeline.find_regions(radiograph), Regions(true, None, Orientation())):
        result = pipeline.segment_regions(radiograph, regions)
        results += [result, made_exclusive(result)]
    return {way: matched(objects, result.objects) for way, result in zip(WAYS, results)}


def table(rows: dict[str, dict[str, list[float]]]) -> str:
    """The mean IoU of every class and way, and what overlap gains in found regions; Markdown."""
    lines = [f"| class | n | {' | '.join(WAYS)} |", "|" + "---|" * (2 + len(WAYS))]
    for label, ways in rows.items():
        means = " | ".join(f"{np.mean(ways[way]):.3f}" for way in WAYS)
        lines.append(f"| {label} | {len(ways[WAYS[0]])} | {means} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder of drawn films")
    parser.add_argument("--most", type=int, default=100, help="films to look at (default: 100)")
    parser.add_argument("--labels", nargs="+", default=LABELS, metavar="CLASS", help="classes to list")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pipeline = load_pipeline(options.model, "cpu")
    if pipeline.overlaps == EXCLUSIVE:
        print(f"The model {pipeline.model} does not let objects overlap: both ways are the same.", file=sys.stderr)
    rows: dict[str, dict[str, list[float]]] = {label: defaultdict(list) for label in options.labels}
    count = 0
    for film in films_of(options.films, options.labels, options.most):
        count += 1
        for way, found in figures(pipeline, film).items():
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
