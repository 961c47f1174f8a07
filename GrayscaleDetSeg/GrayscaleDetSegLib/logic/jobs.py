"""Work in a thread while the window responds.

In Slicer, Python threads do not run while Qt's event loop waits, unless the main thread sleeps in Python repeatedly.
The owner of a job therefore calls :meth:`Job.breathe` from a timer. PyTorch must be imported before: an import in a
thread would take minutes this way.
"""

from __future__ import annotations

import atexit
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar, cast

from ..core.stopwatch import Progress

Outcome = TypeVar("Outcome")

BREATH = 0.005
"""Seconds that the thread gets at each look of the main thread."""


AT_EXIT = 60.0
"""Seconds that the program waits at its end for jobs, which were told to end, to reach their next stage."""

_turn = threading.Lock()
_jobs: weakref.WeakSet[Job] = weakref.WeakSet()
_collection, _pauses, _was_enabled = threading.Lock(), 0, True


class Cancelled(Exception):
    """The user has cancelled the job."""


class Job(Generic[Outcome]):
    """One function that runs in a thread. It starts at once, or when earlier jobs have ended.

    Two jobs never run at the same time: a cancelled job computes until its next stage. A program that exits waits for
    that stage as well, because the libraries must not be unloaded while a thread uses them.

    Parameters
    ----------
    work : callable (progress) -> outcome
        Runs in a thread; it must not use the scene or the window. It calls `progress` with the name of each stage that
        starts; if the job was cancelled, it ends there.
    """

    def __init__(self, work: Callable[[Progress], Outcome]) -> None:
        self._work, self._cancelled = work, threading.Event()
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self.stage = ""
        """Name of the stage that runs."""
        self._thread = threading.Thread(target=self._run, name="GrayscaleDetSeg", daemon=True)
        _jobs.add(self)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether the thread has ended, with or without an error."""
        return not self._thread.is_alive()

    @property
    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Make the work end at its next stage. Returns at once."""
        self._cancelled.set()

    def breathe(self) -> None:
        """Sleep for a moment, so that the thread runs."""
        if not self.is_done:
            time.sleep(BREATH)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the thread has ended, or for this number of seconds."""
        self._thread.join(seconds)

    def outcome(self) -> Outcome:
        """Return what the work returned.

        Raises
        ------
        Cancelled
            If the job was cancelled.
        Exception
            The exception that the work raised.
        """
        self._thread.join()
        if self._cancelled.is_set():
            raise Cancelled
        if self._error is not None:
            raise self._error
        return cast(Outcome, self._outcome)  # which may be None itself

    def _run(self) -> None:
        try:
            while not _turn.acquire(timeout=0.1):
                if self.is_cancelled:
                    raise Cancelled
            try:
                with _uncollected():
                    self._outcome = self._work(self._progress)
            finally:
                _turn.release()
        except BaseException as error:  # handed on to who asks for the outcome
            self._error = error

    def _progress(self, stage: str) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self.stage = stage


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection in any thread meanwhile, however many blocks of this kind overlap.

    Garbage may hold widgets, timers and nodes of the scene, and those must not be deleted in a thread of ours.
    """
    global _pauses, _was_enabled
    with _collection:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _collection:
            _pauses -= 1
            if not _pauses and _was_enabled:
                gc.enable()


@atexit.register
def _end_all() -> None:
    """Tell all jobs to end, and wait until they have."""
    running = [job for job in _jobs if not job.is_done]
    for job in running:
        job.cancel()
    end = time.monotonic() + AT_EXIT
    for job in running:
        job.wait(max(0.0, end - time.monotonic()))
