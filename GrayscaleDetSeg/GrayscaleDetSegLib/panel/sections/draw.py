"""The section for drawing regions: class and button. It also handles regions that the user drags."""

from __future__ import annotations

from types import SimpleNamespace

from slicer.i18n import tr as _

from ...core.labels import display_name
from ..region_work import RegionWork
from ..section import Section
from ..session import Session
from ..state import State


class Draw(Section):
    """The button "Draw region" and the choice of the class."""

    order = 400

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self.regions = RegionWork(session)
        ui.drawButton.connect("clicked(bool)", lambda _on=False: self.draw())
        session.draw_wanted.connect(self._on_wanted)

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        session, button = self.session, self.ui.drawButton
        reason = _("Wait until the run has ended.") if state is State.BUSY else session.obstacle
        button.enabled = not reason
        button.toolTip = reason or (
            _("Draw a rectangle around an object in a slice view, and segment it from there (Ctrl+Shift+D).")
            if session.takes_volumes
            else _("Draw a rectangle around an object in the slice view, and segment it there (Ctrl+Shift+D).")
        )
        button.text = _("Stop drawing") if state is State.DRAWING else _("Draw region")
        if session.model is not None:
            self._show_classes(session.model.classes)
        return session.parameters is not None and session.parameters.volume is not None

    def leave(self) -> None:
        """As :meth:`Section.leave`."""
        self.regions.watch.watch(None)
        self.regions.put_back()

    def _on_wanted(self, on: bool) -> None:
        """A region is to be drawn, or not any more."""
        if not on:
            self.regions.drawing.cancel()
        elif not self.regions.drawing.active:
            self.draw()

    def draw(self) -> None:
        """Start drawing a region, or cancel a drawing that has started."""
        if self.regions.drawing.active or self.ui.drawButton.enabled:
            combo = self.ui.classComboBox
            self.regions.draw(combo.itemData(combo.currentIndex))

    def _show_classes(self, classes: tuple[str, ...]) -> None:
        """The classes that a region can be drawn for; the one that was chosen stays, if the model knows it."""
        combo = self.ui.classComboBox
        if [combo.itemData(index) for index in range(combo.count)] == list(classes):
            return
        before = combo.itemData(combo.currentIndex) if combo.count else None
        combo.clear()
        for label in classes:
            combo.addItem(display_name(label), label)
        if before in classes:
            combo.currentIndex = classes.index(before)
