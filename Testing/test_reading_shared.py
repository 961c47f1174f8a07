"""Real DICOM files with traps, where they are at hand."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from GrayscaleDetSegLib.core.reading import describe_text, read_radiograph
from reading_files import DICOM

pytestmark = pytest.mark.skipif(not DICOM.is_dir(), reason="the shared DICOM files are not beside the project")


def read(start: str, **options):
    return read_radiograph(next(DICOM.glob(f"{start}*")), **options)


def slicer_values(radiograph) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(radiograph.source)))[0]


def test_spacing_of_zero():
    chest = read("RG1")
    assert chest.spacing is None
    assert any("PixelSpacing" in note for note in chest.notes)
    assert chest.geometry.spacing == (1.0, 1.0, 1.0)
    assert chest.polarity.inverted
    assert chest.polarity.pivot == 2**15 - 1
    assert np.array_equal(chest.pixels, slicer_values(chest))
    gray = chest.gray()
    assert gray[600:1300, 850:950].mean() > gray[600:1000, 300:600].mean() + 30  # the spine is brighter than the lung


def test_spacing_that_slicer_does_not_use():
    hip = read("RG2")
    assert (hip.spacing.row, hip.spacing.column, hip.spacing.source) == (0.2, 0.2, "PixelSpacing")
    assert hip.geometry.spacing == (1.0, 1.0, 1.0)
    assert any("Slicer places" in note for note in hip.notes)
    assert not hip.polarity.inverted
    assert np.array_equal(hip.pixels, slicer_values(hip))


def test_no_spacing_and_lossless_twin():
    raw, packed = read("RG3_UNC"), read("RG3_JPLL")
    assert raw.spacing is None
    assert packed.spacing is None
    assert np.array_equal(raw.pixels, packed.pixels)
    assert np.array_equal(raw.pixels, 1023 - pydicom.dcmread(raw.source).pixel_array)


def test_modality_lut():
    teeth = read("fodicom")
    table = pydicom.dcmread(teeth.source).ModalityLUTSequence[0].LUTData
    table = np.frombuffer(table, "<u2") if isinstance(table, bytes) else np.array(table)
    stored = 1023 - slicer_values(teeth)  # GDCM inverts, and leaves the table out
    assert np.array_equal(teeth.pixels, int(table.min()) + int(table.max()) - table[stored])
    assert (teeth.spacing.row, teeth.spacing.column) == (0.15, 0.15)
    assert np.allclose(teeth.geometry.spacing, (0.15, 0.15, 1.0))
    assert any("modality LUT" in note for note in teeth.notes)


def test_false_monochrome1_pair():
    right, wrong = read("rsna_CR_chest_mono2"), read("rsna_CR_chest_mono1")
    assert np.array_equal(wrong.pixels, 255 - right.pixels)  # the tag is followed, and what it did is on record
    assert wrong.polarity.inverted
    assert "MONOCHROME1" in wrong.polarity.reason
    undone = wrong.inverted("falsely labelled MONOCHROME1")
    assert np.array_equal(undone.pixels, right.pixels)
    assert np.allclose(undone.gray(), right.gray(), atol=0.01)


def test_smallest():
    spine = read("pydicom_CR")
    assert spine.shape == (16, 16)
    assert (spine.spacing.row, spine.spacing.source) == (0.1, "ImagerPixelSpacing")
    assert spine.pixels.dtype == np.float32
    assert np.allclose(spine.pixels, slicer_values(spine))


@pytest.mark.parametrize("start", ("RG1", "RG2", "RG3_UNC", "pydicom_CR"))
def test_window_of_the_file(start):
    radiograph = read(start, window="voi")
    assert radiograph.mapping.source == "VOI window"
    tags = pydicom.dcmread(radiograph.source)
    low, high = (float(tags.WindowCenter) - 0.5 + side * (float(tags.WindowWidth) - 1) / 2 for side in (-1, 1))
    ends = sorted(radiograph.polarity.pivot - value if radiograph.polarity.inverted else value for value in (low, high))
    assert np.allclose(radiograph.mapping.units, ends)


def test_text_of_every_file():
    for path in sorted(DICOM.glob("*.dcm")):
        text = describe_text(read_radiograph(path))
        assert path.name in text
        assert "Polarity" in text
