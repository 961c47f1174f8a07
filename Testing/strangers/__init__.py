"""Methods of other packages, installed as a stranger's are: a folder on the path with packages and their metadata."""

from __future__ import annotations

import shutil
from pathlib import Path

from GrayscaleDetSegLib.core.methods.registry import GROUP
from GrayscaleDetSegLib.core.weights import shipped_bundle
from Testing.stranger_packages import describe, installed
from training.weights import save_weights

__all__ = ["BRIGHT", "OTSU", "PIXELS", "bundle_with_pixels", "installed", "site"]

HERE = Path(__file__).parent
OTSU = {"grayscale_otsu": {"otsu": "grayscale_otsu:Otsu"}}
PIXELS = {"grayscale_pixels": {"label-pixels": "grayscale_pixels:Pixels"}}
BRIGHT = 0.55
"""Share of the gray range above which the network of the label-per-pixel method takes a pixel."""


def site(folder: Path, packages: dict[str, dict[str, str]], sources: dict[str, str] | None = None) -> Path:
    """A folder of installed packages: those here, or with the source that is given, and their entry points."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, methods in packages.items():
        if sources and package in sources:
            (folder / f"{package}.py").write_text(sources[package], encoding="utf-8")
        else:
            shutil.copytree(HERE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        describe(folder, package, {GROUP: methods}, package.replace("_", "-"))
    return folder


def bundle_with_pixels(folder: Path, classes=("femur", "tibia"), method: str | None = None) -> Path:
    """The shipped model with a network that labels every pixel; by `method` its own one, if given."""
    import torch

    from Testing.model_bundles import change_manifest

    shutil.copytree(shipped_bundle(), folder)
    count = len(classes)
    tensors = {"0.weight": torch.full((count, 1, 1, 1), 10.0), "0.bias": torch.full((count,), -10.0 * BRIGHT)}
    digest = save_weights(tensors, folder / "label_pixels.safetensors", half=False)
    entry = {"file": "label_pixels.safetensors", "sha256": digest, "config": {"classes": list(classes)}}

    def change(manifest) -> None:
        manifest["name"] = "pixels"
        manifest["networks"]["label_pixels"] = entry
        if method is not None:
            manifest["method"] = method

    change_manifest(folder, change)
    return folder
