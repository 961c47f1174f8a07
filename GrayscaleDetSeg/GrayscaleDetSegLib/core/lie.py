"""How a radiograph's picture lies in its stored grid, as the tags of its file say: which way is up, and whose left.

Pixels are never turned for good: the picture is looked at upright, and masks and boxes stay on the stored grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .orientation import Orientation, along

Axis = tuple[int, int]
"""A direction in a grid: steps in columns and in rows, one of them 0."""

_LETTERS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}
_FRONTAL = ("AP", "PA", "LLD", "RLD")
_LATERAL = ("LL", "RL", "LAT", "LATERAL", "LEFT LATERAL", "RIGHT LATERAL")
_OBLIQUE = ("RAO", "LAO", "RPO", "LPO", "RLO", "LLO", "OBL", "OBLIQUE")
_SIDES = {"R": "right", "L": "left"}
_NEITHER = ("U", "B")  # unpaired, both


@dataclass(frozen=True)
class Lie:
    """What a file says of how its picture lies.

    Parameters
    ----------
    turn : Orientation or None
        What brings the stored grid upright, as radiographs are hung; None where the file does not say.
    said_by : str
        What says so, for the user: ``"PatientOrientation L\\F"``.
    to_left : tuple of 2 int, or None
        Where the patient's left is in the stored grid, as a step in columns and one in rows; None where the file does
        not say.
    sideless : str
        Why the picture has no right and left side, for the user; empty where it has.
    laterality : str or None
        ``"right"`` or ``"left"``: the side of the patient that all of the picture shows.
    laterality_by : str
        The tag that says so.
    """

    turn: Orientation | None = None
    said_by: str = ""
    to_left: tuple[int, int] | None = None
    sideless: str = ""
    laterality: str | None = None
    laterality_by: str = ""


UNSAID = Lie()
"""Of a file that says nothing."""

_EXIF = {
    2: Orientation(flip_columns=True),
    3: Orientation(flip_rows=True, flip_columns=True),
    4: Orientation(flip_rows=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, flip_columns=True),
    7: Orientation(transpose=True, flip_rows=True, flip_columns=True),
    8: Orientation(transpose=True, flip_rows=True),
}


def by_exif(value: int | None, tag: str = "EXIF orientation") -> Lie:
    """What the orientation tag of EXIF or TIFF says, 1 to 8: how a picture is to be shown, and nothing of sides."""
    turn = _EXIF.get(value or 1)
    return UNSAID if turn is None else Lie(turn, f"{tag} {value}")


def by_dicom(value_of: Callable[[str], object], notes: list[str], direction: Sequence[float] | None = None) -> Lie:
    """What the tags of a DICOM file say.

    Parameters
    ----------
    value_of : callable
        From a keyword to its value: text, or a sequence of texts; None or empty where it is not there.
    notes : list of str
        Gets a sentence for each contradiction, and for what cannot be understood.
    direction : sequence of 9 float, optional
        The grid's directions, row-major, where Image Orientation (Patient) says them.
    """
    axes, said_by = _patient_orientation(value_of, notes), ""
    if axes is not None:
        said_by = "PatientOrientation " + "\\".join(axes)
    views = _views(value_of)
    reasons = {kind: text for kind, text in views.items() if kind != "frontal"}
    vectors: list[Sequence[float]] | None = None
    if axes is not None:
        vectors = [_LETTERS[axis[0]] for axis in axes]
        if all(axis[0] not in "LR" for axis in axes):
            reasons["lateral"] = said_by
        elif any(set(axis) & set("LR") and set(axis) & set("AP") for axis in axes):
            reasons["oblique"] = said_by
    elif direction is not None:
        vectors, said_by = [direction[0::3], direction[1::3]], "ImageOrientationPatient"
        if not any(abs(vector[0]) > 0.5 for vector in vectors):
            reasons["lateral"] = said_by
    turn = None if vectors is None else along(*vectors)
    if turn is not None and turn.is_mirrored and not any(vector[0] for vector in vectors or ()):
        turn = replace(turn, flip_columns=not turn.flip_columns)  # a lateral film may face either way
    if axes is not None and direction is not None and along(direction[0::3], direction[1::3]) != turn:
        notes.append(f"{said_by} and ImageOrientationPatient contradict each other: the first counts, so check sides")
    is_frontal = axes is not None and not {"lateral", "oblique"} & {
        kind for kind, text in reasons.items() if text == said_by
    }
    frontal = views.get("frontal") or (said_by if is_frontal else "")
    sideless = ""
    for kind, text in reasons.items():
        sideless = f"{text} says {'a lateral' if kind == 'lateral' else 'an oblique'} view"
    if sideless and frontal and frontal not in sideless:
        notes.append(f"{sideless}, {frontal} a frontal one: these contradict each other, so no sides are given")
    elif sideless:
        notes.append(f"{sideless}, so no sides are given")
    laterality, laterality_by = _laterality(value_of, notes)
    if axes is None:
        _field_of_view(value_of, notes)
    to_left = None if sideless or vectors is None else _to_left(vectors)
    return Lie(turn, said_by if turn is not None else "", to_left, sideless,
               None if sideless else laterality, "" if sideless else laterality_by)


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    parts = value.split("\\") if isinstance(value, str) else value if hasattr(value, "__iter__") else [value]
    return [str(part).strip().upper() for part in parts]


def _patient_orientation(value_of: Callable[[str], object], notes: list[str]) -> list[str] | None:
    """Where rows and columns run to in the patient, as one to three letters each; None where it is not said."""
    found = _texts(value_of("PatientOrientation"))
    if not any(found):
        return None
    sound = len(found) == 2 and all(text and not set(text) - set(_LETTERS) for text in found)
    if sound:
        first, second = (next(i for i in range(3) if _LETTERS[text[0]][i]) for text in found)
        if first != second:
            return found
    shown = "\\".join(found)
    notes.append(f"PatientOrientation {shown if shown.isprintable() and len(shown) < 40 else 'of the file'} makes no "
                 f"sense and is ignored, so check sides")
    return None


def _views(value_of: Callable[[str], object]) -> dict[str, str]:
    """Which kinds of view the file names, ``"frontal"``, ``"lateral"`` or ``"oblique"``, and the tag that does."""
    kinds = {}
    position = " ".join(_texts(value_of("ViewPosition")))
    for kind, words in (("frontal", _FRONTAL), ("lateral", _LATERAL), ("oblique", _OBLIQUE)):
        if position in words:
            kinds[kind] = f"ViewPosition {position}"
    code = " ".join(_texts(value_of("ViewCodeMeaning")))
    if "DECUBITUS" in code or "ANTERO-POSTERIOR" in code or "POSTERO-ANTERIOR" in code:
        kinds.setdefault("frontal", f"View Code {code.lower()}")
    elif "OBLIQUE" in code:
        kinds.setdefault("oblique", f"View Code {code.lower()}")
    elif "LATERAL" in code and "MEDIO" not in code and "MEDIAL" not in code:
        kinds.setdefault("lateral", f"View Code {code.lower()}")
    return kinds


def _laterality(value_of: Callable[[str], object], notes: list[str]) -> tuple[str | None, str]:
    found = {}
    for keyword in ("ImageLaterality", "Laterality"):
        text = " ".join(_texts(value_of(keyword)))
        if text in _SIDES:
            found[keyword] = text
        elif text and text not in _NEITHER:
            notes.append(f"{keyword} is neither R nor L and is ignored")
    if len(set(found.values())) > 1:
        notes.append("ImageLaterality and Laterality contradict each other, so neither is used")
        return None, ""
    for keyword, text in found.items():
        return _SIDES[text], f"{keyword} {text}"
    return None, ""


def _field_of_view(value_of: Callable[[str], object], notes: list[str]) -> None:
    """What was done to the picture after it was taken says how it lies only together with PatientOrientation."""
    flipped = " ".join(_texts(value_of("FieldOfViewHorizontalFlip")))
    turned = " ".join(_texts(value_of("FieldOfViewRotation")))
    done = ["mirrored (FieldOfViewHorizontalFlip YES)"] if flipped == "YES" else []
    try:
        if float(turned or 0) % 360:
            done.append(f"turned (FieldOfViewRotation {float(turned):g})")
    except ValueError:
        notes.append("FieldOfViewRotation is no number and is ignored")
    if done:
        notes.append(f"the picture was {' and '.join(done)} after it was taken, and no PatientOrientation says how it "
                     f"lies now, so check sides")


def _to_left(vectors: Sequence[Sequence[float]]) -> Axis | None:
    """The patient's left, from where columns and rows run to in LPS."""
    across, down = (float(vector[0]) for vector in vectors)
    if max(abs(across), abs(down)) < 0.5:
        return None
    return (1 if across > 0 else -1, 0) if abs(across) >= abs(down) else (0, 1 if down > 0 else -1)
