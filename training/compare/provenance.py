"""Where figures come from: command, machine, versions, code."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import torch

import GrayscaleDetSegLib

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "monai", "lightning")


def command(arguments: list[str]) -> str:
    """The command line as it can be typed again."""
    return "python -m training.compare " + shlex.join(arguments)


def facts(arguments: list[str], seconds: float) -> dict:
    """What is to be known of a part that was just finished."""
    return {
        "command": command(arguments),
        "finished": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round(seconds, 1),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> str:
    """Processor, number of its cores, threads that torch uses, and the system."""
    name = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        models = [line.split(":", 1)[1].strip() for line in listing.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s) used, {platform.platform()}"


def versions() -> dict[str, str]:
    """The versions of everything that takes part; the project's with its commit where that is known."""
    found = {"GrayscaleDetSeg": f"{GrayscaleDetSegLib.__version__} ({commit()})", "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """The commit of the project's code, and whether files differ from it."""
    ask = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return "commit " + subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "commit unknown"
