"""Where spines, rib cages and skulls come from, and how vertebrae are stacked to a spine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .fitting import after, mapped, signed_distance
from .hand_sources import stored_bones
from .opensim import read_vtp, to_body_frame
from .shaping import prepared, smoothed, turn_to
from .skeleton import about, affine, rotation
from .surface import Surface, finer, joined, pieces_of, repaired

CERVICAL = tuple(f"C{number}" for number in range(1, 8))
THORACIC = tuple(f"T{number}" for number in range(1, 13))
LUMBAR = tuple(f"L{number}" for number in range(1, 6))
VERTEBRA_FACES, RIB_FACES, SKULL_FACES = (1800, 4000), (1200, 2500), (3000, 8000)
SMALLEST_VERTEBRA = 200
"""Faces: pieces of a spine below it are discs."""
DISCS = (7.0, 8.0, 9.0, 10.0, 10.5, 11.0)
"""mm between the end plates T12-L1, L1-L2 to L4-L5 and L5-S1."""
WEDGES = (1.0, 5.0, 7.0, 9.0, 11.0, 12.0)
"""Degrees by which these discs open to the front."""
STERNUM_HALF = 19.0, 30.0
"""mm from the middle to which body and manubrium reach in a rib cage 276 mm wide: beyond is cartilage."""
RIB_CAGE_WIDTH = 276.0
MANUBRIUM = 0.17
"""Share of the height of sternum with cartilages that the manubrium takes."""
VAULT, BASE = 0.5, 0.6
"""Share of a skull's height that its vault takes, and depth of the cavity below by its height above."""
SKULL_BONE = 6.5
"""Thickness of the vault with its marrow, mm."""
XIPHOID = 0.66
"""Share of that height below which there are only cartilages."""
UPRIGHT = np.diag([-1.0, 1.0, 1.0]) @ np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""The shape model of lumbar vertebrae has x forwards, z up."""


@dataclass(frozen=True)
class Plates:
    """The end plates of a vertebral body.

    Parameters
    ----------
    upper, lower : ndarray, shape (3,)
        Middles.
    up, down : ndarray, shape (3,)
        Outward unit normals, without a part along x.
    """

    upper: np.ndarray
    lower: np.ndarray
    up: np.ndarray
    down: np.ndarray

    @property
    def height(self) -> float:
        """mm between both middles."""
        return float(np.linalg.norm(self.upper - self.lower))


def plates_of(surface: Surface) -> Plates:
    """The end plates of a vertebra (C3 to L5) that stands within 40 degrees of upright, its front at -y."""
    vertices, normals = surface.vertices.astype(float), surface.normals().astype(float)
    half, front = 0.5 * np.ptp(vertices[:, 0]), vertices[:, 1].min()
    body = (np.abs(vertices[:, 0] - np.median(vertices[:, 0])) < 0.42 * half) & (
        vertices[:, 1] < front + 0.4 * np.ptp(vertices[:, 1])
    )
    found = []
    for sign in (1.0, -1.0):
        direction = np.array([0.0, 0.0, sign])
        for _ in range(4):
            face = body & (normals @ direction > 0.75)
            height = vertices @ direction
            face &= height > np.quantile(height[face], 0.5) - 6.0
            plane = np.linalg.lstsq(np.column_stack([vertices[face][:, 1:2], np.ones(face.sum())]),
                                    vertices[face][:, 2], rcond=None)[0]  # fmt: skip
            direction = sign * np.array([0.0, -plane[0], 1.0]) / np.hypot(plane[0], 1.0)
        middle = (vertices[face].min(0) + vertices[face].max(0)) / 2
        middle[2] = plane[0] * middle[1] + plane[1]
        found += [middle, direction]
    return Plates(found[0], found[2], found[1], found[3])


def on_top(above: Plates, below: Plates, disc: float, wedge: float) -> np.ndarray:
    """The map (3, 4) that hangs the vertebra of `below` under `above`, with a disc of `disc` mm that opens by `wedge`
    degrees to the front."""
    goal = rotation((1.0, 0.0, 0.0), np.radians(wedge)) @ -above.down
    move = about(below.upper, turn_to(below.up, goal))
    return after(affine(np.eye(3), above.lower + disc * above.down - below.upper), move)


def _read(opensim: Path, stem: str) -> Surface:
    vertices, faces = read_vtp(opensim / f"{stem}.vtp")
    return repaired(to_body_frame(vertices), faces)


def _fit(surface: Surface, faces: tuple[int, int], smooth: int = 4) -> Surface:
    return prepared(surface.vertices, surface.faces, *faces, smooth)


def split_spine(opensim: Path, stem: str) -> dict[str, Surface]:
    """The 24 vertebrae of a spine in one file, by name."""
    pieces = [piece for piece in pieces_of(_read(opensim, stem)) if len(piece.faces) >= SMALLEST_VERTEBRA]
    pieces.sort(key=lambda piece: -float(piece.vertices[:, 2].mean()))
    names = CERVICAL + THORACIC + LUMBAR
    if len(pieces) != len(names):
        raise ValueError(f"{stem}: {len(pieces)} vertebrae instead of 24.")
    return {name: _fit(piece, VERTEBRA_FACES) for name, piece in zip(names, pieces)}


def split_ribs(opensim: Path, stem: str) -> dict[str, Surface]:
    """Sternum and 24 ribs ("rib 1 R") of a rib cage in one file; cartilages, which films don't show, are cut off."""
    pieces = pieces_of(_read(opensim, stem))
    middle = pieces.pop(max(range(len(pieces)), key=lambda number: len(pieces[number].faces)))
    width = float(np.ptp(np.concatenate([piece.vertices[:, 0] for piece in pieces])))
    found = {"sternum": _sternum(middle, width / RIB_CAGE_WIDTH)}
    for side, sign in (("R", -1.0), ("L", 1.0)):
        ribs = [piece for piece in pieces if sign * piece.vertices[:, 0].mean() > 0]
        ribs.sort(key=lambda piece: -float(piece.vertices[:, 2].min() + piece.vertices[:, 2].max()))
        for number, rib in enumerate(ribs, 1):
            found[f"rib {number} {side}"] = _fit(rib, RIB_FACES, 3)
    return found


