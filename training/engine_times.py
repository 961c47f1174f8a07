"""numpy beside PyTorch in one run: time an image, cold start of the command, and memory of a worker of a batch.

    python -m training.engine_times [--sizes 512 1024 2048 4096] [--repeats 7] [--rounds 3]

Every figure comes from a process of its own. The engines take turns, round by round, so that what else the machine does
meets both; of the rounds the fastest counts. Wall time is that of a free machine only where nothing else runs; the time
on the processor says more where something does. The images are those of ``training.benchmark``: simulated chests, 16
bits, two lungs, from pixels in memory to masks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

ENGINES = ("numpy", "torch")
SAMPLE = Path(__file__).resolve().parents[1] / "Resources" / "Samples" / "knee.dcm"
ROOM = 4096
"""MB of the computer that is asked how many workers fit into it."""

SEGMENTING = """
import json, statistics, sys, time
import numpy as np
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
engine, repeats, *paths = sys.argv[1:]
pipeline, found = load_pipeline(None, "cpu", engine), {}
for path in paths:
    radiograph, times = Radiograph.from_array(np.load(path)), []
    for repeat in range(int(repeats) + 2):
        start = time.perf_counter(), time.process_time()
        result = pipeline.segment(radiograph)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    found[path] = [1e3 * statistics.median(column) for column in zip(*times[2:])] + [len(result.objects)]
print(json.dumps(found))
"""

WORKING = """
import json, sys
from pathlib import Path
from GrayscaleDetSegLib.batch.inputs import Job
from GrayscaleDetSegLib.batch.process import process
from GrayscaleDetSegLib.core.options import SegmentOptions
engine, output, *paths = sys.argv[1:]
found = {}
for path in map(Path, paths):
    result = process(Job(path, Path(path.stem), directory=Path(output)), SegmentOptions(engine=engine, device="cpu"))
    assert result.ok, result.message
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    found[str(path)] = int(line.split()[1]) / 1024
print(json.dumps(found))
"""


def asked(code: str, threads: int, *arguments: object) -> dict:
    """What a program says in a process of its own, as JSON on its last line."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def image_times(paths: list[Path], threads: int, repeats: int, rounds: int) -> list[str]:
    """A row for each size: ms of both engines, wall and processor, and their ratios."""
    best: dict[tuple[str, str], list[float]] = defaultdict(lambda: [np.inf, np.inf, 0])
    for _ in range(rounds):
        for engine in ENGINES:
            for path, (wall, processor, count) in asked(SEGMENTING, threads, engine, repeats, *paths).items():
                known = best[engine, path]
                best[engine, path] = [min(known[0], wall), min(known[1], processor), count]
    rows = []
    for path in map(str, paths):
        ours, theirs = best["numpy", path], best["torch", path]
        cells = [Path(path).stem, threads, *(round(each) for each in (*ours[:2], *theirs[:2]))]
        cells += [f"{ours[0] / theirs[0]:.2f}", f"{ours[1] / theirs[1]:.2f}", ours[2]]
        rows.append(_row(cells))
    return rows


def cold_starts(rounds: int, output: Path) -> list[str]:
    """A row for each engine: seconds of the command on the sample, from nothing."""
    best: dict[str, list[float]] = defaultdict(lambda: [np.inf, np.inf])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for _ in range(rounds + 1):  # the first fills the disk's cache
        for engine in ENGINES:
            command = [sys.executable, "-m", "GrayscaleDetSegLib.batch.main", "segment", SAMPLE, "--engine", engine]
            start = time.perf_counter()
            command += ["-o", output, "--overwrite"]
            child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            _, _, usage = os.wait4(child.pid, 0)
            measured = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
            best[engine] = [min(pair) for pair in zip(best[engine], measured)]
    return [_row([name, *(f"{value:.2f}" for value in best[name])]) for name in ENGINES]


def memory(paths: list[Path], output: Path) -> list[str]:
    """A row for each size: the most MB that a worker held up to it, by both engines, and how many fit."""
    held = {engine: asked(WORKING, 1, engine, output / engine, *paths) for engine in ENGINES}
    rows = []
    for path in map(str, paths):
        values = [held[engine][path] for engine in ENGINES]
        rows.append(_row([Path(path).stem, *(f"{value:.0f}" for value in values), *(int(ROOM / v) for v in values)]))
    return rows


def _row(cells: list) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _head(*names: str) -> list[str]:
    return ["", _row(list(names)), "|" + "---|" * len(names)]


def main(arguments: list[str] | None = None) -> int:
    import SimpleITK as sitk

    from .benchmark import chest

    parser = argparse.ArgumentParser(prog="python -m training.engine_times", description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096], help="sides of the images, px")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder, arrays, files = Path(name), [], []
        for size in options.sizes:
            pixels = chest(size).pixels
            arrays.append(folder / f"{size}.npy")
            files.append(folder / f"{size}.nrrd")
            np.save(arrays[-1], pixels)
            sitk.WriteImage(sitk.GetImageFromArray(pixels), str(files[-1]))
        load = statistics.mean(os.getloadavg()[:1])
        print(f"{_processor()}, {os.cpu_count()} cores, load before the run {load:.1f}, numpy {np.__version__}")
        lines = _head(
            "px", "threads", "numpy, ms", "on the processor", "torch, ms", "on the processor", "ratio",
            "ratio on the processor", "objects",
        )  # fmt: skip
        for threads in (1, 2):
            lines += image_times(arrays, threads, options.repeats, options.rounds)
        print("\n".join(lines), flush=True)
        lines = _head("cold start of the command", "s", "s on the processor")
        lines += cold_starts(options.rounds, folder / "out")
        print("\n".join(lines), flush=True)
        lines = _head("px", "numpy, MB", "torch, MB", f"workers in {ROOM} MB, numpy", "torch")
        print("\n".join([*lines, *memory(files, folder / "work")]))
    return 0


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
