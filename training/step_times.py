"""Seconds that a training step of a configuration takes on this machine, and what its whole schedule would cost.

    python -m training.step_times training/configs/detector_article.toml [--samples 785] [--steps 3] [--precision bf16]

For configurations that are too large to be carried out here: the 2D detector's and the 3D detector's. Batches are
random numbers of the right shape; how long a step takes does not depend on what is in them. Seconds are those of the
processor, on one thread, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import tomllib
import torch

from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig

from .box_detector import BoxLoss, BoxTraining
from .compare.tables import table
from .data import CLASSES
from .detection_loss import LossWeights
from .detection_sample import DetectionSample
from .detector import DetectorTraining
from .networks import ANCHORS, PointNetConfig, YoloConfig
from .runs import StagedTraining
from .runs.stages import Stage

SAMPLES = 785
"""Images for training in the seven sets of version 2."""


def detector_step(settings: dict[str, Any], stages: list[Stage]) -> tuple[StagedTraining, list[DetectionSample]]:
    """The training of a 2D detector, and a batch of images with one box each."""
    size, batch = settings["input_size"], settings["batch_size"]
    anchors = tuple((8.0 * (number + 1), 8.0 * (number + 1)) for number in range(ANCHORS[settings["variant"]]))
    config = YoloConfig(settings["variant"], CLASSES, anchors, size, settings["channels"], settings["width"])
    module = DetectorTraining(config, LossWeights(**settings.get("loss", {})), stages, 1)
    box = torch.tensor([[0.25, 0.25, 0.5, 0.5]]) * size
    known = torch.ones(len(CLASSES), dtype=torch.bool)
    masks = torch.zeros((size // 4, size // 4), dtype=torch.int64)
    samples = [DetectionSample(torch.rand(1, size, size), box, torch.zeros(1, dtype=torch.int64), known, masks)
               for _ in range(batch)]  # fmt: skip
    return module, samples


def box_step(settings: dict[str, Any], stages: list[Stage]) -> tuple[StagedTraining, list[torch.Tensor]]:
    """The training of a 3D detector, and a batch of clouds."""
    batch, count = settings["batch_size"], settings["side"] ** 2
    config = PointNetConfig(CLASSES, settings["width"], settings["context"])
    anchors = AnchorConfig.from_dict(settings["anchors"])
    module = BoxTraining(config, anchors, BoxLoss(**settings.get("loss", {})), stages, 1)
    points, gray = torch.rand(batch, count, 3) * 2 - 1, torch.rand(batch, count) * 255
    intervals = torch.tensor([[60.0, 200.0]]).repeat(batch, 1)
    return module, [points, gray, torch.zeros(batch, dtype=torch.int64), intervals, torch.ones(batch)]


def seconds_a_step(module: StagedTraining, batch: list, stage: Stage, steps: int, precision: str) -> float:
    """Processor time: the median of `steps` steps of a stage, after one that is not counted."""
    module.log_dict = lambda *_, **__: None
    module.train()
    module.freeze(stage.trainable)
    optimizer = torch.optim.AdamW((one for one in module.parameters() if one.requires_grad), stage.learning_rate)
    mixed = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    times = []
    for number in range(steps + 1):
        begun = time.process_time()
        with mixed:
            loss = module.training_step(batch, number)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.process_time() - begun)
    return statistics.median(times[1:])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.step_times", description=__doc__.split("\n\n")[0])
    parser.add_argument("config", type=Path, nargs="+", help="experiments, TOML files of the 2D or 3D detector")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"in an epoch (default {SAMPLES})")
    parser.add_argument("--steps", type=int, default=3, help="steps that are measured (default 3)")
    parser.add_argument("--precision", choices=("32", "bf16"), default="32")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lines = []
    for path in options.config:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
        stages = [Stage(**stage) for stage in settings["stages"]]
        torch.manual_seed(0)
        module, batch = (box_step if "anchors" in settings else detector_step)(settings, stages)
        for stage in stages:
            seconds = seconds_a_step(module, batch, stage, options.steps, options.precision)
            count = stage.epochs * (settings.get("epoch_length", options.samples) // settings["batch_size"])
            parameters = sum(one.numel() for one in module.network.parameters())
            lines.append([path.stem, f"{parameters / 1e6:.1f} M", stage.trainable, f"{seconds:.2f}", str(count),
                          f"{count * seconds / 3600:.1f}"])  # fmt: skip
    titles = ["configuration", "parameters", "what learns", "core seconds a step", "steps of the schedule"]
    print(table([*titles, "core hours"], lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
