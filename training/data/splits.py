"""Which images are put aside for validation: whole patients, as far as it is known who is who.

    python -m training.data.splits FOLDER [--share 0.2] [--seed 1]

draws a split of the set in FOLDER and writes it to its split.csv; what the table says besides stays as it is.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError

from ..files import write_aside
from .images import stem
from .labelled import Case
from .sets import read_set
from .split_table import TABLE, Row, read_table


class SplitError(GrayscaleDetSegError):
    """A split cannot be drawn, or the given one puts a patient on both sides."""


@dataclass(frozen=True)
class Split:
    """The cases to learn from, those to be judged by, and a sentence on how they were told apart."""

    training: list[Case]
    validation: list[Case]
    how: str


def split(cases: list[Case], share: float, seed: int) -> Split:
    """Divide the cases; drawn by `seed` alone, whatever their order.

    Sets that have images for both sides keep their own split. In the others, images of a patient stay together: those
    with the same patient, in whatever set; where none is known, those whose names agree up to the end of their first
    number ("P12_left", "P12_right"), unless that puts most images into one; and always images with the same pixels.
    Patients and copies of a set that keeps its split go with it. As many patients as make up `share` of the images are
    drawn for validation, rare classes first, so that every class stays in training and shows in validation where it
    can. Validation may be left empty, where every image is needed in training.

    Parameters
    ----------
    cases : list of Case
    share : float
        Of the images that are to be divided, between 0 and 1.
    seed : int

    Raises
    ------
    SplitError
        If there are too few images, a patient is on both sides of a given split, or the share is none.
    """
    if not 0.0 < share < 1.0:
        raise SplitError(f"The share of images for validation must lie between 0 and 1, not {share}.")
    if len(cases) < 2:
        raise SplitError("Training needs two images or more: one to learn from and one to be judged by.")
    given = {name for name in {case.set_name for case in cases} if len(_sides(cases, name)) == 2}
    kept = [case for case in cases if case.set_name in given]
    free = [case for case in cases if case.set_name not in given]
    _check_patients(kept)
    parts = ["as split.csv says"] if kept else []
    training = [case for case in kept if case.split == "train"]
    validation = [case for case in kept if case.split == "val"]
    if free:
        groups, how = _groups(free)
        # images that are already on a side take their copies and the rest of their patient along
        sides = {key: case.split for case in kept for key in _identities(case)}
        bound = {group: sides[key] for case, group in zip(free, groups) for key in _identities(case) if key in sides}
        chosen = _choose(free, groups, share, seed, bound)
        training += [case.moved("train") for case, is_chosen in zip(free, chosen) if not is_chosen]
        validation += [case.moved("val") for case, is_chosen in zip(free, chosen) if is_chosen]
        parts.append(how)
    return Split(training, validation, ", ".join(parts))


def _sides(cases: list[Case], set_name: str) -> set[str]:
    return {case.split for case in cases if case.set_name == set_name}


def _identities(case: Case) -> list[tuple[str, str]]:
    """By what a case is bound to others: its pixels, and its patient where that is known."""
    return [("pixels", case.fingerprint()), *([("patient", case.patient)] if case.patient else [])]


def _check_patients(cases: list[Case]) -> None:
    sides = defaultdict(set)
    for case in cases:
        if case.patient:
            sides[case.patient].add(case.split)
    both = sorted(patient for patient, found in sides.items() if len(found) == 2)
    if both:
        raise SplitError(f"The patient {both[0]} is in train and in val of split.csv: put all images on one side.")


def _groups(cases: list[Case]) -> tuple[list[int], str]:
    """The number of each case's group, and where the groups come from."""
    known = [case.patient for case in cases]
    keys = [("patient", patient) if patient else None for patient in known]
    how = "by the patients of split.csv"
    if not all(known):
        names = [(case.set_name, _stem(case.name)) for case in cases]
        largest = Counter(names).most_common(1)[0][1]
        is_telling = len(set(names)) < len(names) and (largest <= max(2, len(names) // 4) or len(set(names)) >= 10)
        fallback = names if is_telling else [(case.set_name, case.name) for case in cases]
        how = "by patients as told from the file names" if is_telling else "by image (nothing tells the patients)"
        if any(known):
            how = f"by the patients of split.csv, where it names none {how}"
        keys = [key or ("name", *other) for key, other in zip(keys, fallback)]
    # the same pixels twice (one image in two sets) make one group of two
    joined = {key: key for key in keys}

    def root(key):
        while joined[key] != key:
            key = joined[key]
        return key

    first: dict[str, tuple] = {}
    for case, key in zip(cases, keys):
        joined[root(key)] = root(first.setdefault(case.fingerprint(), key))
    # numbered by their first image: the draw must not depend on the order of the files, nor on a hash
    earliest: dict[tuple, tuple[str, str]] = {}
    for case, key in zip(cases, keys):
        own = case.set_name, case.name
        earliest[root(key)] = min(own, earliest.get(root(key), own))
    numbers = {key: number for number, key in enumerate(sorted(earliest, key=earliest.get))}
    return [numbers[root(key)] for key in keys], how


def _stem(name: str) -> str:
    """A name up to the end of its first number."""
    found = re.match(r"\D*\d+", name)
    return found.group() if found else name


def _choose(cases: list[Case], groups: list[int], share: float, seed: int, bound: dict[int, str]) -> list[bool]:
    """Whether each case is for validation; `bound` says it of some groups."""
    labels: dict[int, Counter] = defaultdict(Counter)
    sizes = Counter(groups)
    for case, group in zip(cases, groups):
        labels[group].update(set(case.object_labels()))
    left = sum(labels.values(), Counter())
    chosen = {group for group, side in bound.items() if side == "val"}
    order = [int(group) for group in np.random.default_rng(seed).permutation(len(sizes)) if int(group) not in bound]
    wanted, count = max(1, round(share * len(cases))), sum(sizes[group] for group in chosen)
    shown: Counter = sum((labels[group] for group in chosen), Counter())

    def may_leave(group: int) -> bool:
        """Whether every class of the group would still have an image in training, and there would be one at all."""
        others = sum(sizes.values()) - sum(sizes[one] for one in chosen) - sizes[group]
        return others > 0 and all(left[label] - shown[label] > number for label, number in labels[group].items())

    for label in sorted(left, key=lambda name: (left[name], name)):  # rare classes first, each shown once
        for group in order:
            if shown[label]:
                break
            fits = count + sizes[group] <= max(wanted, 1) or not chosen
            if group not in chosen and labels[group][label] and fits and may_leave(group):
                chosen.add(group)
                count += sizes[group]
                shown += labels[group]
    for group in order:
        if count >= wanted:
            break
        if group not in chosen and count + sizes[group] <= max(wanted, 1) and may_leave(group):
            chosen.add(group)
            count += sizes[group]
            shown += labels[group]
    return [group in chosen for group in groups]


def write_split(folder: Path, divided: Split) -> None:
    """Write a split to the table of a set, with what it says besides of its images.

    Rows of images that are not in `divided` (those that cannot be used, or are of another split) stay as they are.
    """
    sides = {case.name: case.split for case in divided.training + divided.validation}
    table = read_table(folder)[0] or {}
    listed = {stem(name) for name in table} | set(table)  # in COCO's sets, names may have their ending
    rows = {**dict.fromkeys(sorted(set(sides) - listed), Row()), **table}
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("name", "split", "patient", "polarity"))
    for name, row in rows.items():
        side = sides.get(name) or sides.get(stem(name), row.split)
        writer.writerow((name, side, row.patient, row.polarity))
    write_aside(folder / TABLE, stream.getvalue().encode())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.data.splits", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="a set in any form that is read here")
    parser.add_argument("--share", type=float, default=0.2, help="of the images, for validation (default 0.2)")
    parser.add_argument("--seed", type=int, default=1, help="decides the draw (default 1)")
    options = parser.parse_args(arguments)
    try:
        cases, problems = read_set(options.folder)
        faults = [problem for problem in problems if problem.name == TABLE and problem.severity == "error"]
        if faults:
            raise SplitError(str(faults[0]))
        if {case.split for case in cases} == {"train", "val"}:
            raise SplitError(f"{options.folder / TABLE} has images for training and for validation: nothing is drawn.")
        divided = split(cases, options.share, options.seed)
        if not divided.validation:
            raise SplitError("No image can be spared for validation: every class needs one in training.")
        write_split(options.folder, divided)
    except (SplitError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(divided.training)} for training, {len(divided.validation)} for validation: {divided.how}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
