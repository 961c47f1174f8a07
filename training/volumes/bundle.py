"""Finished runs on volumes as one model bundle.

python -m training.volumes.bundle --run runs/heart --run runs/ventricle --name heart-mr --output FOLDER
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import torch

from GrayscaleDetSegLib.core.weights import FORMAT, MANIFEST, shipped_bundle

from ..weights import save_weights
from .cards import figures_table, limits, sets_table
from .cases import VolumeDataError

KEPT = ("method", "label", "labels", "config", "settings", "within", "reach")
"""What a manifest takes over from a run's network.json."""

CARD = """# Model card: {name} {version}

**Research use only.** Not a medical device; not tested for any clinical purpose.

Segments in volumes{modality}: {classes}. Terms: [LICENSE.md](LICENSE.md).

| networks | method | label | lies in | parameters | file |
|---|---|---|---|---|---|
{networks}

## Training data

The train part of:

{sets}

Images and masks are not part of this bundle.{terms}

## Figures on the validation part

{figures}

DSC of the whole volume; the interval is of a bootstrap over patients. "As shipped" is what the model does; "oracle
boxes" looks into the true boxes once. Settings were chosen on this same validation part. Made with
`python -m training.volumes.table`.

## Known limits

{limits}
"""
LICENSE = shipped_bundle() / "LICENSE.md"
"""Of the weights that come with the software; it says that the terms of the sets apply."""


def write_bundle(
    runs: list[Path],
    output: Path,
    name: str,
    version: str = "1",
    method: str | None = None,
    terms: str = "",
    half: bool = True,
) -> dict:
    """Write the bundle of finished runs into a folder, the manifest last; returns the manifest.

    Parameters
    ----------
    runs : list of Path
        All with the same working grid and window.
    method : str or None
        The model's own method; where something lies within something else that composition, else that of the first run.

    Raises
    ------
    VolumeDataError
        If the runs see volumes in different ways, or one lacks its network.
    """
    described = [json.loads((run / "network.json").read_text(encoding="utf-8")) for run in runs]
    if any(each["volume"] != described[0]["volume"] for each in described):
        raise VolumeDataError("The runs have different [volume] settings; one bundle has one working grid.")
    output.mkdir(parents=True, exist_ok=True)
    entries, classes = {}, []
    for number, (run, each) in enumerate(zip(runs, described), start=1):
        if not (run / "network.pt").is_file():
            raise VolumeDataError(f"The run {run} is not finished: it has no network.pt.")
        tensors = torch.load(run / "network.pt", weights_only=True, map_location="cpu")
        file = f"networks_{number}.safetensors"
        kept = {key: each[key] for key in KEPT if key in each}
        entries[f"{each['method']} {number}"] = {
            "what": f"{', '.join(_labels(each))}: {each.get('what', 'coarse and fine networks')}", **kept, "file": file,
            "sha256": save_weights(tensors, output / file, half=half),
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
        }  # fmt: skip
        classes += [label for label in _labels(each) if label not in classes]
    within = any("within" in each for each in described)
    manifest = {
        "format": FORMAT, "name": name, "version": version, "use": "research only", "dimensions": 3,
        "method": method or ("organ_then_part" if within else described[0]["method"]), "classes": classes,
        "volume": described[0]["volume"], "networks": entries,
        "training_data": sorted({each for one in described for each in one["sets"]}),
    }  # fmt: skip
    rows = "\n".join(
        f"| {key} | {each['method']} | {', '.join(_labels(each))} | {each.get('within', '')} | "
        f"{each['parameters']:,} | `{each['file']}` |"
        for key, each in entries.items()
    )
    modality = described[0]["volume"].get("modality")
    card = CARD.format(
        name=name, version=version, classes=", ".join(classes), networks=rows, terms=f" {terms}" if terms else "",
        sets=sets_table(manifest["training_data"]), modality=f" ({modality})" if modality else "",
        figures=figures_table(_tables(runs, described)), limits=limits(manifest["training_data"]),
    )  # fmt: skip
    (output / "LICENSE.md").write_bytes(LICENSE.read_bytes())
    (output / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    aside = output / (MANIFEST + ".part")
    aside.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    os.replace(aside, output / MANIFEST)
    return manifest


def _tables(runs: list[Path], described: list[dict]) -> dict[str, list[dict]]:
    """The rows of ``training.volumes.table`` of the runs that it has looked at, by method."""
    kept = {each["method"]: run / "table.json" for run, each in zip(runs, described)}
    return {
        method: json.loads(path.read_text(encoding="utf-8")) for method, path in kept.items() if path.is_file()
    }


def _labels(each: dict) -> list[str]:
    """What the networks of a run find."""
    return each.get("labels") or [each["label"]]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.volumes.bundle", description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, action="append", required=True, help="folder of a finished run")
    parser.add_argument("--output", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", default="1")
    parser.add_argument("--method", help="the model's own method")
    parser.add_argument("--terms", default="", help="of the training data, for the card")
    options = parser.parse_args(arguments)
    write_bundle(options.run, options.output, options.name, options.version, options.method, options.terms)
    size = sum(path.stat().st_size for path in options.output.glob("*.safetensors"))
    print(f"{options.output}: {size / 1e6:.2f} MB of weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
