"""Only the chosen result is in view; what the user has hidden or shown himself stays so."""

from __future__ import annotations

import pytest

from GrayscaleDetSegLib.logic.workspace import Workspace
from Testing.rigged import Bench
from Testing.scene_nodes import scene_with_logics

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def displays(bench, node):
    found = bench.space.outcome(node)
    return [each.GetDisplayNode() for each in (node, *found.regions.values(), *found.threshold_nodes)]


def seen(bench, node):
    return [bool(each.GetVisibility()) for each in displays(bench, node)]


def results(scene):
    """Two results on one image, and one on another; each with its cloud."""
    first, other = Bench(scene), Bench(scene, "plain")
    second = first.show().segmentation
    for node in (first.node, second, other.node):
        first.space.show_object(node, "femur")
    return first, [first.node, second, other.node]


def test_one_result_at_a_time(scene):
    bench, nodes = results(scene)
    mine = bench.own_node()
    for chosen in (*nodes, nodes[0], None, nodes[1]):
        bench.space.show_only(chosen)
        for node in nodes:
            assert len(seen(bench, node)) == 7 and seen(bench, node) == [node is chosen] * 7
        assert mine.GetDisplayNode().GetVisibility() and not bench.space.is_writing


def test_what_the_user_has_hidden_stays_hidden(scene):
    bench, (first, second, _other) = results(scene)
    bench.space.show_only(first)
    _mask, region, *_ = displays(bench, first)
    region.SetVisibility(False)
    first.GetDisplayNode().SetSegmentVisibility("femur_2", False)
    for chosen in (second, None, first):
        bench.space.show_only(chosen)
        assert not region.GetVisibility() and not first.GetDisplayNode().GetSegmentVisibility("femur_2")
    assert seen(bench, first) == [True, False, *[True] * 5]


def test_what_the_user_has_shown_stays_in_view(scene):
    """To compare, he lets the masks of another result show."""
    bench, (first, second, other) = results(scene)
    bench.space.show_only(first)
    displays(bench, second)[0].SetVisibility(True)
    for chosen in (first, other, None, first):
        bench.space.show_only(chosen)
        assert seen(bench, second) == [True, *[False] * 6]
    displays(bench, second)[0].SetVisibility(False)  # seen enough
    for chosen, on in ((other, False), (second, True), (first, False)):
        bench.space.show_only(chosen)
        assert seen(bench, second) == [on] * 7


def test_in_a_saved_scene(tmp_path):
    scene = scene_with_logics(tmp_path)
    bench, (first, second, _other) = results(scene)
    bench.space.show_only(first)
    names, path = (first.GetName(), second.GetName()), tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(path), None)
    loaded = scene_with_logics(tmp_path)
    assert loaded.ReadFromMRB(str(path))
    first, second = (loaded.GetFirstNodeByName(name) for name in names)
    bench.space = Workspace(loaded)
    assert not any(seen(bench, second))
    bench.space.show_only(second)
    assert all(seen(bench, second)) and not any(seen(bench, first))
    for each in (scene, loaded):
        each.Clear(True)
