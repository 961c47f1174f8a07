"""L-SNet beside networks of one stage that have seen as many images: one command trains all of them, and judges on val.

    python -m training.lsnet.compare --data ../shared/data --config training/configs/lsnet/knee.toml --output runs/knee
        [--rivals "one stage" U-Net "Attention U-Net" FCN]

``one stage`` is S-Net by itself on the whole image, as the article's networks of one stage have the same encoder; the
others are those of ``training.baselines``. All see the image at the resolution that L-SNet cuts its regions out of.
What is finished is not done again. Figures are those of the article's Table 1, and the IoU; of volumes they are means
over the slices that show the target, patient by patient. Intervals (95 %) are drawn by image, or by patient.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.gray import GRAY_MAX
from GrayscaleDetSegLib.core.lsnet.looking import look_through, squared
from GrayscaleDetSegLib.core.lsnet.networks import Networks, SNet
from GrayscaleDetSegLib.core.lsnet.settings import LSNetConfig, LSNetSettings
from GrayscaleDetSegLib.core.volumes.views import along, dsc

from ..baselines.experiment import Budget, fit
from ..baselines.networks import NETWORKS, build
from ..baselines.training import BaselineTraining, predict
from ..compare.statistics import Bootstrap
from ..files import write_aside
from ..markdown_table import markdown_table
from ..runs import Run, command
from ..volumes.data import Prepared
from ..volumes.run import VolumeRun
from .__main__ import config_of, images_of, run_of, settings_of, train
from .data import boxes_of
from .systems import overlap_figures
from .training import box_figure, masks_of

OURS, ONE_STAGE = "L-SNet", "one stage"
FIGURES = ("dsc", "precision", "recall", "iou", "box")
TITLES = {"dsc": "DSC", "precision": "Precision", "recall": "Recall", "iou": "IoU", "box": "boxes' IoU"}


def timed(folder: Path, work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` gives, and the core minutes that it took, in all sessions together."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "core_minutes.json"
    spent = json.loads(path.read_text()) if path.exists() else 0.0
    if (folder / "network.pt").exists():  # it has been finished before
        return work(), spent
    start = time.process_time()
    try:
        found = work()
    finally:
        spent += (time.process_time() - start) / 60.0
        write_aside(path, json.dumps(spent).encode())
    return found, spent


def rival(name: str, config: LSNetConfig) -> torch.nn.Module:
    """A network of one stage, with fresh weights."""
    if name == ONE_STAGE:
        return SNet(config).to(memory_format=torch.channels_last)
    return build(name, len(config.classes))


def radiograph_rows(
    name: str, run: Run, config: LSNetConfig, masks: Callable[[np.ndarray, list[str]], dict[str, tuple]]
) -> list[dict[str, Any]]:
    """A row of figures for every image and class of val."""
    rows = []
    for case in run.validation_cases():
        truths = {label: case.mask_of(label) for label in case.labels if label in config.classes}
        truths = {label: truth for label, truth in truths.items() if truth.any()}
        found = masks(case.radiograph().gray(), list(truths))
        for label, truth in truths.items():
            mask, regions = found[label]
            row = {"method": name, "set": case.set_name, "class": label, "name": case.name}
            row |= overlap_figures(mask, truth)
            if regions is not None:
                row["box"] = box_figure(regions, boxes_of(truth[None])[:, 1:])
            rows.append(row)
    return rows


def volume_rows(
    name: str, run: VolumeRun, views: tuple[str, ...], look: Callable[[Prepared], tuple[np.ndarray, dict | None]]
) -> list[dict[str, Any]]:
    """A row of figures for every patient of val: means over the slices that show the target, and DSC of volumes."""
    of_patients: dict[tuple[str, str], list[dict[str, float]]] = {}
    of_volumes: dict[tuple[str, str], list[float]] = {}
    cases = [case for case in run.volumes if case.split == "val"]
    for case, ready in zip(cases, run.prepared("val")):
        mask, regions = look(ready)
        key = case.set_name, case.patient
        of_volumes.setdefault(key, []).append(dsc(mask, ready.mask))
        for view in views:
            for index, (piece, truth) in enumerate(zip(along(mask, view), along(ready.mask, view))):
                if truth.any():
                    figures = overlap_figures(piece, truth)
                    if regions is not None:
                        figures["box"] = box_figure(regions[view][index], boxes_of(truth[None])[:, 1:])
                    of_patients.setdefault(key, []).append(figures)
    return [
        {
            "method": name, "set": key[0], "class": run.target.label, "name": key[1],
            **{figure: float(np.mean([each[figure] for each in slices])) for figure in FIGURES if figure in slices[0]},
            "volume_dsc": float(np.mean(of_volumes[key])), "slices": len(slices),
        }
        for key, slices in of_patients.items()
    ]  # fmt: skip


@torch.inference_mode()
def whole_slices(network: torch.nn.Module, case: Prepared, settings: LSNetSettings, side: int) -> np.ndarray:
    """The mask of a volume by a network of one stage, views put together as L-SNet does."""
    total = np.zeros(case.gray.shape, np.float32)
    for view in settings.views:
        likely = along(total, view)
        for index, gray in enumerate(along(case.gray, view)):
            image = torch.from_numpy(squared(gray, side) / np.float32(GRAY_MAX))[None, None]
            logits = network(image.contiguous(memory_format=torch.channels_last))
            large = functional.interpolate(logits, gray.shape, mode="bilinear", align_corners=False)
            likely[index] += large.sigmoid()[0, 0].numpy() / len(settings.views)
    return total >= 0.5


def rows_of(
    name: str, run: Run, config: LSNetConfig, settings: LSNetSettings, network: torch.nn.Module
) -> list[dict[str, Any]]:
    """The rows of a trained network: L-SNet's, or one of one stage."""
    if isinstance(run, VolumeRun):

        def look(case: Prepared) -> tuple[np.ndarray, dict | None]:
            if isinstance(network, Networks):
                outcome = look_through(case.working, network, 0, settings)
                return outcome.mask, outcome.regions
            return whole_slices(network, case, settings, config.source), None

        return volume_rows(name, run, settings.views, look)

    def masks(gray: np.ndarray, labels: list[str]) -> dict[str, tuple]:
        if isinstance(network, Networks):
            return masks_of(network, settings, gray, labels)
        found = predict(network, gray, [config.classes.index(label) for label in labels], config.source)
        return {label: (mask, None) for label, mask in zip(labels, found)}

    return radiograph_rows(name, run, config, masks)


