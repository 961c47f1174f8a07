"""Folders of cases as training reads them: what Slicer saved itself, splits, and all that can be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.scene import files, segmentation, volumes
from Testing.fakes import GEOMETRIES, SHAPE, bar, letter_l, radiograph
from Testing.saved_cases import Shown, corner, objects, save_as_slicer_does, trained
from Testing.scene_nodes import add_volume

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
pytest.importorskip("scipy")

from training.data import load_set, load_sets  # noqa: E402
from training.data.cases import read_cases  # noqa: E402
from training.data.checking import main  # noqa: E402


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_what_slicer_saves_itself_is_read_as_well(geometry, overlap, crop, scene, tmp_path):
    shown = Shown(scene, geometry)
    over = letter_l() if overlap else corner()
    shown.add("Meniscus", over)
    save_as_slicer_does(shown, tmp_path / "knee segmentation.seg.nrrd", crop)
    sizes = (tmp_path / "knee segmentation.seg.nrrd").read_bytes().partition(b"sizes: ")[2].split(b"\n")[0]
    assert (b"130 90" in sizes) != crop and sizes.startswith(b"2 ") == overlap
    expected = [("right lung", letter_l()), ("femur", bar()), ("Meniscus", over)]
    assert objects(trained(tmp_path)) == [(label, mask.tolist()) for label, mask in expected]


def test_axes_that_run_the_other_way(scene, tmp_path):
    """The same place in the patient, the columns counted from the other side and rows exchanged with columns."""
    sitk = pytest.importorskip("SimpleITK")
    shown = Shown(scene)
    _, labels_path = shown.save(tmp_path)
    stored = sitk.ReadImage(str(labels_path))
    turned = sitk.PermuteAxes(sitk.Flip(stored, [True, False, False]), [1, 0, 2])
    for key in stored.GetMetaDataKeys():
        if key.startswith("Segment"):
            turned.SetMetaData(key, stored.GetMetaData(key))
    sitk.WriteImage(turned, str(labels_path))
    assert sitk.ReadImage(str(labels_path)).GetSize() == (90, 130, 1)
    assert objects(trained(tmp_path)) == [("right lung", letter_l().tolist()), ("femur", bar().tolist())]


def test_segmentations_beside_a_monochrome1_file(scene, tmp_path):
    """The image in the hospital's format, as Slicer loads it; nothing of ours in the folder."""
    sitk = pytest.importorskip("SimpleITK")
    from Testing.reading_files import write_dicom

    pixels = np.array(radiograph().pixels)
    path = tmp_path / "knee.dcm"
    write_dicom(path, (4095 - pixels).astype(np.uint16), bits=12, PhotometricInterpretation="MONOCHROME1")
    logic = slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLScene(scene)
    shown = Shown(scene)
    shown.volume = logic.AddArchetypeVolume(str(path), "knee", 0)
    shown.grid = volumes.grid_of(shown.volume)
    shown.node = segmentation.add_segmentation_for(shown.volume, shown.grid, shown.result, scene)
    save_as_slicer_does(shown, tmp_path / "knee.seg.nrrd", image_path=tmp_path.parent / "elsewhere.nrrd")
    assert sitk.ReadImage(str(path)).GetSize() == (130, 90, 1)
    case = trained(tmp_path)
    assert (case.pixels == pixels).all()
    assert objects(case) == [("right lung", letter_l().tolist()), ("femur", bar().tolist())]


def test_a_split_table(scene, tmp_path):
    shown = Shown(scene)
    for name in ("a", "b", "c", "d"):
        shown.save(tmp_path, name=name)
    (tmp_path / "split.csv").write_text("name,split,polarity\na,val,\nb,,inverted\nd,test,\ne,train,\n")
    found_cases, problems = read_cases(tmp_path)
    assert [(case.name, case.split) for case in found_cases] == [("a", "val"), ("b", "train"), ("c", "train")]
    assert (found_cases[1].pixels == 4095 - shown.pixels).all()
    assert sorted((item.name, item.severity) for item in problems) == [("d", "warning"), ("e", "warning")]
    assert [case.name for case in load_set(tmp_path, "val")] == ["a"]
    assert [case.name for case in load_sets(tmp_path.parent, "train", (tmp_path.name,))] == ["b", "c"]


