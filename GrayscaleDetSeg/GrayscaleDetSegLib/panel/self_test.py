"""The module's self test, which runs the main functions in the application."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from unittest import TestCase

import numpy as np
import qt
import slicer

from ..core.weights import MANIFEST
from ..logic import dependencies
from ..logic.models import application_models
from ..logic.segmenter import Segmenter
from ..scene import regions, volumes
from ..scene.geometry import moved, numpy_matrix
from .layout import cloud_widget
from .objects_table import LOCK
from .samples import RESOURCES

PATIENCE = 60.0
"""Seconds that something may take before the test gives it up."""


def load_sample(name: str = "knee"):
    """Load a simulated radiograph of the module as a volume node."""
    return slicer.util.loadVolume(str(RESOURCES / "Samples" / f"{name}.nrrd"))


def wait_until(condition: Callable[[], object], what: str, patience: float | None = None) -> None:
    """Let the application go on until something holds; AssertionError after `patience` s, `PATIENCE` by default."""
    patience = PATIENCE if patience is None else patience
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} took more than {patience:.0f} s.")
        slicer.app.processEvents()
        time.sleep(0.005)


def check_logic(case: TestCase, segmenter: Segmenter) -> None:
    """Segment, move thresholds, undo, move a region, delete, save and load. No window is needed."""
    if dependencies.missing():
        case.skipTest("PyTorch is not installed in this Slicer.")
    volume, workspace = load_sample(), segmenter.workspace
    found = segmenter.segment(volume)
    case.assertLessEqual({"femur", "tibia"}, {item.label for item in found.objects}, found.message)
    node = found.segmentation
    case.assertEqual(node.GetSegmentation().GetNumberOfSegments(), len(found.objects))
    case.assertEqual(node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole()), volume.GetID())
    shown = workspace.shown(node)
    identity, item = shown.identities[0], shown.result.objects[0]
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume)
    case.assertTrue(np.array_equal(np.squeeze(array) != 0, item.mask), "The segment differs from the result.")

    workspace.show_object(node, identity)
    low, high = item.thresholds.interval
    with workspace.drag(node, identity) as drag:
        case.assertLess(drag.move((low + 25.0, high), move_box=True).pixel_count, item.pixel_count)
    case.assertLess(workspace.shown(node).object_of(identity).pixel_count, item.pixel_count)
    case.assertTrue(workspace.undo(node))
    case.assertTrue(np.array_equal(workspace.shown(node).object_of(identity).mask, item.mask), "Undo failed.")

    region = workspace.outcome(node).regions[identity]
    roi = regions.region_of(region, volume, workspace.grid(node))
    assert roi is not None
    case.assertLess(max(abs(a - b) for a, b in zip(roi, item.region)), 0.1)

    path = Path(slicer.app.temporaryPath) / "GrayscaleDetSegTest.mrb"
    try:
        case.assertTrue(slicer.util.saveScene(str(path)), "The scene could not be saved.")
        slicer.mrmlScene.Clear()
        workspace.forget_all()
        slicer.util.loadScene(str(path))
    finally:
        path.unlink(missing_ok=True)
    volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    (node,) = workspace.results_on(volume)
    again = workspace.shown(node)
    case.assertEqual(again.identities, shown.identities)
    case.assertTrue(np.array_equal(again.result.objects[0].mask, item.mask), "The loaded mask is another one.")
    workspace.remove_object(node, again.identities[1])
    left = (*again.identities[:1], *again.identities[2:])
    case.assertEqual(tuple(workspace.shown(node).identities), left)


def check_models(case: TestCase, segmenter: Segmenter) -> None:
    """Add a copy of the shipped model to the list, use it by its name, and remove it. No window is needed."""
    if dependencies.missing():
        case.skipTest("PyTorch is not installed in this Slicer.")
    models, name = segmenter.models, "GrayscaleDetSegTest"
    shipped = models.get("")
    case.assertEqual(shipped.problem, "")
    folder = Path(slicer.app.temporaryPath) / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(shipped.folder, folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**manifest, "name": name}), encoding="utf-8")
    model = models.add(folder)
    try:
        case.assertIn(folder, [each.folder for each in application_models().installed()], "It was not remembered.")
        found = segmenter.segment(load_sample(), model=name)
        case.assertEqual(found.result.model, model.full_name)
        case.assertLessEqual({"femur", "tibia"}, {item.label for item in found.objects}, found.message)
    finally:
        models.remove(model)
        shutil.rmtree(folder, ignore_errors=True)
    case.assertNotIn(folder, [each.folder for each in application_models().installed()])


def check_panel(case: TestCase) -> None:
    """Click Segment, select an object, move a threshold, undo, open Segment Editor and return; check the views."""
    if slicer.app.layoutManager() is None:
        case.skipTest("There is no window.")
    if dependencies.missing():
        case.skipTest("PyTorch is not installed in this Slicer.")
    volume = load_sample()
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)  # whatever the tests before have left
    layout = manager.layout
    slicer.util.selectModule("GrayscaleDetSeg")
    panel = slicer.modules.GrayscaleDetSegWidget.panel
    ui = panel.ui
    ui.inputSelector.setCurrentNode(volume)
    case.assertTrue(ui.segmentButton.enabled, ui.segmentButton.toolTip)
    model = panel.session.model
    case.assertIn(model.name, ui.modelComboBox.currentText)
    case.assertEqual(ui.classComboBox.count, len(model.classes))
    case.assertIn("femur", ui.knowsLabel.text, "The panel does not say what the model knows.")
    case.assertIn("Segment", ui.nextLabel.text, "The panel does not say what to do next.")
    case.assertFalse(ui.objectsTable.visible, "There is nothing to show yet.")
    ui.segmentButton.click()
    wait_until(lambda: not panel.runner.is_busy, "Segmenting")
    case.assertGreaterEqual(ui.objectsTable.rowCount, 2, ui.statusLabel.text)
    case.assertNotEqual(manager.layout, layout, "The point cloud is not beside the image.")

    check_views(case, panel)
    workspace, node = panel.segmenter.workspace, panel.session.node
    identity = panel.session.selection
    before = workspace.shown(node).object_of(identity)
    low, high = before.thresholds.interval
    ui.grayRangeWidget.setValues(low + 25.0, high)
    wait_until(lambda: not panel.section("Thresholds").editor.is_moving, "Moving a threshold")
    after = workspace.shown(node).object_of(identity)
    case.assertLess(after.pixel_count, before.pixel_count)
    case.assertTrue(ui.undoButton.enabled, ui.undoButton.toolTip)
    ui.undoButton.click()
    case.assertEqual(workspace.shown(node).object_of(identity).pixel_count, before.pixel_count)

    ui.editButton.click()
    case.assertEqual(manager.layout, layout, "The former layout did not come back.")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    case.assertEqual(editor.segmentationNode().GetID(), node.GetID())
    case.assertEqual(editor.currentSegmentID(), identity)
    slicer.util.selectModule("GrayscaleDetSeg")
    case.assertEqual(panel.session.selection, identity)
    slicer.mrmlScene.Clear()
    slicer.app.processEvents()
    case.assertEqual(ui.objectsTable.rowCount, 0)
    case.assertFalse(ui.segmentButton.enabled)


def check_views(case: TestCase, panel) -> None:
    """Check the views after a run: sizes of the panel, camera of the cloud, links between rows and views, locks."""
    ui, session, node = panel.ui, panel.session, panel.session.node
    slicer.app.processEvents()
    table, header = ui.objectsTable, ui.objectsTable.horizontalHeader()
    right = header.sectionViewportPosition(table.columnCount - 1) + header.sectionSize(table.columnCount - 1)
    if slicer.util.mainWindow().visible:
        case.assertLessEqual(right, table.viewport().width, "The last columns of the table are cut off.")
        place = ui.grayRangeWidget.mapTo(slicer.modules.GrayscaleDetSegWidget.parent, qt.QPoint(0, 0))
        case.assertLess(place.y(), 450, "The thresholds lie below the fold of a screen of 800 px.")

    manager = slicer.app.layoutManager()
    widget = cloud_widget()
    case.assertIsNotNone(widget, "The cloud's view is not found.")
    red = manager.sliceWidget("Red")
    wait_until(lambda: 2 * widget.width < 3 * red.width < 4.5 * widget.width, "Sharing the width of the views")
    case.assertTrue(session.view.picking.enabled, "The mouse over the cloud is not followed.")
    interactor = widget.threeDView().interactor()
    if interactor.GetRenderWindow() is not None:
        check_picking(case, panel, interactor)

    results = session.results
    first, last = session.selection, panel.section("Objects").table.identities[-1]
    shown = results.shown(node)
    alone = shown.object_of(last).mask.copy()  # objects may overlap: a click there may mean another one
    for other in shown.identities:
        if other != last:
            alone &= ~shown.object_of(other).mask
    rows, columns = np.nonzero(alone)
    grid, volume = results.grid(node), results.nodes(node).volume
    middle = len(rows) // 2
    session.view.select(last)  # which brings it into sight
    session.view.select(first)
    pixel = (columns[middle] + 0.5, rows[middle] + 0.5, 0.0)
    world = moved(volumes.pixel_to_world(volume, grid), [pixel])
    across, up, _off = moved(np.linalg.inv(numpy_matrix(red.mrmlSliceNode().GetXYToRAS())), world)[0]
    interactor = red.sliceView().interactor()
    interactor.SetEventInformation(round(float(across)), round(float(up)), 0, 0, chr(0), 0, None)
    interactor.InvokeEvent("LeftButtonPressEvent")
    interactor.InvokeEvent("LeftButtonReleaseEvent")
    case.assertNotEqual(session.selection, first, "A click on an object in the image does not select it.")
    session.view.select(first)

    lock = table.item(panel.section("Objects").table.identities.index(first), LOCK)
    lock.setCheckState(qt.Qt.Checked)
    case.assertFalse(ui.grayRangeWidget.enabled or ui.deleteButton.enabled, "A locked object can be changed.")
    case.assertTrue(results.nodes(node).regions[first].GetLocked(), "The region of a locked object can be dragged.")
    lock = table.item(panel.section("Objects").table.identities.index(first), LOCK)
    lock.setCheckState(qt.Qt.Unchecked)
    case.assertTrue(ui.grayRangeWidget.enabled, "An object that was unlocked cannot be changed.")


def check_picking(case: TestCase, panel, interactor) -> None:
    """Check that all of the cloud is visible, and that the mouse over a point finds the point's pixel."""
    window = interactor.GetRenderWindow()
    renderer = window.GetRenderers().GetFirstRenderer()
    cloud = panel.session.results.nodes(panel.session.node).cloud
    matrix = renderer.GetActiveCamera().GetCompositeProjectionTransformMatrix(renderer.GetTiledAspectRatio(), -1, 1)
    places = np.array([cloud.GetPolyData().GetPoint(n) for n in range(0, cloud.GetPolyData().GetNumberOfPoints(), 50)])
    flat = np.c_[places, np.ones(len(places))] @ numpy_matrix(matrix).T
    flat = flat[:, :3] / flat[:, 3:]
    case.assertLess(np.abs(flat[:, :2]).max(), 1.0, "The cloud is cut off.")
    front = flat[flat[:, 2].argmin()]
    width, height = window.GetSize()
    x, y = round((front[0] + 1.0) * width / 2.0), round((front[1] + 1.0) * height / 2.0)
    interactor.SetEventInformation(x, y, 0, 0, chr(0), 0, None)
    interactor.InvokeEvent("EnterEvent")
    interactor.InvokeEvent("MouseMoveEvent")
    wait_until(lambda: panel.ui.pointLabel.text, "Saying which pixel is under the mouse")
