"""Which files to segment, and what their results are called."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import RadiographError, one_line
from ..core.reading.dicom_file import is_dicom
from ..core.reading.readers import extensions
from .plain import failure, printable

SEGMENTATION, REPORT, OVERLAY = OUTPUTS = (".seg.nrrd", ".json", ".png")
"""The endings of the files of a result that the software itself writes, see ``writers``."""
_NRRD = (".nhdr", ".nrrd")
_HEADERS = (*_NRRD, ".mhd", ".mha")  # of files whose pixels may lie in another one


@dataclass(frozen=True)
class Input:
    """One file to segment.

    Parameters
    ----------
    path : Path
        The file, as it was given or found.
    folder : Path
        The folder below the output folder for its results: that of the file below the folder it was found in.
    """

    path: Path
    folder: Path = Path()


@dataclass(frozen=True)
class Job:
    """An input, and where its results go.

    Parameters
    ----------
    path : Path
        The file, as the user called it.
    name : Path
        Of its results, relative to the output folder and without extension.
    directory : Path or None
        The output folder, as the user called it; None writes no files.
    overwrite : bool
        Whether files that are there may be replaced.
    resume : bool
        Whether a complete result that was made with the same is left as it is.
    root : Path
        The folder that `path` and `directory` start from, where it is not that of the process.
    run : str
        Names the run, so that a job that is done again, because a process died, knows what was finished in it.
    """

    path: Path
    name: Path
    directory: Path | None = None
    overwrite: bool = False
    resume: bool = False
    root: Path = Path()
    run: str = ""

    def outputs(self, directory: Path, suffixes: Sequence[str] = OUTPUTS) -> tuple[Path, ...]:
        """The files of the result in the output folder `directory`, one for each of the `suffixes`."""
        return tuple(directory / self.name.parent / f"{self.name.name}{suffix}" for suffix in suffixes)


@dataclass(frozen=True)
class Problem:
    """A path that was given but holds nothing to segment.

    Parameters
    ----------
    path : Path
    reason : str
        Why it does not.
    before : int
        How many inputs were found before it.
    """

    path: Path
    reason: str
    before: int = 0


def collect(paths: Iterable[Path], suffixes: Sequence[str] = OUTPUTS) -> tuple[list[Input], list[Problem]]:
    """The inputs in `paths`, in their order, each file once, and the paths that give none.

    A file that is named counts whatever it is called. Of a folder and the folders in it those files count that have an
    ending that some reader names or the signature of DICOM, and are neither hidden nor results of ours, which end with
    `suffixes`.
    """
    return gathered(
        paths,
        lambda folder, unreadable: (
            Input(file, file.parent.relative_to(folder)) for file in _walk(folder, unreadable, suffixes)
        ),
        "radiographs",
    )


def gathered(
    paths: Iterable[Path], walk: Callable[[Path, list[OSError]], Iterable[Input]], what: str
) -> tuple[list[Input], list[Problem]]:
    """The inputs in `paths`, in their order, each once, and the paths that give none.

    Parameters
    ----------
    paths : iterable of Path
    walk : callable (folder, unreadable) -> iterable of Input
        The inputs in a folder; it adds the errors of what it cannot look into to `unreadable`.
    what : str
        What a folder without inputs lacks, for the message.
    """
    inputs: dict[Path, Input] = {}
    problems: list[Problem] = []
    for path in map(Path, paths):
        found, wrong = [], []
        if os.path.isdir(path):
            unreadable: list[OSError] = []
            found = list(walk(path, unreadable))
            wrong = [_problem(Path(error.filename or path), error) for error in unreadable]
            if not found and not unreadable:
                wrong = [Problem(path, f"The folder holds no {what}.")]
        elif os.path.lexists(path):
            found = [Input(path)]
        else:
            wrong = [_not_there(path)]
        problems += [replace(problem, before=len(inputs)) for problem in wrong]
        for item in found:
            inputs.setdefault(Path(os.path.realpath(item.path)), item)
    return list(inputs.values()), problems


def collected(
    paths: Iterable[Path],
    complain: Callable[[str], object],
    suffixes: Sequence[str] = OUTPUTS,
    search: Callable[..., tuple[list[Input], list[Problem]]] = collect,
) -> tuple[list[Input], list[Problem]]:
    """As :func:`collect`, or what takes its place, after the paths that hold no input have been named."""
    inputs, problems = search(paths, suffixes)
    for problem in problems:
        complain(one_line(f"Failed: {problem.path}: {problem.reason}"))
    if not inputs:
        complain("There is nothing to do: no inputs were found.")
    return inputs, problems


def documents_of_all(documents: Iterable[dict], problems: Sequence[Problem]) -> list[dict]:
    """What became of all that was given, in its order: `documents` of the inputs that were found, and the problems."""
    told = list(documents)
    for problem in reversed(problems):  # from behind, so that the places before stay
        told.insert(problem.before, failure(problem.path, problem.reason))
    return told


def _not_there(path: Path) -> Problem:
    try:
        os.lstat(path)
    except OSError as error:
        return _problem(path, error)
    return Problem(path, "There is no such file or folder.")  # it came this very moment


def _problem(path: Path, error: OSError) -> Problem:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return Problem(path, f"{error.strerror}.")
    is_link = os.path.islink(path)
    return Problem(path, "The link leads nowhere." if is_link else "There is no such file or folder.")


def folders_below(folder: Path, unreadable: list[OSError]) -> Iterator[tuple[Path, list[str]]]:
    """A folder and those below it, each with the names of its files; nothing that is hidden, all sorted.

    Folders that are linked come behind the others. Each folder comes once, however many links lead to it, and none
    does that the first folder lies in.
    """
    seen, waiting = {str(parent) for parent in Path(os.path.realpath(folder)).parents}, deque([folder])
    while waiting:
        for root, folders, names in os.walk(waiting.popleft(), onerror=unreadable.append):
            real = os.path.realpath(root)
            folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
            if real in seen:
                continue
            seen.add(real)
            waiting.extend(path for name in folders if (path := Path(root, name)).is_symlink())
            yield Path(root), sorted(name for name in names if not name.startswith("."))


def _walk(folder: Path, unreadable: list[OSError], suffixes: Sequence[str]) -> Iterator[Path]:
    """The files of a folder that count, sorted, folder by folder."""
    known = extensions()
    for root, names in folders_below(folder, unreadable):
        here = set(names)
        for name in names:
            if name.upper() == "DICOMDIR" or _is_ours(name, here, suffixes):
                continue
            path, is_known = root / name, name.lower().endswith(known)
            try:
                if stat.S_ISREG(os.stat(path).st_mode) and (is_known or is_dicom(path)):
                    yield path
            except OSError as error:
                if is_known or not isinstance(error, FileNotFoundError):  # any other link may lead nowhere
                    unreadable.append(error)


def _is_ours(name: str, neighbours: set[str], suffixes: Sequence[str]) -> bool:
    """Whether a file is a result: a segmentation, or another file with its segmentation and report beside it."""
    if name.lower().endswith(SEGMENTATION):
        return True
    return any(
        name.endswith(suffix) and {f"{name[: -len(suffix)]}{each}" for each in (SEGMENTATION, REPORT)} <= neighbours
        for suffix in suffixes
    )


def stem(name: str) -> str:
    """A file name without its image extension; one that no reader knows (as in "1.2.840.1") stays."""
    for extension in extensions():
        if name.lower().endswith(extension) and len(name) > len(extension):
            return name[: -len(extension)]
    return name


def plan(
    inputs: Sequence[Input], directory: Path, suffixes: Sequence[str] = OUTPUTS, resume: bool = False
) -> list[Job]:
    """One job per input, with names that are unique in the output folder `directory` and spare the inputs.

    A result is called as its input without the extension. Where that would make two results the same, or write over
    an input, the extension stays in the name, and where that is not enough a number is added. Upper and lower case
    count as the same, because some file systems say so. To `resume`, an input whose result is there under one of the
    first two names keeps that name, whichever inputs have come or gone meanwhile.
    """
    wanted = Counter(_key(item.folder / stem(item.path.name)) for item in inputs)
    alike = Counter(item.folder / item.path.name for item in inputs)
    sources = {file_key(path) for item in inputs for path in _sources(item.path)}
    root, taken = Path(os.path.realpath(directory)), set()
    names: dict[Input, Path] = {}

    def free(name: Path) -> bool:
        results = Job(name, name).outputs(root, suffixes)
        return _key(name) not in taken and not any(_key(path) in sources for path in results)

    def kept(item: Input) -> Path | None:
        plain, whole = item.folder / stem(item.path.name), item.folder / item.path.name
        if wanted[_key(plain)] <= 1 and not os.path.lexists(root / f"{whole}{REPORT}"):
            return None
        reports = {name: root / f"{name}{REPORT}" for name in (plain, whole) if free(name)}
        return next((name for name in reports if _is_of(reports[name], item.path, alike[whole] == 1)), None)

    for item in inputs if resume else ():
        name = kept(item)
        if name is not None:
            names[item] = name
            taken.add(_key(name))
    for item in inputs:
        if item in names:
            continue
        name = item.folder / stem(item.path.name)
        if wanted[_key(name)] > 1 or not free(name):
            name = item.folder / item.path.name
        number = 2
        while not free(name):
            name = item.folder / f"{item.path.name} ({number})"
            number += 1
        taken.add(_key(name))
        names[item] = name
    return [Job(item.path, names[item]) for item in inputs]


def _is_of(report: Path, path: Path, is_alone: bool) -> bool:
    """Whether a report is of the file `path`; one that `is_alone` with its name may have been called otherwise."""
    try:
        file = Path(json.loads(report.read_text(encoding="utf-8"))["input"]["file"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    if not os.path.lexists(report.with_name(f"{report.name[: -len(REPORT)]}{SEGMENTATION}")):
        return False  # it is what --json has written
    return str(file) == printable(path) or is_alone and file.name == printable(path.name)


def _sources(path: Path) -> Iterator[Path]:
    """The files of an input: beside its own the one that holds its pixels, or the slices of a folder."""
    yield path
    try:
        if path.is_dir():
            yield from path.iterdir()
        elif path.name.lower().endswith(_HEADERS):
            from ..core.reading.common import Undecodable
            from ..core.reading.text_headers import read_metaimage_header, read_nrrd_header

            header = read_nrrd_header if path.name.lower().endswith(_NRRD) else read_metaimage_header
            with suppress(RadiographError, Undecodable):  # whoever reads it will say so
                yield header(path).file
    except OSError:  # the same
        return


def file_key(path: Path) -> str:
    """The same for all paths of one file, also where upper and lower case count as the same."""
    return _key(Path(os.path.realpath(path)))


def _key(path: Path) -> str:
    return str(path).casefold()
