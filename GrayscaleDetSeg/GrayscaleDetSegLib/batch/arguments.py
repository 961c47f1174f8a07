"""The command's arguments and its help."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from .. import __version__
from ..core.methods.registry import registry
from ..core.options import SegmentOptions
from ..core.shipped import bundle_folder, shipped_bundles

OK, FAULT, BAD_ARGUMENTS, INPUTS_FAILED, WEIGHTS, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 130, 143


class MethodNames:
    """The names of all methods that are installed, looked up when they are asked for; none is imported."""

    def __iter__(self) -> Iterator[str]:
        return iter(registry().names)

    def __contains__(self, name: object) -> bool:
        return name in registry().names


METHODS = MethodNames()

_EXIT_CODES = """exit codes:
  0    all done (an image in which nothing was found counts as done)
  1    a fault of the program or its installation; --verbose shows where
  2    bad arguments: also no inputs found, or an output (folder, file, stream) that cannot be written to
  3    some inputs failed, each named with its reason; the others are done (train: nothing was done)
  4    the model's weights are missing or damaged, or a Python package that is needed is missing
  130  interrupted (Ctrl-C), 143 terminated; no half-written file is left
"""

_SEGMENT = """Finds and segments the objects in radiographs. For every input three files are written to the output
folder: NAME.seg.nrrd (segmentation, opens in 3D Slicer), NAME.json (the result with all numbers), NAME.png (overlay);
and those of other installed packages that write results.

NAME is the input's name without its extension. Files found in a folder keep their folders below the output folder.
Where two inputs would get the same name, or a result would replace an input, the extension stays in the name."""

_TRAIN = """Fine-tunes a model for the labels of your own images, and writes a model bundle that --model takes.

DATA is a folder of labelled images, or several: images with label maps, COCO, or cases saved in 3D Slicer. What is
wrong with them is listed first. The new model knows the classes that DATA shows, new ones too. What the model it starts
from knows besides is dropped, unless --keep names it. Part of the images is put aside to judge the model by: whole
patients, where split.csv has a column 'patient' or the names tell.

