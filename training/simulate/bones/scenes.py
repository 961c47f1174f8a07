"""Which films are taken: a table of scenes with their shares, and what each shows of a person in which pose.

A scene draws a pose, the parts that are there, where the film is centred, how much it shows and from where. What
decides how well a network does on films of hospitals is how varied these are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .person import CHILDREN
from .skeleton import DEGREE, Pose

Draw = np.random.Generator

LEG_PARTS = ("thigh", "shank", "foot")
ARM_PARTS = ("upper arm", "forearm", "hand")
TRUNK_PARTS = ("trunk", "pelvis", "shoulder")


@dataclass(frozen=True)
class Scene:
    """One way in which a person is radiographed.

    Parameters
    ----------
    kind : str
        Key of `SCENES`.
    pose : Pose
    parts : tuple of str
        Nodes that are on the table, for example ("thigh R", "shank R").
    frame : str
        The node in whose frame directions are told; "" for the body's.
    centre : tuple of (landmark, weight)
        The film's centre is their weighted mean.
    shift : tuple of 3 float
        Added to the centre, mm in the frame.
    field : float
        mm that the longer side of the film shows.
    aspect : float
        Width over height.
    turn : tuple of 3 float
        Angles about z (AP 0, lateral 90 degrees), x (90 degrees: from above) and the beam, radians.
    unmarked : tuple of str
        Classes that this scene's films leave open.
    children : float
        Share of people under eighteen in such films.
    """

    kind: str
    pose: Pose
    parts: tuple[str, ...]
    frame: str
    centre: tuple[tuple[str, float], ...]
    shift: tuple[float, float, float]
    field: float
    aspect: float
    turn: tuple[float, float, float]
    unmarked: tuple[str, ...] = ()
    children: float = CHILDREN


def _normal(draw: Draw, deviation: float) -> float:
    return float(draw.normal(0.0, deviation)) * DEGREE


def _between(draw: Draw, low: float, high: float) -> float:
    return float(draw.uniform(low, high)) * DEGREE


def _arms_down(draw: Draw) -> dict[str, tuple[float, ...]]:
    angles = {}
    for side in "RL":
        angles[f"shoulder {side}"] = (_normal(draw, 6), _between(draw, 4, 18), _normal(draw, 12))
        angles[f"elbow {side}"] = (_between(draw, 2, 25),)
        angles[f"pronation {side}"] = (_between(draw, 0, 150),)
        angles[f"fingers {side}"] = _curls(draw, 0, 40)
    return angles


def _curls(draw: Draw, low: float, high: float) -> tuple[float, ...]:
    base = _between(draw, low, high)
    return (*[max(0.0, base + _normal(draw, 6)) for _ in range(5)], _between(draw, -8, 40))


def _standing(draw: Draw) -> dict[str, tuple[float, ...]]:
    angles = _arms_down(draw)
    for side in "RL":
        angles[f"hip {side}"] = (_normal(draw, 4), _between(draw, -2, 12), _between(draw, -20, 15))
        angles[f"knee {side}"] = (abs(_normal(draw, 5)),)
        angles[f"ankle {side}"] = (_between(draw, -10, 35),)
        angles[f"toes {side}"] = (_normal(draw, 8),)
    return angles


def _nodes(names: tuple[str, ...], sides: str) -> tuple[str, ...]:
    return tuple(f"{name} {side}" for name in names for side in sides)


def _whole(sides: str = "RL") -> tuple[str, ...]:
    return ("pelvis", "trunk", *_nodes((*LEG_PARTS, "shoulder", *ARM_PARTS), sides))


def _view(draw: Draw, lateral: float = 0.0, spread: float = 8.0) -> tuple[float, float, float]:
    """A frontal view with chance 1 - lateral, else a side view; each a little off, one in eight clearly oblique."""
    yaw = _normal(draw, spread)
    if draw.random() < lateral:
        yaw = 90 * DEGREE * float(draw.choice([-1, 1])) + _normal(draw, spread)
    elif draw.random() < 0.12:
        yaw = _between(draw, -55, 55)
    if draw.random() < 0.3:
        yaw += 180 * DEGREE  # taken from the other side
    return yaw, _normal(draw, 6), _normal(draw, 7)


def pelvis(draw: Draw, side: str) -> Scene:
    pose, yaw = Pose(_standing(draw)), _normal(draw, 5)
    arms = ARM_PARTS if draw.random() < 0.3 else ()
    parts = ("pelvis", "trunk", *_nodes(LEG_PARTS, "RL"), *_nodes(("shoulder", *arms) if arms else (), "RL"))
    return Scene("pelvis", pose, parts, "", (("hip R", 0.5), ("hip L", 0.5)),
                 (draw.normal(0, 12), 0, draw.uniform(-70, 80)), draw.uniform(300, 560), draw.uniform(0.75, 1.4),
                 (yaw, _normal(draw, 8), _normal(draw, 3)))  # fmt: skip


def hip(draw: Draw, side: str) -> Scene:
    angles = _standing(draw)
    kind = draw.random()
    yaw = _normal(draw, 6)
    if kind < 0.3:  # frog leg
        angles[f"hip {side}"] = (_between(draw, 20, 60), _between(draw, 20, 50), _between(draw, 20, 55))
        angles[f"knee {side}"] = (_between(draw, 40, 95),)
    elif kind < 0.45:
        yaw = _between(draw, 35, 90) * float(draw.choice([-1, 1]))
        other = "L" if side == "R" else "R"
        angles[f"hip {other}"] = (_between(draw, 60, 90), _between(draw, 10, 40), 0.0)
    return Scene("hip", Pose(angles), ("pelvis", "trunk", *_nodes(LEG_PARTS, "RL")), "", ((f"hip {side}", 1.0),),
                 (draw.normal(0, 25), 0, draw.normal(-25, 40)), draw.uniform(160, 400), draw.uniform(0.55, 1.25),
                 (yaw, _normal(draw, 6), _normal(draw, 6)))  # fmt: skip


def femur(draw: Draw, side: str) -> Scene:
    angles, along = _standing(draw), draw.uniform(0.15, 0.95)
    lateral = draw.random() < 0.45
    angles[f"knee {side}"] = (_between(draw, 0, 60) if lateral else abs(_normal(draw, 6)),)
    parts = _nodes(LEG_PARTS, side) if lateral else ("pelvis", "trunk", *_nodes(LEG_PARTS, "RL"))
    return Scene("femur", Pose(angles), parts, f"thigh {side}", ((f"hip {side}", 1 - along), (f"knee {side}", along)),
                 (draw.normal(0, 15), 0, 0), draw.uniform(220, 560), draw.uniform(0.3, 0.95),
                 _view(draw, float(lateral)))  # fmt: skip


def knee_frontal(draw: Draw, side: str) -> Scene:
    angles, pair = _standing(draw), draw.random() < 0.35
    if draw.random() < 0.2:
        angles[f"knee {side}"] = (_between(draw, 15, 50),)
    sides, middle = ("RL", (("knee R", 0.5), ("knee L", 0.5))) if pair else (side, ((f"knee {side}", 1.0),))
    field = draw.uniform(240, 420) if pair else draw.uniform(120, 420)
    return Scene("knees" if pair else "knee frontal", Pose(angles), _nodes(LEG_PARTS, sides),
                 "" if pair else f"thigh {side}", middle, (draw.normal(0, 12), 0, draw.uniform(-0.33, 0.33) * field),
                 field, draw.uniform(0.9, 1.5) if pair else draw.uniform(0.4, 1.15),
                 (_normal(draw, 9) + (np.pi if draw.random() < 0.3 else 0.0), _normal(draw, 7),
                  _normal(draw, 6)))  # fmt: skip


def knee_lateral(draw: Draw, side: str) -> Scene:
    angles = _standing(draw)
    angles[f"knee {side}"] = (_between(draw, 0, 95),)
    field = draw.uniform(130, 400)
    frame = f"{draw.choice(['thigh', 'shank'])} {side}"
    return Scene("knee lateral", Pose(angles), _nodes(LEG_PARTS, side), frame, ((f"knee {side}", 1.0),),
                 (0, draw.normal(0, 18), draw.uniform(-0.33, 0.33) * field), field, draw.uniform(0.5, 1.3),
                 _view(draw, 0.93, 9))  # fmt: skip


def lower_leg(draw: Draw, side: str) -> Scene:
    angles, along, lateral = _standing(draw), draw.uniform(0.05, 0.95), draw.random() < 0.45
    angles[f"knee {side}"] = (_between(draw, 0, 70) if lateral else abs(_normal(draw, 6)),)
    return Scene("lower leg", Pose(angles), _nodes(LEG_PARTS, side), f"shank {side}",
                 ((f"knee {side}", 1 - along), (f"ankle {side}", along)), (draw.normal(0, 12), draw.normal(0, 12), 0),
                 draw.uniform(180, 520), draw.uniform(0.25, 0.9), _view(draw, float(lateral), 10))  # fmt: skip


def ankle(draw: Draw, side: str) -> Scene:
    angles, lateral = _standing(draw), draw.random() < 0.5
    angles[f"ankle {side}"] = (_between(draw, -15, 50),)
    angles[f"toes {side}"] = (_normal(draw, 12),)
    return Scene("ankle", Pose(angles), _nodes(LEG_PARTS, side), f"shank {side}", ((f"ankle {side}", 1.0),),
                 (draw.normal(0, 10), draw.normal(-15, 25) if lateral else 0, draw.normal(10, 35)),
                 draw.uniform(130, 330), draw.uniform(0.5, 1.3), _view(draw, float(lateral), 10))  # fmt: skip


def foot_from_above(draw: Draw, side: str) -> Scene:
    angles = _standing(draw)
    for one in "RL":  # the leg leans back, out of the beam
        angles[f"ankle {one}"] = (_between(draw, 35, 75),)
    angles[f"toes {side}"] = (_normal(draw, 10),)
    sides = "RL" if draw.random() < 0.12 else side
    yaw = _normal(draw, 8) if draw.random() < 0.55 else _between(draw, -45, 45)
    middle = tuple((f"{name} {one}", 0.5 / len(sides)) for name in ("heel", "toes") for one in sides)
    return Scene("foot from above", Pose(angles), _nodes(("shank", "foot"), sides), f"foot {side}", middle,
                 (draw.normal(0, 12), draw.normal(-15, 30), 0), draw.uniform(150, 360), draw.uniform(0.4, 1.0),
                 (yaw, 90 * DEGREE + _normal(draw, 12), _normal(draw, 12)))  # fmt: skip


def foot_lateral(draw: Draw, side: str) -> Scene:
    angles = _standing(draw)
    angles[f"ankle {side}"] = (_between(draw, -15, 45),)
    angles[f"toes {side}"] = (_normal(draw, 10),)
    return Scene("foot lateral", Pose(angles), _nodes(LEG_PARTS, side), f"foot {side}",
                 ((f"heel {side}", 0.5), (f"toes {side}", 0.3), (f"ankle {side}", 0.2)),
                 (0, draw.normal(0, 25), draw.normal(15, 20)), draw.uniform(180, 360), draw.uniform(0.8, 1.7),
                 (90 * DEGREE * float(draw.choice([-1, 1])) + _normal(draw, 10), _normal(draw, 6),
                  _normal(draw, 10)))  # fmt: skip


def legs(draw: Draw, side: str) -> Scene:
    pair = draw.random() < 0.6
    sides = "RL" if pair else side
    middle = tuple((f"{name} {one}", 0.5 / len(sides)) for name in ("hip", "ankle") for one in sides)
    parts = ("pelvis", *_nodes(LEG_PARTS, sides if draw.random() < 0.7 else "RL"))
    return Scene("whole legs", Pose(_standing(draw)), parts, "", middle, (draw.normal(0, 15), 0, draw.normal(0, 50)),
                 draw.uniform(650, 1080), draw.uniform(0.28, 0.6) if pair else draw.uniform(0.14, 0.4),
                 (_normal(draw, 7), _normal(draw, 3), _normal(draw, 2)))  # fmt: skip


def shoulder(draw: Draw, side: str) -> Scene:
    angles = _arms_down(draw)
    raised = _between(draw, 40, 130) if draw.random() < 0.3 else _between(draw, 3, 35)
    angles[f"shoulder {side}"] = (_normal(draw, 12), raised, _between(draw, -70, 60))
    view = _normal(draw, 9) if draw.random() < 0.7 else _between(draw, -60, 60)
    return Scene("shoulder", Pose(angles), ("trunk", *_nodes(("shoulder", "upper arm", "forearm"), "RL")), "",
                 ((f"shoulder {side}", 1.0),),
                 ((1 if side == "R" else -1) * draw.normal(15, 35), 0, draw.normal(-20, 40)),
                 draw.uniform(190, 420), draw.uniform(0.7, 1.5), (view, _normal(draw, 9), _normal(draw, 8)),
                 ("vertebra",))  # fmt: skip


def humerus(draw: Draw, side: str) -> Scene:
    angles, along = _arms_down(draw), draw.uniform(0.05, 0.95)
    raised = _between(draw, 50, 110) if draw.random() < 0.3 else _between(draw, 3, 40)
    angles[f"shoulder {side}"] = (_normal(draw, 12), raised, _between(draw, -80, 60))
    angles[f"elbow {side}"] = (_between(draw, 0, 95),)
    lateral = draw.random() < 0.25
    trunk = (f"shoulder {side}",) if lateral or draw.random() < 0.3 else ("trunk", *_nodes(("shoulder",), "RL"))
    return Scene("humerus", Pose(angles), (*trunk, *_nodes(ARM_PARTS, side)),
                 f"upper arm {side}" if draw.random() < 0.6 else "",
                 ((f"shoulder {side}", 1 - along), (f"elbow {side}", along)),
                 (draw.normal(0, 15), 0, draw.normal(0, 15)), draw.uniform(180, 430), draw.uniform(0.35, 1.1),
                 _view(draw, float(lateral)), ("vertebra",))  # fmt: skip


def arm_beside_trunk(draw: Draw, side: str) -> Scene:
    """An arm held away from the body, which is on the film as well: how small children's arms are taken."""
    angles = _standing(draw)
    angles[f"shoulder {side}"] = (_normal(draw, 15), _between(draw, 10, 125), _between(draw, -90, 80))
    angles[f"elbow {side}"] = (_between(draw, 0, 110),)
    angles[f"pronation {side}"] = (_between(draw, -10, 175),)
    angles[f"fingers {side}"] = _curls(draw, 0, 80)
    along, trunk = draw.uniform(0.0, 1.0), draw.uniform(0.0, 0.5)
    centre = ((f"shoulder {side}", (1 - along) * (1 - trunk)), (f"elbow {side}", along * (1 - trunk)),
              ("lumbosacral", trunk))  # fmt: skip
    turn = _normal(draw, 9) + (np.pi if draw.random() < 0.3 else 0.0), _normal(draw, 7), _normal(draw, 10)
    return Scene("arm beside trunk", Pose(angles), _whole(), "", centre, (draw.normal(0, 30), 0, draw.normal(0, 50)),
                 draw.uniform(360, 900), draw.uniform(0.5, 1.4), turn, ("vertebra",), 0.7)  # fmt: skip


