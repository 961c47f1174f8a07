"""Segments an object again after its region was moved, and a new object after its region was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
from ..core.results import size_text
from ..core.types import Box2D
from ..core.volumes.result import VolumeBox
from ..logic.drawn import EXTEND, KEEP, REPLACE, occupant_of
from ..logic.segmenter import Segmented
from ..logic.shown import AnyReading
from ..scene import regions, volumes
from ..scene.geometry import WHOLE
from ..scene.nodes import remove
from .drawing import RegionDrawing
from .region_watch import RegionWatch
from .slices import current_slice
from .state import Event

if TYPE_CHECKING:
    from .session import Session

SAME = 0.05
"""Px by which a region's edges may differ and still count as unmoved: nodes keep places in single precision."""
UNPREPARED = (GrayscaleDetSegError, ImportError, OSError)
"""What keeps a drawing from beginning: the scene or the user, and a PyTorch whose files can't be loaded."""


class RegionWork:
    """Runs the method on single regions of the result that is shown."""

    def __init__(self, session: Session) -> None:
        self._session, self._results = session, session.results
        self.watch, self.drawing = RegionWatch(session), RegionDrawing()
        self.watch.moved.connect(self.on_moved)
        session.results.hold(self._held)
        session.refreshed.connect(self._on_refreshed)
        session.dropping.connect(self._on_dropping)
        session.region_wanted.connect(self.segment_region)
        session.slice_box_wanted.connect(self.draw_in_slice)

    def _held(self) -> tuple[str, ...]:
        return self.watch.held

    def _on_refreshed(self, _shown) -> None:
        node = self._session.node
        self.watch.watch(None if node is None else self._results.nodes(node))

    def _on_dropping(self) -> None:
        self.drawing.cancel()
        self.watch.watch(None)

    def on_moved(self, identity: str) -> None:
        """Segment an object again after its region was moved."""
        session, results, node = self._session, self._results, self._session.node
        if node is None or node.GetScene() is None:
            return
        if not session.machine.allows(Event.RUN):
            self.watch.later(identity)
            return
        try:
            outcome, shown = results.nodes(node), results.shown(node)
            region, item = outcome.regions.get(identity), None if shown is None else shown.object_of(identity)
            if region is None or item is None:
                return
            roi = regions.region_of(region, outcome.volume, results.grid(node))
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return
        if roi is None or results.is_locked(node, identity):
            text = _("{name} is locked; its region was put back.").format(name=display_name(item.name))
            session.messages.say(text if roi else _("The region lies beside the image; it was put back."))
            self.put_back(identity)
            return
        if all(abs(a - b) <= SAME for a, b in zip(roi, item.region)):
            return
        if shown.is_whole:
            self._from_box(node, shown, item.name, VolumeBox(*roi), identity)
            return
        film, place = shown.of_radiograph, Box2D(*roi)
        session.start(
            _("Looking for {name} in its new region...").format(name=item.name),
            lambda engine, options, progress: engine.replace_region(film, item.name, place, options, progress),
            lambda result: self._written(node, result, item.name, identity),
            lambda: self.put_back(identity),
        )

    def _from_box(
        self, node, shown, name: str, box: VolumeBox, identity: str | None = None, in_slice: bool = False
    ) -> None:
        """Find an object of a volume again from a box, or one that the result lacks, and what follows from it.

        With `in_slice` the box is one of a single slice.
        """
        result = shown.result

        def work(engine, options, progress):
            replace = engine.replace_slice_box if in_slice else engine.replace_box
            return replace(result, name, box, options, progress)

        def done(after) -> None:
            if self._is_still_there(node):
                written = self._results.write_found(node, result, after, name)
                self._tell(node, after, name, written[name])

        def undone() -> None:
            if identity is not None:
                self.put_back(identity)

        self._session.start(
            _("Looking for {name} from its box...").format(name=display_name(name)),
            work,
            done,
            undone,
        )

    def draw_in_slice(self, identity: str) -> None:
        """Start drawing a box of an object in a single slice, or cancel a drawing that has started."""
        session, results, node = self._session, self._results, self._session.node
        if self.drawing.active:
            self.drawing.cancel()
            return
        session.finishing.emit()
        try:
            shown = results.shown(node)
            item = None if shown is None else shown.object_of(identity)
            if item is None:
                return
            volume, grid = results.nodes(node).volume, results.grid(node)
            if results.is_locked(node, identity):
                text = _("{name} is locked; unlock it in the table first.").format(name=display_name(item.name))
                session.messages.say(text)
                return
            session.prepare()
        except UNPREPARED as error:
            session.messages.fail(error)
            return
        if not session.machine.send(Event.DRAW):
            return
        text = _("Click two opposite corners of the {name} in one slice; Escape ends it.")
        session.messages.say(text.format(name=display_name(item.name)))

        def drawn(region) -> None:
            session.machine.send(Event.DRAW_ENDED)
            session.messages.say("")
            roi = regions.region_of(region, volume, grid)
            remove(slicer.mrmlScene, [region])
            shown = results.shown_or_none(node)
            if roi is not None and shown is not None and shown.object_of(identity) is not None:
                self._from_box(node, shown, item.name, VolumeBox(*roi), in_slice=True)

        self.drawing.start(_("Drawn box"), volume, grid, drawn, self._cancelled)
        if not self.drawing.active:  # there is no window
            session.machine.send(Event.DRAW_ENDED)
        session.changed.emit()

    def put_back(self, *identities: str) -> None:
        """Move regions back to where their objects were found, by default all; regions that are being moved are not
        changed.
        """
        results, node = self._results, self._session.node
        shown = results.shown_or_none(node)  # None where it is the result of another image by now
        if shown is None:
            return
        outcome = results.nodes(node)
        with results.writing():
            for identity in {*(identities or outcome.regions)} - {*self.watch.held}:
                item, region = shown.object_of(identity), outcome.regions.get(identity)
                if item is not None and region is not None:
                    regions.place_region(region, outcome.volume, results.grid(node), item.region)

    def draw(self, label: str) -> None:
        """Start drawing a region around an object of a class, or cancel a drawing that has started."""
        session = self._session
        if self.drawing.active:
            self.drawing.cancel()
            return
        session.finishing.emit()
        volume = session.parameters.volume
        try:
            grid = volumes.grid_of(volume, WHOLE if session.takes_volumes else current_slice(volume))
            into = session.node
            if into is not None and self._results.grid(into).index != grid.index:
                into = self._results.last_on(volume, grid.index)  # each slice has a result of its own
            session.prepare()
        except UNPREPARED as error:
            session.messages.fail(error)
            return
        if not session.machine.send(Event.DRAW):  # something has begun while PyTorch was being imported
            return
        if session.takes_volumes:
            text = _("Click two opposite corners of the {label} in a slice view; it becomes a box as deep as wide.")
        else:
            text = _("Click two opposite corners of the {label} in the slice view; Escape ends it.")
        session.messages.say(text.format(label=label))
        self.drawing.start(
            _("Drawn region"),
            volume,
            grid,
            lambda node: self._drawn(node, volume, grid, label, into),
            self._cancelled,
        )
        if not self.drawing.active:  # there is no window
            session.machine.send(Event.DRAW_ENDED)
        session.changed.emit()

    def _cancelled(self) -> None:
        self._session.machine.send(Event.DRAW_ENDED)
        self._session.messages.say(_("No region was drawn."))
        self._session.changed.emit()

    def _drawn(self, drawn, volume, grid, label: str, into) -> None:
        """The region that was drawn becomes that of an object."""
        session = self._session
        session.machine.send(Event.DRAW_ENDED)
        session.messages.say("")  # no more corners are asked for
        roi = regions.region_of(drawn, volume, grid)
        remove(slicer.mrmlScene, [drawn])
        if session.parameters is None or roi is None:
            return
        reading: AnyReading
        try:
            if grid.index == WHOLE:
                reading = self._results.read_whole(volume)
                roi = deep(roi, volume.GetSpacing(), grid.shape[::-1], self.drawing.across)
            else:
                reading = self._results.read(volume, session.parameters.polarity.value, grid.index)
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return
        self.segment_region(reading, roi, label, into)

    def segment_region(self, reading, roi, label: str, into) -> None:
        """Segment an object in a region. It is added to the result `into`, which is shown then, or to a new one."""
        results, session = self._results, self._session
        if into is not None and into.GetScene() is not None and into is not session.node:
            session.choices.show_found(into)
        text = _("Looking for {label} in the region...").format(label=label)
        try:
            shown = None if into is None or into.GetScene() is None else results.shown(into)
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return
        is_whole = reading.grid.index == WHOLE
        if shown is not None and is_whole:
            held = shown.by_name
            if label in held and results.is_locked(into, held[label]):
                session.messages.say(_("{name} is locked; unlock it in the table first.").format(name=label))
            else:
                self._from_box(into, shown, label, VolumeBox(*roi))
            return
        if shown is not None:
            self._join(into, shown, roi, label)
            return

        def work(engine, options, progress):
            if is_whole:
                return engine.segment_box(reading.image, VolumeBox(*roi), label, options, progress)
            return engine.segment_region(reading.radiograph, roi, label, options, progress)

        def done(result) -> None:
            if not result.objects:
                session.messages.say(result.message)
            elif session.is_still_there(reading.volume):
                session.found.emit(Segmented(result, results.show(reading, result)))

        session.start(text, work, done)

    def _join(self, into, shown, roi, label: str) -> None:
        """Look for an object in a region and add it to a result; ask first where another one is in its way."""
        occupant = occupant_of(shown, label, roi)
        if occupant is None or self._results.is_locked(into, occupant.identity):
            self._add(into, roi, label, KEEP)
            return
        titles = {REPLACE: _("Replace"), EXTEND: _("Extend"), KEEP: _("Keep")}
        choices = [
            (titles[each], partial(self._answered, into, roi, label, each, occupant.identity))
            for each in occupant.choices
        ]
        self._session.messages.ask(display_name(occupant.message), choices)

    def _answered(self, into, roi, label: str, existing: str, identity: str) -> None:
        """Do what was chosen with the object that was asked about; ask anew where that is not in the way any more."""
        if not self._is_still_there(into):
            return
        try:
            shown = self._results.shown(into)
        except GrayscaleDetSegError as error:
            self._session.messages.fail(error)
            return
        occupant = None if shown is None else occupant_of(shown, label, roi)
        is_same = occupant is not None and occupant.identity == identity
        if shown is None or (is_same and not self._results.is_locked(into, identity)):
            self._add(into, roi, label, existing)
            return
        if self._session.node is into:
            self._session.view.refresh()  # what has changed is seen before the next question, which stays then
        self._join(into, shown, roi, label)

    def _add(self, into, roi, label: str, existing: str) -> None:
        """Look for an object, and do with one that is in its way what was chosen."""
        session = self._session
        try:
            drawn = self._results.drawn(into, label, roi, existing)
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return

        def done(result) -> None:
            if self._is_still_there(into):
                occupant = drawn.occupant
                is_same = occupant is not None and occupant.label == label
                name = occupant.name if is_same else result.objects[-1].name
                self._tell(into, result, name, drawn.write(result))

        session.start(_("Looking for {label} in the region...").format(label=label), drawn.compute, done)

    def _is_still_there(self, node) -> bool:
        """Whether a result and its image are in the scene; says so where they are not."""
        if node.GetScene() is None or self._results.nodes(node).volume is None:
            self._session.messages.say(_("The result or its image was removed meanwhile; nothing was changed."))
            return False
        return True

    def _written(self, node, result, name: str, identity: str) -> None:
        """One object of a result has changed: show it."""
        if self._is_still_there(node):
            self._tell(node, result, name, self._results.write(node, result, name, identity))

    def _tell(self, node, result, name: str, written: str) -> None:
        """Say what was found, and select it, unless the user is moving something, or has selected another object since.

        The mouse keeps what it holds: box and sliders become those of the selected object.
        """
        session, is_moving = self._session, self._session.machine.is_moving
        (item,) = (each for each in result.objects if each.name == name)
        shown, area = display_name(name), size_text(item)
        if item.thresholds is None:
            text = _("{name}: {area}.").format(name=shown, area=area)
        else:
            low, high = item.thresholds.interval
            text = _("{name}: gray levels {low:.0f} to {high:.0f}, {area}.").format(
                name=shown, low=low, high=high, area=area
            )
        session.messages.say(" ".join([text, *self._results.remarks(node)]))
        if session.node is node:
            session.view.refresh()
            has_gone_on = is_moving or session.selection != session.selection_at_start
            if not has_gone_on or session.selection is None:
                session.view.select(written)


def deep(
    roi: tuple[float, ...], spacing: Sequence[float], size: Sequence[int], across: int | None = None
) -> tuple[float, ...]:
    """Extend a box that was drawn in a slice view along the view's axis, to the mean of its two drawn sides in mm.

    Parameters
    ----------
    roi : tuple of 6 float
        (x0, y0, z0, x1, y1, z1) in voxels.
    spacing, size : sequence of 3
        Of the volume, in mm and voxels along x, y and z. The box is cropped to the volume.
    across : int, optional
        The view's axis: 0, 1 or 2 for x, y or z. By default that of the shortest side in mm.
    """
    first, last = list(roi[:3]), list(roi[3:])
    lengths = [(b - a) * step for a, b, step in zip(first, last, spacing)]
    axis = lengths.index(min(lengths)) if across is None else across
    half = (sum(lengths) - lengths[axis]) / 4.0 / spacing[axis]
    middle = (first[axis] + last[axis]) / 2.0
    first[axis], last[axis] = max(0.0, middle - half), min(float(size[axis]), middle + half)
    return (*first, *last)
