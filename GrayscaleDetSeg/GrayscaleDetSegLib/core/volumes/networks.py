"""The 2D networks of coarse-to-fine methods: a small one that trains on a CPU, the article's layout, and saliency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .views import VIEWS

KERNELS = {"3x3": (3,), "3x3 3x3": (3, 3), "1x1": (1,), "5x5": (5,)}
"""The layers of the saliency transformation, by the sizes of their kernels."""


@dataclass(frozen=True)
class NetworkConfig:
    """How the networks of all views and stages are built.

    Parameters
    ----------
    layout : str
        ``"small"``: a U-Net with group norms. ``"fcn8s"``: the article's, VGG-16 with skips of 1/8 and 1/16.
    slices : int
        Neighbouring slices that are seen, and segmented, together.
    channels : tuple of int
        Of the levels of the small network.
    width : int
        Channels of the first layer of ``"fcn8s"``; 64 is the article's.
    saliency : str or None
        One of `KERNELS`: the transformation of a recurrent method; None for one without.
    labels : int
        Organs that one network finds together; the article has one network for each.
    views : tuple of str
        Those that are looked at: of thick slices one alone says more than a vote of three.
    coarse_step : int
        The coarse network sees slices made so many times smaller.
    """

    layout: str = "small"
    slices: int = 3
    channels: tuple[int, ...] = (12, 24, 36, 48)
    width: int = 64
    saliency: str | None = None
    labels: int = 1
    views: tuple[str, ...] = tuple(VIEWS)
    coarse_step: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "views", tuple(self.views))
        if not self.views or len(set(self.views)) < len(self.views) or not set(self.views) <= set(VIEWS):
            raise ValueError(f"the views are some of {', '.join(VIEWS)}, each once, and not {self.views}")
        if min(self.labels, self.coarse_step) < 1:
            raise ValueError("labels and coarse_step are 1 or more")
        if self.layout not in LAYOUTS:
            raise ValueError(f"there is no layout {self.layout!r}, but {', '.join(LAYOUTS)}")
        if self.saliency is not None and self.saliency not in KERNELS:
            raise ValueError(f"there is no saliency {self.saliency!r}, but {', '.join(KERNELS)}")
        if self.slices < 1 or self.slices % 2 == 0:
            raise ValueError("an odd number of slices is seen together")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> NetworkConfig:
        """Of a manifest or a configuration file."""
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)

    @property
    def outputs(self) -> int:
        """Logits of a pixel of a network: one a slice, or of several labels one for each and one for the background."""
        return self.slices * (self.labels + 1 if self.labels > 1 else 1)


def likelihood(logits: torch.Tensor, labels: int) -> torch.Tensor:
    """Probabilities (n, labels, slices, rows, columns) of logits (n, outputs, rows, columns).

    A single label's are by themselves; of several labels a pixel has one, or none.
    """
    logits = logits.float()
    if labels == 1:
        return logits.sigmoid()[:, None]
    return by_label(logits, labels).softmax(1)[:, 1:]


def by_label(logits: torch.Tensor, labels: int) -> torch.Tensor:
    """Logits (n, outputs, rows, columns) of several labels as (n, 1 + labels, slices, rows, columns)."""
    return logits.unflatten(1, (labels + 1, -1))


def _block(before: int, after: int) -> nn.Sequential:
    groups = 4 if after % 4 == 0 else 1
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(groups, after), nn.ReLU(inplace=True)
    )


class SmallNetwork(nn.Module):
    """(n, slices, rows, columns), 0..1 -> logits (n, outputs, rows, columns); a U-Net of a few levels."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.channels
        self.multiple = 2 ** (len(channels) - 1)
        before = (config.slices, *channels)
        self.down = nn.ModuleList(
            nn.Sequential(_block(first, second), _block(second, second)) for first, second in zip(before, channels)
        )
        self.up = nn.ModuleList(
            _block(deep + shallow, shallow) for shallow, deep in zip(channels[:-1], channels[1:])
        )
        self.head = nn.Conv2d(channels[0], config.outputs, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        padded, size = _padded(images - 0.5, self.multiple)
        kept: list[torch.Tensor] = []
        features = padded
        for level, block in enumerate(self.down):
            features = block(functional.max_pool2d(features, 2) if level else features)
            kept.append(features)
        for level in range(len(self.up) - 1, -1, -1):
            large = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = self.up[level](torch.cat([large, kept[level]], 1))
        return self.head(features)[..., : size[0], : size[1]]


VGG16 = (2, 2, 3, 3, 3)
"""Convolutions before each of its poolings."""


class FCN8s(nn.Module):
    """The article's network: the convolutions of VGG-16, its two full layers as convolutions, and skips.

    Input and output as `SmallNetwork`.
    """

    multiple = 32

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = [config.width * factor for factor in (1, 2, 4, 8, 8)]
        full = config.width * 64
        before, blocks = 3, []
        self.enter = nn.Identity() if config.slices == 3 else nn.Conv2d(config.slices, 3, 1)
        for count, width in zip(VGG16, widths):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            blocks.append(nn.Sequential(*layers, nn.MaxPool2d(2, 2)))
        self.blocks = nn.ModuleList(blocks)
        self.full = nn.Sequential(
            nn.Conv2d(before, full, 7, padding=3), nn.ReLU(inplace=True), nn.Dropout2d(0.5),
            nn.Conv2d(full, full, 1), nn.ReLU(inplace=True), nn.Dropout2d(0.5),
        )  # fmt: skip
        self.scores = nn.ModuleList(nn.Conv2d(width, config.outputs, 1) for width in (full, widths[3], widths[2]))
        self.up = nn.ModuleList(
            _bilinear(nn.ConvTranspose2d(config.outputs, config.outputs, 2 * step, step, step // 2, bias=False))
            for step in (2, 2, 8)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        padded, size = _padded(self.enter(images - 0.5), self.multiple)
        features, pools = padded, []
        for block in self.blocks:
            features = block(features)
            pools.append(features)
        coarse = self.up[0](self.scores[0](self.full(features))) + self.scores[1](pools[3])
        middle = self.up[1](coarse) + self.scores[2](pools[2])
        return self.up[2](middle)[..., : size[0], : size[1]]


def _bilinear(layer: nn.ConvTranspose2d) -> nn.ConvTranspose2d:
    """The layer, with the weights of bilinear interpolation to begin with."""
    side = layer.kernel_size[0]
    centre = side / 2 - 0.5
    line = 1 - (torch.arange(side) - centre).abs() / (side / 2)
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(layer.in_channels):
            layer.weight[channel, channel] = line[:, None] * line[None, :]
    return layer


def _padded(images: torch.Tensor, multiple: int) -> tuple[torch.Tensor, tuple[int, int]]:
    """Images whose sides are multiples, what is added below and to the right repeating the border; and their size."""
    rows, columns = images.shape[-2:]
    more = (-columns % multiple, -rows % multiple)
    padded = functional.pad(images, (0, more[0], 0, more[1]), mode="replicate") if any(more) else images
    return padded, (rows, columns)


class Saliency(nn.Module):
    """g: a map of probabilities -> weights of the image, by convolutions that keep the size.

    It begins as a constant of 1, so that the first fine network sees the image as it is.
    """

    def __init__(self, slices: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size in kernels:
            layers += [nn.Conv2d(slices, slices, size, padding=size // 2), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.05 / size)
                nn.init.ones_(layer.bias)

    def forward(self, probabilities: torch.Tensor) -> torch.Tensor:
        return self.layers(probabilities)


LAYOUTS = {"small": SmallNetwork, "fcn8s": FCN8s}


class Shrunk(nn.Module):
    """A network that sees images made `step` times smaller; its logits are enlarged again, bilinearly."""

    def __init__(self, network: nn.Module, step: int) -> None:
        super().__init__()
        self.network, self.step = network, step

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[-2:]
        large = functional.interpolate(
            self.small(images).float(), scale_factor=float(self.step), mode="bilinear", align_corners=False
        )
        return large[..., :rows, :columns]

    def small(self, images: torch.Tensor) -> torch.Tensor:
        """The logits, as many times smaller; training compares them there."""
        return self.network(functional.avg_pool2d(_padded(images, self.step)[0], self.step))


class ViewNetworks(nn.Module):
    """The networks of one view: coarse, fine and, of a recurrent method, saliency."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.slices = config.slices
        self.coarse, self.fine = LAYOUTS[config.layout](config), LAYOUTS[config.layout](config)
        if config.coarse_step > 1:
            self.coarse = Shrunk(self.coarse, config.coarse_step)
        self.labels = config.labels
        self.saliency = Saliency(config.slices, KERNELS[config.saliency]) if config.saliency else None

    def weighted(self, images: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
        """The images, by the weights of a recurrent method; both (n, slices, rows, columns) of the same window.

        The probabilities are those of any of the labels.
        """
        return images if self.saliency is None else images * self.saliency(probabilities)

    def likely(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities of logits, see :func:`likelihood`."""
        return likelihood(logits, self.labels)


class Networks(nn.ModuleDict):
    """The networks of all views that are looked at, by the view's name."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__({view: ViewNetworks(config) for view in config.views})
        self.config = config
