"""The camera of the cloud's view, which is pointed by the view's aspect ratio, and again when this changes."""

from __future__ import annotations

from typing import Any

import slicer

from ..scene import views
from ..scene.frame import CloudFrame
from .view_size import ViewSize

Roi = tuple[float, float, float, float]

_SAME = 0.01  # share by which the aspect may differ and still count as the same


class CloudCamera:
    """Points the camera of the cloud's view."""

    def __init__(self) -> None:
        self._widget: Any = None
        self._wanted: tuple[CloudFrame, Roi] | None = None
        self._aspect = views.ASPECT
        self._placed: tuple[float, ...] = ()
        self._size = ViewSize(self._follow)

    def aim(self, widget, frame: CloudFrame, roi: Roi) -> bool:
        """Point the camera at the cloud of a region.

        Parameters
        ----------
        widget : qMRMLThreeDWidget or None
            The cloud's view.
        frame : CloudFrame
        roi : tuple of 4 float
            (x0, y0, x1, y1) in px.

        Returns
        -------
        bool
            False if there is no camera.
        """
        self.release()
        if widget is None or camera_of(widget) is None:
            return False
        self._widget, self._wanted = widget, (frame, roi)
        self._size.watch(widget.threeDView())
        self._place()
        return True

    def release(self) -> None:
        """Stop following the size of the view."""
        self._size.release()
        self._widget, self._wanted = None, None

    def _place(self) -> None:
        if self._wanted is None:
            return
        camera = camera_of(self._widget)
        self._aspect = aspect_of(self._widget)
        views.aim_camera(camera, *self._wanted, self._aspect)
        self._placed = _pose(camera)

    def _follow(self) -> None:
        """The view has another size: aim anew by its shape, if the camera is where we have put it."""
        if self._widget is None or abs(aspect_of(self._widget) / self._aspect - 1.0) < _SAME:
            return
        camera = camera_of(self._widget)
        if camera is not None and _pose(camera) == self._placed:
            self._place()


def aspect_of(widget) -> float:
    """Width of a 3D view divided by its height; a default before the view has a size."""
    window = widget.threeDView().interactor().GetRenderWindow()
    width, height = (0, 0) if window is None else window.GetSize()
    return width / height if width > 1 and height > 1 else views.ASPECT


def camera_of(widget):
    """The camera node of a 3D view, or None. It has the view's layout name, by which Slicer's logics find it."""
    name = widget.mrmlViewNode().GetLayoutName()
    camera = slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLCameraNode")
    return widget.threeDView().cameraNode() if camera is None else camera


def _pose(camera) -> tuple[float, ...]:
    return (*camera.GetPosition(), *camera.GetFocalPoint(), *camera.GetViewUp())
