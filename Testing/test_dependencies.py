"""What is missing is seen, asked for once, installed the way that is there, and refused with the command that helps."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from GrayscaleDetSegLib.core.errors import DependencyError, GrayscaleDetSegError
from GrayscaleDetSegLib.logic import dependencies

ROOT = Path(__file__).resolve().parents[1]
TORCH, PYDICOM = dependencies.TORCH["torch"], dependencies.REQUIREMENTS["pydicom"]
ALL = {**dependencies.REQUIREMENTS, **dependencies.TORCH}


class Python:
    """The packages of a made-up Python: names as imported, and their versions."""

    def __init__(self, monkeypatch):
        self.versions = {name: "99.0" for name in ALL}
        self.broken = set()
        names = {dependencies._split(requirement)[0]: name for name, requirement in ALL.items()}

        def find_spec(name, package=None):
            if name not in self.versions:
                return None
            return SimpleNamespace(origin=None if name in self.broken else f"{name}/__init__.py")

        def version(name):
            if self.versions.get(names[name]) is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return self.versions[names[name]]

        monkeypatch.setattr(dependencies.importlib.util, "find_spec", find_spec)
        monkeypatch.setattr(dependencies.importlib.metadata, "version", version)

    def install(self, requirements, **_):
        assert type(requirements) is list  # slicer.util.pip_install takes nothing else but str
        for requirement in requirements:
            self.versions[dependencies._split(requirement)[0]] = "99.0"


@pytest.fixture
def python(monkeypatch):
    made = Python(monkeypatch)
    for name in ("PyTorchUtils", "slicer", "slicer.packaging", "slicer.util"):
        monkeypatch.setitem(sys.modules, name, None)
    return made


@pytest.fixture
def module(monkeypatch):
    """Puts a module with some contents in place."""

    def put(name, **contents):
        made = ModuleType(name)
        vars(made).update(contents)
        monkeypatch.setitem(sys.modules, name, made)

    return put


def test_requirements_are_those_of_the_package():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.M | re.S)[1]
    assert set(re.findall(r'^    "(.*?)",$', block, re.M)) == set(dependencies.REQUIREMENTS.values())


def test_this_python_has_them_all():
    assert dependencies.missing(torch=True) == ()
    dependencies.require(torch=True)


def test_looking_imports_nothing():
    code = (
        "import sys; from GrayscaleDetSegLib.logic import dependencies; dependencies.missing(torch=True)\n"
        "print(*sorted(name for name in dependencies.REQUIREMENTS if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "GrayscaleDetSeg")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "name, version, lacking",
    [("torch", "2.0.1+cpu", True), ("torch", "2.1.0", False), ("torch", "2.13.0+cpu", False), ("torch", "3.0", False),
     ("torch", "1.13", True), ("SimpleITK", "2.0", False), ("numpy", None, False)],
)  # fmt: skip
def test_versions(python, name, version, lacking):
    """Slicer's own packages count as they are: they are not ours to replace, and some have no version on record."""
    python.versions[name] = version
    assert dependencies.missing(torch=True) == ((ALL[name],) if lacking else ())


def test_what_a_broken_installation_leaves_counts_as_missing(python):
    python.broken.add("torch")
    assert dependencies.missing(torch=True) == (TORCH,)


def test_the_console_is_told_what_to_run(python):
    del python.versions["torch"], python.versions["pydicom"]
    with pytest.raises(DependencyError) as caught:
        dependencies.require(torch=True)
    assert isinstance(caught.value, GrayscaleDetSegError)
    said = str(caught.value)
    assert re.search(rf'-m pip install "{PYDICOM}" "{TORCH}"', said)
    assert "--no-index --find-links FOLDER pydicom torch" in said and "\n" not in said


def test_nothing_missing_asks_nothing(python):
    assert dependencies.install(torch=True, confirm=lambda lacking: pytest.fail("asked")) == ()


def test_refusal_installs_nothing(python, module):
    del python.versions["torch"]
    module("slicer.util", pip_install=lambda requirements: pytest.fail("installed"))
    asked = []
    with pytest.raises(DependencyError, match=f'cannot work without {TORCH}: run .*pip install "{TORCH}"'):
        dependencies.install(torch=True, confirm=lambda lacking: asked.append(lacking))
    assert asked == [(TORCH,)]


