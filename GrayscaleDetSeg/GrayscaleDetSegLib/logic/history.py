"""States of segmentations that undo can bring back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from .shown import Shown

STATES = 20
"""States kept of a segmentation, at most."""
BYTES = 2**28
"""Memory of all states kept of a segmentation, at most; one state is always kept."""


@dataclass(frozen=True, eq=False)
class State:
    """A segmentation as it was.

    Parameters
    ----------
    segments : object
        ``scene.segmentation.snapshot``.
    shown : Shown or None
        None where it showed no result, or one that its image no longer fitted.
    document : str or None
        What the node said of its result.
    label_map_bytes : int
        What the label maps of the segments hold.
    """

    segments: Any
    shown: Shown | None
    document: str | None
    label_map_bytes: int

    @property
    def size(self) -> int:
        """Bytes of all that the state holds: label maps, masks, and what is stored of the result as text."""
        objects = () if self.shown is None else self.shown.result.objects
        # the thresholds of all cells are about as large as the text that keeps them
        return self.label_map_bytes + sum(item.windowed.crop.nbytes for item in objects) + 2 * len(self.document or "")


class History:
    """The states of each segmentation node; they go with it, and another node with its id has none."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[Any, list[State]]] = {}  # by the node's id: a weak reference to it, its states

    def push(self, node: vtkMRMLSegmentationNode, state: State) -> None:
        """Keep a state; the oldest go where they are too many."""
        self.drop_gone()
        if not self._of(node):
            import vtk

            reference = vtk.vtkWeakReference()
            reference.Set(node)
            self._states[node.GetID()] = reference, []
        states = self._of(node)
        states.append(state)
        while len(states) > 1 and (len(states) > STATES or sum(each.size for each in states) > BYTES):
            del states[0]

    def pop(self, node: vtkMRMLSegmentationNode) -> State | None:
        """Take the last state out; None where there is none."""
        states = self._of(node)
        return states.pop() if states else None

    def has(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether there is a state to bring back."""
        return bool(self._of(node))

    def clear(self) -> None:
        """Drop all states."""
        self._states.clear()

    def drop_gone(self) -> None:
        """Drop the states of nodes that are no longer in a scene."""
        for identity, (reference, _states) in list(self._states.items()):
            node = reference.Get()
            if node is None or node.GetScene() is None:
                del self._states[identity]

    def _of(self, node: vtkMRMLSegmentationNode) -> list[State]:
        reference, states = self._states.get(node.GetID(), (None, []))
        is_known = reference is not None and reference.Get() is node and node.GetScene() is not None
        return states if is_known else []
