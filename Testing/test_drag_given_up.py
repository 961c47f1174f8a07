"""Drags that do not come to their end: what fails, and what goes meanwhile, leaves the scene whole."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core import editing
from GrayscaleDetSegLib.logic import drag as drags
from GrayscaleDetSegLib.scene import masks, record
from Testing.dragged import CLEAN, Dragged
from Testing.fakes import GEOMETRIES
from Testing.rigged import change
from Testing.scene_nodes import add_volume

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def fail_once_in(monkeypatch, module, name):
    true = getattr(module, name)

    def fail(*_arguments, **_options):
        monkeypatch.setattr(module, name, true)
        raise MemoryError("too much")

    monkeypatch.setattr(module, name, fail)


@pytest.mark.parametrize("is_painted", [False, True])
@pytest.mark.parametrize(
    "how", ["cancel", "undo", "forget", "forget_all", "move fails", "end fails", "storing fails", "with fails",
            "other pixels"]
)
def test_given_up_without_remains(how, is_painted, scene, monkeypatch):
    """Masks, hand edits, document, table, cloud, nodes and undo are those of before; and the next drag works."""
    case = Dragged(scene, clean_up=CLEAN)
    case.node.GetSegmentation().CollapseBinaryLabelmaps(False)
    if is_painted:
        own = case.mask()
        own[60:70, 5:25] = True
        masks.write_mask(case.node, "right_lung", case.volume, case.grid, own)
    case.space.sync(case.node)
    before, store = case.everything(), case.space.store(case.node)
    drag = case.begin()
    drag.move((60.0, 230.0), move_box=True)
    assert case.everything() != before and (drag.kept_edited is not None) == is_painted
    if how == "move fails":
        fail_once_in(monkeypatch, drags, "MovingCloud")
        drag._cloud = None
        with pytest.raises(MemoryError):
            drag.move((50.0, 230.0), move_box=True)
    elif how == "end fails":
        fail_once_in(monkeypatch, drags, "with_thresholds")
        with pytest.raises(MemoryError):
            drag.finish((50.0, 230.0))
    elif how == "storing fails":
        fail_once_in(monkeypatch, drags, "fill_table")
        with pytest.raises(MemoryError):
            drag.finish((50.0, 230.0))
    elif how == "with fails":
        with pytest.raises(KeyboardInterrupt), drag:
            raise KeyboardInterrupt
    elif how == "undo":
        assert case.space.undo(case.node) and not case.space.undo(case.node)
    elif how == "other pixels":
        change(case.volume.GetImageData())
        assert drag.finish((50.0, 230.0)) is drag.result
        change(case.volume.GetImageData(), add=-500)
    else:
        getattr(*{"cancel": (drag, "cancel"), "forget": (store, "forget"),
                  "forget_all": (case.space, "forget_all")}[how])()
    monkeypatch.undo()
    assert case.everything() == before and not case.space.can_undo(case.node) and not case.space.is_writing
    assert drag.kept_edited is None and drag.numbers.interval == (120.0, 230.0)
    drag.move((10.0, 230.0))
    drag.finish((10.0, 230.0))
    assert case.everything() == before
    case.begin().finish((60.0, 230.0))
    assert case.everything() != before and case.space.can_undo(case.node)


def lose(case, lost):
    nodes = dict(zip(("cloud", "axis", "labels", "box", "bottoms", "tops"), case.parts.threshold_nodes))
    nodes.update(table=case.parts.table, region=case.parts.regions["right_lung"], volume=case.volume,
                 segmentation=case.node, display=case.node.GetDisplayNode())
    if lost == "scene":
        case.scene.Clear(False)
    elif lost in ("segment", "other segment"):
        case.node.GetSegmentation().RemoveSegment("right_lung" if lost == "segment" else "femur_2")
    else:
        case.scene.RemoveNode(nodes[lost])


@pytest.mark.parametrize("when", ["before the first move", "after it"])
@pytest.mark.parametrize(
    "lost", ["cloud", "axis", "labels", "box", "bottoms", "tops", "table", "region", "other segment", "display"]
)
def test_any_node_may_go_meanwhile(lost, when, scene):
    case = Dragged(scene, clean_up=CLEAN)
    wanted = editing.with_thresholds(case.result, "right lung", -70.0, 5.0, clean_up=CLEAN)
    drag = case.begin()
    if when == "after it":
        drag.move((60.0, 230.0), move_box=True)
    lose(case, lost)
    left = scene.GetNumberOfNodes()
    numbers = drag.move((55.0, 230.0), move_box=True)
    assert numbers.interval == (55.0, 230.0) and numbers.pixel_count == case.live(-65.0, 0.0).sum()
    whole = drag.finish((50.0, 235.0))
    expected = wanted.objects[: 1 if lost == "other segment" else 2]
    assert [item.name for item in whole.objects] == [item.name for item in expected]
    assert all((one.mask == two.mask).all() for one, two in zip(whole.objects, expected))
    assert scene.GetNumberOfNodes() == left and (case.mask() == wanted.objects[0].mask).all()
    assert record.kept_result(case.node, case.volume).objects[0].thresholds.interval == (50.0, 235.0)


@pytest.mark.parametrize("is_painted", [False, True])
@pytest.mark.parametrize("when", ["before the first move", "after it", "at the end"])
@pytest.mark.parametrize("lost", ["volume", "segmentation", "segment", "scene"])
def test_without_image_or_segment_it_is_given_up(lost, when, is_painted, scene):
    """No half-written mask stays, no copy, no state for undo."""
    case = Dragged(scene, clean_up=CLEAN)
    if is_painted:
        case.paint("right_lung", (60, 70), (5, 25))
    result, before, segments = case.space.shown(case.node).result, case.mask(), case.segments()
    drag = case.begin()
    if when != "before the first move":
        drag.move((60.0, 230.0), move_box=True)
    lose(case, lost)
    left = scene.GetNumberOfNodes()
    if when != "at the end":
        assert drag.move((55.0, 230.0), move_box=True).interval == (120.0, 230.0)
    assert drag.finish((50.0, 235.0)) is result and drag.kept_edited is None
    assert scene.GetNumberOfNodes() == left and not case.space.can_undo(case.node)
    if lost == "volume":
        again = add_volume(scene, np.array(case.image.pixels), GEOMETRIES["turned"])
        assert (masks.mask_of(case.node, "right_lung", again, case.grid) == before).all()
    if lost in ("volume", "segment"):
        assert case.segments() == [each for each in segments if lost == "volume" or each != "right_lung"]
