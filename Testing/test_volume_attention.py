"""Segmentation by detection: regions of slices, the attention volume, boxes that are given, tiles, and the networks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.batch.volumes import picture
from GrayscaleDetSegLib.core import codec
from GrayscaleDetSegLib.core.errors import MethodError
from GrayscaleDetSegLib.core.explanations.base import Explanation
from GrayscaleDetSegLib.core.explanations.kinds import kind_of
from GrayscaleDetSegLib.core.methods.detection_attention import Cascade, DetectionAttention
from GrayscaleDetSegLib.core.methods.step_wise import StepWise
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.volumes import cascade as cascades
from GrayscaleDetSegLib.core.volumes import unet3d
from GrayscaleDetSegLib.core.volumes.attention import (
    AttentionBoxes,
    ProposedBox,
    around,
    attention_of,
    box_of,
    corners_of,
    span,
)
from GrayscaleDetSegLib.core.volumes.cascade import CascadeConfig, CascadeSettings, attended, cascade
from GrayscaleDetSegLib.core.volumes.given import GivenBoxes, WorkingBoxes, fitted, in_working_grid
from GrayscaleDetSegLib.core.volumes.grid import Grid
from GrayscaleDetSegLib.core.volumes.pipeline import VolumePipeline
from GrayscaleDetSegLib.core.volumes.proposals import SliceRegions, anchor_boxes, chosen, decoded
from GrayscaleDetSegLib.core.volumes.result import VolumeBox
from GrayscaleDetSegLib.core.volumes.rpn import Rpn, RpnConfig, proposed
from GrayscaleDetSegLib.core.volumes.unet3d import UNet3D, likely, padded
from GrayscaleDetSegLib.core.volumes.views import VIEWS, bounding_box
from GrayscaleDetSegLib.core.volumes.volume import Volume
from Testing.attention_models import cascade_networks, regions
from Testing.test_volume_grid import copies, oblique
from Testing.volume_models import block
from training.volumes.regions import offsets_of

SHAPE = (5, 7, 9)
NAN = float("nan")


@st.composite
def some_regions(draw):
    view = draw(st.sampled_from(sorted(VIEWS)))
    sides = [side for axis, side in enumerate(SHAPE) if axis != VIEWS[view]]
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        box = []
        for side in (sides[1], sides[0]):
            low = draw(st.floats(0, side - 1))
            box.append((low, draw(st.floats(low + 1, side))))
        rows.append((draw(st.integers(0, SHAPE[VIEWS[view]] - 1)), (box[0][0], box[1][0], box[0][1], box[1][1]), 0.9))
    return view, rows


@given(some_regions())
@settings(max_examples=60, deadline=None)
def test_the_attention_volume_is_the_stack_of_all_regions(drawn):
    """Voxel by voxel: its middle lies in a region of its own slice."""
    view, rows = drawn
    found = attention_of(SHAPE, view, SliceRegions.of(rows))
    wanted = np.zeros(SHAPE, bool)
    for place in np.ndindex(SHAPE):
        rest = [each for axis, each in enumerate(place) if axis != VIEWS[view]]
        for index, (x0, y0, x1, y1), _ in rows:
            if index == place[VIEWS[view]] and x0 <= rest[1] + 0.5 < x1 and y0 <= rest[0] + 0.5 < y1:
                wanted[place] = True
    assert np.array_equal(found, wanted)
    corners = around(view, SliceRegions.of(rows))
    assert (corners is None) == (not rows) and not (wanted & ~box_of(SHAPE, corners)).any()


def test_thin_regions_fill_a_voxel_and_those_at_the_edge_stay_inside():
    assert span(2.1, 2.2, 9) == (2, 3) and span(8.9, 9.0, 9) == (8, 9) and span(-4.0, 30.0, 9) == (0, 9)
    assert attention_of(SHAPE, "axial", regions((4, (8.8, 6.8, 9.0, 7.0), 0.5))).sum() == 1


def test_anchors_lie_around_the_middles_of_cells():
    found = anchor_boxes(2, 3, 8, (0.5, 1.0), (1.0, 4.0), 16.0).reshape(2, 3, 4, 4)
    assert found[0, 0, 0].tolist() == [0.0, 0.0, 8.0, 8.0] and found[1, 2, 0].tolist() == [16.0, 8.0, 24.0, 16.0]
    sides = found[0, 0, :, 2:] - found[0, 0, :, :2]
    assert sides.tolist() == [[8, 8], [4, 16], [16, 16], [8, 32]], "as wide and high, then four times as high as wide"


def test_offsets_make_of_an_anchor_what_they_were_made_of():
    random = np.random.default_rng(0)
    low = random.uniform(0, 20, (2, 30, 2))
    anchors, truth = np.concatenate([low, low + random.uniform(1, 20, (2, 30, 2))], -1)
    np.testing.assert_allclose(decoded(anchors, offsets_of(anchors, truth)), truth, atol=1e-9)
    assert np.isfinite(decoded(anchors, np.full((30, 4), 1e4))).all()


def test_of_regions_that_show_the_same_the_best_counts():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [3, 3, 3, 9], [0, 20, 9, 30]], float)
    scores = np.array([0.7, 0.9, 0.6, 0.99, 0.4])
    found, kept = chosen(boxes, scores, 0.5, 0.3, 9)
    assert found.tolist() == [[1, 0, 11, 10], [20, 20, 30, 30]] and kept.tolist() == [0.9, 0.6]
    assert len(chosen(boxes, scores, 0.5, 0.3, 1)[0]) == 1 and len(chosen(boxes, scores, 0.995, 0.3, 9)[0]) == 0


def test_margins_are_shares_of_the_slices_longest_side():
    found = regions((0, (4.0, 4.0, 6.0, 6.0), 0.9)).grown(0.25, (8, 20))
    assert found.boxes.tolist() == [[0.0, 0.0, 11.0, 8.0]], "5 px more on every side, cut off at the edges"


@pytest.mark.parametrize("config", [{}, {"side": 40, "slices": 1}, {"backbone": "vgg16", "channels": (4,) * 5}])
def test_a_detector_says_a_score_and_a_box_of_every_anchor(config):
    torch.manual_seed(0)
    network = Rpn(RpnConfig(**{"channels": (4, 4, 8), "width": 8, "side": None, **config})).eval()
    images = torch.rand(2, network.config.slices, 33, 50)
    logits, offsets = network(network.seen(images))
    anchors = network.anchors((33, 50))
    assert logits.shape == (2, len(anchors), 2) and offsets.shape == (2, len(anchors), 4)
    assert network.config.anchors == 9 and len(anchors) % 9 == 0
    size = network.seen_size((33, 50))
    assert size == ((33, 50) if network.config.side is None else (26, 40))
    middles = (anchors[:, :2] + anchors[:, 2:]) / 2
    assert middles[-1, 0] >= size[1] - network.backbone.stride and middles[0].max() == network.backbone.stride / 2


def test_the_places_of_a_detectors_features_are_those_of_its_anchors():
    """Made to say high scores where the picture is bright, it proposes anchors there."""
    network = cascade_networks().detector
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    bright = torch.zeros(1, 8, 1, 1)

    class Bright(torch.nn.Module):
        stride = multiple = 4

        def forward(self, images):
            return torch.nn.functional.avg_pool2d(images[:, 1:2], 4) - 0.5 + bright

    network.backbone = Bright()
    with torch.no_grad():
        network.window = torch.nn.Conv2d(8, 8, 1)
        network.norm = torch.nn.Identity()
        network.window.weight.copy_(torch.eye(8)[:, :, None, None])
        network.window.bias.zero_()
        network.classify.weight[1, 0] = 20.0  # the first anchor's score of an object
        network.classify.bias[0] = 1.0
        network.classify.bias[2::2] = 9.0  # all other anchors are background
    slices = np.zeros((6, 24, 32), np.float32)
    slices[3, 8:12, 20:24] = 1.0
    found = proposed(network, slices, 0.6, 0.3, 4)
    assert found.index.tolist() == [3] and found.scores[0] > 0.99
    middle = (found.boxes[0, :2] + found.boxes[0, 2:]) / 2
    assert middle.tolist() == [22.0, 10.0]


def test_the_articles_backbone_is_vgg_16_without_its_last_pooling():
    with torch.device("meta"):
        network = Rpn(RpnConfig("vgg16", channels=(64, 128, 256, 512, 512), width=512, side=184))
    names = [name for name in network.backbone.body.state_dict() if name.endswith("weight")]
    assert names == [f"{number}.weight" for number in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]
    assert sum(each.numel() for each in network.backbone.parameters()) == 14_714_688
    assert network.classify.out_channels == 18 and network.regress.out_channels == 36


@pytest.mark.parametrize(
    "wrong",
    [{"backbone": "huge"}, {"slices": 2}, {"backbone": "vgg16"}, {"channels": (4, 4)}, {"scales": ()},
     {"ratios": (0.0,)}],
)  # fmt: skip
def test_detectors_that_cannot_be_built(wrong):
    with pytest.raises(ValueError, match="there is no|slices|levels|anchors"):
        RpnConfig.from_dict(wrong)


def test_what_a_configuration_says_comes_back_from_a_manifest():
    config = CascadeConfig("box_3d", "coronal", (4, 8), RpnConfig(scales=(0.1, 0.2, 0.3)))
    assert CascadeConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    for wrong in ({"attention": "all"}, {"view": "front"}):
        with pytest.raises(ValueError, match="there is no"):
            CascadeConfig.from_dict(wrong)


@pytest.mark.parametrize("size", [(9, 12, 7), (8, 8, 8)])
def test_a_3d_u_net_says_a_logit_of_every_voxel(size):
    network = UNet3D(2, (4, 8, 8)).eval()
    assert network(torch.rand(1, 2, *size)).shape == (1, *size)
    grown = padded(torch.rand(1, 1, *size), 4)
    assert all(side % 4 == 0 for side in grown.shape[2:]) and torch.equal(grown[..., -1, :, :][..., 0], grown[
        0, 0, size[0] - 1, :, 0][None, None])


class Threshold(torch.nn.Module):
    """Stands for a 3D U-Net: what is bright and, where it is told, in the attention; remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = []

    def forward(self, volumes):
        self.sizes.append(tuple(volumes.shape[1:]))
        likely = (volumes[:, 0] + 0.5 - 0.5) * 100.0
        return likely if volumes.shape[1] == 1 else likely - 1000.0 * (1.0 - volumes[:, 1])


