"""Which objects may lie over each other: in a radiograph hip bone lies over femur, clavicle over lung."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Overlaps:
    """Which classes may share pixels.

    Objects of one class never do: the side of one vertebra, tooth or lung is where the next one begins.

    Parameters
    ----------
    allowed : bool
        Whether objects of different classes may, unless they are to be kept apart. Without it, every pixel has at most
        one object.
    apart : tuple of tuple of str
        Groups of classes of which no two may.
    """

    allowed: bool = False
    apart: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Overlaps:
        """From a model bundle's manifest, parsed JSON; raises TypeError if it is of another form."""
        if not isinstance(values, dict):
            raise TypeError("its overlaps are no object")
        return cls(bool(values.get("allowed", False)), tuple(tuple(group) for group in values.get("apart", ())))

    def may(self, first: str, second: str) -> bool:
        """Whether an object of one class may lie over one of another."""
        if not self.allowed or first == second:
            return False
        return not any(first in group and second in group for group in self.apart)


EXCLUSIVE = Overlaps()
"""Every pixel has at most one object."""
