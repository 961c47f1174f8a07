"""What DICOM says of a volume: by the file it came from, by Slicer's database, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.logic.dicom_context import context_of
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import record
from Testing.fakes import letter_l, radiograph
from Testing.reading_files import dataset, dicom_bytes, write_dicom, write_itk
from Testing.rigged import rigged_pipeline
from Testing.scene_nodes import add_volume
from Testing.test_volume_source import load

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

INSTANCE = "2.25.123"


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


@pytest.fixture
def stored():
    """12 bit values, asymmetric."""
    return np.array(radiograph().pixels)


class Database:
    """Slicer's DICOM database as far as it is asked: files and tags by instance."""

    def __init__(self, files=None, tags=None, is_open=True) -> None:
        self.files, self.tags, self.isOpen, self.asked = files or {}, tags or {}, is_open, []

    def fileForInstance(self, instance: str) -> str:
        self.asked.append(instance)
        return self.files.get(instance, "")

    def instanceValue(self, instance: str, tag: str) -> str:
        return self.tags.get((instance, tag), "")


@pytest.fixture
def database(monkeypatch):
    def install(**fields):
        made = Database(**fields)
        monkeypatch.setattr(slicer, "dicomDatabase", made, raising=False)
        return made

    return install


def stored_at(scene, pixels, path) -> object:
    """A volume that was loaded from a file, its values as given."""
    volume = add_volume(scene, pixels)
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    volume.SetAndObserveStorageNodeID(storage.GetID())
    return volume


def test_of_the_file_it_was_loaded_from(scene, stored, tmp_path):
    path = write_dicom(
        tmp_path / "ä film.dcm", stored, bits=12, ImagerPixelSpacing=[0.15, 0.25], Modality="DX", RescaleSlope=2
    )
    context = context_of(load(scene, path))
    assert context["Modality"] == "DX" and context["ImagerPixelSpacing"] == "0.15\\0.25"
    assert context["BitsStored"] == "12"
    assert float(context["RescaleSlope"]) == 2 and Path(context["FilePath"]) == path
    assert "PixelSpacing" not in context and all(isinstance(value, str) for value in context.values())


@pytest.mark.parametrize("kind", ["missing", "no DICOM", "empty", "cut off", "a folder", "no name", "no storage"])
def test_nothing_is_known_and_nothing_raises(kind, scene, stored, tmp_path):
    path = tmp_path / "film.dcm"
    if kind == "no DICOM":
        write_itk(tmp_path / "film.nrrd", stored[None])
        path = tmp_path / "film.nrrd"
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut off":
        path.write_bytes(dicom_bytes(dataset(stored))[:140])
    elif kind == "a folder":
        path.mkdir()
    volume = add_volume(scene, stored) if kind == "no storage" else stored_at(scene, stored, path)
    if kind == "no name":
        volume.GetStorageNode().SetFileName("")
    assert context_of(volume) == {}
    assert Workspace(scene).read(volume).radiograph.modality is None


