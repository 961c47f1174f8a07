"""The network of the threshold surfaces and the detector around it: shapes, places, classes, and what it looks at."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.batch_norm_folding import fold_batch_norms
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.gray_image import GrayImage
from GrayscaleDetSegLib.core.surfaces.detector import BLOCK, REACH, SurfaceDetector
from Testing.fakes import radiograph
from training.losses import soft_interval, surfaces_at
from training.networks import SurfaceConfig, SurfaceNetwork

CLASSES = ("femur", "tibia", "teeth")
ROI = (7.3, 4.6, 95.2, 70.9)
GRAYS = GrayMapping.window(0, 255, "full range")


def small(**settings) -> SurfaceConfig:
    return SurfaceConfig(CLASSES, **{"grid": 8, "per_cell": 2, "features": 6, "channels": (8, 10), **settings})


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with weights, and batch norms, that leave nothing at its beginner's value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.3 * torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.mul_(1.0 + torch.rand(buffer.shape, generator=generator))
    return network.eval()


def network(seed: int = 0, **settings) -> SurfaceNetwork:
    torch.manual_seed(seed)
    return shaken(SurfaceNetwork(small(**settings)), seed)


def fresh(bias=None, **settings) -> SurfaceNetwork:
    """A network whose answer is known: its head's weights are 0, and the biases (classes, 2) those given."""
    made = SurfaceNetwork(small(**settings))
    if bias is not None:
        with torch.no_grad():
            made.head.bias.view(-1, 2).copy_(torch.tensor(bias))
    return made.eval()


def cloud(config: SurfaceConfig, count: int = 2, seed: int = 0) -> torch.Tensor:
    detector, random = SurfaceDetector(SurfaceNetwork(config)), np.random.default_rng(seed)
    images = random.uniform(0, 255, (count, 90, 130)).astype(np.float32)
    return torch.from_numpy(np.stack([detector.points(image, ROI) for image in images]))


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(
    "grid, per_cell, channels, fine",
    [(8, 2, (8, 10), True), (8, 3, (8, 10), False), (4, 1, (8,), False), (4, 4, (8,), True), (8, 2, (6, 8, 10), True)],
)
def test_two_surfaces_for_every_class_and_cell(relative, grid, per_cell, channels, fine):
    made = network(relative=relative, grid=grid, per_cell=per_cell, channels=channels, fine=fine)
    points, cells = cloud(made.config, 3), 2 * grid if fine else grid
    assert points.shape == (3, (grid * per_cell) ** 2, 3) and points.dtype == torch.float32
    assert made.config.cells == cells
    with torch.no_grad():
        found = made(points)
        assert found.shape == (3, 3, 2, cells, cells) and found.isfinite().all()
        torch.testing.assert_close(found[1:2], made(points[1:2]), rtol=1e-4, atol=1e-5)
        assert (found[0] != found[1]).any()


def test_what_cannot_be_halved_is_refused():
    for grid, channels in ((7, (8, 8)), (6, (8, 8, 8)), (2, (8, 8, 8))):
        with pytest.raises(ValueError, match="halved"):
            small(grid=grid, channels=channels)
    with pytest.raises(ValueError, match="quartered"):
        small(per_cell=3)
    assert small(per_cell=3, fine=False).cells == 8


def test_configuration_survives_json():
    config = small(fine=False, relative=False, per_cell=3)
    assert SurfaceConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.side == 24


