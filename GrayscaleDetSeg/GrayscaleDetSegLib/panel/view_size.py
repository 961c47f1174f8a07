"""When a view gets another size, which a layout gives it some time after it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

_WAIT = 50  # ms after the last change of size: a splitter that is dragged makes many


class ViewSize:
    """Tells of changes of one view's size.

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
        """Watch a ctkVTKAbstractView, and no other any more."""
        self.release()
        interactor = view.interactor()
        for each, event in ((interactor, "ConfigureEvent"), (interactor.GetRenderWindow(), "WindowResizeEvent")):
            if each is not None:
                self._tags.append((each, each.AddObserver(event, lambda *_: self._timer.start())))

    def release(self) -> None:
        """Do not watch any more."""
        tags, self._tags = self._tags, []
        for each, tag in tags:
            each.RemoveObserver(tag)
        self._timer.stop()
