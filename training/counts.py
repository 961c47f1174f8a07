"""How often the number of objects of one class is right, where several lie beside each other and touch.

    python -m training.counts --data DATA [--films FILMS] [--each 10] [--model BUNDLE]

Vertebrae and teeth of the val sets, and pairs on drawn films (``python -m training.simulate.bones``, films that the
model has not seen): two knees, both femora of a side view. For every image and class, the number of regions that are
found (of vertebrae, of which the masks decide, the number of objects in the result) against the number of objects:
exact, one too many or too few, or further off. Beside it how many of the objects are found with an IoU of 0.5 (each by
a region of its own), and how many regions meet none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph

from .data.folders import scan_folders
from .data.labelled import Case
from .films.film import read_films
from .films.marked import marked_objects
from .markdown_table import markdown_table

SETS = {"aasce_spine_ap": "vertebra", "periapical_teeth": "tooth"}
MET = 0.5


@dataclass(frozen=True)
class Sample:
    """An image, a class, and the true regions (n, 4) of its objects.

    `group` is the row of the table; `free` are regions that nobody has to find and that are not false: crumbs. Above
    `top` (px) lie objects that nobody marked, which count neither way, too.
    """

    group: str
    pixels: np.ndarray
    label: str
    regions: np.ndarray
    free: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    top: float = 0.0


@dataclass
class Tally:
    """What became of the samples of one group."""

    images: int = 0
    objects: int = 0
    regions: int = 0
    exact: int = 0
    off_by_one: int = 0
    right: int = 0

    def add(self, found: np.ndarray, true: np.ndarray, free: np.ndarray, top: float = 0.0) -> None:
        """Count one image: regions found (n, 4), best first, true ones (m, 4), and those that count neither way."""
        pairs, kept = pairs_of(found, true), np.ones(len(found), bool)
        for index in range(len(found)):
            if index not in pairs:
                is_crumb = len(free) and boxes.iou(found[index], free).max() >= MET
                kept[index] = not is_crumb and found[index, [1, 3]].mean() >= top
        count = int(kept.sum())
        self.images += 1
        self.objects += len(true)
        self.regions += count
        self.exact += count == len(true)
        self.off_by_one += abs(count - len(true)) == 1
        self.right += len(pairs)


def pairs_of(found: np.ndarray, true: np.ndarray) -> dict[int, int]:
    """Which region found (n, 4) has which true one (m, 4) with an IoU of `MET`, the best pairs first, one to one."""
    iou = boxes.iou(found[:, None], true[None]) if len(found) and len(true) else np.zeros((len(found), len(true)))
    pairs: dict[int, int] = {}
    for flat in np.argsort(-iou, axis=None):
        one, other = np.unravel_index(flat, iou.shape)
        if iou[one, other] < MET:
            break
        if one not in pairs and other not in pairs.values():
            pairs[int(one)] = int(other)
    return pairs


def set_samples(data: Path, each: int | None = None) -> Iterator[Sample]:
    """The val images of the sets in `SETS`, `each` of them evenly spread."""
    for name, label in SETS.items():
        cases = [case for case in scan_folders(data / name, "val") if isinstance(case, Case)]
        for case in cases[:: max(1, len(cases) // each) if each else 1][:each]:
            regions = [boxes.of_mask(mask) for each_label, mask in marked_objects(case, data / name)
                       if each_label == label]  # fmt: skip
            regions = np.array(regions).reshape(-1, 4)
            # cervical vertebrae show above the first marked one
            top = float(regions[:, 1].min()) if label == "vertebra" and len(regions) else 0.0
            yield Sample(f"{label}, {name}", case.pixels, label, regions, top=top)


def film_samples(folder: Path) -> Iterator[Sample]:
    """All pairs of a class on drawn films, those whose regions touch or overlap apart from the others."""
    for path in sorted(folder.glob("*.npz")):
        for film in read_films(path):
            for label in dict.fromkeys(item.label for item in film.objects):
                if label in SETS.values():
                    continue
                asked, crumbs = (
                    np.array([_region(item.window) for item in film.objects
                              if item.label == label and item.asked is wanted]).reshape(-1, 4)
                    for wanted in (True, False)
                )  # fmt: skip
                if len(asked) == 2:
                    touch = "touching" if _touch(*asked) else "apart"
                    yield Sample(f"pairs, {touch}", film.image, label, asked, crumbs)


def _region(window: tuple[int, int, int, int]) -> tuple[float, ...]:
    top, left, bottom, right = map(float, window)
    return left, top, right, bottom


def _touch(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two regions overlap, or lie within 2 px of each other."""
    return bool((np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]) > -2.0).all())


def tallies(pipeline, samples: Iterable[Sample]) -> dict[str, Tally]:
    """The tally of each group; an image of several classes is looked at once."""
    found: dict[str, Tally] = {}
    last = film = regions = None
    for sample in samples:
        if last is not sample.pixels:
            last = sample.pixels
            film = pipeline.settle_polarity(Radiograph.from_array(sample.pixels))
            regions = pipeline.find_regions(film)
        found_here = replace(regions, found=tuple(item for item in regions.found if item.label == sample.label))
        if sample.label in pipeline.roi_detector.settings.shared:  # of these the masks decide, see core.crowds
            own = [item.region for item in pipeline.segment_regions(film, found_here).objects]
        else:
            own = [item.roi for item in found_here.found]
        own = np.array(own).reshape(-1, 4)
        found.setdefault(sample.group, Tally()).add(own, sample.regions, sample.free, sample.top)
    return found


def table(found: dict[str, Tally]) -> str:
    """Markdown."""
    titles, rows = ["objects", "images", "exact", "off by one", "more", "objects right", "of", "regions"], []
    for group, tally in found.items():
        more = tally.images - tally.exact - tally.off_by_one
        shares = [f"{count} ({count / tally.images:.2f})" for count in (tally.exact, tally.off_by_one, more)]
        right = f"{tally.right} ({tally.right / max(1, tally.objects):.2f})"
        rows.append([group, tally.images, *shares, right, tally.objects, tally.regions])
    return markdown_table(titles, rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join(SETS)}")
    parser.add_argument("--films", type=Path, help="folder of drawn films, for pairs")
    parser.add_argument("--each", type=int, help="images of a set, evenly spread (default: all of val)")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pipeline = load_pipeline(options.model, "cpu")
    samples = [*set_samples(options.data, options.each), *(film_samples(options.films) if options.films else ())]
    print(f"{pipeline.model}\n")
    print(table(tallies(pipeline, samples)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
