"""What a run keeps of itself: ``run.json`` (what made it, when and from which code) and ``log.txt``."""

from __future__ import annotations

import datetime
import json
import logging
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only

import GrayscaleDetSegLib

from ..files import write_aside

RECORD, LOG = "run.json", "log.txt"
ROOT = Path(__file__).resolve().parents[2]

_log = logging.getLogger("training")


def say(text: str) -> None:
    """Print a line, and keep it in the log of the run that is open; of several processes, the first does."""
    if rank_zero_only.rank == 0:
        print(text, flush=True)
        _log.info(text)


def open_log(folder: Path) -> None:
    """Keep what is said from now on in ``log.txt`` of a run, behind what an earlier session said."""
    for handler in list(_log.handlers):
        _log.removeHandler(handler)
        handler.close()
    handler = logging.FileHandler(folder / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False  # it has been printed


def code_version(root: Path = ROOT) -> dict[str, Any]:
    """The package's version, and where `root` is a git work tree its commit and whether anything is changed since."""
    version: dict[str, Any] = {"version": GrayscaleDetSegLib.__version__, "commit": None, "dirty": None}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    try:
        # installed packages may lie inside somebody else's repository
        if Path(git("rev-parse", "--show-toplevel")).resolve() == root.resolve():
            version |= {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):  # no git, or no work tree
        pass
    return version


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


class Record:
    """``run.json`` of a run's folder: facts that stay, and one entry in ``sessions`` for every start.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORD
        try:
            self.content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.content = {}

    def begin(self, facts: dict[str, Any]) -> None:
        """Note the start of a session; `facts` are kept where they are new."""
        self.content |= facts
        self.content.setdefault("sessions", []).append(
            {
                "started": _now(),
                "command": sys.argv,
                "code": code_version(),
                "software": {
                    "python": platform.python_version(), "torch": torch.__version__,
                    "lightning": lightning.__version__, "numpy": np.__version__,
                },
                "machine": {"system": platform.platform(), "cores": os.cpu_count()},
            }
        )  # fmt: skip
        self._write()

    def note(self, **facts: Any) -> None:
        """Add to the entry of this session."""
        self.content["sessions"][-1] |= facts
        self._write()

    def end(self, outcome: str, step: int) -> None:
        """Note how this session ended, and at which step."""
        self.note(ended=_now(), outcome=outcome, step=step)

    def _write(self) -> None:
        write_aside(self.path, json.dumps(self.content, indent=1).encode())
