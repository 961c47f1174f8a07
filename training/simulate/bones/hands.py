"""Hands: all 27 bones apart, put into the anatomical position, with joints at every finger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fitting import after
from .parts import Bone, Joint, Part
from .shaping import even_cortex, principal, shaft_cortex, turn_to
from .skeleton import about, affine, rotation
from .surface import Surface

CARPALS = ("scaphoid", "lunate", "triquetrum", "pisiform", "trapezium", "trapezoid", "capitate", "hamate")
FINGERS = (1, 2, 3, 4, 5)
PHALANX_CORTEX, END_CORTEX, CARPAL_CORTEX = 1.5, 0.7, 0.7
"""Compact bone of shafts, of ends, and of carpals, mm."""
GAP = 1.2
"""Cartilage between the bones of a finger's joint, mm."""
FAR = 6.0
"""mm before a joint's head from where a bone is moved up to it; nothing touches there."""
FOLLOWS = 0.7
"""Share of its metacarpal's sideways tilt that a straight finger has."""
REST = (0.0, 4.0, 4.0, 3.0)
"""Degrees of flexion by which each bone of a finger's chain follows the one before: nobody holds them dead straight."""
THUMB = (-0.52, -0.33, -0.79)
"""Where the thumb's metacarpal points at rest: some 33 degrees to the side, 20 forwards."""
BY_CARPALS, BY_LENGTH = 1.1, 0.262
"""Width of both forearm bones at the wrist by the width of the carpals and by the hand's length."""
WRIST_DEPTH = 0.27
"""Depth of the wrist's centre (about the head of the capitate) below the proximal carpals by the wrist's width."""


@dataclass(frozen=True)
class Ends:
    """A long bone's axis.

    Parameters
    ----------
    base, head : ndarray, shape (3,)
        Middle of the proximal end's face; centre of the distal end's rounding.
    axis : ndarray, shape (3,)
        Unit vector from base to head.
    length : float
        Between the extreme points along the axis.
    radius : float
        Of the distal rounding: half of the head's smaller width.
    wide : ndarray, shape (3,)
        Unit vector across the axis along which the head is widest.
    """

    base: np.ndarray
    head: np.ndarray
    axis: np.ndarray
    length: float
    radius: float
    wide: np.ndarray


def ends_of(vertices: np.ndarray, start: np.ndarray) -> Ends:
    """The ends of a long bone, vertices (n, 3); the one nearer to `start` (3,) is its base."""
    middle, axes = principal(vertices)
    axis = axes[0] if axes[0] @ (middle - start) > 0 else -axes[0]
    for _ in range(2):  # the line through both ends' middles, from the longest direction
        along = (vertices - middle) @ axis
        low, high = along.min(), along.max()
        share = 0.2 * (high - low)
        near, far = vertices[along < low + share], vertices[along > high - share]
        axis = _middle(far) - _middle(near)
        axis /= np.linalg.norm(axis)
    along = (vertices - middle) @ axis
    flat = far - np.outer(far @ axis, axis)
    wide = principal(flat)[1][0]
    thin = np.cross(axis, wide)
    radius = 0.5 * min(np.ptp(far @ wide), np.ptp(far @ thin))
    head, base = _middle(far), _middle(near)
    head = head + axis * (along.max() - radius - (head - middle) @ axis)
    base = base + axis * (along.min() - (base - middle) @ axis)
    return Ends(base, head, axis, float(np.ptp(along)), float(radius), wide)


def _middle(points: np.ndarray) -> np.ndarray:
    return (points.min(0) + points.max(0)) / 2


def chain(finger: int) -> tuple[str, ...]:
    """Names of a finger's bones from the metacarpal on."""
    joints = ("proximal", "distal") if finger == 1 else ("proximal", "middle", "distal")
    return (f"metacarpal {finger}", *(f"{joint} phalanx {finger}" for joint in joints))


def _all(bones: dict[str, Surface], matrix: np.ndarray) -> dict[str, Surface]:
    return {name: surface.moved(matrix) for name, surface in bones.items()}


