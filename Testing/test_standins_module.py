"""A scripted module on the stand-ins: its panel, parameters, dialogs and life, with and without a main window."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from Testing import standins
from Testing.test_standins import add_volume

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

DEMO = Path(standins.__file__).parent / "demo" / "StandinsDemo.py"


@pytest.fixture
def demo(panel_session):
    """The demonstration's widget, entered in the main window."""
    import slicer

    panel_session.load(DEMO)
    slicer.util.selectModule("StandinsDemo")
    return slicer.modules.StandinsDemoWidget


def test_collapsible_button_hides_only_what_it_may(demo):
    import slicer

    slicer.util.mainWindow().show()
    box, advanced = demo.ui.methodBox, demo.ui.advanced
    assert advanced.collapsed and not box.isVisibleTo(advanced)
    advanced.collapsed = False
    assert box.isVisibleTo(advanced) and advanced.checked
    box.visible = False
    advanced.collapsed = True
    advanced.collapsed = False
    assert not box.isVisibleTo(advanced)


def test_module_is_loaded_from_its_ui_file(demo, panel_session):
    import slicer

    assert slicer.modules.standinsdemo.title == "Stand-ins demo" and slicer.modules.StandinsDemoInstance.started
    assert demo.ui.inputSelector.mrmlScene() is slicer.mrmlScene  # by the connection in the file
    assert (demo.ui.thresholdSlider.minimum, demo.ui.thresholdSlider.maximum) == (-100, 500)
    assert not demo.ui.applyButton.enabled and demo.ui.applyButton.toolTip == "Choose an image first"
    demo.ui.inputSelector.setCurrentNode(add_volume())
    assert demo.ui.applyButton.enabled and demo.ui.applyButton.toolTip == "Run"
    demo.ui.invertBox.checked = True
    assert not demo.ui.range.enabled  # by another one


def test_parameters_go_round(demo, tmp_path):
    import slicer

    parameters, node = demo.parameters, demo.parameters.parameterNode
    knee = add_volume()
    demo.ui.thresholdSlider.value = 42.5
    demo.ui.methodBox.currentText = "box"
    demo.ui.inputSelector.setCurrentNode(knee)
    assert (parameters.threshold, parameters.method, parameters.input) == (42.5, "box", knee)
    assert (node.GetParameter("threshold"), node.GetParameter("invert")) == ("42.5", "False")
    parameters.invert, parameters.threshold = True, 7
    assert demo.ui.invertBox.checked and demo.ui.thresholdSlider.value == 7
    for name, value in (("threshold", 501), ("method", "guess"), ("invert", 1)):
        with pytest.raises((ValueError, TypeError)):
            setattr(parameters, name, value)

    slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
    assert slicer.mrmlScene.Commit()
    slicer.mrmlScene.Clear(0)
    assert (demo.parameters.threshold, demo.parameters.input) == (100, None)
    slicer.mrmlScene.Import()
    demo.enter()
    assert (demo.parameters.threshold, demo.ui.thresholdSlider.value, demo.ui.methodBox.currentText) == (7, 7, "box")
    assert demo.ui.inputSelector.currentNode().GetName() == "Knee"


