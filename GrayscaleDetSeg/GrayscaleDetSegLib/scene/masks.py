"""Masks of single segments: read as (rows, columns) of a slice of a volume, and written fast enough for dragging.

All of it goes for whole volumes as well, where the grid is a ``geometry.VoxelGrid``: (slices, rows, columns) then.

A segment that is written here has a label map of its own, of the full size of the slice: then its pixels can be changed
in place. Slicer, its Segment Editor and its files take that as well as label maps that segments share.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from .geometry import PixelGrid, between, vtk_matrix

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkOrientedImageData, vtkSegment

Window = tuple[slice, ...]


def mask_of(
    node: vtkMRMLSegmentationNode, segment_id: str, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid
) -> np.ndarray:
    """The pixels of a segment in a slice of a volume, as a copy.

    A label map that other segments share, that is cropped, or has another geometry, is resampled to the slice.

    Returns
    -------
    ndarray of bool, shape (rows, columns)

    Raises
    ------
    KeyError
        If there is no such segment.
    """
    import slicer

    segment = _segment(node, segment_id)
    image = _label_map(node, segment_id)
    if image is None or image.GetPointData().GetScalars() is None or _is_empty(image):
        return np.zeros(grid.shape, bool)
    reference = _oriented_image(node, volume, grid)
    if not _lies_on(image, reference):
        brought = slicer.vtkOrientedImageData()
        slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, reference, brought)
        image = brought
    return _plane(image, grid) == segment.GetLabelValue()


def stamp_of(
    node: vtkMRMLSegmentationNode, segment_id: str, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid
) -> tuple[object, ...] | None:
    """A value that is equal as long as :func:`mask_of` returns the same pixels; no pixel is read.

    It consists of the modification time (MTime) and the label value of the segment's label map, and of the positions of
    label map and slice. It is valid within one process only.

    Returns
    -------
    tuple or None
        None if the segment has no label map, so that only its pixels can be compared.

    Raises
    ------
    KeyError
        If there is no such segment.
    """
    segment = _segment(node, segment_id)
    image = segment.GetRepresentation(binary())
    if image is None:
        return None
    place = between(volume, node) @ grid.ijk_to_ras
    return image.GetMTime(), segment.GetLabelValue(), grid.extent, place.tobytes()


def lies_elsewhere(
    node: vtkMRMLSegmentationNode, segment_id: str, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid
) -> bool:
    """Whether a segment has voxels that :func:`mask_of` does not return: in other slices, or outside the image."""
    image = _label_map(node, segment_id)
    if image is None or image.GetPointData().GetScalars() is None:
        return False
    reference = _oriented_image(node, volume, grid)
    if _lies_on(image, reference):
        return False
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    value, resample = _segment(node, segment_id).GetLabelValue(), slicer.vtkOrientedImageDataResample
    held = vtk_to_numpy(image.GetPointData().GetScalars()) == value
    mask = mask_of(node, segment_id, volume, grid)
    if resample.DoGeometriesMatch(image, reference):
        return bool(np.count_nonzero(held) > np.count_nonzero(mask))
    # a grid of other voxels, as an oversampled one: their counts differ, so each is looked up in the mask
    returned = slicer.vtkOrientedImageData()
    pixels = label_map(node, volume, grid, mask)
    resample.ResampleOrientedImageToReferenceOrientedImage(pixels, image, returned)
    return bool((held & (vtk_to_numpy(returned.GetPointData().GetScalars()) == 0)).any())


def have_same_voxels(first: vtkSegment, second: vtkSegment, anywhere: bool = False) -> bool:
    """Whether two segments have the same voxels, however their label maps are cropped or shared.

    False if only one of them has a label map, or if their label maps have other directions, spacings or origins, which
    do not count with `anywhere`.
    """
    import slicer

    images = [segment.GetRepresentation(binary()) for segment in (first, second)]
    if any(image is None for image in images):
        return all(image is None for image in images)
    (window, crop), (other_window, other_crop) = map(_content, (first, second))
    if window != other_window or not np.array_equal(crop, other_crop):
        return False
    return window is None or anywhere or bool(slicer.vtkOrientedImageDataResample.DoGeometriesMatch(*images))


def write_mask(
    node: vtkMRMLSegmentationNode,
    segment_id: str,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    mask: np.ndarray,
) -> None:
    """Set the pixels of a segment to exactly `mask` (bool, rows x columns); an existing closed surface is created
    again.

    Raises
    ------
    KeyError
        If there is no such segment.
    """
    had_surface = has_surface(node)
    own_label_map(node, segment_id, volume, grid, keep=False)
    write_window(node, segment_id, grid, mask, tuple(slice(0, side) for side in grid.shape))
    if had_surface:
        make_surface(node)


def own_label_map(
    node: vtkMRMLSegmentationNode,
    segment_id: str,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    keep: bool = True,
) -> None:
    """Give a segment a label map that no other segment shares, of the full size of the slice.

    Parameters
    ----------
    keep : bool
        Whether the segment keeps its pixels; else the label map is empty.

    Raises
    ------
    KeyError
        If there is no such segment.
    """
    segment, segmentation = _segment(node, segment_id), node.GetSegmentation()
    if segmentation.GetSourceRepresentationName() != binary():
        segmentation.CreateRepresentation(binary())  # setting the source converts nothing
        node.SetSourceRepresentationToBinaryLabelmap()
    image, reference = segment.GetRepresentation(binary()), _oriented_image(node, volume, grid)
    is_shared = _is_shared(node, segment_id)
    if image is not None and not is_shared and _lies_on(image, reference):
        return
    pixels = mask_of(node, segment_id, volume, grid) if keep else np.zeros(grid.shape, bool)
    if is_shared:
        segmentation.SeparateSegmentLabelmap(segment_id)  # or its pixels would stay behind in the shared one
    segment.SetLabelValue(1)
    own = label_map(node, volume, grid, pixels)
    segment.AddRepresentation(binary(), own)
    own.Modified()  # the segmentation observes it by now, and tells those that show it


def label_map(
    node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid, mask: np.ndarray
) -> vtkOrientedImageData:
    """An image of the full size of the slice, 1 in the pixels of `mask` (bool, rows x columns), as a segment can hold
    it.
    """
    from vtk.util.numpy_support import numpy_to_vtk

    image = _oriented_image(node, volume, grid)
    slab = np.ascontiguousarray(grid.slab(mask))
    slab = slab.view(np.uint8) if slab.dtype == bool else slab.astype(np.uint8)
    image.GetPointData().SetScalars(numpy_to_vtk(slab.ravel(), deep=True))
    return image


def write_window(
    node: vtkMRMLSegmentationNode, segment_id: str, grid: PixelGrid, mask: np.ndarray, window: Window
) -> bool:
    """Change a part of a segment's own label map in place, see :func:`own_label_map`.

    Parameters
    ----------
    mask : ndarray of bool, shape of the window
    window : tuple of slice
        Rows and columns of the slice.

    Returns
    -------
    bool
        False, and nothing is written, if the segment no longer exists or no longer has such a label map because
        something merged or cropped it meanwhile.
    """
    segmentation = node.GetSegmentation()
    segment = None if segmentation is None else segmentation.GetSegment(segment_id)
    image = None if segment is None else segment.GetRepresentation(binary())
    if image is None or image.GetExtent() != grid.extent or _is_shared(node, segment_id):
        return False
    part = _plane(image, grid)[window]
    part[...] = mask
    if segment.GetLabelValue() != 1:
        part *= part.dtype.type(segment.GetLabelValue())
    image.GetPointData().GetScalars().Modified()
    image.Modified()  # which the segmentation observes: other representations go, and views are told
    return True


def has_surface(node: vtkMRMLSegmentationNode) -> bool:
    """Whether the segmentation shows closed surfaces (Show 3D)."""
    import slicer

    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    return bool(node.GetSegmentation().ContainsRepresentation(name))


def make_surface(node: vtkMRMLSegmentationNode) -> None:
    """Create the closed surfaces of all segments again."""
    node.CreateClosedSurfaceRepresentation()


def digest_of(name: str, mask: np.ndarray) -> str:
    """A digest of a mask (bool, rows x columns) and the segment's name; it differs if any pixel or the name differs."""
    text = hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16)
    text.update(f"{mask.shape}{name}".encode())
    return text.hexdigest()


