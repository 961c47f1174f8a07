"""What an explanation is: a value of a named kind that can be stored with its object, and found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol


class Explanation(Protocol):
    """How a method came to a mask: a frozen dataclass that ``core.codec`` can store.

    What can be done with one follows from its kind: see :class:`~.thresholds.Thresholds`, whose thresholds can be
    shown and moved.
    """

    kind: ClassVar[str]
    """Name of the kind, unique among all methods."""


@dataclass(frozen=True)
class UnknownExplanation:
    """An explanation of a kind that nobody here knows, because its method isn't installed; it is kept as it was stored.

    Parameters
    ----------
    kind : str
    content : dict
        What was stored, the kind included.
    """

    kind: str
    content: dict[str, Any]
