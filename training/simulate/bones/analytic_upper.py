"""Shoulder, upper arm, forearm and hand by formula; mm of a grown person, right side (x to the left, y back, z up)."""

from __future__ import annotations

import numpy as np

from .analytic_lower import LEFT, PLATE, about
from .analytic_shapes import ball, beyond, bone, gap, limb, meshed, plate, rod, string
from .parts import Joint, Part
from .surface import Surface, joined

RIGHT = (-1.0, 0.0, 0.0)
"""Axis about which what hangs turns forwards."""


def shoulder(child: bool) -> Part:
    """Clavicle and scapula; the origin is the clavicle's inner end."""
    head = np.array([-142.0, 62.0, -14.0])
    clavicle = rod([(2, 0, 0), (-18, -5, 2), (-50, -10, 7), (-85, 12, 14), (-112, 36, 18), (-136, 44, 18)],
                   [(9, 10), (7.5, 7), (6, 5.5), (6, 5.5), (7.5, 5.5), (9, 5.5)], (0, 1, 0.2), 0.8, 34)  # fmt: skip
    glenoid, upper, lower = head + [26, 10, 0], np.array([-50, 116, 24]), np.array([-68, 132, -120])
    inner, end = np.array([-42, 126, -8]), head + [-12, 6, 36]
    bodies = [plate(upper, inner, glenoid, 3.6, 5), plate(inner, lower, glenoid, 3.6, 5),
              plate(lower, glenoid, glenoid + [2, 6, -18], 5, 4), limb(upper, inner, 3.6, 3.2),
              limb(inner, lower, 3.2, 5),
              limb(lower, glenoid + [4, 6, -18], 6.5, 7.5, blend=4),
              limb(upper, glenoid + [14, 6, 18], 3, 4)]  # fmt: skip
    bodies += [ball(glenoid + [-1, -1, 0], (8, 13, 19), about((0, 0, 1), 20), 5),
               limb(glenoid + [4, 4, 0], glenoid + [20, 14, 0], 12, 8, ((0, 0, 1), 1.3), 7),
               ball(head, 27.5, blend=2, cut=True)]  # fmt: skip
    bodies += [plate(inner + [2, 6, -4], glenoid + [12, 16, 8], end + [6, 10, -2], 5, 4)]
    bodies += string([inner + [4, 8, -2], (-100, 134, 8), (-132, 112, 22), end + [0, 4, 0], end + [6, -22, 2]],
                     [5, 6, 6.5, 8.5, 7], flat=((0, 0, 1), 0.7))  # fmt: skip
    bodies += string([glenoid + [6, 0, 17], head + [24, -10, 28], head + [16, -30, 22], head + [4, -38, 16]],
                     [9, 8, 6.5, 6])  # fmt: skip
    bones = (bone("clavicle", "clavicle", clavicle, 1.2, 2.4),
             bone("scapula", "scapula", meshed(bodies, (1.9, 1.9, 2.2)), 1.1))  # fmt: skip
    joints = {"glenohumeral": Joint(tuple(head), RIGHT),
              "scapula": Joint(tuple(map(float, end)), (0.0, 1.0, 0.0), ("scapula",))}  # fmt: skip
    return Part("shoulder", "analytic", bones, joints, 270.0, {"glenohumeral": 46.0})


def upper_arm(child: bool) -> Part:
    """A humerus; the elbow lies 300 mm below the head's centre."""
    low = -300.0
    bodies = [ball((0, 0, 0), 23.0), limb((-4, -1, -4), (-20, -3, -24), 19, 17, blend=6),
              ball((-27, -4, -2), (12, 16, 17), blend=7), ball((-14, -17, -10), (9, 8, 12), blend=6)]  # fmt: skip
    bodies += string([(-19, -3, -18), (-18, -2, -52), (-16, 0, -110), (-10, 1, -180), (-4, 1, -240), (-1, 0, -272)],
                     [17, 12.5, 11, 10, 10, 11])  # fmt: skip
    bodies += [plate((-1, 0, low + 62), (24, 3, low + 14), (-25, 1, low + 14), 11, 7),
               ball((30, 6, low + 12), (10, 7, 11), blend=6),
               ball((-26, 3, low + 14), (6, 7, 12), blend=6)]  # fmt: skip
    bodies += [limb((2, 0, low + 2), (12, 0, low + 1), 9.5, 11, blend=4),
               limb((12, 0, low + 1), (20, 0, low - 1), 11, 14, blend=2),
               ball((-13, -3, low + 1), (11, 11.5, 11.5), blend=3),
               ball((8, 15, low + 22), (11, 12.5, 10), blend=2, cut=True),
               ball((6, -13, low + 20), (10, 10, 8), blend=2, cut=True)]  # fmt: skip
    if child:
        bodies += [gap((-10, 0, -15), (0.25, 0, 1), PLATE, 45), gap((0, 0, low + 10), (0, 0, 1), PLATE, 42)]
    surface = meshed(bodies, (1.9, 1.9, 2.8))
    return Part("upper arm", "analytic", (bone("humerus", "humerus", surface, 1.0, 4.2),),
                {"elbow": Joint((0.0, 0.0, low), RIGHT)}, 46.0, {"elbow": 58.0})  # fmt: skip


