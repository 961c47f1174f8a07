"""Films of chests and jaws that are drawn by formula: the bones' surfaces know neither lungs nor teeth.

    python -m training.films.formula FOLDER --chests 800 --jaws 500
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ..simulate.anatomies import default_size
from ..simulate.simulation import simulate
from .film import Film, FilmObject, write_films
from .knowledge import CARDS

LIKE = {"chest": "jsrt_lungs", "teeth": "ufba425_teeth", "fewteeth": "ufba425_teeth"}
"""Anatomy -> the set whose card says what its films settle."""
JAWS = ("teeth", "fewteeth")
SIZE = 320
"""px of a film's longest side."""
LEAST = 12
"""px of the smallest object."""


def formula_film(anatomy: str, seed: int) -> Film:
    """The film of an anatomy of `LIKE` with its objects, each label one."""
    drawn, card = simulate(anatomy, seed, default_size(anatomy, SIZE)), CARDS[LIKE[anatomy]]
    objects = [FilmObject.of(card.marks[label], drawn.label_map == value) for label, value in drawn.labels.items()
               if label in card.marks and (drawn.label_map == value).sum() >= LEAST]  # fmt: skip
    settled = frozenset(card.marks.values()) | frozenset(card.absent)
    return Film("simulated_formula", f"{anatomy}_{seed:06d}", drawn.gray8(), tuple(objects), settled, kind=anatomy)


def formula_films(chests: int, jaws: int, seed: int = 0) -> Iterator[Film]:
    """Chests, then jaws, every second of which has few teeth."""
    for number in range(chests):
        yield formula_film("chest", seed + number)
    for number in range(jaws):
        yield formula_film(JAWS[number % len(JAWS)], seed + number)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.films.formula", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chests", type=int, default=800)
    parser.add_argument("--jaws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    path = options.folder / f"formula-{options.seed}.npz"
    print(f"{path}: {write_films(formula_films(options.chests, options.jaws, options.seed), path)} films")
    return 0


if __name__ == "__main__":
    sys.exit(main())
