"""Work in a thread while the window stays alive.

In Slicer, Python threads get no time while Qt's event loop waits, unless the main thread sleeps in Python now and then:
whoever watches a job does so from a timer that calls :meth:`Job.breathe`. PyTorch must have been imported before,
because an import in a thread would take that sleep for minutes.
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
    """The user does not want the result any more."""


class Job(Generic[Outcome]):
    """One piece of work, started at once, or as soon as those before it have ended.

    There are never two at work: one that was told to end, and that nobody waits for any more, still computes until its
    next stage. A program that ends waits for that stage too, because the libraries that compute must not be torn down
    under a thread.

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
        _jobs.add(self)
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

    def wait(self, seconds: float | None = None) -> None:
        """Block until the thread has ended, or so many seconds are over."""
        self._thread.join(seconds)

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
