"""Volumes, all slices, from volume nodes; and what is stored of a volume besides its voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import RadiographError
from ..core.gray import GrayMapping
from ..core.pixel_values import tidy
from ..core.volumes.checks import check_size, finished
from ..core.volumes.volume import Volume
from .geometry import WHOLE, PixelGrid
from .volume_source import source_of
from .volumes import file_of, grid_of, values_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode


@dataclass(frozen=True)
class StoredVolume:
    """What is stored of a volume besides its voxels and its geometry, which the node holds; see ``Volume``."""

    mapping: GrayMapping
    modality: str | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, volume: Volume) -> StoredVolume:
        """Collect what is stored of a volume."""
        return cls(volume.mapping, volume.modality, volume.notes)


def read_whole(volume: vtkMRMLScalarVolumeNode, context: Mapping[str, object] | None = None) -> Volume:
    """Read all slices of a volume node. If the values are integers, the array is a view of the node's memory.

    Parameters
    ----------
    context : mapping of str, optional
        What is known of the DICOM file that it was loaded from, as for ``volumes.read_volume``.

    Returns
    -------
    Volume
        Its geometry is the node's own, before any parent transform; its fingerprint is that of the present values.

    Raises
    ------
    RadiographError
        If the node holds no gray volume; the message is one sentence for the user.
    """
    grid, values = _checked(volume)
    context, file = context or {}, file_of(volume)
    modality = str(context.get("Modality") or "").strip() or None
    found = finished(values, grid.geometry, _name(volume), source_of(file, modality, context), modality)
    _ = found.fingerprint  # before anybody changes the values below it
    return found


def restored(volume: vtkMRMLScalarVolumeNode, kept: StoredVolume) -> Volume:
    """The volume of a node with what was stored of it. Errors as for :func:`read_whole`."""
    grid, values = _checked(volume)
    values, _notes = tidy(values, _name(volume))
    source = source_of(file_of(volume), kept.modality, {})
    return Volume(
        values, kept.mapping, grid.geometry, source=source, modality=kept.modality, notes=kept.notes
    )


def whole_problem(volume: vtkMRMLScalarVolumeNode) -> str:
    """Why a model for volumes cannot segment a node, or an empty text. No voxel is read."""
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
