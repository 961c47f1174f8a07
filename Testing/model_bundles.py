"""Model bundles for tests: some that only look like one, and one that works, the shipped model under other names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from GrayscaleDetSegLib.core.weights import MANIFEST, shipped_bundle
from training.weights import save_weights

NETWORKS = ("roi_detector", "box_detector", "refinement", "surfaces")


def write_bundle(
    folder: Path, name="knees", version="1", classes=("patella", "femur"), networks=NETWORKS, score=None, **manifest
) -> Path:
    """A bundle with a manifest that can be read and empty files for weights."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {each: {"file": f"{each}.safetensors", "sha256": "", "config": {}} for each in networks}
    entries["roi_detector"]["config"]["classes"] = list(classes)
    if score is not None:
        entries["roi_detector"]["settings"] = {"score": score}
    for entry in entries.values():
        (folder / entry["file"]).touch()
    document = {"format": 1, "name": name, "version": version, "classes": list(classes), "networks": entries}
    (folder / MANIFEST).write_text(json.dumps({**document, **manifest}), encoding="utf-8")
    return folder


def change_manifest(folder: Path, change) -> None:
    """Let `change` alter the parsed manifest of a bundle."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def renamed_copy(folder: Path, name: str, classes: dict[str, str]) -> Path:
    """The shipped model with another name, and other names for some of its classes."""
    from safetensors.torch import load_file

    shutil.copytree(shipped_bundle(), folder)
    tensors = load_file(str(folder / "refinement.safetensors"))
    tensors = {classes.get(label, label): tensor for label, tensor in tensors.items()}
    digest = save_weights(tensors, folder / "refinement.safetensors", half=False)

    def change(manifest) -> None:
        manifest["name"] = name
        for place in (manifest, *(entry.get("config", {}) for entry in manifest["networks"].values())):
            if "classes" in place:
                place["classes"] = [classes.get(label, label) for label in place["classes"]]
        manifest["networks"]["refinement"]["sha256"] = digest

    change_manifest(folder, change)
    return folder