def test_slicers_pip_in_5_8(python, module):
    """It prints what pip says; the log gets it line by line."""
    del python.versions["torch"], python.versions["pydicom"]

    def pip_install(requirements):
        print("Collecting torch")
        print("Downloading ", end="")
        print("torch.whl")
        python.install(requirements)

    module("slicer.util", pip_install=pip_install)
    lines = []
    assert dependencies.install(torch=True, log=lines.append) == (PYDICOM, TORCH)
    assert lines[1:-1] == ["Collecting torch", "Downloading torch.whl"]
    assert TORCH in lines[0] and lines[-1] == "Done."


def test_a_log_that_prints(python, module, capsys):
    del python.versions["torch"]
    module("slicer.util", pip_install=lambda requirements: (print("Collecting"), python.install(requirements)))
    dependencies.install(torch=True, log=print)
    assert capsys.readouterr().out.splitlines() == [f"Installing {TORCH}.", "Collecting", "Done."]


def test_slicers_packaging_comes_first(python, module):
    del python.versions["torch"]
    asked = []

    def pip_install(requirements, **how):
        asked.append(how)
        python.install(requirements)

    module("slicer.packaging", pip_install=pip_install)
    module("slicer.util", pip_install=lambda requirements: pytest.fail("the older one"))
    assert dependencies.install(torch=True) == (TORCH,)
    assert asked == [{"requester": "GrayscaleDetSeg"}]


def extension(install):
    return lambda: SimpleNamespace(installTorch=install)


def test_torch_comes_through_its_extension(python, module):
    del python.versions["torch"], python.versions["pydicom"]
    by_pip, by_extension = [], []

    def install_torch(torchVersionRequirement=None):
        by_extension.append(torchVersionRequirement)
        python.versions["torch"] = "2.13.0+cu126"
        return object()

    module("PyTorchUtils", PyTorchUtilsLogic=extension(install_torch))
    module("slicer.util", pip_install=lambda requirements: (by_pip.extend(requirements), python.install(requirements)))
    assert dependencies.install(torch=True) == (PYDICOM, TORCH)
    assert (by_pip, by_extension) == ([PYDICOM], [">=2.1"])


def test_an_extension_with_other_arguments(python, module):
    del python.versions["torch"]

    def install_torch():
        python.versions["torch"] = "2.13.0"
        return object()

    module("PyTorchUtils", PyTorchUtilsLogic=extension(install_torch))
    assert dependencies.install(torch=True) == (TORCH,)


def test_an_extension_that_does_not_start_is_left_aside(python, module):
    del python.versions["torch"]

    def broken():
        raise RuntimeError("no network")

    module("PyTorchUtils", PyTorchUtilsLogic=broken)
    module("slicer.util", pip_install=python.install)
    assert dependencies.install(torch=True) == (TORCH,)


@pytest.mark.parametrize("outcome", [None, OSError("no\n  network."), "an old one"])
def test_failure_names_its_cause_and_the_command(python, module, outcome):
    del python.versions["torch"]

    def install_torch(torchVersionRequirement=None):
        if isinstance(outcome, Exception):
            raise outcome
        if outcome:
            python.versions["torch"] = "1.9"
        return outcome

    module("PyTorchUtils", PyTorchUtilsLogic=extension(install_torch))
    with pytest.raises(DependencyError, match=f'could not be installed.*: run .*pip install "{TORCH}"') as caught:
        dependencies.install(torch=True)
    assert "\n" not in str(caught.value)
    assert ("OSError: no network" in str(caught.value)) is isinstance(outcome, OSError)


def test_a_python_that_is_none_of_slicers(python):
    del python.versions["torch"]
    with pytest.raises(DependencyError, match="not Slicer's Python"):
        dependencies.install(torch=True)


def test_an_older_torch_in_use_asks_for_a_restart(python, module):
    python.versions["torch"] = "1.13"
    module("torch", __version__="1.13.1+cu117")
    module("slicer.util", pip_install=python.install)
    with pytest.raises(DependencyError, match=r"torch 99\.0 is installed, but 1\.13\.1\+cu117 is in use: restart"):
        dependencies.install(torch=True)


def test_in_the_panel_with_packages_of_5_11(panel_session, monkeypatch):
    made = Python(monkeypatch)
    del made.versions["torch"]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(DependencyError):  # the stand-in lists what it was asked for, and installs nothing
        dependencies.install(torch=True)
    assert panel_session.installed == [TORCH]
