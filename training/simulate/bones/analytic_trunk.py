"""Spine, rib cage and skull by formula; mm of a grown person (x to the left, y back, z up)."""

from __future__ import annotations

import numpy as np

from .analytic_lower import LEFT, about
from .analytic_shapes import ball, beyond, bone, limb, meshed, rod, string
from .parts import Joint, Part
from .skeleton import affine
from .surface import Surface

LEVELS = ([f"L{number}" for number in range(5, 0, -1)] + [f"T{number}" for number in range(12, 0, -1)]
          + [f"C{number}" for number in range(7, 0, -1)])  # fmt: skip
"""From below."""
CURVE = {0: (0.0, 6.0), 90: (-20.0, -3.0), 175: (-4.0, -9.0), 300: (26.0, -2.0), 420: (12.0, 13.0), 470: (0.0, 14.0),
         540: (-12.0, 2.0), 600: (-12.0, -4.0)}  # fmt: skip
"""Height: how far back the bodies' middles lie there (mm), and how far they are tipped forwards (degrees)."""


def sizes(number: int) -> tuple[float, float, float, float]:
    """Height, half width and half depth of a body, and the disc above it, of a vertebra from below."""
    if number < 5:
        return 27.0, 24.5 - 0.8 * number, 17.0, 10.0
    if number < 17:
        share = (number - 5) / 11
        return 25.5 - 8.0 * share, 20.5 - 6.0 * share, 16.0 - 6.0 * share, 6.5 - 2.5 * share
    return 13.5, 10.5, 8.5, 4.5


def trunk(child: bool) -> Part:
    """Vertebrae, ribs, sternum and skull; the origin is the middle of the lumbosacral disc."""
    shapes = {"L": _vertebra(21.5, 16.0, 27.0, "L"), "T": _vertebra(16, 13, 22, "T"),
              "C": _vertebra(10.5, 8.5, 13.5, "C"),
              "C1": _atlas()}  # fmt: skip
    bones, height, places = [], 6.0, {}
    for number, name in enumerate(LEVELS):
        tall, wide, deep, disc = sizes(number)
        middle = height + tall / 2
        back = float(np.interp(middle, list(CURVE), [value[0] for value in CURVE.values()]))
        tip = float(np.interp(middle, list(CURVE), [value[1] for value in CURVE.values()]))
        kind = name if name in shapes else name[0]
        base = {"L": (21.5, 16.0, 27.0), "T": (16.0, 13.0, 22.0)}.get(kind, (10.5, 8.5, 13.5))
        linear = about(LEFT, tip) @ np.diag([wide / base[0], deep / base[1], tall / base[2]])
        places[name] = np.array([0.0, back, middle])
        bones.append(bone(name, "vertebra", shapes[kind].moved(affine(linear, places[name])), 0.7))
        height += tall + disc
    chest = []
    for number in range(1, 13):
        place = places[f"T{number}"]
        for side, word in ((-1, "R"), (1, "L")):
            chest.append(bone(f"rib {number} {word}", "rib", _rib(number, place, side), 1.0))
    sternum = meshed(_sternum(places["T3"][2], places["T10"][2]), 2.4)
    top = places["C1"] + (0, -4, 14)
    skull, jaw = _skull(top)
    bones += [*chest, bone("sternum", "sternum", sternum, 1.0), bone("skull", "skull", skull, 2.0),
              bone("jaw", "skull", jaw, 2.5)]
    joints = {
        "sternoclavicular": Joint((-20.0, -54.0, float(places["T3"][2] + 14)), (0.0, 1.0, 0.0)),
        "neck": Joint(tuple(map(float, (places["T1"] + places["C7"]) / 2)), LEFT,
                      tuple(name for name in LEVELS if name[0] == "C") + ("skull", "jaw")),
    }  # fmt: skip
    return Part("trunk", "analytic", tuple(bones), joints, 52.0, {"sternoclavicular": 270.0})


