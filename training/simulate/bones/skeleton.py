"""A person: parts of several people put together, scaled to fit each other, and posed.

The frame of the body is that of the parts (x to the patient's left, y backwards, z up, mm) with the origin between the
hip centres.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .parts import Joint, Part
from .surface import Surface

SIDES = ("R", "L")
MIRROR = np.diag([-1.0, 1.0, 1.0])
DEGREE = math.pi / 180.0


@dataclass(frozen=True)
class PlacedBone:
    """A bone where it lies in the body.

    Parameters
    ----------
    label : str
        Class of the bone.
    thing : str
        The object it belongs to, for example "hand L" for each bone of that hand; "L3" for a vertebra.
    node : str
        Part and side, for example "forearm R".
    surface : Surface
        In the part's frame.
    cortex : ndarray (vertices,)
        mm, in the part's frame.
    matrix : ndarray (3, 4)
        From the part's frame to the body's.
    """

    label: str
    thing: str
    node: str
    surface: Surface
    cortex: np.ndarray
    matrix: np.ndarray


@dataclass
class Person:
    """Placed bones and the places by which films are framed and soft tissue is laid."""

    bones: list[PlacedBone] = field(default_factory=list)
    landmarks: dict[str, np.ndarray] = field(default_factory=dict)
    size: float = 1.0
    child: bool = False

    def nodes(self) -> set[str]:
        """Parts and sides that are there."""
        return {bone.node for bone in self.bones}


@dataclass(frozen=True)
class Pose:
    """Angles in radians by joint and side, for example ``{"knee R": 0.3}``; what is not named is at rest.

    Names: ``hip`` (flexion, abduction, outward rotation), ``knee``, ``ankle``, ``toes``, ``shoulder`` (flexion,
    abduction, outward rotation), ``elbow``, ``pronation``, ``wrist`` (flexion, deviation), ``fingers`` (curl of the
    fingers 1 to 5, then their spread), ``neck``.
    """

    angles: Mapping[str, tuple[float, ...]]

    def of(self, joint: str, side: str, count: int = 1) -> tuple[float, ...]:
        """The angles of a joint."""
        return self.angles.get(f"{joint} {side}", (0.0,) * count)


def affine(linear: np.ndarray, shift: np.ndarray | tuple = (0.0, 0.0, 0.0)) -> np.ndarray:
    """The map (3, 4) x -> linear x + shift."""
    return np.concatenate([linear, np.asarray(shift, float)[:, None]], axis=1)


def after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The affine map (3, 4) that does `first`, then `second`."""
    return affine(second[:, :3] @ first[:, :3], second[:, :3] @ first[:, 3] + second[:, 3])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) under an affine map (3, 4)."""
    return np.asarray(points, float) @ matrix[:, :3].T + matrix[:, 3]


def rotation(axis: np.ndarray | tuple, angle: float) -> np.ndarray:
    """The rotation (3, 3) about an axis by an angle (right hand rule)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross


def about(centre: np.ndarray | tuple, linear: np.ndarray) -> np.ndarray:
    """The affine map that turns about a point."""
    centre = np.asarray(centre, float)
    return affine(linear, centre - linear @ centre)


