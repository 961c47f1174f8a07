"""Wall time of the stages, and word of each as it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str], None]


class Stopwatch:
    """``with stopwatch("masks"): ...`` times a stage; `seconds` holds them all, in the order they ran.

    Parameters
    ----------
    progress : callable or None
        Called with the name of each stage as it starts.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    def of(self, name: str) -> Stopwatch:
        """A stopwatch for one of several objects: times are added to the same stages, and word of them names it."""
        told = self.progress
        part = Stopwatch(None if told is None else lambda stage: told(f"{name}: {stage}"))
        part.seconds = self.seconds
        return part

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        if self.progress is not None:
            self.progress(stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start
