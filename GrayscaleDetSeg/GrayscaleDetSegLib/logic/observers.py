"""VTK observers that can be removed together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Observers:
    """The observers of one owner, which are removed together.

    The called functions get no arguments.
    """

    def __init__(self) -> None:
        self._tags: list[tuple[Any, int]] = []

    def add(self, node, event, call: Callable[[], object]) -> None:
        """Call `call` at every `event` (number or name) of a VTK object."""
        self._tags.append((node, node.AddObserver(event, lambda *_: call())))

    def remove_all(self) -> None:
        """Remove all observers."""
        tags, self._tags = self._tags, []
        for node, tag in tags:
            node.RemoveObserver(tag)

    def __len__(self) -> int:
        return len(self._tags)
