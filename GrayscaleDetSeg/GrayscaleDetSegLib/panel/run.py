"""Runs one job at a time and polls it from a timer, so that the window responds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..core.devices import within_memory
from ..core.stopwatch import Progress
from ..logic.jobs import Job

INTERVAL = 20
"""Milliseconds between two looks at a job."""


class Runner:
    """Runs work in a thread and calls back on the main thread.

    Parameters
    ----------
    on_change : callable
        Called with the name of each stage that starts, and with None at the end of the job.
    """

    def __init__(self, on_change: Callable[[str | None], object]) -> None:
        self._on_change = on_change
        self._job: Job | None = None
        self._stage = ""
        self._done: Callable[[Any], object]
        self._failed: Callable[[BaseException], object]
        self._timer = qt.QTimer()
        self._timer.setInterval(INTERVAL)
        self._timer.connect("timeout()", self._look)

    @property
    def is_busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None

    @property
    def is_cancelled(self) -> bool:
        """Whether the running job was cancelled."""
        return self._job is not None and self._job.is_cancelled

    def start(
        self,
        work: Callable[[Progress], Any],
        done: Callable[[Any], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Start a job. `done` is called with what it returns, `failed` with what it raises (`Cancelled` after a
        cancellation).

        Raises
        ------
        RuntimeError
            If a job is running.
        """
        if self._job is not None:
            raise RuntimeError("A job is running already.")
        self._done, self._failed, self._stage = done, failed, ""
        self._job = Job(lambda progress: _computed(work, progress))
        self._timer.start()
        self._on_change("")

    def cancel(self) -> None:
        """Make the job end at its next stage."""
        if self._job is not None:
            self._job.cancel()
            self._on_change(self._stage)

    def abandon(self) -> None:
        """Drop the job: neither `done` nor `failed` will be called."""
        job, self._job = self._job, None
        self._timer.stop()
        if job is not None:
            job.cancel()
            self._on_change(None)

    def _look(self) -> None:
        job = self._job
        if job is None:
            self._timer.stop()
            return
        job.breathe()
        if job.stage != self._stage:
            self._stage = job.stage
            self._on_change(self._stage)
        if not job.is_done:
            return
        self._timer.stop()
        self._job = None
        self._on_change(None)  # before its outcome, of which another job may come
        try:
            self._done(job.outcome())
        except Exception as error:  # of the work, or of what is done with its outcome
            self._failed(error)


def _computed(work: Callable[[Progress], Any], progress: Progress) -> Any:
    with within_memory():
        return work(progress)


def load_libraries(say: Callable[[str], object], torch: bool) -> None:
    """Import the computing libraries on the main thread: importing PyTorch in a thread would take minutes."""
    if torch and "torch" not in sys.modules:
        say(_("Starting PyTorch; the first time this takes some seconds..."))
        # the text is drawn, and nothing can be clicked: nobody looks at clicks before torch is there
        slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
    if torch:
        import_module("torch")

        from ..core.volumes import iteration, pipeline  # noqa: F401

    from ..core import editing, loading  # noqa: F401
