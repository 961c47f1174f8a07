"""Segmentations as MRML nodes and files: they lie over the volume that Slicer loads from the same image file."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import OutputError
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.scene import files
from GrayscaleDetSegLib.scene.geometry import ijk_to_ras
from GrayscaleDetSegLib.scene.segmentation import segment_id, terminology_entry
from Testing.fakes import GEOMETRIES, SHAPE, bar, found, letter_l, radiograph, result
from Testing.scene_nodes import read_node

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
sitk = pytest.importorskip("SimpleITK")


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


def matrix_of(image) -> np.ndarray:
    """IJK to RAS of a volume node or an oriented image."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    getter = "GetIJKToRASMatrix" if image.IsA("vtkMRMLNode") else "GetImageToWorldMatrix"
    getattr(image, getter)(matrix)
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def world_positions(image, values: np.ndarray, label) -> np.ndarray:
    """RAS positions of the pixels of one value, sorted; `values` has the shape (slices, rows, columns)."""
    kji = np.argwhere(values == label)
    ijk = np.column_stack([kji[:, ::-1], np.ones(len(kji))])
    return np.array(sorted((np.round(matrix_of(image) @ ijk.T, 6)[:3].T + 0.0).tolist()))


def voxels(image) -> np.ndarray:
    """(slices, rows, columns) of a vtkImageData whose extent starts at 0."""
    from vtk.util.numpy_support import vtk_to_numpy

    assert image.GetExtent()[::2] == (0, 0, 0)
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def image_file(path, geometry, pixels):
    image = sitk.GetImageFromArray(pixels[None])
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("name", GEOMETRIES)
def test_it_lies_over_the_volume_that_slicer_loads(name, scene, tmp_path):
    """Pixel by pixel in patient coordinates, the file read back by Slicer's readers on both sides."""
    geometry = GEOMETRIES[name]
    image = radiograph(geometry=geometry)
    pixels = np.where(letter_l(), 2, np.where(bar(), 1, 0)).astype(np.int16)
    logic = slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLScene(scene)
    volume = logic.AddArchetypeVolume(str(image_file(tmp_path / "image.nrrd", geometry, pixels)), "image", 0)
    # Slicer turns the slice axis of a left-handed file round, which moves no pixel of one slice; the file we write
    # keeps the input's axes, because tools other than Slicer compare them
    slice_axis = np.sign(np.linalg.det(matrix_of(volume)) * np.linalg.det(ijk_to_ras(geometry)))
    assert np.allclose(matrix_of(volume), ijk_to_ras(geometry) * [1, 1, slice_axis, 1])
    assert slice_axis == (-1 if name == "flipped" else 1)

    files.write_result(result(image), tmp_path / "image.seg.nrrd")
    node = read_node(tmp_path / "image.seg.nrrd", scene)
    for segment, in_file, in_volume in (("right_lung", 1, 2), ("femur_2", 2, 1)):
        labels = node.GetSegmentation().GetSegment(segment).GetRepresentation("Binary labelmap")
        ours = world_positions(labels, voxels(labels), in_file)
        theirs = world_positions(volume, voxels(volume.GetImageData()), in_volume)
        assert len(ours) == (letter_l().sum(), bar().sum())[in_file - 1]
        assert np.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("extension", ["nrrd", "mha", "nii.gz", "two-dimensional.nrrd"])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_from_an_image_file_to_a_segmentation_file(name, extension, scene, tmp_path):
    """The same through our own reader: what it says of the geometry is what Slicer makes of the file."""
    path = image_file(tmp_path / f"image.{extension}", GEOMETRIES[name], letter_l().astype(np.int16) * 500)
    if extension.startswith("two"):
        if name == "sideways":
            pytest.skip("a two-dimensional image cannot stand upright")
        sitk.WriteImage(sitk.ReadImage(str(path))[:, :, 0], str(path))
    logic = slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLScene(scene)
    volume = logic.AddArchetypeVolume(str(path), "image", 0)
    image = read_radiograph(path)
    files.write_result(result(image, (found(image, "femur", "femur", image.pixels > 0),)), tmp_path / "image.seg.nrrd")
    node = read_node(tmp_path / "image.seg.nrrd", scene)
    labels = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    ours = world_positions(labels, voxels(labels), 1)
    assert np.allclose(ours, world_positions(volume, voxels(volume.GetImageData()), 500), atol=1e-4)
    assert len(ours) == letter_l().sum()


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_file_has_the_full_size_and_geometry(name, tmp_path):
    """As SimpleITK reads it, without knowing what a segmentation is."""
    geometry = GEOMETRIES[name]
    files.write_result(result(radiograph(geometry=geometry)), tmp_path / "a.seg.nrrd")
    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    assert image.GetSize() == (SHAPE[1], SHAPE[0], 1)
    assert np.allclose(image.GetSpacing(), geometry.spacing)
    assert np.allclose(image.GetOrigin(), geometry.origin)
    assert np.allclose(image.GetDirection(), geometry.direction)
    assert (sitk.GetArrayFromImage(image)[0] == result().label_map()).all()
    assert image.GetMetaData("Segmentation_ReferenceImageExtentOffset") == "0 0 0"


