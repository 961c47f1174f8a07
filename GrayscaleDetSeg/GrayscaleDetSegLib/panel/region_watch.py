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
        self._dragged: str | None = None
        self._segmentation = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST)
        self._timer.connect("timeout()", self._report)

    @property
    def held(self) -> tuple[str, ...]:
        """The segments whose regions are being moved, or were moved and not reported yet."""
        dragged = () if self._dragged is None else (self._dragged,)
        return tuple(dict.fromkeys((*dragged, *self._moved)))

    def watch(self, outcome: Outcome | None) -> None:
        """Watch the regions of a result, and no others; None watches nothing.

        What was moved and not reported yet stays so, if it is the same result.
        """
        self._observers.remove_all()
        before, self._segmentation = self._segmentation, None if outcome is None else outcome.segmentation
        if outcome is None or before is not outcome.segmentation:
            self._timer.stop()
            self._moved, self._dragged = [], None
        if outcome is None:
            return
        self._moved = [identity for identity in self._moved if identity in outcome.regions]
        if self._dragged not in outcome.regions:
            self._dragged = None
        markups = slicer.vtkMRMLMarkupsNode
        for identity, node in outcome.regions.items():
            self._observers.add(
                node, markups.PointStartInteractionEvent, lambda identity=identity: self._start(identity)
            )
            self._observers.add(node, markups.PointEndInteractionEvent, lambda identity=identity: self._end(identity))
            self._observers.add(node, vtk.vtkCommand.ModifiedEvent, lambda identity=identity: self._changed(identity))

    def later(self, identity: str) -> None:
        """Report a region once more after a while, because it could not be seen to now."""
        self._note(identity)
        self._timer.start()

    def _note(self, identity: str) -> None:
        if identity not in self._moved:
            self._moved.append(identity)

    def _start(self, identity: str) -> None:
        self._dragged = identity

    def _changed(self, identity: str) -> None:
        if self._is_own():
            return
        self._note(identity)
        if self._dragged is None:
            self._timer.start()

    def _end(self, identity: str) -> None:
        self._dragged = None
        self._note(identity)
        self._timer.stop()
        qt.QTimer.singleShot(0, self._report)  # after the event has run through all its observers

    def _report(self) -> None:
        moved, self._moved = self._moved, []
        for identity in moved:
            self._on_moved(identity)
