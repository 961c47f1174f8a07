"""The panel's .ui file: every control is used, says what it does, and lies where it belongs; and one run for real."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from Testing import standins
from Testing.fakes import GEOMETRIES
from Testing.panel_helpers import MODULE
from Testing.scene_nodes import add_volume

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

UI = sorted((MODULE.parent / "Resources" / "UI").glob("*.ui"))
PANEL = MODULE.parent / "GrayscaleDetSegLib" / "panel"
SILENT = ("QLabel", "QFrame", "QProgressBar", "qMRMLWidget", "ctkCollapsibleButton")  # need no words of their own


def widgets() -> dict[str, ElementTree.Element]:
    """The widgets of all .ui files by name, the outermost of each left out."""
    pages = [ElementTree.parse(path).getroot().find("widget") for path in UI]
    return {each.get("name"): each for page in pages for each in page.iter("widget") if each is not page}


def words(widget, name) -> str | None:
    found = [each.findtext("string") or "" for each in widget.findall("property") if each.get("name") == name]
    return found[0] if found else None


def test_every_control_has_a_tooltip(bench):
    """In the file, or from the panel where it depends on the state; a sentence of its own."""
    said = {}
    for name, widget in widgets().items():
        if widget.get("class") in SILENT or name.startswith("question"):
            continue
        tip = getattr(bench.ui, name).toolTip
        assert tip and tip.endswith("."), name
        said.setdefault(tip, []).append(name)
    shared = {tuple(names) for names in said.values() if len(names) > 1}
    reasons = {("drawButton", "segmentButton"), ("deleteButton", "editButton")}  # why they are off
    assert shared <= reasons, shared


def test_labels_that_change_have_room_for_it():
    labels = ("statusLabel", "readingLabel", "numbersLabel", "pointLabel", "questionLabel", "deviceLabel")
    for name in (*labels, "knowsLabel", "nextLabel"):
        wrap = [each for each in widgets()[name].findall("property") if each.get("name") == "wordWrap"]
        assert wrap and wrap[0].findtext("bool") == "true", name


def test_every_control_is_used():
    """By the code, by a parameter, or by a question's number."""
    from GrayscaleDetSegLib.panel.parameters import Parameters  # noqa: F401 (it can be imported)

    code = "".join(path.read_text() for path in PANEL.rglob("*.py"))
    parameters = (PANEL / "parameters.py").read_text().partition("class Parameters")[2].partition("def ")[0]
    fields = set(re.findall(r"^    (\w+): ", parameters, re.MULTILINE))
    tied = set()
    for name, widget in widgets().items():
        if widget.get("class") == "ctkCollapsibleButton" or name.endswith("TitleLabel"):
            continue
        parameter = words(widget, "SlicerParameterName")
        tied |= {parameter} - {None}
        is_caption = widget.get("class") == "QLabel" and (words(widget, "text") or "").endswith(":")
        assert parameter or is_caption or re.search(rf"\b{name}\b", code), f"{name} is not used"
    by_code = {"model", "method"}  # whose choices are not known beforehand: sections/advanced.py ties it
    assert tied | by_code == fields, "parameters without a control, or the other way round"


def test_the_code_names_no_widget_that_is_not_there():
    code = "".join(path.read_text() for path in PANEL.rglob("*.py"))
    assert set(re.findall(r"\bui\.(\w+)", code)) - set(widgets()) == set()
    assert not [path.name for path in UI if path.stem != "GrayscaleDetSeg" and not sections_file(path.stem).is_file()]


def sections_file(name: str) -> Path:
    return PANEL / "sections" / f"{name}.py"


def test_buttons_need_no_more_than_a_narrow_panel(bench):
    import slicer

    slicer.util.mainWindow().show()
    bench.session.process()
    assert bench.widget.parent.minimumSizeHint.width() <= 480
    assert not bench.ui.logText.isVisibleTo(bench.widget.parent), "the log is folded at first"
    bench.volume()
    bench.run()
    assert bench.widget.parent.minimumSizeHint.width() <= 480
    assert bench.ui.objectsTable.isVisibleTo(bench.widget.parent)


def test_the_log_is_copied_with_the_versions(bench):
    bench.volume()
    bench.run()
    bench.ui.copyLogButton.click()
    text = bench.session.app.clipboard().text()
    assert text.startswith("GrayscaleDetSeg ") and "Slicer 5.8" in text and "Python 3" in text and "torch" in text
    assert bench.status in text and re.search(r"^\d\d:\d\d:\d\d Segmenting", text, re.MULTILINE)


