"""Limbs laid over films: where a limb enters, what adds up, and that boxes and masks lie where the limb does."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy.ndimage")

from training.films.detection import FilmDetectionDataset  # noqa: E402
from training.films.film import Film, FilmObject  # noqa: E402
from training.films.framing import Framing  # noqa: E402
from training.films.outlined import IGNORE, OutlinedFilm, outlined, turned  # noqa: E402
from training.films.overlaid import BRIGHT, entrance, overlaid  # noqa: E402
from training.films.real import HOSPITALS  # noqa: E402

CLASSES = ("femur", "hand", "ulna")


def ready(image: np.ndarray, label: str, mask: np.ndarray, settled=CLASSES, name: str = "simulated") -> OutlinedFilm:
    film = Film(name, "one", image, (FilmObject.of(label, mask),), frozenset(settled))
    return outlined(film, CLASSES, np.random.default_rng(0))


def limb(through: bool = False, settled=("hand", "femur"), name: str = "simulated") -> OutlinedFilm:
    """Soft tissue with a bone in it, left of the middle, that comes in at the bottom."""
    image = np.full((120, 90), 6, np.uint8)
    image[0 if through else 30 :, 25:60] = 60
    mask = np.zeros(image.shape, bool)
    mask[40:100, 30:42] = True
    image[mask] = 200
    return ready(image, "hand", mask, settled, name)


def trunk(level: int = 30) -> OutlinedFilm:
    image = np.full((200, 161), level, np.uint8)
    mask = np.zeros(image.shape, bool)
    mask[60:120, 20:40] = True
    return ready(image, "femur", mask)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("through", [False, True])
def test_a_limb_is_turned_until_it_enters_at_the_bottom(quarters, through):
    seen = turned(limb(through), quarters)
    upright = turned(seen, entrance(seen.image)).image
    assert (upright[-1] > 50).sum() == 35
    assert not (upright[:, [0, -1]] > 50).any()


def test_a_film_without_air_beside_the_limb_has_no_entrance():
    assert entrance(np.full((90, 90), 120, np.uint8)) is None
    assert entrance(np.zeros((90, 90), np.uint8)) is None
    image = np.zeros((90, 90), np.uint8)
    image[40:, :30] = 90  # enters at the left and at the bottom
    assert entrance(image) is None
    with pytest.raises(ValueError, match="between air"):
        overlaid(trunk(), ready(image, "hand", image > 0), np.random.default_rng(0))


@pytest.mark.parametrize("quarters", range(4))
def test_turned_points_and_masks_stay_on_their_object(quarters):
    film = turned(limb(), quarters)
    x, y = film.points[0].T
    assert (film.image[(y.astype(int) - 1).clip(0), (x.astype(int) - 1).clip(0)] >= 60).all()
    rows, columns = np.nonzero(film.image >= 150)
    np.testing.assert_allclose([x.min(), x.max(), y.min(), y.max()],
                               [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1], atol=0.6)  # fmt: skip
    rows, columns = np.nonzero(film.classes & np.uint32(1 << CLASSES.index("hand")))
    assert (film.image[2 * rows, 2 * columns] >= 150).mean() > 0.9


@pytest.mark.parametrize("seed", range(12))
def test_boxes_and_masks_lie_where_the_limb_does(seed):
    below, over = trunk(), limb(through=bool(seed % 2))
    both = overlaid(below, over, np.random.default_rng(seed))
    assert both.image.shape == below.image.shape and both.labels.tolist() == [0, 1]
    added = both.image.astype(int) - below.image
    assert added.min() >= 0 and added.max() > 20, "what lies above adds to what lies below"
    bone = (added > 0.55 * added.max()) & (added.max() > 60)  # else only soft tissue shows
    assert both.asked.all()
    np.testing.assert_array_equal(both.points[0], below.points[0])
    rows, columns = np.nonzero(bone)
    x, y = both.points[1, :, 0].clip(0, 161), both.points[1, :, 1].clip(0, 200)
    if bone.sum() > 200:
        np.testing.assert_allclose([x.min(), x.max(), y.min(), y.max()],
                                   [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1], atol=3)  # fmt: skip
        mapped = np.kron(both.classes >> np.uint32(1) & np.uint32(1), np.ones((2, 2)))[:200, :161] > 0
        assert (mapped & bone).sum() > 0.8 * max(mapped.sum(), bone.sum())


def test_a_class_is_settled_where_both_settle_it_and_the_map_keeps_its_marks():
    below = trunk()
    below.classes[:10] |= np.uint32(1 << IGNORE)
    both = overlaid(below, limb(), np.random.default_rng(1))
    assert both.settled.tolist() == [True, True, False]
    assert (both.classes[:10] >> np.uint32(IGNORE) & np.uint32(1)).all()
    assert np.array_equal(below.classes[10:] & np.uint32(1), both.classes[10:] & np.uint32(1)), "the femur's own places"


def test_bones_over_what_is_bright_are_not_asked_for():
    both = overlaid(trunk(BRIGHT + 20), limb(), np.random.default_rng(2))
    assert both.asked.tolist() == [True, False]


def test_a_limb_of_a_hospital_lies_over_films_where_it_is_asked_for():
    films = [trunk() for _ in range(20)] + [limb(name=HOSPITALS)]
    plain = dict(quarter=0.0, tilt=0.0, far=0.0, crop=0.0, frame=0.0, pair=0.0, log_aspect=0.0)
    samples = FilmDetectionDataset(films, CLASSES, 96, Framing(**plain, over=1.0), seed=1)
    with_hand = sum(CLASSES.index("hand") in samples[index].labels.tolist() for index in range(20))
    assert with_hand > 8, "most limbs show in part, with their bone"
    samples = FilmDetectionDataset(films, CLASSES, 96, Framing(**plain), seed=1)
    assert not any(CLASSES.index("hand") in samples[index].labels.tolist() for index in range(20))
