"""Thresholds moved in the panel: by the sliders, by the box, and by nobody."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.scene import threshold_box
from Testing import standins
from Testing.panel_helpers import HIGH, LOW, Bench

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def done(bench):
    """A bench with a result of the single box, without post-processing, so that masks are the thresholds'."""
    bench.ui.cleanUpCheckBox.checked = False
    bench.volume()
    bench.run()
    return bench


@pytest.fixture
def bent(panel_session):
    """A bench with a result of threshold surfaces."""
    bench = Bench(panel_session, surfaces=4.0)
    bench.ui.cleanUpCheckBox.checked = False
    bench.volume()
    bench.run()
    return bench


def gray(bench) -> np.ndarray:
    return bench.workspace.shown(bench.node).result.radiograph.gray_image()[:, :]


def expected(bench, low, high, identity="femur") -> np.ndarray:
    """The pixels of an object's region between two gray levels, without those of the other object."""
    from GrayscaleDetSegLib.core import boxes

    item, whole = bench.item(identity), gray(bench)
    window, mask = boxes.pixel_slices(item.thresholds.field.roi, whole.shape), np.zeros(whole.shape, bool)
    mask[window] = (whole[window] >= low) & (whole[window] <= high)
    other = bench.mask("tibia" if identity == "femur" else "femur")
    return mask & ~other


def box_of(bench):
    return bench.workspace.outcome(bench.node).box


def values(widget) -> tuple[float, float]:
    return widget.minimumValue, widget.maximumValue


def test_sliders_show_the_object(done):
    gray_slider, units = done.ui.grayRangeWidget, done.ui.unitsRangeWidget
    assert values(gray_slider) == (LOW, HIGH) and gray_slider.enabled and units.enabled
    mapping = done.workspace.shown(done.node).result.radiograph.mapping
    assert values(units) == pytest.approx(tuple(mapping.to_units([LOW, HIGH])), abs=0.5)
    assert (units.minimum, units.maximum) == pytest.approx((mapping.units[0], mapping.units[-1]), abs=0.5)
    assert done.ui.numbersLabel.text == "The single box makes the mask. Area: " + done.cells(0)[4] + "."
    np.testing.assert_array_equal(done.mask(), expected(done, LOW, HIGH))


def test_a_slider_moves_mask_numbers_and_box(done):
    before, box = done.mask(), box_of(done)
    done.ui.grayRangeWidget.setValues(190.0, HIGH)
    assert done.session.wait(lambda: (done.mask() != before).any(), 0.3), "the mask does not follow"
    assert done.panel.section("Thresholds").editor.is_moving
    live = done.mask()
    np.testing.assert_array_equal(live, expected(done, 190.0, HIGH))
    area = np.count_nonzero(live) * 0.06
    assert done.ui.numbersLabel.text == f"Gray levels 190.0 to 240.0. Area: {area:.0f} mm²."
    assert done.cells(0)[3:5] == ["190–240", f"{area:.0f} mm²"]
    assert threshold_box.interval_of(box) == pytest.approx((190.0, HIGH), abs=0.01)
    mapping = done.workspace.shown(done.node).result.radiograph.mapping
    assert done.ui.unitsRangeWidget.minimumValue == pytest.approx(mapping.to_units([190.0])[0], abs=0.5)
    done.rest()
    assert done.item().thresholds.interval == pytest.approx((190.0, HIGH))
    assert done.item().thresholds.interval_units[1] == pytest.approx(
        mapping.to_units([HIGH])[0], abs=1.0
    )
    np.testing.assert_array_equal(done.mask(), live)
    assert done.status == "Femur: gray levels 190.0 to 240.0." and done.ui.undoButton.enabled
    table = done.workspace.outcome(done.node).table
    assert any("190" in table.GetCellText(0, column) for column in range(table.GetNumberOfColumns()))
    done.ui.undoButton.click()
    np.testing.assert_array_equal(done.mask(), before)
    assert values(done.ui.grayRangeWidget) == (LOW, HIGH) and not done.ui.undoButton.enabled
    assert threshold_box.interval_of(box_of(done)) == pytest.approx((LOW, HIGH), abs=0.01)


