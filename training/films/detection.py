"""Training samples of the 2D detector: films turned, cropped, framed and put beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.utils.data import Dataset

from ..augmentation import AugmentationSettings, random_gray
from ..detection_sample import DetectionSample, is_weak, swapped_sides
from ..sampling import place, seeded_generator
from .framing import Framing, clipped_box, placement, random_placement, sampled
from .outlined import OutlinedFilm, beside
from .overlaid import entrance, overlaid
from .real import HOSPITALS
from .tones import body_levels, with_levels_of

MASK_STRIDE = 4
"""px of the input a cell of the mask target."""
BOXED_SMALLEST = 0.65
"""Shortest side of a crop of films whose objects are boxes: a part of a box says less of the bone in it."""
LEAST_SIDE = 3.0
"""px of the input below which a box is too small to be asked for."""
GRAY = AugmentationSettings(noise=0.07, invert=0.02, blur=0.25, collimate=0.15, markers=0.25, gamma=0.6)


@dataclass
class FilmDetectionDataset(Dataset):
    """Samples of the 2D detector drawn from films.

    Parameters
    ----------
    films : list of OutlinedFilm
    classes : tuple of str
    size : int
        Side of the detector's input, px.
    framing : Framing or None
        None shows every film as it is.
    gray : AugmentationSettings
        How gray levels vary.
    seed : int
        With the index it decides every random number: index = place * films + film, see ``sampling.place``.
    visible : float
        Share of an object inside of the picture from which it is asked for.
    weights : ndarray or None
        How often each film is drawn.
    sizes : sequence of int
        Sides of the input in px, multiples of 32, of which every batch has one (YOLOv3's multi-scale training);
        empty, or with a `framing` of None: always `size`.
    batch : int
        Samples of a batch, of all processes together.
    borrowed : float
        Share of the drawn films that get the gray levels of a film of a hospital, see ``tones``; the second film of a
        picture keeps its own.
    """

    films: list[OutlinedFilm]
    classes: Sequence[str]
    size: int
    framing: Framing | None = field(default_factory=Framing)
    gray: AugmentationSettings = GRAY
    seed: int = 0
    visible: float = 0.07
    weights: np.ndarray | None = None
    sizes: Sequence[int] = ()
    batch: int = 1
    borrowed: float = 0.0

    def __post_init__(self) -> None:
        if any(size % 32 for size in self.sizes):
            raise ValueError(f"Sides of the input must be multiples of 32, not {list(self.sizes)}.")
        self.set_names = [film.set_name for film in self.films]
        self._mirrored = swapped_sides(self.classes)
        self._by_set: dict[str, list[int]] = {}
        for number, name in enumerate(self.set_names):
            self._by_set.setdefault(name, []).append(number)
        levels = (body_levels(self.films[number].image) for number in self._by_set.get(HOSPITALS, ()) if self.borrowed)
        self._tones = [each for each in levels if each is not None]
        limbs = [
            number
            for number, film in enumerate(self.films if self.framing and self.framing.over else ())
            if len(film.labels) and entrance(film.image) is not None
        ]
        self._limbs = [limbs, [number for number in limbs if self.set_names[number] == HOSPITALS]]

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, index: int) -> DetectionSample:
        draw = np.random.default_rng([self.seed, index])
        film, framing = self.films[index % len(self.films)], self.framing
        if framing is None:
            whole = 0, 0, *film.image.shape[::-1]
            return self._sample(film, *placement(film.image.shape, self.size, np.eye(3), whole), False, 0.0, self.size)
        size = self.side(index)
        if self._tones and film.set_name.startswith("simulated") and draw.random() < self.borrowed:
            wanted = self._tones[draw.integers(len(self._tones))]
            film = replace(film, image=with_levels_of(film.image, wanted, draw.uniform(0.3, 1.0)))
        if draw.random() < framing.pair and not is_weak(film.labels, film.settled):
            film = self._pair(film, draw)
        if self._limbs[0] and draw.random() < framing.over and not is_weak(film.labels, film.settled):
            film = self._under_a_limb(film, draw)
        if film.boxed:  # the box of a turned box would be larger than that of the turned bone
            framing = replace(framing, tilt=0.0, far=0.0, smallest=max(framing.smallest, BOXED_SMALLEST))
        matrix, view, shown, flipped = random_placement(film.image.shape, size, framing, draw)
        fill = float(draw.choice([0.0, draw.uniform(0.0, 0.3), 1.0], p=[0.75, 0.15, 0.1]))
        sample = self._sample(film, matrix, view, shown, flipped, fill, size)
        return sample._replace(image=random_gray(sample.image[0], self.gray, seeded_generator(self.seed, index))[None])

    def side(self, index: int) -> int:
        """The side of the input of a sample, px; that of all samples whose places in an epoch are in one batch."""
        if not self.sizes:
            return self.size
        epoch, position = place(index, len(self.films))
        batch = np.random.default_rng([self.seed, epoch, position // self.batch])
        return self.sizes[batch.integers(len(self.sizes))]

    def _pair(self, film: OutlinedFilm, draw: np.random.Generator) -> OutlinedFilm:
        if draw.random() < self.framing.twin:
            second = _flipped(film, self._mirrored)
        else:
            same = self._by_set[film.set_name]
            number = same[draw.integers(len(same))] if draw.random() < 0.6 else draw.integers(len(self.films))
            second = self.films[number]
            if is_weak(second.labels, second.settled):
                return film
        gap = int(draw.integers(0, 12)) if draw.random() < 0.6 else 0
        rows, columns = film.image.shape
        return beside(film, second, gap, below=bool(draw.random() < (0.2 if rows > 0.8 * columns else 0.5)))

    def _under_a_limb(self, film: OutlinedFilm, draw: np.random.Generator) -> OutlinedFilm:
        """The film with a limb over it, in half of them one of a film of a hospital."""
        limbs = [numbers for numbers in self._limbs if numbers]
        numbers = limbs[draw.integers(len(limbs))]
        return overlaid(film, self.films[numbers[draw.integers(len(numbers))]], draw)

    def _sample(self, film, matrix, view, shown, flipped, fill, size) -> DetectionSample:
        labels, settled = film.labels, film.settled
        if flipped:
            labels, settled = np.array(self._mirrored, np.int64)[labels], settled[self._mirrored]
        image = sampled(film.image, matrix, view, size, fill)
        masks = self._masks(film, matrix, view, flipped, size)
        settled = settled.copy()
        boxes, kept, ignored = [], [], []
        for label, points, asked in zip(labels, film.points, film.asked):
            placed = points @ matrix[:2, :2].T + matrix[:2, 2]
            box, share = clipped_box(placed, shown)
            if box is None or min(box[2] - box[0], box[3] - box[1]) < LEAST_SIDE:
                continue
            if share < self.visible or not asked:
                ignored.append(box)
            else:
                boxes.append(box)
                kept.append(int(label))
        table = [torch.tensor(np.array(rows, np.float32).reshape(-1, 4)) for rows in (boxes, ignored)]
        labels = torch.tensor(kept, dtype=torch.int64)
        return DetectionSample(image[None], table[0], labels, torch.from_numpy(settled), masks, table[1])

    def _masks(self, film, matrix, view, flipped, size) -> torch.Tensor:
        side = size // MASK_STRIDE
        at = (np.arange(side) + 0.5) * MASK_STRIDE
        x, y = np.meshgrid(at, at)
        inverse = np.linalg.inv(matrix)
        column = np.floor((inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / 2).astype(np.int64)
        row = np.floor((inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / 2).astype(np.int64)
        rows, columns = film.classes.shape
        seen = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        seen &= (x >= view[0]) & (x < view[2]) & (y >= view[1]) & (y < view[3])
        bits = np.where(seen, film.classes[row.clip(0, rows - 1), column.clip(0, columns - 1)], 0).astype(np.int64)
        if flipped:
            swapped = bits & ~sum(1 << n for n, m in enumerate(self._mirrored) if n != m)
            for number, other in enumerate(self._mirrored):
                if number != other:
                    swapped |= (bits >> number & 1) << other
            bits = swapped
        return torch.from_numpy(bits)


def _flipped(film: OutlinedFilm, swap: list[int]) -> OutlinedFilm:
    """The mirror image, sides swapped."""
    points = film.points.copy()
    points[:, :, 0] = film.image.shape[1] - points[:, :, 0]
    bits = film.classes[:, ::-1]
    keep = np.uint32(0xFFFFFFFF ^ sum(1 << n for n, m in enumerate(swap) if n != m))
    turned = bits & keep
    for number, other in enumerate(swap):
        if number != other:
            turned = turned | ((bits >> np.uint32(number)) & np.uint32(1)) << np.uint32(other)
    return replace(film, image=film.image[:, ::-1], classes=turned, points=points,
                   labels=np.array(swap, np.int64)[film.labels], settled=film.settled[swap])  # fmt: skip
