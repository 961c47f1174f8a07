"""The small files that lay as they should not, with the shipped model; where they are at hand beside the project."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.radiograph import corrected_area
from GrayscaleDetSegLib.core.reading import read_radiograph
from Testing.reading_files import SHARED

CASES = SHARED / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not beside the project")


@functools.lru_cache(maxsize=1)
def pipeline():
    return load_pipeline(None, "cpu")


@functools.cache
def segmented(name: str):
    return pipeline().segment(read_radiograph(CASES / name))


def places(name: str) -> dict[str, tuple[float, float]]:
    """Middle (x, y) of every object, as a share of the picture."""
    result = segmented(name)
    rows, columns = result.radiograph.shape
    return {item.name: (np.nonzero(item.mask)[1].mean() / columns, np.nonzero(item.mask)[0].mean() / rows)
            for item in result.objects}  # fmt: skip


def notes(name: str) -> str:
    result = segmented(name)
    return " ".join((*result.radiograph.notes, *result.notes))


@pytest.mark.parametrize("name, axis, is_right_first", [
    ("chest_L_F.dcm", 0, True), ("chest_mirrored_R_F.dcm", 0, False), ("chest_upside_down_L_H.dcm", 0, True),
    ("chest_turned_F_R.dcm", 1, False),
])  # fmt: skip
def test_sides_are_as_the_tags_say(name, axis, is_right_first):
    found = places(name)
    assert bool(found["right lung"][axis] < found["left lung"][axis]) is is_right_first
    assert ("Looked at" in notes(name)) is (name != "chest_L_F.dcm")


def test_a_tag_that_the_heart_contradicts_is_said():
    turned = notes("chest_turned_F_R.dcm")  # where the heart is not found on its side, the lungs tell
    assert "heart lies on the right" in turned or "looks turned against its PatientOrientation" in turned
    for name in ("chest_L_F.dcm", "chest_mirrored_R_F.dcm", "chest_upside_down_L_H.dcm"):
        assert "heart" not in notes(name)


def test_the_masks_of_all_chests_are_the_same_turned_back():
    upright = segmented("chest_L_F.dcm")
    for name in ("chest_mirrored_R_F.dcm", "chest_upside_down_L_H.dcm"):
        result = segmented(name)
        for item, other in zip(result.objects, upright.objects):
            np.testing.assert_array_equal(result.view.view(item.mask), other.mask)


def test_a_lateral_film_has_no_side():
    result = segmented("knee_lateral_tag_A_F.dcm")
    assert {item.label for item in result.objects} >= {"femur", "tibia"}
    assert all(item.side is None for item in result.objects)
    assert "a lateral view" in notes("knee_lateral_tag_A_F.dcm")


def test_areas_say_what_they_are_measured_by():
    plain = segmented("knee_magnified_1.15.dcm")
    area = plain.objects[0].area_mm2
    assert plain.radiograph.spacing.plane == "at the detector"
    assert corrected_area(area, plain.radiograph.spacing) == pytest.approx(area / 1.15**2)
    calibrated = segmented("knee_calibrated.dcm")
    assert calibrated.radiograph.spacing.plane == "calibrated (fiducial)"
    assert calibrated.objects[0].area_mm2 == pytest.approx(area * (0.42 / 0.48) ** 2, rel=1e-3)
    micrometres = segmented("knee_micrometres.nrrd")
    assert micrometres.objects[0].area_mm2 == pytest.approx(area, rel=1e-3)
    placed = segmented("knee_zero_sform.nii")
    assert placed.objects[0].area_mm2 == pytest.approx(area, rel=1e-3) and "pixdim" in notes("knee_zero_sform.nii")


@pytest.mark.parametrize("name", [
    "knee_exif6.jpg", "knee_exif6.png", "knee_tiff8_orientation6.tif", "knee_tiff16_orientation2.tif",
    "knee_tiff16_orientation3.tif", "knee_tiff16_orientation6.tif", "knee_tiff16_orientation8.tif",
    "knee_thumbnail_then_full.tif", "knee_turned.png", "knee_upside_down.png", "knee.bmp",
])  # fmt: skip
def test_femur_and_tibia_are_found(name):
    result = segmented(name)
    assert {"femur", "tibia"} <= {item.label for item in result.objects}
    size = {item.label: item.pixel_count for item in segmented("knee_calibrated.dcm").objects}
    for item in result.objects:
        if item.label in ("femur", "tibia"):
            assert item.pixel_count == pytest.approx(size[item.label], rel=0.03)
    if "tiff16" in name:
        assert result.radiograph.pixels.dtype == np.uint16
    if "orientation" in name or "exif" in name:
        upright = {item.label: result.view.view(item.mask) for item in result.objects}
        rows = {label: np.nonzero(mask)[0].mean() for label, mask in upright.items()}
        assert rows["femur"] < rows["tibia"]
    if "thumbnail" in name:
        assert "preview" in notes(name) and result.radiograph.shape == (309, 256)


def test_both_knees():
    labels = [item.label for item in segmented("two_knees.png").objects]
    assert labels.count("femur") == labels.count("tibia") == 2
