"""What a section of the panel is: one class in a file of `panel/sections`, and the .ui file of the same name."""

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
    """A part of the panel. The panel makes one of each class that it finds, and calls these four.

    `attach` once; then `enter`, any number of `update`, and `leave`, as often as the user comes and goes. What it does
    in between comes from its own widgets and from the session's signals.
    """

    order: ClassVar[int] = 500
    """Sections with smaller numbers stand further up."""

    session: Session
    ui: SimpleNamespace
    """The section's own widgets by name."""

    @classmethod
    def ui_path(cls) -> Path:
        """The section's .ui file: beside its own file, or in Resources/UI."""
        source = Path(inspect.getfile(cls))
        beside = source.with_suffix(".ui")
        return beside if beside.is_file() else UI / beside.name

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """Connect widgets and signals; the scene is not in use yet."""
        self.session, self.ui = session, ui

    def enter(self) -> None:
        """The user has come to the module, or another scene was opened in it: ``session.parameters`` is there."""

    def update(self, state: State) -> bool:
        """Bring buttons and texts up to date; whether the section is of any use now. If not, it is hidden."""
        return True

    def leave(self) -> None:
        """Let go of the scene: the user goes to another module, or the scene is closed, or the panel goes for good."""
