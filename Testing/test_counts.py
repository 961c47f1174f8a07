"""The commands that count objects of one class, and that measure what overlapping masks are worth."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core import boxes  # noqa: E402
from GrayscaleDetSegLib.core.overlaps import Overlaps  # noqa: E402
from GrayscaleDetSegLib.core.regions import RegionProposal  # noqa: E402
from Testing.pipelines import (  # noqa: E402
    UNSMOOTHED,
    BoxFake,
    rigged,  # noqa: E402
)
from training import counts, overlapping  # noqa: E402
from training.films.film import Film, FilmObject, write_films  # noqa: E402

SHAPE = (80, 100)


def block(rows, columns) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def film(name: str, *objects: tuple[str, np.ndarray], crumbs=()) -> Film:
    generator = np.random.default_rng(len(name))
    bright = np.any([mask for _, mask in objects], axis=0)
    image = np.where(bright, 200, 60) + generator.integers(0, 20, SHAPE)
    parts = [FilmObject.of(label, mask) for label, mask in objects]
    parts += [FilmObject.of(label, mask, asked=False) for label, mask in crumbs]
    return Film("simulated_bones", name, image.astype(np.uint8), tuple(parts), frozenset())


class Told:
    """A 2D detector that finds the same regions in every image."""

    def __init__(self, *found: tuple[str, np.ndarray, float]) -> None:
        from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings

        self.settings = DetectionSettings()
        self.found = [
            RegionProposal(label, score, tuple(map(float, boxes.of_mask(mask)))) for label, mask, score in found
        ]

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        return self.found


LEFT, RIGHT, MIDDLE = block((10, 70), (5, 45)), block((10, 70), (45, 85)), block((10, 70), (25, 65))


def test_each_region_finds_one_object():
    true = np.array([[0, 0, 10, 10], [10, 0, 20, 10]], float)
    found = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [11, 0, 20, 10]], float)
    assert counts.pairs_of(found, true) == {0: 0, 2: 1}
    assert counts.pairs_of(found[:0], true) == counts.pairs_of(found, true[:0]) == {}


@pytest.mark.parametrize(
    ("found", "wanted"),
    [((LEFT, RIGHT), (1, 0, 2)), ((LEFT,), (0, 1, 1)), ((LEFT, RIGHT, MIDDLE), (0, 1, 2)), ((), (0, 0, 0)),
     ((LEFT, RIGHT, block((72, 80), (90, 100))), (1, 0, 2))],
)  # fmt: skip
def test_a_film_with_two_of_a_class_counts_once(found, wanted, tmp_path):
    """A crumb at the edge that is found as well is neither right nor too many."""
    crumb = ("femur", block((72, 80), (90, 100)))
    write_films([film("one", ("femur", LEFT), ("femur", RIGHT), ("tibia", LEFT), crumbs=[crumb])], tmp_path / "a.npz")
    (sample,) = counts.film_samples(tmp_path)
    assert (sample.group, sample.label, len(sample.regions), len(sample.free)) == ("pairs, touching", "femur", 2, 1)
    pipeline = rigged(Told(*(("femur", mask, 0.9) for mask in found)), BoxFake())
    tally = counts.tallies(pipeline, [sample])["pairs, touching"]
    assert (tally.exact, tally.off_by_one, tally.right) == wanted
    assert (tally.images, tally.objects) == (1, 2)


def test_what_lies_above_the_marked_part_of_a_spine_counts_neither_way():
    true = np.array([[0, 50, 20, 60], [0, 60, 20, 70]], float)
    found, cervical = true.copy(), np.array([[0, 30, 20, 40]], float)
    with_top, without = counts.Tally(), counts.Tally()
    with_top.add(np.concatenate([found, cervical]), true, np.zeros((0, 4)), top=50.0)
    without.add(np.concatenate([found, cervical]), true, np.zeros((0, 4)))
    assert (with_top.exact, with_top.regions, without.exact, without.off_by_one) == (1, 2, 0, 1)


def test_pairs_that_lie_apart_are_told_apart(tmp_path):
    write_films([film("one", ("femur", block((10, 70), (5, 30))), ("femur", block((10, 70), (60, 85))))],
                tmp_path / "a.npz")  # fmt: skip
    assert [sample.group for sample in counts.film_samples(tmp_path)] == ["pairs, apart"]


def test_the_table_says_shares():
    tally = counts.Tally(images=4, objects=8, regions=9, exact=2, off_by_one=1, right=6)
    assert counts.table({"pairs": tally}).splitlines()[-1] == (
        "| pairs | 4 | 2 (0.50) | 1 (0.25) | 1 (0.25) | 6 (0.75) | 8 | 9 |"
    )


def test_overlap_is_worth_what_lies_over_each_other(tmp_path, monkeypatch, capsys):
    """Femur and tibia share a third: whole with overlap, and without it the less confident one is cut."""
    femur, tibia = block((10, 70), (5, 65)), block((10, 70), (45, 95))
    write_films([film("one", ("femur", femur), ("tibia", tibia)), film("none", ("patella", LEFT))], tmp_path / "a.npz")
    pipeline = rigged(Told(("femur", femur, 0.6), ("tibia", tibia, 0.9)), BoxFake(), None, UNSMOOTHED,
                      overlaps=Overlaps(True))  # fmt: skip
    monkeypatch.setattr(overlapping, "load_pipeline", lambda *_: pipeline)
    assert overlapping.main([str(tmp_path), "--labels", "femur", "tibia"]) == 0
    printed = capsys.readouterr().out
    assert "on 1 films" in printed
    assert "| femur | 1 | 1.000 | 0.667 | 1.000 | " in printed and "| tibia | 1 | 1.000 | 1.000 | 1.000 |" in printed
    assert overlapping.main([str(tmp_path), "--labels", "ulna"]) == 2