def elbow(draw: Draw, side: str) -> Scene:
    angles, lateral = _arms_down(draw), draw.random() < 0.6
    angles[f"elbow {side}"] = (_between(draw, 30, 125) if lateral else _between(draw, 0, 30),)
    angles[f"pronation {side}"] = (_between(draw, -10, 170),)
    frame = f"{draw.choice(['upper arm', 'forearm'])} {side}"
    return Scene("elbow", Pose(angles), _nodes(ARM_PARTS, side), frame, ((f"elbow {side}", 1.0),),
                 (draw.normal(0, 12), draw.normal(0, 25), draw.normal(0, 35)), draw.uniform(110, 320),
                 draw.uniform(0.5, 1.6), _view(draw, 0.92 if lateral else 0.03, 11))  # fmt: skip


def forearm(draw: Draw, side: str) -> Scene:
    angles, along, lateral = _arms_down(draw), draw.uniform(0.2, 0.8), draw.random() < 0.5
    angles[f"elbow {side}"] = (_between(draw, 30, 110) if lateral else _between(draw, 0, 30),)
    angles[f"pronation {side}"] = (_between(draw, -10, 175),)
    angles[f"fingers {side}"] = _curls(draw, 0, 70)
    return Scene("forearm", Pose(angles), _nodes(ARM_PARTS, side), f"forearm {side}",
                 ((f"elbow {side}", 1 - along), (f"wrist {side}", along)), (draw.normal(0, 12), draw.normal(0, 12), 0),
                 draw.uniform(170, 400), draw.uniform(0.28, 1.0), _view(draw, float(lateral), 12))  # fmt: skip


