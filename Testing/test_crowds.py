"""Of many objects side by side, each has one region, where its mask says that it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes, crowds
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionMask, RegionProposal
from GrayscaleDetSegLib.core.types import Box2D
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.pipelines import UNSMOOTHED, BoxFake, rigged

SHAPE = (120, 60)


def spine() -> np.ndarray:
    """Bright vertebrae of 14 rows, 6 rows apart, on a dark ground, with a slope so that levels differ."""
    picture = np.full(SHAPE, 40.0) + np.linspace(0, 20, SHAPE[1])
    for top in range(10, 110, 20):
        picture[top : top + 14, 20:40] = 200
    return picture


def part(rows: tuple[float, float], score: float, label: str = "vertebra", drawn: bool = False) -> RegionMask:
    """What a method would make of a region: the bright pixels in it."""
    roi = Box2D(18.0, float(rows[0]), 42.0, float(rows[1]))
    window = boxes.pixel_slices(roi, SHAPE)
    return RegionMask(RegionProposal(label, score, roi, drawn), roi, spine()[window] > 100)


def again(regions) -> list[RegionMask]:
    """The masks of regions with a margin of 2 px, as a method has one."""
    found = []
    for region in regions:
        x0, y0, x1, y1 = region.roi
        extent = Box2D(x0 - 2, y0 - 2, x1 + 2, y1 + 2)
        found.append(RegionMask(region, extent, spine()[boxes.pixel_slices(extent, SHAPE)] > 100))
    return found


def settle(*parts: RegionMask, shared=0.3) -> list[RegionMask]:
    return crowds.settled(parts, SHAPE, {"vertebra": shared}, again)


def test_regions_snap_to_what_their_masks_show():
    """The mask of the first is cut by its region; looked at again in its box with a margin, more of it is found."""
    first, second = settle(part((12, 26), 0.9), part((29, 46), 0.8))
    assert first.region.roi == pytest.approx((20, 12, 40, 24), abs=0.25) and first.mask.sum() == 14 * 20
    assert second.region.roi == pytest.approx((20, 30, 40, 44), abs=0.25)


def test_of_two_with_one_mask_the_surer_stays():
    found = settle(part((28, 45), 0.5), part((9, 25), 0.9), part((30, 47), 0.6))
    assert [each.region.score for each in found] == [0.9, 0.6]


def test_neighbours_stay():
    tops = range(10, 110, 20)
    assert len(settle(*(part((top - 1, top + 15), 0.5) for top in tops))) == 5


def test_how_much_two_may_share_is_said_class_by_class():
    """A region that holds one and a half; its mask shares 14 of 21 rows with the whole one below."""
    pair = part((22, 45), 0.9), part((28, 61), 0.8)
    assert len(settle(*pair, shared=0.9)) == 2
    assert len(settle(*pair, shared=0.2)) == 1


def test_others_drawn_ones_and_lone_ones_stay_as_they_are():
    femora = [part((12, 26), 0.9, "femur"), part((12, 26), 0.8, "femur")]
    assert settle(*femora) == femora
    drawn = [part((12, 26), 1.0, drawn=True), part((12, 26), 1.0, drawn=True)]
    assert settle(*drawn) == drawn
    lone = [part((12, 26), 0.9)]
    assert settle(*lone) == lone


def test_a_mask_that_tells_nothing_moves_no_region():
    small, empty = part((20, 40), 0.9), part((45, 49), 0.8)
    found = settle(replace(small, mask=small.mask & (np.arange(20)[:, None] > 18)), empty)
    assert [each.region.roi for each in found] == [small.region.roi, empty.region.roi]


@pytest.mark.parametrize("shared, loose", [({"vertebra": 0.3}, {}), ({}, {"vertebra": 0.9})])
def test_an_empty_second_look_takes_no_object_away(shared, loose):
    parts = [part((8.0, 27.0), 0.9), part((28.0, 46.0), 0.8)]
    asked = []

    def look(regions):
        asked.extend(regions)
        first, *others = again(regions)
        return [replace(first, mask=np.zeros_like(first.mask)), *others]

    first, second = crowds.settled(parts, SHAPE, shared, look, loose)
    assert len(asked) == 2 and first is parts[0] and second.region is asked[1]


def test_the_pipeline_settles_the_classes_that_its_detector_names():
    class Crowd:
        settings = DetectionSettings(numerous=("vertebra",), shared={"vertebra": 0.2})

        def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
            rows = ((9, 25), (28, 45), (30, 47))
            return [RegionProposal("vertebra", 0.9 - 0.1 * i, (18.0, a, 42.0, b)) for i, (a, b) in enumerate(rows)]

    class Boxes(BoxFake):
        classes = ("vertebra",)

    film = Radiograph.from_array(spine().astype(np.uint8))
    result = rigged(Crowd(), Boxes(), None, UNSMOOTHED).segment(film)
    assert [item.score for item in result.objects] == [0.9, 0.8]
    Crowd.settings = DetectionSettings()
    assert len(rigged(Crowd(), Boxes(), None, UNSMOOTHED).segment(film).objects) == 3


def test_a_mask_that_does_not_fill_its_region_is_looked_at_again_in_its_own_box():
    asked = []

    def look(regions):
        asked.extend(region.roi for region in regions)
        return again(regions)

    loose, tight = part((8.0, 27.0), 0.9, "heart"), part((49.5, 64.5), 0.8, "heart")
    found = crowds.settled([loose, tight], SHAPE, {}, look, {"heart": 0.7})
    assert len(asked) == 1 and asked[0] == pytest.approx((20, 10, 40, 24), abs=0.25)
    assert found[0].region.roi == asked[0] and found[1] is tight
    assert crowds.settled([loose, tight], SHAPE, {}, look, {"femur": 0.7}) == [loose, tight] and len(asked) == 1
    drawn = part((8.0, 27.0), 0.9, "heart", drawn=True)
    assert crowds.settled([drawn], SHAPE, {}, look, {"heart": 0.7}) == [drawn], "a region drawn by hand stays"
