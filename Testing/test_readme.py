"""What README.md and Resources/Documentation say is so: options, controls, keys, messages, links, examples."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import xml.etree.ElementTree
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from GrayscaleDetSegLib.batch import arguments
from GrayscaleDetSegLib.core.methods.registry import Registry, built_in
from Testing.scene_nodes import add_volume
from Testing.volume_models import block, write_model

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTATION = ROOT / "Resources" / "Documentation"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCUMENTATION.glob("*.md"))}
"""The pages of the documentation; "README" is their index."""
SAID = "\n".join([README, *PAGES.values()])
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
UI = [xml.etree.ElementTree.parse(path) for path in sorted((ROOT / "GrayscaleDetSeg/Resources/UI").glob("*.ui"))]
"""Of the sections of the panel."""

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
NAMES = {
    "objectsTable": "Table of objects",
    "classComboBox": "Class beside Draw region",
    "findLineEdit": "Find",
    "filterComboBox": "Class beside Find",
    "logText": "Log",
    "roundsTable": "Table of rounds",
}
"""What the documentation calls the controls that have no text in the panel."""
ANSWERS = {"questionFirstButton", "questionSecondButton", "questionThirdButton"}


def section(page: str, title: str, level: int = 2) -> str:
    return re.search(rf"^#{{{level}}} {title}\n(.*?)(?=^#{{2,{level}}} |\Z)", PAGES[page], re.S | re.M)[1]


def options(command: str) -> set[str]:
    (commands,) = (action for action in arguments.parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {name for action in commands.choices[command]._actions for name in action.option_strings} - {"-h", "--help"}


@pytest.mark.parametrize("command", ["segment", "info", "train"])
def test_every_option_is_described(command):
    assert not {name for name in options(command) if not re.search(rf"`[^`]*{name}\b", section("command", "Use"))}


def programs() -> list[Path]:
    """The sources of the programs of training, tests and documentation that some page calls, and of the comparison."""
    modules = {"training.compare", *re.findall(r"python\s+-m\s+((?:training|Testing)[\w.]+\w)", SAID)}
    places = [ROOT.joinpath(*name.split(".")) for name in modules]
    found = [place / "__main__.py" if place.is_dir() else place.with_suffix(".py") for place in places]
    return found + [ROOT / name for name in set(re.findall(r"python\s+(Resources/\w+\.py)", SAID))]


def test_every_option_described_exists():
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"pip (install|download) [^`\n]*", "", SAID)))
    known = options("segment") | options("info") | options("train")
    for source in programs():
        known |= set(re.findall(r'"(--[a-z-]+)"', source.read_text(encoding="utf-8")))
    assert named <= known | {"--version", "--help"} | SLICERS


def test_the_exit_codes_are_those_of_the_help():
    rows = re.findall(r"^\| ([\d, ]+) \|", section("command", "Exit codes", 3), re.M)
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
    cells = re.findall(r"^\| (`.*?`) \|", PAGES["troubleshooting"], re.M)
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
    for layout in (each for page in UI for each in page.iter("layout")):
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
    return [cell.strip("* ") for cell in re.findall(r"^\| (.+?) \|", section("controls", "Controls"), re.M)]


def test_the_panels_controls_are_found():
    found = controls()
    assert len(found) > 20 and found["inputSelector"] == "Image" and found["grayRangeWidget"] == "Gray levels"
    assert found["cloudCheckBox"].startswith("Show the point cloud") and found["cleanUpCheckBox"] == "Post-processing"


@pytest.mark.parametrize("name", controls())
def test_every_control_is_described(name):
    assert controls()[name] in described()


def test_every_control_described_exists():
    labels = [label.text.rstrip(":") for page in UI for label in page.iter("string") if label.text]
    assert set(described()) - {"control", "---"} <= {*labels, *NAMES.values()}


def test_every_column_of_the_table_is_described():
    headers = re.search(r"def headers.*?return \[\n(.*?)\]", (PANEL / "objects_table.py").read_text(), re.S)[1]
    columns = re.findall(r'_\("(.+?)"\)', headers)
    assert len(columns) == 8
    assert not [column for column in columns if f"**{column}**" not in section("controls", "Controls")]


def built_in_methods() -> list[type]:
    return Registry(built_in()).usable()


def test_every_choice_of_the_panel_is_described():
    source = (PANEL / "parameters.py").read_text()
    listed = [method.title for method in built_in_methods() if method.dimensions == 2]
    choices = re.findall(r'"[a-z-]+": _\("(.+?)"\)', source) + listed
    assert len(choices) == 9
    assert not [choice for choice in choices if choice not in section("controls", "Controls")]


def test_every_method_for_volumes_is_described():
    methods = [method for method in built_in_methods() if method.dimensions == 3]
    assert len(methods) == 5
    for method in methods:
        assert f"**{method.title}** (`{method.name}`)" in section("volumes", "The methods")


def test_the_shortcuts_are_those_of_the_panel():
    keys = re.findall(r'_shortcut\("(.+?)"', (PANEL / "widget.py").read_text())
    assert len(keys) == len(set(keys)) > 3
    assert re.findall(r"^\| `(.+?)` \|", section("controls", "Keyboard"), re.M) == keys


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
    exec(compile(examples(section("console", "In Slicer's console")), "console.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert found_in(lines) >= {"femur", "tibia"}
    assert "Simulated knee segmentation Simulated knee segmentation results" in lines


def test_the_examples_for_volumes_in_the_console_run(panel_session, tmp_path, capsys):
    import slicer

    panel_session.load(ROOT / "GrayscaleDetSeg" / "GrayscaleDetSeg.py")
    from GrayscaleDetSeg import GrayscaleDetSegLogic

    voxels, mask, geometry = block()
    volume = add_volume(slicer.mrmlScene, voxels, geometry)
    model = write_model(tmp_path / "model", [{"method": "step_wise", "label": "liver"}], name="liver-ct")
    code = examples(section("console", "Volumes")).replace("/models/liver-ct", model.as_posix())
    names = {"logic": GrayscaleDetSegLogic(), "volume": volume}
    exec(compile(code, "console.md", "exec"), names)
    assert names["again"].objects[0].voxel_count == mask.sum() and "round 1, axial" in capsys.readouterr().out



def found_in(lines: list[str]) -> set[str]:
    """The objects that a message says were found."""
    said = next(line for line in lines if line.startswith("Found "))
    return set(said[len("Found ") :].split(". ")[0].rstrip(".").split(", "))  # notes follow the first sentence


def test_the_examples_for_python_run(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(examples(section("console", "The library, without Slicer")), "console.md", "exec"), {})
    assert found_in(capsys.readouterr().out.splitlines()) >= {"femur", "tibia"}


def test_the_example_of_the_library_on_the_first_page_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code, names = examples(README), {}
    exec(compile(code, "README.md", "exec"), names)
    assert found_in(capsys.readouterr().out.splitlines()) >= {"femur", "tibia"}
    counts = [{item.name: item.pixel_count for item in names[key].objects} for key in ("lower", "result")]
    assert counts[0]["femur"] != counts[1]["femur"] and counts[0]["tibia"] == counts[1]["tibia"]


def commands() -> list[list[str]]:
    """What stands behind "grayscale-detseg" in README's code."""
    code = "\n".join(re.findall(r"^```\n(.*?)^```", README, re.S | re.M))
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^grayscale-detseg .*", code, re.M)]