def upright(bones: dict[str, Surface]) -> dict[str, Surface]:
    """A right hand turned so that the third metacarpal hangs down (-z), with the knuckles along x, thumb to -x."""
    capitate = bones["capitate"].vertices.mean(0)
    heads = {finger: ends_of(bones[f"metacarpal {finger}"].vertices, capitate).head for finger in FINGERS}
    z = capitate - heads[3]
    z /= np.linalg.norm(z)
    x = heads[5] - heads[2]
    x -= (x @ z) * z
    x /= np.linalg.norm(x)
    turned = np.stack([x, np.cross(z, x), z])
    return _all(bones, affine(turned, -turned @ capitate))


def straightened(bones: dict[str, Surface], thumb: tuple[float, ...] = THUMB) -> dict[str, Surface]:
    """The hand with straight fingers: each bone in line with the one before, at the distance of its cartilage.

    Fingers 2 to 5 hang down and follow their metacarpals' sideways tilt in part; the thumb's points along `thumb`.
    """
    bones = dict(bones)
    middle = bones["capitate"].vertices.mean(0)
    first = ends_of(bones["metacarpal 1"].vertices, middle)
    trapezium = bones["trapezium"].vertices
    opened = about(contact(trapezium, bones["metacarpal 1"].vertices), turn_to(first.axis, np.array(thumb)))
    for name in chain(1):
        bones[name] = bones[name].moved(opened)
    apart = _clear(trapezium, bones["metacarpal 1"].vertices, np.array(thumb))
    for name in chain(1):
        bones[name] = bones[name].moved(affine(np.eye(3), apart))
    for finger in FINGERS:
        names = chain(finger)
        above = ends_of(bones[names[0]].vertices, middle)
        if finger == 1:
            direction, across = above.axis, thumb_axis(bones)
        else:
            tilt = FOLLOWS * np.arctan2(above.axis[0], -above.axis[2])
            direction, across = np.array([np.sin(tilt), 0.0, -np.cos(tilt)]), np.array([-1.0, 0.0, 0.0])
        for number, name in enumerate(names[1:], 1):
            direction = rotation(across, np.radians(REST[number] if number > 1 else 0.0)) @ direction
            own = ends_of(bones[name].vertices, above.head)
            move = about(own.base, turn_to(own.axis, direction))
            beside = own.base - above.head
            move = after(affine(np.eye(3), (above.radius + FAR) * direction - beside), move)
            for moved in names[number:]:
                bones[moved] = bones[moved].moved(move)
            shift = _approach(bones[names[number - 1]].vertices, bones[name].vertices, -direction)
            for moved in names[number:]:
                bones[moved] = bones[moved].moved(affine(np.eye(3), shift))
            above = ends_of(bones[name].vertices, above.head)
    return bones


