"""How the selected object was found by a method without thresholds: rounds, boxes of slices with scores, maps."""

from __future__ import annotations

from types import SimpleNamespace

import qt
from slicer.i18n import tr as _

from ...core.errors import MethodError
from ...core.explanations.seen import SeenBox, seen_boxes, seen_maps
from ...core.labels import display_name
from ...core.methods.registry import registry
from ...core.results import AnyObject
from ...core.volumes.result import VolumeBox, VolumeObject
from ...core.volumes.rounds import Round, Rounds, SaliencyRounds
from ...core.volumes.views import VIEWS
from ...logic.shown import Shown
from ..section import Section
from ..session import Session
from ..state import State

MOST_ROWS = 11


class Explanation(Section):
    """A line of text, a table of rounds or boxes, buttons for maps and for a box of a single slice."""

    order = 610

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self._shown: Shown | None = None
        self._is_opened = False
        self._places: list[VolumeBox | None] = []
        session.refreshed.connect(self._on_refreshed)
        session.selected.connect(self._show)
        ui.seenButton.connect("clicked(bool)", lambda _on=False: self.show_seen())
        ui.sliceBoxButton.connect("clicked(bool)", lambda _on=False: self.draw_in_slice())
        ui.roundsTable.connect("cellClicked(int,int)", self._clicked)

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        item = self._selected()
        is_there = self.session.selection is not None and (
            self.session.shows_volume or bool(item is not None and _titles(item))
        )
        if is_there and not self._is_opened:  # once; then it is as the user wants it
            self._is_opened = True
            self.ui.explanationCollapsibleButton.collapsed = False
        self._update_buttons(state, item)
        return is_there

    def _update_buttons(self, state: State, item: AnyObject | None) -> None:
        button, other = self.ui.seenButton, self.ui.sliceBoxButton
        titles = [] if item is None else _titles(item)
        wait = _("Wait until the run has ended.") if state is State.BUSY else ""
        what = _(" and ").join(titles)
        button.visible, button.enabled = bool(titles), bool(titles) and not wait
        button.text = (_("Hide {what}") if self._is_seen_shown() else _("Show {what}")).format(what=what)
        button.toolTip = wait or _(
            "What the method has seen: maps in the slices that show most of the object, over the image, and boxes, "
            "coloured by their scores, in the slices that they were found in."
        )
        other.visible = item is not None and _takes_slice_boxes(item.method) and bool(seen_boxes(item.explanation))
        other.enabled = not wait
        other.text = _("Stop drawing") if state is State.DRAWING else _("Draw its box in this slice")
        other.toolTip = wait or _(
            "Draw a rectangle around the object in one slice: it takes the place of what the method has seen there, "
            "and the object is segmented anew."
        )

    def _selected(self) -> AnyObject | None:
        identity = self.session.selection
        return None if self._shown is None or identity is None else self._shown.object_of(identity)

    def _is_seen_shown(self) -> bool:
        node = self.session.node
        return node is not None and bool(self.session.results.nodes(node).seen)

    def show_seen(self) -> None:
        """Show the maps and boxes of the selected object over the image, or remove them."""
        session = self.session
        if session.node is None or session.selection is None or not self.ui.seenButton.enabled:
            return
        if self._is_seen_shown():
            session.layout.lay_over({})
            session.results.hide_seen(session.node)
        else:
            session.layout.lay_over(session.results.show_seen(session.node, session.selection))
        session.changed.emit()

    def draw_in_slice(self) -> None:
        """Start drawing a box of the selected object in a slice, or cancel a drawing that has started."""
        if self.session.selection is not None and self.ui.sliceBoxButton.enabled:
            self.session.slice_box_wanted.emit(self.session.selection)

    def _clicked(self, row: int, _column: int) -> None:
        """The slice views go to the box of a row."""
        place = self._places[row] if row < len(self._places) else None
        if place is not None and self._shown is not None:
            self.session.view.go_to(place if self._shown.is_whole else (*place[:2], *place[3:5]))

    def _on_refreshed(self, shown: Shown | None) -> None:
        self._shown = shown
        self._show(self.session.selection)

    def _show(self, identity: str | None) -> None:
        item = self._selected()
        table, rounds = self.ui.roundsTable, rounds_of(item)
        boxes = () if rounds or item is None else seen_boxes(item.explanation)
        self.ui.explanationLabel.text = "" if item is None else described(item)
        self.ui.explanationCollapsibleButton.text = _("Rounds") if rounds else _("How it was found")
        rows = [cells(each) for each in rounds] or [box_cells(each) for each in boxes]
        self._places = [*(each.box for each in rounds), *(each.box for each in boxes)]
        names = headers() if rounds else box_headers(is_whole=isinstance(item, VolumeObject))
        table.visible = bool(rows)
        table.setColumnCount(len(names))
        table.setHorizontalHeaderLabels(names)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setStretchLastSection(True)
        table.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                cell = qt.QTableWidgetItem(text)
                cell.setToolTip(text)  # the table may be too narrow for it
                table.setItem(row, column, cell)
        height = qt.QFontMetrics(table.font).height() + 6
        table.verticalHeader().setDefaultSectionSize(height)
        seen = min(len(rows), MOST_ROWS) * height
        table.setFixedHeight(seen + table.horizontalHeader().sizeHint.height() + 2 * table.frameWidth + 2)