def _sternum(surface: Surface, scale: float) -> Surface:
    surface = finer(finer(surface))
    middle = surface.vertices[surface.faces].mean(1)
    below = (surface.vertices[:, 2].max() - middle[:, 2]) / np.ptp(surface.vertices[:, 2])
    half = scale * np.where(below < MANUBRIUM, STERNUM_HALF[1], STERNUM_HALF[0])
    half = np.where(below > 0.55, half * np.clip((XIPHOID - below) / (XIPHOID - 0.55), 0.3, 1), half)
    kept = surface.faces[(np.abs(middle[:, 0]) < half) & (below < XIPHOID)]
    largest = pieces_of(repaired(surface.vertices, kept))[0]
    return _fit(smoothed(largest, 10), RIB_FACES)


def lumbar_of_model(opensim: Path) -> dict[str, Surface]:
    """OpenSim's single lumbar vertebrae, each in its own frame."""
    return {name: _fit(_read(opensim, f"lumbar{name[1]}"), VERTEBRA_FACES) for name in LUMBAR}


def lumbar_mean(bones: Path) -> dict[str, Surface]:
    """The mean lumbar vertebrae of 87 people; L1, which is not there, is a slightly smaller L2."""
    stored = stored_bones(bones, "MEAN_LumbarSSM", VERTEBRA_FACES[1])
    found = {f"L{level}": stored[f"vertebra_L{level}"].moved(affine(UPRIGHT)) for level in (2, 3, 4, 5)}
    found["L1"] = found["L2"].moved(affine(0.96 * np.eye(3)))
    return found


def skull_of(opensim: Path, stems: tuple[str, str]) -> dict[str, Surface]:
    """Skull and jaw, as they lie in their files; the skull, which is solid there, hollow."""
    found = {name: _fit(_read(opensim, stem), SKULL_FACES) for name, stem in zip(("skull", "jaw"), stems)}
    return {**found, "skull": hollowed(found["skull"])}


