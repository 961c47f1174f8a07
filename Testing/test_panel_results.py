"""The panel's results: the table and what is done from it, other results, hand edits and the way to Segment Editor."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.scene.geometry import moved
from GrayscaleDetSegLib.scene.volumes import pixel_to_world
from Testing import standins
from Testing.panel_helpers import FOUND, picture
from Testing.scene_nodes import add_bending_transform, add_volume

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def done(bench):
    """A bench with a result on a turned image."""
    bench.volume()
    bench.run()
    return bench


def red():
    import slicer

    return slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")


def is_asking(bench) -> bool:
    return bench.ui.questionFrame.isVisibleTo(bench.widget.parent)


def test_the_table(done):
    table, item = done.ui.objectsTable, done.item()
    assert [table.horizontalHeaderItem(column).toolTip() for column in range(8)] == [
        "Show", "Lock", "Object", "Score", "Confidence", "Gray levels", "Area", "Stability"
    ]  # fmt: skip
    area, stability = f"{item.area_mm2:.0f} mm²", f"{item.thresholds.stability.value:.2f}"
    assert done.cells(0) == ["Femur", "0.93", f"{item.thresholds.confidence:.2f}", "150–240", area, stability]
    assert done.cells(1)[:2] == ["Tibia", "0.71"]
    import qt

    color = done.node.GetSegmentation().GetSegment("femur").GetColor()
    icon = table.item(0, 0).icon()
    modes = qt.QIcon.Selected, qt.QIcon.Normal
    chosen, shown = (icon.pixmap(14, 14, mode).toImage().pixelColor(7, 7) for mode in modes)
    assert chosen == shown, "a chosen row shows another colour"
    assert (shown.redF(), shown.greenF(), shown.blueF()) == pytest.approx(color, abs=0.01)
    rows = done.workspace.outcome(done.node).table
    assert rows.GetNumberOfRows() == 2 and "femur" in rows.GetCellText(0, 0).lower()


def test_a_click_goes_to_the_object(done):
    outcome, view = done.workspace.outcome(done.node), red()
    for row, identity in ((1, "tibia"), (0, "femur")):
        done.choose(row)
        x0, y0, x1, y1 = FOUND[row].roi
        to_world = pixel_to_world(outcome.volume, done.workspace.grid(done.node))
        middle = moved(to_world, [((x0 + x1) / 2, (y0 + y1) / 2, 0.0)])[0]
        from GrayscaleDetSegLib.scene.geometry import numpy_matrix

        across = np.linalg.inv(numpy_matrix(view.GetSliceToRAS())) @ [*middle, 1.0]
        assert abs(across[2]) < 1e-3, "the view is not in the image's plane"
        assert done.workspace.outcome(done.node).shown_segment == identity
        assert done.panel.session.view.picking.enabled


def test_an_object_out_of_sight_comes_to_the_middle(done):
    done.choose(0)
    view = red()
    view.SetFieldOfView(4.0, 4.0, 1.0)
    done.choose(1)
    x0, y0, x1, y1 = FOUND[1].roi
    to_world = pixel_to_world(done.workspace.outcome(done.node).volume, done.workspace.grid(done.node))
    middle = moved(to_world, [((x0 + x1) / 2, (y0 + y1) / 2, 0.0)])[0]
    center = [view.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
    assert center == pytest.approx(middle, abs=1e-3)


def test_visibility(done):
    import qt

    display, box = done.node.GetDisplayNode(), done.ui.objectsTable.item(0, 0)
    region = done.workspace.outcome(done.node).regions["femur"].GetDisplayNode()
    box.setCheckState(qt.Qt.Unchecked)
    assert not display.GetSegmentVisibility("femur") and display.GetSegmentVisibility("tibia")
    assert not region.GetVisibility()
    done.ui.deleteButton.click()  # of the femur, which is the chosen one: the tibia stays as it is
    done.ui.undoButton.click()
    assert done.ui.objectsTable.item(0, 0).checkState() == qt.Qt.Unchecked
    done.ui.objectsTable.item(0, 0).setCheckState(qt.Qt.Checked)
    assert display.GetSegmentVisibility("femur")
    done.scene.RemoveNode(done.node.GetDisplayNode())
    done.session.process()
    done.ui.objectsTable.item(0, 0).setCheckState(qt.Qt.Unchecked)  # nothing shows it, and no error


def test_delete_and_undo(done):
    ui = done.ui
    before, region = done.mask("tibia"), done.workspace.outcome(done.node).regions["tibia"]
    assert not ui.undoButton.enabled and ui.undoButton.toolTip == "There is nothing to undo."
    done.choose(1)
    ui.deleteButton.click()
    assert done.names() == ["Femur"] and done.panel.session.selection == "femur"
    assert done.status == "Tibia was deleted; Undo brings it back." and region.GetScene() is None
    ui.deleteButton.click()
    assert done.names() == [] and not ui.deleteButton.enabled and not ui.grayRangeWidget.enabled
    assert ui.editButton.toolTip == "Choose an object in the table first."
    ui.undoButton.click()
    assert done.names() == ["Femur"] and done.panel.session.selection == "femur"
    ui.undoButton.click()
    assert done.names() == ["Femur", "Tibia"] and done.status == "The former state is back."
    np.testing.assert_array_equal(done.mask("tibia"), before)
    assert "tibia" in done.workspace.outcome(done.node).regions and not ui.undoButton.enabled
    done.panel.section("Objects").undo()  # by the shortcut
    assert done.names() == ["Femur", "Tibia"]


def test_another_run_replaces_what_nobody_edited(done):
    node = done.node
    done.rig.found = [RegionProposal("femur", 0.5, (10.0, 6.0, 66.0, 47.0))]
    done.run()
    assert done.node is node and done.names() == ["Femur"] and done.cells(0)[1] == "0.50"
    assert not done.session.dialogs.shown and not is_asking(done)
    done.ui.undoButton.click()
    assert done.names() == ["Femur", "Tibia"] and done.cells(0)[1] == "0.93"
    assert done.roi("femur") == pytest.approx(FOUND[0].roi, abs=0.1)


@pytest.mark.parametrize("answer", ["Replace", "New segmentation", "Cancel"])
def test_hand_edits_are_asked_about(done, answer):
    ui, node = done.ui, done.node
    done.paint()
    edited = done.mask()
    ui.segmentButton.click()
    assert not done.panel.runner.is_busy and is_asking(done) and not done.session.dialogs.shown
    buttons = {each.text: each for each in (ui.questionFirstButton, ui.questionSecondButton, ui.questionThirdButton)}
    assert node.GetName() in ui.questionLabel.text and len(buttons) == 3
    buttons[answer].click()
    assert not is_asking(done)
    done.finish()
    results = done.workspace.results_on(ui.inputSelector.currentNode())
    if answer == "Replace":
        assert results == [node] and not done.mask()[82, 5]
        ui.undoButton.click()
        np.testing.assert_array_equal(done.mask(), edited)
    elif answer == "New segmentation":
        assert len(results) == 2 and done.node is results[1] and ui.resultSelector.currentNode() is results[1]
        ui.resultSelector.setCurrentNode(node)
        np.testing.assert_array_equal(done.mask(), edited)
    else:
        assert results == [node]
        np.testing.assert_array_equal(done.mask(), edited)


def test_the_question_goes_with_its_result(done):
    """An answer about one result is never taken for another."""
    first = done.node
    done.ui.resultSelector.setCurrentNode(None)
    done.run()
    second = done.node
    assert first is not second
    done.paint(node=first)
    done.paint(node=second)
    done.ui.segmentButton.click()
    assert is_asking(done)
    done.ui.resultSelector.setCurrentNode(first)
    assert not is_asking(done)
    done.ui.questionFirstButton.click()  # nobody can
    assert not done.panel.runner.is_busy and done.mask()[82, 5]


def test_the_question_goes_when_its_result_is_deleted(done):
    done.paint()
    done.ui.segmentButton.click()
    done.scene.RemoveNode(done.node)
    done.session.process()
    assert not is_asking(done) and done.node is None and done.names() == []
    done.run()
    assert done.names() == ["Femur", "Tibia"]


def test_an_answer_while_another_run_is_on(done):
    """A question stands there, and a region is moved meanwhile."""
    done.paint("tibia")
    done.ui.segmentButton.click()
    assert is_asking(done)
    done.rig.gate.clear()
    done.place("femur", (10.0, 6.0, 66.0, 47.0))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    done.ui.questionFirstButton.click()
    done.finish()
    assert not is_asking(done) and done.mask("tibia")[82, 5]
    assert done.item().region == pytest.approx((10.0, 6.0, 66.0, 47.0), abs=0.05)


def test_results_of_other_images_bring_their_image(done):
    first, knee = done.node, done.ui.inputSelector.currentNode()
    other = done.volume("foot", "flipped", picture()[::-1].copy())
    assert done.node is None and done.names() == [] and done.ui.resultSelector.currentNode() is None
    assert done.ui.readingLabel.text == "" and done.ui.caseNameLineEdit.text == "foot"
    done.rig.found = done.rig.found[1:]
    done.run()
    second = done.node
    assert done.names() == ["Tibia"] and done.workspace.outcome(second).volume is other
    done.ui.resultSelector.setCurrentNode(first)
    done.session.process()
    assert done.ui.inputSelector.currentNode() is knee and done.node is first and done.names() == ["Femur", "Tibia"]
    assert done.ui.caseNameLineEdit.text == "knee"
    done.ui.inputSelector.setCurrentNode(other)
    assert done.node is second and done.names() == ["Tibia"]
    from slicer import app

    composite = app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == other.GetID()


def test_a_result_that_comes_after_the_user_went_on(done):
    knee = done.ui.inputSelector.currentNode()
    other = done.volume("foot", "flipped")
    done.begin()
    done.ui.inputSelector.setCurrentNode(knee)
    shown = done.node
    done.finish()
    assert done.ui.inputSelector.currentNode() is knee and done.node is shown
    assert done.status.startswith("foot: ") and len(done.workspace.results_on(other)) == 1
    done.ui.inputSelector.setCurrentNode(other)
    assert done.names() == ["Femur", "Tibia"] and done.node is done.workspace.results_on(other)[0]


def test_a_foreign_segmentation_takes_a_result(done):
    """One that somebody painted: its segments stay."""
    own = done.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "painted")
    own.CreateDefaultDisplayNodes()
    own.GetSegmentation().AddEmptySegment("femur", "femur")
    done.ui.resultSelector.setCurrentNode(own)
    done.session.process()
    assert done.node is None and done.names() == [] and done.ui.segmentButton.enabled
    done.run()
    assert done.node is own and done.names() == ["Femur", "Tibia"]
    assert own.GetSegmentation().GetNumberOfSegments() == 3 and own.GetSegmentation().GetSegment("femur") is not None
    assert done.mask("femur-2").any() and not done.mask("femur").any()
    assert done.ui.undoButton.enabled
    done.ui.undoButton.click()
    assert list(own.GetSegmentation().GetSegmentIDs()) == ["femur"]


def test_edit_hands_over_to_segment_editor_and_back(done):
    import slicer

    layout = slicer.app.layoutManager()
    ours, users = layout.layout, slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    done.choose(1)
    node, volume = done.node, done.ui.inputSelector.currentNode()
    done.ui.editButton.click()
    assert slicer.util.selectedModule() == "SegmentEditor" and layout.layout == users != ours
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    chosen = editor.segmentationNode(), editor.sourceVolumeNode(), editor.currentSegmentID()
    assert chosen == (node, volume, "tibia")
    before = done.workspace.shown(node).object_of("tibia").pixel_count
    done.paint("tibia", node)
    added = node.GetSegmentation().AddEmptySegment("patella", "patella")
    slicer.util.selectModule("GrayscaleDetSeg")
    assert layout.layout == ours and done.node is node and done.panel.session.selection == "tibia"
    assert done.item("tibia").pixel_count == before + 54 and done.names() == ["Femur", "Tibia"]
    assert done.cells(1)[4] == f"{done.item('tibia').area_mm2:.0f} mm²"
    done.ui.segmentButton.click()
    assert is_asking(done)
    done.ui.questionFirstButton.click()
    done.finish()
    assert node.GetSegmentation().GetSegment(added) is not None, "what somebody added stays"


def test_segments_that_change_meanwhile_are_seen(done):
    before = done.cells(0)[4]
    done.paint()
    assert done.session.wait(lambda: done.cells(0)[4] != before)
    done.node.GetSegmentation().RemoveSegment("tibia")
    assert done.session.wait(lambda: done.names() == ["Femur"])
    assert done.panel.session.selection == "femur"


def test_other_pixels_ask_for_another_run(done):
    """The item of a sequence changed, or somebody wrote to the image."""
    import slicer

    first, volume = done.node, done.ui.inputSelector.currentNode()
    slicer.util.arrayFromVolume(volume)[:] = picture()[::-1]
    slicer.util.arrayFromVolumeModified(volume)
    assert done.session.wait(lambda: done.node is None)
    assert "segment again" in done.status and done.names() == [] and not done.ui.grayRangeWidget.enabled
    done.run()
    assert done.node is first and done.names() == ["Femur", "Tibia"]
    new = done.mask()
    done.ui.undoButton.click()  # the segments come back; the result is no result of this image
    assert done.names() == [] and not (done.ui.deleteButton.enabled or done.ui.grayRangeWidget.enabled)
    assert (done.mask() != new).any()


def test_a_transform_that_bends_is_no_error(done):
    bent = add_bending_transform(done.scene).GetID()
    for node in (done.ui.inputSelector.currentNode(), done.node):
        node.SetAndObserveTransformNodeID(bent)
    done.choose(1)
    done.choose(0)
    done.leave()
    done.enter()


def test_results_by_the_console_are_found(done):
    """Of the logic class, on another volume, while the panel is open."""
    volume = add_volume(done.scene, picture(), name="by script")
    found = done.widget.logic.segment(volume)
    assert done.ui.resultSelector.nodeCount() == 2
    done.ui.inputSelector.setCurrentNode(volume)
    done.session.process()
    assert done.node is found.segmentation and done.names() == ["Femur", "Tibia"]
    with pytest.raises(Exception, match="no image volume"):
        done.widget.logic.segment(None)
