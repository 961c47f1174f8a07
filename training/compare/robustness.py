"""How much accuracy is left when the same radiographs come otherwise exposed, noisier, turned, covered or larger."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..data import Case
from ..markdown_table import markdown_table as table
from .accuracy import records_of
from .compared import ComparedMethod
from .records import Store, code_digest
from .statistics import Bootstrap

TALLEST = 2.5
"""Pictures that are taller than this, for their width, were squeezed when they were stored (long legs to 8 times)."""


def _pixels(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Case], Case]:
    """An alteration of the gray values 0..255 alone."""

    def altered(case: Case) -> Case:
        values = change(case.pixels.astype(np.float32))
        return replace(case, pixels=np.clip(np.round(values), 0, 255).astype(np.uint8))

    return altered


def _noise(shape: tuple[int, ...], deviation: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, deviation, shape)


def _shaded(values: np.ndarray) -> np.ndarray:
    return values + np.linspace(-25.0, 25.0, values.shape[1])[None]


def _turned(angle: float) -> Callable[[Case], Case]:
    """By some degrees, as if pixels were square, or squeezed where the picture is very tall; corners are black."""

    def altered(case: Case) -> Case:
        rows, columns = case.pixels.shape
        squeeze = np.diag([1.0, max(1.0, rows / columns / TALLEST)])
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turn = np.linalg.inv(squeeze) @ np.array([[cosine, sine], [-sine, cosine]]) @ squeeze
        centre = (np.array([rows, columns]) - 1.0) / 2.0
        pixels, label_map = (
            ndimage.affine_transform(values, turn, centre - turn @ centre, order=order)
            for values, order in ((case.pixels, 1), (case.label_map, 0))
        )
        return replace(case, pixels=pixels, label_map=label_map)

    return altered


def _covered(case: Case) -> Case:
    """A twelfth of each side black; what is hidden is no longer asked for."""
    rows, columns = case.pixels.shape
    seen = np.zeros(case.pixels.shape, bool)
    seen[rows // 12 : rows - rows // 12, columns // 12 : columns - columns // 12] = True
    return replace(case, pixels=np.where(seen, case.pixels, 0), label_map=np.where(seen, case.label_map, 0))


def _larger(case: Case) -> Case:
    """Three times as many pixels each way, with noise of their own."""
    pixels = ndimage.zoom(case.pixels.astype(np.float32), 3, order=1)
    pixels = pixels + _noise(pixels.shape, 15.0)
    label_map = case.label_map.repeat(3, axis=0).repeat(3, axis=1)
    return replace(case, pixels=np.clip(pixels, 0, 255).astype(np.uint8), label_map=label_map)


ALTERATIONS: dict[str, Callable[[Case], Case]] = {
    "as it is": lambda case: case,
    "overexposed": _pixels(lambda values: 1.4 * values - 20.0),
    "underexposed, noisy": _pixels(lambda values: 0.4 * values + _noise(values.shape, 5.0)),
    "gamma 0.6": _pixels(lambda values: 255.0 * (values / 255.0) ** 0.6),
    "gamma 1.6": _pixels(lambda values: 255.0 * (values / 255.0) ** 1.6),
    "half the contrast": _pixels(lambda values: 64.0 + values / 2.0),
    "exposure falls off": _pixels(_shaded),
    "noise, 12 levels": _pixels(lambda values: values + _noise(values.shape, 12.0)),
    "inverted": _pixels(lambda values: 255.0 - values),
    "turned by 8 degrees": _turned(8.0),
    "turned by 20 degrees": _turned(20.0),
    "collimated": _covered,
    "3 x larger, noisy": _larger,
}


def robustness(compared: list[ComparedMethod], cases: list[Case], images: str, store: Store) -> list[dict]:
    """Figures of every method under every alteration, object by object; `images` is the digest of the cases.

    Kept in the store for each method and alteration, so that what was cut off goes on.
    """
    rows = []
    for title, alter in ALTERATIONS.items():
        altered = cache(lambda alter=alter: [alter(case) for case in cases])
        for item in compared:
            depends = {**item.depends, "images": images, "alterations": code_digest(Path(__file__))}

            def compute(item=item, altered=altered, title=title) -> list[dict]:
                print(f"{title}: {item.name}", file=sys.stderr, flush=True)
                return [{"alteration": title, **row} for row in records_of(item.name, item.masks, altered())]

            rows += store.rows(f"robustness/{title}/{item.name}", depends, compute)
    return rows


def summary(rows: list[dict], methods: list[str]) -> list[str]:
    """Markdown: mean IoU of every method under every alteration, and what it lost on the same images."""
    titles = list(dict.fromkeys(row["alteration"] for row in rows))
    # a method under an alteration is a method of its own to the bootstrap
    statistics = Bootstrap([{**row, "method": (row["alteration"], row["method"])} for row in rows])
    groups, (plain, *altered) = statistics.groups, titles
    means = [[title, *(statistics.estimate((title, name), groups).text() for name in methods)] for title in titles]
    changes = [
        [title, *(statistics.difference((title, name), (plain, name), groups).text(signed=True) for name in methods)]
        for title in altered
    ]
    titles = ["alteration", *methods]
    return [
        "Mean IoU over sets and classes:", table(titles, means),
        "Change against the same images as they are:", table(titles, changes),
    ]  # fmt: skip
