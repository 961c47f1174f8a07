"""Edits thresholds by the box in the cloud's view or by the sliders: each move is shown, and the end is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..core.gray import GRAY_MAX, GrayMapping
from ..core.methods.registry import registry
from ..core.post_processing import PostProcessing
from ..core.result import SegmentedObject
from ..core.results import AnyObject, area_text, size_text
from ..logic.drag import Numbers, ThresholdDrag
from ..logic.observers import Observers
from ..logic.shown import Shown
from ..scene.threshold_box import interval_of, set_interval
from .signals import Signal
from .state import Event

if TYPE_CHECKING:
    from .session import Session

REST = 400
"""Milliseconds without a change after which thresholds moved by the sliders count as at rest."""
LIVE = 15
"""Milliseconds in which several moves of the mouse become one."""


class ThresholdEditor:
    """Connects sliders, box and mask of one object.

    Parameters
    ----------
    session : Session
    ui : namespace
        The widgets grayRangeWidget, unitsRangeWidget and numbersLabel.
    clean_up : callable (Shown, segment id) -> PostProcessing or None
        Returns the post-processing of an object's mask.

    Attributes
    ----------
    finished : Signal (segment id, ThresholdDrag)
        A drag has ended, and the mask is final.
    """

    def __init__(
        self, session: Session, ui: SimpleNamespace, clean_up: Callable[[Shown, str], PostProcessing | None]
    ) -> None:
        self._gray, self._units, self._label = ui.grayRangeWidget, ui.unitsRangeWidget, ui.numbersLabel
        self._session, self._results, self._clean_up = session, session.results, clean_up
        self.finished = Signal()
        self._observers, self._of_held = Observers(), Observers()
        self._node: Any = None
        self._identity: str | None = None
        self._item: SegmentedObject | None = None
        self._mapping: GrayMapping | None = None
        self._plane = ""
        self._last = (0.0, GRAY_MAX)
        self._said = [self._last, self._last]
        self._drag: ThresholdDrag | None = None
        self._wanted: tuple[float, float] | None = None
        self._by_box = self._is_setting = False
        self._held: tuple[Any, str | None] | None = None
        """The box that the mouse holds, and the object that it was taken hold of for."""
        self._live, self._rest = qt.QTimer(), qt.QTimer()
        for timer, interval, call in ((self._live, LIVE, self._move), (self._rest, REST, self.finish)):
            timer.setSingleShot(True)
            timer.setInterval(interval)
            timer.connect("timeout()", call)
        self._gray.connect("valuesChanged(double,double)", self._gray_changed)
        self._units.connect("valuesChanged(double,double)", self._units_changed)
        self.edit(None, None)

    @property
    def is_moving(self) -> bool:
        """Whether thresholds are being moved."""
        return self._drag is not None or self._wanted is not None

    def edit(self, node, identity: str | None) -> None:
        """Edit the thresholds of an object; None for none. An open drag is finished first."""
        self.finish()
        self._observers.remove_all()
        if self._held is not None and self._held[0].GetScene() is None:
            self._let_go()
        shown = None if node is None or identity is None else self._results.shown_or_none(node)
        item = None if shown is None else shown.object_of(identity)
        if shown is None or identity is None or item is None or item.thresholds is None:
            self._node, self._identity, self._item, self._mapping = None, None, None, None
            self._gray.enabled = self._units.enabled = False
            self._label.text = "" if item is None else unexplained(item)
            return
        is_locked = self._results.is_locked(node, identity)
        self._node, self._identity, self._item = node, identity, item
        image = shown.result.radiograph
        self._mapping, self._plane = image.mapping, "" if image.spacing is None else image.spacing.plane
        self._gray.enabled = self._units.enabled = not is_locked
        self._range_of_units()
        self._set(item.thresholds.interval)
        self._label.text = described(item, self._plane)
        if is_locked:
            self._label.text += " " + _("It is locked.")
            return
        box = self._results.nodes(node).box
        if box is not None:
            markups = slicer.vtkMRMLMarkupsNode
            self._observers.add(box, markups.PointStartInteractionEvent, partial(self._start, box))
            self._observers.add(box, vtk.vtkCommand.ModifiedEvent, self._box_changed)

    def stop(self) -> None:
        """Stop editing without finishing a drag, because the scene is being closed."""
        self._live.stop()
        self._rest.stop()
        drag, self._drag, self._wanted = self._drag, None, None
        if drag is not None:
            drag.cancel()
        self._session.machine.send(Event.DRAG_ENDED)
        self.edit(None, None)

    def finish(self) -> None:
        """Finish the drag, if one is open."""
        self._live.stop()
        self._rest.stop()
        if self._wanted is not None:
            self._move()
        drag, self._drag = self._drag, None
        if drag is None:
            return
        self._session.machine.send(Event.DRAG_ENDED)
        drag.finish(self._last)
        if self._results.shown_or_none(self._node) is not None:  # without its image, nothing can be told of a result
            self.finished.emit(self._identity, drag)

    def _range_of_units(self) -> None:
        units = self._mapping.units
        span = units[-1] - units[0]
        self._is_setting = True
        try:
            self._units.decimals = 0 if span >= 100 else 2 if span >= 1 else 4
            self._units.singleStep = max(span / GRAY_MAX, 10.0**-self._units.decimals)
            self._units.setRange(units[0], units[-1])
        finally:
            self._is_setting = False

    def _set(self, interval: tuple[float, float]) -> None:
        """Show an interval of gray levels in both sliders, without taking it for the user's."""
        self._last = float(interval[0]), float(interval[1])
        self._is_setting = True
        try:
            self._gray.setValues(*self._last)
            self._units.setValues(*map(float, self._mapping.to_units(np.array(self._last))))
        finally:
            self._is_setting = False
        self._said = [(widget.minimumValue, widget.maximumValue) for widget in (self._gray, self._units)]

    def _gray_changed(self, low: float, high: float) -> None:
        if not self._is_setting and self._item is not None:
            self._want(self._meant(self._gray, self._said[0], (low, high), (low, high)), by_box=False)

    def _units_changed(self, low: float, high: float) -> None:
        if not self._is_setting and self._item is not None:
            gray = self._mapping.to_gray(np.array([low, high])).tolist()
            self._want(self._meant(self._units, self._said[1], (low, high), gray), by_box=False)

    def _meant(
        self, widget, before: Sequence[float], values: Sequence[float], gray: Sequence[float]
    ) -> tuple[float, float]:
        """The gray levels that a slider's ends mean: they are rounded, so one that was not moved stays where it is."""
        ends = []
        for value, said, level, last in zip(values, before, gray, self._last):
            is_same = abs(value - said) < 0.5 * 10.0**-widget.decimals
            is_open = value >= widget.maximum or value <= widget.minimum
            ends.append(last if is_same else float(level) if not is_open else GRAY_MAX * (value >= widget.maximum))
        return ends[0], ends[1]

    def _start(self, box) -> None:
        """The mouse takes hold of the box: until it lets go it moves the thresholds of this object, and no other's."""
        self._let_go()
        self._held = box, self._identity
        self._of_held.add(box, slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent, self._end)

    def _let_go(self) -> None:
        self._held = None
        self._of_held.remove_all()

    @property
    def _is_held_for_another(self) -> bool:
        """Whether the mouse has taken hold of the box while it was that of another object."""
        return self._held is not None and self._held[1] != self._identity

    def _box_changed(self) -> None:
        if self._results.is_writing or self._item is None:
            return
        box = self._results.nodes(self._node).box
        if box is not None and not self._is_held_for_another:
            self._want(interval_of(box), by_box=True)

    def _end(self) -> None:
        is_for_another = self._is_held_for_another
        self._let_go()
        if not is_for_another:
            self._rest.stop()
        # after the event has run through all its observers
        qt.QTimer.singleShot(0, self._put_back if is_for_another else self.finish)

    def _put_back(self) -> None:
        """Move the box back to the thresholds of its object."""
        box = None if self._item is None or self._node.GetScene() is None else self._results.nodes(self._node).box
        if box is not None:
            with self._results.writing():
                set_interval(box, self._last)

    def _want(self, interval: tuple[float, float], by_box: bool) -> None:
        if self._wanted is None and all(abs(a - b) < 1e-3 for a, b in zip(interval, self._last)):
            return
        self._wanted, self._by_box = interval, by_box
        if not self._live.isActive():
            self._live.start()
        if self._held is None or self._is_held_for_another:
            self._rest.start()

    def _move(self) -> None:
        interval, self._wanted = self._wanted, None
        if interval is None or self._node is None or self._node.GetScene() is None:
            return
        if self._drag is None:
            self._drag = self._begin()
        if self._drag is None:
            return
        numbers = self._drag.move(interval, move_box=not self._by_box)
        self._set(numbers.interval)
        self._label.text = moving(numbers, self._plane)
        self._session.moved.emit(self._identity, numbers)

    def _begin(self) -> ThresholdDrag | None:
        shown, identity = self._results.shown_or_none(self._node), self._identity
        if shown is None or identity is None or shown.object_of(identity) is None:
            return None
        drag = self._results.drag(self._node, identity, self._clean_up(shown, identity))
        self._session.machine.send(Event.DRAG)
        return drag


def described(item: SegmentedObject, plane: str) -> str:
    """A text with the figures of an object's thresholds; `plane` is that of its area."""
    thresholds, area = item.thresholds, area_text(item.pixel_count, item.area_mm2, plane)
    if thresholds.rule.single:
        return _("The single box makes the mask. Area: {area}.").format(area=area)
    return _("{rows} x {columns} boxes make the mask; the single box explains {share:.0%} of it. Area: {area}.").format(
        rows=thresholds.field.shape[0],
        columns=thresholds.field.shape[1],
        share=thresholds.box_agreement,
        area=area,
    )


def unexplained(item: AnyObject) -> str:
    """Why an object has no thresholds."""
    return _("{method} explains its masks by no thresholds: there are none to show or to move. Area: {area}.").format(
        method=registry().title(item.method), area=size_text(item)
    )


def moving(numbers: Numbers, plane: str) -> str:
    """A text with the figures during a drag; `plane` is that of the area."""
    low, high = numbers.interval
    return _("Gray levels {low:.1f} to {high:.1f}. Area: {area}.").format(
        low=low, high=high, area=area_text(numbers.pixel_count, numbers.area_mm2, plane)
    )
