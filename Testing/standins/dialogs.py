"""Dialogs that never block: each is recorded, and answered as the test said or as by the Escape key.

Stand for QDialog.exec_ and the static functions of QMessageBox, QFileDialog, QInputDialog and QColorDialog. PythonQt's
forms of these return a plain value where PySide6's return a tuple (a path, a text), and so do these.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QDialog, QFileDialog, QInputDialog, QMessageBox

from .pythonqt import Conventions, class_name

STATIC = {
    QMessageBox: {name: QMessageBox.NoButton for name in ("information", "question", "warning", "critical", "about")},
    QFileDialog: {
        "getOpenFileName": "",
        "getSaveFileName": "",
        "getExistingDirectory": "",
        "getOpenFileNames": (),
    },
    QInputDialog: {"getText": "", "getMultiLineText": "", "getItem": "", "getInt": 0, "getDouble": 0.0},
    QColorDialog: {"getColor": QColor()},
}
ESCAPE = (QMessageBox.Cancel, QMessageBox.No, QMessageBox.Close, QMessageBox.Abort, QMessageBox.Ok)


@dataclass
class Shown:
    """One dialog: what it was (`QMessageBox.question`, `ctkMessageBox`), its title, its text and what was answered."""

    kind: str
    title: str
    text: str
    answer: Any
    dialog: QDialog | None = None


class Dialogs:
    """`shown` lists the dialogs; `answers` are used up one by one, a callable being given the dialog."""

    def __init__(self):
        self.shown: list[Shown] = []
        self.answers: deque[Any] = deque()

    def texts(self) -> list[str]:
        return [each.text for each in self.shown]

    def _answer(self, default: Any, dialog: QDialog | None = None) -> Any:
        answer = self.answers.popleft() if self.answers else default
        return answer(dialog) if callable(answer) else answer

    def _static(self, kind: type, name: str, default: Any):
        def show(*arguments, **_):
            texts = [each for each in arguments if isinstance(each, str)]
            answer = self._answer(default)
            self.shown.append(Shown(f"{kind.__name__}.{name}", *(texts + ["", ""])[:2], answer))
            return answer

        return staticmethod(show)

    def _execute(self, dialog: QDialog) -> int:
        default = QDialog.Rejected
        if isinstance(dialog, QMessageBox):
            default = next((each for each in ESCAPE if dialog.standardButtons & each), QMessageBox.Ok)
        answer = self._answer(default, dialog)
        text = dialog.text if isinstance(dialog, QMessageBox) else ""
        self.shown.append(Shown(class_name(dialog), dialog.windowTitle.strip(), text, answer, dialog))
        return answer

    def apply(self, conventions: Conventions) -> None:
        for kind, names in STATIC.items():
            for name, default in names.items():
                conventions.replace(kind, name, self._static(kind, name, default))
        for kind in (QDialog, QMessageBox, QFileDialog, QInputDialog, QColorDialog):
            for name in ("exec", "exec_"):
                conventions.replace(kind, name, lambda dialog: self._execute(dialog))
