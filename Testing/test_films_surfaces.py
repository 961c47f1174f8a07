"""Films as the threshold surfaces see them: objects of known classes, rare ones more often, cut by borders, turned."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

pytest.importorskip("scipy")

from training.films.film import Film, FilmObject  # noqa: E402
from training.films.surfaces import AN_IMAGE, LEAST, FilmSurfaceDataset, cut  # noqa: E402
from training.surface_data import SurfaceAugmentation, collate  # noqa: E402

CLASSES = ("femur", "tibia", "right clavicle", "left clavicle")
STILL = SurfaceAugmentation(**dict.fromkeys(vars(SurfaceAugmentation()), 0.0))


def film(labels: list[str], sides: list[int] | int = 20, name: str = "films") -> Film:
    """Bright squares with a dark notch at the lower right, one beside the other."""
    sides = [sides] * len(labels) if isinstance(sides, int) else sides
    image, objects, start = np.zeros((60, 60 * max(1, len(labels))), np.uint8), [], 8
    for label, side in zip(labels, sides):
        mask = np.zeros(image.shape, bool)
        mask[10 : 10 + side, start : start + side] = True
        mask[10 + side // 2 : 10 + side, start + side // 2 : start + side] = False
        image[mask] = 200
        objects.append(FilmObject.of(label, mask))
        start += 60
    return Film(name, "one", image, tuple(objects), frozenset(CLASSES))


def data(films: list[Film], augmentation: SurfaceAugmentation = STILL, **more) -> FilmSurfaceDataset:
    return FilmSurfaceDataset(films, CLASSES, 12, augmentation, **more)


def test_points_are_those_of_the_object():
    (sample,) = data([film(["tibia"])])[0]
    assert sample.points.shape == (144, 3) and sample.inside.shape == (144,) and CLASSES[sample.label] == "tibia"
    assert 0.2 < sample.inside.mean() < 0.95
    bright = sample.points[:, 2] > 0.4
    assert torch.equal(bright, sample.inside > 0), "the object's points are the bright ones, cut and turned too"


def test_samples_follow_from_seed_and_index():
    films = [film(["femur", "tibia"]), film(["tibia"])]
    first, again, other = (data(films, SurfaceAugmentation(), seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(one.points, two.points) for one, two in zip(first[0], again[0]))
    assert not torch.equal(first[0][0].points, other[0][0].points)
    assert not torch.equal(first[0][0].points, first[2][0].points), "another epoch"


def test_what_cannot_be_learnt_is_left_out():
    small = int(LEAST**0.5) - 1
    films = [film(["hand"]), film(["femur"], small), film(["tibia", "hand", "femur"], [20, 20, small]), film([])]
    kept = data(films, weights=np.array([1.0, 2.0, 3.0, 4.0]))
    assert len(kept) == 1 and kept.weights.tolist() == [3.0] and kept.set_names == ["films"]
    for index in range(4):
        assert [CLASSES[sample.label] for sample in kept[index]] == ["tibia"]


def test_boxes_are_no_masks_to_learn_from():
    from dataclasses import replace

    assert len(data([replace(film(["femur"]), boxed=True), film(["tibia"])])) == 1


def test_rare_classes_come_first():
    films = [film(["femur"] * 8 + ["tibia"])]
    seen = Counter(CLASSES[sample.label] for index in range(150) for sample in data(films)[index])
    assert sum(seen.values()) == 150 * AN_IMAGE
    assert seen["tibia"] / 150 > 1.6 * seen["femur"] / (8 * 150), "more often than each of the frequent ones"


def test_sides_swap_in_the_mirror_image():
    flipping = SurfaceAugmentation(**{**vars(STILL), "flip": 1.0})
    assert {CLASSES[sample.label] for index in range(3) for sample in data([film(["right clavicle"])],
                                                                           flipping)[index]} == {
        "left clavicle"}  # fmt: skip
    assert {CLASSES[sample.label] for sample in data([film(["right clavicle"])])[0]} == {"right clavicle"}


def test_a_border_cuts_image_and_mask_alike():
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (90, 70)).astype(np.uint8)
    mask = np.zeros((90, 70), bool)
    mask[20:70, 10:60] = True
    marked = image | np.uint8(1)
    marked[~mask] &= np.uint8(254)  # the last bit says what is the object
    smaller = 0
    for _ in range(60):
        part, inside = cut(marked, mask, draw)
        assert part.shape == inside.shape and np.array_equal(part & 1, inside)
        assert inside.sum() >= 0.3 * 0.3 * mask.sum() * 0.98 and inside.sum() >= LEAST
        smaller += inside.sum() < mask.sum()
        if inside.sum() < mask.sum():
            assert inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()
    assert smaller >= 55
    little = np.zeros((90, 70), bool)
    little[:12, :13] = True
    assert all(cut(image, little, draw)[1].sum() >= LEAST for _ in range(20))


def test_batches_hold_the_objects_of_all_films():
    dataset = data([film(["femur", "tibia"]), film(["tibia"])])
    points, inside, labels = collate([dataset[0], dataset[1]])
    assert points.shape == (3, 144, 3) and inside.shape == (3, 144) and sorted(labels.tolist()) == [0, 1, 1]
