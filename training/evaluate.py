"""How good a model bundle is on val: regions, boxes, surfaces, masks, beside the ceiling and plain thresholding.

    python -m training.evaluate --data ../shared/data [--model FOLDER] [--output runs/evaluation]

One row per set and class. Every object is looked for twice: in its true ROI (the 3D detector alone) and by the whole
pipeline from the file's pixels (an object that is not found counts with IoU 0). Masks are the pure rule of the single
box, or of the threshold surfaces, unless a column says "clean". The ceiling is the IoU of the best single interval in
the true ROI; no box can do better there. DSC, FN and FP are of the final masks of the model's default method; FN and FP
are shares of the object's pixels.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.mask import field_mask, rule_mask
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal, Regions
from GrayscaleDetSegLib.core.result import SegmentationResult

from .baselines.thresholds import multi_otsu, otsu
from .data import Case
from .data.checking import announce, check
from .films.knowledge import CARDS
from .films.marked import marked
from .intervals import best_interval
from .markdown_table import markdown_table
from .metrics import overlap, placed
from .runs import command

OBJECT = (("set", "set", "{}"), ("class", "class", "{}"), ("n", "n", "{:d}"))
FINAL = (
    ("recall", "recall", "{:.3f}"),
    ("roi", "ROI IoU", "{:.3f}"),
    ("surfaces_true_iou", "surfaces, true ROI", "{:.3f}"),
    ("surfaces_rule_iou", "found ROI", "{:.3f}"),
    ("surfaces_iou", "clean", "{:.3f}"),
    ("dsc", "DSC", "{:.3f}"),
    ("fn", "FN", "{:.3f}"),
    ("fp", "FP", "{:.3f}"),
)
"""The default method from end to end."""
SINGLE = (
    ("ceiling", "ceiling", "{:.3f}"),
    ("true_iou", "box, true ROI", "{:.3f}"),
    ("true_ratio", "/ceiling", "{:.3f}"),
    ("found_iou", "found ROI", "{:.3f}"),
    ("found_ratio", "/ceiling", "{:.3f}"),
    ("clean_iou", "clean", "{:.3f}"),
    ("otsu", "Otsu", "{:.3f}"),
    ("multi_otsu_1", "multi-1", "{:.3f}"),
    ("multi_otsu_2", "multi-2", "{:.3f}"),
)
"""The single box, beside its ceiling and its baselines."""


def evaluate_case(pipeline: Pipeline, case: Case) -> list[dict]:
    """A record of figures for every marked object of one case."""
    results = _results(pipeline, Radiograph.from_array(case.pixels))
    bright = case.radiograph()
    gray = bright.gray()
    records = []
    for label, truth in case.objects():
        roi = tuple(boxes.of_mask(truth))
        window = boxes.pixel_slices(roi, truth.shape)
        box = pipeline.methods["box"].detector.detect(gray, roi, label).box
        in_true_roi = placed(rule_mask(bright, roi, box[2], box[5]), window, truth.shape)
        overlaps = {}
        for key, result in results.items():
            found, roi_iou = _matching(result, label, roi)
            overlaps[key] = overlap(found, truth)
        final = overlaps[pipeline.default_method, True]
        record = {
            "set": case.set_name,
            "class": label,
            "name": case.name,
            "recall": float(roi_iou >= 0.5),
            "roi": roi_iou,
            "ceiling": best_interval(gray[window], truth[window]).iou,
            "true_iou": overlap(in_true_roi, truth).iou,
            "found_iou": overlaps["box", False].iou,
            "clean_iou": overlaps["box", True].iou,
            "dsc": final.dsc,
            "fn": final.fn,
            "fp": final.fp,
            "otsu": overlap(otsu(gray[window], label), truth[window]).iou,
            "multi_otsu_1": overlap(multi_otsu(gray[window], label, 1), truth[window]).iou,
            "multi_otsu_2": overlap(multi_otsu(gray[window], label, 2), truth[window]).iou,
        }
        surfaces = pipeline.methods.get("surfaces")
        if surfaces is not None and label in surfaces.classes:
            grown = tuple(boxes.grown(roi, surfaces.margin, truth.shape))
            mask = field_mask(bright, surfaces.detector.detect(gray, grown, label))
            whole = placed(mask, boxes.pixel_slices(grown, truth.shape), truth.shape)
            record["surfaces_true_iou"] = overlap(whole, truth).iou
            record["surfaces_rule_iou"] = overlaps["surfaces", False].iou
            record["surfaces_iou"] = overlaps["surfaces", True].iou
        records.append(record)
    return records


def _results(pipeline: Pipeline, radiograph: Radiograph) -> dict[tuple[str, bool], SegmentationResult]:
    """(method, whether the post-processing ran) -> result; regions are looked for once."""
    first = pipeline.segment(radiograph, method="box", clean_up=False)
    found = tuple(RegionProposal(item.label, item.score, item.region) for item in first.objects)
    regions = Regions(found, first.best_candidate, first.view)
    results = {("box", False): first}
    for method in dict.fromkeys(("box", pipeline.default_method)):
        for clean_up in (False, True):
            if (method, clean_up) not in results:
                results[method, clean_up] = pipeline.segment_regions(
                    first.radiograph, regions, method=method, clean_up=clean_up
                )
    return results


def _matching(result: SegmentationResult, label: str, roi: tuple[float, ...]) -> tuple[np.ndarray, float]:
    """The mask of the object of a class whose ROI meets `roi` best, and the IoU of the ROIs; nothing, and 0."""
    best, best_iou = np.zeros(result.radiograph.shape, bool), 0.0
    for item in result.objects:
        iou = float(boxes.iou(np.asarray(item.region), np.asarray(roi)))
        if item.label == label and iou > best_iou:
            best, best_iou = item.mask, iou
    return best, best_iou


def summarise(records: list[dict]) -> list[dict]:
    """The mean of every figure per set and class, with the ratios of the means to the mean ceiling."""
    groups = defaultdict(list)
    for record in records:
        groups[record["set"], record["class"]].append(record)
    rows = []
    for (set_name, label), members in sorted(groups.items()):
        figures = [key for key in members[0] if key not in ("set", "class", "name")]
        row = {"set": set_name, "class": label, "n": len(members)}
        row.update({key: float(np.mean([member[key] for member in members])) for key in figures})
        row["true_ratio"] = row["true_iou"] / row["ceiling"]
        row["found_ratio"] = row["found_iou"] / row["ceiling"]
        rows.append(row)
    return rows


def table(rows: list[dict], figures: tuple[tuple[str, str, str], ...]) -> str:
    """The rows as a Markdown table; figures of a method that the model lacks are left out."""
    columns = [column for column in (*OBJECT, *figures) if all(column[0] in row for row in rows)]
    cells = [[form.format(row[key]) for key, _, form in columns] for row in rows]
    return markdown_table([title for _, title, _ in columns], cells)


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--sets", nargs="+", default=list(CARDS), help="names of the sets (default: all)")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    parser.add_argument("--output", type=Path, help="folder for objects.csv and summary.json")
    parser.add_argument("--skip-bad", action="store_true", help="leave out what the check of the data rejects")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pipeline = load_pipeline(options.model, "cpu")
    report = check([options.data / name for name in options.sets], kept=options.output)
    announce(report, options.skip_bad, "val", sys.stderr)
    cases = [marked(case, options.data / case.set_name) for case in report.of("val")]
    records = []
    for number, case in enumerate(cases, start=1):
        records += evaluate_case(pipeline, case)
        if sys.stderr.isatty():
            print(f"\r{number} of {len(cases)}", end="", file=sys.stderr)
    rows = summarise(records)
    print(
        f"{pipeline.model} on val, {len(cases)} images, Python {platform.python_version()}, torch {torch.__version__}\n"
    )
    print(table(rows, FINAL))
    print(f"\nThe single box:\n\n{table(rows, SINGLE)}")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        report.keep(options.output)
        with open(options.output / "objects.csv", "w", newline="") as stream:
            writer = csv.DictWriter(stream, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
        (options.output / "summary.json").write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
