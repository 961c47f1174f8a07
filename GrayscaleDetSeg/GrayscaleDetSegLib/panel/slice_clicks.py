"""Clicks into slice views, which select the object at that pixel in the table."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import slicer

from ..core.results import objects_of
from ..logic.shown import Shown
from ..scene.geometry import moved, numpy_matrix

STILL = 3
"""Px that the mouse may move between press and release of a click."""
_FIRST = 100.0  # priority of our observers: before Slicer's own, which keep some events for themselves


def object_at(
    shown: Shown,
    visible: Collection[str],
    pixel_to_world: np.ndarray,
    place: tuple[float, float, float],
    selected: str | None,
) -> str | None:
    """The id of the segment whose object has the pixel at a position, or None.

    Of several it is the smallest, as the larger ones can be clicked elsewhere; if one of them is selected already, it
    is the next larger one.

    Parameters
    ----------
    visible : collection of str
        Ids of the visible segments.
    pixel_to_world : ndarray, shape (4, 4)
        Matrix from (x, y) in px and z in slices to RAS in mm; for a whole volume from (x, y, z) in voxels.
    place : tuple of 3 float
        Position, RAS in mm.
    """
    x, y, off = moved(np.linalg.inv(pixel_to_world), [place])[0]
    voxel = tuple(int(np.floor(each)) for each in (off, y, x))
    hit = []
    for identity, item in zip(shown.identities, objects_of(shown.result)):
        if identity not in visible:
            continue
        window = item.windowed.window
        index = voxel[3 - len(window) :]
        if len(window) == 2 and abs(off) > 0.5:  # of one slice, and the click was into another
            continue
        if all(part.start <= each < part.stop for part, each in zip(window, index)):
            if item.windowed.crop[tuple(each - part.start for part, each in zip(window, index))]:
                hit.append((item.pixel_count, identity))
    ordered = [identity for _count, identity in sorted(hit)]
    if selected in ordered:
        return ordered[(ordered.index(selected) + 1) % len(ordered)]
    return ordered[0] if ordered else None


class SliceClicks:
    """Reports left clicks into slice views, except drags and clicks in place mode.

    Parameters
    ----------
    on_click : callable ((r, a, s) in mm)
    """

    def __init__(self, on_click: Callable[[tuple[float, float, float]], object]) -> None:
        self._on_click = on_click
        self._tags: list[tuple[Any, int]] = []
        self._pressed: tuple[Any, tuple[int, int]] | None = None

    def enable(self) -> None:
        """Observe the present slice views. Does nothing without a main window."""
        self.disable()
        manager = slicer.app.layoutManager()
        for name in () if manager is None else manager.sliceViewNames():
            widget = manager.sliceWidget(name)
            if widget is not None:
                self._watch(widget.sliceView().interactor(), widget.mrmlSliceNode())

    def disable(self) -> None:
        """Stop observing."""
        tags, self._tags = self._tags, []
        for interactor, tag in tags:
            interactor.RemoveObserver(tag)
        self._pressed = None

    def _watch(self, interactor, node) -> None:
        def press(*_) -> None:
            self._pressed = (node, tuple(interactor.GetEventPosition()))

        def release(*_) -> None:
            pressed, self._pressed = self._pressed, None
            place = interactor.GetEventPosition()
            if pressed is None or pressed[0] is not node or max(map(_distance, pressed[1], place)) > STILL:
                return
            interaction = slicer.app.applicationLogic().GetInteractionNode()
            if interaction is None or interaction.GetCurrentInteractionMode() != interaction.Place:
                world = moved(numpy_matrix(node.GetXYToRAS()), [(place[0], place[1], 0.0)])[0]
                self._on_click((float(world[0]), float(world[1]), float(world[2])))

        for event, call in (("LeftButtonPressEvent", press), ("LeftButtonReleaseEvent", release)):
            self._tags.append((interactor, interactor.AddObserver(event, call, _FIRST)))


def _distance(one: int, other: int) -> int:
    return abs(one - other)
