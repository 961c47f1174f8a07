"""Signals between the parts of the panel: PythonQt lets Python define none of Qt's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls everything that is connected, in the order of connecting."""

    def __init__(self) -> None:
        self._calls: list[Callable[..., Any]] = []

    def connect(self, call: Callable[..., Any]) -> None:
        """Call `call` from now on, with the arguments of :meth:`emit`."""
        self._calls.append(call)

    def disconnect(self, call: Callable[..., Any]) -> None:
        """Do not call `call` any more; ValueError if it was not connected."""
        self._calls.remove(call)

    def emit(self, *arguments: Any) -> None:
        """Call everything that is connected; what connects or disconnects meanwhile counts from the next time on."""
        for call in tuple(self._calls):
            call(*arguments)

    def __len__(self) -> int:
        return len(self._calls)
