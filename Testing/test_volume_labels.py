"""Networks for several labels together, views that are left out, a coarse look at small slices, one box for all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.volumes.grid import Grid
from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings, fixed_points, together
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks, Shrunk, likelihood
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings
from GrayscaleDetSegLib.core.volumes.views import VIEWS, dsc, volume_windows
from GrayscaleDetSegLib.core.volumes.volume import Volume
from Testing.test_volume_grid import copies, oblique
from Testing.test_volume_methods import Scripted
from Testing.volume_models import block, write_model

LABELS = ["dark part", "bright part"]


def halves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image (float32, 0..1) with two neighbouring parts, and their masks."""
    image = np.full((24, 26, 28), 0.1, np.float32)
    first, second = np.zeros(image.shape, bool), np.zeros(image.shape, bool)
    first[6:14, 8:15, 10:15] = second[6:14, 8:15, 15:20] = True
    image[first], image[second] = 0.5, 0.9
    return image, first, second


def by_level(images: torch.Tensor) -> torch.Tensor:
    """Logits of (none, dark part, bright part) by how near a pixel's gray level is to each of three."""
    levels = torch.tensor([0.1, 0.5, 0.9]).view(1, 3, 1, 1, 1)
    return (-400.0 * (images[:, None] - levels) ** 2).flatten(1, 2)


def scripted(**config) -> Networks:
    networks = Networks(NetworkConfig(channels=(4,), labels=2, **config))
    for each in networks.values():
        each.coarse, each.fine = Scripted(by_level), Scripted(by_level)
    return networks.eval()


@pytest.mark.parametrize("vote", ["majority", "mean"])
@pytest.mark.parametrize("boxes", ["slice", "volume"])
@pytest.mark.parametrize("views", [tuple(VIEWS), ("axial",), ("axial", "coronal")])
def test_labels_are_found_together(views, boxes, vote):
    image, first, second = halves()
    settings = IterationSettings(0.95, 5, 0.1, vote, boxes=boxes)
    one, other = fixed_points(image, scripted(views=views), settings)
    assert np.array_equal(one.mask, first) and np.array_equal(other.mask, second)
    assert one.similarities == [1.0] and other.converged and one.converged


def test_rounds_go_on_until_every_label_agrees():
    image, first, second = halves()
    networks = scripted(views=("axial",))
    calls = iter(range(1000))

    def settling(images):
        logits = by_level(images).unflatten(1, (3, 3))
        if next(calls) < 2:  # the bright part is missed at first
            logits[:, 2] -= 1000.0
        return logits.flatten(1, 2)

    networks["axial"].coarse = Scripted(settling)
    one, other = fixed_points(image, networks, IterationSettings(0.95, 5, 0.2, "mean", boxes="volume"))
    assert other.similarities[0] == 0.0 and other.similarities[-1] == 1.0 and other.converged
    assert len(one.similarities) == len(other.similarities) == 2
    assert np.array_equal(one.mask, first) and np.array_equal(other.mask, second)


def test_a_box_by_hand_stands_for_one_label_of_several():
    image, first, second = halves()
    image[20:22, 2:4, 2:4] = 0.5  # the other label is found far away as well
    networks, start = scripted(views=("axial",)), np.zeros(image.shape, bool)
    start[7:12, 9:13, 16:19] = True
    settings = IterationSettings(0.95, 5, 0.2, "mean", boxes="volume")
    one, other = fixed_points(image, networks, settings, start=start, started=1)
    assert np.array_equal(other.masks[0], start) and np.array_equal(other.mask, second)
    assert not one.masks[0][20:].any() and np.array_equal(one.mask, first), "what is far from the box does not count"
    alone = fixed_points(image, networks, IterationSettings(rounds=0, margin=0.2), start=start, started=1)[1]
    assert len(alone.masks) == 2, "one round at least"


def test_a_voxel_has_one_of_several_labels_or_none():
    likely = np.array([[0.4, 0.3, 0.2], [0.35, 0.3, 0.1]], np.float32).reshape(2, 1, 1, 3)
    _, masks = together({"axial": likely}, IterationSettings(vote="mean"))
    assert masks[:, 0, 0].tolist() == [[True, False, False], [False, False, False]], "none is likelier than two of 0.3"
    torch.manual_seed(0)
    several = likelihood(torch.randn(2, 9, 4, 5), 2)
    assert several.shape == (2, 2, 3, 4, 5) and several.sum(1).max() < 1.0
    assert likelihood(torch.zeros(1, 3, 4, 5), 1).shape == (1, 1, 3, 4, 5)


