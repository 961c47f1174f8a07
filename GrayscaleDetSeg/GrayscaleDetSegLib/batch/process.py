"""One radiograph from its file to the files of its result: a pure function that any process of any machine can run."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from .. import __version__
from ..core.devices import give_back, within_memory
from ..core.errors import DependencyError, DeviceError, GrayscaleDetSegError, OutputError, WeightsError
from ..core.options import SegmentOptions
from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult
from ..core.weights import MANIFEST, shipped_bundle
from . import outputs
from .inputs import REPORT, Job
from .report import report
from .writers import is_whole, writers

Stage = Callable[..., None]
LARGE = 1 << 24
"""Bytes of pixels from which memory is given back before every stage, too; each time takes a millisecond or two."""


class SegmentationPipeline(Protocol):
    """What is needed of `core.pipeline.Pipeline`."""

    device: str
    device_note: str | None
    engine: str

    def check_method(self, method: str | None) -> None: ...

    def segment(
        self,
        radiograph: Radiograph,
        *,
        method: str | None = None,
        clean_up: bool = True,
        score_threshold: float | None = None,
        check_polarity: bool = True,
        exclusive: bool = False,
        progress: Stage | None = None,
    ) -> SegmentationResult: ...


class Reading(Protocol):
    """What is needed of `core.reading.read_radiograph`."""

    def __call__(self, path: Path, *, window: str, polarity: str) -> Radiograph: ...


@dataclass(frozen=True)
class JobResult:
    """What became of one job; it can be sent between processes.

    Parameters
    ----------
    job : Job
    document : dict or None
        The report of the result; None if the job failed.
    message : str
        What was found, or why it failed; one sentence for the user.
    files : tuple of Path
        What was written.
    problems : tuple of str
        A sentence for each writer of another package that failed.
    is_fault : bool
        Whether it failed by none of the errors that an input can cause: a fault of the program.
    trace : str
        Where in the program the failure came from, where that says more than the message.
    is_kept : bool
        Whether the result was there already and is left as it is.
    device_note : str or None
        What the user should know about the choice of the device.
    """

    job: Job
    document: dict | None
    message: str
    files: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    is_fault: bool = False
    trace: str = ""
    is_kept: bool = False
    device_note: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the input was segmented (with objects found or not) and all files were written."""
        return self.document is not None


def process(
    job: Job,
    options: SegmentOptions,
    *,
    load: Callable[[Path | None, str, str], SegmentationPipeline] | None = None,
    read: Reading | None = None,
    stage: Stage | None = None,
) -> JobResult:
    """Segment one input and write the files of its result.

    Nothing outside of the files is changed, but that the model stays loaded for the next job of this process.

    Parameters
    ----------
    load : callable (folder, device, engine) -> pipeline, optional
        Replaces ``core.loading.load_pipeline``.
    read : callable, optional
        Replaces ``core.reading.read_radiograph``.
    stage : callable, optional
        Handed on to the pipeline as `progress`.

    Raises
    ------
    WeightsError, DependencyError
        Because no other input would fare better. Everything else that goes wrong with one input ends in its JobResult.
    """
    try:
        with within_memory():
            return _processed(job, options, load, read, stage)
    except (WeightsError, DependencyError):
        raise
    except DeviceError as error:
        return JobResult(job, None, f"{error} Try --device cpu.")
    except GrayscaleDetSegError as error:
        return JobResult(job, None, str(error), trace="" if error.__cause__ is None else _trace(error))
    except MemoryError:
        return JobResult(job, None, "There is not enough memory for this image.")
    except Exception as error:  # a fault of ours on one image is no reason to drop the others
        message = f"A fault of the program: {type(error).__name__}: {error}"
        return JobResult(job, None, message, is_fault=True, trace=_trace(error))
    finally:
        give_back()


def _processed(job: Job, options: SegmentOptions, load, read, stage) -> JobResult:
    made_with = made_with_of(job, options)
    if job.directory is not None:
        kept = finished(job, made_with)
        if kept is not None:
            return kept
        chosen = writers()
        suffixes = [writer.suffix for writer in chosen.parts]
        if job.resume and not job.overwrite:
            _check_unfinished(job, suffixes, made_with)
        files = job.outputs(job.root / job.directory, suffixes)
        outputs.check_free(files, job.overwrite)  # before the work
        outputs.check_ours(files)
    pipeline = _pipeline(options, load)
    if getattr(pipeline, "dimensions", 2) == 3:
        from .volumes.work import segmented

        document, message, files = segmented(job, options, pipeline, stage, made_with)
        return JobResult(job, document, message, files, device_note=pipeline.device_note)
    if read is None:
        from ..core.reading import read_radiograph as read
    radiograph = read(job.root / job.path, window=options.window, polarity=options.polarity)
    if radiograph.source is not None:  # as the user called it
        radiograph = replace(radiograph, source=replace(radiograph.source, path=job.path))
    told = _sparing(stage) if radiograph.pixels.nbytes >= LARGE else stage
    result = pipeline.segment(radiograph, **options.of_segment, progress=told)
    give_back()
    document = report(result, made_with)
    if job.directory is None:
        return JobResult(job, document, result.message, device_note=pipeline.device_note)
    written = outputs.write(result, job.root / job.directory, job.name, job.overwrite, made_with=made_with)
    files = tuple(job.directory / path.relative_to(job.root / job.directory) for path in written.files)
    return JobResult(job, document, result.message, files, written.problems, device_note=pipeline.device_note)


