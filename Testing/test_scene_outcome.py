"""A whole result in the scene: connected, stored, loaded again from .mrb, and removed without a trace."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core import codec
from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.core.radiograph import Spacing
from GrayscaleDetSegLib.scene import (
    axis,
    cloud,
    hierarchy,
    live,
    masks,
    outcome,
    record,
    regions,
    segmentation,
    surface_models,
    table,
    threshold_box,
    volumes,
)
from GrayscaleDetSegLib.scene.frame import CloudFrame
from GrayscaleDetSegLib.scene.nodes import remove
from Testing.fakes import GEOMETRIES, SHAPE, bar, found, letter_l, radiograph, result
from Testing.scene_nodes import add_transform, add_volume, ids, recoloured, scene_with_logics

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

VIEW = ["vtkMRMLViewNodePointCloud"]


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


def surfaces_result(image):
    """L by surfaces with a closed cell, bar by the single box with an open top."""
    generator = np.random.default_rng(2)
    low = generator.uniform(-5, 150, (9, 7)).astype(np.float32)
    high = generator.uniform(140, 280, (9, 7)).astype(np.float32)
    field = ThresholdMap((12.25, 7.5, 70.0, 50.0), low, high)
    objects = (
        found(image, "right lung", "right lung", letter_l(), field=field),
        found(image, "femur 2", "femur", bar(), low=120.0, score=0.71),
    )
    return result(image, objects, device="cuda")


def show(scene, volume, whole=None, index=0, shown=0):
    """All nodes of a result, as the logic will make them."""
    grid = volumes.grid_of(volume, index)
    whole = surfaces_result(volumes.read_volume(volume, index)) if whole is None else whole
    image, item = whole.radiograph, whole.objects[shown]
    node = segmentation.add_segmentation_for(volume, grid, whole, scene)
    identities = segmentation.segment_ids(node)
    record.keep_result(node, whole, grid)
    roi, color = item.thresholds.field.roi, anatomy(item.label).color
    frame = CloudFrame.of(image, roi)
    parts = outcome.Outcome(
        node,
        volume,
        {
            identity: regions.add_region(scene, volume, grid, each.region, each.name, anatomy(each.label).color)
            for identity, each in zip(identities, whole.objects)
        },
        table.add_table(scene, whole),
        cloud.add_cloud(scene, image, roi, item.thresholds.field, frame, item.name, color, VIEW),
        *axis.add_axis(scene, frame, roi, item.name, VIEW),
        threshold_box.add_threshold_box(scene, frame, roi, item.thresholds.interval, item.name, color, VIEW),
        surface_models.add_surfaces(scene, frame, item.thresholds.field, item.name, VIEW),
    )
    outcome.connect(parts, identities[shown])
    return parts


def volume_in(scene, name="turned"):
    return add_volume(scene, np.array(radiograph().pixels), GEOMETRIES[name])


def test_everything_finds_everything(scene):
    volume = volume_in(scene)
    parts = show(scene, volume)
    again = outcome.outcome_of(parts.segmentation)
    assert again == parts and again.shown_segment == "right_lung"
    assert set(again.regions) == {"right_lung", "femur_2"}
    for node in again.helpers:
        assert outcome.segmentation_of(node) is parts.segmentation
    assert outcome.segmentation_of(volume) is None
    second = show(scene, volume)
    assert [each.segmentation for each in outcome.outcomes_of(scene, volume)] == [
        parts.segmentation, second.segmentation
    ]
    assert outcome.outcomes_of(scene, volume_in(scene)) == []


def test_a_node_deleted_by_somebody_is_missing_and_no_more(scene):
    parts = show(scene, volume_in(scene))
    scene.RemoveNode(parts.regions["right_lung"])
    scene.RemoveNode(parts.box)
    scene.RemoveNode(parts.surfaces[0])
    again = outcome.outcome_of(parts.segmentation)
    assert set(again.regions) == {"femur_2"} and again.box is None and len(again.surfaces) == 1
    outcome.remove_helpers(again)


def test_a_copy_of_the_segmentation_owns_nothing(scene):
    """Cloned in the Data module, with attributes and references: its removal leaves the nodes of the original."""
    parts = show(scene, volume_in(scene))
    copy = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    copy.Copy(parts.segmentation)
    copied = outcome.outcome_of(copy)
    assert copied.helpers == [] and copied.volume is parts.volume
    outcome.remove_helpers(copied)
    assert outcome.outcome_of(parts.segmentation) == parts


@pytest.mark.parametrize("with_hierarchy", [False, True])
def test_removal_leaves_nothing(with_hierarchy, scene):
    volume = volume_in(scene)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if with_hierarchy else None
    if tree:
        tree.CreateItem(tree.CreateStudyItem(tree.GetSceneItemID(), "study"), volume)
    before = ids(scene)
    items = tree.GetNumberOfItems() if tree else 0
    parts = show(scene, volume)
    kept = parts.helpers + [parts.segmentation]
    assert len(ids(scene) - before) == 2 * len(kept) - 1  # a display node each, but none for the table
    references = [node.GetReferenceCount() for node in kept]
    outcome.remove_thresholds(parts)
    assert parts.cloud is None and outcome.outcome_of(parts.segmentation).threshold_nodes == []
    outcome.remove_regions(parts, ["femur_2"])
    assert list(outcome.outcome_of(parts.segmentation).regions) == ["right_lung"]
    outcome.remove_helpers(parts)
    hierarchy.forget(scene, [parts.segmentation])  # as Slicer's own logic does
    remove(scene, [parts.segmentation])
    assert ids(scene) == before and (not tree or tree.GetNumberOfItems() == items)
    # nothing but the test holds them now
    del parts
    gc.collect()
    assert all(now.GetReferenceCount() < then for now, then in zip(kept, references))
    assert all(now.GetReferenceCount() == 1 for now in kept)
    assert volume.GetAttributeNames() == ()


def test_stored_files_go_with_their_nodes(scene, tmp_path):
    """A storage node, as saving leaves it, is removed with its node."""
    volume = volume_in(scene)
    before = ids(scene)
    parts = show(scene, volume)
    for node in (parts.segmentation, parts.cloud, parts.table):
        node.AddDefaultStorageNode()
    outcome.remove_helpers(parts)
    remove(scene, [parts.segmentation])
    assert ids(scene) == before


def test_removing_twice(scene):
    volume = volume_in(scene)
    parts = show(scene, volume)
    outcome.remove_helpers(parts)
    outcome.remove_helpers(parts)
    assert outcome.outcome_of(parts.segmentation).helpers == [] and parts.volume is volume


def test_beside_the_volume_in_the_subject_hierarchy(scene):
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    volume = volume_in(scene)
    study = tree.CreateStudyItem(tree.CreateSubjectItem(tree.GetSceneItemID(), "patient"), "study")
    tree.CreateItem(study, volume)
    parts = show(scene, volume)
    for node in (parts.segmentation, parts.table):
        assert tree.GetItemParent(tree.GetItemByDataNode(node)) == study
    folders = {tree.GetItemParent(tree.GetItemByDataNode(node)) for node in parts.threshold_nodes}
    folders |= {tree.GetItemParent(tree.GetItemByDataNode(node)) for node in parts.regions.values()}
    assert len(folders) == 1 and tree.GetItemParent(folders.pop()) == study
    count, item = tree.GetNumberOfItems(), tree.GetItemByDataNode(parts.segmentation)
    tree.SetItemParent(item, tree.GetSceneItemID())  # by the user
    outcome.connect(parts)  # again, after a change
    assert tree.GetNumberOfItems() == count and tree.GetItemParent(item) == tree.GetSceneItemID()


def test_without_subject_hierarchy_none_is_made(scene):
    show(scene, volume_in(scene))
    assert hierarchy.hierarchy_of(scene) is None


def same(first, second):
    """Results that agree in everything, masks and thresholds to the bit."""
    assert (first.radiograph.pixels == second.radiograph.pixels).all()
    for name in ("mapping", "polarity", "spacing", "notes", "modality"):
        assert getattr(first.radiograph, name) == getattr(second.radiograph, name), name
    for name in ("best_candidate", "score_threshold", "clean_up", "orientation", "device", "seconds", "model"):
        assert getattr(first, name) == getattr(second, name), name
    assert len(first.objects) == len(second.objects)
    for one, other in zip(first.objects, second.objects):
        assert (one.mask == other.mask).all() and not other.mask.flags.writeable
        assert one.thresholds.field.roi == other.thresholds.field.roi
        assert (one.thresholds.field.low == other.thresholds.field.low).all()
        assert (one.thresholds.field.high == other.thresholds.field.high).all()
        for name in ("name", "label", "region", "score", "method", "area_mm2"):
            assert getattr(one, name) == getattr(other, name), name
        assert codec.encode(one.explanation) == codec.encode(other.explanation)
    return True


@pytest.mark.parametrize("choice", ["auto", "inverted"])
def test_a_result_is_kept(choice, scene):
    volume = volume_in(scene)
    image = volumes.read_volume(volume, polarity=choice, context={"Modality": "DX"})
    image = replace(image, notes=("A note; with 100% of \"it\": ä.",), spacing=Spacing(0.3, 0.2, "PixelSpacing"))
    whole = surfaces_result(image)
    parts = show(scene, volume, whole)
    assert same(whole, record.kept_result(parts.segmentation, volume))
    assert record.kept_slice(parts.segmentation) == 0


def test_a_result_without_extras(scene):
    volume = volume_in(scene)
    image = replace(volumes.read_volume(volume), spacing=None)
    whole = result(image, best_candidate=None, clean_up=())
    parts = show(scene, volume, whole)
    assert same(whole, record.kept_result(parts.segmentation, volume))
    nothing = result(image, objects=())
    segmentation.show_objects(parts.segmentation, volume, volumes.grid_of(volume), ())
    record.keep_result(parts.segmentation, nothing, volumes.grid_of(volume))
    assert same(nothing, record.kept_result(parts.segmentation, volume))


def test_hand_edits_are_part_of_what_comes_back(scene):
    volume = volume_in(scene)
    parts, grid = show(scene, volume), volumes.grid_of(volume)
    masks.write_window(parts.segmentation, "femur_2", grid, np.ones((3, 3), bool), (slice(0, 3), slice(0, 3)))
    parts.segmentation.GetSegmentation().RemoveSegment("right_lung")
    (femur,) = record.kept_result(parts.segmentation, volume).objects
    assert femur.mask[:3, :3].all() and femur.pixel_count == bar().sum() + 9
    assert femur.area_mm2 == pytest.approx(femur.pixel_count * 0.2 * 0.3)


def test_no_result_another_version_and_another_volume(scene):
    volume = volume_in(scene)
    parts = show(scene, volume)
    other = add_volume(scene, np.array(radiograph((60, 80)).pixels), name="other")
    with pytest.raises(RadiographError, match="130 x 90 pixels, which other is not"):
        record.kept_result(parts.segmentation, other)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert record.kept_result(node, volume) is None and record.kept_slice(node) is None
    node.SetAttribute("GrayscaleDetSeg.result", '{"version": 999}')
    assert record.kept_result(node, volume) is None
    node.SetAttribute("GrayscaleDetSeg.result", '{"version": ')
    with pytest.raises(RadiographError, match="is damaged; segment again"):
        record.kept_result(node, volume)


@pytest.mark.parametrize("name", ["turned", "flipped"])
def test_saved_as_mrb_and_loaded_again(name, tmp_path):
    """Every kind of node, through Slicer's own bundle: connected as before, and ready to go on with."""
    scene = scene_with_logics(tmp_path)
    stack = np.stack([np.array(radiograph().pixels)] * 3)
    volume = add_volume(scene, stack, GEOMETRIES[name])
    volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    parts = show(scene, volume, index=1)
    whole = record.kept_result(parts.segmentation, volume)
    path = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(path), None)

    loaded = scene_with_logics(tmp_path)
    assert loaded.ReadFromMRB(str(path))
    new_volume = loaded.GetFirstNodeByName("image")
    (again,) = outcome.outcomes_of(loaded, new_volume)
    assert again.volume is new_volume and again.shown_segment == "right_lung"
    assert len(again.helpers) == len(parts.helpers)
    node, grid = again.segmentation, volumes.grid_of(new_volume, record.kept_slice(again.segmentation))
    assert grid.index == 1
    if name != "flipped":  # Slicer turns the slice axis of a left-handed file round; its pixels stay in their places
        assert np.allclose(grid.ijk_to_ras, volumes.grid_of(volume, 1).ijk_to_ras, atol=1e-6)
    assert same(whole, record.kept_result(node, new_volume))
    assert not segmentation.edits_of(node, new_volume, grid)
    for identity, item in zip(segmentation.segment_ids(node), whole.objects):
        assert regions.region_of(again.regions[identity], new_volume, grid) == pytest.approx(item.region, abs=0.02)
    item = whole.objects[0]
    assert threshold_box.interval_of(again.box) == pytest.approx(item.thresholds.interval, abs=0.01)
    assert cloud.frame_of(again.cloud) == cloud.frame_of(parts.cloud)
    assert cloud.pixel_of_point(again.cloud, 77) == cloud.pixel_of_point(parts.cloud, 77)
    assert again.cloud.GetDisplayNode().GetViewNodeIDs() == tuple(VIEW)
    inside = recoloured(parts.cloud, item.thresholds.field)
    assert recoloured(again.cloud, item.thresholds.field) == inside
    surface_models.set_surfaces(again.surfaces, item.thresholds.field.shifted(3.0))
    assert live.LiveMask(node, "right_lung", new_volume, grid).finish(bar(), (slice(0, SHAPE[0]), slice(0, SHAPE[1])))
    assert again.table.GetCellText(1, 0) == "femur 2" and again.table.GetNumberOfRows() == 2
    assert again.labels.GetNthControlPointLabel(5) == "255"
    before = ids(loaded)
    outcome.remove_helpers(again)
    remove(loaded, [again.segmentation])
    left = {loaded.GetNodeByID(node_id).GetClassName() for node_id in ids(loaded) & before}
    assert not left & {"vtkMRMLSegmentationNode", "vtkMRMLMarkupsROINode", "vtkMRMLModelNode", "vtkMRMLTableNode"}
    assert not {kind for kind in left if "Segmentation" in kind or "Markups" in kind or "Model" in kind}
    loaded.Clear(True)


