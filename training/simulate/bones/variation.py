"""Other people of the same build: smooth changes of bones that keep them plausible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .surface import Surface

STATIONS = 24
"""Heights at which the middle of a long bone is measured."""


@dataclass(frozen=True)
class Build:
    """How a long bone that stands along z differs from its source; shares and mm.

    Parameters
    ----------
    length, thickness : float
        Factors along and across.
    flare : float
        Share by which the ends are thicker, and the shaft thinner, than `thickness` says.
    ends : tuple of 2 float
        Further factors across the lowest and the highest fifth.
    bow : tuple of 2 float
        mm by which the middle moves along x and y.
    """

    length: float
    thickness: float
    flare: float
    ends: tuple[float, float]
    bow: tuple[float, float]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Build:
        """A build as bones of adults vary."""
        return cls(
            rng.uniform(0.92, 1.08), rng.uniform(0.92, 1.1), rng.normal(0, 0.05),
            (rng.normal(1.0, 0.045), rng.normal(1.0, 0.045)), (rng.normal(0, 2.5), rng.normal(0, 2.5)),
        )  # fmt: skip

    def applied(self, surface: Surface, span: tuple[float, float] | None = None) -> Surface:
        """The bone changed; `span` are the heights z between which it changes, by default its own ends."""
        vertices = surface.vertices.astype(np.float64)
        low, high = span or (vertices[:, 2].min(), vertices[:, 2].max())
        place = np.clip((vertices[:, 2] - low) / (high - low), 0, 1)
        middle = _middle_line(vertices, place)
        factor = self.thickness * (1 + self.flare * np.cos(2 * np.pi * place))
        lower, upper = np.clip(1 - place / 0.3, 0, 1), np.clip((place - 0.7) / 0.3, 0, 1)
        smooth = [share * share * (3 - 2 * share) for share in (lower, upper)]
        factor *= 1 + (self.ends[0] - 1) * smooth[0] + (self.ends[1] - 1) * smooth[1]
        across = middle + (vertices[:, :2] - middle) * factor[:, None]
        across += np.outer(np.sin(np.pi * place) ** 2, self.bow)
        return Surface(np.column_stack([across, self.length * vertices[:, 2]]).astype(np.float32), surface.faces)


def _middle_line(vertices: np.ndarray, place: np.ndarray) -> np.ndarray:
    """x and y (n, 2) of a bone's smoothed middle at each vertex's share of its height."""
    bins = np.clip((place * STATIONS).astype(int), 0, STATIONS - 1)
    heights, middles = [], []
    for number in range(STATIONS):
        slab = vertices[bins == number, :2]
        if len(slab) >= 3:
            heights.append((number + 0.5) / STATIONS)
            middles.append((slab.min(0) + slab.max(0)) / 2)
    lines = np.array(middles)
    for _ in range(4):
        lines[1:-1] = 0.25 * lines[:-2] + 0.5 * lines[1:-1] + 0.25 * lines[2:]
    return np.column_stack([np.interp(place, heights, lines[:, axis]) for axis in range(2)])


class Warp:
    """A smooth change of space: factors along the axes and a few long waves.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : float
        mm of the body that changes; waves are half as long to as long as it.
    amount : float
        mm that the waves move a point, about.
    factors : tuple of 3 float
        Standard deviations of the factors along x, y, z, which lie within 1.6 of them.
    symmetric : bool
        Whether left and right (x and -x) change alike.
    """

    def __init__(self, rng: np.random.Generator, size: float, amount: float, factors: tuple[float, float, float],
                 symmetric: bool = False) -> None:  # fmt: skip
        self.factors = 1.0 + np.clip(rng.normal(0, 1, 3), -1.6, 1.6) * factors
        self.waves = rng.normal(0, 2 * np.pi / size, (6, 3))
        self.phases = rng.uniform(0, 2 * np.pi, 6)
        self.shifts = rng.normal(0, amount / np.sqrt(3), (6, 3))
        self.symmetric = symmetric

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) or (3,) moved."""
        points = np.asarray(points, np.float64)
        moved = points * self.factors + self._waves(points)
        if self.symmetric:
            mirror = np.array([-1.0, 1.0, 1.0])
            moved = points * self.factors + 0.5 * (self._waves(points) + mirror * self._waves(mirror * points))
        return moved

    def _waves(self, points: np.ndarray) -> np.ndarray:
        return np.sin(points @ self.waves.T + self.phases) @ self.shifts

    def surface(self, surface: Surface) -> Surface:
        """A surface moved."""
        return Surface(self(surface.vertices).astype(np.float32), surface.faces)
