"""The file of ``--json``: what it replaces and what it spares, and that it is tried before any work."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch import json_file
from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch.inputs import Input, plan
from GrayscaleDetSegLib.core.errors import OutputError
from Testing.batch_calls import segment_in
from Testing.fakes import FakePipeline, fake_reader


@pytest.fixture
def pipeline():
    return FakePipeline()


@pytest.fixture
def call(pipeline, tmp_path, monkeypatch):
    return segment_in(tmp_path, pipeline, monkeypatch)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"the only copy", bytes(128) + b"DICM", b"{", b"[" * 10**5, b"[]", b"{}", b'[{"schema": "mine"}]',
        b'{"schema": ["grayscale-detseg/result"]}',
    ],
)  # fmt: skip
def test_a_file_that_it_has_not_written_stays(content, call, capsys, pipeline):
    Path("other").write_bytes(content)
    assert call("a.dcm", "--json", "other", "--overwrite") == 2
    assert Path("other").read_bytes() == content and not pipeline.calls
    assert "other was not written by --json and is not replaced" in capsys.readouterr().err


@pytest.mark.parametrize("named", [("a.dcm",), ("a.dcm", "bad.dcm"), ("a.dcm", "b.dcm")])
def test_what_it_has_written_before_is_replaced(named, call):
    call(*named, "--json", "all.json")
    before = Path("all.json").stat().st_ino
    call("b.dcm", "--json", "all.json", "--overwrite")
    assert json.loads(Path("all.json").read_text())["objects"] and Path("all.json").stat().st_ino != before


def test_the_report_of_an_earlier_result_stays(call, capsys):
    assert call("a.dcm", "-o", "out") == 0
    before = Path("out/a.json").read_bytes()
    assert call("b.dcm", "--json", "out/a.json", "--overwrite") == 2
    assert Path("out/a.json").read_bytes() == before
    assert "is a file of a result" in capsys.readouterr().err


def test_what_another_program_has_put_there_meanwhile_stays(tmp_path):
    (tmp_path / "all.json").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError):
            json_file.deliver("{}\n", tmp_path / "all.json", overwrite)
    assert (tmp_path / "all.json").read_text() == "mine" and len(os.listdir(tmp_path)) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_pipe_is_neither_waited_for_nor_replaced(call):
    os.mkfifo("pipe")
    assert call("a.dcm", "--json", "pipe", "--overwrite") == 2
    assert Path("pipe").is_fifo()


def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(call, capsys, pipeline, monkeypatch):
    def refuse(**_keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert call("a.dcm", "--json", "all.json") == 2
    assert not pipeline.calls
    assert capsys.readouterr().err == "all.json cannot be written: Permission denied.\n"


def test_results_spare_the_pixels_of_their_inputs(tmp_path):
    """A header names the file that its pixels are in, and a folder of slices is no one file either."""
    np.zeros((40, 40), np.uint16).tofile(tmp_path / "nrrd.json")
    np.zeros((40, 40), np.uint16).tofile(tmp_path / "meta.png")
    (tmp_path / "nrrd.nhdr").write_text(
        "NRRD0004\ntype: uint16\ndimension: 2\nsizes: 40 40\nencoding: raw\nendian: little\ndata file: nrrd.json\n"
    )
    (tmp_path / "meta.mhd").write_text(
        "ObjectType = Image\nNDims = 2\nDimSize = 40 40\nElementType = MET_USHORT\nElementDataFile = meta.png\n"
    )
    (tmp_path / "damaged.nhdr").write_text("NRRD0004\n")
    named = [Input(tmp_path / name) for name in ("nrrd.nhdr", "meta.mhd", "damaged.nhdr", "missing.nhdr")]
    assert [job.name.name for job in plan(named, tmp_path)] == ["nrrd.nhdr", "meta.mhd", "damaged", "missing"]
    series = tmp_path / "series"
    series.mkdir()
    (series / "series.png").touch()
    assert [job.name.name for job in plan([Input(series)], series)] == ["series (2)"]


def test_what_is_missing_stands_at_its_place(call, capsys, monkeypatch):
    """The form of the document says how many were given, whatever became of them."""
    os.makedirs("empty")
    given = ["a.dcm", "gone", "bad.dcm", "empty", "lost", "b.dcm"]
    assert call(*given, "--json", "-") == 3
    of_segment = json.loads(capsys.readouterr().out)
    assert command.main(["info", *given, "--json"], read=fake_reader) == 3
    of_info = json.loads(capsys.readouterr().out)
    assert [item.get("file") or item["input"]["file"] for item in of_segment] == given
    assert [item["file"] for item in of_info] == given
    assert [item.get("reason") for item in of_info][1] == "There is no such file or folder."
    assert command.main(["info", "a.dcm", "gone", "--json"], read=fake_reader) == 3
    assert len(json.loads(capsys.readouterr().out)) == 2
