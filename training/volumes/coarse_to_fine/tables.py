"""The tables of article 002 as text: DSC in percent, 95 % intervals by patient, volumes won and lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...markdown_table import markdown_table
from ..table import ROUNDS, THRESHOLDS, Judged, interval
from . import measure
from .measure import CLAIMED, COARSE, END, SIMILARITIES, TRUE_BOXES, scores, used

MISSED = 0.01
"""A volume with less DSC than this is one in which the target was missed."""


@dataclass(frozen=True)
class Row:
    """A row: its name, DSC and rounds of every volume, and the patients that they are of.

    One that is of something else (`other`) is compared with no other row.
    """

    name: str
    scores: np.ndarray
    patients: Sequence[str]
    rounds: np.ndarray | None = None
    other: bool = False

    @classmethod
    def of(cls, name: str, judged: Judged, row: str, labels: Sequence[str] = (), other: bool = False) -> Row:
        """Of a judged run: the mean of some labels, of all by default."""
        return cls(name, scores(judged, row, labels), judged.patients, used(judged, row), other)


@dataclass(frozen=True)
class Runs:
    """Where finished runs are; `made` trains what is planned and not there, and says None of what must be left out."""

    data: Path
    output: Path
    made: Callable[[str], Path | None]

    def rounds(self, name: str) -> Judged | None:
        """All rows of a run on val; None where it must be left out."""
        run = self.made(name)
        return None if run is None else measure.rounds(run, self.data)

    def ends(self, name: str) -> Judged | None:
        """Coarse look, end and true boxes of a run on val; None where it must be left out."""
        run = self.made(name)
        return None if run is None else measure.ends(run, self.data)


def table(rows: Sequence[Row], against: Row | None = None, missed: bool = False) -> list[str]:
    """Lines of a table; with the difference from one of the rows, and how many volumes were won and lost to it."""
    head = ["", "DSC", "95 %", "best", "worst", "rounds"]
    if missed:
        head.append("missed")
    if against is not None:
        head += [f"more than {against.name}", "won : lost"]
    lines = []
    for row in rows:
        low, high = interval(row.scores, row.patients)
        rounds = "" if row.rounds is None else f"{row.rounds.mean():.1f}"
        cells = [
            row.name, f"{100 * row.scores.mean():.1f} ± {100 * row.scores.std():.1f}",
            f"{100 * low:.1f} to {100 * high:.1f}", f"{100 * row.scores.max():.1f}", f"{100 * row.scores.min():.1f}",
            rounds,
        ]  # fmt: skip
        if missed:
            cells.append(f"{int((row.scores < MISSED).sum())} of {len(row.scores)}")
        if against is not None:
            cells += ["", ""] if row is against or row.other else list(duel(row, against))
        lines.append(cells)
    return markdown_table(head, lines).splitlines()


def duel(row: Row, other: Row) -> tuple[str, str]:
    """The mean difference of two rows with its interval, and "won : lost"; level volumes count for neither."""
    more = row.scores - other.scores
    low, high = interval(more, row.patients)
    text = f"{100 * more.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return text, f"{int((more > 0).sum())} : {int((more < 0).sum())}"


def by_rounds(judged: Judged) -> list[str]:
    """As Table 3.1: each view's coarse look, all, and by when the rounds end."""
    names = {name: f"{name} alone" for name in judged.cases[0] if name.startswith("coarse, ")}
    names[COARSE] = "coarse, all views together" if names else "coarse"
    for count in ROUNDS:
        name = f"after {count} round{'s' if count > 1 else ''}"
        names[name] = name
    names |= {f"after d > {threshold:.2f}": f"after d > {threshold:.2f}" for threshold in THRESHOLDS}
    names |= {"best of all rounds": "best of all rounds", "oracle boxes": "true boxes, once", TRUE_BOXES: TRUE_BOXES}
    rows = [Row.of(title, judged, name) for name, title in names.items()]
    return table(rows, next(row for row in rows if row.name.startswith("coarse") and "alone" not in row.name))


SALIENCY = {
    "heart_3x3": "3 x 3", "heart_1x1": "1 x 1", "heart_5x5": "5 x 5", "heart_3x3_3x3": "two layers of 3 x 3",
    "heart_3x3_tuned": "3 x 3, fine-tuned", "heart_rstn": "two layers of 3 x 3, fine-tuned",
}  # fmt: skip
"""Run -> what its row of Table 3.2 is called."""


def saliency(runs: Runs) -> list[str]:
    """As Table 3.2: kernels of the transformation, and windows from predictions in the end."""
    first = runs.ends("heart_step_wise")
    if first is None:
        return []
    rows = [Row.of("step-wise", first, END)]
    for name, title in SALIENCY.items():
        judged = runs.ends(name)
        if judged is not None:
            rows.append(Row.of(title, judged, END))
    return table(rows, rows[0])


