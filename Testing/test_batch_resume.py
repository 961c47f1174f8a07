"""What ``--resume`` keeps: whole results alone, edited ones too, under the names that they have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch.inputs import Input, plan
from GrayscaleDetSegLib.batch.writers import is_whole
from GrayscaleDetSegLib.scene.files import write_result
from Testing.fakes import FakePipeline, fake_reader, result


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Runs `segment` in a folder of its own; returns the exit code, and which inputs were segmented."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.dcm", "b.dcm"):
        Path(name).write_bytes(name.encode())

    def run(*arguments: str) -> tuple[int, list[str]]:
        pipeline = FakePipeline()
        code = command.main(["segment", *arguments, "-o", "out", "--resume"], lambda *_: pipeline, fake_reader)
        return code, [image.source.name for image, *_ in pipeline.calls]

    return run


# ---- whole or not


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".png"])
@pytest.mark.parametrize("left", [1, 0.5, 0.999, -1])
def test_a_result_that_was_cut_short_is_told(suffix, left, call, capsys):
    assert call("a.dcm")[1] == ["a.dcm"]
    path = Path(f"out/a{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content)) if 0 < left < 1 else left])
    assert call("a.dcm", "b.dcm") == (3, ["b.dcm"])
    assert f"The result of a.dcm is not complete (a{suffix} is missing or cut short)" in capsys.readouterr().err
    assert call("a.dcm", "--overwrite") == (0, ["a.dcm"])
    assert path.read_bytes()[-20:] == content[-20:]


@pytest.mark.parametrize("packed", [True, False])
def test_a_segmentation_that_was_edited_is_whole(packed, call):
    """As ITK writes it, which is what Slicer does; by its size it could be one that was cut short."""
    assert call("a.dcm")[1] == ["a.dcm"]
    image = sitk.ReadImage("out/a.seg.nrrd")
    values = sitk.GetArrayFromImage(image)
    other = sitk.GetImageFromArray(np.zeros_like(values), isVector=image.GetNumberOfComponentsPerPixel() > 1)
    other.CopyInformation(image)
    sitk.WriteImage(other, "out/a.seg.nrrd", packed)
    before = Path("out/a.seg.nrrd").read_bytes()
    assert call("a.dcm") == (0, []) and call("a.dcm", "--overwrite") == (0, [])
    assert Path("out/a.seg.nrrd").read_bytes() == before
    Path("out/a.seg.nrrd").write_bytes(before[:-10])
    assert call("a.dcm")[0] == 3


def test_what_slicer_saves_is_whole(tmp_path):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    write_result(result(), tmp_path / "a.seg.nrrd")
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "a.seg.nrrd"))
    assert storage.ReadData(node)
    for packed in (True, False):
        storage.SetUseCompression(packed)
        storage.SetFileName(str(tmp_path / "b.seg.nrrd"))
        assert storage.WriteData(node) and is_whole(tmp_path / "b.seg.nrrd")


def test_a_report_that_is_nested_too_deep_is_damaged(call, capsys):
    assert call("a.dcm")[1] == ["a.dcm"]
    Path("out/a.json").write_text("[" * 10**5)
    assert call("a.dcm") == (3, [])
    assert "a.json is damaged, or no report of a result" in capsys.readouterr().err


# ---- names


def names() -> list[str]:
    return sorted(path.name for path in Path("out").glob("*.seg.nrrd"))


def test_a_result_keeps_its_name_when_another_ending_comes_or_goes(call):
    Path("x.dcm").touch()
    assert call("x.dcm", "a.dcm") == (0, ["x.dcm", "a.dcm"])
    Path("x.png").touch()
    for named in (("x.png", "a.dcm", "x.dcm"), (str(Path.cwd()),)):
        code, done = call(*named)
        assert code == 0 and "x.dcm" not in done and "a.dcm" not in done
        assert {"a.seg.nrrd", "x.png.seg.nrrd", "x.seg.nrrd"} <= set(names()) and "x.dcm.seg.nrrd" not in names()
    assert call("x.png") == (0, []) and "x.seg.nrrd" in names()


def test_files_of_one_name_keep_their_results_apart(call):
    for folder in "pq":
        Path(folder).mkdir()
        Path(folder, "x.png").write_bytes(folder.encode())
    assert call("p/x.png", "q/x.png") == (0, ["x.png", "x.png"])
    before = names()
    for named in (("p/x.png", "q/x.png"), ("q/x.png", "p/x.png")):
        assert call(*named) == (0, []) and names() == before
    Path("out/x.png.json").write_text("[" * 10**5)
    assert call("p/x.png", "q/x.png") == (3, [])


def test_a_file_of_json_is_no_result_that_has_a_name(call, tmp_path):
    """What --json has written there for one input; another has its stem."""
    for name in ("a.png", "a.dcm"):
        (tmp_path / name).touch()
    (tmp_path / "out").mkdir()
    report = {"schema": "grayscale-detseg/result", "input": {"file": str(tmp_path / "a.png")}}
    (tmp_path / "out" / "a.json").write_text(json.dumps(report))
    found = [Input(tmp_path / "a.dcm"), Input(tmp_path / "a.png")]
    assert [str(job.name) for job in plan(found, tmp_path / "out", resume=True)] == ["a.dcm", "a.png"]


def test_a_picture_that_belongs_to_no_result_is_not_replaced(call, tmp_path, capsys):
    """As one that somebody has put beside a film, with --output there."""
    (tmp_path / "out").mkdir()
    picture = tmp_path / "out" / "a.png"
    picture.write_bytes(b"mine")
    assert call("a.dcm", "--overwrite") == (3, [])
    assert "a.png is no file of a result and is not replaced: use another output folder." in capsys.readouterr().err
    assert picture.read_bytes() == b"mine" and not (tmp_path / "out" / "a.json").exists()
    picture.unlink()
    assert call("a.dcm")[0] == 0
    for left in ("a.seg.nrrd", "a.json"):  # of a result that somebody has taken a file of
        (tmp_path / "out" / left).unlink()
        assert call("a.dcm", "--overwrite") == (0, ["a.dcm"])