def binary() -> str:
    """Slicer's name of the representation by binary label maps."""
    import slicer

    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def _segment(node: vtkMRMLSegmentationNode, segment_id: str):
    segment = node.GetSegmentation().GetSegment(segment_id)
    if segment is None:
        raise KeyError(f"{node.GetName()} has no segment '{segment_id}'.")
    return segment


def _label_map(node: vtkMRMLSegmentationNode, segment_id: str) -> vtkOrientedImageData | None:
    """The label map of a segment, made of what else there is if need be."""
    segmentation = node.GetSegmentation()
    image = segmentation.GetSegment(segment_id).GetRepresentation(binary())
    if image is None and segmentation.CreateRepresentation(binary()):
        image = segmentation.GetSegment(segment_id).GetRepresentation(binary())
    return image


def _is_shared(node: vtkMRMLSegmentationNode, segment_id: str) -> bool:
    """Whether other segments lie in the same label map (vtkSegmentation's own answer is the wrong way round)."""
    segmentation = node.GetSegmentation()
    image = segmentation.GetSegment(segment_id).GetRepresentation(binary())
    return image is not None and any(
        segmentation.GetNthSegmentID(number) != segment_id
        and segmentation.GetNthSegment(number).GetRepresentation(binary()) is image
        for number in range(segmentation.GetNumberOfSegments())
    )


