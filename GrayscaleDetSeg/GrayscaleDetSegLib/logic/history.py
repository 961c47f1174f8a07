"""States of segmentations that undo can bring back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .workspace import Shown

STATES = 20
"""States kept of a segmentation, at most."""
PIXELS = 2**28
"""Pixels of all segments in the states kept of a segmentation, at most; one state is always kept."""


@dataclass(frozen=True, eq=False)
class State:
    """A segmentation as it was: its segments (``scene.segmentation.snapshot``), and the result that they showed."""

    segments: Any
    shown: Shown

    @property
    def pixels(self) -> int:
        """How many pixels its label maps hold, about."""
        result = self.shown.result
        return result.radiograph.pixels.size * max(1, len(result.objects))


class History:
    """The states of each segmentation, by the id of its node."""

    def __init__(self) -> None:
        self._states: dict[str, list[State]] = {}

    def push(self, node_id: str, state: State) -> None:
        """Keep a state; the oldest go where they are too many."""
        states = self._states.setdefault(node_id, [])
        states.append(state)
        while len(states) > 1 and (len(states) > STATES or sum(each.pixels for each in states) > PIXELS):
            del states[0]

    def pop(self, node_id: str) -> State | None:
        """Take the last state out; None where there is none."""
        states = self._states.get(node_id)
        return states.pop() if states else None

    def has(self, node_id: str) -> bool:
        """Whether there is a state to bring back."""
        return bool(self._states.get(node_id))

    def clear(self, node_id: str | None = None) -> None:
        """Drop the states of a segmentation, or of all."""
        if node_id is None:
            self._states.clear()
        else:
            self._states.pop(node_id, None)
