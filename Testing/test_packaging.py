"""What is installed is what is in the repository: the wheel's files, its command, its version, and the licence."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77.0.3")

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "GrayscaleDetSegLib"
LIBRARY = ROOT / "GrayscaleDetSeg" / PACKAGE
TRAINING, INSTALLED = ROOT / "training", "GrayscaleDetSegTraining"
"""The training is a distribution of its own, under another name than that of its folder."""
SHIPPED = {".py", ".json", ".md", ".safetensors", ".typed"}
SHIPPED_MODEL = "Models/radiographs"
MODEL = ("manifest.json", "MODEL_CARD.md", "detector.safetensors")


def files_in_source(folder: Path, name: str, endings: set[str]) -> set[str]:
    """The files as they should lie in the wheel, leaving out what programs and editors leave behind."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix in endings)
    found = (path.relative_to(folder) for path in paths if not path.name.startswith("."))
    return {f"{name}/{path.as_posix()}" for path in found if path.parts[0] != "build" and path.name != "pyproject.toml"}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the sources; a made-up model is put in beside what is there."""
    copy = tmp_path_factory.mktemp("source with spaces")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "*.part", ".*")
    for name in ("GrayscaleDetSeg", "training"):
        shutil.copytree(ROOT / name, copy / name, ignore=leave)
    made_up = copy / "GrayscaleDetSeg" / PACKAGE / "Models" / "made_up"
    made_up.mkdir(parents=True)
    for name in MODEL:
        (made_up / name).write_bytes(b"{}")
    return copy


def built(folder: Path, output: Path) -> Path:
    """The wheel of a project, built without network."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(output), str(folder)], capture_output=True, text=True, cwd=output, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = output.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    return built(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def training_wheel(source, tmp_path_factory) -> Path:
    return built(source / "training", tmp_path_factory.mktemp("training wheel"))


@pytest.fixture(scope="module")
def contents(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_library_and_nothing_else(contents):
    library = {name for name in contents if ".dist-info/" not in name}
    expected = files_in_source(LIBRARY, PACKAGE, SHIPPED)
    assert library == expected | {f"{PACKAGE}/Models/made_up/{name}" for name in MODEL}


def test_the_training_is_a_wheel_of_its_own_for_later_pythons(training_wheel):
    from GrayscaleDetSegLib import __version__

    with zipfile.ZipFile(training_wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    expected = files_in_source(TRAINING, INSTALLED, {".csv", ".py", ".toml"})
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert f"\nVersion: {__version__}\n" in metadata and "\nRequires-Python: >=3.11\n" in metadata
    assert f"\nRequires-Dist: grayscale-detseg=={__version__}\n" in metadata


def test_the_wheel_holds_what_git_holds(contents):
    """Also a file of a kind that no one thought of here is installed."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", "."], cwd=LIBRARY, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    committed = {f"{PACKAGE}/{name}" for name in listed if name and (LIBRARY / name).is_file()}
    assert committed <= contents


def test_the_wheel_names_command_version_and_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (information,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{information}/METADATA").decode()
        commands = archive.read(f"{information}/entry_points.txt").decode()
        licence = archive.read(f"{information}/licenses/LICENSE").decode()
        weights = archive.read(f"{information}/licenses/GrayscaleDetSeg/{PACKAGE}/{SHIPPED_MODEL}/LICENSE.md").decode()
        beside = archive.read(f"{PACKAGE}/{SHIPPED_MODEL}/LICENSE.md").decode()
    from GrayscaleDetSegLib import __version__

    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0 AND LicenseRef-research-only\n" in metadata
    assert f"grayscale-detseg = {PACKAGE}.batch.main:entry" in commands
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert weights == beside == (LIBRARY / SHIPPED_MODEL / "LICENSE.md").read_text(encoding="utf-8")
    assert "LicenseRef-research-only" in weights


def test_the_wheel_works_without_the_repository(wheel, tmp_path):
    """Unpacked as pip would, the command says its version and finds its schema, with the repository out of reach."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from pathlib import Path\n"
        "import GrayscaleDetSegLib\n"
        f"assert Path(GrayscaleDetSegLib.__file__).is_relative_to({str(tmp_path)!r}), GrayscaleDetSegLib.__file__\n"
        "from GrayscaleDetSegLib.batch.report import schema\n"
        "from GrayscaleDetSegLib.batch.main import main\n"
        "assert schema()['type'] == 'object'\n"
        "sys.exit(main(['--version']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("grayscale-detseg ")


def test_the_training_works_under_its_installed_name(wheel, training_wheel, tmp_path):
    """The command finds it, with its configuration, where there is no repository; it then misses nothing but data."""
    pytest.importorskip("lightning", reason="it comes with the training")
    for each in (wheel, training_wheel):
        with zipfile.ZipFile(each) as archive:
            archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from GrayscaleDetSegLib.batch.main import main\n"
        "code = main(['train', 'nowhere', '--output', 'model'])\n"
        "assert not [name for name in sys.modules if name == 'training' or name.startswith('training.')]\n"
        "sys.exit(code)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False, env=environment
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr == "nowhere is no folder; give the folder of a set of labelled images.\n"


def test_the_training_imports_itself_by_no_name():
    """It has two."""
    for path in TRAINING.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not [name for name in names if name.partition(".")[0] == "training"], path


def test_the_citation_is_of_this_version():
    from GrayscaleDetSegLib import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