def _sparing(told: Stage | None) -> Stage:
    """Word of a stage's start, before which the memory that the stage before has left is given back."""

    def start(*what: Any) -> None:
        give_back()
        if told is not None:
            told(*what)

    return start


def made_with_of(job: Job, options: SegmentOptions) -> dict[str, Any]:
    """What decides the result of a job: the program, the model, the options and the file; and which run made it.

    What it is computed on is left out.
    """
    chosen = {name: value for name, value in asdict(options).items() if name not in ("device", "engine", "model")}
    try:
        stat = os.stat(job.root / job.path)
        file = {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
    except OSError:
        file = None
    return {
        "version": __version__,
        "model_sha256": _digest_of(options.model),
        "options": chosen,
        "file": file,
        "run": job.run,
    }


def finished(job: Job, made_with: dict[str, Any]) -> JobResult | None:
    """The result of a job that is there, complete and made with the same; None if it must be made.

    That of another run counts only if the job is to be resumed. That of its own run always does: a process that died
    may have finished it.
    """
    assert job.directory is not None
    names = job.outputs(job.directory, [writer.suffix for writer in writers().parts])
    document = _finished(job, names, made_with)
    if document is None and any(os.path.lexists(job.root / path) for path in names):
        if outputs.recover((job.root / names[0]).parent):
            document = _finished(job, names, made_with)
    if document is None:
        return None
    return JobResult(job, document, str(document.get("message", "")), names, is_kept=True)


def _check_unfinished(job: Job, suffixes: list[str], made_with: dict[str, Any]) -> None:
    """Say of a result that is there, and is not as it would be made now, what is the matter with it.

    Raises
    ------
    OutputError
        If there is one.
    """
    assert job.directory is not None
    files = job.outputs(job.root / job.directory, suffixes)
    missing = [path for path in files if not is_whole(path)]
    if not any(os.path.lexists(path) for path in files):
        return
    (place,) = (path for path in files if path.name.endswith(REPORT))
    again = "use another output folder, or --overwrite to make it again."
    try:
        before = {**json.loads(place.read_text(encoding="utf-8"))["made_with"], "run": ""}
    except FileNotFoundError:
        before = {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(f"{place} is damaged, or no report of a result: {again}") from None
    if missing:
        what = f"{missing[0].name} is missing or cut short"
        raise OutputError(f"The result of {job.path} is not complete ({what}): {again}")
    different = [name for name in made_with if name != "run" and before.get(name) != made_with[name]]
    words = {"version": "another version", "model_sha256": "another model", "options": "other options",
             "file": "another file, or one that was changed since"}  # fmt: skip
    said = " and ".join(words[name] for name in different if name in words) or "something else"
    raise OutputError(f"{place} exists already and was made with {said}: {again}")


def _finished(job: Job, names: tuple[Path, ...], made_with: dict[str, Any]) -> dict | None:
    try:
        (place,) = (path for path in names if path.name.endswith(REPORT))
        document = json.loads((job.root / place).read_text(encoding="utf-8"))
        before = document["made_with"]
        is_same = {**before, "run": ""} == {**made_with, "run": ""} and (job.resume or before["run"] == job.run != "")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return document if is_same and all(map(is_whole, (job.root / path for path in names))) else None


_kept: tuple[tuple, SegmentationPipeline] | None = None
_lock = threading.Lock()


def _pipeline(options: SegmentOptions, load: Callable | None) -> SegmentationPipeline:
    """The pipeline of a model on a device: that of the job before, unless the model has been trained anew since."""
    global _kept
    wanted = options.model, options.device, options.engine, _digest_of(options.model), load
    with _lock:
        if _kept is None or _kept[0] != wanted:
            if load is None:
                from ..core.loading import load_pipeline

                load = load_pipeline
            _kept = wanted, load(options.model, options.device, options.engine)
        return _kept[1]


def _digest_of(model: Path | None) -> str | None:
    """SHA-256 of what a bundle says of itself, the checksums of its weights among it; None where there is none."""
    try:
        return hashlib.sha256(((model or shipped_bundle()) / MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return None


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
