"""Reports changes of a view's size. A layout sets the size of its views some time after it was chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

_WAIT = 50  # ms after the last change of size: a splitter that is dragged makes many


class ViewSize:
    """Reports changes of one view's size.

    Parameters
    ----------
    changed : callable
        Called without arguments, once the size has stopped changing.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._tags: list[tuple[Any, int]] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT)
        self._timer.connect("timeout()", changed)

    def watch(self, view) -> None:
        """Observe a ctkVTKAbstractView, and stop observing another one."""
        self.release()
        interactor = view.interactor()
        for each, event in ((interactor, "ConfigureEvent"), (interactor.GetRenderWindow(), "WindowResizeEvent")):
            if each is not None:
                self._tags.append((each, each.AddObserver(event, lambda *_: self._timer.start())))

    def release(self) -> None:
        """Stop observing."""
        tags, self._tags = self._tags, []
        for each, tag in tags:
            each.RemoveObserver(tag)
        self._timer.stop()
