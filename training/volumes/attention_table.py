"""Table 1 of paper 003, in one run: 3D U-Net alone, with a 3D box, and with the regions of a detector.

    python -m training.volumes.attention_table --data ../shared/data
        --config training/configs/volumes/prostate_detection.toml --output runs/prostate_table --precision bf16
        [--share 0.5]

Trains the three by the same configuration, each in its own folder and each going on where it was cut off, and judges
them by val in the grid of the files. As in the article the 3D box is the tight box of the annotation, which nobody has
of a new volume; below it stands what the same network makes of the box around all detected regions. The last row gives
ours a perfect detector. Below it stand the losses of training as they fall, which the article's Fig. 4 draws;
``curves.png`` draws them, too. All figures are in ``table.json``. ``--share`` makes all trainings so much shorter.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomllib
import torch

from GrayscaleDetSegLib.core.volumes.attention import around, box_of
from GrayscaleDetSegLib.core.volumes.cascade import CascadeConfig, CascadeNetworks, CascadeSettings, detect, segment
from GrayscaleDetSegLib.core.volumes.grid import Grid
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings

from ..files import write_aside
from ..markdown_table import markdown_table
from ..runs import RunError, command
from . import detection_attention
from .cases import VolumeCase, cases_of
from .compare import shorter
from .detection_attention import iou_of, region_figures, true_box
from .regions import true_attention, true_regions
from .run import target_of

VARIANTS = {"slices": "ours", "none": "3D U-Net", "box_3d": "3D box"}
"""What is trained, in this order: the 3D box is judged with the detector of the first as well."""
ROWS = {
    "none": "3D U-Net", "box_3d": "3D box of the annotation", "slices": "ours: regions of every slice",
    "box around regions": "3D box around the regions", "true regions": "ours, by a perfect detector",
}  # fmt: skip
DRAWS, PARTS = 10_000, 6


def variant(text: str, attention: str) -> str:
    """A configuration with another kind of attention.

    Raises
    ------
    RunError
        If it does not say ``attention = ...`` once.
    """
    changed, count = re.subn(r'^attention = "\w+"', f'attention = "{attention}"', text, flags=re.MULTILINE)
    if count != 1:
        raise RunError('The configuration must say attention = "slices" once, in its table [network].')
    return changed


def load(folder: Path) -> tuple[CascadeNetworks, CascadeSettings]:
    """The networks of a finished run, in evaluation mode."""
    described = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    networks = CascadeNetworks(CascadeConfig.from_dict(described["config"]))
    networks.load_state_dict(torch.load(folder / "network.pt", weights_only=True))
    return networks.eval(), CascadeSettings.from_dict(described["settings"])


def case_row(
    case: VolumeCase, values: Sequence[int], seen: VolumeSettings, networks: dict[str, CascadeNetworks],
    settings: CascadeSettings,
) -> dict[str, Any]:  # fmt: skip
    """IoU of every row in the grid of the file, and what the detector did."""
    volume, truth = case.volume(), case.mask(values)
    if seen.window is not None:
        volume = volume.windowed(*seen.window)
    grid = Grid.of(volume, seen.spacing, seen.longest)
    working, mask = grid.working(volume), grid.of_mask(truth)
    view = networks["slices"].config.view
    detection = detect(working, networks["slices"], settings)
    true = true_attention(mask, view)
    attention = {
        "none": ("none", None),
        "box_3d": ("box_3d", true_box(mask, settings.margin)),
        "slices": ("slices", detection.attention),
        "box around regions": ("box_3d", box_of(working.shape, around(view, detection.regions))),
        "true regions": ("slices", true),
    }
    row: dict[str, Any] = {"name": case.name, "patient": case.patient, "iou": {}}
    for name, (kind, told) in attention.items():
        found = np.zeros(working.shape, bool)
        if told is None or told.any():
            found, _ = segment(working, networks[kind], settings, told)
        row["iou"][name] = iou_of(grid.mask_to_stored(found), truth)
    row["regions"] = region_figures(detection.regions, true_regions(mask, view))
    row["attention"] = iou_of(detection.attention, true)
    return row


def interval(values: np.ndarray, patients: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean, by drawing patients with replacement."""
    names = sorted(set(patients))
    groups = [values[[patient == name for patient in patients]] for name in names]
    sums, sizes = np.array([group.sum() for group in groups]), np.array([len(group) for group in groups])
    drawn = np.random.default_rng(seed).integers(0, len(names), (DRAWS, len(names)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The table and the detector's figures, of all volumes."""
    patients = [row["patient"] for row in rows]
    plain = np.array([row["iou"]["none"] for row in rows])
    table = {}
    for name in ROWS:
        scores = np.array([row["iou"][name] for row in rows])
        table[name] = {
            "best": float(scores.max()), "worst": float(scores.min()), "mean": float(scores.mean()),
            "interval": interval(scores, patients), "more": float((scores - plain).mean()),
            "more_interval": interval(scores - plain, patients), "won": int((scores > plain).sum()),
        }  # fmt: skip
    met, true, hits, found = np.sum([row["regions"] for row in rows], axis=0).tolist()
    detector = {
        "recall": met / max(true, 1), "precision": hits / max(found, 1),
        "attention": float(np.mean([row["attention"] for row in rows])),
    }  # fmt: skip
    return {"volumes": len(rows), "patients": len(set(patients)), "table": table, "detector": detector, "cases": rows}


def markdown(found: dict[str, Any], parameters: dict[str, int]) -> str:
    """The table as text."""
    lines = [
        f"IoU on {found['volumes']} volumes of {found['patients']} patients; 95 % intervals by patient", "",
        "| | Best IoU | Worst IoU | Average IoU | more than 3D U-Net | better on | parameters |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, title in ROWS.items():
        row = found["table"][name]
        kind = {"box around regions": "box_3d", "true regions": "slices"}.get(name, name)
        low, high = row["interval"]
        more = ""
        if name != "none":
            more = f"{row['more']:+.3f} ({row['more_interval'][0]:+.3f} to {row['more_interval'][1]:+.3f})"
        lines.append(
            f"| {title} | {row['best']:.3f} | {row['worst']:.3f} | {row['mean']:.3f} ({low:.3f} to {high:.3f}) | "
            f"{more} | {'' if name == 'none' else row['won']} | {parameters[kind]:,} |"
        )
    seen = found["detector"]
    lines += [
        "", f"Detector: {100 * seen['recall']:.0f} % of the true boxes met (IoU 0.5), {100 * seen['precision']:.0f} % "
        f"of its regions right, IoU of the attention with a perfect one {seen['attention']:.3f}.",
    ]  # fmt: skip
    return "\n".join(lines)


def losses(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps of a run's segmentation, counted from 0, and the cross entropy there; both empty where none was kept."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    if "train/entropy" not in events.Tags()["scalars"]:
        return np.zeros(0, int), np.zeros(0)
    steps, values = np.array([(each.step, each.value) for each in events.Scalars("train/entropy")]).T
    return (steps - steps[0]).astype(int), values


def falling(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """The losses as a table: their means over equal parts of the training, with the deviation within the last."""
    most = max((int(steps[-1]) for steps, _ in found.values() if len(steps)), default=0) + 1
    ends = np.linspace(0, most, PARTS + 1)
    titles = [f"{low:.0f} to {high:.0f}" for low, high in zip(ends, ends[1:])]
    rows = []
    for kind, (steps, values) in found.items():
        parts = [values[(steps >= low) & (steps < high)] for low, high in zip(ends, ends[1:])]
        cells = [f"{part.mean():.4f}" if len(part) else "" for part in parts]
        cells[-1] += f" ± {parts[-1].std():.4f}" if cells[-1] else ""
        rows.append([VARIANTS[kind], *cells])
    return markdown_table(["cross entropy, steps", *titles], rows)


def curves(found: dict[str, tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """The losses of every run drawn over the steps of its segmentation, as the article's Fig. 4."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.0, 3.6))
    for kind, (steps, values) in found.items():
        if len(steps):
            width = max(1, len(values) // 50)
            smooth = np.convolve(values, np.ones(width) / width, mode="valid")
            axes.plot(steps[width - 1 :], smooth, label=VARIANTS[kind])
    axes.set(xlabel="step of the segmentation", ylabel="cross entropy", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.volumes.attention_table", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of volumes")
    parser.add_argument("--config", type=Path, required=True, help="experiment, a TOML file")
    parser.add_argument("--output", type=Path, required=True, help="folder of the three runs and the table")
    parser.add_argument("--share", type=float, default=1.0, help="of each training's length (default 1)")
    options, more = parser.parse_known_args(arguments)
    torch.set_num_threads(1)
    text = shorter(options.config.read_text(encoding="utf-8"), options.share)
    options.output.mkdir(parents=True, exist_ok=True)
    folders = {kind: options.output / kind for kind in VARIANTS}
    for kind, folder in folders.items():
        config = options.output / f"{kind}.toml"
        config.write_text(variant(text, kind), encoding="utf-8")
        if (folder / "network.pt").is_file() and (folder / "config.toml").read_text() == config.read_text():
            continue
        shared = ["--detector", str(folders["slices"])] if kind == "box_3d" else []
        order = ["--data", str(options.data), "--config", str(config), "--output", str(folder), *shared, *more]
        code = detection_attention.main(order)
        if code:
            return code
    settings = tomllib.loads(text)
    sets = [options.data / name for name in settings["sets"]]
    values, seen = target_of(settings, sets[0]).values, VolumeSettings.from_dict(settings.get("volume", {}))
    networks = {}
    for kind, folder in folders.items():
        networks[kind], how = load(folder)
    cases = [case for case in cases_of(settings, options.data) if case.split == "val"]
    found = summary([case_row(case, values, seen, networks, how) for case in cases])
    write_aside(options.output / "table.json", json.dumps(found, indent=1).encode())
    fallen = {kind: losses(folder) for kind, folder in folders.items()}
    curves(fallen, options.output / "curves.png")
    counts = {kind: sum(each.numel() for each in network.parameters()) for kind, network in networks.items()}
    print(f"{markdown(found, counts)}\n\n{falling(fallen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
