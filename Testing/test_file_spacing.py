"""A file's spacing against Slicer's volume, two films in one volume, and how a volume's picture lies."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.logic.dicom_context import context_of
from GrayscaleDetSegLib.logic.file_spacing import (
    can_take_back,
    give_file_spacing,
    offered_spacing,
    take_file_spacing_back,
)
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import record, segmentation, volumes
from GrayscaleDetSegLib.scene.segmentation import segment_ids
from Testing.fakes import radiograph, result
from Testing.reading_files import pil_bytes, write_dicom, write_itk
from Testing.rigged import Bench, change
from Testing.rigged import film as rigged_film
from Testing.scene_nodes import add_bending_transform, add_volume
from Testing.test_dicom_context import Database, stored_at
from Testing.test_moved_images import looked_at
from Testing.test_volume_source import load

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture
def stored():
    return np.array(radiograph().pixels)


@pytest.fixture
def database(monkeypatch):
    made = Database(files={})
    monkeypatch.setattr(slicer, "dicomDatabase", made, raising=False)
    return made


def film(scene, database, pixels, path, uid="2.25.1", **tags):
    """A volume as Slicer's DICOM module leaves one whose PixelSpacing it does not look at: 1 mm."""
    write_dicom(path, pixels, bits=12, Modality="CR", **tags)
    database.files[uid] = str(path)
    volume = add_volume(scene, pixels)
    volume.SetAttribute("DICOM.instanceUIDs", uid)
    return volume


def test_the_files_spacing_counts_where_slicer_made_one_up(scene, stored, database, tmp_path):
    volume = film(scene, database, stored, tmp_path / "a.dcm", PixelSpacing=[0.2, 0.168])
    spacing, notes = Workspace(scene).read(volume).radiograph.spacing, Workspace(scene).read(volume).radiograph.notes
    assert (spacing.row, spacing.column, spacing.source) == (0.2, 0.168, "PixelSpacing")
    assert "1 x 1 mm apart" in notes[0] and "0.2 x 0.168" in notes[0]


@pytest.mark.parametrize("placed", [1.0, 160.0], ids=["Slicer ignores it", "Slicer believes it"])
def test_pixels_of_an_absurd_size_give_no_areas(placed, scene, stored, database, tmp_path):
    volume = film(scene, database, stored, tmp_path / "a.dcm", PixelSpacing=[160.0, 160.0])
    volume.SetSpacing(placed, placed, 1)
    image = Workspace(scene).read(volume).radiograph
    assert image.spacing is None and offered_spacing(volume) is None
    assert any("160 x 160 mm" in note and "no radiograph has" in note for note in image.notes)


def test_the_spacing_that_a_person_set_counts_before_the_files(scene, stored, database, tmp_path):
    volume = film(scene, database, stored, tmp_path / "a.dcm", PixelSpacing=[0.2, 0.2])
    volume.SetSpacing(0.35, 0.35, 1)
    spacing = Workspace(scene).read(volume).radiograph.spacing
    assert (spacing.row, spacing.source) == (0.35, "volume") and offered_spacing(volume) is None


def test_magnification_and_plane_are_those_of_the_file(scene, stored, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, ImagerPixelSpacing=[0.5, 0.5],
                       EstimatedRadiographicMagnificationFactor=1.25)  # fmt: skip
    spacing = Workspace(scene).read(load(scene, path)).radiograph.spacing
    assert (spacing.row, spacing.plane, spacing.magnification) == (0.5, "at the detector", 1.25)


def test_the_file_spacing_can_be_given_and_taken_back(scene, stored, database, tmp_path):
    workspace = Workspace(scene)
    volume = film(scene, database, stored, tmp_path / "a.dcm", PixelSpacing=[0.2, 0.168])
    reading = workspace.read(volume)
    shown = workspace.show(reading, result(reading.radiograph))
    areas = [item.area_mm2 for item in workspace.shown(shown.segmentation).result.objects]
    masks = [item.mask for item in workspace.shown(shown.segmentation).result.objects]
    assert not can_take_back(volume)

    assert give_file_spacing(workspace, volume).row == 0.2
    assert volume.GetSpacing() == (0.168, 0.2, 1.0)
    assert offered_spacing(volume) is None and give_file_spacing(workspace, volume) is None
    again = workspace.read(volume).radiograph
    assert again.spacing.source == "PixelSpacing" and not any("Slicer places" in note for note in again.notes)

    def same():
        found = workspace.shown(shown.segmentation).result
        assert [item.area_mm2 for item in found.objects] == areas
        for item, mask in zip(found.objects, masks):
            np.testing.assert_array_equal(item.mask, mask)
        assert len(segment_ids(shown.segmentation)) == len(masks)

    same()
    assert can_take_back(volume) and take_file_spacing_back(workspace, volume)
    assert volume.GetSpacing() == (1.0, 1.0, 1.0) and not can_take_back(volume)
    same()
    assert not take_file_spacing_back(workspace, volume) and not workspace.undo(shown.segmentation)


