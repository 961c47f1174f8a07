"""How the selected object of a volume was found: the rounds of an iterating method, and why it has no thresholds."""

from __future__ import annotations

from types import SimpleNamespace

import qt
from slicer.i18n import tr as _

from ...core.labels import display_name
from ...core.methods.registry import registry
from ...core.results import AnyObject
from ...core.volumes.result import VolumeBox
from ...core.volumes.rounds import Round, Rounds, SaliencyRounds
from ...logic.shown import Shown
from ...scene.weight_maps import shown_maps
from ..section import Section
from ..session import Session
from ..state import State

MOST_ROWS = 11


class Explanation(Section):
    """A line of text, a table of rounds, and a summary."""

    order = 610

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self._shown: Shown | None = None
        self._is_opened = False
        session.refreshed.connect(self._on_refreshed)
        session.selected.connect(self._show)
        ui.weightsButton.connect("clicked(bool)", lambda _on=False: self.show_weights())
        table = ui.roundsTable
        table.setColumnCount(len(headers()))
        table.setHorizontalHeaderLabels(headers())
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setStretchLastSection(True)

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        is_there = self.session.selection is not None and self.session.shows_volume
        if is_there and not self._is_opened:  # once; then it is as the user wants it
            self._is_opened = True
            self.ui.explanationCollapsibleButton.collapsed = False
        self._update_button(state)
        return is_there

    def _update_button(self, state: State) -> None:
        button, item = self.ui.weightsButton, self._selected()
        reason = _("Wait until the run has ended.") if state is State.BUSY else ""
        if item is None or not isinstance(item.explanation, SaliencyRounds) or not shown_maps(item.explanation.maps):
            reason = _("Only a recurrent method weighs the image, and this object is by another one.")
        button.enabled = not reason
        button.text = _("Hide weights") if self._has_weights() else _("Show weights")
        button.toolTip = reason or _(
            "What the last round weighed the image by, in the slices that show most of the object, over the image."
        )

    def _selected(self) -> AnyObject | None:
        identity = self.session.selection
        return None if self._shown is None or identity is None else self._shown.object_of(identity)

    def _has_weights(self) -> bool:
        node = self.session.node
        return node is not None and bool(self.session.results.nodes(node).weights)

    def show_weights(self) -> None:
        """Show the weight maps of the selected object over the image, or remove them."""
        session = self.session
        if session.node is None or session.selection is None or not self.ui.weightsButton.enabled:
            return
        if self._has_weights():
            session.layout.lay_over({})
            session.results.hide_weights(session.node)
        else:
            session.layout.lay_over(session.results.show_weights(session.node, session.selection))
        session.changed.emit()

    def _on_refreshed(self, shown: Shown | None) -> None:
        self._shown = shown
        self._show(self.session.selection)

    def _show(self, identity: str | None) -> None:
        item = self._selected()
        table, rounds = self.ui.roundsTable, rounds_of(item)
        self.ui.explanationLabel.text = "" if item is None else described(item)
        table.visible = bool(rounds)
        table.setRowCount(len(rounds))
        for row, each in enumerate(rounds):
            for column, text in enumerate(cells(each)):
                cell = qt.QTableWidgetItem(text)
                cell.setToolTip(text)  # the table may be too narrow for it
                table.setItem(row, column, cell)
        height = qt.QFontMetrics(table.font).height() + 6
        table.verticalHeader().setDefaultSectionSize(height)
        rows = min(len(rounds), MOST_ROWS) * height
        table.setFixedHeight(rows + table.horizontalHeader().sizeHint.height() + 2 * table.frameWidth + 2)


def headers() -> list[str]:
    """The names of the columns."""
    return [_("Round"), _("DSC"), _("Volume"), _("Box in voxels")]


def rounds_of(item: AnyObject | None) -> tuple[Round, ...]:
    """The rounds in which an object was found; empty if its method has none."""
    explanation = None if item is None else item.explanation
    return explanation.rounds if isinstance(explanation, Rounds) else ()


def cells(each: Round) -> list[str]:
    """The texts of the columns for a round."""
    return [
        _("first") if each.number == 0 else str(each.number),
        "" if each.similarity is None else f"{each.similarity:.3f}",
        f"{each.volume_mm3:.0f} mm³",
        _("nothing found") if each.box is None else box_text(each.box),
    ]


def box_text(box: VolumeBox) -> str:
    """A box in voxels along columns, rows and slices, as text."""
    return ", ".join(f"{first:.0f}–{last:.0f}" for first, last in zip(box[:3], box[3:]))


def described(item: AnyObject) -> str:
    """A text of a few lines on how an object was found."""
    lines = [
        _("{name}: {method} explains itself by its own steps; thresholds and their cloud are for radiographs.").format(
            name=display_name(item.name), method=registry().title(item.method)
        )
    ]
    explanation = item.explanation
    if not isinstance(explanation, Rounds):
        if explanation is not None:
            lines.append(_("What it says of them, the command's JSON file holds in full."))
        return "\n".join(lines)
    number = len(explanation.rounds) - 1
    if explanation.drawn:
        lines.append(_("The rounds began from a box given by hand."))
    if explanation.within is not None:
        lines.append(_("It was looked for around the {organ} alone.").format(organ=explanation.within))
    if explanation.converged:
        text = _("After {number} of at most {most} rounds two agreed (DSC {threshold:.2f} or more).")
    else:
        text = _("{number} of at most {most} rounds, and no two agreed (DSC below {threshold:.2f}): look closely.")
    lines.append(text.format(number=number, most=explanation.most, threshold=explanation.threshold))
    if isinstance(explanation, SaliencyRounds) and explanation.maps:
        lowest = min(each.lowest for each in explanation.maps)
        highest = max(each.highest for each in explanation.maps)
        lines.append(
            _("In the last one the image was weighted by {lowest:.2f} to {highest:.2f}.").format(
                lowest=lowest, highest=highest
            )
        )
    return "\n".join(lines)
