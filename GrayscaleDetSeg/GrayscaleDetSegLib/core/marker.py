"""The letter of lead on a film, R or L, as it is hung or mirrored: found where it is plain, and passed over else.

A letter is a bright patch of a few percent of the film's size on even ground. Its shape, brought to one size, is
compared with drawn letters (normalised correlation): with R and L, which may be mirrored, and with others, which it
must be clearly less like. Of turned letters, small ones and those over bone nothing is said.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .layers.resizing import reduced
from .pieces import Pieces

LONGEST = 768
"""px of a film's longer side in which letters are looked for."""
HEIGHT = (0.02, 0.12)
"""Of a letter, as shares of the longer side."""
LEAST = 11
"""px that a letter must be high for its shape to be known."""
ALIKE, CLEARLY = 0.82, 0.06
"""Correlation with a letter that is needed, and by how much it must exceed that with any other."""
CONTRAST, EVEN = 60.0, 22.0
"""Gray levels between a letter and the ground around it at least, and the ground's deviation at most."""
LEVELS = (250.0, 235.0, 215.0, 190.0, 160.0, 130.0)
SHAPE = (24, 18)

_BOWL = [(0.0, 0.0), (0.55, 0.0), (0.85, 0.07), (1.0, 0.25), (0.85, 0.45), (0.55, 0.52), (0.0, 0.52)]
_STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "R": [[(0.0, 1.0), *_BOWL], [(0.5, 0.52), (1.0, 1.0)]],
    "L": [[(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]],
    # what else is set on films, or looks like one of the two
    "A": [[(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)], [(0.2, 0.65), (0.8, 0.65)]],
    "B": [[(0.0, 1.0), *_BOWL], [(0.5, 0.5), (0.9, 0.6), (1.0, 0.75), (0.85, 0.93), (0.5, 1.0), (0.0, 1.0)]],
    "D": [[(0.0, 0.0), (0.5, 0.0), (0.9, 0.2), (1.0, 0.5), (0.9, 0.8), (0.5, 1.0), (0.0, 1.0), (0.0, 0.0)]],
    "E": [[(1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], [(0.0, 0.5), (0.8, 0.5)]],
    "F": [[(1.0, 0.0), (0.0, 0.0), (0.0, 1.0)], [(0.0, 0.5), (0.8, 0.5)]],
    "H": [[(0.0, 0.0), (0.0, 1.0)], [(1.0, 0.0), (1.0, 1.0)], [(0.0, 0.5), (1.0, 0.5)]],
    "I": [[(0.5, 0.0), (0.5, 1.0)], [(0.0, 0.0), (1.0, 0.0)], [(0.0, 1.0), (1.0, 1.0)]],
    "K": [[(0.0, 0.0), (0.0, 1.0)], [(1.0, 0.0), (0.0, 0.55)], [(0.3, 0.4), (1.0, 1.0)]],
    "M": [[(0.0, 1.0), (0.0, 0.0), (0.5, 0.6), (1.0, 0.0), (1.0, 1.0)]],
    "N": [[(0.0, 1.0), (0.0, 0.0), (1.0, 1.0), (1.0, 0.0)]],
    "P": [[(0.0, 1.0), *_BOWL]],
    "S": [[(1.0, 0.1), (0.5, 0.0), (0.0, 0.2), (0.2, 0.42), (0.8, 0.58), (1.0, 0.8), (0.5, 1.0), (0.0, 0.9)]],
    "T": [[(0.0, 0.0), (1.0, 0.0)], [(0.5, 0.0), (0.5, 1.0)]],
    "U": [[(0.0, 0.0), (0.0, 0.8), (0.3, 1.0), (0.7, 1.0), (1.0, 0.8), (1.0, 0.0)]],
    "V": [[(0.0, 0.0), (0.5, 1.0), (1.0, 0.0)]],
    "0": [[(0.5, 0.0), (0.9, 0.2), (1.0, 0.5), (0.9, 0.8), (0.5, 1.0), (0.1, 0.8), (0.0, 0.5), (0.1, 0.2), (0.5, 0.0)]],
    "2": [[(0.0, 0.2), (0.5, 0.0), (1.0, 0.2), (0.9, 0.45), (0.0, 1.0), (1.0, 1.0)]],
    "4": [[(0.7, 1.0), (0.7, 0.0), (0.0, 0.7), (1.0, 0.7)]],
    "6": [[(0.9, 0.0), (0.3, 0.3), (0.0, 0.7), (0.5, 1.0), (1.0, 0.75), (0.6, 0.5), (0.1, 0.6)]],
    "7": [[(0.0, 0.0), (1.0, 0.0), (0.3, 1.0)]],
    "8": [[(0.5, 0.48), (0.05, 0.25), (0.5, 0.0), (0.95, 0.25), (0.5, 0.48), (0.0, 0.75), (0.5, 1.0), (1.0, 0.75),
           (0.5, 0.48)]],
    "9": [[(0.1, 1.0), (0.7, 0.7), (1.0, 0.3), (0.5, 0.0), (0.0, 0.25), (0.4, 0.5), (0.9, 0.4)]],
    "block": [[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)], [(0.5, 0.0), (0.5, 1.0)]],
    "slope": [[(0.0, 0.0), (1.0, 1.0)]],
    "rise": [[(0.0, 1.0), (1.0, 0.0)]],
}  # fmt: skip
"""Strokes of letters, (across, down) as shares of their width and height."""


