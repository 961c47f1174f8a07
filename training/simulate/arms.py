"""Forearm and hand of the right arm: the forearm from the front, the hand from the back."""

from __future__ import annotations

import numpy as np

from . import materials
from .bodies import Body, Capsule, Ellipsoid, Union
from .legs import _jitter
from .profile import Profile
from .scene import Scene

# per digit, thumb first: place of the base (mm), direction (degrees) and lengths of metacarpal and phalanges (mm)
_DIGITS = (
    ((-22, -2), -38, (46, 32, 23)),
    ((-14, -8), -9, (66, 40, 25, 18)),
    ((-4, -10), -1, (63, 44, 29, 19)),
    ((6, -8), 6, (57, 41, 27, 19)),
    ((15, -4), 14, (53, 33, 20, 17)),
)


def _long_bone(
    start: np.ndarray, degrees: float, length: float, width: float, rng: np.random.Generator
) -> tuple[Profile, np.ndarray]:
    """A bone with a waist, `length` mm long from `start` in the direction `degrees` (0: up); and where it ends."""
    half = width / 2 * _jitter(rng, 0.06)
    rows = [(0, -0.85, 0.85), (0.08, -1, 1), (0.3, -0.68, 0.68), (0.6, -0.58, 0.58), (0.85, -0.85, 0.85),
            (1, -0.7, 0.7)]  # fmt: skip
    stations = [(s * length, a * half, b * half, 0.8 * max(b, 0.6) * half) for s, a, b in rows]
    bone = Profile(stations, tuple(start), degrees + 180.0, cap=0.5 * half)
    direction = np.array([np.sin(np.radians(degrees)), -np.cos(np.radians(degrees))])
    return bone, start + length * direction


def hand(rng: np.random.Generator) -> Scene:
    """A hand; the wrist is at y = 0, the fingers point up."""
    scene = Scene()
    scale, spread = _jitter(rng, 0.08), float(rng.uniform(0.7, 1.6))
    bones: dict[str, list[Body]] = {"phalanges": [], "metacarpals": []}
    flesh: list[Body] = [Ellipsoid((-2 * scale, -38 * scale), (43 * scale, 52 * scale, 14 * scale)),
                         Capsule((0, 10), (0, 150), (27 * scale, 31 * scale), 0.5)]  # fmt: skip
    for digit, (base, degrees, lengths) in enumerate(_DIGITS):
        start = np.array(base, float) * scale
        turn = degrees * (spread if digit else 1.0) + rng.normal(0, 2)
        width = (13.5, 14.5, 14.5, 13, 12.5)[digit] * scale
        thick = (10.5, 10, 10, 9.5, 8.5)[digit] * scale * _jitter(rng, 0.05)
        first = start
        for joint, length in enumerate(lengths):
            length = length * scale * _jitter(rng, 0.04)
            size = width * (1.0, 0.92, 0.78, 0.62)[joint]
            bone, end = _long_bone(start, turn, length, size, rng)
            bones["metacarpals" if joint == 0 else "phalanges"].append(bone)
            direction = (end - start) / length
            start = end + direction * 1.8 * scale
            turn += rng.normal(0, 2.5) + (4 if digit == 0 else 0)
            flesh.append(Capsule(tuple(first), tuple(end + direction * 2), (thick, thick * 0.88), 0.9))
            first = end
    skin = Union(tuple(flesh))
    scene.add(skin, materials.FAT, materials.AIR)
    scene.add(skin.inset(2.0), materials.MUSCLE, materials.FAT)
    for x, y in ((-15, 8), (-5, 2), (5, 3), (14, 7), (-11, 18), (0, 14), (10, 17)):
        at = (x * scale + rng.normal(0, 0.7), y * scale + rng.normal(0, 0.7))
        scene.add_bone(Ellipsoid(at, (7.5 * scale, 6.5 * scale, 7)), 0.9, 0.25)
    for x, half in ((-12, 14), (14, 8)):
        shaft = Profile([(0, -half, half, 9), (25, -half * 0.7, half * 0.7, 8), (120, -6.5, 6.5, 6.5)],
                        (x * scale, 26 * scale), cap=3.0)  # fmt: skip
        scene.add_bone(shaft, [(0, 1.0), (25, 1.5), (60, 2.6)], [(0, 0.25), (40, 0.05)])
    for name in ("metacarpals", "phalanges"):
        for bone in bones[name]:
            length = bone.stations[-1][0]
            wall = [(0, 0.7), (length * 0.25, 1.6 * scale), (length * 0.7, 1.8 * scale), (length, 0.7)]
            scene.add_bone(bone, wall, 0.16, end_wall=0.8)
        scene.labels[name] = bones[name]
    scene.metadata["scale"] = scale
    return scene


