"""A fine-tuning from the folders to the bundle."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.weights import Bundle

from ..data.splits import Split, SplitError, split
from ..runs.record import Record, code_version
from .context import Budget, Context, Reporter
from .errors import FineTuningError
from .fitting import duration
from .gathered_data import TrainingData, gather
from .networks import tune_detector
from .result import foreign, write
from .settings import DEFAULTS, Settings, read_settings
from .steps import Step, Trained, chosen_methods, steps_of

_SECONDS_PER_IMAGE = 0.8  # of measuring on val
_RESERVE = 20.0


@dataclass(frozen=True)
class TrainingRequest:
    """What was asked for, see the help of ``grayscale-detseg train``."""

    data: Sequence[Path]
    output: Path
    start: Path | None = None
    method: str | None = None
    work: Path | None = None
    config: Path | None = None
    minutes: float | None = None
    seed: int | None = None
    name: str | None = None
    keep: Sequence[str] = ()
    forget: Sequence[str] = ()
    is_complete: bool = False
    skip_bad: bool = False
    overwrite: bool = False
    threads: int = 1
    workers: int = 1


class BadData(FineTuningError):
    """Some of the data cannot be used; the message is the report of what is wrong."""


def tune(request: TrainingRequest, say: Callable[[str], None], draw: Callable[[int, int, str], None]) -> list[dict]:
    """Do it all, or go on with it; returns the figures on val, see ``evaluate.summarise``.

    Raises
    ------
    FineTuningError
        If it cannot be done as asked; ``BadData`` if that is because of some of the images.
    WeightsError
        If the bundle to start from is missing or damaged.
    """
    began = time.monotonic()
    settings = read_settings(request.config, minutes=request.minutes, seed=request.seed)
    _check_output(request)
    start = Bundle.open(request.start)
    steps = steps_of(chosen_methods(start, request.method))
    _check_start(start, steps)
    torch.set_num_threads(request.threads)
    work = request.work or request.output.with_name(request.output.name + ".work")
    gathered = gather(list(request.data), request.is_complete, work)
    _report_problems(gathered, request.skip_bad, say)
    try:
        sides = split(gathered.cases, settings.validation_share, settings.seed)
    except SplitError as error:
        raise FineTuningError(str(error)) from error
    classes, kept, forgotten = _classes(start, gathered, request)
    record = _open_work(work, request, settings, start, gathered, classes)
    reporter = Reporter(work / "log.txt", say, draw)
    validation = sides.validation or sides.training
    context = Context(
        start, classes, kept, forgotten, sides.training, validation, settings, work, reporter, None, request.workers
    )
    if not settings.is_fixed:
        reserve = _RESERVE + _SECONDS_PER_IMAGE * len(validation) + time.monotonic() - began
        timed = ("detector", *(step.name for step in steps))
        shares = {name: settings.networks[name].share for name in timed if name in settings.networks}
        context.budget = Budget(60.0 * settings.minutes, reserve, shares)
    _introduce(context, gathered, sides)

    detector = tune_detector(context)
    trained = {"roi_detector": Trained(detector.state_dict(), {"config": detector.config.to_dict()})}
    for step in steps:
        trained.update(step.run(context, detector))
    if "polarity" in start.manifest["networks"]:
        trained["polarity"] = Trained(start.tensors("polarity"))
    left = [name for name in start.manifest["networks"] if name not in trained]
    if left:
        reporter.say(f"Not trained, and not in the new model: {', '.join(left)}")
    facts = {
        "name": request.name or request.output.name,
        "version": "1",
        "code": _said(code_version()),
        "date": datetime.date.today().isoformat(),
        "how": sides.how,
    }
    reporter.say("Measuring on val.")
    rows = write(context, trained, request.method, request.output, facts)
    record.note(outcome="finished")
    reporter.note(f"done after {duration(time.monotonic() - began)}")
    return rows


def _check_output(request: TrainingRequest) -> None:
    for folder in (request.output, request.work):
        if folder is None:
            continue
        try:
            if folder.exists() and not folder.is_dir():
                raise FineTuningError(f"{folder} is a file; give a folder.")
        except OSError as error:
            raise FineTuningError(f"{folder} cannot be looked at: {error.strerror}; give another folder.") from error
    if request.output.exists() and any(request.output.iterdir()):
        if not request.overwrite:
            raise FineTuningError(f"{request.output} exists already: use another output folder, or --overwrite.")
        reason = foreign(request.output)
        if reason is not None:
            raise FineTuningError(f"{request.output} {reason} and is not replaced: use another output folder.")


def _check_start(start: Bundle, steps: Sequence[Step]) -> None:
    entries = [start.network(name) for name in ("roi_detector", *(name for step in steps for name in step.networks))]
    classes = [entry["config"]["classes"] for entry in entries if "classes" in entry.get("config", {})]
    if any(each != classes[0] for each in classes):
        raise WeightsError(f"The networks of {start.folder} know different classes; start from another bundle.")


def _report_problems(gathered: TrainingData, skip_bad: bool, say: Callable[[str], None]) -> None:
    """Show what there is and what is wrong with it; errors stop it here, unless they are to be left out."""
    if gathered.errors and not skip_bad:
        number = f"{gathered.errors} error{'s' * (gathered.errors > 1)}"
        raise BadData(
            f"{gathered.report}\nThe data have {number}: correct them, or leave out what they name with --skip-bad."
        )
    say(gathered.report)


def _classes(
    start: Bundle, gathered: TrainingData, request: TrainingRequest
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The new bundle's classes, and which of the start's are kept without data, or forgotten.

    Raises
    ------
    FineTuningError
        If there are no objects, or a name is not known.
    """
    old, shown = tuple(start.network("roi_detector")["config"]["classes"]), gathered.labels
    if not shown:
        raise FineTuningError("No image has an object marked: there is nothing to learn.")
    for option, names in (("--keep", request.keep), ("--forget", request.forget)):
        unknown = [name for name in names if name not in old and name != "all"]
        if unknown:
            raise FineTuningError(f"{option}: {start.name} does not know '{unknown[0]}', only {', '.join(old)}.")
    forgotten = old if "all" in request.forget else tuple(name for name in old if name in request.forget)
    wanted = old if "all" in request.keep else request.keep
    kept = tuple(name for name in old if name in wanted and name not in shown)
    both = [name for name in kept if name in forgotten]
    if both:
        raise FineTuningError(f"'{both[0]}' cannot be kept and forgotten: leave out one of --keep and --forget.")
    new = tuple(sorted(name for name in shown if name not in old))
    return tuple(name for name in old if name in shown) + new + kept, kept, forgotten