def fitted(runs: Runs) -> list[str]:
    """As the end of 3.5.3.3: what the true box in every round adds, with and without fine-tuning."""
    rows = []
    for name, title in {"heart_step_wise": "step-wise", **SALIENCY}.items():
        judged = runs.ends(name)
        if judged is None:
            continue
        own, told = Row.of(title, judged, END), Row.of(title, judged, TRUE_BOXES)
        text, won = duel(told, own)
        rows.append([title, f"{100 * own.scores.mean():.1f}", f"{100 * told.scores.mean():.1f}", text, won])
    titles = ["", "as it is", "true box in every round", "more by it", "won : lost"]
    return markdown_table(titles, rows).splitlines() if rows else []


METHODS = {"step_wise": "step-wise", "rstn": "recurrent"}
"""Method -> what tables call it."""


def pair(first: Judged, second: Judged, names: Sequence[str] = tuple(METHODS.values())) -> list[str]:
    """As Tables 3.3 and 3.4: coarse and end of both methods, for each label and for their mean.

    The difference is that of the ends; a star marks an end below its own coarse look.
    """
    titles = ["", *(f"{name}{look}" for name in names for look in (", coarse", ""))]
    titles += ["more by it", "won : lost", "largest gain, loss", "rounds"]
    rows = []
    each: list[tuple[str, tuple[str, ...]]] = [(label, (label,)) for label in first.labels]
    for title, labels in [*each, *([("mean", ())] if len(each) > 1 else [])]:
        cells, ends = [], []
        for judged in (first, second):
            coarse, end = (Row.of(title, judged, row, labels) for row in (COARSE, END))
            low, high = interval(end.scores, end.patients)
            star = "*" if end.scores.mean() < coarse.scores.mean() else ""
            cells += [
                f"{100 * coarse.scores.mean():.1f}",
                f"{star}{100 * end.scores.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})",
            ]
            ends.append(end)
        more = 100 * (ends[1].scores - ends[0].scores)
        spent = f"{used(first, END).mean():.1f}, {used(second, END).mean():.1f}"
        rows.append([title, *cells, *duel(ends[1], ends[0]), f"{more.max():+.1f}, {more.min():+.1f}", spent])
    return markdown_table(titles, rows).splitlines()


STRUCTURES, TOGETHER = ("right_ventricle", "myocardium", "ventricle"), "heart"
"""What runs of one structure each are called, without the method, and those that have learnt all of them."""


def alone(runs: Runs) -> dict[str, list[str]]:
    """As Table 3.4: each structure by networks of its own, by both methods, and beside networks of all; by title."""
    found, apart = {}, {}
    for method, title in METHODS.items():
        parts = [runs.made(f"{name}_{method}") for name in STRUCTURES]
        there = [part for part in parts if part is not None]
        if len(there) < len(STRUCTURES):
            continue
        apart[method] = separate = measure.separate(there, runs.data, runs.output)
        shared = runs.ends(f"{TOGETHER}_{method}")
        if shared is not None:
            found[f"{title}, each alone and all together"] = pair(separate, shared, ("each alone", "all together"))
        claimed = [f"{label} {100 * scores(separate, CLAIMED, [label]).mean():.1f} %" for label in separate.labels]
        found[f"{title}, voxels that another claims as well"] = [", ".join(claimed)]
    if len(apart) == len(METHODS):
        found["each structure alone, step-wise and recurrent"] = pair(*apart.values())
    return found


FOLDS = 4
"""The article's."""


def folds(runs: Runs) -> list[str]:
    """As Table 3.3 in folds by patient: both methods on all volumes, each judged by what has not seen it."""
    both = []
    for method in METHODS:
        each = [runs.ends(f"fold_{number}_{method}") for number in range(1, FOLDS + 1)]
        there = [judged for judged in each if judged is not None]
        if len(there) < FOLDS:
            return []
        both.append(measure.joined(there))
    return pair(*both)


def votes(runs: Runs, pairs: dict[str, tuple[str, str]]) -> list[str]:
    """Views put together by a majority of their masks (3.3) and by the mean of their probabilities (3.4)."""
    titles = ["", "coarse, mean", "coarse, majority", "more by it", "won : lost"]
    titles += ["rounds, mean", "rounds, majority", "more by it", "won : lost"]
    rows = []
    for title, names in pairs.items():
        for name, method in zip(names, METHODS.values()):
            run = runs.made(name)
            majority = None if run is None else measure.voted(run, runs.data)
            if run is None or majority is None:
                continue
            mean, cells = measure.ends(run, runs.data), []
            for row in (COARSE, END):
                one, other = Row.of("mean", mean, row), Row.of("majority", majority, row)
                cells += [f"{100 * each.scores.mean():.1f}" for each in (one, other)] + [*duel(other, one)]
            rows.append([f"{title}, {method}", *cells])
    return markdown_table(titles, rows).splitlines() if rows else []


