"""Sets of labelled radiographs, in any of the three forms that are read.

Images with label maps (``folders``), COCO (``coco``), cases from Slicer (``cases``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from . import cases, coco, folders
from .labelled import SETS, Case, Problem
from .stored import Known, collected

FORMS = (
    (folders.is_folder_set, folders.scan_folders),
    (cases.is_case_folder, cases.scan_cases),
    (coco.is_coco_folder, coco.scan_coco),
)


def is_set(folder: Path) -> bool:
    """Whether a path is a folder in one of the three forms."""
    return folder.is_dir() and any(is_form(folder) for is_form, _ in FORMS)


def scan_set(folder: Path, split: str | None = None, known: Known | None = None) -> Iterator[Case | Problem]:
    """What there is in one set, one case after the other: each can be looked at while its files are still in memory.

    Parameters
    ----------
    folder : Path
        Its name becomes the set's name. With ``labels.json`` it is read by ``folders``, with segmentations by
        ``cases``, else by ``coco``.
    split : "train", "val" or None for both
    known : mapping, optional
        What a check has kept of files (``checking.read_kept``): those that are unchanged are not opened.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or holds none of these.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}; check the path.")
    for is_form, scan in FORMS:
        if is_form(folder):
            return scan(folder, split, known)
    raise FileNotFoundError(
        f"{folder} holds no labelled images: neither images/ and labels/ with labels.json, nor NAME.seg.nrrd beside "
        "images, nor a COCO file."
    )


def read_set(folder: Path, split: str | None = None) -> tuple[list[Case], list[Problem]]:
    """The cases of one set that can be used (of one `split`, or of both), and all that is wrong; see `scan_set`."""
    return collected(scan_set(folder, split))


def load_set(folder: Path, split: str | None = None) -> list[Case]:
    """The cases of one set that can be used, see `read_set`; the others are listed on stderr, one line each.

    Raises
    ------
    FileNotFoundError
        As `read_set`.
    ValueError
        If there are cases and none can be used.
    """
    found, problems = read_set(folder, split)
    if problems:
        print(f"{folder}: {len(problems)} problems:", *problems, sep="\n  ", file=sys.stderr)
    if not found and split != "val" and any(problem.severity == "error" for problem in problems):
        raise ValueError(f"{folder} has no case that can be used; see the list of what is wrong.")
    return found


def load_sets(data: Path, split: str | None = None, names: tuple[str, ...] = SETS) -> list[Case]:
    """The cases of several sets below one folder."""
    missing = [name for name in names if not (data / name).is_dir()]
    if missing:
        raise FileNotFoundError(f"{data} has no set {', '.join(missing)}.")
    return [case for name in names for case in load_set(data / name, split)]
