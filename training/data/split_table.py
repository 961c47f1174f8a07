"""The table ``split.csv`` of a set: which images train and which are set aside, and whose they are."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from .labelled import SPLITS, Problem

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
