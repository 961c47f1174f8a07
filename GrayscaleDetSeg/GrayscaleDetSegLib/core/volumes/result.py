"""The outcome of one run on one volume: immutable, and able to say how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..explanations.base import Explanation
from ..types import Count
from .volume import Volume


class VolumeBox(NamedTuple):
    """A box in voxels of the stored grid, from the outer corner of its first voxel: x columns, y rows, z slices."""

    x0: float
    y0: float
    z0: float
    x1: float
    y1: float
    z1: float


@dataclass(frozen=True)
class VolumeMask:
    """A mask that holds nothing but the part of a volume around its voxels.

    Parameters
    ----------
    shape : tuple of 3 int
        Of the whole volume.
    window : tuple of 3 slice
        Where the part lies.
    crop : ndarray of bool
        Its voxels.
    """

    shape: tuple[int, int, int]
    window: tuple[slice, ...]
    crop: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> VolumeMask:
        """The mask (bool) of a whole volume."""
        window = []
        for axis in range(3):
            used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
            window.append(slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 0))
        return cls(mask.shape, tuple(window), mask[tuple(window)].copy())

    def whole(self) -> np.ndarray:
        """The mask of the whole volume, made anew at each call."""
        mask = np.zeros(self.shape, bool)
        mask[self.window] = self.crop
        return mask

    @property
    def count(self) -> int:
        """Voxels."""
        return int(np.count_nonzero(self.crop))

    @property
    def box(self) -> VolumeBox:
        """The smallest box around them."""
        z, y, x = self.window
        return VolumeBox(*map(float, (x.start, y.start, z.start, x.stop, y.stop, z.stop)))

    def meets(self, other: VolumeMask) -> bool:
        """Whether the two share voxels."""
        shared = [
            slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(self.window, other.window)
        ]
        if any(part.stop <= part.start for part in shared):
            return False
        parts = [
            mask.crop[tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(shared, mask.window))]
            for mask in (self, other)
        ]
        return bool((parts[0] & parts[1]).any())


@dataclass(frozen=True)
class VolumeObject:
    """One object of a volume.

    Parameters
    ----------
    name : str
        Unique within the result.
    label : str
        Its class, as the model names it.
    box : VolumeBox
        The smallest box around it, in voxels of the stored grid.
    voxels : VolumeMask
        The final voxels, in the grid of the input.
    volume_mm3 : float
        Their content.
    confidence : float
        Mean probability of its voxels by the networks' last round, 0..1; no test against a true outline.
    method : str
        Name of the method that made the mask.
    explanation : Explanation or None
        How the method came to the mask.
    """

    name: str
    label: str
    box: VolumeBox
    voxels: VolumeMask = field(metadata={"stored": False})
    volume_mm3: float
    confidence: float
    method: str
    explanation: Explanation | None = None

    @property
    def mask(self) -> np.ndarray:
        """The final voxels, bool (slices, rows, columns); made anew at each call."""
        return self.voxels.whole()

    @property
    def voxel_count(self) -> Count:
        """Voxels of the final mask."""
        return self.voxels.count


@dataclass(frozen=True)
class VolumeResult:
    """All objects found in one volume.

    Parameters
    ----------
    volume : Volume
        As it was segmented: in the model's window where it has one.
    objects : tuple of VolumeObject
        In the order of the model's classes.
    working_size, working_spacing : tuple of 3
        Voxels and mm of the grid that the networks saw, along (superior, posterior, left).
    device : str
    seconds : dict of str to float
        Wall time of each stage.
    model : str
        Name and version of the bundle.
    notes : tuple of str
        What a user should know, one sentence each.
    """

    volume: Volume = field(metadata={"stored": False})
    objects: tuple[VolumeObject, ...]
    working_size: tuple[int, int, int]
    working_spacing: tuple[float, float, float]
    device: str
    seconds: dict[str, float]
    model: str
    notes: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What was found, for the user: one sentence, and the notes."""
        found = "Nothing was found."
        if self.objects:
            found = "Found " + ", ".join(item.name for item in self.objects) + "."
        return " ".join([found, *self.notes])

    def layers(self) -> list[tuple[np.ndarray, tuple[int, ...]]]:
        """As few label maps (uint8, slices x rows x columns) as hold all objects without overlaps in one of them.

        Returns
        -------
        list of (ndarray, tuple of int)
            Each with the indices of its objects, which have the values 1, 2, ... in this order. One map without
            objects where there are none.
        """
        members: list[list[int]] = [[]]
        for index, item in enumerate(self.objects):
            for layer in members:
                if not any(item.voxels.meets(self.objects[other].voxels) for other in layer):
                    layer.append(index)
                    break
            else:
                members.append([index])
        found = []
        for layer in members:
            values = np.zeros(self.volume.shape, np.uint8)
            for value, index in enumerate(layer, start=1):
                mask = self.objects[index].voxels
                values[mask.window][mask.crop] = value
            found.append((values, tuple(layer)))
        return found