def test_a_large_volume_is_looked_at_in_tiles_where_there_is_attention(monkeypatch):
    monkeypatch.setattr(unet3d, "OVERLAP", 4)
    image = np.random.default_rng(0).uniform(0, 1, (20, 31, 16)).astype(np.float32)
    attention = np.zeros(image.shape, bool)
    attention[0:3, 0:6, 4:11] = True
    network = Threshold()
    tiled = likely(network, image, None, 16)
    assert np.array_equal(tiled >= 0.5, likely(Threshold(), image, None, 64) >= 0.5)
    assert set(network.sizes) == {(1, 16, 16, 16)} and len(network.sizes) == 2 * 3
    network = Threshold()
    found = likely(network, image, attention, 16) >= 0.5
    assert len(network.sizes) == 1, "the others hold no attention"
    assert np.array_equal(found, (image >= 0.5) & attention)


def working() -> tuple[np.ndarray, np.ndarray]:
    voxels, mask, _ = block()
    return (voxels / 1000.0).astype(np.float32), mask


def detecting(monkeypatch, rows, attention: str = "slices", view: str = "axial", **how) -> DetectionAttention:
    """The method with a detector that says these rows of every volume, and a 3D U-Net that takes what is bright."""
    networks = cascade_networks(attention, view)
    networks.segmentation = Threshold()
    said = rows if callable(rows) else lambda slices: regions(*rows)
    monkeypatch.setattr(cascades, "proposed", lambda network, slices, *more: said(slices))
    return DetectionAttention({"block": Cascade(networks, CascadeSettings(**how))})


