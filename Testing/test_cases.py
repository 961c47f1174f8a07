"""Training cases: saved from the scene as they are shown, read by training pixel by pixel, never half there."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import OutputError
from GrayscaleDetSegLib.core.gray import Polarity
from GrayscaleDetSegLib.core.training_case import class_of, safe_name
from GrayscaleDetSegLib.logic import cases
from GrayscaleDetSegLib.scene import files, masks, record, segmentation, volumes
from GrayscaleDetSegLib.scene.geometry import ijk_to_ras, moved
from Testing.fakes import GEOMETRIES, SHAPE, TURNED, bar, found, letter_l, radiograph, result
from Testing.saved_cases import Shown, corner, names, objects, trained
from Testing.scene_nodes import add_volume, read_node

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
pytest.importorskip("scipy")

from training.data.cases import read_cases  # noqa: E402
from training.data.segmentation_files import key_values  # noqa: E402


@pytest.mark.parametrize("stack", [0, 3])
@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_training_reads_what_is_shown(geometry, is_moved, stack, scene, tmp_path):
    shown = Shown(scene, geometry, is_moved, stack)
    edited = letter_l()
    edited[60:80, 20:50] = True
    shown.write("right_lung", edited)
    shown.add("patella", corner())
    paths = shown.save(tmp_path)
    assert [path.name for path in paths] == ["knee.nrrd", "knee.seg.nrrd"] == names(tmp_path)
    case = trained(tmp_path)
    assert (case.name, case.split, case.set_name) == ("knee", "train", tmp_path.name)
    assert (case.pixels == shown.pixels).all() and case.pixels.dtype == np.uint16 and not case.inverted
    assert (case.radiograph().gray() == shown.result.radiograph.gray()).all()  # as inference sees it
    assert case.labels == {"right lung": 1, "femur": 2, "patella": 3}
    expected = [("right lung", edited), ("femur", bar()), ("patella", corner())]
    assert objects(case) == [(label, mask.tolist()) for label, mask in expected]
    assert all((case.label_map == value).any() for value in (1, 2, 3))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_both_files_lie_over_each_other_in_slicer(geometry, scene, tmp_path):
    """Read by Slicer's own readers, and where the pixels of the volume are."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    shown = Shown(scene, geometry, stack=3)
    image_path, labels_path = shown.save(tmp_path)
    logic = slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLScene(scene)
    volume = logic.AddArchetypeVolume(str(image_path), "image", 0)
    loaded = read_node(labels_path, scene)
    grid = volumes.grid_of(volume)
    there, here = volumes.pixel_to_world(volume, grid), volumes.pixel_to_world(shown.volume, shown.grid)
    corners = [[0, 0, 0], [130, 0, 0], [0, 90, 0]]
    assert np.allclose(moved(there, corners), moved(here, corners), atol=1e-9)
    assert (volumes.read_volume(volume).pixels == shown.pixels).all()
    inner = loaded.GetSegmentation()
    assert inner.GetNumberOfSegments() == 2
    for number, (label, mask) in enumerate((("right lung", letter_l()), ("femur", bar()))):
        segment = inner.GetNthSegment(number)
        assert segment.GetName() == label
        assert (masks.mask_of(loaded, inner.GetNthSegmentID(number), volume, grid) == mask).all()
        labels, matrix = segment.GetRepresentation("Binary labelmap"), vtk.vtkMatrix4x4()
        labels.GetImageToWorldMatrix(matrix)
        values = vtk_to_numpy(labels.GetPointData().GetScalars()).reshape(labels.GetDimensions()[::-1])
        k, j, i = np.argwhere(values == segment.GetLabelValue())[0] + labels.GetExtent()[::2][::-1]
        row, column = np.argwhere(mask)[0]
        wanted = moved(here, [[column + 0.5, row + 0.5, 0]])[0]
        assert np.allclose(matrix.MultiplyPoint((i, j, k, 1.0))[:3], wanted, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_slice_that_stands_upright(axis, scene, tmp_path):
    pixels = np.array(radiograph().pixels)
    volume = add_volume(scene, np.expand_dims(pixels, 2 - axis), GEOMETRIES["turned"])
    grid = volumes.grid_of(volume)
    node = segmentation.add_segmentation_for(volume, grid, result(volumes.read_volume(volume)), scene)
    cases.save_case(node, volume, tmp_path, grid)
    case = trained(tmp_path)
    assert (case.pixels == pixels).all()
    assert objects(case) == [("right lung", letter_l().tolist()), ("femur", bar().tolist())]


@pytest.mark.parametrize("with_record", [True, False])
def test_bone_is_bright_whatever_the_volume_holds(with_record, scene, tmp_path):
    polarity = Polarity(True, 4095.0, "MONOCHROME1 in the file, and Slicer loaded its values as they are")
    shown = Shown(scene, polarity=polarity, with_record=with_record)
    volumes.note_reading(shown.volume, shown.result.radiograph)
    image_path, _ = shown.save(tmp_path)
    assert (trained(tmp_path).pixels == shown.pixels).all()
    keys = key_values(image_path)
    assert keys["GrayscaleDetSeg.Polarity"] == "as is"
    assert "turned over when the case was saved: MONOCHROME1" in keys["GrayscaleDetSeg.PolarityReason"]
    assert keys["GrayscaleDetSeg.Model"] == ("fake 1.0" if with_record else "none")


def test_a_volume_that_slicer_saved_with_its_attributes_is_turned_over_in_training(scene, tmp_path):
    polarity = Polarity(True, 4095.0, "MONOCHROME1")
    shown = Shown(scene, polarity=polarity)
    volumes.note_reading(shown.volume, shown.result.radiograph)
    files.write_node(shown.volume, tmp_path / "knee.nrrd")
    files.write_node(shown.node, tmp_path / "knee.seg.nrrd")
    assert (trained(tmp_path).pixels == shown.pixels).all()
    shown.volume.SetAttribute("GrayscaleDetSeg.PolarityPivot", None)
    files.write_node(shown.volume, tmp_path / "knee.nrrd")
    assert "does not say which way round" in str(read_cases(tmp_path)[1][0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.float32])
def test_every_type_of_pixel(dtype, scene, tmp_path):
    pixels = (np.array(radiograph().pixels) // 33).astype(dtype)
    volume = add_volume(scene, pixels, name="image")
    grid = volumes.grid_of(volume)
    node = segmentation.add_segmentation_for(volume, grid, result(volumes.read_volume(volume)), scene)
    cases.save_case(node, volume, tmp_path, grid)
    assert (trained(tmp_path).pixels == pixels).all()


def test_nothing_of_the_patient_and_no_date(scene, tmp_path):
    shown = Shown(scene)
    shown.volume.SetName("DOE^JANE 1961")
    shown.volume.SetAttribute("DICOM.instanceUIDs", "1.2.840.99")
    shown.node.GetSegmentation().GetNthSegment(0).SetTag("DICOM.PatientName", "DOE")
    first = [path.read_bytes() for path in shown.save(tmp_path / "a", name="case 7")]
    second = [path.read_bytes() for path in shown.save(tmp_path / "b", name="case 7")]
    assert first == second and names(tmp_path / "a") == ["case_7.nrrd", "case_7.seg.nrrd"]
    for content in first:
        head = content.partition(b"\n\n")[0]
        assert b"DOE" not in head and b"1.2.840" not in head and b"DICOM." not in head
    keys = key_values(tmp_path / "a" / "case_7.nrrd")
    assert keys["GrayscaleDetSeg.Source"] == "case_7" and keys["GrayscaleDetSeg.SpacingSource"] == "volume"


def test_the_scene_stays_as_it_is(scene, tmp_path):
    shown = Shown(scene)
    count, inner = scene.GetNumberOfNodes(), shown.node.GetSegmentation()
    shown.save(tmp_path)
    assert scene.GetNumberOfNodes() == count
    assert inner.GetNumberOfLayers() == 2 and inner.GetSegment("femur_2").GetName() == "femur 2"
    assert not segmentation.edits_of(shown.node, shown.volume, shown.grid)


def test_overlaps_and_several_objects_of_a_class(scene, tmp_path):
    shown = Shown(scene)
    over = letter_l()
    over[:15] = False
    shown.add("Patella", over)
    shown.add("femur", corner())
    shown.add("patella 2", ~letter_l() & ~bar() & ~corner())
    shown.save(tmp_path, classes=("patella",))
    case = trained(tmp_path)
    rest = ~letter_l() & ~bar() & ~corner()
    expected = [("right lung", letter_l()), ("femur", bar()), ("patella", over), ("femur", corner()), ("patella", rest)]
    assert objects(case) == [(label, mask.tolist()) for label, mask in expected]
    assert (case.label_map[over] == case.labels["patella"]).all()
    changed = replace(case, label_map=np.where(bar(), 2, 0).astype(np.uint8))
    assert [label for label, _ in changed.objects()] == ["femur"]


@pytest.mark.parametrize(
    "hidden, expected",
    [((), "now"), (("femur 2", "femur 2 (edited)"), "now"), (("femur 2 (edited)",), "now"), (("femur 2",), "former")],
)
def test_of_two_states_of_an_object_one_is_saved(hidden, expected, scene, tmp_path):
    shown = Shown(scene)
    shown.add("femur 2 (edited)", corner(), "femur 2 (edited)" not in hidden)
    shown.node.GetDisplayNode().SetSegmentVisibility("femur_2", "femur 2" not in hidden)
    shown.node.GetDisplayNode().SetSegmentVisibility("right_lung", False)  # hiding alone leaves nothing out
    shown.save(tmp_path)
    mask = bar() if expected == "now" else corner()
    assert objects(trained(tmp_path)) == [("right lung", letter_l().tolist()), ("femur", mask.tolist())]


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_former_state_whose_object_is_gone_counts_where_it_is_shown(is_shown, scene, tmp_path):
    shown = Shown(scene)
    shown.add("femur 2 (edited)", bar(), is_shown=False)
    shown.add("femur 2 (edited)", corner(), is_shown)
    shown.node.GetSegmentation().RemoveSegment("femur_2")
    shown.save(tmp_path)
    expected = [("right lung", letter_l().tolist()), ("femur", corner().tolist())]
    assert objects(trained(tmp_path)) == expected[: 2 if is_shown else 1]


def test_a_copy_that_the_drag_keeps_is_such_a_state(scene, tmp_path):
    from GrayscaleDetSegLib.scene.kept_copies import keep_copy

    shown = Shown(scene)
    shown.write("femur_2", corner())
    keep_copy(shown.node, "femur_2")
    shown.write("femur_2", bar())
    shown.save(tmp_path)
    assert objects(trained(tmp_path)) == [("right lung", letter_l().tolist()), ("femur", bar().tolist())]


def test_renaming_a_segment_corrects_its_class(scene, tmp_path):
    shown = Shown(scene)
    segment = shown.node.GetSegmentation().GetSegment("femur_2")
    segment.SetName("Tibia")
    _, labels_path = shown.save(tmp_path)
    assert objects(trained(tmp_path))[1] == ("tibia", bar().tolist())
    assert "^Tibia~" in key_values(labels_path)["Segment1_Tags"]


def test_classes_of_another_model_come_from_its_result(scene, tmp_path):
    shown = Shown(scene)
    image = shown.result.radiograph
    two = result(image, (found(image, "os 1", "os 1", letter_l()), found(image, "os 1 2", "os 1", bar())))
    segmentation.show_objects(shown.node, shown.volume, shown.grid, two.objects)
    record.keep_result(shown.node, two, shown.grid)
    shown.save(tmp_path)
    assert [label for label, _ in trained(tmp_path).objects()] == ["os 1", "os 1"]


@pytest.mark.parametrize(
    "name, known, expected",
    [
        ("femur", (), "femur"), ("Right Lung", (), "right lung"), ("femur 12", (), "femur"), ("Teeth_3", (), "teeth"),
        ("femur fracture", (), "femur fracture"), ("metacarpal 2", (), "metacarpal 2"),
        ("metacarpal 2", ("Metacarpal",), "Metacarpal"), ("metacarpal 2", ("metacarpal 2", "metacarpal"),
        "metacarpal 2"), ("Kniescheibe übrig", (), "Kniescheibe übrig"),
        ("Segment_1", (), None), ("Segment 2", (), None), ("segment", (), None), ("  ", (), None),
        ("Segment of liver", (), "Segment of liver"),
    ],
)  # fmt: skip
def test_class_of(name, known, expected):
    assert class_of(name, known) == expected


@pytest.mark.parametrize(
    "name, expected",
    [
        ("knee", "knee"), ("a/b\\c:d", "a_b_c_d"), ("..", "case"), ("", "case"), ("x.seg.nrrd", "x"), ("x .seg", "x"),
        ("1: AP <left>", "1_AP_left"), ("CON", "_CON"), ("com1.txt", "_com1.txt"), ("Müller", "Müller"),
        ("y" * 200, "y" * 80), ("y" * 76 + ".seg.more", "y" * 76), ("../../etc", "etc"), ("\0\n", "case"),
    ],
)  # fmt: skip
def test_safe_name(name, expected):
    assert safe_name(name) == expected


def test_a_name_that_is_taken_gets_a_number(scene, tmp_path):
    shown = Shown(scene)
    shown.save(tmp_path)
    (tmp_path / "knee-2.seg.nrrd").write_text("somebody else's")
    assert [path.name for path in shown.save(tmp_path)] == ["knee-3.nrrd", "knee-3.seg.nrrd"]
    assert key_values(tmp_path / "knee-3.nrrd")["GrayscaleDetSeg.Source"] == "knee-3"
    assert (tmp_path / "knee-2.seg.nrrd").read_text() == "somebody else's"


def test_overwriting_replaces_cases_and_nothing_else(scene, tmp_path):
    shown = Shown(scene)
    shown.save(tmp_path)
    shown.write("femur_2", corner())
    shown.save(tmp_path, overwrite=True)
    assert names(tmp_path) == ["knee.nrrd", "knee.seg.nrrd"]
    assert objects(trained(tmp_path))[1] == ("femur", corner().tolist())
    files.write_node(shown.volume, tmp_path / "own.nrrd")
    before = (tmp_path / "own.nrrd").read_bytes()
    with pytest.raises(OutputError, match="not saved as a training case"):
        shown.save(tmp_path, name="own", overwrite=True)
    assert (tmp_path / "own.nrrd").read_bytes() == before and len(names(tmp_path)) == 3


def test_what_cannot_be_saved_is_one_sentence(scene, tmp_path):
    shown = Shown(scene)
    unnamed = shown.add("Segment_1", np.zeros(SHAPE, bool))
    shown.save(tmp_path / "empty segments are left out")
    shown.write(unnamed, corner())
    with pytest.raises(OutputError, match="^The segment Segment_1 has no name.*then save again.$"):
        shown.save(tmp_path / "a")
    for identity in ("right_lung", "femur_2", unnamed):
        shown.write(identity, np.zeros(SHAPE, bool))
    with pytest.raises(OutputError, match="no segment with pixels"):
        shown.save(tmp_path / "a")
    shown.node.GetSegmentation().RemoveAllSegments()
    with pytest.raises(OutputError, match="no segment with pixels"):
        shown.save(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_objects_on_another_slice_are_not_saved(scene, tmp_path):
    shown = Shown(scene, stack=3)
    with pytest.raises(OutputError, match="in this slice"):
        cases.save_case(shown.node, shown.volume, tmp_path, volumes.grid_of(shown.volume, 0))


def test_a_folder_that_cannot_be_written(scene, tmp_path):
    shown = Shown(scene)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="^Nothing can be saved in .*choose another folder.$"):
        shown.save(tmp_path / "file")
    with pytest.raises(OutputError, match="choose another folder"):
        shown.save(tmp_path / "file" / "below")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("fails", [1, 2, 3, 4])
def test_a_write_that_fails_leaves_the_folder_as_it_was(fails, overwrite, scene, tmp_path, monkeypatch):
    """Renames: two from draft to finished files of Slicer's, two (four where a case is replaced) into place."""
    shown = Shown(scene)
    shown.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    shown.write("femur_2", corner())
    calls, rename = [], os.replace

    def failing(source, target):
        calls.append(target)
        if len(calls) == fails + (1 if overwrite and fails > 2 else 0):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OutputError, match="^The case .*cannot be saved"):
        shown.save(tmp_path, overwrite=overwrite)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_slicer_cannot_write(scene, tmp_path, monkeypatch):
    shown = Shown(scene)
    written = []

    def second_fails(node, path):
        if written:
            raise OutputError("The disk is full.")
        written.append(path)
        files.write_node(node, path)

    monkeypatch.setattr(cases, "write_node", second_fails)
    with pytest.raises(OutputError, match="cannot be saved in .*space on the disk"):
        shown.save(tmp_path)
    assert names(tmp_path) == []


def test_geometries_are_what_they_should_be():
    """The phantoms above are turned, flipped and anisotropic, or they would prove little."""
    assert np.linalg.det(ijk_to_ras(GEOMETRIES["flipped"])) < 0 < np.linalg.det(ijk_to_ras(GEOMETRIES["turned"]))
    assert GEOMETRIES["turned"].direction == TURNED
