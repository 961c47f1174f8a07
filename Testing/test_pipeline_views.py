"""How the pipeline takes a radiograph: which of its polarities, and which way round."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.polarity_check import PolarityCheck
from GrayscaleDetSegLib.core.radiograph import Geometry, Radiograph, Spacing
from GrayscaleDetSegLib.core.region_finding import find
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.fakes import bar, letter_l
from Testing.pipelines import HIGH, LOW, SHAPE, BoxFake, PolarityFake, RoiFake, picture, pipeline, radiograph
from training.networks import PolarityNetwork


@pytest.mark.parametrize("probability, turned", [(0.85, False), (0.95, True)])
def test_polarity_is_turned_over_only_if_the_picture_is_sure(probability, turned):
    image = radiograph(4000 - picture(), spacing=Spacing(0.1, 0.1, "x"), notes=("first",))
    image = Radiograph(image.pixels, GrayMapping.window(4000 - 2550, 4000, "full range"), notes=("first",))
    check = PolarityFake(probability)
    result = pipeline(RoiFake() if turned else RoiFake((), ()), polarity=check).segment(image)
    np.testing.assert_allclose(check.seen[0], image.gray())
    assert result.radiograph.polarity.inverted == turned
    if not turned:
        first, doubt = result.radiograph.notes
        assert first == "first" and "not certain" in doubt and "0.85" in doubt
        return
    assert result.radiograph.notes[0] == "first" and "turned over" in result.radiograph.notes[1]
    np.testing.assert_array_equal(result.objects[0].mask, letter_l())
    low, high = result.objects[0].thresholds.interval_file
    in_file = (image.pixels >= low) & (image.pixels <= high)
    np.testing.assert_array_equal(in_file, letter_l() | bar())


@pytest.mark.parametrize(
    "probability, score, turned", [(0.95, 0.9, True), (0.95, 0.4, False), (0.5, 0.85, False), (0.5, 0.95, True)]
)
def test_what_is_known_in_the_picture_decides_where_its_polarity_is_in_doubt(probability, score, turned):
    """A detector that finds one object with a score of 0.6 in the image as it is, and with `score` in its inversion."""
    image = radiograph(4000 - picture())
    stored = image.gray()

    class Knows:
        settings = DetectionSettings()

        def candidates(self, gray, *_):
            same = gray.shape == stored.shape and np.allclose(gray, stored)
            return [RegionProposal("femur", 0.6 if same else score, (2.0, 2.0, 20.0, 20.0))]

    found, _regions = find(image, Knows(), 0.3, PolarityFake(probability), Stopwatch())
    assert found.polarity.inverted == turned
    assert turned or "not certain" in found.notes[-1]


def test_polarity_stays_if_nothing_is_found_either_way():
    result = pipeline(RoiFake((), ()), polarity=PolarityFake(1.0)).segment(radiograph())
    assert not result.radiograph.polarity.inverted and result.radiograph.notes == ()


def test_polarity_can_be_left_alone():
    check = PolarityFake(1.0)
    result = pipeline(polarity=check).segment(radiograph(), check_polarity=False)
    assert check.seen == [] and not result.radiograph.polarity.inverted


def test_the_polarity_networks_two_questions_cancel():
    """What it says of a picture and of its inversion add up to 1, so it is never sure both ways."""
    torch.manual_seed(0)
    check, gray = PolarityCheck(PolarityNetwork()), picture().astype(np.float32) / 10
    one, other = check.inverted_probability(gray), check.inverted_probability(255 - gray)
    assert one + other == pytest.approx(1, abs=1e-5) and one != pytest.approx(0.5, abs=1e-7)


TURNS = [Orientation(*turn) for turn in itertools.product([False, True], repeat=3)]


def stored_with(turn: Orientation, truthful: bool = True) -> Radiograph:
    """The picture stored turned, on a coronal plane, with directions that say so or that claim the contrary."""
    x, y = np.array([1.0, 0, 0]), np.array([0, 0, -1.0])
    across, down = (y, x) if turn.transpose else (x, y)
    across, down = (-across if turn.flip_columns else across), (-down if turn.flip_rows else down)
    direction = np.stack([across, down, np.cross(across, down)], axis=1)
    spacing = (0.3, 0.2, 1.0) if turn.transpose else (0.2, 0.3, 1.0)  # rows 0.3 mm apart as hung
    pixels = turn.view(picture()) if truthful else picture()
    return radiograph(np.ascontiguousarray(pixels), geometry=Geometry(spacing, direction=tuple(direction.ravel())))


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_masks_lie_on_the_objects_however_the_picture_is_stored(turn):
    roi, box = RoiFake(needs_upright=True), BoxFake()
    result = pipeline(roi, box).segment(stored_with(turn))
    assert [item.name for item in result.objects] == ["femur", "femur 2"]
    np.testing.assert_array_equal(result.objects[0].mask, turn.view(letter_l()))
    np.testing.assert_array_equal(result.objects[1].mask, turn.view(bar()))
    assert result.orientation == ("stored" if turn.is_identity else "canonical")
    gray, aspect, _ = roi.calls[-1]
    np.testing.assert_allclose(gray, picture() / 10, atol=0.06)
    assert aspect == pytest.approx(1.5)
    for item in result.objects:
        assert item.thresholds.box == (*item.region[:2], LOW, *item.region[2:], HIGH)
        assert item.thresholds.proposal == (*item.region[:2], LOW - 20, *item.region[2:], HIGH)
    # the 3D detector sees the region the way the 2D detector saw it
    upright = boxes.of_mask(letter_l())
    window = boxes.pixel_slices((upright[0] - 2.25, upright[1] - 1.5, upright[2] + 1.75, upright[3] + 2.5), SHAPE)
    seen = box.calls[0][0]
    if turn.is_identity:
        np.testing.assert_allclose(seen, radiograph().gray()[window])
    width, height = upright[2:] - upright[:2]
    assert seen.shape[0] / seen.shape[1] == pytest.approx(height / width, rel=0.2)
    assert (seen[-6:-4] > 150).mean() > 0.7 > (seen[4:6] > 150).mean(), "the foot of the L is below"


@pytest.mark.parametrize("turn", TURNS[1:], ids=str)
def test_directions_that_are_wrong_do_no_harm(turn):
    """Stored as hung, whatever its directions claim: the stored view scores higher."""
    result = pipeline(RoiFake(needs_upright=True)).segment(stored_with(turn, truthful=False))
    assert result.orientation == "stored"
    np.testing.assert_array_equal(result.objects[0].mask, letter_l())


def test_directions_decide_a_tie():
    """A picture that reads as well either way (a chest and its mirror image) is read as its directions say."""
    assert pipeline().segment(stored_with(TURNS[1])).orientation == "canonical"


@pytest.mark.parametrize("label, view", [("vertebra", "canonical"), ("femur", "canonical"), ("different", "stored")])
def test_a_row_of_one_class_outweighs_no_view(label, view):
    """As stored six objects are found, as the directions say two surer ones: of one class, or each of its own."""
    image = stored_with(TURNS[1])
    stored = image.gray()
    six = ("tibia", "fibula", "patella", "foot", "femur", "sacrum") if label == "different" else (label,) * 6

    class Knows:
        settings = DetectionSettings()

        def candidates(self, gray, *_):
            if np.allclose(gray, stored):
                return [RegionProposal(each, 0.6, (2.0, 2.0, 20.0, 20.0)) for each in six]
            return [RegionProposal(each, 0.9, (2.0, 2.0, 20.0, 20.0)) for each in ("right lung", "left lung")]

    _image, found = find(image, Knows(), 0.3, None, Stopwatch())
    assert (found.orientation.is_identity) == (view == "stored")


def test_the_best_candidate_of_all_views_is_named():
    roi = RoiFake(scores=(0.2, 0.1), needs_upright=True)
    result = pipeline(roi).segment(stored_with(Orientation(flip_columns=True)))
    assert result.objects == () and result.best_candidate.score == 0.2
