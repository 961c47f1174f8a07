"""The outcome of one run on one volume: immutable, and able to say how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import numpy as np

from ..explanations.base import Explanation
from ..result import AND, is_among_makers
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


NOWHERE = VolumeBox(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


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
    region : VolumeBox
        Where it was looked for: around what the first stage found, or a box given by hand; `box` if nobody says.
    within : str or None
        The label that it lies in, and may share voxels with.
    """

    name: str
    label: str
    box: VolumeBox
    voxels: VolumeMask = field(metadata={"stored": False})
    volume_mm3: float
    confidence: float
    method: str
    explanation: Explanation | None = None
    region: VolumeBox = NOWHERE
    within: str | None = None

    side: ClassVar[str | None] = None
    """Models of volumes say it in the label, if at all."""
    thresholds: ClassVar[None] = None
    """No method for volumes explains its masks by thresholds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "region", self.box if self.region == NOWHERE else VolumeBox(*self.region))

    @property
    def mask(self) -> np.ndarray:
        """The final voxels, bool (slices, rows, columns); made anew at each call."""
        return self.voxels.whole()

    @property
    def voxel_count(self) -> Count:
        """Voxels of the final mask."""
        return self.voxels.count

    @property
    def windowed(self) -> VolumeMask:
        """The final voxels, by the name that objects of radiographs have for them."""
        return self.voxels

    @property
    def pixel_count(self) -> int:
        """The same as `voxel_count`."""
        return self.voxels.count

    def with_mask(self, mask: np.ndarray | WindowedMask, voxel_mm3: float) -> VolumeObject:
        """The object with other voxels, their box and content; a plain mask is one of the whole volume."""
        if isinstance(mask, WindowedMask):
            voxels = VolumeMask(mask.shape, mask.window, mask.crop, mask.count)
        else:
            voxels = VolumeMask.of(mask)
        return replace(self, voxels=voxels, box=voxels.box, volume_mm3=voxels.count * voxel_mm3)


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

    def repainted(self, item: VolumeObject, mask: np.ndarray | WindowedMask) -> VolumeObject:
        """One of the objects with other voxels."""
        return item.with_mask(mask, self.volume.voxel_mm3)

    def also_by(self, model: str) -> VolumeResult:
        """The same result, naming `model` (name and version) among those that have made objects of it."""
        if not model or is_among_makers(model, self.model):
            return self
        return replace(self, model=AND.join(filter(None, (self.model, model))))

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
