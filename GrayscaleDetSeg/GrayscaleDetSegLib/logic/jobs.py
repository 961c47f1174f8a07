"""Work in a thread while the window stays alive.

In Slicer, Python threads get no time while Qt's event loop waits, unless the main thread sleeps in Python now and then:
whoever watches a job does so from a timer that calls :meth:`Job.breathe`. PyTorch must have been imported before,
because an import in a thread would take that sleep for minutes.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ..core.stopwatch import Progress

Outcome = TypeVar("Outcome")

BREATH = 0.005
"""Seconds that the thread gets at each look of the main thread."""


class Cancelled(Exception):
    """The user does not want the result any more."""


class Job(Generic[Outcome]):
    """One piece of work, started at once.

    Parameters
    ----------
    work : callable (progress) -> outcome
        Runs in a thread: it must not touch the scene or the window. It calls `progress` with the name of each stage as
        that starts; there the work ends if it was cancelled.
    """

    def __init__(self, work: Callable[[Progress], Outcome]) -> None:
        self._work, self._cancelled = work, threading.Event()
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self.stage = ""
        """Name of the stage that runs."""
        self._thread = threading.Thread(target=self._run, name="GrayscaleDetSeg", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether the thread has ended, by whatever way."""
        return not self._thread.is_alive()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was told to end."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the work to end at its next stage; returns at once."""
        self._cancelled.set()

    def breathe(self) -> None:
        """Give the thread the interpreter for a moment."""
        if not self.is_done:
            time.sleep(BREATH)

    def wait(self) -> None:
        """Block until the thread has ended."""
        self._thread.join()

    def outcome(self) -> Outcome:
        """What the work returned.

        Raises
        ------
        Cancelled
            If it was told to end.
        Exception
            Whatever the work raised.
        """
        self._thread.join()
        if self._cancelled.is_set():
            raise Cancelled
        if self._error is not None:
            raise self._error
        return self._outcome

    def _run(self) -> None:
        # garbage may hold widgets, timers and nodes of the scene, and those must not be deleted in this thread
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            self._outcome = self._work(self._progress)
        except BaseException as error:  # handed on to who asks for the outcome
            self._error = error
        finally:
            if was_enabled:
                gc.enable()

    def _progress(self, stage: str) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self.stage = stage
