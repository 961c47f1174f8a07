"""Pelvis, thigh, shank and foot by formula; mm of a grown person, right side (x to the left, y back, z up)."""

from __future__ import annotations

import numpy as np

from .analytic_shapes import Body, ball, beyond, bone, gap, limb, meshed, plate, rod, string
from .parts import Joint, Part
from .skeleton import MIRROR, affine, rotation
from .surface import Surface, joined

LEFT = (1.0, 0.0, 0.0)
PLATE = 3.2
"""mm of a child's growth plates, before it is scaled down."""
TERMS = "made by formula; no restriction"
HIP = np.array([-88.0, 0.0, 0.0])
SOLE = -68.0


def about(axis: tuple, degrees: float) -> np.ndarray:
    """The rotation (3, 3)."""
    return rotation(axis, np.radians(degrees))


def pelvis(child: bool) -> Part:
    """Two hip bones and a sacrum."""
    right = _hip_bone(child)
    left = right.moved(affine(MIRROR))
    bones = (bone("hip bone R", "hip bone", right, 1.5), bone("hip bone L", "hip bone", left, 1.5),
             bone("sacrum", "sacrum", _sacrum(), 1.2))  # fmt: skip
    joints = {
        "hip_R": Joint(tuple(HIP), (-1.0, 0.0, 0.0)),
        "hip_L": Joint((88.0, 0.0, 0.0), (-1.0, 0.0, 0.0)),
        "lumbosacral": Joint((0.0, 36.0, 104.0), LEFT),
    }
    return Part("pelvis", "analytic", bones, joints, 176.0, {"hip_R": 48.0, "hip_L": 48.0, "lumbosacral": 52.0})


def _hip_bone(child: bool) -> Surface:
    front, top, back = (-121, -48, 76), (-131, 12, 137), (-44, 90, 84)  # the spines, and the crest between them
    crest = [front, (-138, -28, 110), top, (-109, 44, 144), (-78, 70, 133), (-56, 84, 112), back]
    roof, joint = (-92, 4, 30), (-54, 62, 62)
    bodies: list[Body] = []
    for first, second in zip(crest, crest[1:]):
        bodies.append(plate(first, second, (-84, 24, 40), 7.0, 4.0))
    bodies += [plate(front, (-101, -36, 42), (-84, 24, 40), 9.0, 4.0),
               plate(back, (-46, 82, 52), (-84, 24, 40), 10.0, 4.0)]
    bodies += string(crest, [6, 6.5, 7.5, 6.5, 6.5, 7, 8])
    bodies += [ball((-100, -38, 42), (8, 10, 11)), ball(joint, (9, 22, 19), blend=5), ball(back, (8, 9, 10))]
    bodies += string([joint, (-72, 36, 34), (-74, 4, 12), (-58, -28, 4), (-32, -48, -8), (-10, -48, -18)],
                     [10, 10, 12.5, 11, 10, 10], blend=4)  # fmt: skip
    bodies += [ball(roof, (25, 27, 22), blend=6), ball(HIP + [7, 2, -2], 33.0, blend=5)]
    bodies += [ball((-15, -46, -35), (13, 8.5, 23), blend=7)]
    bodies += string([(-14, -42, -52), (-34, -26, -76), (-52, -4, -94), (-62, 18, -98)], [11, 9.5, 10, 15], blend=5)
    bodies += string([(-76, 26, -14), (-72, 34, -52), (-64, 28, -92)], [19, 15, 18], blend=6)
    bodies += [ball((-60, 46, -26), (9, 9, 5), about((0, 1, 0), 30))]
    bodies += string([(-74, 34, 20), (-66, 54, 34), (-52, 74, 48)], [10, 8, 8], blend=5)
    bodies += [ball(HIP, 27.0, blend=1.5, cut=True),
               limb(HIP + [-14, -6, -10], HIP + [-60, -26, -42], 29, 52, blend=2, cut=True),
               limb(HIP + [6, 2, -10], HIP + [14, -8, -34], 12, 9, blend=3, cut=True)]  # fmt: skip
    if child:
        bodies += [limb((-80, 10, -4), (-52, 14, 2), 3.0, 3.0, ((0, 1, 0), 8.0), 0.5, True)]
    return meshed(bodies, 2.7)


