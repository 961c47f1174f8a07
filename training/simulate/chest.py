"""The chest from the front: lungs in a thorax, with heart, spine, ribs, collar bones, shoulder blades and arms.

The frame: x = 0 at the spine, the patient's right on the image's left, y = 0 at the top of the lungs, about 240 at the
bases. Lung fields are labelled as annotators draw them: beside the heart and mediastinum, above the diaphragm.
"""

from __future__ import annotations

import numpy as np

from . import materials
from .bodies import Capsule, Ellipsoid, Ring, Union, tube
from .legs import _jitter
from .profile import Profile
from .scene import Scene


def _lung(outer: list, inner: list, base: list, depth: float, left_of_spine: bool) -> Profile:
    """A lung from its outer and inner border, (y, |x|), and its base, (|x|, y)."""
    stations = sorted({y for y, _ in outer} | {y for y, _ in inner})
    far = np.interp(stations, *np.transpose(outer))
    near = np.interp(stations, *np.transpose(inner))
    rows = []
    for y, a, b in zip(stations, far, near):
        thick = depth * float(np.clip((y + 15) / 90, 0.25, 1.0))
        rows.append((y, -a, -b, thick) if left_of_spine else (y, b, a, thick))
    end = [(-x, y) for x, y in reversed(base)] if left_of_spine else list(base)
    return Profile(rows, end=end, cap=12.0, doublings=2)


def _borders(
    rng: np.random.Generator, width: float, tall: float, heart: float, is_left: bool
) -> tuple[list, list, list]:
    """Outer border, inner border (y, |x|) and base (|x|, y) of one lung."""
    shift = rng.normal(0, 2, 8)
    outer = [(0, 47), (3, 58), (9, 68), (20, 80), (40, 95), (80, 114), (130, 126), (190, 132), (tall + 45, 135)]
    outer = [(y, 30 + (x - 30) * width) for y, x in outer]
    if is_left:
        # aortic knob, then the left border of the heart down to its apex
        inner = [(0, 41), (3, 31), (9, 24), (22, 21), (42, 24 + shift[0]), (52, 33 + shift[1]), (64, 32 + shift[1]),
                 (78, 26 + shift[2]), (95, 31 + shift[2]), (120, 43 * heart), (150, 62 * heart), (180, 80 * heart),
                 (205, 90 * heart), (225, 92 * heart), (tall + 45, 92 * heart)]  # fmt: skip
    else:
        inner = [(0, 41), (3, 31), (9, 24), (22, 20), (50, 22 + shift[0]), (90, 24 + shift[1]), (120, 27 + shift[2]),
                 (150, 34 * heart + shift[3]), (180, 38 * heart + shift[3]), (205, 36 * heart),
                 (tall + 45, 32)]  # fmt: skip
    inner = [(y * tall / 225, x) for y, x in inner]
    dome, flank = tall + rng.normal(0, 3), rng.uniform(18, 42)
    edge = 30 + 104 * width
    base = [(0, dome + 6), (25, dome + 2), (edge * 0.45, dome - 4), (edge * 0.65, dome - 1),
            (edge * 0.82, dome + flank * 0.35), (edge * 0.93, dome + flank * 0.75),
            (edge * 1.02, dome + flank)]  # fmt: skip
    return outer, inner, base


def _add_body(scene: Scene, rng: np.random.Generator, width: float, tall: float) -> None:
    """Flesh of trunk, neck, shoulders and arms."""
    fat = float(rng.uniform(6, 26))
    side = 30 + 110 * width + fat * 0.6
    deep = _jitter(rng, 0.08) * 105 + fat * 0.6
    trunk = Profile(
        [(-150, -75, 75, 60), (-70, -62, 62, 58), (-48, -70, 70, 58), (-25, -115, 115, 62), (0, -150, 150, 74),
         (40, -side - 12, side + 12, deep * 0.85), (90, -side - 6, side + 6, deep), (160, -side, side, deep),
         (tall + 60, -side, side, deep), (tall + 200, -side - 8, side + 8, deep)],
        doublings=2,
    )  # fmt: skip
    away = float(rng.uniform(25, 80))
    bodies = [trunk]
    for sign in (-1, 1):
        drop = float(rng.normal(0, 8))
        shoulder = (sign * (side + 22), 18 + drop)
        bodies.append(Capsule((sign * 90, -20), shoulder, (40, 56)))
        bodies.append(Capsule(shoulder, (sign * (side + 40 + away), 260 + drop), (52, 42)))
    whole = Union(tuple(bodies))
    scene.add(whole, materials.FAT, materials.AIR)
    scene.add(whole.inset(fat), materials.MUSCLE, materials.FAT)
    for sign in (-1, 1):  # breasts or pectoral muscles, above the ribs
        size = float(rng.uniform(1, 14))
        at = (sign * 72 * width + rng.normal(0, 4), tall * 0.85 + rng.normal(0, 8))
        scene.add(Ellipsoid(at, (62, 55, size)), materials.FAT, materials.AIR)


