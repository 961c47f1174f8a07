"""Locked objects: whatever would change one asks before, or says why it does not."""

from __future__ import annotations

import pytest

from GrayscaleDetSegLib.core.editing import with_region
from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.scene import kept_copies, locks
from Testing.rigged import Bench, film, rigged_engine
from Testing.scene_nodes import add_volume
from Testing.test_workspace_changes import CHANGES

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.mark.parametrize("kind", ["drag", "region", "delete"])
def test_a_locked_object_is_not_written(kind, scene):
    bench = Bench(scene)
    locks.set_locked(bench.node, "femur", True)
    before = bench.state()
    with pytest.raises(GrayscaleDetSegError, match=r"^Femur is locked; unlock it in the table first\.$"):
        CHANGES[kind](bench)
    assert bench.state() == before and not bench.space.can_undo(bench.node)
    locks.set_locked(bench.node, "femur", False)
    CHANGES[kind](bench)


def test_undo_leaves_an_object_that_was_locked_since(scene):
    bench = Bench(scene)
    first = bench.mask("femur")
    bench.drag("femur", 200.0)
    locks.set_locked(bench.node, "femur", True)
    dragged = bench.mask("femur")
    with pytest.raises(GrayscaleDetSegError, match="^Femur is locked, and Undo would change it; unlock it"):
        bench.space.undo(bench.node)
    assert (bench.mask("femur") == dragged).all() and bench.space.can_undo(bench.node)
    locks.set_locked(bench.node, "femur", False)
    assert bench.space.undo(bench.node) and (bench.mask("femur") == first).all()


def test_undo_takes_no_added_object_away_that_was_locked_since(scene):
    bench = Bench(scene)
    CHANGES["another object"](bench)
    locks.set_locked(bench.node, "tibia", True)
    with pytest.raises(GrayscaleDetSegError, match="^Tibia is locked, and Undo would change it"):
        bench.space.undo(bench.node)
    assert "tibia" in bench.segments()


def test_undo_leaves_the_locks_of_the_others(scene):
    bench = Bench(scene)
    locks.set_locked(bench.node, "femur_2", True)
    bench.drag("femur", 200.0)
    bench.drag("femur", 210.0)
    locks.set_locked(bench.node, "femur_2", False)
    assert bench.space.undo(bench.node) and not locks.is_locked(bench.node, "femur_2")
    locks.set_locked(bench.node, "femur_2", True)
    assert bench.space.undo(bench.node) and locks.is_locked(bench.node, "femur_2")


def test_undo_is_not_refused_for_a_locked_object_that_has_followed_its_image(scene):
    bench = Bench(scene)
    bench.space.remember(bench.node)  # as a script does: nothing tells where its change ends
    first = bench.mask("femur")
    bench.paint("femur")
    bench.volume.SetSpacing(0.2, 0.2, 1.0)
    bench.space.sync(bench.node)
    locks.set_locked(bench.node, "femur_2", True)
    assert bench.space.undo(bench.node) and locks.is_locked(bench.node, "femur_2")
    bench.space.sync(bench.node)
    bench.reading = bench.read()
    assert (bench.mask("femur") == first).all()


def test_what_was_replaced_with_the_users_consent_comes_back(scene):
    """The panel asks before a run replaces locked objects, and says that Undo brings them back."""
    bench = Bench(scene)
    painted = bench.paint()
    locks.set_locked(bench.node, "femur", True)
    bench.show(bench.node)
    assert locks.is_locked(bench.node, "femur") and (bench.mask("femur") != painted).any()
    assert bench.space.undo(bench.node) and (bench.mask("femur") == painted).all()
    assert locks.is_locked(bench.node, "femur")


def test_a_hidden_copy_is_not_locked(scene):
    """No row of the table could unlock it."""
    bench = Bench(scene)
    locks.set_locked(bench.node, "femur", True)
    copy = kept_copies.keep_copy(bench.node, "femur")
    assert not locks.is_locked(bench.node, copy) and locks.is_locked(bench.node, "femur")
    assert not locks.is_locked(bench.node, "gone")
    locks.set_locked(bench.node, "gone", True)
    assert bench.space.holds_locked(bench.node)
    locks.set_locked(bench.node, "femur", False)
    assert not bench.space.holds_locked(bench.node)


def test_a_run_from_the_console_asks_for_consent(scene):
    segmenter, volume = Segmenter(scene, rigged_engine()), add_volume(scene, film())
    node = segmenter.segment(volume).segmentation
    locks.set_locked(node, "femur", True)
    with pytest.raises(GrayscaleDetSegError, match=r"image segmentation holds locked objects; .*replace_edits=True"):
        segmenter.segment(volume, segmentation=node)
    assert segmenter.segment(volume, segmentation=node, replace_edits=True).segmentation is node


def test_an_object_that_was_locked_while_it_was_looked_for(scene):
    bench = Bench(scene)
    moved = with_region(bench.pipeline, bench.space.shown(bench.node).result, "femur", (10.0, 5.0, 40.0, 60.0))
    locks.set_locked(bench.node, "femur", True)
    before = bench.state()
    for replaced in ({"identity": "femur"}, {"instead_of": "femur"}):
        with pytest.raises(GrayscaleDetSegError, match="^Femur is locked"):
            bench.space.write_object(bench.node, moved, "femur", **replaced)
    with pytest.raises(GrayscaleDetSegError, match="^Femur is locked"):
        bench.space.write_objects(bench.node, moved, ["femur"])
    assert bench.state() == before