def _sacrum() -> Surface:
    line = np.array([(0, 36, 92), (0, 52, 66), (0, 66, 42), (0, 74, 19), (0, 72, -2), (0, 60, -22), (0, 46, -36)],
                    float)
    wide, deep = [25, 21, 17, 14, 11, 6, 4], [16, 13, 11, 9, 7, 5, 4]
    bodies = [limb(line[n], line[n + 1], deep[n], deep[n + 1], (LEFT, wide[n] / deep[n]), 4.0) for n in range(6)]
    for side in (-1, 1):
        bodies += [ball((32 * side, 50, 82), (22, 17, 17), about((0, 1, 0), 18 * side), 7),
                   limb((36 * side, 58, 72), (14 * side, 76, 4), 15, 8, ((0, 1, 0), 0.8), 7)]  # fmt: skip
        for n, (x, radius) in enumerate(((19, 5.5), (17, 5), (14.5, 4.5), (12, 4))):
            middle = line[n : n + 2].mean(0) + (0, 3, 0)
            bodies.append(limb(middle + (x * side, -24, -2), middle + (x * side, 24, -2), radius, radius, blend=1,
                               cut=True))
    for n in range(1, 5):
        bodies.append(ball(line[n] + (0, 12 - n, 6), (6, 8, 9)))
    bodies.append(beyond((0, 36, 101), (0, -0.55, 0.83)))
    bodies += [ball(line[5] + (0, -1, 5), (30, 30, 1.6), about(LEFT, 50), 1, True)]
    return meshed(bodies, 2.2)


def thigh(child: bool) -> Part:
    """A femur; the head's centre is the origin, and the knee lies 430 mm below it."""
    low = -430.0
    bodies = [ball((0, 0, 0), 24.0), limb((-8, 2, -5), (-46, 10, -40), 15.5, 17, ((0, 1, 0), 0.85), 5)]
    bodies += [ball((-62, 12, -22), (13, 18, 24), about((0, 1, 0), 12), 6), ball((-57, 10, -48), (16, 18, 18), blend=8),
               ball((-32, 24, -70), (9, 9, 13), blend=6)]  # fmt: skip
    bodies += string([(-47, 8, -44), (-48, 4, -80), (-42, -6, -150), (-30, -12, -230), (-18, -9, -310), (-9, -2, -365),
                      (-4, 0, -400)], [19, 16.5, 14.5, 14, 14.5, 18, 22])  # fmt: skip
    bodies += [limb((-10, -2, -372), (-2, 0, -412), 17, 26, (LEFT, 1.35), 8),
               ball((20, 3, low - 1), (17, 30, 25), about((0, 0, 1), -4), 5),
               ball((-21, 2, low + 1), (16.5, 30, 23.5), about((0, 0, 1), 4), 5),
               ball((-2, -14, low + 8), (29, 18, 22), blend=7), ball((30, 2, low + 8), (11, 13, 14), blend=6),
               ball((-32, 4, low + 7), (9, 12, 12), blend=6)]  # fmt: skip
    bodies += [limb((0, 40, low - 12), (0, 6, low - 16), 13, 9, blend=3, cut=True),
               limb((-3, -42, low - 30), (-2, -40, low + 22), 11, 10, blend=4, cut=True)]  # fmt: skip
    if child:
        bodies += [gap((0, 0, low + 19), (0.03, 0, 1), PLATE, 45), gap((-11, 3, -9), (0.68, -0.1, 0.66), PLATE, 26),
                   gap((-60, 11, -12), (-0.6, 0.2, 0.75), PLATE, 24)]  # fmt: skip
    femur = meshed(bodies, (2.1, 2.3, 3.0))
    return Part("thigh", "analytic", (bone("femur", "femur", femur, 1.1, 5.5),), {"knee": Joint((0, 0, low), LEFT)},
                48.0, {"knee": 78.0})  # fmt: skip


