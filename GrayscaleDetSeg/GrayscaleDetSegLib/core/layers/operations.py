"""What networks do between their layers, on numpy arrays; ``torch_operations`` has the same functions for tensors.

Maps are (batch, channels, rows, columns), as in PyTorch. In memory the channels are innermost (PyTorch's channels
last): a transposed view, which costs nothing and turns convolutions into matrix products of long rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

AT_ONCE = 1 << 18
"""Numbers that a convolution gathers at a time (1 MiB of float32): they stay in a processor's cache."""


def inner(maps: np.ndarray) -> np.ndarray:
    """Maps as (batch, rows, columns, channels), contiguous; a view where they lie so already."""
    return np.ascontiguousarray(maps.transpose(0, 2, 3, 1))


def outer(values: np.ndarray) -> np.ndarray:
    """The inverse of :func:`inner`, as a view."""
    return values.transpose(0, 3, 1, 2)


def convolved(maps: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, stride: int = 1) -> np.ndarray:
    """A convolution with zeros around the maps, half a kernel wide.

    Parameters
    ----------
    maps : ndarray (batch, inputs, rows, columns) of float32
    kernel : ndarray (size, size, inputs, outputs) of float32
        An odd size.
    bias : ndarray (outputs,) or None
    stride : int
    """
    values, size = inner(maps), kernel.shape[0]
    batch, rows, columns, inputs = values.shape
    if size == 1 and stride == 1:
        found = values.reshape(-1, inputs) @ kernel[0, 0]
        if bias is not None:
            found += bias
        return outer(found.reshape(batch, rows, columns, -1))
    edge, outputs = size // 2, kernel.shape[3]
    around = np.zeros((batch, rows + 2 * edge, columns + 2 * edge, inputs), np.float32)
    around[:, edge : edge + rows, edge : edge + columns] = values
    tall, wide = (rows - 1) // stride + 1, (columns - 1) // stride + 1
    far, down, across, each = around.strides
    # what each place of the answer sees: rows of the kernel, each a run of numbers that lie side by side
    seen = np.lib.stride_tricks.as_strided(
        around,
        (batch, tall, wide, size, size * inputs),
        (far, down * stride, across * stride, down, each),
        writeable=False,
    )
    matrix, found = kernel.reshape(-1, outputs), np.empty((batch, tall, wide, outputs), np.float32)
    images = max(1, min(batch, AT_ONCE // (tall * wide * matrix.shape[0])))
    lines = max(1, min(tall, AT_ONCE // (images * wide * matrix.shape[0])))
    memory = np.empty(images * lines * wide * matrix.shape[0], np.float32)
    for first in range(0, batch, images):
        for line in range(0, tall, lines):
            part = slice(first, first + images), slice(line, line + lines)
            answer = found[part].reshape(-1, outputs)  # a view: whole images, or lines of one
            np.matmul(_gathered(seen[part], memory, inputs == 1), matrix, out=answer)
            if bias is not None:
                answer += bias
    return outer(found)


def _gathered(seen: np.ndarray, memory: np.ndarray, by_place: bool) -> np.ndarray:
    """What places see, (places, numbers), copied; `by_place`, with the same number of all places side by side.

    The second is faster where each place has few numbers in a run.
    """
    count = seen.shape[3] * seen.shape[4]
    space = memory[: seen.size]
    if by_place:
        np.copyto(space.reshape(*seen.shape[3:], *seen.shape[:3]), seen.transpose(3, 4, 0, 1, 2))
        return space.reshape(count, -1).T
    np.copyto(space.reshape(seen.shape), seen)
    return space.reshape(-1, count)


def relu(values: np.ndarray) -> np.ndarray:
    """Negative numbers set to 0. Float32 of any shape; changed in place and returned."""
    return np.maximum(values, 0.0, out=values)


def leaky_relu(values: np.ndarray, slope: float) -> np.ndarray:
    """Negative numbers multiplied by `slope` (0..1). Float32 of any shape; changed in place and returned."""
    return np.maximum(values, values * np.float32(slope), out=values)


def max_pool(maps: np.ndarray, size: int, stride: int | None = None) -> np.ndarray:
    """The maximum of each size x size places, `stride` apart (by default side by side); what is left over is cut."""
    stride = stride or size
    rows, columns = ((length - size) // stride + 1 for length in maps.shape[2:])
    # down first: what is compared lies side by side in memory
    lines = [maps[:, :, start : start + stride * (rows - 1) + 1 : stride] for start in range(size)]
    high = _largest(lines)
    return _largest([high[..., start : start + stride * (columns - 1) + 1 : stride] for start in range(size)])


def _largest(parts: list[np.ndarray]) -> np.ndarray:
    if len(parts) == 1:
        return parts[0]
    found = np.maximum(parts[0], parts[1])
    for part in parts[2:]:
        np.maximum(found, part, out=found)
    return found


def same_size_max_pool(maps: np.ndarray) -> np.ndarray:
    """The maximum of 2 x 2 places with stride 1, of maps (batch, channels, rows, columns); the same shape.

    In the last row and column only the places that exist are compared.
    """
    found = maps.copy("K")
    np.maximum(found[:, :, :-1], maps[:, :, 1:], out=found[:, :, :-1])
    high = found.copy("K")
    np.maximum(high[..., :-1], found[..., 1:], out=high[..., :-1])
    return high


def mean_pool(maps: np.ndarray, size: int) -> np.ndarray:
    """The mean of each size x size places side by side, which fill the maps."""
    total = sum((maps[:, :, start::size] for start in range(1, size)), maps[:, :, ::size])
    return sum((total[..., start::size] for start in range(1, size)), total[..., ::size]) * np.float32(1.0 / size**2)


def enlarged(maps: np.ndarray, factor: int) -> np.ndarray:
    """Maps (batch, channels, rows, columns) enlarged by repetition: rows and columns times `factor`."""
    batch, rows, columns, channels = (values := inner(maps)).shape
    found = np.empty((batch, rows, factor, columns, factor, channels), maps.dtype)
    found[:] = values[:, :, None, :, None]
    return outer(found.reshape(batch, rows * factor, columns * factor, channels))


def joined(parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Arrays concatenated along an existing axis; their other axes agree."""
    if parts[0].ndim == 4 and axis == 1:  # of maps
        return outer(np.concatenate([inner(part) for part in parts], axis=3))
    return np.concatenate(list(parts), axis=axis)


def stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of one shape stacked along a new last axis."""
    return np.stack(list(parts), axis=-1)


def permuted(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The array with its axes in the order `axes`; a view, no copy."""
    return values.transpose(axes)


def repeated(values: np.ndarray, count: int) -> np.ndarray:
    """Each number of an array (n,) `count` times in a row."""
    return values.repeat(count)


def spread(values: np.ndarray, count: int) -> np.ndarray:
    """(n, count, m) of (n, m): the same along a new axis."""
    return np.broadcast_to(values[:, None], (len(values), count, values.shape[1]))


def largest(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The maxima over some axes; these axes are dropped."""
    return values.max(axis=axes)


def larger(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The element-wise maximum of two arrays of one shape."""
    return np.maximum(one, other)


def at_most(values: np.ndarray, limit: float) -> np.ndarray:
    """The element-wise minimum of an array and a number."""
    return np.minimum(values, np.float32(limit))


def exponential(values: np.ndarray) -> np.ndarray:
    """The exponential of every number; the same shape."""
    return np.exp(values)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), for numbers of any size."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def softmax(values: np.ndarray) -> np.ndarray:
    """exp(x) over its sum along the last axis, for numbers of any size."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def counted(count: int, like: np.ndarray) -> np.ndarray:
    """0, 1, ... `count` - 1, of the dtype of `like` (and on its device)."""
    return np.arange(count, dtype=like.dtype)


def identity(size: int, like: np.ndarray) -> np.ndarray:
    """The identity matrix (size, size), of the dtype of `like`."""
    return np.eye(size, dtype=like.dtype)


def array(values: Sequence, like: np.ndarray) -> np.ndarray:
    """Nested sequences of numbers as an array of the dtype of `like`."""
    return np.asarray(values, like.dtype)


def whole(values: np.ndarray) -> np.ndarray:
    """Non-negative numbers rounded down, int64; the same shape."""
    return values.astype(np.int64)


def group_maxima(rows: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """The maximum of the rows of each group; 0 where a group has none.

    Parameters
    ----------
    rows : ndarray (n, m), 0 or more
    groups : ndarray (n,) of int
        0 to `count` - 1 for each row.

    Returns
    -------
    ndarray (count, m)
    """
    order = groups.argsort(kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    found = np.zeros((count, rows.shape[1]), rows.dtype)
    if len(present):
        found[present] = np.maximum.reduceat(rows[order], starts, axis=0)
    return found
