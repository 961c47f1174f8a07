"""What each data set's labels say: which classes it marks, which cannot be in its pictures, and how it is read.

One table, so that a set is added or a class made known in one place. A class that is neither marked nor absent may show
unmarked (the tibia in knee_femur) and stays out of the loss of the set's pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CLASSES = (
    "right lung", "left lung", "femur", "tibia", "teeth", "heart", "right clavicle", "left clavicle", "humerus",
    "vertebra", "tooth", "hip bone", "sacrum", "patella", "fibula", "foot", "scapula", "radius", "ulna", "hand",
)  # fmt: skip
"""All that the shipped model knows, in the order of its networks' outputs; the first five are those of version 2."""

LEGS = ("femur", "tibia", "fibula", "patella", "foot")
PELVIS = ("hip bone", "sacrum")
ARMS = ("radius", "ulna", "hand")
SHOULDER = ("right clavicle", "left clavicle", "scapula", "humerus")
CHEST = ("right lung", "left lung", "heart")
JAWS = ("teeth", "tooth")
SPINE = ("vertebra",)
VERTEBRAE = tuple([f"T{number}" for number in range(1, 13)] + [f"L{number}" for number in range(1, 6)])


@dataclass(frozen=True)
class SetCard:
    """One set.

    Parameters
    ----------
    marks : mapping of str to str
        Label in the set -> class.
    absent : tuple of str
        Classes that its pictures cannot show.
    touching : bool
        Whether all labels of one class are objects of their own (vertebrae), or the connected parts of one are.
    stretch : tuple of 2 float or None
        Width over height that its pictures are brought to, drawn in this range: they were squeezed.
    weight : float
        How often a picture is drawn beside one of weight 1.
    terms : str
        Of the original, as far as known.
    """

    marks: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    touching: bool = False
    stretch: tuple[float, float] | None = None
    weight: float = 1.0
    terms: str = ""


_LUNGS = {"right lung": "right lung", "left lung": "left lung"}
_NOT_IN_CHEST = (*LEGS, *PELVIS, *ARMS, *JAWS, *SPINE)  # vertebrae behind a heart are not asked for
_NOT_IN_KNEE = (*PELVIS, *ARMS, *SHOULDER, *CHEST, *JAWS, *SPINE, "foot")

CARDS: dict[str, SetCard] = {
    "montgomery_lungs": SetCard(_LUNGS, _NOT_IN_CHEST, terms="NLM release; cite Jaeger et al. 2014"),
    "shenzhen_lungs": SetCard(_LUNGS, _NOT_IN_CHEST, weight=0.6,
                              terms="images NLM, masks CC BY-NC-SA 4.0; cite Stirenko et al. 2018"),
    "jsrt_lungs": SetCard(_LUNGS, _NOT_IN_CHEST,
                          terms="research use; cite Shiraishi et al. 2000, van Ginneken et al. 2006"),
    "jsrt_heart_clavicles": SetCard(
        {"heart": "heart", "right clavicle": "right clavicle", "left clavicle": "left clavicle"}, _NOT_IN_CHEST,
        weight=1.5, terms="research use; cite van Ginneken et al. 2006, Gaggion et al. 2022"),
    "knee_femur": SetCard({"femur": "femur"}, _NOT_IN_KNEE, weight=2.0, terms="images CC BY 4.0; cite Chen 2018"),
    "knee_tibia": SetCard({"tibia": "tibia"}, _NOT_IN_KNEE, weight=2.0, terms="images CC BY 4.0; cite Chen 2018"),
    "longleg_femur_tibia": SetCard(
        {"femur": "femur", "tibia": "tibia"}, (*ARMS[:2], *SHOULDER, *CHEST, *JAWS, *SPINE),
        stretch=(0.125, 0.42), weight=1.2, terms="OAI agreement: research only"),
    "ufba425_teeth": SetCard({"teeth": "teeth"}, tuple(name for name in CLASSES if name not in ("teeth", *SPINE)),
                             weight=2.0, terms="UFBA-UESC, research use"),
    "periapical_teeth": SetCard({"tooth": "tooth"}, tuple(name for name in CLASSES if name != "tooth"), touching=True,
                                terms="none stated"),
    "aasce_spine_ap": SetCard({name: "vertebra" for name in VERTEBRAE},
                              ("tibia", "fibula", "patella", "foot", *ARMS, *JAWS), touching=True,
                              terms="SpineWeb / AASCE 2019, Wu et al. 2017, research"),
    "elbow_humerus_lat": SetCard({"humerus": "humerus"},
                                 (*LEGS, *PELVIS, *CHEST, *JAWS, *SPINE, "scapula", "right clavicle", "left clavicle"),
                                 weight=2.0, terms="MURA agreement: research, no redistribution"),
}  # fmt: skip

_ALL_LEGS, _ALL_ARMS = (*LEGS, *PELVIS), (*ARMS, *SHOULDER)
_TRUNK = (*CHEST, *JAWS, *SPINE)

BODY_PARTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("MURA_shoulder", "MURA_humerus", "shoulder", "humerus"), (*_ALL_LEGS, *JAWS)),
    (("MURA", "elbow", "forearm", "hand", "arm_"), (*_ALL_LEGS, *_TRUNK, "scapula", "right clavicle", "left clavicle")),
    (("knee", "femur_distal"), (*_ALL_ARMS, *_TRUNK, *PELVIS, "foot")),
    (("pelvis", "hip"), (*SHOULDER, *CHEST, *JAWS, "foot")),
    (("foot", "ankle"), (*SHOULDER, "radius", "ulna", *_TRUNK, *PELVIS, "femur", "patella")),
    (("lower_leg",), (*SHOULDER, "radius", "ulna", *_TRUNK, *PELVIS)),
    (("leg_implants", "femur_lateral"), (*SHOULDER, "radius", "ulna", *CHEST, *JAWS)),
)
"""How folders of unlabelled films begin -> classes that cannot be in them; the first that fits counts."""


def absent_in(folder: str) -> tuple[str, ...] | None:
    """What an unlabelled film of a folder cannot show; None where the folder is not in the table."""
    for beginnings, absent in BODY_PARTS:
        if folder.startswith(beginnings):
            return absent
    return None


BOXED = (*LEGS, *PELVIS, *ARMS, *SHOULDER, "right lung", "left lung")
"""Classes that were boxed by eye wherever they show on the films of ``clinical/training_boxes.csv``."""
