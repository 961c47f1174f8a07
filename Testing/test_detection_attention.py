"""The method: image and attention, the article's rivals, what is said of a volume, turned copies, the picture."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from GrayscaleDetSegLib.batch.volumes import picture
from GrayscaleDetSegLib.core import codec
from GrayscaleDetSegLib.core.explanations.base import Explanation
from GrayscaleDetSegLib.core.explanations.kinds import kind_of
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.volumes.attention import AttentionBoxes, ProposedBox
from GrayscaleDetSegLib.core.volumes.cascade import CascadeConfig, CascadeSettings, attended, cascade
from GrayscaleDetSegLib.core.volumes.pipeline import VolumePipeline
from GrayscaleDetSegLib.core.volumes.result import VolumeBox
from GrayscaleDetSegLib.core.volumes.views import VIEWS, bounding_box
from GrayscaleDetSegLib.core.volumes.volume import Volume
from Testing.attention_models import Threshold, bright_boxes, cascade_networks, detecting, regions, working
from Testing.test_volume_grid import copies, oblique
from Testing.volume_models import block


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


def test_the_largest_part_alone_can_count(monkeypatch):
    image, mask = working()
    image[20:22, 20:23, 2:5] = 0.95
    networks = cascade_networks("none")
    networks.segmentation = Threshold()
    _, both = cascade(image, networks, CascadeSettings(), Stopwatch())
    _, alone = cascade(image, networks, CascadeSettings(largest=True), Stopwatch())
    assert both[0].sum() == mask.sum() + 18 and np.array_equal(alone[0], mask)
    assert attended((5, 7, 9), CascadeConfig("box_3d"), regions()).sum() == 0
