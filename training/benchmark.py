"""Time and memory of the warm pipeline per image, stage by stage, beside the baselines' in the same run.

    python -m training.benchmark [--sizes 512 1024 2048 4096] [--repeats 7] [--threads 1]

The images are simulated chest radiographs (16 bit, two lungs). Both sides start from pixels in memory, end with masks
at full size. The baselines (random weights: only their time counts) see the image resized to a square, which keeps
their cost bounded, and their logits are enlarged back; their times are given for the widths and the input of
``training.compare``, and for MONAI's default widths at 256 and at 512 px.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import AttentionUnet, BasicUNet, BasicUNetPlusPlus
from scipy import ndimage

from GrayscaleDetSegLib.core.engines import CHOICES, TITLES
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.single_box.detector import BoxDetector, BoxSettings

from .baselines.networks import NETWORKS, LastOutput, build
from .baselines.training import SIZE, predict
from .data import CLASSES
from .simulate import simulate

MASK_STAGES = ("masks", "post-processing")
"""The stages that touch every pixel of a ROI; all others look at a fixed number of points."""


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    """Median wall time of an action, after two runs that do not count."""
    times = []
    for repeat in range(repeats + 2):
        start = time.perf_counter()
        action()
        if repeat >= 2:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def chest(size: int) -> Radiograph:
    """A simulated chest radiograph, size x size px of 16 bits; beyond 2048 px one of half the size, enlarged."""
    if size <= 2048:
        return Radiograph.from_array(simulate("chest", 3, (size, size)).pixels)
    half = chest(size // 2).pixels
    noise = np.random.default_rng(0).normal(0.0, 12.0, (size, size)).astype(np.float32)
    pixels = ndimage.zoom(half.astype(np.float32), 2, order=1) + noise
    return Radiograph.from_array(np.clip(pixels, 0, 65535).astype(np.uint16))


def stage_times(pipeline: Pipeline, radiograph: Radiograph, method: str, repeats: int) -> tuple[float, dict, int]:
    """Milliseconds of a whole run (median), those of its stages (medians), and the number of objects found."""
    stages, found = defaultdict(list), []

    def run() -> None:
        result = pipeline.segment(radiograph, method=method)
        found.append(len(result.objects))
        for stage, seconds in result.seconds.items():
            stages[stage].append(1e3 * seconds)

    whole = 1e3 * median_seconds(run, repeats)
    return whole, {stage: statistics.median(values[2:]) for stage, values in stages.items()}, found[-1]


def networks() -> dict[str, tuple[torch.nn.Module, int]]:
    """Name -> a baseline, as it is compared in accuracy and at MONAI's default width, and the side of its input."""
    classes, wide = len(CLASSES), (32, 64, 128, 256, 512)
    found = {f"{name}, {SIZE} px": (build(name, classes), SIZE) for name in NETWORKS}
    for size in (256, 512):
        for name, network in (
            ("U-Net", BasicUNet(2, 1, classes)),
            ("Attention U-Net", AttentionUnet(2, 1, classes, wide, (2, 2, 2, 2))),
            ("U-Net++", LastOutput(BasicUNetPlusPlus(2, 1, classes))),
        ):
            found[f"{name}, default width, {size} px"] = network.to(memory_format=torch.channels_last), size
    return {name: (network.eval(), size) for name, (network, size) in found.items()}


def report(pipeline: Pipeline, sizes: list[int], repeats: int, baselines: bool = True) -> str:
    """Markdown tables: the pipeline's stages by size, its growth, and the baselines' times with their ratio to it."""
    lines = [
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}",
        "",
        "| method | size | objects | ms | of it | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    images = {size: chest(size) for size in sizes}
    ours: dict[str, dict[int, tuple[float, dict]]] = defaultdict(dict)
    methods = dict.fromkeys([pipeline.default_method, "box"])
    for method in methods:
        for size, radiograph in images.items():
            whole, stages, found = stage_times(pipeline, radiograph, method, repeats)
            ours[method][size] = whole, stages
            parts = ", ".join(f"{stage} {milliseconds:.0f}" for stage, milliseconds in stages.items())
            memory = f"{peak_memory(radiograph, method):.0f} MB"
            lines.append(f"| {method} | {size} | {found} | {whole:.0f} | {parts} | {memory} |")
    lines += ["", "| growth | mask and post-processing | everything else |", "|---|---|---|"]
    for small, large in zip(sizes, sizes[1:]):
        masks, others = [], []
        for size in (small, large):
            stages = ours[pipeline.default_method][size][1]
            masks.append(sum(stages.get(stage, 0.0) for stage in MASK_STAGES))
            others.append(sum(stages.values()) - masks[-1])
        lines.append(f"| {small} to {large} | {masks[1] / masks[0]:.2f} | {others[1] / others[0]:.2f} |")
    if baselines:
        lines += ["", "| baseline | " + " | ".join(f"{size} px, ms | ratio" for size in sizes) + " |"]
        lines.append("|---" * (1 + 2 * len(sizes)) + "|")
        for name, (network, side) in networks().items():
            cells = []
            for size, radiograph in images.items():

                def run(radiograph=radiograph, network=network, side=side) -> None:
                    predict(network, radiograph.gray(), size=side)

                theirs = 1e3 * median_seconds(run, max(1, repeats // 2))
                cells += [f"{theirs:.0f}", f"{theirs / ours[pipeline.default_method][size][0]:.1f}"]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def peak_memory(radiograph: Radiograph, method: str) -> float:
    """Megabytes that a process holds at most which loads the model and the pixels, and segments them: all of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        np.save(path, radiograph.pixels)
        code = f"import {__package__}.memory as m; print(m.peak({str(path)!r}, {method!r}))"
        command = [sys.executable, "-W", "ignore", "-c", code]
        one = {**os.environ, "OMP_NUM_THREADS": "1"}
        answer = subprocess.run(command, capture_output=True, text=True, check=True, env=one)
    return float(answer.stdout.split()[-1])


def anchors_report(pipeline: Pipeline, repeats: int) -> str:
    """Time of the 3D detector with features shared by all anchors, and with one pass per anchor."""
    lines, detector, gray = [], pipeline.methods["box"].detector, chest(512).gray()
    label = detector.network.config.classes[0]
    for separate in (False, True):
        settings = BoxSettings(detector.settings.side, separate=separate)
        variant = BoxDetector(detector.network, detector.anchors, detector.refinement, settings)
        seconds = median_seconds(
            lambda variant=variant: variant.detect(gray, (60.0, 60.0, 240.0, 400.0), label), repeats
        )
        lines.append(f"   {'separate' if separate else 'shared':9s} {1e3 * seconds:7.1f} ms")
    return "PointNet on the anchors of one ROI:\n" + "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.benchmark", description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096], help="sides of the images, px")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="PyTorch's; numpy's are OMP_NUM_THREADS (default 1)")
    parser.add_argument("--engine", default="auto", choices=CHOICES, help="what computes ours")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    parser.add_argument("--no-rivals", action="store_true", help="only the pipeline")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    pipeline = load_pipeline(options.model, "cpu", options.engine)
    print(f"Computed with {TITLES[pipeline.engine]}.")
    print(report(pipeline, options.sizes, options.repeats, not options.no_rivals))
    print(anchors_report(pipeline, options.repeats))
    return 0


if __name__ == "__main__":
    sys.exit(main())
