"""The table of objects: name, score, confidence, thresholds, area and stability. A click selects an object."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import qt
from slicer.i18n import tr as _

from ..core.labels import display_name
from ..core.results import AnyObject, objects_of, size_text
from ..core.volumes.result import VolumeObject
from ..logic.shown import Shown
from .signals import Signal

Color = tuple[float, float, float]

SHOW, LOCK, OBJECT, SCORE, CONFIDENCE, GRAY, AREA, STABILITY = range(8)
MOST_ROWS = 8
"""Rows that are seen at once; more are scrolled."""
LEAST_NAME = 76
"""Px for the names of objects, at least; the panel stays so narrow that both views have room in a small window."""
FULL_NAME = 110
"""Px that names get before the stability is shown beside them: a panel that is narrow does without it."""

OF_RADIOGRAPHS = (SCORE, GRAY, STABILITY)
"""Columns that results of volumes have nothing for: they are hidden then."""


def headers() -> list[str]:
    """The full names of the columns."""
    return [
        _("Show"), _("Lock"), _("Object"), _("Score"), _("Confidence"), _("Gray levels"), _("Area"), _("Stability")
    ]  # fmt: skip


def short_headers() -> list[str]:
    """The short names above the narrow columns; the full names are tooltips."""
    return ["", "", _("Object"), _("Score"), _("Conf."), _("Gray"), _("Area"), _("Stab.")]


def cells(item: AnyObject) -> list[str]:
    """The texts of an object, from column `OBJECT` on."""
    if isinstance(item, VolumeObject):
        return [display_name(item.name), "", f"{item.confidence:.2f}", "", size_text(item), ""]
    thresholds, area = item.thresholds, size_text(item)
    return [
        display_name(item.name),
        f"{item.score:.2f}",
        "" if thresholds is None else f"{thresholds.confidence:.2f}",
        "" if thresholds is None else gray_text(thresholds.interval),
        area,
        "" if thresholds is None else f"{thresholds.stability.value:.2f}",
    ]


def gray_text(interval: tuple[float, float]) -> str:
    """Bottom and top in gray levels, as narrow as they can be read."""
    return f"{interval[0]:.0f}–{interval[1]:.0f}"


def _swatch(color: Color) -> qt.QIcon:
    """A square of a colour, the same in a row that is chosen: Qt would tint it there."""
    pixmap, icon = qt.QPixmap(14, 14), qt.QIcon()
    pixmap.fill(qt.QColor.fromRgbF(*color))
    for mode in (qt.QIcon.Normal, qt.QIcon.Selected):
        icon.addPixmap(pixmap, mode)
    return icon


class ObjectsTable:
    """Fills a QTableWidget, and emits signals of what the user does in it.

    Attributes
    ----------
    selected_by_user : Signal (segment id or None)
        The user has selected another row.
    shown_by_user, locked_by_user : Signal (segment id, bool)
        The user has changed a check box in front of an object.
    """

    def __init__(self, table: qt.QTableWidget) -> None:
        self._table = table
        self.selected_by_user, self.shown_by_user, self.locked_by_user = Signal(), Signal(), Signal()
        self._identities: list[str] = []
        self._labels: list[str] = []
        self._filling = False
        self._is_whole: bool | None = None
        table.setColumnCount(len(headers()))
        self._head(False)
        header = table.horizontalHeader()
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(OBJECT, qt.QHeaderView.Stretch)
        self._row_height = qt.QFontMetrics(table.font).height() + 6
        table.verticalHeader().setDefaultSectionSize(self._row_height)
        self._timer = qt.QTimer(table)  # which goes with it
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._fit_stability)
        self._stability = header.sectionSizeHint(STABILITY)  # which is 0 of one that is hidden
        table.setColumnHidden(STABILITY, True)  # until there is room
        header.connect("sectionResized(int,int,int)", self._resized)
        table.connect("itemSelectionChanged()", self._selected)
        table.connect("cellChanged(int,int)", self._changed)

    @property
    def identities(self) -> tuple[str, ...]:
        """The ids of the segments of all rows."""
        return tuple(self._identities)

    @property
    def selected(self) -> str | None:
        """The id of the segment of the selected row, or None."""
        for row, identity in enumerate(self._identities[: self._table.rowCount]):
            item = self._table.item(row, OBJECT)
            if item is not None and item.isSelected():
                return identity
        return None

    @property
    def listed(self) -> tuple[str, ...]:
        """The ids of the segments of the rows that pass the filter."""
        return tuple(each for row, each in enumerate(self._identities) if not self._table.isRowHidden(row))

    def fill(
        self,
        shown: Shown | None,
        colors: Mapping[str, Color],
        visible: Collection[str],
        locked: Collection[str],
        selected: str | None,
    ) -> None:
        """Show the objects of a result, and select one. No signal is emitted.

        Parameters
        ----------
        colors : mapping
            Colours, 0..1, by segment id.
        visible, locked : collection of str
            Ids of the visible segments, and of the locked ones.
        """
        self._filling = True
        try:
            objects = [] if shown is None else list(zip(shown.identities, objects_of(shown.result)))
            self._head(shown is not None and shown.is_whole)
            self._identities = [identity for identity, _item in objects]
            self._labels = [item.label for _identity, item in objects]
            self._table.setRowCount(len(objects))
            for row, (identity, item) in enumerate(objects):
                swatch, lock = self._cell(row, SHOW), self._cell(row, LOCK)
                swatch.setIcon(_swatch(colors[identity]))
                swatch.setToolTip(_("Show or hide this object and its region."))
                lock.setToolTip(_("Lock this object: it is not moved and not deleted by mistake."))
                swatch.setCheckState(qt.Qt.Checked if identity in visible else qt.Qt.Unchecked)
                lock.setCheckState(qt.Qt.Checked if identity in locked else qt.Qt.Unchecked)
                for column, text in enumerate(cells(item), start=OBJECT):
                    self._cell(row, column).setText(text)
                self._cell(row, OBJECT).setToolTip(self._cell(row, OBJECT).text())
            self._select(selected)
            self._fit()
        finally:
            self._filling = False

    def _head(self, is_whole: bool) -> None:
        """The columns that results of one kind have; nothing where they stand there already."""
        if is_whole == self._is_whole:
            return
        self._is_whole = is_whole
        texts, names = short_headers(), headers()
        if is_whole:
            texts[AREA] = names[AREA] = _("Volume")
        self._table.setHorizontalHeaderLabels(texts)
        for column, name in enumerate(names):
            self._table.horizontalHeaderItem(column).setToolTip(name)
            if column != STABILITY or is_whole:
                self._table.setColumnHidden(column, is_whole and column in OF_RADIOGRAPHS)

    def _cell(self, row: int, column: int) -> qt.QTableWidgetItem:
        """A cell, made where there is none; never another one, as it may be what tells us of a click just now."""
        cell = self._table.item(row, column)
        if cell is None:
            cell = qt.QTableWidgetItem()
            self._table.setItem(row, column, cell)
        return cell

    def _resized(self, column: int, _before: int, _width: int) -> None:
        """The names have got another width; what that means is done later, as the header counts on its columns now."""
        if column == OBJECT:
            self._timer.start()

    def _fit_stability(self) -> None:
        """Show the stability where the names leave room for it."""
        if self._is_whole:
            return
        is_hidden, width = self._table.isColumnHidden(STABILITY), self._table.columnWidth(OBJECT)
        if is_hidden == (width >= (FULL_NAME + self._stability if is_hidden else FULL_NAME)):
            self._table.setColumnHidden(STABILITY, not is_hidden)

    def _fit(self) -> None:
        """As wide as its columns need, so that the panel is as well; as high as its rows need."""
        header, others = self._table.horizontalHeader(), 0
        for column in range(len(headers())):
            if column not in (OBJECT, STABILITY):  # the one takes what is left, the other needs no room
                self._table.resizeColumnToContents(column)
                others += header.sectionSize(column)
        frame = 2 * self._table.frameWidth
        rows = min(len(self.listed), MOST_ROWS)
        bar = self._table.verticalScrollBar().sizeHint.width() if len(self._identities) > MOST_ROWS else 0
        self._table.setMinimumWidth(others + LEAST_NAME + frame + bar)
        height = rows * self._row_height + header.sizeHint.height() + frame + 2
        self._table.setMinimumHeight(height)
        self._table.setMaximumHeight(height)

    def filter(self, text: str, label: str | None) -> None:
        """Show only the objects whose names contain a text, and only those of one class if `label` is given."""
        for row, own in enumerate(self._labels):
            name = self._table.item(row, OBJECT).text()
            is_listed = text.lower() in name.lower() and label in (None, own)
            self._table.setRowHidden(row, not is_listed)
        self._fit()

    def update_row(self, identity: str, interval: tuple[float, float], area: str) -> None:
        """Update thresholds, in gray levels, and area of one object during a drag."""
        if identity not in self._identities:
            return
        self._filling = True
        try:
            row = self._identities.index(identity)
            self._table.item(row, GRAY).setText(gray_text(interval))
            self._table.item(row, AREA).setText(area)
        finally:
            self._filling = False

    def select(self, identity: str | None) -> None:
        """Select a row and scroll to it. No signal is emitted."""
        before, self._filling = self._filling, True
        try:
            self._select(identity)
        finally:
            self._filling = before

    def _select(self, identity: str | None) -> None:
        if identity in self._identities:
            row = self._identities.index(identity)
            self._table.selectRow(row)
            self._table.scrollToItem(self._table.item(row, OBJECT))
        else:
            self._table.clearSelection()

    def _selected(self) -> None:
        if not self._filling:
            self.selected_by_user.emit(self.selected)

    def _changed(self, row: int, column: int) -> None:
        if self._filling or row >= len(self._identities):
            return
        told = {SHOW: self.shown_by_user, LOCK: self.locked_by_user}.get(column)
        if told is not None:
            told.emit(self._identities[row], self._table.item(row, column).checkState() == qt.Qt.Checked)
