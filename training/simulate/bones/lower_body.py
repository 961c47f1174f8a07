"""Builds the parts of kinds pelvis, thigh and shank from the research bones; feet are in lower_foot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import landmarks
from .landmarks import after, frame, inverse, mapped, register
from .lower_sources import MIRROR, Person, read_children, read_index, read_person
from .parts import Bone, Joint, Part, save_part
from .surface import Surface, pieces_of

ADULT_CONDYLES = 82.0
"""mm; the compact bone of smaller people is thinner in proportion to their condylar width."""
SHAFTS = {"femur": (5.5, 1.1), "tibia": (4.5, 1.0), "fibula": (2.5, 0.8)}
"""Thickness of the compact bone in the middle of the shaft and at the ends of adults, mm."""
PELVIS, SACRUM, PATELLA = 1.5, 1.2, 1.0
"""Thickness of the compact bone of adults, mm."""
FEMUR_LENGTHS, CHILD_LENGTHS = (330.0, 520.0), (235.0, 520.0)
"""mm from hip to knee; others are refused."""
WIDTH_BY_LENGTH, WIDTH_BY_HEAD, STEEPEST = (0.16, 0.235), (1.6, 2.15), 0.2
"""Condylar width by the length and by the head's diameter, and the largest slope of the joint line; else a landmark is
wrong or the shape model has left what is human."""
REFERENCE = ("VSD_z013", "R")
"""Whose femur others are turned like, where a file does not say which way is up."""
DONORS = (("VSD_z013", "R"), ("VSD_z027", "R"), ("STAPLE_TLEM2_CT", "R"), ("STAPLE_LHDL_CT", "R"))
"""Whose shanks show where loose tibiae and patellae belong: CT of adults with a whole leg."""
SACRUM_DONORS = ("VSD_z013", "VSD_z027", "VSD_z042", "VSD_z056", "VSD_z001", "VSD_z061")
"""Whose sacra children and people without one borrow: the one whose hip bones fit best."""
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


def build_lower_body(bones: Path, output: Path) -> list[str]:
    """Write all parts of legs and pelvis into ``output/KIND``; the report says how many, and what was refused and why.

    Parameters
    ----------
    bones : Path
        Folder with the research bones (index.csv, PERSON.npz, opensim).
    """
    from .lower_foot import build_feet

    report: list[str] = []
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
    pelves = pelvis_parts(everyone, knees, report)
    made["pelvis"] += pelves
    shanks = shank_bones(everyone, knees, report)
    feet = []
    for shank in shanks:
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
    """The people; femora in frames of their own are turned to stand like others', and mirrored if they are left ones."""
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
            starts = landmarks.principal_starts(surface.vertices, target)
            found = [register(surface.vertices, target, start, rounds=25) for start in starts]
            matrix, left = min(found, key=lambda fit: fit[1])
            fits.append((left, matrix, surface))
        left, matrix, surface = min(fits, key=lambda fit: fit[0])
        if len(fits) == 2:
            other = max(fit[0] for fit in fits)
            turned = "a left one" if surface is not femur else "a right one"
            report.append(f"thigh {person.name}: taken for {turned} ({left:.1f} mm from the reference, else {other:.1f})")
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


def shaft_cortex(heights: np.ndarray, name: str, size: float) -> np.ndarray:
    """Thickness of the compact bone (n,) of a long bone, mm, by the heights (n,) of its vertices."""
    middle, end = (size * value for value in SHAFTS[name])
    along = (heights - heights.min()) / np.ptp(heights)
    inside = np.clip(np.minimum(along, 1 - along) / 0.32, 0, 1)
    return (end + (middle - end) * inside**1.4).astype(np.float32)


def even_cortex(surface: Surface, thickness: float) -> np.ndarray:
    """The same thickness (n,) at each vertex."""
    return np.full(len(surface.vertices), thickness, np.float32)


def relative_size(width: float) -> float:
    """The thickness of the compact bone of people with that condylar width, by an adult's."""
    return float(np.clip(width / ADULT_CONDYLES, 0.5, 1.15))


def thigh(person: Person, side: str, femur: Surface, knee: landmarks.Knee) -> Part:
    """The part of a right femur in any frame."""
    surface = femur.moved(frame(knee.axes, knee.hip))
    centre = knee.axes @ (knee.centre - knee.hip)
    cortex = shaft_cortex(surface.vertices[:, 2], "femur", relative_size(knee.width))
    joints = {"knee": Joint(tuple(centre), tuple(knee.axes @ knee.axis))}
    return Part("thigh", f"{person.name}_{side}", (Bone("femur", "femur", surface, cortex),), joints, 2 * knee.head,
                {"knee": knee.width}, person.child, person.source, person.terms)  # fmt: skip


