"""What a drag of thresholds costs, here and in another checkout: python -m Testing.benchmark_drag [--against FOLDER]

Prints CPU time in ms, which a busy machine does not change, of a drag as the panel does it, on a square image with one
object that covers about half of it (64 x 64 boxes, post-processing) and others beside it: its begin, one move (median
and 95th percentile), and its end, once as a whole and once without the computation of the final mask, which leaves the
storing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
COLUMNS = ("begin", "move", "move 95 %", "end", "storing")


def objects_on(image, count: int) -> tuple:
    """The object that is dragged, and small ones along the upper edge, each with boxes of its own."""
    from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
    from Testing.benchmark_live import CELLS, result_on
    from Testing.fakes import found

    size, items = image.shape[0], [*result_on(image, "surfaces").objects]
    for number in range(count - 1):
        x, side = int((number + 0.5) * size / count), max(4, size // 32)
        mask = np.zeros(image.shape, bool)
        mask[4 : 4 + side, x : x + side] = True
        low = np.random.default_rng(number).uniform(90, 120, (CELLS, CELLS)).astype(np.float32)
        field = ThresholdMap((x, 4.0, x + side, 4.0 + side), low, low + 80.0)
        items.append(found(image, f"tooth {number + 1}", "tooth", mask, field=field))
    return tuple(items)


def measured(size: int, count: int, moves: int, drags: int) -> dict[str, float]:
    """Medians over some drags, in ms."""
    from GrayscaleDetSegLib.core.post_processing import PostProcessing
    from GrayscaleDetSegLib.logic import drag as drags_module
    from GrayscaleDetSegLib.logic.workspace import Workspace
    from Testing.benchmark_live import VIEW_IDS, femur_like
    from Testing.fakes import result
    from Testing.scene_nodes import add_volume, scene_with_logics

    computing, true = [0.0], drags_module.with_thresholds

    def timed(*arguments, **options):
        start = time.process_time()
        found = true(*arguments, **options)
        computing[0] += time.process_time() - start
        return found

    drags_module.with_thresholds = timed
    scene = scene_with_logics()
    space = Workspace(scene)
    space.cloud_views = VIEW_IDS
    reading = space.read(add_volume(scene, femur_like(size)))
    node = space.show(reading, result(reading.radiograph, objects_on(reading.radiograph, count))).segmentation
    space.show_object(node, "femur")
    is_former = not hasattr(space, "drag")
    spent: dict[str, list[float]] = {"begin": [], "move": [], "end": [], "storing": []}
    for number in range(drags + 1):  # the first one is for what is made once
        (low, high), clean_up = space.shown(node).object_of("femur").thresholds.interval, PostProcessing()
        start = time.process_time()
        if is_former:
            shown, parts = space.shown(node), space.outcome(node)
            drag = drags_module.ThresholdDrag(parts, shown.result, "femur", space.grid(node), clean_up)
            space.remember(node)
        else:
            drag = space.drag(node, "femur", clean_up)
        drag.move((low + 0.5, high), move_box=True)
        begun, each = time.process_time(), []
        for shift in 6.0 * np.sin(np.linspace(0.1, 6.0, moves)):
            before = time.process_time()
            drag.move((low + float(shift), high + float(shift)), move_box=True)
            each.append(1000.0 * (time.process_time() - before))
        computing[0], before = 0.0, time.process_time()
        whole = drag.finish((low + 1.0, high))
        if is_former:
            space.update(node, whole)
        space.sync(node)  # as the panel does then
        space.shown(node)
        end = 1000.0 * (time.process_time() - before)
        if number:
            spent["begin"].append(1000.0 * (begun - start))
            spent["move"] += each
            spent["end"].append(end)
            spent["storing"].append(end - 1000.0 * computing[0])
    found = {name: float(np.median(values)) for name, values in spent.items()}
    return {**found, "move 95 %": float(np.percentile(spent["move"], 95))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="a checkout of a former state, to be measured in the same run")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048], help="edges of the image in px")
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 12])
    parser.add_argument("--moves", type=int, default=15)
    parser.add_argument("--drags", type=int, default=4)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        size, count = map(int, arguments.one.split())
        print(json.dumps(measured(size, count, arguments.moves, arguments.drags)))
        return
    print(f"{'px':>5} {'objects':>7}  {'state':<7}" + "".join(f"{name:>11}" for name in COLUMNS) + "  (ms of CPU)")
    states = [("here", HERE)] if arguments.against is None else [("before", arguments.against), ("here", HERE)]
    for size in arguments.sizes:
        for count in arguments.objects:
            for name, folder in states:
                environment = {**os.environ, "PYTHONPATH": f"{folder / 'GrayscaleDetSeg'}{os.pathsep}{folder}"}
                command = [sys.executable, __file__, "--one", f"{size} {count}", "--moves", str(arguments.moves),
                           "--drags", str(arguments.drags)]  # fmt: skip
                out = subprocess.run(
                    command, cwd=folder, env=environment, check=True, capture_output=True, text=True
                ).stdout
                row = json.loads(out.splitlines()[-1])
                print(f"{size:>5} {count:>7}  {name:<7}" + "".join(f"{row[each]:>11.1f}" for each in COLUMNS))


if __name__ == "__main__":
    main()