class Assembly:
    """Puts parts together, one after the other.

    Parameters
    ----------
    size : float
        Factor on all lengths.
    stretch : ndarray (3,)
        Further factors along x, y, z: the build of the body.
    """

    def __init__(self, size: float, stretch: np.ndarray) -> None:
        self.person = Person(size=size)
        self.body = np.diag(stretch)

    def add(self, part: Part, side: str, matrix: np.ndarray, own: dict[str, np.ndarray] | None = None) -> None:
        """Place a part.

        Parameters
        ----------
        side : str
            "R", "L" (mirrored) or "" for what lies in the middle.
        matrix : ndarray (3, 4)
            From the part's frame to the body's; before the mirroring of a left part.
        own : dict of bone name to ndarray (3, 4)
            Movements within the part's frame.
        """
        node = f"{part.kind} {side}".strip()
        for bone in part.bones:
            inside = (own or {}).get(bone.name)
            whole = matrix if inside is None else after(matrix, inside)
            self.person.bones.append(
                PlacedBone(bone.label, _thing(bone.label, bone.name, side), node, bone.surface, bone.cortex,
                           self._in_body(whole, side))
            )  # fmt: skip

    def mark(self, name: str, side: str, matrix: np.ndarray, point: tuple | np.ndarray) -> None:
        """Note a place, given in the part's frame."""
        self.person.landmarks[f"{name} {side}".strip()] = apply(self._in_body(matrix, side), point)

    def _in_body(self, matrix: np.ndarray, side: str) -> np.ndarray:
        linear = self.body @ MIRROR if side == "L" else self.body
        return after(affine(linear), matrix)

    def leg(self, hip: np.ndarray, side: str, thigh: Part, shank: Part, foot: Part | None, pose: Pose, scale: float):
        """A leg that hangs from a hip centre (of a right leg, before any mirroring)."""
        flexion, abduction, outward = pose.of("hip", side, 3)
        turned = rotation((1, 0, 0), -flexion) @ rotation((0, 1, 0), abduction) @ rotation((0, 0, 1), -outward)
        upper = after(affine(np.eye(3), hip), affine(scale * turned))
        self.add(thigh, side, upper)
        self.mark("hip", side, upper, (0, 0, 0))
        knee = thigh.joints["knee"]
        fit = scale_to(thigh, "knee", shank)
        bend = toward(knee.axis, (0, 1, 0)) * pose.of("knee", side)[0]
        lower = after(upper, affine(fit * rotation(knee.axis, bend), knee.centre))
        half = after(upper, affine(fit * rotation(knee.axis, 0.55 * bend), knee.centre))
        own = {}
        if "patella" in shank.joints:
            # parts of two people leave a gap that cartilage does not fill: the kneecap goes back to the femur
            back = after(affine(np.eye(3), (0.0, 0.06 * shank.width, 0.0)), after(_inverse(lower), half))
            own = {name: back for name in shank.joints["patella"].moves}
        self.add(shank, side, lower, own)
        self.mark("knee", side, upper, knee.centre)
        ankle = shank.joints["ankle"]
        self.mark("ankle", side, lower, ankle.centre)
        if foot is None:
            return
        bend = toward(ankle.axis, (0, 1, 0)) * pose.of("ankle", side)[0]
        end = after(lower, affine(scale_to(shank, "ankle", foot) * rotation(ankle.axis, bend), ankle.centre))
        self.add(foot, side, end, _bent(foot, pose.of("toes", side)[0], (0, 0, 1)))
        low = np.concatenate([bone.surface.vertices for bone in foot.bones])
        self.mark("heel", side, end, low[low[:, 1].argmax()])
        self.mark("toes", side, end, low[low[:, 1].argmin()])

    def arm(
        self, shoulder: np.ndarray, side: str, upper: Part, fore: Part, hand: Part | None, pose: Pose, scale: float
    ):
        """An arm that hangs from a glenohumeral centre (of a right arm, before any mirroring)."""
        flexion, abduction, outward = pose.of("shoulder", side, 3)
        turned = rotation((1, 0, 0), -flexion) @ rotation((0, 1, 0), abduction) @ rotation((0, 0, 1), -outward)
        placed = after(affine(np.eye(3), shoulder), affine(scale * turned))
        self.add(upper, side, placed)
        self.mark("shoulder", side, placed, (0, 0, 0))
        elbow = upper.joints["elbow"]
        bend = toward(elbow.axis, (0, -1, 0)) * pose.of("elbow", side)[0]
        lower = after(placed, affine(scale_to(upper, "elbow", fore) * rotation(elbow.axis, bend), elbow.centre))
        self.mark("elbow", side, lower, (0, 0, 0))
        own, carried = {}, affine(np.eye(3))
        if "pronation" in fore.joints:
            joint = fore.joints["pronation"]
            # pronation brings the thumb (-x) forwards and across
            angle = _sense(joint, (-1, 0, 0), (0, -1, 0)) * pose.of("pronation", side)[0]
            carried = about(joint.centre, rotation(joint.axis, angle))
            own = {name: carried for name in joint.moves}
        self.add(fore, side, lower, own)
        wrist = fore.joints["wrist"]
        held = after(lower, carried)
        self.mark("wrist", side, held, wrist.centre)
        if hand is None:
            return
        flexion, deviation = pose.of("wrist", side, 2)
        bend = rotation((1, 0, 0), -flexion) @ rotation((0, 1, 0), deviation)
        end = after(held, affine(scale_to(fore, "wrist", hand) * bend, wrist.centre))
        self.add(hand, side, end, _fingers(hand, pose.of("fingers", side, 6)))
        low = np.concatenate([bone.surface.vertices for bone in hand.bones])
        self.mark("knuckles", side, end, (low[:, 0].mean(), low[:, 1].mean(), 0.45 * low[:, 2].min()))
        self.mark("fingertips", side, end, (low[:, 0].mean(), low[:, 1].mean(), low[:, 2].min()))
        self.person.landmarks[f"thumb side {side}"] = self._in_body(end, side)[:, :3] @ np.array([-1.0, 0, 0])