def test_the_commands_on_the_first_page_are_understood():
    assert {command[0] for command in commands()} == {"segment", "info", "train"}
    for command in commands():
        arguments.parser().parse_args(command)


def test_the_commands_on_the_first_page_run_on_the_sample(tmp_path, monkeypatch, capsys):
    from GrayscaleDetSegLib.batch.main import main

    (tmp_path / "Resources").mkdir()
    shutil.copytree(ROOT / "Resources" / "Samples", tmp_path / "Resources" / "Samples")
    monkeypatch.chdir(tmp_path)
    run = [command for command in commands() if "Resources/Samples/knee.dcm" in command]
    assert len(run) > 2
    for command in run:
        assert main(command) == arguments.OK, capsys.readouterr().err
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"knee.seg.nrrd", "knee.png", "knee.json"}


def test_the_method_of_the_example_is_one():
    import numpy as np

    from GrayscaleDetSegLib.core.methods.base import Method
    from GrayscaleDetSegLib.core.orientation import Orientation
    from GrayscaleDetSegLib.core.radiograph import Radiograph
    from GrayscaleDetSegLib.core.regions import RegionProposal, Regions
    from GrayscaleDetSegLib.core.stopwatch import Stopwatch

    names: dict = {}
    exec(compile(examples(section("extending", "Methods of your own")), "extending.md", "exec"), names)
    method = names["Bright"](("femur",))
    assert isinstance(method, Method)
    radiograph = Radiograph.from_array(np.arange(64 * 64, dtype=np.float32).reshape(64, 64))
    region = RegionProposal("femur", 1.0, (0.0, 0.0, 64.0, 64.0), drawn=True)
    (part,) = method.segment(radiograph, Regions((region,), None, Orientation()), Stopwatch())
    assert 0.2 < part.mask.mean() < 0.4  # the gray levels from 180 on


