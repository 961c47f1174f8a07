"""The article's Table 3.1 of a finished run: DSC on val by when the rounds end.

    python -m training.volumes.table --run runs/organ --data DATA [--output runs/organ/table.json]

All rounds are done once; every row is read from them. The oracle takes the boxes of the truth in every round.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tomllib
import torch

from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings, fixed_point
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings
from GrayscaleDetSegLib.core.volumes.views import dsc

from ..files import write_aside
from ..runs import command
from .cases import read_volume_set
from .data import Prepared, prepared
from .run import CONFIG, target_of

ROUNDS, THRESHOLDS, MOST = (1, 2, 3, 5, 10), (0.90, 0.95, 0.99), 10


def case_rows(case: Prepared, networks: Networks, settings: IterationSettings) -> dict[str, tuple[float, float]]:
    """Row -> (DSC with the truth, rounds used) of one volume."""
    every = replace(settings, threshold=2.0, rounds=MOST)  # no two rounds agree so well
    outcome = fixed_point(case.working, networks, every)
    scores = [dsc(mask, case.mask) for mask in outcome.masks]
    last = len(scores) - 1  # fewer where a round has lost the target
    rows = {"coarse": (scores[0], 0.0)}
    for count in ROUNDS:
        used = min(count, last)
        rows[f"after {count} round{'s' if count > 1 else ''}"] = (scores[used], float(used))
    for threshold in THRESHOLDS:
        agreed = [number for number, value in enumerate(outcome.similarities, start=1) if value >= threshold]
        used = agreed[0] if agreed else last
        rows[f"after d > {threshold:.2f}"] = (scores[used], float(used))
    best = int(np.argmax(scores))
    rows["best of all rounds"] = (scores[best], float(best))
    oracle = fixed_point(case.working, networks, replace(settings, threshold=2.0, rounds=1), boxes_of=case.mask)
    rows["oracle boxes"] = (dsc(oracle.mask, case.mask), 1.0)
    return rows


def summary(cases: Iterable[dict[str, tuple[float, float]]]) -> list[dict[str, Any]]:
    """The table: mean, standard deviation, best and worst DSC, and the mean number of rounds."""
    cases = list(cases)
    rows = []
    for name in cases[0]:
        scores, used = np.array([case[name] for case in cases]).T
        rows.append(
            {
                "row": name, "mean": float(scores.mean()), "deviation": float(scores.std()),
                "best": float(scores.max()), "worst": float(scores.min()), "rounds": float(used.mean()),
                "volumes": len(cases),
            }
        )  # fmt: skip
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as text, DSC in percent."""
    lines = ["| | DSC | rounds | best | worst |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['row']} | {100 * row['mean']:.2f} ± {100 * row['deviation']:.2f} | {row['rounds']:.2f} | "
            f"{100 * row['best']:.2f} | {100 * row['worst']:.2f} |"
        )
    return "\n".join(lines)


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.volumes.table", description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the finished run")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of volumes")
    parser.add_argument("--output", type=Path, help="file for the numbers (default: table.json of the run)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    settings = tomllib.loads((options.run / CONFIG).read_text(encoding="utf-8"))
    described = json.loads((options.run / "network.json").read_text(encoding="utf-8"))
    networks = Networks(NetworkConfig.from_dict(described["config"]))
    networks.load_state_dict(torch.load(options.run / "network.pt", weights_only=True))
    networks.eval()
    folders = [options.data / name for name in settings["sets"]]
    target, seen = target_of(settings, folders[0]), VolumeSettings.from_dict(settings.get("volume", {}))
    how = IterationSettings.from_dict(described["settings"])
    cases = [case for folder in folders for case in read_volume_set(folder) if case.split == "val"]
    rows = summary(case_rows(prepared(case, target, seen), networks, how) for case in cases)
    write_aside(options.output or options.run / "table.json", json.dumps(rows, indent=1).encode())
    print(markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
