"""The article's Tables 1 to 4 in Markdown, from the figures of every system case by case."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..markdown_table import markdown_table
from ..volumes.table import interval

OURS = "L-SNet (U-Net)"
Rows = Mapping[str, Mapping[str, Any]]
PARTS = {
    "U-Net, cross-entropy": ("yes", "", "", "", ""),
    "U-Net": ("yes", "yes", "", "", ""),
    "L-Net, then hard crops": ("yes", "yes", "yes", "", ""),
    "L-SNet, gamma 0": ("yes", "yes", "yes", "yes", ""),
    "L-SNet, cross-entropy": ("yes", "", "yes", "yes", "yes"),
    "L-SNet, both losses in one step": ("yes", "yes", "yes", "yes", "yes, in one step"),
    OURS: ("yes", "yes", "yes", "yes", "yes"),
}
"""Table 2: S-Net, the article's loss, L-Net, recalibration, gradient to L-Net; the last is not in the article."""
FIRST = {"Coarse-to-fine U-Net": "U-Net", "L-Net, then hard crops": "L-Net"}
GAMMAS = {"L-SNet, gamma 0": "0", "L-SNet, gamma 0.01": "0.01", OURS: "0.1", "L-SNet, gamma 1": "1"}


def values(row: Mapping[str, Any], figure: str) -> np.ndarray:
    """A figure of all cases."""
    return np.array([case[figure] for case in row["cases"]])


def percent(mean: float, low: float, high: float, signed: bool = False) -> str:
    """A mean and its interval, where there is one."""
    form = "{:+.2f} ({:+.2f} to {:+.2f})" if signed else "{:.2f} ({:.2f} to {:.2f})"
    return (form.split(" ")[0] if np.isnan(low) else form).format(100 * mean, 100 * low, 100 * high)


def estimate(row: Mapping[str, Any], figure: str = "dsc") -> str:
    """A figure's mean with its interval by patient."""
    found = values(row, figure)
    return percent(float(found.mean()), *interval(found, [case["patient"] for case in row["cases"]]))


def behind(rows: Rows, name: str, ours: str = OURS, figure: str = "dsc") -> str:
    """How much more `ours` has on the same cases, with the interval by patient; nothing for itself."""
    if name == ours or ours not in rows:
        return ""
    more = values(rows[ours], figure) - values(rows[name], figure)
    patients = [case["patient"] for case in rows[name]["cases"]]
    return percent(float(more.mean()), *interval(more, patients), signed=True)


def lines_of(titles: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines."""
    return markdown_table(titles, cells).splitlines()


def comparison(rows: Rows) -> list[str]:
    """Table 1, with deviation, best and worst, and cases that L-SNet with as deep a structure won and lost."""
    of_volumes = any(case["slices"] > 1 for row in rows.values() for case in row["cases"])
    titles = [
        "method", "DSC", "95 %", "best", "worst", "precision", "recall", *(["DSC of volumes"] if of_volumes else []),
        "L-SNet minus it", "won, lost", "parameters", "core minutes",
    ]  # fmt: skip
    cells = []
    for name, row in rows.items():
        found, ours = values(row, "dsc"), "L-SNet (FCN)" if "FCN" in name else OURS
        low, high = interval(found, [case["patient"] for case in row["cases"]])
        between = "" if np.isnan(low) else f"{100 * low:.2f} to {100 * high:.2f}"
        counts = ""
        if name != ours and ours in rows:
            more = values(rows[ours], "dsc") - found
            counts = f"{int((more > 0).sum())}, {int((more < 0).sum())}"
        cells.append(
            [
                name, f"{100 * found.mean():.2f} ± {100 * found.std():.2f}", between,
                f"{100 * found.max():.2f}", f"{100 * found.min():.2f}",
                *(f"{100 * values(row, each).mean():.2f}" for each in ("precision", "recall")),
                *([f"{100 * values(row, 'whole').mean():.2f}"] if of_volumes else []),
                behind(rows, name, ours), counts,
                *((f"{int(row['parameters']):,}", f"{row['minutes']:.1f}") if row["images"] else ("", "")),
            ]
        )  # fmt: skip
    return lines_of(titles, cells)


def parts(rows: Rows) -> list[str]:
    """Table 2: what each part is worth."""
    titles = [
        "S-Net", "loss", "L-Net", "recalibration", "gradient to L-Net", "DSC (95 %)", "all of them minus it",
        "won, lost",
    ]  # fmt: skip
    cells = []
    for name, has in PARTS.items():
        if name in rows:
            more = values(rows[OURS], "dsc") - values(rows[name], "dsc") if OURS in rows else np.zeros(0)
            counts = "" if name == OURS else f"{int((more > 0).sum())}, {int((more < 0).sum())}"
            cells.append([*has, estimate(rows[name]), behind(rows, name), counts])
    return lines_of(titles, cells)


def first_stages(rows: Rows) -> list[str]:
    """Table 3: what finds the regions of one and the same second network."""
    other = "Coarse-to-fine U-Net"
    titles = [
        "first stage", "mIoU of boxes (95 %)", "more than U-Net's", "mIoU in training", "DSC (95 %)",
        "more than by U-Net", "parameters of it",
    ]  # fmt: skip
    return lines_of(
        titles,
        [
            [
                title, estimate(rows[name], "box"), behind(rows, other, name, "box") if other in rows else "",
                f"{100 * rows[name]['box_in_training']:.2f}", estimate(rows[name]),
                behind(rows, other, name) if other in rows else "", f"{int(rows[name]['first']):,}",
            ]
            for name, title in FIRST.items()
            if name in rows
        ],
    )  # fmt: skip


def gammas(rows: Rows) -> list[str]:
    """Table 4: the effect of gamma."""
    titles = ["gamma", "mIoU in training", "mIoU in validation (95 %)", "DSC (95 %)", "0.1 minus it"]
    return lines_of(
        titles,
        [
            [
                title, f"{100 * rows[name]['box_in_training']:.2f}", estimate(rows[name], "box"), estimate(rows[name]),
                behind(rows, name),
            ]
            for name, title in GAMMAS.items()
            if name in rows
        ],
    )  # fmt: skip


def text_of(rows: Rows, tables: Mapping[str, Collection[int]]) -> str:
    """All tables of what there is, in percent.

    Parameters
    ----------
    rows : mapping
        Name of a system -> ``cases``, ``parameters``, ``first``, ``minutes``, ``images``, ``box_in_training``.
    tables : mapping
        Name of a system -> in which tables it is; 5 are the rows with FCN of Table 1.
    """
    first = next(iter(rows.values()))
    patients = len({case["patient"] for case in first["cases"]})
    seen = int(first["images"])
    lines = [f"{len(first['cases'])} cases of {patients} patients; {seen:,} images seen by each network."]
    makers = {1: comparison, 2: parts, 3: first_stages, 4: gammas}
    for number, make in makers.items():
        own = {name: row for name, row in rows.items() if {number, 5 if number == 1 else number} & {*tables[name]}}
        if own:
            lines += ["", f"Table {number}", "", *make(own)]
    return "\n".join(lines)