@dataclass(frozen=True)
class Marker:
    """A letter on a film.

    Parameters
    ----------
    letter : str
        ``"R"`` or ``"L"``.
    is_mirrored : bool
        Whether it is seen from behind.
    box : tuple of 4 float
        (x0, y0, x1, y1) in px of the picture that was looked at.
    likeness : float
        Its correlation with the drawn letter, 0..1.
    """

    letter: str
    is_mirrored: bool
    box: tuple[float, float, float, float]
    likeness: float


def find_markers(gray: np.ndarray) -> tuple[Marker, ...]:
    """The letters R and L on a film that are plainly there, the plainest first.

    Parameters
    ----------
    gray : ndarray (rows, columns)
        Gray levels 0..255, as the film is looked at.
    """
    scale = max(1.0, max(gray.shape) / LONGEST)
    shape = tuple(max(1, round(size / scale)) for size in gray.shape)
    small = np.asarray(reduced(np.asarray(gray, np.float32), shape) if scale > 1 else gray, np.float32)
    found: list[Marker] = []
    for window, mask in _patches(small):
        read = _read(mask)
        if read is None:
            continue
        letter, is_mirrored, likeness = read
        (y0, y1), (x0, x1) = ((part.start * scale, part.stop * scale) for part in window)
        found.append(Marker(letter, is_mirrored, (x0, y0, x1, y1), likeness))
    found.sort(key=lambda each: -each.likeness)
    kept: list[Marker] = []
    for each in found:
        if not any(_meet(each.box, other.box) for other in kept):
            kept.append(each)
    return tuple(kept)


