"""The small types that every result is made of: boxes, intervals and windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, Union


@dataclass(frozen=True)
class Bounds:
    """What is known of a number beside its type: its least and its largest value, and the infinity that null means."""

    minimum: float | None = None
    maximum: float | None = None
    open: float | None = None


Share = Annotated[float, Bounds(0, 1)]
"""A number from 0 to 1."""
Count = Annotated[int, Bounds(0)]
"""A number of pixels."""
Bottom = Annotated[float, Bounds(open=float("-inf"))]
"""The lower end of an interval; minus infinity where it is open, which a document says as null."""
Top = Annotated[float, Bounds(open=float("inf"))]
"""The upper end of an interval; infinity where it is open, which a document says as null."""

Window = tuple[slice, ...]
"""One slice for each axis of an image: rows and columns of a radiograph."""


class Box2D(NamedTuple):
    """A rectangle in px."""

    x0: float
    y0: float
    x1: float
    y1: float


class Box3D(NamedTuple):
    """A box in px (x, y) and gray levels (g)."""

    x0: float
    y0: float
    g0: float
    x1: float
    y1: float
    g1: float


class Interval(NamedTuple):
    """Both ends belong to it; null is an open end: no pixel lies beyond it."""

    bottom: Bottom
    top: Top


AnyBox2D = Union[Box2D, tuple[float, float, float, float]]
"""What functions take that need a rectangle."""
