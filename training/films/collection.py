"""All films of a training: drawn ones from their files, real ones from the labelled sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..data.checking import DataError
from .film import Film, read_films
from .knowledge import CARDS
from .negatives import made_up, volume_slices
from .outlined import OutlinedFilm, outlined
from .real import FURTHER, HOSPITALS, training_films

MADE_UP = 800
"""Pictures of nothing among the real films."""
WEIGHTS = {HOSPITALS: 8.0, FURTHER: 2.0}
"""Of films without a card beside those with one of weight 1."""
NOTHING = 0.05
"""Share of the draws that show nothing."""


def outlined_films(
    folders: Sequence[Path], data: Path | None, classes: Sequence[str], seed: int, most: int | None = None
) -> list[OutlinedFilm]:
    """Every film, ready to be warped.

    Parameters
    ----------
    folders : sequence of Path
        Each with files of ``films.film.write_films``.
    data : Path or None
        Folder of the labelled sets, train parts.
    classes : sequence of str
    seed : int
    most : int, optional
        Drawn films at most.
    """
    draw = np.random.default_rng(seed)
    return [outlined(film, classes, draw) for film in all_films(folders, data, seed, most)]


def all_films(folders: Sequence[Path], data: Path | None, seed: int, most: int | None = None) -> Iterator[Film]:
    """Every film, drawn ones first; parameters as for :func:`outlined_films`.

    A film of the folders takes the place of the real film of its set and name, see ``films.box_masks``.
    """
    count, stored = 0, set()
    for path in sorted(path for folder in folders for path in folder.glob("*.npz")):
        for film in read_films(path):
            if most is None or count < most:
                count += 1
                stored.add((film.set_name, film.name))
                yield film
    if data is not None:
        yield from (film for film in training_films(data, seed) if (film.set_name, film.name) not in stored)
        generator = np.random.default_rng(seed)
        yield from volume_slices(data, generator)
        yield from made_up(MADE_UP, generator)


def sampling_weights(names: Sequence[str], simulated: float, often: Mapping[str, float] | None = None) -> np.ndarray:
    """How often each film is drawn: pictures of nothing with the share `NOTHING`, simulated films with `simulated` of
    the rest, and real ones by their cards, those of a set in `often` so many times more often ("nothing": that share).

    Raises
    ------
    DataError
        If `often` names a set of which there is no film.
    """
    often = often or {}
    if unknown := sorted(set(often) - set(names)):
        raise DataError(f"[often] names {', '.join(unknown)}, of which there is no film: leave it out.")
    weight = np.array([CARDS[name].weight if name in CARDS else WEIGHTS.get(name, 1.0) for name in names])
    weight *= [often.get(name, 1.0) for name in names]
    drawn = np.array([name.startswith("simulated") for name in names])
    nothing = np.array([name == "nothing" for name in names])
    empty = NOTHING * often.get("nothing", 1.0) * nothing.any()
    left = 1.0 - empty
    parts = (drawn, left * simulated), (nothing, empty), (~drawn & ~nothing, left * (1.0 - simulated))
    for mask, share in parts:
        if mask.any():
            weight[mask] *= share / weight[mask].sum()
    return weight

