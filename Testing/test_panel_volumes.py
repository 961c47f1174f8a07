"""The panel with a model for volumes: what is offered, a run and its rounds, boxes that are dragged, scenes saved."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core.explanations.base import UnknownExplanation
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.logic.engine import Engine
from GrayscaleDetSegLib.scene import masks, regions
from Testing import standins
from Testing.panel_helpers import picture
from Testing.scene_nodes import add_volume, ids
from Testing.test_volume_grid import oblique
from Testing.volume_models import block, bright_networks, write_model

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "bright", [{"method": "rstn", "label": "block"}])


@pytest.fixture
def whole(bench, model):
    """The bench, with the model for volumes chosen, and an oblique volume."""
    bench.panel.segmenter.engine = Engine()
    bench.add_model(model)
    return bench


def add(bench, name="ct", place=oblique, twin=False):
    voxels, _mask, geometry = block()
    if twin:
        voxels[18:22, 18:23, 20:25] = 950
    node = add_volume(bench.scene, voxels, place(geometry), name=name)
    bench.ui.inputSelector.setCurrentNode(node)
    bench.session.process()
    return node


def run(bench):
    assert bench.ui.segmentButton.enabled, bench.ui.segmentButton.toolTip
    bench.ui.segmentButton.click()
    assert bench.session.wait(lambda: not bench.panel.runner.is_busy, 60.0)
    bench.session.process()


def seen(bench, name):
    return getattr(bench.ui, name).isVisibleTo(bench.widget.parent)


def test_a_model_for_volumes_is_offered_and_says_what_it_needs(whole):
    ui = whole.ui
    assert "It finds: block." in whole.status and ui.segmentButton.toolTip == "Choose a volume first."
    whole.volume("film")
    assert not ui.segmentButton.enabled and ui.segmentButton.toolTip.startswith("film holds a single slice")
    assert not ui.drawButton.enabled and ui.drawButton.toolTip == ui.segmentButton.toolTip
    volume = add(whole)
    assert ui.segmentButton.enabled and ui.methodComboBox.itemData(0) == "rstn" and whole.node is None
    assert not ui.scoreSlider.enabled and not ui.polarityComboBox.enabled and ui.deviceComboBox.enabled
    assert ui.cleanUpCheckBox.toolTip == "Models for volumes have no use for this."
    whole.choose_model(whole.models()[0])
    assert ui.segmentButton.enabled, "of a stack a radiograph model takes the slice that is shown"
    assert ui.scoreSlider.enabled and ui.cleanUpCheckBox.toolTip.startswith("Off: the masks are exactly")
    assert whole.panel.parameters.volume is volume


def test_a_run_its_table_its_rounds_and_the_views(whole):
    import slicer

    ui, volume = whole.ui, add(whole)
    stages = []
    whole.panel.session.stage.connect(stages.append)
    run(whole)
    assert whole.names() == ["Block"] and "Found block." in whole.status and whole.node is not None
    item = whole.item("block")
    cells = whole.cells(0)
    assert cells[1] == cells[3] == cells[5] == "" and cells[4] == f"{item.volume_mm3:.0f} mm³"
    table = ui.objectsTable
    assert table.isColumnHidden(3) and table.isColumnHidden(5) and not table.isColumnHidden(6)
    assert table.horizontalHeaderItem(6).text() == "Volume"
    assert not seen(whole, "thresholdsCollapsibleButton") and not seen(whole, "caseNameLineEdit")
    assert seen(whole, "roundsTable") and ui.roundsTable.rowCount == len(item.explanation.rounds)
    rows = [[ui.roundsTable.item(row, column).text() for column in range(4)] for row in range(ui.roundsTable.rowCount)]
    assert rows[0][:2] == ["first", ""] and rows[1][0] == "1" and float(rows[1][1]) > 0.9
    assert rows[-1][3] == "10–23, 8–15, 6–14"
    assert "thresholds and their cloud are for radiographs" in ui.explanationLabel.text
    assert "two agreed" in ui.explanationLabel.text and "weighted by" in ui.explanationLabel.text
    # the panel looks ten times a second: which of the stages of so small a run it meets depends on the machine
    assert {"coarse, coronal", "coarse, sagittal", "coarse, axial", "round 1, coronal", "masks"} & set(stages)
    outcome = whole.workspace.outcome(whole.node)
    assert outcome.cloud is None and outcome.box is None and set(outcome.regions) == {"block"}
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    assert whole.node.GetSegmentation().ContainsRepresentation(surface)
    assert whole.node.GetDisplayNode().GetVisibility3D()
    assert not whole.panel.layout.shown, "the user's own views, with their 3D view"
    assert ui.readingLabel.text.startswith("values ") and "1 x 1 x 1 mm" in ui.readingLabel.text
    assert ui.nextLabel.text == "Next: click an object; drag its box, or Edit it; save."
    assert whole.panel.parameters.segmentation is whole.node and whole.panel.parameters.volume is volume


def test_the_weights_are_laid_over_the_image_and_taken_away(whole):
    import slicer

    mine = add(whole, "mine")
    add(whole)
    run(whole)
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    composite.SetForegroundVolumeID(mine.GetID())
    composite.SetForegroundOpacity(0.1)
    button, before = whole.ui.seenButton, ids(whole.scene)
    assert button.enabled and button.text == "Show weights"
    button.click()
    assert button.text == "Hide weights" and len(whole.workspace.outcome(whole.node).seen) == 3
    assert composite.GetForegroundVolumeID() != mine.GetID() and composite.GetForegroundOpacity() > 0.2
    button.click()
    assert button.text == "Show weights" and ids(whole.scene) == before
    assert composite.GetForegroundVolumeID() == mine.GetID() and composite.GetForegroundOpacity() == 0.1


def test_what_is_said_while_it_runs(whole):
    from GrayscaleDetSegLib.panel.sections.segment import stage_text

    assert stage_text("coarse, coronal") == "Coarse look, coronal slices"
    assert stage_text("left ventricle: round 3, axial") == "Left ventricle: Round 3, axial slices"
    assert stage_text("grid") == "Bringing the volume into the model's grid" and stage_text("unheard") == "unheard"


@pytest.mark.parametrize("stage", ["grid", "coarse, sagittal", "round 1, axial"])
def test_cancelled_at_any_stage(whole, stage, monkeypatch):
    from GrayscaleDetSegLib.core import stopwatch

    volume, gate, began = add(whole), threading.Event(), threading.Event()
    plain = stopwatch.Stopwatch.__call__

    def waiting(self, name):
        if name == stage and not gate.is_set():
            began.set()
            assert gate.wait(10.0)
        return plain(self, name)

    monkeypatch.setattr(stopwatch.Stopwatch, "__call__", waiting)
    before = ids(whole.scene)
    whole.ui.segmentButton.click()
    assert whole.session.wait(began.is_set, 30.0)
    whole.ui.segmentButton.click()
    gate.set()
    assert whole.session.wait(lambda: not whole.panel.runner.is_busy, 30.0)
    assert whole.status == "Cancelled; nothing was changed." and ids(whole.scene) == before
    assert whole.panel.parameters.volume is volume and whole.ui.segmentButton.text == "Segment"


def test_what_was_painted_is_kept_or_replaced_as_the_user_says(whole):
    add(whole)
    run(whole)
    node, before = whole.node, whole.mask("block")
    painted = before.copy()
    painted[2:4, 2:4, 2:4] = True
    masks.write_mask(node, "block", whole.workspace.outcome(node).volume, whole.workspace.grid(node), painted)
    assert whole.session.wait(lambda: whole.cells(0)[4] != f"{before.sum()} mm³")
    assert whole.cells(0)[4] == f"{painted.sum()} mm³"
    whole.ui.segmentButton.click()
    whole.session.process()
    assert "was edited by hand" in whole.ui.questionLabel.text and np.array_equal(whole.mask("block"), painted)
    whole.ui.questionFirstButton.click()
    assert whole.session.wait(lambda: not whole.panel.runner.is_busy, 60.0)
    whole.session.process()
    assert whole.node is node and np.array_equal(whole.mask("block"), before)
    whole.ui.undoButton.click()
    assert np.array_equal(whole.mask("block"), painted) and whole.cells(0)[4] == f"{painted.sum()} mm³"


def drag_box(bench, box):
    """Take hold of the box of the object with the mouse, put it somewhere, let go, and wait for what follows."""
    node = bench.workspace.outcome(bench.node).regions["block"]
    node.InvokeEvent(node.PointStartInteractionEvent)
    bench.place("block", box)
    node.InvokeEvent(node.PointEndInteractionEvent)
    bench.session.wait(lambda: False, 0.05)
    assert bench.session.wait(lambda: not bench.panel.runner.is_busy, 60.0)
    bench.session.process()


def test_a_dragged_box_finds_the_object_again(whole):
    add(whole, twin=True)
    run(whole)
    before, first = whole.mask("block"), whole.roi("block")
    assert before[20, 20, 22] and before[8, 9, 11], "both that look alike"
    drag_box(whole, (19.0, 17.0, 17.0, 26.0, 24.0, 23.0))
    after = whole.mask("block")
    assert after[18:22, 18:23, 20:25].all() and not after[8, 9, 11]
    assert whole.roi("block") == pytest.approx((19, 17, 17, 26, 24, 23), abs=0.02)
    assert whole.status.startswith("Block: ") and whole.status.endswith(" mm³.")
    assert "began from a box given by hand" in whole.ui.explanationLabel.text
    whole.ui.undoButton.click()
    whole.session.process()
    assert np.array_equal(whole.mask("block"), before) and whole.roi("block") == pytest.approx(first, abs=0.02)
    drag_box(whole, (1.0, 20.0, 18.0, 4.0, 24.0, 22.0))
    assert whole.status.startswith("No block was found from this box") and np.array_equal(whole.mask("block"), before)
    assert whole.roi("block") == pytest.approx(first, abs=0.02), "it was put back"
    whole.panel.session.results.set_locked(whole.node, "block", True)
    drag_box(whole, (19.0, 17.0, 17.0, 26.0, 24.0, 23.0))
    assert "is locked; its region was put back" in whole.status and np.array_equal(whole.mask("block"), before)


def test_a_box_needs_a_model_for_volumes(whole):
    add(whole)
    run(whole)
    before, first = whole.mask("block"), whole.roi("block")
    whole.panel.segmenter.engine = Engine(whole.rig.load)
    whole.choose_model(whole.models()[0])
    assert seen(whole, "roundsTable") and whole.names() == ["Block"]
    drag_box(whole, (9.0, 7.0, 5.0, 24.0, 16.0, 15.0))
    assert "takes radiographs, not volumes; choose another model" in whole.status
    assert np.array_equal(whole.mask("block"), before) and whole.roi("block") == pytest.approx(first, abs=0.02)


def test_nothing_found_is_said_with_ways_out(whole, tmp_path):
    add(whole)
    before = ids(whole.scene)
    whole.add_model(write_model(tmp_path / "blind", networks=bright_networks(least=50.0), name="blind"))
    run(whole)
    assert "No block was found." in whole.status and whole.node is None and ids(whole.scene) == before
    assert whole.ui.questionFrame.isVisibleTo(whole.widget.parent)
    assert [whole.ui.questionFirstButton.text, whole.ui.questionSecondButton.text] == ["Draw a region", "Another model"]


def test_a_drawn_rectangle_becomes_a_box(whole):
    from GrayscaleDetSegLib.panel.region_work import deep

    volume = add(whole)
    work = whole.panel.section("Draw").regions
    grid = whole.workspace.read_whole(volume).grid
    drawn = regions.add_region(whole.scene, volume, grid, (9.0, 7.0, 9.5, 24.0, 16.0, 10.5), "drawn", (255, 0, 0))
    work._drawn(drawn, volume, grid, "block", None)
    assert whole.session.wait(lambda: not whole.panel.runner.is_busy, 60.0)
    whole.session.process()
    assert whole.names() == ["Block"] and whole.mask("block").sum() == block()[1].sum()
    whole.panel.session.results.set_locked(whole.node, "block", True)
    again = regions.add_region(whole.scene, volume, grid, (9.0, 7.0, 9.5, 24.0, 16.0, 10.5), "drawn", (255, 0, 0))
    work._drawn(again, volume, grid, "block", whole.node)
    assert whole.status == "block is locked; unlock it in the table first." and not whole.panel.runner.is_busy
    x0, y0, z0, x1, y1, z1 = whole.item("block").region
    assert (x0, y0, x1, y1) == pytest.approx((9, 7, 24, 16), abs=0.02) and z1 - z0 == pytest.approx(12.0, abs=0.05)
    assert deep((0, 0, 0, 10, 20, 1), (1.0, 1.0, 3.0), (40, 40, 9)) == (0, 0, 0, 10, 20, 3.0)


def test_a_click_goes_to_the_object_at_that_place(whole):
    from GrayscaleDetSegLib.panel.slice_clicks import object_at
    from GrayscaleDetSegLib.scene import volumes
    from GrayscaleDetSegLib.scene.geometry import moved

    volume = add(whole)
    run(whole)
    shown = whole.workspace.shown(whole.node)
    to_world = volumes.pixel_to_world(volume, whole.workspace.grid(whole.node))
    for voxel, found in (((11.5, 9.5, 8.5), "block"), ((11.5, 9.5, 15.5), None), ((99.0, 9.5, 8.5), None)):
        (place,) = moved(to_world, [voxel])
        assert object_at(shown, ["block"], to_world, tuple(place), None) == found


def test_a_saved_scene_is_gone_on_with(whole, tmp_path):
    import slicer

    add(whole)
    run(whole)
    before, path = whole.mask("block"), whole.scene_file(tmp_path)
    explained = whole.ui.explanationLabel.text
    assert whole.scene.WriteToMRB(str(path))
    whole.leave()
    whole.scene.Clear(0)
    assert whole.scene.ReadFromMRB(str(path))
    slicer.util.selectModule("GrayscaleDetSeg")
    whole.session.process()
    assert whole.names() == ["Block"] and np.array_equal(whole.mask("block"), before)
    assert whole.ui.explanationLabel.text == explained and seen(whole, "roundsTable")
    assert whole.panel.session.takes_volumes and whole.ui.segmentButton.enabled
    drag_box(whole, (9.0, 7.0, 5.0, 24.0, 16.0, 15.0))
    assert np.array_equal(whole.mask("block"), before) and whole.item("block").explanation.drawn


def test_radiographs_and_volumes_side_by_side(whole):
    volume = add(whole)
    run(whole)
    of_volume = whole.node
    whole.panel.segmenter.engine = Engine(whole.rig.load)
    whole.choose_model(whole.models()[0])
    film = add_volume(whole.scene, picture(), name="film")
    whole.ui.inputSelector.setCurrentNode(film)
    whole.session.process()
    run(whole)
    assert whole.names() == ["Femur", "Tibia"] and whole.node is not of_volume and whole.panel.layout.shown
    assert seen(whole, "thresholdsCollapsibleButton") and not seen(whole, "roundsTable")
    assert whole.ui.objectsTable.horizontalHeaderItem(6).text() == "Area"
    assert not whole.ui.objectsTable.isColumnHidden(3)
    whole.ui.inputSelector.setCurrentNode(volume)
    whole.session.process()
    assert whole.node is of_volume and whole.names() == ["Block"] and not whole.panel.layout.shown
    assert seen(whole, "roundsTable") and whole.ui.readingLabel.text.startswith("values ")


def test_how_an_object_of_another_kind_is_told(whole, model):
    from GrayscaleDetSegLib.panel.sections.explanation import described

    voxels, _mask, geometry = block()
    (item,) = load_pipeline(model, "cpu").segment(Volume.from_array(voxels, geometry)).objects
    strange = replace(item, explanation=UnknownExplanation("boxes", {}), method="unheard")
    assert described(strange).splitlines() == [
        "Block: unheard explains itself by its own steps; thresholds and their cloud are for radiographs.",
        "What it says of them, the command's JSON file holds in full.",
    ]
    rounds = replace(item.explanation, converged=False, within="heart")
    told = described(replace(item, explanation=rounds))
    assert "looked for around the heart alone" in told and "no two agreed" in told