def test_many_moves_are_one_state(done):
    for low in np.linspace(LOW, 205.0, 12):
        done.ui.grayRangeWidget.minimumValue = low
        done.session.wait(lambda: False, 0.02)
    done.rest()
    assert done.item().thresholds.interval[0] == pytest.approx(205.0)
    done.ui.undoButton.click()
    assert done.item().thresholds.interval[0] == LOW and not done.ui.undoButton.enabled


def test_units_and_gray_levels_are_tied(done):
    units, mapping = done.ui.unitsRangeWidget, done.workspace.shown(done.node).result.radiograph.mapping
    wanted = float(round(mapping.to_units([200.0])[0]))
    units.minimumValue = wanted
    done.rest()
    low, high = done.item().thresholds.interval
    assert low == pytest.approx(float(mapping.to_gray([wanted])[0]), abs=1e-3)
    assert done.ui.grayRangeWidget.minimumValue == pytest.approx(low, abs=0.051)
    assert high == HIGH, "an end that nobody moved has moved by its rounding"


@pytest.mark.parametrize("widget", ["grayRangeWidget", "unitsRangeWidget"])
def test_rounding_moves_no_end_that_nobody_moved(done, widget):
    done.drag(box_of(done), lambda: threshold_box.set_interval(box_of(done), (151.237, 233.333)))
    done.rest()
    before = done.item().thresholds.interval
    slider = getattr(done.ui, widget)
    slider.maximumValue = slider.maximumValue + 10 * slider.singleStep
    done.rest()
    low, high = done.item().thresholds.interval
    assert low == before[0] and high > before[1] + 5
    slider.maximumValue = slider.maximum
    done.rest()
    assert done.item().thresholds.interval == (before[0], 255.0) and np.isinf(done.item().thresholds.interval_units[1])
    slider.minimumValue = slider.minimum
    done.rest()
    assert done.item().thresholds.interval == (0.0, 255.0) and np.isinf(done.item().thresholds.interval_units[0])


def test_there_and_back_is_no_change(done):
    done.paint()
    edited = done.mask()
    done.ui.grayRangeWidget.minimumValue = 200.0
    assert done.session.wait(lambda: (done.mask() != edited).any(), 0.5)
    done.ui.grayRangeWidget.minimumValue = LOW
    done.rest()
    np.testing.assert_array_equal(done.mask(), edited)
    assert not done.ui.undoButton.enabled and done.node.GetSegmentation().GetNumberOfSegments() == 2


def test_the_box_is_dragged(done):
    box, before, other = box_of(done), done.mask(), done.mask("tibia")
    box.InvokeEvent(box.PointStartInteractionEvent)
    for low in (160.0, 175.0, 190.0):
        threshold_box.set_interval(box, (low, HIGH))
        assert done.session.wait(lambda low=low: values(done.ui.grayRangeWidget) == (low, HIGH), 2.0)
        np.testing.assert_array_equal(done.mask(), expected(done, low, HIGH))
        assert values(done.ui.grayRangeWidget) == (low, HIGH) and f"{low:.1f} to" in done.ui.numbersLabel.text
    assert (done.mask() != before).any()
    done.session.wait(lambda: False, 0.25)
    assert done.panel.section("Thresholds").editor.is_moving, "the mouse has not let go"
    assert done.item().thresholds.interval == (LOW, HIGH)
    box.InvokeEvent(box.PointEndInteractionEvent)
    assert done.session.wait(lambda: not done.panel.section("Thresholds").editor.is_moving, 0.2)
    assert done.item().thresholds.interval == pytest.approx((190.0, HIGH), abs=0.01)
    np.testing.assert_array_equal(done.mask("tibia"), other)
    assert done.status.startswith("Femur: gray levels 190.0 to 240.0.")
    done.ui.undoButton.click()
    np.testing.assert_array_equal(done.mask(), before)


def test_a_box_that_was_turned_and_pushed_is_put_back(done):
    box = box_of(done)
    center = list(box.GetCenter())

    def push():
        box.SetSize(*(2.0 * np.array(box.GetSize())))
        box.SetCenter(center[0] + 30.0, center[1] - 20.0, center[2])

    done.drag(box, push)
    done.rest()
    low, high = done.item().thresholds.interval
    assert low < LOW and high > HIGH and list(box.GetCenter())[:2] == pytest.approx(center[:2], abs=1e-3)
    assert threshold_box.interval_of(box) == pytest.approx((low, high), abs=0.01)


