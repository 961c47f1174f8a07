"""All tables of article 002 in one run: what is not trained yet is trained, what is not judged yet is judged.

    python -m training.simulate.volumes --output DATA/phantoms --count 75 --size 64 --decoys --noise 0.08
    python -m training.volumes.coarse_to_fine --data DATA --output runs/article_002 [--only saliency organs]

Every training and every judgement is kept in its folder, and the same command goes on from there; ``--finished`` leaves
out what is not trained. ``--pair NAME STEP_WISE RSTN`` adds finished runs of other sets to the comparison of the two
methods. ``tables.md`` holds the result.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from ...files import write_aside
from ...runs import RunError, command
from . import tables
from .plan import NETWORK, PLAN, read_plan
from .tables import Runs

PARTS = ("saliency", "pairs", "votes", "alone", "folds", "exchange", "rounds", "organs", "time")
PAIRS = {
    "ACDC, 3 mm": ("heart_step_wise", "heart_rstn"), "Phantoms' organ": ("organ_step_wise", "organ_rstn"),
    "Hippocampus": ("parts_step_wise", "parts_rstn"), "Prostate": ("prostate_again_step_wise", "prostate_again_rstn"),
}  # fmt: skip
ORGANS = {
    "Phantoms: organ with a lesion": ("organ", "lesion", "lesion_in_organ", ("organ", "lesion")),
    "ACDC: heart with the left ventricle": (
        "whole_heart", "ventricle", "ventricle_in_heart", ("heart", "left ventricle"),
    ),
    "Hippocampus with its anterior part": (
        "hippocampus", "anterior", "anterior_in_hippocampus", ("hippocampus", "anterior part"),
    ),
}  # fmt: skip


def sections(part: str, runs: Runs, pairs: dict[str, tuple[str, str]]) -> dict[str, list[str]]:
    """Title -> lines of all tables of a part; without lines where nothing is trained."""
    if part == "saliency":
        return {
            "Kernels and fine-tuning (Table 3.2)": tables.saliency(runs),
            "True boxes in every round (3.5.3.3)": tables.fitted(runs),
        }
    found: dict[str, list[str]] = {}
    if part == "organs":
        for title, names in ORGANS.items():
            found[f"{title} (Table 3.5)"] = tables.organs(runs, *names)
        return found
    if part == "votes":
        return {"Views by majority and by mean (3.3, 3.4)": tables.votes(runs, pairs)}
    if part == "alone":
        return {f"ACDC, {title} (Table 3.4)": lines for title, lines in tables.alone(runs).items()}
    if part == "folds":
        return {f"Phantoms' organ in {tables.FOLDS} folds: step-wise and recurrent (Table 3.3)": tables.folds(runs)}
    if part == "time":
        return {"Seconds a volume": tables.times(runs, pairs)}
    for title, names in pairs.items():
        if part == "exchange":
            found[f"{title}: parts exchanged (3.5.3.3)"] = tables.exchange(runs, *names)
            continue
        if part == "pairs":
            first, second = (runs.ends(name) for name in names)
            if first is not None and second is not None:
                found[f"{title}: step-wise and recurrent (Tables 3.3, 3.4)"] = tables.pair(first, second)
            continue
        both = {method: runs.rounds(name) for method, name in zip(("step-wise", "recurrent"), names)}
        there = {method: judged for method, judged in both.items() if judged is not None}
        for method, judged in there.items():
            found[f"{title}: {method} by rounds (Table 3.1)"] = tables.by_rounds(judged)
        if there:
            found[f"{title}: how rounds agree (3.5.3.3)"] = tables.agreement(there)
    return found


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.volumes.coarse_to_fine", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of volumes")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs and the tables")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of the tables")
    parser.add_argument("--plan", type=Path, default=PLAN, help="the trainings, a TOML file")
    parser.add_argument("--finished", action="store_true", help="train nothing; leave out what is not there")
    parser.add_argument(
        "--pair", nargs=3, action="append", default=[], metavar=("NAME", "STEP_WISE", "RSTN"),
        help="folders of two finished runs of one set, compared under this name",
    )  # fmt: skip
    parser.add_argument("--precision", choices=("32", "bf16"), default="bf16", help="of the trainings (default bf16)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    planned, given = read_plan(options.plan), [run for _, *both in options.pair for run in both]
    for run in given:
        if not (Path(run) / NETWORK).is_file():
            raise RunError(f"{run} is no finished run: it has no {NETWORK}.")

    def made(name: str) -> Path | None:
        if name in given:
            return Path(name)
        if name not in planned or options.finished and not (options.output / name / NETWORK).is_file():
            return None
        return planned[name].train(options.data, options.output, options.precision, options.threads)

    options.output.mkdir(parents=True, exist_ok=True)
    runs, lines = Runs(options.data, options.output, made), []
    pairs = {**PAIRS, **{name: (first, second) for name, first, second in options.pair}}
    for part in options.only:
        for title, table in sections(part, runs, pairs).items():
            if table:
                lines += [f"### {title}", "", *table, ""]
        write_aside(options.output / "tables.md", "\n".join(lines).encode())
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