def forearm(rng: np.random.Generator) -> Scene:
    """A forearm; the wrist is at y = 0, the elbow above; the radius on the image's left."""
    scene = Scene()
    scale = _jitter(rng, 0.07)
    length, bulk = 235.0 * scale * _jitter(rng, 0.04), _jitter(rng, 0.12)
    outline = [(-length - 90, -45, 45, 42), (-length, -50, 48, 42), (-length * 0.75, -50, 47, 42),
               (-length * 0.35, -36, 35, 30),
               (-20, -29, 28, 20), (30, -36, 34, 18), (90, -42, 42, 16)]  # fmt: skip
    skin = Profile([(s, a * scale * bulk, b * scale * bulk, d * scale * bulk) for s, a, b, d in outline])
    scene.add(skin, materials.FAT, materials.AIR)
    scene.add(skin.inset(float(rng.uniform(3, 8))), materials.MUSCLE, materials.FAT)
    bow, gap = float(rng.uniform(2, 7)) * scale, float(rng.normal(0, 1.5))
    radius = [
        (-length + 12, -22, -2, 9), (-length + 20, -22, -2, 10), (-length + 32, -18, -4, 7),
        (-length + 45, -17, -1, 8), (-length * 0.6, -19 - bow, -6 - bow, 6.5),
        (-length * 0.3, -20 - bow, -6 - bow, 6.5),
        (-35, -23, -4, 8), (-15, -28, 3, 10), (-4, -29, 4, 10), (4, -29, 4, 9),
    ]  # fmt: skip
    ulna = [
        (-length - 18, 4, 22, 10), (-length - 6, 2, 26, 13), (-length + 12, -2, 24, 12), (-length + 35, 4, 21, 9),
        (-length * 0.6, 6, 19, 6.5), (-length * 0.3, 8, 19, 6), (-30, 9, 19, 5.5), (-10, 8, 22, 7), (-4, 8, 22, 6),
    ]  # fmt: skip
    thin = [(-length - 20, 1.0), (-length + 25, 1.0), (-length + 70, 3.2), (-50, 2.8), (-15, 1.0), (5, 0.9)]
    filling = [(-length - 20, 0.24), (-length + 20, 0.22), (-length + 60, 0.04), (-50, 0.05), (-15, 0.22), (5, 0.26)]
    end = [(-31, 6), (-26, 2.5), (-14, -1), (0, -2), (5, 0)]
    bodies = {
        "radius": Profile([(s, a * scale + gap, b * scale + gap, d) for s, a, b, d in radius], cap=3.0,
                          end=[(u * scale + gap, s) for u, s in end]),
        "ulna": Profile([(s, a * scale, b * scale, d) for s, a, b, d in ulna], cap=4.0),
    }  # fmt: skip
    for name, body in bodies.items():
        scene.add_bone(body, thin, filling, end_wall=0.9)
        scene.labels[name] = [body]
    elbow = Profile([(-length - 95, -11, 11, 10), (-length - 40, -15, 16, 10), (-length - 15, -28, 31, 9),
                     (-length + 8, -25, 24, 9)],
                    end=[(-28, -length - 4), (-15, -length + 9), (0, -length + 2), (14, -length + 8),
                         (28, -length - 8)], cap=4.0)  # fmt: skip
    scene.add_bone(elbow, [(-length - 95, 3.5), (-length - 40, 2.0), (-length + 8, 1.0)], 0.15)
    for x, y in ((-20, 12), (-9, 10), (3, 11), (13, 12), (-19, 25), (-8, 25), (4, 24), (14, 25)):
        scene.add_bone(Ellipsoid((x * scale, y * scale), (7, 7.5, 7)), 0.9, 0.25)
    for i in range(5):
        tip = ((-48, -24, -8, 8, 23)[i] * scale, (70, 95, 96, 92, 86)[i])
        scene.add_bone(Capsule(((-24, -13, -5, 5, 13)[i] * scale, 35 * scale), tip, (6, 5)), 1.6, 0.1)
    scene.metadata["length"] = length
    return scene