def test_one_box_for_all_slices_and_those_beside_them():
    mask = np.zeros((10, 40, 48), bool)
    mask[3, 10:14, 20:22] = mask[5, 20:22, 30:32] = True
    found = volume_windows(mask, (2, 2), 0.05)
    assert (found[:2] == -1).all() and (found[7:] == -1).all() and (found[2:7] == found[2]).all()
    top, left, bottom, right = found[2]
    assert top <= 8 and left <= 18 and bottom >= 24 and right >= 34 and (bottom - top) % 8 == 0
    assert (volume_windows(mask & False, (2, 2), 0.05) == -1).all()
    assert (volume_windows(mask, (2, 2), 0.2)[1:8] > -1).all(), "as many slices as the margin has"


@pytest.mark.parametrize("step", [2, 3])
def test_a_coarse_network_can_see_smaller_slices(step):
    torch.manual_seed(0)
    network = Networks(NetworkConfig(channels=(4, 4), coarse_step=step, labels=2))["axial"]
    assert isinstance(network.coarse, Shrunk) and not isinstance(network.fine, Shrunk)
    images = torch.rand(2, 3, 25, 31)
    assert network.coarse(images).shape == (2, 9, 25, 31)
    assert network.coarse.small(images).shape == (2, 9, -(-25 // step), -(-31 // step))
    ramp = torch.linspace(0.0, 1.0, 24).expand(1, 3, 24, 24)
    network.coarse.network = torch.nn.Identity()
    assert torch.allclose(network.coarse(ramp)[..., 3:-3], ramp[..., 3:-3], atol=1e-5), "at its place again"


@pytest.mark.parametrize("wrong", [{"views": ["front"]}, {"views": []}, {"labels": 0}, {"coarse_step": 0},
                                   {"views": ["axial", "axial"]}])
def test_networks_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="the views are some of|are 1 or more"):
        NetworkConfig.from_dict(wrong)
    with pytest.raises(ValueError, match="vote is majority or mean"):
        IterationSettings(boxes="cube")


def test_a_grid_can_keep_thick_slices():
    voxels, _, geometry = block((10, 26, 28), (1.5, 1.5, 8.0))
    volume = Volume.from_array(voxels, geometry)
    grid = Grid.of(volume, (8.0, 3.0, 1.5))
    assert grid.size == (10, 13, 28) and np.allclose(grid.spacing, (8.0, 3.0, 1.5))
    assert Grid.of(volume, (16.0, 1.5, 1.5)).size == (5, 26, 28) and Grid.of(volume, 1.5).size == (53, 26, 28)
    assert VolumeSettings.from_dict({"spacing": [8, 1.5, 1.5]}).spacing == (8, 1.5, 1.5)


def labelled_model(folder, labels=tuple(LABELS), **config):
    given = {"channels": (4,), "labels": 2, "views": ("axial",), **config}
    part = {"method": "step_wise", "labels": list(labels), "config": given}
    write_model(folder, [part], {"spacing": [2.0, 1.0, 1.0]}, Networks(NetworkConfig(**given)))
    return folder


def test_a_bundle_with_several_labels_a_network(tmp_path):
    pipeline = load_pipeline(labelled_model(tmp_path / "a"), "cpu")
    assert pipeline.methods["step_wise"].classes == tuple(LABELS)
    (part,) = pipeline.methods["step_wise"].parts.values()
    part.networks["axial"].coarse = part.networks["axial"].fine = Scripted(by_level)
    image, first, second = halves()
    voxels = (image * 1000).astype(np.int16)
    voxels[0, 0, :13] = np.arange(13)
    voxels[-1, -1, -1] = 1100
    _, _, geometry = block((24, 26, 28), (1.0, 1.0, 2.0))
    found = pipeline.segment(Volume.from_array(voxels, geometry)).objects
    assert [item.label for item in found] == LABELS
    for number, (values, placed, turn) in enumerate(copies(voxels, geometry)):
        if number % 11 == 0:
            for each in (placed, oblique(placed)):
                again = pipeline.segment(Volume.from_array(values, each)).objects
                for item, other in zip(found, again):
                    assert dsc(other.mask, turn(item.mask)) > 0.99
    with pytest.raises(WeightsError, match="names 3 labels, and its networks find 2"):
        load_pipeline(labelled_model(tmp_path / "b", ("a", "b", "c")), "cpu")
