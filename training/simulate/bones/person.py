"""Random people: parts drawn from the library, sizes and builds drawn at random."""

from __future__ import annotations

import numpy as np

from .growth import with_growth_plates
from .parts import Part
from .skeleton import DEGREE, SIDES, Assembly, Person, Pose, about, affine, after, apply, rotation, scale_to

CHILDREN = 0.22
"""Share of people under eighteen."""
PLATE = (0.8, 3.2)
"""mm, before a child is scaled: thickness of its growth plates."""
OWN_PARTS = 0.5
"""Share of limbs whose next part comes from the same person, where the library has it."""

SHOULDER = (-150.0, 60.0, -10.0)
"""From the sternoclavicular joint to the shoulder, mm, where a library has no shoulders."""

Library = dict[str, list[Part]]


def draw_person(
    library: Library, pose: Pose, parts: tuple[str, ...], generator: np.random.Generator, children: float = CHILDREN
) -> Person:
    """A person in a pose, as far as a film needs it.

    Parameters
    ----------
    library : dict of kind to list of Part
    pose : Pose
    parts : tuple of str
        Nodes to put together, for example ("pelvis", "thigh R").
    generator : numpy Generator
    children : float
        Probability that it is a child.
    """
    child = generator.random() < children
    size = generator.uniform(0.45, 0.95) if child else float(np.clip(generator.normal(1.0, 0.07), 0.8, 1.2))
    assembly = Assembly(size, np.exp(generator.normal(0.0, [0.05, 0.05, 0.04])))
    assembly.person.child = child
    pick = _Picker(library, child, generator)
    pelvis = pick("pelvis")
    frame = affine(size * np.eye(3))
    if child and pelvis is not None and pelvis.child:  # a child's own size; the factor then only varies it
        size = assembly.person.size = float(generator.uniform(0.85, 1.1))
        frame = affine(size * np.eye(3))
    hips = {"R": np.array([-85.0, 0, 0]), "L": np.array([85.0, 0, 0])}
    base = np.array([0.0, 25.0, 95.0])
    if pelvis is not None:
        hips = {side: np.array(pelvis.joints[f"hip_{side}"].centre) for side in SIDES}
        base = np.array(pelvis.joints["lumbosacral"].centre)
        if "pelvis" in parts:
            assembly.add(pelvis, "", frame)
    assembly.mark("lumbosacral", "", frame, base)
    _trunk_and_arms(assembly, pick, pose, parts, size, base)
    mirrored = np.diag([-1.0, 1.0, 1.0])
    for side in SIDES:
        if not {f"{kind} {side}" for kind in ("thigh", "shank", "foot")} & set(parts):
            continue
        thigh = pick("thigh", side)
        shank = pick("shank", side, thigh)
        foot = pick("foot", side, shank)
        if thigh is None or shank is None:
            continue
        centre = size * (hips[side] if side == "R" else mirrored @ hips[side])
        fit = float(np.clip(pelvis.widths.get(f"hip_{side}", 0) / thigh.width, 0.6, 1.6)) if (
            pelvis is not None and thigh.width and pelvis.widths.get(f"hip_{side}")) else 1.0  # fmt: skip
        assembly.leg(centre, side, thigh, shank, foot, pose, size * fit)
    person = assembly.person
    person.bones = [bone for bone in person.bones if bone.node in parts]
    return person


def _trunk_and_arms(assembly: Assembly, pick: _Picker, pose: Pose, parts: tuple[str, ...], size: float, base) -> None:
    generator = pick.generator
    trunk = pick("trunk")
    placed = affine(size * rotation((1, 0, 0), float(generator.normal(0, 0.08))), size * base)
    clavicle = np.array([-12.0, -60.0, 400.0])
    if trunk is not None:
        clavicle = np.array(trunk.joints["sternoclavicular"].centre)
        if "trunk" in parts:
            assembly.add(trunk, "", placed)
        assembly.mark("neck", "", placed, trunk.joints["neck"].centre)
    for side in SIDES:
        if not {f"{kind} {side}" for kind in ("shoulder", "upper arm", "forearm", "hand")} & set(parts):
            continue
        shoulder, upper = pick("shoulder", side), pick("upper arm", side)
        fore = pick("forearm", side, upper)
        hand = pick("hand", side, fore)
        if upper is None or fore is None:
            continue
        girdle, glenohumeral, fit = after(placed, affine(np.eye(3), clavicle)), np.array(SHOULDER), 1.0
        if shoulder is not None:
            wide = scale_to(trunk, "sternoclavicular", shoulder) if trunk is not None else 1.0
            girdle = after(girdle, affine(wide * np.eye(3)))
            turned = _scapula(shoulder, pose.of("shoulder", side, 3)[1])
            glenohumeral = apply(turned, shoulder.joints["glenohumeral"].centre)
            moved = shoulder.joints["scapula"].moves if "scapula" in shoulder.joints else ()
            assembly.add(shoulder, side, girdle, {name: turned for name in moved})
            fit = wide * scale_to(shoulder, "glenohumeral", upper)
        assembly.arm(apply(girdle, glenohumeral), side, upper, fore, hand, pose, size * fit)


def _scapula(shoulder: Part, abduction: float) -> np.ndarray:
    """How the shoulder blade turns with a raised arm: by a third of what lies beyond 30 degrees."""
    if "scapula" not in shoulder.joints:
        return affine(np.eye(3))
    joint = shoulder.joints["scapula"]
    return about(joint.centre, rotation(joint.axis, max(0.0, abduction - 30 * DEGREE) / 3))


class _Picker:
    """Draws parts; both sides of a person get the same ones, as they mostly are."""

    def __init__(self, library: Library, child: bool, generator: np.random.Generator) -> None:
        self.library, self.child, self.generator = library, child, generator
        self.chosen: dict[str, Part | None] = {}
        self.plate = float(generator.uniform(*PLATE)) if child else 0.0

    def __call__(self, kind: str, side: str = "", near: Part | None = None) -> Part | None:
        if kind in self.chosen and self.generator.random() < 0.9:
            return self.chosen[kind]
        parts = self.library.get(kind, [])
        wanted = [part for part in parts if part.child == self.child] or parts
        if near is not None and self.generator.random() < OWN_PARTS:
            wanted = [part for part in wanted if part.name == near.name] or wanted
        part = wanted[self.generator.integers(len(wanted))] if wanted else None
        if part is not None and self.child:
            part = with_growth_plates(part, self.plate)
        self.chosen[kind] = part
        return self.chosen[kind]
