"""A process of our own has a quiet console, and leaves no descriptor open on the way there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from GrayscaleDetSegLib.batch.arguments import FAULT

LIBRARY = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg"
START = """
import os, sys, warnings
from GrayscaleDetSegLib.batch import main, silence
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
def opened():
    return [number for number in range(64) if is_open(number)]
def fail(*_):
    raise OSError(24, "Too many open files")
before = opened()
"""


def run(code: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    return subprocess.run(
        [sys.executable, "-c", START + code], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_console_shows_what_we_say_alone():
    done = run(
        "silence.quiet_process(False)\n"
        "os.write(2, b'a library speaks')\n"
        "warnings.warn('a library warns')\n"
        "print('we speak', file=sys.stderr)\n"
    )
    assert (done.returncode, done.stderr) == (0, "we speak\n")


def test_verbose_leaves_the_console_as_it_is():
    done = run("silence.quiet_process(True)\nos.write(2, b'a library speaks')\n")
    assert (done.returncode, done.stderr) == (0, "a library speaks")


@pytest.mark.parametrize("step", ["dup", "open", "dup2"])
def test_without_descriptors_the_console_stays(step):
    done = run(
        f"stream, true = sys.stderr, os.{step}\n"
        f"os.{step} = fail\n"
        "silence.quiet_process(False)\n"
        f"os.{step} = true\n"
        "assert sys.stderr is stream and opened() == before, opened()\n"
        "print('we speak', file=sys.stderr)\n"
    )
    assert (done.returncode, done.stderr) == (0, "we speak\n")


def test_a_reader_that_has_left_costs_no_descriptor():
    done = run(
        "def leave():\n    raise BrokenPipeError\n"
        "code = main.as_process(leave)\n"
        "assert opened() == before, opened()\n"
        "sys.exit(code)\n"
    )
    assert (done.returncode, done.stderr) == (FAULT, "")
