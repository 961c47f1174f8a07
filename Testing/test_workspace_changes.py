"""Results that change: undo, hand edits beside it, pixels that are others by now, and steps that fail half way."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.editing import with_object, with_region
from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError, RadiographError
from GrayscaleDetSegLib.logic import history, threshold_view
from GrayscaleDetSegLib.logic import workspace as workspaces
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import cloud, kept_copies, masks, record, regions, segmentation, table
from Testing.fakes import bar, found, letter_l
from Testing.rigged import Bench, change
from Testing.scene_nodes import add_transform, add_volume, ids

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


CHANGES = {
    "run": lambda bench: bench.show(bench.node, (found(bench.reading.radiograph, "tibia", "tibia", bar()),)),
    "drag": lambda bench: bench.drag(),
    "drag of the other": lambda bench: bench.drag("femur_2", 30.0),
    "region": lambda bench: bench.space.write_object(
        bench.node,
        with_region(bench.pipeline, bench.space.shown(bench.node).result, "femur", (10.0, 5.0, 40.0, 60.0)),
        "femur",
        "femur",
    ),
    "another object": lambda bench: bench.space.write_object(
        bench.node,
        with_object(bench.pipeline, bench.space.shown(bench.node).result, "tibia", (10.0, 5.0, 40.0, 60.0)),
        "tibia",
    ),
    "delete": lambda bench: bench.space.remove_object(bench.node, "femur"),
    "delete the last": lambda bench: bench.space.remove_object(bench.node, "femur_2"),
}


@pytest.mark.parametrize("is_cloud_shown", [False, True])
@pytest.mark.parametrize("kind", CHANGES)
def test_undo(kind, is_cloud_shown, scene):
    """Everything as it was: hand edits, hidden segments, names, the order, and what is known of edits."""
    bench = Bench(scene, is_moved=True, stack=3)
    bench.paint()
    bench.add_segment()
    hidden = kept_copies.keep_copy(bench.node, "femur_2")
    bench.node.GetSegmentation().GetSegment("femur_2").SetName("other bone")
    bench.node.GetDisplayNode().SetSegmentVisibility("femur_2", False)
    if is_cloud_shown:
        bench.space.show_object(bench.node, "femur")
    bench.space.sync(bench.node)
    before = bench.state()
    assert before["visible"] == [True, False, True, False] and hidden in before["masks"]
    CHANGES[kind](bench)
    changed = bench.state()
    assert changed["masks"] != before["masks"] and changed["document"] != before["document"]
    assert bench.mask("implant").tobytes() == before["masks"]["implant"]
    assert changed["masks"][hidden] == before["masks"][hidden]
    assert bench.space.undo(bench.node) and not bench.space.history.has(bench.node)
    after = bench.state()
    count = len(after.pop("nodes")) - len(before.pop("nodes"))
    assert after == before and count in (0, -8 if is_cloud_shown and kind in ("run", "delete") else 0)
    assert Workspace(scene).shown(bench.node).identities == before["identities"]


@pytest.mark.parametrize("kind", [kind for kind in CHANGES if kind not in ("run", "drag", "drag of the other")])
def test_hand_edits_of_the_others_stay(kind, scene):
    bench = Bench(scene)
    other = "femur" if kind == "delete the last" else "femur_2"
    painted = bench.paint(other)
    CHANGES[kind](bench)
    assert (bench.mask(other) == painted).all() and bench.space.would_lose_edits(bench.node)
    assert segmentation.edits_of(bench.node, bench.volume, bench.reading.grid).changed == (other,)
    names = {each: count for each, count in bench.rows()}
    assert names["femur" if other == "femur" else "femur 2"] == painted.sum()


def test_an_object_that_was_edited_is_kept_as_a_copy(scene):
    bench = Bench(scene)
    painted = bench.paint()
    CHANGES["region"](bench)
    copy = next(each for each in bench.segments() if kept_copies.is_copy(bench.node, each))
    assert (bench.mask(copy) == painted).all() and not bench.node.GetDisplayNode().GetSegmentVisibility(copy)
    assert not (bench.mask("femur") == painted).all() and not bench.space.would_lose_edits(bench.node)
    assert bench.space.shown(bench.node).identities == ("femur", "femur_2")
    bench.show(bench.node)  # another run leaves it, too
    assert (bench.mask(copy) == painted).all() and len(bench.segments()) == 3


def test_segments_that_went_while_an_object_was_looked_for(scene):
    """Between the start of a job and its end, anything can be deleted."""
    bench = Bench(scene)
    before = bench.space.shown(bench.node).result
    bench.node.GetSegmentation().RemoveSegment("femur_2")
    moved = with_region(bench.pipeline, before, "femur", (10.0, 5.0, 40.0, 60.0))
    assert bench.space.write_object(bench.node, moved, "femur", "femur") == "femur"
    assert bench.space.shown(bench.node).identities == ("femur",) and [name for name, _ in bench.rows()] == ["femur"]
    assert list(bench.space.outcome(bench.node).regions) == ["femur"]
    bench.node.GetSegmentation().RemoveSegment("femur")
    assert bench.space.write_object(bench.node, moved, "femur", "femur") == "femur"  # there again
    bench.space.remove_object(bench.node, "femur_2")  # is gone already
    assert bench.segments() == ["femur"]
    scene.RemoveNode(bench.volume)
    with pytest.raises(GrayscaleDetSegError, match="The image of image segmentation is gone"):
        bench.space.write_object(bench.node, moved, "femur", "femur")
    assert bench.space.undo(bench.node) and bench.segments() == []  # as it was before the last change
    assert bench.space.outcome(bench.node).helpers == []


def test_what_would_be_lost(scene):
    bench = Bench(scene)
    bench.add_segment()
    kept_copies.keep_copy(bench.node, "femur")
    assert not bench.space.would_lose_edits(bench.node)  # neither is written to
    bench.node.GetSegmentation().RemoveSegment("femur")
    assert bench.space.would_lose_edits(bench.node)
    assert bench.space.undo(bench.node) is False and not bench.space.would_lose_edits(bench.own_node())


@pytest.mark.parametrize(
    "damage",
    [lambda text: text.replace('"version": 2', '"version": 9'), lambda text: text[:-40], lambda text: "[]"],
    ids=["later version", "cut off", "nothing that we have written"],
)
def test_a_result_that_cannot_be_read_is_not_replaced(damage, scene):
    """Nobody knows what was edited in it: another run goes into another segmentation."""
    bench = Bench(scene)
    painted = bench.paint()
    record.set_document(bench.node, damage(record.kept_document(bench.node)))
    assert bench.space.would_lose_edits(bench.node) and not bench.space.fits(bench.node, bench.read())
    with pytest.raises(
        GrayscaleDetSegError, match="^image segmentation holds a result that cannot be read; choose another segment"
    ):
        bench.show(bench.node)
    scene.RemoveNode(bench.volume)
    assert bench.space.would_lose_edits(bench.node)
    assert (masks.mask_of(bench.node, "femur", bench.volume, bench.reading.grid) == painted).all()


def held(bench):
    return history.held_bytes(bench.space.history.states(bench.node))


def test_history_has_limits(scene, monkeypatch):
    bench = Bench(scene)
    for _ in range(history.STATES + 3):
        bench.space.remember(bench.node)
    assert sum(bench.space.undo(bench.node) for _ in range(history.STATES + 3)) == history.STATES
    for limit, left in ((3, 3), (0, 1)):
        sizes = []
        for number in range(5):
            bench.paint(rows=(number, number + 1))
            bench.space.remember(bench.node)
            sizes.append(held(bench))
            if limit and number == 2:
                monkeypatch.setattr(history, "BYTES", held(bench))
        assert sum(bench.space.undo(bench.node) for _ in range(5)) == left
        monkeypatch.setattr(history, "BYTES", 1)
    assert sizes[0] == sizes[-1]


def test_history_counts_all_that_it_holds_once(scene):
    bench = Bench(scene)
    pixels, shown = bench.reading.radiograph.pixels, bench.space.shown(bench.node)
    bench.space.remember(bench.node)
    first, map_size = held(bench), pixels.size
    masks_too = sum(item.windowed.crop.nbytes for item in shown.result.objects)
    assert first >= pixels.nbytes + 2 * map_size + masks_too + len(record.kept_document(bench.node))
    bench.space.remember(bench.node)
    assert held(bench) == first  # nothing has changed: nothing more is held
    bench.paint()
    bench.space.remember(bench.node)
    assert first + map_size < held(bench) < first + 2 * map_size  # one label map, one crop
    # what came back is known to be what it was
    size = held(bench)
    bench.space.remember(bench.node)
    assert bench.space.undo(bench.node)
    bench.space.remember(bench.node)
    assert held(bench) == size
    bench.node.CreateClosedSurfaceRepresentation()
    bench.space.remember(bench.node)
    assert held(bench) > size


def test_another_node_with_the_same_id_has_no_history(scene):
    """As after closing a scene that nobody told a script's workspace of."""
    bench = Bench(scene)
    bench.drag()
    identity, space = bench.node.GetID(), bench.space
    scene.Clear(False)
    again = Bench(scene)
    assert again.node.GetID() == identity and again.node is not bench.node
    assert not any(space.history.has(node) or space.undo(node) for node in (again.node, bench.node))
    assert space.shown(again.node).identities == ("femur", "femur_2")
    again.space.remember(again.node)
    scene.RemoveNode(again.node)
    again.space.forget_gone()
    assert not again.space.history.has(again.node) and again.space._stores == {}


