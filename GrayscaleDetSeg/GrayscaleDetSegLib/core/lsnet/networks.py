"""L-Net and S-Net: ResNet encoders with the names of torchvision's tensors, and decoders as in U-Net or FCN."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .settings import LAYOUTS, Layout, LSNetConfig

PHOTOGRAPHS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of the images that ImageNet weights were learnt from."""
UNLIKELY, REACH = -2.2, 0.15
"""Where heat maps and masks begin (a probability of 0.1), and distances (shares of the image's side)."""
SOFT = 0.02
"""Share of the side about which widths and heights bend towards 0, see `with_content`."""


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        short = features if self.downsample is None else self.downsample(features)
        features = functional.relu(self.bn1(self.conv1(features)))
        return functional.relu(self.bn2(self.conv2(features)) + short)


class Encoder(nn.Module):
    """A ResNet without its classifier: images (n, colours, s, s) -> features of 1/2, 1/4, 1/8, 1/16 and 1/32."""

    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        widths = layout.widths
        self.conv1 = nn.Conv2d(layout.colours, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        before = widths[0]
        for number, (count, width) in enumerate(zip(layout.blocks, widths), start=1):
            first = BasicBlock(before, width, 1 if number == 1 else 2)
            more = [BasicBlock(width, width, 1) for _ in range(count - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *more))
            before = width
        self.channels = (widths[0], *widths)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        features = functional.relu(self.bn1(self.conv1(images)))
        found = [features]
        features = functional.max_pool2d(features, 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = layer(features)
            found.append(features)
        return found


def _conv(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


class UNetDecoder(nn.Module):
    """Features from 1/32 on enlarged step by step, each time joined with the encoder's of that size, where it has any.

    Parameters
    ----------
    channels : tuple of 5 int
        Of the encoder, from 1/2 to 1/32.
    widths : tuple of int
        Of each step; three of them lead to 1/4, five to the full size.
    """

    def __init__(self, channels: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        skips = [*reversed(channels[:-1]), 0]
        before, steps = channels[-1], []
        for width, skip in zip(widths, skips):
            steps.append(nn.Sequential(_conv(before + skip, width), _conv(width, width)))
            before = width
        self.steps = nn.ModuleList(steps)
        self.out = before

    def forward(self, found: list[torch.Tensor]) -> torch.Tensor:
        features = found[-1]
        for number, step in enumerate(self.steps):
            features = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            if number < len(found) - 1:
                features = self.joined(number, features, found[-2 - number])
            features = step(features)
        return features

    def joined(self, number: int, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """The features of a step with those of the encoder."""
        return torch.cat([features, skip], 1)


class FCNDecoder(nn.Module):
    """A 1 x 1 convolution of each size (Long et al. 2015), added up while they are enlarged.

    Parameters
    ----------
    channels : tuple of 5 int
        Of the encoder, from 1/2 to 1/32.
    out : int
        Channels of the sum.
    finest : int
        Index of the finest features that take part: 1 are those of 1/4, 2 those of 1/8.
    """

    def __init__(self, channels: tuple[int, ...], out: int, finest: int) -> None:
        super().__init__()
        self.finest, self.out = finest, out
        self.scores = nn.ModuleList(nn.Conv2d(each, out, 1) for each in channels[finest:])

    def forward(self, found: list[torch.Tensor]) -> torch.Tensor:
        scored = [score(each) for score, each in zip(self.scores, found[self.finest :])]
        total = scored.pop()
        while scored:
            total = _enlarged(total, 2) + scored.pop()
        return total


def _enlarged(features: torch.Tensor, factor: int) -> torch.Tensor:
    return functional.interpolate(features, scale_factor=float(factor), mode="bilinear", align_corners=False)


class _Seeing(nn.Module):
    """What both networks begin with."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.colours = layout.colours
        self.encoder = Encoder(layout)

    def seen(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The encoder's features of gray images (n, 1, s, s), 0..1."""
        if self.colours == 1:
            return self.encoder(images - 0.5)
        mean, deviation = (images.new_tensor(each).view(1, 3, 1, 1) for each in PHOTOGRAPHS)
        return self.encoder((images - mean) / deviation)


def with_content(distances: torch.Tensor) -> torch.Tensor:
    """Distances (n, classes, 4, h, w) whose boxes are never inside out.

    The sums s = l + r and t + b become (s + sqrt(s^2 + 4 SOFT^2)) / 2, which is more than 0 and hardly more than s, and
    has a slope everywhere; the differences stay. A box that is inside out has no overlap with any, and its loss can
    only fall by its running away.
    """
    left, right, top, bottom = distances.unbind(2)
    sums = left + right, top + bottom
    wide, high = ((each + (each**2 + 4.0 * SOFT**2).sqrt()) / 2.0 for each in sums)
    across, down = left - right, top - bottom
    return torch.stack([wide + across, wide - across, high + down, high - down], 2) / 2.0


class LNet(_Seeing):
    """L-Net: a heat map of centres, and from each of its places the distances to the edges of the object's box."""

    def __init__(self, config: LSNetConfig) -> None:
        layout, count = LAYOUTS[config.locator], len(config.classes)
        super().__init__(layout)
        self.decoder: nn.Module
        if config.structure == "unet":
            self.decoder = UNetDecoder(self.encoder.channels, layout.decoder[:3])
        else:
            self.decoder = FCNDecoder(self.encoder.channels, layout.decoder[2], 1)
        width = layout.decoder[2]
        before, heat = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, count, 1)
        self.heat = nn.Sequential(before, nn.ReLU(inplace=True), heat)
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        distances = nn.Conv2d(width, 4 * count, 13, padding=6)
        self.distances = nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True), distances)
        nn.init.normal_(distances.weight, std=1e-3)
        heat.bias = nn.Parameter(torch.full((count,), UNLIKELY))
        distances.bias = nn.Parameter(torch.full((4 * count,), REACH))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, classes, s/4, s/4), and l, r, t, b (n, classes, 4, s/4, s/4) as shares of the side.

        Parameters
        ----------
        images : Tensor (n, 1, s, s)
            0..1. The place (x, y) of a heat map lies over (4 x + 2, 4 y + 2) px of the image, counted from its corner.
        """
        features = self.decoder(self.seen(images))
        return self.heat(features), with_content(self.distances(features).unflatten(1, (-1, 4)))


class SNet(_Seeing):
    """S-Net: a recalibrated region (n, 1, s, s), 0..1 -> logits of every class (n, classes, s, s)."""

    def __init__(self, config: LSNetConfig) -> None:
        layout, count = LAYOUTS[config.segmenter], len(config.classes)
        super().__init__(layout)
        self.decoder: nn.Module
        if config.structure == "unet":
            self.decoder = UNetDecoder(self.encoder.channels, layout.decoder)
            self.head: nn.Module = nn.Conv2d(self.decoder.out, count, 3, padding=1)
            last: list[nn.Module] = [self.head]
        else:
            self.decoder = FCNDecoder(self.encoder.channels, count, 2)
            self.head = nn.Upsample(scale_factor=8.0, mode="bilinear", align_corners=False)
            last = list(self.decoder.scores)
        for each in last:
            # where features can only lower a logit that begins at 0, a small object stays at a probability of 0.5
            each.bias = nn.Parameter(torch.full((count,), UNLIKELY / len(last)))

    def forward(self, regions: torch.Tensor) -> torch.Tensor:
        return self.head(self.decoder(self.seen(regions)))


class Networks(nn.Module):
    """Both of them: `locator` and `segmenter`."""

    def __init__(self, config: LSNetConfig) -> None:
        super().__init__()
        self.config = config
        self.locator, self.segmenter = LNet(config), SNet(config)
