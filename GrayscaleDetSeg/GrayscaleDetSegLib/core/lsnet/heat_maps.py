"""From a heat map to the objects: connected components of what is activated, and the boxes at their centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEP = 4
"""Px of L-Net's image for each place of a heat map."""


@dataclass(frozen=True)
class KeyPoint:
    """A centre that a heat map shows.

    Parameters
    ----------
    row, column : int
        Of the heat map.
    score : float
        The largest probability of its component.
    """

    row: int
    column: int
    score: float


def key_points(heat: np.ndarray, threshold: float) -> list[KeyPoint]:
    """The centres of all connected components of {heat >= threshold}, the surest first.

    A centre is the place of the component that lies nearest to the component's mean; places that touch at a corner
    are connected.

    Parameters
    ----------
    heat : ndarray (rows, columns)
        Probabilities.
    threshold : float
    """
    import SimpleITK as sitk

    active = heat >= threshold
    if not active.any():
        return []
    image = sitk.GetImageFromArray(active.astype(np.uint8))
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    found = []
    for part in range(1, int(parts.max()) + 1):
        places = np.argwhere(parts == part)
        away = ((places - places.mean(0)) ** 2).sum(1)
        row, column = places[int(away.argmin())].tolist()
        found.append(KeyPoint(row, column, float(heat[parts == part].max())))
    return sorted(found, key=lambda point: -point.score)


def surest(heat: np.ndarray) -> KeyPoint:
    """The place with the largest probability, whether it is activated or not."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return KeyPoint(int(row), int(column), float(heat[row, column]))


def box_at(point: KeyPoint, distances: np.ndarray) -> tuple[float, float, float, float]:
    """The box (x0, y0, x1, y1), as shares of the image, that a place's l, r, t, b say.

    Parameters
    ----------
    distances : ndarray (4, rows, columns)
        Shares of the image's side. What says a box inside out has a box without width, or height, in its middle.
    """
    left, right, top, bottom = distances[:, point.row, point.column].astype(float).tolist()
    x, y = (point.column + 0.5) / distances.shape[2], (point.row + 0.5) / distances.shape[1]
    x0, x1, y0, y1 = x - left, x + right, y - top, y + bottom
    if x1 < x0:
        x0 = x1 = (x0 + x1) / 2.0
    if y1 < y0:
        y0 = y1 = (y0 + y1) / 2.0
    return x0, y0, x1, y1
