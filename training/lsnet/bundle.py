"""A finished run of L-SNet on radiographs as a model; those on volumes are put together by ``training.volumes.bundle``.

    python -m training.lsnet.bundle --run runs/lsnet --name knee --output models/knee [--beside FOLDER]

By itself the model's regions are L-Net's. With ``--beside``, the networks are added to a copy of another model for
radiographs: its 2D detector finds the regions then, and S-Net is one more method for what is in them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.core.weights import FORMAT, MANIFEST, Bundle

from ..runs import command
from ..weights import save_weights

CARD = """# Model card: {name} {version}

**Research use only.** Not a medical device; not tested for any clinical purpose.

Finds and segments in radiographs: {classes}. {parameters:,} parameters in `{file}`: L-Net, which finds regions by a
heat map of centres, and S-Net, which segments each of them.

Learnt from the train part of: {sets}. {terms}
"""


class BundleError(GrayscaleDetSegError):
    """A model cannot be put together."""


def write_bundle(
    run: Path, output: Path, name: str, version: str = "1", beside: Path | None = None, terms: str = "",
    half: bool = True,
) -> dict[str, Any]:
    """Write the bundle of a finished run into a folder, the manifest last; returns the manifest.

    Parameters
    ----------
    beside : Path or None
        Folder of a model for radiographs whose networks are taken over.

    Raises
    ------
    BundleError
        If the run is not finished, or of volumes, or the other model is one of volumes.
    """  # fmt: skip
    if not (run / "network.pt").is_file() or not (run / "network.json").is_file():
        raise BundleError(f"The run {run} is not finished: it has no network.pt; start its training again.")
    described = json.loads((run / "network.json").read_text(encoding="utf-8"))
    if described.get("method") != "lsnet" or "label" in described:
        raise BundleError(f"{run} is no run of L-SNet on radiographs; for volumes take training.volumes.bundle.")
    manifest: dict[str, Any] = {
        "format": FORMAT, "name": name, "version": version, "use": "research only", "method": "lsnet", "classes": [],
        "networks": {}, "training_data": [],
    }  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    if beside is not None:
        other = Bundle.open(beside)
        if other.dimensions != 2:
            raise BundleError(f"The model in {beside} takes volumes; choose one for radiographs.")
        manifest = {**other.manifest, "name": name, "version": version, "networks": dict(other.manifest["networks"])}
        for entry in other.manifest["networks"].values():
            shutil.copyfile(beside / entry["file"], output / entry["file"])
    tensors = torch.load(run / "network.pt", weights_only=True, map_location="cpu")
    file = "lsnet.safetensors"
    entry = {
        "what": "L-SNet: L-Net finds regions by a heat map of centres, S-Net segments them",
        **{key: described[key] for key in ("method", "config", "settings")},
        "file": file, "sha256": save_weights(tensors, output / file, half=half),
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
    }  # fmt: skip
    manifest["networks"]["lsnet"] = entry
    manifest["classes"] = list(dict.fromkeys([*manifest["classes"], *described["config"]["classes"]]))
    if beside is None:
        manifest["training_data"] = described["sets"]
    card = CARD.format(
        name=name, version=version, classes=", ".join(described["config"]["classes"]), file=file, terms=terms,
        sets=", ".join(described["sets"]), parameters=entry["parameters"],
    )  # fmt: skip
    former = (beside / "MODEL_CARD.md") if beside is not None else None
    more = f"\n{former.read_text(encoding='utf-8')}" if former is not None and former.is_file() else ""
    (output / "MODEL_CARD.md").write_text(card + more, encoding="utf-8")
    aside = output / (MANIFEST + ".part")
    aside.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    os.replace(aside, output / MANIFEST)
    return manifest


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.lsnet.bundle", description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--output", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", default="1")
    parser.add_argument("--beside", type=Path, help="folder of a model for radiographs to add the networks to")
    parser.add_argument("--terms", default="", help="of the training data, for the card")
    options = parser.parse_args(arguments)
    write_bundle(options.run, options.output, options.name, options.version, options.beside, options.terms)
    print(f"{options.output}: {(options.output / 'lsnet.safetensors').stat().st_size / 1e6:.2f} MB of weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
