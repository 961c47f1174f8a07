"""Images made smaller or larger: what PyTorch's average pooling and antialiased bilinear interpolation give."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LINES = 32
"""Lines of the answer that are computed at a time, from the lines of the image that they see."""


def block_means(image: np.ndarray, down: int, across: int) -> np.ndarray:
    """The means of blocks of down x across px, float32; those at the far edges may be smaller."""
    for axis, size in ((0, down), (1, across)):
        if size == 1:
            continue
        lines = image if axis == 0 else image.T
        total = lines[::size].astype(np.float32)
        for start in range(1, size):
            part = lines[start::size]
            total[: len(part)] += part
        last = len(lines) - (len(total) - 1) * size
        total[:-1] *= np.float32(1.0 / size)
        total[-1:] *= np.float32(1.0 / last)
        image = total if axis == 0 else total.T
    return image


def reduced(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """An image (rows, columns) of float32 in another size, bilinear; where it gets smaller, without aliasing.

    Pixels are those of a scene cut into equal parts: edges lie on edges, whatever the size.
    """
    for length in shape:
        image = _along_rows(np.ascontiguousarray(image), length).T
    return image


def _along_rows(image: np.ndarray, length: int) -> np.ndarray:
    """As many rows as `length`, each a weighted mean of rows of the image."""
    if len(image) == length:
        return image
    found = np.empty((length, image.shape[1]), np.float32)
    for start, first, weights in _weights(len(image), length):
        np.matmul(weights, image[first : first + weights.shape[1]], out=found[start : start + len(weights)])
    return found


@lru_cache(maxsize=16)
def _weights(before: int, after: int) -> list[tuple[int, int, np.ndarray]]:
    """For some rows of the answer at a time: the first of them, the first row they see, and the weights of those."""
    scale = float(np.float32(before / after))
    support = max(scale, 1.0)
    centres = (scale * (np.arange(after) + 0.5)).astype(np.float32)  # no more exact than PyTorch
    low = np.maximum((centres - support + 0.5).astype(np.int64), 0)
    high = np.minimum((centres + support + 0.5).astype(np.int64), before)
    parts = []
    for start in range(0, after, LINES):
        rows = slice(start, start + LINES)
        first, last = low[rows].min(), high[rows].max()
        places = np.arange(first, last)
        weights = np.maximum(0.0, 1.0 - np.abs(places + 0.5 - centres[rows, None]) / support)
        weights *= (places >= low[rows, None]) & (places < high[rows, None])
        weights /= weights.sum(axis=1, keepdims=True)
        parts.append((start, int(first), weights.astype(np.float32)))
    return parts
