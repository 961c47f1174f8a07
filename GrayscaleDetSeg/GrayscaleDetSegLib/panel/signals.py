"""Signals between the parts of the panel. In PythonQt, Python code cannot define signals of Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls all connected functions, in the order of their connection."""

    def __init__(self) -> None:
        self._calls: list[Callable[..., Any]] = []

    def connect(self, call: Callable[..., Any]) -> None:
        """Call `call` at each :meth:`emit`, with its arguments."""
        self._calls.append(call)

    def disconnect(self, call: Callable[..., Any]) -> None:
        """Stop calling `call`.

        Raises
        ------
        ValueError
            If it is not connected.
        """
        self._calls.remove(call)

    def emit(self, *arguments: Any) -> None:
        """Call all connected functions. Connections that these change have effect from the next call on."""
        for call in tuple(self._calls):
            call(*arguments)

    def __len__(self) -> int:
        return len(self._calls)
