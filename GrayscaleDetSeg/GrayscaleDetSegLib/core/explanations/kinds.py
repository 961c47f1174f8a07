"""Which kinds of explanations are known here: thresholds, and what the methods of other packages bring along."""

from __future__ import annotations

from ..methods.registry import registry
from .thresholds import Thresholds


def kind_of(name: str) -> type | None:
    """The type of an explanation by its kind; None where no installed method has it."""
    if name == Thresholds.kind:  # without looking what is installed
        return Thresholds
    for method in registry().usable():
        if method.explanation is not None and getattr(method.explanation, "kind", None) == name:
            return method.explanation
    return None
