"""Volume nodes for tests of the scene, as Slicer would hold them after loading."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from GrayscaleDetSegLib.core.radiograph import Geometry
from GrayscaleDetSegLib.scene.cloud import MovingCloud
from GrayscaleDetSegLib.scene.geometry import ijk_to_ras, vtk_matrix

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode

_applications: dict = {}


def forget_converter_rules() -> None:
    """To be called before another logic of segmentations is made.

    Every such logic registers the same rules with a factory of the process, and every segmentation gets all of them:
    after hundreds of logics, as only tests make them, copying a segmentation takes seconds.
    """
    import slicer

    names = "Binary labelmap", "Closed surface", "Fractional labelmap"
    factory = slicer.vtkSegmentationConverterFactory.GetInstance()
    for source in names:
        for target in names:
            while factory.DisableConverterRule(source, target):
                pass


def scene_with_logics(folder=None):
    """A scene with the logics that know its nodes, their files and conversions; bundles are unpacked in `folder`.

    Slicer's application has them always; what needs none of them is tested in a bare scene.
    """
    import slicer

    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    forget_converter_rules()
    for kind in (slicer.vtkSlicerSegmentationsModuleLogic, slicer.vtkSlicerMarkupsLogic):
        logic = kind()
        logic.SetMRMLScene(scene)
        logic.SetMRMLApplicationLogic(application)
        application.SetModuleLogic(kind.__name__, logic)
    _applications[scene] = application  # the scene does not hold it
    if folder is not None:
        cache, manager = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        cache.SetRemoteCacheDirectory(str(folder))
        manager.SetCacheManager(cache)
        scene.SetCacheManager(cache)
        scene.SetDataIOManager(manager)
    return scene


@pytest.fixture
def scene():
    """A scene with logics, for one test."""
    made = scene_with_logics()
    yield made
    made.Clear(True)


def add_volume(
    scene, pixels: np.ndarray, geometry: Geometry | None = None, name="image", kind="vtkMRMLScalarVolumeNode"
):
    """A volume of `pixels`: (rows, columns), (slices, rows, columns) or, for colours, with components behind."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    components = pixels.shape[-1] if kind == "vtkMRMLVectorVolumeNode" else 1
    shape = pixels.shape[:-1] if kind == "vtkMRMLVectorVolumeNode" else pixels.shape
    slices, rows, columns = (1, *shape) if len(shape) == 2 else shape
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, slices)
    values = np.ascontiguousarray(pixels).reshape(-1, components)
    image.GetPointData().SetScalars(numpy_to_vtk(values if components > 1 else values.ravel(), deep=True))
    node = scene.AddNewNodeByClass(kind, name)
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(vtk_matrix(ijk_to_ras(geometry or Geometry())))
    node.CreateDefaultDisplayNodes()
    return node


def add_transform(scene, matrix=None):
    """A rotation and a shift, or `matrix` (4 x 4)."""
    turned = [[0.0, -1.0, 0.0, 5.0], [0.96, 0.0, -0.28, 3.0], [0.28, 0.0, 0.96, -7.0], [0.0, 0.0, 0.0, 1.0]]
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "placement")
    node.SetMatrixTransformToParent(vtk_matrix(np.array(turned if matrix is None else matrix)))
    return node


def add_bending_transform(scene):
    """A transform that no matrix can stand for."""
    import vtk

    bend = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for x, y, z in ((0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50), (30, 30, 0)):
        source.InsertNextPoint(x, y, z)
        target.InsertNextPoint(x + (5 if x == 30 else 0), y, z)
    bend.SetSourceLandmarks(source)
    bend.SetTargetLandmarks(target)
    bend.SetBasisToR()
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bent")
    node.SetAndObserveTransformToParent(bend)
    return node


def ids(scene) -> set[str]:
    """The ids of all nodes in a scene."""
    return {scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())}


def read_node(path: Path, scene: vtkMRMLScene) -> vtkMRMLSegmentationNode:
    """Add the segmentation stored in `path` to `scene`, as Slicer does when the file is opened."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", Path(path).name.removesuffix(".seg.nrrd"))
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


def recoloured(node, field) -> int:
    """Colour the points of a cloud by other thresholds, as a drag does; how many lie between them."""
    return MovingCloud(node, field).show(field)
