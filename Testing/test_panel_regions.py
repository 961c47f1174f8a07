"""Regions dragged and drawn in the panel: the object is looked for again there, whatever else goes on."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.scene import regions
from Testing import standins
from Testing.panel_helpers import FOUND, picture
from Testing.scene_nodes import ids

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

MOVED = (10.0, 6.0, 56.0, 47.0)
FURTHER = (12.0, 4.0, 50.0, 50.0)


@pytest.fixture
def done(bench):
    """A bench with a result on a turned image."""
    bench.volume()
    bench.run()
    bench.rig.searches.clear()
    return bench


def region(bench, identity="femur"):
    return bench.workspace.outcome(bench.node).regions[identity]


def test_a_dragged_region_is_searched_again(done, monkeypatch):
    before, tibia = done.mask(), done.mask("tibia")
    monkeypatch.setattr(done.rig, "candidates", lambda *_: pytest.fail("the 2D detector was asked"))
    done.drag(region(done), lambda: done.place("femur", FURTHER), lambda: done.place("femur", MOVED))
    assert not done.rig.searches, "it runs when the mouse has let go"
    done.rest()
    assert done.rig.searches == [("femur", done.item().region)] and done.item().region == pytest.approx(MOVED, abs=0.05)
    assert (done.mask() != before).any() and done.cells(0)[1] == "1.00"
    np.testing.assert_array_equal(done.mask("tibia"), tibia)
    assert done.status.startswith("Femur: gray levels 150 to 240") and done.panel.session.selection == "femur"
    done.ui.undoButton.click()
    np.testing.assert_array_equal(done.mask(), before)
    assert done.roi("femur") == pytest.approx(FOUND[0].roi, abs=0.05) and not done.ui.undoButton.enabled


def test_a_region_moved_by_a_script_counts_when_it_rests(done):
    for step in range(4):
        done.place("tibia", (74.0 + step, 60.0, 120.0, 76.0))
        done.session.wait(lambda: False, 0.05)
    assert not done.rig.searches
    done.rest()
    assert [label for label, _roi in done.rig.searches] == ["tibia"]
    assert done.item("tibia").region == pytest.approx((77.0, 60.0, 120.0, 76.0), abs=0.05)


def test_a_region_that_comes_back_is_not_searched(done):
    done.drag(region(done), lambda: done.place("femur", MOVED), lambda: done.place("femur", FOUND[0].roi))
    done.rest()
    assert not done.rig.searches and not done.ui.undoButton.enabled


def test_beside_the_image_it_is_put_back(done):
    done.drag(region(done), lambda: done.place("femur", (400.0, 300.0, 450.0, 340.0)))
    done.rest()
    assert done.status == "The region lies beside the image; it was put back." and not done.rig.searches
    assert done.roi("femur") == pytest.approx(FOUND[0].roi, abs=0.05)


@pytest.mark.parametrize("how", ["error", "cancel"])
def test_a_search_that_fails_puts_it_back(done, how):
    before = done.mask()
    done.rig.error = ZeroDivisionError("deep inside") if how == "error" else None
    done.rig.gate.clear()
    done.drag(region(done), lambda: done.place("femur", MOVED))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    if how == "cancel":
        done.ui.segmentButton.click()
    done.finish()
    assert ("fault of the program" in done.status) == (how == "error")
    assert done.roi("femur") == pytest.approx(FOUND[0].roi, abs=0.05)
    np.testing.assert_array_equal(done.mask(), before)


def test_moved_while_another_search_is_on(done):
    """Neither the other object nor the same one loses a move."""
    done.rig.gate.clear()
    done.drag(region(done), lambda: done.place("femur", MOVED))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    done.drag(region(done, "tibia"), lambda: done.place("tibia", (74.0, 60.0, 120.0, 76.0)))
    done.drag(region(done), lambda: done.place("femur", FURTHER))
    done.session.wait(lambda: False, 0.1)
    done.rig.gate.set()
    done.rest()
    assert done.session.wait(lambda: done.item("tibia").region == pytest.approx((74.0, 60.0, 120.0, 76.0), abs=0.05))
    assert done.session.wait(lambda: done.item().region == pytest.approx(FURTHER, abs=0.05))
    assert done.roi("femur") == pytest.approx(FURTHER, abs=0.05)


def test_held_while_the_search_ends(done):
    """The mouse has taken hold of the region again: it is not pulled away from it."""
    done.rig.gate.clear()
    done.drag(region(done), lambda: done.place("femur", MOVED))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    node = region(done)
    node.InvokeEvent(node.PointStartInteractionEvent)
    done.place("femur", FURTHER)
    done.finish()
    assert done.item().region == pytest.approx(MOVED, abs=0.05)
    assert done.roi("femur") == pytest.approx(FURTHER, abs=0.05)
    node.InvokeEvent(node.PointEndInteractionEvent)
    done.rest()
    assert done.item().region == pytest.approx(FURTHER, abs=0.05)


def test_an_edited_object_is_kept(done):
    done.paint()
    done.session.wait(lambda: done.item().mask[82, 5])
    done.drag(region(done), lambda: done.place("femur", MOVED))
    done.rest()
    segmentation = done.node.GetSegmentation()
    copy = segmentation.GetSegmentIdBySegmentName("femur (edited)")
    assert done.mask(copy)[82, 5] and not done.mask()[82, 5]
    assert not done.node.GetDisplayNode().GetSegmentVisibility(copy)


def test_leaving_puts_back_what_was_not_seen_to(done):
    node = done.node
    done.place("femur", MOVED)
    done.leave()
    outcome = done.workspace.outcome(node)
    roi = regions.region_of(outcome.regions["femur"], outcome.volume, done.workspace.grid(node))
    assert roi == pytest.approx(FOUND[0].roi, abs=0.05)
    assert not any(each.GetDisplayNode().GetHandlesInteractive() for each in outcome.regions.values())
    assert all(each.GetLocked() for each in outcome.regions.values())
    done.enter()
    assert all(each.GetDisplayNode().GetHandlesInteractive() for each in outcome.regions.values())
    assert not done.rig.searches


def test_the_result_is_deleted_while_its_region_is_searched(done):
    for gone in ("segmentation", "volume"):
        node = done.node
        done.rig.gate.clear()
        done.drag(region(done), lambda: done.place("femur", MOVED))
        assert done.session.wait(lambda: done.panel.runner.is_busy)
        done.scene.RemoveNode(node if gone == "segmentation" else done.workspace.outcome(node).volume)
        done.session.process()
        done.finish()
        assert "removed meanwhile" in done.status and done.names() == [] and "Traceback" not in done.log
        if gone == "segmentation":
            done.run()


OVER_BOTH = (8.0, 5.0, 124.0, 80.0)


def begin_drawing(bench, label="right lung"):
    """Click the button, and give the node that Slicer would place."""
    combo = bench.ui.classComboBox
    combo.currentIndex = next(index for index in range(combo.count) if combo.itemData(index) == label)
    bench.ui.drawButton.click()
    return bench.panel.section("Draw").regions.drawing._node


def place_drawn(bench, node, roi, volume=None, index=None) -> None:
    """The two clicks."""
    import slicer

    from GrayscaleDetSegLib.scene.volumes import grid_of

    volume = bench.ui.inputSelector.currentNode() if volume is None else volume
    node.AddControlPoint(0.0, 0.0, 0.0)
    regions.place_region(node, volume, grid_of(volume, index), roi)
    slicer.app.applicationLogic().GetInteractionNode().SwitchToViewTransformMode()
    assert bench.session.wait(lambda: not bench.panel.section("Draw").regions.drawing.active)


DRAWN = (80.0, 10.0, 120.0, 40.0)


def test_a_drawn_region_adds_an_object(done):
    before = done.node
    node = begin_drawing(done)
    assert done.ui.drawButton.text == "Stop drawing" and "right lung" in done.status
    place_drawn(done, node, DRAWN)
    done.finish()
    assert done.ui.drawButton.text == "Draw region" and done.node is before
    assert done.names() == ["Femur", "Tibia", "Right lung"] and done.panel.session.selection == "right_lung"
    assert done.item("right_lung").region == pytest.approx(DRAWN, abs=0.05) and node.GetScene() is None
    assert done.roi("right_lung") == pytest.approx(DRAWN, abs=0.05)
    done.ui.undoButton.click()
    assert done.names() == ["Femur", "Tibia"] and "right_lung" not in done.workspace.outcome(done.node).regions


def draw_over_both(bench) -> None:
    """A femur drawn over both objects: asks about the femur."""
    place_drawn(bench, begin_drawing(bench, "femur"), OVER_BOTH)
    assert bench.panel.messages.is_asking and bench.ui.questionLabel.text.startswith("Femur is there already")


@pytest.mark.parametrize("how", ["deleted", "locked", "brought back", "removed by somebody"])
def test_a_question_goes_with_the_object_that_it_is_about(done, how):
    if how == "brought back":
        done.choose(1)
        done.ui.deleteButton.click()
    draw_over_both(done)
    if how == "deleted":
        done.choose(0)
        done.ui.deleteButton.click()
    elif how == "locked":
        done.panel.section("Objects").lock("femur", True)
    elif how == "brought back":
        done.ui.undoButton.click()
    else:
        done.node.GetSegmentation().RemoveSegment("femur")
        done.session.wait(lambda: not done.panel.messages.is_asking)
    assert not done.panel.messages.is_asking and not done.ui.questionFrame.isVisibleTo(done.widget.parent)
    assert not done.rig.searches


def test_an_answer_is_never_taken_for_another_object(done):
    """The object that was asked about is gone when the answer comes, and nobody has noticed yet."""
    draw_over_both(done)
    done.node.GetSegmentation().RemoveSegment("femur")
    done.ui.questionFirstButton.click()
    assert done.ui.questionLabel.text.startswith("Tibia is there already") and not done.rig.searches
    done.session.wait(lambda: False, 0.15)
    assert done.panel.messages.is_asking, "this is the question of now"
    tibia = done.mask("tibia")
    done.ui.questionSecondButton.click()
    assert done.ui.questionSecondButton.text == "Keep"
    done.finish()
    assert done.names() == ["Tibia", "Femur"]
    np.testing.assert_array_equal(done.mask("tibia"), tibia)


def test_an_answer_takes_no_object_that_was_locked_meanwhile(done):
    draw_over_both(done)
    done.panel.session.results.set_locked(done.node, "femur", True)  # as a script does
    femur = done.mask()
    done.ui.questionFirstButton.click()
    done.finish()
    assert done.names() == ["Femur", "Tibia"] and "leaves" in done.ui.statusLabel.text
    np.testing.assert_array_equal(done.mask(), femur)


def test_drawn_without_any_result(bench, monkeypatch):
    volume = bench.volume()
    monkeypatch.setattr(bench.rig, "candidates", lambda *_: pytest.fail("the 2D detector was asked"))
    place_drawn(bench, begin_drawing(bench, "tibia"), DRAWN)
    bench.finish()
    assert bench.names() == ["Tibia"] and bench.workspace.outcome(bench.node).volume is volume
    assert bench.ui.resultSelector.currentNode() is bench.node


def test_drawing_is_stopped_by_the_button_and_by_a_run(done):
    before = ids(done.scene)
    begin_drawing(done)
    done.ui.drawButton.click()
    assert done.status == "No region was drawn." and done.ui.drawButton.text == "Draw region"
    assert ids(done.scene) == before
    begin_drawing(done)
    done.run()
    assert not done.panel.section("Draw").regions.drawing.active and ids(done.scene) == before


def test_another_image_stops_the_drawing(done):
    before = len(ids(done.scene))
    begin_drawing(done)
    drawing = done.panel.section("Draw").regions.drawing
    done.volume("other")
    assert not drawing.active and done.ui.drawButton.text == "Draw region"
    assert not [each for each in ids(done.scene) if "ROI" in each and done.scene.GetNodeByID(each).GetName() == "Drawn"]
    assert len(ids(done.scene)) > before


def test_drawn_while_a_region_is_searched(done):
    """A region was moved by a script, its search is on: the drawn one says so, and nothing is lost or raised."""
    node = begin_drawing(done)
    done.rig.gate.clear()
    done.rig.began.clear()
    done.place("femur", MOVED)
    assert done.session.wait(done.rig.began.is_set)
    done.session.wait(lambda: False, 0.06)  # the stage has been said
    place_drawn(done, node, DRAWN)
    assert "try again" in done.status and node.GetScene() is None
    done.finish()
    assert done.names() == ["Femur", "Tibia"] and done.item().region == pytest.approx(MOVED, abs=0.05)


def test_drawn_in_another_slice(bench):
    from GrayscaleDetSegLib.panel.layout import CloudLayout

    volume = bench.volume(pixels=np.array([picture()] * 4), geometry="sideways")
    CloudLayout().show_volume(volume, 2)
    bench.run()
    first = bench.node
    CloudLayout().show_volume(volume, 1)
    place_drawn(bench, begin_drawing(bench, "tibia"), DRAWN, index=1)
    bench.finish()
    assert bench.node is not first and bench.workspace.grid(bench.node).index == 1 and bench.names() == ["Tibia"]
    assert len(bench.workspace.shown(first).identities) == 2
    CloudLayout().show_volume(volume, 2)
    place_drawn(bench, begin_drawing(bench), DRAWN, index=2)
    bench.finish()
    assert bench.node is first and bench.ui.resultSelector.currentNode() is first, "the slice has a result already"
    assert bench.names() == ["Femur", "Tibia", "Right lung"] and bench.panel.session.selection == "right_lung"
    assert len(bench.workspace.results_on(volume)) == 2
