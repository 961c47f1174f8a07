"""Bottom and top moved by hand: live and at the end, also where nodes go meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core import codec, editing
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.logic.threshold_view import show_thresholds
from GrayscaleDetSegLib.scene import cloud, outcome, record, threshold_box
from Testing.dragged import CLEAN, NAMES, START, Dragged
from Testing.fakes import GEOMETRIES
from Testing.scene_nodes import ids, recoloured
from Testing.test_threshold_view import VIEW

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.mark.parametrize("identity", START)
@pytest.mark.parametrize("is_moved, stack", [(False, 0), (True, 3)])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_live_and_at_the_end(name, is_moved, stack, identity, scene):
    case = Dragged(scene, identity, CLEAN, name=name, is_moved=is_moved, stack=stack)
    bottom, top = START[identity]
    other = next(each for each in START if each != identity)
    kept = case.mask(other)
    before = [item.mask.copy() for item in case.result.objects]
    drag = case.begin()
    assert drag.numbers.interval == (bottom, top) and drag.numbers.pixel_count == case.mask().sum()
    for shift in ((-60.0, 0.0), (-90.0, -40.0), (25.5, 0.0)):
        numbers = drag.move((bottom + shift[0], top + shift[1]))
        expected = case.live(*shift) & ~kept
        assert (case.mask() == expected).all() and (case.mask(other) == kept).all()
        assert numbers.interval == pytest.approx((bottom + shift[0], top + shift[1]))
        assert numbers.pixel_count == expected.sum() > 0
        assert numbers.area_mm2 == pytest.approx(expected.sum() * 0.06)
        assert numbers.interval_units == case.image.mapping.interval_to_units(*numbers.interval)
    whole = drag.finish((bottom - 100.0, top - 20.0))
    wanted = editing.with_thresholds(case.result, NAMES[identity], -100.0, -20.0, clean_up=CLEAN)
    for one, two in zip(whole.objects, wanted.objects):
        assert (one.mask == two.mask).all() and one.area_mm2 == two.area_mm2
        assert codec.encode(one.explanation) == codec.encode(two.explanation)
    assert (case.mask() == wanted.objects[list(START).index(identity)].mask).all()
    assert drag.numbers.pixel_count == case.mask().sum() and not case.edits() and drag.kept_edited is None
    # what was there is as it was: undo needs no more than to keep it
    assert all((item.mask == mask).all() for item, mask in zip(case.result.objects, before))
    assert case.item.thresholds.interval == (bottom, top) and whole is not case.result
    again = record.kept_result(case.node, case.volume)
    assert [item.thresholds.interval for item in again.objects] == [item.thresholds.interval for item in whole.objects]
    assert all((one.mask == two.mask).all() for one, two in zip(again.objects, whole.objects))
    row = list(START).index(identity)
    assert case.parts.table.GetTable().GetValueByName(row, "Pixels").ToInt() == case.mask().sum()


@pytest.mark.parametrize("identity", START)
def test_the_cloud_follows(identity, scene):
    """Colours, surfaces and, where it is not the box that is dragged, the box."""
    case, (bottom, top) = Dragged(scene, identity), START[identity]
    drag = case.begin()
    events = []
    for node in (case.parts.cloud, *case.parts.surfaces):
        node.AddObserver(node.MeshModifiedEvent, lambda caller, event: events.append(caller.GetName()))
    drag.move((bottom - 60.0, top - 10.0))
    assert events == [node.GetName() for node in (case.parts.cloud, *case.parts.surfaces)]
    assert threshold_box.interval_of(case.parts.box) == pytest.approx((bottom, top), abs=0.01)
    field = case.item.thresholds.field.shifted(-60.0, -10.0)
    colors = case.parts.cloud.GetPolyData().GetPointData().GetArray(cloud.INSIDE)
    inside = sum(colors.GetValue(number) for number in range(colors.GetNumberOfTuples()))
    assert inside == recoloured(case.parts.cloud, field)
    fresh = Dragged(scene, identity)
    moved = editing.with_thresholds(fresh.result, NAMES[identity], -60.0, -10.0)
    show_thresholds(fresh.parts, moved, identity)
    for one, two in zip(case.parts.surfaces, fresh.parts.surfaces):
        assert one.GetPolyData().GetBounds() == two.GetPolyData().GetBounds()
    drag.move((bottom - 50.0, top - 10.0), move_box=True)
    assert threshold_box.interval_of(case.parts.box) == pytest.approx((bottom - 50.0, top - 10.0), abs=0.01)


def test_surfaces_that_close_and_open_again(scene):
    """While thresholds move, points go up and down in place; only at the end there is another mesh, if need be."""
    from vtk.util.numpy_support import vtk_to_numpy

    from GrayscaleDetSegLib.scene.surface_models import surface_mesh

    case = Dragged(scene)
    drag, mesh = case.begin(), case.parts.surfaces[0].GetPolyData()
    first = surface_mesh(case.item.thresholds.field)[2]
    for number, bottom in enumerate((121.0, 228.0, 121.5, 228.5)):
        is_end = number == 3
        (drag.finish if is_end else drag.move)((bottom, 230.0))
        low, high, facets = surface_mesh(case.item.thresholds.field.shifted(bottom - 120.0))
        for node, points in zip(case.parts.surfaces, (low, high)):
            data = node.GetPolyData()
            places = vtk_to_numpy(data.GetPoints().GetData())
            assert places == pytest.approx(cloud.frame_of(node).to_view(points), abs=1e-4)
            assert data.GetBounds()[5] == pytest.approx(places[:, 2].max(), abs=1e-4)
            shown = facets if is_end else first
            assert (vtk_to_numpy(data.GetPolys().GetConnectivityArray()) == shown.ravel()).all()
        assert (case.parts.surfaces[0].GetPolyData() is mesh) != is_end
    assert len(facets) < len(first)


def test_no_change_costs_nothing(scene):
    case = Dragged(scene)
    drag, events = case.begin(), []
    for node in (case.node, case.parts.cloud, case.parts.box):
        node.AddObserver("AnyEvent", lambda caller, event: events.append(event))
    first = drag.numbers
    assert drag.move((120.0, 230.0)) is first and drag.move((230.001, 119.999), move_box=True) is first
    drag.move((110.0, 230.0))
    assert events
    events.clear()
    assert drag.move((110.0, 230.0)) is drag.numbers and not events


def test_the_boxs_own_event_does_not_come_back(scene):
    """A box is never quite flat, and its observers read it: that is no other interval."""
    case = Dragged(scene, "femur_2")
    drag, seen = case.begin(), []
    case.parts.box.AddObserver(
        "ModifiedEvent", lambda *_: seen.append(drag.move(threshold_box.interval_of(case.parts.box), move_box=True))
    )
    numbers = drag.move((140.0, 140.0), move_box=True)
    assert seen and numbers.interval == drag.numbers.interval == (140.0, 140.0)
    whole = drag.finish((140.0, 140.0))
    assert whole.objects[1].thresholds.interval == (140.0, 140.0)


@pytest.mark.parametrize("is_painted", [False, True])
def test_back_where_it_began(is_painted, scene):
    """A click on a handle, or a way there and back: all is as it was, edits by hand included."""
    case = Dragged(scene, clean_up=CLEAN)
    if is_painted:
        case.paint("right_lung", (60, 70), (5, 25))
    before, all_before, result = case.mask(), case.everything(), case.space.shown(case.node).result
    click = case.begin()
    assert click.finish((120.0, 230.0)) is result and click.kept_edited is None
    drag = case.begin()
    drag.move((20.0, 230.0), move_box=True)
    assert (case.mask() != before).any() and (drag.kept_edited is not None) == is_painted
    assert drag.finish((120.001, 230.0)) is result
    assert case.everything() == all_before and drag.kept_edited is None and not case.space.can_undo(case.node)
    assert drag.numbers.pixel_count == before.sum() and drag.numbers.interval == (120.0, 230.0)
    assert threshold_box.interval_of(case.parts.box) == pytest.approx((120.0, 230.0), abs=0.01)


def test_another_change_settles_it(scene):
    """What is under way is not lost when a script, or a run that has ended, changes the result."""
    case = Dragged(scene)
    drag = case.begin()
    drag.move((60.0, 230.0))
    case.space.remove_object(case.node, "femur_2")
    shown = case.space.shown(case.node)
    assert shown.identities == ("right_lung",) and shown.result.objects[0].thresholds.interval == (60.0, 230.0)
    assert case.space.undo(case.node) and len(case.space.shown(case.node).identities) == 2
    assert case.space.undo(case.node) and not case.space.can_undo(case.node)
    assert case.space.shown(case.node).result.objects[0].thresholds.interval == (120.0, 230.0)
    first = case.begin()
    first.move((60.0, 230.0))
    second = case.begin()  # takes hold of what the first has left
    assert second.numbers.interval == (60.0, 230.0) and first.move((10.0, 230.0)).interval == (60.0, 230.0)


def test_what_is_seen_is_what_stays(scene):
    """Crumbs that the post-processing drops are not shown while thresholds move, either."""
    case = Dragged(scene, clean_up=PostProcessing(smooth=0.05))
    drag = case.begin()
    for bottom in (20.0, 150.0, 190.0):
        numbers = drag.move((bottom, 255.0))
        shown = case.mask()
        assert shown.sum() == numbers.pixel_count > 0
    rule = field_mask(case.image, case.item.thresholds.field.shifted(70.0, 25.0))
    assert rule.sum() != shown.sum()
    drag.finish((190.0, 255.0))
    assert (case.mask() == shown).all() and drag.numbers.pixel_count == shown.sum()


def test_after_the_end_nothing_moves(scene):
    case = Dragged(scene)
    drag = case.begin()
    whole = drag.finish((60.0, 230.0))
    after, numbers = case.mask(), drag.numbers
    assert drag.move((10.0, 250.0)) is numbers and drag.finish((10.0, 250.0)) is whole
    assert (case.mask() == after).all() and case.result.objects[0].thresholds.interval == (120.0, 230.0)


def test_an_open_end_stays_open_and_can_be_closed(scene):
    case = Dragged(scene, "femur_2")
    drag = case.begin()
    assert drag.numbers.interval_units[1] == np.inf
    assert drag.move((-40.0, 400.0)).interval == (0.0, 255.0)
    assert drag.numbers.interval_units == (-np.inf, np.inf)
    whole = drag.finish((0.0, 200.0))
    assert whole.objects[1].thresholds.interval == (0.0, 200.0)
    assert whole.objects[1].thresholds.interval_units[0] == -np.inf
    assert not (case.mask() & (case.image.gray() > 200.0)).any()


def test_another_object_in_the_cloud_is_left_alone(scene):
    case = Dragged(scene, "femur_2")
    drag = case.begin()
    case.show("right_lung")
    inside = recoloured(case.parts.cloud, case.result.objects[0].thresholds.field)
    drag.move((10.0, 255.0), move_box=True)
    drag.finish((0.0, 255.0))
    assert threshold_box.interval_of(case.parts.box) == pytest.approx((120.0, 230.0), abs=0.01)
    colors = case.parts.cloud.GetPolyData().GetPointData().GetArray(cloud.INSIDE)
    assert sum(colors.GetValue(number) for number in range(colors.GetNumberOfTuples())) == inside


def test_the_box_is_put_back_over_its_region(scene):
    case = Dragged(scene)
    drag = case.begin()
    center = np.array(case.parts.box.GetCenter())
    case.parts.box.SetCenter(list(center + (5.0, -3.0, 0.0)))
    drag.move((110.0, 230.0))
    assert case.parts.box.GetCenter().GetX() != pytest.approx(center[0], abs=0.1)  # not under the mouse
    drag.finish((100.0, 230.0))
    assert np.array(case.parts.box.GetCenter())[:2] == pytest.approx(center[:2], abs=1e-3)
    assert threshold_box.interval_of(case.parts.box) == pytest.approx((100.0, 230.0), abs=0.01)


def test_undo_is_one_step(scene):
    case = Dragged(scene)
    case.paint("right_lung", (60, 70), (5, 25))
    edited = case.mask()
    drag = case.begin()
    for bottom in (100.0, 80.0, 70.0):
        drag.move((bottom, 230.0))
    drag.finish((60.0, 230.0))
    assert drag.kept_edited is not None
    assert case.space.undo(case.node) and not case.space.can_undo(case.node)
    assert (case.mask() == edited).all() and case.edits().changed == ("right_lung",) and not case.edits().added


def test_nothing_to_drag(scene):
    case = Dragged(scene)
    with pytest.raises(KeyError, match="no object 'tibia'"):
        case.space.drag(case.node, "tibia")
    scene.RemoveNode(case.volume)
    with pytest.raises(KeyError, match="volume that image segmentation belongs to is gone"):
        case.begin()


def test_nothing_is_left_behind(scene):
    """No node, no observer on any node, no reference to a mask or a node."""
    import gc
    import weakref

    case = Dragged(scene)
    nodes = [case.volume, case.node, case.node.GetSegmentation(), *case.parts.helpers]

    def observers():
        return [[node.HasObserver(event) for event in range(200)] for node in nodes]

    before, names, held = observers(), ids(scene), [node.GetReferenceCount() for node in nodes]
    drag = case.begin()
    drag.move((60.0, 230.0), move_box=True)
    assert observers() == before
    drag.finish((50.0, 230.0))
    case.space.history.clear()
    gone = weakref.ref(drag)
    del drag
    gc.collect()
    assert gone() is None and observers() == before and ids(scene) == names
    assert [node.GetReferenceCount() for node in nodes] == held


def test_the_view_ids_stay(scene):
    case = Dragged(scene)
    case.begin().finish((60.0, 230.0))
    assert case.parts.cloud.GetDisplayNode().GetViewNodeIDs() == tuple(VIEW)
    assert outcome.outcome_of(case.node) == case.parts
