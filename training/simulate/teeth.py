"""Panoramic dental radiographs: both rows of teeth unrolled on a plane, with jaws, palate, spine and air spaces.

The frame: x = 0 between the front teeth, y = 0 where the rows meet; mm at the detector (magnified about 1.25).
"""

from __future__ import annotations

import numpy as np

from . import materials
from .bodies import Body, Capsule, Ellipsoid, Union, tube
from .legs import _jitter
from .profile import Profile
from .scene import Scene

# width of the crown and length of the whole tooth (mm) from the front tooth to the wisdom tooth, and its roots
_UPPER = [(10.6, 29, 1), (8.4, 28, 1), (9.6, 33, 1), (8.8, 28, 1), (8.4, 28, 1), (12.8, 26, 3), (12.2, 25, 3),
          (11, 22, 2)]
_LOWER = [(6.8, 26, 1), (7.4, 27, 1), (8.6, 31, 1), (8.8, 28, 1), (9.0, 28, 1), (14, 27, 2), (13.4, 26, 2),
          (12.8, 23, 2)]


def _tooth(
    origin: tuple[float, float], degrees: float, width: float, length: float, roots: int, rng: np.random.Generator
) -> tuple[Union, Profile, list[Body]]:
    """(whole tooth, crown, pulp cavities), the biting edge at `origin`, the root pointing along the axis."""
    half, crown = width / 2, min(12.0, 0.42 * length)
    body = [(0, -0.88 * half, 0.88 * half, 3.0), (crown * 0.25, -half, half, 4.4), (crown * 0.6, -half, half, 5.0),
            (crown, -0.88 * half, 0.88 * half, 4.8), (crown * 1.35, -0.80 * half, 0.80 * half, 4.4)]  # fmt: skip
    if roots == 1:
        lean = rng.normal(0, 0.6)
        body += [(length * 0.75, -0.58 * half + lean, 0.58 * half + lean, 3.4),
                 (length, -0.22 * half + 1.5 * lean, 0.22 * half + 1.5 * lean, 1.6)]  # fmt: skip
    cusps = [(-half, 1.2), (-half * 0.5, 0.0), (0, 1.0 if roots > 1 else 0.0), (half * 0.5, 0.0), (half, 1.2)]
    trunk = Profile(body, origin, degrees, start=cusps, cap=2.5)
    parts: list[Body] = [trunk]
    pulps: list[Body] = []
    if roots == 1:
        pulps.append(Profile([(s, a * 0.26, b * 0.26, 0.8) for s, a, b, _ in body[2:-1]], origin, degrees, cap=1.0))
    else:
        pulps.append(Profile([(crown * 0.5, -half * 0.4, half * 0.4, 1.0), (crown * 1.1, -half * 0.4, half * 0.4, 0.9)],
                             origin, degrees, cap=1.0))  # fmt: skip
        for place in np.linspace(-0.48, 0.48, min(roots, 2)) * half:
            spread = place * rng.uniform(1.0, 1.6)
            root = Profile(
                [(crown * 0.9, place - 0.45 * half, place + 0.45 * half, 4.0),
                 (length * 0.7, spread - 0.36 * half, spread + 0.36 * half, 3.2),
                 (length * rng.uniform(0.93, 1.05), spread - 0.16 * half, spread + 0.16 * half, 1.6)],
                origin, degrees, cap=2.0,
            )  # fmt: skip
            parts.append(root)
            pulps.append(
                Profile([(crown, place - 0.5, place + 0.5, 0.6), (length * 0.85, spread - 0.3, spread + 0.3, 0.4)],
                        origin, degrees)
            )  # fmt: skip
    # enamel runs out towards the neck
    shell = [(s, a, b, d * (1.0 - (s / crown) ** 2) + 0.01) for s, a, b, d in body if s <= crown]
    edge = Profile(shell, origin, degrees, start=cusps, cap=1.5)
    return Union(tuple(parts)), edge, pulps


Remaining = dict[tuple[bool, int], int]
"""How many teeth are left from the front on, for (upper, side): all 8 where nothing is said."""


