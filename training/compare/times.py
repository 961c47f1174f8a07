"""CPU time per image of all methods on the same images, one after the other, in one go."""

from __future__ import annotations

import time

import numpy as np

from ..data import Case
from .compared import ComparedMethod


def cpu_times(compared: list[ComparedMethod], cases: list[Case], repeats: int = 3) -> list[dict]:
    """The least CPU time, s, of several runs of every method on every case; from pixels in memory to masks.

    CPU time is that of all threads of this process, which other work on the machine hardly changes. Methods take turns
    on each image, so that all see the same state of the machine; one run of each does not count.
    """
    for item in compared:
        item.masks(cases[0])
    rows = []
    for case in cases:
        for item in compared:
            taken = []
            for _ in range(repeats):
                start = time.process_time()
                item.masks(case)
                taken.append(time.process_time() - start)
            rows.append({"method": item.name, "set": case.set_name, "name": case.name, "seconds": min(taken)})
    return rows


def summary(rows: list[dict]) -> dict[str, tuple[float, float, float]]:
    """Method -> median, 5th and 95th percentile of the seconds per image."""
    found = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        values = [row["seconds"] for row in rows if row["method"] == method]
        found[method] = tuple(float(value) for value in np.percentile(values, (50, 5, 95)))
    return found
