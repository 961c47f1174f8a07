"""L-SNet's parts: recalibration and its inverse, heat maps, components, networks, losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import FocalLoss

from GrayscaleDetSegLib.core.lsnet.heat_maps import KeyPoint, box_at, key_points, surest
from GrayscaleDetSegLib.core.lsnet.networks import LNet, Networks, SNet, with_content
from GrayscaleDetSegLib.core.lsnet.recalibration import (
    LEAST,
    inverse,
    matrix,
    of_boxes,
    recalibrated,
    restored,
    transformation,
)
from GrayscaleDetSegLib.core.lsnet.settings import MARGIN, LSNetConfig, LSNetSettings
from training.lsnet.losses import classification, dice, distance_iou, focal, localisation
from training.lsnet.targets import targets, true_distances, true_heat_map


def some_transformations(count: int = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    boxes = torch.rand((count, 2, 2), generator=generator, dtype=torch.float64).sort(1).values.flatten(1)
    return of_boxes(boxes, MARGIN)


def as_square(transformations: torch.Tensor) -> torch.Tensor:
    return torch.cat([matrix(transformations), torch.tensor([[[0.0, 0.0, 1.0]]]).expand(len(transformations), 1, 3)], 1)


def test_the_inverse_is_exact_and_the_printed_one_is_none():
    found = some_transformations()
    one = torch.eye(3, dtype=torch.float64).expand(len(found), 3, 3)
    assert torch.allclose(as_square(inverse(found)) @ as_square(found), one, atol=1e-12)
    assert torch.allclose(as_square(found) @ as_square(inverse(found)), one, atol=1e-12)
    assert torch.allclose(inverse(inverse(found)), found)
    printed = torch.cat([1.0 / (found[:, :2] + 1e-7), -found[:, 2:]], 1)  # eq. 4
    wrong = (as_square(printed) @ as_square(found) - one).abs().amax((1, 2))
    assert (wrong > 1e-3).float().mean() > 0.95, "as printed, it brings hardly any region back"
    whole = torch.tensor([[1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    assert torch.allclose(torch.cat([1.0 / (whole[:, :2] + 1e-7), -whole[:, 2:]], 1), whole, atol=1e-6)


def test_the_transformation_is_that_of_equation_3():
    side, x, y, left, right, top, bottom, alpha = 320.0, 100.0, 180.0, 30.0, 50.0, 20.0, 60.0, 15.0
    point = torch.tensor([[x, y]]) / side
    found = transformation(point, torch.tensor([[left, right, top, bottom]]) / side, alpha / side)[0] * torch.tensor(
        [1.0, 1.0, side / 2, side / 2]
    )
    wanted = [
        (left + right + alpha) / side, (top + bottom + alpha) / side,
        x + (right - left) / 2 - side / 2, y + (bottom - top) / 2 - side / 2,
    ]  # fmt: skip
    assert found.tolist() == pytest.approx(wanted)
    inside_out = transformation(point, torch.tensor([[-0.2, 0.1, 0.0, 0.0]]), 0.0)
    assert inside_out[0, 0] == LEAST and inside_out[0, 1] == LEAST


def by_hand(image: np.ndarray, box: tuple[float, ...], side: int) -> np.ndarray:
    """A box (px) of an image, resampled to a square, one pixel after the other; 0 beyond the image."""
    x0, y0, x1, y1 = box
    found = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            y = y0 + (row + 0.5) / side * (y1 - y0) - 0.5
            x = x0 + (column + 0.5) / side * (x1 - x0) - 0.5
            for down in (0, 1):
                for across in (0, 1):
                    i, j = int(np.floor(y)) + down, int(np.floor(x)) + across
                    if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                        found[row, column] += image[i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return found


@pytest.mark.parametrize("box", [(4.0, 6.0, 20.0, 17.0), (3.3, 8.7, 9.1, 22.4), (-3.0, 2.0, 12.0, 31.5)])
def test_recalibration_is_a_crop_that_is_resized(box):
    image = np.random.default_rng(1).random((28, 24))
    shares = torch.tensor([box], dtype=torch.float64) / torch.tensor([24.0, 28.0, 24.0, 28.0], dtype=torch.float64)
    found = recalibrated(torch.from_numpy(image)[None, None], of_boxes(shares, 0.0), 13)
    assert np.allclose(found[0, 0].numpy(), by_hand(image, box, 13), atol=1e-9)


def test_recalibration_is_differentiable():
    torch.manual_seed(0)
    image = torch.rand((2, 1, 9, 11), dtype=torch.float64, requires_grad=True)
    distances = torch.tensor([[0.21, 0.33, 0.17, 0.29], [0.4, 0.1, 0.3, 0.25]], dtype=torch.float64, requires_grad=True)
    points = torch.tensor([[0.41, 0.53], [0.6, 0.37]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda image, distances: recalibrated(image, transformation(points, distances, MARGIN), 5), (image, distances)
    )


def test_masks_come_back_to_their_place():
    image = torch.zeros((1, 1, 60, 80))
    image[..., 20:40, 30:50] = 1.0
    box = of_boxes(torch.tensor([[28 / 80, 16 / 60, 54 / 80, 44 / 60]]), 0.0)
    back = restored(recalibrated(image, box, 64), box, (60, 80))
    assert torch.equal(back >= 0.5, image >= 0.5) and not back[..., :15, :].any() and not back[..., 56:].any()
    twice = restored(recalibrated(image, box, 64), box, (120, 160), (slice(30, 90), slice(50, 110)))
    assert twice.shape == (1, 1, 60, 60)
    assert torch.equal(twice >= 0.5, image.repeat_interleave(2, -1).repeat_interleave(2, -2)[..., 30:90, 50:110] >= 0.5)


def test_heat_maps_are_those_of_equation_1():
    centres = torch.tensor([[0.3, 0.6], [0.34, 0.5]])
    found = true_heat_map(centres, 80)
    for row, column in ((48, 24), (40, 26), (44, 30), (60, 10), (70, 70)):
        total = 0.0
        for x, y in (centres * 80 - 0.5).tolist():
            dx, dy = max(0.0, abs(column - x) - 2.0), max(0.0, abs(row - y) - 2.0)
            total += np.exp(-(dx**2 + dy**2) / (2 * 20.0))
        assert float(found[row, column]) == pytest.approx(min(1.0, total), abs=1e-6)
    assert found.max() == 1.0 and not true_heat_map(torch.zeros((0, 2)), 20).any()
    small, large = (true_heat_map(torch.tensor([[0.5, 0.5]]), places) for places in (160, 320))
    assert large.sum() / small.sum() == pytest.approx(4.0, rel=0.02), "in proportion to the map"


def test_distances_lead_from_every_place_to_the_nearest_objects_box():
    boxes = torch.tensor([[0.1, 0.2, 0.4, 0.6], [0.6, 0.1, 0.9, 0.9]])
    found = true_distances(boxes, 20).numpy()
    assert np.allclose(box_at(KeyPoint(8, 4, 1.0), found), boxes[0].numpy(), atol=1e-6)
    assert np.allclose(box_at(KeyPoint(10, 15, 1.0), found), boxes[1].numpy(), atol=1e-6)
    assert found[0, 8, 1] < 0, "left of the box, its left edge is to the right"
    heat, distances = targets([torch.tensor([[1.0, *boxes[0]]]), torch.zeros((0, 5))], 2, 20)
    assert heat[0, 1].max() > 0.9 and not heat[0, 0].any() and not heat[1].any()
    assert np.allclose(distances[0, 1].numpy(), true_distances(boxes[:1], 20))


def test_components_are_objects():
    heat = np.zeros((20, 20), np.float32)
    heat[2:5, 3:8], heat[3, 5] = 0.6, 0.8
    heat[12:15, 12:15] = 0.9
    heat[15, 15] = 0.7  # at a corner: the same component
    heat[18, 2] = 0.4
    found = key_points(heat, 0.5)
    assert [(point.row, point.column) for point in found] == [(13, 13), (3, 5)]
    assert [point.score for point in found] == pytest.approx([0.9, 0.8])
    assert len(key_points(heat, 0.3)) == 3 and key_points(heat, 0.95) == []
    assert surest(heat) == KeyPoint(12, 12, pytest.approx(0.9))
    ring = np.zeros((9, 9), np.float32)
    ring[2:7, 2:7] = 1.0
    ring[3:6, 3:6] = 0.0
    (centre,) = key_points(ring, 0.5)
    assert ring[centre.row, centre.column] == 1.0, "a place of the component itself"


def test_boxes_inside_out_have_no_content():
    distances = np.zeros((4, 4, 4))
    distances[0] = -0.3
    x0, y0, x1, y1 = box_at(KeyPoint(1, 2, 1.0), distances)
    assert x0 == x1 and y0 == y1


@pytest.mark.parametrize("structure", ["unet", "fcn"])
def test_networks_have_the_articles_forms(structure):
    config = LSNetConfig(("a", "b"), "tiny", "tiny", structure, 64)
    networks = Networks(config).eval()
    images = torch.rand(2, 1, 64, 64)
    heat, distances = networks.locator(images)
    assert heat.shape == (2, 2, 16, 16) and distances.shape == (2, 2, 4, 16, 16)
    assert networks.segmenter(images).shape == (2, 2, 64, 64)
    kernels = [layer.kernel_size[0] for layer in networks.locator.distances if hasattr(layer, "kernel_size")]
    assert kernels == [3, 3, 13]


@pytest.mark.parametrize("structure", ["unet", "fcn"])
def test_masks_begin_unlikely(structure):
    torch.manual_seed(0)
    network = SNet(LSNetConfig(("a", "b"), "tiny", "tiny", structure, 32))
    with torch.inference_mode():
        likely = network(torch.rand(2, 1, 32, 32)).sigmoid()
    assert 0.02 < likely.median() < 0.3, "else a small object may stay at 0.5"


def test_boxes_of_l_net_are_never_inside_out():
    raw = torch.tensor([0.3, 0.1, 0.2, 0.25, -0.4, 0.1, 0.2, -0.5]).reshape(1, 2, 4, 1, 1).requires_grad_()
    found = with_content(raw)
    assert torch.allclose(found[0, 0], raw[0, 0], atol=1e-3), "what has a size is left as it is"
    left, right, top, bottom = found[0, 1, :, 0, 0].detach()
    assert left + right > 0 and top + bottom > 0 and float(left - right) == pytest.approx(-0.5)
    true = torch.tensor([[0.1, 0.1, 0.1, 0.1]])
    distance_iou(found[:, 1, :, 0, 0], true).sum().backward()
    slope = raw.grad[0, 1, :, 0, 0]
    assert slope[0] < 0 < slope[1], "back to where the object is"


def test_full_layouts_have_as_many_parameters_as_the_article_counts():
    with torch.device("meta"):
        locator = sum(each.numel() for each in LNet(LSNetConfig()).parameters())
        unet = sum(each.numel() for each in SNet(LSNetConfig(segmenter="resnet18")).parameters())
    assert locator / 1e6 == pytest.approx(14.50, abs=0.1) and unet / 1e6 == pytest.approx(14.33, abs=0.005)  # Table 3


def test_bad_settings_are_refused():
    for wrong in ({"locator": "vgg"}, {"structure": "x"}, {"side": 100}, {"classes": ()}, {"detail": 0}):
        with pytest.raises(ValueError, match="layout|structure|multiple|class|detail"):
            LSNetConfig(**wrong)
    for wrong in ({"views": ("oblique",)}, {"views": ()}, {"vote": "any"}, {"score": 1.0}, {"margin": -0.1}):
        with pytest.raises(ValueError, match="views|vote|between"):
            LSNetSettings(**wrong)
    assert LSNetConfig.from_dict(LSNetConfig(("a",)).to_dict()) == LSNetConfig(("a",))


def test_the_focal_loss_is_monais_where_the_truth_is_hard():
    torch.manual_seed(0)
    logits, truth = torch.randn(2, 3, 5, 5), (torch.rand(2, 3, 5, 5) > 0.5).float()
    assert torch.allclose(focal(logits, truth), FocalLoss(gamma=2.0, reduction="none")(logits, truth), atol=1e-6)
    soft = torch.rand(2, 3, 5, 5)
    assert focal(soft.logit(), soft).abs().max() < 1e-6 and dice(soft.logit(), soft).abs().max() < 1e-5
    assert (dice(torch.full((1, 1, 9, 9), 9.0), torch.zeros(1, 1, 9, 9)) > 0.9).all()


def test_classes_that_are_not_settled_have_no_loss():
    logits, truth = torch.randn(1, 2, 6, 6), torch.ones(1, 2, 6, 6)
    settled = torch.tensor([[True, False]])
    alone = classification(logits[:, :1], truth[:, :1], settled[:, :1])
    assert classification(logits, truth, settled) == pytest.approx(float(alone))


def test_diou_is_that_of_boxes():
    found = torch.tensor([[2.0, 4.0, 1.0, 3.0], [1.0, 1.0, 1.0, 1.0], [-5.0, 6.0, 1.0, 1.0]])
    true = torch.tensor([[3.0, 3.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    # boxes (-2, -1, 4, 3) and (-3, -2, 3, 2): 5 x 3 shared, centres (1, 1) and (0, 0), around both 7 x 5
    assert distance_iou(found, true)[0] == pytest.approx(1 - 15 / (24 + 24 - 15) + 2 / (49 + 25))
    assert distance_iou(found, true)[1] == pytest.approx(0.0)
    assert distance_iou(found, true)[2] == pytest.approx(1.0 + 5.5**2 / (49 + 4))  # apart
    inside_out = torch.tensor([[-1.0, -1.0, 1.0, 1.0]], requires_grad=True)
    distance_iou(inside_out, true[1:2]).sum().backward()
    assert torch.isfinite(inside_out.grad).all()


def test_boxes_are_learnt_near_centres_alone():
    heat = torch.zeros(1, 1, 4, 4)
    heat[0, 0, 1, 1] = 0.5
    distances = torch.full((1, 1, 4, 4, 4), 0.2, requires_grad=True)
    true, settled = torch.full((1, 1, 4, 4, 4), 0.1), torch.ones(1, 1, dtype=torch.bool)
    localisation(torch.zeros(1, 1, 4, 4), distances, heat, true, settled).backward()
    gradient = distances.grad[0, 0].abs().sum(0)
    assert gradient[1, 1] > 0 and gradient.sum() == gradient[1, 1]
