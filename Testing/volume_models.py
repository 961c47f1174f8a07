"""Volumes and models of volumes for tests: a bright block, and networks of one level that find what is bright."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core.radiograph import Geometry
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from GrayscaleDetSegLib.core.weights import FORMAT, MANIFEST
from training.weights import save_weights

CONFIG = {"layout": "small", "slices": 3, "channels": (4,)}
SETTINGS = {"threshold": 0.95, "rounds": 4, "margin": 0.1}


def block(shape=(24, 26, 28), spacing=(1.0, 1.0, 1.0)) -> tuple[np.ndarray, np.ndarray, Geometry]:
    """Voxels (int16), the mask of a bright L in them, and their geometry; no symmetry maps the L to itself."""
    voxels = np.full(shape, 100, np.int16)
    voxels[2:-2, 2:-2, 2:-2] = 200
    voxels[0, 0, :13] = np.arange(13)  # so that nobody takes it for a label map
    mask = np.zeros(shape, bool)
    mask[6:14, 8:15, 10:18] = mask[6:10, 8:12, 18:23] = True
    voxels[mask] = 900
    voxels[mask] += (np.arange(mask.sum()) % 40).astype(np.int16)
    return voxels, mask, Geometry(spacing, (5.0, -7.0, 11.0))


def bright_networks(config: dict | None = None, least: float = 1.2, weight: float = 0.0) -> Networks:
    """Networks whose probability is above one half where a pixel is brighter than its slice by `least` deviations.

    `weight` is that of the saliency's middle kernel, where the configuration has one.
    """
    torch.manual_seed(0)
    networks = Networks(NetworkConfig.from_dict({**CONFIG, **(config or {})}))
    with torch.no_grad():
        for view in networks.values():
            for stage in (view.coarse, view.fine):
                for number, layer in enumerate(stage.down[0]):
                    convolution, norm = layer[0], layer[1]
                    convolution.weight.zero_()
                    for channel in range(4):
                        convolution.weight[channel, min(channel, convolution.weight.shape[1] - 1), 1, 1] = 1.0
                    norm.bias.fill_(10.0 if number else -0.5)  # the second leaves the first as it is, up to a scale
                stage.head.weight.zero_()
                for channel in range(3):
                    stage.head.weight[channel, channel, 0, 0] = 6.0
                stage.head.bias.fill_(-6.0 * (10.0 + least))
            if view.saliency is not None:
                for layer in view.saliency.layers:
                    if hasattr(layer, "weight"):
                        layer.weight.zero_()
                        for channel in range(3):
                            middle = layer.weight.shape[-1] // 2
                            layer.weight[channel, channel, middle, middle] = weight
                        layer.bias.fill_(1.0)
    return networks.eval()


def write_model(
    folder: Path, parts: list[dict] | None = None, volume: dict | None = None, networks: Networks | None = None, **more
) -> Path:
    """A bundle of bright networks; each part has a method and a label, and may have `within`, `reach`, `config`."""
    folder.mkdir(parents=True, exist_ok=True)
    entries, labels = {}, []
    for number, part in enumerate(parts or [{"method": "step_wise", "label": "block"}]):
        config = part.pop("config", CONFIG if part["method"] == "step_wise" else {**CONFIG, "saliency": "3x3"})
        made = networks or bright_networks(config)
        file = f"networks_{number}.safetensors"
        digest = save_weights(made.state_dict(), folder / file, half=False)
        entries[f"part {number}"] = {"config": config, "settings": SETTINGS, "file": file, "sha256": digest, **part}
        labels += [label for label in part.get("labels", [part.get("label")]) if label not in labels]
    manifest = {
        "format": FORMAT, "name": "bright", "version": "1", "dimensions": 3, "classes": labels,
        "volume": volume or {}, "networks": entries, **more,
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder
