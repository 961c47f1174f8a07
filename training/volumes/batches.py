"""Samples of one view and size together, and windows of one size in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.volumes.networks import Shrunk, ViewNetworks

from .data import Sample

Window = tuple[int, int, int, int]


def groups(batch: Sequence[Sample], device: torch.device) -> Iterator[tuple[str, torch.Tensor, torch.Tensor, list]]:
    """The samples of a batch that can be looked at together.

    Yields
    ------
    view : str
    image : Tensor, (n, slices, rows, columns)
    truth : Tensor, (n, labels, slices, rows, columns)
    windows : list of tuple of 4 int
    """
    kept: dict[tuple, list[Sample]] = {}
    for sample in batch:
        kept.setdefault((sample.view, *sample.image.shape), []).append(sample)
    for (view, *_), samples in kept.items():
        image, truth = (torch.stack([getattr(each, name) for each in samples]) for name in ("image", "truth"))
        yield view, image.to(device), truth.to(device), [each.window for each in samples]


def coarse_pair(
    networks: ViewNetworks, image: torch.Tensor, truth: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the coarse network says of images, and the truth, both at the size that it sees them in."""
    if not isinstance(networks.coarse, Shrunk):
        return networks.likely(networks.coarse(image)), truth
    said = networks.likely(networks.coarse.small(image))
    small = functional.avg_pool2d(truth.flatten(1, 2), networks.coarse.step, ceil_mode=True, count_include_pad=False)
    return said, small.unflatten(1, truth.shape[1:3])


def alike(windows: Sequence[Window], rows: int, columns: int) -> list[Window]:
    """Windows as large as the largest of them, each around its own, moved into the image."""
    down = max(bottom - top for top, _, bottom, _ in windows)
    across = max(right - left for _, left, _, right in windows)
    found = []
    for top, left, bottom, right in windows:
        first = min(max(0, top - (down - (bottom - top)) // 2), rows - down)
        begin = min(max(0, left - (across - (right - left)) // 2), columns - across)
        found.append((first, begin, first + down, begin + across))
    return found


def cut(values: torch.Tensor, windows: Sequence[Window]) -> torch.Tensor:
    """The windows of values (n, ..., rows, columns), one each, all of one size."""
    parts = [one[..., top:bottom, left:right] for one, (top, left, bottom, right) in zip(values, windows)]
    return torch.stack(parts)


def placed(values: torch.Tensor, windows: Sequence[Window], rows: int, columns: int) -> torch.Tensor:
    """Values of windows in images of zeros."""
    whole = [
        functional.pad(one, (left, columns - right, top, rows - bottom))
        for one, (top, left, bottom, right) in zip(values, windows)
    ]
    return torch.stack(whole)
