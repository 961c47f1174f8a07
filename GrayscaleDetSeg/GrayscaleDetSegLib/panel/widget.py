"""The panel: it creates its sections and calls them when the user enters or leaves, and when scenes open or close."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import qt
import slicer

from ..logic.segmenter import Segmenter
from . import sections
from .parameters import Parameters, connect
from .section import Section
from .session import Session


class Panel:
    """The module's panel. It uses sections by name for keyboard shortcuts only.

    Parameters
    ----------
    parent : qMRMLWidget
        The sections are added to its layout.
    segmenter : Segmenter

    Attributes
    ----------
    ui : namespace
        The widgets of all sections by name.
    """

    def __init__(self, parent, segmenter: Segmenter) -> None:
        self.sections: list[Section] = []
        self._widgets: dict[Section, qt.QWidget] = {}
        own: dict[Section, SimpleNamespace] = {}
        self.ui = SimpleNamespace()
        for kind in sections.found():
            section = kind()
            self._widgets[section] = slicer.util.loadUI(str(kind.ui_path()))
            parent.layout().addWidget(self._widgets[section])
            self._widgets[section].setMRMLScene(slicer.mrmlScene)
            own[section] = _named(self._widgets[section], kind.ui_path())
            taken = set(vars(own[section])) & set(vars(self.ui))
            if taken:
                raise ValueError(f"{kind.ui_path().name} names widgets that are there already: {', '.join(taken)}.")
            vars(self.ui).update(vars(own[section]))
            self.sections.append(section)
        parent.layout().addStretch(1)
        session = self.session = Session(self.ui, segmenter)
        self.segmenter, self.messages = segmenter, session.messages
        self.layout, self.runner = session.layout, session.runner
        session.changed.connect(self.update)
        for section in self.sections:
            section.attach(session, own[section])
        self.is_entered = False
        self._disconnect: Callable[[], None] | None = None  # unties the widgets from the parameters
        segment, objects, draw = self.section("Segment"), self.section("Objects"), self.section("Draw")
        self._shortcuts = [
            self._shortcut("Ctrl+Shift+S", segment.segment_or_cancel),
            self._shortcut("Ctrl+Shift+Z", objects.undo),
            self._shortcut("Ctrl+Shift+E", objects.edit),
            self._shortcut("Ctrl+Shift+D", draw.draw),
        ]
        self._enable_shortcuts(False)
        self.update()

    def section(self, name: str) -> Any:
        """The :class:`Section` whose class has this name.

        Raises
        ------
        KeyError
            If there is none.
        """
        return {type(each).__name__: each for each in self.sections}[name]

    @property
    def parameters(self) -> Parameters | None:
        """The user's choices; None while the module is not in use."""
        return self.session.parameters

    def enter(self, parameters: Parameters) -> None:
        """The user has entered the module, or a scene was opened in it."""
        if self.is_entered:
            self.session.finishing.emit()
        self.leave_scene()
        self.is_entered = True
        self.session.parameters = parameters
        self._disconnect = connect(parameters, self.ui)
        for section in self.sections:
            section.enter()
        self._enable_shortcuts(True)
        self.session.choices.enter()

    def leave_scene(self) -> None:
        """Stop using the scene: the user leaves the module, or the scene is closed."""
        session = self.session
        session.choices.leave()
        for section in self.sections:
            section.leave()
        session.view.stop()
        self._enable_shortcuts(False)
        if self._disconnect is not None:
            self._disconnect()
        session.parameters, self._disconnect = None, None
        self.is_entered = False
        self.update()

    def leave(self) -> None:
        """The user leaves for another module; open drags are finished."""
        self.session.finishing.emit()
        self.session.view.freeze()
        self.leave_scene()
        self.session.layout.restore()

    def close(self) -> None:
        """The panel is deleted."""
        self.leave()
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    def update(self) -> None:
        """Update all sections; those without a use now are hidden."""
        for section in self.sections:
            self._widgets[section].visible = section.update(self.session.state)

    def _shortcut(self, keys: str, call) -> qt.QShortcut:
        shortcut = qt.QShortcut(qt.QKeySequence(keys), slicer.util.mainWindow() or self.ui.segmentButton)
        shortcut.connect("activated()", call)
        return shortcut

    def _enable_shortcuts(self, on: bool) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(on)


def _named(widget, path: Path) -> SimpleNamespace:
    """The widgets that a .ui file names, by name; not those that they are made of, which have names as well."""
    wanted = {each.get("name") for each in ElementTree.parse(path).getroot().iter("widget")}
    found = vars(slicer.util.childWidgetVariables(widget))
    return SimpleNamespace(**{name: each for name, each in found.items() if name in wanted})
