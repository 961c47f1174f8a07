"""Volumes in a scene by one call, as a script does it: nodes, saved and loaded again, undone, edited, boxes dragged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import (
    GrayscaleDetSegError,
    MethodError,
    OutputError,
    RadiographError,
    UnknownClassError,
)
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.volumes.result import VolumeResult
from GrayscaleDetSegLib.core.volumes.rounds import Rounds
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.logic.cases import save_case
from GrayscaleDetSegLib.logic.seen_view import show_seen
from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import masks, record, regions, segmentation, volumes
from GrayscaleDetSegLib.scene.geometry import WHOLE, ijk_to_ras, moved
from Testing.fakes import FLIPPED, SIDEWAYS, TURNED
from Testing.rigged import change
from Testing.scene_nodes import add_bending_transform, add_transform, add_volume, ids, scene_with_logics
from Testing.test_volume_grid import oblique
from Testing.volume_models import block, bright_networks, write_model

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

PARTS = [
    {"method": "step_wise", "label": "heart"},
    {"method": "step_wise", "label": "left ventricle", "within": "heart", "reach": 0.3},
]
PLACES = {
    "plain": lambda geometry: geometry,
    "oblique": oblique,
    "anisotropic": lambda geometry: replace(geometry, spacing=(0.7, 0.9, 2.5)),
    "sideways": lambda geometry: replace(geometry, direction=SIDEWAYS),
    "turned": lambda geometry: replace(geometry, direction=TURNED),
    "flipped": lambda geometry: replace(geometry, direction=FLIPPED),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def scene(tmp_path):
    scene = scene_with_logics(tmp_path)
    yield scene
    scene.Clear(True)


@pytest.fixture
def segmenter(scene):
    return Segmenter(scene)


class Bench:
    """A volume with its block, segmented by the bright model."""

    def __init__(self, segmenter, model, place="plain", is_moved=False, **options) -> None:
        voxels, self.truth, geometry = block()
        self.segmenter, self.scene, self.model = segmenter, segmenter.workspace.scene, model
        self.volume = add_volume(self.scene, voxels, PLACES[place](geometry), "ct")
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(self.scene).GetID())
        self.found = segmenter.segment(self.volume, model=model, **options)
        self.node, self.grid = self.found.segmentation, volumes.grid_of(self.volume, WHOLE)

    def mask(self, identity="block", node=None, volume=None):
        volume = volume or self.volume
        return masks.mask_of(node or self.node, identity, volume, volumes.grid_of(volume, WHOLE))

    def paint(self, identity="block"):
        painted = self.mask(identity)
        painted[2:4, 2:4, 2:4] = True
        masks.write_mask(self.node, identity, self.volume, self.grid, painted)
        return painted

    @property
    def outcome(self):
        return self.segmenter.workspace.outcome(self.node)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("is_moved", [False, True])
def test_all_nodes_lie_on_the_volume_wherever_it_lies(segmenter, model, place, is_moved):
    bench = Bench(segmenter, model, place, is_moved)
    (item,) = bench.found.objects
    expected = load_pipeline(model, "cpu").segment(Volume.from_array(block()[0], bench.grid.geometry)).objects[0]
    assert np.array_equal(bench.mask(), expected.mask) and bench.mask().sum() > 300
    outcome = bench.outcome
    assert outcome.volume is bench.volume
    assert bench.node.GetNodeReference("referenceImageGeometryRef") is bench.volume
    assert regions.region_of(outcome.regions["block"], bench.volume, bench.grid) == pytest.approx(item.region, abs=0.02)
    row = [outcome.table.GetCellText(0, column) for column in range(6)]
    assert row[0] == "block" and float(row[2]) == pytest.approx(item.volume_mm3, abs=0.1) and row[5] == "step_wise"
    assert int(row[3]) == expected.voxel_count and outcome.table.GetColumnUnitLabel("Volume") == "mm3"
    rounds = outcome.rounds
    assert [rounds.GetCellText(1, column) for column in range(2)] == ["block", "1"]
    last = rounds.GetNumberOfRows() - 1
    assert float(rounds.GetCellText(last, 3)) == pytest.approx(item.explanation.rounds[-1].volume_mm3, rel=1e-4)
    assert float(rounds.GetCellText(last, 4)) == pytest.approx(item.explanation.rounds[-1].box.x0, abs=1e-3)
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    shown = bench.node.GetSegmentation().GetSegment("block").GetRepresentation(surface)
    centres = moved(bench.grid.ijk_to_ras, np.argwhere(expected.mask)[:, ::-1])
    bounds = np.reshape(shown.GetBounds(), (3, 2))
    reach = 1.5 * max(bench.volume.GetSpacing())
    assert np.abs(bounds[:, 0] - centres.min(0)).max() < reach and np.abs(bounds[:, 1] - centres.max(0)).max() < reach
    assert bench.volume.GetAttribute("GrayscaleDetSeg.GraySource") == "percentile"


def test_a_scene_that_was_saved_and_loaded_goes_on(segmenter, model, tmp_path):
    bench = Bench(segmenter, model, "oblique")
    painted = bench.paint()
    path = tmp_path / "scene.mrb"
    assert bench.scene.WriteToMRB(str(path))
    (tmp_path / "again").mkdir()
    again = scene_with_logics(tmp_path / "again")
    assert again.ReadFromMRB(str(path))
    node = again.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    volume = again.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    space = Workspace(again)
    shown = space.shown(node)
    assert shown.is_whole and shown.identities == ("block",)
    (item,), (before,) = shown.result.objects, bench.found.objects
    assert np.array_equal(item.mask, painted) and np.array_equal(bench.mask(node=node, volume=volume), painted)
    assert item.volume_mm3 == pytest.approx(painted.sum(), rel=1e-5) and item.region == before.region
    assert isinstance(item.explanation, Rounds) and item.explanation == before.explanation
    assert shown.result.volume.mapping == bench.found.result.volume.mapping and shown.result.model == "bright 1"
    assert space.results_on(volume) == [node] and space.would_lose_edits(node)
    assert space.sync(node).result.objects[0].voxel_count == painted.sum()
    outcome = space.outcome(node)
    assert set(outcome.regions) == {"block"} and outcome.table.GetCellText(0, 3) == str(painted.sum())
    assert outcome.rounds.GetNumberOfRows() == len(item.explanation.rounds)
    assert Segmenter(again).segment(
        volume, model=model, segmentation=node, replace_edits=True
    ).objects[0].voxel_count == before.voxel_count
    again.Clear(True)


def test_hand_edits_are_kept_and_undone(segmenter, model):
    bench = Bench(segmenter, model)
    space, first = segmenter.workspace, bench.mask()
    painted = bench.paint()
    before = ids(bench.scene)
    with pytest.raises(GrayscaleDetSegError, match="was edited by hand; choose another segmentation"):
        segmenter.segment(bench.volume, model=model, segmentation=bench.node)
    assert ids(bench.scene) == before and np.array_equal(bench.mask(), painted)
    segmenter.segment(bench.volume, model=model, segmentation=bench.node, replace_edits=True)
    assert np.array_equal(bench.mask(), first) and ids(bench.scene) == before
    assert segmenter.undo(bench.node) and np.array_equal(bench.mask(), painted)
    assert space.shown(bench.node).result.objects[0].voxel_count == painted.sum()
    assert bench.outcome.table.GetCellText(0, 3) == str(painted.sum())
    space.remove_object(bench.node, "block")
    assert not bench.outcome.regions and space.shown(bench.node).result.objects == ()
    assert segmenter.undo(bench.node) and np.array_equal(bench.mask(), painted) and not segmenter.undo(bench.node)


def test_other_voxels_are_another_volume(segmenter, model):
    bench = Bench(segmenter, model)
    change(bench.volume.GetImageData())
    with pytest.raises(RadiographError, match="ct shows other pixels than those that"):
        segmenter.workspace.shown(bench.node)
    record.set_document(bench.node, record.kept_document(bench.node).replace('"shape": [24, ', '"shape": [23, '))
    segmenter.workspace.forget(bench.node)
    with pytest.raises(RadiographError, match="belongs to an image of 28 x 26 x 23 voxels, which ct is not"):
        segmenter.workspace.shown(bench.node)


def test_what_is_refused_and_leaves_the_scene_as_it_was(segmenter, model, scene):
    voxels, _truth, geometry = block()
    stack = add_volume(scene, voxels, geometry, "stack")
    for node, options, reason in (
        (stack, {}, "stack has 24 slices, and a radiograph is one; choose the slice to segment, or a model for vol"),
        (add_volume(scene, voxels[:1], geometry, "film"), {"model": model}, "film holds a single slice"),
        (stack, {"model": model, "slice_index": 3}, "takes whole volumes: leave the slice out"),
        (add_volume(scene, block()[1].astype(np.uint8), geometry, "lab"), {"model": model}, "label map and no image"),
        (add_volume(scene, voxels, geometry, "map", "vtkMRMLLabelMapVolumeNode"), {"model": model}, "label map, not"),
        (add_volume(scene, np.repeat(voxels[..., None], 3, -1), geometry, "rgb", "vtkMRMLVectorVolumeNode"),
         {"model": model}, "rgb has 3 values a voxel"),
        (stack, {"model": model, "method": "surfaces"}, "has no method 'surfaces'"),
        (stack, {"model": model, "engine": "numpy"}, "numpy can't compute models of volumes"),
    ):  # fmt: skip
        before = ids(scene)
        with pytest.raises(GrayscaleDetSegError, match=reason):
            segmenter.segment(node, **options)
        assert ids(scene) == before
    reading = segmenter.workspace.read_whole(stack)
    options = segmenter._options(None, "auto", True, None, "cpu", "auto", None, False)
    with pytest.raises(MethodError, match="takes radiographs, not volumes"):
        segmenter.engine.segment(reading.image, options)


def test_a_segmentation_of_one_slice_takes_no_whole_volume(segmenter, model):
    bench = Bench(segmenter, model)
    reading = segmenter.workspace.read(bench.volume, slice_index=3)
    assert not segmenter.workspace.fits(bench.node, reading)
    with pytest.raises(GrayscaleDetSegError, match="belongs to another image or slice"):
        segmenter.workspace.check_place(bench.node, reading)


def test_nothing_found_is_said_and_shows_nothing(segmenter, scene, tmp_path):
    blind = write_model(tmp_path / "blind", networks=bright_networks(least=50.0))
    volume = add_volume(scene, block()[0], block()[2], "dull")
    before = ids(scene)
    found = segmenter.segment(volume, model=blind)
    assert found.objects == () and found.outcome is None and "No block was found." in found.message
    assert ids(scene) == before


def test_progress_says_stage_view_and_round_and_can_end_it(segmenter, model, scene):
    voxels, _truth, geometry = block()
    volume, said = add_volume(scene, voxels, geometry), []
    segmenter.segment(volume, model=model, progress=said.append)
    assert {"coarse, coronal", "round 1, axial", "masks"} <= set(said)
    for stage in dict.fromkeys(said[1:]):
        def ends(each, stage=stage):
            if each == stage:
                raise KeyboardInterrupt

        before = ids(scene)
        with pytest.raises(KeyboardInterrupt):
            segmenter.segment(volume, model=model, progress=ends)
        assert ids(scene) == before


def _box(bench, corners, name="box"):
    return regions.add_region(bench.scene, bench.volume, bench.grid, corners, name, (255, 0, 0))


@pytest.mark.parametrize("place", ["plain", "oblique", "flipped"])
def test_a_dragged_box_is_where_the_rounds_begin(segmenter, model, place):
    """The block has a look-alike; the box decides which of the two is found."""
    bench = Bench(segmenter, model, place, is_moved=True)
    voxels = volumes.values_of(bench.volume)
    voxels[18:22, 18:23, 20:25] = 950
    bench.volume.GetImageData().Modified()
    bench.volume.GetImageData().GetPointData().GetScalars().Modified()
    both = segmenter.segment(bench.volume, model=model)
    node, before = both.segmentation, both.objects[0]
    assert before.mask[20, 20, 22] and before.mask[8, 9, 11]
    known = ids(bench.scene)
    dragged = _box(bench, (19.0, 17.0, 17.0, 26.0, 24.0, 23.0))
    after = segmenter.move_box(node, "block", dragged, model=model)
    (item,) = after.objects
    assert not item.mask[8, 9, 11] and item.mask[18:22, 18:23, 20:25].all()
    assert item.region == pytest.approx((19, 17, 17, 26, 24, 23), abs=0.02) and item.explanation.drawn
    assert item.explanation.rounds[0].box == pytest.approx(item.region, abs=0.6)
    assert np.array_equal(bench.mask("block", node), item.mask)
    region = segmenter.workspace.outcome(node).regions["block"]
    assert regions.region_of(region, bench.volume, bench.grid) == pytest.approx(item.region, abs=0.02)
    assert segmenter.undo(node) and np.array_equal(bench.mask("block", node), before.mask)
    region = segmenter.workspace.outcome(node).regions["block"]
    assert regions.region_of(region, bench.volume, bench.grid) == pytest.approx(before.region, abs=0.02)
    assert ids(bench.scene) == known | {dragged.GetID(), dragged.GetDisplayNodeID()}


def test_a_painted_object_is_kept_hidden_when_its_box_is_dragged(segmenter, model):
    bench = Bench(segmenter, model)
    painted = bench.paint()
    segmenter.move_box(bench.node, "block", _box(bench, (9, 7, 5, 24, 16, 15)), model=model)
    segments = bench.node.GetSegmentation()
    names = [segments.GetNthSegment(number).GetName() for number in range(segments.GetNumberOfSegments())]
    assert names == ["block", "block (edited)"]
    assert np.array_equal(bench.mask(segments.GetNthSegmentID(1)), painted)
    assert not bench.node.GetDisplayNode().GetSegmentVisibility(segments.GetNthSegmentID(1))
    assert bench.mask().sum() == bench.truth.sum()


def test_a_volume_is_no_training_case(segmenter, model, tmp_path):
    bench = Bench(segmenter, model)
    with pytest.raises(OutputError, match="single slices; save the volume and its segmentation"):
        save_case(bench.node, bench.volume, tmp_path, bench.grid)


def test_boxes_that_lead_nowhere(segmenter, model):
    bench = Bench(segmenter, model)
    before = bench.mask()
    for corners, name, reason in (
        ((1, 20, 18, 4, 24, 22), "block", "No block was found from this box"),
        ((90, 90, 90, 99, 99, 99), "block", "lies beside ct; move it onto the image"),
        ((8, 8, 8, 12, 12, 12), "liver", "has no object 'liver', but block"),
    ):
        with pytest.raises(GrayscaleDetSegError, match=reason):
            segmenter.move_box(bench.node, name, _box(bench, corners), model=model)
    with pytest.raises(UnknownClassError, match="does not know 'liver': choose one of block"):
        segmenter.segment_region(bench.volume, _box(bench, (8, 8, 6, 12, 12, 12)), "liver", model=model)
    assert np.array_equal(bench.mask(), before) and not segmenter.undo(bench.node)
    bench.node.SetAndObserveTransformNodeID(add_bending_transform(bench.scene).GetID())
    with pytest.raises(RadiographError, match="lies under a transform that bends it"):
        segmenter.move_box(bench.node, "block", _box(bench, (8, 8, 6, 12, 12, 12)), model=model)


def test_an_organ_whose_box_is_dragged_takes_its_parts_along(segmenter, tmp_path):
    folder = write_model(tmp_path / "heart", [dict(part) for part in PARTS], method="organ_then_part")
    bench = Bench(segmenter, folder)
    assert [item.name for item in bench.found.objects] == ["heart", "left ventricle"]
    inner = bench.found.objects[1]
    assert inner.within == "heart" and {"heart", "left ventricle"} == {item.label for item in bench.found.objects}
    said = []
    after = segmenter.move_box(bench.node, "heart", _box(bench, (9, 7, 5, 24, 16, 15)), model=folder,
                               progress=said.append)
    assert "heart: round 1, axial" in said and "left ventricle: coarse, axial" in said
    assert [item.name for item in after.objects] == ["heart", "left ventricle"]
    said.clear()
    part = segmenter.move_box(bench.node, "left ventricle", _box(bench, (9, 7, 5, 24, 16, 15)), model=folder,
                              progress=said.append)
    assert part.objects[1].explanation.drawn and not any(stage.startswith("heart") for stage in said)
    assert part.objects[0].mask.sum() == after.objects[0].mask.sum(), "what lies within may share its voxels"
    with pytest.raises(MethodError, match="lies away from the heart"):
        segmenter.move_box(bench.node, "left ventricle", _box(bench, (1, 22, 20, 3, 25, 23)), model=folder)


def test_a_box_drawn_where_nothing_was_found_makes_a_result_or_joins_one(segmenter, model):
    bench = Bench(segmenter, model)
    box = _box(bench, (9, 7, 5, 24, 16, 15))
    found = segmenter.segment_region(bench.volume, box, "block", model=model)
    assert isinstance(found.result, VolumeResult) and found.segmentation is not bench.node
    assert found.objects[0].voxel_count == bench.truth.sum()
    segmenter.workspace.remove_object(bench.node, "block")
    joined = segmenter.segment_region(bench.volume, box, "block", model=model, segmentation=bench.node)
    assert joined.segmentation is bench.node and bench.mask().sum() == bench.truth.sum()


def test_a_volume_with_another_spacing_than_its_file_keeps_its_masks(segmenter, model):
    from GrayscaleDetSegLib.logic import file_spacing

    bench = Bench(segmenter, model)
    before = bench.mask()
    file_spacing._change(segmenter.workspace, bench.volume, [0.5, 0.5, 2.0])
    assert np.array_equal(bench.mask(), before)
    assert segmenter.workspace.shown(bench.node).result.objects[0].volume_mm3 == pytest.approx(before.sum() * 0.5)


def test_distances_that_no_scan_has_are_told(segmenter, scene):
    volume = add_volume(scene, block()[0])
    volume.SetSpacing(1400.0, 1400.0, 2000.0)
    assert any("1400 x 1400 x 2000 mm apart" in note for note in segmenter.workspace.read_whole(volume).image.notes)


def test_segments_added_by_hand_stay(segmenter, model):
    bench = Bench(segmenter, model)
    segment = slicer.vtkSegment()
    segment.SetName("implant")
    extra = np.zeros(bench.grid.shape, bool)
    extra[3:6, 3:6, 3:6] = True
    segment.AddRepresentation(masks.binary(), masks.label_map(bench.node, bench.volume, bench.grid, extra))
    bench.node.GetSegmentation().AddSegment(segment, "implant")
    assert segmentation.edits_of(bench.node, bench.volume, bench.grid).added == ("implant",)
    segmenter.segment(bench.volume, model=model, segmentation=bench.node)
    assert np.array_equal(bench.mask("implant"), extra) and bench.mask().any()
    assert np.allclose(ijk_to_ras(bench.grid.geometry), bench.grid.ijk_to_ras)


@pytest.mark.parametrize("place", ["plain", "oblique", "flipped", "sideways", "anisotropic"])
def test_the_weights_lie_where_they_were_used(segmenter, tmp_path, place):
    """With g = 1 + 2 p they are 3 in the block and 1 around it: the map, sampled in the body, shows the block."""
    folder = write_model(tmp_path / "rstn", [{"method": "rstn", "label": "block"}],
                         networks=bright_networks({"saliency": "3x3"}, weight=2.0))
    bench = Bench(segmenter, folder, place, is_moved=True)
    made = show_seen(segmenter.workspace, bench.node, "block")
    assert set(made) == {"Red", "Yellow", "Green"} and set(bench.outcome.seen) == set(made.values())
    mask = bench.mask()
    for node in made.values():
        grid = volumes.grid_of(node, WHOLE)
        values = volumes.values_of(node)
        places = np.argwhere(np.ones(values.shape, bool))[:, ::-1]
        to_image = np.linalg.inv(bench.grid.ijk_to_ras) @ grid.ijk_to_ras
        voxels = np.rint(moved(to_image, places)).astype(int)[:, ::-1]
        inside = mask[tuple(voxels.T)].reshape(values.shape, order="C")
        weights = values.ravel()
        assert inside.any() and not inside.all()
        assert np.median(weights[inside.ravel()]) > 2.5 and np.median(weights[~inside.ravel()]) < 1.5
        assert node.GetParentTransformNode() is bench.volume.GetParentTransformNode()
    again = show_seen(segmenter.workspace, bench.node, "block")
    assert len(bench.outcome.seen) == 3 and not set(again.values()) & set(made.values())
    segmenter.segment(bench.volume, model=folder, segmentation=bench.node)
    assert bench.outcome.seen == (), "they were those of the result before"
    with pytest.raises(GrayscaleDetSegError, match="nothing to show of 'unheard'"):
        show_seen(segmenter.workspace, bench.node, "unheard")
