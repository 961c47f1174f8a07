"""What the panel says: one line for what happened last, a question with buttons, and a log to copy."""

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
    """The status line, the question below it, and the log; `ui` are the panel's widgets.

    The line and the question stand far up; whoever has scrolled down to a button sees nothing of what it says. So the
    panel scrolls to them.
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
        """Show a line, and log it."""
        self._ui.statusLabel.text = text
        if text:
            self.log(text)
            self._timer.start()

    def fail(self, error: BaseException) -> None:
        """Say what went wrong: what users can cause in its own words, anything else with its place in the log."""
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
        """Add lines to the log alone."""
        self._names |= names_in(slicer.mrmlScene)  # those that are gone when the log is copied among them
        self._ui.logText.appendPlainText(f"{time.strftime('%H:%M:%S')} {text}")

    def copy(self) -> None:
        """Put the log on the clipboard, with the versions that matter for a report; without names and paths."""
        log = redacted(self._ui.logText.plainText, self._names | names_in(slicer.mrmlScene))
        slicer.app.clipboard().setText(f"{versions()}\n{log}")

    def ask(self, text: str, choices: Sequence[Choice]) -> None:
        """Ask something in the panel, with up to three buttons: what they say, and what they do."""
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
        """Whether a question stands there."""
        return bool(self._choices)

    def drop_question(self) -> None:
        """Take the question away, unanswered."""
        self._choices = ()
        self._ui.questionFrame.visible = False

    def _answer(self, number: int) -> None:
        choices = self._choices
        self.drop_question()
        if number < len(choices):
            choices[number][1]()


def versions() -> str:
    """This software, Slicer, Qt, Python and what computes, in one line."""
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