def _titles(item: AnyObject) -> list[str]:
    """What can be shown of an object over the image, in words."""
    maps = list(dict.fromkeys(_(each.title) for each in seen_maps(item.explanation)))
    return [*maps, *([_("boxes")] if seen_boxes(item.explanation) else [])]


def _takes_slice_boxes(method: str) -> bool:
    """Whether a method lets boxes be drawn in single slices; not one that is not installed here."""
    try:
        return bool(getattr(registry().get(method), "takes_slice_boxes", False))
    except MethodError:
        return False


def headers() -> list[str]:
    """The names of the columns for rounds."""
    return [_("Round"), _("DSC"), _("Volume"), _("Box in voxels")]


def box_headers(is_whole: bool = True) -> list[str]:
    """The names of the columns for boxes, of slices (in voxels) or of a radiograph (in px)."""
    return [_("View"), _("Slice"), _("Score"), _("Box in voxels") if is_whole else _("Box in px")]


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


def box_cells(each: SeenBox) -> list[str]:
    """The texts of the columns for a box; slices are counted from 1."""
    score = _("drawn") if each.score is None else f"{each.score:.2f}"
    if each.view not in VIEWS:  # a radiograph
        return [each.view, "", score, ", ".join(box_text(each.box).split(", ")[:2])]
    return [each.view, str(each.slice + 1), score, box_text(each.box)]


def box_text(box: VolumeBox) -> str:
    """A box in voxels along columns, rows and slices, as text."""
    return ", ".join(f"{first:.0f}–{last:.0f}" for first, last in zip(box[:3], box[3:]))


def boxes_text(boxes: tuple[SeenBox, ...]) -> str:
    """The number of boxes of slices and the range of their scores, as text."""
    views = _(" and ").join(dict.fromkeys(each.view for each in boxes))
    scores = [each.score for each in boxes if each.score is not None]
    if not scores and len(boxes) == 1:
        return _("It was looked for in one box ({views}), drawn by hand.").format(views=views)
    if not scores:
        return _("It was looked for in {count} boxes ({views}), drawn by hand.").format(count=len(boxes), views=views)
    if len(boxes) == 1:
        return _("It was looked for in one box ({views}), with a score of {score:.2f}.").format(
            views=views, score=scores[0]
        )
    text = _("It was looked for in {count} boxes ({views}), with scores of {lowest:.2f} to {highest:.2f}.")
    line = text.format(count=len(boxes), views=views, lowest=min(scores), highest=max(scores))
    drawn = len(boxes) - len(scores)
    return line if not drawn else line + " " + _("{drawn} of them drawn by hand.").format(drawn=drawn)


def described(item: AnyObject) -> str:
    """A text of a few lines on how an object was found."""
    if isinstance(item, VolumeObject):
        line = _("{name}: {method} explains itself by its own steps; thresholds and their cloud are for radiographs.")
    else:
        line = _("{name}: {method} explains itself by its own steps, without thresholds.")
    lines = [line.format(name=display_name(item.name), method=registry().title(item.method))]
    explanation = item.explanation
    if not isinstance(explanation, Rounds):
        boxes = seen_boxes(explanation)
        if boxes:
            lines.append(boxes_text(boxes))
        elif explanation is not None:
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