def test_the_log_is_copied_without_names_and_paths(bench):
    """A report is sent to others, and what an image is called often says whose it is."""
    volume = bench.volume()
    volume.SetName("Smith^Anna left knee")
    bench.panel.messages.say("Segmenting Smith^Anna left knee.")
    bench.scene.RemoveNode(volume)
    bench.panel.messages.say("/home/anna/cases/Smith.dcm cannot be read; a_smith.nii.gz neither.")
    bench.panel.messages.fail(ZeroDivisionError("C:\\Users\\anna\\x.png"))
    bench.ui.copyLogButton.click()
    text = bench.session.app.clipboard().text()
    assert "mith" not in text and "anna" not in text.lower() and "/home" not in text
    assert re.search(r"Left out: \d+ paths, 1 name, 1 file name\.", text)
    assert "ZeroDivisionError" in text and "Segmenting [name " in text


def test_the_shipped_model_on_the_modules_sample(panel_session, tmp_path):
    """Nothing rigged: the sample, Segment, thresholds by the slider, a region, undo."""
    import SimpleITK
    import slicer

    from GrayscaleDetSegLib.panel import samples

    panel_session.load(MODULE)
    sample = next(each for each in samples.SAMPLES if each.name == "knee")
    values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(sample.file)))
    volume = add_volume(slicer.mrmlScene, np.squeeze(values), GEOMETRIES["plain"], name=sample.title)
    slicer.util.selectModule("GrayscaleDetSeg")
    panel = slicer.modules.GrayscaleDetSegWidget.panel
    ui = panel.ui
    assert ui.inputSelector.currentNode() is volume
    ui.segmentButton.click()
    assert panel_session.wait(lambda: not panel.runner.is_busy, 60.0)
    table = ui.objectsTable
    assert {table.item(row, 2).text() for row in range(table.rowCount)} >= {"Femur", "Tibia"}, ui.statusLabel.text
    node, identity = panel.session.node, panel.session.selection
    shown = panel.segmenter.workspace.shown(node)
    before = shown.object_of(identity)
    low, high = before.thresholds.interval
    ui.grayRangeWidget.minimumValue = min(low + 30.0, high - 5.0)
    assert panel_session.wait(lambda: not panel.section("Thresholds").editor.is_moving, 10.0)
    assert panel.segmenter.workspace.shown(node).object_of(identity).pixel_count < before.pixel_count
    ui.undoButton.click()
    assert panel.segmenter.workspace.shown(node).object_of(identity).pixel_count == before.pixel_count
    from GrayscaleDetSegLib.scene import regions

    outcome, grid = panel.segmenter.workspace.outcome(node), panel.segmenter.workspace.grid(node)
    x0, y0, x1, y1 = before.region
    smaller = (x0 + 8.0, y0 + 8.0, x1 - 8.0, y1 - 8.0)
    regions.place_region(outcome.regions[identity], volume, grid, smaller)
    workspace = panel.segmenter.workspace
    assert panel_session.wait(
        lambda: workspace.shown(node).object_of(identity).region == pytest.approx(smaller, abs=0.1), 60.0
    ), ui.statusLabel.text
    assert "Traceback" not in ui.logText.plainText
    ui.caseFolderLineEdit.currentPath = str(tmp_path)
    ui.saveCaseButton.click()
    assert len(list(Path(tmp_path).iterdir())) == 2, ui.statusLabel.text


def test_what_is_said_and_asked_is_scrolled_into_sight(panel_session):
    """The line stands far up, and buttons far down speak there."""
    from types import SimpleNamespace

    import qt

    from GrayscaleDetSegLib.panel.messages import Messages

    area, page = qt.QScrollArea(), qt.QWidget()
    column = qt.QVBoxLayout(page)
    kinds = {"statusLabel": qt.QLabel, "questionLabel": qt.QLabel, "questionFrame": qt.QFrame}
    buttons = [f"question{each}Button" for each in ("First", "Second", "Third")]
    kinds |= {name: qt.QPushButton for name in (*buttons, "copyLogButton")}
    ui = SimpleNamespace(logText=qt.QPlainTextEdit(), **{name: kind() for name, kind in kinds.items()})
    for widget in (ui.statusLabel, ui.questionFrame, ui.logText):
        widget.setFixedHeight(40)
        column.addWidget(widget)
    ui.logText.setFixedHeight(900)
    area.setWidgetResizable(True)
    area.setWidget(page)
    area.resize(300, 200)
    area.show()
    panel_session.process()
    messages, bar = Messages(ui), area.verticalScrollBar()
    for speak in (lambda: messages.say("Said."), lambda: messages.ask("Asked?", [("Yes", lambda: None)])):
        bar.value = bar.maximum
        assert bar.value > 500
        speak()
        panel_session.wait(lambda: bar.value < 60, 1.0)
        assert bar.value < 60
