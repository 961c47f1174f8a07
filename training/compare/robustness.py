"""How much accuracy is left when the same radiographs come otherwise exposed, noisier, turned, covered or larger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..data import Case
from .accuracy import Masks, means, records_of


def _pixels(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Case], Case]:
    """An alteration of the gray values 0..255 alone."""

    def altered(case: Case) -> Case:
        values = change(case.pixels.astype(np.float32))
        return replace(case, pixels=np.clip(np.round(values), 0, 255).astype(np.uint8))

    return altered


def _noisy(values: np.ndarray) -> np.ndarray:
    return values + np.random.default_rng(0).normal(0.0, 12.0, values.shape)


def _shaded(values: np.ndarray) -> np.ndarray:
    return values + np.linspace(-25.0, 25.0, values.shape[1])[None]


def _turned(case: Case) -> Case:
    """By 8 degrees, as if pixels were square; corners are black."""
    return replace(
        case,
        pixels=ndimage.rotate(case.pixels, 8.0, reshape=False, order=1),
        label_map=ndimage.rotate(case.label_map, 8.0, reshape=False, order=0),
    )


def _covered(case: Case) -> Case:
    """A twelfth of each side black; what is hidden is no longer asked for."""
    rows, columns = case.pixels.shape
    seen = np.zeros(case.pixels.shape, bool)
    seen[rows // 12 : rows - rows // 12, columns // 12 : columns - columns // 12] = True
    return replace(case, pixels=np.where(seen, case.pixels, 0), label_map=np.where(seen, case.label_map, 0))


def _larger(case: Case) -> Case:
    """Three times as many pixels each way, with noise of their own."""
    pixels = ndimage.zoom(case.pixels.astype(np.float32), 3, order=1)
    pixels = pixels + np.random.default_rng(0).normal(0.0, 15.0, pixels.shape)
    label_map = case.label_map.repeat(3, axis=0).repeat(3, axis=1)
    return replace(case, pixels=np.clip(pixels, 0, 255).astype(np.uint8), label_map=label_map)


ALTERATIONS: dict[str, Callable[[Case], Case]] = {
    "as it is": lambda case: case,
    "gamma 0.6": _pixels(lambda values: 255.0 * (values / 255.0) ** 0.6),
    "gamma 1.6": _pixels(lambda values: 255.0 * (values / 255.0) ** 1.6),
    "half the contrast": _pixels(lambda values: 64.0 + values / 2.0),
    "exposure falls off": _pixels(_shaded),
    "noise, 12 levels": _pixels(_noisy),
    "inverted": _pixels(lambda values: 255.0 - values),
    "turned by 8 degrees": _turned,
    "collimated": _covered,
    "3 x larger, noisy": _larger,
}


def robustness(methods: dict[str, Masks], cases: list[Case]) -> str:
    """Mean IoU over sets and classes of every method under every alteration, as Markdown."""
    lines = ["| alteration | " + " | ".join(methods) + " |", "|---" * (1 + len(methods)) + "|"]
    for title, alter in ALTERATIONS.items():
        altered = [alter(case) for case in cases]
        cells = []
        for name, masks in methods.items():
            by_group = means(records_of(name, masks, altered))
            cells.append(f"{np.mean([found[name] for found in by_group.values()]):.3f}")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
