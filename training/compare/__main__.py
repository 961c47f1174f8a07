"""Our methods beside FCN, U-Net, Res-UNet, Attention U-Net and U-Net++: accuracy, learning curves, time.

    python -m training.compare --data ../shared/data --output runs/comparison [--parts accuracy robustness curves time]

Everything is trained on the train part of the sets and measured on val. Every network, ours among them, sees the same
number of images and has its learning rate chosen on val in short runs. The ROIs are those that the shipped 2D detector
finds. What was finished before is not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import tomllib
import torch
from scipy.stats import spearmanr

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.surfaces.detector import SurfaceDetector
from GrayscaleDetSegLib.core.surfaces.network import SurfaceConfig

from .. import benchmark
from ..data import CLASSES, SETS, Case, load_sets
from ..rivals.contest import Budget, predict_case, train
from ..rivals.networks import NETWORKS, build
from ..surface_data import detector_residuals
from ..surfaces import found_rois
from . import plots
from .accuracy import ceilings, confidences, pipeline_masks, records_of, table
from .contestants import Regions, train_surfaces
from .curves import curve, summary
from .robustness import robustness

PARTS = ("accuracy", "robustness", "curves", "time")
CONFIG = Path(__file__).resolve().parents[1] / "configs" / "surfaces.toml"


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    pipeline = load_pipeline(options.model, "cpu")
    settings = tomllib.loads(options.config.read_text())
    surface = SurfaceConfig.from_dict({"classes": CLASSES, **settings["network"]})
    report: list[str] = []
    if {"accuracy", "robustness", "curves"} & set(options.parts):
        sets = tuple(options.sets)
        training, validation = (load_sets(options.data, split, sets) for split in ("train", "val"))
        regions = Regions(
            detector_residuals(pipeline.roi_detector, training),
            found_rois(pipeline.roi_detector, validation),
            settings["margin"],
        )
    if "accuracy" in options.parts:
        report += _accuracy(options, pipeline, surface, training, validation, regions)
    if "robustness" in options.parts:
        report += _robustness(options, pipeline, validation)
    if "curves" in options.parts:
        report += _curves(options, surface, training, validation, regions)
    if "time" in options.parts:
        report += ["## Time", benchmark.report(pipeline, options.sizes, options.repeats)]
    text = "\n\n".join(report) + "\n"
    (options.output / "report.md").write_text(text)
    print(text)
    return 0


def _accuracy(options, pipeline: Pipeline, surface, training: list[Case], validation: list[Case], regions) -> list[str]:
    budget, folder = Budget(options.images, options.search_images), options.output
    records = ceilings(validation)
    rates = {}
    for name in options.rivals:
        trained = train(name, training, validation[::3], CLASSES, budget, folder / "rivals" / name)
        rates[name] = trained.rate
        records += records_of(name, lambda case, t=trained: predict_case(t.network, case, CLASSES), validation)
    trained = train_surfaces(surface, training, validation[::3], regions, budget, folder / "surfaces")
    rates["surfaces"] = trained.rate
    shipped, pipeline.surface_detector = pipeline.surface_detector, SurfaceDetector(trained.network)
    records += records_of("surfaces", pipeline_masks(pipeline, "surfaces"), validation)
    methods = ["one box, best", "32 x 32 boxes, best", "single box", *options.rivals, "surfaces"]
    records += records_of("single box", pipeline_masks(pipeline, "box"), validation)
    pipeline.surface_detector = shipped
    if shipped is not None:
        records += records_of("shipped", pipeline_masks(pipeline, "surfaces"), validation)
        methods.append("shipped")
    (folder / "records.json").write_text(json.dumps(records))
    plots.accuracy(records, methods, folder / "accuracy.png")
    report = [
        f"## Mean IoU on val\n\nEvery network has seen {options.images} images; learning rates: "
        + ", ".join(f"{name} {rate:g}" for name, rate in rates.items()) + ".",
        table(records, methods, "surfaces", list(options.rivals)),
    ]
    if shipped is not None:
        report += ["The shipped surfaces (trained longer) against the same rivals:",
                   table(records, ["shipped"], "shipped", list(options.rivals)),
                   _confidence(pipeline, validation)]
    return report


def _robustness(options, pipeline: Pipeline, validation: list[Case]) -> list[str]:
    """The shipped model and the finished rivals on altered images; rivals are told which images are inverted files."""
    methods = {pipeline.default_method: pipeline_masks(pipeline, pipeline.default_method)}
    methods["single box"] = pipeline_masks(pipeline, "box")
    for name in options.rivals:
        network, weights = build(name, len(CLASSES)), options.output / "rivals" / name / "final" / "network.pt"
        if weights.exists():
            network.load_state_dict(torch.load(weights, weights_only=True))
            network.eval()
            methods[name] = lambda case, network=network: predict_case(network, case, CLASSES)
    return ["## Robustness: mean IoU on a quarter of val, altered", robustness(methods, validation[::4])]


def _confidence(pipeline: Pipeline, validation: list[Case]) -> str:
    """Whether images that went wrong have a lower confidence: rank correlations with IoU on val."""
    rows = confidences(pipeline, validation)
    lines = ["| set | objects | Spearman, confidence | Spearman, stability |", "|---|---|---|---|"]
    for name in [*dict.fromkeys(row["set"] for row in rows), "all"]:
        members = [row for row in rows if name in (row["set"], "all")]
        if len(members) > 2:
            values = [
                spearmanr([row[key] for row in members], [row["iou"] for row in members]).statistic
                for key in ("confidence", "stability")
            ]
            lines.append(f"| {name} | {len(members)} | {values[0]:.2f} | {values[1]:.2f} |")
    return "\n".join(["Rank correlation with IoU (shipped surfaces, objects that were found):", "", *lines])


def _curves(options, surface, training: list[Case], validation: list[Case], regions: Regions) -> list[str]:
    kept = [[case for case in cases if case.set_name == options.curve_set] for cases in (training, validation)]
    records = curve(
        options.curve_class,
        *kept,
        regions,
        surface,
        Budget(options.curve_images, 0),
        options.counts,
        options.output / "curves",
        1e-3,
        2e-3,
    )
    (options.output / "curves.json").write_text(json.dumps(records))
    plots.curves(records, options.output / "curves.png")
    title = f"## Few training images: {options.curve_class}, {options.curve_set}, mean IoU on val"
    return [f"{title}\n\nEvery network was trained from nothing and has seen {options.curve_images} images.",
            summary(records)]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.compare", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of the comparison; finished parts are kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to do (default: all)")
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="names of the sets (default: all)")
    parser.add_argument("--rivals", nargs="+", choices=list(NETWORKS), default=list(NETWORKS), help="default: all")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    parser.add_argument("--config", type=Path, default=CONFIG, help="design of the surfaces, a TOML file")
    parser.add_argument("--images", type=int, default=9600, help="images that every network sees (default 9600)")
    parser.add_argument("--search-images", type=int, default=960, help="images for every learning rate (default 960)")
    parser.add_argument("--curve-set", default="jsrt_lungs", help="set of the learning curves")
    parser.add_argument("--curve-class", default="right lung", help="class of the learning curves")
    parser.add_argument("--curve-images", type=int, default=640, help="images seen for each point of a learning curve")
    parser.add_argument("--counts", type=int, nargs="+", default=[5, 10, 20, 50], help="training images of the curves")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096], help="image sides, px")
    parser.add_argument("--repeats", type=int, default=7, help="of every timed run")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
