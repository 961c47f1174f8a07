"""Films as the 2D detector sees them: boxes and masks stay on their objects through turns, mirroring, crops and pairs.

The phantoms are three asymmetric shapes of different gray levels,
so that a sample's own picture tells where each of them
went and whether it was mirrored.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

ndimage = pytest.importorskip("scipy.ndimage")

from GrayscaleDetSegLib.core.yolo.letterbox import Letterbox  # noqa: E402
from training.augmentation import AugmentationSettings  # noqa: E402
from training.films import detection  # noqa: E402
from training.films.detection import FilmDetectionDataset  # noqa: E402
from training.films.film import Film, FilmObject  # noqa: E402
from training.films.framing import Framing, clipped_box, random_placement  # noqa: E402
from training.films.outlined import IGNORE, INSIDE, OUTLINE, SHAPELESS, beside, outlined  # noqa: E402
from training.sampling import EpochSampler  # noqa: E402

CLASSES = ("femur", "right clavicle", "left clavicle", "hand")
LEVELS = {"right clavicle": 250, "left clavicle": 170, "femur": 90}
SIZE = 192
STILL = AugmentationSettings.none()
PLAIN = Framing(quarter=0.0, tilt=0.0, far=0.0, crop=0.0, frame=0.0, pair=0.0, log_aspect=0.0)


def shapes(shape: tuple[int, int] = (230, 190)) -> dict[str, np.ndarray]:
    """An L, a wedge and a hook; their middles form a triangle that tells the mirror image."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    first = ((x >= 18) & (x < 34) & (y >= 20) & (y < 110)) | ((x >= 18) & (x < 80) & (y >= 92) & (y < 110))
    second = (x >= 105) & (x < 170) & (y >= 30) & (y < 30 + 0.9 * (x - 100))
    third = ((x - 105) ** 2 / 1.8 + (y - 170) ** 2 < 1100) & ~((x > 100) & (y > 168))
    return {"right clavicle": first, "left clavicle": second, "femur": third}


def film(settled=CLASSES, ignore_mask: np.ndarray | None = None, name: str = "phantoms") -> Film:
    masks = shapes()
    image = np.zeros((230, 190), np.uint8)
    for label, mask in masks.items():
        image[mask] = LEVELS[label]
    objects = tuple(FilmObject.of(label, mask) for label, mask in masks.items())
    return Film(name, "one", image, objects, frozenset(settled), ignore_mask)


def dataset(framing: Framing | None, seed: int = 0, visible: float = 0.15, films: list[Film] | None = None):
    ready = [outlined(one, CLASSES, np.random.default_rng(1)) for one in films or [film()]]
    return FilmDetectionDataset(ready, CLASSES, SIZE, framing, STILL, seed, visible)


@pytest.fixture
def black_around(monkeypatch):
    """What lies around a film stays black, so that only the shapes are bright."""
    original = detection.sampled
    monkeypatch.setattr(detection, "sampled", lambda image, matrix, view, size,
                        fill: original(image, matrix, view, size, 0.0))


