"""Forearms whose lower ends take the shape of scanned wrists, which were cut above."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .fitting import mapped, register
from .hand_sources import stored_bones
from .skeleton import MIRROR, affine
from .surface import Surface

WRISTS = {"carpal-c1": "Carpal_ControlSample1", "carpal-c2": "Carpal_ControlSample2",
          "carpal-i2": "Carpal_InjurySample2"}  # fmt: skip
"""Persons with both bones, by the part's name."""
LOWER = 0.2
"""Share of a forearm bone's height on which a scan is laid."""
CUT = 2.5
"""mm below the cut of a scan from where its surface counts: above is what closed the hole."""
BLEND = 9.0
"""mm over which a bone passes from its own shape into the scan's."""
SHORTEST = 14.0
"""mm of bone that a scan must show: less doesn't tell how it lies."""
FAR = 7.0
"""mm between bone and scan beyond which points don't belong to each other."""
ROUNDS, EVENING = 8, 10
"""How often the surface moves, and passes that even out each move."""


def scanned_wrists(bones: Path) -> dict[str, dict[str, np.ndarray]]:
    """Vertices of "radius" and "ulna" (n, 3) of each scan as a right one's: z up the forearm, the ulna at +x, mm."""
    found = {}
    for name, person in WRISTS.items():
        own = {key[:-2]: surface.moved(affine(MIRROR)) if key.endswith("_L") else surface
               for key, surface in stored_bones(bones, person, 8000).items()}  # fmt: skip
        radius, ulna = own["radius_distal"].vertices.astype(float), own["ulna_distal"].vertices.astype(float)
        z = radius.mean(0) - own["capitate"].vertices.mean(0)
        z /= np.linalg.norm(z)
        x = ulna.mean(0) - radius.mean(0)
        x -= (x @ z) * z
        x /= np.linalg.norm(x)
        frame = np.stack([x, np.cross(z, x), z])
        frame = affine(frame, -frame @ radius.mean(0))
        found[name] = {"radius": mapped(frame, radius), "ulna": mapped(frame, ulna)}
    return found


def grafted(radius: Surface, ulna: Surface, wrist: dict[str, np.ndarray]) -> tuple[Surface, Surface]:
    """A forearm that stands along z, with lower ends like a scan's."""
    goal = _lower(radius)
    size = np.ptp(goal[:, 0]) / np.ptp(wrist["radius"][:, 0])
    low = wrist["radius"] * size
    shift = np.array([*(goal[:, :2].mean(0) - low[:, :2].mean(0)), goal[:, 2].min() - low[:, 2].min()])
    start = affine(size * np.eye(3), shift)
    start, _ = register(wrist["radius"], goal, start)
    mould = mapped(start, wrist["radius"])
    moved = mapped(start, wrist["ulna"])
    goal = _lower(ulna)
    beside = np.array([*(goal[goal[:, 2] < goal[:, 2].min() + 12, :2].mean(0) - moved[:, :2].mean(0)),
                       goal[:, 2].min() - moved[:, 2].min()])  # fmt: skip
    if np.ptp(moved[:, 2]) < SHORTEST:
        return _moulded(radius, mould), ulna
    fit, _ = register(moved, goal, affine(np.eye(3), beside), scaled=False)
    return _moulded(radius, mould), _moulded(ulna, mapped(fit, moved))


def _lower(surface: Surface) -> np.ndarray:
    z = surface.vertices[:, 2]
    return surface.vertices[z < z.min() + LOWER * np.ptp(z)].astype(float)


def _moulded(surface: Surface, mould: np.ndarray) -> Surface:
    """A surface drawn onto points (n, 3) below their cut, evenly, so that its faces don't fold."""
    from scipy.sparse import coo_matrix
    from scipy.spatial import cKDTree

    vertices, count = surface.vertices.astype(float), len(surface.vertices)
    start, end = surface.faces.T.ravel(), np.roll(surface.faces, -1, axis=1).T.ravel()
    links = coo_matrix((np.ones(len(start)), (start, end)), shape=(count, count)).tocsr()
    links.data[:] = 1.0 / np.repeat(np.maximum(np.diff(links.indptr), 1), np.diff(links.indptr))
    cut = mould[:, 2].max() - CUT
    mould = mould[mould[:, 2] < cut]
    tree = cKDTree(mould)
    share = np.clip((cut - vertices[:, 2]) / min(BLEND, 0.6 * np.ptp(mould[:, 2])), 0, 1)
    share = (share * share * (3 - 2 * share))[:, None]
    for _ in range(ROUNDS):
        distance, nearest = tree.query(vertices)
        forward = np.where((distance < FAR)[:, None], mould[nearest] - vertices, 0.0)
        back, owner = cKDTree(vertices).query(mould)
        near = back < FAR
        pull, number = np.zeros_like(vertices), np.zeros(count)
        np.add.at(pull, owner[near], mould[near] - vertices[owner[near]])
        np.add.at(number, owner[near], 1.0)
        pulled = number > 0
        forward[pulled] = 0.5 * forward[pulled] + 0.5 * pull[pulled] / number[pulled, None]
        move = forward * share
        for _ in range(EVENING):
            move = 0.5 * move + 0.5 * (links @ move)
        vertices = vertices + move * share
    return Surface(vertices.astype(np.float32), surface.faces)
