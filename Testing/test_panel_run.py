"""The panel's main button: what it says, what it starts, how that ends, and that the window stays alive."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import DeviceError
from GrayscaleDetSegLib.core.result import RegionProposal
from Testing import standins
from Testing.fakes import GEOMETRIES
from Testing.panel_helpers import MODULE, Bench, picture
from Testing.scene_nodes import add_bending_transform, add_volume, ids

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


def test_button_without_and_with_a_volume(bench):
    button = bench.ui.segmentButton
    assert not button.enabled and button.toolTip == "Choose a radiograph first." and button.text == "Segment"
    assert not bench.ui.drawButton.enabled and bench.ui.drawButton.toolTip == "Choose a radiograph first."
    volume = bench.volume("pelvis")
    assert button.enabled and "pelvis" in button.toolTip and "Ctrl+Shift+S" in button.toolTip
    assert bench.ui.inputSelector.currentNode() is volume and bench.ui.caseNameLineEdit.text == "pelvis"
    empty = bench.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    bench.ui.inputSelector.setCurrentNode(empty)
    assert not button.enabled and button.toolTip.startswith("empty holds no pixels")
    assert bench.ui.drawButton.toolTip == button.toolTip
    bench.ui.inputSelector.setCurrentNode(volume)
    assert button.enabled
    bench.leave()
    assert not button.enabled and button.toolTip == "The module is not in use."


def test_a_label_map_cannot_be_chosen(bench):
    labels = add_volume(bench.scene, picture(), kind="vtkMRMLLabelMapVolumeNode")
    bench.session.process()
    bench.ui.inputSelector.setCurrentNode(labels)
    assert bench.ui.inputSelector.currentNode() is None and not bench.ui.segmentButton.enabled
    bench.panel.parameters.volume = labels  # by a script
    assert not bench.ui.segmentButton.enabled and "choose the image" in bench.ui.segmentButton.toolTip
    bench.panel.section("Segment").segment_or_cancel()  # by the shortcut
    assert not bench.panel.runner.is_busy and not bench.rig.loads


def test_a_run_with_progress(bench):
    ui, seen = bench.ui, []
    bench.volume("wrist")
    ui.readingLabel.text = ""
    bench.begin()
    assert ui.segmentButton.text == "Cancel" and ui.segmentButton.enabled
    assert ui.segmentButton.toolTip == "Stop at the next stage."
    assert ui.progressBar.isVisibleTo(bench.widget.parent) and ui.progressBar.maximum == ui.progressBar.minimum == 0
    assert not ui.drawButton.enabled and ui.drawButton.toolTip == "Wait until the run has ended."
    say = bench.panel.messages.say
    bench.panel.messages.say = lambda text: (seen.append(text), say(text))
    bench.session.wait(lambda: bench.status == "Looking for regions...")
    assert bench.status == "Looking for regions..."
    bench.finish()
    assert not ui.progressBar.isVisibleTo(bench.widget.parent)
    assert ui.segmentButton.text == "Segment" and ui.segmentButton.enabled
    assert bench.names() == ["Femur", "Tibia"] and ui.drawButton.enabled
    assert "femur" in bench.status and bench.status.endswith(" s)") and seen == [bench.status]
    assert "Segmenting wrist" in bench.log and bench.status in bench.log
    assert ui.readingLabel.text.startswith("bone is bright") and "0.3 x 0.2 mm" in ui.readingLabel.text
    assert ui.readingLabel.toolTip.startswith("as is: bone is bright")
    assert bench.rig.loads == ["auto"] and ui.deviceLabel.text == "cpu (numpy)"
    assert bench.panel.parameters.segmentation is bench.node
    assert bench.node.GetNodeReference("referenceImageGeometryRef") is ui.inputSelector.currentNode()


def test_the_window_lives_on_while_a_run_is_on(bench):
    import qt

    bench.volume()
    ticks, timer = [], qt.QTimer()
    timer.setInterval(5)
    timer.connect("timeout()", lambda: ticks.append(time.monotonic()))
    bench.begin()
    timer.start()
    bench.choose_method("box")  # whose choice counts for the next run
    assert bench.session.wait(lambda: len(ticks) >= 20, 3.0)
    assert max(np.diff(ticks)) < 0.5 and bench.panel.runner.is_busy
    timer.stop()
    bench.finish()
    assert bench.names() == ["Femur", "Tibia"]


@pytest.mark.parametrize("stage", ["regions", "loading"])
def test_cancel(bench, stage):
    ui = bench.ui
    bench.volume()
    before, gate = ids(bench.scene), bench.rig.gate
    if stage == "loading":
        load = bench.rig.load
        bench.panel.segmenter.engine._load = lambda *wanted: (bench.rig.wait(), load(*wanted))[1]
    bench.begin()
    ui.segmentButton.click()
    assert ui.segmentButton.text == "Cancelling..." and not ui.segmentButton.enabled
    bench.panel.section("Segment").segment_or_cancel()  # once more, by the shortcut
    bench.session.wait(lambda: False, 0.06)
    assert bench.panel.runner.is_busy, "the stage itself cannot be broken off"
    gate.set()
    assert bench.session.wait(lambda: not bench.panel.runner.is_busy)
    assert bench.status == "Cancelled; nothing was changed." and ids(bench.scene) == before
    assert ui.segmentButton.text == "Segment" and ui.segmentButton.enabled
    bench.run()
    assert bench.names() == ["Femur", "Tibia"]


def test_cancelled_after_the_last_stage(bench):
    """What is done, but not shown yet, is dropped as well."""
    bench.volume()
    before = ids(bench.scene)
    bench.rig.found = []
    bench.begin()
    bench.rig.gate.set()
    bench.panel.runner._job.wait()
    bench.panel.runner.cancel()
    bench.finish()
    assert bench.status == "Cancelled; nothing was changed." and ids(bench.scene) == before
    assert not bench.ui.questionFrame.isVisibleTo(bench.widget.parent)


def bent(volume):
    volume.SetAndObserveTransformNodeID(add_bending_transform(volume.GetScene()).GetID())


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda volume: volume.GetImageData().GetPointData().GetScalars().Fill(7), "is blank"),
        (lambda volume: volume.GetImageData().SetDimensions(0, 0, 0), "holds no pixels"),
        (bent, "bends"),
    ],
)
def test_bad_input_is_one_line(bench, spoil, words):
    volume = bench.volume("elbow", pixels=np.array([picture()] * 3) if spoil is bent else None)
    spoil(volume)
    before = ids(bench.scene)
    bench.panel.section("Segment").segment()
    assert not bench.panel.runner.is_busy
    assert words in bench.status and "\n" not in bench.status and "Traceback" not in bench.log
    assert ids(bench.scene) == before and bench.ui.segmentButton.text == "Segment"


def test_n_slices_take_that_of_the_red_view(bench):
    volume = bench.volume(pixels=np.array([picture()] * 5), geometry="sideways")
    assert bench.ui.segmentButton.enabled
    from GrayscaleDetSegLib.panel.layout import CloudLayout

    CloudLayout().show_volume(volume, 3)
    bench.run()
    assert "Slice 4 of 5 is used." in bench.status and bench.workspace.grid(bench.node).index == 3
    first = bench.node
    CloudLayout().show_volume(volume, 1)
    bench.run()
    assert bench.node is not first and bench.workspace.grid(bench.node).index == 1
    assert len(bench.workspace.results_on(volume)) == 2


def test_every_slice_has_one_result(bench):
    """Back on a slice that was segmented before, its own result is replaced, and undo brings it back."""
    from GrayscaleDetSegLib.panel.layout import CloudLayout

    volume = bench.volume(pixels=np.array([picture()] * 3), geometry="sideways")
    nodes = []
    for index in (0, 2, 0, 2):
        CloudLayout().show_volume(volume, index)
        bench.run()
        nodes.append(bench.node)
        assert bench.workspace.grid(bench.node).index == index
    assert nodes[2] is nodes[0] and nodes[3] is nodes[1] and bench.workspace.results_on(volume) == nodes[:2]
    bench.ui.undoButton.click()
    assert bench.node is nodes[1] and not bench.ui.undoButton.enabled
    bench.paint(node=nodes[0], identity="tibia")
    CloudLayout().show_volume(volume, 0)
    bench.ui.segmentButton.click()
    assert nodes[0].GetName() in bench.ui.questionLabel.text, "what was edited there is asked about"
    bench.ui.questionThirdButton.click()
    bench.ui.resultSelector.setCurrentNode(None)  # a new one is wanted
    bench.run()
    assert len(bench.workspace.results_on(volume)) == 3


def test_the_result_of_a_slice_is_found_where_the_order_of_slices_was_reversed(bench):
    """As Slicer's reader does with a left-handed stack that was saved."""
    from GrayscaleDetSegLib.panel.layout import CloudLayout
    from GrayscaleDetSegLib.scene import volumes

    volume = bench.volume(pixels=np.array([picture(), picture() // 2, picture() // 3]), geometry="flipped")
    CloudLayout().show_volume(volume, 2)
    bench.run()
    results, node = bench.panel.session.results, bench.node
    assert results.last_on(volume, 2) is node
    volumes.reverse_slices(volume)
    assert results.last_on(volume, 2) is None and results.last_on(volume, 0) is node


def test_a_fault_of_the_program_is_a_line_and_a_log(bench, caplog):
    bench.volume()
    before, bench.rig.error = ids(bench.scene), ZeroDivisionError("deep inside")
    bench.run()
    assert bench.status == "A fault of the program: ZeroDivisionError: deep inside (see the log below)."
    assert "Traceback" in bench.log and "panel_helpers.py" in bench.log and "Traceback" in caplog.text
    assert ids(bench.scene) == before and bench.ui.segmentButton.enabled
    bench.rig.error = None
    bench.run()
    assert bench.names() == ["Femur", "Tibia"]


def test_an_error_while_showing_leaves_nothing(bench, monkeypatch):
    from GrayscaleDetSegLib.scene import record

    bench.volume()
    before = ids(bench.scene)
    monkeypatch.setattr(record, "keep_result", lambda *_: 1 / 0)
    bench.run()
    assert "ZeroDivisionError" in bench.status and bench.node is None
    left = {bench.scene.GetNodeByID(each).GetClassName() for each in ids(bench.scene) - before}
    assert not left - {"vtkMRMLSubjectHierarchyNode"}


def test_nothing_found_offers_the_best_candidate(bench):
    ui = bench.ui
    volume = bench.volume()
    bench.rig.found = [RegionProposal("tibia", 0.21, (70.0, 56.0, 124.0, 80.0))]
    before = ids(bench.scene)
    bench.run()
    assert ids(bench.scene) == before and "tibia" in bench.status
    assert ui.questionFrame.isVisibleTo(bench.widget.parent)
    buttons = (ui.questionFirstButton, ui.questionSecondButton, ui.questionThirdButton)
    assert [each.text for each in buttons] == ["Segment tibia anyway", "Draw a region", "Another model"]
    ui.questionThirdButton.click()
    assert not ui.questionFrame.isVisibleTo(bench.widget.parent) and not bench.panel.runner.is_busy
    bench.run()
    ui.questionFirstButton.click()
    bench.finish()
    assert bench.names() == ["Tibia"] and bench.item("tibia").score == 1.0
    assert bench.workspace.outcome(bench.node).volume is volume


def test_the_candidate_of_an_image_that_is_left_is_forgotten(bench):
    bench.volume()
    bench.rig.found = [RegionProposal("tibia", 0.21, (70.0, 56.0, 124.0, 80.0))]
    bench.run()
    assert bench.panel.messages.is_asking
    bench.volume("other", "flipped")
    assert not bench.panel.messages.is_asking and not bench.ui.questionFrame.isVisibleTo(bench.widget.parent)


def test_a_fall_back_of_the_device_is_announced(bench):
    note = "No CUDA device was found; the CPU is used."
    bench.volume()
    bench.rig.note = note
    bench.run()
    assert bench.ui.deviceLabel.text == note and note in bench.log and note in bench.status
    bench.rig.note = None
    bench.ui.deviceComboBox.currentIndex = 1
    bench.run()
    assert bench.rig.loads == ["auto", "cpu"] and bench.ui.deviceLabel.text == "cpu (numpy)"
    assert note not in bench.status


def test_a_device_that_is_not_there_is_one_line(bench):
    bench.volume()

    def load(model, device, engine):
        raise DeviceError(f"There is no device '{device}'; choose another.")

    bench.panel.segmenter.engine._load = load
    bench.ui.deviceComboBox.currentIndex = 3
    bench.run()
    assert bench.status == "There is no device 'mps'; choose another." and "Traceback" not in bench.log


def test_choices_reach_the_method(bench, monkeypatch):
    from GrayscaleDetSegLib.core.pipeline import Pipeline

    seen, segment = [], Pipeline.segment
    monkeypatch.setattr(Pipeline, "segment", lambda *a, **options: (seen.append(options), segment(*a, **options))[1])
    bench.volume()
    bench.run()
    bench.choose_method("box")
    bench.ui.cleanUpCheckBox.checked = False
    bench.ui.scoreSlider.value = 0.85
    bench.ui.polarityComboBox.currentIndex = 2
    bench.run()
    first, second = seen
    assert (first["method"], first["clean_up"], first["check_polarity"]) == (None, True, True)
    assert (second["method"], second["clean_up"], second["check_polarity"]) == ("box", False, False)
    assert second["score_threshold"] == pytest.approx(0.85) and bench.names() == ["Femur"]


def test_two_clicks_start_one_run(bench, monkeypatch):
    """While PyTorch is imported, events are let through."""
    bench.volume()
    load = bench.panel.session.prepare

    def prepare():
        monkeypatch.setattr(bench.panel.session, "prepare", load)
        bench.ui.segmentButton.click()  # the second of a double click
        load()

    monkeypatch.setattr(bench.panel.session, "prepare", prepare)
    bench.ui.segmentButton.click()
    bench.finish()
    assert bench.names() == ["Femur", "Tibia"] and len(bench.rig.loads) == 1
    assert len(bench.workspace.results_on(bench.ui.inputSelector.currentNode())) == 1


def test_missing_packages_are_asked_for(bench, monkeypatch):
    import qt

    from GrayscaleDetSegLib.logic import dependencies

    lacking = ["torch>=2.1"]
    monkeypatch.setattr(dependencies, "missing", lambda torch=False: tuple(lacking))
    bench.volume()
    before, dialogs = ids(bench.scene), bench.session.dialogs
    bench.ui.segmentButton.click()  # refused, as by Escape
    assert len(dialogs.shown) == 1 and "torch>=2.1" in dialogs.texts()[0]
    assert bench.status.startswith("GrayscaleDetSeg cannot work without torch") and "pip install" in bench.status
    assert ids(bench.scene) == before and not bench.session.installed and not bench.rig.loads
    dialogs.answers.append(lambda _dialog: (lacking.clear(), qt.QMessageBox.Ok)[1])
    bench.run()
    assert len(dialogs.shown) == 2 and bench.session.installed == ["torch>=2.1"]
    assert bench.names() == ["Femur", "Tibia"]
    bench.run()
    assert len(dialogs.shown) == 2


def test_opening_the_panel_imports_no_torch():
    """In a Python of its own; a radiograph is chosen, and what does not compute is used."""
    code = f"""
import sys
from Testing.standins import Session
with Session() as session:
    import slicer
    from Testing.fakes import radiograph
    session.load({str(MODULE)!r})
    slicer.util.selectModule("GrayscaleDetSeg")
    from Testing.scene_nodes import add_volume
    panel = slicer.modules.GrayscaleDetSegWidget.panel
    panel.ui.inputSelector.setCurrentNode(add_volume(slicer.mrmlScene, radiograph().pixels))
    session.process()
    assert panel.ui.segmentButton.enabled
    panel.messages.copy()
    slicer.util.selectModule("SegmentEditor")
assert "torch" not in sys.modules, sorted(name for name in sys.modules if name.startswith("torch"))[:3]
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_without_weights_the_panel_says_so(panel_session, monkeypatch, tmp_path):
    from GrayscaleDetSegLib.core import weights

    monkeypatch.setattr(weights, "shipped_bundle", lambda: tmp_path)
    bench = Bench(panel_session, enter=False)
    import slicer

    slicer.util.selectModule("GrayscaleDetSeg")
    add_volume(bench.scene, picture(), GEOMETRIES["plain"])
    bench.session.process()
    assert "reinstall" in bench.status and "reinstall" in bench.ui.drawButton.toolTip
    assert not bench.ui.drawButton.enabled
    assert not bench.ui.segmentButton.enabled and "reinstall" in bench.ui.segmentButton.toolTip
    bench.ui.statusLabel.text = ""
    bench.panel.section("Segment").segment()  # as a script may
    assert "reinstall" in bench.status and "Traceback" not in bench.log and bench.rig.loads == []


def test_shortcuts_work_only_inside(bench):
    volume = bench.volume()
    start = bench.panel._shortcuts[0]
    assert [each.key.toString() for each in bench.panel._shortcuts] == [f"Ctrl+Shift+{key}" for key in "SZED"]
    start.activated.emit()
    bench.finish()
    assert bench.names() == ["Femur", "Tibia"] and all(each.enabled for each in bench.panel._shortcuts)
    bench.leave()
    assert not any(each.enabled for each in bench.panel._shortcuts)
    start.activated.emit()  # which Qt would not do
    assert not bench.panel.runner.is_busy and len(bench.workspace.results_on(volume)) == 1
