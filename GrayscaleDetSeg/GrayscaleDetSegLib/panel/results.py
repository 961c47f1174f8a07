"""The result that the panel shows: its table, its thresholds, its regions, and what can be done with them."""

from __future__ import annotations

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..core.clean_up import CleanUp
from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
from ..logic.drag import Numbers, ThresholdDrag
from ..logic.observers import Observers
from ..logic.segmenter import Segmented
from ..logic.shown import Shown
from ..scene import volumes
from ..scene.geometry import moved
from ..scene.views import are_seen
from .desk import Desk
from .objects_table import ObjectsTable
from .picking import LinkedPicking
from .region_work import RegionWork
from .threshold_editor import ThresholdEditor, area_text


class ResultPanel:
    """The sections "Objects" and "Thresholds" of the panel, and the views that belong to them."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._workspace = desk, desk.workspace
        ui, workspace = desk.ui, desk.workspace
        self._observers = Observers()
        self._nodes: list = []
        self._stamp: int | None = None
        self.table = ObjectsTable(ui.objectsTable, self._on_selected, self._on_shown)
        self.thresholds = ThresholdEditor(ui, workspace, self._on_move, self._on_finish, self._clean_up)
        self.regions = RegionWork(desk, self.finish_edits, self._on_written)
        self.picking = LinkedPicking(self._on_pixel, lambda: self._say_pixel(""))
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.setInterval(50)
        self._later.connect("timeout()", self._look_at_segments)
        self._pixels = qt.QTimer()
        self._pixels.setSingleShot(True)
        self._pixels.setInterval(50)
        self._pixels.connect("timeout()", self._on_pixels)
        ui.undoButton.connect("clicked(bool)", lambda _on=False: self.undo())
        ui.deleteButton.connect("clicked(bool)", lambda _on=False: self.delete())
        ui.editButton.connect("clicked(bool)", lambda _on=False: self.edit())

    # showing

    @property
    def node(self):
        """The segmentation that is shown; None where none is."""
        return self._desk.node

    def show(self, node) -> None:
        """Show another result, or the same anew; None shows none."""
        self.finish_edits()
        before = self.table.selected if node is self.node else None
        self.stop()
        if node is not None and self._workspace_knows(node):
            self._desk.node = node
        desk, workspace = self._desk, self._workspace
        was_shown = desk.layout.shown
        if desk.parameters.showCloud and self.node is not None:
            desk.layout.show()
        elif not desk.parameters.showCloud:
            desk.layout.restore()
        workspace.image_views = desk.layout.other_view_ids
        workspace.cloud_views = desk.layout.view_ids
        workspace.show_only(self.node)
        if self.node is None:
            self.refresh()
            return
        workspace.apply_views(self.node)
        volume = workspace.outcome(self.node).volume
        is_new_place = desk.layout.shown and not was_shown  # else the user's zoom stays
        desk.layout.show_volume(volume, workspace.grid(self.node).index, fit=is_new_place)
        segmentation = slicer.vtkSegmentation
        for event in (
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
            segmentation.SegmentModified,
            segmentation.SourceRepresentationModified,
        ):
            self._observers.add(self.node, event, self._on_segments)
        self._stamp = volumes.stamp_of(volume)
        for event in (volume.ImageDataModifiedEvent, vtk.vtkCommand.ModifiedEvent):  # scripts may send the second alone
            self._observers.add(volume, event, self._pixels.start)
        self.refresh()
        chosen = workspace.outcome(self.node).shown_segment if before is None else before
        self.select(chosen if chosen in self.table.identities else next(iter(self.table.identities), None))

    def refresh(self) -> None:
        """Bring table, thresholds and watched regions up to what the scene holds now."""
        node, workspace = self.node, self._workspace
        shown = None if node is None else self._asked(workspace.sync)
        colors, visible = {}, {}
        for identity in () if shown is None else shown.identities:
            colors[identity] = node.GetSegmentation().GetSegment(identity).GetColor()
            display = node.GetDisplayNode()
            visible[identity] = display is None or display.GetSegmentVisibility(identity)
        self.table.fill(shown, colors, visible)
        self.thresholds.edit(node, self.table.selected)
        self.regions.watch.watch(None if node is None else workspace.outcome(node))
        if node is not None:
            workspace.set_interactive(node, True)
        self._note_nodes()
        self._desk.changed()

    def stop(self) -> None:
        """Let go of the result; what moves is not finished."""
        self._later.stop()
        self._pixels.stop()
        self._observers.remove_all()
        self.regions.drawing.cancel()
        self.picking.disable()
        self.picking.watch(None)
        self.regions.watch.watch(None)
        self.thresholds.stop()
        self._desk.node = None
        self.table.fill(None, {}, {})
        self._say_pixel("")

    def freeze(self) -> None:
        """Before the user goes elsewhere: what moves is finished, and nothing can be dragged that nobody watches."""
        self.finish_edits()
        self.regions.watch.watch(None)
        self.regions.put_back()
        if self.node is not None and self.node.GetScene() is not None:
            self._workspace.image_views = ()
            self._workspace.apply_views(self.node)
            self._workspace.set_interactive(self.node, False)

    def close(self) -> None:
        """The panel goes for good."""
        self.stop()

    def finish_edits(self) -> None:
        """Make final what is being moved."""
        self.thresholds.finish()

    def drop_gone(self) -> None:
        """Nodes were removed from the scene."""
        if self.node is None or all(each is not None and each.GetScene() for each in self._nodes):
            return
        if self.node.GetScene() is None or self._workspace.outcome(self.node).volume is None:
            self.stop()
        else:
            self.refresh()

    def _note_nodes(self) -> None:
        """Keep in mind what is shown, to tell whether it is gone."""
        outcome = None if self.node is None else self._workspace.outcome(self.node)
        self._nodes = [] if outcome is None else [self.node, outcome.volume, *outcome.helpers]

    def select_first_of(self, found: Segmented) -> None:
        """After a run: the first object is the chosen one."""
        if self.node is found.segmentation:
            self.stop()

    def _workspace_knows(self, node) -> bool:
        return self._asked(self._workspace.shown, node) is not None

    def _asked(self, call, node=None) -> Shown | None:
        """What the workspace says of the node, or of another; says why where it has no answer, and gives None."""
        try:
            return call(self.node if node is None else node)
        except GrayscaleDetSegError as error:
            self._desk.messages.fail(error)
            return None

    # the chosen object

    def select(self, identity: str | None) -> None:
        """Choose an object, in the table and in the views."""
        if identity != self.table.selected:
            self.table.select(identity)  # which tells us
        else:
            self._on_selected(identity)

    def _on_selected(self, identity: str | None) -> None:
        node, desk, workspace = self.node, self._desk, self._workspace
        self.finish_edits()
        self.picking.disable()
        shown = None if node is None or identity is None else self._asked(workspace.shown)
        if shown is not None and shown.object_of(identity) is not None:
            item, grid = shown.object_of(identity), workspace.grid(node)
            self._jump_to(item, workspace.outcome(node).volume, grid)
            if desk.layout.shown:  # without its own view, the cloud would lie among the patient's organs
                self._show_cloud(shown, identity)
            workspace.set_interactive(node, True)
            self._note_nodes()
        self.thresholds.edit(node, identity)
        desk.changed()

    def _show_cloud(self, shown: Shown, identity: str) -> None:
        """The cloud of the chosen object, where thresholds explain it; none for others."""
        workspace, thresholds = self._workspace, shown.object_of(identity).thresholds
        frame = workspace.show_object(self.node, identity)
        if frame is None or thresholds is None:
            return
        self._desk.layout.aim(frame, thresholds.field.roi)
        outcome, index = workspace.outcome(self.node), workspace.grid(self.node).index
        self.picking.watch(outcome.cloud, outcome.volume, index, shown.result.radiograph.gray_image())
        self.picking.enable()

    def _jump_to(self, item, volume, grid) -> None:
        """All slice views go to an object; where it lies outside of what the Red view shows, it comes to the middle."""
        x0, y0, x1, y1 = item.region
        middle = ((x0 + x1) / 2.0, (y0 + y1) / 2.0, 0.0)
        try:
            to_world = volumes.pixel_to_world(volume, grid)
        except GrayscaleDetSegError:  # a transform that bends: there is no one place to go to
            return
        places = moved(to_world, [middle, (x0, y0, 0.0), (x1, y1, 0.0)])
        scene, node = slicer.mrmlScene, slicer.vtkMRMLSliceNode
        view = scene.GetNodeByID("vtkMRMLSliceNodeRed")
        is_seen = view is None or are_seen(view, places[1:])
        node.JumpAllSlices(scene, *places[0], node.OffsetJumpSlice if is_seen else node.CenteredJumpSlice)

    def _on_shown(self, identity: str, on: bool) -> None:
        if self.node.GetDisplayNode() is not None:
            self.node.GetDisplayNode().SetSegmentVisibility(identity, on)
        region = self._workspace.outcome(self.node).regions.get(identity)
        if region is not None and region.GetDisplayNode() is not None:
            region.GetDisplayNode().SetVisibility(on)

    def _on_segments(self) -> None:
        """Segments were changed by somebody else; several events make one look."""
        if not self._workspace.is_writing:
            self._later.start()

    def _look_at_segments(self) -> None:
        if not self.thresholds.is_moving:  # else all is looked at when they rest
            self.refresh()

    def _on_pixels(self) -> None:
        """The image was changed, or the sequence that it shows went on; its result may no longer be one."""
        if self.node is not None and self.node.GetScene() is not None:
            volume = self._workspace.outcome(self.node).volume
            if volume is not None and volumes.stamp_of(volume) != self._stamp:
                self._workspace.forget(self.node)
                self.show(self.node)

    # thresholds

    def _clean_up(self, shown: Shown, identity: str) -> CleanUp | None:
        """What cleans the mask of an object up when its thresholds were moved; None leaves it as they make it."""
        parameters = self._desk.parameters
        if parameters is None or not parameters.cleanUp:
            return None
        label = shown.object_of(identity).label
        return self._desk.segmenter.models.clean_up_of(label, shown.result.model, parameters.model)

    def _on_move(self, identity: str, numbers: Numbers) -> None:
        self.table.update_row(identity, numbers.interval, area_text(numbers.pixel_count, numbers.area_mm2))

    def _on_finish(self, identity: str, drag: ThresholdDrag) -> None:
        low, high = drag.numbers.interval
        text = _("{name}: gray levels {low:.1f} to {high:.1f}.").format(
            name=display_name(drag.item.name), low=low, high=high
        )
        if drag.kept_edited is not None:
            text += " " + _("What was edited by hand is kept as a hidden segment.")
        self._desk.messages.say(text)
        if self.node is not None:
            self.refresh()

    def _on_written(self, node, identity: str) -> None:
        """A region's object was written."""
        if self.node is node:
            self.refresh()
            self.select(identity)

    # the buttons below the table

    def undo(self) -> None:
        """Bring back the state before the last change."""
        if self.node is None or self._desk.runner.is_busy:
            return
        self.finish_edits()
        if self._workspace.undo(self.node):
            self._desk.messages.say(_("The former state is back."))
            self.refresh()
            self.select(self._workspace.outcome(self.node).shown_segment or next(iter(self.table.identities), None))

    def delete(self) -> None:
        """Take the chosen object out of the result."""
        identity = self.table.selected
        if identity is None or self._desk.runner.is_busy:
            return
        self.finish_edits()
        shown = self._asked(self._workspace.shown)
        if shown is None:
            return
        name = shown.object_of(identity).name
        self._workspace.remove_object(self.node, identity)
        self._desk.messages.say(_("{name} was deleted; Undo brings it back.").format(name=display_name(name)))
        self.refresh()
        self.select(next(iter(self.table.identities), None))

    def edit(self) -> None:
        """Go on in Segment Editor, with segmentation, volume and segment chosen."""
        identity, node = self.table.selected, self.node
        if identity is None:
            return
        self.finish_edits()
        volume = self._workspace.outcome(node).volume
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(node)
        editor.setSourceVolumeNode(volume)
        editor.setCurrentSegmentID(identity)

    def update_buttons(self, busy: bool, obstacle: str) -> None:
        """Which buttons can be used, and why the others cannot."""
        ui, wait = self._desk.ui, _("Wait until the run has ended.") if busy else ""
        has_undo = self.node is not None and self._workspace.can_undo(self.node)
        chosen = "" if self.table.selected is not None else _("Choose an object in the table first.")
        drawing = self.regions.drawing.active
        for button, reason, text in (
            (ui.undoButton, wait or ("" if has_undo else _("There is nothing to undo.")),
             _("Bring back the state before the last change (Ctrl+Shift+Z).")),
            (ui.deleteButton, wait or chosen, _("Take this object out of the result; Undo brings it back.")),
            (ui.editButton, wait or chosen, _("Correct this object by hand in Segment Editor (Ctrl+Shift+E).")),
            (ui.drawButton, wait or obstacle,
             _("Draw a rectangle around an object in the slice view, and segment it there (Ctrl+Shift+D).")),
        ):  # fmt: skip
            button.enabled, button.toolTip = not reason, reason or text
        ui.drawButton.text = _("Stop drawing") if drawing else _("Draw region")

    # linked picking

    def _on_pixel(self, row: int, column: int, gray: float) -> None:
        self._say_pixel(
            _("Row {row}, column {column}: gray level {gray:.1f}").format(row=row, column=column, gray=gray)
        )

    def _say_pixel(self, text: str) -> None:
        self._desk.ui.pointLabel.text = text
