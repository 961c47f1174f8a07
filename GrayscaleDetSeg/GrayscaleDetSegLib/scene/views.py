"""The view nodes of the layout: the cloud's 3D view, its camera, and the position of the slice views."""

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
_FROM = np.array([0.25, 0.8, 0.6])  # from the front, from above, a little from the viewer's left
_ANGLE = 30.0
_AXIS, _GRAY = 0.14, (-12.0, GRAY_MAX + 12.0)  # what the gray axis and its labels need besides the region
ASPECT = 0.75
"""Width by height of a view whose size is not known yet: half a window, or less."""


def cloud_view(scene: vtkMRMLScene) -> vtkMRMLViewNode | None:
    """The node of the cloud's view, or None before a layout has created it."""
    return scene.GetSingletonNode(CLOUD_TAG, "vtkMRMLViewNode")


def image_view_ids(scene: vtkMRMLScene) -> tuple[str, ...]:
    """The ids of all views but the cloud's, in which regions and masks are shown; empty before there is a cloud's view.
    """
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
    """Set up the cloud's view: a black background, without the orientation cube, axis labels and ruler."""
    with folded(view):
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        view.SetBackgroundColor(*_GROUND)
        view.SetBackgroundColor2(*_TOP)
        view.SetOrientationMarkerType(view.OrientationMarkerTypeNone)
        view.SetRulerType(view.RulerTypeNone)
        view.SetUseDepthPeeling(False)  # cloud and surfaces look the same without it, and are drawn three times as fast


def aim_camera(camera: vtkMRMLCameraNode, frame: CloudFrame, roi: Roi, aspect: float = ASPECT) -> None:
    """Point a camera at the cloud of a region from the front and from above, with the image as it is hung.

    Cloud and gray axis fill the view; if the view is higher than wide, they fit its width.

    Parameters
    ----------
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.
    aspect : float
        Width of the view divided by its height.
    """
    x0, y0, x1, y1 = roi
    longer = max((x1 - x0) * frame.spacing[0], (y1 - y0) * frame.spacing[1])
    left = x0 - _AXIS * longer / frame.spacing[0]
    places = [(x, y, gray) for x in (left, x1) for y in (y0, y1) for gray in _GRAY]
    middle = frame.to_view([((x0 + x1) / 2.0, (y0 + y1) / 2.0, GRAY_MAX / 2.0)])[0]
    towards = _FROM / np.linalg.norm(_FROM)
    across = np.cross([0.0, 0.0, 1.0], towards)
    across /= np.linalg.norm(across)
    offsets = frame.to_view(places) - middle
    extents = np.maximum(np.abs(offsets @ np.cross(towards, across)), np.abs(offsets @ across) / aspect)
    distance = 1.02 * float((offsets @ towards + extents / np.tan(np.radians(_ANGLE / 2.0))).max())
    with folded(camera):
        camera.SetViewAngle(_ANGLE)
        camera.SetFocalPoint(middle.tolist())
        camera.SetPosition((middle + distance * towards).tolist())
        camera.SetViewUp([0.0, 0.0, 1.0])
        camera.SetParallelScale(1.02 * float(extents.max()))
    camera.ResetClippingRange()


def are_seen(view: vtkMRMLSliceNode, places: np.ndarray) -> bool:
    """Whether points, shape (n, 3), RAS in mm, all lie inside the frame of a slice view, at any depth."""
    matrix = numpy_matrix(view.GetXYToRAS())
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < 4:  # a view that has no size yet
        return False
    across, up, _depth = moved(np.linalg.inv(matrix), places).T
    width, height, _one = view.GetDimensions()
    return bool(((across >= 0) & (across <= width) & (up >= 0) & (up <= height)).all())


def show_place(scene: vtkMRMLScene, position: tuple[float, float, float]) -> None:
    """Move the crosshair to a point, RAS in mm, and the slice views with it."""
    import slicer

    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        with folded(crosshair):
            if crosshair.GetCrosshairMode() == crosshair.NoCrosshair:
                crosshair.SetCrosshairMode(crosshair.ShowSmallBasic)
            crosshair.SetCrosshairRAS(*map(float, position))
    slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *map(float, position), slicer.vtkMRMLSliceNode.OffsetJumpSlice)
