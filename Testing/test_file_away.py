"""What a volume's file said, where the file is away: an .mrb holds every volume as .nrrd, on whichever computer."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.logic.dicom_context import context_of
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import volumes
from Testing.reading_files import write_dicom
from Testing.rigged import film, rigged_pipeline
from Testing.scene_nodes import add_volume, scene_with_logics
from Testing.test_dicom_context import Database, stored_at
from Testing.test_volume_source import load

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

INSTANCE = "2.25.1"
TAGS = {
    "PixelSpacing": [0.2, 0.168], "PhotometricInterpretation": "MONOCHROME1", "PatientOrientation": ["R", "F"],
    "ImageLaterality": "L", "Modality": "CR", "PixelSpacingCalibrationType": "FIDUCIAL",
}  # fmt: skip


@pytest.fixture
def scene(tmp_path):
    """A scene that can be saved."""
    made = scene_with_logics(tmp_path)
    yield made
    made.Clear(True)


@pytest.fixture
def database(monkeypatch):
    made = Database(files={})
    monkeypatch.setattr(slicer, "dicomDatabase", made, raising=False)
    return made


def dicom_film(scene, database, folder, **tags):
    """A film as Slicer's second reader loads it: at 1 mm, with the values of the file."""
    database.files[INSTANCE] = str(write_dicom(folder / "a.dcm", film(), bits=12, **{**TAGS, **tags}))
    volume = add_volume(scene, film())
    volume.SetAttribute("DICOM.instanceUIDs", INSTANCE)
    return volume


def segmented(scene, volume, into=None):
    """The result of a run, and how the volume was read."""
    reading = Workspace(scene).read(volume)
    found = rigged_pipeline().segment(reading.radiograph)
    Workspace(scene).show(reading, found, into)
    return found, reading.radiograph


def reopened(scene, folder):
    """The volume and the segmentation of the scene, saved as .mrb and opened on a computer without their files."""
    path = folder / "scene.mrb"
    assert scene.WriteToMRB(str(path), None)
    for each in folder.glob("a.*"):
        each.unlink()
    scene.Clear(True)
    assert scene.ReadFromMRB(str(path), True)
    volume = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert volumes.file_of(volume).suffix == ".nrrd"
    return volume, scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")


def test_a_film_is_read_elsewhere_as_it_was_here(scene, database, tmp_path):
    volume = dicom_film(scene, database, tmp_path)
    before, image = segmented(scene, volume)
    assert image.spacing.plane and image.polarity.inverted and image.lie.laterality == "left"
    volume, node = reopened(scene, tmp_path)
    after, again = segmented(scene, volume, node)
    assert (again.spacing, again.polarity, again.lie) == (image.spacing, image.polarity, image.lie)
    assert again.notes == image.notes and again.modality == "CR"
    assert [item.area_mm2 for item in after.objects] == [item.area_mm2 for item in before.objects]


@pytest.mark.parametrize("turned", [True, False])
def test_which_of_slicers_readers_loaded_it_is_known_elsewhere(turned, scene, database, tmp_path):
    volume = dicom_film(scene, database, tmp_path)
    if turned:
        volume.SetAndObserveImageData(load(scene, database.files[INSTANCE]).GetImageData())
    assert Workspace(scene).read(volume).radiograph.polarity.inverted is not turned
    segmented(scene, volume)
    database.files.clear()
    again = Workspace(scene).read(volume).radiograph
    assert again.polarity.inverted is not turned and not any("is taken to have" in note for note in again.notes)


def test_neither_the_patient_nor_folders_are_kept(scene, database, tmp_path):
    volume = dicom_film(scene, database, tmp_path, StudyInstanceUID="2.25.77", SeriesInstanceUID="2.25.78")
    segmented(scene, volume)
    kept = volume.GetAttribute("GrayscaleDetSeg.FileSays")
    assert "0.168" in kept and not any(text in kept for text in ("2.25.77", "2.25.78", str(tmp_path), "a.dcm"))