Stopped or killed, the same command goes on where it was."""


def parser() -> argparse.ArgumentParser:
    """The parser of `grayscale-detseg`; what it returns has the attribute `command`."""
    top = argparse.ArgumentParser(
        prog="grayscale-detseg",
        description="Segmentation of radiographs by 2D and 3D object detection. For research, not for diagnosis.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _segment(commands)
    _info(commands)
    _train(commands)
    return top


def folder_parser(program: str = "segment_folder.py") -> argparse.ArgumentParser:
    """The parser of a program that does nothing but what `grayscale-detseg segment` does."""
    command = argparse.ArgumentParser(
        prog=program,
        description=_SEGMENT,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    command.set_defaults(command="segment")
    _segmenting(command)
    return command


def _segment(commands) -> None:
    command = commands.add_parser(
        "segment",
        help="segment radiographs",
        description=_SEGMENT,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _segmenting(command)


def _segmenting(command: argparse.ArgumentParser) -> None:
    command.add_argument("inputs", nargs="+", type=_path, metavar="INPUT", help="files, or folders with all below them")
    command.add_argument(
        "-o", "--output", type=_path, metavar="DIR", help="where the results go; made if it is missing"
    )
    command.add_argument("--overwrite", action="store_true", help="replace results that exist already")
    command.add_argument(
        "--method",
        choices=METHODS,
        metavar="NAME",
        help="what makes the masks; one of: %(choices)s (default: the model's own)",
    )
    command.add_argument(
        "--json",
        type=_name,
        metavar="FILE",
        help="also write the results to this file, or to standard output if it is -: the content of NAME.json for one "
        "input, a list of them for several (an input that failed stands there with its reason). With - everything else "
        "is printed to standard error. With --json no output folder is needed. --overwrite replaces only what --json "
        "has written before",
    )
    command.add_argument(
        "--post-processing",
        "--clean-up",
        action=argparse.BooleanOptionalAction,
        dest="clean_up",
        default=True,
        help="smooth masks, keep their largest parts and fill holes (default: yes); --clean-up is its former name",
    )
    command.add_argument(
        "--exclusive",
        action="store_true",
        help="give every pixel to one object at most: of those that overlap, to that with the higher score x "
        "confidence; NAME.json and the console say who won (default: objects of different classes may overlap where "
        "the model allows it)",
    )
    command.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="what to compute on")
    command.add_argument(
        "--engine",
        choices=("auto", "numpy", "torch"),
        default="auto",
        help="what computes: numpy, which is always there, or PyTorch (default: auto, PyTorch where a GPU is used)",
    )
    command.add_argument(
        "--model",
        type=_model,
        metavar="MODEL",
        help=f"what finds the objects: one of {', '.join(shipped_bundles())}, or the folder of another model (default: "
        "radiographs)",
    )
    command.add_argument(
        "--score-threshold",
        type=_score,
        metavar="S",
        help="ROI score that an object needs, 0 to 1 (default: the model's)",
    )
    places = command.add_argument_group("many radiographs")
    places.add_argument(
        "--jobs", type=_count, metavar="N", help="work in N processes, each with a model of its own (default: in one)"
    )
    places.add_argument(
        "--resume",
        action="store_true",
        help="leave results as they are that are complete and were made from the same file by the same model and "
        "options; what was in work when a run was killed is done again",
    )
    places.add_argument(
        "--cluster",
        type=_name,
        metavar="ADDRESS",
        help="work on a Dask cluster: the address of its scheduler, whose workers see the same files, or local for one "
        "on this machine with --jobs workers (needs pip install 'grayscale-detseg[cluster]')",
    )
    _reading(command)


def options_of(arguments: argparse.Namespace) -> SegmentOptions:
    """How to segment, of the arguments of :func:`folder_parser` or of the command ``segment``."""
    return SegmentOptions(
        method=arguments.method,
        polarity=arguments.polarity,
        clean_up=arguments.clean_up,
        score_threshold=arguments.score_threshold,
        device=arguments.device,
        model=arguments.model,
        window=arguments.window,
        exclusive=arguments.exclusive,
        engine=arguments.engine,
    )


def _info(commands) -> None:
    command = commands.add_parser(
        "info",
        help="show how radiographs are read",
        description="Shows what is read from radiographs: modality, polarity, spacing and its source, gray mapping.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("inputs", nargs="+", type=_path, metavar="FILE", help="files, or folders with all below them")
    command.add_argument(
        "--json", action="store_true", help="as JSON: an object for one input, a list of objects for several (a - "
        "behind it, for standard output, changes nothing)"
    )
    _reading(command)


def _train(commands) -> None:
    command = commands.add_parser(
        "train",
        help="teach a model your own labels",
        description=_TRAIN,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("data", nargs="+", type=_path, metavar="DATA", help="folders of labelled images")
    command.add_argument(
        "-o", "--output", type=_path, required=True, metavar="FOLDER", help="where the new model goes; made at the end"
    )
    command.add_argument(
        "--from",
        dest="start",
        type=_path,
        metavar="FOLDER",
        help="the model to start from (default: the one that comes with it)",
    )
    command.add_argument(
        "--method",
        choices=METHODS,
        metavar="NAME",
        help="train for this method alone, which becomes the new model's own; one of: %(choices)s (default: train for "
        "all methods of the model)",
    )
    command.add_argument(
        "--minutes", type=_positive, metavar="N", help="how long it may take, split among the networks (default: 25)"
    )
    command.add_argument(
        "--keep",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes to keep although DATA does not show them, or all; then only the last layers learn",
    )
    command.add_argument(
        "--forget",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes of the old model to learn as if it had never known them, or all",
    )
    command.add_argument(
        "--complete",
        action="store_true",
        help="every image has all it shows of all classes marked: what is not marked is not there",
    )
    command.add_argument("--skip-bad", action="store_true", help="train without the images that cannot be used")
    command.add_argument("--overwrite", action="store_true", help="replace the model in --output")
    command.add_argument("--name", type=_name, help="the new model's name (default: the name of the output folder)")
    command.add_argument("--work", type=_path, metavar="DIR", help="folder of the run (default: OUTPUT.work)")
    command.add_argument("--config", type=_path, metavar="FILE", help="another configuration, a TOML file")
    command.add_argument("--seed", type=_whole, metavar="N", help="of all random choices (default: 1)")
    command.add_argument("--threads", type=_count, default=1, metavar="N", help="threads for the networks (default: 1)")
    command.add_argument(
        "--workers", type=_whole, default=1, metavar="N", help="processes that prepare samples (default: 1)"
    )
    command.add_argument("--verbose", action="store_true", help="show where in the program a fault happened")


def _reading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--polarity",
        choices=("auto", "as-is", "inverted"),
        default="auto",
        help="whether to invert the values, so that bone is bright (default: auto, as the file says)",
    )
    command.add_argument(
        "--window",
        choices=("percentile", "voi"),
        default="percentile",
        help="which values become gray levels 0 to 255: between percentiles (default) or the file's VOI window",
    )
    command.add_argument("--verbose", action="store_true", help="show where in the program a fault happened")


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return text


def _path(text: str) -> Path:
    """A path; none is no path, and not the folder that happens to be the current one."""
    return Path(_name(text))


def _model(text: str) -> Path:
    """The folder of a model that comes with the software, by its name, or of another one."""
    return bundle_folder(_path(text))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _score(text: str) -> float:
    value = _number(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _whole(text: str, least: int = 0) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"{text} is not {least} or more")
    return value


def _count(text: str) -> int:
    return _whole(text, 1)