def bright_boxes(slices: np.ndarray) -> SliceRegions:
    """A perfect detector of what is bright."""
    from training.volumes.regions import true_boxes

    return regions(*((index, box, 0.75) for index, each in enumerate(slices) for box in true_boxes(each > 0.8)))


def test_image_and_attention_are_the_two_channels(monkeypatch):
    image, mask = working()
    method = detecting(monkeypatch, [(8, (10.0, 8.0, 18.0, 11.0), 0.9)])
    (found,) = method.segment_volume(image, Stopwatch())
    wanted = np.zeros_like(mask)
    wanted[8, 8:11, 10:18] = True
    assert np.array_equal(found.outcome.mask, wanted & mask) and np.array_equal(found.outcome.masks[0], wanted)
    assert method.cascades["block"].networks.segmentation.sizes == [(2, *mask.shape)]


def test_the_rivals_of_the_article_are_settings(monkeypatch):
    image, mask = working()
    rows = [(8, (10.0, 8.0, 12.0, 10.0), 0.9), (12, (14.0, 9.0, 16.0, 12.0), 0.6)]
    (box,) = detecting(monkeypatch, rows, "box_3d").segment_volume(image, Stopwatch())
    assert bounding_box(box.outcome.masks[0]) == (8, 8, 10, 13, 12, 16) and box.outcome.masks[0].sum() == 5 * 4 * 6
    method = detecting(monkeypatch, rows, "none")
    (plain,) = method.segment_volume(image, Stopwatch())
    assert np.array_equal(plain.outcome.mask, mask) and len(plain.outcome.masks) == 1
    assert method.cascades["block"].networks.segmentation.sizes == [(1, *mask.shape)]


