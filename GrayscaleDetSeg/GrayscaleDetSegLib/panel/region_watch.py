"""Observes regions that the user drags in the views, and reports each when its drag has ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import qt
import slicer
import vtk

from ..logic.observers import Observers
from ..scene.outcome import Outcome
from .signals import Signal
from .state import Event

if TYPE_CHECKING:
    from .session import Session

REST = 300
"""Milliseconds without a change after which a region moved by other means than the mouse counts as at rest."""


class RegionWatch:
    """Reports the object whose region was moved.

    Attributes
    ----------
    moved : Signal (segment id)
        The mouse button was released, or the region has not moved for the time `REST`.
    """

    def __init__(self, session: Session) -> None:
        self._machine, self._results = session.machine, session.results
        self.moved = Signal()
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
        """The ids of segments whose regions are being moved, or were moved and are not reported yet."""
        dragged = () if self._dragged is None else (self._dragged,)
        return tuple(dict.fromkeys((*dragged, *self._moved)))

    def watch(self, outcome: Outcome | None) -> None:
        """Observe the regions of a result only; None stops observing.

        For the same result, regions that were moved and not reported yet will still be reported.
        """
        self._observers.remove_all()
        before, self._segmentation = self._segmentation, None if outcome is None else outcome.segmentation
        if outcome is None or before is not outcome.segmentation:
            self._timer.stop()
            self._moved = []
            self._let_go()
        if outcome is None:
            return
        self._moved = [identity for identity in self._moved if identity in outcome.regions]
        if self._dragged not in outcome.regions:
            self._let_go()
        markups = slicer.vtkMRMLMarkupsNode
        for identity, node in outcome.regions.items():
            self._observers.add(node, markups.PointStartInteractionEvent, partial(self._start, identity))
            self._observers.add(node, markups.PointEndInteractionEvent, partial(self._end, identity))
            self._observers.add(node, vtk.vtkCommand.ModifiedEvent, partial(self._changed, identity))

    def later(self, identity: str) -> None:
        """Report a region again after a delay, because it cannot be processed now."""
        self._note(identity)
        self._timer.start()

    def _note(self, identity: str) -> None:
        if identity not in self._moved:
            self._moved.append(identity)

    def _start(self, identity: str) -> None:
        self._dragged = identity
        self._machine.send(Event.DRAG)

    def _let_go(self) -> None:
        if self._dragged is not None:
            self._dragged = None
            self._machine.send(Event.DRAG_ENDED)

    def _changed(self, identity: str) -> None:
        if self._results.is_writing:
            return
        self._note(identity)
        if self._dragged is None:
            self._timer.start()

    def _end(self, identity: str) -> None:
        self._let_go()
        self._note(identity)
        self._timer.stop()
        qt.QTimer.singleShot(0, self._report)  # after the event has run through all its observers

    def _report(self) -> None:
        moved, self._moved = self._moved, []
        for identity in moved:
            self.moved.emit(identity)
