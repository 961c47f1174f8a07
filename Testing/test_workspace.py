"""Results in the scene: shown, found again, changed, edited by hand, brought back, and never half done."""

from __future__ import annotations

import pytest

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import kept_copies, regions
from Testing.fakes import GEOMETRIES, bar, found, letter_l
from Testing.rigged import Bench
from Testing.scene_nodes import ids, scene_with_logics

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.mark.parametrize("is_moved, stack", [(False, 0), (True, 3)])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_shown_and_found_again(name, is_moved, stack, scene):
    bench = Bench(scene, name, stack, is_moved)
    shown, parts = bench.space.shown(bench.node), bench.space.outcome(bench.node)
    assert (bench.mask("femur") == letter_l()).all() and (bench.mask("femur_2") == bar()).all()
    assert shown.identities == ("femur", "femur_2") == tuple(parts.regions) and parts.volume is bench.volume
    assert shown.object_of("femur_2").name == "femur 2" and shown.object_of("tibia") is None
    assert bench.rows() == [("femur", letter_l().sum()), ("femur 2", bar().sum())]
    assert bench.space.grid(bench.node).index == (2 if stack else 0)
    assert bench.node.GetParentTransformNode() is bench.volume.GetParentTransformNode()
    for item, region in zip(shown.result.objects, parts.regions.values()):
        assert regions.region_of(region, bench.volume, bench.reading.grid) == pytest.approx(item.region, abs=0.02)
    other = Workspace(scene).shown(bench.node)  # which knows of the result by its node alone
    assert other.identities == shown.identities
    for one, two in zip(shown.result.objects, other.result.objects):
        assert (one.mask == two.mask).all() and one.area_mm2 == two.area_mm2
        assert one.thresholds.interval == two.thresholds.interval
    assert bench.space.results_on(bench.volume) == [bench.node] and not bench.space.would_lose_edits(bench.node)
    assert not bench.space.is_writing and not bench.space.undo(bench.node)


def test_a_second_run_into_the_same_result(scene):
    bench = Bench(scene)
    nodes, before = ids(scene), bench.state()
    item = found(bench.reading.radiograph, "tibia", "tibia", bar())
    parts = bench.show(bench.node, (item,), "inverted")
    assert parts.segmentation is bench.node and bench.segments() == ["tibia"] and list(parts.regions) == ["tibia"]
    assert len(ids(scene)) == len(nodes) - 2  # one region and its display less
    assert bench.space.undo(bench.node)
    after = bench.state()
    assert len(after.pop("nodes")) == len(before.pop("nodes")) and after == before
    assert not bench.space.undo(bench.node)


def test_a_new_node_by_default(scene):
    bench = Bench(scene)
    second = bench.show().segmentation
    assert second is not bench.node and bench.space.results_on(bench.volume) == [bench.node, second]
    bench.paint(node=second)
    assert (bench.mask("femur") == letter_l()).all() and bench.space.would_lose_edits(second)
    assert not bench.space.would_lose_edits(bench.node)


@pytest.mark.parametrize("is_moved", [False, True])
def test_into_a_segmentation_of_the_users(is_moved, scene):
    """Empty, it takes the volume's place; what the user has drawn in it stays where it is."""
    bench = Bench(scene, is_moved=is_moved, shows=False)
    for is_empty in (True, False):
        node = bench.own_node()
        if not is_empty:
            bench.add_segment("femur", node)
        before = {} if is_empty else {"femur": bench.mask("femur", node).tobytes()}
        nodes, references = ids(scene), node.GetReferenceImageGeometryReferenceRole()
        bench.show(node)
        assert (node.GetParentTransformNode() is bench.volume.GetParentTransformNode()) == (is_empty or not is_moved)
        shown = bench.space.shown(node)
        assert shown.identities == (("femur", "femur_2") if is_empty else ("femur-2", "femur_2"))
        assert (bench.mask(shown.identities[0], node) == letter_l()).all()
        assert all(bench.mask(each, node).tobytes() == mask for each, mask in before.items())
        assert node.GetNodeReference(references) is bench.volume and not bench.space.would_lose_edits(node)
        assert bench.space.undo(node)
        assert {each: bench.mask(each, node).tobytes() for each in bench.segments(node)} == before
        assert ids(scene) == nodes and bench.space.shown(node) is None and bench.space.outcome(node).volume is None
        assert bench.space.results_on(bench.volume) == []


def test_refused(scene):
    bench, stack = Bench(scene), Bench(scene, stack=3)
    before, nodes = bench.state(), ids(scene)
    other = Bench(scene, shows=False)
    with pytest.raises(GrayscaleDetSegError, match="image segmentation.* belongs to another image or slice; choose"):
        other.show(bench.node)
    stack.stack = 2
    with pytest.raises(GrayscaleDetSegError, match="belongs to another image or slice"):
        stack.show(stack.node)
    gone = bench.own_node()
    scene.RemoveNode(gone)
    for node in (gone, bench.volume):
        with pytest.raises(GrayscaleDetSegError, match="is no segmentation of this scene"):
            bench.show(node)
    scene.RemoveNode(stack.volume)  # what is edited there is nobody's to replace
    with pytest.raises(GrayscaleDetSegError, match="belongs to another image"):
        other.show(stack.node)
    assert bench.state() | {"nodes": 0} == before | {"nodes": 0} and nodes - ids(scene) != nodes
    assert stack.space.shown(stack.node) is None


