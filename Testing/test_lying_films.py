"""Films that lie on their side or head without a word: which get a second look, and what it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.lying_films import HALF, QUARTERS, other_looks
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal

SAMPLES = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg" / "Resources" / "Samples"
SQUARE, WIDE = (500, 500), (200, 500)


def regions(*items) -> list[RegionProposal]:
    return [RegionProposal(label, 0.9, roi) for label, *roi in items]


@pytest.mark.parametrize(
    "found, shape, expected",
    [
        (regions(("right lung", 50, 50, 200, 400), ("left lung", 300, 50, 450, 400)), SQUARE, ()),
        (regions(("left lung", 50, 50, 200, 400), ("right lung", 300, 50, 450, 400)), SQUARE, HALF),
        (regions(("right lung", 50, 50, 400, 200), ("left lung", 50, 300, 400, 450)), SQUARE, QUARTERS),
        (regions(("right lung", 50, 50, 400, 200)), SQUARE, QUARTERS),
        (regions(("right lung", 50, 50, 200, 400)), WIDE, ()),
        (regions(("femur", 20, 20, 300, 80)), WIDE, QUARTERS),
        (regions(("femur", 20, 20, 300, 80)), SQUARE, ()),
        (regions(("teeth", 20, 20, 300, 80), ("femur", 20, 20, 300, 80)), WIDE, ()),
        ([], WIDE, ()),
    ],
)
def test_what_gets_a_second_look(found, shape, expected):
    assert other_looks(found, shape) == expected


def turned(name: str, quarters: int) -> tuple[Radiograph, Radiograph]:
    pixels = read_radiograph(SAMPLES / f"{name}.nrrd").pixels
    return Radiograph.from_array(pixels), Radiograph.from_array(np.ascontiguousarray(np.rot90(pixels, quarters)))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_chest_has_the_same_lungs(quarters):
    upright, lying = turned("chest", quarters)
    pipeline = load_pipeline()
    expected, found = pipeline.segment(upright), pipeline.segment(lying)
    for label in ("right lung", "left lung"):
        first, second = (next(item for item in each.objects if item.label == label) for each in (expected, found))
        back = np.rot90(second.mask, -quarters)
        whole = first.mask
        assert (back & whole).sum() > 0.9 * (back | whole).sum(), f"{label}: another side, or another outline"


def test_what_a_file_says_of_itself_is_not_guessed_at():
    radiograph = read_radiograph(SAMPLES.parents[2] / "Resources" / "Samples" / "knee.dcm")
    assert "seems to lie so" not in load_pipeline().segment(radiograph).message
