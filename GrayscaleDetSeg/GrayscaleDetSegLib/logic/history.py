"""The states of segmentations for undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.volumes.volume import Volume

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from ..scene.snapshot import Snapshot
    from .shown import Shown

STATES = 20
"""States kept of a segmentation, at most."""
BYTES = 2**28
"""Memory of all states kept of a segmentation, at most; one state is always kept."""


@dataclass(frozen=True, eq=False)
class State:
    """An earlier state of a segmentation.

    Parameters
    ----------
    segments : Snapshot
    shown : Shown or None
        None if it showed no result, or the image had changed since.
    document : str or None
        The record of the result, ``record.kept_document``.
    after : Snapshot or None
        The segments at the end of the change that followed, by which edits since then are told; None if its end is not
        known.
    """

    segments: Snapshot
    shown: Shown | None
    document: str | None
    after: Snapshot | None = None

    @property
    def snapshots(self) -> list[Snapshot]:
        """The copies of segments that the state holds."""
        return [self.segments] if self.after is None else [self.segments, self.after]

    @property
    def buffers(self) -> dict[tuple[str, int], int]:
        """The size of each buffer of the state in bytes, by a key of the buffer; states share most buffers.

        Buffers are the label maps and surfaces of the segments; the image, masks and explanations of the result; and
        the text of the record.
        """
        held: dict[tuple[str, int], int] = {}
        for each in self.snapshots:
            held.update({("vtk", key): size for key, size in each.buffers.items()})
        if self.shown is not None:
            held.update({("array", _place(each)): each.nbytes for each in _arrays(self.shown.result)})
        if self.document is not None:
            held["text", id(self.document)] = len(self.document)
        return held


def held_bytes(states: Sequence[State]) -> int:
    """The number of bytes that these states hold together; shared buffers count once."""
    buffers: dict[tuple[str, int], int] = {}
    for state in states:
        buffers.update(state.buffers)
    return sum(buffers.values())


class History:
    """The states of each segmentation node. They are dropped with the node; another node with the same id has none."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[Any, list[State]]] = {}  # by the node's id: a weak reference to it, its states

    def push(self, node: vtkMRMLSegmentationNode, state: State) -> None:
        """Add a state; if there are too many or they hold too much memory, the oldest are dropped."""
        self.drop_gone()
        if not self.states(node):
            import vtk

            reference = vtk.vtkWeakReference()
            reference.Set(node)
            self._states[node.GetID()] = reference, []
        states = self._states[node.GetID()][1]
        states.append(state)
        while len(states) > 1 and (len(states) > STATES or held_bytes(states) > BYTES):
            del states[0]

    def pop(self, node: vtkMRMLSegmentationNode) -> State | None:
        """Remove and return the last state; None if there is none."""
        states = self.states(node)
        return states.pop() if states else None

    def has(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether a node has a state."""
        return bool(self.states(node))

    def clear(self) -> None:
        """Drop all states."""
        self._states.clear()

    def drop_gone(self) -> None:
        """Drop the states of nodes that are no longer in a scene."""
        for identity, (reference, _states) in list(self._states.items()):
            node = reference.Get()
            if node is None or node.GetScene() is None:
                del self._states[identity]

    def states(self, node: vtkMRMLSegmentationNode) -> list[State]:
        """All states of a node, oldest first."""
        reference, states = self._states.get(node.GetID(), (None, []))
        is_known = reference is not None and reference.Get() is node and node.GetScene() is not None
        return states if is_known else []


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """All arrays in a value made of dataclasses, tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Volume):
        return  # its voxels are the scene's, which holds them anyway
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _arrays(getattr(value, each.name))
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _arrays(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _arrays(each)


def _place(array: np.ndarray) -> int:
    """Where an array lies in memory: views of the same have the same."""
    return array.__array_interface__["data"][0]
