"""The panel's interface to `logic` for results in the scene: read, show, write, drag, lock, undo."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
from ..core.post_processing import PostProcessing
from ..core.radiograph import Spacing
from ..core.results import AnyResult
from ..core.volumes.result import VolumeResult
from ..logic import file_spacing
from ..logic.drag import ThresholdDrag
from ..logic.drawn import DrawnRegion
from ..logic.seen_view import hide_seen, show_seen
from ..logic.shown import AnyReading, Reading, Shown, WholeReading
from ..logic.workspace import Workspace
from ..scene import locks
from ..scene.frame import CloudFrame
from ..scene.geometry import WHOLE, PixelGrid
from ..scene.kept_copies import copies_of
from ..scene.outcome import Outcome
from ..scene.record import kept_slice

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

_KEPT = _("What was edited by hand is kept as a hidden segment.")


class Results:
    """The results of a scene.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    # whose changes they are

    @property
    def is_writing(self) -> bool:
        """Whether this software is changing nodes now."""
        return self._workspace.is_writing

    def writing(self) -> AbstractContextManager[None]:
        """Mark the changes inside the context as this software's own."""
        return self._workspace.writing()

    def hold(self, held: Callable[[], Collection[str]]) -> None:
        """Set the function that returns the ids of segments whose regions the user is moving; these regions are not
        moved.
        """
        self._workspace.held = held

    # reading and showing

    def read(self, volume: vtkMRMLScalarVolumeNode, polarity: str, slice_index: int | None) -> Reading:
        """Read a slice of a volume as a radiograph.

        Raises
        ------
        GrayscaleDetSegError
            If the volume holds no radiograph.
        """
        return self._workspace.read(volume, polarity, slice_index)

    def read_whole(self, volume: vtkMRMLScalarVolumeNode) -> WholeReading:
        """Read all slices of a volume.

        Raises
        ------
        GrayscaleDetSegError
            If the node holds no gray volume.
        """
        return self._workspace.read_whole(volume)

    def is_whole(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether a segmentation stores the result of a whole volume."""
        return kept_slice(node) == WHOLE

    def fits(self, node: vtkMRMLSegmentationNode, reading: AnyReading) -> bool:
        """Whether a segmentation can show results on this slice."""
        return self._workspace.fits(node, reading)

    def show(self, reading: AnyReading, result: AnyResult, into=None) -> Outcome:
        """Show a result beside its volume, in the segmentation `into` or a new one."""
        return self._workspace.show(reading, result, into)

    def shown(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """The result that a segmentation shows, edits by hand included; None if it stores no result.

        Raises
        ------
        GrayscaleDetSegError
            If the pixels of its image have changed, or the record cannot be read.
        """
        return self._workspace.shown(node)

    def shown_or_none(self, node: vtkMRMLSegmentationNode | None) -> Shown | None:
        """As :meth:`shown`, but None also if node or image are no longer in the scene, or the pixels have changed."""
        try:
            return None if node is None or node.GetScene() is None else self._workspace.shown(node)
        except GrayscaleDetSegError:
            return None

    def sync(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """As :meth:`shown`, and update table, regions and cloud after edits by hand."""
        return self._workspace.sync(node)

    def nodes(self, node: vtkMRMLSegmentationNode) -> Outcome:
        """The nodes that belong to a segmentation."""
        return self._workspace.outcome(node)

    def grid(self, node: vtkMRMLSegmentationNode) -> PixelGrid:
        """The grid of a segmentation's slice."""
        return self._workspace.grid(node)

    def on(self, volume: vtkMRMLScalarVolumeNode) -> list[vtkMRMLSegmentationNode]:
        """The segmentations that show a result on a volume, oldest first."""
        return self._workspace.results_on(volume)

    def last_on(self, volume: vtkMRMLScalarVolumeNode, index: int) -> vtkMRMLSegmentationNode | None:
        """The youngest segmentation that shows a result on a slice, or with ``geometry.WHOLE`` on all slices; None if
        there is none.
        """
        found = self.on(volume)
        for node in found:  # Slicer's reader may have reversed the slices
            self._workspace.follow_image(node)
        return next((node for node in reversed(found) if kept_slice(node) == index), None)

    def forget(self, node: vtkMRMLSegmentationNode) -> None:
        """Drop the cache of a result, because its image may have changed."""
        self._workspace.forget(node)

    def forget_gone(self) -> None:
        """Drop the caches of segmentations that have left the scene."""
        self._workspace.forget_gone()

    # views

    def set_views(self, image_views: Sequence[str], cloud_views: Sequence[str] | None = None) -> None:
        """Set the ids of the views for regions and masks, and for clouds; all views if empty."""
        self._workspace.image_views = image_views
        if cloud_views is not None:
            self._workspace.cloud_views = cloud_views

    def show_only(self, node: vtkMRMLSegmentationNode | None) -> None:
        """Show only this result, or none, and hide the others."""
        self._workspace.show_only(node)

    def apply_views(self, node: vtkMRMLSegmentationNode) -> None:
        """Show masks and regions in the views set for them."""
        self._workspace.apply_views(node)

    def show_cloud(self, node: vtkMRMLSegmentationNode, identity: str) -> CloudFrame | None:
        """Show the points and thresholds of an object in the cloud's view. Returns None if it has none."""
        return self._workspace.show_object(node, identity)

    def show_seen(self, node: vtkMRMLSegmentationNode, identity: str) -> dict[str, vtkMRMLScalarVolumeNode]:
        """Show the maps and boxes that explain an object; see ``seen_view.show_seen``."""
        return show_seen(self._workspace, node, identity)

    def hide_seen(self, node: vtkMRMLSegmentationNode) -> None:
        """Remove the maps and boxes."""
        hide_seen(self._workspace, node)

    def set_interactive(self, node: vtkMRMLSegmentationNode, on: bool) -> None:
        """Allow dragging of boxes and regions, except those of locked objects; or forbid it."""
        self._workspace.set_interactive(node, on)
        if not on:
            return
        outcome = self._workspace.outcome(node)
        locked = [outcome.regions[each] for each in outcome.regions if self.is_locked(node, each)]
        if outcome.shown_segment is not None and self.is_locked(node, outcome.shown_segment):
            locked.append(outcome.box)
        with self.writing():
            for each in locked:
                if each is not None and each.GetScene() is not None:
                    each.SetLocked(True)
                    if each.GetDisplayNode() is not None:
                        each.GetDisplayNode().SetHandlesInteractive(False)

    # locks

    @staticmethod
    def is_locked(node: vtkMRMLSegmentationNode, identity: str) -> bool:
        """Whether an object is locked: it is neither moved nor deleted, and a run replaces it only after a
        confirmation.
        """
        return locks.is_locked(node, identity)

    def set_locked(self, node: vtkMRMLSegmentationNode, identity: str, on: bool) -> None:
        """Lock or unlock an object. The lock is saved with the scene."""
        with self.writing():
            locks.set_locked(node, identity, on)

    # the spacing of the image

    @staticmethod
    def offered_spacing(volume: vtkMRMLScalarVolumeNode, slice_index: int | None) -> Spacing | None:
        """The spacing of a volume's file, if Slicer has loaded it with another one; else None."""
        return file_spacing.offered_spacing(volume, slice_index)

    @staticmethod
    def has_file_spacing(volume: vtkMRMLScalarVolumeNode) -> bool:
        """Whether :meth:`set_file_spacing` has changed a volume."""
        return file_spacing.can_take_back(volume)

    def set_file_spacing(self, volume: vtkMRMLScalarVolumeNode, slice_index: int | None, on: bool) -> bool:
        """Give a volume the spacing of its file, or undo that. Returns False if there was nothing to do."""
        if on:
            return file_spacing.give_file_spacing(self._workspace, volume, slice_index) is not None
        return file_spacing.take_file_spacing_back(self._workspace, volume)

    # changes

    def would_lose_work(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether another run into a segmentation would replace edits by hand or locked objects."""
        return self._workspace.holds_locked(node) or self._workspace.would_lose_edits(node)

    def write(self, node, result: AnyResult, name: str, identity: str | None = None) -> str:
        """Show one object of a new result in its segment, by default a new one. Returns the id of the segment."""
        return self._workspace.write_object(node, result, name, identity)

    def write_found(self, node, before: VolumeResult, after: VolumeResult, wanted: str) -> dict[str, str]:
        """Show the objects that differ between two results of a volume; see ``Workspace.write_found``."""
        return self._workspace.write_found(node, before, after, wanted)

    def drawn(self, node: vtkMRMLSegmentationNode, label: str, roi, existing: str) -> DrawnRegion:
        """Prepare the changes for a region that was drawn over a result. Errors as for ``DrawnRegion.of``."""
        return DrawnRegion.of(self._workspace, node, label, roi, existing)

    def remarks(self, node: vtkMRMLSegmentationNode) -> list[str]:
        """Sentences on the last change: the notes that it has added to the result, and that edits by hand were kept."""
        store = self._workspace.store(node)
        notes = [f"{display_name(note).rstrip('.')}." for note in store.new_notes()]
        return [*notes, _KEPT] if store.new_copies() else notes

    def remove(self, node: vtkMRMLSegmentationNode, identity: str) -> None:
        """Remove an object from a result."""
        self._workspace.remove_object(node, identity)

    def can_undo(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether there is a state for :meth:`undo`."""
        return self._workspace.can_undo(node)

    def undo(self, node: vtkMRMLSegmentationNode) -> str:
        """Restore the state before the last change. Returns what there is to say, or an empty text if there was none.

        Errors as for ``ResultStore.undo``.
        """
        before = copies_of(node)
        if not self._workspace.undo(node):
            return ""
        text = _("The former state is back.")
        return text if set(copies_of(node)) <= set(before) else f"{text} {_KEPT}"

    def drag(self, node: vtkMRMLSegmentationNode, identity: str, clean_up: PostProcessing | None) -> ThresholdDrag:
        """Begin a drag of an object's thresholds. Call the drag's ``finish`` or ``cancel`` at its end."""
        return self._workspace.drag(node, identity, clean_up)