def _approach(fixed: np.ndarray, moving: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The shift (3,) along a direction that brings points (n, 3) to within `GAP` of others; they begin apart."""
    from scipy.spatial import cKDTree

    tree, total = cKDTree(fixed), 0.0
    for _ in range(12):
        step = float(tree.query(moving + total * direction)[0].min()) - GAP
        if step < 0.02:
            break
        total += step
    return total * direction


def _clear(fixed: np.ndarray, moving: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The shift (3,) along a direction after which points (n, 3) are `GAP` from others, from wherever they are."""
    out = FAR * direction / np.linalg.norm(direction)
    return out + _approach(fixed, moving + out, -out / FAR)


def thumb_axis(bones: dict[str, Surface]) -> np.ndarray:
    """About what the thumb's joints flex: across its proximal phalanx's head; positive brings the tip to the palm."""
    start = bones["trapezium"].vertices.mean(0)
    phalanx = ends_of(bones["proximal phalanx 1"].vertices, start)
    inward = np.cross(phalanx.wide, phalanx.axis) @ np.array([1.0, -1.0, 0.0])
    return phalanx.wide if inward > 0 else -phalanx.wide


def contact(first: np.ndarray, second: np.ndarray, within: float = 1.0) -> np.ndarray:
    """The middle (3,) of the places where points (n, 3), (m, 3) come nearest: least distance plus `within` mm."""
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(first).query(second)
    close = distance <= distance.min() + within
    return (second[close] + first[nearest[close]]).mean(0) / 2


def finger_joints(bones: dict[str, Surface]) -> dict[str, Joint]:
    """The joints of all fingers of a hand whose fingers hang down; a positive angle flexes to the palm (-y)."""
    joints = {}
    for finger in FINGERS:
        names = chain(finger)
        across = thumb_axis(bones) if finger == 1 else np.array([-1.0, 0.0, 0.0])
        start = bones["capitate"].vertices.mean(0)
        kinds = ("mcp", "ip") if finger == 1 else ("mcp", "pip", "dip")
        for number, kind in enumerate(kinds):
            above = ends_of(bones[names[number]].vertices, start)
            below = ends_of(bones[names[number + 1]].vertices, above.head)
            axis = across - (across @ below.axis) * below.axis
            joints[f"{kind} {finger}"] = Joint(
                tuple(above.head), tuple(axis / np.linalg.norm(axis)), names[number + 1 :]
            )
            if kind == "mcp" and finger > 1:
                joints[f"spread {finger}"] = Joint(tuple(above.head), (0.0, 1.0, 0.0), names[number + 1 :])
            start = above.head
    first = bones["metacarpal 1"].vertices
    centre = contact(bones["trapezium"].vertices, first)
    axis = thumb_axis(bones)
    joints["cmc 1"] = Joint(tuple(centre), tuple(axis), chain(1))
    return joints


def wrist_width(bones: dict[str, Surface]) -> float:
    """How wide the wrist is to which a hand belongs, mm: by its carpals, and by its length, whose mean errs less."""
    carpals = float(np.ptp(np.concatenate([bones[name].vertices[:, 0] for name in CARPALS])))
    return 0.5 * (BY_CARPALS * carpals + BY_LENGTH * _tip_length(bones))


def hand_part(bones: dict[str, Surface], name: str, source: str, terms: str) -> Part:
    """The part of a hand whose fingers hang down, with its origin at the wrist."""
    width = wrist_width(bones)
    row = [bones[carpal].vertices for carpal in ("scaphoid", "lunate")]
    top = max(float(vertices[:, 2].max()) for vertices in row)
    across = np.mean([_middle(vertices) for vertices in row], axis=0)
    origin = np.array([across[0], across[1], top - WRIST_DEPTH * width])
    bones = _all(bones, affine(np.eye(3), -origin))
    solid = []
    for bone, surface in bones.items():
        if bone in CARPALS:
            cortex = even_cortex(surface.vertices, CARPAL_CORTEX)
        else:
            cortex = shaft_cortex(surface.vertices, PHALANX_CORTEX, END_CORTEX)
        solid.append(Bone(bone, "hand", surface, cortex))
    return Part("hand", name, tuple(solid), finger_joints(bones), width, source=source, terms=terms)


def varied(bones: dict[str, Surface], rng: np.random.Generator) -> dict[str, Surface]:
    """Another hand of the same build: other lengths, widths and pose of the thumb; straightened."""
    length = rng.uniform(0.94, 1.06)
    linear = np.diag([rng.uniform(0.93, 1.07), rng.uniform(0.95, 1.05), length])
    linear[0, 2], linear[2, 0] = rng.normal(0, 0.02, 2)
    bones = _all(bones, affine(linear))
    middle = bones["capitate"].vertices.mean(0)
    slender = rng.uniform(0.93, 1.08)
    for finger in FINGERS:
        stretch, start = rng.normal(1.0, 0.025), middle
        for name in chain(finger):
            own = ends_of(bones[name].vertices, start)
            along, wide = stretch * rng.normal(1.0, 0.02), slender * rng.normal(1.0, 0.025)
            shape = wide * np.eye(3) + (along - wide) * np.outer(own.axis, own.axis)
            bones[name] = _flared(bones[name], own, rng.normal(0, 0.06)).moved(about(own.base, shape))
            start = own.head
    return straightened(bones, tuple(np.array(THUMB) + rng.normal(0, 0.09, 3)))


def _flared(surface: Surface, ends: Ends, amount: float) -> Surface:
    """A bone whose ends are thicker against its shaft by a share `amount` (thinner where negative)."""
    offset = surface.vertices - ends.base
    along = np.clip(offset @ ends.axis / ends.length, 0, 1)
    line = ends.base + np.outer(offset @ ends.axis, ends.axis)
    factor = 1.0 + amount * np.cos(2 * np.pi * along)[:, None]
    return Surface((line + (surface.vertices - line) * factor).astype(np.float32), surface.faces)


def _tip_length(bones: dict[str, Surface]) -> float:
    """From the top of the proximal carpals to the tip of the middle finger, mm."""
    top = max(bones["lunate"].vertices[:, 2].max(), bones["scaphoid"].vertices[:, 2].max())
    return float(top - bones["distal phalanx 3"].vertices[:, 2].min())
