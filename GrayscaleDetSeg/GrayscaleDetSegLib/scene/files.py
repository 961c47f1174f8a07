"""Segmentations to and from .seg.nrrd files, through Slicer's own storage nodes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import OutputError
from ..core.radiograph import Geometry
from ..core.result import SegmentationResult
from .geometry import ijk_to_ras, vtk_matrix
from .segmentation import add_segmentation, fill_image

if TYPE_CHECKING:
    from slicer import vtkMRMLScene

EXTENSION = ".seg.nrrd"


def available() -> bool:
    """Whether MRML can be used in this Python: inside Slicer, or with slicer-core installed."""
    try:
        from slicer import vtkMRMLSegmentationNode  # noqa: F401 (the import is the question)
    except ImportError:
        return False
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps VTK's warnings and errors off the console; failures are reported by return values here."""
    import vtk

    before = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        vtk.vtkObject.SetGlobalWarningDisplay(before)


def write_result(result: SegmentationResult, path: Path, scene: vtkMRMLScene | None = None) -> None:
    """Write the segmentation of `result` to `path` (``.seg.nrrd``), complete or not at all.

    The file holds one uint8 image of the radiograph's size (columns x rows x 1) with the radiograph's geometry. Where
    nothing was found it is an image of zeros without segments.

    Parameters
    ----------
    scene : vtkMRMLScene, optional
        Where the nodes needed for writing live meanwhile; a scene of its own if not given.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import slicer

    scene = slicer.vtkMRMLScene() if scene is None else scene
    if result.objects:
        node = add_segmentation(result, scene, Path(path).name.removesuffix(EXTENSION))
        display = node.GetDisplayNode()
    else:
        node, display = _add_empty(result.radiograph.shape, result.radiograph.geometry, scene), None
    try:
        write_node(node, path)
    finally:
        for used in (display, node):
            if used is not None:
                scene.RemoveNode(used)


def _add_empty(shape: tuple[int, int], geometry: Geometry, scene: vtkMRMLScene):
    """A volume node of zeros whose file reads as a segmentation without segments.

    The segmentation's storage node would write a single pixel here, which lies over nothing.
    """
    import vtk

    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    node.SetAndObserveImageData(fill_image(vtk.vtkImageData(), np.zeros(shape, np.uint8)))
    node.SetIJKToRASMatrix(vtk_matrix(ijk_to_ras(geometry)))
    for key, value in (
        ("MasterRepresentation", "Binary labelmap"),
        ("ContainedRepresentationNames", "Binary labelmap|"),
        ("ReferenceImageExtentOffset", "0 0 0"),
    ):
        node.SetAttribute(f"Segmentation_{key}", value)
    return node


def write_node(node, path: Path) -> None:
    """Write a segmentation (or volume) node to `path`, beside it first and renamed at the end.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    path, scene = Path(path), node.GetScene()
    if not path.parent.is_dir():  # VTK would write to the console, too
        raise OutputError(f"The segmentation {path} cannot be written: there is no folder {path.parent}.")
    kind = "Segmentation" if node.IsA("vtkMRMLSegmentationNode") else "NRRD"
    storage = scene.AddNewNodeByClass(f"vtkMRML{kind}StorageNode")
    aside = path.with_name(f".{uuid.uuid4().hex}{EXTENSION}")
    try:
        storage.SetFileName(str(aside))
        storage.SetUseCompression(1)
        if kind == "Segmentation":
            storage.SetCropToMinimumExtent(False)  # the full size of the radiograph, not the objects' part
        written = storage.WriteData(node)
        if not written or not aside.exists():
            raise OutputError(f"The segmentation {path} cannot be written: check the folder and the space on the disk.")
        os.replace(aside, path)
    except OSError as error:
        raise OutputError(f"The segmentation {path} cannot be written: {error.strerror or error}.") from error
    finally:
        scene.RemoveNode(storage)
        aside.unlink(missing_ok=True)
