"""Builds the parts of legs and pelvis from the research bones: the people, their thighs, and what the others need."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import landmarks
from .cortex import relative_size, shaft_cortex
from .fitting import frame, principal_starts, register
from .lower_foot import build_feet
from .lower_pelvis import pelvis_parts
from .lower_shank import shank_bones, shank_part
from .lower_sources import MIRROR, REFERENCE, Person, read_children, read_index, read_person
from .parts import Bone, Joint, Part, save_part
from .surface import Surface

FEMUR_LENGTHS, CHILD_LENGTHS = (330.0, 520.0), (235.0, 520.0)
"""mm from hip to knee; others are refused."""
WIDTH_BY_LENGTH, WIDTH_BY_HEAD, STEEPEST = (0.16, 0.235), (1.6, 2.15), 0.2
"""Condylar width by the length and by the head's diameter, and the largest slope of the joint line; else a landmark is
wrong or the shape model has left what is human."""

LEFT_OUT = {
    "DiffAutoKin_knee": "femur and tibia are cut 19 cm from the knee",
    "SYNTH_KneeSSM": "femora and tibiae are cut 10 cm from the knee, without fibulae",
    "ConconiFoot_generic": "each bone lies in a frame of its own, and no remark says how they stand to each other",
    "OpenForge_Mooselake": "modelled by hand with few faces, its true size not known",
}
"""Bones of legs that are not used, and why."""


def build_lower_body(bones: Path, output: Path) -> list[str]:
    """Write all parts of legs and pelvis into ``output/KIND``; the report says how many, and what was refused and why.

    Parameters
    ----------
    bones : Path
        Folder with the research bones (index.csv, PERSON.npz, opensim).
    """
    report = [f"{name} left out: {reason}" for name, reason in LEFT_OUT.items()]
    index = read_index(bones)
    names = [name for name in index if name.startswith(("VSD_", "STAPLE_", "BaselSSM_"))]
    people = [read_person(bones, name, index[name], report) for name in sorted(names)]
    generator = np.random.default_rng(7)
    children = [person for side in "RL" for person in read_children(bones, side, generator)]

    knees: dict[tuple[str, str], landmarks.Knee] = {}
    made: dict[str, list[Part]] = {"pelvis": [], "thigh": [], "shank": [], "foot": []}
    everyone = {person.name: person for person in upright(people, report) + children}
    for person in everyone.values():
        for side in "RL":
            femur = person.right("femur", side)
            if femur is None:
                continue
            try:
                knees[person.name, side] = knee = checked_knee(femur.vertices, person.child)
            except ValueError as error:
                report.append(f"thigh {person.name} {side} refused: {error}")
                continue
            made["thigh"].append(thigh(person, side, femur, knee))
    made["pelvis"] = pelvis_parts(everyone, knees, report)
    feet = []
    for shank in shank_bones(everyone, knees, report):
        try:
            part, ankle = shank_part(shank)
        except ValueError as error:
            report.append(f"shank {shank.person.name} {shank.side} refused: {error}")
            continue
        made["shank"].append(part)
        feet.append((shank, ankle))
    made["foot"] = build_feet(bones, everyone, feet, report)
    for kind, parts in made.items():
        for part in parts:
            save_part(part, output)
        grown = sum(not part.child for part in parts)
        report.append(f"{kind}: {len(parts)} parts, {grown} of adults, {len(parts) - grown} of children")
    return report


def upright(people: list[Person], report: list[str]) -> list[Person]:
    """The people; femora in frames of their own are turned to stand like others', and left ones are mirrored."""
    name, side = REFERENCE
    target = next(person for person in people if person.name == name).right("femur", side).vertices
    result = []
    for person in people:
        key = "femur" if "femur" in person.bones else "femur_R"
        if not (person.loose or key == "femur"):
            result.append(person)
            continue
        femur = person.bones[key]
        ways = [femur] if key == "femur_R" else [femur, femur.moved(MIRROR)]
        fits = []
        for surface in ways:
            starts = principal_starts(surface.vertices, target)
            found = [register(surface.vertices, target, start, rounds=20, sample=400) for start in starts]
            matrix, left = register(surface.vertices, target, min(found, key=lambda fit: fit[1])[0], rounds=10)
            fits.append((left, matrix, surface))
        left, matrix, surface = min(fits, key=lambda fit: fit[0])
        if len(fits) == 2:
            other = max(fit[0] for fit in fits)
            turned = "a left one" if surface is not femur else "a right one"
            report.append(f"thigh {person.name}: {turned} ({left:.1f} mm from the reference, else {other:.1f})")
        scale = np.cbrt(np.linalg.det(matrix[:, :3]))
        placed = {**person.bones, "femur_R": surface.moved(matrix / scale)}
        placed.pop("femur", None)
        result.append(Person(person.name, placed, person.child, person.source, person.terms, person.loose))
    return result


def checked_knee(vertices: np.ndarray, child: bool) -> landmarks.Knee:
    """The landmarks of a right femur, vertices (n, 3).

    Raises
    ------
    ValueError
        If its measures are not those of a femur.
    """
    knee = landmarks.knee_of(vertices)
    length = float(np.linalg.norm(knee.hip - knee.centre))
    least, most = CHILD_LENGTHS if child else FEMUR_LENGTHS
    slope = abs((knee.axes @ knee.axis)[2])
    for what, value, (low, high) in (
        ("length from hip to knee", length, (least, most)),
        ("condylar width by length", knee.width / length, WIDTH_BY_LENGTH),
        ("condylar width by the head's diameter", knee.width / (2 * knee.head), WIDTH_BY_HEAD),
        ("slope of the joint line", slope, (0.0, STEEPEST)),
    ):
        if not low <= value <= high:
            raise ValueError(f"{what} {value:.3g} is not between {low:g} and {high:g}.")
    return knee


def thigh(person: Person, side: str, femur: Surface, knee: landmarks.Knee) -> Part:
    """The part of a right femur in any frame."""
    surface = femur.moved(frame(knee.axes, knee.hip))
    centre = knee.axes @ (knee.centre - knee.hip)
    cortex = shaft_cortex(surface.vertices[:, 2], "femur", relative_size(knee.width))
    joints = {"knee": Joint(tuple(centre), tuple(knee.axes @ knee.axis))}
    return Part("thigh", f"{person.name}_{side}", (Bone("femur", "femur", surface, cortex),), joints, 2 * knee.head,
                {"knee": knee.width}, person.child, person.source, person.terms)  # fmt: skip
