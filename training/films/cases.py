"""Films for the trainings that take labelled radiographs: the 3D detector's and the polarity check's."""

from __future__ import annotations

from collections.abc import Iterable

from ..data.objects import ObjectsCase
from .film import Film
from .surfaces import LEAST, cut_size


def as_case(film: Film, split: str = "train") -> ObjectsCase:
    """A film as a labelled radiograph; objects of few pixels are left out."""
    shape = film.image.shape
    objects = [(item.label, item.mask(shape)) for item in film.objects if cut_size(item) >= LEAST]
    return ObjectsCase.of(film.set_name, film.name, split, film.image, objects, sorted(film.settled))


def as_cases(films: Iterable[Film], most: int | None = None) -> list[ObjectsCase]:
    """Films with objects as labelled radiographs, `most` of them evenly spread where there are more."""
    films = [film for film in films if film.objects and not film.boxed]
    step = max(1, -(-len(films) // most)) if most else 1
    return [as_case(film) for film in films[::step]]