def wrist(draw: Draw, side: str) -> Scene:
    angles = _arms_down(draw)
    angles[f"pronation {side}"] = (_between(draw, -10, 175),)
    angles[f"wrist {side}"] = (_normal(draw, 15), _normal(draw, 10))
    angles[f"fingers {side}"] = _curls(draw, 0, 80)
    return Scene("wrist", Pose(angles), _nodes(ARM_PARTS, side), f"hand {side}", ((f"wrist {side}", 1.0),),
                 (draw.normal(0, 8), draw.normal(0, 8), draw.normal(0, 30)), draw.uniform(90, 280),
                 draw.uniform(0.4, 1.1), _view(draw, 0.4, 12))  # fmt: skip


def hand(draw: Draw, side: str) -> Scene:
    angles = _arms_down(draw)
    angles[f"pronation {side}"] = (_between(draw, -10, 175),)
    angles[f"wrist {side}"] = (_normal(draw, 10), _normal(draw, 10))
    view = draw.random()
    angles[f"fingers {side}"] = _curls(draw, 0, 15 if view < 0.6 else 60)
    oblique = _between(draw, 20, 65), 0.0, 0.0
    turn = _view(draw, 0.0, 10) if view < 0.5 else _view(draw, 0.9, 14) if view > 0.8 else oblique
    return Scene("hand", Pose(angles), _nodes(ARM_PARTS, side), f"hand {side}", ((f"knuckles {side}", 1.0),),
                 (draw.normal(0, 12), draw.normal(0, 8), draw.normal(10, 25)), draw.uniform(150, 330),
                 draw.uniform(0.45, 1.2), turn)  # fmt: skip


