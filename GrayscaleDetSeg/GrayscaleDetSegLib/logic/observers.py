"""VTK observers that can all be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Observers:
    """Observers of one owner; those that are no longer wanted go together.

    What an observer calls gets no arguments: callers look at the nodes anyway.
    """

    def __init__(self) -> None:
        self._tags: list[tuple[Any, int]] = []

    def add(self, node, event, call: Callable[[], object]) -> None:
        """Call `call` at every `event` (a number or a name) of a VTK object."""
        self._tags.append((node, node.AddObserver(event, lambda *_: call())))

    def remove_all(self) -> None:
        """Take all observers back."""
        tags, self._tags = self._tags, []
        for node, tag in tags:
            node.RemoveObserver(tag)

    def __len__(self) -> int:
        return len(self._tags)