def shank(child: bool) -> Part:
    """Tibia, fibula and patella; the plateau lies 29 mm below the knee, the ankle 412 mm."""
    tibia = [ball((19, 4, -40), (21, 25, 15), blend=6), ball((-19, 5, -40), (20.5, 23, 15), blend=6),
             limb((0, 3, -42), (0, 2, -80), 27, 17, (LEFT, 1.25), 10),
             ball((-3, -20, -70), (9, 9, 19), blend=7)]  # fmt: skip
    tibia += string([(0, 2, -76), (2, 2, -120), (4, 3, -200), (5, 3, -290), (4, 1, -350), (3, 1, -378)],
                    [19, 15, 13, 11.5, 13.5, 19], flat=((0, 1, 0), 1.08))  # fmt: skip
    tibia += [limb((3, -3, -110), (5, -3, -300), 10, 7, blend=6),
              beyond((0, 0, -29), (0, -0.10, 1)), ball((6, 4, -30), (4.5, 7, 7), blend=4),
              ball((-6, 3, -30.5), (4.5, 6, 6.5), blend=4)]  # fmt: skip
    tibia += [ball((2, 1, -377), (24, 19, 13), blend=5), beyond((0, 0, -389), (0, 0, -1), 60, 1.5),
              limb((22, -2, -376), (21, -2, -399), 9, 5.5, ((0, 1, 0), 1.5), 4),
              limb((-32, 8, -376), (-30, 8, -394), 10, 10, blend=2, cut=True)]  # fmt: skip
    fibula = [ball((-36, 19, -56), (11, 12, 12))]
    fibula += string([(-36, 18, -58), (-35, 18, -90), (-32, 16, -200), (-29, 12, -300), (-28, 9, -362), (-29, 9, -392),
                      (-27, 10, -412)], [10, 6.5, 6, 6, 6.5, 9, 6.5], flat=((0, 1, 0), 1.15))  # fmt: skip
    patella = [ball((-1, -47, 10), (22, 10.5, 19), blend=6), ball((-1, -45, -8), (9, 6.5, 10), blend=9),
               limb((-1, -30, 24), (-1, -30, -4), 11, 11, blend=3, cut=True)]  # fmt: skip
    if child:
        tibia += [gap((0, 0, -50), (0, 0.1, 1), PLATE, 45), gap((0, 0, -374), (0, 0, 1), PLATE, 30)]
        fibula += [gap((-36, 19, -62), (0, 0, 1), PLATE, 18), gap((-28, 9, -386), (0, 0, 1), PLATE, 18)]
    bones = (bone("tibia", "tibia", meshed(tibia, (2.1, 2.1, 3.0)), 1.0, 4.5),
             bone("fibula", "fibula", meshed(fibula, (1.6, 1.6, 3.0)), 0.8, 2.5),
             bone("patella", "patella", meshed(patella, 1.8), 1.2))  # fmt: skip
    joints = {"ankle": Joint((0.0, 0.0, -411.0), LEFT), "patella": Joint((0.0, 0.0, 0.0), LEFT, ("patella",))}
    return Part("shank", "analytic", bones, joints, 78.0, {"ankle": 50.0})


METATARSALS = {1: ((17, -62, -44), (25, -118, -57), 8.5), 2: ((6, -66, -37), (12, -132, -56), 5.2),
               3: ((-4, -62, -40), (-1, -127, -57), 5.0), 4: ((-13, -55, -45), (-14, -118, -58), 4.9),
               5: ((-25, -46, -51), (-28, -108, -59), 5.2)}  # fmt: skip
"""Base, head and half width of the head."""
TOES = {1: (34, 25), 2: (29, 15, 12), 3: (27, 13, 11), 4: (25, 11, 11), 5: (23, 9, 10)}
"""Lengths of the phalanges."""


