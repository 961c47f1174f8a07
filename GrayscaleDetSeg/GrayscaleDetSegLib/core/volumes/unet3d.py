"""The 3D U-Net of segmentation by detection: 3 x 3 x 3 convolutions, 2 x 2 x 2 pooling and up-convolution."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import nn
from torch.nn import functional

OVERLAP = 32
"""Voxels that neighbouring tiles share at least."""


def padded(values: torch.Tensor, multiple: int) -> torch.Tensor:
    """Images (n, channels, ...) whose sides are multiples; what is added behind each axis repeats the border."""
    more = [(-side) % multiple for side in values.shape[2:]]
    sides = [each for added in reversed(more) for each in (0, added)]
    return functional.pad(values, sides, mode="replicate") if any(more) else values


def _twice(before: int, after: int) -> nn.Sequential:
    groups = 4 if after % 4 == 0 else 1
    layers: list[nn.Module] = []
    for inputs in (before, after):
        layers += [
            nn.Conv3d(inputs, after, 3, padding=1, bias=False), nn.GroupNorm(groups, after), nn.ReLU(inplace=True),
        ]  # fmt: skip
    return nn.Sequential(*layers)


class UNet3D(nn.Module):
    """(n, inputs, depth, rows, columns) -> logits of the object (n, depth, rows, columns).

    One logit is what a softmax over object and background depends on: the difference of their two.
    """

    def __init__(self, inputs: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.multiple = 2 ** (len(channels) - 1)
        pairs = list(zip(channels, channels[1:]))
        self.down = nn.ModuleList(_twice(before, after) for before, after in zip((inputs, *channels), channels))
        self.larger = nn.ModuleList(nn.ConvTranspose3d(deep, shallow, 2, stride=2) for shallow, deep in pairs)
        self.up = nn.ModuleList(_twice(2 * shallow, shallow) for shallow, _ in pairs)
        self.head = nn.Conv3d(channels[0], 1, 1)

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        depth, rows, columns = volumes.shape[2:]
        features, kept = padded(volumes, self.multiple), []
        for level, block in enumerate(self.down):
            features = block(functional.max_pool3d(features, 2) if level else features)
            kept.append(features)
        for level in range(len(self.up) - 1, -1, -1):
            features = self.up[level](torch.cat([self.larger[level](features), kept[level]], 1))
        return self.head(features)[:, 0, :depth, :rows, :columns]


def inputs_of(image: torch.Tensor, attention: torch.Tensor | None) -> torch.Tensor:
    """(1, channels, depth, rows, columns): the image (0..1) and, where there is one, its attention (0 or 1)."""
    image = image - 0.5
    return (image[None] if attention is None else torch.stack([image, attention.to(image.dtype)]))[None]


@torch.inference_mode()
def likely(
    network: UNet3D, working: np.ndarray, attention: np.ndarray | None, tile: int, device: str = "cpu"
) -> np.ndarray:
    """Probabilities (float32, 0..1) of a volume's voxels.

    Volumes with sides longer than `tile` are looked at in tiles of that side, which overlap and fade into each other;
    tiles without any attention are left out, and their probability is 0.

    Parameters
    ----------
    network : UNet3D
        In evaluation mode.
    working : ndarray, float32, 0..1
        In the working grid.
    attention : ndarray of bool, or None
        Of the same shape; None for a network that takes none.
    """
    total, weight = np.zeros(working.shape, np.float32), np.zeros(working.shape, np.float32)
    axes = [_tiles(side, tile) for side in working.shape]
    for window in product(*axes):
        seen = None if attention is None else attention[window]
        if seen is not None and not seen.any():
            continue
        image = torch.from_numpy(np.array(working[window], order="C")).to(device)  # a kept volume is read-only
        told = None if seen is None else torch.from_numpy(np.ascontiguousarray(seen)).to(device)
        said = network(inputs_of(image, told))[0].sigmoid().float().cpu().numpy()
        if all(len(tiles) == 1 for tiles in axes):
            return said
        share = _fading(said.shape)
        total[window] += said * share
        weight[window] += share
    return np.divide(total, weight, out=total, where=weight > 0)


def _tiles(side: int, tile: int) -> list[slice]:
    """Evenly spread intervals of at most `tile` voxels, neighbours sharing `OVERLAP` (half of a smaller tile)."""
    if side <= tile:
        return [slice(0, side)]
    count = -(-(side - tile) // (tile - min(OVERLAP, tile // 2))) + 1
    return [slice(start, start + tile) for start in np.rint(np.linspace(0, side - tile, count)).astype(int).tolist()]


def _fading(shape: tuple[int, ...]) -> np.ndarray:
    """The weight of a tile's voxels: 1 inside, smaller towards its borders."""
    lines = []
    for side in shape:
        away = np.minimum(np.arange(side) + 1, side - np.arange(side))
        lines.append(np.minimum(away / min(OVERLAP, max(1, side // 2)), 1.0).astype(np.float32))
    return lines[0][:, None, None] * lines[1][:, None] * lines[2]
