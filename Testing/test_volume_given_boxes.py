"""Boxes of a volume that somebody draws in the place of detected ones."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core import codec
from GrayscaleDetSegLib.core.errors import MethodError
from GrayscaleDetSegLib.core.explanations.base import Explanation
from GrayscaleDetSegLib.core.methods.step_wise import StepWise
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.volumes.attention import around, box_of, corners_of
from GrayscaleDetSegLib.core.volumes.given import GivenBoxes, WorkingBoxes, fitted, in_working_grid
from GrayscaleDetSegLib.core.volumes.grid import Grid
from GrayscaleDetSegLib.core.volumes.pipeline import VolumePipeline
from GrayscaleDetSegLib.core.volumes.result import VolumeBox
from GrayscaleDetSegLib.core.volumes.views import bounding_box
from GrayscaleDetSegLib.core.volumes.volume import Volume
from Testing.attention_models import bright_boxes, detecting, regions, working
from Testing.test_volume_grid import copies, oblique
from Testing.volume_models import block

SHAPE = (5, 7, 9)


def test_boxes_of_the_file_come_into_the_working_grid_and_back():
    voxels, _, geometry = block((13, 26, 28), (1.0, 1.2, 2.0))
    box = (3.0, 4.5, 2.0, 11.0, 9.0, 6.5)
    for values, placed, _ in copies(voxels, geometry):
        grid = Grid.of(Volume.from_array(values, placed), 0.9)
        inside = (1.0, 2.0, 0.5, 5.0, 4.0, 6.0) if min(values.shape) < 14 else box
        np.testing.assert_allclose(grid.box_to_stored(grid.box_to_working(inside)), inside, atol=1e-9)


DETECTED = [(index, (4.0, 2.0, 8.0, 5.0), 0.9) for index in range(1, 4)]


def given_of(roi=None, slices=(), fit="clip", detect=True) -> WorkingBoxes:
    return WorkingBoxes(roi, tuple(slices), fit, detect)


def test_a_region_of_interest_clips_what_is_detected_slice_by_slice():
    found = fitted(regions(*DETECTED), given_of((2.0, 0.0, 6.0, 5.0, 4.0, 9.0)), "axial", SHAPE)
    assert found.rows() == [(2, [6.0, 2.0, 8.0, 4.0], 0.9), (3, [6.0, 2.0, 8.0, 4.0], 0.9)]
    beside = fitted(regions(*DETECTED), given_of((2.0, 5.0, 0.0, 4.0, 7.0, 3.0)), "axial", SHAPE)
    assert beside.index.tolist() == [2, 3] and beside.boxes.tolist() == [[0, 5, 3, 7]] * 2, "nothing in it: the box"
    assert np.isnan(beside.scores).all()


def test_what_is_detected_is_stretched_to_a_dragged_box():
    tapered = regions((1, (4.0, 2.0, 8.0, 5.0), 0.9), (2, (5.0, 3.0, 7.0, 4.0), 0.8))
    found = fitted(tapered, given_of((0.0, 1.0, 0.0, 4.0, 7.0, 8.0), fit="scale"), "axial", SHAPE)
    assert found.index.tolist() == [0, 1, 2, 3] and found.scores.tolist() == [0.9, 0.9, 0.8, 0.8]
    assert found.boxes.tolist() == [[0, 1, 8, 7]] * 2 + [[2, 3, 6, 5]] * 2, "twice as large in all three directions"
    same = fitted(tapered, given_of(around("axial", tapered), fit="scale"), "axial", SHAPE)
    assert same.rows() == tapered.rows()
    nothing = fitted(regions(), given_of((1.0, 1.0, 1.0, 3.0, 3.0, 3.0), fit="scale"), "axial", SHAPE)
    assert nothing.boxes.tolist() == [[1, 1, 3, 3]] * 2


def test_the_box_of_a_single_slice_takes_the_place_of_what_is_detected_there():
    mine = corners_of("axial", 2, (0.0, 0.0, 3.0, 2.0))
    other = corners_of("axial", 2, (5.0, 5.0, 9.0, 7.0))
    found = fitted(regions(*DETECTED), given_of(slices=[mine, other]), "axial", SHAPE)
    assert found.index.tolist() == [1, 2, 2, 3]
    assert found.boxes[1:3].tolist() == [[0, 0, 3, 2], [5, 5, 9, 7]] and np.isnan(found.scores[1:3]).all()
    thick = fitted(regions(*DETECTED), given_of(slices=[(0.4, 0.0, 0.0, 2.6, 2.0, 3.0)]), "axial", SHAPE)
    assert thick.index.tolist() == [0, 1, 2, 3] and thick.boxes[3].tolist() == [4, 2, 8, 5]


def test_a_human_takes_the_place_of_the_detector(monkeypatch):
    voxels, mask, geometry = block()
    volume = Volume.from_array(voxels, geometry)
    calls = []
    method = detecting(monkeypatch, lambda slices: calls.append(1) or bright_boxes(slices))
    pipeline = VolumePipeline([method])
    roi = VolumeBox(10.0, 8.0, 6.0, 18.0, 15.0, 10.0)
    (clipped,) = pipeline.segment(volume, given={"block": GivenBoxes(roi)}).objects
    wanted = mask.copy()
    wanted[10:], wanted[:, :, 18:] = False, False
    assert np.array_equal(clipped.mask, wanted) and clipped.explanation.given and calls == [1]
    slices = tuple(VolumeBox(10.0, 8.0, float(z), 18.0, 15.0, z + 1.0) for z in (7, 9))
    (drawn,) = pipeline.segment(volume, given={"block": GivenBoxes(slices=slices, detect=False)}).objects
    assert calls == [1], "the detector was not asked"
    assert np.flatnonzero(drawn.mask.any((1, 2))).tolist() == [7, 9]
    assert [(each.slice, each.score) for each in drawn.explanation.regions] == [(7, None), (9, None)]
    assert codec.decode(Explanation, codec.encode(drawn.explanation)) == drawn.explanation
    box = detecting(monkeypatch, bright_boxes, "box_3d")
    (around_it,) = VolumePipeline([box]).segment(volume, given={"block": GivenBoxes(roi, detect=False)}).objects
    assert around_it.explanation.box == roi and np.array_equal(around_it.mask, wanted)


def test_given_boxes_lie_where_they_were_drawn_in_turned_copies(monkeypatch):
    pipeline = VolumePipeline([detecting(monkeypatch, bright_boxes)])
    voxels, mask, geometry = block()
    roi = np.zeros_like(mask)
    roi[7:12, 9:14, 11:20] = True
    for number, (values, placed, turn) in enumerate(copies(voxels, geometry)):
        if number % 5:
            continue
        z0, y0, x0, z1, y1, x1 = bounding_box(turn(roi))
        drawn = {"block": GivenBoxes(VolumeBox(x0, y0, z0, x1, y1, z1))}
        (item,) = pipeline.segment(Volume.from_array(values, oblique(placed)), given=drawn).objects
        assert np.array_equal(item.mask, turn(mask & roi))


def test_a_dragged_box_goes_through_the_seam_of_the_panel(monkeypatch):
    image, mask = working()
    method = detecting(monkeypatch, bright_boxes)
    box = box_of(mask.shape, tuple(map(float, bounding_box(mask))))
    (found,) = method.segment_from_box(image, "block", box, {}, Stopwatch())
    assert np.array_equal(found.outcome.mask, mask)
    with pytest.raises(MethodError, match="lies outside of the volume"):
        method.segment_from_box(image, "block", np.zeros_like(box), {}, Stopwatch())


@pytest.mark.parametrize(
    "boxes, reason",
    [
        (GivenBoxes(), "No box of block is given"),
        (GivenBoxes(VolumeBox(5, 5, 5, 5, 9, 9)), r"\(5, 5, 5, 5, 9, 9\) is no box of block"),
        (GivenBoxes(VolumeBox(5, 5, 5, float("nan"), 9, 9)), "is no box of block"),
        (GivenBoxes((1.0, 2.0)), "is no box of block"),
        (GivenBoxes(VolumeBox(40, 5, 5, 50, 9, 9)), "lies outside of the volume of 28 x 26 x 24 voxels"),
        (GivenBoxes(slices=(VolumeBox(1, 1, 30, 5, 5, 31),)), "lies outside of the volume"),
        (GivenBoxes(VolumeBox(1, 1, 1, 5, 5, 5), fit="stretch"), "can't be fitted by 'stretch'"),
    ],
)
def test_boxes_that_are_none(boxes, reason, monkeypatch):
    voxels, _, geometry = block()
    pipeline = VolumePipeline([detecting(monkeypatch, bright_boxes)])
    with pytest.raises(MethodError, match=reason) as raised:
        pipeline.segment(Volume.from_array(voxels, geometry), given={"block": boxes})
    assert str(raised.value).count(".") - str(raised.value).count(". ") >= 1 and "\n" not in str(raised.value)


def test_boxes_for_those_that_take_none(monkeypatch):
    voxels, _, geometry = block()
    volume, boxes = Volume.from_array(voxels, geometry), GivenBoxes(VolumeBox(1, 1, 1, 5, 5, 5))
    with pytest.raises(MethodError, match="Boxes are given for liver, and the model finds block"):
        VolumePipeline([detecting(monkeypatch, [])]).segment(volume, given={"liver": boxes})
    with pytest.raises(MethodError, match="looks at whole volumes and takes no boxes"):
        VolumePipeline([detecting(monkeypatch, [], "none")]).segment(volume, given={"block": boxes})
    with pytest.raises(MethodError, match="'step_wise' takes no boxes"):
        VolumePipeline([StepWise({})]).segment(volume, given={"block": boxes})
    whole = GivenBoxes(VolumeBox(-5, -5, -5, 99, 99, 99))
    grid = Grid.of(volume)
    assert in_working_grid(whole, grid, "block").roi == (0.0, 0.0, 0.0, 24.0, 26.0, 28.0), "cut off at the volume"