def _oriented_image(
    node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid
) -> vtkOrientedImageData:
    """An image without pixels that lies as the slice does, in the coordinates of the segmentation."""
    import slicer

    image = slicer.vtkOrientedImageData()
    image.SetExtent(*grid.extent)
    image.SetImageToWorldMatrix(vtk_matrix(between(volume, node) @ grid.ijk_to_ras))
    return image


def _lies_on(image: vtkOrientedImageData, reference: vtkOrientedImageData) -> bool:
    import slicer

    return image.GetExtent() == reference.GetExtent() and bool(
        slicer.vtkOrientedImageDataResample.DoGeometriesMatch(image, reference)
    )


def _is_empty(image: vtkOrientedImageData) -> bool:
    return any(last < first for first, last in zip(image.GetExtent()[::2], image.GetExtent()[1::2]))


def _content(segment: vtkSegment) -> tuple[tuple[int, ...] | None, np.ndarray]:
    """Where the voxels of a segment's label map lie, as (i0, i1, j0, j1, k0, k1), and these (bool); None if there are
    none.
    """
    from vtk.util.numpy_support import vtk_to_numpy

    image = segment.GetRepresentation(binary())
    if image.GetPointData().GetScalars() is None or _is_empty(image):
        return None, np.zeros(0, bool)
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    mask, found = values == segment.GetLabelValue(), []
    for axis in range(3):
        (along,) = np.nonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        if not along.size:
            return None, np.zeros(0, bool)
        found.append(slice(int(along[0]), int(along[-1]) + 1))
    first = image.GetExtent()[::2]
    places = [start + side for start, each in zip(first, found[::-1]) for side in (each.start, each.stop)]
    return tuple(places), mask[tuple(found)]


def _plane(image: vtkOrientedImageData, grid: PixelGrid) -> np.ndarray:
    """The pixels (rows, columns) of an image of the slice's extent, as a view of its memory."""
    from vtk.util.numpy_support import vtk_to_numpy

    values = vtk_to_numpy(image.GetPointData().GetScalars())
    return grid.of_slab(values.reshape(image.GetDimensions()[::-1]))