def _vertebra(wide: float, deep: float, tall: float, kind: str) -> Surface:
    """A vertebra with its body's middle at the origin."""
    half = tall / 2
    flat = (LEFT, wide / deep)
    bodies = [limb((0, 0, half - 3), (0, 0, -half + 3), deep, deep, flat, 1.0),
              beyond((0, 0, half), (0, 0, 1), 90, 2.0), beyond((0, 0, -half), (0, 0, -1), 90, 2.0)]  # fmt: skip
    for side in (-1, 1):  # the waist
        bodies.append(ball((side * (wide + 0.42 * half), -2, 0), (0.62 * half, deep, 0.72 * half), blend=2, cut=True))
    back = deep + {"L": 20.0, "T": 16.0, "C": 14.0}[kind]
    arch = {"L": 11.0, "T": 8.5, "C": 10.5}[kind]
    for side in (-1, 1):
        bodies += [limb((side * arch, deep - 4, 0.2 * half), (side * (arch + 2), back - 8, 0.1 * half), 0.24 * tall,
                        0.2 * tall),
                   limb((side * (arch + 2), back - 7, 0.35 * half), (side * (arch + 1), back - 2, -1.25 * half),
                        0.2 * tall,
                        0.2 * tall, (LEFT, 0.9)),
                   limb((side * (arch + 3), back - 8, 0.4 * half), (side * (arch + 3.5), back - 6, 1.3 * half),
                        0.18 * tall,
                        0.16 * tall),
                   limb((side * arch, back - 5, 0), (0, back + 3, -0.3 * half), 0.18 * tall, 0.16 * tall,
                        ((0, 0, 1), 1.4))]  # fmt: skip
        tip = {"L": (44, back - 9, 2), "T": (31, back + 2, 5), "C": (25, 4, -3)}[kind]
        root = (side * (arch + 2), back - 8, 1) if kind != "C" else (side * 10, 5, 0)
        bodies.append(limb(root, (side * tip[0], tip[1], tip[2]), 0.17 * tall, 0.15 * tall))
    if kind == "L":
        bodies.append(limb((0, back + 3, -6), (0, back + 26, -9), 4, 4, ((0, 0, 1), 2.6)))
    elif kind == "T":
        bodies.append(limb((0, back + 2, -5), (0, back + 22, -30), 3.2, 3.2, ((0, 0, 1), 1.5)))
    else:
        bodies.append(limb((0, back + 2, -2), (0, back + 18, -8), 3, 3.5))
    return meshed(bodies, 2.4 if kind != "C" else 1.9)


def _atlas() -> Surface:
    """The first one: a ring."""
    ring = [(11 * np.sin(a) * 1.4, 8 - 17 * np.cos(a), 0) for a in np.linspace(0.15, 2 * np.pi - 0.15, 12)]
    bodies = string([*ring, ring[0]], [4] * 13, 2)
    for side in (-1, 1):
        bodies += [ball((side * 17, 2, 1), (8, 10, 8)), limb((side * 20, 4, 0), (side * 36, 6, -1), 5, 4)]
    return meshed(bodies, 1.8)


def _rib(number: int, place: np.ndarray, side: int) -> Surface:
    """A rib from its vertebra to where its cartilage begins."""
    size = np.interp(number, [1, 2, 4, 7, 9, 12], [0.42, 0.62, 0.86, 1.0, 1.0, 0.82])
    wide, deep = 134.0 * size, 92.0 * min(1.05, size + 0.06)
    end = np.interp(number, [1, 7, 10, 11, 12], [2.65, 2.5, 2.2, 1.6, 1.15])  # radians around from behind
    drop = np.interp(number, [1, 3, 8, 12], [34.0, 62.0, 95.0, 80.0])
    at = np.linspace(0.0, end, 15)
    x = 20 + (wide - 20) * np.where(at < np.pi / 2, np.sin(at), 0.16 + 0.84 * np.sin(at) ** 0.85)
    x = np.where(at < 0.01, 19.0, x)
    y = place[1] + 12 + 34 * np.clip(np.sin(2.0 * at), 0, None) * (at < 1.57) * size - deep * (1 - np.cos(at))
    z = place[2] + 4 - drop * (at / 2.6) ** 1.15 + 7 * np.sin(2 * at)
    path = np.stack([side * x, y, z], 1)
    radii = [(3.2 + 1.6 * np.sin(np.pi * share) ** 0.5, 5.0 + 1.8 * np.sin(np.pi * share) ** 0.5) for share in at / end]
    radii = [(b, a) if number == 1 else (a, b) for a, b in radii]
    inward = np.array([-side, 0.0, 0.0]) + np.array([0, 0.9, 0])
    return _ribbon(path, radii, place + (0, -deep, 0), inward)