def _add_teeth(scene: Scene, rng: np.random.Generator, bend: float, gap: float, remaining: Remaining) -> None:
    """Both rows, with teeth missing, tilted or filled here and there."""
    missing, filled = float(rng.choice([0.0, 0.04, 0.15])), float(rng.choice([0.0, 0.1, 0.3]))
    braces = rng.random() < 0.06
    wide, tall = _jitter(rng, 0.05), _jitter(rng, 0.05)
    teeth: list[Body] = []
    for sign in (-1, 1):
        for upper in (True, False):
            x = 0.0
            for i, (width, length, roots) in enumerate(_UPPER if upper else _LOWER):
                width, length = width * wide * _jitter(rng, 0.04), length * tall * _jitter(rng, 0.06)
                middle, x = x + width / 2, x + width * 0.99
                if rng.random() < (0.45 if i == 7 else missing) or i >= remaining.get((upper, sign), 8):
                    continue
                tilt = rng.normal(0, 3)
                if upper:
                    tilt += sign * (2 + 0.9 * i)
                else:  # lower roots lean outwards, wisdom teeth lie down
                    tilt += -sign * (1 + 2.2 * i + (rng.uniform(0, 40) if i == 7 else 0))
                    tilt += 180
                y = bend * (1 - 2 * (middle / 85) ** 2) + (-gap if upper else gap) / 2 + rng.normal(0, 0.8)
                if i == 7:
                    y += (-3 if upper else 3) + rng.normal(0, 2)
                origin, turn = (sign * middle, y), tilt + 180
                tooth, crown, pulps = _tooth(origin, turn, width, length, roots, rng)
                scene.add(tooth, materials.DENTIN, materials.spongiosa(0.3))
                scene.add(crown, materials.ENAMEL, materials.DENTIN)
                scene.add(crown.inset(1.4), materials.DENTIN, materials.ENAMEL)
                for pulp in pulps:
                    scene.add(pulp, materials.WATER, materials.DENTIN)
                teeth.append(tooth)
                if rng.random() < filled:
                    down = np.array([-np.sin(np.radians(turn)), np.cos(np.radians(turn))])
                    at = np.array(origin) + down * rng.uniform(2, 6)
                    size = (width * rng.uniform(0.12, 0.4), rng.uniform(1.2, 4.0), 2.0)
                    scene.add(Ellipsoid(tuple(at), size, turn), materials.METAL)
                    if roots == 1 and rng.random() < 0.3:  # filled root canal
                        end = np.array(origin) + down * length * 0.9
                        scene.add(Capsule(tuple(at), tuple(end), (0.9, 0.5)), 0.25)
                if braces and i < 7:
                    at = (origin[0], origin[1] + (-5 if upper else 5))
                    scene.add(Capsule((at[0] - 2, at[1]), (at[0] + 2, at[1]), (1.8, 1.8)), materials.METAL)
    scene.labels["teeth"] = teeth


