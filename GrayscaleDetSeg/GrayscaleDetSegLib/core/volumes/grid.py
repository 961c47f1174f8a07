"""From the stored grid to the one that networks see, canonical and nearly isotropic, and exactly back.

Canonical means: the axes are (superior, posterior, left), whatever order and directions the file has. Both grids have
the same outer corners; a slice at a time is resampled, so that beside the working volume nothing grows with the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

import numpy as np

from ..gray import GRAY_MAX
from ..radiograph import Geometry
from .volume import Volume, canonical_view, stored_axes

Size = tuple[int, int, int]
Spacing = Union[float, tuple[float, float, float], None]
Corners = tuple[float, float, float, float, float, float]

LEAST = 4
"""Voxels that an axis of the working grid has at least."""


@dataclass(frozen=True)
class Grid:
    """A stored grid and the working one over it.

    Parameters
    ----------
    stored : tuple of 3 int
        (slices, rows, columns) of the volume.
    axes, turned : tuple of 3 int, tuple of 3 bool
        See :func:`.volume.stored_axes`.
    size : tuple of 3 int
        Of the working grid, along (superior, posterior, left).
    spacing : tuple of 3 float
        In mm, of the working grid.
    """

    stored: Size
    axes: tuple[int, int, int]
    turned: tuple[bool, bool, bool]
    size: Size
    spacing: tuple[float, float, float]

    @classmethod
    def over(
        cls, shape: Size, geometry: Geometry, spacing: Spacing = None, longest: int | None = None
    ) -> Grid:
        """The working grid over a stored one.

        Parameters
        ----------
        shape : tuple of 3 int
            (slices, rows, columns) of the volume.
        spacing : float, tuple of 3 float, or None
            That the working grid shall have in mm, in all directions or along (superior, posterior, left); the finest
            of the volume if None. It is met up to half a voxel.
        longest : int or None
            Voxels that its longest side has at most; the spacing becomes larger where that is needed.
        """
        axes, turned = stored_axes(geometry)
        own = np.array([geometry.spacing[2 - axis] for axis in axes])
        length = own * [shape[axis] for axis in axes]
        wanted = np.full(3, own.min()) if spacing is None else np.broadcast_to(np.asarray(spacing, float), 3)
        if longest is not None:
            wanted = np.maximum(wanted, float(length.max()) / longest)
        size = np.maximum(np.rint(length / wanted).astype(int), LEAST)
        near = np.abs(own / wanted - 1.0) < 1e-3  # as it is, and no half voxel more or less
        size = np.where(near, [shape[axis] for axis in axes], size)
        depth, rows, columns = size.tolist()
        apart, down, across = (length / size).tolist()
        return cls(shape, axes, turned, (depth, rows, columns), (apart, down, across))

    @classmethod
    def of(cls, volume: Volume, spacing: Spacing = None, longest: int | None = None) -> Grid:
        """As :meth:`over`, for a volume."""
        return cls.over(volume.shape, volume.geometry, spacing, longest)

    @property
    def seen(self) -> Size:
        """The size of the stored grid along (superior, posterior, left)."""
        superior, posterior, left = (self.stored[axis] for axis in self.axes)
        return superior, posterior, left

    def working(self, volume: Volume) -> np.ndarray:
        """The volume in the working grid: float32, 0 (black) to 1 (white)."""
        seen = canonical_view(volume.voxels, volume.geometry)
        return self._resampled(lambda index: volume.mapping.to_gray(seen[index]) / np.float32(GRAY_MAX))

    def of_mask(self, mask: np.ndarray, threshold: float = 0.5) -> np.ndarray:
        """A mask (bool) of the stored grid in the working one."""
        seen = self._turned(mask.transpose(self.axes))
        return self._resampled(lambda index: seen[index].astype(np.float32)) >= threshold

    def mask_to_stored(self, mask: np.ndarray, threshold: float = 0.5) -> np.ndarray:
        """A mask, or a map of probabilities (0..1), of the working grid as a mask (bool) of the stored one."""
        stored = np.empty(self.stored, bool)
        found = self._turned(stored.transpose(self.axes))  # a view of it
        if self.size == self.seen:
            found[...] = np.asarray(mask) >= threshold
        else:
            depth = weights(self.size[0], self.seen[0])
            down, across = weights(self.size[1], self.seen[1]), weights(self.size[2], self.seen[2])
            for index, row in enumerate(depth):
                used = np.flatnonzero(row)
                piece = np.tensordot(row[used], np.asarray(mask[used[0] : used[-1] + 1], np.float32), 1)
                found[index] = (down @ piece @ across.T >= threshold) if piece.any() else False
        return stored

    def box_to_stored(self, box: Corners) -> Corners:
        """A box (z0, y0, x0, z1, y1, x1) as (x0, y0, z0, x1, y1, z1) of the stored grid, in voxels."""
        low, high = np.zeros(3), np.zeros(3)
        for number, axis in enumerate(self.axes):
            factor = self.seen[number] / self.size[number]
            first, last = box[number] * factor, box[number + 3] * factor
            if self.turned[number]:
                first, last = self.seen[number] - last, self.seen[number] - first
            low[axis], high[axis] = first, last
        return (*low[::-1].tolist(), *high[::-1].tolist())

    def box_mask(self, box: Corners) -> np.ndarray:
        """The voxels (bool) of the working grid in a box (x0, y0, z0, x1, y1, z1) of the stored one, one at least.

        What lies outside of the volume is cut off; nothing is left of a box beside it.
        """
        mask = np.zeros(self.size, bool)
        working = self.box_to_working(box)
        window = []
        for number, side in enumerate(self.size):
            first, last = sorted((working[number], working[number + 3]))
            if last <= 0.0 or first >= side:
                return mask
            start = min(max(int(round(first)), 0), side - 1)
            window.append(slice(start, max(start + 1, int(round(last)))))
        mask[tuple(window)] = True
        return mask

    def box_to_working(self, box: Corners) -> Corners:
        """A box (x0, y0, z0, x1, y1, z1) of the stored grid as (z0, y0, x0, z1, y1, x1) of the working one."""
        stored = (*box[2::-1], *box[:2:-1])
        low, high = np.zeros(3), np.zeros(3)
        for number, axis in enumerate(self.axes):
            first, last = stored[axis], stored[axis + 3]
            if self.turned[number]:
                first, last = self.seen[number] - last, self.seen[number] - first
            factor = self.size[number] / self.seen[number]
            low[number], high[number] = first * factor, last * factor
        (z0, y0, x0), (z1, y1, x1) = low.tolist(), high.tolist()
        return z0, y0, x0, z1, y1, x1

    def _turned(self, seen: np.ndarray) -> np.ndarray:
        return seen[tuple(slice(None, None, -1 if turn else 1) for turn in self.turned)]

    def _resampled(self, piece_at) -> np.ndarray:
        """The working volume of canonical slices, asked for one after the other."""
        if self.size == self.seen:
            result = np.empty(self.size, np.float32)
            for index in range(self.seen[0]):
                result[index] = piece_at(index)
            return result
        result = np.zeros(self.size, np.float32)
        depth = weights(self.seen[0], self.size[0])
        down, across = weights(self.seen[1], self.size[1]), weights(self.seen[2], self.size[2])
        for index in range(self.seen[0]):
            small = down @ np.asarray(piece_at(index), np.float32) @ across.T
            for target in np.flatnonzero(depth[:, index]):
                result[target] += depth[target, index] * small
        return result


def weights(before: int, after: int) -> np.ndarray:
    """The matrix (after, before), float32, that resamples an axis: linearly, or by the mean of what a voxel covers.

    The mean is for what becomes coarser. A wider one would blur what a finer copy of a volume still shows, and cost the
    networks more than the copy itself.
    """
    ratio = before / after
    starts = np.arange(after)[:, None] * ratio
    positions = np.arange(before)[None, :]
    if ratio >= 1.0:
        found = np.minimum(starts + ratio, positions + 1) - np.maximum(starts, positions)
    else:
        # at the border the outermost voxel stands for what would lie beyond it
        found = 1.0 - np.abs(starts + ratio / 2.0 - 0.5 - positions)
    found = np.maximum(0.0, found)
    return (found / found.sum(1, keepdims=True)).astype(np.float32)
