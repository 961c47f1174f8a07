"""The detector's loss on films: silence on what is ignored or not settled; all classes in one place."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("skimage", reason="training needs the extra 'training'")

from Testing.test_detection_training import network_that_sees  # noqa: E402
from training.data import CLASSES  # noqa: E402
from training.detection_loss import SAME_PLACE, LossWeights, detection_loss  # noqa: E402
from training.detection_sample import DetectionSample  # noqa: E402
from training.films.outlined import IGNORE, SHAPELESS  # noqa: E402
from training.mask_head import MaskHead  # noqa: E402
from training.networks import YoloConfig, build_yolo  # noqa: E402

NONE = torch.zeros(0, 4)


def sample(boxes=NONE, labels=(), marked=CLASSES, ignored=NONE, masks=None, size: int = 128) -> DetectionSample:
    masks = torch.zeros(size // 4, size // 4, dtype=torch.int64) if masks is None else masks
    return DetectionSample(torch.zeros(1, size, size), torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                      torch.tensor([CLASSES.index(label) for label in labels], dtype=torch.int64),
                      torch.tensor([name in marked for name in CLASSES]), masks,
                      torch.as_tensor(ignored, dtype=torch.float32).reshape(-1, 4))  # fmt: skip


def gradients(one: DetectionSample, seen: str = "femur") -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """Of the raw outputs of a network that says `seen` everywhere, coarse first: (anchors, rows, columns, numbers)."""
    network = network_that_sees(seen)
    outputs = network(torch.zeros(1, 1, 128, 128))
    for raw in outputs:
        raw.retain_grad()
    parts = detection_loss(network, outputs, [one], LossWeights())
    parts["total"].backward()
    return [raw.grad[0] for raw in outputs], parts


def test_nothing_is_held_against_what_meets_an_ignored_box():
    """The cell in row 1, column 1 of the coarse scale says a box of 48 px about (48, 48)."""
    free, ignored = (gradients(sample(ignored=boxes))[0][0][..., 4] for boxes in (NONE, [[24.0, 24.0, 72.0, 72.0]]))
    assert (free > 0.1).all(), "elsewhere it is background"
    assert ignored[0, 1, 1] == 0.0 and (ignored[:, 3, 3] > 0.1).all()
    assert 1 <= (ignored == 0).sum() < ignored.numel() / 2
    far = gradients(sample(ignored=[[0.0, 0.0, 6.0, 6.0]]))[0][0][..., 4]
    assert (far > 0.1).all(), "an ignored box that nothing meets changes nothing"


def test_objects_in_one_place_share_their_classes():
    """Radius and ulna from the side: the network is not taught that the place of one is not the other."""
    box = [24.0, 24.0, 72.0, 72.0]
    near, far = [26.0, 24.0, 74.0, 72.0], [40.0, 24.0, 88.0, 72.0]
    overlap = (48 - 2) / (48 + 2)
    assert overlap > SAME_PLACE > (48 - 16) / (48 + 16)
    femur, tibia, teeth = (5 + CLASSES.index(name) for name in ("femur", "tibia", "teeth"))
    alone, _ = gradients(sample([box], ["femur"]), "teeth")
    assert alone[0][0, 1, 1, femur] < 0 < alone[0][0, 1, 1, tibia]
    together, _ = gradients(sample([box, near], ["femur", "tibia"]), "teeth")
    assert together[0][0, 1, 1, femur] < 0 and together[0][0, 1, 1, tibia] < 0 < together[0][0, 1, 1, teeth]
    apart, _ = gradients(sample([box, far], ["femur", "tibia"]), "teeth")
    assert apart[0][0, 1, 1, femur] < 0 < apart[0][0, 1, 1, tibia]


def test_ignored_places_carry_no_loss():
    """Cervical vertebrae that nobody marked: what is found there is not called background."""
    masks = torch.zeros(32, 32, dtype=torch.int64)
    masks[:16] = 1 << IGNORE
    for maps, rows in zip(gradients(sample(masks=masks))[0], (2, 4)):
        assert not maps[:, :rows].any() and (maps[:, rows:, :, 4] > 0.1).all()
    found, parts = gradients(sample([[24.0, 8.0, 72.0, 56.0]], ["femur"], masks=masks))
    assert found[0][0, 1, 1, 4] < 0 and parts["box"] > 0, "but what is marked there counts"


def test_masks_that_are_not_known_leave_the_background_as_it_is():
    """Films whose objects are boxes: beside the boxes there is nothing."""
    masks = torch.full((32, 32), 1 << SHAPELESS, dtype=torch.int64)
    for one, other in zip(gradients(sample(masks=masks))[0], gradients(sample())[0]):
        assert torch.equal(one, other) and one[..., 4].min() > 0.1


def test_an_unsettled_class_is_not_taught_to_be_background():
    corner = [[100.0, 100.0, 116.0, 116.0]]
    open_, settled = (gradients(sample(corner, ["tibia"], marked), "femur")[0][0][:, :2, :2, 4]
                      for marked in (["tibia"], ["tibia", "femur"]))  # fmt: skip
    assert not open_.any() and settled.min() > 0.1


def test_films_that_only_say_what_is_absent_teach_that_alone():
    """A film of a hand shows no femur; whether it shows anything else, it does not say."""
    maps, parts = gradients(sample(marked=["femur", "teeth"]), "femur")
    for raw in maps:
        assert not raw[..., :5].any() and not raw[..., 5 + CLASSES.index("tibia")].any()
        assert raw[..., 5 + CLASSES.index("femur")].min() > 0.01, "where something is seen it is no femur"
    assert parts["box"] == 0 and parts["objectness"] == 0


def test_films_and_plain_samples_have_the_same_loss():
    from training.detection_data import DetectionSample

    network = network_that_sees("femur")
    outputs = network(torch.zeros(1, 1, 128, 128))
    film = sample([[20.0, 24.0, 70.0, 90.0]], ["tibia"])
    plain = DetectionSample(*film[:4])
    losses = [detection_loss(network, outputs, [one], LossWeights()) for one in (film, plain)]
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[0])


@pytest.fixture
def head() -> MaskHead:
    torch.manual_seed(0)
    anchors = tuple((float(size), float(size)) for size in (8, 12, 16, 24, 32, 40, 48, 56, 64))
    return MaskHead(build_yolo(YoloConfig("tiny-3l", CLASSES, anchors, 64, 1, 0.125)))


def features(head: MaskHead) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.zeros(1), torch.randn(1, head.middle.in_channels, 4, 4), torch.randn(1, head.fine.in_channels, 8, 8)]


def test_the_mask_head_leaves_unsettled_classes_alone(head):
    bits = torch.zeros(16, 16, dtype=torch.int64)
    bits[:8] |= 1 << CLASSES.index("femur")
    other = bits | 1 << CLASSES.index("tibia")
    only = [sample(marked=["femur", "teeth"], masks=each, size=64) for each in (bits, other)]
    losses = [head.loss(features(head), [each]) for each in only]
    assert torch.equal(*losses), "tibiae are not settled, marked or not"
    assert not torch.equal(*(head.loss(features(head), [sample(masks=each, size=64)]) for each in (bits, other)))
    losses[0].backward()
    tibia = CLASSES.index("tibia")
    for layer in (head.middle, head.fine):
        assert not layer.weight.grad[tibia].any() and not layer.bias.grad[tibia].any()
        assert layer.weight.grad[CLASSES.index("femur")].any() and layer.weight.grad[CLASSES.index("teeth")].any()
    assert head.loss(features(head), [sample(marked=[], size=64)]) == 0.0


@pytest.mark.parametrize("bit", [IGNORE, SHAPELESS])
def test_the_mask_head_leaves_ignored_places_alone(bit, head):
    ignored, truth = torch.zeros(16, 16, dtype=torch.int64), 1 << CLASSES.index("femur")
    ignored[:, :8] = 1 << bit
    marked = ignored.clone()
    marked[:, :8] |= truth
    inside, outside = (head.loss(features(head), [sample(masks=each, size=64)]) for each in (ignored, marked))
    assert torch.equal(inside, outside)
    marked[:, 8:] |= truth
    assert not torch.equal(inside, head.loss(features(head), [sample(masks=marked, size=64)]))


def test_the_mask_head_rewards_the_truth(head):
    bits = torch.zeros(16, 16, dtype=torch.int64)
    bits[:, :6] |= 1 << CLASSES.index("femur")
    with torch.no_grad():
        for layer in (head.middle, head.fine):
            layer.weight.zero_()
            layer.bias.zero_()
        head.fine.bias.fill_(-8.0)
        none = float(head.loss(features(head), [sample(masks=bits, size=64)]))
        head.fine.weight[CLASSES.index("femur"), 0] = 16.0
        maps = features(head)
        maps[2] = torch.zeros_like(maps[2])
        maps[2][:, 0, :, :3] = 1.0
        right = float(head.loss(maps, [sample(masks=bits, size=64)]))
        maps[2][:, 0] = 1.0 - maps[2][:, 0]
        wrong = float(head.loss(maps, [sample(masks=bits, size=64)]))
    assert right < 0.05 < none < wrong
