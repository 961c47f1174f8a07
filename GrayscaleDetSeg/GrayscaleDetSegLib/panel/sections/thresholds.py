"""The thresholds of the selected object: two sliders, the resulting figures, and the point cloud beside the image."""

from __future__ import annotations

from types import SimpleNamespace

from slicer.i18n import tr as _

from ...core.labels import display_name
from ...core.post_processing import PostProcessing
from ...logic.drag import ThresholdDrag
from ...logic.shown import Shown
from ..section import Section
from ..session import Session
from ..state import State
from ..threshold_editor import ThresholdEditor


class Thresholds(Section):
    """The sliders and figures of the selected object."""

    order = 600

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self.editor = ThresholdEditor(session, ui, self._clean_up)
        self.editor.finished.connect(self._on_finished)
        session.refreshed.connect(self._on_refreshed)
        session.selected.connect(self._on_selected)
        session.finishing.connect(self.editor.finish)
        session.dropping.connect(self.editor.stop)
        session.pixel.connect(self._on_pixel)
        self._is_opened = False

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        is_there = self.session.selection is not None and not self.session.shows_volume
        if is_there and not self._is_opened:  # once; then it is as the user wants it
            self._is_opened = True
            self.ui.thresholdsCollapsibleButton.collapsed = False
        return is_there

    def _on_refreshed(self, _shown: Shown | None) -> None:
        self.editor.edit(self.session.node, self.session.selection)

    def _on_selected(self, identity: str | None) -> None:
        self.editor.edit(self.session.node, identity)

    def _on_pixel(self, text: str) -> None:
        self.ui.pointLabel.text = text

    def _clean_up(self, shown: Shown, identity: str) -> PostProcessing | None:
        """What cleans the mask of an object up when its thresholds were moved; None leaves it as they make it."""
        parameters = self.session.parameters
        if parameters is None or not parameters.cleanUp:
            return None
        label = shown.object_of(identity).label
        return self.session.segmenter.models.clean_up_of(label, shown.result.model, parameters.model)

    def _on_finished(self, _identity: str, drag: ThresholdDrag) -> None:
        low, high = drag.numbers.interval
        text = _("{name}: gray levels {low:.1f} to {high:.1f}.").format(
            name=display_name(drag.item.name), low=low, high=high
        )
        if drag.kept_edited is not None:
            text += " " + _("What was edited by hand is kept as a hidden segment.")
        self.session.messages.say(text)
        if self.session.node is not None:
            self.session.view.refresh()
