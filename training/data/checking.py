"""What is wrong with labelled images, in one report before a training starts.

    python -m training.data.checking FOLDER... [--all]

A FOLDER is a set in any form that is read here, or holds sets. Exit codes: 0 nothing is wrong (there may be warnings),
1 there are errors, 2 there is nothing to check.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError

from .inspection import look, polarity_check, read_kept, write_kept
from .labelled import CLASSES, SPLITS, Case, Problem
from .sets import is_set, scan_set

KEPT = "checked.npz"
"""In the folder of a run: what the check saw, file by file."""
ALIKE = 0.99
"""Correlation of two pictures of 32 x 32 px from which they look the same; of other patients' at most 0.98 was seen."""
SHOWN = 12
"""Lines of a kind in a report that is not told to show all."""


class DataError(GrayscaleDetSegError):
    """The data have errors that training must not pass over."""


@dataclass(frozen=True)
class Report:
    """What a check found.

    Parameters
    ----------
    cases : tuple of Case
        Those that can be used, of both splits. Left out are cases that cannot be read, and of images or patients that
        are in both splits those for training: with these gone nothing that training sees is in val.
    problems : tuple of Problem
    images : dict of (set, split) to int
    objects : dict of (set, class, split) to int
    fingerprint : str
        Changes whenever a case, its labels or its split do.
    """

    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    images: dict[tuple[str, str], int] = field(default_factory=dict)
    objects: dict[tuple[str, str, str], int] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def errors(self) -> list[Problem]:
        """The problems that stop a training."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """The others."""
        return [problem for problem in self.problems if problem.severity != "error"]

    def of(self, split: str, sets: Iterable[str] | None = None) -> list[Case]:
        """The cases of a split, of some sets or of all."""
        wanted = None if sets is None else set(sets)
        return [case for case in self.cases if case.split == split and (wanted is None or case.set_name in wanted)]

    def text(self, shown: int | None = SHOWN) -> str:
        """The report, to be printed; at most `shown` errors and warnings of each set."""
        lines = []
        for name in dict.fromkeys([*(key[0] for key in self.images), *(item.set_name for item in self.problems)]):
            train, val = (self.images.get((name, split), 0) for split in SPLITS)
            lines.append(f"{name}: {train + val} images, {train} for training, {val} for validation")
            for label in sorted({key[1] for key in self.objects if key[0] == name}):
                counts = [self.objects.get((name, label, split), 0) for split in SPLITS]
                new = "" if label in CLASSES else "   (no class of the shipped model)"
                lines.append(f"  {label:20s} {counts[0]:6d} objects for training, {counts[1]:5d} for validation{new}")
            for title, found in (("errors", self.errors), ("warnings", self.warnings)):
                here = [str(problem) for problem in found if problem.set_name == name]
                if here:
                    lines += [f"  {title} ({len(here)}):", *(f"    {line}" for line in here[:shown])]
                    if shown is not None and len(here) > shown:
                        more = len(here) - shown
                        lines.append(f"    and {more} more: python -m training.data.checking --all lists them.")
        return "\n".join(lines)

    def keep(self, folder: Path) -> None:
        """Write what was seen of the files to a folder, which is there: `check` opens again only what has changed."""
        write_kept(folder / KEPT, self.cases)

    def stop_if_bad(self, skip_bad: bool, needed: str = "train") -> None:
        """Raise DataError, in one sentence, if there are errors that were not to be skipped or no image for `needed`.

        `needed` is "train", or "val" for what only measures.
        """
        count = len(self.errors)
        if count and not skip_bad:
            raise DataError(
                f"The data have {count} error{'s' * (count > 1)}, see the list: correct them, or leave out what they "
                "name with --skip-bad."
            )
        if not self.of(needed):
            purpose = {"train": "to train on", "val": "for validation"}[needed]
            raise DataError(f"There is no image {purpose}: see what the list says of the folders.")


def find_sets(folders: Iterable[Path]) -> list[Path]:
    """The folders that are sets, and those sets that lie directly below the others."""
    found = []
    for folder in map(Path, folders):
        # a folder that is no set may hold some; given as such, it is read all the same, so that its faults are listed
        below = sorted(path for path in folder.iterdir() if is_set(path)) if folder.is_dir() else []
        found += [folder] if is_set(folder) or not below else below
    return list(dict.fromkeys(found))


def check(folders: Iterable[Path], look_at_polarity: bool = True, kept: Path | None = None) -> Report:
    """Read sets once, one image after the other, with all that is wrong with them and with their splits.

    Parameters
    ----------
    folders : iterable of Path
        Sets, or folders of sets.
    look_at_polarity : bool
        Whether the shipped network that tells inverted radiographs looks at every image (some ms each).
    kept : Path, optional
        Folder to which a former check has been kept (`Report.keep`): only files that have changed since, by their
        size or time, are opened.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    names: dict[str, Path] = {}
    known = read_kept(kept / KEPT if kept else None)
    polarity = polarity_check() if look_at_polarity else None
    looks = []
    for folder in find_sets(folders):
        if folder.name in names:
            text = f"two sets are called {folder.name} ({names[folder.name]} and {folder}); rename one."
            problems.append(Problem(folder.name, "set", text))
            continue
        names[folder.name], before = folder, len(cases)
        try:
            for item in scan_set(folder, known=known):
                if isinstance(item, Problem):
                    problems.append(item)
                else:  # its files are in memory just now
                    cases.append(item)
                    looks.append(look(item, polarity))
        except OSError as error:
            problems.append(Problem(folder.name, "set", f"{str(error).rstrip('.')}."))
            continue
        if len(cases) == before:
            problems.append(Problem(folder.name, "set", "has no image that can be used."))
    leaks = [*_copies(cases, looks), *_patients(cases)]
    leaking = {(problem.set_name, problem.name) for problem in leaks if problem.severity == "error"}
    problems += leaks
    images, objects, digest = Counter(), Counter(), hashlib.sha256()
    usable = []
    for case, seen in zip(cases, looks):
        if case.split == "train" and (case.set_name, case.name) in leaking:
            continue
        usable.append(case)
        images[case.set_name, case.split] += 1
        objects.update((case.set_name, label, case.split) for label in seen["objects"])
        facts = f"{case.set_name}/{case.name}/{case.split}/{seen['print']}/{case.labels}/{case.inverted}"
        digest.update(f"{facts}/{seen['labels']};".encode())
        problems += [Problem(case.set_name, case.name, text, "warning") for text in seen["warnings"]]
    problems += _classes(objects)
    return Report(tuple(usable), tuple(problems), dict(images), dict(objects), digest.hexdigest())


