"""The anatomy that models name: display name, colour and standard terminology."""

from __future__ import annotations

import colorsys
import re
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

ANATOMICAL_STRUCTURE = ("SCT", "123037004", "Anatomical Structure")
TISSUE = ("SCT", "85756007", "Tissue")


@dataclass(frozen=True)
class Anatomy:
    """One kind of object.

    Parameters
    ----------
    name : str
        As in the models' class lists, lower case.
    color : tuple of 3 int
        sRGB, 0..255.
    category, structure, laterality : tuple of 3 str, or None for laterality
        Codes as (coding scheme, code value, code meaning); SNOMED CT where there is one.
    mirrored : str or None
        The name this object takes when the image is flipped left to right.
    """

    name: str
    color: tuple[int, int, int]
    category: tuple[str, str, str]
    structure: tuple[str, str, str]
    laterality: tuple[str, str, str] | None = None
    mirrored: str | None = None


_RIGHT = ("SCT", "24028007", "Right")
_LEFT = ("SCT", "7771000", "Left")
_LUNG = ("SCT", "39607008", "Lung")
_CLAVICLE = ("SCT", "51299004", "Clavicle")

_KNOWN = {
    anatomy.name: anatomy
    for anatomy in (
        Anatomy("right lung", (86, 180, 233), ANATOMICAL_STRUCTURE, _LUNG, _RIGHT, "left lung"),
        Anatomy("left lung", (0, 158, 115), ANATOMICAL_STRUCTURE, _LUNG, _LEFT, "right lung"),
        Anatomy("lung", (43, 169, 174), ANATOMICAL_STRUCTURE, _LUNG),
        Anatomy("clavicle", (102, 118, 172), ANATOMICAL_STRUCTURE, _CLAVICLE),
        Anatomy("femur", (230, 159, 0), ANATOMICAL_STRUCTURE, ("SCT", "71341001", "Femur")),
        Anatomy("tibia", (213, 94, 0), ANATOMICAL_STRUCTURE, ("SCT", "12611008", "Tibia")),
        Anatomy("teeth", (240, 228, 66), ANATOMICAL_STRUCTURE, ("SCT", "38199008", "Tooth")),
        Anatomy("tooth", (255, 250, 220), ANATOMICAL_STRUCTURE, ("SCT", "38199008", "Tooth")),
        Anatomy("heart", (206, 110, 84), ANATOMICAL_STRUCTURE, ("SCT", "80891009", "Heart")),
        Anatomy("right clavicle", (204, 121, 167), ANATOMICAL_STRUCTURE, _CLAVICLE, _RIGHT, "left clavicle"),
        Anatomy("left clavicle", (0, 114, 178), ANATOMICAL_STRUCTURE, _CLAVICLE, _LEFT, "right clavicle"),
        Anatomy("scapula", (165, 131, 205), ANATOMICAL_STRUCTURE, ("SCT", "79601000", "Scapula")),
        Anatomy("humerus", (141, 211, 199), ANATOMICAL_STRUCTURE, ("SCT", "85050009", "Humerus")),
        Anatomy("radius", (251, 128, 114), ANATOMICAL_STRUCTURE, ("SCT", "62413002", "Radius")),
        Anatomy("ulna", (128, 177, 211), ANATOMICAL_STRUCTURE, ("SCT", "23416004", "Ulna")),
        Anatomy("hand", (253, 205, 101), ANATOMICAL_STRUCTURE, ("SCT", "85562004", "Hand")),
        Anatomy("vertebra", (179, 222, 105), ANATOMICAL_STRUCTURE, ("SCT", "51282000", "Vertebra")),
        Anatomy("hip bone", (188, 128, 189), ANATOMICAL_STRUCTURE, ("SCT", "118645006", "Pelvic bone")),
        Anatomy("sacrum", (252, 205, 229), ANATOMICAL_STRUCTURE, ("SCT", "54735007", "Sacrum")),
        Anatomy("patella", (204, 235, 197), ANATOMICAL_STRUCTURE, ("SCT", "64234005", "Patella")),
        Anatomy("fibula", (255, 180, 120), ANATOMICAL_STRUCTURE, ("SCT", "87342007", "Fibula")),
        Anatomy("foot", (190, 186, 218), ANATOMICAL_STRUCTURE, ("SCT", "56459004", "Foot")),
        Anatomy("left ventricle", (200, 80, 80), ANATOMICAL_STRUCTURE, ("SCT", "87878005", "Left ventricle")),
        Anatomy("right ventricle", (86, 130, 220), ANATOMICAL_STRUCTURE, ("SCT", "53085002", "Right ventricle")),
        Anatomy("myocardium", (240, 180, 100), ANATOMICAL_STRUCTURE, ("SCT", "74281007", "Myocardium")),
        Anatomy("prostate", (216, 150, 200), ANATOMICAL_STRUCTURE, ("SCT", "41216001", "Prostate")),
    )
}


def anatomy(name: str, side: str | None = None) -> Anatomy:
    """The anatomy called `name`; for one we do not know, a colour of its own and the general code for tissue.

    A `side`, ``"right"`` or ``"left"``, becomes the laterality of one that has none of its own.
    """
    known = _KNOWN.get(name)
    if known is not None:
        if side is None or known.laterality is not None:
            return known
        return replace(known, laterality=_RIGHT if side == "right" else _LEFT)
    hue = (zlib.crc32(name.encode()) % 360) / 360.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.7, 0.9)
    return Anatomy(name, (round(red * 255), round(green * 255), round(blue * 255)), TISSUE, TISSUE)


def lie_alongside(first: str, second: str, groups: Iterable[Collection[str]]) -> bool:
    """Whether two classes are of one group of those that may have nearly the same place."""
    return any(first in group and second in group for group in groups)


def mirrored(name: str) -> str:
    """The class that `name` becomes in the mirror image: "left hip" becomes "right hip", in the same capitals."""
    return anatomy(name).mirrored or _SIDE.sub(_other_side, name)


def side_in(name: str) -> str | None:
    """``"right"`` or ``"left"`` where the name of a class holds that word, None where it holds neither."""
    found = _SIDE.search(name)
    return None if found is None else found.group().lower()


def without_side(name: str) -> str:
    """The class without its side: "right lung" becomes "lung"."""
    return _SIDE.sub("", name).strip(" _-") if _SIDE.search(name) else name


def of_class(label: str, classes: Iterable[str]) -> str | None:
    """The class of a model that a label is one of: itself, or for a label without a side the first that differs by
    one; None where there is none."""
    classes = tuple(classes)
    if label in classes:
        return label
    return next((name for name in classes if side_in(name) and without_side(name) == label), None)


_SIDE = re.compile(r"(?<![^\W_])(left|right)(?![^\W_])", re.IGNORECASE)
"""The word by itself, also between underscores: not the beginning of "leftover"."""


def _other_side(found: re.Match[str]) -> str:
    word = found.group()
    other = "right" if word.lower() == "left" else "left"
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other


def display_name(name: str) -> str:
    """The name of a class or an object as people read it, with a capital."""
    return name[:1].upper() + name[1:]
