"""Calls of `segment` with a pipeline that needs no weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from GrayscaleDetSegLib.batch import main as command
from Testing.fakes import FakePipeline, fake_reader


def segment_in(folder: Path, pipeline: FakePipeline, monkeypatch) -> Callable[..., int]:
    """Runs `segment` on its arguments in `folder`, which gets three files; returns the exit code."""
    monkeypatch.chdir(folder)
    for name in ("a.dcm", "b.dcm", "bad.dcm"):
        (folder / name).touch()

    def run(*arguments: str, load=lambda folder, device, engine: pipeline) -> int:
        return command.main(["segment", *arguments], load, fake_reader)

    return run