def announce(
    report: Report, skip_bad: bool = False, needed: str = "train", stream: TextIO | None = None
) -> None:
    """Print a report and stop, with DataError, where `Report.stop_if_bad` does.

    Parameters
    ----------
    stream : file, optional
        Standard output by default; standard error for commands whose output is something else.
    """
    print(report.text(), file=stream, flush=True)
    report.stop_if_bad(skip_bad, needed)


def _copies(cases: list[Case], looks: list[dict[str, Any]]) -> list[Problem]:
    """Images that are there twice: errors where one trains and one validates, warnings within one split and set."""
    problems, groups = [], defaultdict(list)
    for case, seen in zip(cases, looks):
        groups[seen["print"]].append(case)
    for group in groups.values():
        for split in SPLITS:
            for name, members in _by_set(case for case in group if case.split == split).items():
                if len(members) > 1:
                    others = ", ".join(case.name for case in members[1:])
                    problems.append(Problem(name, members[0].name, f"the same image as {others}.", "warning"))
        held_out = [case for case in group if case.split == "val"]
        for case in group:
            if case.split == "train" and held_out:
                other = _full_name(held_out[0])
                problems.append(Problem(case.set_name, case.name, f"the same image is in val, as {other}; keep one."))
    return problems + _lookalikes(cases, looks)


def _by_set(cases: Iterable[Case]) -> dict[str, list[Case]]:
    sets = defaultdict(list)
    for case in cases:
        sets[case.set_name].append(case)
    return sets


def _lookalikes(cases: list[Case], looks: list[dict[str, Any]]) -> list[Problem]:
    """Images for training that look like one of val without being its exact copy: saved anew, or scaled."""
    held_out = [index for index, case in enumerate(cases) if case.split == "val"]
    others = [index for index, case in enumerate(cases) if case.split == "train"]
    if not held_out or not others:
        return []
    references = np.stack([looks[index]["thumbnail"] for index in held_out])
    problems = []
    for index in others:
        likeness = references @ looks[index]["thumbnail"]
        best = int(likeness.argmax())
        if likeness[best] >= ALIKE and looks[index]["print"] != looks[held_out[best]]["print"]:
            text = f"looks like {_full_name(cases[held_out[best]])} in val; is it the same radiograph?"
            problems.append(Problem(cases[index].set_name, cases[index].name, text, "warning"))
    return problems


def _patients(cases: list[Case]) -> list[Problem]:
    held_out = {(case.set_name, case.patient) for case in cases if case.split == "val" and case.patient}
    return [
        Problem(case.set_name, case.name, f"other images of its patient, {case.patient}, are in val; move some.")
        for case in cases
        if case.split == "train" and (case.set_name, case.patient) in held_out
    ]


def _full_name(case: Case) -> str:
    return f"{case.set_name}/{case.name}"


def _classes(objects: Counter) -> list[Problem]:
    """Classes that only one of the splits shows, over all sets."""
    shown = {split: {label for _, label, own in objects if own == split} for split in SPLITS}
    where = {label: name for name, label, _ in objects}
    if not shown["val"]:
        return []  # to be split yet
    unseen = [(label, "is only in val: nothing can be learnt.") for label in sorted(shown["val"] - shown["train"])]
    unseen += [(label, "is not in val: nobody will know how well it is found.")
               for label in sorted(shown["train"] - shown["val"])]  # fmt: skip
    return [Problem(where[label], label, text, "warning") for label, text in unseen]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.data.checking", description=__doc__.split("\n\n")[0],
                                     epilog=__doc__.rstrip().rpartition("\n\n")[2])  # fmt: skip
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a set, or a folder of sets")
    parser.add_argument("--all", action="store_true", help=f"list all problems, not {SHOWN} of a kind")
    parser.add_argument("--no-polarity", action="store_true", help="do not look for images in which bone is dark")
    options = parser.parse_args(arguments)
    for folder in options.folders:
        if not folder.is_dir():
            print(f"{folder} is no folder; give the folder of a set.", file=sys.stderr)
            return 2
    report = check(options.folders, not options.no_polarity)
    print(report.text(None if options.all else SHOWN))
    if not report.cases and not any(problem.name != "set" for problem in report.problems):
        return 2
    print(f"{len(report.cases)} images can be used; {len(report.errors)} errors, {len(report.warnings)} warnings.")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