def _add_ribs(scene: Scene, rng: np.random.Generator, width: float, tall: float) -> None:
    """Ten pairs of ribs as tilted rings, their backs higher than their fronts."""
    pitch = tall / float(rng.uniform(8.6, 10.2))
    slope = float(rng.uniform(0.22, 0.42))
    strength = float(rng.uniform(0.7, 1.3))
    for i in range(11):
        top = -4 + i * pitch
        half = 30 + (102 * width + 4) * float(np.clip(0.45 + 0.16 * i, 0, 1.0)) - 2
        drop = slope * float(np.clip(60 + 25 * i, 0, 125)) * _jitter(rng, 0.04)
        thick = float(np.clip(rng.normal(6.4, 0.4), 5.2, 7.6))
        for sign in (-1, 1):
            # from beside the spine round the flank to where the cartilage begins
            begin, finish = -78 + rng.normal(0, 1), (55 if i < 6 else 50 - 18 * (i - 5)) + rng.normal(0, 5)
            arc = (begin, finish) if sign > 0 else (180 - finish, 180 - begin)
            center = (sign * rng.normal(2, 1), top + drop)
            rib = Ring(center, (half, drop, 95), thick, arc, flatness=0.95 * strength)
            scene.add_bone(rib, 1.2, 0.10, texture=0.1)


def _add_bones(scene: Scene, rng: np.random.Generator, width: float, tall: float) -> None:
    """Spine, collar bones, shoulder blades, upper arms."""
    for i in range(20):
        y = -110 + i * 24
        half, shift = 15 + 0.3 * i, rng.normal(0, 0.7)
        body = Profile([(-11, -half, half, 12), (0, 1 - half, half - 1, 12), (10, -half, half, 12)], (shift, y),
                       cap=3.0, doublings=2)  # fmt: skip
        scene.add_bone(body, 1.2, 0.16, texture=0.1)
        scene.add_bone(Capsule((0, y + 6), (0, y + 16), (4, 3)), 1.5, 0.1)
    side = 30 + 110 * width
    tilt = float(rng.normal(-18, 10))
    for sign in (-1, 1):
        lift = tilt + float(rng.normal(0, 4))
        points = [(sign * 16, 42), (sign * 45, 36 + lift * 0.3),
                  (sign * 85, 22 + lift * 0.8), (sign * (side - 4), 12 + lift)]  # fmt: skip
        scene.add_bone(tube(points, (9, 7, 6.5, 8), 0.9), 1.6, 0.12)
        out = float(rng.uniform(-28, 12))
        blade = Profile(
            [(0, -24, 24, 5), (25, -30, 22, 4), (60, -26, 12, 3.5), (110, -15, 0, 3.5), (135, -9, -4, 3)],
            origin=(sign * (side - 14 + out), 12 + lift * 0.3),
            degrees=sign * -12.0,
            cap=4.0,
            doublings=3,
        )
        scene.add_bone(blade, 1.0, 0.08)
        head = (sign * (side + 24), 26 + lift * 0.3)
        arm = Union((Ellipsoid(head, (23, 24, 22)), Capsule(head, (sign * (side + 55), 240), (15, 11))))
        scene.add_bone(arm, 2.4, 0.12)


def chest(rng: np.random.Generator) -> Scene:
    """A chest from behind (PA), hung as radiographs are."""
    scene = Scene()
    width, tall, heart = _jitter(rng, 0.09), 225.0 * _jitter(rng, 0.08), _jitter(rng, 0.12)
    _add_body(scene, rng, width, tall)
    depth = 72.0 * _jitter(rng, 0.08)
    density = materials.LUNG * float(rng.uniform(0.7, 1.35))
    for name, is_left in (("right lung", False), ("left lung", True)):
        outer, inner, base = _borders(rng, width, tall + (4 if is_left else -8), heart, is_left)
        lung = _lung(outer, inner, base, depth, not is_left)
        scene.add(lung, density, materials.MUSCLE, 0.06)
        # the part of the lung behind heart and diaphragm
        behind = [(y, max(8.0, x * 0.45)) for y, x in inner]
        lower = [(x, y + 30) for x, y in base]
        rear = _lung([(y, x - 3) for y, x in outer], behind, lower, depth * 0.12, not is_left)
        scene.add(rear, density, materials.MUSCLE)
        sign = 1 if is_left else -1
        for _ in range(26):  # vessels from the hilum
            angle = rng.uniform(-75, 80)
            start = np.array([sign * (38 + rng.normal(0, 4)), tall * 0.45 + rng.normal(0, 10)])
            reach = rng.uniform(25, 80) * np.array([sign * np.cos(np.radians(angle)), np.sin(np.radians(angle)) * 1.3])
            scene.add(Capsule(tuple(start), tuple(start + reach), (rng.uniform(2, 4), 0.8)), materials.MUSCLE, density)
        scene.labels[name] = [lung]
    windpipe = tube([(0, -90), (1, 0), (2, 50), (2, 78)], (8, 8, 8, 7))
    scene.add(windpipe, materials.AIR, materials.MUSCLE)
    bubble = Ellipsoid((rng.uniform(45, 75), tall + rng.uniform(18, 35)), (rng.uniform(12, 28), rng.uniform(6, 13), 22))
    scene.add(bubble, materials.AIR, materials.MUSCLE)
    _add_ribs(scene, rng, width, tall)
    _add_bones(scene, rng, width, tall)
    scene.metadata.update(tall=tall, width=width)
    return scene
