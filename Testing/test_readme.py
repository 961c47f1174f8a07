"""What README.md says of command, panel and library is so: options, controls, keys, messages, links, examples."""

from __future__ import annotations

import argparse
import re
import xml.etree.ElementTree
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from GrayscaleDetSegLib.batch import arguments
from GrayscaleDetSegLib.core.methods.registry import Registry, built_in

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


PANEL = ROOT / "GrayscaleDetSeg" / "GrayscaleDetSegLib" / "panel"
UI = xml.etree.ElementTree.parse(ROOT / "GrayscaleDetSeg" / "Resources" / "UI" / "GrayscaleDetSeg.ui")

CONTROLS = {
    "ctkCollapsibleButton",
    "ctkPathLineEdit",
    "ctkRangeWidget",
    "ctkSliderWidget",
    "qMRMLNodeComboBox",
    "QCheckBox",
    "QComboBox",
    "QLineEdit",
    "QPlainTextEdit",
    "QPushButton",
    "QTableWidget",
}
NO_CONTROLS = {"qMRMLWidget", "QFrame", "QLabel", "QProgressBar"}
NAMES = {"objectsTable": "Table of objects", "classComboBox": "Class beside Draw region", "logText": "Log"}
"""What the README calls the controls that have no text in the panel."""
ANSWERS = {"questionFirstButton", "questionSecondButton", "questionThirdButton"}


def section(title: str, level: int = 2) -> str:
    return re.search(rf"^#{{{level}}} {title}\n(.*?)(?=^#{{2,{level}}} |\Z)", README, re.S | re.M)[1]


def options(command: str) -> set[str]:
    (commands,) = (
        action for action in arguments.parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return {name for action in commands.choices[command]._actions for name in action.option_strings} - {"-h", "--help"}


@pytest.mark.parametrize("command", ["segment", "info", "train"])
def test_every_option_is_described(command):
    assert not {name for name in options(command) if not re.search(rf"`[^`]*{name}\b", section("Command line"))}


def test_every_option_described_exists():
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"pip (install|download) [^`]*", "", README)))
    comparison = (ROOT / "training" / "compare" / "__main__.py").read_text(encoding="utf-8")
    known = options("segment") | options("info") | options("train") | set(re.findall(r'"(--[a-z-]+)"', comparison))
    assert named <= known | {"--version", "--help"} | SLICERS


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


def controls() -> dict[str, str]:
    """What every control of the panel is called there: its own text, or that of the label before it."""
    found = {}
    for layout in UI.iter("layout"):
        label = ""
        for widget in (item.find("widget") for item in layout.findall("item")):
            if widget is None:
                continue
            kind, text = widget.get("class"), widget.findtext("property[@name='text']/string") or ""
            assert kind in CONTROLS | NO_CONTROLS, f"is a {kind} a control?"
            if kind in CONTROLS and widget.get("name") not in ANSWERS:
                found[widget.get("name")] = text if kind == "QPushButton" or not label else label
                found[widget.get("name")] = found[widget.get("name")] or text or NAMES.get(widget.get("name"), "")
            label = text.rstrip(":") if kind == "QLabel" and text.endswith(":") else ""
    return found


def described() -> list[str]:
    """The first column of the table of controls."""
    return [cell.strip("* ") for cell in re.findall(r"^\| (.+?) \|", section("Controls", 3), re.M)]


def test_the_panels_controls_are_found():
    found = controls()
    assert len(found) > 20 and found["inputSelector"] == "Image" and found["grayRangeWidget"] == "Gray levels"
    assert found["cloudCheckBox"].startswith("Show the point cloud") and found["cleanUpCheckBox"] == "Clean-up"


@pytest.mark.parametrize("name", controls())
def test_every_control_is_described(name):
    assert controls()[name] in described()


def test_every_control_described_exists():
    labels = [label.text.rstrip(":") for label in UI.iter("string") if label.text]
    assert set(described()) - {"control", "---"} <= {*labels, *NAMES.values()}


def test_every_column_of_the_table_is_described():
    headers = re.search(r"def headers.*?return \[(.*?)\]", (PANEL / "objects_table.py").read_text(), re.S)[1]
    columns = re.findall(r'_\("(.+?)"\)', headers)
    assert len(columns) == 7
    assert not [column for column in columns if f"**{column}**" not in section("Controls", 3)]


def built_in_methods() -> list[type]:
    return Registry(built_in()).usable()


def test_every_choice_of_the_panel_is_described():
    source = (PANEL / "parameters.py").read_text()
    choices = re.findall(r'"[a-z-]+": _\("(.+?)"\)', source) + [method.title for method in built_in_methods()]
    assert len(choices) == 9
    assert not [choice for choice in choices if choice not in section("Controls", 3)]


def test_the_shortcuts_are_those_of_the_panel():
    keys = re.findall(r'_shortcut\("(.+?)"', (PANEL / "widget.py").read_text())
    assert len(keys) == len(set(keys)) > 3
    assert re.findall(r"^\| `(.+?)` \|", section("Keyboard", 3), re.M) == keys


def examples(text: str) -> str:
    """The Python code of a part of the page."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.S | re.M))


def test_the_examples_for_the_console_run(panel_session, capsys):
    import sys

    import slicer

    panel_session.load(ROOT / "GrayscaleDetSeg" / "GrayscaleDetSeg.py")
    sources = {source["sampleName"]: source["uris"] for source in panel_session.samples}

    def download(name: str):
        path = url2pathname(urlparse(sources[name]).path)
        return slicer.modules.volumes.logic().AddArchetypeVolume(path, name, 0)

    sys.modules["SampleData"].downloadSample = download
    exec(compile(examples(section("Python console", 3)), "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert "Found femur, tibia." in lines
    assert "Simulated knee segmentation Simulated knee segmentation results" in lines


def test_the_examples_for_python_run(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(examples(section("In Python")), "README.md", "exec"), {})
    assert "Found femur, tibia." in capsys.readouterr().out


def test_every_picture_is_shown():
    pictures = {path.relative_to(ROOT).as_posix() for path in (ROOT / "Resources" / "Screenshots").iterdir()}
    assert set(re.findall(r"!\[[^\]]+\]\((.+?)\)", README)) == pictures
    assert sum((ROOT / picture).stat().st_size for picture in pictures) < 1_000_000


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_links_within_the_page_lead_to_sections():
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, re.M)}
    assert {link for link in re.findall(r"\]\(#([^)]+)\)", README)} <= titles
