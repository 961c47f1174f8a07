"""Methods for volumes beside each other, trained in one run: step-wise, recurrent, and MONAI's DynUNet as the peer.

    python -m training.volumes.compare --data ../shared/data --output runs/volumes [--only heart] [--share 0.1]

For every set three trainings, by its configurations in ``configs/volumes``: ``NAME_step_wise``, ``NAME_rstn`` (which
begins with the networks of the first) and ``NAME_dynunet``; the first and the last see as many slices. Then DSC on val
for every way to end the rounds. Each training and each judgement is kept in a folder of its own, and the same command
goes on from there. ``--share`` makes all trainings so much shorter. ``tables.md`` and ``rows.json`` hold the result.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tomllib
import torch

from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings
from GrayscaleDetSegLib.core.volumes.views import dsc

from ..files import write_aside
from ..runs import command
from . import dynunet, rstn, step_wise
from .data import prepared
from .table import OWN, Judged, judge, opened, settings_of

CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "volumes"
SETS = ("heart", "hippocampus", "prostate")
TRAININGS: dict[str, Callable[[list[str]], int]] = {
    "step_wise": step_wise.main, "rstn": rstn.main, "dynunet": dynunet.main,
}  # fmt: skip
TITLES = {"step_wise": "step-wise", "rstn": "recurrent", "dynunet": "DynUNet"}


def train(name: str, method: str, options: argparse.Namespace) -> Path:
    """Train what is not trained yet; the folder of the run."""
    run = options.output / f"{name}_{method}"
    if (run / "network.pt").is_file():
        return run
    run.mkdir(parents=True, exist_ok=True)
    text = (options.configs / f"{name}_{method}.toml").read_text(encoding="utf-8")
    text = shorter(text, options.share)
    ordered = run / "ordered.toml"
    ordered.write_text(text, encoding="utf-8")
    arguments = ["--data", str(options.data), "--config", str(ordered), "--output", str(run)]
    if method == "rstn":
        arguments += ["--from", str(options.output / f"{name}_step_wise")]
    code = TRAININGS[method]([*arguments, "--precision", options.precision, "--threads", str(options.threads)])
    if code:
        raise SystemExit(code)
    return run


def shorter(text: str, share: float) -> str:
    """A configuration whose epochs have this share of their length, and a batch at least; itself where that is 1."""
    if share >= 1.0:
        return text
    least = tomllib.loads(text)["batch_size"]

    def shortened(found: re.Match) -> str:
        return f"epoch_length = {max(least, int(int(found.group(1)) * share))}"

    return re.sub(r"(?m)^epoch_length = (\d+)", shortened, text)


def judged(run: Path, method: str, data: Path) -> Judged:
    """What a run does on val, looked at once."""
    kept = run / "judged.json"
    if kept.is_file():
        content = json.loads(kept.read_text(encoding="utf-8"))
        return Judged(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})
    found = _peer(run, data) if method == "dynunet" else judge(run, data)
    write_aside(kept, json.dumps(asdict(found)).encode())
    return found


def _peer(run: Path, data: Path) -> Judged:
    described, target, cases, seen = opened(run, data)
    patch = settings_of(run)["network"]["patch"]
    network = dynunet.DynUNet(**described["config"])
    network.load_state_dict(torch.load(run / "network.pt", weights_only=True))
    network.eval()
    how, rows, spent = IterationSettings.from_dict(described["settings"]), [], 0.0
    for case in cases:
        ready = prepared(case, target, seen)
        began = time.process_time()
        masks = dynunet.masks_of(ready, network, how, patch)
        spent += time.process_time() - began
        rows.append({OWN: ([dsc(mask, ready.mask_of(number)) for number, mask in enumerate(masks)], 0.0)})
    labels = tuple(name for name, _ in target.parts)
    parameters = sum(each.numel() for each in network.parameters())
    return Judged(labels, tuple(case.patient for case in cases), tuple(rows), parameters, spent / len(cases))


def slices_seen(run: Path) -> int:
    """Slices, each counted whenever a network looked at it, that a run has learnt from."""
    settings = settings_of(run)
    drawn = settings["epoch_length"] // settings["batch_size"] * settings["batch_size"]
    drawn *= sum(stage["epochs"] for stage in settings["stages"])
    patch = settings["network"].get("patch")
    return drawn * (patch[0] if patch else 1)


def compared(name: str, found: dict[str, Judged], runs: dict[str, Path]) -> list[dict[str, Any]]:
    """The rows of one set, and of each the volumes won and lost against the peer's."""
    rows = []
    for method, each in found.items():
        for row in each.summary():
            row |= {"set": name, "method": method, "slices": slices_seen(runs[method])}
            if method != "dynunet" and "dynunet" in found:
                row |= _duel(each, found["dynunet"], row["label"], row["row"])
            rows.append(row)
    return rows


