"""How many bones of ordinary clinical films are found, and how much is found that is not there.

    python -m training.clinical.judge --data ../shared/data [--model BUNDLE] [--pictures FOLDER]

Boxes were set by eye (see README.md here). A bone that shows in good part and is not found with an IoU of at least 0.5
by its own name is a miss; a region that no box of its class meets with 0.5 is false, unless it meets one that counts as
neither (a crumb, or a class or extent in doubt) with 0.3. Judged are the regions of the objects that a user gets; with
`--regions` those of the 2D detector alone, before one bone under two names is taken back by its mask.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.stats import binomtest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading.reader import read_radiograph
from GrayscaleDetSegLib.core.result import RegionProposal

from ..markdown_table import markdown_table

BOXES = Path(__file__).parent / "boxes.csv"
COUNTED = ("femur", "tibia", "fibula", "hip bone", "humerus", "radius", "ulna", "hand", "foot", "scapula", "clavicle")
"""Classes whose misses count; others that were boxed are told apart from what is false."""
UNBOXED = ("vertebra", "heart")
"""Classes that nobody boxed, though they show: what is found of them is neither right nor false."""
FOUND, NEITHER = 0.5, 0.3


@dataclass(frozen=True)
class Box:
    """A box set by eye: class, (x0, y0, x1, y1) in px of the stored picture, and how far it counts."""

    label: str
    roi: tuple[float, ...]
    part: str
    certain: bool

    @property
    def is_wanted(self) -> bool:
        """Whether not finding it is a miss."""
        return self.part != "little"


def read_boxes(path: Path = BOXES) -> dict[str, list[Box]]:
    """The boxes of every film ("folder/file"); films without a bone have an empty list."""
    films: dict[str, list[Box]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = films.setdefault(row["film"], [])
            if row["class"]:
                roi = tuple(float(row[key]) for key in ("x0", "y0", "x1", "y1"))
                found.append(Box(row["class"], roi, row["part"], row["certain"] == "yes"))
    return films


def general(label: str) -> str:
    """The class without its side, where the boxes tell none."""
    return "clavicle" if label.endswith(" clavicle") else label


@dataclass
class Count:
    """What one class did."""

    wanted: int = 0
    found: int = 0
    right: int = 0
    false: int = 0


def judge(films: dict[str, list[Box]], regions: dict[str, list[RegionProposal]]) -> dict[str, Count]:
    """Hits, misses and false regions of every class."""
    counts: dict[str, Count] = defaultdict(Count)
    for film, truth in films.items():
        taken: set[int] = set()
        for item in sorted(regions.get(film, ()), key=lambda item: -item.score):
            label = general(item.label)
            if label in UNBOXED:
                continue
            ious = {number: float(boxes.iou(np.array(item.roi), np.array(box.roi)))
                    for number, box in enumerate(truth) if box.label == label}  # fmt: skip
            free = {number: iou for number, iou in ious.items() if number not in taken}
            best = max(free, key=free.get, default=-1)
            if best >= 0 and free[best] >= FOUND:
                taken.add(best)
                counts[label].right += truth[best].is_wanted  # a crumb counts neither way
            elif not any(iou >= NEITHER and not (truth[number].certain and truth[number].is_wanted)
                         for number, iou in ious.items()):  # fmt: skip
                counts[label].false += 1
        for number, box in enumerate(truth):
            if box.is_wanted:
                counts[box.label].wanted += 1
                counts[box.label].found += number in taken
    return counts


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    found = binomtest(hits, of).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def table(counts: dict[str, Count]) -> str:
    """The counts as lines of Markdown, the counted classes first and their sum."""
    rows, total = [], Count()
    for label in sorted(counts, key=lambda name: (name not in COUNTED, name)):
        count = counts[label]
        if label in COUNTED:
            for key in ("wanted", "found", "right", "false"):
                setattr(total, key, getattr(total, key) + getattr(count, key))
        rows.append(_cells(label, count))
    everything = Count(**{key: sum(getattr(count, key) for count in counts.values())
                          for key in ("wanted", "found", "right", "false")})  # fmt: skip
    rows += [_cells("**all counted**", total), _cells("all", everything)]
    return markdown_table(["class", "n", "recall at IoU 0.5 (95 %)", "regions", "precision (95 %)"], rows)


def figures(counts: dict[str, Count]) -> list[dict]:
    """For each class: "class", how many were "wanted", how many of these "found", "right" and "false" regions."""
    return [{"class": label, **vars(count)} for label, count in sorted(counts.items())]


def _cells(name: str, count: Count) -> list[object]:
    low, high = interval(count.found, count.wanted)
    many = count.right + count.false
    under, over = interval(count.right, many)
    recall = f"{count.found / count.wanted:.2f} ({low:.2f} to {high:.2f})" if count.wanted else ""
    precision = f"{count.right / many:.2f} ({under:.2f} to {over:.2f})" if many else ""
    return [name, count.wanted, recall, many, precision]


def draw(path: Path, truth: list[Box], found: list[RegionProposal], output: Path) -> None:
    """A picture of the boxes (white) and the regions (yellow), for looking; it shows the film."""
    picture = Image.open(path).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for box in truth:
        pen.rectangle(box.roi, outline=(255, 255, 255) if box.is_wanted else (130, 130, 130))
    for item in found:
        pen.rectangle(item.roi, outline=(255, 220, 0))
        pen.text((item.roi[0] + 2, item.roi[1] + 1), f"{item.label} {item.score:.2f}", fill=(255, 220, 0))
    output.parent.mkdir(parents=True, exist_ok=True)
    picture.save(output)


def found_on(
    pipeline: Pipeline, radiograph: Radiograph, score: float | None, regions_only: bool = False
) -> list[RegionProposal]:
    """What is found on a radiograph: the regions of all objects, or those of the 2D detector alone."""
    if regions_only:
        return list(pipeline.find_regions(pipeline.settle_polarity(radiograph), score).found)
    result = pipeline.segment(radiograph, score_threshold=score)
    return [RegionProposal(item.label, item.score, tuple(item.region)) for item in result.objects]


def main(arguments: list[str] | None = None) -> int:
    from GrayscaleDetSegLib.core.loading import load_pipeline

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with body_parts_unlabelled")
    parser.add_argument("--model", help="bundle (default: the shipped one)")
    parser.add_argument("--score", type=float, help="score that a region needs (default: the model's)")
    parser.add_argument("--regions", action="store_true", help="judge the 2D detector's regions, without masks")
    parser.add_argument("--figures", type=Path, help="file for the figures, for training.bundle --clinical")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of all films, outside of the repository")
    options = parser.parse_args(arguments)
    pipeline = load_pipeline(options.model) if options.model else load_pipeline()
    films, regions = read_boxes(), {}
    for film, truth in films.items():
        path = options.data / "body_parts_unlabelled" / film
        regions[film] = found_on(pipeline, read_radiograph(path), options.score, options.regions)
        if options.pictures:
            draw(path, truth, regions[film], options.pictures / f"{film.replace('/', '-')}.png")
    counts = judge(films, regions)
    print(table(counts))
    if options.figures:
        options.figures.write_text(json.dumps(figures(counts), indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
