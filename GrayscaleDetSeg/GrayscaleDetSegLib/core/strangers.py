"""What is plainly no radiograph, told by its values: a label map, a slice of a CT. It is said, and not refused."""

from __future__ import annotations

import numpy as np

MOST_LABELS = 64
"""Different values that a label map has at most."""
EDGES = 0.1
"""Share of neighbouring pixels that differ in it at most, both of them in an object."""
BACKGROUND = 0.02
"""Share of pixels that are 0 in it at least."""
AIR, NOTHING, SOFT = (-1100.0, -850.0), (-600.0, -250.0), (-200.0, 300.0)
"""Hounsfield units of air, of what hardly anything in a body has, and of soft tissue."""
IN_AIR, IN_SOFT, BETWEEN = 0.05, 0.1, 0.4
"""Of a CT slice: shares of pixels that are air and soft, at least; of what lies between, as a share of the soft."""
LINES = 256
"""Rows that are looked at, evenly spread."""


def stranger_note(values: np.ndarray) -> str:
    """One sentence where an image looks like something else than a radiograph; empty where it does not.

    Parameters
    ----------
    values : ndarray (rows, columns)
        In the image's own units, before any inversion.
    """
    some = values[:: max(1, values.shape[0] // LINES)]
    if np.issubdtype(some.dtype, np.floating) and not (some == np.rint(some)).all():
        return ""
    count = _labels(some)
    if count:
        return (f"the image looks like a label map ({count} different values in even patches), not like a radiograph: "
                f"choose the image that it was drawn on")  # fmt: skip
    if _is_hounsfield(some):
        return ("the values look like Hounsfield units, those of a CT: the method is made for projection radiographs, "
                "so what it finds in a slice means nothing")  # fmt: skip
    return ""


def _labels(values: np.ndarray) -> int:
    """How many values a label map has; 0 for what is none."""
    if values.min() < 0 or values.max() > 65535 or float((values == 0).mean()) < BACKGROUND:
        return 0
    here, beside = values[:, :-1], values[:, 1:]
    inside = (here > 0) & (beside > 0)
    if float((here != beside)[inside].sum()) > EDGES * max(1, int(inside.sum())):
        return 0
    count = len(np.unique(values))
    return count if count <= MOST_LABELS else 0


def _is_hounsfield(values: np.ndarray) -> bool:
    air, nothing, soft = (float(((values >= low) & (values <= high)).mean()) for low, high in (AIR, NOTHING, SOFT))
    return air >= IN_AIR and soft >= IN_SOFT and nothing <= BETWEEN * soft
