"""Shows the chosen result in the views: masks, regions and cloud, and the selected object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..core.volumes.result import VolumeObject
from ..logic.observers import Observers
from ..logic.shown import Shown
from ..scene import volumes
from ..scene.geometry import moved
from ..scene.views import are_seen
from .picking import LinkedPicking
from .slice_clicks import SliceClicks, object_at

if TYPE_CHECKING:
    from .session import Session


class ResultView:
    """Shows ``session.node`` and follows its changes; the sections are informed by the session's signals."""

    def __init__(self, session: Session) -> None:
        self._session, self._results = session, session.results
        self._observers = Observers()
        self._nodes: list = []
        self._identities: tuple[str, ...] = ()
        self._stamp: int | None = None
        self._place: tuple[float, ...] = ()
        self.picking = LinkedPicking(self._on_pixel, self._on_no_pixel)
        self.clicks = SliceClicks(self._on_click)
        self._later, self._pixels = qt.QTimer(), qt.QTimer()
        for timer, call in ((self._later, self._look_at_segments), (self._pixels, self._on_pixels)):
            timer.setSingleShot(True)
            timer.setInterval(50)
            timer.connect("timeout()", call)
        session.result_chosen.connect(self.show)

    # showing

    def show(self, node) -> None:
        """Show another result, or the same one again; None shows none."""
        session, results = self._session, self._results
        session.finishing.emit()
        before = session.selection if node is session.node else None
        self.stop()
        if node is not None and self._asked(results.shown, node) is not None:
            session.node = node
        layout = session.layout
        was_shown = layout.shown
        is_whole = session.shows_volume
        if session.parameters.showCloud and session.node is not None and not is_whole:
            layout.show()
        elif is_whole or not session.parameters.showCloud:  # a volume is looked at in the user's own views
            layout.restore()
        results.set_views(layout.other_view_ids, layout.view_ids)
        results.show_only(session.node)
        if session.node is None:
            self.refresh()
            return
        results.apply_views(node)
        volume = results.nodes(node).volume
        is_new_place = layout.shown and not was_shown  # else the user's zoom stays
        layout.show_volume(volume, results.grid(node).index, fit=is_new_place)
        if is_whole:
            layout.centre(volume)
        self._observe(node, volume)
        self.clicks.enable()
        shown = self.refresh()
        identities = () if shown is None else shown.identities
        chosen = results.nodes(node).shown_segment if before is None else before
        self.select(chosen if chosen in identities else next(iter(identities), None))

    def _observe(self, node, volume) -> None:
        segmentation = slicer.vtkSegmentation
        for event in (
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
            segmentation.SegmentModified,
            segmentation.SourceRepresentationModified,
        ):
            self._observers.add(node, event, self._on_segments)
        self._stamp = volumes.stamp_of(volume)
        for event in (volume.ImageDataModifiedEvent, vtk.vtkCommand.ModifiedEvent):  # scripts may send the second alone
            self._observers.add(volume, event, self._pixels.start)

    def refresh(self) -> Shown | None:
        """Update all sections to the present state of the scene. Returns the result that is shown."""
        session, node = self._session, self._session.node
        shown = None if node is None else self._asked(self._results.sync, node)
        if shown is None or session.selection not in shown.identities:
            session.selection = None
        self._identities = () if shown is None else shown.identities
        session.refreshed.emit(shown)
        if node is not None:
            self._results.set_interactive(node, True)
        self._note_nodes()
        volume = None if node is None else self._results.nodes(node).volume
        self._place = () if volume is None else volumes.place_of(volume)
        session.changed.emit()
        return shown

    def stop(self) -> None:
        """Stop following the result; drags are not finished."""
        session = self._session
        self._later.stop()
        self._pixels.stop()
        self._observers.remove_all()
        self.clicks.disable()
        session.dropping.emit()
        self.picking.disable()
        self.picking.watch(None)
        session.node = session.selection = None
        session.refreshed.emit(None)
        session.pixel.emit("")

    def freeze(self) -> None:
        """Forbid dragging before the user leaves the module, because nothing observes the nodes then."""
        node = self._session.node
        if node is not None and node.GetScene() is not None:
            self._results.set_views(())
            self._results.apply_views(node)
            self._results.set_interactive(node, False)

    def drop_gone(self) -> None:
        """Handle the removal of nodes from the scene."""
        node = self._session.node
        if node is None or all(each is not None and each.GetScene() for each in self._nodes):
            return
        if node.GetScene() is None or self._results.nodes(node).volume is None:
            self.stop()
        else:
            self.refresh()

    def _note_nodes(self) -> None:
        """Keep in mind what is shown, to tell whether it is gone."""
        node = self._session.node
        outcome = None if node is None else self._results.nodes(node)
        self._nodes = [] if outcome is None else [node, outcome.volume, *outcome.helpers]

    def _asked(self, call, node) -> Shown | None:
        """What there is to say of a segmentation; says why where there is no answer, and gives None."""
        try:
            return call(node)
        except GrayscaleDetSegError as error:
            self._session.messages.fail(error)
            return None

    # the selected object

    def shown(self) -> Shown | None:
        """The present result; if it cannot be read, show the reason and return None."""
        node = self._session.node
        return None if node is None else self._asked(self._results.shown, node)

    def select(self, identity: str | None) -> None:
        """Select an object in all sections and views; selecting it again moves the views to it again."""
        session, node = self._session, self._session.node
        session.finishing.emit()
        self.picking.disable()
        session.selection = identity
        shown = None if identity is None else self.shown()
        item = None if shown is None else shown.object_of(identity)
        if shown is not None and identity is not None and item is not None:
            self.go_to(item.box if isinstance(item, VolumeObject) else item.region)
            if session.layout.shown:  # without its own view, the cloud would lie among the patient's organs
                self._show_cloud(shown, identity)
            self._results.set_interactive(node, True)
            self._note_nodes()
        session.selected.emit(identity)
        session.changed.emit()

    def _show_cloud(self, shown: Shown, identity: str) -> None:
        """The cloud of an object, where thresholds explain it; none for others."""
        results, node, thresholds = self._results, self._session.node, shown.object_of(identity).thresholds
        frame = results.show_cloud(node, identity)
        if frame is None or thresholds is None or shown.is_whole:
            return
        self._session.layout.aim(frame, thresholds.field.roi)
        outcome, index = results.nodes(node), results.grid(node).index
        self.picking.watch(outcome.cloud, outcome.volume, index, shown.result.radiograph.gray_image())
        self.picking.enable()

    def go_to(self, box: Sequence[float]) -> None:
        """Move all slice views to a box in the image; the Red view is centred on it if the box lies outside of the
        view.

        `box` is (x0, y0, x1, y1) in px, or (x0, y0, z0, x1, y1, z1) in voxels of a whole volume.
        """
        volume, grid = self._results.nodes(self._session.node).volume, self._results.grid(self._session.node)
        first, last = (*box[: len(box) // 2], 0.0)[:3], (*box[len(box) // 2 :], 0.0)[:3]
        middle = tuple((one + other) / 2.0 for one, other in zip(first, last))
        try:
            to_world = volumes.pixel_to_world(volume, grid)
        except GrayscaleDetSegError:  # a transform that bends: there is no one place to go to
            return
        places = moved(to_world, [middle, first, last])
        scene, node = slicer.mrmlScene, slicer.vtkMRMLSliceNode
        view = scene.GetNodeByID("vtkMRMLSliceNodeRed")
        is_seen = view is None or are_seen(view, places[1:])
        node.JumpAllSlices(scene, *places[0], node.OffsetJumpSlice if is_seen else node.CenteredJumpSlice)

    def _on_click(self, place: tuple[float, float, float]) -> None:
        """A click into a slice view, at a place in RAS: the object there is the selected one."""
        node, shown = self._session.node, self._results.shown_or_none(self._session.node)
        if shown is None:
            return
        try:
            to_world = volumes.pixel_to_world(self._results.nodes(node).volume, self._results.grid(node))
        except GrayscaleDetSegError:
            return
        display = node.GetDisplayNode()
        visible = [each for each in shown.identities if display is None or display.GetSegmentVisibility(each)]
        identity = object_at(shown, visible, to_world, place, self._session.selection)
        if identity is not None and identity != self._session.selection:
            self.select(identity)

    # what others do

    def _on_segments(self) -> None:
        """Segments were changed by somebody else; several events make one look."""
        if not self._results.is_writing:
            self._later.start()

    def _look_at_segments(self) -> None:
        if self._session.machine.is_moving:  # all is looked at when it rests
            return
        before = self._identities
        self.refresh()
        if self._identities != before:
            self._session.messages.drop_question()  # which may be about one that is gone

    def _on_pixels(self) -> None:
        """The image was changed or moved, or the sequence that it shows went on; its result may no longer be one."""
        node = self._session.node
        if node is not None and node.GetScene() is not None:
            volume = self._results.nodes(node).volume
            if volume is not None and volumes.stamp_of(volume) != self._stamp:
                self._results.forget(node)
                self.show(node)
            elif volume is not None and volumes.place_of(volume) != self._place:
                self.refresh()
                self._session.chosen.emit(self._session.parameters.volume)

    def _on_pixel(self, row: int, column: int, gray: float) -> None:
        text = _("Row {row}, column {column}: gray level {gray:.1f}").format(row=row, column=column, gray=gray)
        self._session.pixel.emit(text)

    def _on_no_pixel(self) -> None:
        self._session.pixel.emit("")
