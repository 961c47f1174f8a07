"""Regions that are dragged in the views: when one has come to rest, its object is looked for again."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
import vtk

from ..logic.observers import Observers
from ..scene.outcome import Outcome

REST = 300
"""Milliseconds without a change after which a region moved by other means than the mouse counts as at rest."""


class RegionWatch:
    """Tells which object's region was moved.

    Parameters
    ----------
    on_moved : callable (segment id)
        Called when the mouse has let go, or nothing has moved for `REST`.
    is_own : callable () -> bool
        Whether a change that happens now is the software's own.
    """

    def __init__(self, on_moved: Callable[[str], object], is_own: Callable[[], bool]) -> None:
        self._on_moved, self._is_own = on_moved, is_own
        self._observers = Observers()
        self._moved: list[str] = []
        self._is_dragging = False
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST)
        self._timer.connect("timeout()", self._report)

    def watch(self, outcome: Outcome | None) -> None:
        """Watch the regions of a result, and no others; None watches nothing."""
        self._observers.remove_all()
        self._timer.stop()
        self._moved, self._is_dragging = [], False
        if outcome is None:
            return
        markups = slicer.vtkMRMLMarkupsNode
        for identity, node in outcome.regions.items():
            self._observers.add(node, markups.PointStartInteractionEvent, self._start)
            self._observers.add(node, markups.PointEndInteractionEvent, lambda identity=identity: self._end(identity))
            self._observers.add(node, vtk.vtkCommand.ModifiedEvent, lambda identity=identity: self._changed(identity))

    def later(self, identity: str) -> None:
        """Report a region once more after a while, because it could not be seen to now."""
        self._note(identity)
        self._timer.start()

    def _note(self, identity: str) -> None:
        if identity not in self._moved:
            self._moved.append(identity)

    def _start(self) -> None:
        self._is_dragging = True

    def _changed(self, identity: str) -> None:
        if self._is_own():
            return
        self._note(identity)
        if not self._is_dragging:
            self._timer.start()

    def _end(self, identity: str) -> None:
        self._is_dragging = False
        self._note(identity)
        self._timer.stop()
        qt.QTimer.singleShot(0, self._report)  # after the event has run through all its observers

    def _report(self) -> None:
        moved, self._moved = self._moved, []
        for identity in moved:
            self._on_moved(identity)
