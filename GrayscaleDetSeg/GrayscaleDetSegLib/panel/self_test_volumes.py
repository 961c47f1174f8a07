"""The third part of the module's self test: volumes, with a synthetic heart and the shipped model for hearts.

Models for volumes need PyTorch. Without it, these parts are skipped with a message.
"""

from __future__ import annotations

from pathlib import Path
from unittest import TestCase

import numpy as np
import slicer

from ..logic import dependencies
from ..logic.segmenter import Segmenter
from .self_test import wait_until

MODEL = "heart-mr"
LEFT = "left ventricle"
PATIENCE = 300.0
"""Seconds that a run may take: rounds in three views, on two cores that others use as well."""
SPACING = (2.0, 2.0, 10.0)
"""Of the synthetic heart, mm along columns, rows and slices."""


def heart_voxels() -> np.ndarray:
    """A synthetic heart in short axis slices: two chambers, a muscle, lungs and a chest.

    Returns
    -------
    ndarray of int16, shape (9, 128, 128)
    """
    side = 128
    y, x = (places * SPACING[0] - side for places in np.mgrid[side - 1 : -1 : -1, :side][:2].astype(np.float32))
    random, slices = np.random.default_rng(0), []
    for number in range(9):
        scale = 1.0 - 0.07 * number
        image = np.where((x / 115) ** 2 + (y / 90) ** 2 < 1.0, 110.0, 8.0)
        for middle in (-60, 70):
            image[((x - middle) / 32) ** 2 + ((y - 5) / 45) ** 2 < 1.0] = 25.0
        image[np.hypot((x - 4) / 62, (y + 8) / 50) < scale] = 120.0
        image[np.hypot((x + 18) / 38, (y + 18) / 32) < scale] = 215.0
        away = np.hypot(x - 12, y + 8)
        image[away < 34 * scale] = 85.0
        image[away < 23 * scale] = 230.0
        around = [np.roll(image, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        slices.append(np.mean(around, axis=0) + random.normal(0.0, 6.0, image.shape))
    return np.rint(slices).astype(np.int16)


def left_ventricle_mm3() -> float:
    """The volume of the synthetic left ventricle, a disc in every slice, in mm³."""
    return float(sum(np.pi * (23 * (1.0 - 0.07 * number)) ** 2 * SPACING[2] for number in range(9)))


def heart_node():
    """The synthetic heart as a volume node."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "drawn heart")
    slicer.util.updateVolumeFromArray(node, heart_voxels())
    node.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
    node.SetSpacing(*SPACING)
    node.CreateDefaultDisplayNodes()
    return node


def check_volume(case: TestCase, segmenter: Segmenter) -> None:
    """Segment a volume, move a box, undo. No window is needed."""
    _need_torch(case)
    volume, workspace = heart_node(), segmenter.workspace
    found = segmenter.segment(volume, model=MODEL)
    case.assertIn(LEFT, [item.name for item in found.objects], found.message)
    node = found.segmentation
    item = _object(workspace, node)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, _identity(workspace, node), volume)
    case.assertTrue(np.array_equal(array != 0, item.mask), "The segment differs from the result.")
    case.assertAlmostEqual(item.volume_mm3, item.voxel_count * float(np.prod(SPACING)), places=3)
    share = item.volume_mm3 / left_ventricle_mm3()
    case.assertTrue(0.6 < share < 1.4, f"The left ventricle has {share:.2f} of its size.")

    region = workspace.outcome(node).regions[_identity(workspace, node)]
    _stretch(region)
    anew = segmenter.move_box(node, LEFT, region, model=MODEL)
    again = next(each for each in anew.objects if each.name == LEFT)
    case.assertTrue(again.explanation.drawn, "The rounds did not begin from the box.")
    case.assertTrue(segmenter.undo(node))
    case.assertTrue(np.array_equal(_object(workspace, node).mask, item.mask), "Undo failed.")


def check_volume_panel(case: TestCase) -> None:
    """The same with the panel's controls: model, table, rounds, surface, a dragged box, undo, a saved scene."""
    if slicer.app.layoutManager() is None:
        case.skipTest("There is no window.")
    _need_torch(case)
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.selectModule("GrayscaleDetSeg")
    panel = slicer.modules.GrayscaleDetSegWidget.panel
    ui, workspace = panel.ui, panel.segmenter.workspace
    volume, first_model = heart_node(), ui.modelComboBox.currentIndex
    try:
        _choose_model(ui)
        case.assertTrue(panel.session.takes_volumes, "The model for hearts was not chosen.")
        ui.inputSelector.setCurrentNode(volume)
        case.assertTrue(ui.segmentButton.enabled, ui.segmentButton.toolTip)
        ui.segmentButton.click()
        wait_until(lambda: not panel.runner.is_busy, "Segmenting the volume", PATIENCE)
        node = panel.session.node
        case.assertIsNotNone(node, ui.statusLabel.text)
        item, identity = _object(workspace, node), _identity(workspace, node)
        _check_shown(case, panel, node, item)

        _drag(panel, workspace.outcome(node).regions[identity])
        wait_until(lambda: ui.undoButton.enabled and not panel.runner.is_busy, "Looking from the box", PATIENCE)
        case.assertTrue(_object(workspace, node).explanation.drawn, ui.statusLabel.text)
        case.assertIn("box given by hand", ui.explanationLabel.text)
        ui.undoButton.click()
        slicer.app.processEvents()
        case.assertTrue(np.array_equal(_object(workspace, node).mask, item.mask), "Undo failed.")

        _save_and_load(case)
        slicer.util.selectModule("GrayscaleDetSeg")
        slicer.app.processEvents()
        node = panel.session.node
        case.assertIsNotNone(node, "The result did not come back with its scene.")
        case.assertTrue(np.array_equal(_object(workspace, node).mask, item.mask), "The loaded mask is another one.")
        case.assertTrue(ui.explanationLabel.text, "How it was found did not come back with its scene.")
    finally:
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("GrayscaleDetSeg")
        ui.modelComboBox.setCurrentIndex(first_model)
        ui.modelComboBox.activated(first_model)


def _check_shown(case: TestCase, panel, node, item) -> None:
    """Table, explanation and views of a volume's result."""
    ui, table = panel.ui, panel.ui.objectsTable
    names = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount)]
    column = names.index("Volume")
    sizes = [table.item(row, column).text() for row in range(table.rowCount)]
    case.assertIn(f"{item.volume_mm3:.0f} mm³", sizes, "The table does not give the volume in mm³.")
    case.assertTrue(ui.explanationLabel.text, "The panel does not say how the object was found.")
    case.assertFalse(panel.layout.shown, "Volumes are seen in the user's own views, with their 3D view.")
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    case.assertTrue(node.GetSegmentation().ContainsRepresentation(surface), "There is no surface.")
    case.assertTrue(node.GetDisplayNode().GetVisibility3D(), "The surface is not shown.")
    if slicer.util.mainWindow().visible:
        bounds = [0.0] * 6
        view = slicer.app.layoutManager().threeDWidget(0).threeDView()
        view.renderWindow().GetRenderers().GetFirstRenderer().ComputeVisiblePropBounds(bounds)
        case.assertLess(bounds[0], bounds[1], "The 3D view is empty.")


