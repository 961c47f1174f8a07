"""A drawn film with the gray levels of a real one: their order stays, their distribution becomes the other's."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy.ndimage")

from training.augmentation import AugmentationSettings  # noqa: E402
from training.films.detection import FilmDetectionDataset  # noqa: E402
from training.films.film import Film, FilmObject  # noqa: E402
from training.films.framing import Framing  # noqa: E402
from training.films.outlined import outlined  # noqa: E402
from training.films.tones import DARK, body_levels, with_levels_of  # noqa: E402

STILL = AugmentationSettings.none()


@pytest.fixture
def films(rng):
    """Two films of 60 x 80: a dim one on black and a bright one, their gray levels spread unlike."""
    dim = (20 + 60 * rng.random((60, 80)) ** 2).astype(np.uint8)
    dim[:, :20] = 0
    return dim, (90 + 150 * rng.random((60, 80))).astype(np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_the_distribution_becomes_the_other_one(films):
    dim, bright = films
    found = with_levels_of(dim, body_levels(bright), 1.0)
    body = dim > DARK
    for share in (0.4, 0.6, 0.9):
        assert np.quantile(found[body], share) == pytest.approx(np.quantile(bright, share), abs=4)
    assert found[body].min() >= bright.min(), "no level that the other one does not have"
    assert (found[~body] == dim[~body]).all(), "what lies beside the body stays"


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_order_of_gray_levels_stays(films, share):
    dim, bright = films
    found = with_levels_of(dim, body_levels(bright), share)
    order = np.argsort(dim.ravel(), kind="stable")
    assert (np.diff(found.ravel()[order].astype(int)) >= 0).all() and found.dtype == np.uint8
    if share == 0.0:
        np.testing.assert_array_equal(found, dim)


def test_a_film_of_nothing_stays_and_tells_nothing(films):
    black = np.zeros((60, 80), np.uint8)
    assert body_levels(black) is None
    np.testing.assert_array_equal(with_levels_of(black, body_levels(films[0]), 1.0), black)


def test_only_drawn_films_borrow_and_so_many_of_them(films):
    dim, bright = films
    mask = np.zeros(dim.shape, bool)
    mask[10:50, 30:60] = True
    made = [Film(name, "one", image, (FilmObject.of("femur", mask),), frozenset({"femur"}))
            for name, image in (("simulated", dim), ("clinical_boxes", bright))]  # fmt: skip
    ready = [outlined(film, ("femur",), np.random.default_rng(1)) for film in made]
    still = Framing(quarter=0.0, tilt=0.0, far=0.0, crop=0.0, frame=0.0, pair=0.0, log_aspect=0.0)
    plain, half, all_of_them = (FilmDetectionDataset(ready, ("femur",), 64, still, STILL, borrowed=share)
                                for share in (0.0, 0.5, 1.0))  # fmt: skip
    means = np.array([[float(data[index].image.mean()) for index in range(80)] for data in (plain, half, all_of_them)])
    drawn, real = means[:, ::2], means[:, 1::2]
    assert (real == real[0]).all()
    changed = drawn > drawn[0] + 0.05
    assert changed[2].all() and 10 <= changed[1].sum() <= 30
