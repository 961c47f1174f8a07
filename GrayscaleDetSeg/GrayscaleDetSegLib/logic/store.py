"""The store of one segmentation node's result: load, save, change, undo.

A result has two parts: the pixels are in the node's segments, the rest is on the node as a document (``scene.record``).
What the store keeps besides is a cache. It is valid while document, image and label maps have the same modification
times (MTime), so that Segment Editor, scripts and other workspaces may change any of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ..core.errors import GrayscaleDetSegError, RadiographError
from ..core.labels import display_name
from ..core.results import AnyObject, AnyResult, objects_of, repainted, with_objects
from ..scene import masks, record, segmentation, volumes
from ..scene.geometry import PixelGrid
from ..scene.kept_copies import copies_of, keep_copy
from ..scene.outcome import volume_of
from ..scene.placement import Placement, carry_segments
from ..scene.snapshot import bring_back, locked_since, snapshot
from .history import History, State
from .shown import Shown

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

Stamp = tuple[object, ...]


class Transaction(Protocol):
    """A change over some time, such as a drag, which is stored once at its end or not at all."""

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from the state at its beginning."""

    def settle(self) -> None:
        """End the transaction with its present state."""

    def cancel(self) -> None:
        """End the transaction and restore the state at its beginning."""


@dataclass
class _Kept:
    """What the store knows of its node.

    Parameters
    ----------
    document : str or None
        What the node said of its result.
    stamp : int or None
        Which pixels the image had, ``volumes.stamp_of``.
    index : int or None
        Of the slice.
    base : Shown
        The result as it was stored, the masks included.
    seen : dict of str to (tuple or None, AnyObject)
        The object that each segment showed when it was looked at last, and ``masks.stamp_of`` then.
    shown : Shown
        What :meth:`ResultStore.load` gave last.
    """

    document: str | None
    stamp: int | None
    index: int | None
    base: Shown
    seen: dict[str, tuple[Stamp | None, AnyObject]] = field(default_factory=dict)
    shown: Shown | None = None


