"""Builds the parts of kind foot: single bones with names, sole level, toes forward, the origin in the ankle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import landmarks
from .fitting import about_x, frame
from .lower_sources import Person
from .opensim import placed, read_placements, read_vtp, to_body_frame
from .parts import Bone, Joint, Part
from .shaping import prepared
from .surface import Surface, finer, pieces_of, repaired

ADULT_ANKLE = 64.0
"""mm across the malleoli; the compact bone of smaller people is thinner in proportion."""
CORTEX, SHAFT = 0.8, 2.0
"""Thickness of the compact bone of feet, and in the middle of the metatarsals of adults, mm."""
HIND = ("talus", "calcaneus", "tarsals", "foot_hind_mid_incl_calcaneus")
MIDDLE, TOES = ("metatarsals",), ("phalanges", "toes")
FUSED = {"STAPLE_ICL_MRI": "its bones are fused to one piece, which ends before the toes"}
"""People whose feet are left out, and why."""
TOES_OUT = 10.0
"""Degrees by which feet point outwards, as in standing. Then the axes of their tali fit those of the shanks, which are
turned outwards by 36 degrees on average and by 20 to 60 in single people."""
SLOPE = -15.0
"""Degrees by which the longest direction of a standing foot's bones falls towards the toes, where levelling starts."""
DOME = 0.3
"""Height of the top of the talus above the ankle's centre by the width across the malleoli, of people."""
LONG = 1.9
"""Length by width above which a bone of the middle foot is a metatarsal."""
FACES, LARGE_FACES = (500, 1100), (1500, 2500)
"""Least and most faces of a single bone, and of talus and calcaneus: a foot has some 28 of them, all drawn together."""
LARGE = 20000.0
"""mm3 above which a bone is a talus or a calcaneus."""
LENGTHS = (190.0, 285.0)
"""mm of adults' feet without the skin; others are refused."""
OPENSIM = {
    "OpenSim_foot": {"r_talus": ("r_talus",), "r_foot": ("r_foot",), "r_bofoot": ("r_bofoot",)},
    "OpenSim_rv": {
        "r_talus": ("talus_rv",),
        "r_foot": ("calcaneous_rv", "cuboid_rv", "navicular_rv", "first_cuneiform_rv", "second_cuneiform_rv",
                   "third_cuneiform_rv", *(f"metatarsal{number}_rv" for number in range(1, 6))),
        "r_bofoot": (*(f"prox_phalanx{number}_rvs" for number in range(1, 6)),
                     *(f"mid_phalanx{number}_rvs" for number in range(2, 6)),
                     *(f"distal_phalanx{number}_rvs" for number in range(1, 6))),
    },
}  # fmt: skip
"""Feet of OpenSim: which files stand in the place of the model's file."""


@dataclass(eq=False)
class Piece:
    """A single bone of a foot in its frame; `group` is "hind", "middle" (hind and middle foot in one) or "toes"."""

    surface: Surface
    group: str
    name: str = ""

    @property
    def middle(self) -> np.ndarray:
        return self.surface.vertices.mean(0)

    def axis(self) -> tuple[np.ndarray, float]:
        """Direction (3,) of its length, forwards, and its length by its width."""
        local = self.surface.vertices - self.middle
        _, sizes, axes = np.linalg.svd(local, full_matrices=False)
        return axes[0] * (-1.0 if axes[0][1] > 0 else 1.0), float(sizes[0] / sizes[1])

    def end(self, forward: bool) -> np.ndarray:
        """Middle (3,) of its front or rear end."""
        direction, _ = self.axis()
        along = self.surface.vertices @ direction * (1 if forward else -1)
        return self.surface.vertices[along > along.max() - 0.12 * np.ptp(along)].mean(0)


def build_feet(bones: Path, everyone: dict[str, Person], shanks: list, report: list[str]) -> list[Part]:
    """The feet of all people that have them.

    Parameters
    ----------
    shanks : list of (Shank, Ankle)
        From lower_body, in the frames of their knees.
    """
    parts = []
    for shank, ankle in shanks:
        person = shank.person
        if person.name in FUSED:
            report.append(f"foot {person.name} refused: {FUSED[person.name]}")
        if person.loose or person.name in FUSED:
            continue
        pieces = person_pieces(person, shank.side, shank.matrix)
        parts += _tried(f"{person.name}_{shank.side}", pieces, ankle, person.child, person.source, person.terms, report)
    for person in everyone.values():
        for side in "RL":
            both = person.right("tibia_fibula_distal", side)
            if both is None:
                continue
            tibia, fibula = pieces_of(both)[:2]
            ankle = landmarks.ankle_of(tibia.vertices, fibula.vertices)
            pieces = person_pieces(person, side, np.eye(3, 4))
            parts += _tried(f"{person.name}_{side}", pieces, ankle, person.child, person.source, person.terms, report)
    for name, files in OPENSIM.items():
        pieces, ankle = opensim_foot(bones / "opensim", files)
        parts += _tried(name, pieces, ankle, False, "OpenSim model Rajagopal2016", "none stated", report)
    return parts


