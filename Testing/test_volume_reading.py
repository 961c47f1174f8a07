"""Volumes come out of files of three formats and of DICOM folders alike; what is none is said in a sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.volumes.pipeline import VolumePipeline, VolumeSettings
from GrayscaleDetSegLib.core.volumes.reading import read_volume
from GrayscaleDetSegLib.core.volumes.volume import Volume
from Testing.reading_files import dataset
from Testing.volume_models import block

TILTED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def image_of(values: np.ndarray, spacing=(0.5, 0.75, 2.0), origin=(3.0, 4.0, 5.0), direction=TILTED) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.mhd", "a.nii", "a.nii.gz"])
def test_every_format_gives_voxels_and_placement(name, tmp_path):
    voxels = block()[0]
    sitk.WriteImage(image_of(voxels), str(tmp_path / name))
    volume = read_volume(tmp_path / name)
    assert np.array_equal(volume.voxels, voxels) and volume.voxels.dtype == np.int16
    assert not volume.voxels.flags.writeable and volume.source.name == name and volume.says_spacing
    np.testing.assert_allclose(volume.geometry.spacing, (0.5, 0.75, 2.0), atol=1e-5)
    np.testing.assert_allclose(volume.geometry.origin, (3.0, 4.0, 5.0), atol=1e-5)
    np.testing.assert_allclose(volume.geometry.direction, TILTED, atol=1e-5)
    assert volume.spacing == volume.geometry.spacing[::-1] and volume.voxel_mm3 == pytest.approx(0.75)


def test_the_window_is_the_same_however_the_file_holds_the_volume():
    voxels, _, geometry = block((90, 130, 110))  # large enough to be sampled
    one = Volume.from_array(voxels, geometry)
    turned = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    other = Volume.from_array(voxels[::-1, :, ::-1], type(geometry)(geometry.spacing, geometry.origin, turned))
    assert one.mapping == other.mapping and one.fingerprint != other.fingerprint
    assert one.windowed(0.0, 500.0).mapping.units == (0.0, 500.0)


def vector_image() -> sitk.Image:
    return sitk.GetImageFromArray(np.zeros((8, 9, 10, 3), np.uint8), isVector=True)


def four_dimensional() -> sitk.Image:
    return sitk.JoinSeries([image_of(block()[0])] * 3)


WRONG = {
    "colour": (vector_image, "a.nrrd", "3 values a voxel .colour, vectors"),
    "time in nifti": (four_dimensional, "a.nii.gz", "four dimensions .28 x 26 x 24 x 3.; export the volume of one"),
    "time in metaimage": (four_dimensional, "a.mha", "four dimensions"),
    "one slice": (lambda: image_of(block()[0][:1]), "a.mha", "a single slice .28 x 26 x 1.; this model needs a whole"),
    "thin": (lambda: image_of(block()[0][:3]), "a.nrrd", "at least 4 along each axis"),
    "blank": (lambda: image_of(np.full((8, 9, 10), 7, np.int16)), "a.nrrd", "is blank"),
    "labels": (lambda: image_of(block()[1].astype(np.uint8)), "a.nii.gz", "a label map and no image; choose the vol"),
    "labels as floats": (lambda: image_of(2.0 * block()[1]), "a.nrrd", "a label map and no image"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_gray_volume(kind, tmp_path):
    make, name, reason = WRONG[kind]
    sitk.WriteImage(make(), str(tmp_path / name))
    with pytest.raises(RadiographError, match=reason) as raised:
        read_volume(tmp_path / name)
    assert "\n" not in str(raised.value) and str(raised.value).endswith(".")


@pytest.mark.parametrize(
    "content, reason",
    [(b"", "is empty"), (b"GIF89a", "no volume of a known kind"), (b"\0" * 128 + b"DICM", "give the folder with all")],
)
def test_files_of_other_kinds(content, reason, tmp_path):
    (tmp_path / "a.nrrd").write_bytes(content)
    with pytest.raises(RadiographError, match=reason):
        read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz"])
def test_a_file_that_is_cut_short(name, tmp_path):
    sitk.WriteImage(image_of(np.random.default_rng(0).integers(0, 999, (9, 20, 30)).astype(np.int16)),
                    str(tmp_path / name))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * 0.6)])
    with pytest.raises(RadiographError, match="cut short|damaged"):
        read_volume(tmp_path / name)


def test_a_segmentation_is_no_image(tmp_path):
    sitk.WriteImage(image_of(block()[0]), str(tmp_path / "a.seg.nrrd"))
    path = tmp_path / "a.seg.nrrd"
    path.write_bytes(path.read_bytes().replace(b"NRRD0004\n", b"NRRD0004\nSegment0_ID:=heart\n", 1))
    with pytest.raises(RadiographError, match="holds a segmentation, not an image"):
        read_volume(path)


def test_spacing_that_the_file_does_not_say(tmp_path):
    voxels = block()[0]
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 28 26 24\nendian: little\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + voxels.astype("<i2").tobytes())
    volume = read_volume(tmp_path / "a.nrrd")
    assert not volume.says_spacing and volume.spacing == (1.0, 1.0, 1.0) and "1 mm is taken" in volume.notes[0]


@pytest.mark.parametrize(
    "lines, note",
    [
        ("spacings: -0.9 1.1 2.5", "not a positive number along x: 1 mm is taken there"),
        ("space: LPS\nspace directions: (0,0,0) (0,1.1,0) (0,0,2.5)\nspace origin: (0,0,0)", "along x: 1 mm is taken"),
        ("space: LPS\nspace directions: (1,0,0) (1,0,0) (0,0,2.5)\nspace origin: (0,0,0)", "the directions in"),
    ],
)
def test_a_placement_that_makes_no_sense_is_told(lines, note, tmp_path):
    voxels = block()[0]
    header = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 28 26 24\nendian: little\nencoding: raw\n{lines}\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + voxels.astype("<i2").tobytes())
    volume = read_volume(tmp_path / "a.nrrd")
    assert any(note in each for each in volume.notes) and np.array_equal(volume.voxels, voxels)


@pytest.mark.parametrize("spacing, is_told", [
    ((1400.0, 1400.0, 2000.0), True), ((0.00016, 0.00016, 0.001), True), ((0.01, 0.01, 0.01), False),
    ((0.5, 0.5, 30.0), False),
])  # fmt: skip
def test_distances_that_no_scan_has_are_told(spacing, is_told, tmp_path):
    """They stay, because Slicer places the volume so, but nobody believes the mm3 unwarned."""
    sitk.WriteImage(image_of(block()[0], spacing), str(tmp_path / "a.nrrd"))
    volume = read_volume(tmp_path / "a.nrrd")
    assert volume.geometry.spacing == pytest.approx(spacing)
    assert any("which no scan has" in note for note in volume.notes) == is_told


@pytest.mark.parametrize("number, value", [(1, 0.5), (0, float("nan"))])
def test_a_nifti_file_whose_axes_are_askew_is_not_called_damaged(number, value, tmp_path):
    path = tmp_path / "a.nii"
    sitk.WriteImage(image_of(block()[0]), str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into("<hh", content, 252, 0, 1)
    struct.pack_into("<f", content, 280 + 4 * number, value)
    path.write_bytes(bytes(content))
    with pytest.raises(RadiographError, match="axes that are not at right angles, or none; resample it"):
        read_volume(path)


def write_series(folder: Path, voxels: np.ndarray, order=None, places=None, **tags) -> None:
    """One file a slice, along an oblique normal, named against their order; values below by 1000 by the rescale."""
    folder.mkdir(exist_ok=True)
    row, column = np.array([0.8, 0.6, 0.0]), np.array([0.0, 0.0, -1.0])
    normal = np.cross(row, column)
    for number in range(len(voxels)) if order is None else order:
        place = 2.5 * number if places is None else places[number]
        own = {key: value(number) if callable(value) else value for key, value in tags.items()}
        position = np.array([10.0, 20.0, 30.0]) + place * normal + own.pop("aside", 0.0) * row
        made = dataset(
            (voxels[number] + 1000).astype(np.uint16), Modality="CT", SOPInstanceUID=f"2.25.{number + 1}",
            SeriesInstanceUID=own.pop("SeriesInstanceUID", "2.25.9"), RescaleIntercept="-1000", RescaleSlope="1",
            ImageOrientationPatient=own.pop("ImageOrientationPatient", [*row, *column]),
            ImagePositionPatient=position.tolist(), PixelSpacing=own.pop("PixelSpacing", [0.75, 0.5]), **own,
        )  # fmt: skip
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        made.save_as(folder / f"{len(voxels) - number:04d}", enforce_file_format=True)


def test_a_folder_of_dicom_slices_is_what_itk_reads(tmp_path):
    voxels = block()[0] - 1000
    write_series(tmp_path / "ct", voxels)
    (tmp_path / "ct" / "README.txt").write_text("not an image")
    volume = read_volume(tmp_path / "ct")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "ct"))
    known = sitk.ReadImage(names)
    assert np.array_equal(volume.voxels, sitk.GetArrayFromImage(known))
    assert np.array_equal(volume.voxels, voxels) and volume.voxels.dtype == np.int16 and volume.modality == "CT"
    np.testing.assert_allclose(volume.geometry.spacing, known.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(volume.geometry.origin, known.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(volume.geometry.direction, known.GetDirection(), atol=1e-6)


GAP = [number for number in range(24) if number not in (9, 10)]
SERIES = {
    "gap": (dict(order=GAP), "lacks 2 slices .the first behind slice 9 of 22."),
    "uneven": (dict(places=[2.5 * n + (0.9 if n == 7 else 0.0) for n in range(24)]), "unevenly spaced .1.6 to 3.4 mm"),
    "copies": (dict(places=[2.5 * (n // 2) for n in range(24)]), "12 slices in ct lie where another one does"),
    "orientation": (
        dict(ImageOrientationPatient=lambda n: [1, 0, 0, 0, 1, 0] if n == 3 else [0.8, 0.6, 0, 0, 0, -1]),
        "different orientations",
    ),
    "several series": (dict(SeriesInstanceUID=lambda n: f"2.25.{9 + n % 2}"), "holds 2 series .12, 12 slices."),
    "spacing": (dict(PixelSpacing=lambda n: [0.75, 0.5 + 0.1 * (n == 2)]), "differ in pixel spacing"),
    "one slice": (dict(order=[4]), "holds a single slice"),
    "no place": (dict(ImageOrientationPatient=[]), "does not say where it lies"),
    "no directions": (dict(ImageOrientationPatient=[0.0] * 6), "does not say where it lies"),
    "askew": (dict(ImageOrientationPatient=[0.8, 0.6, 0, 0.6, 0.8, 0]), "does not say where it lies"),
    "beside": (dict(aside=lambda n: 40.0 * (n == 5)), "lie up to 40 mm beside the line"),
    "real numbers": (dict(FloatPixelData=bytes(16)), "holds floating-point pixels"),
    "frames": (dict(NumberOfFrames=3), "holds 3 frames in one file"),
}


@pytest.mark.parametrize("kind", SERIES)
def test_a_folder_that_is_no_single_even_series(kind, tmp_path):
    how, reason = SERIES[kind]
    write_series(tmp_path / "ct", block()[0], **how)
    with pytest.raises(RadiographError, match=reason) as raised:
        read_volume(tmp_path / "ct")
    assert "\n" not in str(raised.value)


def test_a_series_with_a_damaged_slice(tmp_path):
    write_series(tmp_path / "ct", block()[0])
    path = tmp_path / "ct" / "0007"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(RadiographError, match="cut short|damaged"):
        read_volume(tmp_path / "ct")


@pytest.mark.parametrize("content, reason", [(b"", "0001 is empty .0 bytes., though it is called as the slices in ct"),
                                             (bytes(4096), "0001 is damaged, though it is called as the slices")])
def test_a_slice_that_is_no_dicom_file_any_more_is_not_passed_over(content, reason, tmp_path):
    write_series(tmp_path / "ct", block()[0])
    (tmp_path / "ct" / "VERSION").write_text("of another kind")
    assert read_volume(tmp_path / "ct").shape[0] == 24
    (tmp_path / "ct" / "0001").write_bytes(content)
    with pytest.raises(RadiographError, match=reason):
        read_volume(tmp_path / "ct")


def test_slices_that_are_missing_at_an_end_are_told_where_the_files_know(tmp_path):
    voxels = block()[0]
    numbered = dict(InstanceNumber=lambda n: n + 1)
    write_series(tmp_path / "whole", voxels, ImagesInAcquisition=24, **numbered)
    assert read_volume(tmp_path / "whole").missing is None
    write_series(tmp_path / "first", voxels, order=range(3, 24), **numbered)
    assert read_volume(tmp_path / "first").missing == "The slices are numbered from 4 on: those before may be missing."
    write_series(tmp_path / "last", voxels, order=range(20), ImagesInAcquisition=24, **numbered)
    found = read_volume(tmp_path / "last")
    assert found.missing == "The files say that there are 24 slices and 20 are here: some may be missing."
    assert VolumePipeline([], VolumeSettings(modality="MR"))._doubts(found)[0] == found.missing, "it reaches the user"
    write_series(tmp_path / "unknown", voxels, order=range(20), InstanceNumber="")
    assert read_volume(tmp_path / "unknown").missing is None


def test_a_folder_without_slices(tmp_path):
    with pytest.raises(RadiographError, match="holds no DICOM slices"):
        read_volume(tmp_path)
    with pytest.raises(RadiographError, match="does not exist"):
        read_volume(tmp_path / "missing")
