"""Undo beside edits by hand: it takes back the last change, and nothing that was painted, added or named after it."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.logic import history
from GrayscaleDetSegLib.scene import kept_copies, masks
from Testing.fakes import bar
from Testing.rigged import Bench
from Testing.test_workspace_changes import CHANGES

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def copies(bench):
    return [each for each in bench.segments() if kept_copies.is_copy(bench.node, each)]


@pytest.mark.parametrize("shown_as", ["pixels", "shared label map", "surfaces"])
def test_what_was_painted_and_added_after_a_change_stays(shown_as, scene):
    """Another object is painted, and a segment added, in Segment Editor: only the drag is taken back."""
    bench = Bench(scene, is_moved=True, stack=3)
    before = bench.mask("femur")
    bench.drag("femur", 200.0)
    painted = bench.paint("femur_2", rows=(70, 80), columns=(0, 10))
    bench.add_segment("implant")
    segments = bench.node.GetSegmentation()
    segments.GetSegment("femur").SetName("old fracture")
    segments.GetSegment("femur").SetColor(0.25, 0.5, 0.75)
    bench.node.GetDisplayNode().SetSegmentVisibility("implant", False)
    if shown_as == "shared label map":
        segments.CollapseBinaryLabelmaps(False)
    elif shown_as == "surfaces":
        bench.node.CreateClosedSurfaceRepresentation()
    implant = bench.mask("implant")
    assert bench.space.undo(bench.node) and not bench.space.can_undo(bench.node)
    assert bench.segments() == ["femur", "femur_2", "implant"]
    assert (bench.mask("femur") == before).all() and (bench.mask("femur_2") == painted).all()
    assert (bench.mask("implant") == implant).all() and implant.any()
    assert not bench.node.GetDisplayNode().GetSegmentVisibility("implant")
    assert segments.GetSegment("femur").GetName() == "old fracture"
    assert segments.GetSegment("femur").GetColor() == (0.25, 0.5, 0.75)
    assert [item.pixel_count for item in bench.space.shown(bench.node).result.objects] == [before.sum(), painted.sum()]
    assert [count for _name, count in bench.rows()] == [before.sum(), painted.sum()]


def test_what_was_painted_without_an_event_stays(scene):
    from vtk.util.numpy_support import vtk_to_numpy

    bench = Bench(scene)
    bench.drag()
    image = bench.node.GetSegmentation().GetSegment("femur_2").GetRepresentation(masks.binary())
    vtk_to_numpy(image.GetPointData().GetScalars())[:60] = 1
    painted = bench.mask("femur_2")
    assert bench.space.undo(bench.node) and (bench.mask("femur_2") == painted).all()


def test_an_object_that_was_painted_after_its_change_is_kept_as_a_copy(scene):
    """The change and the edit are of one object: the former pixels come back, and the edited ones are beside them."""
    bench = Bench(scene)
    before = bench.mask("femur")
    bench.drag("femur", 200.0)
    painted = bench.paint("femur", rows=(70, 80), columns=(0, 10))
    assert bench.space.undo(bench.node) and (bench.mask("femur") == before).all()
    (copy,) = copies(bench)
    assert (bench.mask(copy) == painted).all() and not bench.node.GetDisplayNode().GetSegmentVisibility(copy)
    assert bench.space.shown(bench.node).identities == ("femur", "femur_2")


def test_an_added_object_that_was_painted_is_kept_as_a_copy(scene):
    bench = Bench(scene)
    CHANGES["another object"](bench)
    painted = bench.paint("tibia")
    assert bench.space.undo(bench.node) and bench.segments() == ["femur", "femur_2", *copies(bench)]
    assert (bench.mask(copies(bench)[0]) == painted).all()


def test_a_deleted_object_comes_back_beside_a_segment_that_has_its_id(scene):
    bench = Bench(scene)
    before = bench.mask("femur")
    CHANGES["delete"](bench)
    bench.add_segment("femur")
    drawn = bench.mask("femur")
    assert bench.space.undo(bench.node) and (bench.mask("femur") == before).all()
    (other,) = set(bench.segments()) - {"femur", "femur_2"}
    assert (bench.mask(other) == drawn).all()


def test_a_copy_that_was_taken_over_by_the_user_stays(scene):
    """A hidden copy of a drag, which somebody has shown and given a name of its own."""
    bench = Bench(scene)
    painted = bench.paint()
    bench.drag()
    (copy,) = copies(bench)
    bench.node.GetSegmentation().GetSegment(copy).SetName("callus")
    bench.node.GetDisplayNode().SetSegmentVisibility(copy, True)
    assert bench.space.undo(bench.node) and (bench.mask("femur") == painted).all()
    assert copies(bench) == [copy] and bench.node.GetDisplayNode().GetSegmentVisibility(copy)
    assert bench.node.GetSegmentation().GetSegment(copy).GetName() == "callus"


def test_several_changes_with_edits_between_them(scene):
    bench = Bench(scene)
    femur = bench.mask("femur")
    bench.drag("femur", 200.0)
    first = bench.paint("femur_2", rows=(70, 80), columns=(0, 10))
    bench.drag("femur", 210.0)
    both = bench.paint("femur_2", rows=(60, 64), columns=(0, 10))
    assert (both & ~first).any()
    for _ in range(2):
        assert bench.space.undo(bench.node) and (bench.mask("femur_2") == both).all()
    assert (bench.mask("femur") == femur).all() and not bench.space.can_undo(bench.node) and not copies(bench)


def test_a_run_is_taken_back_and_what_was_painted_on_it_is_kept(scene):
    bench = Bench(scene)
    first = bench.paint()
    CHANGES["run"](bench)
    assert bench.segments() == ["tibia"]
    painted = bench.paint("tibia")
    assert bench.space.undo(bench.node) and bench.segments() == ["femur", "femur_2", *copies(bench)]
    assert (bench.mask("femur") == first).all() and (bench.mask("femur_2") == bar()).all()
    (copy,) = copies(bench)
    assert np.array_equal(bench.mask(copy), painted)


def test_a_script_that_keeps_a_state_takes_its_own_changes_back(scene):
    """The end of its change is not known: all that follows is the change."""
    bench = Bench(scene)
    before = bench.state()
    bench.space.remember(bench.node)
    bench.paint()
    bench.add_segment()
    assert bench.space.undo(bench.node) and bench.state() == before


def test_states_hold_no_pixels_twice(scene):
    """What a change leaves behind is what the next one finds."""
    bench = Bench(scene)
    size = bench.reading.radiograph.pixels.size
    bench.drag("femur", 200.0)
    first = history.held_bytes(bench.space.history.states(bench.node))
    bench.drag("femur", 210.0)
    second = history.held_bytes(bench.space.history.states(bench.node))
    assert size < second - first < 2 * size  # the new label map, and a cropped mask