def person_pieces(person: Person, side: str, matrix: np.ndarray) -> list[Piece]:
    """The single bones of a right foot (left ones mirrored) under a map (3, 4)."""
    pieces = []
    for keys, group in ((HIND, "hind"), (MIDDLE, "middle"), (TOES, "toes")):
        for key in keys:
            surface = person.right(key, side)
            if surface is None:
                continue
            group_of_key = "middle" if key.startswith("foot") else group
            found = pieces_of(surface.moved(matrix))
            pieces += [Piece(piece, group_of_key, key if key == "talus" and not number else "")
                       for number, piece in enumerate(found)]  # fmt: skip
    return pieces


def opensim_foot(folder: Path, files: dict[str, tuple[str, ...]]) -> tuple[list[Piece], landmarks.Ankle]:
    """The bones of a right foot that OpenSim's files hold, and the ankle."""
    placements = read_placements(folder / "Rajagopal2016.osim")

    def surfaces(name: str, place: str) -> list[Surface]:
        vertices, faces = read_vtp(folder / f"{name}.vtp")
        return pieces_of(repaired(to_body_frame(placed(vertices, placements[f"{place}.vtp"])), faces), 20)

    pieces = []
    for place, names in files.items():
        group = {"r_talus": "hind", "r_foot": "middle", "r_bofoot": "toes"}[place]
        for name in names:
            pieces += [Piece(piece, group, "talus" if "talus" in name else "") for piece in surfaces(name, place)]
    shank = [finer(finer(surfaces(name, name)[0])).vertices for name in ("r_tibia", "r_fibula")]
    ankle = landmarks.ankle_of(*shank)
    dome = max(piece.surface.vertices[:, 2].max() for piece in pieces if piece.name == "talus")
    centre = np.array([*ankle.centre[:2], dome - DOME * ankle.width])  # the model's tali lie low
    return pieces, replace(ankle, centre=centre)


def _tried(
    name: str, pieces: list[Piece], ankle: landmarks.Ankle, child: bool, source: str, terms: str, report: list[str]
) -> list[Part]:
    """The foot in a list, which is empty (and the report longer) if it is refused."""
    if not pieces:
        return []
    try:
        return [foot(name, pieces, ankle, child, source, terms)]
    except ValueError as error:
        report.append(f"foot {name} refused: {error}")
        return []


def foot(name: str, pieces: list[Piece], ankle: landmarks.Ankle, child: bool, source: str, terms: str) -> Part:
    """The part of a right foot whose bones lie in the frame of its ankle.

    Raises
    ------
    ValueError
        If its length is not that of a foot.
    """
    turn = level_sole(np.concatenate([piece.surface.vertices for piece in pieces]) - ankle.centre, ankle.axis)
    matrix = frame(turn, ankle.centre)
    pieces = [Piece(fit_to_draw(piece.surface).moved(matrix), piece.group, piece.name) for piece in pieces]
    length = np.ptp(np.concatenate([piece.surface.vertices for piece in pieces])[:, 1])
    if not child and not LENGTHS[0] < length < LENGTHS[1]:
        raise ValueError(f"length {length:.0f} mm")
    chains = name_bones(pieces)
    size = float(np.clip(ankle.width / ADULT_ANKLE, 0.5, 1.15))
    built = tuple(Bone(piece.name, "foot", piece.surface, foot_cortex(piece, size)) for piece in pieces)
    joints = {}
    for toe, (metatarsal, phalanges) in chains.items():
        centre = metatarsal.end(forward=True) if metatarsal else phalanges[0].end(forward=False)
        joints[f"toe {toe}"] = Joint(tuple(centre), (1.0, 0.0, 0.0), tuple(piece.name for piece in phalanges))
    return Part("foot", name, built, joints, ankle.width, {}, child, source, terms)


def fit_to_draw(surface: Surface) -> Surface:
    """The surface with a number of faces that its size deserves."""
    least, most = LARGE_FACES if surface.volume > LARGE else FACES
    return prepared(surface.vertices, surface.faces, least, most)


def foot_cortex(piece: Piece, size: float) -> np.ndarray:
    """Thickness of the compact bone (n,), mm: thicker in the shafts of metatarsals and phalanges."""
    vertices = piece.surface.vertices
    cortex = np.full(len(vertices), CORTEX * size, np.float32)
    shaft = {"metatarsal": SHAFT, "phalanx": 0.6 * SHAFT}.get(piece.name.split(" ")[0])
    if shaft:
        along = vertices @ piece.axis()[0]
        along = (along - along.min()) / np.ptp(along)
        inside = np.clip(np.minimum(along, 1 - along) / 0.35, 0, 1)
        cortex += (size * (shaft - CORTEX) * inside**1.4).astype(np.float32)
    return cortex


