"""What the views of the layout show: the cloud's own 3D view, and the place that slice views jump to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.gray import GRAY_MAX
from .frame import CloudFrame
from .geometry import moved, numpy_matrix
from .nodes import folded

if TYPE_CHECKING:
    from slicer import vtkMRMLCameraNode, vtkMRMLScene, vtkMRMLSliceNode, vtkMRMLViewNode

Roi = tuple[float, float, float, float]

CLOUD_TAG = "PointCloud"
"""The singleton tag of the cloud's view, as a layout description names it."""
_TOP, _GROUND = (0.08, 0.08, 0.11), (0.0, 0.0, 0.0)
_FROM = np.array([0.25, 0.8, 0.55])  # from the front, from above, a little from the viewer's left
_ANGLE = 30.0


def cloud_view(scene: vtkMRMLScene) -> vtkMRMLViewNode | None:
    """The node of the cloud's view; None before a layout has it."""
    return scene.GetSingletonNode(CLOUD_TAG, "vtkMRMLViewNode")


def image_view_ids(scene: vtkMRMLScene) -> tuple[str, ...]:
    """The ids of all views but the cloud's, where regions and masks belong; none before there is a cloud's view."""
    cloud = cloud_view(scene)
    if cloud is None:
        return ()
    nodes = [
        scene.GetNthNodeByClass(number, kind)
        for kind in ("vtkMRMLSliceNode", "vtkMRMLViewNode")
        for number in range(scene.GetNumberOfNodesByClass(kind))
    ]
    return tuple(node.GetID() for node in nodes if node is not cloud)


def dress_view(view: vtkMRMLViewNode) -> None:
    """Nothing of the patient in the cloud's view: no cube, no letters, no ruler, on black; see-through in order."""
    with folded(view):
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        view.SetBackgroundColor(*_GROUND)
        view.SetBackgroundColor2(*_TOP)
        view.SetOrientationMarkerType(view.OrientationMarkerTypeNone)
        view.SetRulerType(view.RulerTypeNone)
        view.SetUseDepthPeeling(True)


def aim_camera(camera: vtkMRMLCameraNode, frame: CloudFrame, roi: Roi) -> None:
    """Look at the cloud over a region, (x0, y0, x1, y1) in px, as the image is hung, from the front and from above."""
    x0, y0, x1, y1 = roi
    corners = frame.to_view([(x0, y0, 0.0), (x1, y1, GRAY_MAX)])
    middle, radius = corners.mean(axis=0), 0.5 * float(np.linalg.norm(corners[1] - corners[0]))
    distance = 1.05 * radius / np.sin(np.radians(_ANGLE / 2.0))
    with folded(camera):
        camera.SetViewAngle(_ANGLE)
        camera.SetFocalPoint(middle.tolist())
        camera.SetPosition((middle + distance * _FROM / np.linalg.norm(_FROM)).tolist())
        camera.SetViewUp([0.0, 0.0, 1.0])
        camera.SetParallelScale(1.05 * radius)
    camera.ResetClippingRange()


def are_seen(view: vtkMRMLSliceNode, places: np.ndarray) -> bool:
    """Whether places (n, 3) in RAS (mm) all lie within the frame of a slice view, at whatever depth."""
    to_screen = np.linalg.inv(numpy_matrix(view.GetXYToRAS()))
    across, up, _depth = moved(to_screen, places).T
    width, height, _one = view.GetDimensions()
    return bool(((across >= 0) & (across <= width) & (up >= 0) & (up <= height)).all())


def show_place(scene: vtkMRMLScene, position: tuple[float, float, float]) -> None:
    """Put the crosshair at a place in RAS (mm), and let the slice views go through it."""
    import slicer

    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        with folded(crosshair):
            if crosshair.GetCrosshairMode() == crosshair.NoCrosshair:
                crosshair.SetCrosshairMode(crosshair.ShowSmallBasic)
            crosshair.SetCrosshairRAS(*map(float, position))
    slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *map(float, position), slicer.vtkMRMLSliceNode.OffsetJumpSlice)
