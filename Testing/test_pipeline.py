"""The stages put together, with detectors that are rigged: what the pipeline itself does can be told from theirs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.assembly import unique_names
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.mask import without_overlaps
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.polarity_check import PolarityCheck
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.radiograph import Geometry, Radiograph, Spacing
from GrayscaleDetSegLib.core.region_finding import find
from GrayscaleDetSegLib.core.regions import Regions
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox
from GrayscaleDetSegLib.core.single_box.detector import BoxDetector, BoxSettings
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.fakes import bar, letter_l
from Testing.pipelines import rigged
from training.networks import PointNet, PointNetConfig, PolarityNetwork

SHAPE = (90, 130)
LOW, HIGH = 140.0, 255.0


def picture(shape=SHAPE) -> np.ndarray:
    """L (level 200) and bar (230) on a ground that goes up and down (40 to 110) in units of 10 per gray level."""
    y, x = np.indices(shape)
    gray = 41 + 68 * np.abs((x + 0.6 * y) / 14 % 2 - 1) + np.random.default_rng(0).uniform(-1, 1, shape)
    gray[letter_l(shape)] = 200.5
    gray[bar(shape)] = 230.5
    return (gray * 10).astype(np.uint16)


def radiograph(pixels=None, **fields) -> Radiograph:
    return Radiograph(picture() if pixels is None else pixels, GrayMapping.window(0, 2550, "full range"), **fields)


class RoiFake:
    """Finds bright things as `labels`, brightest row first: it knows them by their place in the hung picture."""

    def __init__(self, labels=("femur", "femur"), scores=(0.9, 0.8), needs_upright=False) -> None:
        self.labels, self.scores, self.needs_upright = labels, scores, needs_upright
        self.settings, self.calls = DetectionSettings(), []

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        self.calls.append((gray.copy(), pixel_aspect, score_threshold))
        upright = gray.shape == SHAPE and (gray[letter_l()] > 150).all()
        found = []
        for label, score, level in zip(self.labels, self.scores, (200.5, 230.5)):
            if not (np.abs(gray - level) < 1).any():  # in the inversion
                continue
            x0, y0, x1, y1 = boxes.of_mask(np.abs(gray - level) < 1)
            weaker = 0.2 if self.needs_upright and not upright else 1.0
            found.append(RegionProposal(label, score * weaker, (x0 - 2.25, y0 - 1.5, x1 + 1.75, y1 + 2.5)))
        return sorted(found, key=lambda item: -item.score)


class BoxFake:
    """Gives every region the same interval; remembers what it saw."""

    classes = ("femur", "tibia", "teeth", "right lung", "left lung")

    def __init__(self, low: float = LOW, high: float = HIGH) -> None:
        self.interval, self.calls = (low, high), []

    def detect(self, gray, roi, label):
        self.calls.append((gray[boxes.pixel_slices(roi, gray.shape)].copy(), label))
        proposal = boxes.extrude(np.asarray(roi), self.interval[0] - 20, self.interval[1])
        box = boxes.extrude(np.asarray(roi), *self.interval)
        return DetectedBox(tuple(map(float, proposal)), tuple(map(float, box)), 0.7)


class PolarityFake:
    def __init__(self, probability: float) -> None:
        self.probability, self.seen = probability, []

    def inverted_probability(self, gray):
        self.seen.append(gray.copy())
        return self.probability


UNSMOOTHED = PostProcessing(smooth=0.0)


def pipeline(roi=None, box=None, polarity=None, clean_up=None) -> Pipeline:
    # without smoothing, which rounds the corners of the small phantoms; it has tests of its own
    return rigged(roi or RoiFake(), box or BoxFake(), polarity, clean_up or UNSMOOTHED, model="rigged 1")


def test_objects_lie_on_their_pixels_and_carry_their_numbers():
    image = radiograph(spacing=Spacing(0.2, 0.1, "PixelSpacing"))
    result = pipeline().segment(image)
    first, second = result.objects
    np.testing.assert_array_equal(first.mask, letter_l())
    np.testing.assert_array_equal(second.mask, bar())
    assert (first.name, second.name) == ("femur", "femur 2") and first.label == second.label == "femur"
    assert (first.score, second.score, first.thresholds.box_score) == (0.9, 0.8, 0.7)
    assert first.thresholds.interval == (LOW, HIGH)
    assert first.thresholds.interval_units == (1400.0, np.inf) and first.thresholds.interval_file == (1400.0, np.inf)
    assert first.thresholds.box == (*first.region[:2], LOW, *first.region[2:], HIGH)
    assert first.thresholds.proposal == (*first.region[:2], LOW - 20, *first.region[2:], HIGH)
    assert first.pixel_count == first.thresholds.rule_pixel_count == letter_l().sum()
    assert first.area_mm2 == pytest.approx(letter_l().sum() * 0.02)
    assert result.message == "Found femur, femur 2."
    assert result.best_candidate.score == 0.9 and result.orientation == "stored" and result.model == "rigged 1"
    last = {"masks", "explanation", "overlaps", "post-processing"}
    assert set(result.seconds) == {"polarity", "regions", "boxes", *last}
    assert np.unique(result.label_map()).tolist() == [0, 1, 2]


def test_without_spacing_there_is_no_area():
    assert pipeline().segment(radiograph()).objects[0].area_mm2 is None


def test_results_cannot_be_changed():
    result = pipeline().segment(radiograph())
    for clean_up in (True, False):
        mask = pipeline().segment(radiograph(), clean_up=clean_up).objects[0].mask
        with pytest.raises(ValueError):
            mask[0, 0] = True
    with pytest.raises(AttributeError):
        result.objects[0].label = "tibia"
    with pytest.raises(AttributeError):
        result.objects = ()


def test_the_same_radiograph_gives_the_same_result_and_stays_as_it_was():
    image = radiograph()
    before = image.pixels.copy()
    one, two = pipeline().segment(image), pipeline().segment(image)
    np.testing.assert_array_equal(one.label_map(), two.label_map())
    np.testing.assert_array_equal(image.pixels, before)


def test_names_are_numbered_from_the_second_on():
    assert unique_names(["femur", "tibia", "femur", "femur"]) == ["femur", "tibia", "femur 2", "femur 3"]
    assert unique_names([]) == []


def test_without_clean_up_the_masks_are_the_rule():
    pixels = picture()
    pixels[20:24, 20:22] = 500  # a hole in the L
    pixels[85, 5] = 2005  # a speck, which widens the region
    image = radiograph(pixels)
    bare, clean = (pipeline(clean_up=PostProcessing()).segment(image, clean_up=on) for on in (False, True))
    roi = bare.objects[0].region
    rows, columns = boxes.pixel_slices(roi, SHAPE)
    rule = np.zeros(SHAPE, bool)
    rule[rows, columns] = pixels[rows, columns] >= 1400
    np.testing.assert_array_equal(bare.objects[0].mask | (bare.objects[1].mask & rule), rule)
    assert bare.objects[0].mask[85, 5] and not bare.objects[0].mask[20:24, 20:22].any()
    assert clean.objects[0].mask[20:24, 20:22].all() and not clean.objects[0].mask[85, 5]
    assert bare.clean_up == () and clean.clean_up == PostProcessing().steps()
    assert bare.objects[0].thresholds.rule_pixel_count == clean.objects[0].thresholds.rule_pixel_count == rule.sum()
    assert "post-processing" not in bare.seconds


def test_masks_never_overlap_even_after_holes_were_filled():
    pixels = picture()
    pixels[12:44, 18:62] = 2005  # a ring around ...
    pixels[18:38, 24:56] = 500
    pixels[24:32, 32:46] = 2305  # ... another object
    pixels[bar()] = 500
    result = pipeline(RoiFake(scores=(0.9, 0.8))).segment(radiograph(pixels))
    assert sum(item.mask.astype(int) for item in result.objects).max() == 1
    inner = np.zeros((2, 3), bool)
    inner[:, 1] = True
    window = slice(4, 6), slice(2, 5)
    first, second = without_overlaps([inner, np.ones((2, 3), bool)], [window, window])
    assert (first == inner).all() and (second == ~inner).all()
    assert without_overlaps([], []) == []


@pytest.mark.parametrize("low, high", [(90.0, 255.0), (60.5, 205.0), (0.0, 100.0), (199.0, 201.0)])
def test_stability_by_moving_the_thresholds(low, high):
    image = radiograph()
    item = pipeline(box=BoxFake(low, high)).segment(image).objects[0]
    gray = image.gray()[boxes.pixel_slices(item.region, SHAPE)]

    def area(bottom, top):
        return np.count_nonzero((gray >= bottom) & (gray <= top))

    now = area(low, high)
    bottom = (abs(area(low - 1, high) - now) + abs(area(low + 1, high) - now)) / (2 * now) if low > 0 else 0.0
    top = (abs(area(low, high - 1) - now) + abs(area(low, high + 1) - now)) / (2 * now) if high < 255 else 0.0
    assert (item.thresholds.stability.bottom, item.thresholds.stability.top) == pytest.approx((bottom, top))
    assert low == 199.0 or bottom + top > 0


def test_nothing_found_names_the_best_candidate():
    result = pipeline(RoiFake(("femur", "tibia"), (0.12, 0.23))).segment(radiograph())
    assert result.objects == () and not result.label_map().any()
    assert (result.best_candidate.label, result.best_candidate.score) == ("tibia", 0.23)
    assert "tibia with a score of 0.23" in result.message and "0.30" in result.message


def test_a_lower_threshold_finds_it():
    roi = RoiFake(("femur", "tibia"), (0.12, 0.23))
    result = pipeline(roi).segment(radiograph(), score_threshold=0.2)
    assert [item.name for item in result.objects] == ["tibia"] and result.score_threshold == 0.2
    assert roi.calls[0][2] == 0.2
    assert pipeline(roi).segment(radiograph(), score_threshold=0.0).objects[1].name == "femur"


def test_nothing_at_all():
    result = pipeline(RoiFake((), ())).segment(radiograph())
    assert result.objects == () and result.best_candidate is None and result.message == "Nothing was found."


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


def test_the_best_candidate_of_all_views_is_named():
    roi = RoiFake(scores=(0.2, 0.1), needs_upright=True)
    result = pipeline(roi).segment(stored_with(Orientation(flip_columns=True)))
    assert result.objects == () and result.best_candidate.score == 0.2


class NoRoi:
    settings = DetectionSettings()

    def candidates(self, *_):
        raise AssertionError("the 2D detector is not to be asked")


def test_a_region_drawn_by_hand_needs_no_2d_detector():
    drawn = RegionProposal("tibia", 1.0, (10.0, 5.0, 70.0, 50.0))
    box = BoxFake()
    result = pipeline(NoRoi(), box).segment_regions(radiograph(), Regions((drawn,), None, Orientation()))
    np.testing.assert_array_equal(result.objects[0].mask, letter_l())
    assert (result.objects[0].name, result.objects[0].score) == ("tibia", 1.0)
    assert result.best_candidate is None and [label for _, label in box.calls] == ["tibia"]
    assert set(result.seconds) == {"boxes", "masks", "explanation", "overlaps", "post-processing"}


def test_progress_names_the_stages_in_order():
    stages = []
    pipeline().segment(radiograph(), progress=stages.append)
    assert stages == ["polarity", "regions", "boxes", "masks", "explanation", "overlaps", "post-processing"]
    stages.clear()
    pipeline().segment(radiograph(), clean_up=False, progress=stages.append)
    assert stages == ["polarity", "regions", "boxes", "masks", "explanation", "overlaps"]


ANCHORS = AnchorConfig(16, (4, 8), 2)


def box_detector(**settings) -> BoxDetector:
    torch.manual_seed(0)
    network = PointNet(PointNetConfig(("femur", "tibia"), 0.125)).eval()
    weights = {
        "femur": np.zeros((network.pooled_features + 1, 2)),
        "tibia": np.vstack([np.zeros((network.pooled_features, 2)), [[0.25, np.log(0.5)]]]),
    }
    return BoxDetector(network, ANCHORS, weights, BoxSettings(side=12, **settings))


ROI = (14.0, 8.0, 68.0, 48.0)


@pytest.mark.parametrize("separate", [False, True])
def test_the_best_anchor_of_the_class_is_the_proposal(separate):
    detector, gray = box_detector(separate=separate), radiograph().gray()
    scores, pooled = detector.anchor_scores(gray, ROI)
    assert scores.shape == (len(ANCHORS.intervals()), 3) and len(pooled) == len(scores)
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    for column, label in ((1, "femur"), (2, "tibia")):
        best = int(scores[:, column].argmax())
        found = detector.detect(gray, ROI, label)
        assert found.score == pytest.approx(scores[best, column])
        assert found.proposal == pytest.approx(tuple(ANCHORS.boxes(ROI)[best]))


def test_the_proposal_is_refined_by_the_map_of_its_class():
    detector, gray = box_detector(), radiograph().gray()
    femur, tibia = (detector.detect(gray, ROI, label) for label in ("femur", "tibia"))
    assert femur.box == pytest.approx(femur.proposal)
    low, high = tibia.proposal[2], tibia.proposal[5]
    centre, width = (low + high) / 2 + 0.25 * (high - low), 0.5 * (high - low)
    expected = np.clip([centre - width / 2, centre + width / 2], 0, 255)
    assert (tibia.box[2], tibia.box[5]) == pytest.approx(tuple(expected))
    assert tibia.box[:2] + tibia.box[3:5] == (*ROI[:2], *ROI[2:])


def test_proposals_survive_suppression_best_first():
    detector, gray = box_detector(suppression=0.3), radiograph().gray()
    found = detector.proposals(gray, ROI, "femur")
    assert found[0] == detector.detect(gray, ROI, "femur") and len(found) > 2
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    corners = np.array([item.proposal for item in found])
    overlaps = boxes.iou(corners[:, None], corners[None]) - np.eye(len(corners))
    assert overlaps.max() <= 0.3


def test_the_same_seed_gives_the_same_box_and_unknown_classes_are_refused():
    gray = radiograph().gray()
    assert box_detector().detect(gray, ROI, "femur") == box_detector().detect(gray, ROI, "femur")
    with pytest.raises(KeyError, match="teeth"):
        box_detector().detect(gray, ROI, "teeth")
