"""The command from its arguments to its exit code, with a pipeline that needs no weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from GrayscaleDetSegLib.batch import arguments as command_arguments
from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch import overlay
from GrayscaleDetSegLib.core.errors import DeviceError, WeightsError
from GrayscaleDetSegLib.core.methods.registry import registry
from Testing.batch_calls import segment_in
from Testing.fakes import FakePipeline, fake_reader

pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture
def pipeline():
    return FakePipeline()


@pytest.fixture
def call(pipeline, tmp_path, monkeypatch):
    return segment_in(tmp_path, pipeline, monkeypatch)


def results(folder: str = "out") -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def test_all_done(call, capsys, pipeline):
    assert call("a.dcm", "b.dcm", "-o", "out") == 0
    assert results() == [f"{n}.{e}" for n in "ab" for e in ("json", "png", "seg.nrrd")]
    printed, complaints = capsys.readouterr()
    assert complaints == ""
    assert printed.splitlines() == [
        "Computing with numpy on cpu.",
        f"[1/2] a.dcm: Found right lung, femur 2. -> {Path('out/a.seg.nrrd')}",
        f"[2/2] b.dcm: Found right lung, femur 2. -> {Path('out/b.seg.nrrd')}",
        "2 done, 0 failed.",
    ]
    assert "\x1b" not in printed and "\r" not in printed


def test_a_bad_file_among_good_ones(call, capsys):
    assert call("a.dcm", "bad.dcm", "missing.dcm", "b.dcm", "-o", "out") == 3
    assert len(results()) == 6
    printed, complaints = capsys.readouterr()
    assert "Failed: missing.dcm: There is no such file or folder." in complaints
    assert "[2/3] Failed: bad.dcm: bad.dcm is not a radiograph" in complaints
    assert printed.splitlines()[-1] == "2 done, 2 failed."


def test_folders_keep_their_structure(call):
    os.makedirs("in/x/y y")
    Path("in/1.png").touch()
    Path("in/x/y y/Knie – 膝.png").touch()
    assert call("in", "-o", "out") == 0
    assert {str(Path(name).parent) for name in results()} == {".", os.path.join("x", "y y")}
    assert os.path.join("x", "y y", "Knie – 膝.seg.nrrd") in results()


def test_overwriting_is_refused_before_any_work(call, capsys, pipeline):
    assert call("a.dcm", "-o", "out") == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    assert call("a.dcm", "b.dcm", "-o", "out") == 3
    assert len(pipeline.calls) == 2
    assert "exists already" in capsys.readouterr().err
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert call("a.dcm", "-o", "out", "--overwrite") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.dcm"],
        ["-o", "out"],
        ["missing.dcm", "-o", "out"],
        ["empty", "-o", "out"],
        ["a.dcm", "-o", "b.dcm"],
        ["a.dcm", "-o", "b.dcm/sub"],
        ["a.dcm", "-o", "out", "--device", "tpu"],
        ["a.dcm", "-o", "out", "--method", "magic"],
        ["a.dcm", "-o", "out", "--score-threshold", "2"],
        ["a.dcm", "-o", "out", "--score-threshold", "much"],
        ["a.dcm", "-o", "out", "--polarity", "auto", "--frobnicate"],
        ["a.dcm", "--json", "b.dcm"],
        ["a.dcm", "--json", "nowhere/all.json"],
        ["a.dcm", "-o", "out", "--json", "out/a.json"],
        ["a.dcm", "-o", "out", "--json", "out/a.png", "--overwrite"],
        ["a.dcm", "-o", ""],
        ["a.dcm", "-o", "out", "--model", ""],
    ],
)
def test_bad_arguments(arguments, call, capsys, pipeline):
    os.mkdir("empty")
    assert call(*arguments) == 2
    printed, complaints = capsys.readouterr()
    assert printed == "" and complaints and "Traceback" not in complaints
    assert not pipeline.calls


def test_weights_and_devices(call, capsys):
    def load(error):
        def fail(*_arguments):
            raise error

        return fail

    assert call("a.dcm", "-o", "out", load=load(WeightsError("The weights in x are missing."))) == 4
    assert call("a.dcm", "-o", "out", load=load(DeviceError("There is no CUDA device."))) == 2
    assert capsys.readouterr().err == "The weights in x are missing.\nThere is no CUDA device.\n"


def test_faults_of_ours(call, capsys):
    Path("bug.dcm").touch()
    assert call("bug.dcm", "bad.dcm", "a.dcm", "-o", "out") == 1
    printed, complaints = capsys.readouterr()
    assert len(results()) == 3 and "ZeroDivisionError: a fault of ours" in complaints
    assert "Traceback" not in printed + complaints
    assert call("bug.dcm", "-o", "out", "--verbose") == 1
    assert "Traceback" in capsys.readouterr().err
    assert call("a.dcm", "-o", "new", load=lambda *_: 1 / 0) == 1
    assert "Traceback" not in capsys.readouterr().err


class OutOfMemoryError(RuntimeError):
    """As PyTorch names that of CUDA."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "GPU has not enough memory"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), "GPU has not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "not enough memory"),
    ],
)
def test_too_little_memory_is_no_fault_of_the_program(error, words, call, capsys):
    def run_out(image):
        raise error

    assert call("a.dcm", "b.dcm", "-o", "out", load=lambda *_: FakePipeline(run_out)) == 3
    complaints = capsys.readouterr().err
    assert complaints.count(words) == 2 and "fault" not in complaints and "Tried" not in complaints


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt, 130), (command.Terminated, 143)])
def test_signals_while_the_command_is_being_left(stop, code):
    def run():
        raise stop

    assert command.as_process(run) == code


