"""The letter on a film: read where it is plain, silent else; what it contradicts is said, and nothing decided by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from GrayscaleDetSegLib.core import marker
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.lie import Lie
from GrayscaleDetSegLib.core.marker import find_markers
from GrayscaleDetSegLib.core.marker_notes import with_markers
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal, Regions

SHAPE = (300, 260)


def film(*letters: tuple[str, tuple[int, int]], width: int = 3, level: int = 235) -> np.ndarray:
    """A shaded, noisy ground with letters 24 px high, drawn as strokes by other means than the templates."""
    ground = np.random.default_rng(1).normal(60, 3, SHAPE) + np.linspace(-20, 20, SHAPE[1])
    picture = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for letter, (x, y) in letters:
        strokes = {
            "R": [[(0, 24), (0, 0), (9, 0), (13, 3), (13, 9), (9, 12), (0, 12)], [(7, 12), (14, 24)]],
            "L": [[(0, 0), (0, 24), (12, 24)]],
            "P": [[(0, 24), (0, 0), (9, 0), (13, 3), (13, 9), (9, 12), (0, 12)]],
            "A": [[(0, 24), (7, 0), (14, 24)], [(3, 15), (11, 15)]],
            "F": [[(12, 0), (0, 0), (0, 24)], [(0, 11), (10, 11)]],
            "7": [[(0, 0), (13, 0), (5, 24)]],
            "bar": [[(0, 0), (0, 24)]],
        }[letter]
        for points in strokes:
            pen.line([(x + dx, y + dy) for dx, dy in points], fill=level, width=width, joint="curve")
    return np.asarray(picture, np.float32)


def read(gray: np.ndarray) -> list[tuple[str, bool]]:
    return [(each.letter, each.is_mirrored) for each in find_markers(gray)]


@pytest.mark.parametrize("letter", ["R", "L"])
@pytest.mark.parametrize("width", [3, 4])
def test_a_letter_is_read_as_it_hangs_and_from_behind(letter, width):
    gray = film((letter, (40, 30)), width=width)
    (found,) = find_markers(gray)
    assert (found.letter, found.is_mirrored) == (letter, False) and found.box == pytest.approx((39, 29, 54, 55), abs=4)
    assert read(gray[:, ::-1]) == [(letter, True)]


@pytest.mark.parametrize("other", ["P", "A", "F", "7", "bar"])
def test_other_letters_are_none_of_the_two(other):
    assert read(film((other, (40, 30)))) == [] == read(film((other, (40, 30)))[:, ::-1])


def test_what_is_not_plain_is_passed_over():
    gray = film(("R", (40, 30)))
    assert read(gray[::-1]) == [], "upside down"
    assert read(np.where(gray > 150, gray - 130, gray)) == [], "hardly brighter than the ground"
    assert read(film(("R", (2, 30)))) == [], "at the edge"
    noisy = film(("R", (40, 30)))
    noisy[::4] = 250
    assert read(noisy) == [], "over lines"
    assert read(np.full(SHAPE, 200, np.float32)) == [] == read(np.zeros((40, 40), np.float32))


def test_its_place_is_that_of_the_picture_however_large():
    large = np.kron(film(("R", (40, 30))), np.ones((4, 4), np.float32))
    (found,) = find_markers(large)
    assert found.box == pytest.approx((156, 116, 216, 220), abs=16) and max(large.shape) > marker.LONGEST


# ---- what is said of it

RIGHT, LEFT = (20.0, 60.0, 110.0, 250.0), (150.0, 60.0, 240.0, 250.0)
LUNGS = (RegionProposal("right lung", 0.9, RIGHT), RegionProposal("left lung", 0.9, LEFT))
TAGGED = Lie(Orientation(), "PatientOrientation L\\F", (1, 0))


def notes(gray: np.ndarray, found=LUNGS, lie: Lie = TAGGED, orientation: Orientation | None = None) -> tuple[str, ...]:
    mapping = GrayMapping((0.0, 255.0), (0.0, 255.0), "full range")
    image = replace(Radiograph.from_array(gray.astype(np.uint8)), mapping=mapping, lie=lie)
    regions = Regions(tuple(found), found[0] if found else None, orientation or Orientation(), ("before",))
    before, *after = with_markers(regions, image).notes
    assert before == "before"
    return tuple(after)


def test_a_letter_that_agrees_needs_no_word():
    assert notes(film(("R", (40, 30)))) == notes(film(("L", (200, 30)))) == ()
    assert notes(film(("R", (40, 30)), ("L", (200, 30)))) == ()


@pytest.mark.parametrize("lie", [TAGGED, Lie()])
def test_a_letter_on_the_other_side_is_told(lie):
    (note,) = notes(film(("R", (200, 30))), lie=lie)
    assert "letter R" in note and "called left" in note and "check" in note
    assert ("PatientOrientation" in note) == (lie is TAGGED)


def test_a_letter_between_them_tells_nothing():
    assert notes(film(("R", (122, 30)))) == ()


def test_a_letter_from_behind_is_told():
    (note,) = notes(film(("R", (40, 30)))[:, ::-1], lie=Lie())
    assert "from behind" in note and "mirrored" in note and "sides" in note
    assert notes(film(("R", (40, 30)))[:, ::-1], found=[RegionProposal("femur", 0.9, RIGHT)], lie=Lie()) == ()


def test_it_is_read_as_the_film_is_looked_at_and_placed_in_the_stored_grid():
    """A film stored mirrored, and tagged so: its letter is plain where it is looked at."""
    flipped = Orientation(flip_columns=True)
    lie = Lie(flipped, "PatientOrientation R\\F", (-1, 0))
    found = (replace(LUNGS[0], roi=LEFT), replace(LUNGS[1], roi=RIGHT))
    assert notes(film(("R", (40, 30)))[:, ::-1], found, lie, flipped) == ()
    (note,) = notes(film(("L", (40, 30)))[:, ::-1], found, lie, flipped)
    assert "letter L" in note and "called right" in note


def test_a_letter_against_the_tag_of_one_side_is_told():
    one = [RegionProposal("femur", 0.9, RIGHT)]
    lie = Lie(laterality="left", laterality_by="ImageLaterality L")
    (note,) = notes(film(("R", (40, 30))), one, lie)
    assert "ImageLaterality L and the letter R" in note
    assert notes(film(("L", (40, 30))), one, lie) == ()
    assert notes(film(("R", (40, 30)), ("L", (200, 30))), one, lie) == (), "a film of both legs"


def test_films_without_sides_are_not_read(monkeypatch):
    monkeypatch.setattr("GrayscaleDetSegLib.core.marker_notes.find_markers", lambda _: pytest.fail("was read"))
    assert notes(film(("R", (40, 30))), lie=Lie(sideless="ViewPosition LL says a lateral view")) == ()
    assert notes(film(("R", (40, 30))), [RegionProposal("femur", 0.9, RIGHT)], Lie()) == ()