def level_sole(points: np.ndarray, axis: np.ndarray, rounds: int = 12) -> np.ndarray:
    """The rotation (3, 3) of a right foot about its ankle that levels heel and ball and turns the toes forwards.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Vertices of all bones about the ankle.
    axis : ndarray, shape (3,)
        The ankle's axis, to the patient's left.
    """
    direction = np.linalg.svd(points - points.mean(0), full_matrices=False)[2][0]
    direction *= np.sign(points[np.linalg.norm(points, axis=1).argmax()] @ direction)
    across = axis - (axis @ direction) * direction
    across /= np.linalg.norm(across)
    turn = about_x(-np.radians(SLOPE)) @ np.stack([across, -direction, np.cross(across, -direction)])
    for _ in range(rounds):
        local = points @ turn.T
        along = (local[:, 1].max() - local[:, 1]) / np.ptp(local[:, 1])
        heel = local[along < 0.12].mean(0)
        ball = local[(along > 0.62) & (along < 0.75)].mean(0)
        angle = np.arctan2(-np.tan(np.radians(TOES_OUT)), -1.0) - np.arctan2(*(ball - heel)[:2])
        cos, sin = np.cos(angle), np.sin(angle)
        local = local @ (around := np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])).T
        along = (local[:, 1].max() - local[:, 1]) / np.ptp(local[:, 1])
        heel = _lowest(local[along < 0.3])
        ball = local[(along > 0.6) & (along < 0.82)]
        middle = np.median(ball[:, 0])
        medial, lateral = _lowest(ball[ball[:, 0] > middle]), _lowest(ball[ball[:, 0] < middle])
        normal = np.cross(medial - heel, lateral - heel)
        normal *= np.sign(normal[2]) / np.linalg.norm(normal)
        turn = _to_z(normal) @ around @ turn
    return turn


def _lowest(points: np.ndarray) -> np.ndarray:
    return points[points[:, 2].argmin()]


def _to_z(normal: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that brings a unit vector to z."""
    across = np.cross(normal, (0.0, 0.0, 1.0))
    x, y, z = across
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + normal[2])


def name_bones(pieces: list[Piece]) -> dict[int, tuple[Piece | None, list[Piece]]]:
    """Names the bones of a right foot in its frame; returns the metatarsal and phalanges of each toe.

    What cannot be told is called "foot bone NUMBER".
    """
    middle = [piece for piece in pieces if piece.group == "middle"]
    hind = [piece for piece in pieces if piece.group == "hind" and piece.name != "talus"]
    bodies = sorted((piece for piece in pieces if piece.name != "talus"), key=lambda piece: -piece.surface.volume)
    calcaneus = bodies[0]
    calcaneus.name = "calcaneus"
    length = np.ptp(np.concatenate([piece.surface.vertices for piece in pieces])[:, 1])
    shafts = [piece for piece in middle if not piece.name and piece.axis()[1] > LONG
              and np.linalg.norm(piece.end(True) - piece.end(False)) > 0.17 * length]  # fmt: skip
    metatarsals = sorted(shafts, key=lambda piece: -piece.end(forward=True)[0]) if len(shafts) == 5 else []
    for number, piece in enumerate(metatarsals, 1):
        piece.name = f"metatarsal {number}"
    least = 0.01 * calcaneus.surface.volume
    rest = [piece for piece in hind + middle if not piece.name and piece.surface.volume > 2 * least]
    if len(rest) == 5:
        cuboid = min(rest, key=lambda piece: piece.middle[0])
        cuboid.name = "cuboid"
        rest.remove(cuboid)
        navicular = max(rest, key=lambda piece: piece.middle[1])
        navicular.name = "navicular"
        rest.remove(navicular)
        for number, piece in enumerate(sorted(rest, key=lambda piece: -piece.middle[0]), 1):
            piece.name = f"cuneiform {number}"
    chains = _toes([piece for piece in pieces if piece.group == "toes"], metatarsals)
    number = 0
    for piece in pieces:
        if not piece.name:
            number += 1
            piece.name = f"foot bone {number}"
    return chains


def _toes(toes: list[Piece], metatarsals: list[Piece]) -> dict[int, tuple[Piece | None, list[Piece]]]:
    """The chains of phalanges, with names."""
    from scipy.optimize import linear_sum_assignment

    if len(toes) < 5 or len(metatarsals) != 5:
        return {}
    heads = np.stack([piece.end(forward=True) for piece in metatarsals])
    distance = np.linalg.norm(heads[:, None] - np.stack([piece.end(forward=False) for piece in toes]), axis=2)
    chains = {}
    for row, column in zip(*linear_sum_assignment(distance)):
        toes[column].name = f"phalanx {row + 1}.1"
        chains[int(row) + 1] = (metatarsals[row], [toes[column]])
    left = sorted((piece for piece in toes if not piece.name), key=lambda piece: -piece.middle[1])
    for piece in left:
        ends = {toe: chain[1][-1].end(forward=True) for toe, chain in chains.items()}
        toe = min(ends, key=lambda number: np.linalg.norm(ends[number] - piece.end(forward=False)))
        chains[toe][1].append(piece)
        piece.name = f"phalanx {toe}.{len(chains[toe][1])}"
    return chains
