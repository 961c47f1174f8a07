"""Work in threads: stages, the end by request at a stage, errors and outcomes handed on."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.logic import jobs
from GrayscaleDetSegLib.logic.jobs import Cancelled, Job


class Gate:
    """Work that goes on when it is let."""

    def __init__(self, effect=lambda: "done") -> None:
        self.effect, self.reached, self.open, self.stages = effect, threading.Event(), threading.Event(), []

    def __call__(self, progress):
        with Stopwatch(progress)("first"):
            self.stages.append("first")
        self.reached.set()
        assert self.open.wait(10)
        with Stopwatch(progress)("second"):
            self.stages.append("second")
        return self.effect()


def test_stages_and_the_outcome():
    gate = Gate()
    job = Job(gate)
    assert gate.reached.wait(10) and job.stage == "first" and not job.is_done and not job.is_cancelled
    gate.open.set()
    assert job.outcome() == job.outcome() == "done" and job.is_done and job.stage == "second"


def test_it_runs_beside_the_main_thread_and_may_not_keep_the_program():
    seen = []
    job = Job(lambda progress: seen.append(threading.current_thread()))
    job.wait()
    assert seen[0] is not threading.current_thread() and seen[0].daemon and job.outcome() is None


def test_told_to_end_it_does_so_at_the_next_stage():
    gate = Gate()
    job = Job(gate)
    assert gate.reached.wait(10)
    job.cancel()
    assert job.is_cancelled and not job.is_done  # at once, without waiting
    gate.open.set()
    job.wait()
    assert job.is_done and gate.stages == ["first"] and job.stage == "first"
    with pytest.raises(Cancelled):
        job.outcome()


@pytest.mark.parametrize("effect", [lambda: "done", lambda: 1 / 0])
def test_told_to_end_after_the_last_stage_nothing_comes_of_it(effect):
    """The outcome is not wanted any more, nor is an error."""
    reached, is_open = threading.Event(), threading.Event()

    def work(progress):
        progress("last")
        reached.set()
        assert is_open.wait(10)
        return effect()

    job = Job(work)
    assert reached.wait(10)
    job.cancel()
    is_open.set()
    with pytest.raises(Cancelled):
        job.outcome()


def test_a_failure_is_handed_on_with_its_place():
    gate = Gate(lambda: 1 / 0)
    gate.open.set()
    job = Job(gate)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            job.outcome()
    assert any("test_jobs" in str(entry.path) and entry.name == "__call__" for entry in caught.traceback)
    assert job.is_done and not job.is_cancelled


def test_breathing_gives_the_thread_time_and_costs_nothing_after_the_end(monkeypatch):
    gate, slept = Gate(), []
    job = Job(gate)
    assert gate.reached.wait(10)
    sleep = time.sleep
    monkeypatch.setattr(jobs.time, "sleep", lambda seconds: slept.append(seconds) or sleep(seconds))
    job.breathe()
    assert slept == [jobs.BREATH] and 0 < jobs.BREATH < 0.02
    gate.open.set()
    job.wait()
    job.breathe()
    assert slept == [jobs.BREATH]


def test_two_jobs_never_work_at_once():
    """One that was told to end computes on until its next stage; what is started meanwhile waits for that."""
    first, second = Gate(), Gate()
    abandoned = Job(first)
    assert first.reached.wait(10)
    abandoned.cancel()
    job = Job(second)
    assert not second.reached.wait(0.3) and not job.is_done
    first.open.set()
    assert second.reached.wait(10) and abandoned.is_done
    second.open.set()
    assert job.outcome() == "done"


def test_a_job_that_waits_for_its_turn_can_be_told_to_end():
    first, second = Gate(), Gate()
    job, waiting = Job(first), Job(second)
    assert first.reached.wait(10)
    waiting.cancel()
    with pytest.raises(Cancelled):
        waiting.outcome()
    assert not second.reached.is_set() and not job.is_done
    first.open.set()
    assert job.outcome() == "done"


def test_garbage_is_collected_again_only_after_the_last_of_them():
    assert gc.isenabled()
    first, second = jobs._uncollected(), jobs._uncollected()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()
    gc.disable()
    try:
        with jobs._uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_program_ends_after_its_jobs():
    """A thread that computes while the interpreter is torn down can crash the whole program."""
    code = """if True:
        import time
        from GrayscaleDetSegLib.logic.jobs import Job, Cancelled
        def work(progress):
            try:
                while True:
                    progress("stage")
                    time.sleep(0.3)
            except Cancelled:
                print("ended", flush=True)
                raise
        job = Job(work)
        while job.stage != "stage":
            time.sleep(0.01)
        """
    library = Path(jobs.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(library)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
