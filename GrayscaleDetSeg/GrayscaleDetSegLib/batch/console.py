"""What the command says while it works: a bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TextIO

from ..core.errors import OutputError, one_line
from .plain import printable
from .silence import discard

_BAR = 24


def put(stream: TextIO | None, text: str) -> None:
    """Write `text` to a stream of the process, which is None where it was closed from the beginning.

    Raises
    ------
    OutputError
        If it cannot be written; what follows is then written nowhere.
    BrokenPipeError
        If whoever read it has left.
    """
    if stream is None:
        raise OutputError("Nothing can be written to standard output: it is closed.")
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError, ValueError):  # what it holds would be tried again at the very end
            discard(stream.fileno())
        raise OutputError(f"Nothing can be written to standard output: {error.strerror}.") from error


class Console:
    """Lines for people, and on a terminal one line of progress below them that is drawn anew.

    Parameters
    ----------
    lines : text stream or None
        Takes what was done.
    errors : text stream or None
        Takes what failed, and the progress if it is a terminal. Where it cannot be written to, nobody is told.
    """

    def __init__(self, lines: TextIO | None, errors: TextIO | None) -> None:
        self._lines, self._errors = lines, errors
        self._live = bool(getattr(errors, "isatty", lambda: False)())
        self._drawn, self._done, self._total, self._name = False, 0, 0, ""

    def start(self, total: int) -> None:
        """Say how many inputs there are."""
        self._done, self._total = 0, total

    def working_on(self, name: str) -> None:
        """Say which input is being worked on."""
        self._name = name
        self._draw(name)

    def stage(self, *what: object) -> None:
        """Show a stage of the pipeline: its name, and whatever else the pipeline says about it."""
        if what:
            self._draw(f"{self._name}: {what[0]}")

    def progress(self, done: int, total: int, text: str) -> None:
        """Show how far work is that has no inputs to count."""
        self._done, self._total = done, total
        self._draw(text)

    def done(self, text: str) -> None:
        """One input is segmented."""
        self._done += 1
        self._line(self._lines, f"[{self._done}/{self._total}] {one_line(text)}")

    def failed(self, text: str) -> None:
        """One input has failed."""
        self._done += 1
        self._line(self._errors, f"[{self._done}/{self._total}] Failed: {one_line(text)}")

    def say(self, text: str) -> None:
        """A line about the run as a whole."""
        self._line(self._lines, text)

    def complain(self, text: str) -> None:
        """A line about something wrong."""
        self._line(self._errors, text)

    def close(self) -> None:
        """Take the line of progress away."""
        if self._drawn and self._errors is not None:
            self._drawn = False
            self._show(self._errors, "\r\x1b[K")

    def _line(self, stream: TextIO | None, text: str) -> None:
        self.close()
        try:
            put(stream, printable(text) + "\n")
        except OutputError:
            if stream is not self._errors:
                raise

    def _draw(self, text: str) -> None:
        if not self._live or self._errors is None or self._total == 0:
            return
        filled = round(_BAR * self._done / self._total)
        head = f"[{'#' * filled}{'.' * (_BAR - filled)}] {self._done}/{self._total} "
        room = shutil.get_terminal_size().columns - len(head) - 1
        self._drawn = self._show(self._errors, f"\r\x1b[K{head}{one_line(printable(text))[: max(0, room)]}")

    def _show(self, terminal: TextIO, text: str) -> bool:
        """Write to the terminal; one that is gone, as that of a session that was left, gets no more."""
        with suppress(OSError):
            terminal.write(text)
            terminal.flush()
            return True
        self._live = False
        return False