# pelvis


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
    found = {}
    for person in everyone.values():
        hips = hip_bones(person)
        if hips is not None:
            found[person.name] = hips
    sockets = SocketFinder(found[REFERENCE[0]], knees[REFERENCE])
    parts = []
    for name, hips in found.items():
        person = everyone[name]
        own = {side: knees[name, side] for side in "RL" if (name, side) in knees}
        if not own:
            report.append(f"pelvis {name} refused: no femur that shows the size of its hip")
            continue
        head = float(np.mean([knee.head for knee in own.values()]))
        centres, how = {}, []
        for side, bone in zip("RL", hips):
            if side in own and not person.loose:
                centres[side] = own[side].hip * ((1, 1, 1) if side == "R" else (-1, 1, 1))
                continue
            how.append(side)
            centres[side] = sockets.centre(bone, side, head)
        sacrum, lender = own_sacrum(person, hips), person
        if sacrum is None:
            fits = []
            for donor in SACRUM_DONORS:
                cloud, target = (np.concatenate([b.vertices for b in pair]) for pair in (found[donor], hips))
                scale = np.linalg.norm(np.ptp(target, axis=0)) / np.linalg.norm(np.ptp(cloud, axis=0))
                start = np.column_stack([scale * np.eye(3), target.mean(0) - scale * cloud.mean(0)])
                fits.append((*register(cloud, target, start, rounds=30), donor))
            matrix, left, donor = min(fits, key=lambda fit: fit[1])
            lender = everyone[donor]
            sacrum = own_sacrum(lender, found[donor]).moved(matrix)
        try:
            parts.append(pelvis(person, hips, sacrum, lender, centres, head))
        except ValueError as error:
            report.append(f"pelvis {name} refused: {error}")
    return parts


class SocketFinder:
    """Finds hip centres by the socket, where it lies on a person whose femur shows it.

    Parameters
    ----------
    hips : tuple of 2 Surface
        The right and left hip bone of that person.
    knee : Knee
        The landmarks of the right femur.
    """

    def __init__(self, hips: tuple[Surface, Surface], knee: landmarks.Knee) -> None:
        self.bone, self.knee = hips[0].vertices, knee
        distance = np.linalg.norm(self.bone - knee.hip, axis=1)
        self.rim = self.bone[distance < 1.35 * knee.head]

    def centre(self, bone: Surface, side: str, head: float) -> np.ndarray:
        """The centre (3,) of the socket of a hip bone for a head of that radius."""
        mirror = np.array([1.0 if side == "R" else -1.0, 1.0, 1.0])
        target = bone.vertices * mirror
        scale = head / self.knee.head
        start = np.column_stack([scale * np.eye(3), target.mean(0) - scale * self.bone.mean(0)])
        matrix, _ = register(self.bone, target, start, rounds=40)
        guess = mapped(matrix, self.knee.hip)
        socket = target[np.linalg.norm(target - guess, axis=1) < 1.3 * head]
        try:
            centre, radius = landmarks.grow_sphere(socket, guess, 1.1 * head, np.array([1.0, 0.4, 0.5]), 0.3)
        except ValueError:
            return guess * mirror
        fits = np.linalg.norm(centre - guess) < 0.35 * head and 0.9 * head < radius < 1.35 * head
        return (centre if fits else guess) * mirror


def pelvis(
    person: Person, hips: tuple[Surface, Surface], sacrum: Surface, lender: Person,
    centres: dict[str, np.ndarray], head: float,
) -> Part:  # fmt: skip
    """The part of a pelvis whose bones lie in one frame, with the plane of its front upright."""
    right, left = centres["R"], centres["L"]
    clouds = np.concatenate([bone.vertices for bone in hips])
    matrix = frame(landmarks.rotation(left - right, np.array([0.0, 0.0, 1.0])), (right + left) / 2)
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


# shank


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
        surfaces = {"tibia": both[0], "fibula": both[1]} | ({"patella": pieces_of(patella)[0]} if patella else {})
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
    turn = landmarks.about_x(-np.arctan2(ankle[1], -ankle[2]))
    return np.column_stack([turn, np.zeros(3)])


def placed_shank(
    person: Person, side: str, knee: landmarks.Knee, both: tuple[Surface, Surface], donors: list[Shank]
) -> Shank:
    """A loose shank where the donor's lies whose upper tibia is most like it; the patella is the donor's."""
    target = both[0].vertices
    fits = []
    for donor in donors:
        cloud = donor.bones["tibia"].vertices
        starts = landmarks.principal_starts(cloud, target)
        matrix, _ = min((register(cloud, target, start, rounds=15) for start in starts), key=lambda fit: fit[1])
        upper = cloud[cloud[:, 2] > cloud[:, 2].max() - 1.2 * donor.width]
        along = (target - mapped(matrix, np.zeros(3))) @ matrix[:, 2] / np.linalg.norm(matrix[:, 2])
        matrix, left = register(upper, target[along > along.max() - 1.3 * knee.width], matrix)
        fits.append((left / knee.width, matrix, donor))
    left, matrix, donor = min(fits, key=lambda fit: fit[0])
    if left > ROUGHEST:
        raise ValueError(f"the upper tibia is unlike all donors' ({left * knee.width:.1f} mm).")
    scale = float(np.cbrt(np.linalg.det(matrix[:, :3])))
    back = scale * inverse(matrix)  # turns and shifts as the donor's frame does, in mm of this person
    back = after(straightening(back, both), back)
    width = scale * donor.width
    own = landmarks.plateau_height(mapped(back, target), width)
    back[2, 3] += scale * landmarks.plateau_height(donor.bones["tibia"].vertices, donor.width) - own
    bones = {name: bone.moved(back) for name, bone in zip(("tibia", "fibula"), both)}
    grow = np.column_stack([scale * np.eye(3), np.zeros(3)])
    if "patella" in donor.bones:
        bones["patella"] = donor.bones["patella"].moved(grow)
    return Shank(bones, width, donor.axis, person, side, back)


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
