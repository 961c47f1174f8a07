"""YOLOv3: fitting images into the input, decoding, suppression, and what the detector reports."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.yolo.blocks import OutputLayer, PoolSameSize, upsample
from GrayscaleDetSegLib.core.yolo.decode import decode, decode_scale
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings, RoiDetector
from GrayscaleDetSegLib.core.yolo.letterbox import MAXIMUM_ASPECT, Letterbox
from training.networks import YoloConfig, build_yolo

CLASSES = ("femur", "tibia", "teeth")
ANCHORS = {
    "tiny": ((10.0, 14.0), (23.0, 27.0), (37.0, 58.0), (81.0, 82.0), (135.0, 169.0), (344.0, 319.0)),
    "darknet53": tuple((8.0 * i, 9.0 * i) for i in range(1, 10)),
}


def config(variant: str = "tiny", size: int = 64, channels: int = 1) -> YoloConfig:
    return YoloConfig(variant, CLASSES, ANCHORS[variant], size, channels, 0.0625)


SHAPES = [(100, 100), (2500, 2048), (300, 2400), (2400, 300), (4000, 10), (7, 5000), (16, 16), (1, 1), (417, 415)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("pixel_aspect", [1.0, 0.25, 3.0])
def test_boxes_come_back_from_the_input(shape, pixel_aspect):
    letterbox = Letterbox.fit(shape, 96, pixel_aspect)
    random = np.random.default_rng(0)
    corners = np.sort(random.random((20, 2, 2)), axis=1).reshape(20, 4) * ([shape[1], shape[0]] * 2)
    there = letterbox.boxes_to_input(corners)
    np.testing.assert_allclose(letterbox.boxes_to_image(there), corners, atol=1e-6 * max(shape))
    whole = letterbox.boxes_to_input(np.array([[0, 0, shape[1], shape[0]]]))[0]
    assert whole[:2].min() >= -1e-9 and whole[2:].max() <= 96 + 1e-9
    rows, columns = letterbox.fitted
    assert (whole[2] - whole[0], whole[3] - whole[1]) == pytest.approx((columns, rows))
    assert max(rows, columns) == 96 and min(rows, columns) >= math.floor(96 / MAXIMUM_ASPECT)
    assert abs(whole[0] - (96 - whole[2])) <= 1 and abs(whole[1] - (96 - whole[3])) <= 1, "centred"
    assert letterbox.image_to_input(np.zeros(shape, np.float32)).shape == (1, 1, 96, 96)


def test_moderate_shapes_keep_their_aspect_in_mm():
    limit = (1 + MAXIMUM_ASPECT) / 2
    wide = Letterbox.fit((1000, round(1000 * limit)), 416)
    assert wide.scale[0] == pytest.approx(wide.scale[1], rel=0.01)
    tall_pixels = Letterbox.fit((1000, 2000), 416, 2.0)  # pixels twice as high as wide: a square picture
    assert tall_pixels.fitted == (416, 416)
    assert tall_pixels.scale[1] == pytest.approx(2 * tall_pixels.scale[0])


@pytest.mark.parametrize("shape", [(120, 120), (1500, 1100), (900, 300), (200, 1900), (40, 50), (1001, 997)], ids=str)
@pytest.mark.parametrize("pixel_aspect", [1.0, 0.5, 2.0])
def test_the_picture_lands_where_the_boxes_say(shape, pixel_aspect):
    rows, columns = shape
    truth = np.array([0.55 * columns, 0.15 * rows, 0.9 * columns, 0.45 * rows])
    gray = np.zeros(shape, np.float32)
    gray[boxes.pixel_slices(truth, shape)] = 255.0
    tight = boxes.of_mask(gray > 0)
    letterbox = Letterbox.fit(shape, 160, pixel_aspect)
    image = letterbox.image_to_input(gray)[0, 0]
    assert image.min() >= -1e-5 and image.max() == pytest.approx(1.0, abs=1e-4)
    seen = boxes.of_mask(image > 0.5)
    np.testing.assert_allclose(seen, letterbox.boxes_to_input(tight[None])[0], atol=1.0)
    outside = np.ones((160, 160), bool)
    outside[letterbox_window(letterbox)] = False
    assert (image[outside] == 0).all()


def letterbox_window(letterbox: Letterbox) -> tuple[slice, slice]:
    left, top = map(int, letterbox.offset)
    return slice(top, top + letterbox.fitted[0]), slice(left, left + letterbox.fitted[1])


def test_gray_levels_become_0_to_1():
    image = Letterbox.fit((50, 50), 32).image_to_input(np.full((50, 50), 51.0, np.float32))
    np.testing.assert_allclose(image, 0.2, atol=1e-6)


def test_a_flipped_view_is_taken_as_it_looks():
    gray = np.random.default_rng(0).random((40, 30)).astype(np.float32)
    letterbox = Letterbox.fit((40, 30), 32)
    np.testing.assert_array_equal(letterbox.image_to_input(gray[::-1]), letterbox.image_to_input(gray[::-1].copy()))


def test_decoding_by_hand():
    """Cell (row 1, column 2) of stride 32, anchor (100, 60): centre, size and corners by the formulas of YOLOv3."""
    raw = torch.zeros(1, 2, 3, 4, 5 + 1)
    raw[0, 1, 1, 2, :4] = torch.tensor([0.4, -1.2, 0.3, -0.5])
    found = decode_scale(raw, torch.tensor([[10.0, 20.0], [100.0, 60.0]]), 32)
    assert found.shape == (1, 2, 3, 4, 4)
    x, y = (2 + 1 / (1 + math.exp(-0.4))) * 32, (1 + 1 / (1 + math.exp(1.2))) * 32
    width, height = 100 * math.exp(0.3), 60 * math.exp(-0.5)
    expected = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    assert found[0, 1, 1, 2].tolist() == pytest.approx(expected, rel=1e-5)
    assert found[0, 0, 2, 3].tolist() == pytest.approx([3.5 * 32 - 5, 2.5 * 32 - 10, 3.5 * 32 + 5, 2.5 * 32 + 10])


def test_sizes_never_overflow():
    raw = torch.full((1, 1, 1, 1, 6), 1e4)
    assert torch.isfinite(decode_scale(raw, torch.tensor([[300.0, 300.0]]), 32)).all()


def test_scores_are_objectness_times_class():
    network = build_yolo(config())
    outputs = [torch.zeros(1, 3, size, size, 8) for size in (2, 4)]
    outputs[0][0, 2, 1, 0, 4:] = torch.tensor([1.0, -2.0, 0.5, 3.0])
    found, scores = decode(network, outputs)
    assert found.shape == (1, 3 * 4 + 3 * 16, 4) and scores.shape == (1, 60, 3)
    objectness = 1 / (1 + math.exp(-1.0))
    expected = [objectness / (1 + math.exp(-value)) for value in (-2.0, 0.5, 3.0)]
    assert scores[0, 2 * 4 + 2].tolist() == pytest.approx(expected, rel=1e-5)
    width, height = ANCHORS["tiny"][5]  # the coarse scale has the largest anchors
    box = found[0, 2 * 4 + 2]
    assert (box[2] - box[0], box[3] - box[1]) == pytest.approx((width, height), rel=1e-5)
    width, height = ANCHORS["tiny"][0]
    assert (found[0, 12, 2] - found[0, 12, 0]).item() == pytest.approx(width, rel=1e-5)


@pytest.mark.parametrize("variant, sizes", [("tiny", (2, 4)), ("darknet53", (2, 4, 8))])
@pytest.mark.parametrize("channels", [1, 3])
def test_output_shapes(variant, sizes, channels):
    network = build_yolo(config(variant, 64, channels)).eval()
    with torch.no_grad():
        outputs = network(torch.zeros(2, channels, 64, 64))
    assert [tuple(output.shape) for output in outputs] == [(2, 3, size, size, 8) for size in sizes]
    found, scores = decode(network, outputs)
    assert found.shape[1] == scores.shape[1] == 3 * sum(size * size for size in sizes)
    assert network.strides == tuple(64 // size for size in sizes)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"variant": "large"}, "no YOLOv3 variant 'large'"),
        ({"variant": "darknet53"}, "needs 9 anchors, not 6"),
        ({"anchors": ANCHORS["tiny"][:5]}, "needs 6 anchors, not 5"),
        ({"input_size": 400}, "multiple of 32, not 400"),
    ],
)
def test_impossible_networks_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        YoloConfig(**{**config().to_dict(), **change})


@pytest.mark.parametrize("variant", ["tiny", "darknet53"])
def test_configuration_survives_json(variant):
    assert YoloConfig.from_dict(json.loads(json.dumps(config(variant).to_dict()))) == config(variant)


def test_output_layers_start_doubtful_and_hold_channels_anchor_by_anchor():
    layer = OutputLayer(4, 3, 2)
    assert (torch.sigmoid(layer.bias.view(3, 7)[:, 4]) < 0.02).all()
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.arange(21.0))
        out = layer(torch.zeros(1, 4, 2, 5))
    assert out.shape == (1, 3, 2, 5, 7)
    assert out[0, 1, 0, 3].tolist() == list(range(7, 14))


def test_pooling_that_keeps_the_size_looks_right_and_down():
    pooled = PoolSameSize()(torch.tensor([[[[-5.0, -1.0], [-4.0, -3.0]]]]))
    assert pooled.flatten().tolist() == [-1.0, -1.0, -3.0, -3.0]
    assert upsample(torch.tensor([[[[1.0, 2.0]]]])).flatten().tolist() == [1, 1, 2, 2] * 2


class Rigged(torch.nn.Module):
    """Says what it is told, whatever it sees: (scale, anchor, row, column) -> (tx, ty, tw, th, objectness, classes)."""

    strides, anchor_indices = (32, 16), ((3, 4, 5), (0, 1, 2))

    def __init__(self, cells: dict, size: int = 128) -> None:
        super().__init__()
        self.config, self.cells = config(size=size), cells
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        self.seen = image
        outputs = []
        for stride in self.strides:
            raw = torch.zeros(1, 3, image.shape[2] // stride, image.shape[3] // stride, 8)
            raw[..., 4:] = -9.0
            outputs.append(raw)
        for (scale, anchor, row, column), values in self.cells.items():
            outputs[scale][0, anchor, row, column] = torch.tensor(values)
        return outputs


FEMUR = {(1, 2, 3, 4): (0.0, 0.0, 0.0, 0.0, 5.0, 4.0, -9.0, -9.0)}  # anchor 37 x 58 at (4.5, 3.5) cells of 16 px


def test_a_known_box_comes_out_in_px_of_the_image():
    detector = RoiDetector(Rigged(FEMUR))
    found = detector.candidates(np.zeros((256, 256), np.float32))  # half the size in the input
    assert (found[0].label, found[0].score) == ("femur", pytest.approx(0.9933 * 0.982, abs=1e-3))
    expected = [2 * (72 - 18.5), 2 * (56 - 29), 2 * (72 + 18.5), 2 * (56 + 29)]
    assert found[0].roi == pytest.approx(expected, abs=1e-3)


def test_a_known_box_in_an_image_of_another_shape():
    shape, aspect = (300, 500), 0.9
    detector = RoiDetector(Rigged(FEMUR))
    found = detector.candidates(np.zeros(shape, np.float32), aspect)[0]
    in_input = np.array([[72 - 18.5, 56 - 29, 72 + 18.5, 56 + 29]])
    expected = boxes.clip(Letterbox.fit(shape, 128, aspect).boxes_to_image(in_input), shape)[0]
    assert found.roi == pytest.approx(tuple(expected), abs=1e-3)


def test_every_channel_sees_the_image():
    network = Rigged(FEMUR)
    network.config = config(size=128, channels=3)
    RoiDetector(network).candidates(np.full((128, 128), 255.0, np.float32))
    assert network.seen.shape == (1, 3, 128, 128) and (network.seen == 1).all()


def test_the_best_candidate_is_there_even_below_the_threshold():
    weak = {(1, 2, 3, 4): (0.0, 0.0, 0.0, 0.0, 5.0, -9.0, -1.0, -9.0)}
    found = RoiDetector(Rigged(weak), DetectionSettings(across=1.0)).candidates(np.zeros((256, 256), np.float32))
    assert found[0].label == "tibia" and found[0].score < DetectionSettings().score
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert {item.label for item in found} == set(CLASSES) and len(found) == 3


@pytest.mark.parametrize(("objectness", "moves"), [(-8.0, False), (-3.0, True)])
def test_boxes_with_next_to_no_score_have_no_say_in_where_a_region_ends(objectness, moves):
    beside = (3.0, 0.0, 0.0, 0.0, objectness, 4.0, -9.0, -9.0)  # the same anchor and cell row, nearly the same place
    alone = RoiDetector(Rigged(FEMUR)).candidates(np.zeros((256, 256), np.float32))[0]
    voted = RoiDetector(Rigged({**FEMUR, (1, 2, 3, 3): beside})).candidates(np.zeros((256, 256), np.float32))[0]
    assert (voted.roi != alone.roi) == moves and voted.score == alone.score


def two_femora(shift: float) -> dict:
    strong = (0.0, 0.0, 0.0, 0.0, 5.0, 4.0, -9.0, -9.0)
    weaker = (shift, 0.0, 0.0, 0.0, 3.0, 4.0, 3.5, -9.0)
    return {(1, 2, 3, 4): strong, (1, 2, 3, 5): weaker}


def test_suppression_is_per_class_and_the_threshold_can_be_set():
    """Neighbouring cells, 16 px apart in boxes 37 px wide: an IoU of 0.4 or of 0.6, as t_x says."""
    gray = np.zeros((128, 128), np.float32)

    def labels(shift, score_threshold=0.3, **settings):
        detector = RoiDetector(Rigged(two_femora(shift)), DetectionSettings(across=1.0, **settings))
        return [item.label for item in detector.candidates(gray, 1.0, score_threshold) if item.score > 0.3]

    assert labels(0.0, suppression=0.5) == ["femur", "femur", "tibia"]
    assert labels(0.0, suppression=0.3) == ["femur", "tibia"]
    assert labels(0.0, suppression=0.5, per_class=1) == ["femur", "tibia"]
    assert labels(0.0, 0.95, suppression=0.5) == ["femur", "tibia"]


def test_one_place_holds_one_class():
    """The weaker femur's box is called a tibia almost as surely: the better name stays."""
    gray = np.zeros((128, 128), np.float32)
    both = {(1, 2, 3, 4): (0.0, 0.0, 0.0, 0.0, 5.0, 4.0, 3.5, -9.0)}
    for across, labels in ((1.0, ["femur", "tibia"]), (0.75, ["femur"])):
        detector = RoiDetector(Rigged(both), DetectionSettings(across=across))
        assert [item.label for item in detector.candidates(gray) if item.score > 0.3] == labels


