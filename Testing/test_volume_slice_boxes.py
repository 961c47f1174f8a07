"""A box that somebody draws in a single slice of a volume, and what explanations of any kind let be seen."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import MethodError
from GrayscaleDetSegLib.core.explanations.base import UnknownExplanation
from GrayscaleDetSegLib.core.explanations.seen import SeenBox, seen_boxes, seen_maps
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.lsnet.localisation import Localisation, LocatedBox, heat_map
from GrayscaleDetSegLib.core.volumes.editing import with_box, with_slice_box
from GrayscaleDetSegLib.core.volumes.pipeline import VolumePipeline
from GrayscaleDetSegLib.core.volumes.result import VolumeBox
from GrayscaleDetSegLib.core.volumes.rounds import SaliencyMap, SaliencyRounds
from GrayscaleDetSegLib.core.volumes.volume import Volume
from Testing.attention_models import bright_boxes, detecting
from Testing.test_volume_grid import copies, oblique
from Testing.volume_models import block, write_model


@pytest.fixture
def looks(monkeypatch):
    """A pipeline whose detector sees what is bright in axial slices, its calls counted, and a result."""
    calls = []
    pipeline = VolumePipeline([detecting(monkeypatch, lambda slices: calls.append(1) or bright_boxes(slices))])
    voxels, mask, geometry = block()
    result = pipeline.segment(Volume.from_array(voxels, geometry))
    return pipeline, result, mask, calls


def test_a_box_of_one_slice_replaces_what_was_seen_there_and_nothing_else(looks):
    pipeline, result, mask, calls = looks
    before = seen_boxes(result.objects[0].explanation)
    after = with_slice_box(pipeline, result, "block", VolumeBox(10.0, 8.0, 8.2, 14.0, 12.0, 9.2))
    wanted = mask.copy()
    wanted[8, 12:] = wanted[8, :, 14:] = False
    (item,) = after.objects
    assert np.array_equal(item.mask, wanted) and calls == [1], "the detector is not asked again"
    now = {each.slice: each for each in seen_boxes(item.explanation)}
    assert now[8].score is None and now[8].box == VolumeBox(10, 8, 8, 14, 12, 9)
    assert [now[each.slice] for each in before if each.slice != 8] == [each for each in before if each.slice != 8]
    again = with_slice_box(pipeline, after, "block", VolumeBox(10.0, 8.0, 9.0, 14.0, 12.0, 10.0))
    wanted[9, 12:] = wanted[9, :, 14:] = False
    assert np.array_equal(again.objects[0].mask, wanted), "the first box stays"
    assert [each.slice for each in seen_boxes(again.objects[0].explanation) if each.score is None] == [8, 9]
    back = with_slice_box(pipeline, again, "block", VolumeBox(7.0, 5.0, 9.0, 26.0, 18.0, 10.0))
    wanted[9] = mask[9]
    assert np.array_equal(back.objects[0].mask, wanted)


def test_where_nothing_was_seen_a_box_adds_its_slice(looks, monkeypatch):
    _pipeline, result, mask, _calls = looks
    blind = VolumePipeline([detecting(monkeypatch, [(8, (10.0, 8.0, 18.0, 15.0), 0.9)])])
    result = blind.segment(result.volume)
    assert np.flatnonzero(result.objects[0].mask.any((1, 2))).tolist() == [8]
    after = with_slice_box(blind, result, "block", VolumeBox(10.0, 8.0, 11.0, 18.0, 15.0, 12.0))
    assert np.flatnonzero(after.objects[0].mask.any((1, 2))).tolist() == [8, 11]


def test_boxes_that_were_stretched_by_a_drag_stay_as_well(looks):
    pipeline, result, mask, _calls = looks
    dragged = with_box(pipeline, result, "block", VolumeBox(10.0, 8.0, 6.0, 18.0, 12.0, 14.0))
    after = with_slice_box(pipeline, dragged, "block", VolumeBox(10.0, 8.0, 12.0, 23.0, 15.0, 13.0))
    wanted = dragged.objects[0].mask.copy()
    wanted[12] = mask[12]
    assert np.array_equal(after.objects[0].mask, wanted)


def test_it_lies_where_it_was_drawn_in_turned_and_oblique_copies(monkeypatch):
    pipeline = VolumePipeline([detecting(monkeypatch, bright_boxes)])
    voxels, mask, geometry = block()
    drawn, wanted = np.zeros_like(mask), mask.copy()
    drawn[8, 8:12, 10:14] = True
    wanted[8] &= drawn[8]
    for number, (values, placed, turn) in enumerate(copies(voxels, geometry)):
        if number % 5:
            continue
        corners = np.argwhere(turn(drawn))
        low, high = corners.min(0), corners.max(0) + 1
        result = pipeline.segment(Volume.from_array(values, oblique(placed)))
        after = with_slice_box(pipeline, result, "block", VolumeBox(*map(float, (*low[::-1], *high[::-1]))))
        assert np.array_equal(after.objects[0].mask, turn(wanted))


@pytest.mark.parametrize(
    "box", [VolumeBox(10, 8, 6, 11, 15, 14), VolumeBox(10, 8, 6, 18, 9, 14), VolumeBox(10, 8, 6, 18, 15, 14)]
)
def test_boxes_of_other_views_and_through_many_slices_are_refused(looks, box):
    pipeline, result, _mask, _calls = looks
    with pytest.raises(MethodError, match="Segmentation by detection looks at axial slices; draw the box in one"):
        with_slice_box(pipeline, result, "block", box)


def test_an_object_that_the_result_lacks_is_refused_in_words(looks):
    pipeline, result, _mask, _calls = looks
    with pytest.raises(MethodError, match="has no object 'spleen'"):
        with_slice_box(pipeline, result, "spleen", VolumeBox(10.0, 8.0, 8.0, 14.0, 12.0, 9.0))


def test_methods_that_look_at_no_slices_say_so(looks, tmp_path):
    _pipeline, result, _mask, _calls = looks
    box = VolumeBox(10.0, 8.0, 8.0, 14.0, 12.0, 9.0)
    rounds = load_pipeline(write_model(tmp_path / "a", [{"method": "step_wise", "label": "block"}]))
    with pytest.raises(MethodError, match="bright 1 lacks the method that made the block; choose the model that has"):
        with_slice_box(rounds, result, "block", box)
    own = rounds.segment(result.volume)
    with pytest.raises(MethodError, match="takes no boxes of single slices; drag the box around the whole block"):
        with_slice_box(rounds, own, "block", box)


def test_what_of_an_explanation_can_be_seen_its_kind_says():
    place = VolumeBox(1, 2, 3, 9, 8, 4)
    heat = Localisation(0.5, 0.1, (LocatedBox("axial", 3, place, 0.7),), (heat_map("axial", 3, np.eye(4)),))
    assert seen_boxes(heat) == (SeenBox("axial", 3, place, 0.7),)
    (one,) = seen_maps(heat)
    assert (one.title, one.view, one.slice, one.box) == ("heat map", "axial", 3, None)
    assert np.array_equal(one.values, np.eye(4))
    maps = [SaliencyMap("axial", 3, channel, np.array([[0, 255]], np.uint8), 0.5, 1.5, place) for channel in range(3)]
    told = SaliencyRounds((), 0.95, 10, True, 0.1, maps=(*maps, SaliencyMap("coronal", 1, 1, maps[0].values, 0, 1)))
    (weights,) = seen_maps(told)
    assert weights.title == "weights" and weights.values.tolist() == [[0.5, 1.5]] and weights.box == place
    for other in (None, UnknownExplanation("unheard", {"kind": "unheard"})):
        assert seen_boxes(other) == () and seen_maps(other) == ()
