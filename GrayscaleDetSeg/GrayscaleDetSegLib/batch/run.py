"""The loop over many radiographs, in this process or by any executor; a failure is kept and the rest goes on."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from ..core.errors import GrayscaleDetSegError
from ..core.options import SegmentOptions
from .inputs import Job
from .process import JobResult, process

Work = Callable[[Job], JobResult]
_TRIES = 2  # of a job whose process dies while it does nothing else
_BREAKS = 3  # executors that break before they are given anything


@dataclass(frozen=True)
class Place:
    """Where jobs are done.

    Parameters
    ----------
    open : callable () -> context manager of an Executor
        Called again where the processes of the one before have died. What is left by an error drops the jobs that have
        not begun.
    at_once : int
        Jobs that are handed over at a time: enough that nobody waits.
    death : type of Exception
        What futures raise of a job whose process has died, and which says nothing of the other jobs. An executor that
        breaks as a whole (``BrokenExecutor``) is opened anew in any case.
    """

    open: Callable[[], AbstractContextManager[Executor]]
    at_once: int
    death: type[Exception] = BrokenExecutor


def run(
    jobs: Sequence[Job],
    options: SegmentOptions,
    place: Place | None = None,
    work: Callable[..., JobResult] = process,
) -> Generator[JobResult, None, None]:
    """Do all jobs, and yield what became of each as soon as it is done: in their order without a place, else in any.

    Parameters
    ----------
    place : Place, optional
        This process, one job after the other, if not given.
    work : callable (job, options) -> JobResult
        For a place it must be picklable.

    Raises
    ------
    WeightsError, DependencyError
        As ``process.process``.
    """
    do = partial(work, options=options)
    if place is None:
        yield from map(do, jobs)
        return
    left = deque(jobs)
    suspects: deque[Job] = deque()  # one of them has brought an executor down
    breaks, deaths = 0, Counter[Job]()
    while left or suspects:
        in_work: dict[Future, Job] = {}
        with place.open() as executor:
            try:
                yield from _done(executor, do, place, left, suspects, in_work)
            except BrokenExecutor as error:
                if len(in_work) == 1:
                    (job,) = in_work.values()
                    deaths[job] += 1
                    if deaths[job] == _TRIES:
                        yield _died(job)
                    else:
                        suspects.append(job)
                elif in_work:
                    suspects.extend(in_work.values())
                else:
                    breaks += 1
                    if breaks == _BREAKS:
                        raise GrayscaleDetSegError(f"No process can be started to work in ({error}).") from error


def _done(
    executor: Executor, do: Work, place: Place, left: deque[Job], suspects: deque[Job], in_work: dict[Future, Job]
) -> Iterator[JobResult]:
    """What becomes of the jobs, until there are none left or the executor breaks; suspects are done one by one."""
    while suspects:
        _submit(executor, do, suspects, in_work)
        yield from _finished(place, in_work)
    while left or in_work:
        while left and len(in_work) < place.at_once:
            _submit(executor, do, left, in_work)
        yield from _finished(place, in_work)


def _submit(executor: Executor, do: Work, jobs: deque[Job], in_work: dict[Future, Job]) -> None:
    future = executor.submit(do, jobs[0])  # one that is broken already raises, and the job is not lost
    in_work[future] = jobs.popleft()


def _finished(place: Place, in_work: dict[Future, Job]) -> Iterator[JobResult]:
    finished, _ = wait(in_work, return_when=FIRST_COMPLETED)
    for future in finished:
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            raise error
        job = in_work.pop(future)
        if error is None:
            yield future.result()
        elif isinstance(error, place.death):
            yield _died(job)
        else:
            raise error


def _died(job: Job) -> JobResult:
    return JobResult(job, None, "The process that worked on it has died, perhaps for want of memory.")
