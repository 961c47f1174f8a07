"""What DICOM tags add to a volume: polarity and spacing, whichever of Slicer's readers loaded it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.scene import volumes
from GrayscaleDetSegLib.scene.volume_source import polarity_of, spacing_of
from Testing.fakes import radiograph
from Testing.reading_files import write_dicom
from Testing.scene_nodes import add_volume

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


@pytest.fixture
def stored():
    """12 bit values, asymmetric."""
    return np.array(radiograph().pixels)


def context_of(path: Path) -> dict:
    """As the DICOM database would tell them: text, several values separated by backslashes."""
    import pydicom

    dataset = pydicom.dcmread(path)
    context = {"FilePath": str(path)}
    for keyword in ("PhotometricInterpretation", "BitsStored", "PixelRepresentation", "Modality", "PixelSpacing",
                    "ImagerPixelSpacing", "PresentationLUTShape", "RescaleSlope", "RescaleIntercept"):
        value = dataset.get(keyword, "")
        is_list = isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue"
        context[keyword] = "\\".join(map(str, value)) if is_list else str(value)
    return context


def load(scene, path: Path):
    """As Slicer loads it by default: through GDCM."""
    logic = slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLScene(scene)
    return logic.AddArchetypeVolume(str(path), "film", 0)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_loaded_by_gdcm_nothing_is_left_to_do(photometric, scene, stored, tmp_path):
    """GDCM turns MONOCHROME1 over; the result agrees with our own reader of the file, pixel by pixel."""
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, PhotometricInterpretation=photometric, Modality="DX")
    ours = read_radiograph(path)
    theirs = volumes.read_volume(load(scene, path), context=context_of(path))
    assert (theirs.pixels == ours.pixels).all() and not theirs.polarity.inverted
    assert photometric in theirs.polarity.reason and theirs.modality == "DX" and theirs.notes == ()
    assert ours.polarity.inverted is (photometric == "MONOCHROME1")


def test_loaded_as_stored_the_values_are_turned_over_here(scene, stored, tmp_path):
    """What DCMTK leaves: the file's values."""
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, PhotometricInterpretation="MONOCHROME1")
    theirs = volumes.read_volume(add_volume(scene, stored), context=context_of(path))
    assert theirs.polarity.inverted and "as they are" in theirs.polarity.reason
    assert (theirs.pixels == read_radiograph(path).pixels).all()
    kept = volumes.read_volume(add_volume(scene, stored), polarity="as-is", context=context_of(path))
    assert (kept.pixels == stored).all() and "on request" in kept.notes[-1]


@pytest.mark.parametrize("path", ["", "missing.dcm"])
def test_without_the_file_slicers_default_is_assumed_and_said(path, scene, stored):
    context = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": "12", "FilePath": path}
    image = volumes.read_volume(add_volume(scene, stored), context=context)
    assert not image.polarity.inverted and "taken to have turned" in image.notes[0]
    turned = volumes.read_volume(add_volume(scene, stored), polarity="inverted", context=context)
    assert (turned.pixels == 4095 - stored).all()


def test_a_volume_that_was_changed_since_cannot_be_compared(scene, stored, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, PhotometricInterpretation="MONOCHROME1")
    for changed in (stored[:50], np.random.default_rng(0).permutation(stored.ravel()).reshape(stored.shape)):
        image = volumes.read_volume(add_volume(scene, changed), context=context_of(path))
        assert not image.polarity.inverted and "taken to have turned" in image.notes[0]


def test_presentation_shape_inverse_is_ours_to_see(scene, stored, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, PresentationLUTShape="INVERSE")
    theirs = volumes.read_volume(load(scene, path), context=context_of(path))
    assert theirs.polarity.inverted and (theirs.pixels == read_radiograph(path).pixels).all()


@pytest.mark.parametrize(
    "context, pivot",
    [
        ({"BitsStored": "10", "PixelRepresentation": "0"}, 1023.0),
        ({"BitsStored": "10", "PixelRepresentation": "1"}, -1.0),
        ({"BitsStored": 12, "RescaleSlope": "2", "RescaleIntercept": "-100"}, 2 * 4095.0 - 200.0),
        ({"BitsStored": "many"}, 4095.0),
        ({}, 4095.0),
    ],
)
def test_values_are_turned_over_within_the_files_range(context, pivot, stored):
    assert polarity_of(stored, "inverted", context)[0].pivot == pivot


def test_a_ct_is_read_but_said_to_be_one(scene, stored):
    image = volumes.read_volume(add_volume(scene, stored), context={"Modality": "CT"})
    assert image.modality == "CT" and "made for projection radiographs" in image.notes[0]


def spacing(row, column, context=None, file=None, is_colour=False):
    from GrayscaleDetSegLib.core.radiograph import Geometry

    geometry = Geometry((column, row, 1.0))
    return spacing_of(geometry, context or {}, None if file is None else Path(file), is_colour)


def test_spacing_by_the_tags_in_their_order_of_meaning():
    """GDCM places by ImagerPixelSpacing; what counts is the calibrated spacing, as for files."""
    context = {"PixelSpacing": "0.4\\0.3", "ImagerPixelSpacing": "0.15\\0.2"}
    found, notes = spacing(0.15, 0.2, context)
    assert (found.row, found.column, found.source) == (0.4, 0.3, "PixelSpacing")
    assert "0.15 x 0.2 mm" in notes[0] and "PixelSpacing says 0.4 x 0.3" in notes[0]
    found, notes = spacing(0.15, 0.2, {"ImagerPixelSpacing": (0.15, 0.2)})
    assert (found.row, found.column, found.source) == (0.15, 0.2, "ImagerPixelSpacing") and notes == []


def test_axes_exchanged_by_dcmtk():
    found, notes = spacing(0.2, 0.15, {"ImagerPixelSpacing": "0.15\\0.2"})
    assert (found.row, found.column) == (0.15, 0.2) and "Slicer places the pixels 0.2 x 0.15" in notes[0]


def test_a_spacing_set_by_hand_counts_before_the_tags():
    found, notes = spacing(0.31, 0.31, {"PixelSpacing": "0.4\\0.4"})
    assert (found.row, found.source) == (0.31, "volume") and notes == []


@pytest.mark.parametrize("bad", ["", "0\\0", "a\\b", "0.1", "nan\\1", None, "0.1\\0.1\\0.1"])
def test_tags_that_make_no_sense_are_ignored(bad):
    assert spacing(0.5, 0.5, {"PixelSpacing": bad})[0].source == "volume"


def test_one_millimetre_may_stand_for_unknown():
    assert spacing(1.0, 1.0)[0].source == "volume"  # a NRRD file can mean it
    assert spacing(1.0, 1.0, {"Modality": "DX"})[0] is None
    assert spacing(1.0, 1.0, file="film.png")[0] is None
    assert spacing(1.0, 1.0, is_colour=True)[0] is None


def test_a_printers_resolution_is_no_spacing():
    found, notes = spacing(25.4 / 72, 25.4 / 72, file="film.JPG")
    assert found is None and notes == ["the 72 dpi in the file are a printer's resolution and not used"]
    assert spacing(25.4 / 72, 25.4 / 72, file="film.nrrd")[0] is not None
    assert spacing(0.143, 0.143, file="film.jpg")[0].row == 0.143