def _save_and_load(case: TestCase) -> None:
    path = Path(slicer.app.temporaryPath) / "GrayscaleDetSegTestVolume.mrb"
    try:
        case.assertTrue(slicer.util.saveScene(str(path)), "The scene could not be saved.")
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(str(path))
    finally:
        path.unlink(missing_ok=True)


def _choose_model(ui) -> None:
    combo = ui.modelComboBox
    (index,) = (number for number in range(combo.count) if MODEL in combo.itemText(number))
    combo.setCurrentIndex(index)
    combo.activated(index)
    slicer.app.processEvents()


def _drag(panel, region) -> None:
    """Take hold of a box with the mouse, make it wider, let go, and wait until the object is looked for."""
    region.InvokeEvent(region.PointStartInteractionEvent)
    _stretch(region)
    region.InvokeEvent(region.PointEndInteractionEvent)
    wait_until(lambda: panel.runner.is_busy, "Beginning from the box")


def _stretch(region) -> None:
    """Make a box a fifth wider and higher, its middle kept."""
    size = list(region.GetSize())
    region.SetSize(1.2 * size[0], 1.2 * size[1], size[2])


def _identity(workspace, node) -> str:
    return workspace.shown(node).by_name[LEFT]


def _object(workspace, node):
    shown = workspace.shown(node)
    return shown.object_of(shown.by_name[LEFT])


def _need_torch(case: TestCase) -> None:
    if dependencies.missing(torch=True):
        case.skipTest("PyTorch is not installed in this Slicer, and models for volumes need it.")
