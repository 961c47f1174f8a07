"""How far a handful of images leads: train on them alone, and compare with the model that saw all.

    python -m training.fine_tuning.few_images --data ../shared/data --output runs/few_images

By default 20 knees, half with a marked femur and half with a marked tibia, of the train parts; the rows of both classes
in the shipped model are not used. The new model and the shipped one are then measured on the val parts, which the
training does not see: its own validation images are some of the 20. Images whose pixels are in val are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.batch.main import main as command
from GrayscaleDetSegLib.core.loading import load_pipeline

from ..data import Case, load_set, load_sets
from ..evaluate import FINAL, evaluate_case, summarise, table

WANTED = 0.9
"""Of the full model's IoU."""


def write_sets(data: Path, sets: list[str], images: int, seed: int, output: Path) -> None:
    """Copy `images` of the train parts into sets of the same names, all of them for training."""
    hidden = {case.fingerprint() for case in load_sets(data, "val", tuple(sets))}
    for number, name in enumerate(sets):
        cases = [case for case in load_set(data / name, "train") if case.fingerprint() not in hidden]
        count = images // len(sets) + (number < images % len(sets))
        chosen = np.random.default_rng([seed, number]).choice(len(cases), count, replace=False)
        folder = output / name
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for index in sorted(chosen):
            for kind in ("images", "labels"):
                shutil.copy(data / name / kind / f"{cases[index].name}.png", folder / kind)
        shutil.copy(data / name / "labels.json", folder)
        with open(folder / "split.csv", "w", newline="", encoding="utf-8") as stream:
            rows = [("name", "split"), *((cases[index].name, "train") for index in sorted(chosen))]
            csv.writer(stream).writerows(rows)


def measured(model: Path | None, cases: list[Case]) -> list[dict]:
    """Figures of a model per set and class."""
    pipeline = load_pipeline(model, "cpu")
    return summarise([record for case in cases for record in evaluate_case(pipeline, case)])


def main(arguments: list[str] | None = None) -> int:
    program = "python -m training.fine_tuning.few_images"
    parser = argparse.ArgumentParser(prog=program, description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--sets", nargs="+", default=["knee_femur", "knee_tibia"])
    parser.add_argument("--images", type=int, default=20, help="in all (default 20)")
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="start", type=Path, help="another bundle to start from than the shipped one")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    folder = options.output / "data"
    if not folder.exists():
        write_sets(options.data, options.sets, options.images, options.seed, folder)
    files = [folder / name / "labels.json" for name in options.sets]
    labels = sorted({label for file in files for label in json.loads(file.read_text(encoding="utf-8"))})
    model, started = options.output / "model", time.monotonic()
    train = ["train", *(str(folder / name) for name in options.sets), "--output", str(model), "--name", "few images"]
    train += ["--minutes", str(options.minutes), "--seed", str(options.seed), "--forget", *labels]
    if options.start:
        train += ["--from", str(options.start)]
    code = command([*train, "--overwrite"])
    if code:
        return code
    minutes = (time.monotonic() - started) / 60.0
    cases = load_sets(options.data, "val", tuple(options.sets))
    full, few = measured(None, cases), measured(model, cases)
    print(f"{options.images} images, {minutes:.1f} min. On the val parts, the shipped model:\n\n{table(full, FINAL)}\n")
    print(f"The one from {options.images} images:\n\n{table(few, FINAL)}\n")
    is_reached = True
    for one, other in zip(full, few):
        ratio = other["surfaces_iou"] / one["surfaces_iou"]
        is_reached = is_reached and ratio >= WANTED
        print(f"{one['set']} {one['class']}: {ratio:.3f} of the full model's IoU")
    (options.output / "summary.json").write_text(json.dumps({"minutes": minutes, "full": full, "few": few}, indent=1))
    print("reached" if is_reached else "not reached", f"({WANTED} wanted)")
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
