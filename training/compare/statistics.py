"""Means of figures, and how sure they are: 95 % intervals by a bootstrap over images.

The unit that is drawn is the image, set by set: objects of one image (two lungs) are not independent, and every set
keeps its size. All methods are drawn alike, so that differences between them are those on the same images.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DRAWS = 2000
Group = tuple[str, str]
"""A set and one of its classes."""


class Estimate(NamedTuple):
    """A mean and its 95 % bootstrap interval; NaN where one image is all there is of a set and class."""

    mean: float
    low: float
    high: float

    def text(self, signed: bool = False) -> str:
        """Three decimals each, with their signs for differences; the mean alone where there is no interval."""
        form = "{:+.3f} ({:+.3f} to {:+.3f})" if signed else "{:.3f} ({:.3f} to {:.3f})"
        return (form.split(" ")[0] if np.isnan(self.low) else form).format(*self)


class Bootstrap:
    """Figures of many methods on the same images, and what can be said of their means.

    Parameters
    ----------
    rows : list of dict
        With `method`, `set`, `class`, `name` and figures; at most one for a method and an object.
    draws : int
        How often as many images as a set has are drawn from it, with replacement.
    seed : int
    """

    def __init__(self, rows: list[dict], draws: int = DRAWS, seed: int = 0) -> None:
        self.rows = {(row["method"], row["set"], row["class"], row["name"]): row for row in rows}
        images = defaultdict(set)
        for row in rows:
            images[row["set"]].add(row["name"])
        self.images = {name: sorted(found) for name, found in sorted(images.items())}
        self.groups: list[Group] = sorted({(row["set"], row["class"]) for row in rows})
        self.methods = list(dict.fromkeys(row["method"] for row in rows))
        self._counts = {}
        for name, found in self.images.items():
            generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
            self._counts[name] = generator.multinomial(len(found), np.full(len(found), 1.0 / len(found)), draws)

    def number_of_images(self, groups: Sequence[Group]) -> int:
        """Images that have an object of one of the groups."""
        return len({key[1::2] for key in self.rows if key[1:3] in groups})

    def mean(self, method: str, groups: Sequence[Group], figure: str = "iou") -> float:
        """The mean over the images of every group, then over the groups; NaN without any row."""
        return _mean([float(np.nanmean(v)) for v in self._of(method, groups, figure) if not np.isnan(v).all()])

    def estimate(self, method: str, groups: Sequence[Group], figure: str = "iou") -> Estimate:
        """The mean of a figure over groups, and its interval."""
        return self._interval(groups, self._of(method, groups, figure))

    def difference(self, first: str, second: str, groups: Sequence[Group], figure: str = "iou") -> Estimate:
        """The mean difference `first` minus `second` on the images that both have, and its interval."""
        pairs = zip(self._of(first, groups, figure), self._of(second, groups, figure))
        return self._interval(groups, [one - other for one, other in pairs])

    def _of(self, method: str, groups: Sequence[Group], figure: str) -> list[np.ndarray]:
        """For every group the figure of every image of its set; NaN where there is none."""
        return [
            np.array(
                [self.rows.get((method, name, label, image), {}).get(figure, np.nan) for image in self.images[name]]
            )
            for name, label in groups
        ]

    def _interval(self, groups: Sequence[Group], values: list[np.ndarray]) -> Estimate:
        means, drawn = [], []
        for (name, _), found in zip(groups, values):
            there = ~np.isnan(found)
            if not there.any():
                continue
            counts = self._counts[name]
            with np.errstate(invalid="ignore"):  # a draw may miss every image that has the class
                drawn.append(counts @ np.where(there, found, 0.0) / (counts @ there))
            means.append(float(found[there].mean()))
        if not means:
            return Estimate(np.nan, np.nan, np.nan)
        if min(np.count_nonzero(~np.isnan(found)) for found in values if not np.isnan(found).all()) < 2:
            return Estimate(_mean(means), np.nan, np.nan)
        low, high = np.nanpercentile(np.mean(drawn, axis=0), (2.5, 97.5))
        return Estimate(_mean(means), float(low), float(high))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