def fingers(draw: Draw, side: str) -> Scene:
    angles = _arms_down(draw)
    angles[f"fingers {side}"] = _curls(draw, 0, 60)
    along = draw.uniform(0.2, 0.9)
    return Scene("fingers", Pose(angles), _nodes(ARM_PARTS, side), f"hand {side}",
                 ((f"knuckles {side}", 1 - along), (f"fingertips {side}", along)),
                 (draw.normal(0, 22), draw.normal(0, 8), draw.normal(0, 10)), draw.uniform(60, 150),
                 draw.uniform(0.35, 1.2), _view(draw, 0.45, 15))  # fmt: skip


def chest(draw: Draw, side: str) -> Scene:
    angles = _arms_down(draw)
    for one in "RL":
        angles[f"shoulder {one}"] = (_normal(draw, 10), _between(draw, 5, 70), _between(draw, -80, 20))
    return Scene("chest", Pose(angles), ("trunk", *_nodes(("shoulder", "upper arm", "forearm"), "RL")), "",
                 (("lumbosacral", 0.35), ("neck", 0.65)), (draw.normal(0, 15), 0, draw.normal(0, 30)),
                 draw.uniform(320, 520), draw.uniform(0.8, 1.25),
                 (_normal(draw, 5) + (np.pi if draw.random() < 0.6 else 0.0), _normal(draw, 5), _normal(draw, 4)),
                 # outlines of real chests end at the rib cage, and nobody asks for vertebrae behind a heart
                 ("vertebra", "right clavicle", "left clavicle"))  # fmt: skip


