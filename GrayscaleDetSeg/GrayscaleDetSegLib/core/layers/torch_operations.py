"""What networks do between their layers, on PyTorch's tensors: the functions of ``operations``, see there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def relu(values: torch.Tensor) -> torch.Tensor:
    """As ``operations.relu``."""
    return functional.relu(values, inplace=True)


def leaky_relu(values: torch.Tensor, slope: float) -> torch.Tensor:
    """As ``operations.leaky_relu``."""
    return functional.leaky_relu(values, slope, inplace=True)


def max_pool(maps: torch.Tensor, size: int, stride: int | None = None) -> torch.Tensor:
    """As ``operations.max_pool``."""
    return functional.max_pool2d(maps, size, stride)


def same_size_max_pool(maps: torch.Tensor) -> torch.Tensor:
    """As ``operations.same_size_max_pool``."""
    return functional.max_pool2d(functional.pad(maps, (0, 1, 0, 1), value=float("-inf")), 2, 1)


def mean_pool(maps: torch.Tensor, size: int) -> torch.Tensor:
    """As ``operations.mean_pool``."""
    return functional.avg_pool2d(maps, size)


def enlarged(maps: torch.Tensor, factor: int) -> torch.Tensor:
    """As ``operations.enlarged``."""
    return functional.interpolate(maps, scale_factor=float(factor), mode="nearest")


def joined(parts: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
    """As ``operations.joined``."""
    return torch.cat(list(parts), axis)


def stacked(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """As ``operations.stacked``."""
    return torch.stack(list(parts), dim=-1)


def permuted(values: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """As ``operations.permuted``."""
    return values.permute(axes)


def repeated(values: torch.Tensor, count: int) -> torch.Tensor:
    """As ``operations.repeated``."""
    return values.repeat_interleave(count)


def spread(values: torch.Tensor, count: int) -> torch.Tensor:
    """As ``operations.spread``."""
    return values[:, None].expand(-1, count, -1)


def largest(values: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """As ``operations.largest``."""
    return values.amax(dim=axes)


def larger(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """As ``operations.larger``."""
    return torch.maximum(one, other)


def at_most(values: torch.Tensor, limit: float) -> torch.Tensor:
    """As ``operations.at_most``."""
    return values.clamp(max=limit)


def exponential(values: torch.Tensor) -> torch.Tensor:
    """As ``operations.exponential``."""
    return values.exp()


def sigmoid(values: torch.Tensor) -> torch.Tensor:
    """As ``operations.sigmoid``."""
    return values.sigmoid()


def softmax(values: torch.Tensor) -> torch.Tensor:
    """As ``operations.softmax``."""
    return values.softmax(dim=-1)


def counted(count: int, like: torch.Tensor) -> torch.Tensor:
    """As ``operations.counted``."""
    return torch.arange(count, dtype=like.dtype, device=like.device)


def identity(size: int, like: torch.Tensor) -> torch.Tensor:
    """As ``operations.identity``."""
    return torch.eye(size, dtype=like.dtype, device=like.device)


def array(values: Sequence, like: torch.Tensor) -> torch.Tensor:
    """As ``operations.array``."""
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)


def whole(values: torch.Tensor) -> torch.Tensor:
    """As ``operations.whole``."""
    return values.long()


def group_maxima(rows: torch.Tensor, groups: torch.Tensor, count: int) -> torch.Tensor:
    """As ``operations.group_maxima``."""
    device, rows, lengths = rows.device, rows[groups.argsort()], torch.bincount(groups, minlength=count)
    if device.type == "mps":  # PyTorch has no segment_reduce there (pytorch/pytorch issue 197880)
        rows, lengths = rows.cpu(), lengths.cpu()
    return torch.segment_reduce(rows, "max", lengths=lengths, axis=0, initial=0.0).to(device)