def _add_jaws(scene: Scene, rng: np.random.Generator, bend: float) -> None:
    """Lower jaw with its rami, upper jaw, palate, nose and sinuses."""
    chin, flare = float(rng.uniform(54, 66)), float(rng.uniform(108, 122))
    lower = [(-140, -20), (-flare - 12, -12), (-flare, 8), (-90, chin - 24), (-60, chin - 9), (-25, chin), (25, chin),
             (60, chin - 9), (90, chin - 24), (flare, 8), (flare + 12, -12), (140, -20)]  # fmt: skip
    ridge = bend + 14
    upper = [(-140, -40), (-122, -60), (-112, -46), (-106, -62), (-98, -20), (-88, 2),
             (-70, ridge - 9), (-30, ridge - 1), (30, ridge - 1), (70, ridge - 9), (88, 2), (98, -20), (106, -62),
             (112, -46), (122, -60), (140, -40)]  # fmt: skip
    upper = [(u, s + rng.normal(0, 1.5)) for u, s in upper]
    jaw = Profile([(-75, -128, 128, 7), (80, -128, 128, 7)], start=upper, end=lower, cap=5.0, doublings=3)
    scene.add_bone(jaw, 1.0, float(rng.uniform(0.2, 0.32)), end_wall=1.0, texture=0.12)
    rim = [(u, s - 3.5) for u, s in lower[2:-2]]
    scene.add(tube(rim, [1.5] + [2.6] * (len(rim) - 2) + [1.5], 2.0), materials.CORTEX, materials.spongiosa(0.3))
    for sign in (-1, 1):  # nerve canal
        points = [(sign * 100, -10), (sign * 90, 18), (sign * 65, chin - 24), (sign * 42, chin - 26)]
        scene.add(tube(points, (2.2, 2, 2, 2)), materials.MARROW, materials.spongiosa(0.3))
    above = [(-95, -52), (-50, -44), (0, -40), (50, -44), (95, -52)]
    below = [(-95, -26), (-80, -16), (-40, bend - 13), (40, bend - 13), (80, -16), (95, -26)]
    socket = Profile([(-62, -92, 92, 6), (10, -86, 86, 6)], start=above, end=below, cap=5.0, doublings=3)
    scene.add_bone(socket, 0.9, float(rng.uniform(0.18, 0.3)), end_wall=0.9, texture=0.12)
    arch = float(rng.normal(-46, 4))
    palate = [(-92, arch + 6), (-50, arch - 1), (0, arch - 4), (50, arch - 1), (92, arch + 6)]
    scene.add(tube(palate, (2, 2.5, 3, 2.5, 2)), materials.spongiosa(0.6))
    for sign in (-1, 1):
        scene.add(Ellipsoid((sign * rng.uniform(45, 55), -60), (30, 16, float(rng.uniform(2, 9)))), materials.AIR)
        scene.add(Ellipsoid((sign * 10, -64), (7, 17, float(rng.uniform(3, 9)))), materials.AIR)
        cheek = [(sign * 135, -66), (sign * 105, -62), (sign * 80, -58), (sign * 70, -42), (sign * 68, -30)]
        scene.add(tube(cheek, (8, 6, 4, 3, 2)), materials.spongiosa(0.35))
        scene.add(tube([(sign * 128, 52), (sign * 112, 58), (sign * 98, 66)], (5, 4, 4)), materials.spongiosa(0.3))
    scene.add(Capsule((0, -85), (0, -46), (1.5, 1.5), 3.0), materials.CORTEX)


def few_teeth(rng: np.random.Generator) -> Scene:
    """A panoramic radiograph of jaws that have lost most of their teeth, the upper ones first, as jaws do."""
    none_above = rng.random() < 0.7
    remaining = {(upper, sign): int(rng.integers(1, 6)) for upper in (True, False) for sign in (-1, 1)}
    if none_above:
        remaining[True, -1] = remaining[True, 1] = 0
    elif rng.random() < 0.5:
        remaining[False, -1] = remaining[False, 1] = 0
    return teeth(rng, remaining)


def teeth(rng: np.random.Generator, remaining: Remaining | None = None) -> Scene:
    """A panoramic radiograph of the teeth, of all of them or of those that `remaining` leaves."""
    scene = Scene()
    bend, gap = float(rng.uniform(1, 8)), float(rng.uniform(2.0, 8.0))
    chin = float(rng.uniform(66, 84))
    deep = float(rng.uniform(34, 46))
    jowl = [(-170, chin - 50), (-110, chin - 18), (-50, chin), (50, chin), (110, chin - 18), (170, chin - 50)]
    face = Profile([(-140, -175, 175, deep), (chin + 25, -160, 160, deep * 0.8)], end=jowl, cap=20.0, doublings=2)
    scene.add(face, materials.MUSCLE, materials.AIR)
    # the spine, out of focus: a broad pale column in the middle
    ghost = float(rng.uniform(2, 16))
    spine = [(-130, -24, 24, ghost * 0.4), (10, -22, 22, ghost * 0.5), (50, -24, 24, ghost), (120, -28, 28, ghost)]
    scene.add(Profile(spine), materials.spongiosa(0.3))
    air = float(rng.uniform(2, 12))
    scene.add(Ellipsoid((rng.normal(0, 4), -34 + rng.normal(0, 3)), (rng.uniform(60, 85), 9, air)), materials.AIR)
    lips = [(-85, -bend), (-45, bend * 0.4), (0, bend), (45, bend * 0.4), (85, -bend)]
    scene.add(tube(lips, [gap * 0.25] + [gap * 0.55 + 0.6] * 3 + [gap * 0.25], 1.6), materials.AIR)
    for sign in (-1, 1):
        points = [(sign * 105, -75), (sign * 98, -30), (sign * 92, 5), (sign * 80, 30)]
        scene.add(tube(points, (9, 8, 7, 5), air / 12), materials.AIR)
    _add_jaws(scene, rng, bend)
    _add_teeth(scene, rng, bend, gap, remaining or {})
    return scene