def test_bones_that_lie_alongside_each_other_may_have_one_place():
    """A femur and a tibia 8 px beside it, 37 px wide: an IoU of 0.64."""
    gray = np.zeros((128, 128), np.float32)
    tibia = (-9.0, 0.0, 0.0, 0.0, 5.0, -9.0, 4.0, -9.0)
    both = {(1, 2, 3, 4): (0.0, 0.0, 0.0, 0.0, 5.0, 4.0, -9.0, -9.0), (1, 2, 3, 5): tibia}
    for alongside, count in ((), 1), ((("femur", "tibia"),), 2), ((("femur", "teeth"),), 1):
        settings = DetectionSettings(across=0.5, together=0.9, voting=1.1, alongside=alongside)
        found = [item.label for item in RoiDetector(Rigged(both), settings).candidates(gray) if item.score > 0.3]
        assert len(found) == count and len(set(found)) == count


def test_one_of_many_needs_less_where_another_is_sure():
    """A second femur of a score of 0.2 passes beside one of 0.97 if femora are numerous, and never alone."""
    gray = np.zeros((256, 256), np.float32)
    sure, weak = (0.0,) * 4 + (5.0, 4.0, -9.0, -9.0), (0.0,) * 4 + (-1.4, 4.0, -9.0, -9.0)

    def passing(cells, **settings):
        found = RoiDetector(Rigged(cells), DetectionSettings(across=1.0, **settings)).candidates(gray)
        return [round(item.score, 2) for item in found if item.label == "femur" and item.score >= 0.3]

    beside = {(1, 2, 2, 1): sure, (1, 2, 5, 6): weak}
    assert passing(beside) == passing(beside, context=0.4) == passing(beside, numerous=("femur",)) == [0.98]
    assert passing(beside, numerous=("femur",), context=0.4) == [0.98, round(0.1942**0.6 * 0.9754**0.4, 2)]
    assert passing({(1, 2, 5, 6): weak}, numerous=("femur",), context=0.4) == []


