"""Masks in the boxes that people set: they fill them, wrong ones are not taken, and they replace rectangles."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core.regions import RegionMask  # noqa: E402
from training.films import collection  # noqa: E402
from training.films.box_masks import ellipse, shape_of, stretched, with_shapes  # noqa: E402
from training.films.film import Film, FilmObject, write_films  # noqa: E402

SHAPE = (60, 90)


def rectangle(label: str, window: tuple[int, int, int, int]) -> FilmObject:
    mask = np.zeros(SHAPE, bool)
    mask[window[0] : window[2], window[1] : window[3]] = True
    return FilmObject.of(label, mask)


def slanted(window: tuple[int, int, int, int]) -> np.ndarray:
    """A bone that runs from one corner of a window to the other."""
    mask = np.zeros(SHAPE, bool)
    rows, columns = window[2] - window[0], window[3] - window[1]
    for step in np.linspace(0, 1, 200):
        row, column = window[0] + int(step * (rows - 4)), window[1] + int(step * (columns - 4))
        mask[row : row + 4, column : column + 4] = True
    return mask


class Surfaces:
    """Finds a slanted bone in each box, `off` px beside it."""

    def __init__(self, off: int = 0) -> None:
        self.off = off

    def masks_of(self, radiograph, regions):
        parts = []
        for region in regions.found:
            x0, y0, x1, y1 = (int(value) for value in region.roi)
            mask = slanted((y0, x0 + self.off, y1, x1 + self.off))
            parts.append(RegionMask(region, (0, 0, SHAPE[1], SHAPE[0]), mask))
        return parts, ()


def test_a_mask_fills_the_box_that_it_is_stretched_to():
    mask = slanted((10, 20, 30, 40))
    for size in ((9, 31), (44, 12)):
        found = stretched(mask, size)
        assert found.shape == size
        assert found.any(0).all() and found.any(1).all()
        assert found[0, 0] and found[-1, -1] and not found[0, -1] and not found[-1, 0], "it still runs the same way"


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (31, 12), (40, 41)])
def test_an_ellipse_touches_every_side(size):
    found = ellipse(size)
    assert found.shape == size
    assert found[0].any() and found[-1].any() and found[:, 0].any() and found[:, -1].any()
    if min(size) > 10:
        assert not found[0, 0] and abs(found.mean() - np.pi / 4) < 0.08


def test_a_mask_that_does_not_fit_its_box_gives_way_to_an_ellipse():
    item = rectangle("ulna", (10, 20, 40, 60))
    taken, is_ellipse = shape_of(item, slanted((11, 21, 39, 59)))
    assert not is_ellipse and taken.window == item.window
    assert taken.crop().any(0).all() and taken.crop().mean() < 0.3
    beside = slanted((11, 41, 39, 79))
    for mask in (beside, None, np.zeros(SHAPE, bool)):
        taken, is_ellipse = shape_of(item, mask)
        assert is_ellipse and np.array_equal(taken.crop(), ellipse((30, 40)))


def test_a_film_is_freed_where_its_masks_fit_and_stays_boxed_where_they_do_not():
    known = FilmObject.of("femur", slanted((5, 5, 50, 15)))
    film = Film("clinical_boxes", "hand/1.png", np.full(SHAPE, 90, np.uint8),
                (known, rectangle("ulna", (10, 20, 40, 60))), frozenset(["femur", "ulna"]), boxed=True)  # fmt: skip
    freed = with_shapes(film, Surfaces())
    assert not freed.boxed
    assert freed.objects[0] is known, "what a set marks stays"
    assert freed.objects[1].window == film.objects[1].window and not freed.objects[1].crop().all()
    assert with_shapes(film, Surfaces(off=25)) is None


def test_films_with_masks_take_the_place_of_those_with_boxes(tmp_path, monkeypatch):
    def film(name: str, boxed: bool) -> Film:
        objects = (rectangle("ulna", (10, 20, 40, 60)),)
        return Film("clinical_boxes", name, np.zeros(SHAPE, np.uint8), objects, frozenset(["ulna"]), boxed=boxed)

    monkeypatch.setattr(collection, "training_films", lambda data, seed: [film("a", True), film("b", True)])
    monkeypatch.setattr(collection, "volume_slices", lambda data, generator: [])
    monkeypatch.setattr(collection, "made_up", lambda count, generator: [])
    write_films([film("a", False)], tmp_path / "boxed.npz")
    found = [(item.name, item.boxed) for item in collection.all_films([tmp_path], tmp_path, 0)]
    assert found == [("a", False), ("b", True)]
