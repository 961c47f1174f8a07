"""The networks in PyTorch, as they are trained; the library's ``description`` modules say what they are.

The library makes its own PyTorch networks of the same descriptions. These have names, and weights to begin with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Union

import torch

from GrayscaleDetSegLib.core import polarity_check
from GrayscaleDetSegLib.core.layers.torch_parts import TorchPart
from GrayscaleDetSegLib.core.single_box import description as single_box
from GrayscaleDetSegLib.core.single_box.description import PointNetConfig, bin_index, pool_bins
from GrayscaleDetSegLib.core.surfaces import description as surfaces
from GrayscaleDetSegLib.core.surfaces.description import SurfaceConfig
from GrayscaleDetSegLib.core.yolo import description as yolo
from GrayscaleDetSegLib.core.yolo.description import ANCHORS, YoloConfig

__all__ = [
    "ANCHORS", "PointNet", "PointNetConfig", "PolarityNetwork", "SharedLayers", "SurfaceConfig", "SurfaceNetwork",
    "TransformNet", "Yolo", "YoloConfig", "YoloV3", "YoloV3Tiny", "YoloV3Tiny3", "bin_index", "build_yolo", "pool_bins",
    "trained_yolo",
]  # fmt: skip


class YoloV3(TorchPart, describes=yolo.YoloV3):
    """The 2D detector on Darknet-53."""


class YoloV3Tiny(TorchPart, describes=yolo.YoloV3Tiny):
    """The small 2D detector with two scales."""


class YoloV3Tiny3(TorchPart, describes=yolo.YoloV3Tiny3):
    """The small 2D detector with three scales."""


Yolo = Union[YoloV3, YoloV3Tiny, YoloV3Tiny3]
"""Any of the networks: they have ``config``, ``strides`` and ``anchor_indices``."""


def build_yolo(config: YoloConfig) -> Yolo:
    """The network of a configuration, with fresh weights."""
    return {"darknet53": YoloV3, "tiny": YoloV3Tiny, "tiny-3l": YoloV3Tiny3}[config.variant](config)


def trained_yolo(run: Path) -> Yolo:
    """The network of a run of ``training.detector``, with its weights.

    Raises
    ------
    OSError
        If the folder lacks its ``network.json`` or ``network.pt``.
    """
    described = json.loads((run / "network.json").read_text(encoding="utf-8"))
    network = build_yolo(YoloConfig.from_dict(described))
    network.load_state_dict(torch.load(run / "network.pt", weights_only=True))
    return network


class SharedLayers(TorchPart, describes=single_box.SharedLayers):
    """Layers that all points of a cloud share."""

    def __getitem__(self, index: int) -> torch.nn.Module:
        """One of the layers."""
        return getattr(self, self.names[index])


class TransformNet(TorchPart, describes=single_box.TransformNet):
    """PointNet's T-Net."""

    def begin(self) -> None:
        """The identity at the start."""
        self.output.weight.zero_()
        self.output.bias.zero_()


class PointNet(TorchPart, describes=single_box.PointNet):
    """The network of the 3D detector."""


class SurfaceNetwork(TorchPart, describes=surfaces.SurfaceNetwork):
    """The network of the threshold surfaces."""

    def begin(self) -> None:
        """At the start every interval holds something."""
        self.head.weight.zero_()
        self.head.bias.view(-1, 2).copy_(torch.tensor([-0.1, 0.1] if self.config.relative else [0.2, 0.8]))


class PolarityNetwork(TorchPart, describes=polarity_check.PolarityNetwork):
    """The network of the second opinion on polarity."""
