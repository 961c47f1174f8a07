"""Time of the warm pipeline per image, stage by stage, beside a U-Net's forward pass (MONAI) in the same run.

    python -m training.benchmark [--sizes 512 1024 2048] [--repeats 7] [--threads 1]

The images are simulated chest radiographs; both sides start from pixels in memory and end with masks at full size. The
U-Net (channels 32-64-128-256-512, 2 residual units, 6 output channels, random weights: only its time counts) is timed
on the image resized to 512 x 512, the usual way to keep its cost bounded, with the resizing back included.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import UNet
from torch.nn import functional

from GrayscaleDetSegLib.core.box_detector import BoxDetector, BoxSettings
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph

from .simulate import simulate


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    """Median wall time of an action, after two runs that do not count."""
    times = []
    for repeat in range(repeats + 2):
        start = time.perf_counter()
        action()
        if repeat >= 2:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def unet_mask(network: torch.nn.Module, pixels: np.ndarray) -> torch.Tensor:
    """Label map at full size from a U-Net that works at 512 x 512."""
    with torch.inference_mode():
        image = torch.from_numpy(pixels.astype(np.float32))[None, None]
        image = functional.interpolate(image, (512, 512), mode="bilinear", antialias=True)
        labels = network(image / 4096.0).argmax(1, keepdim=True).to(torch.uint8)
        return functional.interpolate(labels, pixels.shape, mode="nearest")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.benchmark", description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048], help="sides of the images, px")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    pipeline = load_pipeline(options.model, "cpu")
    unet = UNet(2, 1, 6, (32, 64, 128, 256, 512), (2, 2, 2, 2), num_res_units=2).eval()
    print(f"{platform.processor() or platform.machine()}, {options.threads} thread(s), torch {torch.__version__}")
    print("| size | objects | pipeline ms | of it | U-Net ms | ratio |\n|---|---|---|---|---|---|")
    for size in options.sizes:
        simulation = simulate("chest", 3, (size, size))
        radiograph, stages = Radiograph.from_array(simulation.pixels), defaultdict(list)

        def run(radiograph: Radiograph = radiograph, stages: dict = stages) -> None:
            result = pipeline.segment(radiograph)
            stages["objects"].append(len(result.objects))
            for stage, seconds in result.seconds.items():
                stages[stage].append(1e3 * seconds)

        ours = 1e3 * median_seconds(run, options.repeats)
        pixels = simulation.pixels
        theirs = 1e3 * median_seconds(lambda pixels=pixels: unet_mask(unet, pixels), options.repeats)
        found = stages.pop("objects")[0]
        parts = ", ".join(f"{stage} {statistics.median(values):.0f}" for stage, values in stages.items())
        print(f"| {size} | {found} | {ours:.0f} | {parts} | {theirs:.0f} | {theirs / ours:.1f} |", flush=True)

    print("\nScoring all anchors of one ROI, features shared or one pass of the whole PointNet per anchor:")
    gray = Radiograph.from_array(simulate("chest", 3, (512, 512)).pixels).gray()
    detector, label = pipeline.box_detector, pipeline.roi_detector.network.config.classes[0]
    for separate in (False, True):
        settings = BoxSettings(detector.settings.side, separate=separate)
        variant = BoxDetector(detector.network, detector.anchors, detector.refinement, settings)
        seconds = median_seconds(
            lambda variant=variant: variant.detect(gray, (60.0, 60.0, 240.0, 400.0), label), options.repeats
        )
        print(f"   {'separate' if separate else 'shared':9s} {1e3 * seconds:7.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
