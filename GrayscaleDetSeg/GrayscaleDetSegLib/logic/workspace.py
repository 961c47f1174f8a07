"""The results in a scene and their nodes, which follow the changes of each ``ResultStore``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..core.post_processing import PostProcessing
from ..core.results import AnyResult, image_of
from ..core.volumes.result import VolumeResult
from ..scene import outcome as outcomes
from ..scene import record, segmentation, volumes
from ..scene.aside import show_only
from ..scene.frame import CloudFrame
from ..scene.geometry import WHOLE, PixelGrid
from ..scene.masks import has_surface, make_surface
from ..scene.nodes import show_in
from ..scene.outcome import Outcome
from ..scene.placement import Placement
from ..scene.volume_source import with_loading
from ..scene.whole_volumes import read_whole
from . import following, moved_images, object_changes, taking
from .dicom_context import context_of, keep_context
from .drag import ThresholdDrag
from .history import History
from .placing import adopt
from .shown import AnyReading, Reading, Shown, WholeReading
from .store import ResultStore
from .threshold_view import set_interactive, show_thresholds

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode


class Workspace:
    """Shows results in a scene and updates their nodes.

    It observes nothing. Call all methods on the main thread.

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
        self._stores: dict[str, ResultStore] = {}
        self._depth = 0

    @property
    def is_writing(self) -> bool:
        """Whether the workspace is changing nodes now, so that their events are its own."""
        return self._depth > 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Mark the changes inside the context as the workspace's own."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def store(self, node: vtkMRMLSegmentationNode) -> ResultStore:
        """The store of the result that a segmentation shows."""
        store = self._stores.get(node.GetID())
        if store is None or store.node is not node:
            store = ResultStore(node, self.history)
            if store.node is not None:
                self._stores[node.GetID()] = store
        return store

    def forget_all(self) -> None:
        """Drop all caches and open drags, when a scene is closed."""
        with self.writing():
            for store in self._stores.values():
                store.abandon()
        self._stores.clear()
        self.history.clear()

    def forget(self, node: vtkMRMLSegmentationNode) -> None:
        """Drop the cache of a segmentation, because its image may have changed."""
        with self.writing():
            self.store(node).forget()

    def forget_gone(self) -> None:
        """Drop the caches of segmentations that are no longer in the scene."""
        self.history.drop_gone()
        for identity, store in list(self._stores.items()):
            if store.node is None:
                store.abandon()
                del self._stores[identity]

    def read(
        self, volume: vtkMRMLScalarVolumeNode, polarity: str = "auto", slice_index: int | None = None
    ) -> Reading:
        """Read a slice of a volume as a radiograph, with its DICOM context. Errors as for ``volumes.read_volume``."""
        stamp, grid = volumes.stamp_of(volume), volumes.grid_of(volume, slice_index)
        context = with_loading(grid.plane(volumes.values_of(volume)), context_of(volume, grid))
        image = volumes.read_volume(volume, grid.index, polarity, context)
        return Reading(volume, grid, image, stamp, context)

    def read_whole(self, volume: vtkMRMLScalarVolumeNode) -> WholeReading:
        """Read all slices of a volume. Errors as for ``whole_volumes.read_whole``."""
        stamp, grid = volumes.stamp_of(volume), volumes.grid_of(volume, WHOLE)
        return WholeReading(volume, grid, read_whole(volume, context_of(volume)), stamp)

    def show(
        self,
        reading: AnyReading,
        result: AnyResult,
        into: vtkMRMLSegmentationNode | None = None,
    ) -> Outcome:
        """Show a result beside its volume.

        Parameters
        ----------
        into : vtkMRMLSegmentationNode, optional
            The segmentation that will show it; :meth:`undo` restores what it showed before. By default a new one.

        Raises
        ------
        GrayscaleDetSegError
            As for :meth:`check_place`.
        """
        if into is not None:
            self.check_place(into, reading)
        volume, grid = reading.volume, reading.grid
        with self.change(into):
            if into is None:
                node = segmentation.add_segmentation_for(volume, grid, result, self.scene)
            else:
                node = into
                adopt(node, volume)
                segmentation.show_objects(node, volume, grid, result.objects)
            identities = segmentation.segment_ids(node)
            outcomes.refer_to_volume(node, volume)
            shown = self.store(node).save(result, identities, grid, reading.stamp, written=identities)
            found = self.refresh(node, shown)
            volumes.note_reading(volume, image_of(result))
            if isinstance(reading, Reading):
                keep_context(volume, reading.context)
            if isinstance(result, VolumeResult) and not has_surface(node):
                make_surface(node)
        return found

    def fits(self, node: vtkMRMLSegmentationNode, reading: AnyReading) -> bool:
        """Whether a segmentation can show results on this slice: it shows one already, or no result at all.

        False for a result that cannot be read: whose it is, and what was edited in it, is not known.
        """
        return taking.fits(self, node, reading)

    def check_place(self, node: vtkMRMLSegmentationNode, reading: AnyReading) -> None:
        """Check that a segmentation can show a result on a slice.

        Raises
        ------
        GrayscaleDetSegError
            If it belongs to another image or slice, holds a result that cannot be read, or is not in the scene.
        """
        taking.check_place(self, node, reading)

    def shown(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """The result that a segmentation shows, with the masks that its segments have now; None if it stores no result.

        Raises
        ------
        RadiographError
            As for ``record.kept_result``.
        """
        self.follow_image(node)
        return self.store(node).load()

    def sync(self, node: vtkMRMLSegmentationNode) -> Shown | None:
        """As :meth:`shown`, and update table, regions and cloud after edits by hand; without edits nothing is written.
        """
        shown = self.shown(node)
        if shown is not None:
            following.drop_gone(self, node, shown)
        return shown

    def outcome(self, node: vtkMRMLSegmentationNode) -> Outcome:
        """The nodes that belong to a segmentation."""
        return outcomes.outcome_of(node)

    def grid(self, node: vtkMRMLSegmentationNode) -> PixelGrid:
        """The grid of a segmentation's slice."""
        self.follow_image(node)
        return self.store(node).grid

    def results_on(self, volume: vtkMRMLScalarVolumeNode) -> list[vtkMRMLSegmentationNode]:
        """The segmentations that show a result on a volume, oldest first."""
        found = outcomes.outcomes_of(self.scene, volume)
        return [each.segmentation for each in found if record.kept_slice(each.segmentation) is not None]

    def would_lose_edits(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether another run into a segmentation would replace edits by hand since it was written.

        Segments that the user added do not count, because they stay. True if the result cannot be read, because
        nothing tells edits then.
        """
        return taking.would_lose_edits(self, node)

    def holds_locked(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether an object of a segmentation is locked, so that another run into it must be asked for."""
        return taking.holds_locked(node)

    def write_object(
        self,
        node: vtkMRMLSegmentationNode,
        result: AnyResult,
        name: str,
        identity: str | None = None,
        instead_of: str | None = None,
    ) -> str:
        """Show one object of a new result in its segment. The other segments stay, with the pixels that they have now.

        They may have changed since the new result was computed; the new object does not get their pixels. A segment
        that was edited by hand is kept as a hidden copy.

        Parameters
        ----------
        name : str
            Name of the object that is new or has changed.
        identity : str, optional
            Id of its segment; by default a new segment.
        instead_of : str, optional
            Id of a segment that is removed with its object, because the new one replaces it.

        Returns
        -------
        str
            The id of the segment.

        Raises
        ------
        GrayscaleDetSegError
            If the image is no longer in the scene, its pixels have changed, or a segment to be replaced is locked.
        """
        return object_changes.write_object(self, node, result, name, identity, instead_of)

    def write_objects(
        self, node: vtkMRMLSegmentationNode, result: AnyResult, names: Sequence[str]
    ) -> dict[str, str]:
        """Show several objects of a new result in their segments, as :meth:`write_object`, as one change for undo.

        Objects of these names that the new result does not have are removed with their segments.

        Returns
        -------
        dict of str to str
            Ids of the written segments by the names of their objects.
        """
        return object_changes.write_objects(self, node, result, names)

    def write_found(
        self, node: vtkMRMLSegmentationNode, before: VolumeResult, after: VolumeResult, wanted: str
    ) -> dict[str, str]:
        """Show the objects that differ between two results of a volume, except locked ones, as one change for undo.

        `wanted` is the name of the object whose box was given; a lock of it is an error.

        Returns
        -------
        dict of str to str
            Ids of the written segments by the names of their objects.
        """
        return object_changes.write_found(self, node, before, after, wanted)

    def remove_object(self, node: vtkMRMLSegmentationNode, identity: str) -> None:
        """Remove an object from a result, with its segment and its region. Does nothing if it does not exist.

        Raises
        ------
        GrayscaleDetSegError
            If it is locked.
        """
        object_changes.remove_object(self, node, identity)

    def drag(
        self, node: vtkMRMLSegmentationNode, identity: str, clean_up: PostProcessing | None = None
    ) -> ThresholdDrag:
        """Begin a drag of an object's thresholds; an open one is finished first. Errors as for :class:`ThresholdDrag`.

        Call the drag's ``finish`` or ``cancel`` in any case, whatever happens to the scene.
        """
        self.settle(node)
        return ThresholdDrag(self.store(node), identity, clean_up, self.writing)

    def settle(self, node: vtkMRMLSegmentationNode) -> None:
        """Finish an open drag in a segmentation, and let it follow its image."""
        with self.writing():
            self.store(node).settle()
        self.follow_image(node)

    def follow_image(self, node: vtkMRMLSegmentationNode, since: Placement | None = None) -> bool:
        """Move a result, all its segments and its regions to where its image is now, with the areas that it has there.

        Every method that reads a result does so first: the image may have been moved or rescaled in other modules. A
        result whose image has other pixels now stays where it is.

        Parameters
        ----------
        since : Placement, optional
            Where the image lay before it was moved just now; then the result follows whatever its pixels are.

        Returns
        -------
        bool
            False if there was nothing to follow.
        """
        return moved_images.follow_image(self, node, since)

    def remember(self, node: vtkMRMLSegmentationNode) -> None:
        """Keep the present state of a segmentation for :meth:`undo`. Scripts call it before they change a segmentation.
        """
        self.settle(node)
        self.store(node).remember()

    def can_undo(self, node: vtkMRMLSegmentationNode) -> bool:
        """Whether there is a state for :meth:`undo`."""
        return self.history.has(node)

    def undo(self, node: vtkMRMLSegmentationNode) -> bool:
        """Restore the last remembered state, edits by hand included. Returns False if there is none.

        An open drag counts as the last change and is cancelled. Errors as for ``ResultStore.undo``.
        """
        with self.writing():
            if not self.store(node).undo():
                return False
            following.follow(self, node)
        return True

    def show_object(self, node: vtkMRMLSegmentationNode, identity: str) -> CloudFrame | None:
        """Show the points and the thresholds of an object in the cloud's view. Returns None if there is no such object.
        """
        shown = self.shown(node)
        if shown is None or shown.object_of(identity) is None:
            return None
        with self.writing():
            return show_thresholds(outcomes.outcome_of(node), shown.result, identity, self.cloud_views)

    def set_interactive(self, node: vtkMRMLSegmentationNode, on: bool) -> None:
        """Allow or forbid dragging of boxes and regions."""
        with self.writing():
            set_interactive(outcomes.outcome_of(node), on)

    def apply_views(self, node: vtkMRMLSegmentationNode) -> None:
        """Show masks and regions in `image_views`, and not in the cloud's view."""
        found = outcomes.outcome_of(node)
        with self.writing():
            for each in (node, *found.regions.values()):
                if each.GetDisplayNode() is not None:
                    show_in(each.GetDisplayNode(), self.image_views)

    def show_only(self, node: vtkMRMLSegmentationNode | None) -> None:
        """Show only this result, or none, and hide the others; see ``scene.aside``."""
        with self.writing():
            show_only(self.scene, node)

    @contextmanager
    def change(self, node: vtkMRMLSegmentationNode | None) -> Iterator[None]:
        """Context of a change for undo, or of a new node (`node` is None): an error restores the state before."""
        store = None if node is None else self.store(node)
        if node is not None:
            self.follow_image(node)
        with self.writing():
            if store is not None:
                store.settle()
            before = None if store is None else store.state()
            try:
                with outcomes.no_leftovers(self.scene):
                    yield
            except BaseException:  # a scene that is half built is worse than the error
                if before is not None and store.node is not None:
                    store.restore(before)
                    following.follow(self, node)
                raise
            if before is not None:
                store.remember(before)

    def refresh(self, node: vtkMRMLSegmentationNode, shown: Shown) -> Outcome:
        """Update all nodes of a segmentation to the result that it shows and has stored."""
        return following.refresh(self, node, shown)
