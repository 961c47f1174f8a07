"""`ctk`: CTK's widgets as small PySide6 widgets with the same properties, slots and signals.

Confirmed against commontk/CTK, Libs/Widgets (2026-08). They look simpler than the real ones.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QEvent, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QSlider,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QToolButton,
    QWidget,
)

STEPS = 10_000  # positions of a slider


def kept(name: str, kind: Any, default: Any) -> tuple[Property, Any]:
    """A property that is only kept, and its setter."""

    def get(self):
        return getattr(self, "_" + name, default)

    def put(self, value):
        setattr(self, "_" + name, value)

    return Property(kind, get, put), put


def passed(inner: str, name: str, kind: Any) -> tuple[Property, Any]:
    """A property of an inner widget, and its setter."""

    def get(self):
        return getattr(getattr(self, inner), name)

    def put(self, value):
        setattr(getattr(self, inner), name, value)

    return Property(kind, get, put), put


class ctkCollapsibleButton(QAbstractButton):
    """A button over its contents, which it shows and hides. `checked` is the opposite of `collapsed`, as there."""

    contentsCollapsed = Signal(bool)
    flat, setFlat = kept("flat", bool, False)
    collapsedHeight, setCollapsedHeight = kept("collapsedHeight", int, 14)

    def __init__(self, *arguments):
        title = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        super().__init__(next((each for each in arguments if isinstance(each, QWidget)), None))
        self.text, self.checkable, self.checked, self._hidden = title, True, True, []
        self.setContentsMargins(0, QFontMetrics(self.font).height() + 10, 0, 0)
        self.toggled.connect(self._toggle)

    def setCollapsed(self, collapsed):
        self.checked = not collapsed

    collapsed = Property(bool, lambda self: not self.checked, setCollapsed, notify=contentsCollapsed)

    def _apply(self):
        """Hides the contents, or shows those that it had hidden."""
        if self.collapsed:
            shown = [each for each in self.children() if isinstance(each, QWidget) and each.isVisibleTo(self)]
            self._hidden += shown
        for each in self._hidden:
            each.visible = not self.collapsed
        if not self.collapsed:
            self._hidden.clear()

    def _toggle(self, shown):
        self._apply()
        self.contentsCollapsed.emit(not shown)

    def event(self, event):
        if event.type() in (QEvent.Polish, QEvent.Show):  # before a picture is taken, and before it is shown
            self._apply()  # contents that came after it was collapsed
        return super().event(event)

    def sizeHint(self):
        if not self.collapsed and self.layout():
            return self.layout().totalSizeHint()
        return QFontMetrics(self.font).size(0, self.text).grownBy(self.contentsMargins())

    def paintEvent(self, event):
        painter, option = QStylePainter(self), QStyleOptionButton()
        option.initFrom(self)
        option.text, option.rect = ("▸ " if self.collapsed else "▾ ") + self.text, self.rect
        option.rect.setHeight(QFontMetrics(self.font).height() + 8)
        painter.drawControl(QStyle.CE_PushButton, option)


class ctkSliderWidget(QWidget):
    """A slider and a spin box with one value, rounded to `decimals`. `tracking` off is kept, not acted on."""

    valueChanged, valueIsChanging = Signal(float), Signal(float)
    decimals, setDecimals = passed("_box", "decimals", int)
    prefix, setPrefix = passed("_box", "prefix", str)
    suffix, setSuffix = passed("_box", "suffix", str)
    spinBoxVisible, setSpinBoxVisible = passed("_box", "visible", bool)
    minimum, setMinimum = passed("_box", "minimum", float)
    maximum, setMaximum = passed("_box", "maximum", float)
    value, setValue = passed("_box", "value", float)
    singleStep, setSingleStep = passed("_box", "singleStep", float)
    pageStep, setPageStep = kept("pageStep", float, 10.0)
    tickInterval, setTickInterval = kept("tickInterval", float, 0.0)
    tracking, setTracking = kept("tracking", bool, True)

    def __init__(self, parent=None):
        super().__init__(parent if isinstance(parent, QWidget) else None)
        self._slider, self._box = QSlider(Qt.Horizontal, self), QDoubleSpinBox(self)
        self._slider.maximum, self._box.maximum = STEPS, 99.99
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(self._number)
        self._slider.connect("sliderMoved(int)", self._moved)

    def setRange(self, minimum, maximum):
        self._box.setRange(minimum, maximum)

    def _moved(self, position):
        self.value = self.minimum + (self.maximum - self.minimum) * position / STEPS

    def _number(self, value):
        span = self.maximum - self.minimum
        self._slider.value = STEPS * (value - self.minimum) / span if 0 < span < float("inf") else 0
        self.valueChanged.emit(value)


class ctkRangeWidget(QWidget):
    """Two numbers, the lower never above the higher: one that is moved past the other takes it along.

    Signals as there: `valuesChanged` once a change, then the one of each number that changed. The slider with two
    handles is missing in the picture.
    """

    minimumValueChanged, maximumValueChanged = Signal(float), Signal(float)
    valuesChanged, rangeChanged = Signal(float, float), Signal(float, float)
    tracking, setTracking = kept("tracking", bool, True)
    tickInterval, setTickInterval = kept("tickInterval", float, 0.0)

    def __init__(self, parent=None):
        super().__init__(parent if isinstance(parent, QWidget) else None)
        self._boxes, self._values = (QDoubleSpinBox(self), QDoubleSpinBox(self)), (0.0, 99.0)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box in self._boxes:
            layout.addWidget(box)
        self.setRange(0.0, 99.0)
        self.setValues(*self._values)
        self._boxes[0].valueChanged.connect(self.setMinimumValue)
        self._boxes[1].valueChanged.connect(self.setMaximumValue)

    def setValues(self, first, second):
        low, high = (min(max(each, self.minimum), self.maximum) for each in sorted((first, second)))
        before, self._values = self._values, (round(low, self.decimals), round(high, self.decimals))
        for box, value in zip(self._boxes, self._values):
            blocked = box.blockSignals(True)
            box.value = value
            box.blockSignals(blocked)
        if before != self._values:
            self.valuesChanged.emit(*self._values)
        for signal, old, new in zip((self.minimumValueChanged, self.maximumValueChanged), before, self._values):
            if old != new:
                signal.emit(new)

    def setMinimumValue(self, value):
        self.setValues(value, max(value, self._values[1]))

    def setMaximumValue(self, value):
        self.setValues(min(value, self._values[0]), value)

    def _all(name, kind):  # of both boxes
        def put(self, value):
            for box in self._boxes:
                blocked = box.blockSignals(True)
                setattr(box, name, value)
                box.blockSignals(blocked)
            self.setValues(*self._values)

        return Property(kind, lambda self: getattr(self._boxes[0], name), put), put

    minimum, setMinimum = _all("minimum", float)
    maximum, setMaximum = _all("maximum", float)
    singleStep, setSingleStep = _all("singleStep", float)
    decimals, setDecimals = _all("decimals", int)
    prefix, setPrefix = _all("prefix", str)
    suffix, setSuffix = _all("suffix", str)
    minimumValue = Property(float, lambda self: self._values[0], setMinimumValue)
    maximumValue = Property(float, lambda self: self._values[1], setMaximumValue)

    def setRange(self, minimum, maximum):
        before = self.minimum, self.maximum
        for box in self._boxes:
            blocked = box.blockSignals(True)
            box.setRange(minimum, maximum)
            box.blockSignals(blocked)
        self.setValues(*self._values)
        if before != (self.minimum, self.maximum):
            self.rangeChanged.emit(self.minimum, self.maximum)


class ctkDoubleRangeSlider(ctkRangeWidget):
    """The slider of a ctkRangeWidget alone."""


class ctkPathLineEdit(QWidget):
    """A line for a path, with a button that asks for one (a recorded dialog), and the paths used before in QSettings.

    As there, without name filters: an empty line is no valid input, so `currentPathChanged` does not tell of it, and
    `validInputChanged` does; a setting's key brings the path that was used last.
    """

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    Dirs, Files, Writable = 0x1, 0x2, 0x20
    currentPath, setCurrentPath = passed("_line", "text", str)
    filters, setFilters = kept("filters", int, 0)
    nameFilters, setNameFilters = kept("nameFilters", "QStringList", [])
    label, setLabel = kept("label", str, "")
    showHistoryButton, setShowHistoryButton = kept("showHistoryButton", bool, True)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._line, button = QLineEdit(self), QToolButton(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line)
        layout.addWidget(button)
        button.text = "..."
        button.clicked.connect(lambda: self.browse())
        self._valid, self._key = False, ""
        self._line.textChanged.connect(self._changed)

    def _changed(self, path):
        was, self._valid = self._valid, bool(path)
        if path:
            self.currentPathChanged.emit(path)
        if was != self._valid:
            self.validInputChanged.emit(self._valid)

    def setSettingKey(self, key):
        self._key = key
        self.currentPath = self.currentPath or next(iter(self._history()[1]), "")

    settingKey = Property(str, lambda self: self._key, setSettingKey)

    def _history(self):
        from .qt import QSettings

        key = f"ctkPathLineEdit/{self._key or self.objectName}"
        return key, QSettings().value(key, [])

    def browse(self):
        from .qt import QFileDialog

        ask = QFileDialog.getExistingDirectory
        if self.filters & self.Files:
            ask = QFileDialog.getSaveFileName if self.filters & self.Writable else QFileDialog.getOpenFileName
        self.currentPath = ask(self, self.label) or self.currentPath

    def addCurrentPathToHistory(self):
        from .qt import QSettings

        key, before = self._history()
        if self.currentPath:
            QSettings().setValue(key, [self.currentPath, *(each for each in before if each != self.currentPath)])


class ctkMessageBox(QMessageBox):
    """A message box with "don't show again", which is kept, not acted on."""

    dontShowAgainVisible, setDontShowAgainVisible = kept("dontShowAgainVisible", bool, False)
    dontShowAgain, setDontShowAgain = kept("dontShowAgain", bool, False)
    dontShowAgainSettingsKey, setDontShowAgainSettingsKey = kept("dontShowAgainSettingsKey", str, "")


class ctkCheckBox(QCheckBox):
    """A check box."""


class ctkComboBox(QComboBox):
    """A combo box; its text for "nothing chosen" is kept, not shown."""

    defaultText, setDefaultText = kept("defaultText", str, "")
