"""One simulated radiograph from an anatomy's name and a seed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from . import acquisition
from .anatomies import ANATOMIES, Anatomy, default_size
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
        row, column = rng.uniform(0.03, 0.9), rng.choice([rng.uniform(0.02, 0.1), rng.uniform(0.85, 0.93)])
        # one limb carries its own side; on the trunk and jaws each side of the image has its own
        is_left = view.mirror if spec.mirror else column > 0.5
        height = max(6, round(float(np.sqrt(shape[0] * shape[1])) * rng.uniform(0.03, 0.06)))
        gray = acquisition.add_marker(gray, "L" if is_left else "R", (row, column), height)
    label_map = np.zeros(shape, np.uint8)
    for value, name in enumerate(spec.labels, start=1):
        label_map[silhouette(scene.labels.get(name, []), view, grid)] = value
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
