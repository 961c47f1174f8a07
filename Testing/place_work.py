"""Jobs for other processes, by the names of their inputs: what they do to the process that does them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from GrayscaleDetSegLib.batch.inputs import Job
from GrayscaleDetSegLib.batch.process import JobResult, process
from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.options import SegmentOptions


def work(job: Job, options: SegmentOptions) -> JobResult:
    """Says who did it; dies, dies once, raises or hangs where the input is called so."""
    name, here = job.path.name, job.path.parent
    if name.startswith("dies"):
        time.sleep(0.2)  # the others are in work by now
        if not name.startswith("dies once") or not (here / f"{name} died").exists():
            (here / f"{name} died").touch()
            os._exit(9)
    if name.startswith("weights"):
        raise WeightsError("The weights are damaged.")
    if name.startswith("hangs"):
        (here / f"{name} {os.getpid()}").touch()
        time.sleep(120)
    if name.startswith("slow"):
        (here / name).touch()
        time.sleep(0.3)
    return JobResult(job, {"by": os.getpid(), "method": options.method}, "done")


def fake(job: Job, options: SegmentOptions) -> JobResult:
    """``process`` with a pipeline and a reader that need no weights."""
    from Testing.fakes import FakePipeline, fake_reader

    return process(job, options, load=lambda *_: FakePipeline(), read=fake_reader)


def die_while_writing(job: Job, options: SegmentOptions) -> JobResult:
    """As :func:`fake`; a process is killed between the first and the second file of a result, the first time."""
    marker = Path(job.path.parent / "died")
    if not marker.exists():
        rename = os.replace

        def then_die(source, target):
            if str(target).endswith(".json"):
                marker.touch()
                os._exit(9)
            rename(source, target)

        os.replace = then_die
    return fake(job, options)
