"""Test-time augmentation: looks at a picture, mirrored and in another size, and what they agree on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.types import Box2D
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings, RoiDetector
from GrayscaleDetSegLib.core.yolo.looks import Look, agreed
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


def picture(columns: int = SIZE) -> np.ndarray:
    return (np.random.default_rng(4).random((SIZE, columns)) * 255).astype(np.float32)


def region(label: str, score: float, *roi: float) -> RegionProposal:
    return RegionProposal(label, score, Box2D(*roi))


def found(network, gray: np.ndarray, *looks: Look) -> list[RegionProposal]:
    return RoiDetector(network, DetectionSettings(score=0.0, across=1.0, looks=looks)).candidates(gray)


def test_a_mirrored_look_brings_boxes_and_sides_back():
    seen = [region("right lung", 0.5, 10, 5, 30, 60), region("left clavicle", 0.4, 0, 0, 4, 4)]
    back = Look(mirrored=True).back(seen, 100, CLASSES)
    assert [(item.label, tuple(item.roi)) for item in back] == [
        ("left lung", (70, 5, 90, 60)), ("left clavicle", (96, 0, 100, 4)),  # no right clavicle is known
    ]  # fmt: skip
    assert Look().back(seen, 100, CLASSES) == seen


def test_a_mirrored_look_at_a_mirror_image_is_a_plain_look_at_the_picture(network):
    gray = picture(50)
    plain = found(network, gray, Look())
    other = found(network, np.ascontiguousarray(gray[:, ::-1]), Look(mirrored=True))
    assert Look(mirrored=True).back(other, 50, CLASSES) != other
    assert len(plain) == len(other) > 4
    for one, two in zip(plain, Look(mirrored=True).back(other, 50, CLASSES)):
        assert one.label == two.label and one.score == pytest.approx(two.score, abs=1e-5)
        assert tuple(one.roi) == pytest.approx(tuple(two.roi), abs=0.05)


def test_both_looks_give_a_picture_and_its_mirror_image_one_answer(network):
    gray = picture(50)
    looks = Look(), Look(mirrored=True)
    there = sorted(round(item.score, 4) for item in found(network, gray, *looks))
    back = sorted(round(item.score, 4) for item in found(network, np.ascontiguousarray(gray[:, ::-1]), *looks))
    assert there == pytest.approx(back, abs=2e-4)
    one = sorted(round(item.score, 4) for item in found(network, gray, Look()))
    assert one != pytest.approx(there, abs=2e-4), "a second look counts"


def test_a_larger_look_is_made_and_its_boxes_are_of_the_picture(network):
    small, large = found(network, picture(), Look()), found(network, picture(), Look(96))
    assert {item.label for item in small} == {item.label for item in large} == set(CLASSES)
    assert [item.score for item in small] != [item.score for item in large]
    assert all(0 <= value <= SIZE for item in large for value in item.roi)


def test_what_both_looks_see_keeps_its_score_and_what_one_sees_loses_half():
    looks = ([region("femur", 0.8, 0, 0, 10, 10), region("tibia", 0.6, 50, 0, 60, 10)],
             [region("femur", 0.4, 0, 2, 10, 12), region("tibia", 0.5, 90, 0, 99, 10)])  # fmt: skip
    both = agreed(looks, 0.4)
    assert [(item.label, round(item.score, 6)) for item in both] == [("femur", 0.6), ("tibia", 0.3), ("tibia", 0.25)]
    assert tuple(both[0].roi) == pytest.approx((0, 2 * 0.4 / 1.2, 10, 10 + 2 * 0.4 / 1.2))
    assert tuple(both[1].roi) == pytest.approx((50, 0, 60, 10)) and tuple(both[2].roi) == pytest.approx((90, 0, 99, 10))
    assert agreed(looks, 0.4, 0.55) == both[:2], "what no look is sure enough of is left out"
    assert agreed(looks, 0.4, 0.95) == both[:2], "the best of a class stays"
    crowd = ([region("tooth", 0.28, 0, 0, 10, 10), region("tooth", 0.26, 50, 0, 60, 10)],
             [region("tooth", 0.26, 50, 0, 60, 10)])  # fmt: skip
    (best,) = agreed(crowd, 0.4, 0.3)
    assert best.score == pytest.approx(0.26) and best.roi.x0 == 50, "the best by the mean, not by one look"


def test_one_look_is_left_as_it_is_and_scores_of_0_do_no_harm():
    look = [region("femur", 0.0, 0, 0, 10, 10)]
    assert agreed([look], 0.4) == look
    (only,) = agreed([look, look], 0.4)
    assert only.score == 0.0 and tuple(only.roi) == pytest.approx((0, 0, 10, 10))


class Told(RoiDetector):
    """A detector of which every look sees the same."""

    def __init__(self, regions: list[RegionProposal], settings: DetectionSettings) -> None:
        self.regions, self.settings = regions, settings

    def _seen(self, *_) -> list[RegionProposal]:
        return self.regions


def test_a_kneecap_as_large_as_the_end_of_a_femur_is_that_end():
    regions = [region("patella", 0.9, 0, 0, 60, 60), region("femur", 0.5, 0, 0, 60, 70),
               region("patella", 0.4, 20, 30, 40, 50)]  # fmt: skip
    looks = Look(), Look(96)
    told = Told(regions, DetectionSettings(over=(("patella", "femur"),), looks=looks)).candidates(picture())
    assert [(item.label, item.score) for item in told] == [("femur", 0.5), ("patella", 0.4)]
    told = Told(regions[:2], DetectionSettings(looks=looks)).candidates(picture())
    assert [item.label for item in told] == ["patella"], "without it the better score keeps the place"
    weak = [regions[0], region("femur", 0.2, 0, 0, 60, 70)]
    told = Told(weak, DetectionSettings(over=(("patella", "femur"),), looks=looks)).candidates(picture())
    assert [item.label for item in told] == ["patella"], "a femur that is not found takes nothing"


def test_which_class_a_place_has_is_settled_after_the_looks_agree():
    class Other(Told):
        def _seen(self, _, look, *__):
            better, worse = (0.9, 0.85) if look.size else (0.3, 0.8)
            return [region("tibia", better, 0, 0, 60, 60), region("femur", worse, 0, 0, 60, 60)]

    told = Other([], DetectionSettings(looks=(Look(), Look(96)))).candidates(picture())
    assert [item.label for item in told] == ["femur"] and told[0].score == pytest.approx(0.825)


def test_settings_of_a_manifest_are_looks_and_a_wrong_size_is_told():
    settings = DetectionSettings(looks=({"size": 320, "mirrored": True}, Look()))
    assert settings.looks == (Look(320, True), Look(0, False))
    with pytest.raises(ValueError, match="multiple of 32, not 300"):
        Look(300)
