"""What a model finds on real films: recall and IoU on val, boxes of clinical films, and objects that are not there."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.reading.reader import read_radiograph

from ..clinical.judge import Box, Count, found_on, interval, judge
from ..compare.tables import table
from ..data import Case
from ..metrics import overlap, placed

Films = dict[str, list[Box]]
"""Clinical films ("folder/file") with the boxes that were set by eye."""


def object_records(pipeline: Pipeline, case: Case) -> list[dict]:
    """Figures of every marked object of a case whose polarity is told.

    "recall": 1 where a region of its class meets it with an IoU of 0.5; "roi": that IoU; "true": IoU of the surfaces'
    rule in the true region; "found": IoU of the final mask, 0 where there is none.
    """
    radiograph, method = case.radiograph(), pipeline.methods["surfaces"]
    objects = pipeline.segment(radiograph, check_polarity=False).objects
    records = []
    for label, truth in case.objects():
        roi = boxes.of_mask(truth)
        grown = tuple(boxes.grown(tuple(roi), method.margin, truth.shape))
        mask = field_mask(radiograph, method.detector.detect(radiograph.gray_image(), grown, label))
        in_true = placed(mask, boxes.pixel_slices(grown, truth.shape), truth.shape)
        best, best_iou = np.zeros_like(truth), 0.0
        for item in objects:
            iou = float(boxes.iou(np.asarray(item.region), roi))
            if item.label == label and iou > best_iou:
                best, best_iou = item.mask, iou
        records.append({
            "set": case.set_name, "class": label, "name": case.name, "recall": float(best_iou >= 0.5), "roi": best_iou,
            "true": overlap(in_true, truth).iou, "found": overlap(best, truth).iou,
        })  # fmt: skip
    return records


def evaluated_records(path: Path, looked_at: set[tuple[str, str]]) -> list[dict]:
    """Records of ``objects.csv`` of ``training.evaluate``, of the images (set, name) that are looked at."""
    columns = {"recall": "recall", "roi": "roi", "true": "surfaces_true_iou", "found": "surfaces_iou"}
    with open(path, newline="", encoding="utf-8") as file:
        return [{**{key: row[key] for key in ("set", "class", "name")},
                 **{key: float(row[column]) for key, column in columns.items()}}
                for row in csv.DictReader(file) if (row["set"], row["name"]) in looked_at]  # fmt: skip


FIGURES = {"recall": "recall", "roi": "ROI IoU", "true": "IoU, true region", "found": "IoU, found region"}


def table_of_sets(rows: dict[str, list[dict]]) -> str:
    """Means by set and class of the records of several models (title -> records), side by side."""
    groups: dict[tuple[str, str], dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for title, records in rows.items():
        for record in records:
            groups[record["set"], record["class"]][title].append(record)
    titles = ["set", "class", "n", *(f"{word}, {title}" for word in FIGURES.values() for title in rows)]
    lines = []
    for (set_name, label), members in sorted(groups.items()):
        means = [f"{np.mean([record[key] for record in members[title]]):.3f}" for key in FIGURES for title in rows]
        lines.append([set_name, label, str(len(next(iter(members.values())))), *means])
    return table(titles, lines)


def clinical_counts(pipeline: Pipeline, films: Films, data: Path) -> dict[str, Count]:
    """What the 2D detector alone finds on clinical films, as they are stored; see ``clinical.judge``."""
    folder = data / "body_parts_unlabelled"
    regions = {film: found_on(pipeline, read_radiograph(folder / film), None, regions_only=True) for film in films}
    return judge(films, regions)


def films_with(films: Films, label: str) -> Films:
    """The films that show a class in good part."""
    return {name: found for name, found in films.items() if any(box.label == label and box.is_wanted for box in found)}


def false_on_boxed(pipeline: Pipeline, films: Films, data: Path) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """(film, number of regions that are false by its boxes, their classes) of every clinical film."""
    for name, truth in films.items():
        counts = clinical_counts(pipeline, {name: truth}, data)
        wrong = {label: count.false for label, count in counts.items() if count.false}
        yield name, sum(wrong.values()), tuple(wrong)


def false_on_cases(pipeline: Pipeline, cases: list[Case]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """The same of cases that show nothing of what the model knows: every region is false."""
    for case in cases:
        found = pipeline.find_regions(case.radiograph()).found
        yield case.name, len(found), tuple(item.label for item in found)


def share_text(hits: float, of: int) -> str:
    """A share with Wilson's 95 % interval."""
    low, high = interval(int(hits), of)
    return f"{hits / of:.2f} ({low:.2f} to {high:.2f})" if of else ""