@pytest.mark.parametrize(
    "wrong",
    [
        (b"0.15\\0.25 ", b"abcd\\efgh "),  # no numbers
        (b"\x28\x00\x01\x01US\x02\x00\x0c\x00", b"\x28\x00\x01\x01US\x03\x00\x0c\x00\x00"),  # a number of 3 bytes
        (b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00ZZ"),  # no such kind of value
    ],
)
def test_a_value_that_is_damaged_spoils_nothing_else(wrong, scene, stored, tmp_path):
    tags = {"ImagerPixelSpacing": [0.15, 0.25], "PhotometricInterpretation": "MONOCHROME1"}
    data = dicom_bytes(dataset(stored, bits=12, **tags))
    assert wrong[0] in data
    path = tmp_path / "film.dcm"
    path.write_bytes(data.replace(*wrong))
    volume = stored_at(scene, stored, path)
    assert context_of(volume).get("PhotometricInterpretation") == "MONOCHROME1"
    assert Workspace(scene).read(volume).radiograph.shape == stored.shape


def test_of_the_database(scene, stored, tmp_path, database):
    """The instance's own file counts before the one that the volume was saved to since."""
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, Modality="DX")
    other = write_dicom(tmp_path / "b.dcm", stored, bits=12, Modality="CR")
    volume = stored_at(scene, stored, other)
    known = database(files={INSTANCE: str(path)})
    assert context_of(volume)["Modality"] == "CR" and known.asked == []  # it does not come from the database
    volume.SetAttribute("DICOM.instanceUIDs", f"{INSTANCE} 2.25.7")
    assert context_of(volume)["Modality"] == "DX" and set(known.asked) == {INSTANCE}
    known.files[INSTANCE] = str(tmp_path / "gone.dcm")
    assert context_of(volume)["Modality"] == "CR"
    volume.SetAttribute("DICOM.instanceUIDs", "   ")
    assert context_of(volume)["Modality"] == "CR"


def test_of_the_databases_own_memory_where_no_file_is_left(scene, stored, database):
    volume = add_volume(scene, stored)
    volume.SetAttribute("DICOM.instanceUIDs", INSTANCE)
    tags = {
        (INSTANCE, "0028,0004"): "MONOCHROME1", (INSTANCE, "0008,0060"): "DX", (INSTANCE, "0018,1164"): "0.15\\0.25"
    }
    known = database(tags=tags)
    assert context_of(volume) == {
        "PhotometricInterpretation": "MONOCHROME1", "Modality": "DX", "ImagerPixelSpacing": "0.15\\0.25",
        "Instance": INSTANCE,
    }
    image = Workspace(scene).read(volume).radiograph
    assert not image.polarity.inverted and image.modality == "DX" and "taken to have turned" in image.notes[0]
    known.isOpen = False
    assert context_of(volume) == {"FileAway": "YES", "Instance": INSTANCE}
    database()  # which has never heard of it
    assert context_of(volume) == {"FileAway": "YES", "Instance": INSTANCE}


@pytest.mark.parametrize("reader", ["GDCM", "DCMTK"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("by_database", [False, True])
def test_polarity_from_the_file_to_the_result(by_database, photometric, reader, scene, tmp_path, database):
    """Whichever of Slicer's readers has loaded it, bone is bright, and the volume says why."""
    from Testing.rigged import film

    bright = film()
    stored = 4095 - bright if photometric == "MONOCHROME1" else bright
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12, PhotometricInterpretation=photometric, Modality="DX")
    if reader == "GDCM":
        volume = load(scene, path)  # which turns MONOCHROME1 over
    else:
        volume = stored_at(scene, stored, path)  # as they are in the file
    if by_database:
        database(files={INSTANCE: str(path)})
        volume.SetAttribute("DICOM.instanceUIDs", INSTANCE)
        if volume.GetStorageNode() is not None:
            volume.GetStorageNode().SetFileName(str(tmp_path / "scene" / "film.nrrd"))
    space = Workspace(scene)
    reading = space.read(volume)
    assert (reading.radiograph.pixels == bright).all() and (read_radiograph(path).pixels == bright).all()
    is_turned = reader == "DCMTK" and photometric == "MONOCHROME1"
    assert reading.radiograph.polarity.inverted is is_turned
    parts = space.show(reading, rigged_pipeline().segment(reading.radiograph))
    assert volume.GetAttribute("GrayscaleDetSeg.Polarity") == ("inverted" if is_turned else "as is")
    reason = volume.GetAttribute("GrayscaleDetSeg.PolarityReason")
    assert photometric in reason and ("as they are" in reason) == is_turned
    again = record.kept_result(parts.segmentation, volume)
    assert (again.radiograph.pixels == bright).all() and (again.objects[0].mask == letter_l()).all()
    assert again.radiograph.polarity == reading.radiograph.polarity and again.radiograph.modality == "DX"