def blobs(image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The shapes of a sample's picture by their gray levels; parts of one shape that a crop tore apart are one."""
    parts, count = ndimage.label(image > 45 / 255)
    found: dict[str, np.ndarray] = {}
    for number in range(1, count + 1):
        part = parts == number
        level = 255 * float(np.quantile(image[part], 0.8))
        name = min(LEVELS, key=lambda label: abs(LEVELS[label] - level))
        if part.sum() >= 12:
            found[name] = found.get(name, False) | (part & (image > 0.5 * LEVELS[name] / 255))
    return list(found.items())


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def boxes_of(mask: np.ndarray) -> list[np.ndarray]:
    """The box of a shape, and without slivers of a few px that a crop leaves of it."""
    thick = ndimage.binary_opening(mask, iterations=2)
    return [box_of(mask), box_of(thick if thick.any() else mask)]


def off(boxes: list[np.ndarray], other: np.ndarray) -> float:
    """The largest error of an edge, px."""
    return min(float(np.abs(box - other).max()) for box in boxes)


def swapped(label: str) -> str:
    return {"right clavicle": "left clavicle", "left clavicle": "right clavicle"}.get(label, label)


def check(sample, mirrored: bool) -> int:
    """Every shape in the picture has its box and its class, and nothing else has; returns how many there are."""
    wanted = [(swapped(name) if mirrored else name, boxes_of(mask), mask)
              for name, mask in blobs(sample.image[0].numpy())]  # fmt: skip
    given = [(CLASSES[label], box) for label, box in zip(sample.labels.tolist(), sample.boxes.numpy())]
    ignored = sample.ignored_boxes.numpy()
    cells = np.arange(SIZE // 4) * 4 + 2
    for label, boxes, mask in wanted:
        errors = [off(boxes, other) for name, other in given if name == label]
        errors += [off(boxes, other) for other in ignored]
        if min(boxes[-1][2:] - boxes[-1][:2]) > 5:
            assert errors and min(errors) <= 3.0, (label, boxes, given, ignored)
        bits = sample.masks.numpy() >> CLASSES.index(label) & 1
        core = ndimage.binary_erosion(mask, iterations=3)[np.ix_(cells, cells)]
        assert bits[core].all(), "the class map lies where the shape is"
        assert not bits[~ndimage.binary_dilation(mask, iterations=4)[np.ix_(cells, cells)]].any()
    for label, box in given:
        if min(box[2:] - box[:2]) > 6:
            assert any(name == label and off(boxes, box) <= 3.0 for name, boxes, _ in wanted), (label, box)
    return len(given)


def is_mirrored(framing: Framing, seed: int, index: int) -> bool:
    """Whether the sample is a mirror image, by the dataset's own sequence of random numbers."""
    draw = np.random.default_rng([seed, index])
    draw.random()
    return random_placement((230, 190), SIZE, framing, draw)[3]


def test_an_unframed_film_is_fitted_and_nothing_else():
    sample = dataset(None)[0]
    fit = Letterbox.fit((230, 190), SIZE)
    truth = np.stack([box_of(mask) for mask in shapes().values()])
    np.testing.assert_allclose(sample.boxes.numpy(), fit.boxes_to_input(truth), atol=1.0)
    assert [CLASSES[label] for label in sample.labels] == list(shapes())
    assert sample.image.shape == (1, SIZE, SIZE) and sample.masks.shape == (SIZE // 4, SIZE // 4)
    assert check(sample, False) == 3


@pytest.mark.parametrize(
    "changes",
    [{}, {"quarter": 1.0}, {"tilt": 25.0}, {"far": 1.0}, {"log_aspect": 0.25}, {"frame": 1.0, "widest": 2.2},
     {"crop": 1.0, "smallest": 0.45}, {"quarter": 0.5, "tilt": 12.0, "crop": 0.5, "frame": 0.3, "widest": 2.0}],
    ids=["mirror", "quarter turns", "tilts", "far turns", "stretch", "frame", "crop", "all"],
)  # fmt: skip
def test_boxes_and_classes_stay_on_their_objects(changes, black_around):
    framing = Framing(**{**vars(PLAIN), **changes})
    samples, seen, mirrors = dataset(framing, 3), 0, set()
    for index in range(12):
        mirrored = is_mirrored(framing, 3, index)
        mirrors.add(mirrored)
        seen += check(samples[index], mirrored)
    assert seen >= 14 and mirrors == {False, True}


def test_a_pair_of_mirror_images_has_every_side_once(black_around):
    framing = Framing(**{**vars(PLAIN), "pair": 1.0, "twin": 1.0})
    samples = dataset(framing, 1)
    for index in range(6):
        sample = samples[index]
        names = [CLASSES[label] for label in sample.labels]
        assert sorted(names) == sorted([*LEVELS, *LEVELS])
        image, levels = sample.image[0].numpy(), {"right clavicle": set(), "left clavicle": set(), "femur": set()}
        for name, box in zip(names, sample.boxes.numpy()):
            left, top, right, bottom = box.round().astype(int)
            window = image[max(top, 0) : bottom, max(left, 0) : right]
            level = 255 * np.quantile(window[window > 40 / 255], 0.7)
            levels[name].add(min(LEVELS.values(), key=lambda value: abs(value - level)))
            inside = box_of(image[max(top, 0) : bottom, max(left, 0) : right] > 0.5 * level / 255)
            assert np.abs(inside - [0, 0, right - max(left, 0), bottom - max(top, 0)]).max() <= 3
        assert levels == {"right clavicle": {250, 170}, "left clavicle": {250, 170}, "femur": {90}}


@pytest.mark.parametrize("below", [False, True])
def test_films_beside_each_other(below):
    first = outlined(film(("femur", "hand")), CLASSES, np.random.default_rng(0))
    second = outlined(film(("femur", "left clavicle")), CLASSES, np.random.default_rng(0))
    both = beside(first, second, 6, below)
    assert both.image.shape == ((466, 190) if below else (230, 386)) and len(both.labels) == 6
    assert both.settled.tolist() == [True, False, False, False], "settled where both settle it"
    shift = np.array([0, 236]) if below else np.array([196, 0])
    np.testing.assert_allclose(both.points[3:], second.points + shift, atol=1e-4)
    assert np.array_equal(both.classes[-second.classes.shape[0] :, -second.classes.shape[1] :], second.classes)


def test_the_same_index_is_the_same_sample_and_another_epoch_is_not():
    samples = dataset(Framing(), 5)
    first, again, later = samples[0], samples[0], samples[1]
    assert torch.equal(first.image, again.image) and torch.equal(first.boxes, again.boxes)
    assert not torch.equal(first.image, later.image)
    assert not torch.equal(first.image, dataset(Framing(), 6)[0].image)


def test_batches_have_one_size_each_and_boxes_follow_it():
    data = dataset(PLAIN)
    data.sizes, data.batch = (128, 192, 256), 4
    sampler = EpochSampler(data.set_names, 1.0, 0, length=40)
    seen = []
    for epoch in (0, 1, 2):
        sampler.set_epoch(epoch)
        samples = [data[index] for index in sampler]
        batches = [samples[begin : begin + 4] for begin in range(0, 40, 4)]
        for batch in batches:
            (shape,) = {sample.image.shape for sample in batch}
            assert {sample.masks.shape for sample in batch} == {(shape[1] // 4, shape[2] // 4)}
        seen.append([batch[0].image.shape[1] for batch in batches])
    assert {size for sizes in seen for size in sizes} == {128, 192, 256} and seen[0] != seen[1]
    small, large = (next(each for each in samples if each.image.shape[1] == size) for size in (128, 256))
    # an L-shaped object fills the same share of the picture, whatever its size
    for label in small.labels.tolist():
        boxes = [sample.boxes[sample.labels == label][0] for sample in (small, large)]
        sides = [box[2:] - box[:2] for box in boxes]
        np.testing.assert_allclose(sides[1] / sides[0], 2.0, rtol=0.12)
    with pytest.raises(ValueError, match="multiples of 32"):
        FilmDetectionDataset(data.films, CLASSES, SIZE, sizes=(250,))


def test_what_is_not_settled_stays_so_and_swaps_with_its_side(black_around):
    samples = dataset(PLAIN, 3, films=[film(("femur", "right clavicle"))])
    seen = set()
    for index in range(10):
        marked = [name for name, known in zip(CLASSES, samples[index].marked.tolist()) if known]
        mirrored = is_mirrored(PLAIN, 3, index)
        seen.add(mirrored)
        assert marked == (["femur", "left clavicle"] if mirrored else ["femur", "right clavicle"])
    assert seen == {False, True}


def test_objects_of_other_classes_are_left_out():
    odd = film()
    odd = Film(odd.set_name, "two", odd.image, (*odd.objects, FilmObject.of("skull", shapes()["femur"])), odd.settled)
    assert len(dataset(None, films=[odd])[0].boxes) == 3


def test_ignored_places_are_carried_along(black_around):
    ignore_mask = np.zeros((230, 190), bool)
    ignore_mask[120:] = True
    samples = dataset(Framing(**{**vars(PLAIN), "quarter": 1.0}), 2, films=[film(ignore_mask=ignore_mask)])
    cells = np.arange(SIZE // 4) * 4 + 2
    for index in range(4):
        sample = samples[index]
        bits = sample.masks.numpy() >> IGNORE & 1
        masks = {name: ndimage.binary_erosion(mask, iterations=2)[np.ix_(cells, cells)]
                 for name, mask in blobs(sample.image[0].numpy())}  # fmt: skip
        assert bits[masks["femur"]].all() and not bits[masks["right clavicle"]].any()
        assert bits.sum() * 16 == pytest.approx(SIZE * SIZE * (190 / 230) * (110 / 230), rel=0.06)
    assert not (dataset(None)[0].masks.numpy() >> IGNORE & 1).any()


def test_what_is_cut_off_too_much_is_ignored(black_around):
    framing = Framing(**{**vars(PLAIN), "crop": 1.0, "smallest": 0.4})
    strict, lax = dataset(framing, 7, visible=0.7), dataset(framing, 7, visible=0.0)
    moved = 0
    for index in range(12):
        first, second = strict[index], lax[index]
        assert not len(second.ignored_boxes), "every part that shows is asked for"
        assert len(first.boxes) + len(first.ignored_boxes) == len(second.boxes)
        given = [set(map(tuple, table.numpy().round(3))) for table in (first.boxes, first.ignored_boxes, second.boxes)]
        assert given[0] | given[1] == given[2]
        moved += len(first.ignored_boxes)
    assert moved >= 4


def test_crumbs_are_ignored_and_boxes_are_not_tilted():
    """Films of boxes that somebody set: what is not asked for is ignored, and masks are open everywhere."""
    from dataclasses import replace

    masks = shapes()
    objects = tuple(FilmObject.of(label, mask, label != "femur") for label, mask in masks.items())
    boxed = replace(film(), objects=objects, boxed=True)
    sample = dataset(None, films=[boxed])[0]
    assert [CLASSES[label] for label in sample.labels] == ["right clavicle", "left clavicle"]
    truth = Letterbox.fit((230, 190), SIZE).boxes_to_input(np.stack([box_of(masks["femur"])]))
    np.testing.assert_allclose(sample.ignored_boxes.numpy(), truth, atol=1.0)
    bits = sample.masks.numpy()
    assert set(np.unique(bits)) == {0, 1 << SHAPELESS}, "in the film's own part of the picture, and nothing else"
    framing = Framing(**{**vars(PLAIN), "tilt": 30.0, "far": 1.0})
    level = dataset(framing, 4, films=[boxed])
    for index in range(4):
        box = level[index].boxes[0].numpy()
        other = dataset(PLAIN, 4, films=[boxed])[index].boxes.numpy()
        assert np.abs(np.sort(box[2:] - box[:2]) - np.sort(other[0, 2:] - other[0, :2])).max() < 1.5


def test_films_without_objects_stay_alone():
    from dataclasses import replace

    weak = replace(film(("femur",)), objects=())
    always = Framing(**{**vars(PLAIN), "pair": 1.0, "twin": 0.0})
    samples = dataset(always, 2, films=[weak])
    assert all(not len(samples[index].boxes) and samples[index].marked.tolist() == [True, False, False, False]
               for index in range(3))  # fmt: skip
    mixed = dataset(always, 2, films=[film(), replace(weak, set_name="other")])
    assert {len(mixed[index].boxes) for index in range(0, 40, 2)} <= {3, 6}


def test_a_box_ends_where_the_picture_does():
    angle = np.linspace(0, 2 * np.pi, OUTLINE, endpoint=False)
    circle = 40 * np.column_stack([np.cos(angle), np.sin(angle)]) + 50
    inner = np.random.default_rng(0).uniform(-28, 28, (INSIDE, 2)) + 50
    points = np.concatenate([circle, inner])
    box, share = clipped_box(points, (0, 0, 100, 100))
    np.testing.assert_allclose(box, [10, 10, 90, 90], atol=0.2)
    assert share == 1.0
    box, share = clipped_box(points, (50.5, 0, 100, 100))
    np.testing.assert_allclose(box, [50.5, 10, 90, 90], atol=0.3)
    assert 0.3 < share < 0.7
    assert clipped_box(points, (95, 0, 100, 100)) == (None, 0.0)