def test_the_first_page_is_short_and_names_the_two_commands_of_make():
    assert README.count("\n") <= 200
    assert {"make demo", "make test"} <= set(re.findall(r"^make \w+", README, re.M))


def pages() -> list[Path]:
    """All pages of the repository in Markdown."""
    found = [*ROOT.glob("*.md")]
    for folder in ("GrayscaleDetSeg", "Resources", "Testing", "training"):
        found += (ROOT / folder).rglob("*.md")
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts))


def prose(page: Path) -> str:
    """A page without its code, in which nothing is a link or a heading."""
    text = re.sub(r"^( *)```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "", text)


def links(page: Path) -> list[str]:
    """Where a page leads to within the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, by the rule of GitHub; of equal ones the second is "title-1"."""
    text = re.sub(r"^( *)```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+?) *$", text, re.M):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = next(n for n in range(len(found) + 1) if (f"{name}-{n}" if n else name) not in found)
        found.add(f"{name}-{number}" if number else name)
    return found


def broken(page: Path) -> list[str]:
    """The links of a page that lead to no file of the repository or to no heading of it."""
    found = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = Path(os.path.normpath(page.parent / name)) if name else page
        inside = target == ROOT or ROOT in target.parents
        if not inside or not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


def test_every_picture_is_shown():
    pictures = {path.relative_to(ROOT).as_posix() for path in (ROOT / "Resources" / "Screenshots").iterdir()}
    assert set(re.findall(r"!\[[^\]]+\]\((.+?)\)", README)) == pictures
    assert sum((ROOT / picture).stat().st_size for picture in pictures) < 1_000_000


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_sections(page):
    assert not broken(page)


def test_a_link_that_leads_nowhere_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# Other\n\n## Who's `it`?\n\n```\n# No heading\n```\n\n## Other\n")
    good = ["other.md", "other.md#other", "other.md#whos-it", "other.md#other-1", "#this", "https://example.org/none#x"]
    bad = ["no.md", "other.md#no-heading", "other.md#other-2", "#that", "../../etc"]
    page = tmp_path / "page.md"
    page.write_text("# This\n\n" + " ".join(f"[a `word`]({link})" for link in [*good, *bad]) + "\n`[no](link.md)`\n")
    assert broken(page) == bad


def test_every_page_of_the_documentation_can_be_reached():
    """From its index, from which one comes back; and the index from README."""
    index = DOCUMENTATION / "README.md"
    listed = {link.partition("#")[0] for link in links(index)}
    assert {f"{name}.md" for name in PAGES} - {"README.md"} <= listed
    assert all("README.md" in links(DOCUMENTATION / f"{name}.md") for name in PAGES if name != "README")
    assert "Resources/Documentation/README.md" in links(ROOT / "README.md")


def test_the_terms_of_the_weights_are_named():
    folder = "GrayscaleDetSeg/GrayscaleDetSegLib/Models/radiographs"
    assert {f"{folder}/LICENSE.md", f"{folder}/MODEL_CARD.md", "LICENSE"} <= set(links(ROOT / "README.md"))
    assert "MODEL_CARD.md" in links(ROOT / folder / "LICENSE.md")