class ResultStore:
    """The result that one segmentation node shows.

    It observes nothing and holds no reference to its node.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
    history : History
        Keeps the states for :meth:`undo`.
    """

    def __init__(self, node: vtkMRMLSegmentationNode, history: History) -> None:
        import vtk

        self._reference = vtk.vtkWeakReference()
        self._reference.Set(node)
        self._history = history
        self._kept: _Kept | None = None
        self._open: Transaction | None = None

    @property
    def node(self) -> vtkMRMLSegmentationNode | None:
        """The segmentation; None if it is no longer in a scene."""
        node = self.held_node
        return node if node is not None and node.GetScene() is not None else None

    @property
    def held_node(self) -> vtkMRMLSegmentationNode | None:
        """The segmentation, in a scene or not; None if it no longer exists."""
        return self._reference.Get()

    @property
    def volume(self) -> vtkMRMLScalarVolumeNode | None:
        """The image of the result; None if it is no longer in the scene, or there is no result."""
        return None if self.node is None else volume_of(self.node)

    @property
    def grid(self) -> PixelGrid:
        """The grid of the slice.

        Raises
        ------
        RadiographError
            If the image has no pixels.
        """
        kept, document = self._kept, record.kept_document(self.node)
        index = kept.index if kept is not None and kept.document == document else record.kept_slice(self.node)
        return volumes.grid_of(self.volume, index)

    # reading and writing

    def load(self, unread: Collection[str] = ()) -> Shown | None:
        """Load the result that the segmentation shows, with the masks that its segments have now; None if it stores no
        result.

        Parameters
        ----------
        unread : collection of str
            Ids of segments whose pixels are changing and are not read.

        Raises
        ------
        RadiographError
            As for ``record.kept_result``.
        """
        node, volume = self.node, self.volume
        if node is None or volume is None:
            return None
        kept, document, stamp = self._kept, record.kept_document(node), volumes.stamp_of(volume)
        if kept is None or (kept.document, kept.stamp) != (document, stamp):
            self._kept = None
            result = record.kept_result(node, volume)
            if result is None:
                return None
            base = Shown(result, tuple(record.kept_segments(node)), stamp)
            kept = self._kept = _Kept(document, stamp, record.kept_slice(node), base)
            self._note(kept, volume, base.identities)
        return self._as_it_is(kept, volume, unread)

    def loaded(self, unread: Collection[str] = ()) -> Shown | None:
        """As :meth:`load`, but None if the pixels of the image have changed, where :meth:`load` raises an error."""
        try:
            return self.load(unread)
        except RadiographError:
            return None

    def save(
        self,
        result: AnyResult,
        identities: Sequence[str],
        grid: PixelGrid,
        stamp: int | None,
        written: Collection[str] = (),
    ) -> Shown:
        """Store a result whose masks the segments have already.

        Parameters
        ----------
        identities : sequence of str
            Ids of the segments of the objects, in their order.
        stamp : int or None
            Modification time of the image's pixels when the result was made.
        written : collection of str
            Ids of the segments that have exactly the pixels of their objects, because they have just been written. The
            others may have been edited and are compared.
        """
        node, before = self.node, self._kept
        record.keep_result(node, result, grid, identities, Placement.of(node, self.volume, grid))
        base = Shown(result, tuple(identities), stamp)
        kept = self._kept = _Kept(record.kept_document(node), stamp, grid.index, base)
        if before is not None:
            kept.seen.update({each: seen for each, seen in before.seen.items() if seen[1] is base.object_of(each)})
        self._note(kept, self.volume, [each for each in base.identities if each in written])
        return self._as_it_is(kept, self.volume)

    def unchanged(self, identity: str, item: AnyObject) -> None:
        """Record that a segment has the same pixels as an object again, after it was changed and restored."""
        if self._kept is not None and self.volume is not None:
            segments = self.node.GetSegmentation()
            if segments.GetSegment(identity) is not None and identity in self._kept.base.identities:
                self._kept.seen[identity] = masks.stamp_of(self.node, identity, self.volume, self.grid), item

    def forget(self) -> None:
        """Drop the cache and an open transaction, because the image may have changed."""
        self.abandon()
        self._kept = None

    def _note(self, kept: _Kept, volume: vtkMRMLScalarVolumeNode, identities: Collection[str]) -> None:
        """Note that these segments have the pixels of their objects."""
        node, grid = self.node, volumes.grid_of(volume, kept.index)
        for identity, item in zip(kept.base.identities, objects_of(kept.base.result)):
            if identity in identities and node.GetSegmentation().GetSegment(identity) is not None:
                kept.seen[identity] = masks.stamp_of(node, identity, volume, grid), item

    def _as_it_is(self, kept: _Kept, volume: vtkMRMLScalarVolumeNode, unread: Collection[str] = ()) -> Shown:
        """The stored result with the masks of now; objects whose segment is gone are left out."""
        grid, segments, base = volumes.grid_of(volume, kept.index), self.node.GetSegmentation(), kept.base
        pairs = list(zip(base.identities, objects_of(base.result)))
        present = [pair for pair in pairs if segments.GetSegment(pair[0]) is not None]
        objects = tuple(self._object(kept, *pair, volume, grid, pair[0] in unread) for pair in present)
        identities = tuple(identity for identity, _item in present)
        for known in (kept.shown, base):
            if known is not None and known.identities == identities and _same(known.result.objects, objects):
                kept.shown = known
                return known
        kept.shown = Shown(with_objects(base.result, objects), identities, kept.stamp)
        return kept.shown

    def _object(
        self,
        kept: _Kept,
        identity: str,
        item: AnyObject,
        volume: vtkMRMLScalarVolumeNode,
        grid: PixelGrid,
        is_unread: bool,
    ) -> AnyObject:
        """An object with the pixels of its segment, which are read where its label map is another one by now."""
        stamp, last = kept.seen.get(identity, (None, item))
        if is_unread or (stamp is not None and stamp == masks.stamp_of(self.node, identity, volume, grid)):
            return last
        mask = masks.mask_of(self.node, identity, volume, grid)
        for known in (item, last):
            if known.windowed.is_of(mask):
                break
        else:
            known = repainted(kept.base.result, item, mask)
        kept.seen[identity] = masks.stamp_of(self.node, identity, volume, grid), known
        return known

    # changes

    def state(self) -> State:
        """The present state, for :meth:`restore`."""
        node = self.node
        known = [each for state in self._history.states(node) for each in state.snapshots]
        shown, document = self.loaded(), record.kept_document(node)
        if self._kept is not None and self._kept.document == document:
            document = self._kept.document  # the same object: states share it
        return State(snapshot(node, known), shown, document)

    def remember(self, state: State | None = None) -> None:
        """Keep a state for :meth:`undo`.

        Parameters
        ----------
        state : State, optional
            The state before a change that has just ended, so that later edits can be told from it. By default the
            present one, before a change; what is edited until :meth:`undo` counts as this change then.
        """
        if state is None:
            self._history.push(self.node, self.state())
            return
        known = [each for former in (*self._history.states(self.node), state) for each in former.snapshots]
        self._history.push(self.node, replace(state, after=snapshot(self.node, known)))

    def restore(self, state: State) -> None:
        """Restore the segments and the document of a state; what was edited after its change stays, see
        ``snapshot.bring_back``. The caller restores the other nodes of the result.
        """
        node, shown = self.node, state.shown
        self._go_back(state.document)
        renewed = bring_back(node, state.segments, state.after)
        for former in (each for other in self._history.states(node) for each in other.snapshots):
            held = {id(copy) for copy in former.copies.values()}
            former.copies.update({stamp: copy for stamp, copy in renewed.items() if id(copy) in held})
        self._kept = None
        if shown is not None and self.volume is not None:
            self._kept = _Kept(state.document, shown.stamp, record.kept_slice(node), shown)

    def _go_back(self, document: str | None) -> None:
        """Store a former document, and put all segments to where their image lay then: only there are they the same."""
        node, volume = self.node, self.volume
        now = record.kept_placement(node)
        record.set_document(node, document)
        then = record.kept_placement(node)
        if volume is not None and now is not None and then is not None:
            with suppress(RadiographError):  # what says that the image has no grid any more
                carry_segments(node, self.grid, now, then, ())

    def undo(self) -> bool:
        """Restore the last remembered state. Returns False if there is none.

        An open transaction counts as the last change and is cancelled.

        Raises
        ------
        GrayscaleDetSegError
            If the state differs in an object that was locked since.
        """
        is_changed = self._open is not None and self._open.is_changed
        self.abandon()
        if is_changed:
            return True
        for last in [] if self.node is None else self._history.states(self.node)[-1:]:
            for identity in locked_since(self.node, last.segments, last.after):
                name = display_name(self.node.GetSegmentation().GetSegment(identity).GetName())
                raise GrayscaleDetSegError(f"{name} is locked, and Undo would change it; unlock it in the table first.")
        state = None if self.node is None else self._history.pop(self.node)
        if state is not None:
            self.restore(state)
        return state is not None

    def new_notes(self) -> tuple[str, ...]:
        """The notes of the result that the last change has added."""
        node, shown = self.node, self.loaded()
        states = [] if node is None else self._history.states(node)
        if shown is None or not states:
            return ()
        notes, held = shown.result.notes, states[-1].shown
        before = () if held is None else held.result.notes
        is_longer = notes[: len(before)] == before
        return notes[len(before) :] if is_longer else tuple(note for note in notes if note not in before)

    def new_copies(self) -> tuple[str, ...]:
        """The ids of the hidden copies of edited segments that the last change has made."""
        node = self.node
        states = [] if node is None else self._history.states(node)
        if not states:
            return ()
        held = states[-1].segments.segments
        return tuple(each for each in copies_of(node) if held.GetSegment(each) is None)

    def is_repainted(self, identity: str, name: str) -> bool:
        """Whether the pixels of a segment, in any slice, differ from those written for the object called `name`."""
        return segmentation.is_repainted(self.node, self.volume, self.grid, identity, name)

    def keep_edited(self, identity: str, name: str) -> None:
        """Keep a segment as a hidden copy if it was edited by hand. Does nothing if the segment does not exist."""
        if self.node.GetSegmentation().GetSegment(identity) is not None and self.is_repainted(identity, name):
            keep_copy(self.node, identity)

    def open(self, transaction: Transaction) -> None:
        """Register a transaction that begins; another open one is settled."""
        self.settle()
        self._open = transaction

    def close(self, transaction: Transaction) -> None:
        """Unregister a transaction that has ended."""
        if self._open is transaction:
            self._open = None

    def settle(self) -> None:
        """End an open transaction with its present state."""
        if self._open is not None:
            self._open.settle()

    def abandon(self) -> None:
        """Cancel an open transaction and restore the state before it."""
        if self._open is not None:
            self._open.cancel()


def _same(first: Sequence[object], second: Sequence[object]) -> bool:
    return len(first) == len(second) and all(one is other for one, other in zip(first, second))
