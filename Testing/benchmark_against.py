"""Time an image takes with several checkouts of this project, in turn, on the processor: before and after.

    python -m Testing.benchmark_against FILE ... --sides v2=CHECKOUT:torch now=.:torch [--model FOLDER] [--repeats 3]

A side is a name, the folder of a checkout and the engine that computes its networks (checkouts from before the engines
have PyTorch alone). Every side has a process of its own with one thread. Printed are the median milliseconds of
processor time from pixels in memory to masks, and the objects found in brackets.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TIMING = """
import inspect, json, statistics, sys, time
from pathlib import Path
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.reading import read_radiograph
engine, model, repeats, *paths = sys.argv[1:]
known = inspect.signature(load_pipeline).parameters
pipeline = load_pipeline(Path(model) if model else None, "cpu", *([engine] if "engine" in known else []))
if engine == "torch":
    import torch
    torch.set_num_threads(1)
found = {}
for path in paths:
    radiograph, times = read_radiograph(Path(path)), []
    for _ in range(int(repeats) + 1):
        start = time.process_time()
        result = pipeline.segment(radiograph)
        times.append(1e3 * (time.process_time() - start))
    found[path] = statistics.median(times[1:]), len(result.objects)
print(json.dumps(found))
"""


def timed(checkout: Path, engine: str, model: str, repeats: int, paths: list[str]) -> dict[str, list]:
    """Median ms and number of objects of each file with a checkout."""
    where = os.pathsep.join(str(checkout / part) for part in ("GrayscaleDetSeg", "."))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": where}
    command = [sys.executable, "-W", "ignore", "-c", TIMING, engine, model, str(repeats), *paths]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--sides", nargs="+", required=True, metavar="NAME=CHECKOUT:ENGINE")
    parser.add_argument("--model", default="", help="a bundle for all sides; that of each checkout by default")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    files = [str(Path(file).resolve()) for file in options.files]
    found = {}
    for side in options.sides:
        name, _, place = side.partition("=")
        checkout, _, engine = place.rpartition(":")
        found[name] = timed(Path(checkout).resolve(), engine, options.model, options.repeats, files)
    print(" | ".join(["image", *found, "last : first"]))
    for file in files:
        times = [each[file] for each in found.values()]
        cells = [f"{milliseconds:.0f} ms ({count})" for milliseconds, count in times]
        print(" | ".join([Path(file).stem, *cells, f"{times[-1][0] / times[0][0]:.2f}"]), flush=True)


if __name__ == "__main__":
    main()