def foot(child: bool) -> Part:
    """26 bones; the talus' dome turns about the origin."""
    tarsals = {
        "talus": [limb((-15, 0, 0), (15, 0, 0), 19, 19, blend=1), ball((0, 0, -12), (21, 27, 12), blend=5),
                  limb((4, -14, -9), (11, -34, -14), 12, 13, blend=5), ball((0, 26, -14), (10, 9, 7), blend=4),
                  beyond((18.5, 0, 0), (1, 0, -0.1)), beyond((-18.5, 0, 0), (-1, 0, -0.15)),
                  beyond((0, 0, -24), (0, 0.2, -1), 80)],
        "calcaneus": [limb((-4, 44, -42), (-10, 2, -44), 19, 15, (LEFT, 0.75), 6),
                      limb((-10, 4, -44), (-15, -28, -42), 14, 13, blend=6), ball((-4, 50, -46), (13, 12, 20), blend=6),
                      ball((-7, 5, -32), (15, 16, 8), blend=5), ball((11, -6, -34), (9, 12, 5), blend=4),
                      beyond((0, -38, 0), (-0.1, -1, 0)), beyond((0, -2, -26.5), (0, -0.25, 1))],
        "navicular": [ball((15, -46, -20), (18, 8, 14), about((0, 0, 1), 12)), ball((29, -43, -26), (7, 7, 8)),
                      ball((10, -30, -13), (15, 15, 15), blend=1, cut=True)],
        "cuboid": [ball((-17, -49, -42), (13, 18, 12)), beyond((-15, -39.5, 0), (0.1, 1, 0)),
                   beyond((-17, -63, -44), (-0.3, -1, 0), 60)],
        "cuneiform 1": [ball((22, -62, -34), (9, 13, 15))],
        "cuneiform 2": [ball((9, -60, -26), (7.5, 9, 11))],
        "cuneiform 3": [ball((-1.5, -60, -32), (7.5, 11, 12))],
    }  # fmt: skip
    bones = [bone(name, "foot", meshed(bodies, 1.7), 1.0) for name, bodies in tarsals.items()]
    joints = {}
    for toe, (base, head, radius) in METATARSALS.items():
        base, head = np.array(base, float), np.array(head, float)
        base, head = base + (0, -9, 0), head + (0, -2, 0)
        deep = {1: 11.0}.get(toe, 8.0)
        path = [base, base + 0.2 * (head - base), base + 0.5 * (head - base) + (0, 0, 3), base + 0.85 * (head - base),
                head]
        radii = [(radius * 1.1 + 1, deep), (radius, deep * 0.75), (radius * 0.72, radius * 0.8),
                 (radius * 0.85, radius),
                 (radius * 1.05, radius * 1.2)]  # fmt: skip
        shaft = rod(path, radii, LEFT, 0.7)
        if toe == 5:
            shaft = rod([base + (-7, 14, -3), *path], [(4, 5), *radii], LEFT, 0.8)
        bones.append(bone(f"metatarsal {toe}", "foot", shaft, 0.9, 2.4))
        direction = (head - base) / np.linalg.norm(head - base) + (0, 0, 0.2)
        start, names = head + direction * (0.45 * radius + 1.2), []
        for number, length in enumerate(TOES[toe], 1):
            direction = np.array([0.3 * direction[0], direction[1], direction[2] - 0.06])
            direction /= np.linalg.norm(direction)
            end = start + length * direction
            names.append(f"phalanx {toe}.{number}")
            bones.append(bone(names[-1], "foot", _phalanx(start, end, radius * (1.16 - 0.12 * number), child,
                                                          number == len(TOES[toe])), 0.6, 1.2))  # fmt: skip
            start = end + 1.6 * direction
        joints[f"toe {toe}"] = Joint(tuple(map(float, head)), LEFT, tuple(names))
    return Part("foot", "analytic", tuple(bones), joints, 50.0)


def _phalanx(start: np.ndarray, end: np.ndarray, radius: float, child: bool, last: bool) -> Surface:
    at = [start + share * (end - start) for share in (0.0, 0.2, 0.55, 0.9, 1.0)]
    shape = [1.05, 0.85, 0.5, 0.6, 0.6] if last else [1.05, 0.9, 0.66, 0.85, 0.8]
    radii = [(radius * factor, radius * factor * 0.8) for factor in shape]
    if not child or np.linalg.norm(end - start) < 9:
        return rod(at, radii, LEFT, 0.7, 18)
    cut = start + 0.22 * (end - start)
    across = (radius, radius * 0.8)
    disc = rod([start, start + 0.15 * (end - start)], [across, across], LEFT, 0.4, 8)
    return joined(disc, rod([cut, *at[2:]], [(radius * 0.9, radius * 0.75), *radii[2:]], LEFT, 0.4, 18))


def all_lower(child: bool) -> tuple[Part, ...]:
    """The parts below the trunk."""
    return pelvis(child), thigh(child), shank(child), foot(child)