def test_nothing_is_offered_where_nothing_is_known(scene, stored, tmp_path):
    assert offered_spacing(add_volume(scene, stored)) is None
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, ImagerPixelSpacing=[0.5, 0.5])
    assert offered_spacing(load(scene, path)) is None
    assert offered_spacing(add_volume(scene, np.stack([stored, stored]))) is None


@pytest.mark.parametrize("exchanged", [False, True])
def test_two_films_in_one_volume_are_read_by_their_own_files(exchanged, scene, stored, database, tmp_path):
    """As Slicer makes one volume of two films in one series, the spacing of the first for both."""
    second = np.ascontiguousarray(stored[::-1])
    write_dicom(tmp_path / "a.dcm", stored, bits=12, PixelSpacing=[0.2, 0.2], SeriesInstanceUID="2.25.9")
    write_dicom(tmp_path / "b.dcm", second, bits=12, PixelSpacing=[0.1, 0.1], SeriesInstanceUID="2.25.9",
                PhotometricInterpretation="MONOCHROME1", PatientOrientation=["R", "F"])  # fmt: skip
    database.files.update({"2.25.1": str(tmp_path / "a.dcm"), "2.25.2": str(tmp_path / "b.dcm")})
    volume = add_volume(scene, np.stack([stored, 4095 - second] if not exchanged else [4095 - second, stored]))
    volume.SetAttribute("DICOM.instanceUIDs", "2.25.1 2.25.2")
    volume.SetSpacing(0.2, 0.2, 1.0)
    workspace = Workspace(scene)
    first, other = (workspace.read(volume, slice_index=index).radiograph for index in ((1, 0) if exchanged else (0, 1)))
    assert (first.spacing.row, other.spacing.row) == (0.2, 0.1)
    assert "MONOCHROME2" in first.polarity.reason and "MONOCHROME1" in other.polarity.reason
    assert any("0.2 x 0.2 mm apart" in note for note in other.notes)
    np.testing.assert_array_equal(other.pixels, 4095 - second)
    assert first.lie.turn is None and other.upright == Orientation(flip_columns=True)
    assert (first.source.path.name, other.source.path.name) == ("a.dcm", "b.dcm")


def test_two_films_as_they_are_stored(scene, stored, database, tmp_path):
    """The other film is MONOCHROME1 and its slice was loaded as it is: it alone is turned over."""
    second = np.ascontiguousarray(stored[::-1])
    write_dicom(tmp_path / "a.dcm", stored, bits=12)
    write_dicom(tmp_path / "b.dcm", second, bits=12, PhotometricInterpretation="MONOCHROME1")
    database.files.update({"2.25.1": str(tmp_path / "a.dcm"), "2.25.2": str(tmp_path / "b.dcm")})
    volume = add_volume(scene, np.stack([stored, second]))
    volume.SetAttribute("DICOM.instanceUIDs", "2.25.1 2.25.2")
    images = [Workspace(scene).read(volume, slice_index=index).radiograph for index in (0, 1)]
    assert [image.polarity.inverted for image in images] == [False, True]


def test_a_volume_lies_as_its_file_says(scene, stored, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, PatientOrientation=["L", "H"], ViewPosition="LL")
    image = Workspace(scene).read(load(scene, path)).radiograph
    assert image.upright == Orientation(flip_rows=True) and image.lie.sideless
    assert any("contradict each other, so no sides" in note for note in image.notes)
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    picture = tmp_path / "a.png"
    picture.write_bytes(pil_bytes((stored >> 4).astype(np.uint8), "PNG", exif=exif))
    assert Workspace(scene).read(stored_at(scene, stored, picture)).radiograph.lie.said_by == "EXIF orientation 6"
    picture.unlink()
    assert Workspace(scene).read(stored_at(scene, stored, picture)).radiograph.lie.turn is None


def test_a_volume_from_a_file_in_micrometres(scene, stored, tmp_path):
    data = write_itk(tmp_path / "a.nrrd", stored[None], (480.0, 480.0, 1.0)).read_bytes()
    head, pixels = data.split(b"\n\n", 1)
    (tmp_path / "b.nrrd").write_bytes(head + b'\nspace units: "um" "um" "um"\n\n' + pixels)
    volume = stored_at(scene, stored, tmp_path / "b.nrrd")
    volume.SetSpacing(480.0, 480.0, 1.0)
    image = Workspace(scene).read(volume).radiograph
    assert image.spacing.row == pytest.approx(0.48) and "in um" in image.notes[0]