def scale_to(upper: Part, joint: str, lower: Part) -> float:
    """The factor on `lower` that makes it as wide as the part above at their joint, within reason."""
    wanted = upper.widths.get(joint)
    return float(np.clip(wanted / lower.width, 0.5, 2.0)) if wanted and lower.width else 1.0


def toward(axis: tuple | np.ndarray, direction: tuple | np.ndarray) -> float:
    """The sign of the turn about an axis that moves what hangs below (-z) to a direction."""
    return 1.0 if np.cross(axis, (0, 0, -1)) @ np.asarray(direction, float) >= 0 else -1.0


def _sense(joint: Joint, start: tuple, goal: tuple) -> float:
    return 1.0 if np.cross(joint.axis, start) @ np.asarray(goal, float) >= 0 else -1.0


def _inverse(matrix: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(matrix[:, :3])
    return affine(linear, -linear @ matrix[:, 3])


def _thing(label: str, name: str, side: str) -> str:
    if label == "vertebra":
        return name
    if label == "hip bone" and not side:
        return name
    return f"{label} {side}".strip()


def _bent(part: Part, angle: float, direction: tuple) -> dict[str, np.ndarray]:
    """The part's own joints (toes) turned by one angle; bones that several joints move take the turns one by one."""
    moved: dict[str, np.ndarray] = {}
    for joint in part.joints.values():
        if not joint.moves or angle == 0.0:
            continue
        reach = (0.0, -1.0, 0.0)
        sign = 1.0 if np.cross(joint.axis, reach) @ np.asarray(direction, float) >= 0 else -1.0
        turn = about(joint.centre, rotation(joint.axis, sign * angle))
        for bone in joint.moves:
            moved[bone] = after(moved[bone], turn) if bone in moved else turn
    return moved


def _fingers(hand: Part, angles: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Where the bones of a hand go when finger n is curled by angles[n - 1] a joint and all are spread by the last."""
    *curls, spread = angles
    moved: dict[str, np.ndarray] = {}
    order = ("dip", "ip", "pip", "mcp", "cmc", "spread")  # from the tips up, so that each joint still lies at rest
    for kind in order:
        for name, joint in hand.joints.items():
            word, _, number = name.partition(" ")
            if word != kind or not number.isdigit():
                continue
            finger = int(number)
            if kind == "spread":
                angle = spread * (finger - 3.3) * 0.35
                turn = about(joint.centre, rotation(joint.axis, angle if joint.axis[1] <= 0 else -angle))
            else:
                sign = toward(joint.axis, (0, -1, 0)) if finger > 1 else 1.0
                part = 0.3 if kind == "cmc" else 0.8 if kind == "dip" else 1.0
                turn = about(joint.centre, rotation(joint.axis, sign * part * curls[finger - 1]))
            for bone in joint.moves:
                moved[bone] = after(turn, moved[bone]) if bone in moved else turn
    return moved
