"""The stand-ins for qt, ctk and the qMRML widgets."""

from __future__ import annotations

import pytest

from Testing import standins

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


def add_volume(name: str = "Knee"):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


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

    from Testing.standins.pythonqt import connections

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
    (_, first), *_ = connections(button)
    assert button.disconnect("clicked(bool)", first) and not button.disconnect("clicked(bool)", first)
    heard.clear()
    button.clicked(True)
    assert heard == ["none", "none"]
    with pytest.raises(ValueError, match="does not exist on QPushButton"):
        button.connect("clickd()", heard.clear)


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
    assert panel_session.wait(lambda: len(fired) == 2) and not timer.active


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
    settings = qt.QSettings()
    settings.beginGroup("Demo")
    settings.setValue("size/width", 3)
    assert settings.allKeys() == ["device", "size/width"]
    settings.remove("size")
    settings.endGroup()
    assert settings.allKeys() == ["Demo/device"]


def test_children_are_found_as_pythonqt_finds_them(panel_session):
    import qt

    panel = qt.QWidget()
    group, outer = qt.QGroupBox(panel), qt.QLabel(panel)
    inner = qt.QLabel(group)
    group.name, outer.name, inner.name = "group", "text", "text"
    assert panel.findChildren(qt.QLabel) == [inner, outer] and panel.findChildren("QLabel", "text") == [outer]
    assert panel.findChild("QGroupBox") is group and group.findChild(qt.QLabel, "text") is inner
    assert panel.findChild(qt.QLabel, "other") is None


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


def test_asking_for_a_path(panel_session):
    import ctk
    import qt

    line, paths = ctk.ctkPathLineEdit(), []
    line.filters = ctk.ctkPathLineEdit.Dirs
    line.connect("currentPathChanged(QString)", paths.append)
    panel_session.dialogs.answers += ["/images", ""]
    line.browse()
    line.browse()  # given up: the path stays
    assert paths == ["/images"] and line.currentPath == "/images"
    panel_session.dialogs.answers.append("/one.nrrd")
    assert qt.QFileDialog.getOpenFileName(line, "Open") == "/one.nrrd"
    assert [shown.kind.partition(".")[2] for shown in panel_session.dialogs.shown][2:] == ["getOpenFileName"]
