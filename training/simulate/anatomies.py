"""The anatomies that can be simulated: how each is built, framed and shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arms, chest, legs, teeth
from .acquisition import Look, corner_boxes, stitched
from .scene import Scene


@dataclass(frozen=True)
class Anatomy:
    """How an anatomy is built, framed and shown.

    Parameters
    ----------
    build : callable
        From a random generator to a scene.
    labels : tuple of str
        Label names, whose values are 1, 2, ...
    frame : callable
        From (scene, random generator, size) to (center x, center y, row spacing, column spacing) in mm.
    rotation : float
        Standard deviation of the rotation in degrees; never more than 15.
    size : tuple of 2 float
        Default (rows, columns) relative to the size asked for.
    mirror : bool
        Whether half of the images are of the other side.
    finish : callable or None
        From (gray levels 0..1, random generator) to gray levels: what is drawn over the image.
    """

    build: Callable[..., Scene]
    labels: tuple[str, ...]
    frame: Callable[..., tuple[float, float, float, float]]
    look: Look
    rotation: float = 4.0
    size: tuple[float, float] = (1.0, 1.0)
    mirror: bool = True
    finish: Callable[..., np.ndarray] | None = None


def _frame_knee(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    # most knee images in use are cropped to the joint; some show a hand's breadth of both shafts
    width = rng.uniform(86, 112) if rng.random() < 0.7 else rng.uniform(110, 190)
    step = width / size[1]
    away = 0.04 * width
    return rng.normal(0, away), rng.normal(-0.04 * width, away), step * rng.uniform(0.93, 1.08), step


def _frame_long(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    tall = scene.metadata["femur"] + scene.metadata["tibia"]
    top = -scene.metadata["femur"] - rng.uniform(90, 330)
    bottom = scene.metadata["tibia"] + rng.uniform(40, 150)
    step = max(bottom - top, tall) / size[0]
    width = rng.uniform(150, 190)
    return rng.normal(-5, 8), (top + bottom) / 2, step, width / size[1]


def _frame_both(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    _, middle, step, _ = _frame_long(scene, rng, size)
    return rng.normal(0, 8), middle, step, max(step * rng.uniform(0.95, 1.05), 380 / size[1])


def _frame_chest(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    width = max(340 * scene.metadata["width"] * rng.uniform(0.92, 1.15), scene.metadata["tall"] * 1.25)
    step = width / size[1] if size[1] >= size[0] else width / size[0]
    middle = scene.metadata["tall"] * 0.5 + rng.normal(12, 12)
    return rng.normal(0, 8), middle, step * rng.uniform(0.95, 1.05), step


def _frame_teeth(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    # panoramic images are about twice as wide as high; sets bring them to squares
    width = rng.uniform(225, 290)
    return rng.normal(0, 5), rng.normal(0, 5), width * rng.uniform(0.48, 0.56) / size[0], width / size[1]


def _frame_forearm(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    length = scene.metadata["length"]
    if rng.random() < 0.5:  # wrist and half of the shafts, as portable machines show them
        top, bottom = -length * rng.uniform(0.4, 0.8), rng.uniform(15, 70)
    else:
        top, bottom = -length - rng.uniform(-10, 60), rng.uniform(10, 70)
    step = max((bottom - top) / size[0], 75 / size[1])
    return rng.normal(-2, 5), (top + bottom) / 2, step * rng.uniform(0.95, 1.05), step


def _frame_hand(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    scale = scene.metadata["scale"]
    step = max(225 * scale / size[0], 150 * scale / size[1]) * rng.uniform(0.75, 1.1)
    return rng.normal(-5, 6), -60 * scale + rng.normal(0, 12), step * rng.uniform(0.95, 1.05), step


_PANORAMIC = Look(
    scatter=(0.0, 0.2),
    flatten=(0.3, 0.8),
    sharpen=(0.0, 0.8),
    middle=(0.28, 0.48),
    headroom=(1.0, 1.6),
    high=(98.5, 99.97),
    collimated=0.05,
    marker=0.2,
)

ANATOMIES: dict[str, Anatomy] = {
    "knee": Anatomy(
        legs.knee,
        ("femur", "tibia"),
        _frame_knee,
        Look(quanta=(8000, 40000), flatten=(0.2, 0.8), flatten_width=18.0, middle=(0.45, 0.85), marker=0.3),
    ),
    "longleg": Anatomy(
        legs.long_leg,
        ("femur", "tibia"),
        _frame_long,
        Look(quanta=(8000, 40000), flatten=(0.2, 0.8), flatten_width=60.0, middle=(0.2, 0.4), headroom=(1.0, 1.8)),
        rotation=1.5,
        size=(2.0, 0.25),
        finish=stitched,
    ),
    "longlegs": Anatomy(
        legs.both_legs,
        ("femur", "tibia"),
        _frame_both,
        Look(quanta=(8000, 40000), flatten=(0.2, 0.8), flatten_width=60.0, middle=(0.2, 0.4), headroom=(1.0, 1.8)),
        rotation=1.0,
        size=(2.0, 0.8),
        mirror=False,
        finish=stitched,
    ),
    "chest": Anatomy(
        chest.chest,
        ("right lung", "left lung"),
        _frame_chest,
        Look(
            quanta=(15000, 60000),
            flatten=(0.0, 0.3),
            flatten_width=40.0,
            sharpen=(0.0, 0.6),
            middle=(0.35, 0.85),
            high=(88.0, 99.5),
        ),
        rotation=2.5,
        mirror=False,
        finish=corner_boxes,
    ),
    "teeth": Anatomy(teeth.teeth, ("teeth",), _frame_teeth, _PANORAMIC, rotation=2.0, mirror=False),
    "fewteeth": Anatomy(teeth.few_teeth, ("teeth",), _frame_teeth, _PANORAMIC, rotation=2.0, mirror=False),
    "forearm": Anatomy(
        arms.forearm,
        ("radius", "ulna"),
        _frame_forearm,
        Look(quanta=(4000, 30000), flatten=(0.1, 0.6), flatten_width=15.0, middle=(0.2, 0.6)),
        rotation=6.0,
        size=(1.0, 0.6),
    ),
    "hand": Anatomy(
        arms.hand,
        ("phalanges", "metacarpals"),
        _frame_hand,
        Look(quanta=(4000, 30000), flatten=(0.0, 0.5), flatten_width=15.0, middle=(0.1, 0.5)),
        rotation=6.0,
        size=(1.0, 0.8),
    ),
}


def default_size(anatomy: str, size: int) -> tuple[int, int]:
    """(rows, columns) in px of an anatomy's images where others are `size` px on their longest side."""
    rows, columns = ANATOMIES[anatomy].size
    return max(16, round(rows * size)), max(16, round(columns * size))
