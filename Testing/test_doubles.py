"""One thing under two names is shown once, under the surer one."""

import numpy as np
import pytest

from GrayscaleDetSegLib.core.doubles import without_doubles
from GrayscaleDetSegLib.core.regions import RegionMask, RegionProposal
from GrayscaleDetSegLib.core.types import Box2D

SHAPE = (40, 60)


def part(label: str, score: float, columns: tuple[int, int], roi=(5.0, 5.0, 55.0, 35.0), drawn=False) -> RegionMask:
    """A mask of these columns of the picture, in the window of a region."""
    mask = np.zeros(SHAPE, bool)
    mask[10:30, slice(*columns)] = True
    x0, y0, x1, y1 = (int(edge) for edge in roi)
    return RegionMask(RegionProposal(label, score, roi, drawn), Box2D(*roi), mask[y0:y1, x0:x1], None, "test")


def labels(*parts: RegionMask) -> list[str]:
    kept, notes = without_doubles(parts, SHAPE)
    assert len(kept) + sum(note.startswith("Left out") for note in notes) == len(parts)
    return [each.region.label for each in kept]


def test_the_surer_name_stays_whatever_the_order():
    tibia, fibula = part("tibia", 0.8, (20, 30)), part("fibula", 0.4, (20, 31), roi=(12.0, 2.0, 50.0, 38.0))
    assert labels(tibia, fibula) == labels(fibula, tibia) == ["tibia"]
    _, (note,) = without_doubles([fibula, tibia], SHAPE)
    assert "fibula with a score of 0.40" in note and "tibia with 0.80" in note


def test_what_lies_over_each_other_in_part_stays():
    assert labels(part("femur", 0.9, (10, 30)), part("hip bone", 0.8, (20, 40))) == ["femur", "hip bone"]
    assert labels(part("femur", 0.9, (10, 40)), part("patella", 0.8, (20, 28))) == ["femur", "patella"]
    assert labels(part("radius", 0.9, (10, 20)), part("ulna", 0.8, (30, 40))) == ["radius", "ulna"]


def test_two_of_one_class_are_not_asked():
    assert labels(part("vertebra", 0.9, (10, 20)), part("vertebra", 0.8, (10, 20))) == ["vertebra"] * 2


@pytest.mark.parametrize("score, drawn", [(0.7, False), (0.4, True)])
def test_what_is_as_sure_or_drawn_stays(score, drawn):
    assert labels(part("tibia", 1.0, (20, 30)), part("fibula", score, (20, 30), drawn=drawn)) == ["tibia", "fibula"]


def test_only_what_lies_alongside_may_have_one_mask():
    groups = (("tibia", "fibula"),)
    both = [part("femur", 0.97, (20, 30)), part("patella", 0.84, (20, 29))]
    assert len(without_doubles(both, SHAPE)[0]) == 2, "a model that names no groups"
    kept, (note,) = without_doubles(both, SHAPE, groups)
    assert [each.region.label for each in kept] == ["femur"] and "Left out is patella" in note
    shank = [part("tibia", 1.0, (20, 30)), part("fibula", 0.7, (20, 30))]
    assert len(without_doubles(shank, SHAPE, groups)[0]) == 2


@pytest.mark.parametrize(("columns", "iou"), [((20, 35), 2 / 3), ((20, 33), 0.77), ((20, 39), 0.53)])
def test_how_much_two_names_must_share(columns, iou):
    """The first mask has 10 columns, the second as many and some more."""
    groups = (("tibia", "fibula"),)
    for names, least in ((("tibia", "fibula"), 0.55), (("femur", "patella"), 0.7)):
        both = [part(names[0], 1.0, (20, 30)), part(names[1], 0.4, columns)]
        assert 10 / (columns[1] - columns[0]) == pytest.approx(iou, abs=0.01)
        assert len(without_doubles(both, SHAPE, groups)[0]) == (1 if iou > least else 2)


def test_what_is_as_sure_is_told():
    _, (note,) = without_doubles([part("tibia", 1.0, (20, 30)), part("fibula", 0.7, (20, 30))], SHAPE)
    assert note.startswith("Tibia and fibula share most of their masks")
    assert without_doubles([part("radius", 0.9, (10, 20)), part("ulna", 0.8, (30, 40))], SHAPE)[1] == ()


def test_empty_masks_and_regions_apart_are_no_doubles():
    empty = part("fibula", 0.4, (20, 20))
    assert labels(part("tibia", 0.8, (20, 30)), empty, part("ulna", 0.3, (50, 50))) == ["tibia", "fibula", "ulna"]
