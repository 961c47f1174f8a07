"""The outcome of one run on one volume: immutable, and able to say how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..explanations.base import Explanation
from ..types import Count
from ..windowed import WindowedMask, label_maps, layer_members
from .volume import Volume


class VolumeBox(NamedTuple):
    """A box in voxels of the stored grid, from the outer corner of its first voxel: x columns, y rows, z slices."""

    x0: float
    y0: float
    z0: float
    x1: float
    y1: float
    z1: float


class VolumeMask(WindowedMask):
    """The voxels of an object: of (slices, rows, columns)."""

    @property
    def box(self) -> VolumeBox:
        """The smallest box around them, of no size where there are none."""
        z, y, x = self.window
        return VolumeBox(*map(float, (x.start, y.start, z.start, x.stop, y.stop, z.stop)))


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
        """As few label maps (slices, rows, columns) as hold all objects without overlaps in one of them.

        Returns
        -------
        list of (ndarray, tuple of int)
            Each with the indices of its objects, which have the values 1, 2, ... in this order. One map without
            objects where there are none.
        """
        return label_maps([item.voxels for item in self.objects], self.volume.shape)

    def layer_members(self) -> list[tuple[int, ...]]:
        """The indices of the objects in each of the :meth:`layers`, without their label maps."""
        return layer_members([item.voxels for item in self.objects])