def test_a_box_moved_by_a_script_counts_too(done):
    """No start, no end: it rests when nothing has changed for a while."""
    threshold_box.set_interval(box_of(done), (200.0, 230.0))
    assert done.session.wait(lambda: done.item().thresholds.interval == pytest.approx((200.0, 230.0), abs=0.01))
    assert done.ui.undoButton.enabled


def test_a_drag_that_goes_on_after_the_object_was_left(done):
    """Another row is chosen while the mouse holds the box: what was moved is kept, and the rest is no error."""
    box = box_of(done)
    box.InvokeEvent(box.PointStartInteractionEvent)
    threshold_box.set_interval(box, (180.0, HIGH))
    done.choose(1)
    assert done.item().thresholds.interval[0] == pytest.approx(180.0, abs=0.01)
    tibia = done.item("tibia").thresholds.interval
    box.InvokeEvent(box.PointEndInteractionEvent)
    done.rest()
    assert done.item("tibia").thresholds.interval == tibia and values(done.ui.grayRangeWidget) == tibia
    assert threshold_box.interval_of(box_of(done)) == pytest.approx(tibia, abs=0.01)


def test_the_mouse_moves_the_object_that_it_took_hold_of_and_no_other(done):
    """Another row is chosen while the mouse holds the box, and the mouse goes on."""
    box = box_of(done)
    box.InvokeEvent(box.PointStartInteractionEvent)
    threshold_box.set_interval(box, (180.0, HIGH))
    done.choose(1)
    threshold_box.set_interval(box, (200.0, HIGH))
    done.rest()
    box.InvokeEvent(box.PointEndInteractionEvent)
    done.rest()
    assert done.item().thresholds.interval == pytest.approx((180.0, HIGH), abs=0.01)
    assert done.item("tibia").thresholds.interval == (LOW, HIGH)
    assert threshold_box.interval_of(box) == pytest.approx((LOW, HIGH), abs=0.01), "the box is back"
    done.drag(box, lambda: threshold_box.set_interval(box, (170.0, HIGH)))
    done.rest()
    assert done.item("tibia").thresholds.interval == pytest.approx((170.0, HIGH), abs=0.01), "it can be moved again"


def test_a_run_that_ends_leaves_the_mouse_what_it_holds(done):
    """The region of one object was moved; its run ends while the thresholds of another are dragged."""
    done.rig.gate.clear()
    done.place("femur", (10.0, 6.0, 56.0, 47.0))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    done.choose(1)
    box = box_of(done)
    box.InvokeEvent(box.PointStartInteractionEvent)
    threshold_box.set_interval(box, (170.0, HIGH))
    done.session.wait(lambda: False, 0.05)
    done.finish()
    assert done.panel.session.selection == "tibia"
    threshold_box.set_interval(box, (200.0, HIGH))
    done.session.wait(lambda: False, 0.25)
    assert done.panel.section("Thresholds").editor.is_moving, "the mouse has not let go"
    box.InvokeEvent(box.PointEndInteractionEvent)
    done.rest()
    assert done.item("tibia").thresholds.interval == pytest.approx((200.0, HIGH), abs=0.01)
    assert done.item().thresholds.interval == (LOW, HIGH)
    assert done.item().region == pytest.approx((10.0, 6.0, 56.0, 47.0), abs=0.05)


def test_a_run_that_ends_takes_nothing_from_a_slider_that_rests(done):
    """The mouse holds a slider without moving it: its thresholds are final for the time being."""
    done.rig.gate.clear()
    done.place("femur", (10.0, 6.0, 56.0, 47.0))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    done.choose(1)
    done.ui.grayRangeWidget.minimumValue = 170.0
    assert done.session.wait(lambda: not done.panel.section("Thresholds").editor.is_moving)
    done.finish()
    assert done.panel.session.selection == "tibia" and values(done.ui.grayRangeWidget)[0] == pytest.approx(170.0)
    done.ui.grayRangeWidget.minimumValue = 200.0
    done.rest()
    assert done.item("tibia").thresholds.interval == pytest.approx((200.0, HIGH), abs=0.01)
    assert done.item().thresholds.interval == (LOW, HIGH)


