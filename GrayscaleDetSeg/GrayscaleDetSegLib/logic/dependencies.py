"""The Python packages that the method needs beyond Slicer's, and their installation, which the user confirms.

Slicer includes numpy, pydicom, pillow and SimpleITK, which are enough for radiographs. PyTorch is needed if a GPU
computes, or if a method requires it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import io
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from ..core.errors import DependencyError

REQUESTER = "GrayscaleDetSeg"

REQUIREMENTS: dict[str, str] = {
    "numpy": "numpy>=1.22",
    "PIL": "pillow>=9.1",
    "pydicom": "pydicom>=2.3",
    "SimpleITK": "SimpleITK>=2.2",
}
"""What is imported, and what pip calls it, with the oldest version that will do."""

TORCH = {"torch": "torch>=2.1"}
"""The same of what is needed in some cases only."""

_ALL = {**REQUIREMENTS, **TORCH}
_OURS_TO_REPLACE = tuple(TORCH)
"""Packages that are asked for a newer version; the others are Slicer's own, and count as they are."""


def missing(torch: bool = False) -> tuple[str, ...]:
    """The requirements that are not installed, in pip's form. Nothing is imported.

    Parameters
    ----------
    torch : bool
        Whether PyTorch is needed as well.
    """
    wanted = _ALL if torch else REQUIREMENTS
    return tuple(requirement for name, requirement in wanted.items() if not _met(name, requirement))


def require(torch: bool = False) -> None:
    """Check that all requirements are installed; `torch` as for :func:`missing`.

    Raises
    ------
    DependencyError
        If one is missing; the message contains the command that installs it.
    """
    lacking = missing(torch)
    if lacking:
        raise DependencyError(f"{REQUESTER} needs {_listed(lacking)}, missing in this Python: {remedy(lacking)}")


def install(
    confirm: Callable[[tuple[str, ...]], bool] | None = None,
    log: Callable[[str], None] | None = None,
    torch: bool = False,
) -> tuple[str, ...]:
    """Install the missing requirements. Call it on the main thread; it returns at the end, after minutes perhaps.

    PyTorch is installed by Slicer's PyTorch extension, if there is one, because it selects the build for the graphics
    card; the others are installed by Slicer's pip.

    Parameters
    ----------
    confirm : callable (requirements) -> bool, optional
        Called once before the installation; if it returns False, nothing is installed.
    log : callable (line), optional
        Called with each step, and with the lines that pip prints if Slicer passes them on.
    torch : bool
        As for :func:`missing`.

    Returns
    -------
    tuple of str
        The requirements that were installed.

    Raises
    ------
    DependencyError
        If the user declined, the installation failed, or Slicer must be restarted; the message says what to do.
    """
    lacking = missing(torch)
    if not lacking:
        return ()
    if confirm is not None and not confirm(lacking):
        raise DependencyError(f"{REQUESTER} cannot work without {_listed(lacking)}: {remedy(lacking)}")
    say = log or (lambda line: None)
    in_use = {name: getattr(sys.modules[name], "__version__", "") for name in _named(lacking) if name in sys.modules}
    try:
        with _lines_to(say):
            _install(lacking, say)
    except Exception as error:  # pip, the network, the disk: whatever it is, the same helps
        raise DependencyError(
            f"{_listed(lacking)} could not be installed ({_in_a_line(error)}): {remedy(lacking)}"
        ) from error
    importlib.invalidate_caches()
    left = missing(torch)
    if left:
        raise DependencyError(f"{_listed(left)} could not be installed: {remedy(left)}")
    for name, version in in_use.items():
        if not _at_least(version, _ALL[name]):
            raise DependencyError(f"{name} {_version(name)} is installed, but {version} is in use: restart Slicer.")
    say("Done.")
    return lacking


