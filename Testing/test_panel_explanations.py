"""The panel's section that says how an object was found: boxes of slices, maps over the image, a box of one slice."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.volumes.pipeline import VolumePipeline
from GrayscaleDetSegLib.logic.engine import Engine
from GrayscaleDetSegLib.scene import regions, volumes
from GrayscaleDetSegLib.scene.geometry import moved
from Testing import standins
from Testing.attention_models import bright_boxes, detecting
from Testing.lsnet_models import write_model as write_localiser
from Testing.scene_nodes import ids
from Testing.volume_models import write_model

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

from Testing.test_panel_volumes import add, run, seen  # noqa: E402 (which needs the stand-ins as well)


@pytest.fixture
def detected(bench, tmp_path, monkeypatch):
    """The bench with a volume segmented by detection, by a detector that sees what is bright."""
    pipeline = VolumePipeline([detecting(monkeypatch, bright_boxes)], model="bright 1")
    bench.panel.segmenter.engine = Engine(lambda *_: pipeline)
    bench.add_model(write_model(tmp_path / "bright"))
    add(bench)
    run(bench)
    return bench


@pytest.fixture
def localised(bench, tmp_path):
    """The bench with a volume segmented by a localiser whose weights are set by hand."""
    bench.panel.segmenter.engine = Engine()
    bench.add_model(write_localiser(tmp_path / "bright", views=["axial", "coronal"], score=0.3))
    add(bench)
    run(bench)
    return bench


def rows_of(bench):
    table = bench.ui.roundsTable
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def draw(bench, box):
    """What two clicks in a slice view make, and the wait for what follows."""
    session, drawing = bench.panel.session, bench.panel.section("Draw").regions.drawing
    bench.ui.sliceBoxButton.click()
    assert drawing.active, bench.status
    volume, grid = bench.workspace.outcome(bench.node).volume, bench.workspace.grid(bench.node)
    on_drawn, node = drawing._on_drawn, drawing._end()
    regions.place_region(node, volume, grid, box)
    on_drawn(node)
    assert bench.session.wait(lambda: not session.runner.is_busy, 60.0)
    bench.session.process()


def test_boxes_and_their_scores_stand_in_the_table(detected):
    assert seen(detected, "roundsTable") and detected.ui.explanationCollapsibleButton.text == "How it was found"
    rows = rows_of(detected)
    assert rows[0] == ["axial", "7", "0.75", "10–23, 8–15, 6–7"] and len(rows) == 8
    names = [detected.ui.roundsTable.horizontalHeaderItem(column).text() for column in range(4)]
    assert names == ["View", "Slice", "Score", "Box in voxels"]
    assert "8 boxes (axial), with scores of 0.75 to 0.75" in detected.ui.explanationLabel.text


def test_a_click_on_a_box_goes_to_its_slice(detected):
    import slicer

    detected.ui.roundsTable.cellClicked.emit(7, 0)
    outcome, grid = detected.workspace.outcome(detected.node), detected.workspace.grid(detected.node)
    (place,) = moved(volumes.pixel_to_world(outcome.volume, grid), [(14.0, 11.5, 13.5)])
    matrix = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed").GetSliceToRAS()
    normal = np.array([matrix.GetElement(row, 2) for row in range(3)])
    origin = np.array([matrix.GetElement(row, 3) for row in range(3)])
    assert abs(normal @ (place - origin)) < 0.05


def test_boxes_are_shown_as_a_model_and_taken_away(detected):
    before, button = ids(detected.scene), detected.ui.seenButton
    assert button.enabled and button.text == "Show boxes"
    button.click()
    (model,) = detected.workspace.outcome(detected.node).seen
    assert button.text == "Hide boxes" and model.GetName() == "block boxes"
    polydata = model.GetPolyData()
    assert polydata.GetNumberOfCells() == 8 * 6
    scores = polydata.GetCellData().GetArray("score")
    assert scores.GetRange() == pytest.approx((0.75, 0.75))
    display = model.GetDisplayNode()
    assert display.GetVisibility2D() and display.GetScalarVisibility() and display.GetActiveScalarName() == "score"
    grid = detected.workspace.grid(detected.node)
    places = np.array([polydata.GetPoint(number) for number in range(polydata.GetNumberOfPoints())])
    voxels = moved(np.linalg.inv(grid.pixel_to_ras), places)
    assert np.allclose(voxels.min(0), (10, 8, 6), atol=1e-4) and np.allclose(voxels.max(0), (23, 15, 14), atol=1e-4)
    button.click()
    assert ids(detected.scene) == before and button.text == "Show boxes"


def test_a_box_is_drawn_in_one_slice(detected):
    ui, mask = detected.ui, detected.mask("block")
    assert seen(detected, "sliceBoxButton") and ui.sliceBoxButton.enabled
    ui.seenButton.click()
    draw(detected, (10.0, 8.0, 8.1, 14.0, 12.0, 9.1))
    wanted = mask.copy()
    wanted[8, 12:] = wanted[8, :, 14:] = False
    assert np.array_equal(detected.mask("block"), wanted) and detected.status.startswith("Block: ")
    assert rows_of(detected)[2] == ["axial", "9", "drawn", "10–14, 8–12, 8–9"]
    assert "1 of them drawn by hand" in ui.explanationLabel.text
    assert ui.seenButton.text == "Show boxes", "those that were shown are out of date"
    ui.undoButton.click()
    detected.session.process()
    assert np.array_equal(detected.mask("block"), mask) and rows_of(detected)[2][2] == "0.75"


def test_why_a_box_is_not_taken(detected):
    mask = detected.mask("block")
    draw(detected, (10.0, 8.0, 6.0, 11.0, 12.0, 12.0))
    assert "looks at axial slices; draw the box in one of these" in detected.status
    detected.panel.session.results.set_locked(detected.node, "block", True)
    detected.ui.sliceBoxButton.click()
    assert detected.status == "Block is locked; unlock it in the table first."
    detected.panel.session.results.set_locked(detected.node, "block", False)
    detected.ui.sliceBoxButton.click()
    assert detected.ui.sliceBoxButton.text == "Stop drawing" and "Click two opposite corners" in detected.status
    detected.ui.sliceBoxButton.click()
    assert detected.status == "No region was drawn." and np.array_equal(detected.mask("block"), mask)


def test_no_drawing_begins_without_its_object_or_with_a_broken_pytorch(detected, monkeypatch):
    session, before = detected.panel.session, detected.status
    session.slice_box_wanted.emit("gone")
    assert detected.status == before and detected.ui.sliceBoxButton.text != "Stop drawing"

    def broken():
        raise OSError("libtorch_cpu.so: cannot open shared object file")

    monkeypatch.setattr(session, "prepare", broken)
    detected.ui.sliceBoxButton.click()
    assert "libtorch_cpu.so" in detected.status and detected.ui.sliceBoxButton.text != "Stop drawing"

    def faulty():
        raise KeyError("of our own")

    monkeypatch.setattr(session, "prepare", faulty)
    with pytest.raises(KeyError):
        session.slice_box_wanted.emit(next(iter(detected.workspace.shown(detected.node).identities)))


def test_the_module_has_it_for_scripts(detected):
    volume, grid = detected.workspace.outcome(detected.node).volume, detected.workspace.grid(detected.node)
    mask = detected.mask("block")
    box = regions.add_region(detected.scene, volume, grid, (10.0, 8.0, 8.0, 14.0, 12.0, 9.0), "mine", (255, 0, 0))
    model = detected.panel.session.model.folder
    found = detected.panel.segmenter.draw_slice_box(detected.node, "block", box, model=model)
    assert found.objects[0].voxel_count == detected.mask("block").sum() < mask.sum()


def test_a_heat_map_lies_over_its_slice(localised):
    import slicer
    import vtk

    button = localised.ui.seenButton
    assert button.text == "Show heat map and boxes" and not seen(localised, "sliceBoxButton")
    item = localised.item("block")
    assert {row[0] for row in rows_of(localised)} == {"axial", "coronal"}
    button.click()
    nodes = localised.workspace.outcome(localised.node).seen
    assert [node.GetName() for node in nodes] == ["block heat map axial", "block heat map coronal", "block boxes"]
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundVolumeID() == nodes[0].GetID()
    bounds, whole = [0.0] * 6, [0.0] * 6
    nodes[0].GetRASBounds(bounds)
    localised.workspace.outcome(localised.node).volume.GetRASBounds(whole)
    sizes = [[each[2 * axis + 1] - each[2 * axis] for axis in range(3)] for each in (bounds, whole)]
    assert sizes[0][:2] == pytest.approx(sizes[1][:2], rel=0.25), "all of the slice, oblique as the volume is"
    # its brightest place lies in the object
    values = slicer.util.arrayFromVolume(nodes[0])[0]
    row, column = np.unravel_index(values.argmax(), values.shape)
    to_ras = vtk.vtkMatrix4x4()
    nodes[0].GetIJKToRASMatrix(to_ras)
    place = np.array(to_ras.MultiplyPoint((float(column), float(row), 0.0, 1.0)))[None, :3]
    (voxel,) = moved(np.linalg.inv(localised.workspace.grid(localised.node).pixel_to_ras), place)
    x0, y0, z0, x1, y1, z1 = item.box
    assert x0 - 2 < voxel[0] < x1 + 2 and y0 - 2 < voxel[1] < y1 + 2 and z0 <= voxel[2] <= z1


def test_rounds_stand_in_the_table_as_before(bench, tmp_path):
    bench.panel.segmenter.engine = Engine()
    bench.add_model(write_model(tmp_path / "rounds", [{"method": "step_wise", "label": "block"}]))
    add(bench)
    run(bench)
    assert bench.ui.explanationCollapsibleButton.text == "Rounds" and rows_of(bench)[0][0] == "first"
    assert not seen(bench, "seenButton") and not seen(bench, "sliceBoxButton")
    bench.ui.roundsTable.cellClicked.emit(1, 0)
    assert not bench.status.startswith("Traceback")
