"""The panel's life beside a scene that changes under it: closed, loaded, its nodes deleted, at any moment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from Testing import standins
from Testing.panel_helpers import Bench, observers, picture
from Testing.scene_nodes import add_volume, ids

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def done(bench):
    """A bench with a result on a turned image."""
    bench.volume()
    bench.run()
    return bench


def layouts() -> int:
    import slicer

    return slicer.app.layoutManager().layout


def all_nodes(scene) -> list:
    return [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]


def counted(bench) -> dict:
    """Observers of the scene and of every node, and how many of each are the panel's timers' business."""
    return {"scene": observers(bench.scene), **{node.GetID(): observers(node) for node in all_nodes(bench.scene)}}


def start(bench, what: str) -> None:
    """Bring the panel into a state in which something is under way."""
    outcome = bench.workspace.outcome(bench.node)
    if what == "running":
        bench.begin()
    elif what == "searching":
        bench.rig.gate.clear()
        bench.place("femur", (10.0, 6.0, 56.0, 47.0))
        assert bench.session.wait(lambda: bench.panel.runner.is_busy)
    elif what == "drawing":
        bench.ui.drawButton.click()
        assert bench.panel.section("Draw").regions.drawing.active
    elif what == "dragging":
        from GrayscaleDetSegLib.scene import threshold_box

        outcome.box.InvokeEvent(outcome.box.PointStartInteractionEvent)
        threshold_box.set_interval(outcome.box, (180.0, 230.0))
        bench.session.wait(lambda: False, 0.03)
        assert bench.panel.section("Thresholds").editor.is_moving
    elif what == "sliding":
        bench.ui.grayRangeWidget.minimumValue = 200.0
    elif what == "moving":
        region = outcome.regions["femur"]
        region.InvokeEvent(region.PointStartInteractionEvent)
        bench.place("femur", (10.0, 6.0, 56.0, 47.0))
    elif what == "asking":
        bench.paint()
        bench.ui.segmentButton.click()
        assert bench.panel.messages.is_asking


STATES = ["idle", "running", "searching", "drawing", "dragging", "sliding", "moving", "asking"]


def settle(bench) -> None:
    """Whatever was to come has come."""
    bench.rig.gate.set()
    bench.session.wait(lambda: not bench.panel.runner.is_busy)
    bench.session.wait(lambda: False, 0.25)


def test_visits_leave_no_observers(done):
    import slicer

    done.leave()
    outside, inside, nodes = counted(done), None, ids(done.scene)
    for _ in range(3):
        done.enter()
        done.choose(1)
        done.choose(0)
        now = counted(done)
        assert inside is None or now == inside
        inside = now
        slicer.util.selectModule("SegmentEditor")
        assert counted(done) == outside and ids(done.scene) == nodes
    assert inside != outside


@pytest.mark.parametrize("what", STATES)
def test_the_scene_is_closed(done, what):
    import slicer

    users = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    done.leave()
    unwatched = [(node, observers(node)) for node in all_nodes(done.scene)]
    done.enter()
    start(done, what)
    slicer.mrmlScene.Clear(0)
    settle(done)
    panel, ui = done.panel, done.ui
    assert panel.session.state.value == "idle" and not panel.runner.is_busy and not panel.messages.is_asking
    assert done.names() == [] and ui.segmentButton.toolTip == "Choose a radiograph first."
    left = {node.GetClassName() for node in all_nodes(done.scene) if not (node.GetName() or "").endswith("Slice")}
    assert not left & {"vtkMRMLSegmentationNode", "vtkMRMLMarkupsROINode", "vtkMRMLModelNode", "vtkMRMLTableNode"}, left
    gone = [(node, before) for node, before in unwatched if node.GetScene() is None]
    assert len(gone) > 5
    for node, before in gone:
        assert all(count <= before.get(event, 0) for event, count in observers(node).items()), node.GetID()
    assert "Traceback" not in done.log
    done.volume("next", "flipped")
    done.run()
    assert done.names() == ["Femur", "Tibia"]
    done.leave()
    assert layouts() == users


@pytest.mark.parametrize("what", STATES)
def test_the_module_is_left(done, what):
    node, before = done.node, None
    done.leave()
    before = counted(done)
    done.enter()
    start(done, what)
    done.leave()
    settle(done)
    assert not done.panel.runner.is_busy and "Traceback" not in done.log
    left = {key: value for key, value in counted(done).items() if key in before}
    assert left == before, "observers stay behind"
    assert not [each for each in all_nodes(done.scene) if each.GetName() == "Drawn region"]
    done.enter()
    assert done.node is node and done.names() == ["Femur", "Tibia"] and not done.panel.messages.is_asking
    if what in ("dragging", "sliding"):
        bottom = {"dragging": 180.0, "sliding": 200.0}[what]
        assert done.item().thresholds.interval[0] == pytest.approx(bottom, abs=0.01)
        assert not done.workspace.would_lose_edits(node)


KINDS = ["volume", "segmentation", "table", "cloud", "axis", "labels", "box", "region", "surfaces", "parameters"]
PARTS = [*KINDS, "display of segmentation", "display of box", "display of cloud", "display of region"]


GONE_WHILE = {
    "idle": PARTS,
    "running": ["volume", "segmentation"],
    "searching": ["volume", "segmentation", "region"],
    "dragging": ["volume", "segmentation", "box"],
    "sliding": ["volume", "box"],
    "moving": ["volume", "region"],
}


@pytest.mark.parametrize("what", GONE_WHILE)
def test_nodes_of_every_kind_are_deleted(panel_session, what):
    """One after the other, each in a scene of its own, while something is under way."""
    bench = Bench(panel_session, surfaces=4.0)
    for part in GONE_WHILE[what]:
        bench.volume()
        bench.run()
        start(bench, what)
        outcome = bench.workspace.outcome(bench.node)
        kind = part.rpartition(" ")[2]
        node = {
            "region": outcome.regions["femur"],
            "surfaces": next(iter(outcome.surfaces), None),
            "parameters": bench.panel.parameters.parameterNode,
        }.get(kind) or getattr(outcome, kind)
        bench.scene.RemoveNode(node.GetDisplayNode() if part.startswith("display") else node)
        settle(bench) if what != "idle" else bench.session.wait(lambda: False, 0.06)
        assert "Traceback" not in bench.log, (part, bench.log)
        if part == "segmentation" and what == "running":
            assert bench.names() == ["Femur", "Tibia"] and bench.node is not node  # the run has made a new one
        elif part in ("volume", "segmentation"):
            assert bench.names() == [] and not bench.ui.grayRangeWidget.enabled
        elif part != "parameters":
            assert bench.names() == ["Femur", "Tibia"], part
            for held in (outcome.regions["femur"], outcome.box):  # the mouse lets go
                held.InvokeEvent(held.PointEndInteractionEvent)
            bench.choose(1)
            bench.choose(0)
            bench.ui.grayRangeWidget.minimumValue = 170.0
            bench.panel.session.finishing.emit()
            assert bench.item().thresholds.interval[0] == pytest.approx(170.0, abs=0.01), part
        bench.scene.Clear(0)
        bench.session.process()


def test_a_segment_is_deleted_by_somebody(done):
    done.node.GetSegmentation().RemoveSegment("femur")
    done.ui.grayRangeWidget.minimumValue = 180.0  # at once, before anybody has looked
    done.session.wait(lambda: False, 0.3)
    assert done.names() == ["Tibia"] and done.panel.session.selection != "femur"


def test_the_module_is_reloaded_while_something_runs(done):
    import slicer

    for what in ("running", "dragging", "drawing"):
        old = done.panel
        start(done, what)
        done.widget.onReload()
        done.rig.gate.set()
        done.session.wait(lambda: False, 0.2)
        assert done.panel is not old and not old.runner.is_busy
        assert not old._shortcuts and not old.session.choices._observers
        from GrayscaleDetSegLib.logic.engine import Engine

        done.panel.segmenter.engine = Engine(done.rig.load)
        assert done.names() == ["Femur", "Tibia"] and done.panel.is_entered
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert not [node for node in all_nodes(done.scene) if node.GetName() == "Drawn region"]


def test_the_users_layout_comes_back(done):
    ours = layouts()
    done.leave()
    users = layouts()
    assert users != ours
    done.enter()
    assert layouts() == ours
    done.ui.cloudCheckBox.click()
    assert layouts() == users and not done.panel.session.view.picking.enabled
    done.choose(1)
    assert layouts() == users
    done.ui.cloudCheckBox.click()
    assert layouts() == ours and done.workspace.outcome(done.node).shown_segment == "tibia"
    assert done.panel.session.view.picking.enabled


@pytest.fixture
def files(done, tmp_path):
    """Reading and writing of bundles, as slicer-core has it."""
    return done.scene_file(tmp_path)


@pytest.mark.parametrize("is_inside", [True, False])
def test_a_scene_comes_back_connected(done, files, is_inside):
    done.ui.polarityComboBox.currentIndex = 2
    done.choose_method("box")
    done.ui.scoreSlider.value = 0.45
    done.ui.cleanUpCheckBox.checked = False
    done.ui.exclusiveCheckBox.checked = True
    done.choose(1)
    done.ui.grayRangeWidget.minimumValue = 190.0
    done.rest()
    masks = [done.mask(identity) for identity in ("femur", "tibia")]
    assert done.scene.WriteToMRB(str(files), None)
    if not is_inside:
        done.leave()
    done.scene.Clear(0)
    done.session.process()
    assert done.ui.scoreSlider.value == pytest.approx(0.3) or not is_inside
    assert done.scene.ReadFromMRB(str(files))
    done.session.process()
    if not is_inside:
        done.enter()
    parameters, ui = done.panel.parameters, done.ui
    assert (parameters.polarity.value, parameters.method, parameters.cleanUp) == ("as-is", "box", False)
    assert parameters.exclusive and ui.exclusiveCheckBox.checked
    assert ui.scoreSlider.value == pytest.approx(0.45) and not ui.cleanUpCheckBox.checked
    assert parameters.segmentation is done.node is not None and ui.resultSelector.currentNode() is done.node
    assert ui.inputSelector.currentNode() is parameters.volume is done.workspace.outcome(done.node).volume
    assert done.names() == ["Femur", "Tibia"] and done.panel.session.selection == "tibia"
    for identity, mask in zip(("femur", "tibia"), masks):
        np.testing.assert_array_equal(done.mask(identity), mask)
    assert ui.grayRangeWidget.minimumValue == 190.0 and not done.workspace.would_lose_edits(done.node)
    outcome = done.workspace.outcome(done.node)
    assert set(outcome.regions) == {"femur", "tibia"} and outcome.table is not None and outcome.box is not None
    done.drag(outcome.regions["femur"], lambda: done.place("femur", (10.0, 6.0, 56.0, 47.0)))
    done.rest()
    assert done.item().region == pytest.approx((10.0, 6.0, 56.0, 47.0), abs=0.05)
    done.choose(1)
    ui.grayRangeWidget.minimumValue = 200.0
    done.rest()
    assert done.item("tibia").thresholds.interval[0] == pytest.approx(200.0)


def test_a_scene_is_added_while_a_run_is_on(done, files):
    """Its parameters come along; the run ends, and nothing is half connected."""
    assert done.scene.WriteToMRB(str(files), None)
    start(done, "running")
    assert done.scene.ReadFromMRB(str(files))
    settle(done)
    assert not done.panel.runner.is_busy and "Traceback" not in done.log
    assert done.node is done.panel.parameters.segmentation and done.names() == ["Femur", "Tibia"]
    assert done.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
    done.run()
    assert done.names() == ["Femur", "Tibia"]


def test_two_results_are_told_apart_by_their_undo(done):
    volume, first = done.ui.inputSelector.currentNode(), done.node
    done.ui.resultSelector.setCurrentNode(None)
    done.run()
    done.choose(0)
    done.ui.deleteButton.click()
    assert done.ui.undoButton.enabled
    done.ui.resultSelector.setCurrentNode(first)
    assert not done.ui.undoButton.enabled and done.names() == ["Femur", "Tibia"]
    done.ui.resultSelector.setCurrentNode(done.workspace.results_on(volume)[1])
    assert done.ui.undoButton.enabled and done.names() == ["Tibia"]


def test_a_batch_is_looked_at_once(done):
    """Nodes and choices go while the scene is in the midst of something: the panel waits for its end."""
    scene, node = done.scene, done.node
    scene.StartState(scene.BatchProcessState)
    done.panel.parameters.segmentation = None
    done.session.wait(lambda: False, 0.05)
    assert done.node is node and done.names() == ["Femur", "Tibia"]
    scene.EndState(scene.BatchProcessState)
    done.session.wait(lambda: False, 0.05)
    assert done.node is None and done.names() == []
    done.ui.resultSelector.setCurrentNode(node)
    scene.StartState(scene.BatchProcessState)
    scene.RemoveNode(done.node)
    done.session.wait(lambda: False, 0.05)
    scene.EndState(scene.BatchProcessState)
    done.session.wait(lambda: False, 0.05)
    assert done.names() == [] and done.node is None and done.ui.segmentButton.enabled


def test_the_panel_goes_for_good(done):
    import qt

    widget, panel = done.widget, done.panel
    before = len(widget.Observations)
    start(done, "running")
    widget.cleanup()
    assert before == 3 and not widget.Observations and not panel.session.choices._observers and not panel.is_entered
    assert not panel.runner.is_busy and not panel._shortcuts
    done.rig.gate.set()
    view, editor = panel.session.view, panel.section("Thresholds").editor
    timers = [panel.session.choices._gone, panel.runner._timer, view._later, view._pixels, view.picking._timer]
    timers += [panel.section("Draw").regions.watch._timer, editor._live, editor._rest]
    timers.append(panel.layout._camera._size._timer)
    assert all(isinstance(timer, qt.QTimer) and not timer.isActive() for timer in timers)
    add_volume(done.scene, picture())
    done.scene.Clear(0)
    done.session.wait(lambda: False, 0.1)
    assert not any(timer.isActive() for timer in timers)


def test_many_runs_leave_as_many_nodes_as_one(done):
    before = len(ids(done.scene))
    done.choose(1)
    done.choose(0)
    scene = counted(done)["scene"]
    for _, row in itertools.product(range(3), range(2)):
        done.choose(row)
        done.run()
    assert len(ids(done.scene)) == before and counted(done)["scene"] == scene


def test_what_was_covered_in_a_closed_scene_is_nothing_of_the_next_one(bench):
    """The first image of either scene has the same id."""
    import slicer

    manager, layout = slicer.app.layoutManager(), bench.panel.layout
    identity = bench.volume("first").GetID()
    composite = manager.sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    composite.SetForegroundVolumeID(identity)
    layout.lay_over({"Red": add_volume(bench.scene, picture(), name="weights")})
    layout.centre(bench.scene.GetNodeByID(identity))
    bench.scene.Clear(0)
    bench.session.process()
    following = bench.volume("next")
    assert following.GetID() == identity and composite.GetForegroundVolumeID() is None
    layout.lay_over({})
    assert composite.GetForegroundVolumeID() is None
    view = manager.threeDWidget(0).threeDView()
    before = view.calls.count(("resetCamera",))
    layout.centre(following)
    assert view.calls.count(("resetCamera",)) == before + 1, "it is another image"
