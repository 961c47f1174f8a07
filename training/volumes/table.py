"""How a finished run does on val: DSC by when the rounds end, as the article's Table 3.1, for every label.

    python -m training.volumes.table --run runs/organ --data DATA [--output runs/organ/table.json]

All rounds are done once; every row is read from them. The oracle takes the boxes of the truth in every round. Intervals
are of a bootstrap over patients.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tomllib
import torch

from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings, Outcome, fixed_points
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings
from GrayscaleDetSegLib.core.volumes.views import dsc

from ..compare.statistics import DRAWS
from ..files import write_aside
from ..runs import command
from .cases import VolumeCase, cases_of
from .data import Prepared, Target, prepared
from .run import CONFIG, target_of

ROUNDS, THRESHOLDS, MOST = (1, 2, 3, 5, 10), (0.90, 0.95, 0.99), 10
OWN = "as shipped"
"""The row that ends as the run's own settings say."""

Scores = dict[str, tuple[list[float], float]]
"""Row -> DSC of each label with the truth, and the rounds that it took."""


def all_rounds(case: Prepared, networks: Networks, settings: IterationSettings) -> list[Outcome]:
    """Of each label the coarse stage and `MOST` rounds, however well they agree; fewer where a round has lost it."""
    return fixed_points(case.working, networks, replace(settings, threshold=2.0, rounds=MOST))


def case_rows(
    case: Prepared, networks: Networks, settings: IterationSettings, outcomes: list[Outcome] | None = None
) -> Scores:
    """All rows of one volume, of the outcomes of :func:`all_rounds` if they are there already."""
    outcomes = all_rounds(case, networks, settings) if outcomes is None else outcomes
    truths = [case.mask_of(number) for number in range(len(outcomes))]
    scores = np.array([[dsc(mask, truth) for mask in each.masks] for each, truth in zip(outcomes, truths)])
    agreeing = np.min([each.similarities or [0.0] for each in outcomes], axis=0)
    last = scores.shape[1] - 1  # fewer where a round has lost the target

    def row(used: int) -> tuple[list[float], float]:
        return scores[:, used].tolist(), float(used)

    def agreed(threshold: float, most: int) -> tuple[list[float], float]:
        found = [number for number, value in enumerate(agreeing, start=1) if value >= threshold]
        return row(min(found[0] if found else last, most, last))

    rows = {"coarse": row(0)}
    for count in ROUNDS:
        rows[f"after {count} round{'s' if count > 1 else ''}"] = row(min(count, last))
    for threshold in THRESHOLDS:
        rows[f"after d > {threshold:.2f}"] = agreed(threshold, MOST)
    rows[OWN] = agreed(settings.threshold, settings.rounds)
    rows["best of all rounds"] = row(int(np.argmax(scores.mean(0))))
    once = replace(settings, threshold=2.0, rounds=1)
    oracle = fixed_points(case.working, networks, once, boxes_of=case.mask)
    rows["oracle boxes"] = [dsc(each.mask, truth) for each, truth in zip(oracle, truths)], 1.0
    return rows


@dataclass(frozen=True)
class Judged:
    """What a run has done on val.

    Parameters
    ----------
    labels : tuple of str
    patients : tuple of str
        Of each volume.
    cases : tuple of dict
        The rows of each volume, as :func:`case_rows`.
    parameters : int
    seconds : float
        Of the processor that a volume took on average by the run's own settings, without reading it.
    """

    labels: tuple[str, ...]
    patients: tuple[str, ...]
    cases: tuple[Scores, ...]
    parameters: int
    seconds: float

    def summary(self) -> list[dict[str, Any]]:
        """The table; where there are several labels, their mean first."""
        rows = []
        each = [("mean of all", slice(None))] if len(self.labels) > 1 else []
        for label, chosen in [*each, *((label, slice(at, at + 1)) for at, label in enumerate(self.labels))]:
            for name in self.cases[0]:
                scores = np.array([np.mean(case[name][0][chosen]) for case in self.cases])
                low, high = interval(scores, self.patients)
                rows.append(
                    {
                        "label": label, "row": name, "mean": float(scores.mean()), "deviation": float(scores.std()),
                        "low": low, "high": high, "best": float(scores.max()), "worst": float(scores.min()),
                        "rounds": float(np.mean([case[name][1] for case in self.cases])),
                        "volumes": len(self.cases), "patients": len(set(self.patients)),
                        "parameters": self.parameters, "seconds": self.seconds,
                    }
                )  # fmt: skip
        return rows


def interval(scores: np.ndarray, patients: Iterable[str]) -> tuple[float, float]:
    """The 95 % interval of a mean over volumes, by a bootstrap over patients; NaN where there is one alone."""
    names, index = np.unique(list(patients), return_inverse=True)
    if len(names) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1.0 / len(names)), DRAWS)
    counts = drawn[:, index]
    low, high = np.percentile((counts @ scores) / counts.sum(1), (2.5, 97.5))
    return float(low), float(high)


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as text, DSC in percent."""
    lines = ["| label | | DSC | 95 % | best | worst | rounds |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['label']} | {row['row']} | {100 * row['mean']:.2f} ± {100 * row['deviation']:.2f} | "
            f"{100 * row['low']:.1f} to {100 * row['high']:.1f} | {100 * row['best']:.2f} | "
            f"{100 * row['worst']:.2f} | {row['rounds']:.2f} |"
        )
    return "\n".join(lines)


def judge(run: Path, data: Path) -> Judged:
    """All rows of a finished run on val of its sets."""
    described, target, cases, seen = opened(run, data)
    networks = Networks(NetworkConfig.from_dict(described["config"]))
    networks.load_state_dict(torch.load(run / "network.pt", weights_only=True))
    networks.eval()
    how, rows, spent = IterationSettings.from_dict(described["settings"]), [], 0.0
    for case in cases:
        ready = prepared(case, target, seen)
        rows.append(case_rows(ready, networks, how))
        began = time.process_time()
        fixed_points(ready.working, networks, how)
        spent += time.process_time() - began
    labels = tuple(name for name, _ in target.parts)
    parameters = sum(each.numel() for each in networks.parameters())
    return Judged(labels, tuple(case.patient for case in cases), tuple(rows), parameters, spent / len(cases))


def settings_of(run: Path) -> dict[str, Any]:
    """The configuration of a run."""
    return tomllib.loads((run / CONFIG).read_text(encoding="utf-8"))


def opened(run: Path, data: Path) -> tuple[dict[str, Any], Target, list[VolumeCase], VolumeSettings]:
    """What a finished run is, what it has learnt, the cases of val, and how it sees them."""
    settings = settings_of(run)
    described = json.loads((run / "network.json").read_text(encoding="utf-8"))
    cases = [case for case in cases_of(settings, data) if case.split == "val"]
    target = target_of(settings, data / settings["sets"][0])
    return described, target, cases, VolumeSettings.from_dict(settings.get("volume", {}))


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.volumes.table", description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the finished run")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of volumes")
    parser.add_argument("--output", type=Path, help="file for the numbers (default: table.json of the run)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    judged = judge(options.run, options.data)
    rows = judged.summary()
    write_aside(options.output or options.run / "table.json", json.dumps(rows, indent=1).encode())
    print(markdown(rows))
    print(f"{judged.parameters:,} parameters, {judged.seconds:.2f} s of the processor a volume")
    return 0


if __name__ == "__main__":
    sys.exit(main())
