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

from GrayscaleDetSegLib.core.weights import FORMAT, MANIFEST

from .films.knowledge import CARDS
from .markdown_table import markdown_table
from .weights import save_weights

TERMS = {name: card.terms for name, card in CARDS.items()}
MORE_TERMS = {
    "bone surfaces": "VSD (Fischer 2023) CC BY-NC-SA 4.0; STAPLE CC BY-NC 4.0; shape model of Carman, Choisne, "
    "Besier, none stated; Basel, Spangenberg, OpenSim (Gonzalez, Buchanan, Delp; Holzbaur; Rajagopal), none stated or "
    "CC BY 3.0; Carpal, DiffAutoKin GPL-3.0; OpenForge CC BY / BY-SA; LumbarSSM MIT",
    "clinical films (boxes set by eye)": "FracAtlas CC BY 4.0; MURA agreement: research, no redistribution",
    "slices of volumes (as nothing)": "ACDC CC BY-NC-SA 4.0; MSD CC BY-SA 4.0; DeepReg test data Apache-2.0",
}
"""What else the weights have seen."""
DETECTION = {
    "per_class": 4, "suppression": 0.3, "across": 0.7, "voting": 0.5, "numerous": ["vertebra", "tooth"], "context": 0.4,
    "shared": {"vertebra": 0.2},
    "loose": dict.fromkeys(("heart", "right clavicle", "left clavicle", "humerus", "femur"), 0.9),
    "alongside": [["tibia", "fibula"], ["radius", "ulna"], ["hip bone", "sacrum"]], "together": 1.0,
    "over": [["patella", "femur"]],
    "looks": [{"size": 288, "mirrored": False}, {"size": 352, "mirrored": True}],
    "exponents": {"right clavicle": 0.68, "left clavicle": 0.68, "tooth": 0.75, "vertebra": 0.6},
}  # fmt: skip
"""Settings of a detector of the whole skeleton: bones lie over each other, and a film may show two knees. Chosen on val
and on the clinical films that are trained with (``clinical/training_boxes.csv``): of their fibulae 72 % were found
while nearly the same box was not left to both bones of a shank, and 95 % are since; what is one bone under two names is
taken back by its mask (``core/doubles.py``). Clavicles and single teeth count from 0.17 and 0.2: at 0.3 the scores of
val leave out more right ones than false ones; vertebrae from 0.13, because the mean of two looks at crowds is lower: of
30 spines of train 13 have the exact number in the place of 9 from 0.18 on, and 4 chests in 57 show a vertebra. A second
look at loose regions gains 0.002 to 0.009 of IoU on films of train for the classes named."""
FEW = 5
"""Classes of the models before version 3, whose regions hardly ever overlap."""
APART = (("right lung", "left lung"), ("right clavicle", "left clavicle"), ("teeth", "tooth"))
"""Classes that never lie over each other, where bones of other names may."""
MANY_PARTS = ("teeth", "hand", "foot")
"""Classes whose objects consist of many separate parts, which the post-processing keeps."""

CARD = """# Model card: {name} {version}

**Research use only.** Not a medical device; not tested for any clinical purpose.

Finds and segments in radiographs: {classes}.

| network | what it is | parameters | file |
|---|---|---|---|
{networks}

## Training data

Simulated radiographs drawn from bone surfaces (`python -m training.simulate.bones`) together with the train part of
these public sets:

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

## On ordinary clinical films

{clinical}

135 films that nobody trained on (other films of their collections were), boxes set by eye: the share of the objects
that are found by their own name with an IoU of 0.5, and of the regions that are right. Made with `python -m
training.clinical.judge`.

## Known limits

- One interval per object cannot follow anatomy whose gray values overlap its surroundings: see the ceiling. The
  surfaces can, but they are only as good as the images they were trained on are like yours.
- Limbs and pelves were learnt from simulated films and from a few hundred boxes on clinical ones: of hands, feet,
  forearms, shoulders and pelves no mask of a real film was seen.
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
    lines = []
    for row in rows:
        numbers = [
            row[key] for key in ("recall", "roi", "ceiling", "true_iou", "true_ratio", "found_iou", "found_ratio")
        ]
        cells = [row["set"], row["class"], str(row["n"]), *(f"{number:.3f}" for number in numbers)]
        cells.append(f"{row['surfaces_iou']:.3f}" if row.get("surfaces_iou") is not None else "")
        lines.append(cells)
    return markdown_table(titles, lines), rows


def clinical_table(path: Path | None) -> tuple[str, list[dict]]:
    """The Markdown table of the figures of ``training.clinical.judge``, and its rows."""
    if path is None:
        return "Not measured yet.", []
    rows = json.loads(path.read_text(encoding="utf-8"))
    lines = []
    for row in rows:
        many = row["right"] + row["false"]
        share = f"{row['found'] / row['wanted']:.2f}" if row["wanted"] else ""
        right = f"{row['right'] / many:.2f}" if many else ""
        lines.append([row["class"], row["wanted"], share, many, right])
    return markdown_table(["class", "objects", "found", "regions", "right"], lines), rows


def write_bundle(
    detector: Path,
    box: Path,
    polarity: Path,
    output: Path,
    name: str,
    version: str,
    figures: Path | None = None,
    surfaces: Path | None = None,
    clinical: Path | None = None,
) -> None:
    """Write the bundle of finished runs into a folder; the manifest last, so that a half-written one does not open."""
    output.mkdir(parents=True, exist_ok=True)

    def load(path: Path) -> dict[str, torch.Tensor]:
        return torch.load(path, weights_only=True, map_location="cpu")

    yolo = json.loads((detector / "network.json").read_text())
    pointnet = json.loads((box / "network.json").read_text())
    classes = tuple(yolo["classes"])
    whole = len(classes) > FEW
    tensors = {
        "roi_detector": load(detector / "network.pt"),
        "box_detector": load(box / "network.pt"),
        "refinement": load(box / "refinement.pt"),
        "polarity": load(polarity / "network.pt"),
    }
    entries = {
        "roi_detector": {"what": f"YOLOv3 {yolo['variant']}, the 2D detector", "config": yolo,
                         "settings": DETECTION if whole else {}},
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
    clinical_lines, clinical_rows = clinical_table(clinical)
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "use": "research only",
        "classes": list(classes),
        "networks": entries,
        "clean_up": {"largest_parts": {name: 0 for name in MANY_PARTS if name in classes}},
        "overlaps": {"allowed": whole, "apart": [list(group) for group in APART]},
        "training_data": {"simulated": "python -m training.simulate.bones", **TERMS, **MORE_TERMS},
        "validation": rows,
        "clinical": clinical_rows,
    }
    networks = "\n".join(
        f"| {key} | {entry['what']} | {entry['parameters']:,} | `{entry['file']}` |" for key, entry in entries.items()
    )
    terms = "\n".join(f"| {key} | {value} |" for key, value in {**TERMS, **MORE_TERMS}.items())
    card = CARD.format(
        name=name, version=version, classes=", ".join(classes), networks=networks, terms=terms, figures=table,
        clinical=clinical_lines,
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
    parser.add_argument("--clinical", type=Path, help="figures of training.clinical.judge")
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
        options.clinical,
    )
    size = sum(path.stat().st_size for path in options.output.glob("*.safetensors"))
    print(f"{options.output}: {size / 1e6:.1f} MB of weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
