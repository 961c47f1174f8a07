"""A section of the panel: one class in a file of `panel/sections`, and the .ui file of the same name."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

from .session import Session
from .state import State

UI = Path(__file__).resolve().parents[2] / "Resources" / "UI"
"""Where the .ui files lie."""


class Section:
    """A part of the panel. The panel creates one object of each class that it finds, and calls four methods.

    It calls `attach` once; then `enter`, any number of `update`, and `leave`, at each visit of the module. Between
    these calls, the section's own widgets and the session's signals call it.
    """

    order: ClassVar[int] = 500
    """Sections with smaller numbers stand further up."""

    session: Session
    ui: SimpleNamespace
    """The section's own widgets by name."""

    @classmethod
    def ui_path(cls) -> Path:
        """The path of the section's .ui file: beside its own file, or in Resources/UI."""
        source = Path(inspect.getfile(cls))
        beside = source.with_suffix(".ui")
        return beside if beside.is_file() else UI / beside.name

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """Connect widgets and signals. No scene is in use yet."""
        self.session, self.ui = session, ui

    def enter(self) -> None:
        """The user has entered the module, or another scene was opened in it; ``session.parameters`` is set."""

    def update(self, state: State) -> bool:
        """Update buttons and texts. Returns whether the section is useful now; if not, it is hidden."""
        return True

    def leave(self) -> None:
        """Stop using the scene: the user leaves the module, the scene is closed, or the panel is deleted."""
