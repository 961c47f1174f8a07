"""A limb laid over a film, as helpers' hands and arms lie over what they hold: absorptions of both add up.

Clinical films show such limbs at any place and from every maker's processing; films of limbs and films of anything
else, put over each other, are many more pictures of it than anybody has drawn or boxed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from .outlined import OUTLINE, OutlinedFilm, turned, with_objects_of

BASE = 40
"""Darkest gray level, at most, of a film whose surroundings are air."""
AIR = 30
"""Gray levels above the darkest that are air still."""
ENTERS, BESIDE = 0.08, 0.15
"""Share of a border behind which a limb goes on, at least; and of the borders beside it that may be covered, at most.
"""
SHARE = 0.25, 0.8
"""Height of the limb's film as a share of the picture's, where the limb ends on it."""
THROUGH = 1.0, 1.4
"""The same where the limb goes through."""
BEYOND = 0.3
"""Share of the limb's film that lies beyond the picture's border, at most."""
BRIGHT = 150
"""Gray level, on the average, over which bones of the limb show too little to be asked for."""


def entrance(image: np.ndarray) -> int | None:
    """The border at which a limb enters a film: quarter turns counter-clockwise that bring it to the bottom.

    Parameters
    ----------
    image : ndarray of uint8 (rows, columns)

    Returns
    -------
    int or None
        0 to 3; None where air is not at both borders beside one at which a limb enters.
    """
    dark, covered = _covered(image)
    first = int(covered.argmax())
    beside = max(covered[first - 1], covered[first - 3])
    return first if dark <= BASE and covered[first] > ENTERS and beside < BESIDE else None


def _covered(image: np.ndarray) -> tuple[int, np.ndarray]:
    """The gray level of air, and the share of each border that is not air: bottom, left, top, right."""
    dark = int(np.percentile(image, 2))
    body = image > dark + AIR
    return dark, np.array([body[-2:].mean(), body[:, :2].mean(), body[:2].mean(), body[:, -2:].mean()])


def overlaid(film: OutlinedFilm, limb: OutlinedFilm, draw: np.random.Generator) -> OutlinedFilm:
    """The film with the limb of another one over it, which enters at any border.

    Parameters
    ----------
    film, limb : OutlinedFilm
        The `limb` has an :func:`entrance`. A class is settled where both settle it.
    draw : numpy.random.Generator

    Returns
    -------
    OutlinedFilm
        As large as the `film`.
    """
    quarters = entrance(limb.image)
    if quarters is None:
        raise ValueError("No limb enters this film between air on both of its sides.")
    side = int(draw.integers(4))
    below, over = turned(film, side), turned(limb, quarters)
    rows, columns = below.image.shape
    is_through = _covered(over.image)[1][2] > BESIDE
    factor = draw.uniform(*(THROUGH if is_through else SHARE)) * rows / over.image.shape[0]
    shape = tuple(max(4, round(length * factor)) for length in over.image.shape)
    scale = np.array([shape[1] / over.image.shape[1], shape[0] / over.image.shape[0]], np.float32)
    beyond = draw.uniform(0, shape[0] - rows) if is_through else draw.uniform(0, BEYOND) * shape[0]
    top = rows - shape[0] + int(beyond)
    left = int(draw.uniform(0, columns) - shape[1] / 2)
    lies = np.asarray(Image.fromarray(over.image).resize(shape[::-1], Image.Resampling.BILINEAR, reducing_gap=2.0))
    lies = np.clip(lies.astype(np.float32) - float(np.percentile(lies, 2)), 0.0, None) * draw.uniform(0.5, 1.0)
    image = below.image.astype(np.float32)
    there, here = _common(image.shape, shape, (top, left))
    image[there] += lies[here] * (1.0 - image[there] / 255.0)  # processing compresses what is bright twice
    classes = below.classes.copy()
    there, here = _common(classes.shape, tuple((length + 1) // 2 for length in shape), (top // 2, left // 2))
    at = [(np.arange(part.start, part.stop) * 2 / length * size / 2).astype(np.int64).clip(0, last - 1)
          for part, length, size, last in zip(here, shape, over.image.shape, over.classes.shape)]  # fmt: skip
    classes[there] |= over.classes[np.ix_(*at)]
    points = over.points * scale + np.array([left, top], np.float32)
    column, row = np.moveaxis(points[:, OUTLINE:].astype(np.int64).clip(0, (columns - 1, rows - 1)), 2, 0)
    shows = below.image[row, column].mean(1) <= BRIGHT
    both = with_objects_of(below, replace(over, asked=over.asked & shows), points)
    both = replace(both, image=image.clip(0, 255).astype(np.uint8), classes=classes)
    return turned(both, -side % 4)


def _common(whole: tuple[int, int], part: tuple[int, int], at: tuple[int, int]):
    """The rows and columns that a part at (row, column) `at` shares with a whole: of the whole, of the part."""
    spans = [(max(0, start), min(length, start + size)) for length, size, start in zip(whole, part, at)]
    there = tuple(slice(low, max(low, high)) for low, high in spans)
    here = tuple(slice(span.start - start, span.stop - start) for span, start in zip(there, at))
    return there, here