def _open_work(
    work: Path,
    request: TrainingRequest,
    settings: Settings,
    start: Bundle,
    gathered: TrainingData,
    classes: tuple[str, ...],
) -> Record:
    """Make the run's folder with all that the run is made of, or check that the one that is there is of this run.

    Raises
    ------
    FineTuningError
        If it belongs to another training.
    """
    config = (request.config or DEFAULTS).read_text(encoding="utf-8")
    made_of = {
        "configuration": config,
        "seed": settings.seed,
        "start": {name: entry["sha256"] for name, entry in start.manifest["networks"].items()},
        "data": gathered.fingerprint(),
        "classes": list(classes),
        "keep": list(request.keep),
        "forget": list(request.forget),
        "complete": request.is_complete,
        **({"method": request.method} if request.method else {}),
    }
    record = Record(work)
    before = record.content.get("made_of")
    if before is not None:
        different = [name for name, value in made_of.items() if before.get(name) != value]
        if different:
            raise FineTuningError(
                f"{work} holds another training ({', '.join(different)} differ): remove it, or give another --work."
            )
    elif work.exists() and any(work.iterdir()):
        raise FineTuningError(f"{work} holds something else than a training: give another --work.")
    else:
        work.mkdir(parents=True, exist_ok=True)
        (work / "config.toml").write_text(config, encoding="utf-8")
        (work / "data.txt").write_text(gathered.report + "\n", encoding="utf-8")
    gathered.checked.keep(work)
    folders = [str(folder) for folder in request.data]
    record.begin({"made_of": made_of, "data": folders, "start": start.name, "minutes": settings.minutes})
    return record


def _said(version: dict[str, Any]) -> str:
    """The version of the code, for the card."""
    commit = f", commit {version['commit'][:12]}" if version["commit"] else ""
    return f"{version['version']}{commit}{', changed since' if version['dirty'] else ''}"


def _introduce(context: Context, gathered: TrainingData, sides: Split) -> None:
    reporter, old = context.reporter, context.start.network("roi_detector")["config"]["classes"]
    if sides.validation:
        reporter.say(f"{len(sides.training)} to learn from, {len(sides.validation)} for validation: {sides.how}")
    else:
        reporter.say("No image can be spared for validation: the figures will be those on the training images.")
    known = [label for label in context.classes if label in old and label not in context.forgotten]
    trained = [label for label in context.classes if label not in context.kept]
    new = [label for label in trained if label not in known]
    dropped = [label for label in old if label not in context.classes]
    parts = [f"known to {context.start.name}: {', '.join(label for label in trained if label in known) or 'none'}"]
    parts.append(f"new: {', '.join(new) or 'none'}")
    if context.kept:
        parts.append(f"kept as they are (only last layers learn): {', '.join(context.kept)}")
    if dropped:
        parts.append(f"dropped, as the data do not show them (--keep): {', '.join(dropped)}")
    reporter.say("; ".join(parts))
    unsettled = [label for label in trained if not all(case.is_settled(label) for case in gathered.cases)]
    if unsettled:
        reporter.say(
            f"Not marked in all images, so where it is unmarked nothing is learnt of it: {', '.join(unsettled)}. If it "
            "is not there in these images, say so: --complete."
        )
    if context.budget:
        reporter.say(f"It will take about {context.settings.minutes:g} min; stopped, the same command goes on.")


