"""One simulated radiograph from an anatomy's name and a seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import acquisition, legs
from . import chest as thorax
from . import teeth as dental
from .acquisition import Look
from .detector import MAXIMUM, develop, expose
from .scene import Scene, View, line_integral, silhouette, smooth_noise, trabeculae


@dataclass(frozen=True)
class Simulation:
    """A simulated radiograph and the truth about it.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (rows, columns)
        0..4095, bone bright.
    label_map : ndarray of uint8, shape (rows, columns)
        0 for background, else the value of a label.
    labels : dict of str to int
        Label name to value; always all labels of the anatomy.
    spacing : tuple of 2 float
        (row, column) in mm.
    extras : dict of str to ndarray of bool, shape (rows, columns)
        Silhouettes of further bones, which may overlap the labels.
    metadata : dict
        What was drawn at random: exposure, processing, rotation.
    """

    pixels: np.ndarray
    label_map: np.ndarray
    labels: dict[str, int]
    spacing: tuple[float, float]
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, object] = field(default_factory=dict)

    def gray8(self) -> np.ndarray:
        """The pixels as uint8, 0..255."""
        return (self.pixels >> 4).astype(np.uint8)


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
    column = width / size[1] if size[1] * step < 1.6 * width else step
    return rng.normal(-5, 8), (top + bottom) / 2, step, column


def _frame_chest(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    width = max(340 * scene.metadata["width"] * rng.uniform(0.92, 1.15), scene.metadata["tall"] * 1.25)
    step = width / size[1] if size[1] >= size[0] else width / size[0]
    middle = scene.metadata["tall"] * 0.5 + rng.normal(12, 12)
    return rng.normal(0, 8), middle, step * rng.uniform(0.95, 1.05), step


def _frame_teeth(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> tuple[float, float, float, float]:
    # panoramic images are about twice as wide as high; sets bring them to squares
    width = rng.uniform(245, 300)
    return rng.normal(0, 5), rng.normal(0, 5), width * rng.uniform(0.5, 0.58) / size[0], width / size[1]


ANATOMIES: dict[str, Anatomy] = {
    "knee": Anatomy(legs.knee, ("femur", "tibia"), _frame_knee, Look(flatten=(0.2, 0.8), flatten_width=18.0, quanta=(8000, 40000))),
    "longleg": Anatomy(
        legs.long_leg,
        ("femur", "tibia"),
        _frame_long,
        Look(flatten=(0.2, 0.7), flatten_width=60.0, gamma=(0.8, 1.6), collimated=0.2, quanta=(8000, 40000)),
        rotation=1.5,
        size=(2.0, 0.25),
    ),
    "chest": Anatomy(
        thorax.chest,
        ("right lung", "left lung"),
        _frame_chest,
        Look(flatten=(0.0, 0.3), flatten_width=40.0, sharpen=(0.0, 0.6), gamma=(0.5, 1.3), high=(90.0, 99.5)),
        rotation=2.5,
        mirror=False,
    ),
    "teeth": Anatomy(
        dental.teeth,
        ("teeth",),
        _frame_teeth,
        Look(flatten=(0.3, 0.8), flatten_width=25.0, sharpen=(0.0, 0.8), gamma=(0.8, 1.6), collimated=0.05, marker=0.3,
             high=(98.5, 99.97), scatter=(0.0, 0.2)),
        rotation=2.0,
        mirror=False,
    ),
}


def default_size(anatomy: str, size: int) -> tuple[int, int]:
    """(rows, columns) in px of an anatomy's images where others are `size` px on their longest side."""
    rows, columns = ANATOMIES[anatomy].size
    return max(16, round(rows * size)), max(16, round(columns * size))


def simulate(anatomy: str, seed: int, size: tuple[int, int] | None = None) -> Simulation:
    """One simulated radiograph.

    Parameters
    ----------
    anatomy : str
        A name in :data:`ANATOMIES`.
    seed : int
        The same anatomy, seed and size give the same image.
    size : tuple of 2 int, or None
        (rows, columns) in px; by default as 512 px sets have it.

    Raises
    ------
    ValueError
        If the anatomy is not known or the size is under 16 px.
    """
    if anatomy not in ANATOMIES:
        raise ValueError(f"There is no anatomy {anatomy!r}; there are {', '.join(ANATOMIES)}.")
    spec = ANATOMIES[anatomy]
    shape = default_size(anatomy, 512) if size is None else (int(size[0]), int(size[1]))
    if min(shape) < 16:
        raise ValueError(f"A simulated radiograph has 16 or more rows and columns, not {shape}.")
    rng = np.random.default_rng([zlib.crc32(anatomy.encode()), seed])
    scene = spec.build(rng)
    x, y, row, column = (float(value) for value in spec.frame(scene, rng, shape))
    degrees = float(np.clip(rng.normal(0, spec.rotation), -15, 15))
    view = View(shape, (x, y), (row, column), degrees, bool(spec.mirror and rng.random() < 0.5))
    return acquire(scene, view, spec, rng)


def acquire(scene: Scene, view: View, spec: Anatomy, rng: np.random.Generator) -> Simulation:
    """Take the radiograph of a scene: all that happens after the anatomy and the view are settled."""
    look, shape, grid = spec.look, view.shape, view.grid()
    integral = line_integral(scene.parts, view, grid, trabeculae(view, rng))
    # flesh is not homogeneous
    integral *= 1 + np.float32(rng.uniform(0.01, 0.04)) * smooth_noise(view, float(rng.uniform(8, 30)), rng)
    exposure, processing = acquisition.draw(look, rng)
    exposed = None
    if rng.random() < look.collimated:
        exposed = acquisition.collimated_field(shape, rng)
    beam = None if exposed is None else acquisition.soft_edges(exposed, 0.4 / min(view.spacing))
    signal = expose(integral, view.spacing, exposure, rng, beam)
    gray = develop(signal, view.spacing, processing, exposed)
    shutter = rng.random() < 0.6
    if exposed is not None and shutter:  # readers blacken what the collimators covered
        gray = np.where(exposed, gray, np.float32(0))
    if spec.finish is not None:
        gray = spec.finish(gray, rng)
    if rng.random() < look.marker:
        side = "L" if view.mirror or not spec.mirror and rng.random() < 0.5 else "R"
        place = (rng.uniform(0.03, 0.9), rng.choice([rng.uniform(0.02, 0.1), rng.uniform(0.85, 0.93)]))
        gray = acquisition.add_marker(gray, side, place, max(6, round(shape[0] * rng.uniform(0.03, 0.06))))
    label_map = np.zeros(shape, np.uint8)
    for value, name in enumerate(spec.labels, start=1):
        label_map[silhouette(scene.labels.get(name, []), view, grid)] = value
    if scene.hidden:
        label_map[silhouette(scene.hidden, view, grid)] = 0
    if exposed is not None:
        label_map[~exposed] = 0
    extras = {name: silhouette([body], view, grid) for name, body in scene.extras.items()}
    return Simulation(
        pixels=np.rint(np.clip(gray, 0, 1) * MAXIMUM).astype(np.uint16),
        label_map=label_map,
        labels={name: value for value, name in enumerate(spec.labels, start=1)},
        spacing=view.spacing,
        extras=extras,
        metadata={
            "exposure": exposure,
            "processing": processing,
            "degrees": view.degrees,
            "mirrored": view.mirror,
            "collimated": exposed is not None,
        },
    )
