"""A drag of the thresholds of one object, as a transaction: each move shows the final mask, and the end stores it once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.editing import MovingThresholds, with_thresholds
from ..core.explanations.threshold_map import ThresholdMap
from ..core.gray import GRAY_MAX
from ..core.post_processing import PostProcessing
from ..core.radiograph import area_of
from ..core.result import SegmentationResult, SegmentedObject
from ..scene import record, threshold_box
from ..scene.cloud import MovingCloud
from ..scene.kept_copies import is_copy, keep_copy
from ..scene.live import LiveMask
from ..scene.masks import has_surface, make_surface, mask_of
from ..scene.outcome import outcome_of, segment_of
from ..scene.segment_editor import allows_overlap
from ..scene.segmentation import note_written
from ..scene.snapshot import bring_back_segment
from ..scene.surface_models import MovingSurfaces, set_surfaces
from ..scene.table import fill_table
from ..scene.volumes import stamp_of
from .history import State
from .object_changes import check_unlocked
from .store import ResultStore

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLSegmentationNode

Interval = tuple[float, float]

SAME = 0.005
"""Gray levels by which an end of the interval may differ and still count as unmoved: a box keeps its place in single
precision."""


@dataclass(frozen=True)
class Numbers:
    """The figures of an object while its thresholds move.

    Parameters
    ----------
    interval : tuple of 2 float
        Bottom and top in gray levels 0..255.
    interval_units : tuple of 2 float
        The same in the image's own units, bone bright; infinite at an open end.
    pixel_count : int
        Number of pixels of the mask that is shown.
    area_mm2 : float or None
        Area in mm²; None without spacing.
    """

    interval: Interval
    interval_units: Interval
    pixel_count: int
    area_mm2: float | None


class ThresholdDrag:
    """Moves bottom and top of one object. Create it when a drag begins.

    It is a transaction on a result: :meth:`finish` stores the result once, with one state for undo; :meth:`cancel`
    restores the state before the drag at any moment. An error, the removal of segmentation, segment or image, the
    closing of the scene, and changed pixels of the image cancel it as well. Other nodes that were deleted are ignored.
    As a context manager it finishes with the last move, or is cancelled by an exception.

    Nothing is written before the interval changes, and if it ends where it began, nothing has changed, edits by hand
    included. Each move shows the final mask: after post-processing, without the pixels of other segments. These are the
    segments of other objects, and visible segments that the user added, unless they overlapped the object before or
    Slicer's Segment Editor allows overlap. If the object was edited by hand, its segment is kept as a hidden copy, see
    ``scene.kept_copies``, because thresholds do not reproduce such edits.

    Parameters
    ----------
    store : ResultStore
        Store of the segmentation, without an open transaction.
    segment_id : str
    clean_up : PostProcessing or None
        Post-processing of the mask; None for none.
    writing : callable () -> context manager
        Context manager for all changes of nodes.

    Raises
    ------
    KeyError
        If the segmentation shows no such object, the object has no thresholds, or the volume is no longer in the scene.
    GrayscaleDetSegError
        If the object is locked, the pixels of the volume have changed, or a transform between segmentation and volume
        is not linear.
    """

    def __init__(
        self,
        store: ResultStore,
        segment_id: str,
        clean_up: PostProcessing | None = None,
        writing: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        node = store.node
        if node is None or store.volume is None:
            raise KeyError(f"The volume that {'the result' if node is None else node.GetName()} belongs to is gone.")
        shown = store.load()
        item = None if shown is None else shown.object_of(segment_id)
        if item is None:
            raise KeyError(f"{node.GetName()} has no object '{segment_id}'.")
        if item.thresholds is None:
            raise KeyError(f"The object '{segment_id}' of {node.GetName()} has no thresholds.")
        check_unlocked(node, segment_id)
        self.result: SegmentationResult = shown.of_radiograph
        self.segment_id = segment_id
        self.item: SegmentedObject = item
        self.kept_edited: str | None = None
        """The id of the hidden copy of the segment as it was edited by hand; None if there is no need of it."""
        self._store, self._clean_up, self._writing = store, clean_up, writing
        self._volume, self._stamp, self._grid, self._outcome = store.volume, shown.stamp, store.grid, outcome_of(node)
        self._moving = MovingThresholds(self.result.radiograph, item.thresholds.field)
        self._added = self._added_by_hand(shown.identities)
        self._free = self._not_taken()
        self._is_edited = store.is_repainted(segment_id, item.name)
        self._before: State | None = None
        self._live: LiveMask | None = None
        self._cloud: MovingCloud | None = None
        self._surfaces: MovingSurfaces | None = None
        self._busy = self._is_storing = self._ended = False
        self._numbers = self._start = self._count(self._at((0.0, 0.0)), item.pixel_count)
        store.open(self)

    def __enter__(self) -> ThresholdDrag:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.cancel()
        else:
            self.settle()

    @property
    def numbers(self) -> Numbers:
        """The figures of the last move; before the first one, and after :meth:`cancel`, those of the segment before the
        drag.
        """
        return self._numbers

    @property
    def is_changed(self) -> bool:
        """Whether the drag is open and has changed anything."""
        return self._before is not None and not self._ended

    def move(self, interval: Interval, move_box: bool = False) -> Numbers:
        """Show the object with bottom and top at these gray levels. Does nothing if they are the present ones.

        Parameters
        ----------
        interval : tuple of 2 float
            Gray levels, in any order.
        move_box : bool
            Whether the threshold box is moved as well; False while the user drags the box itself.
        """
        shift = self._shift(interval)
        interval = self._at(shift)
        if self._busy or self._ended or interval == self._numbers.interval:
            return self._numbers
        if not self._is_possible():
            self.cancel()
            return self._numbers
        self._busy = True  # the box's own events come back here
        try:
            with self._writing():
                self._begin()
                mask = self._mask(shift)
                self._live.write(mask, self._moving.window)
                self._numbers = self._count(interval, int(np.count_nonzero(mask)))
                self._show(shift, move_box)
        except BaseException:
            self.cancel()
            raise
        finally:
            self._busy = False
        return self._numbers

    def finish(self, interval: Interval) -> SegmentationResult:
        """End the drag with bottom and top at these gray levels.

        Mask, cloud, box, table and the stored result are updated. Further calls change nothing.

        Returns
        -------
        SegmentationResult
            The result before the drag if the interval has not changed, or the drag was cancelled. Else a new result:
            the masks of the other objects are those of their segments, and objects whose segment was deleted are
            omitted.
        """
        if self._ended:
            return self.result
        shift = self._shift(interval)
        if shift == (0.0, 0.0) or not (self._is_possible() and self._is_still_known()):
            self.cancel()
            return self.result
        self._busy = True
        try:
            with self._writing():
                self._begin()
                self._commit(shift)
                self._ended = True
                self._store.close(self)
                self._show(shift, move_box=True)
        except BaseException:
            self.cancel()
            raise
        return self.result

    def settle(self) -> None:
        """End the drag with the interval of the last move."""
        self.finish(self._numbers.interval)

    def cancel(self) -> None:
        """End the drag and restore the state before it, as far as the nodes still exist."""
        if self._ended:
            return
        self._ended = True
        self._store.close(self)
        self._numbers = self._start
        with self._writing():
            if self._before is not None and self._store.held_node is not None:
                self._take_back(self._store.held_node)
            self._show((0.0, 0.0), move_box=True)

    def _is_possible(self) -> bool:
        """Whether segment and image are there, and the image has the pixels that it had."""
        node, volume = self._store.node, self._store.volume
        if node is None or volume is not self._volume or stamp_of(volume) != self._stamp:
            return False
        return node.GetSegmentation().GetSegment(self.segment_id) is not None

    def _is_still_known(self) -> bool:
        """Whether the result still has the object with these thresholds: another workspace may have changed it."""
        known = self._store.loaded((self.segment_id,))
        item = None if known is None else known.object_of(self.segment_id)
        return item is not None and item.name == self.item.name and item.thresholds is not None and (
            item.thresholds.interval == self.item.thresholds.interval
        )

    def _shift(self, interval: Interval) -> Interval:
        """How far bottom and top have moved from the start; 0 where they differ by rounding alone."""
        ends = []
        for value, start in zip(sorted(interval), self.item.thresholds.interval):
            value = float(np.clip(value, 0.0, GRAY_MAX))
            is_same = abs(value - float(np.clip(start, 0.0, GRAY_MAX))) <= SAME
            ends.append(0.0 if is_same else value - start)
        return ends[0], ends[1]

    def _at(self, shift: Interval) -> Interval:
        """Bottom and top after a shift."""
        bottom, top = (float(np.clip(a + b, 0.0, GRAY_MAX)) for a, b in zip(self.item.thresholds.interval, shift))
        return bottom, top

    def _count(self, interval: Interval, pixel_count: int) -> Numbers:
        image = self.result.radiograph
        area = area_of(pixel_count, image.spacing)
        return Numbers(interval, image.mapping.interval_to_units(*interval), pixel_count, area)

    def _added_by_hand(self, ours: tuple[str, ...]) -> np.ndarray:
        """The pixels (bool, rows, columns) of visible segments that somebody added beside the object."""
        node = self._store.node
        segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
        added, own = np.zeros(self._grid.shape, bool), self.item.windowed
        if allows_overlap(node.GetScene()):
            return added
        for number in range(segmentation.GetNumberOfSegments()):
            identity = segmentation.GetNthSegmentID(number)
            if identity in ours or is_copy(node, identity):
                continue
            if display is None or display.GetSegmentVisibility(identity):
                mask = mask_of(node, identity, self._volume, self._grid)
                if not (mask[own.window] & own.crop).any():
                    added |= mask
        return added

    def _not_taken(self) -> np.ndarray | None:
        """The pixels (bool) of the moving window that nobody else has; None where all are free."""
        window, overlaps = self._moving.window, self.result.overlaps
        free = ~self._added[window]
        for other in self.result.objects:
            if other is not self.item and not overlaps.may(self.item.label, other.label):
                other.windowed.take_from(free, window)
        return None if free.all() else free

    def _mask(self, shift: Interval) -> np.ndarray:
        """The pixels of the object, bool, in the moving window: by its thresholds, cleaned up, without those taken."""
        mask = self._moving.mask(*shift)
        if self._clean_up is not None:
            mask = self._clean_up.apply(mask, self.item.label)
        if self._free is not None:
            mask = mask & self._free
        return mask

    def _begin(self) -> None:
        """What must happen before the first change to the segment."""
        if self._live is not None:
            return
        node = self._store.node
        self._before = self._store.state()
        if self._is_edited:
            self.kept_edited = keep_copy(node, self.segment_id)
        self._live = LiveMask(node, self.segment_id, self._volume, self._grid, self._painted_outside())

    def _painted_outside(self) -> tuple[slice, slice] | None:
        """Rows and columns of the object's pixels, if some lie outside of its region: they were painted there."""
        rows, columns = self.item.windowed.window
        held, window = (rows, columns), self._moving.window
        is_inside = all(a.start >= b.start and a.stop <= b.stop for a, b in zip(held, window))
        return None if is_inside or not self.item.pixel_count else held

    def _show(self, shift: Interval, move_box: bool) -> None:
        """Let cloud, surfaces and box follow, as far as they are there and show this object."""
        start, outcome = self.item.thresholds.field, self._outcome
        field = start.shifted(*shift)
        is_changed = self._before is not None
        if is_changed and self._is_shown(outcome.cloud):
            self._cloud = self._cloud or MovingCloud(outcome.cloud, start)
            self._cloud.show(field)
        if is_changed and outcome.surfaces and all(self._is_shown(node) for node in outcome.surfaces):
            self._show_surfaces(start, field)
        if move_box and self._is_shown(outcome.box):
            if self._ended:
                threshold_box.restore(outcome.box)
            threshold_box.set_interval(outcome.box, self._at(shift))

    def _show_surfaces(self, start: ThresholdMap, field: ThresholdMap) -> None:
        """In place while they move; at the end facets come and go where the surfaces have opened and closed."""
        if self._ended:
            set_surfaces(self._outcome.surfaces, field)
            return
        self._surfaces = self._surfaces or MovingSurfaces(self._outcome.surfaces, start)
        self._surfaces.show(field)

    def _is_shown(self, node: vtkMRMLNode | None) -> bool:
        return node is not None and node.GetScene() is not None and segment_of(node) == self.segment_id

    def _commit(self, shift: Interval) -> None:
        """Bring segment, table, and what is stored, up to the interval; the other objects are as their segments are."""
        store, identity = self._store, self.segment_id
        now = store.load((identity,))
        film = now.of_radiograph
        result = with_thresholds(film, self.item.name, *shift, clean_up=self._clean_up, taken=self._added)
        item = dict(zip(now.identities, result.objects))[identity]
        self._is_storing = True
        self._live.finish(item.windowed.part(self._moving.window), self._moving.window)
        note_written(store.node, identity, item.mask)
        store.save(result, now.identities, self._grid, now.stamp, written=(identity,))
        if self._outcome.table is not None and self._outcome.table.GetScene() is not None:
            fill_table(self._outcome.table, result)
        store.remember(self._before)
        self.result = result
        self._numbers = self._count(item.thresholds.interval, item.pixel_count)

    def _take_back(self, node: vtkMRMLSegmentationNode) -> None:
        """Let segment, document and table be as they were; in a node that was removed as well, which may come back."""
        bring_back_segment(node, self._before.segments, self.segment_id)
        if self.kept_edited is not None:
            node.GetSegmentation().RemoveSegment(self.kept_edited)
            self.kept_edited = None
        if self._live is not None and self._live.had_surface and not has_surface(node):
            make_surface(node)
        if self._is_storing:  # an error has come in between
            record.set_document(node, self._before.document)
            table = self._outcome.table
            if table is not None and table.GetScene() is not None:
                fill_table(table, self._before.shown.result)
        self._store.unchanged(self.segment_id, self.item)
