"""Where the joints of legs lie: spheres, circles and extreme points, found in the vertices of bones.

All lengths are mm. Points of bones are expected nearly in the anatomical position of a right leg (x to the patient's
left, so medial is +x; y backwards; z up), within some 20 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fitting import about_x, grow_sphere, height_gap, rotation
from .surface import Surface

HEAD_RADIUS = 0.053
"""Radius of the femoral head by the femur's length, where the search for it starts."""
SOCKET = 1.08
"""Radius of the socket by that of the bony head: between them lies the cartilage."""
IN_SOCKET = np.array([0.8, 0.33, 0.5])
"""Unit vector from the hip centre into the socket of a right hip bone."""
KNEE_HEIGHT, KNEE_DEPTH = 0.26, 0.23
"""Where the knee's centre lies above the lowest and before the hindmost points of both condyles, by the condylar width:
on average the middle of the circles that fit the backs of 40 adult condyles (within 2 mm). It is fixed, so that a shank
that was scaled to the width of another person's femur keeps the gap of its joint."""
ANKLE_DEPTH = 0.25
"""Depth of the ankle's centre below the roof of its joint by the width across the malleoli; fixed for the same reason.
The dome of the talus turns about there."""


def femoral_head(vertices: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (3,) and radius of the head of a right femur, vertices (n, 3)."""
    length = np.ptp(vertices[:, 2])
    radius = HEAD_RADIUS * length
    upper = vertices[vertices[:, 2] > vertices[:, 2].max() - 0.2 * length]
    medial = upper[upper[:, 0] > upper[:, 0].max() - radius]
    centre = np.array([medial[:, 0].max() - radius, medial[:, 1].mean(), medial[:, 2].mean()])
    return grow_sphere(upper, centre, radius, np.array([1.0, 0.0, 0.5]), 0.1)


def socket_centre(vertices: np.ndarray, guess: np.ndarray, head: float, rounds: int = 30) -> np.ndarray:
    """Where (3,) the middle of a head of that radius lies in the socket of a right hip bone, vertices (n, 3).

    The joint surface is `SOCKET` of the head's radius away from it; vertices in the pit behind it count less.
    """
    centre, radius = guess, SOCKET * head
    for number in range(rounds):
        offset = vertices - centre
        distance = np.linalg.norm(offset, axis=1)
        band = max(0.4 * 0.85**number, 0.12) * radius
        near = (np.abs(distance - radius) < band) & (offset @ IN_SOCKET > 0.1 * distance)
        if near.sum() < 12:
            return guess
        outwards, error = offset[near] / distance[near, None], distance[near] - radius
        weight = np.where(error < 0, 1.0, np.exp(-((error / (0.05 * radius)) ** 2)))[:, None] + 1e-6
        step, *_ = np.linalg.lstsq(outwards * weight, error * weight[:, 0], rcond=None)
        centre = centre + 0.7 * step
    return centre


@dataclass(frozen=True)
class Knee:
    """A femur's landmarks.

    Parameters
    ----------
    hip, centre : ndarray, shape (3,)
        Centres of the head and of the knee.
    head : float
        Radius of the head.
    axes : ndarray, shape (3, 3)
        Rows: x along the backs of both condyles as far as z allows, y backwards, z from the knee to the hip.
    axis : ndarray, shape (3,)
        Unit vector along the condyles (their backs and their lowest points), to the patient's left (medial).
    width : float
        Across both condyles along x.
    """

    hip: np.ndarray
    centre: np.ndarray
    head: float
    axes: np.ndarray
    axis: np.ndarray
    width: float


def knee_of(vertices: np.ndarray, rounds: int = 8) -> Knee:
    """The landmarks of a right femur, vertices (n, 3); it may be turned outwards by up to 60 degrees.

    Raises
    ------
    ValueError
        If no head is found.
    """
    length = np.ptp(vertices[:, 2])
    low = vertices[vertices[:, 2] < vertices[:, 2].min() + 0.2 * length]
    lowest = low[low[:, 2] < vertices[:, 2].min() + 0.07 * length]
    centre, x = lowest.mean(0), _widest(lowest)
    rough = rotation(x, np.array([0.0, 0.0, 1.0]))
    hip, head = femoral_head(vertices @ rough.T)
    hip = hip @ rough
    for _ in range(rounds):
        axes = rotation(x, hip - centre)
        local = (low - centre) @ axes.T
        condyles = local[local[:, 2] < local[:, 2].min() + 0.09 * length]
        left, right = condyles[:, 0].min(), condyles[:, 0].max()
        width, middle = right - left, (left + right) / 2
        lateral, medial = (condyles[(condyles[:, 0] - middle) * side > 0.08 * width] for side in (-1, 1))
        back = [half[half[:, 1].argmax()] for half in (lateral, medial)]
        down = [half[half[:, 2].argmin()] for half in (lateral, medial)]
        x = (back[1] - back[0]) @ axes
        slope = (down[1][2] - down[0][2]) / (down[1][0] - down[0][0])
        axis = np.array([1.0, 0.0, slope]) @ axes
        height = (down[0][2] + down[1][2]) / 2 + KNEE_HEIGHT * width
        depth = (back[0][1] + back[1][1]) / 2 - KNEE_DEPTH * width
        centre = centre + np.array([middle, depth, height]) @ axes
    return Knee(hip, centre, head, axes, axis / np.linalg.norm(axis), float(width))


def _widest(points: np.ndarray) -> np.ndarray:
    """The horizontal direction (3,) in which points (n, 3) reach farthest, to the patient's left."""
    flat = points[:, :2] - points[:, :2].mean(0)
    direction = np.linalg.svd(flat, full_matrices=False)[2][0]
    return np.array([*direction, 0.0]) * (np.sign(direction[0]) or 1.0)


@dataclass(frozen=True)
class Ankle:
    """A shank's lower landmarks.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        Between the malleoli, `ANKLE_DEPTH` of the width below the roof of the joint.
    axis : ndarray, shape (3,)
        Unit vector from the tip of the lateral to the tip of the medial malleolus.
    width : float
        Across both malleoli.
    """

    centre: np.ndarray
    axis: np.ndarray
    width: float


def ankle_of(tibia: np.ndarray, fibula: np.ndarray) -> Ankle:
    """The ankle of a right shank; tibia (n, 3) and fibula (m, 3) with z along the shank.

    Raises
    ------
    ValueError
        If no roof of the joint is found.
    """
    tips = [_malleolus(cloud, 4.0) for cloud in (tibia, fibula)]
    reach = float(np.linalg.norm(tips[0] - tips[1]))
    inner, outer = (_malleolus(cloud, 0.25 * reach) for cloud in (tibia, fibula))
    axis = (inner - outer) / np.linalg.norm(inner - outer)
    flat = np.array([axis[0], axis[1], 0.0]) / np.hypot(axis[0], axis[1])
    forward = np.array([flat[1], -flat[0], 0.0])
    low = [cloud[cloud[:, 2] < tip[2] + 0.5 * reach] for cloud, tip in zip((tibia, fibula), tips)]
    right, left = float((low[1] @ flat).min()), float((low[0] @ flat).max())
    width = left - right
    middle = _between(tibia @ forward, tibia[:, 2] < tips[0][2] + 0.4 * reach) * forward + (left + right) / 2 * flat
    roof = _roof(tibia, middle, width)
    above = (tibia[:, 2] > roof) & (tibia[:, 2] < roof + 0.15 * width)
    middle += (_between(tibia @ forward, above) - middle @ forward) * forward
    return Ankle(np.array([middle[0], middle[1], roof - ANKLE_DEPTH * width]), axis, width)


def _between(values: np.ndarray, chosen: np.ndarray) -> float:
    return float(values[chosen].min() + values[chosen].max()) / 2


def _malleolus(points: np.ndarray, height: float) -> np.ndarray:
    """Mean (3,) of the lowest part of a bone, of that height."""
    return points[points[:, 2] < points[:, 2].min() + height].mean(0)


def _roof(tibia: np.ndarray, middle: np.ndarray, width: float) -> float:
    """Height of the tibia's joint surface above the middle between the malleoli: the lower vertices near it in x, y."""
    near = np.linalg.norm(tibia[:, :2] - middle[:2], axis=1) < 0.13 * width
    low = tibia[near & (tibia[:, 2] < tibia[:, 2].min() + 0.8 * width), 2]
    if len(low) < 3:
        raise ValueError("No roof of the ankle's joint is found above the middle between the malleoli.")
    return float(np.quantile(low, 0.25))


def knee_gaps(femur: Surface, tibia: Surface, width: float) -> tuple[float, float]:
    """The gaps of the lateral and the medial half of a right knee, mm, both bones in the frame of the knee."""
    x, y = (0.1 * width, 0.4 * width), 0.5 * width
    below = Surface(femur.vertices, femur.faces[(femur.vertices[femur.faces][:, :, 2] < 0.1 * width).all(1)])
    below = Surface(*_used(below))
    return tuple(
        height_gap(below, tibia, (min(side * x[0], side * x[1]), max(side * x[0], side * x[1]), -y, y), width / 40)
        for side in (-1, 1)
    )


def _used(surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    used, numbers = np.unique(surface.faces, return_inverse=True)
    return surface.vertices[used], numbers.reshape(-1, 3)


def upright_front(points: np.ndarray, rounds: int = 6) -> np.ndarray:
    """The turn about x (3, 4) after which both iliac spines and the pubis of hip bones (n, 3) lie in one upright plane.

    The points have their origin between the hip centres, x through them.
    """
    turn = np.eye(3)
    reach = np.ptp(points[:, 0]) / 2
    for _ in range(rounds):
        local = points @ turn.T
        spines = []
        for side in (-1, 1):
            wing = local[(local[:, 0] * side > 0.5 * reach) & (local[:, 2] > 0.15 * reach)]
            spines.append(wing[wing[:, 1].argmin()])
        spine = np.mean(spines, axis=0)
        middle = local[(np.abs(local[:, 0]) < 0.3 * reach) & (local[:, 2] < 0.2 * reach)]
        pubis = middle[middle[:, 1].argmin()]
        lean = np.arctan2(spine[1] - pubis[1], spine[2] - pubis[2])
        turn = about_x(lean) @ turn
    return np.column_stack([turn, np.zeros(3)])


def sacral_top(sacrum: Surface) -> tuple[np.ndarray, float]:
    """Middle (3,) and width of the sacrum's upper joint surface, which faces upwards and forwards.

    Raises
    ------
    ValueError
        If there is no such surface.
    """
    corners = sacrum.vertices[sacrum.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(across, axis=1)
    normals = across / np.maximum(area, 1e-9)[:, None]
    middles = corners.mean(1)
    width, height = np.ptp(middles[:, 0]), np.ptp(middles[:, 2])
    centre = (middles[:, 0].min() + middles[:, 0].max()) / 2
    facing = normals @ np.array([0.0, -0.6, 0.8]) > 0.85
    there = facing & (np.abs(middles[:, 0] - centre) < 0.3 * width)
    there &= middles[:, 2] > middles[:, 2].max() - 0.35 * height
    if there.sum() < 10:
        raise ValueError("the sacrum has no upper surface that faces upwards and forwards.")
    front = np.quantile(middles[there, 1], 0.05)
    there &= middles[:, 1] < front + 0.35 * width  # not the facets behind the canal
    top = np.average(middles[there], axis=0, weights=area[there])
    return top, float(np.subtract(*np.quantile(middles[there, 0], [0.98, 0.02])))