def test_what_was_done_by_hand_is_shown(scene):
    bench = Bench(scene, "anisotropic")
    painted = bench.paint()
    bench.node.GetSegmentation().GetSegment("femur_2").SetName("other bone")
    shown = bench.space.shown(bench.node)
    assert (shown.result.objects[0].mask == painted).all() and not shown.result.objects[0].mask.flags.writeable
    assert shown.result.objects[0].area_mm2 == pytest.approx(painted.sum() * 0.06)
    assert [item.name for item in shown.result.objects] == ["femur", "femur 2"]
    bench.node.GetSegmentation().RemoveSegment("femur")
    shown = bench.space.shown(bench.node)
    assert shown.identities == ("femur_2",) and shown.object_of("femur") is None
    for space in (bench.space, Workspace(scene)):
        assert [item.name for item in space.shown(bench.node).result.objects] == ["femur 2"]


def test_sync_brings_the_nodes_up_to_hand_edits(scene):
    bench = Bench(scene)
    bench.space.show_object(bench.node, "femur")
    parts, events = bench.space.outcome(bench.node), []
    for each in (parts.table, parts.cloud, *parts.regions.values(), bench.node):
        each.AddObserver("AnyEvent", lambda *_: events.append(bench.space.is_writing))
    before = bench.space.sync(bench.node)
    assert not events and before.identities == ("femur", "femur_2")
    painted = bench.paint("femur_2")
    assert bench.rows()[1][1] != painted.sum()
    events.clear()
    bench.space.sync(bench.node)
    assert bench.rows()[1] == ("femur 2", painted.sum()) and events and all(events)
    assert bench.space.would_lose_edits(bench.node)
    bench.node.GetSegmentation().RemoveSegment("femur")
    assert bench.space.sync(bench.node).identities == ("femur_2",)
    parts = bench.space.outcome(bench.node)
    assert list(parts.regions) == ["femur_2"] and parts.threshold_nodes == [] and len(bench.rows()) == 1
    scene.RemoveNode(parts.table)
    scene.RemoveNode(parts.regions["femur_2"])  # by the user, who does not want it
    nodes = ids(scene)
    assert bench.space.sync(bench.node) is not None and ids(scene) == nodes
    assert bench.space.sync(bench.own_node()) is None


def test_found_again_in_a_saved_scene(tmp_path):
    scene = scene_with_logics(tmp_path)
    bench = Bench(scene, stack=3, is_moved=True)
    painted = bench.paint()
    kept_copies.keep_copy(bench.node, "femur_2")
    path = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(path), None)
    loaded = scene_with_logics(tmp_path)
    assert loaded.ReadFromMRB(str(path))
    space, volume = Workspace(loaded), loaded.GetFirstNodeByName("image")
    (node,) = space.results_on(volume)
    shown = space.shown(node)
    assert [(item.name, item.pixel_count) for item in shown.result.objects] == [
        ("femur", painted.sum()), ("femur 2", bar().sum())
    ]
    assert space.grid(node).index == 2 and set(space.outcome(node).regions) == {"femur", "femur_2"}
    assert space.would_lose_edits(node)
    space.remember(node)
    space.remove_object(node, "femur_2")
    assert space.undo(node) and (space.shown(node).result.objects[1].mask == bar()).all()
    assert space.show_object(node, "femur") is not None
    for each in (scene, loaded):
        each.Clear(True)


def test_two_workspaces_on_one_scene(scene):
    """A script's and the panel's: each sees what the other has done."""
    bench = Bench(scene)
    other = Workspace(scene)
    bench.drag("femur_2", 30.0)
    assert other.shown(bench.node).result.objects[1].thresholds.interval == (30.0, 255.0)
    other.remember(bench.node)
    other.remove_object(bench.node, "femur")
    assert bench.space.shown(bench.node).identities == ("femur_2",)
    assert bench.space.undo(bench.node) and other.shown(bench.node).identities == ("femur", "femur_2")
    assert other.shown(bench.node).result.objects[1].thresholds.interval == (140.0, 255.0)


def test_names_that_make_one_id(scene):
    bench, image = Bench(scene, shows=False), None
    image = bench.reading.radiograph
    objects = (found(image, "tooth 1", "tooth", letter_l()), found(image, "tooth-1", "tooth", bar()))
    node = bench.show(objects=objects).segmentation
    assert bench.segments(node) == ["tooth_1", "tooth_1-2"] and (bench.mask("tooth_1", node) == letter_l()).all()
    assert [item.name for item in bench.space.shown(node).result.objects] == ["tooth 1", "tooth-1"]
