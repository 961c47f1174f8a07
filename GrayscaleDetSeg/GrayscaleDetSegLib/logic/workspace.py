"""The results in a scene: shown, found again, changed, and brought back by undo.

What a segmentation shows is stored on its node (``scene.record``); what is kept here is only faster, and is dropped
where the node says something else, because a scene was loaded or another workspace has written to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.editing import without_object
from ..core.errors import GrayscaleDetSegError, RadiographError
from ..core.result import SegmentationResult
from ..scene import outcome as outcomes
from ..scene import record, regions, segmentation, table, volumes
from ..scene.frame import CloudFrame
from ..scene.geometry import PixelGrid
from ..scene.kept_copies import keep_copy
from ..scene.nodes import show_in
from ..scene.outcome import Outcome
from .facts import facts_of
from .history import History, State
from .shown import Reading, Shown, as_it_is, leaving
from .threshold_view import color_of_object, set_interactive, show_thresholds

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode


class Workspace:
    """Shows results in a scene and keeps track of them.

    It observes nothing. All methods belong to the main thread.

    Parameters
    ----------
    scene : vtkMRMLScene
    """

    def __init__(self, scene: vtkMRMLScene) -> None:
        self.scene = scene
        self.history = History()
        self.image_views: Sequence[str] = ()
        """Ids of the views for regions and masks; all views where there are none."""
        self.cloud_views: Sequence[str] = ()
        """Ids of the views for point clouds."""
        self.held: Callable[[], Collection[str]] = tuple
        """The ids of the segments whose regions somebody is moving at this moment: they are left where they are."""
        self._shown: dict[str, Shown] = {}
        self._depth = 0

    @property
    def is_writing(self) -> bool:
        """Whether the workspace is changing nodes at this moment: events then are its own."""
        return self._depth > 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Marks the changes made inside as the workspace's own."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def forget_all(self) -> None:
        """Drop all that is kept, for a scene that is closed."""
        self._shown.clear()
        self.history.clear()

    def forget(self, node: vtkMRMLSegmentationNode) -> None:
        """Drop what is kept of a segmentation, because the image below it may be another one now."""
        self._shown.pop(node.GetID(), None)

    def forget_gone(self) -> None:
        """Drop what is kept of segmentations that are no longer in the scene."""
        self.history.drop_gone()
        for identity in list(self._shown):
            if self.scene.GetNodeByID(identity) is None:
                del self._shown[identity]

    def read(
        self, volume: vtkMRMLScalarVolumeNode, polarity: str = "auto", slice_index: int | None = None
    ) -> Reading:
        """A slice of a volume as a radiograph, with all that DICOM says of it; errors as ``volumes.read_volume``."""
        stamp, grid = volumes.stamp_of(volume), volumes.grid_of(volume, slice_index)
        image = volumes.read_volume(volume, grid.index, polarity, facts_of(volume, grid))
        return Reading(volume, grid, image, stamp)

    def show(
        self,
        reading: Reading,
        result: SegmentationResult,
        into: vtkMRMLSegmentationNode | None = None,
    ) -> Outcome:
        """Show a result beside its volume.

        Parameters
        ----------
        into : vtkMRMLSegmentationNode, optional
            The segmentation to show it in; what it showed before can be brought back by :meth:`undo`. A new one by
            default.

        Raises
        ------
        GrayscaleDetSegError
            As :meth:`check_place`.
        """
        if into is not None:
            self.check_place(into, reading)
        volume, grid = reading.volume, reading.grid
        with self._change(into):
            if into is None:
                node = segmentation.add_segmentation_for(volume, grid, result, self.scene)
            else:
                node = into
                self._adopt(node, volume)
                segmentation.show_objects(node, volume, grid, result.objects)
            found = self._refresh(node, volume, grid, result, segmentation.segment_ids(node), reading.stamp)
            volumes.note_reading(volume, result.radiograph)
        return found

    def fits(self, node: vtkMRMLSegmentationNode, reading: Reading) -> bool:
        """Whether a segmentation can show results on this slice: it shows one, or none of ours yet."""
        held, index = outcomes.outcome_of(node).volume, record.kept_slice(node)
        if held is None:  # what belonged to an image that is gone belongs to no other
            return index is None
        return held is reading.volume and index in (None, reading.grid.index)

    def check_place(self, node: vtkMRMLSegmentationNode, reading: Reading) -> None:
        """See to it that a segmentation can show a result on a slice.

        Raises
        ------
        GrayscaleDetSegError
            If it belongs to another image or slice, or is no segmentation of the scene.
        """
        is_present = node.IsA("vtkMRMLSegmentationNode") and node.GetScene() is self.scene
        if not is_present or not self.fits(node, reading):
            wrong = "belongs to another image or slice" if is_present else "is no segmentation of this scene"
            raise GrayscaleDetSegError(f"{node.GetName()} {wrong}; choose another segmentation, or a new one.")

    def shown(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """What a segmentation shows, the masks as its segments have them now; None where it holds no result of ours.

        Raises
        ------
        RadiographError
            As ``record.kept_result``.
        """
        volume = outcomes.outcome_of(node).volume
        if volume is None:
            return None
        kept, now = self._shown.get(node.GetID()), (record.kept_document(node), volumes.stamp_of(volume))
        if kept is None or (kept.document, kept.stamp) != now:
            result = record.kept_result(node, volume)
            if result is None:
                return None
            kept = self._shown[node.GetID()] = Shown(result, tuple(record.kept_segments(node)), *now)
        return as_it_is(node, volume, self.grid(node), kept)

    def sync(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """What a segmentation shows; what was painted or deleted by hand comes into table, regions and cloud, too.

        Nothing is written where nothing was done by hand. Errors as :meth:`shown`.
        """
        shown = self.shown(node)
        if shown is None:
            return None
        found = outcomes.outcome_of(node)
        with self.writing():
            if found.table is not None and not table.is_of(found.table, shown.result):
                table.fill_table(found.table, shown.result)
            outcomes.remove_regions(found, [each for each in found.regions if each not in shown.identities])
            if found.shown_segment is not None and found.shown_segment not in shown.identities:
                outcomes.remove_thresholds(found)
        return shown

    def outcome(self, node: vtkMRMLSegmentationNode) -> Outcome:
        """The nodes that belong to a segmentation."""
        return outcomes.outcome_of(node)

    def grid(self, node: vtkMRMLSegmentationNode) -> PixelGrid:
        """Where the pixels of a segmentation's slice lie."""
        return volumes.grid_of(outcomes.outcome_of(node).volume, record.kept_slice(node))

    def results_on(self, volume: vtkMRMLScalarVolumeNode) -> list[vtkMRMLSegmentationNode]:
        """The segmentations that show a result on a volume, the oldest first."""
        found = outcomes.outcomes_of(self.scene, volume)
        return [each.segmentation for each in found if record.kept_slice(each.segmentation) is not None]

    def takes(self, node: vtkMRMLSegmentationNode, reading: Reading) -> bool:
        """Whether another result on the same image can be shown in a segmentation; what it shows can be brought back.

        Not where it belongs to another image or slice, or to other pixels than the volume has now.
        """
        try:
            self.check_place(node, reading)
            self.shown(node)
        except GrayscaleDetSegError:
            return False
        return True

    def would_lose_edits(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether another run into a segmentation would replace what was changed by hand since it was written.

        Segments that somebody added do not count, because they stay.
        """
        volume = outcomes.outcome_of(node).volume
        if volume is None or record.kept_slice(node) is None:
            return False
        edits = segmentation.edits_of(node, volume, self.grid(node))
        return bool(edits.changed or edits.removed)

    def write_object(
        self, node: vtkMRMLSegmentationNode, result: SegmentationResult, name: str, identity: str | None = None
    ) -> str:
        """Show one object of a new result in its segment, the others stay; returns the segment's id.

        The others are those that are shown now, which may have changed since the new result was begun; pixels that they
        have stay theirs. A segment that was edited by hand is kept as a hidden copy.

        Parameters
        ----------
        name : str
            Of the object that is new or was changed.
        identity : str, optional
            Of its segment; a new one if there is none.

        Raises
        ------
        GrayscaleDetSegError
            If the image is gone or shows other pixels.
        """
        before = self.shown(node)
        if before is None:
            raise GrayscaleDetSegError(f"The image of {node.GetName()} is gone; load it and segment again.")
        volume, grid = outcomes.outcome_of(node).volume, self.grid(node)
        (item,) = (each for each in result.objects if each.name == name)
        others = [each for each in before.result.objects if each.name != name]
        item = leaving(item, others, result)
        order = {each.name: each for each in before.result.objects}
        result = replace(before.result, model=result.model, objects=tuple({**order, name: item}.values()))
        with self._change(node):
            if identity is not None and node.GetSegmentation().GetSegment(identity) is not None:
                if segmentation.is_repainted(node, volume, grid, identity, name):
                    keep_copy(node, identity)
            written = segmentation.write_object(node, volume, grid, item, identity)
            held = dict(zip((each.name for each in before.result.objects), before.identities))
            identities = [written if each is item else held[each.name] for each in result.objects]
            self._refresh(node, volume, grid, result, identities, before.stamp)
        return written

    def remove_object(self, node: vtkMRMLSegmentationNode, identity: str) -> None:
        """Take an object out of a result, with its segment and its region; nothing where it is not there."""
        before = self.shown(node)
        item = None if before is None else before.object_of(identity)
        if item is None:
            return
        with self._change(node):
            segmentation.remove_object(node, identity)
            identities = [each for each in before.identities if each != identity]
            volume, result = outcomes.outcome_of(node).volume, without_object(before.result, item.name)
            self._refresh(node, volume, self.grid(node), result, identities, before.stamp)

    def update(self, node: vtkMRMLSegmentationNode, result: SegmentationResult) -> None:
        """Take a result whose masks are written already: regions, table and what is stored follow."""
        volume, shown = outcomes.outcome_of(node).volume, self.shown(node)
        with self.writing():
            self._refresh(node, volume, self.grid(node), result, shown.identities, shown.stamp)

    def remember(self, node: vtkMRMLSegmentationNode) -> None:
        """Keep the present state of a segmentation for :meth:`undo`; call it before changing it."""
        segments = segmentation.snapshot(node)
        self.history.push(node, State(segments, self._fitting(node), record.kept_document(node), segments.size))

    def undo(self, node: vtkMRMLSegmentationNode) -> bool:
        """Bring back the last state that was remembered, hand edits of then included; whether there was one."""
        state = self.history.pop(node)
        if state is None:
            return False
        with self.writing():
            segmentation.bring_back(node, state.segments)
            record.set_document(node, state.document)
            if state.shown is not None:
                self._shown[node.GetID()] = state.shown
            shown, found = self._fitting(node), outcomes.outcome_of(node)
            if shown is not None:
                volumes.note_reading(found.volume, shown.result.radiograph)
                self._refresh(node, found.volume, self.grid(node), shown.result, shown.identities, shown.stamp)
            else:  # it showed no result, or the image of that is another one now
                outcomes.remove_helpers(found)
                found.volume = None if state.document is None else found.volume
                outcomes.connect(found)
        return True

    def show_object(self, node: vtkMRMLSegmentationNode, identity: str) -> CloudFrame | None:
        """Show the points and the thresholds of an object in the cloud's view; None where there is no such object."""
        shown = self.shown(node)
        if shown is None or shown.object_of(identity) is None:
            return None
        with self.writing():
            return show_thresholds(outcomes.outcome_of(node), shown.result, identity, self.cloud_views)

    def set_interactive(self, node: vtkMRMLSegmentationNode, on: bool) -> None:
        """Let the mouse take hold of boxes and regions, or not."""
        with self.writing():
            set_interactive(outcomes.outcome_of(node), on)

    def apply_views(self, node: vtkMRMLSegmentationNode) -> None:
        """Show masks and regions in `image_views`, so that the cloud's view has none of them."""
        found = outcomes.outcome_of(node)
        with self.writing():
            for each in (node, *found.regions.values()):
                if each.GetDisplayNode() is not None:
                    show_in(each.GetDisplayNode(), self.image_views)

    @contextmanager
    def _change(self, node: vtkMRMLSegmentationNode | None) -> Iterator[None]:
        """Around a change that can be undone, or the making of a new node: all of it happens, or nothing."""
        if node is not None:
            self.remember(node)
        with self.writing():
            try:
                with outcomes.no_leftovers(self.scene):
                    yield
            except Exception:  # a scene that is half built is worse than the error
                if node is not None:
                    self.undo(node)
                raise

    def _fitting(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """What a segmentation shows; None also where its image shows other pixels by now."""
        try:
            return self.shown(node)
        except RadiographError:
            return None

    def _adopt(self, node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> None:
        """Give a segmentation the place of a volume, unless somebody's segments in it would move."""
        parent = volume.GetParentTransformNode()
        is_ours = not segmentation.has_others_segments(node)
        if is_ours and parent is not node.GetParentTransformNode():
            node.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
        if outcomes.outcome_of(node).volume is None:
            node.CreateDefaultDisplayNodes()
            if is_ours or node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is None:
                node.SetReferenceImageGeometryParameterFromVolumeNode(volume)

    def _refresh(
        self,
        node: vtkMRMLSegmentationNode,
        volume: vtkMRMLScalarVolumeNode,
        grid: PixelGrid,
        result: SegmentationResult,
        identities: Sequence[str],
        stamp: int | None,
    ) -> Outcome:
        """Bring all that belongs to a segmentation up to a result whose masks it shows already."""
        found = outcomes.outcome_of(node)
        found.volume = volume
        record.keep_result(node, result, grid, identities)
        # others may have been edited by hand since the result was made
        written = Shown(result, tuple(identities), record.kept_document(node), stamp)
        shown = as_it_is(node, volume, grid, written)
        result, identities = shown.result, shown.identities
        self._place_regions(found, grid, result, identities)
        if found.table is None:
            found.table = table.add_table(self.scene, result, f"{node.GetName()} results")
        else:
            table.fill_table(found.table, result)
        self._shown[node.GetID()] = shown
        if node.GetDisplayNode() is not None:
            show_in(node.GetDisplayNode(), self.image_views)
        outcomes.connect(found)
        if found.shown_segment is not None and found.shown_segment not in identities:
            outcomes.remove_thresholds(found)
        elif found.shown_segment is not None:
            show_thresholds(found, result, found.shown_segment, self.cloud_views)
        return found

    def _place_regions(
        self, found: Outcome, grid: PixelGrid, result: SegmentationResult, identities: Sequence[str]
    ) -> None:
        outcomes.remove_regions(found, [each for each in found.regions if each not in identities])
        for identity, item in zip(identities, result.objects):
            node = found.regions.get(identity)
            if node is None:
                color = color_of_object(found.segmentation, identity, item)
                found.regions[identity] = regions.add_region(
                    self.scene, found.volume, grid, item.region, item.name, color, self.image_views
                )
            elif identity not in self.held() and regions.region_of(node, found.volume, grid) != item.region:
                regions.place_region(node, found.volume, grid, item.region)
