"""The region proposal network of slices: VGG-16, or a small network that trains on a CPU, and two heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .proposals import SliceRegions, anchor_boxes, chosen, decoded
from .unet3d import padded
from .views import stack

VGG16 = (2, 2, 3, 3, 3)
"""Convolutions before each of its poolings; the last pooling is left out, so that a cell is 16 px."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the images (0..1) that common weights of VGG-16 have learnt from."""


@dataclass(frozen=True)
class RpnConfig:
    """How the detector is built.

    Parameters
    ----------
    backbone : str
        ``"small"``: group norms, and one way up from its coarsest level. ``"vgg16"``: the article's.
    slices : int
        Neighbouring slices that are seen together; VGG-16 takes 3, or 1 three times.
    side : int or None
        Px that the longest side of a slice is brought to; as it is if None.
    channels : tuple of int
        Of the levels.
    width : int
        Channels of the 3 x 3 window that slides over the features; 512 is that of Faster R-CNN.
    scales : tuple of float
        Square roots of the anchors' areas, as shares of the longest side.
    ratios : tuple of float
        Heights of the anchors, divided by their widths.
    """

    backbone: str = "small"
    slices: int = 3
    side: int | None = 64
    channels: tuple[int, ...] = (12, 24, 48, 64)
    width: int = 64
    scales: tuple[float, ...] = (0.15, 0.3, 0.6)
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        for name in ("channels", "scales", "ratios"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.backbone not in BACKBONES:
            raise ValueError(f"there is no backbone {self.backbone!r}, but {', '.join(BACKBONES)}")
        if self.slices < 1 or self.slices % 2 == 0:
            raise ValueError("an odd number of slices is seen together")
        if self.backbone == "vgg16" and (len(self.channels) != len(VGG16) or self.slices not in (1, 3)):
            raise ValueError("VGG-16 has 5 levels of channels and sees 1 or 3 slices")
        if self.backbone == "small" and len(self.channels) < 3:
            raise ValueError("the small backbone has at least 3 levels of channels")
        if not self.scales or not self.ratios or min(*self.scales, *self.ratios) <= 0:
            raise ValueError("anchors have scales and ratios above 0")

    @property
    def anchors(self) -> int:
        """At each place; 9 in the article."""
        return len(self.scales) * len(self.ratios)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RpnConfig:
        """Of a manifest or a configuration file."""
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


class SmallBackbone(nn.Module):
    """(n, slices, rows, columns), 0..1 -> features of cells of half the coarsest level's stride."""

    def __init__(self, config: RpnConfig) -> None:
        super().__init__()
        channels = config.channels
        self.stride, self.multiple = 2 ** (len(channels) - 2), 2 ** (len(channels) - 1)
        self.features = channels[-2]
        self.down = nn.ModuleList(
            nn.Sequential(_block(before, after), _block(after, after))
            for before, after in zip((config.slices, *channels), channels)
        )
        self.up = _block(channels[-1] + channels[-2], channels[-2])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features, before = images - 0.5, images
        for level, block in enumerate(self.down):
            before, features = features, block(functional.max_pool2d(features, 2) if level else features)
        large = functional.interpolate(features, scale_factor=2.0, mode="nearest")
        return self.up(torch.cat([large, before], 1))


def _block(before: int, after: int) -> nn.Sequential:
    groups = 4 if after % 4 == 0 else 1
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(groups, after), nn.ReLU(inplace=True)
    )


