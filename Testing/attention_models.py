"""Sets of bright blocks, and a model of segmentation by detection that learns them in seconds, for tests."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from GrayscaleDetSegLib.core.methods.detection_attention import Cascade, DetectionAttention
from GrayscaleDetSegLib.core.volumes import cascade as cascades
from GrayscaleDetSegLib.core.volumes.cascade import CascadeConfig, CascadeNetworks, CascadeSettings
from GrayscaleDetSegLib.core.volumes.proposals import SliceRegions
from GrayscaleDetSegLib.core.volumes.rpn import Rpn, RpnConfig
from Testing.volume_models import block
from training.volumes import detection_attention

CONFIG = """
seed = 2
sets = ["blocks"]
batch_size = 1
epoch_length = {length}
validate_every = 5
[target]
label = "block"
[volume]
spacing = 1.0
modality = "MR"
[network]
attention = "slices"
view = "axial"
channels = [4, 8]
[network.detector]
side = 28
channels = [8, 8, 16]
width = 16
[regions]
most = 1
score = 0.3
margin = 0.05
[training]
slices = 8
negatives = 10.0
[training.variation]
degrees = 0.0
scale = 0.05
[[stages]]
trainable = "detector"
learning_rate = 5e-3
epochs = {detector}
decay = "cosine"
[[stages]]
trainable = "segmentation"
learning_rate = 1e-2
epochs = {segmentation}
decay = "cosine"
"""


def write_blocks(folder: Path, count: int = 5) -> Path:
    """A set of volumes with a bright block at another place in each; the last one is for val."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    rows = []
    for number in range(count):
        voxels, old, _ = block()
        plain, mask = np.where(old, 200, voxels), np.zeros(old.shape, bool)
        z, y, x = np.random.default_rng(number).integers(3, 9, 3)
        mask[z : z + 10, y : y + 8, x : x + 12] = True  # alike in all slices: its anchors fit without being moved
        noise = np.random.default_rng(100 + number).normal(0.0, 15.0, mask.shape)
        values = (np.where(mask, 900, plain) + noise).astype(np.int16)
        for part, content in (("images", values), ("labels", mask.astype(np.uint8))):
            sitk.WriteImage(sitk.GetImageFromArray(content), str(folder / part / f"p{number}.nrrd"))
        rows.append((f"p{number}", "val" if number == count - 1 else "train"))
    with open(folder / "split.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("name", "split"), *rows])
    (folder / "labels.json").write_text(json.dumps({"block": 1}))
    return folder


def write_config(path: Path, length: int = 8, detector: int = 1, segmentation: int = 1, **changed: str) -> Path:
    """The configuration of a short run; `changed` are texts to put in the place of others, under any name."""
    text = CONFIG.format(length=length, detector=detector, segmentation=segmentation)
    for change in changed.values():
        before, _, after = change.partition(" -> ")
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    return path


def trained(data: Path, config: Path, output: Path, *more: str) -> int:
    """The exit code of a run."""
    order = ["--data", str(data), "--config", str(config), "--output", str(output), *more]
    return detection_attention.main(order)


def cascade_networks(attention: str = "slices", view: str = "axial", **detector) -> CascadeNetworks:
    """Networks with weights that nobody trained, in evaluation mode."""
    config = CascadeConfig(
        attention, view, (4, 8), RpnConfig(**{"channels": (4, 4, 8), "side": None, "width": 8, **detector})
    )
    return CascadeNetworks(config).eval()


def regions(*rows: tuple[int, tuple[float, ...], float]) -> SliceRegions:
    """Of (slice, box, score)."""
    return SliceRegions.of(rows)


VGG = RpnConfig("vgg16", channels=(2, 4, 4, 8, 8), width=4)


def vgg_state(config: RpnConfig = VGG) -> dict[str, torch.Tensor]:
    """What a file of torchvision's VGG-16 holds, as narrow as `config` says; its classifier is of no use here."""
    torch.manual_seed(5)
    body = Rpn(config).backbone.body
    state = {f"features.{name}": torch.rand_like(values) for name, values in body.state_dict().items()}
    return {**state, "classifier.0.weight": torch.rand(4, 4)}


class Threshold(torch.nn.Module):
    """Stands for a 3D U-Net: what is bright and, where it is told, in the attention; remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = []

    def forward(self, volumes):
        self.sizes.append(tuple(volumes.shape[1:]))
        likely = (volumes[:, 0] + 0.5 - 0.5) * 100.0
        return likely if volumes.shape[1] == 1 else likely - 1000.0 * (1.0 - volumes[:, 1])


def working() -> tuple[np.ndarray, np.ndarray]:
    voxels, mask, _ = block()
    return (voxels / 1000.0).astype(np.float32), mask


def detecting(monkeypatch, rows, attention: str = "slices", view: str = "axial", **how) -> DetectionAttention:
    """The method with a detector that says these rows of every volume, and a 3D U-Net that takes what is bright."""
    networks = cascade_networks(attention, view)
    networks.segmentation = Threshold()
    said = rows if callable(rows) else lambda slices: regions(*rows)
    monkeypatch.setattr(cascades, "proposed", lambda network, slices, *more: said(slices))
    return DetectionAttention({"block": Cascade(networks, CascadeSettings(**how))})


def bright_boxes(slices: np.ndarray) -> SliceRegions:
    """A perfect detector of what is bright."""
    from training.volumes.regions import true_boxes

    return regions(*((index, box, 0.75) for index, each in enumerate(slices) for box in true_boxes(each > 0.8)))