def forearm(child: bool) -> Part:
    """Radius and ulna, the palm forward."""
    radius = [limb((-13, -3, -16), (-13, -3, -23), 10.8, 10.8, blend=1), beyond((-13, -3, -14), (0, 0, 1), 60, 1.5),
              limb((-13, -3, -24), (-11, -2, -40), 7.6, 7, blend=3),
              ball((-6, 0, -47), (6.5, 7, 11), blend=5)]  # fmt: skip
    radius += string([(-11, -2, -36), (-13, 0, -65), (-20, 2, -120), (-20, 2, -175), (-13, 0, -215), (-9, -1, -236)],
                     [7, 6.6, 7.2, 7, 9, 11.5])  # fmt: skip
    radius += [ball((-9, -1, -238), (17.5, 11.5, 12), blend=5), limb((-20, -1, -240), (-23, -1, -254), 7.5, 4, blend=4),
               ball((-6, 0, -262), (17, 30, 15.5), blend=1.5, cut=True),
               beyond((0, 0, -256), (0, 0, -1), 60, 1)]  # fmt: skip
    ulna = [limb((10, 14, 8), (11, 17, -18), 12, 11.5, (LEFT, 0.85)), ball((10, 6, 9), (9, 8, 6), blend=5),
            ball((11, -8, -18), (9.5, 9, 6.5), blend=5), limb((10, 8, -20), (11, 6, -50), 12, 8, blend=6),
            limb((-6, 0, 0), (28, 0, 0), 15.2, 15.2, blend=1.5, cut=True)]  # fmt: skip
    ulna += string([(11, 7, -42), (13, 7, -90), (15, 6, -150), (17, 4, -205), (18, 3, -232), (17.5, 3, -243)],
                   [8.2, 7, 6.2, 5, 5.5, 7.6])  # fmt: skip
    ulna += [limb((20, 6, -242), (21, 8, -252), 3.5, 2.2, blend=3)]
    if child:
        radius += [gap((0, 0, -230), (0, 0, 1), PLATE, 32), gap((-13, -3, -25), (0, 0, 1), PLATE * 0.8, 14)]
        ulna += [gap((18, 3, -234), (0, 0, 1), PLATE, 14)]
    bones = (bone("radius", "radius", meshed(radius, (1.5, 1.5, 2.2)), 0.9, 2.9),
             bone("ulna", "ulna", meshed(ulna, (1.5, 1.5, 2.2)), 0.9, 2.8))  # fmt: skip
    top, bottom = np.array([-13.0, -3.0, -16.0]), np.array([17.5, 3.0, -243.0])
    axis = (top - bottom) / np.linalg.norm(top - bottom)
    joints = {"wrist": Joint((-4.0, 0.0, -272.0), RIGHT),
              "pronation": Joint(tuple(top), tuple(map(float, axis)), ("radius",))}  # fmt: skip
    return Part("forearm", "analytic", bones, joints, 58.0, {"wrist": 56.0})


CARPALS = {
    "scaphoid": [ball((-13, 0, 13), (8, 7.5, 9), about((0, 1, 0), 25)), ball((-17, -3, 2), (6.5, 6.5, 8.5), blend=4)],
    "lunate": [ball((0, 0, 16), (8, 8.5, 7.5)), ball((1, 0, 5), (6.5, 20, 6.5), blend=2, cut=True)],
    "triquetrum": [ball((13, 3, 9), (7, 7.5, 8), about((0, 1, 0), -35))],
    "pisiform": [ball((16, -10, 8), (5, 4.5, 6))],
    "trapezium": [ball((-21, -5, -10), (7, 8, 8), about((0, 1, 0), 30))],
    "trapezoid": [ball((-11.5, 1, -12), (5.5, 7.5, 7))],
    "capitate": [ball((-0.5, 0, 2), (6.3, 7, 7)), ball((-1, 1, -9), (7, 8.5, 9), blend=5)],
    "hamate": [ball((11, 1, -9), (8.5, 7.5, 8.5)), ball((9, 1, 0), (4.5, 5.5, 7), about((0, 1, 0), -20), 4),
               limb((12, -6, -11), (11, -13, -12), 4, 3, blend=3)],
}  # fmt: skip
METACARPALS = {1: ((-26, -8, -20), 44, 7.2), 2: ((-14, 1, -21), 65, 6.6), 3: ((-2, 1, -20), 63, 6.4),
               4: ((8, 2, -19), 56, 5.7), 5: ((16.5, 2, -18), 51, 5.7)}  # fmt: skip