def hollowed(skull: Surface) -> Surface:
    """A solid skull with a cavity for the brain: half an ellipsoid in the vault and a flatter half below it."""
    vertices = skull.vertices.astype(float)
    high = vertices[vertices[:, 2] > vertices[:, 2].max() - VAULT * np.ptp(vertices[:, 2])]
    low, top = high.min(0), high.max(0)
    middle = np.array([(low[0] + top[0]) / 2, (low[1] + top[1]) / 2, low[2]])
    radii = (top - low) / np.array([2.0, 2.0, 1.0]) - SKULL_BONE
    up, around = np.linspace(np.pi / 2, -np.pi / 2, 19), np.linspace(0, 2 * np.pi, 36, endpoint=False)
    ball = np.stack([np.outer(np.cos(up), np.cos(around)), np.outer(np.cos(up), np.sin(around)),
                     np.outer(np.sin(up), np.ones(36))], -1).reshape(-1, 3)  # fmt: skip
    ball[:, 2] *= np.where(ball[:, 2] < 0, BASE, 1.0)
    rows = np.arange(18)[:, None] * 36
    a, b = rows + np.arange(36), rows + (np.arange(36) + 1) % 36
    faces = np.concatenate([np.stack([a, a + 36, b], -1), np.stack([b, a + 36, b + 36], -1)]).reshape(-1, 3)
    ball = repaired(ball, faces)
    reach = np.ones(len(ball.vertices))
    for _ in range(12):  # drawn in where it would come through
        thin = signed_distance(middle + reach[:, None] * ball.vertices * radii, skull) > -0.5 * SKULL_BONE
        if not thin.any():
            break
        reach[thin] *= 0.95
    points = middle + reach[:, None] * ball.vertices * radii
    inner = smoothed(Surface(points.astype(np.float32), ball.faces), 4)
    return joined(skull, Surface(inner.vertices, inner.faces[:, ::-1]))


def stacked(thorax: dict[str, Surface], lumbar: dict[str, Surface], height: float, discs: np.ndarray,
            wedges: np.ndarray) -> tuple[dict[str, Surface], np.ndarray]:  # fmt: skip
    """A trunk with lumbar vertebrae hung under its T12; and the middle (3,) of the disc below L5.

    Parameters
    ----------
    height : float
        mean height of a lumbar body, to which the vertebrae are scaled, mm.
    discs, wedges : ndarray, shape (6,)
        mm and degrees of the discs from T12-L1 to L5-S1.
    """
    found = {name: surface for name, surface in thorax.items() if name not in LUMBAR}
    factor = height / np.mean([plates_of(surface).height for surface in lumbar.values()])
    above = plates_of(found["T12"])
    for name, disc, wedge in zip(LUMBAR, discs, wedges):
        own = lumbar[name].moved(affine(factor * np.eye(3)))
        found[name] = own.moved(on_top(above, plates_of(own), disc, wedge))
        above = plates_of(found[name])
    return found, above.lower + 0.5 * discs[5] * above.down


def joined_neck(opensim: Path) -> dict[str, Surface]:
    """The single cervical vertebrae with skull and jaw in the frame of C7."""
    found = {name: _fit(_read(opensim, f"cerv{name[1]}" + ("" if name == "C7" else "sm")), VERTEBRA_FACES)
             for name in CERVICAL}  # fmt: skip
    return {**found, **skull_of(opensim, ("skull_s", "jaw_s"))}


def full_thorax(opensim: Path) -> dict[str, Surface]:
    """The single thoracic vertebrae with their ribs."""
    found = {name: _fit(_read(opensim, f"thoracic{name[1:]}_s"), VERTEBRA_FACES) for name in THORACIC}
    return {**found, **split_ribs(opensim, "ribcage_s")}


def put_on(below: dict[str, Surface], above: dict[str, Surface], disc: float) -> dict[str, Surface]:
    """A neck (C7 and what is above) put on a thorax (T1 and what is below)."""
    low, high = plates_of(below["T1"]), plates_of(above["C7"])
    move = about(high.lower, turn_to(high.down, -low.up))
    move = after(affine(np.eye(3), mapped(affine(np.eye(3), disc * low.up), low.upper) - high.lower), move)
    return {**below, **{name: surface.moved(move) for name, surface in above.items()}}
