"""The folder tool, as a plain script and as Slicer runs it: same files, same exit codes as the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from GrayscaleDetSegLib.batch import arguments
from GrayscaleDetSegLib.core import loading, reading
from GrayscaleDetSegLib.core.errors import WeightsError
from Testing import standins
from Testing.fakes import FakePipeline, fake_reader
from Testing.volume_models import block, write_model

pytest.importorskip("slicer", reason="slicer-core is not installed")

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "GrayscaleDetSeg" / "Scripts" / "segment_folder.py"
LEG = ROOT / "GrayscaleDetSeg" / "Resources" / "Samples" / "leg.nrrd"
FILES = ["a.json", "a.png", "a.seg.nrrd"]


def script(*given: str, folder: Path, code: str = "") -> subprocess.CompletedProcess:
    """Run the script in a process of its own, where nothing but the script itself finds the library."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(SCRIPT)]
    if code:
        run = f"import runpy\nrunpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
        command = [sys.executable, "-c", f"{code}\n{run}"]
    return subprocess.run(
        [*command, *given], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_real_radiograph_with_the_shipped_model(tmp_path):
    done = script(str(LEG), "--output", "out", "--json", "all.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["leg.json", "leg.png", "leg.seg.nrrd"]
    assert {item["label"] for item in json.loads((tmp_path / "all.json").read_text())["objects"]} >= {"femur", "tibia"}
    assert "1 done, 0 failed." in done.stdout


def test_volumes_with_a_model_that_takes_them(tmp_path):
    voxels, mask, _geometry = block()
    (tmp_path / "data").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "data" / "heart.nii.gz"))
    model = write_model(tmp_path / "model")
    done = script("data", "--output", "out", "--model", str(model), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 done, 0 failed." in done.stdout and "Found block." in done.stdout
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["heart.json", "heart.png", "heart.seg.nrrd"]
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "heart.seg.nrrd")))
    assert found.shape == mask.shape and (found > 0).sum() == mask.sum()


def test_help_is_that_of_segment(tmp_path):
    done = script("--help", folder=tmp_path)
    assert done.returncode == 0 and "segment_folder.py" in done.stdout and "exit codes:" in done.stdout

    def options(parser):
        return {name for action in parser._actions for name in action.option_strings}

    (commands,) = (action for action in arguments.parser()._actions if hasattr(action, "choices") and action.choices)
    assert options(arguments.folder_parser()) == options(commands.choices["segment"]) | {"--version"}


@pytest.mark.parametrize("package", ["pydicom", "SimpleITK"])
def test_a_missing_package_is_exit_code_4(package, tmp_path):
    hide = (
        "import importlib.util\nfind = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, package=None: None if name == {package!r} else find(name, package)"
    )
    done = script(str(LEG), "--output", "out", folder=tmp_path, code=hide)
    assert done.returncode == 4, done.stderr
    assert f"GrayscaleDetSeg needs {package}>=" in done.stderr and "pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_library_that_is_not_there_is_a_fault(tmp_path):
    alone = tmp_path / "Scripts" / "segment_folder.py"
    alone.parent.mkdir()
    alone.write_bytes(SCRIPT.read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(alone), "a.dcm", "-o", "out"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "GrayscaleDetSegLib" in done.stderr


# ---- as Slicer runs it


def execute(*given: str) -> None:
    """As ctkAbstractPythonManager::executeFile does it, after the application has set sys.argv."""
    before = sys.argv
    sys.argv = [str(SCRIPT), *given]
    try:
        exec(SCRIPT.read_text(encoding="ascii"), {"__name__": "__main__", "__file__": str(SCRIPT)})
    finally:
        sys.argv = before


class Slicer:
    """The application without its window, and what its command line said."""

    def __init__(self, session):
        self.exits = session.exits
        self.options = session.app.commandOptions()

    def as_python_script(self, *given: str) -> list[int]:
        """`Slicer --no-main-window --python-script segment_folder.py ...`: goes on running unless told to exit."""
        self.options.runPythonAndExit = False
        execute(*given)
        return self.exits

    def as_first_argument(self, *given: str) -> list[int]:
        """`Slicer segment_folder.py ...`: exits by itself after the script, with 0, unless told otherwise."""
        self.options.runPythonAndExit = True
        execute(*given)
        if self.options.runPythonAndExit:
            self.exits.append(0)
        return self.exits


@pytest.fixture
def slicer_application(tmp_path, monkeypatch):
    reason = standins.missing()
    if reason:
        pytest.skip(reason)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "load_pipeline", lambda folder, device, engine: FakePipeline())
    monkeypatch.setattr(reading, "read_radiograph", fake_reader)
    for name in ("a.dcm", "bad.dcm", "bug.dcm"):
        Path(name).touch()
    with standins.Session(main_window=False) as session:
        yield Slicer(session)


