"""Slices that are turned and bent on their way into training, and what is made of them in batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from training.volumes.augmentation import Augmentation, augmented
from training.volumes.batches import alike, coarse_pair, cut, groups, placed
from training.volumes.data import Prepared, Sample, SliceDataset
from training.volumes.losses import dsc_loss, slices_loss

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, empty=0.0)


def slices():
    image = np.full((3, 40, 48), 0.2, np.float32)
    image[:, 10:20, 12:30] = 0.8
    image[:, :, :3] = 0.0
    return image, (image == 0.8)[None].astype(np.float32), image[1] == 0.8


def changed(how, view="axial", size=(40, 48), seed=0):
    image, truth, around = slices()
    return augmented(image, truth, around, view, size, how, np.random.default_rng(seed))


def test_without_changes_a_slice_stays_as_it_is_or_gets_another_size():
    image, truth, around = slices()
    same = changed(STILL)
    for one, other in zip(same, (image, truth, around)):
        np.testing.assert_allclose(one, other, atol=1e-5)
    larger, true, box = changed(STILL, size=(48, 64))
    assert larger.shape == (3, 48, 64) and true.shape == (1, 3, 48, 64) and box.shape == (48, 64)
    np.testing.assert_allclose(larger[:, 4:-4, 8:-8], image, atol=1e-5)
    assert box.sum() == around.sum() and np.allclose(larger[:, 0, 8:-8], image[:, 0], atol=1e-5)


@pytest.mark.parametrize("name, value", [("rotation", 20.0), ("scale", 0.3), ("shift", 0.1), ("elastic", 0.03)])
def test_image_and_truth_move_together(name, value):
    for seed in range(3):
        image, truth, around = changed(replace(STILL, **{name: value}), seed=seed)
        inside, outside = truth[0] > 0.999, truth[0] < 0.001
        assert image[inside].min() > 0.7 and image[outside].max() < 0.3
        assert np.array_equal(around, truth[0, 1] >= 0.5)
    assert not np.array_equal(truth, slices()[1])


def test_gray_levels_change_and_black_stays_black():
    image, _, _ = changed(replace(STILL, gamma=0.5, gain=0.3, noise=0.1, blur=0.0), seed=3)
    assert (image[:, :, :3] == 0.0).all() and abs(image - slices()[0]).max() > 0.02
    assert image.min() >= 0.0 and image.max() <= 1.0
    blurred, _, _ = changed(replace(STILL, blur=1.0))
    assert 0.25 < blurred[1, 9, 20] < 0.75, "an edge"


def test_left_and_right_are_exchanged_in_every_view():
    image, truth, around = slices()
    image[0, 5, 40] = 0.9
    how, seen = replace(STILL, mirror=True), set()
    for seed in range(6):
        found, _, _ = augmented(image, truth, around, "axial", (40, 48), how, np.random.default_rng(seed))
        seen.add(tuple(np.argwhere(found > 0.85)[0].tolist()))
    assert seen == {(0, 5, 40), (0, 5, 7)}
    seen = set()
    for seed in range(6):
        found, _, _ = augmented(image, truth, around, "sagittal", (40, 48), how, np.random.default_rng(seed))
        seen.add(tuple(np.argwhere(found > 0.85)[0].tolist()))
    assert seen == {(0, 5, 40), (2, 5, 40)}, "sagittal slices change their order"


def cases():
    labels = np.zeros((12, 30, 36), np.uint8)
    labels[4:7, 8:16, 8:14], labels[4:7, 8:16, 14:20] = 1, 2
    return [Prepared((labels * 60 + 20).astype(np.uint8), labels)]


def test_slices_of_one_size_some_of_them_empty():
    dataset = SliceDataset(cases(), 3, 1, augmentation=replace(STILL, empty=0.25), views=("axial", "coronal"), labels=2)
    assert len(dataset) == 12 + 30 and set(dataset.set_names) == {"axial", "coronal"}
    assert dataset.sides == {"axial": (32, 48), "coronal": (16, 48)}
    names = np.array(dataset.set_names)
    assert dataset.weights[names == "axial"].sum() == pytest.approx(dataset.weights[names == "coronal"].sum())
    shown = [index for index, (_, view, at) in enumerate(dataset.items) if view == "axial" and 4 <= at < 7]
    assert dataset.weights[shown].sum() == pytest.approx(0.75)
    full, empty = dataset[5], dataset[0]
    assert full.truth.shape == (2, 3, 32, 48) and full.truth[0].sum() == 3 * 48 and full.truth[1].sum() == 3 * 48
    assert empty.truth.sum() == 0 and empty.window[2] - empty.window[0] < 32, "the box of the whole volume"


def test_samples_of_a_view_are_looked_at_together():
    def sample(view, top):
        return Sample(view, torch.full((3, 32, 40), float(top)), torch.zeros(1, 3, 32, 40), (top, 4, top + 8, 20))

    batch = [sample("axial", 2), sample("coronal", 3), sample("axial", 9)]
    found = {view: (image, windows) for view, image, _, windows in groups(batch, torch.device("cpu"))}
    assert found["axial"][0].shape == (2, 3, 32, 40) and found["axial"][1] == [(2, 4, 10, 20), (9, 4, 17, 20)]
    windows = alike([(0, 0, 8, 16), (20, 30, 32, 40)], 32, 40)
    assert windows == [(0, 0, 12, 16), (20, 24, 32, 40)], "as large as the largest, within the image"
    values = torch.rand(2, 1, 3, 32, 40)
    back = placed(cut(values, windows), windows, 32, 40)
    assert torch.equal(back[0, ..., :12, :16], values[0, ..., :12, :16]) and back[0, ..., 12:, :].sum() == 0


def test_the_coarse_network_is_compared_at_the_size_that_it_sees():
    networks = Networks(NetworkConfig(channels=(4,), labels=2, coarse_step=2))["axial"]
    truth = torch.zeros(2, 2, 3, 24, 32)
    truth[:, 0, :, 4:8, 4:8] = 1.0
    said, small = coarse_pair(networks, torch.rand(2, 3, 24, 32), truth)
    assert said.shape == small.shape == (2, 2, 3, 12, 16) and small.sum() == truth.sum() / 4


def test_losses_of_several_labels():
    truth = torch.zeros(2, 2, 1, 4, 4)
    truth[0, 0, :, :2], truth[1, 1, :, 2:] = 1.0, 1.0
    right = truth * 0.9998 + 0.0001
    assert slices_loss(right, truth, "dsc+ce") < 0.01
    assert slices_loss(truth.flip(1), truth, "dsc+ce") > 5.0
    nothing = torch.zeros_like(truth)
    assert 1.0 < slices_loss(nothing, truth, "dsc+ce") < 6.0
    one = truth[:, :1]
    assert slices_loss(one, one, "dsc") == pytest.approx(0.5), "each slice by itself: the second shows nothing"
    assert slices_loss(one, one, "dsc+ce") == pytest.approx(0.0, abs=1e-3) and dsc_loss(one, one) == 0.0
