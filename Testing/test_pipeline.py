"""The stages put together, with detectors that are rigged: what the pipeline itself does can be told from theirs."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.assembly import unique_names
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.radiograph import Spacing
from GrayscaleDetSegLib.core.regions import Regions
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.fakes import bar, letter_l
from Testing.pipelines import HIGH, LOW, SHAPE, BoxFake, RoiFake, picture, pipeline, radiograph


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


class NoRoi:
    settings = DetectionSettings()

    def candidates(self, *_):
        raise AssertionError("the 2D detector is not to be asked")


def test_a_region_drawn_by_hand_needs_no_2d_detector():
    drawn = RegionProposal("tibia", 1.0, (10.0, 5.0, 70.0, 50.0), drawn=True)
    box = BoxFake()
    result = pipeline(NoRoi(), box).segment_regions(radiograph(), Regions((drawn,), None, Orientation()))
    np.testing.assert_array_equal(result.objects[0].mask, letter_l())
    assert (result.objects[0].name, result.objects[0].score) == ("tibia", 1.0)
    assert result.best_candidate is None and [label for _, label in box.calls] == ["tibia"]
    assert result.score_threshold == 0.0 < NoRoi.settings.score
    assert set(result.seconds) == {"boxes", "masks", "explanation", "overlaps", "post-processing"}


def test_progress_names_the_stages_in_order():
    stages = []
    pipeline().segment(radiograph(), progress=stages.append)
    assert stages == ["polarity", "regions", "boxes", "masks", "explanation", "overlaps", "post-processing"]
    stages.clear()
    pipeline().segment(radiograph(), clean_up=False, progress=stages.append)
    assert stages == ["polarity", "regions", "boxes", "masks", "explanation", "overlaps"]
