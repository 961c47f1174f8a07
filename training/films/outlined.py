"""Films as the trainings warp them: the picture, a map of the classes at half its size, and points on every object.

Boxes of warped objects come from points on their outlines, so that no mask has to be warped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from .film import Film

OUTLINE, INSIDE = 160, 64
"""Points on the outline of an object and inside of it."""
IGNORE = 31
"""The bit of the class map of places that carry no loss."""
SHAPELESS = 30
"""The bit of places of which boxes are known and masks are not."""


@dataclass(frozen=True)
class OutlinedFilm:
    """A film, ready to be warped.

    Parameters
    ----------
    image : ndarray of uint8 (rows, columns)
    classes : ndarray of uint32 (rows / 2, columns / 2), rounded up
        Bit n where class n shows; bit `IGNORE` where nothing is known, bit `SHAPELESS` where no mask is.
    labels : ndarray of int64 (n,)
    points : ndarray of float32 (n, OUTLINE + INSIDE, 2)
        (x, y) in px of the image; those inside come last.
    settled : ndarray of bool (number of classes,)
    set_name : str
    asked : ndarray of bool (n,)
        False for crumbs that nobody has to find.
    boxed : bool
        Whether objects are rectangles that somebody set.
    """

    image: np.ndarray
    classes: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    settled: np.ndarray
    set_name: str
    asked: np.ndarray
    boxed: bool = False


def outlined(film: Film, classes: Sequence[str], generator: np.random.Generator) -> OutlinedFilm:
    """A film with its objects of `classes` as points."""
    shape = film.image.shape
    bits = np.zeros(((shape[0] + 1) // 2, (shape[1] + 1) // 2), np.uint32)
    labels, points, asked = [], [], []
    for item in film.objects:
        if item.label not in classes:
            continue
        number = classes.index(item.label)
        if not film.boxed:
            bits[item.mask(shape)[::2, ::2]] |= np.uint32(1 << number)
        labels.append(number)
        asked.append(item.asked)
        points.append(_points(item.crop(), generator) + np.array([item.window[1], item.window[0]], np.float32))
    if film.boxed:
        bits |= np.uint32(1 << SHAPELESS)
    if film.ignore_mask is not None:
        bits[film.ignore_mask[::2, ::2]] |= np.uint32(1 << IGNORE)
    settled = np.array([name in film.settled for name in classes], bool)
    places = np.array(points, np.float32).reshape(-1, OUTLINE + INSIDE, 2)
    return OutlinedFilm(film.image, bits, np.array(labels, np.int64), places, settled, film.set_name,
                        np.array(asked, bool), film.boxed)  # fmt: skip


def _points(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    padded = np.pad(mask, 1)
    rows, columns = np.nonzero(mask & ~ndimage.binary_erosion(padded)[1:-1, 1:-1])
    edge = np.stack([columns, rows], 1).astype(np.float32) + 0.5
    ends = [edge[:, 0].argmin(), edge[:, 0].argmax(), edge[:, 1].argmin(), edge[:, 1].argmax()]
    chosen = generator.choice(len(edge), OUTLINE - 4, replace=len(edge) < OUTLINE - 4)
    rows, columns = np.nonzero(mask)
    inner = generator.choice(len(rows), INSIDE, replace=len(rows) < INSIDE)
    inside = np.stack([columns[inner], rows[inner]], 1).astype(np.float32) + 0.5
    # the outline's own points lie half a px inside of the object's box
    outer = edge[np.concatenate([ends, chosen])]
    middle = inside.mean(0)
    return np.concatenate([outer + 0.5 * np.sign(outer - middle), inside])


def beside(first: OutlinedFilm, second: OutlinedFilm, gap: int = 0, below: bool = False) -> OutlinedFilm:
    """Two films on one picture; the second takes the first one's height (or width, `below` it).

    A class is settled where both settle it.
    """
    if below:
        return _transposed(beside(_transposed(first), _transposed(second), gap))
    factor = first.image.shape[0] / second.image.shape[0]
    rows = first.image.shape[0]
    columns = max(2, round(second.image.shape[1] * factor))
    across = nearest(second.image.shape, (rows, columns))
    image = np.concatenate([first.image, np.zeros((rows, gap), np.uint8), second.image[across]], 1)
    start = first.image.shape[1] + gap
    bits = np.zeros(((rows + 1) // 2, (image.shape[1] + 1) // 2), np.uint32)
    bits[:, : first.classes.shape[1]] = first.classes
    width = bits.shape[1] - start // 2
    bits[:, start // 2 :] = second.classes[nearest(second.classes.shape, (bits.shape[0], width))]
    scale = np.array([columns / second.image.shape[1], factor], np.float32)
    points = second.points * scale + np.array([start, 0], np.float32)
    return replace(with_objects_of(first, second, points), image=image, classes=bits)


def with_objects_of(film: OutlinedFilm, other: OutlinedFilm, points: np.ndarray) -> OutlinedFilm:
    """The film, whose picture also shows the objects of another one at `points`; settled is what both settle."""
    return replace(
        film, labels=np.concatenate([film.labels, other.labels]), points=np.concatenate([film.points, points]),
        settled=film.settled & other.settled, asked=np.concatenate([film.asked, other.asked]),
        boxed=film.boxed or other.boxed,
    )  # fmt: skip


def nearest(shape: tuple[int, int], wanted: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of an array of `shape`, to index it with, that make it one of the shape `wanted`."""
    places = [(np.arange(new) + 0.5) * old / new for old, new in zip(shape, wanted)]
    return np.ix_(*(place.astype(np.int64).clip(0, old - 1) for place, old in zip(places, shape)))


def turned(film: OutlinedFilm, quarters: int) -> OutlinedFilm:
    """The film, turned by `quarters` (0 to 3) of a whole turn, counter-clockwise."""
    for _ in range(quarters):
        points = film.points[:, :, ::-1].copy()
        points[:, :, 1] = film.image.shape[1] - points[:, :, 1]
        # where the number of columns is odd, the map, two px a cell, comes to lie 1 px beside the picture
        film = replace(film, image=np.rot90(film.image), classes=np.rot90(film.classes), points=points)
    return film


def _transposed(film: OutlinedFilm) -> OutlinedFilm:
    return replace(film, image=film.image.T, classes=film.classes.T, points=film.points[:, :, ::-1])
