"""What the 2D detector is taught: boxes that fit, sides that swap in the mirror, and silence on what is not marked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.yolo.letterbox import Letterbox
from training.networks import YoloConfig, build_yolo

pytest.importorskip("skimage", reason="training needs the extra 'training'")

from training.augmentation import AugmentationSettings  # noqa: E402
from training.data import CLASSES, Case  # noqa: E402
from training.detection_data import DetectionDataset, DetectionSample  # noqa: E402
from training.detection_loss import LossWeights, complete_iou, detection_loss, pairwise_iou  # noqa: E402


def chest(set_name: str = "jsrt_lungs") -> Case:
    """Two lungs of different size, the larger on the image's left."""
    label_map = np.zeros((120, 100), np.uint8)
    label_map[20:90, 10:45] = 1
    label_map[30:80, 60:88] = 2
    pixels = np.where(label_map, 60, 200).astype(np.uint8)
    return Case(set_name, "one", "train", pixels, label_map, {"right lung": 1, "left lung": 2})


def test_boxes_fit_the_unchanged_image():
    case = chest()
    sample = DetectionDataset([case], CLASSES, 128)[0]
    letterbox = Letterbox.fit(case.pixels.shape, 128)
    truth = np.stack([boxes.of_mask(case.label_map == value) for value in (1, 2)])
    np.testing.assert_allclose(sample.boxes.numpy(), letterbox.boxes_to_input(truth), atol=1.5)
    assert sample.labels.tolist() == [0, 1] and sample.image.shape == (1, 128, 128)


def test_the_mirror_image_swaps_the_sides():
    flipping = AugmentationSettings.none()
    object.__setattr__(flipping, "flip", 1.0)
    straight, mirror = (DetectionDataset([chest()], CLASSES, 128, settings)[0] for settings in (None, flipping))
    assert torch.allclose(mirror.image, straight.image.flip(2), atol=1e-5)
    expected = straight.boxes[:, [2, 1, 0, 3]]
    expected = torch.stack([128 - expected[:, 0], expected[:, 1], 128 - expected[:, 2], expected[:, 3]], 1)
    assert mirror.labels.tolist() == [1, 0]
    assert torch.allclose(mirror.boxes, expected, atol=1.5)


def test_the_same_index_is_the_same_sample_and_another_epoch_is_not():
    dataset = DetectionDataset([chest()], CLASSES, 64, AugmentationSettings(), seed=5)
    assert torch.equal(dataset[0].image, dataset[0].image)
    assert not torch.equal(dataset[0].image, dataset[1].image)


def test_what_is_settled():
    knee = Case("knee_femur", "1", "train", np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8), {"femur": 1})
    marked = {name: knee.is_settled(name) for name in CLASSES}
    assert marked == {"right lung": True, "left lung": True, "femur": True, "tibia": False, "teeth": True}
    unknown = Case("new set", "1", "train", knee.pixels, knee.label_map, {"femur": 1})
    assert [name for name in CLASSES if unknown.is_settled(name)] == ["femur"]


ANCHORS = tuple((float(size), float(size)) for size in (16, 24, 32, 48, 64, 96))


def network_that_sees(label: str):
    """A tiny YOLOv3 whose every cell says `label` with confidence, whatever the image."""
    torch.manual_seed(0)
    network = build_yolo(YoloConfig("tiny", CLASSES, ANCHORS, 128, 1, 0.125)).eval()
    for head in (network.head_coarse, network.head_middle):
        with torch.no_grad():
            bias = head.output.bias.view(3, -1)
            head.output.weight.zero_()
            bias.zero_()
            bias[:, 4] = 2.0
            bias[:, 5:] = -4.0
            bias[:, 5 + CLASSES.index(label)] = 4.0
    return network


def objectness_gradient(seen: str, marked: list[str]) -> float:
    """The largest one in the upper left quarter of an image that has its only object in the lower right one."""
    network = network_that_sees(seen)
    outputs = network(torch.zeros(1, 1, 128, 128))
    for raw in outputs:
        raw.retain_grad()
    settled = torch.tensor([name in marked for name in CLASSES])
    box, label = torch.tensor([[100.0, 100.0, 116.0, 116.0]]), torch.tensor([CLASSES.index(marked[0])])
    corner = DetectionSample(torch.zeros(1, 128, 128), box, label, settled)
    detection_loss(network, outputs, [corner], LossWeights())["total"].backward()
    return max(float(raw.grad[:, :, : raw.shape[2] // 2, : raw.shape[3] // 2, 4].abs().max()) for raw in outputs)


def test_an_unmarked_class_is_not_taught_to_be_background():
    assert objectness_gradient("tibia", ["femur"]) == 0.0
    assert objectness_gradient("tibia", ["femur", "tibia"]) > 0.1


def test_a_marked_object_is_no_other_class():
    """The cells that hold a right lung learn that it is not teeth, though teeth are not marked in the image."""
    network = network_that_sees("teeth")
    outputs = network(torch.zeros(1, 1, 128, 128))
    for raw in outputs:
        raw.retain_grad()
    box = torch.tensor([[20.0, 20.0, 52.0, 52.0]])
    settled = torch.tensor([name == "right lung" for name in CLASSES])
    sample = DetectionSample(torch.zeros(1, 128, 128), box, torch.tensor([0]), settled)
    detection_loss(network, outputs, [sample], LossWeights())["classes"].backward()
    teeth, lung = (
        sum(raw.grad[..., 5 + CLASSES.index(name)] for raw in [outputs[1]]) for name in ("teeth", "right lung")
    )
    assert teeth.max() > 0.1 and lung.min() < -0.1  # one goes down, the other up
    assert (teeth != 0).any(dim=1).sum() == 1, "only in the cell that holds the centre"


def test_complete_iou():
    a = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 10.0]])
    b = torch.tensor([[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0], [2.0, 2.0, 12.0, 12.0]])
    complete, plain = complete_iou(a, b)
    assert torch.allclose(plain, pairwise_iou(a, b).diagonal())
    assert complete[0] == pytest.approx(1.0, abs=1e-5)
    assert complete[1] == pytest.approx(-(20.0**2) / (30.0**2 + 10.0**2), abs=1e-4)  # apart: centre distance alone
    assert complete[2] == pytest.approx(64 / 136 - 8 / 288, abs=1e-4)