def test_without_a_region_the_segmentation_is_skipped_and_it_is_said(monkeypatch):
    voxels, _, geometry = block()
    method = detecting(monkeypatch, [])
    result = VolumePipeline([method]).segment(Volume.from_array(voxels, geometry))
    assert result.message == "Nothing was found. No slice shows a region of block, so it was not segmented."
    assert "segmentation" not in result.seconds and method.cascades["block"].networks.segmentation.sizes == []


@pytest.mark.parametrize("view", VIEWS)
def test_turned_and_oblique_copies_get_the_same_mask_and_regions(view, monkeypatch):
    pipeline = VolumePipeline([detecting(monkeypatch, bright_boxes, view=view)])
    voxels, mask, geometry = block((13, 26, 28), (1.0, 1.0, 2.0))
    (first,) = pipeline.segment(Volume.from_array(voxels, geometry)).objects
    assert first.method == "detection_attention" and first.explanation.view == view
    for number, (values, placed, turn) in enumerate(copies(voxels, geometry)):
        if number % 7:
            continue
        for each in (placed, oblique(placed)):
            (other,) = pipeline.segment(Volume.from_array(values, each)).objects
            assert np.array_equal(other.mask, turn(first.mask))
            assert len(other.explanation.regions) == len(first.explanation.regions)
            for ours, theirs in zip(other.explanation.regions, first.explanation.regions):
                grown = np.zeros(voxels.shape, bool)
                grown[_window(theirs.box)] = True
                same = np.zeros(values.shape, bool)
                same[_window(ours.box)] = True
                assert (turn(grown) ^ same).mean() < 0.01 and ours.score == theirs.score


def _window(box: VolumeBox):
    return tuple(slice(int(np.floor(box[axis])), int(np.ceil(box[axis + 3]))) for axis in (2, 1, 0))


def test_the_regions_are_told_with_the_object_and_survive_json(monkeypatch):
    voxels, mask, geometry = block()
    stages = []
    pipeline = VolumePipeline([detecting(monkeypatch, bright_boxes, margin=0.1)])
    result = pipeline.segment(Volume.from_array(voxels, geometry), progress=stages.append)
    assert stages == ["grid", "detection", "segmentation", "masks"]
    (item,) = result.objects
    said = item.explanation
    assert isinstance(said, AttentionBoxes) and kind_of("attention") is AttentionBoxes and not said.given
    assert [each.slice for each in said.regions] == list(range(6, 14)) and said.margin == 0.1
    assert said.regions[0] == ProposedBox(6, pytest.approx(VolumeBox(7.2, 5.2, 6.0, 25.8, 17.8, 7.0)), 0.75)
    assert said.box == VolumeBox(7, 5, 6, 26, 18, 14) and said.volume_mm3 > mask.sum()
    for exact in (True, False):
        plain = json.loads(json.dumps(codec.encode(said, exact)))
        assert plain["kind"] == "attention" and codec.decode(Explanation, plain) == said
    codec.check_storable(said)


def test_the_picture_shows_the_regions_of_its_slice(monkeypatch):
    voxels, mask, geometry = block()
    values, placed, _ = list(copies(voxels, geometry))[13]
    for view in VIEWS:
        pipeline = VolumePipeline([detecting(monkeypatch, bright_boxes, view=view)])
        for shown_as, where in ((voxels, geometry), (values, placed)):
            result = pipeline.segment(Volume.from_array(shown_as, where))
            (item,) = result.objects
            index = int(mask.sum(tuple(axis for axis in range(3) if axis != VIEWS[view])).argmax())
            ((rows, columns),) = picture._regions(item.explanation, result, view, index)
            shown = np.moveaxis(mask, VIEWS[view], 0)[index]
            found = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
            assert rows == (found[0][0], found[0][-1] + 1) and columns == (found[1][0], found[1][-1] + 1)
            assert picture._regions(item.explanation, result, view, 0) == []
    plain = dataclasses.replace(result, objects=(dataclasses.replace(item, explanation=None),))
    one, other = (np.asarray(picture.draw_picture(each)) for each in (result, plain))
    assert one.shape == other.shape and (one != other).any()


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
        (GivenBoxes(VolumeBox(5, 5, 5, NAN, 9, 9)), "is no box of block"),
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


def test_the_largest_part_alone_can_count(monkeypatch):
    image, mask = working()
    image[20:22, 20:23, 2:5] = 0.95
    networks = cascade_networks("none")
    networks.segmentation = Threshold()
    _, both = cascade(image, networks, CascadeSettings(), Stopwatch())
    _, alone = cascade(image, networks, CascadeSettings(largest=True), Stopwatch())
    assert both[0].sum() == mask.sum() + 18 and np.array_equal(alone[0], mask)
    assert attended(SHAPE, CascadeConfig("box_3d"), regions()).sum() == 0
