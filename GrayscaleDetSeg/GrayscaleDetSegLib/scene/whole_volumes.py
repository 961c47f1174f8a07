"""From a volume node to a Volume, all its slices; what is kept of one beside its voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import RadiographError
from ..core.gray import GrayMapping
from ..core.reading.common import tidy
from ..core.volumes.checks import check_size, finished
from ..core.volumes.volume import Volume
from .geometry import WHOLE, PixelGrid
from .volume_source import source_of
from .volumes import file_of, grid_of, values_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode


@dataclass(frozen=True)
class StoredVolume:
    """What is kept of a volume beside its voxels and its place, which the node has; see ``Volume``."""

    mapping: GrayMapping
    modality: str | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, volume: Volume) -> StoredVolume:
        """What to keep of a volume."""
        return cls(volume.mapping, volume.modality, volume.notes)


def read_whole(volume: vtkMRMLScalarVolumeNode, context: Mapping[str, object] | None = None) -> Volume:
    """All slices of a volume node; where they are whole numbers, they are a view of the node's own memory.

    Parameters
    ----------
    context : mapping of str, optional
        What is known of the DICOM file that it was loaded from, as for ``volumes.read_volume``.

    Returns
    -------
    Volume
        Its geometry is the node's own, before any parent transform; its fingerprint is that of the values of now.

    Raises
    ------
    RadiographError
        What is no single gray volume, in one sentence for the user.
    """
    grid, values = _checked(volume)
    context, file = context or {}, file_of(volume)
    modality = str(context.get("Modality") or "").strip() or None
    found = finished(values, grid.geometry, _name(volume), source_of(file, modality, context), modality)
    _ = found.fingerprint  # before anybody changes the values below it
    return found


def restored(volume: vtkMRMLScalarVolumeNode, kept: StoredVolume) -> Volume:
    """The volume of a node as it was segmented; errors as :func:`read_whole`."""
    grid, values = _checked(volume)
    values, _notes = tidy(values, _name(volume))
    source = source_of(file_of(volume), kept.modality, {})
    return Volume(
        values, kept.mapping, grid.geometry, source=source, modality=kept.modality, notes=kept.notes
    )


def whole_problem(volume: vtkMRMLScalarVolumeNode) -> str:
    """Why a node holds no volume that a model for volumes takes, or nothing; no voxel is looked at."""
    try:
        _checked(volume)
    except RadiographError as error:
        return str(error)
    return ""


def _checked(volume: vtkMRMLScalarVolumeNode) -> tuple[PixelGrid, np.ndarray]:
    grid = grid_of(volume, WHOLE)
    name, values = _name(volume), values_of(volume)
    if values.ndim > 3:
        raise RadiographError(
            f"{name} has {values.shape[-1]} values a voxel (colour or vectors); choose one gray volume."
        )
    check_size(name, grid.dimensions)
    return grid, values


def _name(volume: vtkMRMLScalarVolumeNode) -> str:
    return volume.GetName() or "The volume"
