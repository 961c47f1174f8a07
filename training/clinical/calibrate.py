"""Exponents that bring the scores of all classes to one threshold, from films with boxes set by eye.

    python -m training.clinical.calibrate --data ../shared/data --model BUNDLE [--write]

Half of the judged films (every second in the order of their names) say at which score each class finds most at a
precision of at least 0.85, and the other half tells what that is worth; `--write` puts the exponents into the bundle's
manifest. Classes with fewer than `FEWEST` boxes in that half keep their scores.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.reading.reader import read_radiograph
from GrayscaleDetSegLib.core.result import RegionProposal

from .judge import Box, Count, general, judge, read_boxes, table

FEWEST, PRECISION = 8, 0.85
LOWEST, HIGHEST = 0.05, 0.6
"""Thresholds that are tried."""


def thresholds(films: dict[str, list[Box]], regions: dict[str, list[RegionProposal]]) -> dict[str, float]:
    """Of every class with enough boxes, the score at which it finds most without too many false regions."""
    labels = {box.label for boxes in films.values() for box in boxes}
    chosen = {}
    for label in sorted(labels):
        own = {film: [box for box in boxes if box.label == label] for film, boxes in films.items()}
        if sum(box.is_wanted for boxes in own.values() for box in boxes) < FEWEST:
            continue
        best = (-1.0, 0.3)
        for score in np.geomspace(LOWEST, HIGHEST, 26):
            passing = {film: [item for item in items if general(item.label) == label and item.score >= score]
                       for film, items in regions.items()}  # fmt: skip
            count = judge(own, passing).get(label, Count())
            many = count.right + count.false
            precision, recall = count.right / max(many, 1), count.found / max(count.wanted, 1)
            # below the wanted precision, what is false weighs more than what is missed
            value = recall if precision >= PRECISION else recall - 2.0 * (PRECISION - precision)
            best = max(best, (value, float(score)))
        chosen[label] = best[1]
    return chosen


def exponents(chosen: dict[str, float], classes: tuple[str, ...], score: float) -> dict[str, float]:
    """The powers that move each class's threshold to `score`."""
    return {label: round(math.log(score) / math.log(chosen[general(label)]), 3)
            for label in classes if general(label) in chosen}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with body_parts_unlabelled")
    parser.add_argument("--model", type=Path, required=True, help="bundle")
    parser.add_argument("--write", action="store_true", help="put the exponents into the bundle's manifest")
    options = parser.parse_args(arguments)
    pipeline = load_pipeline(options.model)
    detector = pipeline.roi_detector
    detector.settings = replace(detector.settings, exponents={})
    films, regions = read_boxes(), {}
    for film in films:
        radiograph = read_radiograph(options.data / "body_parts_unlabelled" / film)
        regions[film] = list(pipeline.find_regions(pipeline.settle_polarity(radiograph), LOWEST).found)
    names = sorted(films)
    first, second = ({film: films[film] for film in names[start::2]} for start in (0, 1))
    chosen = thresholds(first, regions)
    print("thresholds from the first half:", {label: round(score, 3) for label, score in chosen.items()})
    score = detector.settings.score
    for title, half in (("first", first), ("second", second)):
        for what in ("as it is", "calibrated"):
            limits = chosen if what == "calibrated" else {}
            kept = {film: [item for item in regions[film] if item.score >= limits.get(general(item.label), score)]
                    for film in half}  # fmt: skip
            print(f"\n{title} half, {what}:\n{table(judge(half, kept))}")
    if options.write:
        path = options.model / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        settings = manifest["networks"]["roi_detector"].setdefault("settings", {})
        settings["exponents"] = exponents(chosen, detector.network.config.classes, score)
        path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
