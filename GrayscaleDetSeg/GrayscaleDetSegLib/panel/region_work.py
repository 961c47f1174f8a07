"""Regions moved or drawn by hand, and what becomes of them: their object is looked for anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
from ..logic.segmenter import Segmented
from ..scene import regions, volumes
from ..scene.nodes import remove
from .drawing import RegionDrawing
from .parameters import options_of
from .region_watch import RegionWatch
from .threshold_editor import area_text

if TYPE_CHECKING:
    from .results import ResultPanel
    from .widget import Panel

SAME = 0.05
"""Px by which a region's edges may differ and still count as unmoved: nodes keep places in single precision."""


class RegionWork:
    """Runs the method on single regions of the result that is shown."""

    def __init__(self, panel: Panel, results: ResultPanel) -> None:
        self._panel, self._results, self._workspace = panel, results, panel.segmenter.workspace
        workspace = self._workspace
        self.watch = RegionWatch(self.on_moved, lambda: workspace.is_writing)
        self.drawing = RegionDrawing()
        workspace.held = lambda: self.watch.held

    def on_moved(self, identity: str) -> None:
        """A region was moved: look for its object again."""
        panel, workspace, node = self._panel, self._workspace, self._results.node
        if node is None or node.GetScene() is None:
            return
        if panel.runner.is_busy:
            self.watch.later(identity)
            return
        try:
            outcome, shown = workspace.outcome(node), workspace.shown(node)
            region, item = outcome.regions.get(identity), None if shown is None else shown.object_of(identity)
            if region is None or item is None:
                return
            roi = regions.region_of(region, outcome.volume, workspace.grid(node))
        except GrayscaleDetSegError as error:
            panel.messages.fail(error)
            return
        if roi is None:
            panel.messages.say(_("The region lies beside the image; it was put back."))
            self.put_back(identity)
            return
        if all(abs(a - b) <= SAME for a, b in zip(roi, item.roi)):
            return
        self._run(
            _("Looking for {name} in its new region...").format(name=item.name),
            lambda engine, options, progress: engine.replace_region(shown.result, item.name, roi, options, progress),
            lambda result: self._written(node, result, item.name, identity),
            lambda: self.put_back(identity),
        )

    def put_back(self, *identities: str) -> None:
        """Let regions lie where their objects were found, all of them if none is named; not those that are moved."""
        workspace, node = self._workspace, self._results.node
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
                    regions.place_region(region, outcome.volume, workspace.grid(node), item.roi)

    def draw(self) -> None:
        """Let the user draw a region, or leave that be if it is under way."""
        panel = self._panel
        if self.drawing.active:
            self.drawing.cancel()
            return
        if not panel.ui.drawButton.enabled:
            return
        self._results.finish_edits()
        ui, volume = panel.ui, panel.parameters.volume
        label = ui.classComboBox.itemData(ui.classComboBox.currentIndex)
        try:
            grid = volumes.grid_of(volume, panel.current_slice(volume))
            into = self._results.node
            if into is not None and self._workspace.grid(into).index != grid.index:
                into = None  # another slice has a result of its own
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
            lambda node: self._drawn(node, volume, grid, label, into),
            lambda: (panel.messages.say(_("No region was drawn.")), panel.update_buttons()),
        )
        panel.update_buttons()

    def _drawn(self, drawn, volume, grid, label: str, into) -> None:
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
        self.segment_region(reading, roi, label, into)

    def segment_region(self, reading, roi, label: str, into) -> None:
        """Look for an object in a region; it joins the result `into`, or makes a new one."""
        workspace, panel = self._workspace, self._panel
        text = _("Looking for {label} in the region...").format(label=label)
        try:
            shown = None if into is None or into.GetScene() is None else workspace.shown(into)
        except GrayscaleDetSegError as error:
            panel.messages.fail(error)
            return
        if shown is not None:
            self._run(
                text,
                lambda engine, options, progress: engine.add_region(shown.result, roi, label, options, progress),
                lambda result: self._written(into, result, result.objects[-1].name, None),
            )
            return

        def done(result) -> None:
            if panel.is_still_there(reading.volume):
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
        if panel.runner.is_busy:
            panel.messages.say(_("Another run is on; wait until it has ended, then try again."))
            undone()
            return
        panel.messages.drop_question()
        panel.messages.say(text)
        options, engine = options_of(panel.parameters), panel.segmenter.engine

        def failed(error: BaseException) -> None:
            panel.on_failed(error)
            undone()

        panel.runner.start(lambda progress: work(engine, options, progress), done, failed)

    def _written(self, node, result, name: str, identity: str | None) -> None:
        """One object of a result is new or has changed: show it."""
        if node.GetScene() is None or self._workspace.outcome(node).volume is None:
            self._panel.messages.say(_("The result or its image was removed meanwhile; nothing was changed."))
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
        if self._results.node is node:
            self._results.refresh()
            self._results.select(written)