def _patches(gray: np.ndarray) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """Bright patches of a letter's size on even ground: their window, and their pixels in it (bool)."""
    rows, columns = gray.shape
    least, most = (share * max(gray.shape) for share in HEIGHT)
    for level in LEVELS:
        pieces = Pieces.of(gray >= level, corners=True)
        x0, y0, x1, y1 = pieces.boxes.T
        heights, widths = y1 - y0, x1 - x0
        fitting = (heights >= max(least, LEAST)) & (heights <= most)
        fitting &= (widths >= 0.35 * heights) & (widths <= 1.15 * heights)
        for number in np.flatnonzero(fitting):
            y, x = slice(int(y0[number]), int(y1[number])), slice(int(x0[number]), int(x1[number]))
            height, width = y.stop - y.start, x.stop - x.start
            margin = max(2, round(0.12 * height))
            if y.start < margin or x.start < margin or y.stop + margin > rows or x.stop + margin > columns:
                continue
            mask = pieces.cut_out(int(number))
            if not 0.18 <= mask.mean() <= 0.72:
                continue
            around = slice(y.start - margin, y.stop + margin), slice(x.start - margin, x.stop + margin)
            ring = np.ones((height + 2 * margin, width + 2 * margin), bool)
            ring[1 + margin // 2 : -1 - margin // 2, 1 + margin // 2 : -1 - margin // 2] = False
            ground = gray[around][ring]
            if np.median(gray[y, x][mask]) - ground.mean() < CONTRAST or ground.std() > EVEN:
                continue
            yield (y, x), mask


def _read(mask: np.ndarray) -> tuple[str, bool, float] | None:
    """The letter that a patch is, whether mirrored, and how like it is; None where it is none of the two for sure."""
    seen = _normalised(np.asarray(reduced(mask.astype(np.float32), SHAPE), np.float32))
    names, letters = _templates()
    likeness = letters @ seen
    best: dict[tuple[str, bool], float] = {}
    for name, value in zip(names, likeness):
        best[name] = max(best.get(name, -1.0), float(value))
    (name, value), (_, second) = sorted(best.items(), key=lambda item: -item[1])[:2]
    letter, is_mirrored = name
    if letter not in ("R", "L") or value < ALIKE or value - second < CLEARLY:
        return None
    holes = Pieces.of(np.pad(~mask, 1, constant_values=True), corners=False).count - 1
    return (letter, is_mirrored, value) if holes == (1 if letter == "R" else 0) else None


@functools.cache
def _templates() -> tuple[list[tuple[str, bool]], np.ndarray]:
    """(letter, whether mirrored) and the normalised pictures, one a row, of all letters, stroke widths and turns."""
    names, pictures = [], []
    for letter in _STROKES:
        lines = [_distances(letter, turn, aspect) for turn in (-0.12, 0.0, 0.12) for aspect in (0.55, 0.8)]
        for thickness in (0.10, 0.15, 0.2):
            for distances in lines:
                picture = _covered(distances <= thickness / 2)
                for is_mirrored in (False, True):
                    names.append((letter, is_mirrored))
                    pictures.append(_normalised(picture[:, ::-1] if is_mirrored else picture))
    return names, np.array(pictures)


def _distances(letter: str, turn: float, aspect: float) -> np.ndarray:
    """How far each place is from a letter's strokes, as a share of its height."""
    fine = 96
    place = slice(fine // 4, 7 * fine // 4)  # -0.25 to 1.25: strokes end within 0.15 of 0 to 1
    v, u = np.mgrid[place, place].astype(np.float32) / fine - 0.5
    nearest = np.full(v.shape, np.inf)
    cosine, sine = np.cos(turn), np.sin(turn)
    for points in _STROKES[letter]:
        placed = [((x - 0.5) * aspect, y - 0.5) for x, y in points]
        placed = [(x * cosine - y * sine + 0.5, x * sine + y * cosine + 0.5) for x, y in placed]
        for (x0, y0), (x1, y1) in zip(placed, placed[1:]):
            along = ((u - x0) * (x1 - x0) + (v - y0) * (y1 - y0)) / max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
            along = np.clip(along, 0, 1)
            across, down = u - x0 - along * (x1 - x0), v - y0 - along * (y1 - y0)
            np.minimum(nearest, across * across + down * down, out=nearest)
    return np.sqrt(nearest)


def _covered(mask: np.ndarray) -> np.ndarray:
    """A letter in its own box, `SHAPE`: coverage 0..1."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    own = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(reduced(own.astype(np.float32), SHAPE), np.float32)


def _normalised(picture: np.ndarray) -> np.ndarray:
    flat = picture.ravel() - picture.mean()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)


def _meet(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return all(first[axis] < second[axis + 2] and second[axis] < first[axis + 2] for axis in (0, 1))