def exchange(runs: Runs, step_wise: str, rstn: str) -> list[str]:
    """As 3.5.3.3: coarse and fine networks of both methods put together in all four ways."""
    own, joint = runs.made(step_wise), runs.made(rstn)
    if own is None or joint is None:
        return []
    both = {"step-wise": own, "recurrent": joint}
    rows = [Row.of(f"coarse: {name}", measure.ends(run, runs.data), COARSE) for name, run in both.items()]
    for first, one in both.items():
        for second, other in both.items():
            if one == other:
                judged = measure.ends(one, runs.data)
            else:
                judged = measure.mixed(one, other, runs.data, runs.output)
            rows.append(Row.of(f"coarse: {first}, fine: {second}", judged, END))
    return table(rows, rows[2])


def agreement(judged: dict[str, Judged]) -> list[str]:
    """DSC of a round with the one before, after so many rounds, and the share of volumes that reach a threshold."""
    titles = ["", *(f"round {count}" for count in ROUNDS), "least of the last"]
    titles += [f"d > {threshold:.2f} reached" for threshold in THRESHOLDS]
    rows = []
    for title, each in judged.items():
        all_of = [case[SIMILARITIES][0] for case in each.cases]
        # a target that was lost has no more rounds: its last one counts on
        values = np.array([[one[min(count, len(one)) - 1] for count in ROUNDS] for one in all_of])
        cells = [f"{value:.4f}" for value in values.mean(0)] + [f"{values[:, -1].min():.4f}"]
        cells += [f"{sum(max(one) >= threshold for one in all_of)} of {len(all_of)}" for threshold in THRESHOLDS]
        rows.append([title, *cells])
    return markdown_table(titles, rows).splitlines()


def organs(runs: Runs, organ: str, direct: str, part: str, names: tuple[str, str]) -> list[str]:
    """As Table 3.5: the organ, then its part without and with the organ's stage, by both methods.

    Parameters
    ----------
    organ, direct, part : str
        What the runs of the organ, of the part in the whole image and of the part in its organ are called, without the
        method.
    names : tuple of 2 str
        Of the organ and of the part.
    """
    lines = []
    for method, title in METHODS.items():
        first, alone, inner = (runs.made(f"{name}_{method}") for name in (organ, direct, part))
        if first is None or alone is None or inner is None:
            continue
        whole = measure.ends(alone, runs.data)
        stages = measure.within(first, inner, runs.data)
        rows = [
            Row.of(f"{names[0]}, one look", stages, "organ, coarse", other=True),
            Row.of(names[0], stages, "organ", other=True),
            Row.of(f"{names[1]} without the {names[0]}, one look", whole, COARSE),
            Row.of(f"{names[1]} without the {names[0]}", whole, END),
            Row.of(f"{names[1]} without the {names[0]}, {TRUE_BOXES}", whole, TRUE_BOXES),
            Row.of(f"{names[1]} in the {names[0]}, one look", stages, COARSE),
            Row.of(f"{names[1]} in the {names[0]}", stages, END),
            Row.of(f"{names[1]} in the true {names[0]}", stages, "in the true organ"),
        ]
        lines += ["", f"{title}:", "", *table(rows, rows[3], missed=True)]
    return lines[1:]


def times(runs: Runs, pairs: dict[str, tuple[str, str]]) -> list[str]:
    """Seconds of a recurrent round beside one coarse and one fine pass of the step-wise networks."""
    titles = ["", "step-wise: coarse", "fine, once", "all", "recurrent: coarse", "a round", "all"]
    titles += ["a round : coarse and fine", "all : coarse and fine"]
    rows = []
    for title, names in pairs.items():
        folders = [runs.made(name) for name in names]
        if None in folders:
            continue
        own, other = (measure.seconds(run, runs.data) for run in folders if run is not None)
        unit = own["coarse"] + own["first round"]
        taken = [own["coarse"], own["first round"], own["as shipped"]]
        taken += [other["coarse"], other["later round"], other["as shipped"]]
        shares = [other[name] / unit for name in ("later round", "as shipped")]
        rows.append([title, *(f"{value:.3f}" for value in taken), *(f"{value:.2f}" for value in shares)])
    return markdown_table(titles, rows).splitlines() if rows else []
