"""Paths that cannot be looked at, links, and empty names: each says so alone, and nothing is left out in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch.inputs import collect
from GrayscaleDetSegLib.batch.volumes.inputs import collect as collect_volumes
from GrayscaleDetSegLib.core.errors import RadiographError, WeightsError
from GrayscaleDetSegLib.core.volumes.reading import read_volume
from GrayscaleDetSegLib.core.weights import Bundle
from Testing.fakes import FakePipeline, fake_reader
from Testing.test_volume_reading import write_series
from Testing.volume_models import block

posix = pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
LONG = "n" * 300
SIGNATURE = bytes(128) + b"DICM" + bytes(99)
_DROP = "-dac_override,-dac_read_search"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Runs the command in a folder of its own on the arguments; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.dcm", "b.dcm"):
        Path(name).touch()
    return lambda *arguments: command.main(list(arguments), lambda *_: FakePipeline(), fake_reader)


@pytest.fixture
def powerless():
    """What to put before a command so that permissions count, also for the superuser."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--bounding-set", _DROP, "--inh-caps", _DROP]
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("nothing here takes the superuser's powers away")
    return prefix


# ---- names that are too long for the file system fail as those do that lie in folders that are closed


@posix
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["segment", LONG, "a.dcm", "-o", "out"], 3),
        (["segment", LONG, "-o", "out"], 2),
        (["segment", "a.dcm", "-o", LONG], 2),
        (["segment", "a.dcm", "--json", LONG], 2),
        (["segment", "a.dcm", "--json", f"{LONG}/a.json"], 2),
        (["segment", f"{'n' * 249}.dcm", "a.dcm", "-o", "out"], 3),
        (["info", LONG], 2),
        (["info", LONG, "a.dcm"], 3),
    ],
)
def test_a_name_that_is_too_long_fails_alone(arguments, code, call, capsys):
    Path(f"{'n' * 249}.dcm").touch()
    assert call(*arguments) == code
    complaints = capsys.readouterr().err
    assert "File name too long." in complaints and "fault" not in complaints
    assert code == 2 or "info" in arguments or Path("out/a.json").exists()


@posix
def test_a_model_with_a_name_that_is_too_long(call):
    with pytest.raises(WeightsError, match="cannot be looked at: File name too long; check the path"):
        Bundle.open(LONG)


@posix
def test_folders_of_a_training_with_names_that_are_too_long(capsys):
    pytest.importorskip("lightning", reason="training needs the extra 'training'")
    from training.fine_tuning.errors import FineTuningError
    from training.fine_tuning.gathered_data import gather
    from training.fine_tuning.tuning import TrainingRequest, tune

    with pytest.raises(FineTuningError, match="is no folder"):
        gather([Path(LONG)], False, None)
    with pytest.raises(FineTuningError, match="cannot be looked at: File name too long"):
        tune(TrainingRequest([Path()], Path(LONG)), print, lambda *_: None)


@posix
def test_folders_that_are_closed_fail_alone(call, tmp_path, powerless):
    tree = {"secret/knee.dcm": 0o000, "tree/in/knee.dcm": 0o000, "tree/listed/knee.dcm": 0o444, "out/sub/x": 0o000}
    for name in tree:
        Path(name).parent.mkdir(parents=True)
        Path(name).touch()
    (tmp_path / "tree" / "sub").mkdir()
    (tmp_path / "tree" / "sub" / "c.dcm").touch()
    Path("tree/a.dcm").touch()

    def run(*arguments: str) -> subprocess.CompletedProcess:
        script = (
            "import sys; from GrayscaleDetSegLib.batch.main import main; "
            "from Testing.fakes import FakePipeline, fake_reader; "
            "load = None if '--model' in sys.argv else lambda *_: FakePipeline(); "
            "sys.exit(main(None, load, fake_reader))"
        )
        root = Path(__file__).resolve().parents[1]
        path = os.pathsep.join([str(root), str(root / "GrayscaleDetSeg")])
        return subprocess.run([*powerless, sys.executable, "-c", script, *arguments], text=True, capture_output=True,
                              env={**os.environ, "PYTHONPATH": path})  # fmt: skip

    for name, mode in tree.items():
        Path(name).parent.chmod(mode)
    try:
        for arguments, code in (
            (("segment", "a.dcm", "secret/knee.dcm", "-o", "new"), 3),
            (("segment", "secret/knee.dcm", "-o", "new"), 2),
            (("segment", "a.dcm", "-o", "secret/x"), 2),
            (("segment", "a.dcm", "--json", "secret/x.json"), 2),
            (("segment", "a.dcm", "-o", "new", "--model", "secret/m"), 4),
            (("info", "secret/knee.dcm"), 2),
        ):
            done = run(*arguments)
            assert done.returncode == code and "Permission denied" in done.stderr, (arguments, done.stderr)
            assert "fault" not in done.stderr
        done = run("segment", "tree", "-o", "out")
        assert done.returncode == 3 and "1 done, 3 failed." in done.stdout, done.stdout + done.stderr
        named = ("tree/in: Permission denied", "tree/listed/knee.dcm: Permission denied", "Failed: tree/sub/c.dcm")
        assert all(name in done.stderr for name in named) and "fault" not in done.stderr
        assert run("segment", "tree", "-o", "out", "--resume").returncode == 3
    finally:
        for name in tree:
            Path(name).parent.chmod(0o755)
    assert Path("new/a.json").exists() and Path("out/a.json").exists()


