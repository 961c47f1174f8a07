"""The figures of the evaluation: overlaps, baselines, anchors by clustering, the schedule, the draw of an epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("skimage", reason="the evaluation needs the extra 'training'")

from training.anchors import cluster_anchors, size_iou  # noqa: E402
from training.baselines.thresholds import multi_otsu, otsu  # noqa: E402
from training.metrics import overlap  # noqa: E402
from training.runs.stages import Stage, stage_rate  # noqa: E402
from training.sampling import EpochSampler  # noqa: E402


def test_overlap_of_counted_pixels():
    truth, mask = np.zeros((2, 10), bool), np.zeros((2, 10), bool)
    truth[0, :8] = True
    mask[0, 2:] = mask[1, :1] = True  # 6 of 8 found, 3 too many
    found = overlap(mask, truth)
    assert (found.iou, found.dsc, found.fn, found.fp) == (6 / 11, 12 / 17, 2 / 8, 3 / 8)
    with pytest.raises(ValueError, match="empty"):
        overlap(mask, np.zeros_like(mask))


@pytest.mark.parametrize("label, level", [("femur", 200), ("right lung", 40)])
def test_otsu_takes_the_side_of_the_object(label, level):
    generator = np.random.default_rng(0)
    truth = np.zeros((60, 60), bool)
    truth[10:40, 20:50] = True
    gray = np.where(truth, level, 120.0) + generator.normal(0, 5, truth.shape)
    assert overlap(otsu(gray, label), truth).iou > 0.98
    gray[:, :10] = 255 - level  # a third class, on the other side
    assert overlap(multi_otsu(gray, label, 1), truth).iou > 0.98
    assert overlap(multi_otsu(gray, label, 2), truth).iou < 0.5
    assert otsu(np.full((5, 5), 7.0), label).all()


def test_anchors_are_the_sizes_that_occur():
    generator = np.random.default_rng(1)
    kinds = np.array([[20.0, 60.0], [80.0, 30.0], [150.0, 200.0]])
    sizes = np.repeat(kinds, 50, axis=0) * generator.uniform(0.95, 1.05, (150, 2))
    anchors, fit = cluster_anchors(sizes, 3)
    np.testing.assert_allclose(anchors, kinds, rtol=0.03)
    assert fit > 0.94
    assert size_iou(np.array([[10.0, 10.0]]), np.array([[10.0, 20.0]])) == pytest.approx(0.5)


def test_stages_follow_each_other():
    stages = [Stage("output", 1e-3, 2), Stage("all", 1e-4, 3, "cosine")]
    rates = [stage_rate(stages, step, 10) for step in range(60)]
    assert [stage.trainable for stage, _ in rates] == ["output"] * 20 + ["all"] * 40
    assert {rate for _, rate in rates[:20]} == {1e-3}
    falling = [rate for _, rate in rates[21:50]]
    assert falling == sorted(falling, reverse=True) and falling[0] < 1e-4 * 1.001
    assert rates[-1][1] == pytest.approx(1e-6)


def test_an_epoch_is_decided_by_its_number_and_small_sets_come_more_often():
    names = ["large"] * 90 + ["small"] * 10

    def draw(epoch, balance=0.0):
        sampler = EpochSampler(names, balance, seed=4)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert draw(3) == draw(3) and draw(3) != draw(4)
    assert len(set(draw(3))) == len(names)  # two draws of one case are augmented differently
    counts = Counter(names[index % 100] for epoch in range(20) for index in draw(epoch))
    assert counts["small"] / 2000 == pytest.approx(0.5, abs=0.05)
    counts = Counter(names[index % 100] for epoch in range(20) for index in draw(epoch, 1.0))
    assert counts["small"] / 2000 == pytest.approx(0.1, abs=0.03)
