"""Radiographs from volume nodes: pixels bone bright, with what node and file say of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import RadiographError
from ..core.gray import GrayMapping
from ..core.pixel_values import tidy
from ..core.radiograph import Radiograph
from ..core.reading.common import POLARITIES, check_size, luminance
from ..core.results import AnyImage
from ..core.strangers import stranger_note
from ..core.volumes.volume import Volume
from .geometry import WHOLE, PixelGrid, VoxelGrid, between, moved, numpy_matrix, reversal, vtk_matrix
from .nodes import folded, set_attribute
from .volume_source import absence_note, lie_of, modality_note, polarity_of, source_of, spacing_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLVolumeNode

def grid_of(volume: vtkMRMLVolumeNode, slice_index: int | None = None) -> PixelGrid:
    """The pixel grid of a slice of a volume.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode
        Or a derived class: vector volumes, proxies of sequences.
    slice_index : int, optional
        Not needed if there is one slice. ``geometry.WHOLE`` gives a ``VoxelGrid`` of all slices.

    Raises
    ------
    RadiographError
        If the node holds no pixels, or `slice_index` is missing or out of range.
    """
    name = volume.GetName() or "The volume"
    if volume.IsA("vtkMRMLLabelMapVolumeNode"):
        kind = "an image" if slice_index == WHOLE else "a radiograph"
        raise RadiographError(f"{name} is a label map, not {kind}; choose the image it belongs to.")
    image = volume.GetImageData() if volume.IsA("vtkMRMLScalarVolumeNode") else None
    if image is None or image.GetPointData().GetScalars() is None or not image.GetNumberOfPoints():
        raise RadiographError(f"{name} holds no pixels; load the image again or choose another volume.")
    dimensions = image.GetDimensions()
    if slice_index == WHOLE:
        return VoxelGrid.of(tuple(dimensions), _matrix(volume))
    single = [axis for axis in (2, 1, 0) if dimensions[axis] == 1]
    across = single[0] if single else 2
    column, row = (axis for axis in range(3) if axis != across)
    check_size(name, dimensions[column], dimensions[row])
    count = dimensions[across]
    if slice_index is None and count > 1:
        raise RadiographError(
            f"{name} has {count} slices, and a radiograph is one; choose the slice to segment, or a "
            "model for volumes."
        )
    index = 0 if slice_index is None else int(slice_index)
    if not 0 <= index < count:
        raise RadiographError(f"{name} has no slice {index + 1}, only {count}; choose one of these.")
    return PixelGrid(tuple(dimensions), (column, row, across), index, _matrix(volume))


def pixel_to_world(volume: vtkMRMLVolumeNode, grid: PixelGrid) -> np.ndarray:
    """The matrix (4 x 4) from points (x, y, z) in the slice to RAS in mm, with the parent transforms of the volume.

    x and y are in px from the outer corner of the first pixel, z in slices relative to this one.

    Raises
    ------
    RadiographError
        If a parent transform is not linear.
    """
    return between(volume, None) @ grid.pixel_to_ras


def slice_at(volume: vtkMRMLVolumeNode, position: tuple[float, float, float]) -> int:
    """The index of the slice nearest to a point, RAS in mm: the crosshair or the plane of a slice view, for example.

    Raises
    ------
    RadiographError
        As for :func:`grid_of` and :func:`pixel_to_world`.
    """
    grid = grid_of(volume, 0)
    _, _, z = moved(np.linalg.inv(pixel_to_world(volume, grid)), [position])[0]
    return int(np.clip(round(z), 0, grid.dimensions[grid.axes[2]] - 1))


def read_volume(
    volume: vtkMRMLScalarVolumeNode,
    slice_index: int | None = None,
    polarity: str = "auto",
    context: Mapping[str, object] | None = None,
) -> Radiograph:
    """Read a slice of a volume as a radiograph. The pixels are copied.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode
        With one slice or several, gray, or RGB(A) with equal channels; of a sequence's proxy, its current item is read.
    slice_index : int, optional
        Not needed if there is one slice.
    polarity : str
        ``"auto"``: as the file says. ``"as-is"``: the volume's values. ``"inverted"``: the volume's values inverted.
    context : mapping of str, optional
        What is known of the DICOM file that the volume was loaded from, by DICOM keyword, values as text or numbers
        (several separated by backslashes); see ``volume_source.KEYWORDS``.

    Returns
    -------
    Radiograph
        Its geometry is the node's own, before any parent transform.

    Raises
    ------
    RadiographError
        If the volume cannot be segmented; the message is one sentence for the user.
    ValueError
        If `polarity` is none of the above.
    """
    if polarity not in POLARITIES:
        raise ValueError(f"polarity must be one of {', '.join(POLARITIES)}, not {polarity!r}.")
    name, context = volume.GetName() or "The volume", context or {}
    grid = grid_of(volume, slice_index)
    values, notes = _gray_values(grid.plane(values_of(volume)), name)
    if values.min() == values.max():
        raise RadiographError(f"{name} is blank: all pixels have the same value; choose another image.")
    count = grid.dimensions[grid.axes[2]]
    if count > 1:
        notes.append(f"slice {grid.index + 1} of {count} is used")
    modality, more = modality_note(context)
    more += absence_note(context)
    file = file_of(volume)
    chosen, remark = polarity_of(values, polarity, context)
    spacing, remarks = spacing_of(grid.geometry, context, file, is_colour=volume.IsA("vtkMRMLVectorVolumeNode"))
    said: list[str] = []
    strange = stranger_note(values)
    pixels = chosen.apply(values)
    lie = lie_of(context, file, grid.geometry, said)
    return Radiograph(
        pixels,
        GrayMapping.from_percentiles(pixels),
        chosen,
        spacing,
        grid.geometry,
        source_of(file, modality, context),
        modality,
        (*notes, *more, *remark, *remarks, *said, *filter(None, [strange])),
        lie,
    )


def stamp_of(volume: vtkMRMLVolumeNode) -> int | None:
    """The modification time (MTime) of a volume's pixels; None without pixels. It is valid within one process only."""
    image = volume.GetImageData()
    return None if image is None else image.GetMTime()


