"""How a model takes films that are framed otherwise: a table of views on val.

    python -m training.views --data ../shared/data [--model BUNDLE] [--each 8]

Every val film of every set is looked at as it is, turned by quarters, upside down, beside its mirror image, at a third
of its size in a black frame, with white surroundings, cut to its upper two thirds and its lower half, with noise of 12
gray levels, inverted and dimmed. The figure is the mean IoU of the objects' masks with the truth that was changed in
the same way (an object that is not found counts 0). For the cut views a second figure is that of the same cut with the
true regions.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.labels import mirrored
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import Regions
from GrayscaleDetSegLib.core.result import RegionProposal, SegmentedObject

from .data.folders import scan_folders
from .data.labelled import Case
from .films.knowledge import CARDS
from .films.marked import marked_objects
from .markdown_table import markdown_table

Objects = list[tuple[str, np.ndarray]]
LEAST = 40
"""px that an object needs in a view to be asked for."""


@dataclass(frozen=True)
class Picture:
    """Gray levels as in the file, uint8 (rows, columns), and the objects in it: (label, bool mask)."""

    pixels: np.ndarray
    objects: Objects

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Picture:
        """The same change of place for pixels and masks."""
        return Picture(change(self.pixels), [(label, change(mask)) for label, mask in self.objects])


def _beside(picture: Picture) -> Picture:
    other = picture.changed(lambda values: values[:, ::-1])
    nothing = np.zeros(picture.pixels.shape, bool)
    left = [(label, np.concatenate([mask, nothing], 1)) for label, mask in picture.objects]
    right = [(mirrored(label), np.concatenate([nothing, mask], 1)) for label, mask in other.objects]
    return Picture(np.concatenate([picture.pixels, other.pixels], 1), left + right)


def _third(picture: Picture) -> Picture:
    rows, columns = picture.pixels.shape
    small = max(8, rows // 3), max(8, columns // 3)
    top, left = (rows - small[0]) // 2, (columns - small[1]) // 3

    def place(values: np.ndarray) -> np.ndarray:
        part = Image.fromarray(values.astype(np.uint8))
        how = Image.Resampling.NEAREST if values.dtype == bool else Image.Resampling.BOX
        whole = np.zeros((rows, columns), values.dtype)
        whole[top : top + small[0], left : left + small[1]] = np.asarray(part.resize(small[::-1], how))
        return whole

    return picture.changed(place)


def _white(picture: Picture) -> Picture:
    rows, columns = picture.pixels.shape
    around = ((rows // 10,) * 2, (columns // 10,) * 2)
    objects = [(label, np.pad(mask, around)) for label, mask in picture.objects]
    return Picture(np.pad(picture.pixels, around, constant_values=255), objects)


def _noise(picture: Picture) -> Picture:
    noise = np.random.default_rng(0).normal(0.0, 12.0, picture.pixels.shape)
    return Picture((picture.pixels + noise).clip(0, 255).round().astype(np.uint8), picture.objects)


VIEWS: dict[str, Callable[[Picture], Picture]] = {
    "as it is": lambda picture: picture,
    "turned left": lambda picture: picture.changed(lambda values: np.rot90(values, 1)),
    "turned right": lambda picture: picture.changed(lambda values: np.rot90(values, 3)),
    "upside down": lambda picture: picture.changed(lambda values: np.rot90(values, 2)),
    "two beside each other": _beside,
    "a third in black": _third,
    "white around": _white,
    "upper two thirds": lambda picture: picture.changed(lambda values: values[: 2 * values.shape[0] // 3]),
    "lower half": lambda picture: picture.changed(lambda values: values[values.shape[0] // 2 :]),
    "noise 12": _noise,
    "inverted": lambda picture: Picture(255 - picture.pixels, picture.objects),
    "dim": lambda picture: Picture((40 + picture.pixels * 0.35).astype(np.uint8), picture.objects),
}
CUT = ("upper two thirds", "lower half")


def picture_of(case: Case, folder: Path) -> Picture:
    """A val case of a set with a card: every object with the name of its class."""
    return Picture(case.pixels, marked_objects(case, folder))


def overlaps(pipeline: Pipeline, picture: Picture, true_regions: bool = False) -> list[tuple[str, float]]:
    """(label, IoU of its mask) of every object of a picture, see :func:`matched`."""
    radiograph = Radiograph.from_array(np.ascontiguousarray(picture.pixels))
    wanted = [(label, mask) for label, mask in picture.objects if mask.sum() >= LEAST]
    if true_regions:
        found = tuple(RegionProposal(label, 1.0, tuple(map(float, boxes.of_mask(mask)))) for label, mask in wanted)
        result = pipeline.segment_regions(radiograph, Regions(found, None, Orientation()))
    else:
        result = pipeline.segment(radiograph)
    return matched(wanted, result.objects)


def matched(wanted: Objects, found: Sequence[SegmentedObject]) -> list[tuple[str, float]]:
    """(label, IoU) of every object with the best of what was found of its class, each of which counts once."""
    pairs = [(_iou(mask, item.mask), number, place) for number, (label, mask) in enumerate(wanted)
             for place, item in enumerate(found) if item.label == label]  # fmt: skip
    best: dict[int, float] = {}
    taken: set[int] = set()
    for iou, number, place in sorted(pairs, reverse=True):
        if number not in best and place not in taken:
            best[number] = iou
            taken.add(place)
    return [(label, best.get(number, 0.0)) for number, (label, _) in enumerate(wanted)]


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / max(1, (first | second).sum()))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--sets", nargs="+", default=list(CARDS), help="names of the sets (default: all)")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    parser.add_argument("--each", type=int, help="films of a set, evenly spread (default: all of val)")
    parser.add_argument("--views", nargs="+", default=list(VIEWS), help="names of views (default: all)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pipeline = load_pipeline(options.model, "cpu")
    figures: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in options.sets:
        cases = [case for case in scan_folders(options.data / name, "val") if isinstance(case, Case)]
        step = max(1, len(cases) // options.each) if options.each else 1
        for case in cases[::step][: options.each]:
            picture = picture_of(case, options.data / name)
            for view in options.views:
                changed = VIEWS[view](picture)
                for label, iou in overlaps(pipeline, changed):
                    figures[name, label][view].append(iou)
                if view in CUT:
                    for label, iou in overlaps(pipeline, changed, true_regions=True):
                        figures[name, label][f"{view}, true region"].append(iou)
    print(f"{pipeline.model}\n")
    print(table(figures))
    return 0


def table(figures: dict[tuple[str, str], dict[str, list[float]]]) -> str:
    """Mean IoU, a row for every set and class, a column for every view; Markdown."""
    views = list(dict.fromkeys(view for row in figures.values() for view in row))
    rows = []
    for (name, label), row in figures.items():
        cells = [f"{np.mean(row[view]):.3f}" if row.get(view) else "" for view in views]
        rows.append([name, label, len(next(iter(row.values()))), *cells])
    means = [np.mean([np.mean(row[view]) for row in figures.values() if row.get(view)]) for view in views]
    rows.append(["mean", "", "", *(f"{mean:.3f}" for mean in means)])
    return markdown_table(["set", "class", "n", *views], rows)


if __name__ == "__main__":
    sys.exit(main())
