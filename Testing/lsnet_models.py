"""L-SNets for tests: real weights, set by hand so that what is bright is located and segmented."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from GrayscaleDetSegLib.core.lsnet.networks import Encoder, Networks
from GrayscaleDetSegLib.core.lsnet.settings import LSNetConfig
from GrayscaleDetSegLib.core.weights import FORMAT, MANIFEST
from Testing.labelled_sets import write_table
from training.weights import save_weights

CONFIG = {"classes": ["block"], "locator": "tiny", "segmenter": "tiny", "structure": "fcn", "side": 64}
REACH = 0.3


def bright_networks(config: dict | None = None, reach: float = REACH) -> Networks:
    """Networks for which all that is brighter than about 0.75 is an object, with a box of `reach` on every side."""
    torch.manual_seed(0)
    networks = Networks(LSNetConfig.from_dict({**CONFIG, **(config or {})})).eval()
    count = len(networks.config.classes)
    with torch.no_grad():
        for part in (networks.locator, networks.segmenter):
            _pass_brightness_on(part.encoder)
            for score in part.decoder.scores:
                score.weight.zero_()
                score.bias.zero_()
        locator, segmenter = networks.locator, networks.segmenter
        locator.decoder.scores[0].weight[0, 0] = 1.0
        first, _, last = locator.heat
        first.weight.zero_()
        first.bias.zero_()
        first.weight[0, 0, 1, 1] = 1.0
        last.weight.zero_()
        last.weight[:, 0] = 40.0
        last.bias.fill_(-10.0)
        locator.distances[-1].weight.zero_()
        locator.distances[-1].bias.fill_(reach)
        segmenter.decoder.scores[0].weight[:count, 0] = 40.0
        segmenter.decoder.scores[0].bias.fill_(-10.0)
    return networks


def _pass_brightness_on(encoder: Encoder) -> None:
    """Channel 0 of all features becomes max(0, gray - 0.5)."""
    for name, values in encoder.named_parameters():
        if "conv" in name or "downsample.0" in name:
            values.zero_()
    encoder.conv1.weight[0, 0, 3, 3] = 1.0
    for layer in (encoder.layer2, encoder.layer3, encoder.layer4):
        layer[0].downsample[0].weight[0, 0] = 1.0


def write_model(folder: Path, of_volumes: bool = True, config: dict | None = None, **settings) -> Path:
    """A bundle of bright networks."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {**CONFIG, **(config or {})}
    digest = save_weights(bright_networks(config).state_dict(), folder / "a.safetensors", half=False)
    entry = {"method": "lsnet", "config": config, "settings": settings, "file": "a.safetensors", "sha256": digest}
    manifest = {
        "format": FORMAT, "name": "bright", "version": "1", "classes": config["classes"], "networks": {"lsnet": entry},
    }  # fmt: skip
    if of_volumes:
        entry["label"] = config["classes"][0]
        manifest |= {"dimensions": 3, "volume": {}}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def write_films(folder: Path, count: int = 6) -> None:
    """A set of small films with a bright block, the femur, in each; those from the fifth on are for val."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        random = np.random.default_rng(number)
        image = random.integers(0, 80, (60, 48), dtype=np.uint8)
        labels = np.zeros((60, 48), np.uint8)
        row, column = random.integers(5, 30), random.integers(4, 20)
        labels[row : row + 24, column : column + 20] = 1
        image[labels == 1] += 120
        Image.fromarray(image).save(folder / "images" / f"{number}.png")
        Image.fromarray(labels).save(folder / "labels" / f"{number}.png")
    (folder / "labels.json").write_text('{"femur": 1}')
    write_table(folder, [f"{number},{'val' if number > 3 else 'train'}" for number in range(count)])
