"""Bottom and top of one object moved by hand: the mask follows at once, and is computed in full at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..core import boxes
from ..core.clean_up import CleanUp
from ..core.editing import MovingThresholds, with_thresholds
from ..core.gray import GRAY_MAX
from ..core.radiograph import area_of
from ..core.result import SegmentationResult, SegmentedObject
from ..scene import threshold_box
from ..scene.cloud import update_cloud
from ..scene.geometry import PixelGrid
from ..scene.kept_copies import is_copy, keep_copy, put_back
from ..scene.live import LiveMask
from ..scene.masks import mask_of
from ..scene.outcome import Outcome, segment_of
from ..scene.record import keep_result, objects_by_segment
from ..scene.segment_editor import allows_overlap
from ..scene.segmentation import is_repainted, note_written, segment_ids
from ..scene.surface_models import set_surfaces
from ..scene.table import fill_table

if TYPE_CHECKING:
    from slicer import vtkMRMLNode

Interval = tuple[float, float]

SAME = 0.005
"""Gray levels by which an end of the interval may differ and still count as unmoved: a box keeps its place in single
precision."""


@dataclass(frozen=True)
class Numbers:
    """What is said of an object while its thresholds move.

    Parameters
    ----------
    interval : tuple of 2 float
        Bottom and top in gray levels 0..255.
    interval_units : tuple of 2 float
        The same in the image's own units, bone bright; infinite at an open end.
    pixel_count : int
        Of the mask that is shown; the clean-up, which comes at the end, may change it.
    area_mm2 : float or None
        None without spacing.
    """

    interval: Interval
    interval_units: Interval
    pixel_count: int
    area_mm2: float | None


class ThresholdDrag:
    """Moves bottom and top of one object, from its start to its end; made as the mouse takes hold of them.

    It observes nothing, and outlives the deletion of any of its nodes: what is gone is left out. Nothing is written
    before the interval changes, and an interval that ends where it began leaves all as it was, edits by hand included.

    Pixels of other objects stay theirs where the two may not overlap, as their segments are when the drag begins. So do
    those of visible segments that somebody added, unless they overlapped the object already, or Slicer's Segment Editor
    is set to allow overlap. Where the object was edited by hand, its segment
    is kept as a hidden copy, see ``scene.kept_copies``, because thresholds know nothing of such edits.

    Parameters
    ----------
    outcome : Outcome
    result : SegmentationResult
        That the segmentation shows; it stays as it is.
    segment_id : str
    grid : PixelGrid
        Of the slice that was segmented.
    clean_up : CleanUp or None
        What is done to the mask at the end; None leaves it as the thresholds make it.

    Raises
    ------
    KeyError
        If the result or the segmentation has no such object, or one without thresholds, or the volume is gone.
    RadiographError
        If the segmentation was moved away from the volume by a transform that bends space.
    """

    def __init__(
        self,
        outcome: Outcome,
        result: SegmentationResult,
        segment_id: str,
        grid: PixelGrid,
        clean_up: CleanUp | None = None,
    ) -> None:
        node, volume = outcome.segmentation, outcome.volume
        self._items = objects_by_segment(node, result)
        if segment_id not in self._items or node.GetSegmentation().GetSegment(segment_id) is None:
            raise KeyError(f"{node.GetName()} has no object '{segment_id}'.")
        if self._items[segment_id].thresholds is None:
            raise KeyError(f"The object '{segment_id}' of {node.GetName()} has no thresholds.")
        if volume is None or volume.GetScene() is None:
            raise KeyError(f"The volume that {node.GetName()} belongs to is gone.")
        self.outcome, self.result, self.segment_id = outcome, result, segment_id
        self.item: SegmentedObject = self._items[segment_id]
        self.kept_edited: str | None = None
        """The id of the hidden copy of the segment as it was edited by hand; None if there is no need of it."""
        self._grid, self._clean_up = grid, clean_up
        self._moving = MovingThresholds(result.radiograph, self.item.thresholds.field)
        self._own = mask_of(node, segment_id, volume, grid)
        self._others, added = self._present()
        self._added = added
        taken = added[self._moving.window].copy()
        for identity, mask in self._others.items():
            if not result.overlaps.may(self.item.label, self._items[identity].label):
                taken |= mask[self._moving.window]
        self._free = ~taken if taken.any() else None
        self._is_edited = is_repainted(node, volume, grid, segment_id, self.item.name)
        self._live: LiveMask | None = None
        self._busy = self._finished = False
        self._numbers = self._count(self._at((0.0, 0.0)), int(np.count_nonzero(self._own)))

    @property
    def numbers(self) -> Numbers:
        """Those of the last move; before the first, those of the segment as it is."""
        return self._numbers

    @property
    def is_edited(self) -> bool:
        """Whether the object was edited by hand before: then the first move keeps a copy, see `kept_edited`."""
        return self._is_edited

    def move(self, interval: Interval, move_box: bool = False) -> Numbers:
        """Show the object with bottom and top at these gray levels; nothing where they are there already.

        Parameters
        ----------
        interval : tuple of 2 float
            In any order.
        move_box : bool
            Whether the threshold box is to follow; not while it is the box that is dragged.
        """
        shift = self._shift(interval)
        interval = self._at(shift)
        if self._busy or self._finished or interval == self._numbers.interval:
            return self._numbers
        self._busy = True  # the box's own events come back here
        try:
            self._begin()
            mask = self._moving.mask(*shift)
            if self._free is not None:
                mask &= self._free
            self._live.write(mask, self._moving.window)
            self._numbers = self._count(interval, int(np.count_nonzero(mask)))
            self._show(interval, shift, move_box)
        finally:
            self._busy = False
        return self._numbers

    def finish(self, interval: Interval) -> SegmentationResult:
        """End the drag with bottom and top at these gray levels.

        Mask, cloud, box, table, and what is stored of the result, follow; further calls change nothing.

        Returns
        -------
        SegmentationResult
            The same result as before if the interval is that of the start. Else the masks of the other objects are as
            their segments are, and objects whose segment is gone are left out.
        """
        if self._finished:
            return self.result
        shift = self._shift(interval)
        self._finished = self._busy = True
        if shift == (0.0, 0.0):
            self._take_back()
        else:
            self._begin()
            self.result = self._write(self._computed(shift))
        self._show(self._at(shift), shift, move_box=True)
        return self.result

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

    def _present(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The masks that other objects' segments have now, by segment; and the pixels that others' segments keep."""
        node, volume = self.outcome.segmentation, self.outcome.volume
        segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
        ours, masks = {*self._items, *segment_ids(node)} - {self.segment_id}, {}
        added, overlap = np.zeros(self._grid.shape, bool), allows_overlap(node.GetScene())
        for number in range(segmentation.GetNumberOfSegments()):
            identity = segmentation.GetNthSegmentID(number)
            if identity in ours:
                masks[identity] = mask_of(node, identity, volume, self._grid)
            elif identity != self.segment_id and not overlap and not is_copy(node, identity):
                if display is None or display.GetSegmentVisibility(identity):
                    mask = mask_of(node, identity, volume, self._grid)
                    if not (mask & self._own).any():
                        added |= mask
        return masks, added

    def _begin(self) -> None:
        """What must happen before the first change to the segment; nothing where it is gone."""
        if self._live is not None:
            return
        node, volume = self.outcome.segmentation, self.outcome.volume
        if self._is_edited and node.GetScene() is not None:
            if node.GetSegmentation().GetSegment(self.segment_id) is not None:
                self.kept_edited = keep_copy(node, self.segment_id)
        try:
            self._live = LiveMask(node, self.segment_id, volume, self._grid, self._window())
        except KeyError:
            self._live = _Nowhere()

    def _window(self) -> tuple[slice, slice] | None:
        """Rows and columns of the object's pixels, if some lie outside of its region: they were painted there."""
        if not self._own.any():
            return None
        x0, y0, x1, y1 = (int(edge) for edge in boxes.of_mask(self._own))
        held, window = (slice(y0, y1), slice(x0, x1)), self._moving.window
        is_inside = all(a.start >= b.start and a.stop <= b.stop for a, b in zip(held, window))
        return None if is_inside else held

    def _show(self, interval: Interval, shift: Interval, move_box: bool) -> None:
        """Let cloud, surfaces and box follow, as far as they are there and show this object."""
        field, outcome = self.item.thresholds.field.shifted(*shift), self.outcome
        if self._is_shown(outcome.cloud):
            update_cloud(outcome.cloud, field)
        if outcome.surfaces and all(self._is_shown(node) for node in outcome.surfaces):
            set_surfaces(outcome.surfaces, field)
        if move_box and self._is_shown(outcome.box):
            if self._finished:
                threshold_box.restore(outcome.box)
            threshold_box.set_interval(outcome.box, interval)

    def _is_shown(self, node: vtkMRMLNode | None) -> bool:
        return node is not None and node.GetScene() is not None and segment_of(node) == self.segment_id

    def _computed(self, shift: Interval) -> SegmentationResult:
        """The result after the drag, the other objects as their segments are."""
        items = []
        for identity, item in self._items.items():
            mask = self._others.get(identity)
            if identity == self.segment_id:
                items.append(item)
            elif mask is not None:
                is_same, spacing = item.windowed.is_of(mask), self.result.radiograph.spacing
                items.append(item if is_same else item.with_mask(mask, spacing))
        held = replace(self.result, objects=tuple(items))
        return with_thresholds(held, self.item.name, *shift, clean_up=self._clean_up, taken=self._added)

    def _write(self, result: SegmentationResult) -> SegmentationResult:
        """Bring segment, table, and what is stored, up to a result; those that are gone are left out."""
        names = {item.name: identity for identity, item in self._items.items()}
        (item,) = (each for each in result.objects if each.name == self.item.name)
        self._numbers = self._count(item.thresholds.interval, item.pixel_count)
        node, volume = self.outcome.segmentation, self.outcome.volume
        if self._live.finish(item.mask):
            note_written(node, volume, self._grid, self.segment_id)
            held = [each for each in result.objects if node.GetSegmentation().GetSegment(names[each.name]) is not None]
            result = replace(result, objects=tuple(held))
            keep_result(node, result, self._grid, [names[each.name] for each in held])
            if self.outcome.table is not None and self.outcome.table.GetScene() is not None:
                fill_table(self.outcome.table, result)
        return result

    def _take_back(self) -> None:
        """Give the segment the pixels that it had."""
        self._numbers = self._count(self._at((0.0, 0.0)), int(np.count_nonzero(self._own)))
        if self._live is None:
            return
        if self.kept_edited is None:
            self._live.finish(self._own)
        elif self.outcome.segmentation.GetScene() is not None:
            put_back(self.outcome.segmentation, self.segment_id, self.kept_edited)
            self.kept_edited = None


class _Nowhere:
    """Takes the place of a live mask whose segment is gone."""

    def write(self, *_: object) -> bool:
        return False

    def finish(self, *_: object) -> bool:
        return False