FORMS = pytest.mark.parametrize("form", ["as_python_script", "as_first_argument"])


@FORMS
@pytest.mark.parametrize(
    "given, code",
    [
        (["a.dcm", "--output", "out"], 0),
        (["--help"], 0),
        (["a.dcm", "bug.dcm", "--output", "out"], 1),
        ([], 2),
        (["a.dcm"], 2),
        (["nothing.dcm", "--output", "out"], 2),
        (["a.dcm", "--output", "out", "--unknown"], 2),
        (["a.dcm", "bad.dcm", "--output", "out"], 3),
    ],
)
def test_exit_codes_in_slicer(slicer_application, form, given, code, capsys):
    assert getattr(slicer_application, form)(*given) == [code]
    written = sorted(path.name for path in Path("out").iterdir()) if Path("out").is_dir() else []
    assert written == (FILES if code in (0, 1, 3) and "--output" in given else [])


@FORMS
def test_damaged_weights_in_slicer(slicer_application, form, monkeypatch, capsys):
    def load(folder, device, engine):
        raise WeightsError("The weights file is damaged.")

    monkeypatch.setattr(loading, "load_pipeline", load)
    assert getattr(slicer_application, form)("a.dcm", "--output", "out") == [4]
    assert "damaged" in capsys.readouterr().err


@FORMS
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_in_slicer(slicer_application, form, number, code, monkeypatch, capsys):
    """Whoever listened to signals before does so again when the application goes on to close."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    pipeline = FakePipeline(effect=lambda image: signal.raise_signal(number))
    monkeypatch.setattr(loading, "load_pipeline", lambda folder, device, engine: pipeline)
    assert getattr(slicer_application, form)("a.dcm", "--output", "out") == [code]
    assert list(Path("out").iterdir()) == []
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


@FORMS
def test_whatever_breaks_slicer_exits(slicer_application, form, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "GrayscaleDetSegLib.batch.main", None)
    assert getattr(slicer_application, form)("a.dcm", "--output", "out") == [1]
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("given, error", [(["a.dcm", "-o", "out"], False), (["bad.dcm", "-o", "out"], True)])
def test_exit_after_startup_still_tells_failure_from_success(slicer_application, given, error, capsys):
    """Slicer's own exit code after the script is 1 if there was an exception, else 0."""
    slicer_application.options.exitAfterStartup = True
    if error:
        with pytest.raises(RuntimeError, match="the exit code is 3"):
            slicer_application.as_python_script(*given)
    else:
        slicer_application.as_python_script(*given)
        assert slicer_application.exits == [0]


def test_streams_without_a_buffer(slicer_application, monkeypatch):
    """Slicer's sys.stdout has write, flush and isatty alone; write takes no half characters."""

    class Redirected:
        def __init__(self):
            self.text = ""

        def write(self, text):
            self.text += text.encode("utf-8").decode("utf-8")
            return ()

        def flush(self):
            return ()

        def isatty(self):
            return False

    out, err = Redirected(), Redirected()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    odd = Path(os.fsdecode(b"bad\xff.dcm")) if os.name != "nt" else Path("bad.dcm")
    odd.touch()
    assert slicer_application.as_python_script("a.dcm", str(odd), "--output", "out", "--json", "-") == [3]
    assert len(json.loads(out.text)) == 2 and "1 done, 1 failed." in err.text
