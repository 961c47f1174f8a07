"""Which images are put aside for validation: whole patients, as far as it is known who is who."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from ..data import Case
from ..splits import fingerprint
from .errors import FineTuningError


@dataclass(frozen=True)
class Split:
    """The cases to learn from, those to be judged by, and a sentence on how they were told apart."""

    training: list[Case]
    validation: list[Case]
    how: str


def split(cases: list[Case], share: float, seed: int) -> Split:
    """Divide the cases.

    Sets that have images for both sides keep their own split. In the others, images of a patient stay together: those
    with the same patient, in whatever set; where none is known, those whose names agree up to the end of their first
    number ("P12_left", "P12_right"), unless that puts most images into one; and always images with the same pixels. As
    many patients as make up `share` of the images are drawn for validation, so that every class stays in training,
    and shows in validation where it can.

    Raises
    ------
    FineTuningError
        If there are too few images, or a patient is on both sides of a given split.
    """
    if len(cases) < 2:
        raise FineTuningError("Training needs two images or more: one to learn from and one to be judged by.")
    given = {name for name in {case.set_name for case in cases} if len(_sides(cases, name)) == 2}
    kept = [case for case in cases if case.set_name in given]
    free = [case for case in cases if case.set_name not in given]
    _check_patients(kept)
    parts = ["as split.csv says"] if kept else []
    training = [case for case in kept if case.split == "train"]
    validation = [case for case in kept if case.split == "val"]
    if free:
        groups, how = _groups(free)
        # images that are already on a side take those with the same pixels along
        sides = {fingerprint(case): case.split for case in kept}
        chosen = _choose(free, groups, share, seed, sides)
        training += [case.moved("train") for case, is_chosen in zip(free, chosen) if not is_chosen]
        validation += [case.moved("val") for case, is_chosen in zip(free, chosen) if is_chosen]
        parts.append(how)
    return Split(training, validation, ", ".join(parts))


def _sides(cases: list[Case], set_name: str) -> set[str]:
    return {case.split for case in cases if case.set_name == set_name}


def _check_patients(cases: list[Case]) -> None:
    sides = defaultdict(set)
    for case in cases:
        if case.patient:
            sides[case.patient].add(case.split)
    both = sorted(patient for patient, found in sides.items() if len(found) == 2)
    if both:
        raise FineTuningError(f"The patient {both[0]} is in train and in val of split.csv: put all images on one side.")


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
        joined[root(key)] = root(first.setdefault(fingerprint(case), key))
    numbers = {key: number for number, key in enumerate(dict.fromkeys(root(key) for key in keys))}
    return [numbers[root(key)] for key in keys], how


def _stem(name: str) -> str:
    """A name up to the end of its first number."""
    found = re.match(r"\D*\d+", name)
    return found.group() if found else name


def _choose(cases: list[Case], groups: list[int], share: float, seed: int, sides: dict[str, str]) -> list[bool]:
    """Whether each case is for validation."""
    labels: dict[int, Counter] = defaultdict(Counter)
    sizes = Counter(groups)
    for case, group in zip(cases, groups):
        labels[group].update({label for label, _ in case.objects()})
    left = sum(labels.values(), Counter())
    bound = {group: sides[fingerprint(case)] for case, group in zip(cases, groups) if fingerprint(case) in sides}
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