def test_boxes_are_cut_off_at_the_image_and_slivers_dropped():
    edge = {(0, 2, 0, 0): (0.0, 0.0, 0.0, 0.0, 5.0, 4.0, 4.0, 4.0)}  # anchor 344 x 319 around the corner
    found = RoiDetector(Rigged(edge)).candidates(np.zeros((128, 128), np.float32))
    assert found[0].roi == pytest.approx((0.0, 0.0, 128.0, 128.0), abs=1e-4)
    assert RoiDetector(Rigged(edge)).candidates(np.zeros((1, 2), np.float32)) == []


def test_blank_margins_are_left_out_and_boxes_come_back_to_the_whole_image():
    """The rigged cell is found at the same place of the picture, wherever that lies in a black frame."""
    strong = {(1, 2, 3, 4): (0.0, 0.0, 0.0, 0.0, 5.0, 4.0, -9.0, -9.0)}
    picture = np.full((128, 128), 100.0, np.float32)
    alone = RoiDetector(Rigged(strong)).candidates(picture)[0].roi
    framed = np.zeros((300, 200), np.float32)
    framed[120:248, 40:168] = picture
    found = RoiDetector(Rigged(strong)).candidates(framed)[0].roi
    np.testing.assert_allclose(found, np.array(alone) + [40, 120, 40, 120], atol=1e-3)
