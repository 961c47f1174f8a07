"""Methods of other packages, installed as a stranger's are: a folder on the path with packages and their metadata."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from GrayscaleDetSegLib.core.methods.registry import GROUP, registry
from GrayscaleDetSegLib.core.weights import save_weights, shipped_bundle

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
        information = folder / f"{package}-1.0.dist-info"
        information.mkdir()
        name = package.replace("_", "-")
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{method} = {target}" for method, target in methods.items()]
        (information / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
    return folder


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The packages of a folder are there inside, and gone afterwards."""
    packages = {path.name.partition("-")[0] for path in folder.glob("*.dist-info")}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    registry.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
            del sys.modules[name]
        importlib.invalidate_caches()
        registry.cache_clear()


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
