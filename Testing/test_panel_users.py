"""The panel as its users meet it: what the model knows, what to do next, many objects, one screen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.scene.geometry import moved, numpy_matrix
from GrayscaleDetSegLib.scene.volumes import pixel_to_world
from Testing import standins
from Testing.panel_helpers import FOUND, observers

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

MANY = [RegionProposal("tibia", 0.9 - 0.05 * n, (8.0 + 12 * n, 5.0, 18.0 + 12 * n, 48.0)) for n in range(5)]


@pytest.fixture
def done(bench):
    """A bench with a result on a turned image."""
    bench.volume()
    bench.run()
    return bench


@pytest.fixture
def many(bench):
    """A bench with a femur and five tibiae."""
    bench.rig.found = [FOUND[0], *MANY]
    bench.volume()
    bench.run()
    assert len(bench.names()) == 6
    return bench


def seen(bench, name: str) -> bool:
    return getattr(bench.ui, name).isVisibleTo(bench.widget.parent)


# what the model knows


def test_the_first_lines_say_what_the_model_knows_and_how_well(bench):
    text, tip = bench.ui.knowsLabel.text, bench.ui.knowsLabel.toolTip
    assert seen(bench, "knowsLabel") and text.startswith("Knows 20 kinds of objects.")
    (works,) = (line for line in text.splitlines() if line.startswith("Shown to work on: "))
    (misses,) = (line for line in text.splitlines() if line.startswith("Misses many: "))
    assert "femur" in works and "right lung" in works and "vertebra" in misses and "ulna" in misses
    assert "Not measured" not in text, "All twenty were measured, on clinical films or on val."
    assert "research only" in text and "% of 527" in tip and "% of 56" in tip, "clinical films count"


def test_figures_are_those_of_the_manifest(tmp_path):
    from GrayscaleDetSegLib.core.weights import MANIFEST
    from GrayscaleDetSegLib.logic.evidence import evidence_of

    rows = [
        {"class": "ulna", "n": 10, "recall": 0.9},
        {"class": "ulna", "n": 30, "recall": 0.7},
        {"class": "radius", "n": 5, "recall": 0.8},
        {"class": "wing", "n": 5, "recall": 1.0},
    ]
    (tmp_path / MANIFEST).write_text(json.dumps({"validation": rows}))
    found = evidence_of(tmp_path, ("radius", "ulna", "hand"))
    assert (found.works, found.misses, found.unmeasured) == (("radius",), ("ulna",), ("hand",))
    assert found.figures == {"radius": (5, pytest.approx(0.8)), "ulna": (40, pytest.approx(0.75))}
    for text in ("{}", "[]", "no json", '{"validation": [{"class": "ulna"}]}', '{"validation": 3}'):
        (tmp_path / MANIFEST).write_text(text)
        assert evidence_of(tmp_path, ("ulna",)).unmeasured == ("ulna",)
    assert evidence_of(tmp_path / "none", ("ulna",)).figures == {}


def test_clinical_films_count_before_the_sets_of_the_training(tmp_path):
    from GrayscaleDetSegLib.core.weights import MANIFEST
    from GrayscaleDetSegLib.logic.evidence import evidence_of

    rows = [{"class": "femur", "n": 100, "recall": 1.0}, {"class": "ulna", "n": 100, "recall": 0.95}]
    told = [{"class": "femur", "wanted": 20, "found": 12, "right": 12, "false": 0},
            {"class": "ulna", "wanted": 9, "found": 0, "right": 0, "false": 0},
            {"class": "clavicle", "wanted": 10, "found": 9, "right": 9, "false": 1}]  # fmt: skip
    (tmp_path / MANIFEST).write_text(json.dumps({"validation": rows, "clinical": told}))
    found = evidence_of(tmp_path, ("femur", "ulna", "right clavicle", "hand"))
    assert (found.works, found.misses, found.unmeasured) == (("ulna", "right clavicle"), ("femur",), ("hand",))
    assert found.figures["femur"] == (20, 0.6) and found.figures["right clavicle"] == (10, 0.9)


def test_an_unknown_image_is_answered_with_what_can_be_done(bench):
    ui = bench.ui
    bench.volume("hedgehog")
    bench.rig.found = []
    bench.run()
    assert ui.questionLabel.text.startswith("Not known: radiographs 3 has found none of what it knows in hedgehog.")
    assert "training cases" in ui.questionLabel.text
    assert [ui.questionFirstButton.text, ui.questionSecondButton.text] == ["Draw a region", "Another model"]
    assert not ui.questionThirdButton.isVisibleTo(ui.questionFrame)
    ui.questionFirstButton.click()
    assert bench.panel.session.state.value == "drawing" and not seen(bench, "questionFrame")
    ui.drawButton.click()
    bench.run()
    assert ui.advancedCollapsibleButton.collapsed
    ui.questionSecondButton.click()
    assert not ui.advancedCollapsibleButton.collapsed and seen(bench, "modelComboBox")


def test_one_line_says_what_to_do_next(bench):
    line = bench.ui.nextLabel
    assert line.text.startswith("Next: load an image") and seen(bench, "nextLabel")
    bench.volume()
    assert line.text == "Next: click Segment."
    bench.begin()
    assert line.text == "" and not seen(bench, "nextLabel")
    bench.finish()
    assert line.text.startswith("Next: click an object; drag its region or thresholds; save.")
    bench.ui.deleteButton.click()
    assert line.text.startswith("Next: save")
    bench.leave()
    assert line.text == ""


# one screen


def test_a_first_user_sees_little(bench):
    """Only what can be used; and what is there is closed, until it has something to show."""
    first = ("knowsLabel", "inputSelector", "segmentButton", "nextLabel")
    later = ("objectsTable", "grayRangeWidget", "saveCaseButton", "drawButton", "modelComboBox", "logText")
    assert all(seen(bench, name) for name in first) and not any(seen(bench, name) for name in later)
    assert not seen(bench, "objectsCollapsibleButton") and not seen(bench, "thresholdsCollapsibleButton")
    bench.volume()
    assert seen(bench, "drawButton") and not seen(bench, "objectsCollapsibleButton")
    bench.run()
    assert seen(bench, "objectsTable") and seen(bench, "grayRangeWidget")
    assert seen(bench, "caseCollapsibleButton") and not seen(bench, "saveCaseButton")
    bench.ui.objectsCollapsibleButton.collapsed = True
    bench.run()
    assert not seen(bench, "objectsTable"), "closed by the user"
    bench.ui.resultSelector.setCurrentNode(None)
    assert seen(bench, "objectsCollapsibleButton"), "another result can be chosen"
    assert not seen(bench, "thresholdsCollapsibleButton")


def test_after_a_run_all_that_matters_is_on_a_small_screen(done):
    """1280 x 800 px, of which Slicer takes 190 for menus, tool bars, title and Data Probe; 1080 px with nothing cut."""
    import slicer

    window, parent, table = slicer.util.mainWindow(), done.widget.parent, done.ui.objectsTable
    window.resize(420, 800)
    window.show()
    done.session.process()
    place = done.ui.grayRangeWidget.mapTo(parent, done.ui.grayRangeWidget.rect.bottomLeft())
    assert place.y() < 800 - 190
    assert parent.sizeHint.width() <= 410, "Slicer makes the panel as wide as it would like to be"
    assert parent.sizeHint.height() < 1080 - 190
    header = table.horizontalHeader()
    assert header.sectionViewportPosition(6) + header.sectionSize(6) <= table.viewport().width, "cut off"
    assert table.isColumnHidden(7), "the stability stands there where there is room"
    assert header.sectionSize(2) >= 60, "no room for the names"
    last = table.rowViewportPosition(table.rowCount - 1) + table.rowHeight(table.rowCount - 1)
    assert table.viewport().height - 40 < last <= table.viewport().height, "half empty, or a row too few"
    window.resize(560, 800)
    done.session.process()
    assert not table.isColumnHidden(7)
    assert header.sectionViewportPosition(7) + header.sectionSize(7) <= table.viewport().width, "cut off"
    window.resize(420, 800)
    done.session.process()
    assert table.isColumnHidden(7)


# many objects


def test_many_objects_are_found_by_name_and_class(many):
    ui, table = many.ui, many.panel.section("Objects").table
    assert seen(many, "findLineEdit") and len(table.listed) == 6
    assert [ui.filterComboBox.itemText(n) for n in range(ui.filterComboBox.count)] == ["All classes", "Femur", "Tibia"]
    ui.findLineEdit.text = "ibia 3"
    assert table.listed == ("tibia_3",)
    ui.findLineEdit.text = ""
    ui.filterComboBox.currentIndex = 1
    ui.filterComboBox.activated.emit(1)
    assert table.listed == ("femur",)
    many.panel.session.view.select("tibia")  # by a click into the image
    assert table.listed == table.identities and table.selected == "tibia", "what is selected is not filtered out"


def test_few_objects_need_no_search(done):
    assert not seen(done, "findLineEdit") and not seen(done, "lockButton")


def test_a_class_is_hidden_shown_and_locked(many):
    import qt

    ui, display, table = many.ui, many.node.GetDisplayNode(), many.panel.section("Objects").table
    ui.filterComboBox.currentIndex = 2
    ui.filterComboBox.activated.emit(2)
    ui.hideButton.click()
    visible = [bool(display.GetSegmentVisibility(each)) for each in table.identities]
    assert visible == [True, *[False] * 5]
    assert ui.objectsTable.item(3, 0).checkState() == qt.Qt.Unchecked and len(table.listed) == 5
    ui.showButton.click()
    assert all(display.GetSegmentVisibility(each) for each in table.identities)
    ui.lockButton.click()
    results = many.panel.session.results
    assert [results.is_locked(many.node, each) for each in table.identities] == [False, *[True] * 5]
    ui.unlockButton.click()
    assert not any(results.is_locked(many.node, each) for each in table.identities)


def click(bench, x: float, y: float, drag: int = 0) -> None:
    """A click into the Red view at a place of the image in px; or a short drag."""
    import slicer

    widget = slicer.app.layoutManager().sliceWidget("Red")
    node, interactor = widget.mrmlSliceNode(), widget.sliceView().interactor()
    outcome = bench.workspace.outcome(bench.node)
    world = moved(pixel_to_world(outcome.volume, bench.workspace.grid(bench.node)), [(x, y, 0.0)])
    across, up, _ = moved(np.linalg.inv(numpy_matrix(node.GetXYToRAS())), world)[0]
    interactor.SetEventInformation(int(round(across)), int(round(up)), 0, 0, chr(0), 0, None)
    interactor.InvokeEvent("LeftButtonPressEvent")
    interactor.SetEventInformation(int(round(across)) + drag, int(round(up)), 0, 0, chr(0), 0, None)
    interactor.InvokeEvent("LeftButtonReleaseEvent")
    bench.session.process()


def inside(bench, identity: str) -> tuple[float, float]:
    """A place in px well inside of an object."""
    rows, columns = np.nonzero(bench.mask(identity))
    middle = len(rows) // 2
    return columns[middle] + 0.5, rows[middle] + 0.5


def test_a_click_on_an_object_in_the_view_selects_its_row(done):
    import slicer

    slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().SetDimensions(700, 500, 1)
    slicer.app.layoutManager().sliceWidget("Red").sliceLogic().FitSliceToBackground()
    session = done.panel.session
    assert session.selection == "femur"
    click(done, *inside(done, "tibia"), drag=30)
    assert session.selection == "femur", "the mouse was dragged"
    click(done, *inside(done, "tibia"))
    assert session.selection == "tibia" and done.ui.objectsTable.currentRow() == 1
    assert done.workspace.outcome(done.node).shown_segment == "tibia"
    click(done, 2.0, 2.0)
    assert session.selection == "tibia", "nothing lies there"
    done.node.GetDisplayNode().SetSegmentVisibility("femur", False)
    click(done, *inside(done, "femur"))
    assert session.selection == "tibia", "it cannot be seen"
    done.node.GetDisplayNode().SetSegmentVisibility("femur", True)
    place = inside(done, "femur")
    interactor = slicer.app.layoutManager().sliceWidget("Red").sliceView().interactor()
    inside_module = observers(interactor)
    done.leave()
    outside = observers(interactor)
    done.enter()
    assert observers(interactor) == inside_module != outside
    click(done, *place)
    assert session.selection == "femur"


def test_where_objects_overlap_each_click_takes_the_next():
    from types import SimpleNamespace

    from GrayscaleDetSegLib.core.windowed import WindowedMask
    from GrayscaleDetSegLib.panel.slice_clicks import object_at

    def item(rows, columns):
        mask = np.zeros((20, 30), bool)
        mask[rows, columns] = True
        return SimpleNamespace(windowed=WindowedMask.of(mask), pixel_count=int(mask.sum()))

    objects = (item(slice(0, 20), slice(0, 20)), item(slice(5, 10), slice(5, 25)))
    shown = SimpleNamespace(identities=("large", "small"), result=SimpleNamespace(objects=objects))
    ids, plain = ("large", "small"), np.eye(4)
    assert object_at(shown, ids, plain, (7.0, 7.0, 0.0), None) == "small"
    assert object_at(shown, ids, plain, (7.0, 7.0, 0.0), "small") == "large"
    assert object_at(shown, ids, plain, (7.0, 7.0, 0.0), "large") == "small"
    assert object_at(shown, ("large",), plain, (7.0, 7.0, 0.0), None) == "large"
    assert object_at(shown, ids, plain, (22.0, 7.0, 0.0), None) == "small"
    assert object_at(shown, ids, plain, (22.0, 17.0, 0.0), None) is None
    assert object_at(shown, ids, plain, (7.0, 7.0, 2.0), None) is None, "another slice"


OVER = (10.0, 7.0, 74.0, 46.0)  # over the femur, and a little beyond


def leave_some(bench) -> None:
    """Take pixels from the femur, so that another one can have them."""
    with bench.workspace.drag(bench.node, "femur") as drag:
        drag.finish((190.0, 240.0))
    bench.session.process()


@pytest.mark.parametrize("answer", ["Replace", "Extend", "Keep"])
def test_a_region_over_an_object_that_is_there_asks(done, answer):
    if answer == "Keep":
        leave_some(done)
    ui, session, before = done.ui, done.panel.session, done.mask()
    reading = session.results.read(ui.inputSelector.currentNode(), "auto", None)
    session.region_wanted.emit(reading, OVER, "femur", done.node)
    assert ui.questionLabel.text.startswith("Femur is there already: replace it") and not done.panel.runner.is_busy
    buttons = {each.text: each for each in (ui.questionFirstButton, ui.questionSecondButton, ui.questionThirdButton)}
    assert list(buttons) == ["Replace", "Extend", "Keep"]
    buttons[answer].click()
    done.finish()
    assert not seen(done, "questionFrame") and "Traceback" not in done.log
    if answer == "Keep":
        assert done.names() == ["Femur", "Tibia", "Femur 2"]
        np.testing.assert_array_equal(done.mask(), before)
        assert done.mask("femur_2").any() and done.status.endswith(" Femur was there already and keeps its pixels.")
    else:
        expected = OVER if answer == "Replace" else (8.0, 5.0, 74.0, 48.0)
        assert done.names() == ["Femur", "Tibia"] and tuple(done.item().region) == pytest.approx(expected, abs=0.05)
        ui.undoButton.click()
        np.testing.assert_array_equal(done.mask(), before)


def test_a_region_over_a_locked_object_gets_what_is_left(done):
    leave_some(done)
    session = done.panel.session
    session.results.set_locked(done.node, "femur", True)
    reading = session.results.read(done.ui.inputSelector.currentNode(), "auto", None)
    session.region_wanted.emit(reading, OVER, "femur", done.node)
    done.finish()
    assert not seen(done, "questionFrame") and done.names() == ["Femur", "Tibia", "Femur 2"]
