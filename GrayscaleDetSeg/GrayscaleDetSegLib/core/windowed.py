"""The mask of one object, kept as the part of the image that it fills: a large image holds many small objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .types import Window

Own = TypeVar("Own", bound="WindowedMask")


@dataclass(frozen=True, eq=False)
class WindowedMask:
    """The pixels of an object; of an image of any number of axes.

    Parameters
    ----------
    shape : tuple of int
        Of the whole image, for example (rows, columns).
    window : tuple of slice
        The smallest part of the image that holds all pixels; of no size where there are none.
    crop : ndarray of bool, shape of the window
        Read-only.
    count : int
        How many pixels there are.
    """

    shape: tuple[int, ...]
    window: Window
    crop: np.ndarray
    count: int

    @classmethod
    def of(cls: type[Own], mask: np.ndarray) -> Own:
        """From the mask (bool) of a whole image."""
        return cls.within(mask, tuple(slice(0, size) for size in mask.shape), mask.shape)

    @classmethod
    def within(cls: type[Own], mask: np.ndarray, window: Window, shape: tuple[int, ...]) -> Own:
        """From the mask (bool) of a window of an image of `shape`; outside of the window there are no pixels."""
        inner = []
        for axis in range(mask.ndim):
            others = tuple(each for each in range(mask.ndim) if each != axis)
            filled = np.flatnonzero(mask.any(axis=others))
            inner.append(slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, 0))
        crop = mask[tuple(inner)].copy()
        crop.flags.writeable = False
        placed = tuple(slice(own.start + part.start, own.stop + part.start) for own, part in zip(inner, window))
        return cls(tuple(shape), placed, crop, int(np.count_nonzero(crop)))

    def whole(self) -> np.ndarray:
        """The mask of the whole image, bool, read-only; made anew at each call."""
        mask = np.zeros(self.shape, bool)
        mask[self.window] = self.crop
        mask.flags.writeable = False
        return mask

    def part(self, window: Window) -> np.ndarray:
        """The mask (bool, writeable) in a window of the image."""
        mask = np.zeros([part.stop - part.start for part in window], bool)
        shared = shared_parts(window, self.window)
        if shared is not None:
            mask[shared[0]] = self.crop[shared[1]]
        return mask

    def take_from(self, mask: np.ndarray, window: Window) -> None:
        """Take these pixels out of a mask (bool) of a window of the image, in place."""
        shared = shared_parts(window, self.window)
        if shared is not None:
            mask[shared[0]] &= ~self.crop[shared[1]]

    def add_to(self, mask: np.ndarray, window: Window) -> None:
        """Add these pixels to a mask (bool) of a window of the image, in place, as far as they lie in it."""
        shared = shared_parts(window, self.window)
        if shared is not None:
            mask[shared[0]] |= self.crop[shared[1]]

    def paint(self, values: np.ndarray, window: Window, value: int) -> None:
        """Set these pixels to a value in a window of the image, in place, as far as they lie in it."""
        shared = shared_parts(window, self.window)
        if shared is not None:
            values[shared[0]][self.crop[shared[1]]] = value

    def meets(self, other: WindowedMask) -> bool:
        """Whether the two masks share a pixel."""
        shared = shared_parts(self.window, other.window)
        return shared is not None and bool((self.crop[shared[0]] & other.crop[shared[1]]).any())

    def without(self: Own, others: Iterable[WindowedMask]) -> Own:
        """These pixels but those of other masks; the same mask where they share none."""
        mask = self.crop.copy()
        for other in others:
            other.take_from(mask, self.window)
        return self if np.array_equal(mask, self.crop) else type(self).within(mask, self.window, self.shape)

    def is_of(self, mask: np.ndarray) -> bool:
        """Whether the mask (bool) of a whole image has exactly these pixels."""
        if mask.shape != self.shape or np.count_nonzero(mask) != self.count:
            return False
        return np.array_equal(mask[self.window], self.crop)


def layer_members(masks: Sequence[WindowedMask]) -> list[tuple[int, ...]]:
    """The masks, by their places in the list, in as few layers as can be had one by one without overlaps in a layer.

    There is one layer at least; it has no members where there are no masks.
    """
    members: list[list[int]] = [[]]
    for index, mask in enumerate(masks):
        for layer in members:
            if not any(mask.meets(masks[other]) for other in layer):
                layer.append(index)
                break
        else:
            members.append([index])
    return [tuple(layer) for layer in members]


def label_maps(masks: Sequence[WindowedMask], shape: tuple[int, ...]) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """The layers of masks of an image of `shape`, see :func:`layer_members`.

    Returns
    -------
    list of (ndarray, tuple of int)
        A label map of the image, uint8, or uint16 where a layer has more than 255 members; and its members, which have
        the values 1, 2, ... in this order. 0 is background.
    """
    found = []
    for layer in layer_members(masks):
        values = np.zeros(shape, np.uint8 if len(layer) < 256 else np.uint16)
        for value, index in enumerate(layer, start=1):
            values[masks[index].window][masks[index].crop] = value
        found.append((values, layer))
    return found


def shared_parts(first: Window, second: Window) -> tuple[Window, Window] | None:
    """The slices into each of two windows of what they share; None if nothing."""
    parts: tuple[list[slice], list[slice]] = ([], [])
    for one, other in zip(first, second):
        start, stop = max(one.start, other.start), min(one.stop, other.stop)
        if stop <= start:
            return None
        for part, own in zip(parts, (one, other)):
            part.append(slice(start - own.start, stop - own.start))
    return tuple(parts[0]), tuple(parts[1])
