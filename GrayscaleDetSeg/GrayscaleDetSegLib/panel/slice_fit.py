"""Fits a slice view to its image, and again when the view's size changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .view_size import ViewSize

_SAME = 1e-3  # share by which a height or a place may differ and still count as the same


class SliceFit:
    """Fits one slice view to its background.

    Slicer keeps the field of view's height when a view's size changes, and a new layout gives views their size with a
    delay: an image that was fitted before is then cropped at its sides, or small.
    """

    def __init__(self) -> None:
        self._widget: Any = None
        self._then: Callable[[], None] = lambda: None
        self._placed: tuple[float, ...] = ()
        self._size = ViewSize(self._follow)

    def fit(self, widget, then: Callable[[], None]) -> None:
        """Fit a view to its background now and at each change of its size, until the user zooms or pans.

        Parameters
        ----------
        widget : qMRMLSliceWidget
        then : callable
            Called after each fit, which moves the view to the centre of the volume.
        """
        self._widget, self._then = widget, then
        self._size.watch(widget.sliceView())
        self._place()

    def release(self) -> None:
        """Stop following the size of the view."""
        self._size.release()
        self._widget = None

    def _place(self) -> None:
        self._widget.sliceLogic().FitSliceToBackground()
        self._then()
        self._placed = _shown(self._widget.mrmlSliceNode())

    def _follow(self) -> None:
        if self._widget is None:
            return
        now = _shown(self._widget.mrmlSliceNode())
        if all(abs(new - old) <= _SAME * now[0] for new, old in zip(now, self._placed)):
            self._place()


def _shown(node) -> tuple[float, ...]:
    """Mm that a slice view shows from below to above, and its middle in RAS: what zooming and shifting change."""
    matrix = node.GetSliceToRAS()
    return node.GetFieldOfView()[1], *(matrix.GetElement(row, 3) for row in range(3))
