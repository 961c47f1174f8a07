"""Builds the parts of kind shank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import landmarks
from .cortex import SHAFTS, even_cortex, relative_size, shaft_cortex
from .fitting import about_x, after, frame, inverse, mapped, principal_starts, register, seat
from .lower_sources import Person
from .parts import Bone, Joint, Part
from .shaping import smoothed, thinned
from .surface import Surface, pieces_of

PATELLA = 1.0
"""Thickness of the compact bone of adults, mm."""
PATELLA_FACES, SMOOTHINGS = 2500, 6
"""Most faces of a patella, and how often it is smoothed."""
KNEE_GAP, PATELLA_GAP, FIBULA_GAP = 0.042, 0.035, 0.018
"""Gaps of joints where bones are put together, by the condylar width: as in the adults whose bones lie in one frame."""
DONORS = (("VSD_z013", "R"), ("VSD_z027", "R"), ("STAPLE_TLEM2_CT", "R"), ("STAPLE_LHDL_CT", "R"))
"""Whose shanks show where loose tibiae and patellae belong: CT of adults with a whole leg."""
ROUGHEST = 0.04
"""Mean distance of a registration by the condylar (or hips') width; worse ones are refused."""


@dataclass(frozen=True)
class Shank:
    """A right shank before it is a part: bones in the frame of the knee, the condylar width, and where it is from."""

    bones: dict[str, Surface]
    width: float
    axis: np.ndarray
    person: Person
    side: str
    matrix: np.ndarray


def tibia_and_fibula(person: Person, side: str) -> tuple[Surface, Surface] | None:
    """Both bones of a right shank (left ones mirrored), from whichever meshes there are."""
    tibia, fibula = person.right("tibia", side), person.right("fibula", side)
    if tibia is not None and fibula is not None:
        return pieces_of(tibia)[0], pieces_of(fibula)[0]
    both = person.right("tibia_fibula", side)
    if both is None:
        return None
    pieces = pieces_of(both)
    return (pieces[0], pieces[1]) if len(pieces) > 1 else None


def clean_patella(surface: Surface) -> Surface:
    """The largest piece of a patella, without the steps of the slices that some show, and with few faces."""
    return thinned(smoothed(pieces_of(surface)[0], SMOOTHINGS), PATELLA_FACES)


def shank_bones(
    everyone: dict[str, Person], knees: dict[tuple[str, str], landmarks.Knee], report: list[str]
) -> list[Shank]:
    """All shanks in the frames of their knees; loose ones are put where a donor's tibia lies."""
    found, loose = {}, []
    for (name, side), knee in knees.items():
        person = everyone[name]
        both = tibia_and_fibula(person, side)
        if both is None:
            continue
        if person.loose:
            loose.append((person, side, knee, both))
            continue
        patella = person.right("patella", side)
        surfaces = {"tibia": both[0], "fibula": both[1]} | ({"patella": clean_patella(patella)} if patella else {})
        matrix = frame(knee.axes, knee.centre)
        matrix = after(straightening(matrix, both), matrix)
        moved = {key: bone.moved(matrix) for key, bone in surfaces.items()}
        found[name, side] = Shank(moved, knee.width, knee.axes @ knee.axis, person, side, matrix)
    donors = [found[key] for key in DONORS if key in found]
    for person, side, knee, both in loose:
        try:
            found[person.name, side] = placed_shank(person, side, knee, both, donors)
        except ValueError as error:
            report.append(f"shank {person.name} {side} refused: {error}")
    return list(found.values())


def straightening(matrix: np.ndarray, both: tuple[Surface, Surface]) -> np.ndarray:
    """The turn about x (3, 4) that brings the ankle straight below the knee: people lie with their knees a little bent.

    Parameters
    ----------
    matrix : ndarray, shape (3, 4)
        Into the frame of the knee.
    both : tuple of 2 Surface
        Tibia and fibula.
    """
    ankle = landmarks.ankle_of(*(mapped(matrix, bone.vertices) for bone in both)).centre
    turn = about_x(-np.arctan2(ankle[1], -ankle[2]))
    return np.column_stack([turn, np.zeros(3)])


def placed_shank(
    person: Person, side: str, knee: landmarks.Knee, both: tuple[Surface, Surface], donors: list[Shank]
) -> Shank:
    """A loose shank where the donor's lies whose upper tibia is most like it; the patella is the donor's.

    Raises
    ------
    ValueError
        If the tibia is like none of the donors'.
    """
    target = both[0].vertices
    fits = []
    for donor in donors:
        cloud = donor.bones["tibia"].vertices
        rough = (register(cloud, target, start, rounds=6, sample=300) for start in principal_starts(cloud, target))
        matrix, _ = min(rough, key=lambda fit: fit[1])
        upper = cloud[cloud[:, 2] > cloud[:, 2].max() - 1.2 * donor.width]
        along = (target - mapped(matrix, np.zeros(3))) @ matrix[:, 2] / np.linalg.norm(matrix[:, 2])
        matrix, left = register(upper, target[along > along.max() - 1.3 * knee.width], matrix, sample=500)
        fits.append((left / knee.width, matrix, donor))
    left, matrix, donor = min(fits, key=lambda fit: fit[0])
    if left > ROUGHEST:
        raise ValueError(f"the upper tibia is unlike all donors' ({left * knee.width:.1f} mm).")
    scale = float(np.cbrt(np.linalg.det(matrix[:, :3])))
    back = scale * inverse(matrix)  # turns and shifts as the donor's frame does, in mm of this person
    back = after(straightening(back, both), back)
    width = scale * donor.width
    femur = person.right("femur", side).moved(frame(width / knee.width * knee.axes, knee.centre))
    gaps = landmarks.knee_gaps(femur, both[0].moved(back), width)
    back[2, 3] += np.mean(gaps) - KNEE_GAP * width
    tibia, fibula = (bone.moved(back) for bone in both)
    bones = {"tibia": tibia, "fibula": beside(fibula, tibia, FIBULA_GAP * width)}
    if "patella" in donor.bones:
        patella = donor.bones["patella"].moved(np.column_stack([scale * np.eye(3), np.zeros(3)]))
        shift = seat(patella.vertices, femur, np.array([0.0, 1.0, 0.0]), PATELLA_GAP * width)
        bones["patella"] = patella.moved(np.column_stack([np.eye(3), shift]))
    return Shank(bones, width, donor.axis, person, side, back)


def beside(fibula: Surface, tibia: Surface, gap: float) -> Surface:
    """The fibula with both ends brought as near to the tibia as the gap, mm: it is shifted and sheared sideways."""
    heights = fibula.vertices[:, 2]
    ends, shifts = [], []
    for part in (heights > np.quantile(heights, 0.85), heights < np.quantile(heights, 0.15)):
        end = fibula.vertices[part]
        level = np.abs(tibia.vertices[:, 2] - end[:, 2].mean()) < 0.08 * np.ptp(heights)
        inward = (tibia.vertices[level].mean(0) - end.mean(0)) * (1, 1, 0)
        ends.append(end[:, 2].mean())
        shifts.append(seat(end, tibia, inward / np.linalg.norm(inward), gap))
    slope = (shifts[0] - shifts[1]) / (ends[0] - ends[1])
    shear = np.eye(3)
    shear[:, 2] += slope
    return fibula.moved(np.column_stack([shear, shifts[0] - slope * ends[0]]))


def shank_part(shank: Shank) -> tuple[Part, landmarks.Ankle]:
    """The part, and its ankle.

    Raises
    ------
    ValueError
        If no ankle is found.
    """
    ankle = landmarks.ankle_of(shank.bones["tibia"].vertices, shank.bones["fibula"].vertices)
    size = relative_size(shank.width)
    bones = []
    for name, surface in shank.bones.items():
        long = name in SHAFTS
        cortex = shaft_cortex(surface.vertices[:, 2], name, size) if long else even_cortex(surface, size * PATELLA)
        bones.append(Bone(name, name, surface, cortex))
    joints = {"ankle": Joint(tuple(ankle.centre), tuple(-ankle.axis))}
    if "patella" in shank.bones:
        joints["patella"] = Joint((0.0, 0.0, 0.0), tuple(shank.axis), ("patella",))
    person = shank.person
    part = Part("shank", f"{person.name}_{shank.side}", tuple(bones), joints, shank.width, {"ankle": ankle.width},
                person.child, person.source, person.terms)  # fmt: skip
    return part, ankle
