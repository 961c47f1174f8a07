"""Shoulders: clavicle and scapula as they lie on the thorax of a person whose arm hangs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .fitting import mapped
from .hand_sources import stored_bones
from .hands import contact
from .long_arm import Humerus
from .opensim import placed, read_placements, read_vtp, to_body_frame
from .parts import Bone, Joint, Part
from .shaping import even_cortex, prepared, principal, registered
from .skeleton import MIRROR, affine
from .surface import Surface, pieces_of
from .variation import Warp

SCAPULA_FACES, CLAVICLE_FACES = (3000, 8000), (1500, 4000)
SCAPULA_CORTEX, CLAVICLE_CORTEX = 0.8, 2.0
HEAD = 0.115
"""Radius of the humeral head by the greatest extent of the scapula along its longest principal axis."""
JOINT_GAP = 3.0
"""Cartilage between the glenoid and the humeral head, mm."""
FULL = 0.85
"""Factor on the scapula and clavicle "sm" of OpenSim, which belong to a rib cage 313 mm wide."""


@dataclass(frozen=True)
class Girdle:
    """Bones of a right shoulder.

    Parameters
    ----------
    scapula, clavicle : Surface
    head : ndarray, shape (3,)
        About where the humeral head's centre is.
    thorax : float
        Width of the rib cage it belongs to, mm.
    """

    scapula: Surface
    clavicle: Surface
    head: np.ndarray
    thorax: float

    def grown(self, factor: float) -> Girdle:
        """All of it larger."""
        matrix = affine(factor * np.eye(3))
        return Girdle(self.scapula.moved(matrix), self.clavicle.moved(matrix), factor * self.head, factor * self.thorax)

    def warped(self, warp: Warp) -> Girdle:
        """All of it changed smoothly."""
        return Girdle(warp.surface(self.scapula), warp.surface(self.clavicle), warp(self.head), self.thorax)


def extent(surface: Surface) -> float:
    """The greatest extent along the longest principal axis, mm."""
    vertices = surface.vertices.astype(float)
    return float(np.ptp(vertices @ principal(vertices)[1][0]))


def _file(opensim: Path, stem: str, faces: tuple[int, int], model: str = "") -> Surface:
    vertices, triangles = read_vtp(opensim / f"{stem}.vtp")
    if model:
        vertices = placed(vertices, read_placements(opensim / model)[f"{stem}.vtp"])
    return prepared(to_body_frame(vertices), triangles, *faces, 5)


def _like(donor: Surface, template: Surface) -> np.ndarray:
    """The map (3, 4) that lays a bone on another one of its kind, as large as that."""
    own, goal = donor.vertices.astype(float), template.vertices.astype(float)
    growth = affine(extent(template) / extent(donor) * np.eye(3))
    matrix, _ = registered(mapped(growth, own), goal, scaled=False)
    return np.column_stack([matrix[:, :3] @ growth[:, :3], matrix[:, 3]])


def all_girdles(bones: Path) -> dict[str, Girdle]:
    """Every shoulder, as it lies in the frame of its source."""
    opensim = bones / "opensim"
    arm26 = Girdle(
        _file(opensim, "ground_r_scapula", SCAPULA_FACES, "arm26.osim"),
        _file(opensim, "ground_r_clavicle", CLAVICLE_FACES, "arm26.osim"),
        _head(_file(opensim, "arm_r_humerus", (2000, 8000), "arm26.osim")), 276.0,
    )  # fmt: skip
    scapula = _file(opensim, "scapula_rvsm", SCAPULA_FACES)
    head = mapped(_like(arm26.scapula, scapula), arm26.head)
    full = Girdle(scapula, _file(opensim, "clavicle_rvsm", CLAVICLE_FACES), head, 313.0).grown(FULL)
    made = {"arm26": arm26, "rajagopal": full}
    handot = {key: stored_bones(bones, "OpenForge_HandOT", SCAPULA_FACES[1], only=key)[key].moved(affine(MIRROR))
              for key in ("scapula_L", "clavicle_L")}  # fmt: skip
    clavicle = handot["clavicle_L"]
    clavicle = prepared(clavicle.vertices, clavicle.faces, *CLAVICLE_FACES)
    made["handot"] = _replaced(arm26, handot["scapula_L"], clavicle)
    scanned = stored_bones(bones, "XRscapula_demo", SCAPULA_FACES[1], only="scapula_R")["scapula_R"]
    made["xrscapula"] = _replaced(full, pieces_of(scanned)[0], None)
    return made


def _head(humerus: Surface) -> np.ndarray:
    """The centre (3,) of a humeral head where the bone lies."""
    frame = Humerus(humerus.vertices).frame
    return np.linalg.solve(frame[:, :3], -frame[:, 3])


def _replaced(template: Girdle, scapula: Surface, clavicle: Surface | None) -> Girdle:
    """Another person's scapula (and clavicle) in the place of the template's, all as large as that scapula is."""
    laid = scapula.moved(_like(scapula, template.scapula))
    collar = template.clavicle if clavicle is None else clavicle.moved(_like(clavicle, template.clavicle))
    whole = Girdle(laid, collar, template.head, template.thorax)
    return whole.grown(extent(scapula) / extent(template.scapula))


def glenohumeral(scapula: Surface, guess: np.ndarray, radius: float) -> np.ndarray:
    """The centre (3,) of the head that lies in a scapula's glenoid, near a guess."""
    vertices, normals = scapula.vertices.astype(float), scapula.normals().astype(float)
    centre = guess
    for _ in range(8):
        offset = centre - vertices
        distance = np.linalg.norm(offset, axis=1)
        facing = np.einsum("ij,ij->i", normals, offset) > 0.75 * distance
        reach = np.quantile(distance[facing], 0.02) if facing.any() else distance.min()
        face = facing & (distance < reach + 0.35 * radius)
        middle, normal = vertices[face].mean(0), normals[face].mean(0)
        normal /= np.linalg.norm(normal)
        goal = middle + (radius + JOINT_GAP) * normal
        centre = 0.5 * centre + 0.5 * goal
    for _ in range(4):  # until the nearest place of the rim or the floor is as far as it should be
        near = float(np.linalg.norm(vertices - centre, axis=1).min())
        centre = centre - (near - radius - JOINT_GAP) * normal
    return centre


