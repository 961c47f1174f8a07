"""Where the training is: beside a checkout, or installed as a package of its own. The library does without it."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path

from ..core.errors import DependencyError
from .console import Console

CHECKOUT, INSTALLED = "training", "GrayscaleDetSegTraining"
"""Its name in the repository, and the name under which it is installed, where ``training`` would say too little."""

_OLDEST = (3, 11)


def run_training(arguments: argparse.Namespace, console: Console) -> int:
    """Run `grayscale-detseg train`; returns its exit code.

    Raises
    ------
    DependencyError
        If the training, or something that it needs, is not there.
    """
    if sys.version_info < _OLDEST:
        needed, present = (".".join(map(str, version[:2])) for version in (_OLDEST, sys.version_info))
        raise DependencyError(f"Training needs Python {needed} or later; this is Python {present}.")
    try:
        command = importlib.import_module(f"{training_package()}.fine_tuning.command")
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"Training needs the Python package '{(error.name or str(error)).partition('.')[0]}', which is missing: "
            "pip install ./training in a copy of the repository brings it along."
        ) from error
    return command.run(arguments, console)


def training_package() -> str:
    """The name by which the training can be imported.

    Raises
    ------
    DependencyError
        If it is not there.
    """
    beside = Path(__file__).resolve().parents[3] / CHECKOUT
    found = importlib.util.find_spec(CHECKOUT)
    if found is not None and beside in map(Path, found.submodule_search_locations or ()):
        return CHECKOUT
    if importlib.util.find_spec(INSTALLED) is not None:
        return INSTALLED
    raise DependencyError(
        "The training is not installed with this copy (3D Slicer's extension comes without it): "
        "pip install . ./training in a copy of the repository, with a Python of its own."
    )