class VggBackbone(nn.Module):
    """(n, 1 or 3, rows, columns), 0..1 -> features of cells of 16 px; its layers are numbered as commonly stored."""

    stride = multiple = 16

    def __init__(self, config: RpnConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for level, (count, width) in enumerate(zip(VGG16, config.channels)):
            layers += [nn.MaxPool2d(2, 2)] if level else []
            for _ in range(count):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
        self.body = nn.Sequential(*layers)
        self.features = before

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        return self.body((images.expand(-1, 3, -1, -1) - mean) / deviation)


BACKBONES: dict[str, type] = {"small": SmallBackbone, "vgg16": VggBackbone}


class Rpn(nn.Module):
    """A window of 3 x 3 over the backbone's features; a score and a box of each anchor at each place."""

    def __init__(self, config: RpnConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = BACKBONES[config.backbone](config)
        self.window = nn.Conv2d(self.backbone.features, config.width, 3, padding=1)
        self.classify = nn.Conv2d(config.width, 2 * config.anchors, 1)
        self.regress = nn.Conv2d(config.width, 4 * config.anchors, 1)
        is_small = config.backbone == "small"
        self.norm = nn.GroupNorm(4 if config.width % 4 == 0 else 1, config.width) if is_small else nn.Identity()
        new = (self.classify, self.regress) if is_small else (self.window, self.classify, self.regress)
        for layer in new:  # as the article begins
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.get_parameter("bias"), 0.0)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What it says of slices (n, slices, rows, columns), 0..1, brought to its own size by :meth:`seen`.

        Returns
        -------
        tuple of Tensor
            Logits (n, anchors, 2) of background and object, and offsets (n, anchors, 4), as :meth:`anchors` has them.
        """
        features = functional.relu(self.norm(self.window(self.backbone(padded(images, self.backbone.multiple)))))
        said = [layer(features).permute(0, 2, 3, 1) for layer in (self.classify, self.regress)]
        return said[0].reshape(len(images), -1, 2), said[1].reshape(len(images), -1, 4)

    def seen_size(self, shape: Sequence[int]) -> tuple[int, int]:
        """Rows and columns that slices of `shape` are brought to."""
        rows, columns = (int(side) for side in shape)
        if self.config.side is None:
            return rows, columns
        factor = self.config.side / max(rows, columns)
        return max(1, round(rows * factor)), max(1, round(columns * factor))

    def seen(self, images: torch.Tensor) -> torch.Tensor:
        """Slices (n, slices, rows, columns) in the size that the network sees."""
        size = self.seen_size(images.shape[-2:])
        if size == tuple(images.shape[-2:]):
            return images
        return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)

    def anchors(self, shape: Sequence[int]) -> np.ndarray:
        """Of slices of `shape`, (n, 4) in px of the size that the network sees; those beyond its edges as well."""
        size, multiple, stride = self.seen_size(shape), self.backbone.multiple, self.backbone.stride
        rows, columns = (-(-side // multiple) * multiple // stride for side in size)
        return anchor_boxes(rows, columns, stride, self.config.scales, self.config.ratios, max(size))


BATCH_PX = 2**17
"""Px of the slices that are looked at together."""


@torch.no_grad()
def proposed(
    network: Rpn, slices: np.ndarray, least: float, suppression: float, most: int, device: str = "cpu"
) -> SliceRegions:
    """The regions of all slices (n, rows, columns; float32, 0..1) of a view.

    Parameters
    ----------
    network : Rpn
        In evaluation mode.
    least, suppression, most
        See :func:`.proposals.chosen`.
    """
    count, rows, columns = slices.shape
    size = network.seen_size((rows, columns))
    anchors = network.anchors((rows, columns))
    factors = np.tile([columns / size[1], rows / size[0]], 2)
    found = []
    many = max(1, BATCH_PX // (size[0] * size[1]))
    for start in range(0, count, many):
        indices = range(start, min(count, start + many))
        images = np.stack([stack(slices, index, network.config.slices) for index in indices])
        logits, offsets = network(network.seen(torch.from_numpy(images).to(device, torch.float32)))
        scores = logits.float().softmax(-1)[..., 1].cpu().numpy().astype(np.float64)
        moved = offsets.float().cpu().numpy().astype(np.float64)
        for index, likely, by in zip(indices, scores, moved):
            boxes = decoded(anchors, by) * factors
            boxes = np.clip(boxes, 0.0, [columns, rows, columns, rows])
            found += [(index, box, score) for box, score in zip(*chosen(boxes, likely, least, suppression, most))]
    return SliceRegions.of(found)
