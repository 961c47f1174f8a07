"""The stand-ins for Slicer's application: what a panel's tests rest on, shown with a small module of their own."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from Testing import standins

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


def add_volume(name: str = "Knee"):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def wait_until(session, condition) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        session.process()
        time.sleep(0.001)
    return condition()


# Qt as PythonQt gives it


def test_properties_are_attributes_and_setters_stay(panel_session):
    import qt

    button = qt.QPushButton("Apply")
    button.enabled, button.text, button.name = False, 5, "apply"
    assert (button.enabled, button.text, button.objectName, button.className()) == (False, "5", "apply", "QPushButton")
    button.setText("Run")
    assert button.text == "Run" and not button.isEnabled() and button.width == button.size.width()
    box = qt.QComboBox()
    box.addItems(["a", "b"])
    box.currentIndex = 1
    assert (box.count, box.currentText) == (2, "b")
    assert qt.Qt.Checked == 2


@pytest.mark.parametrize("name", ["enable", "singleShot", "clicked"])
def test_what_qt_does_not_know_cannot_be_set(panel_session, name):
    """A slip of the pen (`button.enable = False`) would go unseen in PySide6; PythonQt refuses it."""
    import qt

    with pytest.raises(AttributeError):
        setattr(qt.QPushButton() if name != "singleShot" else qt.QTimer(), name, False)


def test_signals_by_text_and_by_object(panel_session):
    import qt

    class Listener:
        def __init__(self):
            self.heard = []

        def two(self, checked):
            self.heard.append(checked)

        def none(self):
            self.heard.append("none")

    button, listener = qt.QPushButton(), Listener()
    heard = listener.heard
    assert button.connect("clicked(bool)", listener.two) and button.clicked.connect(listener.none)
    button.connect("clicked()", listener.none)
    del listener  # held by the connections
    button.click()
    assert heard == [False, "none", "none"]
    (_, first), *_ = standins_connections(button)
    assert button.disconnect("clicked(bool)", first) and not button.disconnect("clicked(bool)", first)
    heard.clear()
    button.clicked(True)
    assert heard == ["none", "none"]
    with pytest.raises(ValueError, match="does not exist on QPushButton"):
        button.connect("clickd()", heard.clear)


def standins_connections(obj):
    from Testing.standins.pythonqt import connections

    return connections(obj)


def test_errors_in_slots_and_observers_do_not_pass_unseen(panel_session, capsys):
    import qt
    import slicer

    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    tag = slicer.mrmlScene.AddObserver("ModifiedEvent", lambda *_: [][0])
    slicer.mrmlScene.Modified()
    slicer.mrmlScene.RemoveObserver(tag)
    assert [type(error) for error in panel_session.errors] == [ZeroDivisionError, IndexError]
    panel_session.errors.clear()


def test_a_session_raises_what_was_left():
    with pytest.raises(ZeroDivisionError), standins.Session():
        import qt

        qt.QTimer.singleShot(0, lambda: 1 / 0)


def test_timers_fire(panel_session):
    import qt

    fired, timer = [], qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", lambda: fired.append("timeout"))
    timer.start(1)
    qt.QTimer.singleShot(0, lambda: fired.append("single shot"))
    assert wait_until(panel_session, lambda: len(fired) == 2) and not timer.active


def test_shortcuts_clipboard_table_and_settings(panel_session):
    import qt
    import slicer

    pressed, panel = [], qt.QWidget()
    shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+R"), panel)
    shortcut.connect("activated()", lambda: pressed.append(shortcut.key.toString()))
    shortcut.activated()
    assert pressed == ["Ctrl+R"]
    slicer.app.clipboard().setText("log")
    assert slicer.app.clipboard().text() == "log"
    table, changed = qt.QTableWidget(1, 2), []
    table.connect("cellChanged(int,int)", lambda row, column: changed.append((row, column)))
    table.setItem(0, 1, qt.QTableWidgetItem("femur"))
    assert (table.rowCount, table.item(0, 1).text(), changed) == (1, "femur", [(0, 1)])
    qt.QSettings().setValue("Demo/device", "cpu")
    assert slicer.util.settingsValue("Demo/device", "auto") == "cpu" and qt.QSettings().value("Demo/other") is None


# Widgets


def test_slider_and_range(panel_session):
    import ctk

    slider, moved = ctk.ctkSliderWidget(), []
    slider.connect("valueChanged(double)", moved.append)
    slider.minimum, slider.maximum, slider.value = -10, 300, 120.456
    assert (slider.value, moved) == (120.46, [120.46])
    two, changes = ctk.ctkRangeWidget(), []
    two.setRange(0, 255)
    two.setValues(40, 90)
    two.connect("valuesChanged(double,double)", lambda low, high: changes.append((low, high)))
    two.minimumValue = 100
    assert changes == [(100, 100)] and two.maximumValue == 100
    two.setValues(300, -5)
    assert changes[-1] == (0, 255)


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


def test_node_selector_follows_the_scene(panel_session):
    import slicer

    selector, heard = slicer.qMRMLNodeComboBox(), []
    selector.nodeTypes, selector.addEnabled, selector.removeEnabled = ["vtkMRMLScalarVolumeNode"], False, False
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    assert not selector.enabled
    selector.setMRMLScene(slicer.mrmlScene)
    first = add_volume("first")  # chosen by itself: there is neither None nor an action
    second, hidden = add_volume("second"), slicer.vtkMRMLScalarVolumeNode()
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(hidden)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "another kind")
    assert (selector.enabled, selector.nodeCount(), selector.currentNode()) == (True, 2, first)
    selector.setCurrentNode(second)
    second.SetName("renamed")
    slicer.mrmlScene.RemoveNode(second)
    assert heard == [first, second, second, first]
    slicer.mrmlScene.Clear(0)
    assert selector.currentNode() is None and heard[-1] is None
    last = add_volume("last")
    assert last.HasObserver("ModifiedEvent")
    selector.delete()
    assert not last.HasObserver("ModifiedEvent")  # as the widget's own observers end with it


def test_segments_table_and_segment_editor(panel_session):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    table = slicer.qMRMLSegmentsTableView()
    table.setSegmentationNode(node)
    femur, tibia = (node.GetSegmentation().AddEmptySegment("", name) for name in ("femur", "tibia"))
    node.GetSegmentation().GetSegment(tibia).SetName("tibia 2")
    assert table.segmentCount == 2 and table.tableWidget().item(1, 1).text() == "tibia 2"
    chosen = []
    table.connect("selectionChanged(QItemSelection,QItemSelection)", lambda: chosen.append(table.selectedSegmentIDs()))
    table.setSelectedSegmentIDs([tibia])
    assert chosen[-1] == [tibia]
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(node)
    editor.setSourceVolumeNode(add_volume())
    editor.setCurrentSegmentID(femur)
    kept = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert kept.GetSegmentationNode() is node and kept.GetSelectedSegmentID() == femur
    assert slicer.util.selectedModule() == "SegmentEditor"


# The module


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


def test_message_boxes_are_recorded_and_answered(demo, panel_session):
    demo.ui.inputSelector.setCurrentNode(add_volume())
    demo.ui.applyButton.click()  # answered as by Escape
    panel_session.dialogs.answers.append(0x400)  # Ok
    demo.ui.applyButton.click()
    assert panel_session.dialogs.texts() == ["Run on Knee?"] * 2
    assert wait_until(panel_session, lambda: demo.runs == [100])


def test_enter_exit_reload_and_observers(demo, panel_session):
    import slicer

    node, slider = demo.parameters.parameterNode, demo.ui.thresholdSlider
    slicer.util.selectModule("SegmentEditor")
    assert demo.parameters is None and not node.HasObserver("ModifiedEvent") and not standins_connections(slider)
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
    view = manager.threeDWidget("Cloud").threeDView()
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
