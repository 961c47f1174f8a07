"""Where the bones of hands come from, and hands put together of bones of several people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .fitting import mapped
from .hands import CARPALS, chain, ends_of, straightened, upright
from .opensim import placed as placed_by
from .opensim import read_placements, read_vtp, to_body_frame
from .shaping import prepared, registered, turn_to
from .skeleton import MIRROR, affine, rotation
from .surface import Surface

STEP = 0.02
"""mm of one unit of the stored vertices of people's bones."""
FACES = 900, 2600
"""Least and most faces of a hand's bone: small bones, of which a film shows 27 at once."""

_ARM26 = {
    **{f"arm_r_{name}": name for name in CARPALS},
    **{f"arm_r_{finger}mc": f"metacarpal {finger}" for finger in range(1, 6)},
    **{f"arm_r_{finger}{short}ph": f"{joint} phalanx {finger}" for finger in range(2, 6)
       for short, joint in (("prox", "proximal"), ("mid", "middle"), ("dist", "distal"))},
    "arm_r_thumbprox": "proximal phalanx 1", "arm_r_thumbdist": "distal phalanx 1",
}  # fmt: skip
_WORDS = ("thumb", "index", "middle", "ring", "little")
_RAJAGOPAL = {
    **{f"{name}_rvs": name for name in CARPALS},
    **{f"metacarpal{finger}_rvs": f"metacarpal {finger}" for finger in range(1, 6)},
    **{f"{word}_{short}_rvs": f"{joint} phalanx {finger}" for finger, word in enumerate(_WORDS, 1)
       for short, joint in (("proximal", "proximal"), ("medial", "middle"), ("distal", "distal"))
       if (finger, joint) != (1, "middle")},
}  # fmt: skip
_WRIST = {
    "r_scaph": "scaphoid", "r_lun": "lunate", "r_triq": "triquetrum", "r_pis": "pisiform", "r_trpzm": "trapezium",
    "r_trpzd": "trapezoid", "r_cap": "capitate", "r_ham": "hamate",
    **{f"fingers{first + step}": name for first, finger in ((1, 2),) for step, name in enumerate(chain(finger))},
    **{f"fingers{last - step}": name for last, finger in ((8, 3), (12, 4), (16, 5))
       for step, name in enumerate(chain(finger))},
    **{f"fingers{17 + step}": name for step, name in enumerate(chain(1))},
}  # fmt: skip
MODELS = {
    "arm26": ("arm26.osim", _ARM26, 1.0),
    "rajagopal": ("Rajagopal2016.osim", _RAJAGOPAL, 1.0),
    "wrist": ("wrist.osim", _WRIST, 0.82),
}
"""By name: the model that places the bones, the bones' names by file, and a factor: the last is 23 cm long."""


def model_hand(opensim: Path, model: str) -> dict[str, Surface]:
    """A hand of an OpenSim model in mm, in the pose of the model."""
    file, names, factor = MODELS[model]
    places = read_placements(opensim / file)
    bones = {}
    for stem, name in names.items():
        vertices, faces = read_vtp(opensim / f"{stem}.vtp")
        points = to_body_frame(placed_by(vertices, places[f"{stem}.vtp"]))
        bones[name] = prepared(factor * points, faces, *FACES)
    return bones


def stored_bones(bones: Path, person: str, most: int = FACES[1], only: str = "") -> dict[str, Surface]:
    """A person's bones by key (or the one with the key `only`), mm; those that can't be closed are left out."""
    found = {}
    with np.load(bones / f"{person}.npz") as stored:
        for key in (name[:-2] for name in stored.files if name.endswith("_v")):
            if only and key != only:
                continue
            try:
                found[key] = prepared(STEP * stored[f"{key}_v"], stored[f"{key}_f"], FACES[0], most)
            except ValueError:
                continue
    return found


_KINEMATIC = {
    "metacarpal1": "metacarpal 1", "thumb_proximal_phalanx": "proximal phalanx 1",
    "thumb_distal_phalanx": "distal phalanx 1", "metacarpal2": "metacarpal 2",
    "index_proximal_phalanx": "proximal phalanx 2", "index_middle_phalanx": "middle phalanx 2",
    "index_distal_phalanx": "distal phalanx 2",
}  # fmt: skip


def scanned_fingers(bones: Path, person: str) -> dict[str, Surface]:
    """Thumb and index of a CT as a right hand's, in the scanner's frame; the other fingers are fused there."""
    found = {_KINEMATIC[key]: surface for key, surface in stored_bones(bones, person).items() if key in _KINEMATIC}
    middle = {name: surface.vertices.mean(0) for name, surface in found.items()}
    down = middle["proximal phalanx 2"] - middle["metacarpal 2"]
    beside = middle["metacarpal 1"] - middle["metacarpal 2"]
    curl = middle["distal phalanx 2"] - middle["middle phalanx 2"]
    if down @ np.cross(beside, curl) > 0:  # a left hand: thumb, palm and fingers turn the other way
        found = {name: surface.moved(affine(MIRROR)) for name, surface in found.items()}
    return found