@pytest.mark.parametrize("per_cell", [1, 2, 3])
def test_a_point_tells_its_place_in_the_roi_and_in_its_pillar(per_cell):
    """The features by plain loops: shared layers on six numbers a point."""
    made = network(per_cell=per_cell, fine=False)
    points, side = cloud(made.config), made.config.side
    with torch.no_grad():
        features = made.pillars(points)
        assert features.shape == (2, 6, side, side)
        for batch, row, column in ((0, 0, 0), (1, 2, 5), (0, 7, 3), (1, 6, 7)):
            left, top = -1 + 2 * column / 8, -1 + 2 * row / 8
            x, y, gray = points[batch].T
            inside = (x >= left) & (x < left + 0.25) & (y >= top) & (y < top + 0.25)
            assert inside.sum() == per_cell**2, "points are given row by row, as many to each pillar"
            x, y, gray = points[batch][inside].T
            own = (x - left - 0.125) / 0.125, (y - top - 0.125) / 0.125
            assert all(part.abs().max() <= 1 + 1e-5 for part in own)
            rows = made.pillars.layers(torch.stack([x, y, gray, *own, gray - gray.mean()], -1))
            down, across = (slice(per_cell * index, per_cell * (index + 1)) for index in (row, column))
            found = features[batch, :, down, across].flatten(1).T
            torch.testing.assert_close(found, rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fine", [False, True])
def test_the_order_of_points_in_a_cell_does_not_matter(fine):
    made = network(per_cell=4, fine=fine)
    cells, across = made.config.cells, made.config.side // made.config.cells
    points = cloud(made.config, 1)
    raster = points.view(1, cells, across, cells, across, 3)
    swapped = raster.flip(2).flip(4).reshape(1, -1, 3)
    with torch.no_grad():
        torch.testing.assert_close(made(swapped), made(points), rtol=1e-4, atol=1e-5)
        assert (made(raster.flip(1).reshape(1, -1, 3)) - made(points)).abs().max() > 1e-3


@pytest.mark.parametrize("side", [8, 16, 24])
def test_training_and_use_interpolate_alike(side):
    """What the loss sees is what the mask will be made of."""
    values = torch.rand((1, 2, 8, 8), generator=torch.Generator().manual_seed(0)) * 255
    field = ThresholdMap((0.0, 0.0, float(side), float(side)), *values[0].numpy())
    found = surfaces_at(values, side)[0].numpy()
    for one, other in zip(found, field.surfaces((slice(0, side), slice(0, side)))):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_the_soft_interval_is_positive_inside():
    gray, low, high = (255 * torch.rand(500, generator=torch.Generator().manual_seed(n)) for n in range(3))
    soft = soft_interval(gray, low, high, 10.0)
    assert ((soft >= 0) == ((gray >= low) & (gray <= high))).all()
    assert soft_interval(torch.tensor(30.0), torch.tensor(10.0), torch.tensor(200.0), 10.0) == 2.0


def test_a_fresh_network_takes_what_is_near_the_mean():
    detector = SurfaceDetector(SurfaceNetwork(small()))
    field = detector.detect(np.full((90, 130), 100.0, np.float32), ROI, "tibia")
    np.testing.assert_allclose(field.low, 100 - 25.5, atol=0.01)
    np.testing.assert_allclose(field.high, 100 + 25.5, atol=0.01)


@pytest.mark.parametrize("fine", [False, True])
def test_thresholds_lie_on_their_cells(fine):
    """Relative thresholds of a known distance tell the mean gray level of each cell: down, across, and where."""
    gray = np.add.outer(np.arange(90) ** 1.1 * 0.5, np.arange(130) * 1.2).astype(np.float32)
    bias = [[0.0, 0.0], [-0.04, 0.2], [0.0, 0.0]]
    detector = SurfaceDetector(fresh(bias, per_cell=4, fine=fine))
    field, cells = detector.detect(gray, ROI, "tibia"), detector.network.config.cells
    x0, y0, x1, y1 = ROI
    wide, tall = (x1 - x0) / cells, (y1 - y0) / cells
    for row, column in np.ndindex(cells, cells):
        box = x0 + column * wide, y0 + row * tall, x0 + (column + 1) * wide, y0 + (row + 1) * tall
        mean = gray[boxes.pixel_slices(box, gray.shape)].mean()
        assert field.low[row, column] == pytest.approx(mean - 0.04 * 255, abs=3)
        assert field.high[row, column] == pytest.approx(mean + 0.2 * 255, abs=3)
    assert field.roi == ROI and field.shape == (cells, cells)


def test_every_class_has_surfaces_of_its_own():
    bias = [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]
    detector = SurfaceDetector(fresh(bias, relative=False))
    gray = radiograph().gray()
    for label, (low, high) in zip(CLASSES, bias):
        field = detector.detect(gray, ROI, label)
        np.testing.assert_allclose(field.low, 255 * low, rtol=1e-5)
        np.testing.assert_allclose(field.high, 255 * high, rtol=1e-5)
    rois = [ROI, (0.0, 0.0, 30.0, 40.0), (50.0, 3.0, 130.0, 90.0)]
    found = detector.detect_all(gray, rois, ["teeth", "femur", "tibia"])
    assert [field.roi for field in found] == rois
    assert [float(field.low[0, 0]) for field in found] == pytest.approx([76.5, 25.5, 51.0])


def test_classes_that_it_was_not_trained_for():
    detector = SurfaceDetector(network())
    assert detector.knows("tibia") and not detector.knows("hand")
    with pytest.raises(KeyError, match="hand"):
        detector.detect_all(radiograph().gray(), [ROI, ROI], ["tibia", "hand"])
    assert detector.detect_all(radiograph().gray(), [], []) == []


def test_open_and_closed_cells():
    gray = np.full((90, 130), 100.0, np.float32)
    detector = SurfaceDetector(fresh([[-9.0, 9.0], [0.6, 0.4], [1.2, 1.4]], relative=False))
    opened, closed, beyond = (detector.detect(gray, ROI, label) for label in CLASSES)
    np.testing.assert_allclose(opened.low, -REACH * 255)
    np.testing.assert_allclose(opened.high, (1 + REACH) * 255)
    assert not opened.closed.any() and closed.closed.all() and beyond.closed.all()


def test_the_same_seed_gives_the_same_field():
    gray = radiograph().gray()
    noisy = gray + np.random.default_rng(0).normal(0, 20, gray.shape)
    one, same, other = (SurfaceDetector(network(), seed=seed).detect(noisy, ROI, "femur") for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.low, same.low)
    np.testing.assert_array_equal(one.high, same.high)
    assert (one.low != other.low).any()


def test_together_or_one_by_one():
    gray, detector = radiograph().gray(), SurfaceDetector(network())
    rois, labels = [ROI, (0.0, 0.0, 30.0, 40.0), (50.0, 3.0, 130.0, 90.0)], ["teeth", "femur", "teeth"]
    for roi, label, found in zip(rois, labels, detector.detect_all(gray, rois, labels)):
        alone = detector.detect(gray, roi, label)
        np.testing.assert_allclose(found.low, alone.low, rtol=1e-4, atol=0.01)
        np.testing.assert_allclose(found.high, alone.high, rtol=1e-4, atol=0.01)


class Counting(GrayImage):
    """Gray levels on demand that remember how many were asked for."""

    asked = 0

    def __getitem__(self, index):
        gray = super().__getitem__(index)
        self.asked += gray.size
        return gray


def test_only_the_chosen_points_are_looked_at():
    image = radiograph((900, 1300))
    gray, detector = Counting(image.pixels, image.mapping), SurfaceDetector(network())
    roi = (100.0, 50.0, 1250.0, 870.0)
    found = detector.detect_all(gray, [roi, roi], ["femur", "tibia"])
    assert gray.asked == 2 * BLOCK**2 * detector.network.config.side ** 2
    whole = detector.detect_all(image.gray(), [roi, roi], ["femur", "tibia"])
    for one, other in zip(found, whole):
        np.testing.assert_array_equal(one.low, other.low)
        np.testing.assert_array_equal(one.high, other.high)


FEW = (7.3, 4.6, 20.2, 11.9)


def test_more_pixels_of_the_same_picture_change_nothing():
    """The same places are looked at; the noise would show any that is not."""
    gray, roi = np.random.default_rng(0).uniform(0, 255, (90, 130)).astype(np.float32), FEW
    large, large_roi = gray.repeat(4, axis=0).repeat(4, axis=1), tuple(4 * value for value in roi)
    detector = SurfaceDetector(network(per_cell=4, grid=8))
    one, other = Counting(gray, GRAYS), Counting(large, GRAYS)
    few, many = detector.detect(one, roi, "femur"), detector.detect(other, large_roi, "femur")
    assert one.asked == other.asked == detector.network.config.side ** 2
    np.testing.assert_array_equal(few.low, many.low)
    np.testing.assert_array_equal(few.high, many.high)
    assert many.roi == large_roi


def test_more_pixels_of_a_smooth_picture_change_little():
    gray = np.add.outer(np.arange(90) ** 1.1 * 0.5, np.arange(130) * 1.2).astype(np.float32)
    detector = SurfaceDetector(fresh(per_cell=4))
    one = detector.detect(gray, ROI, "femur")
    other = detector.detect(gray.repeat(4, axis=0).repeat(4, axis=1), tuple(4 * value for value in ROI), "femur")
    np.testing.assert_allclose(one.low, other.low, atol=2.5)


def test_points_of_many_pixels_are_means_around_their_places():
    random, detector = np.random.default_rng(0), SurfaceDetector(network())
    gray = (100 + random.normal(0, 10, (900, 1300)) + 80 * (np.arange(1300) > 650)).astype(np.float32)
    points = detector.points(gray, (0.0, 0.0, 1300.0, 900.0))
    x, y, levels = points.T
    side = detector.network.config.side
    np.testing.assert_array_equal(np.floor((x + 1) / 2 * side).reshape(side, side), np.tile(np.arange(side), (side, 1)))
    clear = np.abs(x) > 2 / side  # a block on the step holds both levels
    noise = (levels + 1) * 127.5 - np.where(x > 0, 180, 100)
    assert noise[clear].std() == pytest.approx(10 / BLOCK, rel=0.25)
    row, column = int((y[40] + 1) / 2 * 900), int((x[40] + 1) / 2 * 1300)
    block = gray[row - 1 : row + 2, column - 1 : column + 2]
    assert (levels[40] + 1) * 127.5 == pytest.approx(block.mean(), abs=1e-3)


@pytest.mark.parametrize("roi", [(-20.0, -9.0, 60.0, 50.0), (100.0, 70.0, 190.0, 140.0), (130.0, 5.0, 130.0, 40.0)])
def test_a_roi_that_leaves_the_image_sees_its_edge(roi):
    gray = np.random.default_rng(0).uniform(0, 255, (90, 130)).astype(np.float32)
    detector = SurfaceDetector(network())
    margin = 100
    wide = np.pad(gray, margin, mode="edge")
    expected = detector.detect(wide, tuple(value + margin for value in roi), "femur")
    found = detector.detect(gray, roi, "femur")
    np.testing.assert_allclose(found.low, expected.low, atol=1e-3)


def test_points_are_those_of_the_radiograph():
    image = radiograph(mapping=GrayMapping.window(300, 3000, "percentile"))
    detector = SurfaceDetector(network())
    points = detector.points(image.gray_image(), FEW)
    x0, y0, x1, y1 = FEW
    column = np.floor(x0 + (points[:, 0] + 1) / 2 * (x1 - x0)).astype(int)
    row = np.floor(y0 + (points[:, 1] + 1) / 2 * (y1 - y0)).astype(int)
    np.testing.assert_allclose((points[:, 2] + 1) * 127.5, image.gray()[row, column], atol=1e-3)
    assert points.dtype == np.float32 and np.abs(points).max() <= 1


def test_it_is_put_in_evaluation_mode_and_needs_no_gradients():
    made = SurfaceNetwork(small()).train()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    SurfaceDetector(made).detect(radiograph().gray(), ROI, "femur")
    assert not made.training
    for name, value in made.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_folded_batch_norms_say_the_same():
    made = network()
    points = cloud(made.config)
    with torch.no_grad():
        expected = made(points)
        folded = fold_batch_norms(made)
        torch.testing.assert_close(folded(points), expected, rtol=1e-3, atol=1e-4)
    assert not [module for module in folded.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
