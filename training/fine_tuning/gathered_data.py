"""The images to train on: read from the folders, with everything that is wrong listed before training starts."""

from __future__ import annotations

import copy
import hashlib
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data import Case
from ..data.checking import Report, check
from .errors import FineTuningError

_NOWHERE = -1
"""A value that no label map holds: a class that has it is settled, and is not there."""


@dataclass(frozen=True)
class TrainingData:
    """What was read.

    Parameters
    ----------
    cases : list of Case
        Those that can be used.
    report : str
        What there is and all that is wrong, in lines for people.
    errors : int
        How many of the data cannot be used, or would make val flatter.
    checked : Report
        What the check found.
    """

    cases: list[Case]
    report: str
    errors: int
    checked: Report

    @property
    def labels(self) -> tuple[str, ...]:
        """All classes that some image shows, in the order of their first appearance."""
        return tuple(dict.fromkeys(label for case in self.cases for label in case.object_labels()))

    def counts(self) -> dict[str, int]:
        """Objects of every class."""
        return dict(Counter(label for case in self.cases for label in case.object_labels()))

    def fingerprint(self) -> str:
        """SHA-256 of all pixels, labels and patients: another training, if anything changed."""
        digest = hashlib.sha256(self.checked.fingerprint.encode())
        for case in self.cases:
            facts = case.set_name, case.name, sorted(case.labels.items()), case.object_labels(), case.patient
            digest.update(repr(facts).encode())
        return digest.hexdigest()


def gather(folders: list[Path], is_complete: bool = False, work: Path | None = None) -> TrainingData:
    """Read and check all folders.

    Parameters
    ----------
    folders : list of Path
        Sets in any form that is read here, or folders of sets.
    is_complete : bool
        Whether every image has all its objects of all classes marked: then a class that is not marked is not there.
    work : Path or None
        Folder of the run: what its check saw of files before is not looked at again.

    Raises
    ------
    FineTuningError
        If a folder is none, nothing can be used, or two labels differ in capitals alone.
    """
    for folder in folders:
        if not os.path.isdir(folder):
            raise FineTuningError(f"{folder} is no folder; give the folder of a set of labelled images.")
    found = check([folder.resolve() for folder in folders], kept=work)
    if not found.cases:
        reasons = " ".join(f"{problem.set_name}: {problem.text}" for problem in found.errors[:3])
        raise FineTuningError(f"There is no image to train on. {reasons}".strip())
    gathered = TrainingData(list(found.cases), found.text(), len(found.errors), found)
    _check_spelling(gathered.labels)
    if is_complete:
        absent = dict.fromkeys(gathered.labels, _NOWHERE)
        # those that are there stay first, in their order: it is that of the objects
        cases = [changed(case, labels={**case.labels, **absent, **case.labels}) for case in gathered.cases]
        gathered = replace(gathered, cases=cases)
    return gathered


def changed(case: Case, **values: Any) -> Case:
    """A copy of a case with other values, its objects as they were."""
    other = copy.copy(case)
    for name, value in values.items():
        object.__setattr__(other, name, value)
    return other


def _check_spelling(labels: tuple[str, ...]) -> None:
    spelled: dict[str, str] = {}
    for label in labels:
        other = spelled.setdefault(label.casefold(), label)
        if other != label:
            raise FineTuningError(f"The labels '{other}' and '{label}' differ in capitals alone: spell them alike.")