def laid(donor: Surface, template: Surface, starts: tuple[np.ndarray, np.ndarray] | None = None,
         scale: float | None = None) -> Surface:  # fmt: skip
    """A donor's bone where the template's lies, as large as the template's or `scale` times its own size.

    Parameters
    ----------
    starts : tuple of two ndarray of shape (3,), optional
        For long bones a point before the base of each, so that base comes to base.
    """
    points, goal = donor.vertices.astype(float), template.vertices.astype(float)
    if starts is None:
        matrix = registered(points, goal)[0]
    else:
        own, other = ends_of(points, starts[0]), ends_of(goal, starts[1])
        tried = []
        for roll in (0.0, 90.0, 180.0, 270.0):
            linear = other.length / own.length * rotation(other.axis, np.radians(roll)) @ turn_to(own.axis, other.axis)
            tried.append(registered(points, goal, start=affine(linear, other.base - linear @ own.base)))
        matrix = min(tried, key=lambda found: found[1])[0]
    if scale is not None:
        linear = matrix[:, :3] * scale / np.cbrt(np.linalg.det(matrix[:, :3]))
        middle = donor.vertices.mean(0)
        matrix = affine(linear, mapped(matrix, middle) - linear @ middle)
    return donor.moved(matrix)


def with_fingers(template: dict[str, Surface], fingers: dict[str, Surface]) -> dict[str, Surface]:
    """A hand with another person's thumb and index; the phalanges of fingers 3 to 5 are the index's, in proportion.

    The other hand grows to the donor's size. Both are right hands; the template is upright.
    """
    start, before = template["capitate"].vertices.mean(0), _before(fingers)
    own = {name: ends_of(surface.vertices, before[name]) for name, surface in fingers.items()}
    length = np.median([own[name].length / ends_of(template[name].vertices, start).length for name in own])
    width = np.median([own[name].radius / ends_of(template[name].vertices, start).radius for name in own])
    growth = np.diag([np.sqrt(width * length), np.sqrt(width * length), length])
    hand = straightened({name: surface.moved(affine(growth)) for name, surface in template.items()})
    place = {name: ends_of(surface.vertices, start) for name, surface in hand.items() if name not in CARPALS}
    for finger in range(1, 6):
        for name in chain(finger):
            donor = name[:-1] + str(min(finger, 2))
            if finger > 2 and name.startswith("metacarpal"):
                continue
            size = place[name].length / place[donor].length
            bone = laid(fingers[donor], hand[name], (before[donor], start), size)
            shift = place[name].base - ends_of(bone.vertices, start).base
            hand[name] = bone.moved(affine(np.eye(3), shift))
    return hand


def _before(fingers: dict[str, Surface]) -> dict[str, np.ndarray]:
    """For each bone of a scan's thumb and index a point (3,) on the side of its base."""
    points = {}
    for finger in (1, 2):
        names = chain(finger)
        middle = [fingers[name].vertices.mean(0) for name in names]
        points[names[0]] = 2 * middle[0] - middle[1]
        points.update(zip(names[1:], middle))
    return points


def with_carpals(template: dict[str, Surface], scans: dict[str, Surface]) -> dict[str, Surface]:
    """A hand with the carpals (and third metacarpal) of a CT of a wrist, as large as its own.

    Parameters
    ----------
    scans : dict of str to Surface
        Keys as stored: ``capitate_R``; left ones are mirrored.
    """
    hand = dict(template)
    own = {key[:-2]: surface.moved(affine(MIRROR)) if key.endswith("_L") else surface for key, surface in scans.items()}
    middles = own["capitate"].vertices.mean(0), template["capitate"].vertices.mean(0)
    for key, surface in own.items():
        if key in CARPALS:
            hand[key] = laid(surface, template[key])
        elif key == "metacarpal3":
            hand["metacarpal 3"] = laid(surface, template["metacarpal 3"], middles)
    return hand


def all_hands(bones: Path) -> dict[str, dict[str, Surface]]:
    """Every hand, upright but with its fingers as they are."""
    models = {name: upright(model_hand(bones / "opensim", name)) for name in MODELS}
    kinematic = {name: scanned_fingers(bones, f"DiffAutoKin_hand{name}") for name in "AB"}
    carpals = {name: stored_bones(bones, f"Carpal_{name}")
               for name in ("ControlSample1", "ControlSample2", "InjurySample1", "InjurySample2")}  # fmt: skip
    with_a = with_fingers(models["arm26"], kinematic["A"])
    with_b = with_fingers(models["arm26"], kinematic["B"])
    return {
        **models,
        "kinematic-a": with_a,
        "kinematic-b": with_b,
        "carpal-c1": with_carpals(models["arm26"], carpals["ControlSample1"]),
        "carpal-c2": with_carpals(with_b, carpals["ControlSample2"]),
        "carpal-i1": with_carpals(with_a, carpals["InjurySample1"]),
        "carpal-i2": with_carpals(models["arm26"], carpals["InjurySample2"]),
    }
