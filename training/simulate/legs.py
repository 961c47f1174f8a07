"""Femur, tibia and fibula: the knee from the front, the whole leg, both legs.

The frame is that of a right leg seen from the front: the joint line at y = 0, the fibula on the image's left.
"""

from __future__ import annotations

import numpy as np

from . import materials
from .bodies import Body, Capsule, Ellipsoid, Placed, Union
from .profile import Profile
from .scene import Scene

_FEMUR_END = [(-43, -24), (-39.5, -9), (-35, -1), (-25, 4), (-17, 3), (-12, -2), (-7, -10), (-3, -14), (2, -15),
              (6, -12), (11, -3), (15, 2), (24, 5.5), (34, 1), (39.5, -8), (43, -24)]  # fmt: skip
_TIBIA_START = [(-43, 17), (-38, 11), (-35, 8), (-27, 8.5), (-18, 9), (-12, 6.5), (-7, 2), (-4.5, 0.5), (-1, 3.5),
                (3, 2.5), (5, -0.5), (8, 2.5), (13, 8.5), (20, 10.5), (28, 10.5), (35, 8.5),
                (38.5, 11), (43, 17)]  # fmt: skip


def _jitter(rng: np.random.Generator, amount: float) -> float:
    """A factor near 1, with the standard deviation `amount`, never more than twice that away."""
    return float(np.clip(rng.normal(1.0, amount), 1 - 2 * amount, 1 + 2 * amount))


def _wobbled(curve: list, rng: np.random.Generator, scale: float, gap: float = 0.0) -> list:
    """The curve over u with its heights shaken a little (mm) and moved by `gap`."""
    return [(u * scale, s * scale + gap + rng.normal(0, 0.5)) for u, s in curve]


def add_femur(scene: Scene, rng: np.random.Generator, scale: float, length: float, hip: bool) -> list[Body]:
    """A femur, `length` mm from the joint line to its neck, with its hip end if `hip`; returns its bodies."""
    wide, shaft = _jitter(rng, 0.04) * scale, _jitter(rng, 0.08) * scale
    notch = _jitter(rng, 0.15)
    valgus = float(rng.normal(6, 1.5)) if hip else float(rng.normal(2, 2))
    tilt = np.tan(np.radians(valgus))
    level = [  # s, left, right, half-depth; the medial side is the right
        (-150, -15 * shaft, 15 * shaft, 15),
        (-110, -16 * shaft, 17 * shaft, 16),
        (-85, -19.5 * wide, 21 * wide, 18),
        (-65, -25 * wide, 27 * wide, 21),
        (-50, -32 * wide, 34 * wide, 25),
        (-38, -38 * wide, 40 * wide, 28),
        (-28, -40.5 * wide, 42 * wide, 30),
        (-16, -40 * wide, 41 * wide, 31),
        (-7, -38.5 * wide, 39 * wide, 31),
        (4, -36 * wide, 36 * wide, 30),
    ]
    if hip:
        top = [
            (-length - 24, -16 * shaft, 2 * shaft, 7),
            (-length - 8, -23 * shaft, 8 * shaft, 14),
            (-length + 15, -21 * shaft, 19 * shaft, 19),
            (-length + 40, -17 * shaft, 20 * shaft, 17),
            (-length + 65, -16 * shaft, 16 * shaft, 15),
            (-length * 0.55, -14 * shaft, 14 * shaft, 14),
        ]
        level = top + level
    else:
        level = [(-length, -14 * shaft, 14 * shaft, 14), *level]
    # the shaft leans towards the hip's outer side going up
    bend = [(s, a + min(s + 30, 0) * tilt, b + min(s + 30, 0) * tilt, d * scale) for s, a, b, d in level]
    end = [(u * wide, s * scale * (notch if abs(u) < 12 else 1.0)) for u, s in _FEMUR_END]
    end = [(u, s + rng.normal(0, 0.4)) for u, s in end]
    outer = Profile(bend, end=end, cap=9.0 * scale)
    wall = [(-length, 5.0 * scale), (-130, 5.0 * scale), (-80, 2.2), (-45, 1.2), (5, 1.1)]
    if hip:
        wall = [(-length - 24, 1.0), (-length, 1.5), (-length + 60, 5.0 * scale), *wall[1:]]
    density = float(rng.uniform(0.13, 0.24))
    filling = [(-length, 0.03), (-120, 0.03), (-75, density * 0.6), (-30, density), (5, density * 1.25)]
    if hip:
        filling = [(-length - 24, density), (-length + 10, density), (-length + 70, 0.03), *filling[1:]]
    scene.add_bone(outer, wall, filling, end_wall=1.2, texture=float(rng.uniform(0.03, 0.11)))
    bodies: list[Body] = [outer]
    if hip:
        x = (-length + 30) * tilt
        head = (x + 46 * scale, -length - 30 * scale)
        ball = Ellipsoid(head, (24 * scale, 24 * scale, 24 * scale))
        neck = Capsule((x + 2 * scale, -length + 4 * scale), head, (18 * scale, 15 * scale))
        joined = Union((ball, neck))
        # grown together with the shaft: only what sticks out of it adds to the ray
        scene.add(_Beyond(joined, outer), materials.CORTEX)
        scene.add(_Beyond(joined.inset(1.6), outer), materials.spongiosa(density * 1.2), materials.CORTEX, 0.15)
        bodies += [ball, neck]
        scene.metadata["hip"] = head
    return bodies


