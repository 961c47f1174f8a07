"""What comes from others is not trusted: files that inflate, name other files, or say what no version of ours wrote."""

from __future__ import annotations

import hashlib
import json
import zlib

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.reading import dicom, dicom_file, read_radiograph, reader
from GrayscaleDetSegLib.core.weights import Bundle
from reading_files import DEFLATED, dataset, dicom_bytes, phantom, sample_files, write_itk
from training.weights import save_weights

DEEP = phantom(top=4095, dtype=np.uint16)


# ---- deflated DICOM files


def with_group_length(data: bytes, length: int) -> bytes:
    """The file with another length of its meta information claimed."""
    return data[:140] + length.to_bytes(4, "little") + data[144:]


@pytest.mark.parametrize("length", [0, 10, 60_000, 2**32 - 1])
def test_a_wrong_group_length_is_no_way_round_the_limit(length, tmp_path, monkeypatch):
    data = dicom_bytes(dataset(np.zeros((900, 900), np.uint16), DEFLATED))
    path = tmp_path / "bomb.dcm"
    path.write_bytes(with_group_length(data, length))
    monkeypatch.setattr(dicom_file, "MAX_BYTES", 1_000_000)
    with pytest.raises(RadiographError, match="inflates to more than"):
        read_radiograph(path)


def test_a_deflated_file_without_a_right_group_length_is_read(tmp_path):
    data = dicom_bytes(dataset(DEEP, DEFLATED, bits=12))
    right = int.from_bytes(data[140:144], "little")
    without = data[:132] + data[144:]
    for name, content in (("wrong.dcm", with_group_length(data, right + 5)), ("without.dcm", without)):
        (tmp_path / name).write_bytes(content)
        np.testing.assert_array_equal(read_radiograph(tmp_path / name).pixels, DEEP)


# ---- headers that name the file of their pixels


@pytest.fixture
def secret(tmp_path):
    """A file outside the folder of the headers, as large as an image."""
    (tmp_path / "in").mkdir()
    path = tmp_path / "secret.raw"
    path.write_bytes(DEEP.tobytes())
    return path


@pytest.mark.parametrize("form", ["image.mhd", "image.nhdr"])
@pytest.mark.parametrize("how", ["absolute", "../secret.raw", "sub/../../secret.raw", r"..\secret.raw", "link",
                                 r"\\server\share\a.raw", r"C:\a.raw", "//server/share/a.raw"])
def test_a_header_names_no_file_outside_its_folder(form, how, secret, tmp_path):
    header, folder = tmp_path / "in" / form, tmp_path / "in"
    write_itk(header, DEEP)
    (folder / "sub").mkdir()
    (named,) = (path for path in folder.iterdir() if path.is_file() and path != header)
    value = str(secret) if how == "absolute" else how
    if how == "link":
        named.unlink()
        named.symlink_to(secret)
    else:
        header.write_text(header.read_text().replace(named.name, value))
    with pytest.raises(RadiographError, match="outside its own folder"):
        read_radiograph(header)


def test_pixels_beside_and_below_a_header_are_read(tmp_path):
    header = write_itk(tmp_path / "image.mhd", DEEP)
    np.testing.assert_array_equal(read_radiograph(header).pixels, DEEP)
    (tmp_path / "raw").mkdir()
    (tmp_path / "image.raw").rename(tmp_path / "raw" / "image.raw")
    header.write_text(header.read_text().replace("image.raw", "raw/image.raw"))
    np.testing.assert_array_equal(read_radiograph(header).pixels, DEEP)


# ---- faults of ours


@pytest.mark.parametrize("fault", [KeyError("ours"), TypeError("ours"), ValueError("ours"), AttributeError("ours")])
@pytest.mark.parametrize("name", ["explicit.dcm", "gray.png", "plain.nrrd"])
def test_a_fault_of_the_program_is_not_called_damage(name, fault, tmp_path, monkeypatch):
    path = tmp_path / name
    path.write_bytes(sample_files(tmp_path)[name])

    def broken(*_arguments, **_options):
        raise fault

    from GrayscaleDetSegLib.core.reading import rasters, volumes

    for module in (dicom, rasters, volumes):
        monkeypatch.setattr(module, "tidy", broken)
    with pytest.raises(type(fault), match="ours"):
        read_radiograph(path)


