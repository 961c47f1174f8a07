"""Inputs, names and files: what is found, what results are called, and that they are complete or not there."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from GrayscaleDetSegLib.batch import outputs, writers
from GrayscaleDetSegLib.batch.inputs import Input, collect, plan, stem
from GrayscaleDetSegLib.core.errors import OutputError
from Testing.fakes import result

pytest.importorskip("slicer", reason="slicer-core is not installed")


def touch(folder: Path, *names: str, content: bytes = b"") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Inputs ---------------------------------------------------------------------------------------------------------------


def test_what_counts_in_a_folder(tmp_path):
    touch(tmp_path, "b.PNG", "a.dcm", "sub dir/c.nii.gz", "readme.txt", "notes.json", ".hidden.png", ".git/d.png")
    touch(tmp_path, "1.2.840.1", "DICOMDIR", content=bytes(128) + b"DICM" + bytes(99))
    touch(tmp_path, "done.seg.nrrd", "done.json", "done.png", "alone.png")
    inputs, problems = collect([tmp_path])
    found = [str(item.path.relative_to(tmp_path)) for item in inputs]
    assert found == ["1.2.840.1", "a.dcm", "alone.png", "b.PNG", os.path.join("sub dir", "c.nii.gz")]
    assert inputs[-1].folder == Path("sub dir") and inputs[0].folder == Path()
    assert problems == []


def test_a_named_file_counts_whatever_it_is_called(tmp_path):
    touch(tmp_path, ".x", "y.txt", "z.seg.nrrd")
    inputs, problems = collect([tmp_path / name for name in (".x", "y.txt", "z.seg.nrrd")])
    assert len(inputs) == 3 and not problems


def test_each_file_once_and_paths_that_give_nothing(tmp_path):
    touch(tmp_path, "a.png", "empty/readme.txt")
    inputs, problems = collect([tmp_path / "a.png", tmp_path, tmp_path / "empty", tmp_path / "missing"])
    assert [item.path.name for item in inputs] == ["a.png"]
    assert [(problem.path.name, problem.reason) for problem in problems] == [
        ("empty", "The folder holds no radiographs."),
        ("missing", "There is no such file or folder."),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.nii.gz", "a"), ("A.DCM", "A"), ("1.2.840.113619", "1.2.840.113619"), (".png", ".png"), ("a.b.tif", "a.b")],
)
def test_stem(name, expected):
    assert stem(name) == expected


def test_names_are_unique_and_spare_the_inputs(tmp_path):
    inputs = [
        Input(Path("p/knee.png")),
        Input(Path("p/Knee.dcm")),
        Input(Path("q/knee.png")),
        Input(Path("p/sub/knee.png"), Path("sub")),
        Input(tmp_path / "chest.png"),
        Input(Path("hand.dcm")),
    ]
    assert [str(job.name) for job in plan(inputs, tmp_path)] == [
        "knee.png",
        "Knee.dcm",
        "knee.png (2)",
        str(Path("sub/knee")),
        "chest.png",  # chest.png is the name of its overlay too
        "hand",
    ]


def test_a_second_run_takes_no_result_for_an_input(tmp_path):
    touch(tmp_path, "a.png", "b.dcm")
    for _ in range(2):
        inputs, _ = collect([tmp_path])
        jobs = plan(inputs, tmp_path)
        assert [str(job.name) for job in jobs] == ["a.png", "b"]
        for job in jobs:
            touch(tmp_path, *(path.name for path in job.outputs(tmp_path)))


# Outputs --------------------------------------------------------------------------------------------------------------


def write(folder: Path, name: str = "knee", **options) -> tuple[Path, ...]:
    return outputs.write(result(), folder, Path(name), **options).files


@pytest.mark.parametrize("name", ["knee", "sub/Knie – 膝 1", "1.2.840"])
def test_three_files(name, tmp_path):
    write(tmp_path, name)
    folder = (tmp_path / name).parent
    last = Path(name).name
    assert names(folder) == sorted([f"{last}.json", f"{last}.png", f"{last}.seg.nrrd"])
    text = (folder / f"{last}.json").read_text(encoding="utf-8")
    assert json.loads(text)["objects"][0]["name"] == "right lung"


def test_nothing_is_overwritten_unless_asked_for(tmp_path):
    touch(tmp_path, "knee.json", content=b"mine")
    with pytest.raises(OutputError, match="knee.json exists already"):
        write(tmp_path)
    assert names(tmp_path) == ["knee.json"] and (tmp_path / "knee.json").read_bytes() == b"mine"
    write(tmp_path, overwrite=True)
    assert (tmp_path / "knee.json").read_bytes() != b"mine" and len(names(tmp_path)) == 3


@pytest.mark.parametrize("step", [writers.SegmentationWriter, writers.ReportWriter, writers.OverlayWriter])
@pytest.mark.parametrize("raised", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("before", [True, False])
def test_an_interruption_leaves_all_as_it_was(step, raised, before, monkeypatch, tmp_path):
    if before:
        touch(tmp_path, "knee.seg.nrrd", "knee.json", "knee.png", content=b"old")

    def stop(*_args, **_keywords):
        raise raised

    monkeypatch.setattr(step, "write", stop)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        write(tmp_path, overwrite=True)
    assert names(tmp_path) == (["knee.json", "knee.png", "knee.seg.nrrd"] if before else [])
    assert all(path.read_bytes() == b"old" for path in tmp_path.iterdir())


def test_a_signal_while_renaming_waits_for_the_last_file(monkeypatch, tmp_path):
    replace = os.replace

    def interrupted(source, target):
        if str(target).endswith("knee.json"):
            signal.raise_signal(signal.SIGINT)
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path)
    assert names(tmp_path) == ["knee.json", "knee.png", "knee.seg.nrrd"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_failing_rename_takes_the_others_back(monkeypatch, tmp_path):
    replace = os.replace

    def failing(source, target):
        if str(target).endswith("knee.png"):
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OutputError, match="Permission denied"):
        write(tmp_path)
    assert names(tmp_path) == []


def test_folders_that_cannot_be_written_to(monkeypatch, tmp_path):
    touch(tmp_path, "file")
    with pytest.raises(OutputError, match="is a file"):
        outputs.prepare(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written|Nothing can be written"):
        outputs.prepare(tmp_path / "file" / "below")
    (tmp_path / "knee.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path, overwrite=True)

    def refuse(**_keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        outputs.prepare(tmp_path / "new")
