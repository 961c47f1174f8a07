"""Which images train and which are set aside: the table ``split.csv`` of a set, and splits drawn by patient."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .data import SPLITS, Case, Problem

TABLE = "split.csv"
POLARITIES = ("", "as-is", "inverted")


@dataclass(frozen=True)
class Row:
    """What the table says of an image; empty where it says nothing."""

    split: str = ""
    patient: str = ""
    polarity: str = ""


def read_table(folder: Path) -> tuple[dict[str, Row] | None, list[Problem]]:
    """The rows of ``split.csv`` by the name of the image (None without such a file), and what is wrong with it.

    Columns: ``name``, and any of ``split`` (train or val), ``patient``, ``polarity`` (inverted or as-is); separated by
    commas, semicolons or tabs. Rows of another split, such as test, are kept with it: they are not used.
    """
    path = folder / TABLE
    if not path.exists():
        return None, []

    def problem(name: str, text: str, severity: str = "error") -> Problem:
        return Problem(folder.name, name, text, severity)

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return {}, [problem(TABLE, f"cannot be read ({error}); save it as CSV in UTF-8.")]
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows, problems = {}, []
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    if "name" not in (reader.fieldnames or ()):
        return {}, [problem(TABLE, "has no column called name; its first line must be name,split.")]
    for values in reader:
        name, *rest = ((values.get(key) or "").strip() for key in ("name", "split", "patient", "polarity"))
        row = Row(*rest)
        if name in rows and rows[name] != row:
            problems.append(problem(name, f"stands twice in {TABLE}, and differently; keep one line."))
        if row.split and row.split not in SPLITS:
            problems.append(problem(name, f"{TABLE} says {row.split!r}, not train or val; not used.", "warning"))
        if row.polarity not in POLARITIES:
            problems.append(problem(name, f"{TABLE} says polarity {row.polarity!r}, not inverted or as-is."))
        if name:
            rows.setdefault(name, row)
    return rows, problems


def fingerprint(case: Case) -> str:
    """The same for two cases with the same pixels, and for hardly any others."""
    digest = hashlib.blake2b(repr((case.pixels.shape, case.pixels.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(case.pixels))
    return digest.hexdigest()


def split_by_patient(cases: list[Case], share: float, seed: int) -> list[Case]:
    """The cases, split anew: about `share` of them as val, and all images of a patient on the same side.

    An image whose patient is not known counts as a patient of its own, together with its exact copies. Val shows every
    class that two patients or more show, where the share allows it, and train keeps one of each. Drawn by `seed`
    alone, whatever the order of the cases.

    Raises
    ------
    ValueError
        If `share` is not between 0 and 1, or there is but one patient.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"The share of images for validation must lie between 0 and 1, not {share}.")
    groups = defaultdict(list)
    for case in cases:
        groups[(case.set_name, case.patient) if case.patient else fingerprint(case)].append(case)
    if len(groups) < 2:
        raise ValueError("All images are of one patient: none can be set aside for validation; add another patient's.")
    # the draw depends on neither the order of the files nor a hash
    patients = sorted(groups.values(), key=lambda group: min((case.set_name, case.name) for case in group))
    patients = [patients[index] for index in np.random.default_rng(seed).permutation(len(patients))]
    chosen = _choose(patients, max(1, round(share * len(cases))))
    aside = {id(case) for index in chosen for case in patients[index]}
    return [case.moved("val" if id(case) in aside else "train") for case in cases]


def _choose(patients: list[list[Case]], wanted: int) -> set[int]:
    """The places of the patients that are set aside, about `wanted` images; never all of them."""
    shown = [{label for case in group for label in _shown(case)} for group in patients]
    remaining = Counter(label for labels in shown for label in labels)
    chosen: set[int] = set()

    def able(index: int) -> bool:
        fits = sum(len(patients[other]) for other in chosen) + len(patients[index]) <= wanted
        return fits and index not in chosen and all(remaining[label] > 1 for label in shown[index])

    def choose(index: int) -> None:
        chosen.add(index)
        remaining.subtract(shown[index])

    covered: set[str] = set()
    while True:  # first whoever shows most classes that val does not show yet
        gains = {index: len(labels - covered) for index, labels in enumerate(shown) if labels - covered}
        gains = {index: gain for index, gain in gains.items() if able(index)}
        if not gains:
            break
        best = max(gains, key=gains.get)
        choose(best)
        covered |= shown[best]
    for index in range(len(patients)):
        if len(chosen) < len(patients) - 1 and able(index):
            choose(index)
    if not chosen:  # every patient has more images than the share, or shows something that no other does
        choose(min(range(len(patients)), key=lambda index: len(patients[index])))
    return chosen


def _shown(case: Case) -> set[str]:
    present = set(np.unique(case.label_map).tolist())
    return {label for label, value in case.labels.items() if value in present}
