"""What README.md says of the command is what the command does, its links lead somewhere, its messages exist."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from GrayscaleDetSegLib.batch import arguments

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "GrayscaleDetSeg").rglob("*.py")]


SLICERS = {
    "--no-main-window",
    "--no-splash",
    "--python-script",
    "--ignore-slicerrc",
    "--disable-settings",
    "--exit-after-startup",
}
"""Options of Slicer itself, qSlicerCoreCommandOptions and qSlicerCommandOptions."""


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.S | re.M)[1]


def options(command: str) -> set[str]:
    (commands,) = (
        action for action in arguments.parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return {name for action in commands.choices[command]._actions for name in action.option_strings} - {"-h", "--help"}


@pytest.mark.parametrize("command", ["segment", "info"])
def test_every_option_is_described(command):
    assert not {name for name in options(command) if not re.search(rf"`[^`]*{name}\b", section("Command line"))}


def test_every_option_described_exists():
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"pip (install|download) [^`]*", "", README)))
    assert named <= options("segment") | options("info") | {"--version", "--help"} | SLICERS


def test_the_exit_codes_are_those_of_the_help():
    rows = re.findall(r"^\| ([\d, ]+) \|", section("Command line"), re.M)
    described = {int(code) for row in rows for code in row.split(",")}
    assert described == {
        arguments.OK,
        arguments.FAULT,
        arguments.BAD_ARGUMENTS,
        arguments.INPUTS_FAILED,
        arguments.WEIGHTS,
        arguments.INTERRUPTED,
        arguments.TERMINATED,
    }


def messages() -> list[str]:
    cells = re.findall(r"^\| (`.*?`) \|", section("If something goes wrong"), re.M)
    return [message for cell in cells for message in re.findall(r"`(.*?)`", cell)]


@pytest.mark.parametrize("message", messages())
def test_a_message_explained_can_come_up(message):
    """Its fixed parts stand in the source in this order; what differs from case to case does not count."""
    parts = [part for part in re.split(r"\.\.\.|\bN\b|'cuda'|\bcuda\b|manifest\.json", message) if part.strip(" ().")]
    pattern = re.compile(".{0,80}?".join(re.escape(part.strip(" ()")) for part in parts))
    joined = (re.sub(r'"\n\s*f?"', "", source) for source in SOURCES)
    assert any(pattern.search(source) for source in joined)


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_links_within_the_page_lead_to_sections():
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, re.M)}
    assert {link for link in re.findall(r"\]\(#([^)]+)\)", README)} <= titles
