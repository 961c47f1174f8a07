"""Soft tissue around a posed skeleton: closed tubes along its landmarks, drawn like bones and united pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .skeleton import SIDES, Person, PlacedBone, apply
from .surface import Surface

AROUND = 20
"""Corners of a tube's cross-section."""
UNION = 4.0
"""Exponent of the sum that unites overlapping tubes: large gives the thickest of them, 1 would count overlaps twice."""
SMALL_BONES = ("hand", "foot")


@dataclass(frozen=True)
class SoftPart:
    """A tube.

    Parameters
    ----------
    node : str
        The part of the skeleton that it covers.
    surface : Surface
        In the body's frame, mm.
    """

    node: str
    surface: Surface


def tube(path: np.ndarray, radii: np.ndarray, across: np.ndarray) -> Surface:
    """A closed tube with elliptic rings.

    Parameters
    ----------
    path : ndarray (k, 3)
        Middles of the rings, mm.
    radii : ndarray (k, 2)
        Half widths along `across` and at right angles to it, mm.
    across : ndarray (3,)
        Not parallel to the path.
    """
    path, radii = np.asarray(path, float), np.asarray(radii, float)
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    first = across - along * (along @ across)[:, None]
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(along, first)
    angle = np.arange(AROUND) * (2 * np.pi / AROUND)
    rings = (path[:, None] + radii[:, :1, None] * np.cos(angle)[None, :, None] * first[:, None]
             + radii[:, 1:, None] * np.sin(angle)[None, :, None] * second[:, None])  # fmt: skip
    count = len(path)
    vertices = np.concatenate([rings.reshape(-1, 3), path[:1], path[-1:]])
    here, there = np.arange(AROUND), (np.arange(AROUND) + 1) % AROUND
    faces = []
    for ring in range(count - 1):
        low, high = ring * AROUND, (ring + 1) * AROUND
        faces.append(np.stack([low + here, low + there, high + there], 1))
        faces.append(np.stack([low + here, high + there, high + here], 1))
    faces.append(np.stack([np.full(AROUND, count * AROUND), there, here], 1))
    top = (count - 1) * AROUND
    faces.append(np.stack([np.full(AROUND, count * AROUND + 1), top + here, top + there], 1))
    return Surface(vertices.astype(np.float32), np.concatenate(faces).astype(np.int32))


def smooth_path(points: list[np.ndarray], radii: list[tuple[float, float]], steps: int = 5):
    """A path through points with its radii, `steps` rings from each to the next, ends rounded off."""
    points, radii = np.asarray(points, float), np.asarray(radii, float)
    at = np.linspace(0, len(points) - 1, (len(points) - 1) * steps + 1)
    places = np.arange(len(points))
    path = np.stack([np.interp(at, places, points[:, axis]) for axis in range(3)], 1)
    width = np.stack([np.interp(at, places, radii[:, axis]) for axis in range(2)], 1)
    rounding = np.array([0.6, 0.9])
    width[:2] *= rounding[:, None]
    width[-2:] *= rounding[::-1, None]
    return path, width


