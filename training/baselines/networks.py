"""The article's baselines (Ge et al. 2022, Table 2), from MONAI's networks and blocks; all with batch normalisation.

They see the whole image, stretched to a square, and give one logit per class and pixel: partly labelled sets need
classes that do not exclude each other. The widths are those that a CPU trains in reasonable time: MONAI's defaults for
Res-UNet and Attention U-Net, half of them for U-Net++, and 16 channels doubling at every level for U-Net and FCN.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.networks.blocks import Convolution
from monai.networks.nets import AttentionUnet, BasicUNet, BasicUNetPlusPlus, UNet
from torch import nn
from torch.nn import functional

CHANNELS = (16, 32, 64, 128, 256)
_RELU = ("relu", {"inplace": True})


class FCN(nn.Module):
    """FCN-8s (Long et al. 2015) on a plain encoder: scores at 1/8, 1/16 and 1/32, added up while they are enlarged."""

    def __init__(self, classes: int, channels: tuple[int, ...] = (*CHANNELS, 256)) -> None:
        super().__init__()
        sizes = (1, *channels)
        self.levels = nn.ModuleList(
            nn.Sequential(
                Convolution(2, inputs, outputs, norm="batch", act=_RELU),
                Convolution(2, outputs, outputs, norm="batch", act=_RELU),
            )
            for inputs, outputs in zip(sizes, sizes[1:])
        )
        self.scores = nn.ModuleList(nn.Conv2d(channels[level], classes, 1) for level in (3, 4, 5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes, size, size) of images (batch, 1, size, size); `size` is a multiple of 32."""
        features, maps = images, []
        for index, level in enumerate(self.levels):
            features = level(functional.max_pool2d(features, 2) if index else features)
            maps.append(features)
        total = None
        for score, features in zip(reversed(self.scores), reversed(maps[3:])):
            here = score(features)
            if total is not None:
                here = here + functional.interpolate(total, scale_factor=2.0, mode="bilinear")
            total = here
        return functional.interpolate(total, images.shape[2:], mode="bilinear")


class LastOutput(nn.Module):
    """A network that answers with a list of outputs, reduced to the last of it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)[-1]


def _unet(classes: int) -> nn.Module:
    return BasicUNet(2, 1, classes, features=(*CHANNELS, 16), norm="batch", act=_RELU)


def _attention_unet(classes: int) -> nn.Module:
    return AttentionUnet(2, 1, classes, CHANNELS, (2, 2, 2, 2))


def _unet_plus_plus(classes: int) -> nn.Module:
    features = (16, 16, 32, 64, 128, 16)
    return LastOutput(BasicUNetPlusPlus(2, 1, classes, features=features, norm="batch", act=_RELU))


def _res_unet(classes: int) -> nn.Module:
    return UNet(2, 1, classes, CHANNELS, (2, 2, 2, 2), num_res_units=2, norm="batch", act="relu")


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "FCN": FCN,
    "U-Net": _unet,
    "U-Net++": _unet_plus_plus,
    "Res-UNet": _res_unet,
    "Attention U-Net": _attention_unet,
}
"""Name -> network of a number of classes, in the article's order."""


def build(name: str, classes: int) -> nn.Module:
    """A baseline by its name in the article, in the memory format that a CPU likes best."""
    return NETWORKS[name](classes).to(memory_format=torch.channels_last)
