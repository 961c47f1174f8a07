"""How films lie in their picture: turned, mirrored, cropped, framed; and what of an object still shows there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.yolo.letterbox import Letterbox

from .outlined import INSIDE, OUTLINE


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
    over : float
        Probability of a limb of another film over it.
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
    over: float = 0.0
    log_aspect: float = 0.18


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
