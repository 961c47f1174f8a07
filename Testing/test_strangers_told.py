"""What is plainly no radiograph is told by its values, and pixels that no detector has are not believed."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.radiograph import Radiograph, Spacing
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.reading.spacings import weighed
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.strangers import stranger_note
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.pipelines import UNSMOOTHED, BoxFake, rigged
from Testing.reading_files import phantom, write_dicom, write_itk


class Finder:
    """Finds the middle of a picture; remembers its aspect."""

    def __init__(self) -> None:
        self.settings, self.aspect = DetectionSettings(), 0.0

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        self.aspect = pixel_aspect
        rows, columns = gray.shape
        return [RegionProposal("femur", 0.9, (columns / 4, rows / 4, columns * 3 / 4, rows * 3 / 4))]


GENERATOR = np.random.default_rng(3)


def labels(count: int = 5) -> np.ndarray:
    picture = np.zeros((90, 120), np.uint8)
    for value in range(count):
        picture[10 + 14 * value : 22 + 14 * value, 20:100] = value + 1
    return picture


def slice_of_ct() -> np.ndarray:
    picture = np.full((90, 120), -1000) + GENERATOR.integers(-20, 20, (90, 120))
    picture[20:80, 20:100] = GENERATOR.integers(-60, 120, (60, 80))
    picture[40:50, 50:60] = 900
    return picture.astype(np.int16)


def film() -> np.ndarray:
    return (phantom(90, 120, 3000, np.int64) + GENERATOR.integers(0, 60, (90, 120))).astype(np.uint16)


@pytest.mark.parametrize("picture", [labels(), labels(1), 255 * labels(1), labels().astype(np.float32)])
def test_a_label_map_is_told(picture):
    assert "looks like a label map" in stranger_note(picture)


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_a_slice_of_a_ct_is_told(kind):
    assert "Hounsfield" in stranger_note(slice_of_ct().astype(kind))


def test_a_radiograph_is_not():
    assert stranger_note(film()) == stranger_note((film() / 3001).astype(np.float32)) == ""
    assert stranger_note((film() >> 6).astype(np.uint8)) == "", "of few gray levels"
    dark = film().astype(np.int32) - 1500
    assert stranger_note(dark) == "", "of signed values"


def test_files_of_both_carry_the_sentence(tmp_path):
    write_itk(tmp_path / "labels.nrrd", labels())
    assert any("label map" in note for note in read_radiograph(tmp_path / "labels.nrrd").notes)
    write_itk(tmp_path / "ct.nrrd", slice_of_ct())
    assert any("Hounsfield" in note for note in read_radiograph(tmp_path / "ct.nrrd").notes)


@pytest.mark.parametrize("spacing", [[1.0, 300.0], [0.01, 0.2]])
def test_oblong_pixels_are_not_believed(spacing, tmp_path):
    notes: list[str] = []
    tags = {"PixelSpacing": spacing, "ImagerPixelSpacing": [0.2, 0.2]}
    assert weighed(tags.get, notes) == Spacing(0.2, 0.2, "ImagerPixelSpacing", "at the detector")
    assert "no radiograph has" in notes[0] and "PixelSpacing says" in notes[0]
    image = read_radiograph(write_dicom(tmp_path / "a.dcm", film(), PixelSpacing=spacing))
    assert image.spacing is None and any("no radiograph has" in note for note in image.notes)
    write_itk(tmp_path / "a.nrrd", film(), spacing=spacing[::-1])
    image = read_radiograph(tmp_path / "a.nrrd")
    assert image.spacing is None and any("the header says" in note for note in image.notes)


@pytest.mark.parametrize("side", [160.0, 0.00016])
def test_pixels_of_an_absurd_size_are_not_believed(side, tmp_path):
    """Micrometres and metres, written as mm."""
    image = read_radiograph(write_dicom(tmp_path / "a.dcm", film(), PixelSpacing=[side, side]))
    assert image.spacing is None
    assert any(f"PixelSpacing says {side:g} x {side:g} mm" in note and "no radiograph has" in note
               for note in image.notes)
    write_itk(tmp_path / "a.nrrd", film(), spacing=(side, side))
    image = read_radiograph(tmp_path / "a.nrrd")
    assert image.spacing is None and any("the header says" in note for note in image.notes)


@pytest.mark.parametrize("side", [0.005, 0.01, 0.15, 6.0, 15.0])
def test_pixels_of_specimens_and_of_thumbnails_are_believed(side, tmp_path):
    image = read_radiograph(write_dicom(tmp_path / "a.dcm", film(), PixelSpacing=[side, side]))
    assert (image.spacing.row, image.spacing.column) == (side, side)


def test_the_unit_of_length_does_not_squash_the_picture(tmp_path):
    roi = Finder()
    write_itk(tmp_path / "a.nrrd", film(), spacing=(160.0, 320.0))
    rigged(roi, BoxFake(), None, UNSMOOTHED).segment(read_radiograph(tmp_path / "a.nrrd"))
    assert roi.aspect == 2.0


def test_pixels_that_are_a_little_oblong_are_believed(tmp_path):
    image = read_radiograph(write_dicom(tmp_path / "a.dcm", film(), PixelSpacing=[0.2, 0.8]))
    assert (image.spacing.row, image.spacing.column) == (0.2, 0.8)


def test_oblong_pixels_do_not_squash_the_picture(tmp_path):
    roi = Finder()
    image = read_radiograph(write_dicom(tmp_path / "a.dcm", film(), PixelSpacing=[1.0, 300.0]))
    rigged(roi, BoxFake(), None, UNSMOOTHED).segment(image)
    assert roi.aspect == 1.0


def test_sixteen_pixels_are_too_few_and_it_says_so():
    image = Radiograph.from_array(film()[:16, :16])
    result = rigged(Finder(), BoxFake(), None, UNSMOOTHED).segment(image)
    assert result.objects == () and any("16 x 16 pixels, too few" in note for note in result.notes)