def test_segments_have_name_colour_terminology_and_value(scene, tmp_path):
    files.write_result(result(), tmp_path / "a.seg.nrrd")
    segmentation = read_node(tmp_path / "a.seg.nrrd", scene).GetSegmentation()
    assert [segmentation.GetNthSegmentID(i) for i in range(2)] == ["right_lung", "femur_2"]
    for index, (name, label) in enumerate((("right lung", "right lung"), ("femur 2", "femur"))):
        segment = segmentation.GetNthSegment(index)
        assert segment.GetName() == name and segment.GetLabelValue() == index + 1
        assert np.allclose(np.multiply(segment.GetColor(), 255), anatomy(label).color, atol=1e-3)
    assert segmentation.GetNumberOfLayers() == 1


def test_slicer_understands_the_terminology():
    """Its own parser gives the codes back; so it would for an anatomy without laterality or unknown to us."""
    logic = slicer.vtkSlicerTerminologiesModuleLogic
    for name in ("right lung", "femur", "teeth", "paw"):
        kind, entry = anatomy(name), slicer.vtkSlicerTerminologyEntry()
        assert terminology_entry(kind).count("~") == 6
        assert logic().DeserializeTerminologyEntry(terminology_entry(kind), entry)
        for code, wanted in (
            (entry.GetCategoryObject(), kind.category),
            (entry.GetTypeObject(), kind.structure),
            (entry.GetTypeModifierObject(), kind.laterality or (None, None, None)),
        ):
            assert (code.GetCodingSchemeDesignator(), code.GetCodeValue(), code.GetCodeMeaning()) == wanted
        assert logic.SerializeTerminologyEntry(entry) == terminology_entry(kind)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_nothing_found_is_an_empty_image_in_place(name, scene, tmp_path):
    geometry = GEOMETRIES[name]
    files.write_result(result(radiograph(geometry=geometry), objects=()), tmp_path / "a.seg.nrrd")
    assert read_node(tmp_path / "a.seg.nrrd", scene).GetSegmentation().GetNumberOfSegments() == 0
    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    assert image.GetSize() == (SHAPE[1], SHAPE[0], 1) and not sitk.GetArrayFromImage(image).any()
    assert np.allclose(image.GetDirection(), geometry.direction) and np.allclose(image.GetOrigin(), geometry.origin)


def test_an_object_without_pixels_keeps_its_segment(scene, tmp_path):
    image = radiograph()
    objects = (found(image, "tibia", "tibia", np.zeros(SHAPE, bool)),)
    files.write_result(result(image, objects), tmp_path / "a.seg.nrrd")
    assert read_node(tmp_path / "a.seg.nrrd", scene).GetSegmentation().GetNthSegment(0).GetName() == "tibia"
    assert sitk.ReadImage(str(tmp_path / "a.seg.nrrd")).GetSize() == (SHAPE[1], SHAPE[0], 1)


@pytest.mark.parametrize("objects", [None, ()])
def test_a_folder_that_is_not_there_is_an_output_error(objects, tmp_path, capfd):
    with pytest.raises(OutputError, match="cannot be written"):
        files.write_result(result(objects=objects), tmp_path / "missing" / "a.seg.nrrd")
    assert capfd.readouterr() == ("", "")


def test_a_failed_write_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="No space left"):
        files.write_result(result(), tmp_path / "a.seg.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_names_with_spaces_and_other_scripts(scene, tmp_path, capfd):
    path = tmp_path / "Knie seitlich – 膝 1.seg.nrrd"
    files.write_result(result(), path)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    assert read_node(path, scene).GetSegmentation().GetNumberOfSegments() == 2
    assert capfd.readouterr() == ("", "")


def test_segment_ids_are_plain():
    assert segment_id("right lung") == "right_lung"
    assert segment_id(" 2|x ") == "2_x"
    assert segment_id("") == "object"


def test_more_than_255_objects(tmp_path):
    """A label map of 8 bits cannot hold them."""
    image = radiograph()
    masks = np.zeros((300, *image.shape), bool)
    for number in range(300):
        masks[number].flat[number * 20] = True
    objects = [found(image, f"femur {n}", "femur", mask) for n, mask in enumerate(masks, start=1)]
    whole = result(image, objects)
    assert whole.label_map().dtype == np.uint16 and result(image).label_map().dtype == np.uint8
    files.write_result(whole, tmp_path / "many.seg.nrrd")
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "many.seg.nrrd")))
    assert (stored[0] == whole.label_map()).all() and stored.max() == 300