# ---- what a folder holds is done or named


@posix
def test_links_that_lead_nowhere_are_named(call, capsys):
    os.makedirs("in")
    Path("in/here.dcm").touch()
    Path("in/gone.dcm").symlink_to("nothing")
    Path("in/loop.png").symlink_to("loop.png")
    Path("in/lock").symlink_to("someone@somewhere")
    inputs, problems = collect([Path("in")])
    assert [item.path.name for item in inputs] == ["here.dcm"]
    assert [(each.path.name, each.reason) for each in problems] == [
        ("gone.dcm", "The link leads nowhere."),
        ("loop.png", "Too many levels of symbolic links."),
    ]
    assert call("segment", "in", "-o", "out") == 3
    assert "1 done, 2 failed." in capsys.readouterr().out


@posix
@pytest.mark.parametrize(("search", "name"), [(collect, "1.2.840"), (collect_volumes, "1.2.840")])
def test_a_file_that_cannot_be_read_may_be_an_image(search, name, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(SIGNATURE)
    (tmp_path / "readme.txt").touch()
    plain = Path.open

    def refuse(path, *arguments, **options):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    inputs, problems = search([tmp_path])
    assert not inputs and [(each.path.name, each.reason) for each in problems] == [(name, "Permission denied.")]


@posix
def test_a_slice_that_is_not_there_or_cannot_be_read_is_named(tmp_path, monkeypatch):
    write_series(tmp_path / "ct", block()[0])
    (first, *_), last = sorted((tmp_path / "ct").iterdir()), sorted((tmp_path / "ct").iterdir())[-1]
    content = first.read_bytes()
    first.unlink()
    first.symlink_to("nothing")
    assert [item.path.name for item in collect_volumes([tmp_path])[0]] == ["ct"]
    with pytest.raises(RadiographError, match=f"{first.name} cannot be read .No such file .*called as the slices"):
        read_volume(tmp_path / "ct")
    first.unlink()
    first.write_bytes(content)
    last.unlink()
    last.write_bytes(b"")
    with pytest.raises(RadiographError, match=f"{last.name} is empty"):
        read_volume(tmp_path / "ct")


@posix
def test_linked_folders_are_followed_once(tmp_path):
    for name in ("in/z/z.dcm", "elsewhere/study/s.dcm", "elsewhere/t.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    start = tmp_path / "in"
    (start / "a study").symlink_to(tmp_path / "elsewhere")
    (start / "again").symlink_to(tmp_path / "elsewhere" / "study")
    (start / "b").symlink_to(start / "z")
    (start / "z" / "up").symlink_to(start)
    (start / "z" / "out").symlink_to(tmp_path)
    (tmp_path / "elsewhere" / "back").symlink_to(start)
    (start / ".hidden").symlink_to(tmp_path / "elsewhere")
    inputs, problems = collect([start])
    names = ["z/z.dcm", "a study/t.dcm", "a study/study/s.dcm"]
    assert [item.path.relative_to(start).as_posix() for item in inputs] == names
    assert [item.folder.as_posix() for item in inputs] == ["z", "a study", "a study/study"] and not problems
    found, _ = collect([tmp_path / "in" / "a study"])
    assert {item.path.name for item in found} == {"s.dcm", "t.dcm", "z.dcm"}, "a link that is named itself"


# ---- empty names


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "", "-o", "out"],
        ["segment", "a.dcm", "", "-o", "out"],
        ["segment", "a.dcm", "-o", "out", "--cluster", ""],
        ["segment", "a.dcm", "-o", "out", "--json", ""],
        ["info", ""],
        ["train", "", "-o", "new"],
        ["train", "data", "-o", ""],
        ["train", "data", "-o", "new", "--from", ""],
        ["train", "data", "-o", "new", "--work", ""],
        ["train", "data", "-o", "new", "--config", ""],
        ["train", "data", "-o", "new", "--name", ""],
    ],
)
def test_an_empty_name_is_no_folder(arguments, call, capsys):
    assert call(*arguments) == 2
    printed, complaints = capsys.readouterr()
    assert printed == "" and complaints.endswith("the name is empty\n") and not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["segment", "a.dcm", "-o", "out", "--score-threshold", "abc"], "'abc' is no number"),
        (["segment", "a.dcm", "-o", "out", "--score-threshold", "nan"], "nan is not between 0 and 1"),
        (["segment", "a.dcm", "-o", "out", "--jobs", "two"], "'two' is no whole number"),
        (["segment", "a.dcm", "-o", "out", "--jobs", "0"], "0 is not 1 or more"),
        (["train", "data", "-o", "new", "--minutes", "long"], "'long' is no number"),
    ],
)
def test_what_is_no_number_is_called_that(arguments, words, call, capsys):
    assert call(*arguments) == 2
    complaints = capsys.readouterr().err
    assert complaints.endswith(f"{words}\n") and "invalid _" not in complaints