def place_of(volume: vtkMRMLVolumeNode) -> tuple[float, ...]:
    """The matrix from a volume's indices to RAS in mm, before any parent transform, as 16 numbers, row-major."""
    return tuple(_matrix(volume).ravel().tolist())


def reverse_slices(volume: vtkMRMLScalarVolumeNode) -> None:
    """Count the slices of a volume from the other end along k; every voxel stays where it is in RAS."""
    from vtk.util.numpy_support import numpy_to_vtk

    values = values_of(volume)
    turned = values[::-1].reshape(-1, *values.shape[3:])
    with folded(volume):
        # an array of its own: others may look at the former one
        volume.GetImageData().GetPointData().SetScalars(numpy_to_vtk(turned, deep=True))
        volume.GetImageData().Modified()
        volume.SetIJKToRASMatrix(vtk_matrix(_matrix(volume) @ reversal(values.shape[0])))


def note_reading(volume: vtkMRMLVolumeNode, image: AnyImage) -> None:
    """Store on the volume node how its values were read, where the user and a saved scene find it.

    `image` is that of the result, because a run may turn over the polarity of a radiograph after reading.
    """
    with folded(volume):
        set_attribute(volume, "Polarity" if isinstance(image, Volume) else "Window", None)
        for name, value in reading_attributes(image).items():
            set_attribute(volume, name, value)


def reading_attributes(image: AnyImage) -> dict[str, str]:
    """The names and texts that :func:`note_reading` stores."""
    if isinstance(image, Volume):
        (apart, down, across), units = image.spacing, image.mapping.units
        return {
            "Window": f"{units[0]:g} to {units[-1]:g}",
            "Spacing": f"{across:g} x {down:g} x {apart:g} mm (column x row x slice)",
            "SpacingSource": "the volume",
            "GraySource": image.mapping.source,
            "Notes": "; ".join(image.notes),
        }
    radiograph = image
    polarity, spacing = radiograph.polarity, radiograph.spacing
    return {
        "Polarity": "inverted" if polarity.inverted else "as is",
        "PolarityReason": polarity.reason,
        "PolarityPivot": repr(polarity.pivot),
        "Spacing": "unknown" if spacing is None else f"{spacing.row:g} x {spacing.column:g} mm (row x column)",
        "SpacingSource": "" if spacing is None else spacing.source,
        "GraySource": radiograph.mapping.source,
        "Notes": "; ".join(radiograph.notes),
    }


def _matrix(volume: vtkMRMLVolumeNode) -> np.ndarray:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return numpy_matrix(matrix)


def values_of(volume: vtkMRMLVolumeNode) -> np.ndarray:
    """The values of a volume, shape (k, j, i) or (k, j, i, components), as a view of its memory."""
    from vtk.util.numpy_support import vtk_to_numpy

    image = volume.GetImageData()
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    return values.reshape(*image.GetDimensions()[::-1], *values.shape[1:])


def _gray_values(plane: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """A copy of the values (rows, columns) of a plane that may have components behind, and notes."""
    notes: list[str] = []
    if plane.ndim == 3:
        if plane.shape[-1] > 4:
            raise RadiographError(f"{name} has {plane.shape[-1]} values a pixel; convert it to a grayscale volume.")
        scale = np.iinfo(plane.dtype).max if np.issubdtype(plane.dtype, np.integer) else float(np.nanmax(plane))
        plane, notes = luminance(plane, name, max(float(scale), 1e-30))
    values, more = tidy(np.array(plane), name)
    return values, notes + more


def file_of(volume: vtkMRMLVolumeNode) -> Path | None:
    """The file that a volume was loaded from or saved to, or None."""
    storage = volume.GetStorageNode()
    path = storage.GetFullNameFromFileName() if storage is not None and storage.GetFileName() else ""
    return Path(path) if path else None
