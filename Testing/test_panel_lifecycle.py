"""The panel comes and goes: entered, left, reloaded, its scene closed; nothing is tied twice or left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg" / "GrayscaleDetSeg.py"


@pytest.fixture
def module(panel_session):
    import slicer

    panel_session.load(MODULE)
    slicer.util.selectModule("GrayscaleDetSeg")
    return panel_session


def panel():
    import slicer

    return slicer.modules.GrayscaleDetSegWidget.panel


def events_of(change) -> int:
    """How often the parameter node tells of a change."""
    node, seen = panel().parameters.parameterNode, []
    tag = node.AddObserver("ModifiedEvent", lambda *_: seen.append(1))
    change()
    node.RemoveObserver(tag)
    return len(seen)


def test_widgets_are_tied_once_however_often_the_module_is_entered(module):
    import slicer

    from Testing.standins.pythonqt import connections

    tied = [panel().ui.polarityComboBox, panel().ui.deviceComboBox, panel().ui.cleanUpCheckBox]
    before = [len(connections(each)) for each in tied]
    assert before == [1, 1, 1]
    for _ in range(3):
        slicer.util.selectModule("SegmentEditor")
        assert [len(connections(each)) for each in tied] == [0, 0, 0] and panel().parameters is None
        slicer.util.selectModule("GrayscaleDetSeg")
    assert [len(connections(each)) for each in tied] == before
    panel().ui.cleanUpCheckBox.click()
    assert panel().parameters.cleanUp is False
    assert events_of(panel().ui.cleanUpCheckBox.click) == 1


def test_nothing_stays_on_the_parameter_node(module):
    import gc

    import slicer

    node = panel().parameters.parameterNode
    assert node.HasObserver("ModifiedEvent")
    slicer.util.selectModule("SegmentEditor")
    gc.collect()
    assert not node.HasObserver("ModifiedEvent")


def test_a_reloaded_module_is_entered_at_once(module):
    import slicer

    before, widget = panel(), slicer.modules.GrayscaleDetSegWidget
    panel().ui.cleanUpCheckBox.click()
    widget.onReload()
    assert panel() is not before and panel().is_entered and not before.is_entered
    assert panel().ui.cleanUpCheckBox.checked is False, "the parameters are still those of the scene"
    assert "not in use" not in panel().ui.segmentButton.toolTip


def test_closing_the_scene_leaves_the_panel_in_use(module):
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Knee")
    slicer.mrmlScene.Clear(0)
    assert panel().is_entered and panel().parameters.volume is None
    assert panel().ui.segmentButton.toolTip == "Choose a radiograph first."


def test_no_garbage_is_collected_in_the_thread_of_a_job():
    import gc

    from GrayscaleDetSegLib.logic.jobs import Job

    seen = []
    job = Job(lambda progress: seen.append(gc.isenabled()))
    job.wait()
    assert seen == [False] and gc.isenabled()


def test_pytorch_is_not_installed_twice_at_once(module, monkeypatch):
    import slicer

    from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
    from GrayscaleDetSegLib.logic import dependencies

    calls = []

    def install(confirm, log, torch):
        calls.append(1)
        with pytest.raises(GrayscaleDetSegError, match="being installed"):  # a click meanwhile
            panel().session.prepare()
        slicer.util.selectModule("SegmentEditor")

    monkeypatch.setattr(dependencies, "missing", lambda torch: () if calls else ("torch>=2.1",))
    monkeypatch.setattr(dependencies, "install", install)
    before = panel()
    with pytest.raises(GrayscaleDetSegError, match="left meanwhile"):
        before.session.prepare()
    assert calls == [1]
    slicer.util.selectModule("GrayscaleDetSeg")
    panel().session.prepare()