def test_options_reach_the_pipeline(call, pipeline):
    loaded = []

    def load(folder, device, engine):
        loaded.append((folder, device))
        return pipeline

    arguments = ["a.dcm", "-o", "out", "--no-post-processing", "--score-threshold", "0.25", "--model", "m"]
    arguments += ["--device", "cpu"]
    assert call(*arguments, load=load) == 0
    assert loaded == [(Path("m"), "cpu")]
    assert pipeline.calls[0][1:] == (None, False, 0.25)
    assert json.loads(Path("out/a.json").read_text())["settings"]["clean_up"] == []


@pytest.mark.parametrize("method", [each.name for each in registry().usable() if each.dimensions == 2])
def test_every_method_can_be_asked_for(method, call, pipeline):
    assert call("a.dcm", "--json", "-", "--method", method) == 0
    assert [called[1] for called in pipeline.calls] == [method]


def test_no_other_method_can_be_asked_for():
    assert list(command_arguments.METHODS) == list(registry().names)
    assert "surfaces" in command_arguments.METHODS and "magic" not in command_arguments.METHODS


def test_a_model_without_the_method_that_was_asked_for(call, capsys):
    """What was asked for and cannot be had is said before any work; the model's own method needs no asking."""
    boxes_only = FakePipeline(methods=("box",))
    assert call("a.dcm", "-o", "out", "--method", "surfaces", load=lambda *_: boxes_only) == 2
    printed, complaints = capsys.readouterr()
    assert printed == "" and results() == [] and not boxes_only.calls
    assert complaints == "The model fake 1.0 has no method 'surfaces'.\n"
    assert call("a.dcm", "-o", "out", "--method", "box", load=lambda *_: boxes_only) == 0
    assert call("b.dcm", "-o", "out", load=lambda *_: boxes_only) == 0
    assert [called[1] for called in boxes_only.calls] == ["box", None]


def test_an_announced_fall_back(call, pipeline, capsys):
    pipeline.device_note = "No GPU can be used: computing on the CPU."
    assert call("a.dcm", "-o", "out") == 0
    assert capsys.readouterr().out.startswith("No GPU can be used: computing on the CPU.\n")


def test_json_to_standard_output(call, capsys):
    assert call("a.dcm", "-o", "out", "--json", "-") == 0
    printed, complaints = capsys.readouterr()
    assert json.loads(printed) == json.loads(Path("out/a.json").read_text())
    assert "1 done, 0 failed." in complaints


def test_json_of_several_without_files(call, capsys):
    assert call("a.dcm", "bad.dcm", "b.dcm", "missing", "--json", "-") == 3
    documents = json.loads(capsys.readouterr().out)
    kinds = [document["schema"].rpartition("/")[2] for document in documents]
    assert sorted(kinds) == ["failure", "failure", "result", "result"]
    assert {d["file"] for d in documents if "reason" in d} == {"bad.dcm", "missing"}
    assert not Path("out").exists()


def test_json_to_a_file(call, capsys):
    assert call("a.dcm", "--json", "all.json") == 0
    assert json.loads(Path("all.json").read_text())["objects"]
    assert call("a.dcm", "--json", "all.json") == 2
    assert call("a.dcm", "--json", "all.json", "--overwrite") == 0
    assert capsys.readouterr().out.startswith("Computing with numpy on cpu.")


@pytest.mark.parametrize("named", [("a.dcm",), ("a.dcm", "b.dcm"), (".",)])
def test_json_never_replaces_an_image(call, capsys, pipeline, named):
    Path("a.dcm").write_bytes(b"the only copy")
    assert call(*named, "--json", os.path.join("..", Path.cwd().name, "a.dcm"), "--overwrite") == 2
    assert Path("a.dcm").read_bytes() == b"the only copy" and not pipeline.calls
    assert "is one of the inputs" in capsys.readouterr().err