def _duel(own: Judged, peer: Judged, label: str, row: str) -> dict[str, int]:
    chosen = [own.labels.index(label)] if label in own.labels else range(len(own.labels))
    pairs = [
        (np.mean([case[row][0][at] for at in chosen]), np.mean([other[OWN][0][at] for at in chosen]))
        for case, other in zip(own.cases, peer.cases)
    ]
    return {"won": sum(bool(a > b) for a, b in pairs), "lost": sum(bool(a < b) for a, b in pairs)}


def tables(rows: list[dict[str, Any]]) -> str:
    """All rows as text, DSC in percent."""
    lines: list[str] = []
    for name in dict.fromkeys(row["set"] for row in rows):
        own = [row for row in rows if row["set"] == name]
        for label in dict.fromkeys(row["label"] for row in own):
            first = own[0]
            lines += [
                f"### {name}: {label}", "", f"{first['volumes']} volumes of {first['patients']} patients.", "",
                "| method | DSC | 95 % | best | worst | rounds | won : lost |", "|---|---|---|---|---|---|---|",
            ]  # fmt: skip
            for row in own:
                if row["label"] != label:
                    continue
                title = TITLES[row["method"]] + ("" if row["method"] == "dynunet" else f", {row['row']}")
                duel = f"{row['won']} : {row['lost']}" if "won" in row else ""
                lines.append(
                    f"| {title} | {100 * row['mean']:.1f} ± {100 * row['deviation']:.1f} | "
                    f"{100 * row['low']:.1f} to {100 * row['high']:.1f} | {100 * row['best']:.1f} | "
                    f"{100 * row['worst']:.1f} | {row['rounds']:.1f} | {duel} |"
                )
            lines.append("")
        lines += ["| method | parameters | slices seen | processor seconds a volume |", "|---|---|---|---|"]
        for method in dict.fromkeys(row["method"] for row in own):
            row = next(row for row in own if row["method"] == method)
            lines.append(
                f"| {TITLES[method]} | {row['parameters']:,} | {row['slices']:,} | {row['seconds']:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.volumes.compare", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of volumes")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs and the tables")
    parser.add_argument("--only", nargs="+", default=SETS, help=f"some of {', '.join(SETS)}")
    parser.add_argument("--methods", nargs="+", choices=TRAININGS, default=tuple(TRAININGS), help="some of the methods")
    parser.add_argument("--share", type=float, default=1.0, help="of each training's length (default 1)")
    parser.add_argument("--configs", type=Path, default=CONFIGS, help="folder of NAME_METHOD.toml")
    parser.add_argument("--precision", choices=("32", "bf16"), default="bf16", help="of the trainings (default bf16)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    for name in options.only:
        found, runs = {}, {}
        for method in options.methods:
            runs[method] = train(name, method, options)
            found[method] = judged(runs[method], method, options.data)
        rows += compared(name, found, runs)
        write_aside(options.output / "rows.json", json.dumps(rows, indent=1).encode())
        write_aside(options.output / "tables.md", tables(rows).encode())
    print(tables(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