def spine(draw: Draw, side: str) -> Scene:
    along = draw.uniform(0.0, 1.0)
    lateral = draw.random() < 0.25
    field = draw.uniform(200, 760)
    parts = ("trunk", "pelvis", *_nodes(("thigh", "shoulder"), "RL"))
    return Scene("spine", Pose(_standing(draw)), parts, "",
                 (("lumbosacral", 1 - along), ("neck", along)), (draw.normal(0, 15), 0, 0), field,
                 draw.uniform(0.3, 0.9), (90 * DEGREE + _normal(draw, 5) if lateral else _normal(draw, 6),
                                          _normal(draw, 4), _normal(draw, 5)))  # fmt: skip


def child(draw: Draw, side: str) -> Scene:
    parts = _whole()
    spot = str(draw.choice(["legs", "trunk", "all"]))
    middle = {
        "legs": (("hip R", 0.25), ("hip L", 0.25), ("ankle R", 0.25), ("ankle L", 0.25)),
        "trunk": (("lumbosacral", 0.45), ("neck", 0.55)),
        "all": (("hip R", 0.3), ("hip L", 0.3), ("neck", 0.4)),
    }[spot]
    field = {"legs": draw.uniform(600, 1000), "trunk": draw.uniform(450, 800), "all": draw.uniform(900, 1500)}[spot]
    return Scene("whole body", Pose(_standing(draw)), parts, "", middle,
                 (draw.normal(0, 20), 0, draw.normal(0, 40)), field, draw.uniform(0.4, 1.0),
                 (_normal(draw, 6), _normal(draw, 4), _normal(draw, 5)), ("vertebra",), 0.6)  # fmt: skip


