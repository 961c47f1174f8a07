"""All that the panel asks of `logic` about results in the scene: read, shown, written, dragged, locked, undone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError
from ..core.post_processing import PostProcessing
from ..core.radiograph import Spacing
from ..core.results import AnyResult
from ..core.volumes.editing import changed_names
from ..core.volumes.result import VolumeResult
from ..logic import file_spacing
from ..logic.drag import ThresholdDrag
from ..logic.drawn import DrawnRegion
from ..logic.shown import AnyReading, Reading, Shown, WholeReading
from ..logic.weights_view import hide_weights, show_weights
from ..logic.workspace import Workspace
from ..scene.frame import CloudFrame
from ..scene.geometry import WHOLE, PixelGrid
from ..scene.outcome import Outcome
from ..scene.record import kept_slice

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

LOCKED = "GrayscaleDetSeg.Locked"
"""The tag of a segment that is locked; it is saved with the scene."""


class Results:
    """The results of a scene as the panel sees them.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    # whose changes they are

    @property
    def is_writing(self) -> bool:
        """Whether the software itself is changing nodes at this moment."""
        return self._workspace.is_writing

    def writing(self) -> AbstractContextManager[None]:
        """Marks the changes made inside as the software's own."""
        return self._workspace.writing()

    def hold(self, held: Callable[[], Collection[str]]) -> None:
        """Let `held` name the segments whose regions are being moved by hand: nobody else moves them then."""
        self._workspace.held = held

    # reading and showing

    def read(self, volume: vtkMRMLScalarVolumeNode, polarity: str, slice_index: int | None) -> Reading:
        """A slice of a volume as a radiograph; GrayscaleDetSegError where it is none."""
        return self._workspace.read(volume, polarity, slice_index)

    def read_whole(self, volume: vtkMRMLScalarVolumeNode) -> WholeReading:
        """All slices of a volume; GrayscaleDetSegError where they are none."""
        return self._workspace.read_whole(volume)

    def is_whole(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether a segmentation holds the result of a whole volume."""
        return kept_slice(node) == WHOLE

    def fits(self, node: vtkMRMLSegmentationNode, reading: AnyReading) -> bool:
        """Whether a segmentation can show results on this slice."""
        return self._workspace.fits(node, reading)

    def show(self, reading: AnyReading, result: AnyResult, into=None) -> Outcome:
        """Show a result beside its volume, in the segmentation `into` or a new one."""
        return self._workspace.show(reading, result, into)

    def shown(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """What a segmentation shows, hand edits included; None where it holds no result.

        Raises
        ------
        GrayscaleDetSegError
            If its image has other pixels now, or the record cannot be read.
        """
        return self._workspace.shown(node)

    def shown_or_none(self, node: vtkMRMLSegmentationNode | None) -> Shown | None:
        """The same; None as well where it is gone, or its image is, or the image has other pixels now."""
        try:
            return None if node is None or node.GetScene() is None else self._workspace.shown(node)
        except GrayscaleDetSegError:
            return None

    def sync(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """As :meth:`shown`; what was changed by hand comes into table, regions and cloud, too."""
        return self._workspace.sync(node)

    def nodes(self, node: vtkMRMLSegmentationNode) -> Outcome:
        """The nodes that belong to a segmentation."""
        return self._workspace.outcome(node)

    def grid(self, node: vtkMRMLSegmentationNode) -> PixelGrid:
        """Where the pixels of a segmentation's slice lie."""
        return self._workspace.grid(node)

    def on(self, volume: vtkMRMLScalarVolumeNode) -> list[vtkMRMLSegmentationNode]:
        """The segmentations that show a result on a volume, the oldest first."""
        return self._workspace.results_on(volume)

    def forget(self, node: vtkMRMLSegmentationNode) -> None:
        """The image of a result may be another one now."""
        self._workspace.forget(node)

    def forget_gone(self) -> None:
        """Segmentations may have left the scene."""
        self._workspace.forget_gone()

    # views

    def set_views(self, image_views: Sequence[str], cloud_views: Sequence[str] | None = None) -> None:
        """The ids of the views for regions and masks, and of those for clouds; all views where there are none."""
        self._workspace.image_views = image_views
        if cloud_views is not None:
            self._workspace.cloud_views = cloud_views

    def show_only(self, node: vtkMRMLSegmentationNode | None) -> None:
        """Of all results, let only this one be in view, or none."""
        self._workspace.show_only(node)

    def apply_views(self, node: vtkMRMLSegmentationNode) -> None:
        """Show masks and regions in the views for them."""
        self._workspace.apply_views(node)

    def show_cloud(self, node: vtkMRMLSegmentationNode, identity: str) -> CloudFrame | None:
        """Show the points and thresholds of an object in the cloud's view; None where it has none."""
        return self._workspace.show_object(node, identity)

    def show_weights(self, node: vtkMRMLSegmentationNode, identity: str) -> dict[str, vtkMRMLScalarVolumeNode]:
        """Show the maps and boxes of what a method has seen; see ``weights_view.show_weights``."""
        return show_weights(self._workspace, node, identity)

    def hide_weights(self, node: vtkMRMLSegmentationNode) -> None:
        """Take these maps and boxes away again."""
        hide_weights(self._workspace, node)

    def set_interactive(self, node: vtkMRMLSegmentationNode, on: bool) -> None:
        """Let the mouse take hold of boxes and regions, but not of those of locked objects; or of none."""
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
        """Whether an object is locked: neither moved nor deleted, and replaced by a run only when that was asked."""
        segment = node.GetSegmentation().GetSegment(identity)
        return segment is not None and segment.HasTag(LOCKED)

    def set_locked(self, node: vtkMRMLSegmentationNode, identity: str, on: bool) -> None:
        """Lock an object, or unlock it; the lock is saved with the scene."""
        segment = node.GetSegmentation().GetSegment(identity)
        if segment is None or segment.HasTag(LOCKED) == on:
            return
        with self.writing():
            if on:
                segment.SetTag(LOCKED, "1")
            else:
                segment.RemoveTag(LOCKED)

    # the spacing of the image

    @staticmethod
    def offered_spacing(volume: vtkMRMLScalarVolumeNode, slice_index: int | None) -> Spacing | None:
        """The spacing of a volume's file, where Slicer has loaded it with another one; None where there is none."""
        return file_spacing.offered_spacing(volume, slice_index)

    @staticmethod
    def has_file_spacing(volume: vtkMRMLScalarVolumeNode) -> bool:
        """Whether a volume was given the spacing of its file, which can be taken back."""
        return file_spacing.can_take_back(volume)

    def set_file_spacing(self, volume: vtkMRMLScalarVolumeNode, slice_index: int | None, on: bool) -> bool:
        """Give a volume the spacing of its file, or take it back; whether there was anything to do."""
        if on:
            return file_spacing.give_file_spacing(self._workspace, volume, slice_index) is not None
        return file_spacing.take_file_spacing_back(self._workspace, volume)

    # changes

    def would_lose_work(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether another run into a segmentation would replace what was edited by hand, or is locked."""
        segmentation = node.GetSegmentation()
        locked = any(self.is_locked(node, each) for each in segmentation.GetSegmentIDs())
        return locked or self._workspace.would_lose_edits(node)

    def write(self, node, result: AnyResult, name: str, identity: str | None = None) -> str:
        """Show one object of a new result in its segment, or in a new one; returns the segment's id."""
        return self._workspace.write_object(node, result, name, identity)

    def write_found(self, node, before: VolumeResult, after: VolumeResult, always: str) -> dict[str, str]:
        """Show what differs between two results of a volume, but for objects that are locked; one change for undo.

        `always` is the name of the object whose box was given, which is written whether it is locked or not.

        Returns
        -------
        dict of str to str
            The ids of the segments that were written, by the names of their objects.
        """
        shown = self._workspace.shown(node)
        held = {} if shown is None else shown.by_name
        names = [
            name
            for name in changed_names(before, after)
            if name == always or name not in held or not self.is_locked(node, held[name])
        ]
        return self._workspace.write_objects(node, after, names)

    def drawn(self, node: vtkMRMLSegmentationNode, label: str, roi, existing: str) -> DrawnRegion:
        """What becomes of a region drawn over a result; errors as ``DrawnRegion.of``."""
        return DrawnRegion.of(self._workspace, node, label, roi, existing)

    def remove(self, node: vtkMRMLSegmentationNode, identity: str) -> None:
        """Take an object out of a result."""
        self._workspace.remove_object(node, identity)

    def can_undo(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether there is a state before the last change."""
        return self._workspace.can_undo(node)

    def undo(self, node: vtkMRMLSegmentationNode) -> bool:
        """Bring back the state before the last change; whether there was one."""
        return self._workspace.undo(node)

    def drag(self, node: vtkMRMLSegmentationNode, identity: str, clean_up: PostProcessing | None) -> ThresholdDrag:
        """Begin to move the thresholds of an object; it ends with the drag's ``finish`` or ``cancel``."""
        return self._workspace.drag(node, identity, clean_up)
