"""The method of the threshold surfaces in the pipeline, with rigged detectors: fields and masks on the right pixels.

The picture's gray levels rise obliquely, so that no single interval holds an object; its last digit tells what a pixel
belongs to, so that the rigged detectors can find their way in any view of it.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.editing import with_object, with_region
from GrayscaleDetSegLib.core.errors import MethodError, UnknownClassError
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.radiograph import Geometry, Radiograph
from GrayscaleDetSegLib.core.regions import Regions
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.fakes import SHAPE, bar, letter_l
from Testing.pipelines import rigged
from training.intervals import best_interval

GRID = (5, 7)
STEP = 12.0
LEVEL = 60 + np.add.outer(0.5 * np.arange(SHAPE[0]), 0.9 * np.arange(SHAPE[1]))
MARKS = {"femur": 5, "tibia": 7}
MASKS = {"femur": letter_l(), "tibia": bar()}
TURNS = [Orientation(*turn) for turn in itertools.product([False, True], repeat=3)]
OFF = PostProcessing(smooth=0.0, keep_largest=False, fill_holes=False)
INTERVAL = (90.0, 200.0)


def picture() -> np.ndarray:
    """Objects STEP above LEVEL and all else STEP below, in units of a hundredth of a gray level."""
    gray = LEVEL + np.where(MASKS["femur"] | MASKS["tibia"], STEP, -STEP)
    pixels = np.round(gray * 10).astype(np.uint16) * 10
    for label, mask in MASKS.items():
        pixels[mask] += MARKS[label]
    return pixels


def stored(turn: Orientation = TURNS[0]) -> Radiograph:
    """The picture stored turned, on a coronal plane, with directions that say so."""
    x, y = np.array([1.0, 0, 0]), np.array([0, 0, -1.0])
    across, down = (y, x) if turn.transpose else (x, y)
    across, down = (-across if turn.flip_columns else across), (-down if turn.flip_rows else down)
    direction = tuple(np.stack([across, down, np.cross(across, down)], axis=1).ravel())
    pixels = np.ascontiguousarray(turn.view(picture()))
    return Radiograph(pixels, GrayMapping.window(0, 25500, "full range"), geometry=Geometry(direction=direction))


def marks(gray: np.ndarray) -> np.ndarray:
    return np.round(gray * 100).astype(int) % 10


class RoiFake:
    """Finds the marked objects in any view, with regions that cut into them at the left and at the top as seen."""

    def __init__(self, labels=("femur", "tibia")) -> None:
        self.settings, self.labels = DetectionSettings(), labels

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        found = []
        for label, score in zip(self.labels, (0.9, 0.8)):
            x0, y0, x1, y1 = boxes.of_mask(marks(gray) == MARKS[label])
            found.append(RegionProposal(label, score, (x0 + 0.75, y0 + 0.5, x1 - 0.25, y1 + 0.25)))
        return found


class BoxFake:
    classes = ("femur", "tibia")

    def __init__(self) -> None:
        self.labels = []

    def detect(self, gray, roi, label):
        self.labels.append(label)
        proposal, box = (boxes.extrude(np.asarray(roi), low, INTERVAL[1]) for low in (80.0, INTERVAL[0]))
        return DetectedBox(tuple(map(float, proposal)), tuple(map(float, box)), 0.7)


class SurfaceFake:
    """Bottoms at LEVEL in the middle of each cell, and tops well above; what it was asked for is kept in `calls`."""

    def __init__(self, classes=("femur", "tibia")) -> None:
        self.classes, self.calls = classes, []

    def knows(self, label):
        return label in self.classes

    def detect(self, gray, roi, label):
        return self.detect_all(gray, [roi], [label])[0]

    def detect_all(self, gray, rois, labels):
        self.calls.append((list(rois), list(labels)))
        assert all(self.knows(label) for label in labels) and len(rois) == len(labels)
        return [self.field(gray, roi) for roi in rois]

    def field(self, gray, roi) -> ThresholdMap:
        seen = gray[:, :]
        level = seen + np.where(marks(seen) > 0, -STEP, STEP)
        x0, y0, x1, y1 = roi
        low = np.empty(GRID)
        for row, column in np.ndindex(*GRID):
            x, y = x0 + (column + 0.5) * (x1 - x0) / GRID[1], y0 + (row + 0.5) * (y1 - y0) / GRID[0]
            low[row, column] = level[int(y), int(x)]
        return ThresholdMap(roi, low, low + 70)


class NoDetector:
    """Stands for one that is not to be asked."""

    settings = DetectionSettings()

    def __getattr__(self, name):
        raise AssertionError(f"nobody is to be asked for {name}")


def pipeline(roi=None, box=None, surfaces=None, clean_up=OFF, margin=0.15) -> Pipeline:
    surfaces = SurfaceFake() if surfaces is None else surfaces
    return rigged(
        roi or RoiFake(), box or BoxFake(), None, clean_up, "rigged", surfaces=surfaces, margin=margin
    )


def test_no_single_interval_holds_the_objects():
    gray = stored().gray()
    for mask in MASKS.values():
        window = boxes.pixel_slices(boxes.grown(boxes.of_mask(mask), 0.1, SHAPE), SHAPE)
        assert best_interval(gray[window], mask[window]).iou < 0.9


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_masks_and_fields_lie_on_the_objects_however_the_picture_is_stored(turn):
    image, surfaces = stored(turn), SurfaceFake()
    result = pipeline(surfaces=surfaces).segment(image)
    assert result.orientation == ("stored" if turn.is_identity else "canonical")
    np.testing.assert_array_equal(result.view.view(image.pixels), picture())
    assert [item.name for item in result.objects] == ["femur", "tibia"]
    level = turn.view(LEVEL)
    for item in result.objects:
        np.testing.assert_array_equal(item.mask, turn.view(MASKS[item.label]))
        assert item.method == "surfaces" and item.thresholds.rule_pixel_count == MASKS[item.label].sum()
        assert item.thresholds.field.shape == (GRID[::-1] if turn.transpose else GRID)
        window = boxes.pixel_slices(item.thresholds.field.roi, image.shape)
        low, high = item.thresholds.field.surfaces(window)
        # beyond the outermost middles the surface stays as it is while the level goes on
        assert np.abs(low - level[window]).max() < STEP / 2
        np.testing.assert_allclose(high - low, 70, atol=1e-3)
    # the detector sees every object the way the 2D detector saw it
    seen = [roi for rois, _ in surfaces.calls for roi in rois]
    assert [roi[2] - roi[0] > roi[3] - roi[1] for roi in seen] == [True, True]
    assert len(surfaces.calls) == 1


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_found_regions_are_grown_and_drawn_ones_are_not(turn):
    image = stored(turn)
    for drawn, margin in ((False, 0.15), (True, 0.0)):
        roi = boxes.of_mask(turn.view(MASKS["femur"])) + [0.25, 0.5, -0.75, 0.25]
        region = RegionProposal("femur", 0.9, tuple(map(float, roi)), drawn)
        # the view that undoes the turn
        orientation = next(one for one in TURNS if np.array_equal(one.view(turn.view(LEVEL)), LEVEL))
        result = pipeline(roi=NoDetector()).segment_regions(image, Regions((region,), None, orientation))
        item = result.objects[0]
        searched = boxes.grown(roi, margin, image.shape)
        assert item.thresholds.field.roi == pytest.approx(tuple(searched))
        assert item.region == region.roi, "what was found is reported as it was found"
        expected = turn.view(MASKS["femur"]) & inside(searched, image.shape)
        np.testing.assert_array_equal(item.mask, expected)
        assert expected.sum() < MASKS["femur"].sum() if drawn else expected.sum() == MASKS["femur"].sum()


def inside(roi, shape) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[boxes.pixel_slices(roi, shape)] = True
    return mask


def test_a_grown_region_ends_at_the_edge_of_the_image():
    region = RegionProposal("femur", 0.9, (1.0, 2.0, 129.0, 60.0))
    surfaces = SurfaceFake()
    pipeline(NoDetector(), surfaces=surfaces).segment_regions(stored(), Regions((region,), None, Orientation()))
    assert surfaces.calls == [([pytest.approx((0.0, 0.0, 130.0, 68.7))], ["femur"])]


@pytest.mark.parametrize("turn", TURNS[:4], ids=str)
def test_the_models_own_method_is_for_each_class_the_first_that_knows_it(turn):
    image, surfaces = stored(turn), SurfaceFake(("tibia", "teeth"))
    femur, tibia = pipeline(surfaces=surfaces).segment(image).objects
    assert [labels for _, labels in surfaces.calls] == [["tibia"]]
    assert (femur.method, tibia.method) == ("box", "surfaces")
    assert femur.thresholds.field.shape == (1, 1) and femur.thresholds.field.roi == femur.region
    assert femur.thresholds.box_agreement == 1.0
    gray = image.gray()
    rule = inside(femur.region, image.shape) & (gray >= INTERVAL[0]) & (gray <= INTERVAL[1])
    np.testing.assert_array_equal(femur.mask, rule & ~tibia.mask)
    np.testing.assert_array_equal(tibia.mask, turn.view(MASKS["tibia"]))


@pytest.mark.parametrize("turn", TURNS, ids=str)
@pytest.mark.parametrize("method", ["surfaces", "box"])
def test_the_single_box_is_always_reported(turn, method):
    box = BoxFake()
    result = pipeline(box=box).segment(stored(turn), method=method)
    assert box.labels == ["femur", "tibia"]
    for item in result.objects:
        assert item.thresholds.box == pytest.approx((*item.region[:2], INTERVAL[0], *item.region[2:], INTERVAL[1]))
        assert item.thresholds.proposal == pytest.approx((*item.region[:2], 80.0, *item.region[2:], INTERVAL[1]))
        assert (item.thresholds.interval, item.thresholds.box_score, item.method) == (INTERVAL, 0.7, method)
        assert item.thresholds.interval_units == pytest.approx((9000.0, 20000.0))


def test_how_much_the_box_alone_explains():
    image = stored()
    for item in pipeline().segment(image).objects:
        window = boxes.pixel_slices(item.thresholds.field.roi, SHAPE)
        gray = image.gray()[window]
        by_box = inside(item.region, SHAPE)[window] & (gray >= INTERVAL[0]) & (gray <= INTERVAL[1])
        both, either = by_box & item.mask[window], by_box | item.mask[window]
        assert item.thresholds.box_agreement == pytest.approx(both.sum() / either.sum())
        assert item.thresholds.box_agreement < 0.9


def test_methods_by_name():
    image = stored()
    ruled = pipeline(surfaces=NoDetector()).segment(image, method="box")
    assert [item.method for item in ruled.objects] == ["box", "box"] and "surfaces" not in ruled.seconds
    assert pipeline().default_method == "surfaces"
    without = rigged(RoiFake(), BoxFake(), clean_up=OFF)
    assert without.default_method == "box"
    for method in (None, "box"):
        result = without.segment(image, method=method)
        assert [item.method for item in result.objects] == ["box", "box"]
        for item, expected in zip(result.objects, ruled.objects):
            np.testing.assert_array_equal(item.mask, expected.mask)


@pytest.mark.parametrize("method", ["boxes", "Surfaces", ""])
def test_an_unknown_method_is_refused_before_anything_runs(method):
    nobody = rigged(NoDetector(), NoDetector(), NoDetector(), surfaces=NoDetector())
    with pytest.raises(ValueError, match="surfaces, box"):
        nobody.segment(stored(), method=method)
    with pytest.raises(ValueError, match="surfaces, box"):
        nobody.segment_regions(stored(), Regions((), None, Orientation()), method=method)


@pytest.mark.parametrize("turn", TURNS[:2], ids=str)
def test_a_method_that_was_asked_for_is_never_replaced_by_another(turn):
    """What it does not know is left out, and said; a model without it is refused."""
    image = stored(turn)
    made = pipeline(surfaces=SurfaceFake(("tibia", "teeth")))
    result = made.segment(image, method="surfaces")
    assert [(item.name, item.method) for item in result.objects] == [("tibia", "surfaces")]
    assert result.notes[-1] == "Left out is femur: the method 'surfaces' of the model rigged does not know it."
    assert result.message == " ".join(["Found tibia.", *result.notes])
    with pytest.raises(MethodError, match="The model rigged has no method 'surfaces': choose one of box"):
        rigged(RoiFake(), BoxFake(), model="rigged").segment(image, method="surfaces")
    with pytest.raises(UnknownClassError, match="The method 'surfaces' of the model rigged does not know 'femur'"):
        with_object(made, result, "femur", (10.0, 10.0, 40.0, 40.0), "surfaces")


def test_stages_are_named_and_timed_in_order():
    stages = []
    result = pipeline(clean_up=PostProcessing(smooth=0.0)).segment(stored(), progress=stages.append)
    assert stages == ["polarity", "regions", "boxes", "surfaces", "masks", "explanation", "overlaps", "post-processing"]
    assert list(result.seconds) == stages


def test_where_nothing_is_found_no_surface_is_looked_for():
    result = pipeline(RoiFake(labels=())).segment(stored())
    assert result.objects == () and result.message == "Nothing was found."


def test_regions_that_overlap_once_grown_share_no_pixel():
    masks = [item.mask for item in pipeline(margin=0.6).segment(stored()).objects]
    np.testing.assert_array_equal(masks[0] | masks[1], MASKS["femur"] | MASKS["tibia"])
    assert not (masks[0] & masks[1]).any()


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_a_region_that_is_drawn_anew_is_looked_at_in_the_same_view(turn):
    image, made = stored(turn), pipeline()
    result = made.segment(image)
    roi = tuple(map(float, boxes.of_mask(turn.view(MASKS["femur"])) + [-4.0, -3.0, 2.0, 5.0]))
    made.roi_detector = NoDetector()
    again = with_region(made, result, "femur", roi)
    femur, tibia = again.objects
    assert tibia is result.objects[1] and again.orientation == result.orientation
    assert (femur.region, femur.score, femur.method) == (roi, 1.0, "surfaces")
    assert femur.thresholds.field.roi == pytest.approx(roi), "a region that is drawn gets no margin"
    assert femur.thresholds.field.shape == (GRID[::-1] if turn.transpose else GRID)
    np.testing.assert_array_equal(femur.mask, turn.view(MASKS["femur"]))
    assert result.objects[0].region != roi, "the old result stays as it was"