def soft_parts(person: Person, generator: np.random.Generator) -> list[SoftPart]:
    """The tubes around all parts of a person; how fat it is, is drawn at random."""
    fat = float(np.exp(generator.normal(0.0, 0.18)))
    size = person.size
    trunk_fat = fat * float(np.exp(generator.normal(0.05, 0.15)))
    marks, nodes, found = person.landmarks, person.nodes(), []
    sideways = np.array([1.0, 0.0, 0.0])

    def add(node: str, points: list, radii: list, across: np.ndarray, factor: float) -> None:
        path, width = smooth_path(points, [(a * factor * size, b * factor * size) for a, b in radii])
        found.append(SoftPart(node, tube(path, width, across)))

    if "trunk" in nodes or "pelvis" in nodes:
        base = marks["lumbosacral"]
        top = marks.get("neck", base + np.array([0, -20, 480.0]) * size)
        up = top - base
        middle = base + np.array([0, -35.0, 0]) * size
        back = np.array([0, 22.0, 0]) * size  # the thoracic spine curves backwards
        points = [middle - 0.42 * up, middle - 0.2 * up, middle, middle + 0.3 * up + back,
                  middle + 0.6 * up + 1.6 * back, middle + 0.85 * up + 1.6 * back, top + 0.3 * back,
                  top + 0.25 * up - back]  # fmt: skip
        radii = [(150, 95), (175, 110), (165, 108), (150, 105), (165, 118), (175, 95), (62, 64), (72, 92)]
        add("trunk" if "trunk" in nodes else "pelvis", points, radii, sideways, trunk_fat)
    for side in SIDES:
        if f"thigh {side}" in nodes:
            hip, knee, ankle = (marks[f"{name} {side}"] for name in ("hip", "knee", "ankle"))
            beyond = knee + 0.16 * (ankle - knee)
            front = np.array([0, -9.0, 0]) * size
            points = [hip - 0.1 * (knee - hip), hip + 0.25 * (knee - hip), hip + 0.65 * (knee - hip), knee + front,
                      beyond + front]  # fmt: skip
            add(f"thigh {side}", points, [(90, 95), (88, 90), (70, 72), (62, 68), (58, 62)], sideways, fat)
            points = [knee - 0.14 * (ankle - knee), knee + 0.25 * (ankle - knee), knee + 0.6 * (ankle - knee), ankle,
                      ankle + 0.12 * (ankle - knee)]  # fmt: skip
            add(f"shank {side}", points, [(57, 64), (58, 62), (46, 48), (37, 42), (36, 44)], sideways, fat)
        if f"foot {side}" in nodes:
            heel, toes, ankle = (marks[f"{name} {side}"] for name in ("heel", "toes", "ankle"))
            lift = np.array([0, 0, 12.0]) * size
            points = [heel + lift - 0.06 * (toes - heel), heel + 0.25 * (toes - heel) + 2 * lift,
                      heel + 0.6 * (toes - heel) + lift, toes + 0.04 * (toes - heel)]  # fmt: skip
            add(f"foot {side}", points, [(32, 34), (38, 40), (46, 28), (44, 14)], sideways, fat**0.3)
        if f"upper arm {side}" in nodes:
            shoulder, elbow, wrist = (marks[f"{name} {side}"] for name in ("shoulder", "elbow", "wrist"))
            points = [shoulder - 0.12 * (elbow - shoulder), shoulder + 0.3 * (elbow - shoulder),
                      shoulder + 0.75 * (elbow - shoulder), elbow + 0.14 * (elbow - shoulder)]  # fmt: skip
            add(f"upper arm {side}", points, [(58, 60), (52, 55), (42, 44), (42, 40)], sideways + [0, 0.3, 0], fat)
            points = [elbow - 0.14 * (wrist - elbow), elbow + 0.25 * (wrist - elbow), elbow + 0.65 * (wrist - elbow),
                      wrist + 0.12 * (wrist - elbow)]  # fmt: skip
            add(f"forearm {side}", points, [(43, 42), (44, 42), (34, 31), (30, 22)], sideways + [0, 0.3, 0], fat**0.8)
        if f"hand {side}" in nodes:
            wrist, knuckles = marks[f"wrist {side}"], marks[f"knuckles {side}"]
            points = [wrist - 0.1 * (knuckles - wrist), wrist + 0.4 * (knuckles - wrist), knuckles]
            across = marks[f"thumb side {side}"]
            add(f"hand {side}", points, [(28, 19), (37, 15), (40, 12)], across, fat**0.3)
    thickest = 6.0 * size * fat**0.4
    for bone in person.bones:
        if bone.label in SMALL_BONES:
            found.append(SoftPart(bone.node, _around(bone, thickest + generator.uniform(0, 2.5))))
    return found


def _around(bone: PlacedBone, more: float) -> Surface:
    """A tube along a small bone that reaches `more` mm beyond it."""
    points = apply(bone.matrix, bone.surface.vertices[:: max(1, len(bone.surface.vertices) // 200)])
    middle = points.mean(0)
    _, _, axes = np.linalg.svd(points - middle, full_matrices=False)
    along = (points - middle) @ axes[0]
    radius = np.abs((points - middle) @ axes[1:].T).max(0) + more
    ends = middle + axes[0] * (along.min() - 0.7 * more), middle + axes[0] * (along.max() + 0.7 * more)
    steps = np.linspace(0, 1, 6)[:, None]
    rounding = np.array([0.5, 0.85, 1.0, 1.0, 0.85, 0.5])[:, None]
    return tube(ends[0] + steps * (ends[1] - ends[0]), radius * rounding, axes[1])


def united(thicknesses: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """One thickness image (mm) of tubes that run into each other."""
    total = np.zeros(shape, np.float32)
    for thickness in thicknesses:
        total += np.maximum(thickness, 0.0) ** UNION
    return total ** (1.0 / UNION)
