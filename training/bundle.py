"""Putting finished runs together as a model bundle: safetensors, manifest with SHA-256, model card.

python -m training.bundle --detector runs/detector --box runs/box --polarity runs/polarity
    [--surfaces runs/surfaces] [--figures runs/evaluation/summary.json]
    --output GrayscaleDetSeg/GrayscaleDetSegLib/Models/radiographs
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import torch

from GrayscaleDetSegLib.core.weights import FORMAT, MANIFEST, save_weights

from .data import CLASSES, SETS

TERMS = {
    "montgomery_lungs": "NLM release; cite Jaeger et al. 2014",
    "shenzhen_lungs": "images NLM, masks CC BY-NC-SA 4.0; cite Stirenko et al. 2018",
    "jsrt_lungs": "research use; cite Shiraishi et al. 2000, van Ginneken et al. 2006",
    "knee_femur": "images CC BY 4.0; cite Chen 2018",
    "knee_tibia": "images CC BY 4.0; cite Chen 2018",
    "longleg_femur_tibia": "OAI agreement: research only",
    "ufba425_teeth": "UFBA-UESC, research use",
}

CARD = """# Model card: {name} {version}

**Research use only.** Not a medical device; not tested for any clinical purpose.

Finds and segments in radiographs: {classes}.

| network | what it is | parameters | file |
|---|---|---|---|
{networks}

## Training data

Pretrained on simulated radiographs (`python -m training.simulate`), fine-tuned on the train part of these public sets:

| set | terms of the original, as far as known |
|---|---|
{terms}

The terms of some sets allow research only; so do these weights. Images and masks are not part of this bundle.
Classes that a set does not mark, though its images show them, stayed out of its loss.

## Figures on the validation part

{figures}

ROI IoU and recall (at IoU 0.5) are of the 2D detector; `true` and `found` are the mask IoU of the pure box rule in
the true and in the detected ROI, as reached and as a share of the ceiling (the best single interval); `surfaces` is the
mask IoU of the threshold surfaces by the whole pipeline. Made with `python -m training.evaluate`. Hyperparameters and
penalties were chosen on this same validation part.

## Known limits

- One interval per object cannot follow anatomy whose gray values overlap its surroundings: see the ceiling. The
  surfaces can, but they are only as good as the images they were trained on are like yours.
- Frontal chest, frontal knee, full-leg and panoramic dental images of adults; other views and ages were not seen.
- Masks of one set (Shenzhen) are loose, and dental masks are slightly so; the weights inherit that.
"""


def count(network: dict[str, torch.Tensor]) -> int:
    """Number of values in a state dictionary."""
    return sum(tensor.numel() for tensor in network.values())


def figures_table(path: Path | None) -> tuple[str, list[dict]]:
    """The Markdown table of a summary of ``training.evaluate``, and its rows."""
    if path is None:
        return "Not measured yet.", []
    rows = json.loads(path.read_text())
    titles = ["set", "class", "n", "recall", "ROI IoU", "ceiling", "true", "share", "found", "share", "surfaces"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        numbers = [
            row[key] for key in ("recall", "roi", "ceiling", "true_iou", "true_ratio", "found_iou", "found_ratio")
        ]
        cells = [row["set"], row["class"], str(row["n"]), *(f"{number:.3f}" for number in numbers)]
        cells.append(f"{row['surfaces_iou']:.3f}" if row.get("surfaces_iou") is not None else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines), rows


def write_bundle(
    detector: Path,
    box: Path,
    polarity: Path,
    output: Path,
    name: str,
    version: str,
    figures: Path | None = None,
    surfaces: Path | None = None,
) -> None:
    """Write the bundle of finished runs into a folder; the manifest last, so that a half-written one does not open."""
    output.mkdir(parents=True, exist_ok=True)

    def load(path: Path) -> dict[str, torch.Tensor]:
        return torch.load(path, weights_only=True, map_location="cpu")

    yolo = json.loads((detector / "network.json").read_text())
    pointnet = json.loads((box / "network.json").read_text())
    tensors = {
        "roi_detector": load(detector / "network.pt"),
        "box_detector": load(box / "network.pt"),
        "refinement": load(box / "refinement.pt"),
        "polarity": load(polarity / "network.pt"),
    }
    entries = {
        "roi_detector": {"what": f"YOLOv3 {yolo['variant']}, the 2D detector", "config": yolo, "settings": {}},
        "box_detector": {
            "what": "PointNet on anchor boxes, the 3D detector",
            "config": pointnet["config"],
            "anchors": pointnet["anchors"],
            "settings": {"side": pointnet["side"]},
        },
        "refinement": {"what": "Linear refinement of the boxes, T of each class"},
        "polarity": {"what": "Second opinion on polarity"},
    }
    if surfaces is not None:
        described = json.loads((surfaces / "network.json").read_text())
        tensors["surfaces"] = load(surfaces / "network.pt")
        entries["surfaces"] = {"what": "Threshold surfaces: pillars of points and a small U-Net", **described}
    for key, entry in entries.items():
        entry["file"] = f"{key}.safetensors"
        # the refinement multiplies many features: it stays in single precision
        entry["sha256"] = save_weights(tensors[key], output / entry["file"], half=key != "refinement")
        entry["parameters"] = count(tensors[key])
    table, rows = figures_table(figures)
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "use": "research only",
        "classes": list(CLASSES),
        "networks": entries,
        "clean_up": {"largest_parts": {"teeth": 0}},
        "training_data": {"simulated": "python -m training.simulate", **{key: TERMS[key] for key in SETS}},
        "validation": rows,
    }
    networks = "\n".join(
        f"| {key} | {entry['what']} | {entry['parameters']:,} | `{entry['file']}` |" for key, entry in entries.items()
    )
    terms = "\n".join(f"| {key} | {value} |" for key, value in TERMS.items())
    card = CARD.format(
        name=name, version=version, classes=", ".join(CLASSES), networks=networks, terms=terms, figures=table
    )
    (output / "MODEL_CARD.md").write_text(card)
    aside = output / (MANIFEST + ".part")
    aside.write_text(json.dumps(manifest, indent=1))
    os.replace(aside, output / MANIFEST)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.bundle", description=__doc__.split("\n\n")[0])
    for run in ("detector", "box", "polarity"):
        parser.add_argument(f"--{run}", type=Path, required=True, help="folder of the finished run")
    parser.add_argument("--figures", type=Path, help="summary.json of training.evaluate")
    parser.add_argument("--output", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--name", default="radiographs")
    parser.add_argument("--version", default="1")
    parser.add_argument("--surfaces", type=Path, help="folder of the finished run of the threshold surfaces")
    options = parser.parse_args(arguments)
    write_bundle(
        options.detector,
        options.box,
        options.polarity,
        options.output,
        options.name,
        options.version,
        options.figures,
        options.surfaces,
    )
    size = sum(path.stat().st_size for path in options.output.glob("*.safetensors"))
    print(f"{options.output}: {size / 1e6:.1f} MB of weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
