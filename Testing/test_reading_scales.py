"""What files say of their scale, each made here: the plane and unit that a spacing holds in, or none."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from GrayscaleDetSegLib.core.radiograph import area_of, corrected_area
from GrayscaleDetSegLib.core.reading import read_radiograph
from Testing.reading_files import (
    phantom,
    write_dicom,
    write_itk,
)

DEEP = phantom(top=4095, dtype=np.uint16)

def written(path, data: bytes):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("said, row, source, plane, corrected, note", [
    ({"PixelSpacing": [0.42] * 2, "ImagerPixelSpacing": [0.48] * 2, "PixelSpacingCalibrationType": "FIDUCIAL"},
     0.42, "PixelSpacing", "calibrated (fiducial)", None, "calibrated (fiducial)"),
    ({"ImagerPixelSpacing": [0.5] * 2, "EstimatedRadiographicMagnificationFactor": 1.25},
     0.5, "ImagerPixelSpacing", "at the detector", 0.16, "areas by 1.562"),
    ({"PixelSpacing": [0.4] * 2, "ImagerPixelSpacing": [0.5] * 2, "EstimatedRadiographicMagnificationFactor": 1.25},
     0.4, "PixelSpacing", "corrected for the magnification 1.25", None, None),
    ({"PixelSpacing": [0.5] * 2, "ImagerPixelSpacing": [0.5] * 2},
     0.5, "PixelSpacing", "at the detector", None, None),
    ({"PixelSpacing": [0.4] * 2, "ImagerPixelSpacing": [0.2] * 2},
     0.4, "PixelSpacing", "", None, "differs from ImagerPixelSpacing"),
    ({"ImagerPixelSpacing": [0.5] * 2, "DistanceSourceToDetector": 1000, "DistanceSourceToPatient": 800},
     0.5, "ImagerPixelSpacing", "at the detector", 0.16, "distances from the source"),
    ({"ImagerPixelSpacing": [0.5] * 2, "DistanceSourceToDetector": 1000, "DistanceSourceToPatient": 800,
      "EstimatedRadiographicMagnificationFactor": 2}, 0.5, "ImagerPixelSpacing", "at the detector", 0.0625,
     "contradict each other"),
    ({"PixelSpacing": [0.5] * 2, "EstimatedRadiographicMagnificationFactor": 1.25},
     0.5, "PixelSpacing", "", None, "does not say whether"),
    ({"ImagerPixelSpacing": [0.5] * 2, "EstimatedRadiographicMagnificationFactor": 0},
     0.5, "ImagerPixelSpacing", "at the detector", None, "makes no sense"),
    ({"PixelSpacing": [0.0, 0.0], "ImagerPixelSpacing": [0.5] * 2},
     0.5, "ImagerPixelSpacing", "at the detector", None, "not two positive numbers"),
    ({"NominalScannedPixelSpacing": [0.5] * 2}, 0.5, "NominalScannedPixelSpacing", "of the scanned film", None, None),
])  # fmt: skip
def test_a_spacing_says_the_plane_that_it_holds_in(said, row, source, plane, corrected, note, tmp_path):
    film = read_radiograph(write_dicom(tmp_path / "a.dcm", DEEP, bits=12, **said))
    spacing = film.spacing
    assert (spacing.row, spacing.source, spacing.plane) == (row, source, plane)
    area = corrected_area(area_of(1, spacing), spacing)
    assert area is None if corrected is None else area == pytest.approx(corrected)
    scale = [text for text in film.notes if "Slicer places" not in text]
    assert scale == [] if note is None else any(note in text for text in scale)


@pytest.mark.parametrize("unit, size", [("um", 1e-3), ("mm", 1.0), ("cm", 10.0), ("", 1.0)])
def test_a_nrrd_file_gives_its_spacing_in_its_own_unit(unit, size, tmp_path):
    data = write_itk(tmp_path / "a.nrrd", DEEP[None], (0.2 / size, 0.3 / size, 1.0)).read_bytes()
    head, pixels = data.split(b"\n\n", 1)
    units = f'\nspace units: "{unit}" "{unit}" "{unit}"'.encode() if unit else b""
    film = read_radiograph(written(tmp_path / "b.nrrd", head + units + b"\n\n" + pixels))
    assert (film.spacing.row, film.spacing.column) == pytest.approx((0.3, 0.2))
    assert len(film.notes) == (size != 1.0)


def test_units_that_are_no_lengths_give_no_spacing(tmp_path):
    data = write_itk(tmp_path / "a.nrrd", DEEP[None], (2.0, 3.0, 1.0)).read_bytes()
    head, pixels = data.split(b"\n\n", 1)
    for units in (b'"pixel" "pixel" "pixel"', b'"mm" "um" "mm"'):
        film = read_radiograph(written(tmp_path / "b.nrrd", head + b"\nspace units: " + units + b"\n\n" + pixels))
        assert film.spacing is None and "no known unit" in film.notes[0]


def test_a_metaimage_file_too(tmp_path):
    data = write_itk(tmp_path / "a.mha", DEEP[None], (2.0, 3.0, 1.0)).read_bytes()
    film = read_radiograph(written(tmp_path / "b.mha", data.replace(b"NDims = 3", b"NDims = 3\nDistanceUnits = um")))
    assert film.spacing.row == pytest.approx(0.003)


def nifti(tmp_path, name="b.nii", codes=(1, 1), sform=None, units=10, dim=3, spacing=(0.2, 0.3, 1.0)):
    data = bytearray(write_itk(tmp_path / "a.nii", DEEP[None].astype(np.int16), spacing).read_bytes())
    struct.pack_into("<hh", data, 252, *codes)
    struct.pack_into("<h", data, 40, dim)
    data[123] = units
    if sform is not None:
        struct.pack_into("<12f", data, 280, *np.asarray(sform, float).ravel())
    return written(tmp_path / name, bytes(data))


FLAT = [[-0.2, 0, 0, 0], [0, -0.3, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize("more, note", [
    ({}, None),
    ({"dim": 4}, None),
    ({"codes": (0, 1), "sform": np.zeros((3, 4))}, "spacing is that of pixdim"),
    ({"codes": (0, 1), "sform": np.full((3, 4), np.nan)}, "spacing is that of pixdim"),
    ({"sform": [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]]}, "check areas"),
    ({"sform": [[0.2, 0, 0, 0], [0, -0.3, 0, 0], [0, 0, 1, 0]]}, "check sides"),
    ({"sform": [[-0.2, 0.0001, 0, 0], [0.0001, -0.3, 0, 0], [0, 0, 1, 0]]}, None),
])  # fmt: skip
def test_a_nifti_file_has_a_spacing_whatever_its_placement(more, note, tmp_path):
    film = read_radiograph(nifti(tmp_path, **more))
    assert (film.spacing.row, film.spacing.column) == pytest.approx((0.3, 0.2))
    np.testing.assert_array_equal(film.pixels, DEEP)
    assert film.notes == () if note is None else len(film.notes) == 1 and note in film.notes[0]


def test_a_nifti_file_in_micrometres_and_a_packed_one_without_placement(tmp_path):
    assert read_radiograph(nifti(tmp_path, units=3, spacing=(200.0, 300.0, 1.0))).spacing.row == pytest.approx(0.3)
    import gzip

    plain = nifti(tmp_path, codes=(0, 1), sform=np.zeros((3, 4)))
    film = read_radiograph(written(tmp_path / "c.nii.gz", gzip.compress(plain.read_bytes())))
    np.testing.assert_array_equal(film.pixels, DEEP)