def test_bad_cases_are_listed_and_the_others_used(scene, tmp_path, capsys):
    shown = Shown(scene)
    shown.save(tmp_path, name="good")
    for name in ("alone", "masks", "cut", "junk", "moved", "other", "unnamed", "empty", "stray"):
        shown.save(tmp_path, name=name)

    def labels(name):
        return tmp_path / f"{name}.seg.nrrd"

    def edit(name, old, new):
        content = labels(name).read_bytes()
        assert old in content
        labels(name).write_bytes(content.replace(old, new))

    labels("alone").unlink()
    (tmp_path / "masks.nrrd").unlink()
    labels("cut").write_bytes(labels("cut").read_bytes()[:-40])
    (tmp_path / "junk.nrrd").write_bytes(b"no image at all")
    edit("moved", b"space origin: (100.25", b"space origin: (100.35")
    small = add_volume(scene, shown.pixels[:80, :120], GEOMETRIES["turned"])
    files.write_node(small, tmp_path / "other.nrrd")
    edit("unnamed", b"Segment1_Name:=femur", b"Segment1_Name:=Segment_2")
    edit("empty", b"LabelValue:=1", b"LabelValue:=0")
    edit("empty", b"LabelValue:=2", b"LabelValue:=0")
    edit("stray", b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=7")
    found_cases, problems = read_cases(tmp_path)
    assert [case.name for case in found_cases] == ["good"]
    expected = {
        "alone": "no segmentation alone.seg.nrrd", "masks": "no image masks.nrrd", "cut": "cut", "junk": "junk.nrrd",
        "moved": "does not lie on the pixels", "other": "sizes differ", "unnamed": "'Segment_2' has no name",
        "empty": "the value 1, 2 that no segment names", "stray": "the value 2 that no segment names",
    }  # fmt: skip
    said = {item.name: str(item) for item in problems}
    assert {item.name for item in problems if item.severity == "warning"} == {"alone"}  # it may be labelled one day
    assert set(said) == set(expected) and len(problems) == len(expected)
    for name, part in expected.items():
        assert part in said[name].partition(":")[2], said[name]
        assert said[name].endswith(".") and "\n" not in said[name]
    assert [case.name for case in load_set(tmp_path)] == ["good"]
    assert capsys.readouterr().err.count("\n") == 1 + len(expected)
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "1 images, 1 for training, 0 for validation" in printed and "errors (8)" in printed


def test_an_empty_label_and_a_folder_without_a_good_case(scene, tmp_path):
    shown = Shown(scene)
    _, labels_path = shown.save(tmp_path)
    nothing = add_volume(scene, np.zeros(SHAPE, np.uint8), GEOMETRIES["turned"])
    files.write_node(nothing, labels_path)
    assert "no segment has pixels" in str(read_cases(tmp_path)[1][0])
    with pytest.raises(ValueError, match="no case that can be used"):
        load_set(tmp_path, "train")
    assert load_set(tmp_path, "val") == []
    assert main([str(tmp_path / "nowhere")]) == 2


def test_the_trainings_take_saved_cases(scene, tmp_path):
    """Their samples come from the same objects as those of any other set."""
    pytest.importorskip("lightning")
    from training.box_data import BoxDataset
    from training.data import CLASSES
    from training.detection_data import DetectionDataset
    from training.surface_data import SurfaceDataset

    shown = Shown(scene)
    shown.add("patella", corner())
    shown.save(tmp_path)
    found_cases = load_set(tmp_path, "train")
    boxes = BoxDataset(found_cases, CLASSES, 12)
    assert [boxes[number].label for number in range(len(boxes))] == [0, 2]
    assert len(SurfaceDataset(found_cases, CLASSES, 12)[0]) == 2
    sample = DetectionDataset(found_cases, CLASSES, 64)[0]
    assert sample.labels.tolist() == [0, 2]
    assert sample.marked.tolist() == [True, False, True, False, False]  # what nobody marked is not taken for absent