def test_ctrl_c_in_the_writer(call, capsys, monkeypatch):
    def stop(*_arguments):
        raise KeyboardInterrupt

    assert call("a.dcm", "-o", "out") == 0
    monkeypatch.setattr(overlay, "draw_overlay", stop)
    assert call("b.dcm", "-o", "out") == 130
    assert results() == ["a.json", "a.png", "a.seg.nrrd"]
    assert "Interrupted" in capsys.readouterr().err


def test_a_bar_on_a_terminal(call, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert call("a.dcm", "b.dcm", "-o", "out") == 0
    printed, bar = capsys.readouterr()
    assert "\r" not in printed and len(printed.splitlines()) == 4
    assert "1/2 b.dcm: regions" in bar and bar.endswith("\r\x1b[K")


def test_info(call, capsys, tmp_path):
    assert command.main(["info", "a.dcm"], read=fake_reader) == 0
    assert "130 x 90" in capsys.readouterr().out
    assert command.main(["info", "a.dcm", "--json"], read=fake_reader) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == "CR"
    assert command.main(["info", "a.dcm", "bad.dcm", "--json"], read=fake_reader) == 3
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert command.main(["info", "--json", "-", "a.dcm"], read=fake_reader) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == "CR"
    assert command.main(["info", "-"], read=fake_reader) == 2, "a file of this name, where no JSON is asked for"
    assert command.main(["info", "missing"], read=fake_reader) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no control characters in names")
def test_a_name_with_a_line_break_breaks_no_line(call, capsys):
    name = "a\nb\x1b[31m.dcm"
    Path(name).touch()
    assert call(name, "-o", "out") == 0
    printed = capsys.readouterr().out
    (line,) = (line for line in printed.splitlines() if "[1/1]" in line)
    assert "\\x1b[31m" in line and "a\\nb" in line and "\x1b" not in printed
    assert command.main(["info", name], read=fake_reader) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("b")] == []
    assert call("missing\nfile", "-o", "out") == 2
    assert "Failed: missing\\nfile" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["segment", "--help"], ["info", "--help"], ["--version"]])
def test_help_returns(arguments, capsys):
    assert command.main(arguments) == 0
    assert "grayscale-detseg" in capsys.readouterr().out


def test_help_lists_every_exit_code(capsys):
    command.main(["segment", "--help"])
    text = capsys.readouterr().out
    assert all(f"\n  {code:<5}" in text for code in (0, 1, 2, 3, 4, 130))


def process(tmp_path: Path, body: str, *arguments: str) -> subprocess.Popen:
    """The command as a process of its own, with the fakes; `body` may change them first."""
    script = f"""
        import sys, time, pathlib
        from GrayscaleDetSegLib.batch import main as command, overlay
        from Testing.fakes import FakePipeline, fake_reader
        effect = None
        {body}
        plain = command.main
        command.main = lambda: plain(None, lambda folder, device, engine: FakePipeline(effect), fake_reader)
        command.entry()
        """
    root = Path(__file__).resolve().parents[1]
    paths = [str(root), str(root / "GrayscaleDetSeg"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("where", ["pipeline", "writer"])
def test_signals_end_a_process_cleanly(number, code, where, tmp_path):
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / name).touch()
    hang = "lambda *_: (pathlib.Path('hanging').touch(), time.sleep(60))"
    if where == "pipeline":
        hang = f"effect = lambda image: image.source.name == 'b.dcm' and ({hang})()"
    else:
        hang = f"draw = overlay.draw_overlay; overlay.draw_overlay = lambda r: ({hang})() if 'b' in r.radiograph" + (
            ".source.name else draw(r)"
        )
    child = process(tmp_path, hang, "segment", "a.dcm", "b.dcm", "-o", "out")
    end = time.monotonic() + 60
    while not (tmp_path / "hanging").exists() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    child.send_signal(number)
    _, complaints = child.communicate(timeout=60)
    assert child.returncode == code, complaints
    assert "Traceback" not in complaints
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "a.png", "a.seg.nrrd"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_reader_that_leaves(tmp_path):
    (tmp_path / "a.dcm").touch()
    child = process(tmp_path, "", "segment", "a.dcm", "--json", "-")
    child.stdout.close()
    complaints = child.stderr.read()
    assert child.wait(60) == 1 and "Traceback" not in complaints


def test_help_and_info_import_no_torch(tmp_path):
    body = "import atexit; atexit.register(lambda: print('torch' in sys.modules, 'slicer' in sys.modules))"
    for arguments in (["--help"], ["info", "a.dcm"]):
        (tmp_path / "a.dcm").touch()
        child = process(tmp_path, body, *arguments)
        assert child.communicate(timeout=60)[0].splitlines()[-1] == "False False"
