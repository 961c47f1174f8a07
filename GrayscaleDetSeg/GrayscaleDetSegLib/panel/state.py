"""The states of the panel, and the table of transitions between them."""

from __future__ import annotations

import enum

from .signals import Signal


class State(enum.Enum):
    """The state of the panel."""

    IDLE = "idle"
    BUSY = "busy"
    """A job runs. Thresholds may be moved and a drawing may go on meanwhile; the job is what counts."""
    DRAGGING = "dragging"
    """Thresholds or a region are being moved and are not final yet."""
    DRAWING = "drawing"
    """The user draws a region in a slice view."""


class Event(enum.Enum):
    """Events that change the state."""

    RUN = "run"
    RUN_ENDED = "run ended"
    DRAG = "drag"
    DRAG_ENDED = "drag ended"
    DRAW = "draw"
    DRAW_ENDED = "draw ended"


_AFTER = {
    (State.IDLE, Event.RUN): State.BUSY,
    (State.IDLE, Event.DRAG): State.DRAGGING,
    (State.IDLE, Event.DRAW): State.DRAWING,
    (State.BUSY, Event.DRAG): State.BUSY,
    (State.BUSY, Event.RUN_ENDED): State.IDLE,
    (State.DRAGGING, Event.DRAG): State.DRAGGING,
    (State.DRAGGING, Event.RUN): State.BUSY,
    (State.DRAGGING, Event.DRAG_ENDED): State.IDLE,
    (State.DRAWING, Event.DRAG): State.DRAWING,
    (State.DRAWING, Event.RUN): State.BUSY,
    (State.DRAWING, Event.DRAW_ENDED): State.IDLE,
}
"""What follows from a state and an event. A beginning that is not here is refused; an end that is not here is none."""

_ENDS = {Event.RUN_ENDED, Event.DRAG_ENDED, Event.DRAW_ENDED}
_BEGUN = {Event.DRAG: State.DRAGGING, Event.DRAW: State.DRAWING}
_ENDED = {Event.DRAG_ENDED: State.DRAGGING, Event.DRAW_ENDED: State.DRAWING}


def after(state: State, event: Event) -> State | None:
    """The state after an event; None if the event is refused."""
    return _AFTER.get((state, event), state if event in _ENDS else None)


class StateMachine:
    """Holds the state. The signal `changed` (State) reports each change."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.changed = Signal()
        self._open: set[State] = set()

    @property
    def is_moving(self) -> bool:
        """Whether a drag is open, in any state: a job may run or end during a drag."""
        return State.DRAGGING in self._open

    def send(self, event: Event) -> bool:
        """Process an event. Returns False, without a change, if it is refused."""
        following = after(self.state, event)
        if following is None:
            return False
        if event in _BEGUN:
            self._open.add(_BEGUN[event])
        elif event in _ENDED:
            self._open.discard(_ENDED[event])
        if following is State.IDLE:  # what has begun before, or beside, what has ended now
            following = next((each for each in (State.DRAWING, State.DRAGGING) if each in self._open), State.IDLE)
        if following is not self.state:
            self.state = following
            self.changed.emit(following)
        return True

    def allows(self, event: Event) -> bool:
        """Whether an event would be accepted now."""
        return after(self.state, event) is not None
