"""The images to train on: read from the folders, with everything that is wrong listed before training starts."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cases import is_case_folder, read_cases
from ..data import Case, load_set
from .errors import FineTuningError

_NOWHERE = -1
"""A value that no label map holds: a class that has it is settled, and is not there."""


@dataclass(frozen=True)
class Material:
    """What was read.

    Parameters
    ----------
    cases : list of Case
        Set names are unique to a folder.
    patients : dict of (set name, image name) to str
        Where ``split.csv`` has a column ``patient``.
    problems : list of str
        One line for each thing that cannot be used.
    """

    cases: list[Case]
    patients: dict[tuple[str, str], str]
    problems: list[str]

    @property
    def labels(self) -> tuple[str, ...]:
        """All classes that some image shows, in the order of their first appearance."""
        return tuple(dict.fromkeys(label for case in self.cases for label, _ in case.objects()))

    def counts(self) -> dict[str, int]:
        """Objects of every class."""
        return dict(Counter(label for case in self.cases for label, _ in case.objects()))

    def fingerprint(self) -> str:
        """SHA-256 of all pixels and masks: another training, if anything changed."""
        digest = hashlib.sha256()
        for case in self.cases:
            digest.update(f"{case.set_name}/{case.name}/{case.split}/{sorted(case.labels.items())}".encode())
            digest.update(case.pixels.tobytes())
            for label, mask in case.objects():
                digest.update(label.encode() + mask.tobytes())
        return digest.hexdigest()


def gather(folders: list[Path], is_complete: bool = False) -> Material:
    """Read all folders.

    Parameters
    ----------
    folders : list of Path
        Each a set, see ``data.load_set``.
    is_complete : bool
        Whether every image has all its objects of all classes marked: then a class that is not marked is not there.

    Raises
    ------
    FineTuningError
        If a folder is none, or holds no set.
    """
    cases, problems, patients = [], [], {}
    names = Counter(folder.resolve().name for folder in folders)
    for folder in folders:
        folder = folder.resolve()
        if not folder.is_dir():
            raise FineTuningError(f"{folder} is no folder; give the folder of a set of labelled images.")
        found, wrong = read_folder(folder)
        set_name = folder.name if names[folder.name] == 1 else f"{folder.parent.name}/{folder.name}"
        if names[folder.name] > 1:
            found = [changed(case, set_name=set_name) for case in found]
        cases += found
        problems += [f"{set_name}: {line}" for line in wrong]
        patients.update({(set_name, name): patient for name, patient in _patients(folder).items()})
    material = Material(cases, patients, problems)
    _check_spelling(material.labels)
    if is_complete:
        absent = dict.fromkeys(material.labels, _NOWHERE)
        material = replace(material, cases=[changed(case, labels={**absent, **case.labels}) for case in cases])
    return material


def read_folder(folder: Path) -> tuple[list[Case], list[str]]:
    """The cases of one set, and a line for everything in it that cannot be used: the one place where data are checked.

    Raises
    ------
    FineTuningError
        If it is no set at all.
    """
    if is_case_folder(folder):
        return read_cases(folder)
    try:
        return load_set(folder), []
    except FileNotFoundError as error:
        raise FineTuningError(
            f"{folder} holds no set of labelled images ({error.filename or error} is missing); training/README.md says "
            "what a set looks like."
        ) from error
    except (ValueError, KeyError, OSError) as error:
        return [], [f"{str(error).rstrip('.')}."]


def changed(case: Case, **values: Any) -> Case:
    """A copy of a case with other values; the objects of a case from Slicer stay."""
    copy = replace(case, **values)
    if getattr(case, "parts", ()):
        object.__setattr__(copy, "parts", case.parts)
    return copy


def _patients(folder: Path) -> dict[str, str]:
    """Image name to patient, of the rows of ``split.csv`` that name one."""
    path = folder / "split.csv"
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    return {row["name"]: row["patient"].strip() for row in rows if (row.get("patient") or "").strip()}


def _check_spelling(labels: tuple[str, ...]) -> None:
    spelled: dict[str, str] = {}
    for label in labels:
        other = spelled.setdefault(label.casefold(), label)
        if other != label:
            raise FineTuningError(f"The labels '{other}' and '{label}' differ in capitals alone: spell them alike.")