def test_loaded_beside_another_scene(tmp_path):
    """Imported into a scene that has the same ids already: each result finds its own nodes."""
    scene = scene_with_logics(tmp_path)
    volume = volume_in(scene)
    show(scene, volume)
    path = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(path), None)
    assert scene.ReadFromMRB(str(path), False)
    nodes = [each for each in ids(scene) if each.startswith("vtkMRMLSegmentationNode")]
    first, second = (outcome.outcome_of(scene.GetNodeByID(each)) for each in sorted(nodes))
    assert first.volume is not second.volume and len(first.helpers) == len(second.helpers)
    assert not set(map(id, first.helpers)) & set(map(id, second.helpers))


def test_the_table(scene):
    whole = surfaces_result(radiograph(spacing=Spacing(0.3, 0.2, "PixelSpacing")))
    node = table.add_table(scene, whole)
    names = tuple(node.GetColumnName(number) for number in range(node.GetNumberOfColumns()))
    assert names == table.COLUMNS and node.GetNumberOfRows() == 2
    first, second = ({name: node.GetCellText(row, column) for column, name in enumerate(names)} for row in (0, 1))
    assert (first["Object"], second["Object"]) == ("right lung", "femur 2")
    assert (float(first["Score"]), float(second["Score"])) == (0.93, 0.71)
    assert (float(second["Bottom"]), float(second["Top"])) == (120.0, 255.0)
    units = whole.objects[1].thresholds.interval_units
    assert float(second["Bottom (image)"]) == pytest.approx(units[0], rel=1e-5) and second["Top (image)"] == table.OPEN
    assert int(first["Pixels"]) == letter_l().sum() and (first["Method"], second["Method"]) == ("surfaces", "box")
    assert float(first["Area"]) == pytest.approx(letter_l().sum() * 0.06, abs=0.05)
    assert float(first["Stability"]) == pytest.approx(0.988) and float(first["Confidence"]) == 0.9
    assert node.GetColumnUnitLabel("Area") == "mm2" and node.GetColumnTitle("Area") == "Area [mm2]"
    assert node.GetColumnDescription("Score") and node.GetLocked()


def test_the_table_follows_the_result(scene):
    node = table.add_table(scene, surfaces_result(radiograph()))
    assert node.GetCellText(0, table.COLUMNS.index("Area")) == ""  # without spacing no area in mm2
    events, before = [], ids(scene)
    node.AddObserver("ModifiedEvent", lambda *_: events.append(1))
    table.fill_table(node, result(objects=()))
    assert node.GetNumberOfRows() == 0 and node.GetNumberOfColumns() == len(table.COLUMNS) and len(events) == 1
    table.fill_table(node, surfaces_result(radiograph()))
    assert node.GetNumberOfRows() == 2 and ids(scene) == before