class _Beyond:
    """What of one body's path length exceeds that of another one it has grown together with."""

    def __init__(self, body: Body, other: Body) -> None:
        self._body, self._other = body, other

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """See :class:`bodies.Body`."""
        return self._body.bounds

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :class:`bodies.Body`."""
        return np.maximum(self._body.thickness(x, y) - self._other.thickness(x, y), 0)

    def inset(self, wall: float) -> _Beyond:
        """See :class:`bodies.Body`."""
        return _Beyond(self._body.inset(wall), self._other)


def add_tibia(scene: Scene, rng: np.random.Generator, scale: float, length: float, gap: float) -> list[Body]:
    """A tibia down to `length` mm, its plateau `gap` mm lower than usual; returns its bodies."""
    wide, shaft = _jitter(rng, 0.04) * scale, _jitter(rng, 0.08) * scale
    lean = float(rng.normal(0, 0.02))
    level = [
        (-6 + gap, -36 * wide, 36 * wide, 20),
        (8 + gap, -37.5 * wide, 37.5 * wide, 23),
        (15, -38 * wide, 38.5 * wide, 24),
        (27, -34 * wide, 36 * wide, 23),
        (42, -26 * wide, 29 * wide, 21),
        (62, -18 * wide, 22 * wide, 18),
        (85, -14 * shaft, 17 * shaft, 16),
        (130, -12 * shaft, 14 * shaft, 14.5),
        (length * 0.6, -11 * shaft, 12 * shaft, 12.5),
        (length - 70, -11 * shaft, 12 * shaft, 11.5),
        (length - 35, -15 * shaft, 16 * shaft, 14),
        (length - 12, -23 * shaft, 23 * shaft, 17),
        (length - 3, -23 * shaft, 26 * shaft, 17),
        (length + 14, -23 * shaft, 24 * shaft, 12),
    ]
    level = [(s, a + max(s - 40, 0) * lean, b + max(s - 40, 0) * lean, d * scale) for s, a, b, d in level]
    start = _wobbled(_TIBIA_START, rng, wide, gap)
    foot = max(length - 40, 0) * lean
    end = [(u * shaft + foot, length + s) for u, s in
           ((-26, 0), (-20, 0), (5, 0), (12, 1), (15, 4), (18, 11), (21, 14), (24, 12), (27, 8))]  # fmt: skip
    outer = Profile(level, start=start, end=end, cap=4.0 * scale)
    wall = [(0, 1.2), (30, 1.3), (60, 2.6), (110, 5 * scale), (length - 90, 4 * scale), (length - 30, 1.6)]
    density = float(rng.uniform(0.13, 0.24))
    filling = [(-6, density * 1.1), (14, density * 1.3), (35, density), (80, density * 0.4), (115, 0.03),
               (length - 80, 0.03), (length - 30, density), (length, density * 1.2)]  # fmt: skip
    scene.add_bone(outer, wall, filling, end_wall=2.0, texture=float(rng.uniform(0.03, 0.11)))
    return [outer]


def add_fibula(scene: Scene, rng: np.random.Generator, scale: float, length: float) -> list[Body]:
    """A fibula beside a tibia of `length` mm; returns its bodies."""
    x = -36 * scale + float(rng.normal(0, 2))
    top = 17 + float(rng.normal(0, 3))
    level = [
        (top, x + 2, x + 4, 2), (top + 5, x - 5, x + 9, 7), (top + 14, x - 9, x + 12, 10),
        (top + 27, x - 8, x + 6, 8), (top + 45, x - 7, x + 5, 6), (top + 70, x - 5, x + 7, 6),
        (length * 0.6, x + 2, x + 14, 6), (length - 50, x + 5, x + 16, 6), (length - 15, x + 1, x + 16, 8),
        (length + 8, x + 1, x + 15, 8), (length + 20, x + 4, x + 10, 4),
    ]  # fmt: skip
    outer = Profile(level, cap=3.0)
    scene.add_bone(outer, [(top, 0.8), (top + 30, 1.2), (top + 60, 2.8), (length - 30, 2.5), (length, 1.0)], 0.12)
    return [outer]


def _skin(rng: np.random.Generator, scale: float, femur: float, tibia: float) -> Profile:
    """The outline of one leg and of the trunk above it."""
    bulk = _jitter(rng, 0.08) * scale
    outline = [
        (-femur - 420, -110, 230, 85),
        (-femur - 200, -128, 210, 92),
        (-femur - 90, -125, 150, 95),
        (-femur - 20, -108, 88, 92),
        (-femur * 0.6, -75, 72, 78),
        (-150, -66, 64, 66),
        (-70, -59, 58, 58),
        (-25, -55, 55, 54),
        (30, -52, 52, 52),
        (100, -56, 54, 54),
        (tibia * 0.45, -54, 50, 50),
        (tibia * 0.75, -40, 38, 38),
        (tibia - 20, -34, 34, 40),
        (tibia + 40, -36, 38, 60),
        (tibia + 110, -40, 44, 34),
    ]
    outline = [(s, a * bulk, b * bulk, d * bulk) for s, a, b, d in outline]
    return Profile(outline)


def _add_flesh(scene: Scene, rng: np.random.Generator, skin: Body) -> None:
    """Fat under the skin and muscle inside it."""
    scene.add(skin, materials.FAT, materials.AIR)
    scene.add(skin.inset(float(rng.uniform(4, 16))), materials.MUSCLE, materials.FAT)


def _add_leg(scene: Scene, rng: np.random.Generator, scale: float, femur: float, tibia: float, hip: bool) -> None:
    """Bones, muscles and labels of one leg."""
    # fat between the muscles: dark streaks beside the bone
    for _ in range(4):
        at = (float(rng.uniform(-45, 45)), float(rng.uniform(-110, 120)))
        size = (float(rng.uniform(3, 8)), float(rng.uniform(30, 70)), float(rng.uniform(5, 12)))
        scene.add(Ellipsoid(at, size, float(rng.normal(0, 8))), materials.FAT, materials.MUSCLE)
    gap = float(rng.normal(0, 0.7))
    fibula = add_fibula(scene, rng, scale, tibia)
    shin = add_tibia(scene, rng, scale, tibia, gap)
    thigh = add_femur(scene, rng, scale, femur, hip)
    radius = 20.0 * scale * _jitter(rng, 0.08)
    center = (float(rng.normal(0, 4)), float(rng.normal(-36, 7)) * scale)
    patella = Ellipsoid(center, (radius * 1.08, radius, 9.0 * scale))
    scene.add_bone(patella, 1.2, float(rng.uniform(0.15, 0.28)), texture=0.12)
    scene.labels.setdefault("femur", []).extend(thigh)
    scene.labels.setdefault("tibia", []).extend(shin)
    scene.extras["fibula"], scene.extras["patella"] = fibula[0], patella


def knee(rng: np.random.Generator) -> Scene:
    """A knee from the front."""
    scene = Scene()
    scale = _jitter(rng, 0.06)
    _add_flesh(scene, rng, _skin(rng, scale, 400.0, 360.0))
    _add_leg(scene, rng, scale, 400.0, 360.0, hip=False)
    return scene


def _add_hip_and_foot(scene: Scene, rng: np.random.Generator, scale: float, femur: float, tibia: float) -> None:
    """Pelvis and foot: not labelled, but there."""
    x, y = scene.metadata.pop("hip")
    wing = Ellipsoid((x + 40, y - 80), (90, 100, 8), -20)  # too wide to be taken for a head
    socket = Union((Ellipsoid((x + 6, y - 6), (31, 31, 20)), wing))
    scene.add_bone(socket, 2.0, 0.1)
    ischium = Union((Capsule((x + 22, y + 12), (x + 38, y + 62), (13, 13)),
                     Capsule((x + 38, y + 62), (x + 72, y + 20), (9, 7)),
                     Capsule((x + 20, y + 2), (x + 75, y + 10), (10, 8))))  # fmt: skip
    scene.add_bone(ischium, 2.0, 0.12)
    ankle = float(rng.normal(0, 3))
    talus = Union((Ellipsoid((ankle, tibia + 17), (23, 13, 18)), Ellipsoid((ankle + 2, tibia + 42), (19, 24, 26))))
    scene.add_bone(talus, 1.2, 0.22)
    for i in range(4):
        toe = (ankle - 18 + 11 * i, tibia + 105)
        scene.add_bone(Capsule((ankle - 10 + 7 * i, tibia + 58), toe, (6.5, 5.5)), 1.5, 0.15)


def long_leg(rng: np.random.Generator) -> Scene:
    """A leg from hip to foot."""
    scene = Scene()
    scale = _jitter(rng, 0.05)
    femur, tibia = 415.0 * _jitter(rng, 0.05) * scale, 365.0 * _jitter(rng, 0.05) * scale
    _add_flesh(scene, rng, _skin(rng, scale, femur, tibia))
    _add_leg(scene, rng, scale, femur, tibia, hip=True)
    _add_hip_and_foot(scene, rng, scale, femur, tibia)
    scene.metadata.update(femur=femur, tibia=tibia)
    return scene


def both_legs(rng: np.random.Generator) -> Scene:
    """Both legs from hip to foot, standing."""
    scene = Scene()
    scale, apart = _jitter(rng, 0.05), float(rng.uniform(95, 125))
    femur, tibia = 415.0 * _jitter(rng, 0.05) * scale, 365.0 * _jitter(rng, 0.05) * scale
    skin = _skin(rng, scale, femur, tibia)
    _add_flesh(scene, rng, Union((Placed(skin, -apart), Placed(skin, apart, mirror=True))))
    for mirror in (False, True):
        leg = Scene()
        _add_leg(leg, rng, scale, femur, tibia, hip=True)
        _add_hip_and_foot(leg, rng, scale, femur, tibia)
        scene.include(leg, apart if mirror else -apart, mirror)
    scene.metadata.update(femur=femur, tibia=tibia)
    return scene