def test_pixels_that_changed_under_a_result(scene):
    """A sequence goes on, or somebody filters the image: what is shown is of pixels that are no more."""
    bench = Bench(scene)
    before = bench.volume.GetImageData()
    other = slicer.vtkOrientedImageData()
    other.DeepCopy(before)
    change(other)
    bench.volume.SetAndObserveImageData(other)
    for _ in range(2):
        with pytest.raises(RadiographError, match="shows other pixels than those .* was made from; segment again"):
            bench.space.shown(bench.node)
    parts = bench.space.show(bench.read(), bench.pipeline.segment(bench.reading.radiograph), bench.node)
    assert parts.segmentation is bench.node and bench.space.shown(bench.node) is not None  # segmented again, as told
    assert bench.space.undo(bench.node)
    with pytest.raises(RadiographError, match="segment again"):
        bench.space.shown(bench.node)
    bench.volume.SetAndObserveImageData(before)
    assert bench.space.shown(bench.node).identities == ("femur", "femur_2")
    assert (bench.space.shown(bench.node).result.radiograph.pixels == bench.reading.radiograph.pixels).all()


def test_pixels_that_changed_while_the_method_ran(scene):
    bench = Bench(scene, shows=False)
    reading = bench.read()
    change(bench.volume.GetImageData())
    parts = bench.space.show(reading, bench.pipeline.segment(reading.radiograph))
    with pytest.raises(RadiographError, match="other pixels"):
        bench.space.shown(parts.segmentation)


