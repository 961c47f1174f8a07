"""Test-time augmentation: a picture and its mirror image get the same answer, mirrored, and sides change places."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.labels import swapped_sides
from GrayscaleDetSegLib.core.yolo.decode import decode
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings, RoiDetector
from GrayscaleDetSegLib.core.yolo.mirrored import both_ways, mirrored_back
from training.networks import YoloConfig, build_yolo

CLASSES = ("right lung", "femur", "left lung", "left clavicle")
ANCHORS = ((10.0, 14.0), (23.0, 27.0), (37.0, 58.0), (81.0, 82.0), (35.0, 69.0), (44.0, 19.0))
SIZE = 64


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    network = build_yolo(YoloConfig("tiny", CLASSES, ANCHORS, SIZE, 1, 0.0625))
    with torch.no_grad():  # fresh output layers hardly look at the picture
        for parameter in network.parameters():
            parameter.mul_(1.5)
    return network.eval()


def picture() -> np.ndarray:
    return np.random.default_rng(4).random((1, 1, SIZE, SIZE), np.float32)


def test_sides_change_places_where_both_are_known():
    assert swapped_sides(CLASSES) == [2, 1, 0, 3]


def test_what_is_said_of_a_mirror_image_is_mirrored_back(network):
    raw = np.random.default_rng(1).normal(size=(1, 3, SIZE // 32, SIZE // 32, 9)).astype(np.float32)
    coarse = [raw, np.zeros((1, 3, SIZE // 16, SIZE // 16, 9), np.float32)]
    back = [mirrored_back(each, swapped_sides(CLASSES)) for each in coarse]
    (found,), (scores,) = decode(network, coarse)
    (other,), (others,) = decode(network, back)
    turned = np.stack([SIZE - other[:, 2], other[:, 1], SIZE - other[:, 0], other[:, 3]], 1)
    order, same = np.lexsort(found.round(2).T), np.lexsort(turned.round(2).T)
    np.testing.assert_allclose(turned[same], found[order], atol=1e-3)
    np.testing.assert_allclose(np.sort(others[:, [2, 1, 0, 3]], 0), np.sort(scores, 0), atol=1e-6)


def test_a_picture_and_its_mirror_image_get_one_answer(network):
    image = picture()
    swapped = swapped_sides(CLASSES)
    for seen, other in zip(both_ways(network, image), both_ways(network, image[..., ::-1])):
        np.testing.assert_allclose(mirrored_back(other, swapped), seen, atol=1e-4)
        assert abs(other - seen).max() > 1e-5, "the two do differ"


def test_the_detector_does_so_where_its_settings_say_so(network):
    gray = (picture()[0, 0] * 255).astype(np.float32)

    def found(mirrored: bool, image: np.ndarray) -> list:
        detector = RoiDetector(network, DetectionSettings(score=0.0, suppression=0.99, across=1.0, mirrored=mirrored))
        return [(item.label, item.score) for item in detector.candidates(np.ascontiguousarray(image))]

    there, back = ([round(score, 5) for _, score in found(True, each)[:4]] for each in (gray, gray[:, ::-1]))
    assert there == back
    assert found(False, gray) != found(False, gray[:, ::-1])