def remedy(requirements: tuple[str, ...]) -> str:
    """Instructions for an installation by hand: the command, and the one for a computer without network."""
    quoted = " ".join(f'"{requirement}"' for requirement in requirements)
    names = " ".join(_split(requirement)[0] for requirement in requirements)
    pip = f'"{_python()}" -m pip install'
    return (
        f"run {pip} {quoted} in a terminal and restart Slicer "
        f"(without network: {pip} --no-index --find-links FOLDER {names})."
    )


def _install(requirements: tuple[str, ...], say: Callable[[str], None]) -> None:
    rest = list(requirements)
    torch = TORCH["torch"]
    if torch in rest:
        extension = _pytorch_extension()
        if extension is not None:
            say(f"Installing {torch} with the PyTorch extension.")
            _with_extension(extension, torch[len("torch") :])
            rest.remove(torch)
    if rest:
        say(f"Installing {_listed(tuple(rest))}.")
        _with_pip(rest)


def _pytorch_extension():
    """The logic of the PyTorch extension, or None."""
    try:
        import PyTorchUtils

        return PyTorchUtils.PyTorchUtilsLogic()
    except Exception:  # it is not there, or broken: then pip does it
        return None


def _with_extension(logic, version: str) -> None:
    try:
        installed = logic.installTorch(torchVersionRequirement=version)
    except TypeError:  # other versions of the extension name their arguments differently
        installed = logic.installTorch()
    if installed is None:
        raise RuntimeError("the PyTorch extension did not install it")


def _with_pip(requirements: list[str]) -> None:
    try:
        from slicer.packaging import pip_install  # from Slicer 5.11 on, with a window that shows what is going on
    except ImportError:
        pip_install = None
    if pip_install is not None:
        pip_install(requirements, requester=REQUESTER)
        return
    try:
        from slicer.util import pip_install as install
    except ImportError as error:
        raise RuntimeError("this is not Slicer's Python") from error
    install(requirements)


def _met(name: str, requirement: str) -> bool:
    try:
        specification = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    # an installation that was broken off leaves a folder without __init__.py, which has no origin
    if specification is None or specification.origin is None:
        return False
    version = _version(name)
    if name not in _OURS_TO_REPLACE or version is None:
        return True
    return _at_least(version, requirement)


def _at_least(version: str, requirement: str) -> bool:
    return _numbers(version) >= _numbers(_split(requirement)[1])


def _named(requirements: tuple[str, ...]) -> list[str]:
    """What the requirements are imported as."""
    return [name for name, requirement in _ALL.items() if requirement in requirements]


def _version(name: str) -> str | None:
    """The version that is installed, which need not be the one in use."""
    try:
        return importlib.metadata.version(_split(_ALL[name])[0])
    except importlib.metadata.PackageNotFoundError:
        return None


def _split(requirement: str) -> tuple[str, str]:
    name, _, version = requirement.partition(">=")
    return name, version


def _numbers(version: str) -> tuple[int, ...]:
    """Major and minor of a version such as 2.13.0+cpu."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _listed(requirements: tuple[str, ...]) -> str:
    *first, last = requirements
    return f"{', '.join(first)} and {last}" if first else last


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(". ")


def _python() -> str:
    """The Python to run pip with: PythonSlicer in Slicer, which is no Python itself."""
    found = shutil.which("PythonSlicer")
    if found:
        return found
    executable = sys.executable or "PythonSlicer"
    beside = Path(executable).with_name("PythonSlicer")
    return str(beside) if beside.is_file() else executable


class _Lines(io.TextIOBase):
    """Text that comes in any pieces, passed on line by line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._begun, self._before = say, "", sys.stdout

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        with redirect_stdout(self._before):  # a log may print, too
            for line in lines:
                if line.strip():
                    self._say(line.rstrip())
        return len(text)


@contextmanager
def _lines_to(say: Callable[[str], None]) -> Iterator[None]:
    """Passes on what Slicer's pip prints, for which it takes Python's standard output."""
    with redirect_stdout(_Lines(say)):
        yield
