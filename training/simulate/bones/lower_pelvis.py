"""Builds the parts of kind pelvis."""

from __future__ import annotations

import numpy as np

from . import landmarks
from .cortex import even_cortex, relative_size
from .fitting import after, frame, mapped, register, rotation
from .lower_sources import REFERENCE, Person
from .parts import Bone, Joint, Part
from .surface import Surface, pieces_of

PELVIS, SACRUM = 1.5, 1.2
"""Thickness of the compact bone of adults, mm."""
FARTHEST = 0.5
"""By the head's radius: how far a socket may lie from where that of the reference comes to lie."""
SACRUM_DONORS = ("VSD_z013", "VSD_z027", "VSD_z042", "VSD_z056", "VSD_z001", "VSD_z061")
"""Whose sacra children and people without one borrow: the one whose hip bones fit best."""


def hip_bones(person: Person) -> tuple[Surface, Surface] | None:
    """The right and the left hip bone of a person, from whichever meshes there are."""
    for right, left in (("hip_bone_R", "hip_bone_L"), ("pelvis_R", "pelvis_L")):
        if right in person.bones and left in person.bones:
            return person.bones[right], person.bones[left]
    if "pelvis_no_sacrum" not in person.bones:
        return None
    first, second = pieces_of(person.bones["pelvis_no_sacrum"])[:2]
    return tuple(sorted((first, second), key=lambda bone: bone.vertices[:, 0].mean()))


def own_sacrum(person: Person, hips: tuple[Surface, Surface]) -> Surface | None:
    """A person's sacrum; None where there is no mesh of it."""
    if "sacrum" in person.bones or "pelvis" not in person.bones:
        found = person.bones.get("sacrum")
        return found and pieces_of(found)[0]
    middle = np.mean([bone.vertices[:, 0].mean() for bone in hips])
    pieces = pieces_of(person.bones["pelvis"])[:3]
    return min(pieces, key=lambda piece: abs(piece.vertices[:, 0].mean() - middle))


def pelvis_parts(
    everyone: dict[str, Person], knees: dict[tuple[str, str], landmarks.Knee], report: list[str]
) -> list[Part]:
    """The pelves of all people that have hip bones and a femur."""
    found = {person.name: hips for person in everyone.values() if (hips := hip_bones(person)) is not None}
    sockets = found[REFERENCE[0]][0].vertices, knees[REFERENCE]
    parts = []
    for name, hips in found.items():
        person = everyone[name]
        own = {side: knees[name, side] for side in "RL" if (name, side) in knees}
        if not own:
            report.append(f"pelvis {name} refused: no femur that shows the size of its hip")
            continue
        head = float(np.mean([knee.head for knee in own.values()]))
        centres = {}
        for side, bone in zip("RL", hips):
            mirror = np.array([1.0 if side == "R" else -1.0, 1.0, 1.0])
            if side in own and not person.loose:
                centres[side] = own[side].hip * mirror
            else:
                centres[side] = socket(bone.vertices * mirror, head, *sockets) * mirror
        sacrum, lender = own_sacrum(person, hips), name
        if sacrum is None:
            lender, matrix = best_lender({donor: found[donor] for donor in SACRUM_DONORS}, hips)
            sacrum = own_sacrum(everyone[lender], found[lender]).moved(matrix)
        try:
            parts.append(pelvis(person, hips, sacrum, everyone[lender], centres, head))
        except ValueError as error:
            report.append(f"pelvis {name} refused: {error}")
    return parts


def best_lender(donors: dict[str, tuple[Surface, Surface]], hips: tuple[Surface, Surface]) -> tuple[str, np.ndarray]:
    """Whose hip bones fit best to others by turning, shifting and scaling, and the map (3, 4) that does so."""
    target = np.concatenate([bone.vertices for bone in hips])
    fits = []
    for name, pair in donors.items():
        cloud = np.concatenate([bone.vertices for bone in pair])
        scale = np.linalg.norm(np.ptp(target, axis=0)) / np.linalg.norm(np.ptp(cloud, axis=0))
        start = np.column_stack([scale * np.eye(3), target.mean(0) - scale * cloud.mean(0)])
        fits.append((*register(cloud, target, start, rounds=15, sample=400), name, cloud))
    start, _, name, cloud = min(fits, key=lambda fit: fit[1])
    return name, register(cloud, target, start, rounds=12)[0]


def socket(target: np.ndarray, head: float, bone: np.ndarray, knee: landmarks.Knee) -> np.ndarray:
    """The centre (3,) of the socket of a right hip bone, vertices (n, 3), for a head of that radius.

    Parameters
    ----------
    bone, knee : ndarray of shape (m, 3), Knee
        The right hip bone of a person whose femur shows where the socket lies, and that femur's landmarks.
    """
    scale = head / knee.head
    start = np.column_stack([scale * np.eye(3), target.mean(0) - scale * bone.mean(0)])
    guess = mapped(register(bone, target, start, rounds=30, sample=600)[0], knee.hip)
    centre = landmarks.socket_centre(target, guess, head)
    return centre if np.linalg.norm(centre - guess) < FARTHEST * head else guess


def pelvis(
    person: Person, hips: tuple[Surface, Surface], sacrum: Surface, lender: Person,
    centres: dict[str, np.ndarray], head: float,
) -> Part:  # fmt: skip
    """The part of a pelvis whose bones lie in one frame, with the plane of its front upright."""
    right, left = centres["R"], centres["L"]
    clouds = np.concatenate([bone.vertices for bone in hips])
    matrix = frame(rotation(left - right, np.array([0.0, 0.0, 1.0])), (right + left) / 2)
    matrix[:, :3], matrix[:, 3] = _level(matrix, right, left)
    matrix = after(landmarks.upright_front(mapped(matrix, clouds)), matrix)
    placed = [surface.moved(matrix) for surface in (*hips, sacrum)]
    top, across = landmarks.sacral_top(placed[2])
    size = relative_size(head * 2 * 1.8)
    bones = tuple(
        Bone(name, label, surface, even_cortex(surface, size * thickness))
        for (name, label, thickness), surface in zip(
            (("hip bone R", "hip bone", PELVIS), ("hip bone L", "hip bone", PELVIS), ("sacrum", "sacrum", SACRUM)),
            placed,
        )
    )
    joints = {
        "hip_R": Joint(tuple(mapped(matrix, right)), (-1.0, 0.0, 0.0)),
        "hip_L": Joint(tuple(mapped(matrix, left)), (-1.0, 0.0, 0.0)),
        "lumbosacral": Joint(tuple(top), (1.0, 0.0, 0.0)),
    }
    sources = {person.source: person.terms, lender.source: lender.terms}
    return Part("pelvis", person.name, bones, joints, float(np.linalg.norm(left - right)),
                {"hip_R": 2 * head, "hip_L": 2 * head, "lumbosacral": across}, person.child,
                "; sacrum: ".join(sources), "; sacrum: ".join(sources.values()))  # fmt: skip


def _level(matrix: np.ndarray, right: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The map's turn and shift, turned about y until both hip centres are level."""
    line = mapped(matrix, left) - mapped(matrix, right)
    angle = np.arctan2(line[2], line[0])
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return turn @ matrix[:, :3], turn @ matrix[:, 3]
