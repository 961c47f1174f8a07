"""The command `grayscale-detseg`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from ..core.errors import DependencyError, DeviceError, GrayscaleDetSegError, MethodError, OutputError, WeightsError
from ..core.methods.registry import registry
from .arguments import BAD_ARGUMENTS, FAULT, INPUTS_FAILED, INTERRUPTED, OK, TERMINATED, WEIGHTS, parser
from .console import Console
from .inputs import Input, Problem, collect, plan
from .plain import dumps, failure


class Terminated(BaseException):
    """SIGTERM has come; as a BaseException it passes all handlers of errors but no `finally`."""


def main(
    argv: Sequence[str] | None = None,
    load_pipeline: Callable | None = None,
    read: Callable | None = None,
    arguments_parser: argparse.ArgumentParser | None = None,
) -> int:
    """Run the command and return its exit code, see its help; never exits by itself.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the program's name; those of the process if not given.
    load_pipeline : callable (folder, device) -> pipeline, optional
        Replaces `core.loading.load_pipeline`.
    read : callable, optional
        Replaces `read_radiograph`.
    arguments_parser : ArgumentParser, optional
        Replaces that of `grayscale-detseg`; see `arguments.folder_parser`.
    """
    try:
        arguments = (arguments_parser or parser()).parse_args(argv)
    except SystemExit as leaving:  # argparse has said why
        return OK if leaving.code is None else int(leaving.code)
    to_stdout = arguments.command == "segment" and arguments.json == "-"
    console = Console(sys.stderr if to_stdout else sys.stdout, sys.stderr)
    try:
        if arguments.command == "info":
            return _info(arguments, console, read)
        if arguments.command == "train":
            from .training import run_training

            return run_training(arguments, console)
        return _segment(arguments, console, load_pipeline, read)
    except KeyboardInterrupt:
        console.complain(f"Interrupted. {_after_stop(arguments.command)}")
        return INTERRUPTED
    except Terminated:
        console.complain(f"Terminated. {_after_stop(arguments.command)}")
        return TERMINATED
    except (WeightsError, DependencyError) as error:
        console.complain(str(error))
        return WEIGHTS
    except (DeviceError, MethodError, OutputError) as error:  # outside a single input: what was asked for cannot be had
        console.complain(str(error))
        return BAD_ARGUMENTS
    except GrayscaleDetSegError as error:
        console.complain(str(error))
        return FAULT
    except BrokenPipeError:
        raise
    except Exception as error:
        console.complain(f"A fault of the program: {type(error).__name__}: {error}")
        _trace(console, error, arguments.verbose)
        return FAULT
    finally:
        console.close()


def _after_stop(command: str) -> str:
    if command == "train":
        return "The same command goes on from its last checkpoint."
    return "The results written so far are complete."


def _segment(arguments: argparse.Namespace, console: Console, load_pipeline, read) -> int:
    from . import outputs
    from .run import Options, run

    if arguments.output is None and arguments.json is None:
        console.complain("Say where the results go: --output DIR (or --json - for numbers alone).")
        return BAD_ARGUMENTS
    inputs, problems = _collected(arguments.inputs, console)
    if not inputs:
        return BAD_ARGUMENTS
    if arguments.output is not None:
        _need_slicer()
        outputs.prepare(arguments.output)
    document = None if arguments.json in (None, "-") else Path(arguments.json)
    if document is not None:
        outputs.check_free([document], arguments.overwrite)
    if arguments.method is not None:
        registry().get(arguments.method)  # a package that is broken is said before a model is loaded
    pipeline = (load_pipeline or _load_pipeline)(arguments.model, arguments.device)
    for problem in registry().problems:
        console.complain(problem)
    pipeline.check_method(arguments.method)
    console.say(f"Computing on {pipeline.device}." if not pipeline.device_note else pipeline.device_note)
    options = Options(
        window=arguments.window,
        polarity=arguments.polarity,
        method=arguments.method,
        clean_up=arguments.clean_up,
        score_threshold=arguments.score_threshold,
        overwrite=arguments.overwrite,
    )
    jobs = plan(inputs, arguments.output or Path())
    console.start(len(jobs))
    console.working_on(jobs[0].path.name)
    documents = [failure(problem.path, problem.reason) for problem in problems]
    failed, fault = len(problems), False
    outcomes = run(jobs, pipeline, read or _reader(), arguments.output, options, console.stage)
    for index, outcome in enumerate(outcomes, start=1):
        if outcome.ok:
            documents.append(outcome.document)
            where = f" -> {outcome.files[0]}" if outcome.files else ""
            console.done(f"{outcome.job.path}: {outcome.message}{where}")
        else:
            documents.append(failure(outcome.job.path, outcome.message))
            failed += 1
            console.failed(f"{outcome.job.path}: {outcome.message}")
            if outcome.fault is not None:
                fault = True
                _trace(console, outcome.fault, arguments.verbose)
        if index < len(jobs):
            console.working_on(jobs[index].path.name)
    console.say(f"{len(documents) - failed} done, {failed} failed.")
    if arguments.json is not None:
        _deliver(dumps(documents[0] if len(documents) == 1 else documents) + "\n", document)
    if fault:
        return FAULT
    return INPUTS_FAILED if failed else OK


def _info(arguments: argparse.Namespace, console: Console, read) -> int:
    from ..core.reading import describe, describe_text

    inputs, problems = _collected(arguments.inputs, console)
    if not inputs:
        return BAD_ARGUMENTS
    read, failed, documents = read or _reader(), len(problems), []
    for index, item in enumerate(inputs):
        try:
            radiograph = read(item.path, window=arguments.window, polarity=arguments.polarity)
        except GrayscaleDetSegError as error:
            failed += 1
            documents.append(failure(item.path, str(error)))
            console.complain(f"Failed: {item.path}: {error}")
            continue
        documents.append(describe(radiograph))
        if not arguments.json:
            console.say(("\n" if index else "") + describe_text(radiograph))
    if arguments.json:
        console.say(dumps(documents[0] if len(documents) == 1 else documents))
    return INPUTS_FAILED if failed else OK


def _collected(paths: Sequence[Path], console: Console) -> tuple[list[Input], list[Problem]]:
    """The inputs, after the paths that hold none have been named."""
    inputs, problems = collect(paths)
    for problem in problems:
        console.complain(f"Failed: {problem.path}: {problem.reason}")
    if not inputs:
        console.complain("There is nothing to do: no inputs were found.")
    return inputs, problems


def _need_slicer() -> None:
    from ..scene.files import available

    if not available():
        raise GrayscaleDetSegError(
            "Segmentations are written by slicer-core, which is missing: install it with pip install slicer-core."
        )


def _load_pipeline(folder: Path | None, device: str):
    from ..core.loading import load_pipeline  # imports torch, which takes seconds

    return load_pipeline(folder, device)


def _reader() -> Callable:
    from ..core.reading import read_radiograph

    return read_radiograph


def _deliver(text: str, path: Path | None) -> None:
    """Write `text` to standard output or, complete or not at all, to `path`."""
    if path is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    aside = path.with_name(f".{uuid.uuid4().hex}.json")
    try:
        aside.write_bytes(text.encode("utf-8"))
        os.replace(aside, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        aside.unlink(missing_ok=True)


def _trace(console: Console, error: Exception, verbose: bool) -> None:
    """Show where `error` comes from, to those who asked for it."""
    if verbose:
        console.complain("".join(traceback.format_exception(None, error, error.__traceback__)))
    else:
        console.complain("(--verbose shows where in the program.)")


def _terminate(_number, _frame) -> None:
    raise Terminated


def as_process(run: Callable[[], int]) -> int:
    """The exit code of `run`, which does what a process does: SIGTERM ends it as cleanly as Ctrl-C.

    Both are listened to while it runs, and left to whoever listened before when it is done.
    """
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")  # names of files may be in any script
    try:
        return run()
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    except (KeyboardInterrupt, Terminated):  # while run was being left
        return INTERRUPTED
    finally:
        for number, handler in before.items():
            # None is a handler that Python did not install and cannot put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def entry() -> None:
    """The command as a process."""
    sys.exit(as_process(main))


if __name__ == "__main__":
    entry()
