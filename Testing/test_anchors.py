"""Anchors along the gray axis."""

from __future__ import annotations

import json

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from training.anchors import anchor_recall, interval_iou


def test_intervals_scale_by_scale_and_upwards():
    config = AnchorConfig(bins=5, scales=(4, 2), stride=1)
    level = 255 / 5
    expected = [(0, 4), (1, 5), (0, 2), (1, 3), (2, 4), (3, 5)]
    np.testing.assert_allclose(config.intervals(), np.array(expected) * level)
    assert [config.positions(scale) for scale in config.scales] == [2, 4]


@pytest.mark.parametrize("config", [AnchorConfig(), AnchorConfig(40, (3, 40, 7), 3), AnchorConfig(1, (1,), 1)])
def test_anchors_lie_within_0_and_255_and_reach_as_far_up_as_they_can(config):
    intervals = config.intervals()
    assert intervals.min() >= 0 and intervals.max() <= 255 + 1e-9
    start = 0
    for scale in config.scales:
        part = intervals[start : start + config.positions(scale)]
        start += len(part)
        np.testing.assert_allclose(part[:, 1] - part[:, 0], scale * config.bin_width)
        np.testing.assert_allclose(np.diff(part[:, 0]), config.stride * config.bin_width)
        assert part[0, 0] == 0 and part[-1, 1] > 255 - config.stride * config.bin_width - 1e-9
    assert start == len(intervals)


def test_anchor_boxes_share_the_roi():
    config, roi = AnchorConfig(8, (2, 4), 2), (1.0, 2.0, 30.0, 40.0)
    corners, intervals = config.boxes(roi), config.intervals()
    assert (corners[:, [0, 1, 3, 4]] == roi).all()
    np.testing.assert_array_equal(corners[:, [2, 5]], intervals)


def test_interval_iou_is_the_3d_iou_over_a_shared_roi():
    random = np.random.default_rng(0)
    a, b = np.sort(random.random((2, 6, 2)) * 255, axis=2)
    roi = np.array([3.0, 4.0, 50.0, 60.0])
    expected = boxes.iou(boxes.extrude(roi, *a.T)[:, None], boxes.extrude(roi, *b.T)[None])
    np.testing.assert_allclose(interval_iou(a[:, None], b[None]), expected, rtol=1e-9)
    assert interval_iou([10, 30], [20, 40]) == pytest.approx(1 / 3)


def test_recall():
    config = AnchorConfig(bins=255, scales=(10,), stride=10)
    truth = np.array([[0, 10], [100, 110], [5, 15], [0, 255.0]])
    assert anchor_recall(config, truth, 0.99) == 0.5
    assert anchor_recall(config, truth, 0.3) == 0.75
    assert anchor_recall(config, truth, 0.0) == 1.0


def test_configuration_survives_json():
    config = AnchorConfig(40, (3, 9), 3)
    assert AnchorConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("bins, scales, stride", [(8, (9,), 1), (8, (0,), 1), (8, (4,), 0)])
def test_impossible_anchors_are_refused(bins, scales, stride):
    with pytest.raises(ValueError, match="scales"):
        AnchorConfig(bins, scales, stride)
