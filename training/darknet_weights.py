"""Darknet's own weight files (``yolov3.weights``, ``yolov3-tiny.weights``, ``darknet53.conv.74``), read and written.

The layout, after ``load_weights_upto`` and ``load_convolutional_weights`` in Darknet's ``src/parser.c``, little-endian:

- int32 major, minor, revision; then the number of images seen in training, int64 from version 0.2 on and int32 before;
- the convolutions in the order of the cfg file, as float32. With batch norm: bias (beta), scale (gamma), running mean,
  running variance, then the weights (outputs, inputs, height, width). Without: bias, then weights.

The networks register their layers in the order of ``yolov3.cfg`` and ``yolov3-tiny.cfg``, so the order of their modules
is the order of the file. The files hold nothing but numbers: what is checked is that their count fits to the last byte.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.yolo.blocks import ConvolutionBlock, OutputLayer

from .networks import YoloV3, YoloV3Tiny

VERSION = (0, 2, 0)
TRANSPOSED_FROM = 1000
"""Major or minor numbers above it mark files of long ago with transposed matrices; none of YOLOv3 exists."""


@dataclass(frozen=True)
class DarknetReport:
    """What came out of a file.

    Parameters
    ----------
    loaded : tuple of str
        Names of the layers that took their tensors from the file.
    skipped : tuple of str
        Output layers that the file holds for another number of classes; the network's own were left as they are.
    absent : tuple of str
        Layers that the file ends before, with ``stop_after="backbone"``; left as they are.
    seen : int
        Images that the file's network was trained on, by its header.
    """

    loaded: tuple[str, ...]
    skipped: tuple[str, ...]
    absent: tuple[str, ...]
    seen: int


@dataclass(frozen=True)
class _Layer:
    """One convolution: its name, its tensors in the file's order, and how many numbers it takes in the file."""

    name: str
    tensors: tuple[torch.Tensor, ...]
    size: int
    fits: bool
    in_backbone: bool


def _layers(network: YoloV3 | YoloV3Tiny, file_classes: int) -> Iterator[_Layer]:
    for name, module in network.named_modules():
        in_backbone = name.split(".")[0] in ("backbone", "shallow", "deep")
        if isinstance(module, ConvolutionBlock):
            norm = module.norm
            tensors = (norm.bias, norm.weight, norm.running_mean, norm.running_var, module.convolution.weight)
            yield _Layer(name, tensors, sum(tensor.numel() for tensor in tensors), True, in_backbone)
        elif isinstance(module, OutputLayer):
            outputs = module.anchors * (5 + file_classes)
            size = outputs * (1 + module.in_channels * module.kernel_size[0] * module.kernel_size[1])
            yield _Layer(name, (module.bias, module.weight), size, file_classes == module.classes, in_backbone)


def number_count(network: YoloV3 | YoloV3Tiny, file_classes: int | None = None) -> int:
    """How many float32 numbers the file of a whole network holds (for `file_classes` classes, else its own)."""
    return sum(layer.size for layer in _layers(network, _class_count(network, file_classes)))


