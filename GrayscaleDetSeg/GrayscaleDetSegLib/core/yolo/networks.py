"""The YOLOv3 networks in PyTorch; ``description`` says what they are."""

from __future__ import annotations

from typing import Union

from ..layers.torch_parts import TorchPart
from . import blocks, description  # noqa: F401 (blocks registers what the networks are made of)
from .description import ANCHORS, YoloConfig

__all__ = ["ANCHORS", "Yolo", "YoloConfig", "YoloV3", "YoloV3Tiny", "YoloV3Tiny3", "build_yolo"]


class YoloV3(TorchPart, describes=description.YoloV3):
    """See ``description``."""


class YoloV3Tiny(TorchPart, describes=description.YoloV3Tiny):
    """See ``description``."""


class YoloV3Tiny3(TorchPart, describes=description.YoloV3Tiny3):
    """See ``description``."""


Yolo = Union[YoloV3, YoloV3Tiny, YoloV3Tiny3]
"""Any of the networks: they have ``config``, ``strides`` and ``anchor_indices``."""


def build_yolo(config: YoloConfig) -> Yolo:
    """The network of a configuration, with fresh weights."""
    return {"darknet53": YoloV3, "tiny": YoloV3Tiny, "tiny-3l": YoloV3Tiny3}[config.variant](config)