def test_another_image_while_a_threshold_moves(done):
    node = done.node
    done.ui.grayRangeWidget.minimumValue = 200.0
    done.volume("other", "flipped")
    done.ui.resultSelector.setCurrentNode(node)
    done.session.process()
    assert done.item().thresholds.interval == pytest.approx((200.0, HIGH)) and not done.workspace.would_lose_edits(node)


def test_edited_objects_keep_a_hidden_copy(done):
    done.paint()
    assert done.session.wait(lambda: done.item().mask[82, 5])
    done.ui.grayRangeWidget.minimumValue = 190.0
    done.rest()
    segmentation, display = done.node.GetSegmentation(), done.node.GetDisplayNode()
    names = [segmentation.GetNthSegment(number).GetName() for number in range(segmentation.GetNumberOfSegments())]
    assert "femur (edited)" in names and "kept as a hidden segment" in done.status
    copy = segmentation.GetSegmentIdBySegmentName("femur (edited)")
    assert not display.GetSegmentVisibility(copy) and done.mask(copy)[82, 5] and not done.mask()[82, 5]
    assert done.names() == ["Femur", "Tibia"]
    done.ui.undoButton.click()
    assert segmentation.GetSegment(copy) is None and done.mask()[82, 5]


def test_clean_up_comes_at_the_end(done):
    done.ui.cleanUpCheckBox.checked = True
    done.ui.grayRangeWidget.minimumValue = 190.0
    assert done.session.wait(lambda: done.panel.section("Thresholds").editor._drag is not None)
    live = done.mask()
    np.testing.assert_array_equal(live, expected(done, 190.0, HIGH))
    done.rest()
    assert done.item().pixel_count == np.count_nonzero(done.mask())
    assert done.item().thresholds.rule_pixel_count >= live.sum()


def test_surfaces_move_together(bent):
    assert bent.item().method == "surfaces" and bent.ui.numbersLabel.text.startswith("4 x 3 boxes make the mask")
    surfaces, before_low = bent.workspace.outcome(bent.node).surfaces, bent.item().thresholds.field.cells[0]
    heights = [node.GetPolyData().GetBounds()[4:] for node in surfaces]
    before = bent.mask()
    bent.drag(box_of(bent), lambda: threshold_box.set_interval(box_of(bent), (LOW + 25.0, HIGH)))
    bent.rest()
    least = bent.item().thresholds.field.reach[0]  # bottoms below the object's darkest pixels move from there
    np.testing.assert_allclose(bent.item().thresholds.field.cells[0], np.maximum(before_low, least) + 25.0, atol=0.01)
    assert (bent.mask() != before).any() and not (bent.mask() & ~before).any()
    after = [node.GetPolyData().GetBounds()[4:] for node in bent.workspace.outcome(bent.node).surfaces]
    assert after[0] != heights[0] and after[1] == pytest.approx(heights[1], abs=0.05)


def test_the_method_box_makes_no_surfaces(bent):
    bent.choose_method("box")
    bent.run()
    assert bent.item().method == "box" and not bent.workspace.outcome(bent.node).surfaces
    bent.choose_method("surfaces")
    bent.run()
    assert bent.item().method == "surfaces" and len(bent.workspace.outcome(bent.node).surfaces) == 2


def test_thresholds_moved_while_another_object_is_looked_for(done):
    """The run was begun before: what it brings must not take the thresholds back."""
    done.rig.gate.clear()
    done.place("tibia", (74.0, 60.0, 120.0, 76.0))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    done.ui.grayRangeWidget.minimumValue = 195.0
    assert done.session.wait(lambda: not done.panel.section("Thresholds").editor.is_moving)
    assert done.item().thresholds.interval[0] == pytest.approx(195.0)
    moved = done.mask()
    done.finish()
    assert done.item("tibia").region == pytest.approx((74.0, 60.0, 120.0, 76.0), abs=0.05)
    assert done.item().thresholds.interval[0] == pytest.approx(195.0)
    np.testing.assert_array_equal(done.mask(), moved)
    assert not done.workspace.would_lose_edits(done.node)


def test_nothing_can_be_moved_without_an_object(done):
    done.panel.session.view.select(None)
    done.session.process()
    assert not done.ui.grayRangeWidget.enabled and not done.ui.unitsRangeWidget.enabled
    assert done.ui.numbersLabel.text == ""
    done.ui.grayRangeWidget.setValues(10.0, 20.0)
    done.rest()
    assert done.item().thresholds.interval == (LOW, HIGH)
