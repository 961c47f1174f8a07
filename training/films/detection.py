"""Training samples of the 2D detector: films turned, cropped, framed and put beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from GrayscaleDetSegLib.core.yolo.letterbox import Letterbox

from ..augmentation import AugmentationSettings, random_gray
from ..detection_sample import DetectionSample, is_weak, swapped_sides
from ..sampling import place, seeded_generator
from .outlined import INSIDE, OUTLINE, OutlinedFilm, beside
from .real import HOSPITALS
from .tones import body_levels, with_levels_of

MASK_STRIDE = 4
"""px of the input a cell of the mask target."""
BOXED_SMALLEST = 0.65
"""Shortest side of a crop of films whose objects are boxes: a part of a box says less of the bone in it."""
LEAST_SIDE = 3.0
"""px of the input below which a box is too small to be asked for."""


@dataclass(frozen=True)
class Framing:
    """How films lie in their picture.

    Parameters
    ----------
    quarter : float
        Probability of a turn by 90, 180 or 270 degrees.
    tilt : float
        Degrees; standard deviation of a further turn, in half of the films.
    far : float
        Probability of a turn by up to 50 degrees instead.
    crop, frame : float
        Probabilities that a part of the film is shown, and that the film is a part of the picture.
    strip : float
        Share of the crops that take away from one side only: the upper two thirds, the lower half.
    smallest : float
        Shortest side of a crop as a share of the film's.
    widest : float
        Largest side of a frame as a multiple of the film's.
    pair, twin : float
        Probabilities of two films on one picture, and of the second one being the first one's mirror image.
    log_aspect : float
        Largest stretch, natural log.
    """

    quarter: float = 0.45
    tilt: float = 9.0
    far: float = 0.08
    crop: float = 0.45
    frame: float = 0.2
    strip: float = 0.3
    smallest: float = 0.42
    widest: float = 3.0
    pair: float = 0.14
    twin: float = 0.4
    log_aspect: float = 0.18


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
    seed : int
        With the index it decides every random number: index = epoch * films + film, see ``EpochSampler``.
    visible : float
        Share of an object inside of the picture from which it is asked for.
    weights : ndarray or None
        How often each film is drawn.
    sizes : tuple of int
        Sides of the input in px, multiples of 32, of which every batch has one (YOLOv3's multi-scale training);
        empty: always `size`.
    batch : int
        Samples of a batch, of all processes together.
    borrowed : float
        Share of the drawn films that get the gray levels of a film of a hospital, see ``tones``.
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


def placement(shape: tuple[int, int], size: int, turn: np.ndarray, view: tuple[float, float, float, float]):
    """Where a film lies in the input.

    Parameters
    ----------
    shape : tuple of 2 int
        (rows, columns) of the film.
    size : int
    turn : ndarray (3, 3)
        From px of the film to px of the turned picture.
    view : x0, y0, x1, y1
        The part of the turned picture that is shown.

    Returns
    -------
    ndarray (3, 3)
        From px of the film to px of the input.
    tuple of 4 float
        The part of the input that the view fills.
    tuple of 4 float
        The part of it in which the film itself may show.
    """
    box = Letterbox.fit((max(1, round(view[3] - view[1])), max(1, round(view[2] - view[0]))), size)
    scale = box.fitted[1] / (view[2] - view[0]), box.fitted[0] / (view[3] - view[1])
    shift = box.offset[0] - view[0] * scale[0], box.offset[1] - view[1] * scale[1]
    fit = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]], [0, 0, 1.0]])
    matrix = fit @ turn
    filled = box.offset[0], box.offset[1], box.offset[0] + box.fitted[1], box.offset[1] + box.fitted[0]
    corners = np.array([[0, 0, 1], [shape[1], 0, 1], [0, shape[0], 1], [shape[1], shape[0], 1.0]]) @ matrix.T
    low, high = corners[:, :2].min(0), corners[:, :2].max(0)
    shown = (max(filled[0], low[0]), max(filled[1], low[1]), min(filled[2], high[0]), min(filled[3], high[1]))
    return matrix, filled, shown


def random_placement(shape: tuple[int, int], size: int, framing: Framing, draw: np.random.Generator):
    """A random `placement`, and whether the film is mirrored."""
    rows, columns = shape
    angle = math.pi / 2 * draw.integers(1, 4) if draw.random() < framing.quarter else 0.0
    if draw.random() < framing.far:
        angle += math.radians(draw.uniform(-50, 50))
    elif draw.random() < 0.5:
        angle += math.radians(draw.normal(0, framing.tilt))
    flipped = bool(draw.random() < 0.5)
    stretch = math.exp(draw.uniform(-framing.log_aspect, framing.log_aspect))
    cosine, sine = math.cos(angle), math.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([(-1 if flipped else 1) * stretch, 1 / stretch])
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]]) @ linear.T
    turn = np.eye(3)
    turn[:2, :2], turn[:2, 2] = linear, -corners.min(0)
    width, height = corners.max(0) - corners.min(0)
    chance = draw.random()
    if chance < framing.crop:
        share = draw.uniform(framing.smallest, 1.0, 2)
        corner = draw.uniform(0, 1, 2)
        if draw.random() < framing.strip:
            share[draw.integers(2)] = 1.0
            corner = corner.round()
        wide, high = share[0] * width, share[1] * height
        x, y = corner * (width - wide, height - high)
    elif chance < framing.crop + framing.frame:
        more = math.exp(draw.uniform(0, math.log(framing.widest))), math.exp(draw.uniform(0, math.log(framing.widest)))
        wide, high = more[0] * width, more[1] * height
        x, y = draw.uniform(width - wide, 0), draw.uniform(height - high, 0)
    else:
        wide, high, x, y = width, height, 0.0, 0.0
    return *placement(shape, size, turn, (x, y, x + wide, y + high)), flipped


def sampled(image: np.ndarray, matrix: np.ndarray, view: tuple, size: int, fill: float) -> torch.Tensor:
    """The input (size, size), float32 in 0..1: the film, `fill` around it in the view, black outside of the view."""
    picture = torch.from_numpy(np.ascontiguousarray(image))[None, None].float() / 255.0
    inverse = np.linalg.inv(matrix)
    step = math.sqrt(abs(np.linalg.det(inverse[:2, :2])))
    factor = 1
    while step > 1.6 * factor and min(picture.shape[2:]) > 8:
        picture = functional.avg_pool2d(picture, 2, ceil_mode=True, count_include_pad=False)
        factor *= 2
    rows, columns = image.shape
    # from the input (-1..1) to the film (-1..1)
    to_px = np.array([[size / 2, 0, size / 2], [0, size / 2, size / 2], [0, 0, 1]])
    to_unit = np.array([[2 / columns, 0, -1], [0, 2 / rows, -1], [0, 0, 1.0]])
    grid = torch.from_numpy((to_unit @ inverse @ to_px)[None, :2]).float()
    where = functional.affine_grid(grid, [1, 1, size, size], align_corners=False)
    found = functional.grid_sample(picture - fill, where, align_corners=False)[0, 0] + fill
    left, top, right, bottom = (int(round(value)) for value in view)
    whole = torch.zeros(size, size)
    whole[top:bottom, left:right] = found[top:bottom, left:right].clamp(0.0, 1.0)
    return whole


def clipped_box(points: np.ndarray, shown: tuple) -> tuple[np.ndarray | None, float]:
    """The box of what of an object lies in a rectangle, and the share of its inside that does.

    Where some of its points lie beyond a side and others within, the object is cut there and its box ends at that side.
    """
    low, high = np.array(shown[:2]), np.array(shown[2:])
    within = ((points >= low) & (points <= high)).all(1)
    share = float(within[OUTLINE:].mean()) if INSIDE else 0.0
    if within.sum() < 3:
        return None, share
    box = np.concatenate([points[within].min(0), points[within].max(0)])
    reach = 0.06 * (high - low)  # between two points of an outline
    for axis in range(2):
        if points[:, axis].min() < low[axis] and box[axis] - low[axis] < reach[axis]:
            box[axis] = low[axis]
        if points[:, axis].max() > high[axis] and high[axis] - box[axis + 2] < reach[axis]:
            box[axis + 2] = high[axis]
    return box.astype(np.float32), share
