"""`grayscale-detseg segment` with a model for volumes: folders of slices, the files of a result, overlaps in layers."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch.volumes import report
from GrayscaleDetSegLib.batch.volumes.inputs import collect
from GrayscaleDetSegLib.batch.volumes.picture import draw_picture
from GrayscaleDetSegLib.core.volumes.result import VolumeMask, VolumeObject, VolumeResult
from GrayscaleDetSegLib.core.volumes.views import dsc
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.scene.files import write_result
from Testing.test_volume_grid import oblique
from Testing.test_volume_reading import image_of, write_series
from Testing.volume_models import block, write_model

PARTS = [
    {"method": "rstn", "label": "heart"},
    {"method": "rstn", "label": "left ventricle", "within": "heart", "reach": 0.3},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"), [dict(part) for part in PARTS], {"modality": "MR"},
                       method="organ_then_part")


def call(*arguments) -> int:
    return command.main(["segment", *map(str, arguments)])


def test_files_and_a_folder_of_slices_in_one_run(model, tmp_path, capsys):
    voxels, mask, _ = block()
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    sitk.WriteImage(image_of(voxels), str(data / "sub" / "a.nii.gz"))
    write_series(data / "ct", voxels)
    (data / "list.txt").write_text("no volume")
    assert call(data, "-o", tmp_path / "out", "--model", model, "--method", "rstn") == 0
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    names = ["ct", "sub/a"]
    assert written == sorted(f"{name}{end}" for name in names for end in (".seg.nrrd", ".json", ".png"))
    printed = capsys.readouterr().out
    assert "Found heart." in printed and "2 done, 0 failed." in printed
    for name, read in (("ct", None), ("sub/a", data / "sub" / "a.nii.gz")):
        found = sitk.ReadImage(str(tmp_path / "out" / f"{name}.seg.nrrd"))
        assert dsc(sitk.GetArrayFromImage(found) == 1, mask) > 0.95, "the grid is finer than the file"
        if read is not None:
            known = sitk.ReadImage(str(read))
            np.testing.assert_allclose(found.GetOrigin(), known.GetOrigin(), atol=1e-5)
            np.testing.assert_allclose(found.GetSpacing(), known.GetSpacing(), atol=1e-5)
            np.testing.assert_allclose(found.GetDirection(), known.GetDirection(), atol=1e-5)
        document = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        (item,) = document["objects"]
        assert item["voxel_count"] == pytest.approx(mask.sum(), rel=0.06) and item["explanation"]["kind"] == "saliency"
        assert [each["number"] for each in item["explanation"]["rounds"]][:2] == [0, 1]
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.width > 600
    assert "do not trust what it finds" in json.loads((tmp_path / "out" / "ct.json").read_text())["message"]


def test_resuming_and_numbers_alone(model, tmp_path, capsys):
    sitk.WriteImage(image_of(block()[0]), str(tmp_path / "a.mha"))
    arguments = (tmp_path / "a.mha", "--model", model, "--method", "rstn")
    assert call(*arguments, "-o", tmp_path / "out") == 0
    before = (tmp_path / "out" / "a.json").stat().st_mtime_ns
    assert call(*arguments, "-o", tmp_path / "out", "--resume") == 0
    assert (tmp_path / "out" / "a.json").stat().st_mtime_ns == before
    assert call(*arguments, "-o", tmp_path / "out") == 3, "it is there"
    capsys.readouterr()
    assert call(*arguments, "--json", "-", "--score-threshold", "0.5") == 0
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((Path(report.__file__).parent / "result.schema.json").read_text(encoding="utf-8"))
    assert schema == report.generated_schema(), "generate it anew"
    jsonschema.validate(document, schema)
    assert document["schema"] == "grayscale-detseg/volume-result"
    assert document["notes"][-1].startswith("Polarity, score threshold and VOI window are for radiographs")


def test_bad_inputs_fail_alone_and_each_says_why(model, tmp_path, capsys):
    sitk.WriteImage(image_of(block()[0]), str(tmp_path / "good.nrrd"))
    sitk.WriteImage(image_of(block()[1].astype(np.uint8)), str(tmp_path / "labels.nrrd"))
    (tmp_path / "empty").mkdir()
    assert call(tmp_path / "good.nrrd", tmp_path / "labels.nrrd", tmp_path / "empty", "--model", model, "-o",
                tmp_path / "out") == 3
    complaints = capsys.readouterr().err
    assert "The folder holds no volumes." in complaints and "a label map and no image" in complaints
    assert (tmp_path / "out" / "good.json").exists() and not (tmp_path / "out" / "labels.json").exists()
    assert call(tmp_path / "good.nrrd", "--json", "-", "--model", model, "--method", "box") == 2


def test_volumes_are_no_input_of_the_shipped_model(tmp_path, capsys):
    sitk.WriteImage(image_of(block()[0]), str(tmp_path / "a.nrrd"))
    inputs, problems = collect([tmp_path, tmp_path / "missing"])
    assert [item.path.name for item in inputs] == ["a.nrrd"]
    assert problems[0].reason == "There is no such file or folder."


def result_with(*named: tuple[str, np.ndarray]) -> VolumeResult:
    voxels, _, geometry = block()
    volume = Volume.from_array(voxels, oblique(geometry))
    objects = []
    for name, mask in named:
        kept = VolumeMask.of(mask)
        objects.append(VolumeObject(name, name, kept.box, kept, float(kept.count), 0.9, "rstn"))
    return VolumeResult(volume, tuple(objects), volume.shape, volume.spacing, "cpu", {}, "bright 1")


def test_slicer_reads_overlapping_segments_whole(tmp_path):
    slicer = pytest.importorskip("slicer")
    mask = block()[1]
    inner = np.zeros_like(mask)
    inner[8:10, 9:11, 11:13] = True
    other = np.zeros_like(mask)
    other[18:21, 18:20, 3:6] = True
    result = result_with(("heart", mask), ("left ventricle", inner), ("right ventricle", other))
    assert [indices for _, indices in result.layers()] == [(0, 2), (1,)]
    write_result(result, tmp_path / "a.seg.nrrd")
    scene = slicer.vtkMRMLScene()
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage.SetFileName(str(tmp_path / "a.seg.nrrd"))
    assert storage.ReadData(node)
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    assert [segmentation.GetSegment(each).GetName() for each in ids] == ["heart", "left ventricle", "right ventricle"]
    from vtk.util.numpy_support import vtk_to_numpy

    for each, truth in zip(ids, (mask, inner, other)):
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(each, image)
        x0, x1, y0, y1, z0, z1 = image.GetExtent()
        values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(z1 - z0 + 1, y1 - y0 + 1, x1 - x0 + 1)
        whole = np.zeros(truth.shape, bool)
        whole[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1] = values > 0
        assert np.array_equal(whole, truth)
        np.testing.assert_allclose(image.GetSpacing(), (1.0, 1.0, 1.0), atol=1e-6)


def test_nothing_found_is_a_file_of_zeros_and_a_picture(tmp_path):
    result = result_with()
    write_result(result, tmp_path / "a.seg.nrrd")
    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    assert image.GetSize() == (28, 26, 24) and not sitk.GetArrayFromImage(image).any()
    assert draw_picture(result).height > 300 and result.message == "Nothing was found."