"""Base, length and half width of the head."""
TILT = {2: -7.0, 3: 0.0, 4: 8.0, 5: 17.0}
"""Degrees by which a finger's metacarpal leans to the little finger's side."""
PHALANGES = {1: (31, 22), 2: (40, 24, 18), 3: (44, 28, 18), 4: (41, 26, 18), 5: (32, 19, 16)}
THUMB = np.array([-0.52, -0.36, -0.77])
REST = (0.0, 4.0, 4.0, 3.0)


def hand(child: bool) -> Part:
    """27 bones; the origin is the middle of the wrist, the fingers hang down."""
    bones = [bone(name, "hand", meshed(bodies, 1.3), 0.7) for name, bodies in CARPALS.items()]
    joints: dict[str, Joint] = {}
    for finger, (base, length, radius) in METACARPALS.items():
        base, across = np.array(base, float), np.array(RIGHT)
        if finger == 1:
            direction = THUMB / np.linalg.norm(THUMB)
            across = np.cross(direction, (0.75, -0.66, 0.0))  # flexes to the palm and the little finger
            across /= np.linalg.norm(across)
        else:
            lean = np.radians(TILT[finger])
            direction = np.array([np.sin(lean), 0.0, -np.cos(lean)])
        chain = [f"metacarpal {finger}", *(f"{word} phalanx {finger}" for word in (
            ("proximal", "distal") if finger == 1 else ("proximal", "middle", "distal")))]  # fmt: skip
        lengths, start = (length, *PHALANGES[finger]), base
        kinds = ("mcp", "ip") if finger == 1 else ("mcp", "pip", "dip")
        for number, (name, long) in enumerate(zip(chain, lengths)):
            if number == 1 and finger > 1:
                lean = 0.7 * lean
                direction = np.array([np.sin(lean), 0.0, -np.cos(lean)])
            if number:
                turn = about(tuple(across), REST[number])
                direction = turn @ direction
            end = start + long * direction
            last = number == len(chain) - 1
            size = radius * (1.0, 0.98, 0.84, 0.72)[number if finger > 1 else min(2 * number, 1 + number)]
            bones.append(bone(name, "hand", _long(start, end, size, across, number, last, child), 0.7,
                              1.7 - 0.25 * number))
            if not last:
                centre = end - 0.8 * size * direction
                joints[f"{kinds[number]} {finger}"] = Joint(tuple(map(float, centre)), tuple(map(float, across)),
                                                            tuple(chain[number + 1 :]))  # fmt: skip
                if number == 0 and finger > 1:
                    joints[f"spread {finger}"] = Joint(tuple(map(float, centre)), (0.0, 1.0, 0.0), tuple(chain[1:]))
            if number == 0 and finger == 1:
                joints["cmc 1"] = Joint(tuple(map(float, base)), tuple(map(float, across)), tuple(chain))
            start = end + 1.5 * direction
    return Part("hand", "analytic", tuple(bones), joints, 56.0)


def _long(start, end, radius, across, number: int, last: bool, child: bool) -> Surface:
    """A metacarpal (number 0) or a phalanx."""
    bow = 0.03 * np.linalg.norm(end - start) * np.cross(end - start, across) / np.linalg.norm(end - start)
    bow = bow * (1.0 if bow[1] > 0 else -1.0) if number < 2 else 0.0 * bow  # hollow towards the palm
    at = [start + share * (end - start) + lift * bow for share, lift in
          ((0.0, 0.0), (0.14, 0.4), (0.5, 1.0), (0.86, 0.4), (0.93, 0.2), (1.0, 0.0))]  # fmt: skip
    shape = ([1.0, 0.95, 0.56, 0.95, 1.02, 0.8], [1.05, 1.02, 0.6, 0.84, 0.88, 0.7])[number > 0]
    if last:
        at = [start + share * (end - start) for share in (0, 0.12, 0.55, 0.8, 0.92, 1)]
        shape = [1.1, 1.0, 0.48, 0.5, 0.68, 0.55]
    deep = [0.95, 0.9, 0.56, 1.0, 1.05, 0.9] if number == 0 else [factor * 0.78 for factor in shape]
    radii = [(radius * wide, radius * thick) for wide, thick in zip(shape, deep)]
    if not child:
        return rod(at, radii, across, 0.55, 24)
    disc = (radius * 0.95, radius * 0.75)
    if number == 0 and abs(across[0] + 1.0) < 1e-9:  # the metacarpals of the fingers grow at their heads
        cut = start + 0.84 * (end - start)
        head = rod([cut + 0.04 * (end - start), end], [disc, disc], across, 0.9, 10)
        return joined(rod([*at[:3], cut], [*radii[:3], radii[3]], across, 0.4, 20), head)
    cut = start + 0.17 * (end - start)
    ending = rod([start, start + 0.10 * (end - start)], [disc, disc], across, 0.4, 8)
    return joined(ending, rod([cut, *at[2:]], [radii[1], *radii[2:]], across, 0.4, 20))


def all_upper(child: bool) -> tuple[Part, ...]:
    """The parts of an arm."""
    return shoulder(child), upper_arm(child), forearm(child), hand(child)