def test_a_file_that_goes_away_is_not_called_damaged(tmp_path, monkeypatch):
    path = write_itk(tmp_path / "image.mha", DEEP)
    recognised = reader.recognised

    def and_gone(path):
        plugin = recognised(path)
        path.unlink()
        return plugin

    monkeypatch.setattr(reader, "recognised", and_gone)
    with pytest.raises(RadiographError, match="No such file"):
        read_radiograph(path)


# ---- bundles


@pytest.fixture
def stolen(tmp_path):
    """A bundle whose manifest can name a weights file beside the bundle's folder."""
    import torch

    folder = tmp_path / "bundle"
    folder.mkdir()
    digest = save_weights({"a": torch.ones(3)}, tmp_path / "other.safetensors")

    def named(name: str) -> Bundle:
        manifest = {"format": 1, "networks": {"x": {"file": name, "sha256": digest}}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return Bundle.open(folder)

    return named


@pytest.mark.parametrize("how", ["../other.safetensors", "absolute", r"..\other.safetensors", "C:other", "", ".."])
def test_a_manifest_names_no_file_outside_its_bundle(how, stolen, tmp_path):
    from GrayscaleDetSegLib.core.errors import WeightsError

    name = str(tmp_path / "other.safetensors") if how == "absolute" else how
    with pytest.raises(WeightsError, match="outside the bundle"):
        stolen(name).tensors("x")


def test_the_bytes_that_are_checked_are_those_that_are_used(stolen, tmp_path, monkeypatch):
    """A file that changes after its checksum was taken."""
    import torch

    weights = tmp_path / "bundle" / "w.safetensors"
    bundle = stolen("w.safetensors")
    weights.write_bytes((tmp_path / "other.safetensors").read_bytes())
    save_weights({"a": torch.zeros(3)}, tmp_path / "zeros.safetensors")
    plain, other = hashlib.sha256, (tmp_path / "zeros.safetensors").read_bytes()

    class Swapped:
        """Takes the digest of what it is given; when it is asked for, the file is another one already."""

        def __init__(self, data=b""):
            self.digest = plain(data)
            self.update = self.digest.update

        def hexdigest(self):
            weights.write_bytes(other)
            return self.digest.hexdigest()

    monkeypatch.setattr(hashlib, "sha256", Swapped)
    assert bundle.tensors("x")["a"].tolist() == [1.0, 1.0, 1.0]


# ---- scenes


def packed_bomb() -> str:
    import base64

    return base64.b64encode(zlib.compress(bytes(200_000_000), 9)).decode()


@pytest.fixture
def kept():
    """A segmentation with a result, its volume, and how to change what it says."""
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    from GrayscaleDetSegLib.scene import record, segmentation, volumes
    from Testing.fakes import result
    from Testing.scene_nodes import add_volume

    scene = slicer.vtkMRMLScene()
    volume = add_volume(scene, DEEP)
    grid = volumes.grid_of(volume)
    whole = result(volumes.read_volume(volume))
    node = segmentation.add_segmentation_for(volume, grid, whole, scene)
    record.keep_result(node, whole, grid)
    document = json.loads(record.kept_document(node))

    def again(change=lambda document: None):
        changed = json.loads(json.dumps(document))
        change(changed)
        record.set_document(node, json.dumps(changed))
        return record.kept_result(node, volume)

    again.document, again.volume, again.whole = document, volume, whole
    yield again
    scene.Clear(True)


def test_thresholds_are_unpacked_within_bounds(kept):
    import tracemalloc

    bomb = packed_bomb()
    for shape in ([1, 1], [50_000, 1000]):
        def change(document, shape=shape):
            field = document["result"]["objects"][0]["explanation"]["rule"]["field"]
            field["low"].update(data=bomb, shape=shape)

        tracemalloc.start()
        with pytest.raises(RadiographError, match="damaged; segment again"):
            kept(change)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
        tracemalloc.stop()


def test_whatever_is_missing_is_one_sentence(kept):
    assert len(kept().objects) == 2
    # an object may be without explanation, and records of before know neither overlaps nor how the film lies
    optional = ("version", "fingerprint", "sample", "notes", "explanation", "overlaps", "lie", "turn", "side", "volume",
                "placement")
    places = {
        "record": lambda document: document,
        "image": lambda document: document["image"],
        "result": lambda document: document["result"],
        "object": lambda document: document["result"]["objects"][0],
        "thresholds": lambda document: document["result"]["objects"][0]["explanation"],
        "rule": lambda document: document["result"]["objects"][0]["explanation"]["rule"],
    }
    later = ("proposal", "box_score")  # not every method has them
    for place, inside in places.items():
        for key in inside(kept.document):
            if key not in (*optional, *later) or (place, key) == ("image", "notes"):
                with pytest.raises(RadiographError, match="damaged; segment again"):
                    kept(lambda document, inside=inside, key=key: inside(document).pop(key))
            if key != "version":
                with pytest.raises(RadiographError):
                    kept(lambda document, inside=inside, key=key: inside(document).update({key: [[]]}))
    for key in ("image", "result", "segments", "slice", "shape", "sample"):
        with pytest.raises(RadiographError):
            kept(lambda document, key=key: document.update({key: 7.5}))


def test_one_other_pixel_is_another_image(kept):
    from vtk.util.numpy_support import vtk_to_numpy

    assert kept() is not None
    values = vtk_to_numpy(kept.volume.GetImageData().GetPointData().GetScalars())
    values[101] += 1
    with pytest.raises(RadiographError, match="shows other pixels"):
        kept()
    values[101] -= 1
    assert kept() is not None


def test_records_of_earlier_versions_still_open(kept):
    assert len(kept(lambda document: document.pop("fingerprint")).objects) == 2


def test_values_that_are_no_whole_numbers_are_recognised_whichever_way_round():
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    from GrayscaleDetSegLib.scene import record, segmentation, volumes
    from Testing.fakes import result
    from Testing.scene_nodes import add_volume

    scene = slicer.vtkMRMLScene()
    pixels = np.random.default_rng(1).normal(1000.3, 77.7, (90, 130)).astype(np.float32)
    volume = add_volume(scene, pixels)
    grid = volumes.grid_of(volume)
    plain = volumes.read_volume(volume)
    for image in (plain, plain.inverted("once"), plain.inverted("once").inverted("twice")):
        whole = result(image)
        node = segmentation.add_segmentation_for(volume, grid, whole, scene)
        record.keep_result(node, whole, grid)
        assert len(record.kept_result(node, volume).objects) == 2
    scene.Clear(True)


# ---- what is sent to others


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/Smith/a b/c.dcm is empty", "[path] is empty"),
        (r"C:\Users\smith\x.png and \\server\smith\y", "[path] and [path]"),
        ('File "/home/smith/lib/core/gray.py", line 3', 'File "[path]/gray.py", line 3'),
        ("smith_knee.nii.gz has 3 pages", "[file].gz has 3 pages"),
        ("50 / 60 px at 3/4, 0.5 mm/px", "50 / 60 px at 3/4, 0.5 mm/px"),
        ("Found femur, tibia in Knie Müller.", "Found femur, tibia in [name 1]."),
        ("femurs of KNIE MÜLLER", "femurs of [name 1]"),
    ],
)
def test_what_is_left_out_of_a_copied_log(text, expected):
    from GrayscaleDetSegLib.logic.redaction import redacted

    said = redacted(text, {"Knie Müller", "", "x", "emu"})
    assert said.splitlines()[0] == expected
    assert ("nothing" in said.splitlines()[1]) == (text == expected)


def test_names_of_patients_in_the_scene():
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    from GrayscaleDetSegLib.scene.identities import names_in
    from Testing.scene_nodes import add_volume

    scene = slicer.vtkMRMLScene()
    add_volume(scene, DEEP, name="knee of A")
    hierarchy = scene.AddNewNodeByClass("vtkMRMLSubjectHierarchyNode")
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Smith^Anna")
    hierarchy.SetItemAttribute(patient, "DICOM.PatientID", "4711-X")
    hierarchy.CreateFolderItem(patient, "thresholds")
    assert names_in(scene) >= {"knee of A", "Smith^Anna", "4711-X"} and "thresholds" not in names_in(scene)
    scene.Clear(True)