def test_an_image_of_another_size(scene):
    bench, small = Bench(scene), add_volume(scene, np.array(bar((60, 80)), np.uint8))
    bench.volume.SetAndObserveImageData(small.GetImageData())
    with pytest.raises(RadiographError, match="130 x 90 pixels, which image is not; segment again"):
        bench.space.shown(bench.node)


STEPS = [
    (segmentation, "label_map"), (regions, "dress_region"), (table, "fill_table"), (record, "keep_result"),
    (workspaces.outcomes, "connect"), (workspaces.volumes, "note_reading"), (cloud, "set_cloud"),
]


@pytest.mark.parametrize(
    "into, step",
    # only a result that is there already has a cloud
    [(into, step) for step in STEPS for into in ("new", "own", "result") if into == "result" or step[0] is not cloud],
)
def test_a_step_that_fails_half_way(into, step, scene, monkeypatch):
    """All or nothing: no node more or less, and no trace on the volume."""
    bench = Bench(scene, shows=into == "result")
    if into == "result":
        bench.space.show_object(bench.node, "femur")
        bench.paint()
        bench.space.sync(bench.node)
    elif into == "own":
        bench.node = bench.own_node()
        bench.add_segment("femur")
    before = bench.state() if bench.node else ids(scene)
    calls, true = [], getattr(*step)

    def fail(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise OSError("no space left")
        return true(*arguments, **options)

    item = found(bench.reading.radiograph, "tibia", "tibia", bar())
    femur = found(bench.reading.radiograph, "femur", "femur", letter_l(), low=100.0)
    for module in (step[0], workspaces, threshold_view):
        if getattr(module, step[1], None) is true:
            monkeypatch.setattr(module, step[1], fail)
    with pytest.raises(OSError, match="no space left"):
        bench.show(bench.node, (item, femur), "inverted")
    monkeypatch.undo()
    after = bench.state() if bench.node else ids(scene)
    if into == "result":
        assert len(after.pop("nodes")) == len(before.pop("nodes"))
    assert after == before and not bench.space.is_writing
    assert bench.node is None or not bench.space.history.has(bench.node)
    assert bench.show(bench.node).segmentation is not None  # and now it works


@pytest.mark.parametrize("kind", CHANGES)
def test_undo_after_segment_editor_and_show_3d(kind, scene):
    """Label maps that segments share, cropped to their pixels, and closed surfaces."""
    bench = Bench(scene, "sideways")
    bench.paint()
    segments = bench.node.GetSegmentation()
    segments.CollapseBinaryLabelmaps(False)
    assert segments.GetNumberOfLayers() == 1
    bench.node.CreateClosedSurfaceRepresentation()
    assert masks.has_surface(bench.node)
    bench.space.sync(bench.node)
    before = bench.state()
    CHANGES[kind](bench)
    assert masks.has_surface(bench.node) and bench.state()["masks"] != before["masks"]
    assert bench.space.undo(bench.node) and masks.has_surface(bench.node)
    after = bench.state()
    assert {**after, "nodes": 0} == {**before, "nodes": 0}


@pytest.mark.parametrize("is_hardened", [False, True])
def test_undo_after_image_and_result_were_moved(is_hardened, scene):
    """What the user has placed elsewhere since stays there; its masks lie on the image as before."""
    bench = Bench(scene)
    painted = bench.paint()
    bench.space.sync(bench.node)
    CHANGES["delete"](bench)
    transform = add_transform(scene)
    moved = [bench.volume, bench.node, *bench.space.outcome(bench.node).regions.values()]
    for node in moved:
        node.SetAndObserveTransformNodeID(transform.GetID())
        if is_hardened:
            node.HardenTransform()
    bench.reading = bench.read()
    assert (bench.mask("femur_2") == bar()).all() and not bench.space.would_lose_edits(bench.node)
    bench.show(bench.node)
    assert (bench.mask("femur") == letter_l()).all()
    assert bench.space.undo(bench.node) and bench.segments() == ["femur_2"]
    assert (bench.mask("femur_2") == bar()).all()
    if not is_hardened:
        assert bench.space.undo(bench.node) and (bench.mask("femur") == painted).all()
        assert bench.node.GetParentTransformNode() is transform
    shown = bench.space.shown(bench.node)
    for identity, box in bench.space.outcome(bench.node).regions.items():
        roi = regions.region_of(box, bench.volume, bench.reading.grid)
        assert roi == pytest.approx(shown.object_of(identity).region, abs=0.02)