def table(rows: list[dict[str, Any]], facts: dict[str, dict[str, float]]) -> str:
    """The table, in Markdown: figures in percent, with 95 % intervals of DSC and of the difference to ours."""
    known = Bootstrap(rows)
    of_volumes = "volume_dsc" in rows[0]
    titles = [TITLES[figure] for figure in FIGURES] + (["DSC of volumes"] if of_volumes else [])
    head = ["method", *titles, "DSC, 95 %", "ours minus it", "parameters", "images seen", "core minutes"]
    lines = []
    for name in known.methods:
        figures = [known.mean(name, known.groups, each) for each in (*FIGURES, *(["volume_dsc"] if of_volumes else []))]
        cells = ["" if np.isnan(value) else f"{100 * value:.2f}" for value in figures]
        estimate = known.estimate(name, known.groups, "dsc")
        cells.append(f"{100 * estimate.low:.2f} to {100 * estimate.high:.2f}")
        behind = "" if name == OURS else known.difference(OURS, name, known.groups, "dsc")
        cells.append(behind and f"{100 * behind.mean:+.2f} ({100 * behind.low:+.2f} to {100 * behind.high:+.2f})")
        own = facts[name]
        cells += [f"{int(own['parameters']):,}", f"{int(own['images']):,}", f"{own['minutes']:.1f}"]
        lines.append([name, *cells])
    return markdown_table(head, lines)


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.lsnet.compare", description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs and of the table")
    choices = (ONE_STAGE, *NETWORKS)
    parser.add_argument("--rivals", nargs="*", choices=choices, default=[ONE_STAGE], help="networks of one stage")
    parser.add_argument("--rate", type=float, help="learning rate of the rivals (default: that of the first stage)")
    options, rest = parser.parse_known_args(arguments)
    run = run_of(__doc__, [*rest, "--output", str(options.output / "lsnet")])
    config, settings = config_of(run), settings_of(run)
    networks, minutes = timed(run.output, lambda: train(run))
    batch = run.batch_size
    length = run.settings.get("epoch_length") or len(images_of(run, config, settings, config.source))
    images = sum(stage.epochs for stage in run.stages) * (length // batch) * batch
    rate = options.rate or run.stages[0].learning_rate
    rows, facts = rows_of(OURS, run, config, settings, networks), {OURS: _facts(networks, images, minutes)}
    for name in options.rivals:
        folder = options.output / name.lower().replace(" ", "_")
        dataset = images_of(run, config, settings, config.source)
        budget = Budget(images, 0, batch, run.settings["seed"])

        def work(name: str = name, dataset: Any = dataset, budget: Budget = budget, folder: Path = folder) -> Any:
            return fit(lambda: rival(name, config), BaselineTraining, dataset, rate, images, budget, folder)

        network, minutes = timed(folder, work)
        rows += rows_of(name, run, config, settings, network)
        facts[name] = _facts(network, images, minutes)
    write_aside(options.output / "rows.json", json.dumps({"rows": rows, "facts": facts}, indent=1).encode())
    text = table(rows, facts)
    write_aside(options.output / "table.md", (text + "\n").encode())
    print(text)
    return 0


def _facts(network: torch.nn.Module, images: int, minutes: float) -> dict[str, float]:
    return {"parameters": sum(each.numel() for each in network.parameters()), "images": images, "minutes": minutes}


if __name__ == "__main__":
    sys.exit(main())
