"""The command ``grayscale-detseg train``; its arguments are the library's (``batch/arguments.py``)."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..evaluate import FINAL, SINGLE, table
from .errors import FineTuningError
from .tuning import BadData, TrainingRequest, tune

OK, BAD_ARGUMENTS, INPUTS_FAILED = 0, 2, 3


def run(arguments: argparse.Namespace, console: Any) -> int:
    """Train as the arguments say, with messages on a ``batch.console.Console``; returns the exit code."""
    request = TrainingRequest(
        data=arguments.data,
        output=Path(os.path.abspath(arguments.output)),  # "." has no name
        start=arguments.start,
        method=arguments.method,
        work=arguments.work,
        config=arguments.config,
        minutes=arguments.minutes,
        seed=arguments.seed,
        name=arguments.name,
        keep=arguments.keep,
        forget=arguments.forget,
        is_complete=arguments.complete,
        skip_bad=arguments.skip_bad,
        overwrite=arguments.overwrite,
        threads=arguments.threads,
        workers=arguments.workers,
    )
    try:
        rows = tune(request, console.say, console.progress)
    except BadData as error:
        console.complain(str(error))
        return INPUTS_FAILED
    except FineTuningError as error:
        console.complain(str(error))
        return BAD_ARGUMENTS
    if rows:
        console.say(f"\nOn val:\n\n{table(rows, FINAL)}\n\nThe single box:\n\n{table(rows, SINGLE)}\n")
    console.say(f"The model lies in {request.output}: grayscale-detseg segment --model {request.output} ...")
    return OK
