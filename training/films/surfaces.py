"""Training samples of the threshold surfaces: objects of films that others lie over, cut by the border, turned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from torch.utils.data import Dataset

from ..surface_data import LabelledObject, SurfaceAugmentation, SurfaceDataset, SurfaceSample, labelled_object
from .film import Film, FilmObject

AN_IMAGE = 3
"""Objects of a film that one draw takes, at most."""
CUT = 0.3
"""Share of objects that a border cuts."""
QUARTER = 0.45
"""Share of objects that are seen turned by 90, 180 or 270 degrees."""
LEAST = 150
"""px of an object that is looked at; smaller ones are edges of what lies beyond the film."""


class FilmSurfaceDataset(Dataset):
    """A few objects of a film at a time, rare classes first, varied anew at every draw.

    Parameters
    ----------
    films : list of Film
    classes : sequence of str
    side : int
        Points along each axis of a ROI.
    augmentation : SurfaceAugmentation
    residuals : mapping of str to ndarray (n, 4), optional
        Errors of the 2D detector per class as shares of the object's size.
    seed : int
    weights : ndarray or None
        How often each film is drawn.
    cut_share, quarter : float
        Shares of objects that a border cuts, and that are turned by quarters.
    """

    def __init__(
        self,
        films: list[Film],
        classes: Sequence[str],
        side: int,
        augmentation: SurfaceAugmentation,
        residuals: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
        weights: np.ndarray | None = None,
        cut_share: float = CUT,
        quarter: float = QUARTER,
    ) -> None:
        self.cut_share, self.quarter = cut_share, quarter
        known = [not film.boxed and any(item.label in classes and cut_size(item) >= LEAST for item in film.objects)
                 for film in films]  # fmt: skip
        self.films = [film for film, has in zip(films, known) if has]
        self.weights = None if weights is None else np.asarray(weights)[np.array(known)]
        self.set_names = [film.set_name for film in self.films]
        self.classes, self.seed, self.resolution = tuple(classes), seed, 320
        self._one = SurfaceDataset([], self.classes, side, augmentation, residuals, seed)
        counts = Counter(item.label for film in self.films for item in film.objects)
        self._rare = {label: count**-0.5 for label, count in counts.items()}

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, index: int) -> list[SurfaceSample]:
        generator = np.random.default_rng([self.seed, index])
        film = self.films[index % len(self.films)]
        objects = [item for item in film.objects if item.label in self.classes and cut_size(item) >= LEAST]
        weight = np.array([self._rare[item.label] for item in objects])
        count = min(AN_IMAGE, len(objects))
        chosen = generator.choice(len(objects), count, replace=False, p=weight / weight.sum())
        samples = []
        for number in chosen:
            item = objects[number]
            mask = item.mask(film.image.shape)
            image = film.image
            if generator.random() < self.cut_share:
                image, mask = cut(image, mask, generator)
            if generator.random() < self.quarter:
                turns = int(generator.integers(1, 4))
                image, mask = np.rot90(image, turns), np.rot90(mask, turns)
            found: LabelledObject = labelled_object(image, mask, item.label, self.resolution)
            samples.append(self._one.sample(found, generator))
        return samples


def cut(image: np.ndarray, mask: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask behind a border that takes away up to 70 % of the object on one or two sides."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = [0, mask.shape[0], 0, mask.shape[1]]
    for _ in range(generator.integers(1, 3)):
        axis, end = generator.integers(2), generator.integers(2)
        span = (rows, columns)[axis]
        low, high = int(span[0]), int(span[-1]) + 1
        away = int(generator.uniform(0.05, 0.7) * (high - low))
        place = 2 * axis + end
        window[place] = max(window[place], low + away) if end == 0 else min(window[place], high - away)
    part = slice(window[0], window[1]), slice(window[2], window[3])
    if window[1] - window[0] < 8 or window[3] - window[2] < 8 or mask[part].sum() < LEAST:
        return image, mask
    return image[part], mask[part]


def cut_size(item: FilmObject) -> int:
    """px of the object that the film shows."""
    return int(np.unpackbits(item.bits).sum())
