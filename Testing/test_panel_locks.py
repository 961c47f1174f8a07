"""Locked objects in the panel: what stays as it is, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from Testing import standins
from Testing.panel_helpers import FOUND

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def done(bench):
    """A bench with a result on a turned image."""
    bench.volume()
    bench.run()
    return bench


def test_a_locked_object_stays_as_it_is(done):
    import qt

    ui, outcome = done.ui, done.workspace.outcome(done.node)
    ui.objectsTable.item(0, 1).setCheckState(qt.Qt.Checked)
    assert not ui.grayRangeWidget.enabled and ui.numbersLabel.text.endswith("It is locked.")
    assert not ui.deleteButton.enabled and "locked" in ui.deleteButton.toolTip
    assert outcome.regions["femur"].GetLocked() and outcome.box.GetLocked()
    assert not outcome.regions["femur"].GetDisplayNode().GetHandlesInteractive()
    assert not outcome.regions["tibia"].GetLocked()
    done.rig.searches.clear()
    done.panel.section("Objects").delete()  # by a script, as the next
    done.place("femur", (10.0, 6.0, 56.0, 47.0))
    assert done.session.wait(lambda: done.status == "Femur is locked; its region was put back.")
    assert done.roi("femur") == pytest.approx(FOUND[0].roi, abs=0.05) and not done.rig.searches
    done.choose(1)
    assert ui.deleteButton.enabled and ui.grayRangeWidget.enabled
    assert not done.workspace.outcome(done.node).box.GetLocked()
    assert "Femur" in done.names()
    ui.segmentButton.click()
    assert ui.questionFrame.isVisibleTo(done.widget.parent) and "locked" in ui.questionLabel.text
    ui.questionThirdButton.click()
    done.leave()
    done.enter()
    assert ui.objectsTable.item(0, 1).checkState() == qt.Qt.Checked, "kept on the segment"
    ui.objectsTable.item(0, 1).setCheckState(qt.Qt.Unchecked)
    done.choose(0)
    assert ui.grayRangeWidget.enabled and not done.workspace.outcome(done.node).regions["femur"].GetLocked()


def test_an_object_that_is_locked_while_its_region_is_looked_at(done):
    """The run began before; its outcome is not taken, and the region goes back."""
    done.paint()
    done.session.wait(lambda: False, 0.1)
    results, before = done.panel.session.results, done.mask()
    done.rig.gate.clear()
    done.place("femur", (10.0, 6.0, 56.0, 47.0))
    assert done.session.wait(lambda: done.panel.runner.is_busy)
    results.set_locked(done.node, "femur", True)
    done.finish()
    done.rest()
    np.testing.assert_array_equal(done.mask(), before)
    assert done.status == "Femur is locked; unlock it in the table first."
    assert done.roi("femur") == pytest.approx(FOUND[0].roi, abs=0.05)
    results.set_locked(done.node, "femur", False)
    done.place("femur", (10.0, 6.0, 56.0, 47.0))
    done.session.wait(lambda: done.panel.runner.is_busy)
    done.rest()
    assert not results.would_lose_work(done.node), "the hidden copy has no lock"
    assert done.status.endswith("What was edited by hand is kept as a hidden segment."), "as after a drag of thresholds"
    done.paint()
    done.session.wait(lambda: False, 0.1)
    done.panel.section("Objects").undo()
    assert done.status == "The former state is back. What was edited by hand is kept as a hidden segment."


def test_nothing_is_left_beside_a_locked_object(done):
    """A new object would have no pixels: that is said, and none is added."""
    session, before = done.panel.session, done.names()
    session.results.set_locked(done.node, "femur", True)
    reading = session.results.read(done.ui.inputSelector.currentNode(), "auto", None)
    session.region_wanted.emit(reading, FOUND[0].roi, "femur", done.node)
    done.finish()
    assert done.names() == before and not done.workspace.can_undo(done.node)
    assert done.status.startswith("Femur leaves no pixels of this region to a new femur, and none was added; draw")


def test_undo_says_that_an_object_is_locked(done):
    results, before = done.panel.session.results, done.mask()
    with done.workspace.drag(done.node, "femur") as drag:
        drag.finish((190.0, 240.0))
    dragged = done.mask()
    results.set_locked(done.node, "femur", True)
    done.panel.section("Objects").undo()
    np.testing.assert_array_equal(done.mask(), dragged)
    assert done.status == "Femur is locked, and Undo would change it; unlock it in the table first."
    results.set_locked(done.node, "femur", False)
    done.panel.section("Objects").undo()
    np.testing.assert_array_equal(done.mask(), before)