def test_other_types_of_parameters(panel_session):
    import enum

    import ctk
    import qt
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    class Polarity(enum.Enum):
        AUTO, INVERTED = 1, 2

    fields = {"polarity": Polarity, "folder": Path, "steps": int}
    Settings = parameterNodeWrapper(type("Settings", (), {"__annotations__": fields, "steps": 3}))
    settings = Settings(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    widgets = {"polarity": qt.QComboBox(), "folder": ctk.ctkPathLineEdit(), "steps": qt.QSpinBox()}
    tag = settings.connectParametersToGui(widgets)
    widgets["polarity"].currentIndex, widgets["folder"].currentPath, widgets["steps"].value = 1, "out", 7
    assert (settings.polarity, settings.folder, settings.steps) == (Polarity.INVERTED, Path("out"), 7)
    assert settings.parameterNode.GetParameter("polarity") == "INVERTED"
    settings.disconnectGui(tag)
    widgets["steps"].value = 8
    assert settings.steps == 7
    with pytest.raises(RuntimeError, match="no connector"):
        settings.connectParametersToGui({"steps": qt.QLineEdit()})
    with pytest.raises(TypeError, match="does not know the type"):
        parameterNodeWrapper(type("Lists", (), {"__annotations__": {"values": list[int]}}))


def test_packages_and_sample_data(panel_session):
    import SampleData
    import slicer.packaging

    assert not slicer.packaging.pip_check("torch")
    slicer.packaging.pip_ensure(["torch"], requester="Demo")
    slicer.util.pip_install("safetensors")
    assert panel_session.installed == ["torch", "safetensors"] and slicer.packaging.pip_check("torch")
    SampleData.SampleDataLogic.registerCustomSampleDataSource(sampleName="Knee", category="Demo")
    assert [sample["sampleName"] for sample in panel_session.samples] == ["Knee"]


def test_message_boxes_are_recorded_and_answered(demo, panel_session):
    demo.ui.inputSelector.setCurrentNode(add_volume())
    demo.ui.applyButton.click()  # answered as by Escape
    panel_session.dialogs.answers.append(0x400)  # Ok
    demo.ui.applyButton.click()
    assert panel_session.dialogs.texts() == ["Run on Knee?"] * 2
    assert panel_session.wait(lambda: demo.runs == [100])


def test_enter_exit_reload_and_observers(demo, panel_session):
    import slicer

    from Testing.standins.pythonqt import connections

    node, slider = demo.parameters.parameterNode, demo.ui.thresholdSlider
    slicer.util.selectModule("SegmentEditor")
    assert demo.parameters is None and not connections(slider)
    slicer.util.selectModule("StandinsDemo")
    demo.onReload()
    again = slicer.modules.StandinsDemoWidget
    assert again is not demo and not demo.Observations and again.parameters.parameterNode is node
    slicer.modules.StandinsDemoInstance.runTest()


def test_console_functions(panel_session):
    import numpy as np
    import slicer

    volume = slicer.util.addVolumeFromArray(np.zeros((1, 4, 5), np.uint8), name="image")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    red = slicer.app.layoutManager().sliceWidget("Red")
    assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment, mask = segmentation.GetSegmentation().AddEmptySegment(), np.zeros((1, 4, 5), np.uint8)
    mask[0, 1:3, 2] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
    assert (slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume) == mask).all()
    slicer.util.exit(3)
    assert panel_session.exits == [3]
    with pytest.raises(OSError), slicer.util.tryWithErrorDisplay("It failed.", waitCursor=True):
        raise OSError("no room")
    assert panel_session.dialogs.texts() == ["It failed.\n\nno room"]


def test_own_layout_and_the_users_restored(panel_session):
    import slicer

    manager, changes = slicer.app.layoutManager(), []
    manager.connect("layoutChanged(int)", changes.append)
    users = manager.layout
    views = (("vtkMRMLSliceNode", "Red"), ("vtkMRMLViewNode", "Cloud"))
    items = "".join(f'<item><view class="{kind}" singletontag="{tag}"/></item>' for kind, tag in views)
    manager.layoutLogic().GetLayoutNode().AddLayoutDescription(7001, f'<layout type="horizontal">{items}</layout>')
    manager.layout = 7001
    assert slicer.mrmlScene.GetSingletonNode("Cloud", "vtkMRMLViewNode")
    view = manager.threeDWidget("ViewCloud").threeDView()
    view.resetFocalPoint()
    assert view.calls == [("resetFocalPoint",)]
    manager.layout = users
    assert changes == [7001, users]


def test_without_a_main_window():
    with standins.Session(main_window=False) as session:
        import slicer

        assert slicer.app.layoutManager() is None and slicer.util.mainWindow() is None
        slicer.util.errorDisplay("nobody sees this")
        assert not session.dialogs.shown
        module = session.load(DEMO)
        assert slicer.util.getModuleWidget(module).logic.getParameterNode().threshold == 100
        with pytest.raises(RuntimeError):
            slicer.util.selectModule("StandinsDemo")


def test_nothing_is_left_behind():
    import slicer
    from PySide6.QtCore import QObject
    from PySide6.QtWidgets import QPushButton

    def state():
        classes = [dict(vars(kind)) for kind in (QObject, QPushButton)]
        return set(sys.modules), set(vars(slicer)), list(sys.path), sys.excepthook, classes

    with standins.Session() as session:
        session.load(DEMO)
    before = state()
    with standins.Session() as session:
        session.load(DEMO).widgetRepresentation()
        assert "qt" in sys.modules and "StandinsDemo" in sys.modules and hasattr(slicer, "app")
    assert state() == before
    assert not {"qt", "ctk", "StandinsDemo", "slicer.ScriptedLoadableModule"} & before[0]
    assert not hasattr(slicer, "mrmlScene") and QPushButton("native").text() == "native"


def test_a_picture_of_the_panel(demo, panel_session, tmp_path):
    import slicer

    add_volume()
    demo.ui.advanced.collapsed = False
    window = slicer.util.mainWindow()
    window.show()
    panel_session.process()
    picture = window.grab()
    assert picture.save(str(tmp_path / "panel.png")) and (picture.width(), picture.height()) == (500, 800)
    shades = {picture.toImage().pixel(x, y) for x in range(0, 500, 5) for y in range(0, 800, 5)}
    assert len(shades) > 5
