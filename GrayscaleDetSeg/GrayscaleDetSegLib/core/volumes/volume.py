"""What every method for volumes starts from: one volume with its placement, and the window that makes it gray."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..gray import GrayMapping
from ..radiograph import Geometry, Source

SAMPLE = 2**20
"""Voxels at least that the percentiles of a large volume are taken of."""


@dataclass(frozen=True)
class Volume:
    """One volume in the order of its file.

    Parameters
    ----------
    voxels : ndarray, shape (slices, rows, columns), integer or float32
        Values in the volume's own units, after the modality LUT. Read-only, and held once.
    mapping : GrayMapping
        The window: from own units to gray levels 0..255.
    geometry : Geometry
        Placement of the grid (LPS, mm); its axes are (column, row, slice).
    says_spacing : bool
        Whether the file gives the spacing; 1 mm is taken where it does not.
    source : Source or None
        Its file, or the folder of its slices.
    modality : str or None
        DICOM modality; None for other formats.
    notes : tuple of str
        What a user should know about how it was read.
    missing : str or None
        A sentence where slices may be missing at an end.
    """

    voxels: np.ndarray
    mapping: GrayMapping
    geometry: Geometry = field(default_factory=Geometry)
    says_spacing: bool = True
    source: Source | None = None
    modality: str | None = None
    notes: tuple[str, ...] = ()
    missing: str | None = None

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or self.voxels.size == 0:
            raise ValueError(f"A volume has three dimensions, not the shape {self.voxels.shape}.")
        if self.source is not None and not isinstance(self.source, Source):
            object.__setattr__(self, "source", Source(Path(self.source)))
        view = self.voxels.view()
        view.flags.writeable = False
        object.__setattr__(self, "voxels", view)

    @classmethod
    def from_array(cls, voxels: np.ndarray, geometry: Geometry | None = None) -> Volume:
        """A volume of an array (slices, rows, columns), its window from percentiles."""
        geometry = geometry or Geometry()
        return cls(voxels, window_of(voxels, geometry), geometry)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns) in voxels."""
        return self.voxels.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """In mm, of neighbouring slices, rows and columns."""
        return self.geometry.spacing[::-1]

    @property
    def voxel_mm3(self) -> float:
        """Content of a voxel in mm3."""
        return float(np.prod(self.geometry.spacing))

    @functools.cached_property
    def fingerprint(self) -> str:
        """A digest of all voxels, their type and the shape. Computed once."""
        digest = hashlib.blake2b(f"{self.voxels.dtype.str}{self.shape}".encode(), digest_size=16)
        for piece in self.voxels:
            digest.update(np.ascontiguousarray(piece).data)
        return digest.hexdigest()

    @property
    def known_fingerprint(self) -> str | None:
        """The same, where it has been computed before."""
        return vars(self).get("fingerprint")

    def gray(self, index: int) -> np.ndarray:
        """The gray levels (rows, columns) of one slice, float32, 0..255: a whole volume of them is never held."""
        return self.mapping.to_gray(self.voxels[index])

    def windowed(self, lower: float, upper: float) -> Volume:
        """The same volume in another window, given in its own units."""
        seen = replace(self, mapping=GrayMapping.window(lower, upper, "the model's window"))
        if self.known_fingerprint is not None:
            vars(seen)["fingerprint"] = self.known_fingerprint
        return seen


def stored_axes(geometry: Geometry) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which stored axes lie nearest to superior, posterior and left, and which of these run the other way.

    Oblique grids take the nearest directions: of all assignments the one with the largest sum of cosines.

    Returns
    -------
    tuple of 3 int, tuple of 3 bool
        For each of (superior, posterior, left) the axis of the array (0 slices, 1 rows, 2 columns), and whether it is
        to be turned round.
    """
    # rows: patient axes L, P, S; columns: index axes column, row, slice
    cosines = np.reshape(geometry.direction, (3, 3))
    orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    order = max(orders, key=lambda each: round(sum(abs(cosines[axis, each[axis]]) for axis in range(3)), 9))
    axes = 2 - order[2], 2 - order[1], 2 - order[0]
    superior, posterior, left = (bool(cosines[axis, order[axis]] < 0) for axis in (2, 1, 0))
    return axes, (superior, posterior, left)


def canonical_view(values: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The same values, seen with the axes (superior, posterior, left); nothing is copied."""
    axes, turned = stored_axes(geometry)
    return values.transpose(axes)[tuple(slice(None, None, -1 if turn else 1) for turn in turned)]


def window_of(voxels: np.ndarray, geometry: Geometry) -> GrayMapping:
    """The window between percentiles; the same for all orders in which a file may hold the same volume.

    Raises
    ------
    ValueError
        If no voxel is finite.
    """
    seen = canonical_view(voxels, geometry)
    step = max(1, int((voxels.size / SAMPLE) ** (1 / 3)))
    return GrayMapping.from_percentiles(seen[::step, ::step, ::step].ravel())
