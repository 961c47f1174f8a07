"""What the detector and the segmentation learn from: samples, boxes, anchors, losses, stages."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.volumes.attention import attention_of, box_of
from GrayscaleDetSegLib.core.volumes.cascade import CascadeSettings
from GrayscaleDetSegLib.core.volumes.views import bounding_box, dsc
from Testing.attention_models import cascade_networks, regions
from Testing.volume_models import block
from training.runs.stages import Stage
from training.volumes import detection_attention as training
from training.volumes.cases import VolumeDataError
from training.volumes.data import Prepared
from training.volumes.regions import (
    anchor_recall,
    detection_loss,
    fitted_shapes,
    matched,
    sampled,
    true_attention,
    true_boxes,
    true_regions,
)
from training.volumes.whole import Variation, VolumeDataset, patch_window, varied


def two_blobs() -> np.ndarray:
    mask = np.zeros((4, 20, 30), bool)
    mask[1, 2:6, 3:10] = mask[1, 12:18, 20:29] = mask[2, 5:9, 5:9] = True
    mask[2, 15, 15] = True  # a single voxel is no region beside another one
    mask[3, 7, 7] = True
    return mask


def test_every_part_of_a_slice_has_a_tight_box():
    mask = two_blobs()
    assert true_boxes(mask[1]).tolist() == [[3, 2, 10, 6], [20, 12, 29, 18]]
    assert true_boxes(mask[2]).tolist() == [[5, 5, 9, 9]] and true_boxes(mask[3]).tolist() == [[7, 7, 8, 8]]
    assert true_boxes(mask[0]).shape == (0, 4)
    assert true_regions(mask, "axial").index.tolist() == [1, 1, 2, 3]
    attention = true_attention(mask, "axial")
    assert attention.sum() == 4 * 7 + 6 * 9 + 16 + 1 and attention[mask].sum() == mask.sum() - 1
    assert np.array_equal(training.true_box(mask), box_of(mask.shape, bounding_box(mask)))
    assert training.true_box(mask, 0.1).sum() > training.true_box(mask).sum()
    assert not training.true_box(np.zeros_like(mask), 0.1).any()


def test_anchors_learn_what_they_meet():
    truth = np.array([[0, 0, 10, 10], [30, 30, 34, 40]], float)
    anchors = np.array(
        [[0, 0, 10, 9], [0, 0, 10, 6], [0, 0, 9, 2], [50, 50, 60, 60], [30, 30, 40, 40]], float
    )  # IoU 0.9, 0.6, below 0.3, 0; and 0.4 with the second box, which no other anchor meets
    kind, nearest = matched(anchors, truth)
    assert kind.tolist() == [1, -1, 0, 0, 1] and nearest[[0, 4]].tolist() == [0, 1]
    assert matched(anchors, np.zeros((0, 4)))[0].tolist() == [0] * 5
    assert matched(anchors + 500, truth)[0].tolist() == [0] * 5, "an anchor that meets nothing is the best of nothing"


def test_a_step_learns_from_some_objects_and_all_background():
    kind = np.array([1, 0, 0, 0, -1, 0, 0, 1])
    objects, background = sampled(kind, 8, np.random.default_rng(0))
    assert objects.tolist() == [0, 7] and background.tolist() == [1, 2, 3, 5, 6]
    many, _ = sampled(np.ones(20), 4, np.random.default_rng(0))
    assert len(set(many.tolist())) == 4 and many.tolist() == sorted(many)


def test_the_loss_is_log_loss_and_smooth_l1():
    logits = torch.tensor([[0.0, 2.0], [1.0, 0.0], [5.0, 5.0], [3.0, 0.0]])
    offsets = torch.tensor([[0.5, 0.0, 0.0, 2.0], [9.0] * 4, [9.0] * 4, [9.0] * 4])
    chosen = np.array([0]), np.array([1, 3]), np.zeros((1, 4))
    scores, places = detection_loss(logits, offsets, *chosen, 2.0)
    of_object, *of_background = (np.log1p(np.exp(-margin)) for margin in (2.0, 1.0, 3.0))
    assert float(scores) == pytest.approx((of_object + sum(of_background)) / 3, rel=1e-5), "as two drawn of two"
    heavier, _ = detection_loss(logits, offsets, *chosen, 8.0)
    assert float(heavier) == pytest.approx((of_object + 4 * sum(of_background)) / 9, rel=1e-5)
    assert float(places) == pytest.approx(0.5 * 0.25 + 1.5), "0.5 t^2 below 1, |t| - 0.5 above, summed over x, y, w, h"
    alone, nothing = detection_loss(logits, offsets, np.zeros(0, int), np.array([1, 3]), np.zeros((0, 4)), 2.0)
    assert float(nothing) == 0.0 and float(alone) == pytest.approx(sum(of_background) / 2, rel=1e-5)


def test_anchors_are_fitted_to_the_boxes_of_train():
    mask = np.zeros((8, 40, 20), bool)
    for index, side in enumerate((6, 6, 10, 10, 20, 20)):
        mask[index, : 2 * (side // 2), : side // 2] = True
    scales, ratios = fitted_shapes([mask], "axial")
    np.testing.assert_allclose(scales, np.sqrt([18, 50, 200]) / 40, atol=0.03)
    assert ratios == [2.0, 2.0, 2.0]
    assert anchor_recall([mask], "axial", scales, [2.0], 1 / 40) > 0.9
    assert anchor_recall([mask], "axial", [0.9], [1.0], 1 / 40) == 0.0


def test_volumes_are_varied_with_their_masks():
    voxels, mask, _ = block()
    image = (voxels / 1000.0).astype(np.float32)
    still = Variation(0.0, 0.0, 0.0, 0.0)
    same, known = varied(image, mask, np.random.default_rng(0), still)
    np.testing.assert_allclose(same, image, atol=1e-4)
    assert np.array_equal(known, mask)
    for seed in range(4):
        other, moved = varied(image, mask, np.random.default_rng(seed), Variation(20.0, 0.1, 0.1, 0.0))
        assert dsc(moved, other > 0.5) > 0.93 and dsc(moved, mask) < 0.97
        assert moved.sum() == pytest.approx(mask.sum(), rel=0.45)


def test_samples_depend_on_their_number_alone():
    voxels, mask, _ = block()
    cases = [Prepared(np.clip(voxels / 4, 0, 255).astype(np.uint8), mask)]
    first, again = (VolumeDataset(cases, 3, "coronal", 6, (8, 99, 10)) for _ in range(2))
    one, other = first[7], again[7]
    assert torch.equal(one.image, other.image) and one.slices == other.slices and one.window == other.window
    assert not torch.equal(first[8].image, one.image)
    assert len(set(one.slices)) == 6 and one.image[one.window].shape == (8, 26, 10)
    shown = np.flatnonzero(one.truth.numpy().any((0, 2)))
    assert len(set(one.slices) & set(shown.tolist())) >= 3
    with pytest.raises(VolumeDataError, match="No volume shows the target"):
        VolumeDataset([Prepared(cases[0].gray, np.zeros_like(mask))], 3, "axial", 6)


def test_most_windows_hold_some_of_the_target():
    mask = np.zeros((40, 40, 40), bool)
    mask[35, 2, 20] = True
    random = np.random.default_rng(0)
    windows = [patch_window(mask, (8, 8, 80), random) for _ in range(300)]
    assert all((z.stop - z.start, y.stop - y.start, x.stop - x.start) == (8, 8, 40) for z, y, x in windows)
    held = np.mean([mask[window].any() for window in windows])
    assert 0.6 < held < 0.8 and min(z.start for z, _, _ in windows) >= 0


def module_of(attention: str) -> training.CascadeTraining:
    torch.manual_seed(0)
    stages = [Stage("detector", 1e-3, 1), Stage("segmentation", 1e-3, 1)]
    return training.CascadeTraining(cascade_networks(attention), stages, 1, CascadeSettings(), dice=0.5)


def test_each_stage_teaches_its_own_network(monkeypatch):
    voxels, mask, _ = block()
    sample = VolumeDataset([Prepared(np.clip(voxels / 4, 0, 255).astype(np.uint8), mask)], 3, "axial", 6)[0]
    module = module_of("slices")
    monkeypatch.setattr(module, "log_dict", lambda *_, **__: None)
    for stage, other in (("detector", "segmentation"), ("segmentation", "detector")):
        module.zero_grad()
        module.freeze(stage)
        losses = getattr(module, "detection" if stage == "detector" else "segmentation")([sample])
        torch.stack(list(losses.values())).sum().backward()
        assert all(each.grad is not None and each.grad.abs().sum() > 0 for name, each in
                   getattr(module.network, stage).named_parameters() if not name.startswith("regress"))
        assert all(each.grad is None for each in getattr(module.network, other).parameters())
    assert set(losses) == {"entropy", "dice"}


def test_the_attention_of_training_is_that_of_use(monkeypatch):
    voxels, mask, _ = block()
    sample = VolumeDataset([Prepared(np.clip(voxels / 4, 0, 255).astype(np.uint8), mask)], 3, "axial", 6)[0]
    truth = sample.truth.numpy()
    assert module_of("none").attention(sample) is None
    assert np.array_equal(module_of("box_3d").attention(sample), training.true_box(truth))
    module, nothing = module_of("slices"), regions()
    said = regions((8, (3.0, 4.0, 9.0, 9.0), 0.8))
    for found, wanted in ((said, attention_of(truth.shape, "axial", said)), (nothing, true_attention(truth, "axial"))):
        monkeypatch.setattr("GrayscaleDetSegLib.core.volumes.cascade.proposed", lambda *_, found=found: found)
        assert np.array_equal(module.attention(sample), wanted)
