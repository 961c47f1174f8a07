"""The command `grayscale-detseg`, as a process."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence

from ..core.errors import (
    DependencyError,
    DeviceError,
    GrayscaleDetSegError,
    MethodError,
    OutputError,
    WeightsError,
    one_line,
)
from .arguments import BAD_ARGUMENTS, FAULT, INPUTS_FAILED, INTERRUPTED, OK, TERMINATED, WEIGHTS, parser
from .console import Console
from .interruption import Terminated, interruptible
from .plain import dumps, failure
from .silence import discard, quiet_process
from .threads import one_for_numpy


def main(
    argv: Sequence[str] | None = None,
    load_pipeline: Callable | None = None,
    read: Callable | None = None,
    arguments_parser: argparse.ArgumentParser | None = None,
    before: Callable[[], object] | None = None,
) -> int:
    """Run the command and return its exit code, see its help; never exits by itself.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the program's name; those of the process if not given.
    load_pipeline : callable (folder, device, engine) -> pipeline, optional
        Replaces `core.loading.load_pipeline`, in this process.
    read : callable, optional
        Replaces `read_radiograph`, in this process.
    arguments_parser : ArgumentParser, optional
        Replaces that of `grayscale-detseg`; see `arguments.folder_parser`.
    before : callable, optional
        Called before the first model is loaded; what it raises ends the command as what a model raises does.
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
        from .segmenting import segment

        return segment(arguments, console, load_pipeline, read, before)
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


def _info(arguments: argparse.Namespace, console: Console, read) -> int:
    from ..core.reading import describe, describe_text, read_radiograph
    from .inputs import collected, documents_of_all

    # with --json, - is where the text goes, as everywhere: standard output
    paths = [path for path in arguments.inputs if not (arguments.json and str(path) == "-")]
    inputs, problems = collected(paths, console.complain)
    if not inputs:
        return BAD_ARGUMENTS
    read, failed, documents, has_fault = read or read_radiograph, len(problems), [], False
    for index, item in enumerate(inputs):
        try:
            radiograph = read(item.path, window=arguments.window, polarity=arguments.polarity)
        except Exception as error:
            is_fault = not isinstance(error, GrayscaleDetSegError)
            reason = f"A fault of the program: {type(error).__name__}: {error}" if is_fault else str(error)
            failed, has_fault = failed + 1, has_fault or is_fault
            documents.append(failure(item.path, reason))
            console.complain(one_line(f"Failed: {item.path}: {reason}"))
            if is_fault or arguments.verbose:
                _trace(console, error, arguments.verbose)
            continue
        documents.append(describe(radiograph))
        if not arguments.json:
            console.say(("\n" if index else "") + describe_text(radiograph))
    if arguments.json:
        documents = documents_of_all(documents, problems)
        console.say(dumps(documents[0] if len(documents) == 1 else documents))
    if has_fault:
        return FAULT
    return INPUTS_FAILED if failed else OK


def _trace(console: Console, error: Exception, verbose: bool) -> None:
    """Show where `error` comes from, to those who asked for it."""
    if verbose:
        console.complain("".join(traceback.format_exception(None, error, error.__traceback__)))
    else:
        console.complain("(--verbose shows where in the program.)")


def as_process(run: Callable[[], int], is_all: bool = False) -> int:
    """The exit code of `run`, which does what a process does: SIGTERM ends it as cleanly as Ctrl-C.

    The first of the two that comes counts. Both are listened to while it runs, and left to whoever listened before when
    it is done; where it `is_all` that the process does, nobody listens any more, so that its end is not disturbed.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")  # names of files may be in any script
    try:
        with interruptible(is_all):
            return run()
    except BrokenPipeError:  # whoever read our output has left
        discard(sys.stdout.fileno())
        return FAULT
    except KeyboardInterrupt:  # while run was being left
        return INTERRUPTED
    except Terminated:
        return TERMINATED


def entry() -> None:
    """The command as a process."""
    one_for_numpy()
    quiet_process("--verbose" in sys.argv)
    sys.exit(as_process(main, is_all=True))


if __name__ == "__main__":
    entry()