def _ribbon(path: np.ndarray, radii: list, middle: np.ndarray, across: np.ndarray) -> Surface:
    """A rod whose thin side always looks at a vertical axis through `middle`."""
    straight = rod(path, [(1.0, 1.0)] * len(path), across, 0.0, 40)
    rings = straight.vertices[:-2].reshape(40, -1, 3).astype(float)
    centre = rings.mean(1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centre, axis=0), axis=1))])
    along = np.gradient(centre, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    out = centre - middle
    out[:, 2] = 0.0
    out -= along * np.einsum("ij,ij->i", out, along)[:, None]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    up = np.cross(along, out)
    width = np.stack([np.interp(length, np.linspace(0, length[-1], len(radii)), [r[n] for r in radii]) for n in (0,
                                                                                                                 1)], 1)
    width[[0, -1]] *= 0.5
    angle = np.arange(rings.shape[1]) * (2 * np.pi / rings.shape[1])
    placed = (centre[:, None] + width[:, :1, None] * np.cos(angle)[None, :, None] * out[:, None]
              + width[:, 1:, None] * np.sin(angle)[None, :, None] * up[:, None])  # fmt: skip
    vertices = np.concatenate([placed.reshape(-1, 3), centre[:1], centre[-1:]]).astype(np.float32)
    found = Surface(vertices, straight.faces)
    return found if found.volume > 0 else Surface(vertices, found.faces[:, ::-1].copy())


def _sternum(top: float, bottom: float) -> list:
    bodies = [limb((-12, -62, top + 6), (12, -62, top + 6), 11, 11, ((0, 1, 0), 0.5)),
              limb((0, -63, top + 2), (0, -72, top - 34), 19, 12, ((0, 1, 0), 0.35), 6)]  # fmt: skip
    bodies += string([(0, -75, top - 44), (0, -92, top - 90), (0, -102, bottom), (0, -103, bottom - 24)],
                     [13, 17, 15, 6],
                     flat=((0, 1, 0), 0.36))  # fmt: skip
    return bodies


def _skull(neck: np.ndarray) -> tuple[Surface, Surface]:
    """The skull around its hollow, and the jaw, on top of a neck."""
    middle = neck + (0, -12, 82)
    bodies = [ball(middle, (74, 91, 78)), ball(neck + (0, -62, 34), (52, 34, 48), blend=14),
              ball(neck + (0, -8, 14), (52, 45, 16), blend=12),
              limb(neck + (-62, -38, 34), neck + (62, -38, 34), 9, 9, blend=6),
              ball(middle, (67.5, 84.5, 71), blend=3, cut=True)]  # fmt: skip
    for side in (-1, 1):
        bodies += [ball(neck + (side * 32, -86, 50), (19, 26, 17), blend=3, cut=True),
                   ball(neck + (side * 27, -64, 22), (14, 16, 15), blend=3, cut=True)]  # fmt: skip
    bodies += [ball(neck + (0, -84, 30), (12, 26, 20), blend=3, cut=True),
               ball(neck + (0, -88, 76), (24, 6, 12), blend=2, cut=True)]  # fmt: skip
    jaw = string([neck + (-48, -22, 16), neck + (-46, -30, -14), neck + (-38, -54, -28), neck + (-20, -82, -34),
                  neck + (0, -90, -35)], [6, 9, 10, 10, 11], flat=((0, 0, 1), 1.25))  # fmt: skip
    jaw += string([neck + (0, -90, -35), neck + (20, -82, -34), neck + (38, -54, -28), neck + (46, -30, -14),
                   neck + (48, -22, 16)], [11, 10, 10, 9, 6], flat=((0, 0, 1), 1.25))  # fmt: skip
    return meshed(bodies, 3.2), meshed(jaw, 2.6)

