"""Parts of a skeleton: bones that move as one, with the joints at which other parts and their own bones turn.

All parts are right ones (left ones are their mirror images) in the anatomical position of an upright patient: x to the
patient's left, y backwards, z up, mm. The origin is the joint to the part above, so that parts of different people can
be put together.

| kind | origin | bones (classes) | joints |
|---|---|---|---|
| pelvis | middle between the hips | "hip bone" ("hip bone R", "hip bone L"), "sacrum" | hip_R, hip_L, lumbosacral |
| thigh | hip centre; the knee lies straight below | "femur" | knee (axis to the patient's left) |
| shank | knee | "tibia", "fibula", "patella" | ankle, patella |
| foot | ankle; toes forward (-y), sole level | "foot" | toe joints |
| trunk | lumbosacral joint | "vertebra" each, "rib", "sternum", "skull" | sternoclavicular, neck |
| shoulder | sternoclavicular joint | "clavicle", "scapula" | glenohumeral |
| upper arm | glenohumeral centre, hanging | "humerus" | elbow (axis to the patient's left) |
| forearm | elbow, palm forward | "radius", "ulna" | wrist, pronation (along the forearm, moves the radius) |
| hand | wrist, palm forward, fingers down, thumb away from the body (-x) | "hand" each bone | finger joints |
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .surface import Surface

KINDS = ("pelvis", "thigh", "shank", "foot", "trunk", "shoulder", "upper arm", "forearm", "hand")


@dataclass(frozen=True)
class Bone:
    """One closed surface.

    Parameters
    ----------
    name : str
        Unlike any other in its part, for example "metacarpal 3".
    label : str
        Its class: the name that a segment gets; "rib" and "sternum" are drawn and get none.
    surface : Surface
    cortex : ndarray of float32, shape (vertices,)
        Thickness of the compact bone below each vertex, mm.
    """

    name: str
    label: str
    surface: Surface
    cortex: np.ndarray


@dataclass(frozen=True)
class Joint:
    """Where something turns.

    Parameters
    ----------
    centre : tuple of 3 float
        mm, in the part's frame.
    axis : tuple of 3 float
        Unit vector; a positive angle about it (right hand rule) is flexion.
    moves : tuple of str
        Names of the part's own bones that turn with it; empty where another part follows.
    """

    centre: tuple[float, float, float]
    axis: tuple[float, float, float] = (1.0, 0.0, 0.0)
    moves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A part of one person.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    name : str
        Person and side it comes from.
    bones : tuple of Bone
    joints : dict of str to Joint
    width : float
        mm across the joint at the origin (thigh: across the hip's head; shank: across the plateau; and so on) by which
        it is scaled to fit the part above.
    widths : dict of str to float
        mm across the joints to the parts below, by joint name: the next part is scaled by its quotient with `width`.
    child : bool
    source, terms : str
        Where the surfaces come from, and what their owners allow.
    plates : bool
        Whether its long bones have growth plates; where they do not, ``growth`` cuts those of children.
    """

    kind: str
    name: str
    bones: tuple[Bone, ...]
    joints: dict[str, Joint]
    width: float
    widths: dict[str, float] = field(default_factory=dict)
    child: bool = False
    source: str = ""
    terms: str = ""
    plates: bool = False


def save_part(part: Part, folder: Path) -> Path:
    """Write a part to ``folder/KIND/NAME.npz``; surfaces as float16 offsets would be too coarse, so float32."""
    path = folder / part.kind.replace(" ", "_") / f"{part.name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for number, bone in enumerate(part.bones):
        arrays[f"{number}/vertices"] = bone.surface.vertices.astype(np.float32)
        arrays[f"{number}/faces"] = bone.surface.faces.astype(np.int32)
        arrays[f"{number}/cortex"] = bone.cortex.astype(np.float32)
    facts = {
        "kind": part.kind, "name": part.name, "width": part.width, "widths": part.widths, "child": part.child,
        "plates": part.plates, "source": part.source, "terms": part.terms,
        "bones": [{"name": bone.name, "label": bone.label} for bone in part.bones],
        "joints": {name: {"centre": list(map(float, joint.centre)), "axis": list(map(float, joint.axis)),
                          "moves": list(joint.moves)} for name, joint in part.joints.items()},
    }  # fmt: skip
    np.savez_compressed(path, facts=np.array(json.dumps(facts)), **arrays)
    return path


def load_part(path: Path) -> Part:
    """The part of a file that :func:`save_part` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        facts = json.loads(str(stored["facts"]))
        bones = tuple(
            Bone(**names, surface=Surface(stored[f"{number}/vertices"], stored[f"{number}/faces"]),
                 cortex=stored[f"{number}/cortex"])
            for number, names in enumerate(facts["bones"])
        )  # fmt: skip
    joints = {
        name: Joint(tuple(values["centre"]), tuple(values["axis"]), tuple(values["moves"]))
        for name, values in facts.pop("joints").items()
    }
    return Part(**{**facts, "bones": bones, "joints": joints})


def load_library(folder: Path) -> dict[str, list[Part]]:
    """All parts below a folder by kind, each in the order of its files' names.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    found = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*/*.npz")):
        part = load_part(path)
        found[part.kind].append(part)
    if not any(found.values()):
        raise FileNotFoundError(f"{folder} holds no parts of skeletons; build them first.")
    return found
