"""Random combinations of tags, turns, mirrors and formats of one film: the same masks, sides and areas, or a word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.pipelines import rigged
from Testing.test_lie import GRAY, chest

pytest.importorskip("scipy", reason="the training's packages are not installed")

from training import lies  # noqa: E402
from training.lying_files import FORMATS, Film, write  # noqa: E402
from training.remembering import Remembering  # noqa: E402

TOLERANCE = 6.0
"""Gray levels by which 8 bits and JPEG change the film."""
COUNT = 300


def film() -> Film:
    """The chest in 12 bits on a shaded ground, with a corner that is white."""
    gray = chest().astype(float)
    gray[gray == 20] = (np.linspace(10, 60, gray.shape[1]) * np.ones(gray.shape))[gray == 20]
    gray[:3, :3] = 255
    return Film("chest", np.round(gray * 16).astype(np.uint16))


class ChestFake:
    """Finds lungs and heart by the gray levels that they have in the film, whichever way it is seen."""

    def __init__(self, levels: dict[str, float]) -> None:
        self.settings, self.levels = DetectionSettings(), levels

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        found = []
        for name, level in self.levels.items():
            near = np.abs(gray - level) < TOLERANCE
            # lines that a ringing edge has touched by chance hold few of them
            rows, columns = (np.flatnonzero(near.sum(axis) > 12) for axis in (1, 0))
            if rows.size and columns.size:
                box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
                found.append((name, tuple(map(float, box))))
        lungs = sorted((box for name, box in found if "lung" in name), key=lambda box: box[0])
        named = [(f"{side} lung", box) for side, box in zip(("right", "left"), lungs)]
        named += [(name, box) for name, box in found if "lung" not in name]
        return [RegionProposal(name, 0.9, box) for name, box in named]


class BoxFake:
    classes = ("right lung", "left lung", "heart")

    def __init__(self, low: float) -> None:
        self.low = low

    def detect(self, gray, roi, label):
        box = tuple(map(float, boxes.extrude(np.asarray(roi), self.low, 255.0)))
        return DetectedBox(box, box, 0.7)


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """The film, a pipeline that knows it, and its result as it is hung."""
    folder, made = tmp_path_factory.mktemp("right"), film()
    said = lies.Said("explicit", axes=("L", "F"), more={"ImagerPixelSpacing": ["0.4", "0.4"]})
    gray = read_radiograph(write(made.pixels, said, folder / "film")).gray()
    levels = {name: float(np.median(gray[np.abs(chest().astype(int) - level) < 1])) for name, level in GRAY.items()
              if name != "femur"}  # fmt: skip
    pipeline = rigged(ChestFake(levels), BoxFake(levels["large lung"] - 2 * TOLERANCE))
    right = lies.references(pipeline, [made], folder)["chest"]
    assert [item.name for item in right.objects] == ["right lung", "left lung", "heart"]
    assert right.objects[0].area_mm2 == pytest.approx(70 * 30 * 0.16)
    return made, pipeline, right


def random(number: int, made: Film):
    combination = lies.random_combination(np.random.default_rng((7, number)), made)
    said, form = combination.said, FORMATS[combination.said.format]
    can_say = form.is_dicom or form.ending == ".tif"  # no network here tells bone from air
    return replace(combination, said=replace(said, honest=True, inverted=said.inverted and can_say))


@pytest.mark.parametrize("part", range(6))
def test_no_combination_is_wrong_without_a_word(part, ready, tmp_path):
    made, pipeline, right = ready
    agreed = 0
    for number in range(part, COUNT, 6):
        combination = random(number, made)
        judgement = lies.run(combination, pipeline, right, tmp_path / "film")
        assert judgement.silent == [] and judgement.refused == "", (number, combination)
        if combination.true_tags:
            assert judgement.overlap > (0.93 if FORMATS[combination.said.format].bits == 8 else 0.999), combination
            assert [text for text in judgement.told if "leaves it open" not in text] == [], combination
            agreed += 1
    assert agreed >= COUNT / 6 / 5, "enough of them say rightly how they lie"


def test_the_judge_sees_what_is_wrong(ready, tmp_path):
    """A side, a scale and a polarity that are wrong count, with a note as told, and without one as silent."""
    made, pipeline, right = ready
    said = lies.Said("explicit", axes=("L", "F"), more={"ImagerPixelSpacing": ["0.4", "0.4"]})
    good = lies.Combination(made, lies.AXES["L", "F"], said, True, 0.16)
    image = read_radiograph(write(made.pixels, said, tmp_path / "film"))
    result = pipeline.segment(image)
    assert lies.judged(good, image, result, right).silent == []
    first, second, *others = result.objects
    swapped = replace(result, objects=(replace(first, side="left"), replace(second, side="right"), *others))
    assert len(lies.judged(good, image, swapped, right).silent) == 2
    noted = replace(swapped, notes=("check sides",))
    assert lies.judged(good, image, noted, right).silent == [] and len(lies.judged(good, image, noted, right).told) == 2
    small = replace(result, objects=(replace(first, area_mm2=first.area_mm2 / 25), second, *others))
    assert "scale" in lies.judged(good, image, small, right).silent[0]
    dark = replace(result, radiograph=image.inverted("nobody"))
    assert "polarity" in lies.judged(good, image, dark, right).silent[0]


def test_every_format_is_among_them():
    made = film()
    combinations = [random(number, made) for number in range(COUNT)]
    assert {each.said.format for each in combinations} == set(FORMATS)
    assert {each.turn for each in combinations} == set(lies.AXES.values())


def test_a_remembering_pipeline_asks_once(ready):
    class Counting:
        calls = 0

        def detect(self, *arguments):
            self.calls += 1
            return self.calls

    asked = Counting()
    kept = Remembering(asked, "detect")
    picture = np.arange(6).reshape(2, 3)
    assert kept.detect(picture, 1) == kept.detect(picture.copy(), 1) == 1
    assert kept.detect(picture, 2) == 2 and kept.detect(picture.T, 1) == 3


def test_the_command_prints_its_figure(capsys):
    assert lies.main(["--count", "10"]) == 0
    assert "0 silent errors in 10 combinations" in capsys.readouterr().out