SCENES: dict[Callable[[Draw, str], Scene], float] = {
    pelvis: 8, hip: 7, femur: 7, knee_frontal: 11, knee_lateral: 8, lower_leg: 7, ankle: 6, foot_from_above: 7,
    foot_lateral: 4, legs: 5, shoulder: 9, humerus: 7, arm_beside_trunk: 5, elbow: 9, forearm: 8, wrist: 7, hand: 10,
    fingers: 4, chest: 4, spine: 3, child: 5,
}  # fmt: skip
"""Scene and share."""


def named_scenes(names: list[str] | None = None) -> dict[Callable[[Draw, str], Scene], float]:
    """The table, or the part of it with these function names.

    Raises
    ------
    ValueError
        If there is no scene of a name.
    """
    table = {scene.__name__: scene for scene in SCENES}
    unknown = set(names or ()) - set(table)
    if unknown:
        raise ValueError(f"There is no scene {', '.join(sorted(unknown))}: choose of {', '.join(table)}.")
    return {table[name]: SCENES[table[name]] for name in names or table}


def draw_scene(draw: Draw, table: dict[Callable[[Draw, str], Scene], float] | None = None) -> Scene:
    """A scene of a table (all by default) drawn by its share, of the right or the left side."""
    table = table or SCENES
    kinds = list(table)
    share = np.array([table[kind] for kind in kinds], float)
    return kinds[draw.choice(len(kinds), p=share / share.sum())](draw, str(draw.choice(["R", "L"])))
