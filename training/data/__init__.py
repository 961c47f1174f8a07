"""Labelled radiographs: read in three forms, checked, and split; whatever their number, they stay in their files."""

from .labelled import ABSENT, CLASSES, KNOWN_INVERTED, SEPARABLE, SETS, SPLITS, Case, Problem, side_by_side
from .sets import is_set, load_set, load_sets, read_set, scan_set

__all__ = [
    "ABSENT", "CLASSES", "KNOWN_INVERTED", "SEPARABLE", "SETS", "SPLITS", "Case", "Problem", "is_set", "load_set",
    "load_sets", "read_set", "scan_set", "side_by_side",
]  # fmt: skip