def test_a_film_that_was_never_segmented_has_no_areas_elsewhere(scene, database, tmp_path):
    dicom_film(scene, database, tmp_path)
    volume, _node = reopened(scene, tmp_path)
    found, image = segmented(scene, volume)
    assert image.spacing is None and [item.area_mm2 for item in found.objects] == [None, None]
    assert [note for note in image.notes if "DICOM file" in note] == [
        "the DICOM file of the image is not here, so check spacing, polarity and sides"
    ]
    volume.SetSpacing(0.2, 0.2, 1)  # as a person does who knows it
    assert Workspace(scene).read(volume).radiograph.spacing.row == 0.2


def test_the_spacing_that_a_person_sets_elsewhere_counts(scene, database, tmp_path):
    segmented(scene, dicom_film(scene, database, tmp_path))
    volume, _node = reopened(scene, tmp_path)
    volume.SetSpacing(0.35, 0.35, 1)
    spacing = Workspace(scene).read(volume).radiograph.spacing
    assert (spacing.row, spacing.source) == (0.35, "volume")


@pytest.mark.parametrize("kind, dpi", [("png", None), ("jpg", 72)])
def test_a_picture_without_a_spacing_has_none_as_nrrd_either(kind, dpi, scene, tmp_path):
    path = tmp_path / f"a.{kind}"
    Image.fromarray((film() // 16).astype(np.uint8)).save(path)
    volume = stored_at(scene, film(), path)
    if dpi:
        volume.SetSpacing(25.4 / dpi, 25.4 / dpi, 1)
    found, image = segmented(scene, volume)
    assert image.spacing is None
    volume, node = reopened(scene, tmp_path)
    found, image = segmented(scene, volume, node)
    assert image.spacing is None and found.objects[0].area_mm2 is None
    volume.SetSpacing(0.143, 0.143, 1)
    assert Workspace(scene).read(volume).radiograph.spacing.row == 0.143


def test_a_picture_in_a_scene_of_a_former_version_has_none(scene, tmp_path):
    volume = stored_at(scene, film(), tmp_path / "a.nrrd")
    volume.SetAttribute("GrayscaleDetSeg.SpacingSource", "")
    assert Workspace(scene).read(volume).radiograph.spacing is None


def test_how_a_picture_lies_is_known_as_nrrd(scene, tmp_path):
    data, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 3
    Image.fromarray((film() // 16).astype(np.uint8)).save(data, "PNG", exif=exif)
    (tmp_path / "a.png").write_bytes(data.getvalue())
    segmented(scene, stored_at(scene, film(), tmp_path / "a.png"))
    volume, _node = reopened(scene, tmp_path)
    assert Workspace(scene).read(volume).radiograph.lie.turn == Orientation(flip_rows=True, flip_columns=True)


@pytest.mark.parametrize("text", ["{", "[]", '{"2.25.1": 3}', '{"2.25.1": {"PixelSpacing": 3}}'])
def test_what_was_kept_may_be_damaged(text, scene, database, tmp_path):
    volume = dicom_film(scene, database, tmp_path)
    database.files.clear()
    volume.SetAttribute("GrayscaleDetSeg.FileSays", text)
    assert Workspace(scene).read(volume).radiograph.spacing is None


def test_a_picture_whose_lie_is_damaged_says_nothing_of_it(scene, tmp_path):
    volume = stored_at(scene, film(), tmp_path / "a.nrrd")
    volume.SetAttribute("GrayscaleDetSeg.FileSays", '{"": {"PictureLie": "{", "IsPicture": "YES"}}')
    assert context_of(volume) and Workspace(scene).read(volume).radiograph.lie.turn is None


@pytest.mark.parametrize("spacing", [0.1, 0.2, 1.0])
def test_a_spacing_that_a_person_mends_counts(spacing, scene, tmp_path):
    """The file's own was absurd and was not believed."""
    volume = add_volume(scene, film())
    volume.SetSpacing(160.0, 160.0, 1.0)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(tmp_path / "film.nrrd"))
    scene.AddNode(storage)
    volume.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.WriteData(volume)
    assert segmented(scene, volume)[1].spacing is None
    volume.SetSpacing(spacing, spacing, 1.0)
    assert Workspace(scene).read(volume).radiograph.spacing.row == pytest.approx(spacing)
