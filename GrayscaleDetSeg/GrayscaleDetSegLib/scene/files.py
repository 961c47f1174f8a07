"""Segmentations as .seg.nrrd files: results by this software's own writer, nodes through Slicer's storage nodes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import OutputError
from . import seg_nrrd

EXTENSION = ".seg.nrrd"


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress VTK's warnings and errors on the console; functions here report failures by their return values."""
    import vtk

    before = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        vtk.vtkObject.SetGlobalWarningDisplay(before)


def write_result(result: seg_nrrd.AnyResult, path: Path) -> None:
    """Write the segmentation of `result` to `path` (``.seg.nrrd``). The file is complete or not written. Slicer is not
    needed.

    The file holds one image of the size and geometry of the radiograph (columns x rows x 1) or volume, with as many
    layers as overlapping objects need. If nothing was found, it is an image of zeros without segments.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    aside = path.with_name(f".{uuid.uuid4().hex}{EXTENSION}")
    try:
        with open(aside, "wb") as file:
            seg_nrrd.write(result, file)
        os.replace(aside, path)
    except FileNotFoundError as error:
        raise OutputError(f"The segmentation {path} cannot be written: there is no folder {path.parent}.") from error
    except OSError as error:
        raise OutputError(f"The segmentation {path} cannot be written: {error.strerror or error}.") from error
    finally:
        aside.unlink(missing_ok=True)


def write_node(node, path: Path) -> None:
    """Write a segmentation or volume node to `path`: first to a temporary file beside it, which is renamed at the end.

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
