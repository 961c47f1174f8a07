"""The store of one result: it reads no pixel twice, and sees whatever somebody else has done."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import masks, record
from Testing.rigged import Bench, change
from Testing.scene_nodes import add_transform

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture
def read(monkeypatch):
    """The segments whose pixels were read."""
    found, true = [], masks.mask_of

    def noted(node, identity, *where):
        found.append(identity)
        return true(node, identity, *where)

    for module in (masks, record):
        monkeypatch.setattr(module, "mask_of", noted)
    return found


def in_place(bench, identity, value=1):
    """As scripts do it: the array in the segment, and then the events."""
    from vtk.util.numpy_support import vtk_to_numpy

    image = bench.node.GetSegmentation().GetSegment(identity).GetRepresentation(masks.binary())
    vtk_to_numpy(image.GetPointData().GetScalars())[:60] = value
    image.GetPointData().GetScalars().Modified()
    image.Modified()


def test_nothing_is_read_twice(scene, read):
    bench = Bench(scene)
    first = bench.space.shown(bench.node)
    assert read == []  # it was written a moment ago
    with bench.space.drag(bench.node, "femur_2") as drag:
        for bottom in (100.0, 90.0, 80.0):
            drag.move((bottom, 255.0))
        read.clear()
    assert read == []
    shown = bench.space.shown(bench.node)
    bench.space.sync(bench.node)
    assert read == [] and bench.space.shown(bench.node) is shown and shown.result.objects[0] is first.result.objects[0]
    other = Workspace(scene).shown(bench.node)
    assert read == ["femur", "femur_2"] and other.identities == shown.identities


@pytest.mark.parametrize("kind", ["in place", "paint", "other label map", "value", "merged", "moved"])
def test_what_changed_is_read_and_no_more(kind, scene, read):
    bench = Bench(scene)
    before, segments = bench.space.shown(bench.node), bench.node.GetSegmentation()
    segment = segments.GetSegment("femur")
    if kind == "in place":
        in_place(bench, "femur")
    elif kind == "paint":
        bench.paint()
    elif kind == "other label map":
        segment.AddRepresentation(masks.binary(), masks.label_map(
            bench.node, bench.volume, bench.reading.grid, np.eye(*bench.reading.grid.shape, dtype=bool)
        ))  # fmt: skip
    elif kind == "value":
        segment.SetLabelValue(2)
    elif kind == "merged":
        segments.CollapseBinaryLabelmaps(False)
    else:
        bench.node.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    read.clear()
    shown = bench.space.shown(bench.node)
    assert set(read) == ({"femur", "femur_2"} if kind in ("merged", "moved") else {"femur"})
    for identity, item in zip(shown.identities, shown.result.objects):
        assert (item.mask == bench.mask(identity)).all()
    assert (shown is before) == (kind == "merged")  # the same pixels are the same result
    read.clear()
    assert bench.space.shown(bench.node) is shown and read == []


def test_a_segment_that_goes_and_comes_back(scene):
    """As by Segment Editor's own undo."""
    bench = Bench(scene)
    before, segments = bench.space.shown(bench.node), bench.node.GetSegmentation()
    segment = segments.GetSegment("femur")
    segments.RemoveSegment("femur")
    assert bench.space.shown(bench.node).identities == ("femur_2",)
    segments.AddSegment(segment, "femur")
    assert bench.space.shown(bench.node) is before


def test_hand_edits_are_never_lost(scene):
    """Painted without a word to anybody, they are kept by whatever writes over them."""
    from vtk.util.numpy_support import vtk_to_numpy

    bench = Bench(scene)
    bench.space.remember(bench.node)  # which has a copy of the label map from before
    image = bench.node.GetSegmentation().GetSegment("femur").GetRepresentation(masks.binary())
    vtk_to_numpy(image.GetPointData().GetScalars())[:60] = 1  # and no event
    painted = bench.mask("femur")
    assert bench.space.would_lose_edits(bench.node)
    with bench.space.drag(bench.node, "femur") as drag:
        drag.move((150.0, 255.0))
    assert (bench.mask(drag.kept_edited) == painted).all()
    assert bench.space.undo(bench.node) and (bench.mask("femur") == painted).all()


def test_pixels_of_the_image_and_the_document_count(scene):
    bench = Bench(scene)
    before = bench.space.shown(bench.node)
    assert bench.space.store(bench.node).loaded() is before
    change(bench.volume.GetImageData())
    assert bench.space.store(bench.node).loaded() is None
    change(bench.volume.GetImageData(), add=-500)
    assert bench.space.shown(bench.node).identities == before.identities
    other = Workspace(scene)
    other.remove_object(bench.node, "femur")
    assert bench.space.shown(bench.node).identities == ("femur_2",)
