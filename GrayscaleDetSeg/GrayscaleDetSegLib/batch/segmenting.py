"""The command `segment`: from its arguments to its exit code."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from ..core.engines import TITLES
from ..core.errors import WeightsError, one_line
from ..core.methods.registry import check_method, methods_of, registry
from ..core.reading.readers import readers
from ..core.weights import Bundle
from . import json_file, outputs
from .arguments import BAD_ARGUMENTS, FAULT, INPUTS_FAILED, OK, options_of
from .console import Console
from .inputs import Job, collect, collected, documents_of_all, plan
from .places import LOCAL, cluster, processes
from .plain import dumps, failure
from .process import JobResult, finished, made_with_of, process
from .run import Place, run
from .writers import writers


def segment(
    arguments: argparse.Namespace,
    console: Console,
    load: Callable | None = None,
    read: Callable | None = None,
    before: Callable[[], object] | None = None,
) -> int:
    """Segment what the arguments name; `load`, `read` and `before` as for ``main.main``."""
    complaint = _contradiction(arguments)
    if complaint:
        console.complain(complaint)
        return BAD_ARGUMENTS
    suffixes = [writer.suffix for writer in writers().parts]
    of_volumes = _takes_volumes(arguments.model)
    inputs, problems = collected(arguments.inputs, console.complain, suffixes, _search(of_volumes))
    if not inputs:
        return BAD_ARGUMENTS
    if arguments.output is not None:
        outputs.prepare(arguments.output)
    document_is_wanted = arguments.json is not None
    document = None if arguments.json in (None, "-") else Path(arguments.json)
    for problem in (*readers().problems, *(writers().problems if arguments.output is not None else ())):
        console.complain(problem)
    if arguments.method is not None:
        registry().get(arguments.method)  # a package that is broken is said before a model is loaded
    planned = plan(inputs, arguments.output or Path(), suffixes, arguments.resume)
    if document is not None:
        json_file.check(document, arguments.overwrite, planned, arguments.output, suffixes)
    jobs = _jobs(arguments, planned)
    options = options_of(arguments)
    if before is not None:
        before()
    kept = [finished(job, made_with_of(job, options)) for job in jobs] if arguments.resume else []
    there = {result.job for result in kept if result is not None}
    left = [job for job in jobs if job not in there]
    with ExitStack() as stack:
        place, work, notes = _place(arguments, stack, len(left)), process, set()
        if left and place is None:
            pipeline = (load or _load_pipeline)(arguments.model, arguments.device, arguments.engine)
            pipeline.check_method(arguments.method)
            console.say(pipeline.device_note or f"Computing with {TITLES[pipeline.engine]} on {pipeline.device}.")
            notes = {pipeline.device_note}
            work = partial(process, load=lambda *_: pipeline, read=read, stage=console.stage)
        elif left:
            bundle = Bundle.open(arguments.model)
            check_method(arguments.method, [method.name for method in methods_of(bundle)], bundle.name)
            options = replace(options, model=None if options.model is None else options.model.absolute())
        for problem in registry().problems:
            console.complain(problem)
        tally = Tally(console, jobs, arguments.verbose, place is None, notes, document_is_wanted)
        if place is not None and arguments.output is not None:
            stack.callback(_recover, jobs)  # what processes that died, or were ended, have left
        results = stack.enter_context(closing(run(left, options, place, work)))
        for result in chain(filter(None, kept), results):
            tally.add(result)
    failed = len(problems) + tally.failed
    of_these = f", {tally.kept} of them before" if tally.kept else ""
    console.say(f"{len(jobs) - tally.failed} done{of_these}, {failed} failed.")
    if document_is_wanted:
        documents = documents_of_all(tally.documents, problems)
        text = dumps(documents[0] if len(documents) == 1 else documents) + "\n"
        json_file.deliver(text, document, arguments.overwrite)
    if tally.has_fault:
        return FAULT
    return INPUTS_FAILED if failed else OK


class Tally:
    """Says what became of each job, and counts.

    Parameters
    ----------
    in_order : bool
        Whether the jobs are done one after the other.
    notes : set of str
        What was said of the device already.
    keep_documents : bool
        Whether :attr:`documents` will be asked for; those of many thousands would fill the memory.
    """

    def __init__(
        self,
        console: Console,
        jobs: Sequence[Job],
        verbose: bool,
        in_order: bool,
        notes: set[str | None],
        keep_documents: bool,
    ) -> None:
        self._console, self._jobs, self._verbose, self._in_order = console, jobs, verbose, in_order
        self._notes, self._next, self._keep_documents = notes, 0, keep_documents
        self._done: dict[Job, dict | None] = {}
        self.failed, self.kept, self.has_fault = 0, 0, False
        console.start(len(jobs))
        self._announce()

    @property
    def documents(self) -> list[dict]:
        """The reports in the order of the inputs, and in the place of those that failed why."""
        return [document for job in self._jobs if (document := self._done[job]) is not None]

    def add(self, result: JobResult) -> None:
        """Say what became of a job."""
        console, name = self._console, result.job.path
        document = result.document or failure(name, result.message)
        self._done[result.job] = document if self._keep_documents else None
        if result.device_note not in self._notes and result.device_note:
            self._notes.add(result.device_note)
            console.say(result.device_note)
        if result.ok:
            self.kept += result.is_kept
            where = f" -> {result.files[0]}" if result.files else ""
            console.done(f"{name}: {'Left as it is. ' if result.is_kept else ''}{result.message}{where}")
        else:
            self.failed += 1
            console.failed(f"{name}: {result.message}")
        for problem in result.problems:
            console.complain(one_line(f"{name}: {problem}"))
        self.has_fault |= result.is_fault
        if result.trace and self._verbose:
            console.complain(result.trace)
        elif result.is_fault:
            console.complain("(--verbose shows where in the program.)")
        self._announce()

    def _announce(self) -> None:
        if self._in_order:
            while self._next < len(self._jobs) and self._jobs[self._next] in self._done:
                self._next += 1
            if self._next < len(self._jobs):
                self._console.working_on(self._jobs[self._next].path.name)


def _contradiction(arguments: argparse.Namespace) -> str:
    """Why the arguments do not fit together; empty if they do."""
    if arguments.output is None and arguments.json is None:
        return "Say where the results go: --output DIR (or --json - for numbers alone)."
    if arguments.resume and arguments.output is None:
        return "There is nothing to resume without --output."
    if arguments.jobs and arguments.cluster not in (None, LOCAL):
        return f"--jobs does not go with --cluster {arguments.cluster}, which has workers of its own."
    return ""


def _jobs(arguments: argparse.Namespace, planned: Sequence[Job]) -> list[Job]:
    """The jobs with all that their processes need to know."""
    same = {
        "directory": arguments.output,
        "overwrite": arguments.overwrite,
        "resume": arguments.resume,
        "root": Path.cwd() if arguments.cluster else Path(),
        "run": uuid.uuid4().hex,
    }
    jobs = [replace(job, **same) for job in planned]
    if arguments.resume:
        _recover(jobs)
    return jobs


def _recover(jobs: Sequence[Job]) -> None:
    for folder in {(job.directory / job.name).parent for job in jobs if job.directory is not None}:
        outputs.recover(folder)


def _place(arguments: argparse.Namespace, stack: ExitStack, count: int) -> Place | None:
    """Where the arguments want the jobs to be done; None for this process."""
    if not count:
        return None
    if arguments.cluster:
        return stack.enter_context(cluster(arguments.cluster, arguments.jobs, arguments.verbose))
    if arguments.jobs and arguments.jobs > 1 and count > 1:
        return processes(min(arguments.jobs, count), arguments.verbose)
    return None


def _takes_volumes(model: Path | None) -> bool:
    """Whether a model is one for volumes; what is wrong with it, whoever loads it will say."""
    try:
        return model is not None and Bundle.open(model).dimensions == 3
    except WeightsError:
        return False


def _search(of_volumes: bool) -> Callable:
    """What finds the inputs of a model."""
    if of_volumes:
        from .volumes.inputs import collect as collect_volumes

        return collect_volumes
    return collect


def _load_pipeline(folder: Path | None, device: str, engine: str):
    from ..core.loading import load_pipeline

    return load_pipeline(folder, device, engine)