def load_darknet(
    network: YoloV3 | YoloV3Tiny,
    path: Path | str,
    *,
    file_classes: int | None = None,
    stop_after: str | None = None,
) -> DarknetReport:
    """Load a Darknet weight file into a network; nothing of it changes unless all of the file fits.

    Parameters
    ----------
    network : YoloV3 or YoloV3Tiny
        Published files need 3 channels and width 1.
    path : Path or str
    file_classes : int or None
        Classes of the network in the file, by default those of `network`; 80 for weights trained on COCO. Where it
        differs, the output layers are skipped.
    stop_after : str or None
        ``"backbone"`` accepts a file that ends after the backbone or after any later layer, such as
        ``darknet53.conv.74`` and ``yolov3-tiny.conv.15``.

    Raises
    ------
    WeightsError
        If the file cannot be read, is truncated or too long, or holds numbers that no trained network has.
    """
    if stop_after not in (None, "backbone"):
        raise ValueError(f"stop_after must be None or 'backbone', not {stop_after!r}.")
    path, classes = Path(path), _class_count(network, file_classes)
    seen, numbers = _read(path)
    layers = list(_layers(network, classes))
    ends = np.cumsum([layer.size for layer in layers])
    backbone = sum(layer.in_backbone for layer in layers)
    present = len(layers)
    if stop_after == "backbone" and numbers.size in ends[backbone - 1 :]:
        present = 1 + int(np.flatnonzero(ends == numbers.size)[0])
    elif numbers.size != ends[-1]:
        raise WeightsError(_misfit(network, path, numbers.size, int(ends[-1]), classes, stop_after))

    parts = np.split(numbers, ends[: present - 1])
    for layer, part in zip(layers, parts):
        # a shifted or overwritten file shows here; a NaN would otherwise only show as "nothing found"
        variance = part[3 * layer.tensors[0].numel() :][: layer.tensors[0].numel()] if len(layer.tensors) == 5 else part
        if not np.isfinite(part).all() or (len(layer.tensors) == 5 and (variance < 0).any()):
            raise WeightsError(
                f"The Darknet weights {path} are damaged: the layer {layer.name} holds infinite numbers or negative "
                "variances; download the file again."
            )
    loaded = [layer for layer in layers[:present] if layer.fits]
    with torch.no_grad():
        for layer, part in zip(layers, parts):
            for tensor in layer.tensors if layer.fits else ():
                tensor.copy_(torch.from_numpy(part[: tensor.numel()].astype(np.float32)).view_as(tensor))
                part = part[tensor.numel() :]
    return DarknetReport(
        tuple(layer.name for layer in loaded),
        tuple(layer.name for layer in layers[:present] if not layer.fits),
        tuple(layer.name for layer in layers[present:]),
        seen,
    )


def save_darknet(network: YoloV3 | YoloV3Tiny, path: Path | str, seen: int = 0) -> None:
    """Write a network in Darknet's layout, aside first, so that `path` is complete or as it was."""
    path = Path(path)
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "wb") as stream:
            stream.write(struct.pack("<3iq", *VERSION, seen))
            for layer in _layers(network, len(network.config.classes)):
                for tensor in layer.tensors:
                    stream.write(tensor.detach().cpu().contiguous().numpy().astype("<f4").tobytes())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _class_count(network: YoloV3 | YoloV3Tiny, file_classes: int | None) -> int:
    return len(network.config.classes) if file_classes is None else file_classes


def _read(path: Path) -> tuple[int, np.ndarray]:
    """Images seen, and all numbers after the header, as a read-only map of the file."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(20)
        if not head:
            raise WeightsError(f"The Darknet weights {path} are empty; download the file again.")
        if len(head) < 16:
            raise WeightsError(f"The Darknet weights {path} end within their header; download the file again.")
        major, minor, _ = struct.unpack("<3i", head[:12])
        if not (0 <= major <= TRANSPOSED_FROM and 0 <= minor <= TRANSPOSED_FROM):
            raise WeightsError(f"The file {path} holds no Darknet weights of a known version ({major}.{minor}).")
        length = 20 if major * 10 + minor >= 2 else 16
        if len(head) < length:
            raise WeightsError(f"The Darknet weights {path} end within their header; download the file again.")
        (seen,) = struct.unpack("<q" if length == 20 else "<i", head[12:length])
        size = path.stat().st_size - length
        if size % 4:
            raise WeightsError(
                f"The Darknet weights {path} are truncated or have bytes too many: they end within a number."
            )
        if size == 0:
            return seen, np.zeros(0, "<f4")
        return seen, np.memmap(path, "<f4", "r", offset=length)
    except OSError as error:
        raise WeightsError(f"The Darknet weights {path} cannot be read ({error.strerror or error}).") from error


def _misfit(
    network: YoloV3 | YoloV3Tiny, path: Path, found: int, expected: int, classes: int, stop_after: str | None
) -> str:
    """The sentence for a file of the wrong length, with the likeliest reason."""
    config = network.config
    what = "are truncated" if found < expected else "go on after their end"
    sentence = (
        f"The Darknet weights {path} {what} or belong to another network: they hold {found:,} numbers where "
        f"YOLOv3 {config.variant} with {classes} classes takes {expected:,}"
    )
    if config.channels != 3 or config.width != 1.0:
        return f"{sentence}; published weights need a network with 3 channels and width 1, not " + (
            f"{config.channels} and {config.width:g}."
        )
    per_class = number_count(network, 1) - number_count(network, 0)
    other, rest = divmod(found - number_count(network, 0), per_class)
    if rest == 0 and other > 0 and stop_after is None:
        return f"{sentence}; file_classes={other} would fit."
    return f"{sentence}."