def shoulder_part(girdle: Girdle, name: str, source: str, terms: str) -> Part:
    """The shoulder with its origin at the clavicle's medial end."""
    clavicle, scapula = girdle.clavicle, girdle.scapula
    inner = clavicle.vertices[clavicle.vertices[:, 0] > clavicle.vertices[:, 0].max() - 6.0].mean(0)
    shift = affine(np.eye(3), -inner.astype(float))
    clavicle, scapula = clavicle.moved(shift), scapula.moved(shift)
    radius = HEAD * extent(scapula)
    head = glenohumeral(scapula, girdle.head - inner, radius)
    acromial = contact(scapula.vertices, clavicle.vertices)
    joints = {
        "glenohumeral": Joint(tuple(head), (-1.0, 0.0, 0.0)),
        "scapula": Joint(tuple(acromial), (0.0, 1.0, 0.0), ("scapula",)),
    }
    bones = (
        Bone("clavicle", "clavicle", clavicle, even_cortex(clavicle.vertices, CLAVICLE_CORTEX)),
        Bone("scapula", "scapula", scapula, even_cortex(scapula.vertices, SCAPULA_CORTEX)),
    )
    widths = {"glenohumeral": 2 * radius}
    return Part("shoulder", name, bones, joints, girdle.thorax, widths, source=source, terms=terms)


def varied_girdle(girdle: Girdle, rng: np.random.Generator) -> Girdle:
    """Another shoulder of the same build."""
    middle = affine(np.eye(3), -girdle.head)
    centred = Girdle(girdle.scapula.moved(middle), girdle.clavicle.moved(middle), np.zeros(3), girdle.thorax)
    return centred.warped(Warp(rng, 260.0, 2.5, (0.05, 0.05, 0.06)))
