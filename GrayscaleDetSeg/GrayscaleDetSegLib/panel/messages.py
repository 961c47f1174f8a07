"""Messages of the panel: a status line, a question with buttons, and a log that can be copied."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import qt
import slicer

from ..core.errors import GrayscaleDetSegError
from ..logic.redaction import redacted
from ..scene.identities import names_in

Choice = tuple[str, Callable[[], object]]


class Messages:
    """The status line, the question below it, and the log. `ui` holds the widgets of the panel.

    The line and the question are near the top of the panel. A new text scrolls to them, so that it is seen by users who
    have scrolled down to a button.
    """

    def __init__(self, ui: SimpleNamespace) -> None:
        self._ui = ui
        self._choices: Sequence[Choice] = ()
        self._names: set[str] = set()
        buttons = (ui.questionFirstButton, ui.questionSecondButton, ui.questionThirdButton)
        self._buttons = buttons
        for number, button in enumerate(buttons):
            button.connect("clicked(bool)", lambda _=False, number=number: self._answer(number))
        ui.copyLogButton.connect("clicked(bool)", lambda _=False: self.copy())
        self._timer = qt.QTimer(ui.statusLabel)  # which goes with it
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)  # what was just shown has no place yet
        self._timer.connect("timeout()", self._bring_into_sight)

    def say(self, text: str) -> None:
        """Show a text in the status line, and add it to the log."""
        self._ui.statusLabel.text = text
        if text:
            self.log(text)
            self._timer.start()

    def fail(self, error: BaseException) -> None:
        """Show an error: errors that users can cause by their message, others with their traceback in the log."""
        if isinstance(error, GrayscaleDetSegError):
            self.say(str(error))
            return
        if isinstance(error, MemoryError):
            self.say("There is not enough memory for this image: close other programs, or reduce the image.")
            return
        self.say(f"A fault of the program: {type(error).__name__}: {error} (see the log below).")
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.log(trace)
        logging.error("GrayscaleDetSeg: %s", trace)

    def log(self, text: str) -> None:
        """Add a text to the log only."""
        self._names |= names_in(slicer.mrmlScene)  # those that are gone when the log is copied among them
        self._ui.logText.appendPlainText(f"{time.strftime('%H:%M:%S')} {text}")

    def copy(self) -> None:
        """Copy the log to the clipboard, with the versions of the software, without names and paths."""
        log = redacted(self._ui.logText.plainText, self._names | names_in(slicer.mrmlScene))
        slicer.app.clipboard().setText(f"{versions()}\n{log}")

    def ask(self, text: str, choices: Sequence[Choice]) -> None:
        """Ask a question with up to three buttons; each choice is the text of a button and the function that it calls.
        """
        self._choices = choices
        self._ui.questionLabel.text = text
        for number, button in enumerate(self._buttons):
            button.visible = number < len(choices)
            button.text = choices[number][0] if number < len(choices) else ""
        self._ui.questionFrame.visible = True
        self._timer.start()

    def _bring_into_sight(self) -> None:
        """Scroll to the question, or to the line where nothing is asked."""
        wanted = self._ui.questionFrame if self.is_asking else self._ui.statusLabel
        area = wanted.parent()
        while area is not None and not hasattr(area, "ensureWidgetVisible"):
            area = area.parent()
        if area is not None:
            area.ensureWidgetVisible(wanted)

    @property
    def is_asking(self) -> bool:
        """Whether a question is shown."""
        return bool(self._choices)

    def drop_question(self) -> None:
        """Remove the question without an answer."""
        self._choices = ()
        self._ui.questionFrame.visible = False

    def _answer(self, number: int) -> None:
        choices = self._choices
        self.drop_question()
        if number < len(choices):
            choices[number][1]()


def versions() -> str:
    """The versions of this software, Slicer, Qt, Python and the computing library, in one line."""
    import sys

    from .. import __version__

    torch = sys.modules.get("torch")
    parts = [
        f"GrayscaleDetSeg {__version__}",
        f"Slicer {slicer.app.majorVersion}.{slicer.app.minorVersion} ({slicer.app.revision})",
        f"Qt {qt.QT_VERSION_STR}" if hasattr(qt, "QT_VERSION_STR") else "",
        f"Python {sys.version.split()[0]}",
        f"torch {torch.__version__}" if torch is not None else "torch not loaded",
    ]
    return ", ".join(part for part in parts if part)
