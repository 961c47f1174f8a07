"""The table of objects: what was found, how sure, between which gray levels; a click goes there."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ..core.labels import display_name
from ..core.result import SegmentedObject
from ..logic.shown import Shown

Color = tuple[float, float, float]

COLUMNS = 7


def headers() -> list[str]:
    """What the columns are called."""
    return [_("Show"), _("Object"), _("Score"), _("Confidence"), _("Gray levels"), _("Area"), _("Stability")]


def cells(item: SegmentedObject) -> list[str]:
    """What the columns from the second on say of an object."""
    thresholds = item.thresholds
    area = f"{item.pixel_count} px" if item.area_mm2 is None else f"{item.area_mm2:.0f} mm²"
    return [
        display_name(item.name),
        f"{item.score:.2f}",
        "" if thresholds is None else f"{thresholds.confidence:.2f}",
        "" if thresholds is None else f"{thresholds.interval.bottom:.0f} – {thresholds.interval.top:.0f}",
        area,
        "" if thresholds is None else f"{thresholds.stability.value:.2f}",
    ]


class ObjectsTable:
    """Fills a QTableWidget, and says what the user does in it.

    Parameters
    ----------
    table : QTableWidget
    on_selected : callable (segment id or None)
    on_shown : callable (segment id, bool)
        The box in front of an object was switched.
    """

    def __init__(
        self,
        table: qt.QTableWidget,
        on_selected: Callable[[str | None], object],
        on_shown: Callable[[str, bool], object],
    ) -> None:
        self._table, self._on_selected, self._on_shown = table, on_selected, on_shown
        self._identities: list[str] = []
        self._filling = False
        table.setColumnCount(COLUMNS)
        table.setHorizontalHeaderLabels(headers())
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.connect("itemSelectionChanged()", self._selected)
        table.connect("cellChanged(int,int)", self._changed)

    @property
    def identities(self) -> tuple[str, ...]:
        """The segments of the rows."""
        return tuple(self._identities)

    @property
    def selected(self) -> str | None:
        """The segment of the chosen row."""
        for row, identity in enumerate(self._identities[: self._table.rowCount]):
            item = self._table.item(row, 0)
            if item is not None and item.isSelected():
                return identity
        return None

    def fill(self, shown: Shown | None, colors: dict[str, Color], visible: dict[str, bool]) -> None:
        """Show the objects of a result; who is chosen stays chosen, and nobody is told.

        Parameters
        ----------
        colors, visible : dict
            By segment id: colour, 0..1, and whether the segment is shown.
        """
        chosen = self.selected
        self._filling = True
        try:
            objects = [] if shown is None else list(zip(shown.identities, shown.result.objects))
            self._identities = [identity for identity, _item in objects]
            self._table.setRowCount(len(objects))
            for row, (identity, item) in enumerate(objects):
                swatch = qt.QTableWidgetItem()
                swatch.setData(qt.Qt.DecorationRole, qt.QColor.fromRgbF(*colors[identity]))
                swatch.setCheckState(qt.Qt.Checked if visible[identity] else qt.Qt.Unchecked)
                self._table.setItem(row, 0, swatch)
                for column, text in enumerate(cells(item), start=1):
                    self._table.setItem(row, column, qt.QTableWidgetItem(text))
            self._select(chosen)
        finally:
            self._filling = False

    def update_row(self, identity: str, interval: tuple[float, float], area: str) -> None:
        """Show other thresholds and another area of one object, while they are moved."""
        if identity not in self._identities:
            return
        self._filling = True
        try:
            row = self._identities.index(identity)
            self._table.item(row, 4).setText(f"{interval[0]:.0f} – {interval[1]:.0f}")
            self._table.item(row, 5).setText(area)
        finally:
            self._filling = False

    def select(self, identity: str | None) -> None:
        """Choose a row; `on_selected` is told where that is another."""
        if identity != self.selected:
            self._select(identity)

    def _select(self, identity: str | None) -> None:
        if identity in self._identities:
            self._table.selectRow(self._identities.index(identity))
        else:
            self._table.clearSelection()

    def _selected(self) -> None:
        if not self._filling:
            self._on_selected(self.selected)

    def _changed(self, row: int, column: int) -> None:
        if not self._filling and column == 0 and row < len(self._identities):
            self._on_shown(self._identities[row], self._table.item(row, 0).checkState() == qt.Qt.Checked)
