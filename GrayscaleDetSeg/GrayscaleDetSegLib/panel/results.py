"""The result that the panel shows: its table, its thresholds, its regions, and what can be done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
from ..logic.drag import Numbers, ThresholdDrag
from ..logic.observers import Observers
from ..logic.segmenter import Segmented
from ..scene import regions, volumes
from ..scene.geometry import moved
from ..scene.nodes import remove
from ..scene.views import image_view_ids, show_place
from .drawing import RegionDrawing
from .objects_table import ObjectsTable
from .parameters import options_of
from .picking import LinkedPicking
from .region_watch import RegionWatch
from .threshold_editor import ThresholdEditor, area_text

if TYPE_CHECKING:
    from .widget import Panel

SAME = 0.05
"""Px by which a region's edges may differ and still count as unmoved: nodes keep places in single precision."""


class ResultPanel:
    """The sections "Objects" and "Thresholds" of the panel, and the views that belong to them."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._workspace = panel, panel.segmenter.workspace
        self.node = None
        """The segmentation that is shown."""
        ui, workspace = panel.ui, self._workspace
        self._observers = Observers()
        self.table = ObjectsTable(ui.objectsTable, self._on_selected, self._on_shown)
        self.thresholds = ThresholdEditor(ui, workspace, self._on_move, self._on_finish, self._clean_up)
        self.regions = RegionWatch(self._on_region, lambda: workspace.is_writing)
        self.drawing = RegionDrawing()
        self.picking = LinkedPicking(self._on_pixel, lambda: self._say_pixel(""))
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.setInterval(50)
        self._later.connect("timeout()", self.refresh)
        ui.undoButton.connect("clicked(bool)", lambda _on=False: self.undo())
        ui.deleteButton.connect("clicked(bool)", lambda _on=False: self.delete())
        ui.editButton.connect("clicked(bool)", lambda _on=False: self.edit())

    # showing

    def show(self, node) -> None:
        """Show another result, or the same anew; None shows none."""
        self.stop()
        if node is not None and self._workspace_knows(node):
            self.node = node
        panel, workspace = self._panel, self._workspace
        if panel.parameters.showCloud and self.node is not None:
            panel.layout.show()
        elif not panel.parameters.showCloud:
            panel.layout.restore()
        workspace.image_views = image_view_ids(slicer.mrmlScene)
        workspace.cloud_views = panel.layout.view_ids
        if self.node is None:
            panel.cases.name_after(panel.parameters.volume)
            self.refresh()
            return
        workspace.apply_views(self.node)
        volume = workspace.outcome(self.node).volume
        panel.cases.name_after(volume)
        panel.layout.show_volume(volume, workspace.grid(self.node).index)
        segmentation = slicer.vtkSegmentation
        for event in (segmentation.SegmentAdded, segmentation.SegmentRemoved, segmentation.SegmentModified):
            self._observers.add(self.node, event, self._on_segments)
        self.refresh()
        chosen = workspace.outcome(self.node).shown_segment
        self._select(chosen if chosen in self.table.identities else next(iter(self.table.identities), None))

    def refresh(self) -> None:
        """Bring table, thresholds and watched regions up to what the scene holds now."""
        node, workspace = self.node, self._workspace
        shown = None if node is None else workspace.shown(node)
        colors, visible = {}, {}
        for identity in () if shown is None else shown.identities:
            colors[identity] = node.GetSegmentation().GetSegment(identity).GetColor()
            display = node.GetDisplayNode()
            visible[identity] = display is None or display.GetSegmentVisibility(identity)
        self.table.fill(shown, colors, visible)
        self.thresholds.edit(node, self.table.selected)
        self.regions.watch(None if node is None else workspace.outcome(node))
        if node is not None:
            workspace.set_interactive(node, True)
        self._panel.update_buttons()

    def stop(self) -> None:
        """Let go of the result; what moves is not finished."""
        self._later.stop()
        self._observers.remove_all()
        self.drawing.cancel()
        self.picking.disable()
        self.picking.watch(None)
        self.regions.watch(None)
        self.thresholds.stop()
        self.node = None
        self.table.fill(None, {}, {})
        self._say_pixel("")

    def freeze(self) -> None:
        """Before the user goes elsewhere: what moves is finished, and nothing can be dragged that nobody watches."""
        self.finish_edits()
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
        if self.node is None:
            return
        if self.node.GetScene() is None:
            self.stop()
        else:
            self.refresh()

    def select_first_of(self, found: Segmented) -> None:
        """After a run: the first object is the chosen one."""
        if self.node is found.segmentation:
            self.stop()

    def _workspace_knows(self, node) -> bool:
        try:
            return self._workspace.shown(node) is not None
        except GrayscaleDetSegError as error:
            self._panel.messages.fail(error)
            return False

    # the chosen object

    def _select(self, identity: str | None) -> None:
        if identity != self.table.selected:
            self.table.select(identity)  # which tells us
        else:
            self._on_selected(identity)

    def _on_selected(self, identity: str | None) -> None:
        node, panel, workspace = self.node, self._panel, self._workspace
        self.finish_edits()
        self.picking.disable()
        frame = None if node is None or identity is None else workspace.show_object(node, identity)
        self.thresholds.edit(node, identity)
        if frame is not None:
            shown, outcome, grid = workspace.shown(node), workspace.outcome(node), workspace.grid(node)
            item = shown.object_of(identity)
            panel.layout.aim(frame, item.field.roi)
            self._jump_to(item, outcome.volume, grid)
            workspace.set_interactive(node, True)
            self.picking.watch(outcome.cloud, outcome.volume, grid.index, shown.result.radiograph.gray_image())
            if panel.layout.shown:
                self.picking.enable()
        panel.update_buttons()

    def _jump_to(self, item, volume, grid) -> None:
        """All slice views go to the middle of an object."""
        x0, y0, x1, y1 = item.roi
        world = volumes.pixel_to_world(volume, grid)
        show_place(slicer.mrmlScene, tuple(moved(world, [((x0 + x1) / 2.0, (y0 + y1) / 2.0, 0.0)])[0]))

    def _on_shown(self, identity: str, on: bool) -> None:
        self.node.GetDisplayNode().SetSegmentVisibility(identity, on)
        region = self._workspace.outcome(self.node).regions.get(identity)
        if region is not None and region.GetDisplayNode() is not None:
            region.GetDisplayNode().SetVisibility(on)

    def _on_segments(self) -> None:
        """Segments were changed by somebody else; several events make one look."""
        if not self._workspace.is_writing and not self.thresholds.is_moving:
            self._later.start()

    # thresholds

    def _clean_up(self):
        parameters = self._panel.parameters
        if parameters is None or not parameters.cleanUp:
            return None
        return self._panel.segmenter.engine.clean_up(options_of(parameters))

    def _on_move(self, identity: str, numbers: Numbers) -> None:
        self.table.update_row(identity, numbers.interval, area_text(numbers.pixel_count, numbers.area_mm2))

    def _on_finish(self, identity: str, drag: ThresholdDrag) -> None:
        low, high = drag.numbers.interval
        text = _("{name}: gray levels {low:.1f} to {high:.1f}.").format(
            name=display_name(drag.item.name), low=low, high=high
        )
        if drag.kept_edited is not None:
            text += " " + _("What was edited by hand is kept as a hidden segment.")
        self._panel.messages.say(text)
        if self.node is not None:
            self.refresh()

    # regions

    def _on_region(self, identity: str) -> None:
        """A region was moved: look for its object again."""
        panel, workspace, node = self._panel, self._workspace, self.node
        if node is None or node.GetScene() is None:
            return
        if panel.runner.is_busy:
            self.regions.later(identity)
            return
        outcome, shown, grid = workspace.outcome(node), workspace.shown(node), workspace.grid(node)
        region, item = outcome.regions.get(identity), shown.object_of(identity)
        if region is None or item is None:
            return
        try:
            roi = regions.region_of(region, outcome.volume, grid)
        except GrayscaleDetSegError as error:
            panel.messages.fail(error)
            return
        if roi is None:
            panel.messages.say(_("The region lies beside the image; it was put back."))
            self._put_back(identity)
            return
        if all(abs(a - b) <= SAME for a, b in zip(roi, item.roi)):
            return
        self._run(
            _("Looking for {name} in its new region...").format(name=item.name),
            lambda engine, options, progress: engine.replace_region(shown.result, item.name, roi, options, progress),
            lambda result: self._written(node, result, item.name, identity),
            lambda: self._put_back(identity),
        )

    def _put_back(self, identity: str) -> None:
        workspace, node = self._workspace, self.node
        if node is None or node.GetScene() is None:
            return
        outcome, item = workspace.outcome(node), workspace.shown(node).object_of(identity)
        if identity in outcome.regions and item is not None:
            with workspace.writing():
                regions.place_region(outcome.regions[identity], outcome.volume, workspace.grid(node), item.roi)

    def draw(self) -> None:
        """Let the user draw a region, or leave that be if it is under way."""
        panel = self._panel
        if self.drawing.active:
            self.drawing.cancel()
            return
        if not panel.ui.drawButton.enabled:
            return
        self.finish_edits()
        ui, volume = panel.ui, panel.parameters.volume
        label = ui.classComboBox.itemData(ui.classComboBox.currentIndex)
        try:
            index = panel.current_slice(volume) if self.node is None else self._workspace.grid(self.node).index
            grid = volumes.grid_of(volume, index)
            panel.prepare()
        except Exception as error:
            panel.messages.fail(error)
            return
        panel.messages.say(
            _("Click two opposite corners of the {label} in the slice view; Escape ends it.").format(label=label)
        )
        self.drawing.start(
            _("Drawn region"),
            volume,
            grid,
            lambda node: self._drawn(node, volume, grid, label),
            lambda: (panel.messages.say(_("No region was drawn.")), panel.update_buttons()),
        )
        panel.update_buttons()

    def _drawn(self, drawn, volume, grid, label: str) -> None:
        """The region that was drawn becomes that of an object."""
        roi = regions.region_of(drawn, volume, grid)
        remove(slicer.mrmlScene, [drawn])
        panel = self._panel
        if panel.parameters is None or roi is None:
            return
        try:
            reading = self._workspace.read(volume, panel.parameters.polarity.value, grid.index)
        except GrayscaleDetSegError as error:
            panel.messages.fail(error)
            return
        self.segment_region(reading, roi, label, self.node)

    def segment_region(self, reading, roi, label: str, into) -> None:
        """Look for an object in a region; it joins the result `into`, or makes a new one."""
        workspace, panel = self._workspace, self._panel
        text = _("Looking for {label} in the region...").format(label=label)
        shown = None if into is None or into.GetScene() is None else workspace.shown(into)
        if shown is not None:
            self._run(
                text,
                lambda engine, options, progress: engine.add_region(shown.result, roi, label, options, progress),
                lambda result: self._written(into, result, result.objects[-1].name, None),
            )
            return

        def done(result) -> None:
            if reading.volume.GetScene() is not None:
                panel.show_result(Segmented(result, workspace.show(reading, result)))

        self._run(
            text,
            lambda engine, options, progress: engine.segment_region(reading.radiograph, roi, label, options, progress),
            done,
        )

    def _run(self, text: str, work, done, undone=lambda: None) -> None:
        panel = self._panel
        try:
            panel.prepare()
        except Exception as error:
            panel.messages.fail(error)
            undone()
            return
        panel.messages.say(text)
        options, engine = options_of(panel.parameters), panel.segmenter.engine

        def failed(error: BaseException) -> None:
            panel.on_failed(error)
            undone()

        panel.runner.start(lambda progress: work(engine, options, progress), done, failed)

    def _written(self, node, result, name: str, identity: str | None) -> None:
        """One object of a result is new or has changed: show it."""
        if node.GetScene() is None or self._panel.parameters is None:
            return
        written = self._workspace.write_object(node, result, name, identity)
        (item,) = (each for each in result.objects if each.name == name)
        self._panel.messages.say(
            _("{name}: gray levels {low:.0f} to {high:.0f}, {area}.").format(
                name=display_name(name),
                low=item.interval[0],
                high=item.interval[1],
                area=area_text(item.pixel_count, item.area_mm2),
            )
        )
        if self.node is node:
            self.refresh()
            self._select(written)

    # the buttons below the table

    def undo(self) -> None:
        """Bring back the state before the last change."""
        if self.node is None or self._panel.runner.is_busy:
            return
        self.finish_edits()
        if self._workspace.undo(self.node):
            self._panel.messages.say(_("The former state is back."))
            self.refresh()
            self._select(self._workspace.outcome(self.node).shown_segment or next(iter(self.table.identities), None))

    def delete(self) -> None:
        """Take the chosen object out of the result."""
        identity = self.table.selected
        if identity is None or self._panel.runner.is_busy:
            return
        self.finish_edits()
        name = self._workspace.shown(self.node).object_of(identity).name
        self._workspace.remove_object(self.node, identity)
        self._panel.messages.say(_("{name} was deleted; Undo brings it back.").format(name=display_name(name)))
        self.refresh()
        self._select(next(iter(self.table.identities), None))

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
        ui, wait = self._panel.ui, _("Wait until the run has ended.") if busy else ""
        has_undo = self.node is not None and self._workspace.history.has(self.node.GetID())
        chosen = "" if self.table.selected is not None else _("Choose an object in the table first.")
        drawing = self.drawing.active
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
        self._panel.ui.pointLabel.text = text
