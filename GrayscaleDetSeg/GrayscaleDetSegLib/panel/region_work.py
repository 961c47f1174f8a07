"""Regions moved or drawn by hand, and what becomes of them: their object is looked for anew."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
from ..logic.segmenter import Segmented
from ..scene import regions, volumes
from ..scene.nodes import remove
from .desk import Desk, current_slice
from .drawing import RegionDrawing
from .region_watch import RegionWatch
from .threshold_editor import area_text

SAME = 0.05
"""Px by which a region's edges may differ and still count as unmoved: nodes keep places in single precision."""


class RegionWork:
    """Runs the method on single regions of the result that is shown.

    Parameters
    ----------
    desk : Desk
    finish_edits : callable
        Makes final what else is being moved.
    on_written : callable (segmentation, segment id)
        Called when an object was written.
    """

    def __init__(
        self, desk: Desk, finish_edits: Callable[[], object], on_written: Callable[[object, str], object]
    ) -> None:
        self._desk, self._finish_edits, self._on_written = desk, finish_edits, on_written
        workspace = self._workspace = desk.workspace
        self.watch = RegionWatch(self.on_moved, lambda: workspace.is_writing)
        self.drawing = RegionDrawing()
        workspace.held = lambda: self.watch.held

    def on_moved(self, identity: str) -> None:
        """A region was moved: look for its object again."""
        desk, workspace, node = self._desk, self._workspace, self._desk.node
        if node is None or node.GetScene() is None:
            return
        if desk.runner.is_busy:
            self.watch.later(identity)
            return
        try:
            outcome, shown = workspace.outcome(node), workspace.shown(node)
            region, item = outcome.regions.get(identity), None if shown is None else shown.object_of(identity)
            if region is None or item is None:
                return
            roi = regions.region_of(region, outcome.volume, workspace.grid(node))
        except GrayscaleDetSegError as error:
            desk.messages.fail(error)
            return
        if roi is None:
            desk.messages.say(_("The region lies beside the image; it was put back."))
            self.put_back(identity)
            return
        if all(abs(a - b) <= SAME for a, b in zip(roi, item.region)):
            return
        desk.start(
            _("Looking for {name} in its new region...").format(name=item.name),
            lambda engine, options, progress: engine.replace_region(shown.result, item.name, roi, options, progress),
            lambda result: self._written(node, result, item.name, identity),
            lambda: self.put_back(identity),
        )

    def put_back(self, *identities: str) -> None:
        """Let regions lie where their objects were found, all of them if none is named; not those that are moved."""
        workspace, node = self._workspace, self._desk.node
        outcome = None if node is None or node.GetScene() is None else workspace.outcome(node)
        try:
            shown = None if outcome is None else workspace.shown(node)
        except GrayscaleDetSegError:  # it is the result of another image by now
            return
        if shown is None:
            return
        with workspace.writing():
            for identity in {*(identities or outcome.regions)} - {*self.watch.held}:
                item, region = shown.object_of(identity), outcome.regions.get(identity)
                if item is not None and region is not None:
                    regions.place_region(region, outcome.volume, workspace.grid(node), item.region)

    def draw(self) -> None:
        """Let the user draw a region, or leave that be if it is under way."""
        desk = self._desk
        if self.drawing.active:
            self.drawing.cancel()
            return
        if not desk.ui.drawButton.enabled:
            return
        self._finish_edits()
        ui, volume = desk.ui, desk.parameters.volume
        label = ui.classComboBox.itemData(ui.classComboBox.currentIndex)
        try:
            grid = volumes.grid_of(volume, current_slice(volume))
            into = desk.node
            if into is not None and self._workspace.grid(into).index != grid.index:
                into = None  # another slice has a result of its own
            desk.prepare()
        except Exception as error:
            desk.messages.fail(error)
            return
        desk.messages.say(
            _("Click two opposite corners of the {label} in the slice view; Escape ends it.").format(label=label)
        )
        self.drawing.start(
            _("Drawn region"),
            volume,
            grid,
            lambda node: self._drawn(node, volume, grid, label, into),
            lambda: (desk.messages.say(_("No region was drawn.")), desk.changed()),
        )
        desk.changed()

    def _drawn(self, drawn, volume, grid, label: str, into) -> None:
        """The region that was drawn becomes that of an object."""
        roi = regions.region_of(drawn, volume, grid)
        remove(slicer.mrmlScene, [drawn])
        desk = self._desk
        if desk.parameters is None or roi is None:
            return
        try:
            reading = self._workspace.read(volume, desk.parameters.polarity.value, grid.index)
        except GrayscaleDetSegError as error:
            desk.messages.fail(error)
            return
        self.segment_region(reading, roi, label, into)

    def segment_region(self, reading, roi, label: str, into) -> None:
        """Look for an object in a region; it joins the result `into`, or makes a new one."""
        workspace, desk = self._workspace, self._desk
        text = _("Looking for {label} in the region...").format(label=label)
        try:
            shown = None if into is None or into.GetScene() is None else workspace.shown(into)
        except GrayscaleDetSegError as error:
            desk.messages.fail(error)
            return
        if shown is not None:
            desk.start(
                text,
                lambda engine, options, progress: engine.add_region(shown.result, roi, label, options, progress),
                lambda result: self._written(into, result, result.objects[-1].name, None),
            )
            return

        def done(result) -> None:
            if desk.is_still_there(reading.volume):
                desk.found(Segmented(result, workspace.show(reading, result)))

        desk.start(
            text,
            lambda engine, options, progress: engine.segment_region(reading.radiograph, roi, label, options, progress),
            done,
        )

    def _written(self, node, result, name: str, identity: str | None) -> None:
        """One object of a result is new or has changed: show it."""
        if node.GetScene() is None or self._workspace.outcome(node).volume is None:
            self._desk.messages.say(_("The result or its image was removed meanwhile; nothing was changed."))
            return
        written = self._workspace.write_object(node, result, name, identity)
        (item,) = (each for each in result.objects if each.name == name)
        shown, area = display_name(name), area_text(item.pixel_count, item.area_mm2)
        if item.thresholds is None:
            text = _("{name}: {area}.").format(name=shown, area=area)
        else:
            low, high = item.thresholds.interval
            text = _("{name}: gray levels {low:.0f} to {high:.0f}, {area}.").format(
                name=shown, low=low, high=high, area=area
            )
        self._desk.messages.say(text)
        self._on_written(node, written)