def test_a_falling_table_turns_a_volume_over(scene, stored, tmp_path):
    from Testing.test_reading_kinds import FALLING, Sequence, lut

    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, VOILUTSequence=Sequence([lut(0, FALLING)]))
    assert context_of(load(scene, path))["VOILUTDescends"] == "YES"
    image = Workspace(scene).read(load(scene, path)).radiograph
    np.testing.assert_array_equal(image.pixels, 4095 - stored)
    assert any("VOI LUT descends" in note for note in image.notes)


def test_context_is_read_once_for_a_volume_of_one_slice(scene, stored, database, tmp_path):
    volume = film(scene, database, stored, tmp_path / "a.dcm", PixelSpacing=[0.2, 0.2])
    context_of(volume, volumes.grid_of(volume))
    assert database.asked == ["2.25.1"]


def test_the_overlay_says_the_area_in_the_patient_beside_that_at_the_detector():
    from GrayscaleDetSegLib.batch.histogram import _figures, _title
    from GrayscaleDetSegLib.core.radiograph import Spacing

    spacing = Spacing(1.0, 1.0, "ImagerPixelSpacing", "at the detector", 2.0)
    (item, *_) = result(radiograph(spacing=spacing)).objects
    text = _figures(item, spacing)
    assert f"{item.area_mm2:.1f} mm2" in text or f"{item.area_mm2 / 100:.1f} cm2" in text
    assert f"{item.area_mm2 / 4:.1f} mm2 in the patient" in text
    assert "in the patient" not in _figures(item, Spacing(1.0, 1.0, "header"))
    assert _title(item) == "Right lung"


@pytest.fixture
def filmed(scene, database, tmp_path):
    """A film at 1 mm whose file says 0.2 x 0.168, segmented."""
    bench = Bench(scene, "plain", shows=False)
    bench.volume = film(scene, database, rigged_film(), tmp_path / "a.dcm", PixelSpacing=[0.2, 0.168])
    bench.node = bench.show().segmentation
    return bench


def test_the_files_spacing_leaves_all_that_is_the_users(filmed):
    filmed.drag("femur_2", 190.0)
    filmed.paint("femur")
    filmed.add_segment("implant")
    segment = filmed.node.GetSegmentation().GetSegment("femur_2")
    segment.SetName("old fracture")
    segment.SetColor(0.1, 0.2, 0.3)
    before, written = looked_at(filmed), segmentation.written_digests(filmed.node)
    for step in (lambda: give_file_spacing(filmed.space, filmed.volume),
                 lambda: take_file_spacing_back(filmed.space, filmed.volume)):  # fmt: skip
        assert step()
        assert looked_at(filmed)[1:] == before[1:]
        assert filmed.space.would_lose_edits(filmed.node) and segmentation.written_digests(filmed.node) == written
        assert segment.GetName() == "old fracture" and segment.GetColor() == (0.1, 0.2, 0.3)
        assert [item.area_mm2 for item in looked_at(filmed)[0].objects] == [item.area_mm2 for item in before[0].objects]
    give_file_spacing(filmed.space, filmed.volume)
    with filmed.space.drag(filmed.node, "femur") as drag:
        drag.finish((200.0, 255.0))
    assert drag.kept_edited == "femur_edited"
    assert filmed.space.undo(filmed.node) and looked_at(filmed)[1:] == before[1:]
    assert filmed.space.undo(filmed.node) and looked_at(filmed)[0].objects[1].pixel_count == 351


def test_the_files_spacing_can_be_taken_back_whatever_became_of_the_result(filmed):
    give_file_spacing(filmed.space, filmed.volume)
    change(filmed.volume.GetImageData())
    assert take_file_spacing_back(filmed.space, filmed.volume)
    assert filmed.volume.GetSpacing() == (1.0, 1.0, 1.0) and not can_take_back(filmed.volume)
    change(filmed.volume.GetImageData(), add=-500)
    assert [item.pixel_count for item in looked_at(filmed)[0].objects] == [701, 351]
    record.set_document(filmed.node, '{"version": 2, "segments": 3}')
    assert give_file_spacing(filmed.space, filmed.volume) and take_file_spacing_back(filmed.space, filmed.volume)


def test_a_transform_that_bends_does_not_stop_it(filmed):
    filmed.volume.SetAndObserveTransformNodeID(add_bending_transform(filmed.scene).GetID())
    assert give_file_spacing(filmed.space, filmed.volume) and take_file_spacing_back(filmed.space, filmed.volume)
