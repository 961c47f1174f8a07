"""How clinical films are judged: what is found, what is missed, what is false and what counts as neither."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist

import pytest

from GrayscaleDetSegLib.core.result import RegionProposal
from training.clinical.judge import COUNTED, Box, Count, draw, general, interval, judge, read_boxes, table

WHOLE = (100.0, 100.0, 200.0, 300.0)


def region(label: str, roi=WHOLE, score: float = 0.9) -> RegionProposal:
    return RegionProposal(label, score, tuple(roi))


def moved(part: float) -> tuple[float, ...]:
    """WHOLE moved to the right by a share of its width: IoU (1 - part) / (1 + part)."""
    return (100.0 + 100 * part, 100.0, 200.0 + 100 * part, 300.0)


def counts(truth: list[Box], found: list[RegionProposal], label: str = "femur") -> tuple[int, int, int, int]:
    """Wanted, found, right, false."""
    count = judge({"film": truth}, {"film": found}).get(label, Count())
    return count.wanted, count.found, count.right, count.false


def test_a_bone_that_is_met_is_found():
    assert counts([Box("femur", WHOLE, "whole", True)], [region("femur")]) == (1, 1, 1, 0)
    assert counts([Box("femur", WHOLE, "good", True)], [region("femur", moved(0.32))]) == (1, 1, 1, 0)  # IoU 0.52


def test_a_bone_that_is_not_met_well_is_a_miss_and_the_region_false():
    assert counts([Box("femur", WHOLE, "most", True)], [region("femur", moved(0.35))]) == (1, 0, 0, 1)  # IoU 0.48
    assert counts([Box("femur", WHOLE, "whole", True)], []) == (1, 0, 0, 0)
    assert counts([], [region("femur")]) == (0, 0, 0, 1)


def test_another_name_is_a_miss_and_false():
    truth, found = [Box("femur", WHOLE, "whole", True)], [region("tibia")]
    assert counts(truth, found) == (1, 0, 0, 0) and counts(truth, found, "tibia") == (0, 0, 0, 1)


def test_what_counts_as_neither():
    little, doubtful = Box("femur", WHOLE, "little", True), Box("femur", WHOLE, "whole", False)
    assert counts([little], []) == (0, 0, 0, 0), "a crumb is not missed"
    assert counts([little], [region("femur", moved(0.5))]) == (0, 0, 0, 0), "IoU 0.33 with a crumb is not false"
    assert counts([doubtful], [region("femur", moved(0.5))]) == (1, 0, 0, 0), "nor with a bone whose extent is in doubt"
    assert counts([little], [region("femur", moved(0.6))]) == (0, 0, 0, 1), "IoU 0.25 is"
    assert counts([little], [region("tibia", moved(0.5))], "tibia") == (0, 0, 0, 1), "and so is another name"
    assert counts([little], [region("femur")])[1] == 0, "a crumb is no hit either"


def test_a_bone_is_found_once_and_by_the_surest_region():
    truth = [Box("femur", WHOLE, "whole", True)]
    assert counts(truth, [region("femur"), region("femur", moved(0.1), 0.5)]) == (1, 1, 1, 1)
    both = [Box("femur", WHOLE, "whole", True), Box("femur", moved(0.3), "whole", True)]
    assert counts(both, [region("femur", moved(0.3), 0.4), region("femur", WHOLE, 0.6)]) == (2, 2, 2, 0)


def test_clavicles_are_boxed_without_their_side():
    assert general("left clavicle") == "clavicle" and general("left lung") == "left lung"
    truth = [Box("clavicle", WHOLE, "whole", True)]
    assert counts(truth, [region("right clavicle")], "clavicle") == (1, 1, 1, 0)


def test_films_are_judged_each_for_itself():
    films = {"one": [Box("femur", WHOLE, "whole", True)], "two": [Box("femur", WHOLE, "whole", True)], "three": []}
    count = judge(films, {"one": [region("femur")], "three": [region("femur")]})["femur"]
    assert (count.wanted, count.found, count.right, count.false) == (2, 1, 1, 1)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilsons_interval(hits, of, low, high):
    assert interval(hits, of) == pytest.approx((low, high), abs=5e-4)
    z = NormalDist().inv_cdf(0.975)
    for bound in interval(hits, of):  # the share's own standard error there reaches just to what was seen
        if 0 < bound < 1:
            assert abs(hits / of - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / of), rel=1e-6)


def test_the_interval_of_nothing_is_everything():
    assert interval(0, 0) == (0.0, 1.0)


def test_the_table_sums_what_counts():
    text = table({"femur": Count(4, 3, 3, 1), "tibia": Count(2, 1, 1, 0), "skull": Count(5, 0, 0, 2)}).splitlines()
    assert [line.split("|")[1].strip() for line in text[2:]] == ["femur", "tibia", "skull", "**all counted**", "all"]
    assert "| 6 | 0.67" in text[-2] and "| 5 | 0.80" in text[-2]
    assert "| 11 | 0.36" in text[-1] and "| 7 | 0.57" in text[-1]


def test_the_boxes_can_be_read_and_used():
    films = read_boxes()
    assert len(films) == 135
    every = [box for found in films.values() for box in found]
    assert {box.part for box in every} == {"whole", "most", "good",
                                           "little"} and set(COUNTED) <= {box.label for box in every}
    for box in every:
        assert 0 <= box.roi[0] < box.roi[2] and 0 <= box.roi[1] < box.roi[3]
        assert box.is_wanted == (box.part != "little")
    perfect = {film: [region(box.label, box.roi) for box in found] for film, found in films.items()}
    judged = judge(films, perfect)
    assert all(count.found == count.wanted and not count.false for count in judged.values())


def test_a_table_of_boxes(tmp_path: Path):
    path = tmp_path / "boxes.csv"
    path.write_text("film,class,x0,y0,x1,y1,part,certain,note\na/1.png,femur,1,2,30,40,good,no,\na/1.png,tibia,5,6,7,8,whole,yes,x\n"
                    "b/2.png,,,,,,,,no bone\n", encoding="utf-8")  # fmt: skip
    assert read_boxes(path) == {
        "a/1.png": [Box("femur", (1, 2, 30, 40), "good", False), Box("tibia", (5, 6, 7, 8), "whole", True)],
        "b/2.png": []}  # fmt: skip


def test_pictures_for_looking(tmp_path: Path):
    import numpy as np
    from PIL import Image

    Image.new("L", (320, 340), 40).save(tmp_path / "film.png")
    draw(tmp_path / "film.png", [Box("femur", WHOLE, "whole", True)], [region("femur", moved(0.2))],
         tmp_path / "out" / "film.png")
    picture = np.asarray(Image.open(tmp_path / "out" / "film.png"))
    assert tuple(picture[200, 100]) == (255, 255, 255) and tuple(picture[200, 120]) == (255, 220, 0)
