"""Single radiographs of the analytic skeleton: finer than films for training, without metal, markers and casts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from ..simulation import Simulation
from .analytic import MIDDLE, analytic_library
from .analytic_upper import CARPALS
from .draw import FRONTAL, LEAST, _facing_out, _lungs, _normals, _outward, _sided, _soft, _Warp
from .exposure import Thicknesses, expose
from .person import Library, draw_person
from .skeleton import DEGREE, Person, Pose, affine, after, apply, rotation
from .soft_tissue import smooth_path, tube, united
from .thickness import Camera, add_thickness, may_show

MAXIMUM = 4095
DISTANCE = 1150.0
"""mm from the tube to the middle of the body."""


@dataclass(frozen=True)
class View:
    """A radiograph.

    Parameters
    ----------
    seed : int
    pose : dict of str to tuple of float
        Angles in degrees by joint, see ``skeleton.Pose``; they are for both sides.
    parts : tuple of str
        Kinds of the parts that are there, with or without a side.
    centre : tuple of str
        The picture is centred between these landmarks.
    shift : tuple of 3 float
        Added to the centre, mm.
    shape : tuple of 2 int
        (rows, columns).
    spacing : float
        mm a px.
    labels : tuple of str
        Classes that its label map holds; later ones lie over earlier ones.
    turn : float
        Degrees about the long axis of the body.
    """

    seed: int
    pose: dict[str, tuple[float, ...]]
    parts: tuple[str, ...]
    centre: tuple[str, ...]
    shift: tuple[float, float, float]
    shape: tuple[int, int]
    spacing: float
    labels: tuple[str, ...]
    turn: float = 0.0


LEG, ARM = ("thigh", "shank", "foot"), ("upper arm", "forearm", "hand")
VIEWS = {
    "knee": View(12, {"hip": (0, 1, 3)}, ("thigh R", "shank R", "foot R"), ("knee R",), (0, 0, -6), (580, 480), 0.30,
                 ("fibula", "tibia", "patella", "femur"), 2.0),
    "both_knees": View(5, {"hip": (0, 0, 4)}, LEG, ("knee R", "knee L"), (0, 0, -8), (400, 620), 0.50,
                       ("fibula", "tibia", "patella", "femur")),
    "hand": View(5, {"shoulder": (0, 4, 0), "fingers": (4, 5, 4, 5, 7, 22)}, ("upper arm L", "forearm L", "hand L"),
                 ("knuckles L",), (0, 0, 16), (640, 460), 0.34, ("hand",)),
    "pelvis": View(12, {"hip": (0, 5, -12)}, ("pelvis", "trunk", *LEG), ("hip R", "hip L"), (0, 0, 25), (500, 620),
                   0.62,
                   ("sacrum", "hip bone", "femur")),
    "chest": View(5, {"shoulder": (0, 35, -40), "elbow": (40,)}, ("trunk", "pelvis", "shoulder", *ARM),
                  ("lumbosacral", "neck", "neck"), (0, 0, -10), (540, 540), 0.72,
                  ("scapula", "humerus", "right clavicle", "left clavicle")),
}  # fmt: skip


@lru_cache(maxsize=1)
def _adults() -> Library:
    return {kind: [part for part in parts if not part.child] for kind, parts in analytic_library(1).items()}


def bone_sample(name: str) -> Simulation:
    """One of `VIEWS`; the same at every call."""
    view = VIEWS[name]
    draw = np.random.default_rng(view.seed)
    pose = {f"{joint} {side}": tuple(DEGREE * angle for angle in angles)
            for joint, angles in view.pose.items() for side in "RL"}  # fmt: skip
    whole = [part in MIDDLE or part[-2] == " " for part in view.parts]
    parts = [part if is_one else f"{part} {side}" for part, is_one in zip(view.parts, whole) for side in "RL"]
    person = draw_person(_adults(), Pose(pose), tuple(dict.fromkeys(parts)), draw)
    centre = np.mean([person.landmarks[mark] for mark in view.centre], axis=0) + np.array(view.shift) * person.size
    seen = after(affine(FRONTAL @ rotation((0, 0, 1), view.turn * DEGREE)), affine(np.eye(3), -centre))
    camera = Camera(seen, DISTANCE, 1.0 / view.spacing, view.shape)
    thicknesses, things = _thicknesses(person, camera, _Warp(draw, 0.5 * person.size), draw)
    pixels = np.rint(MAXIMUM * np.clip(expose(thicknesses, draw), 0, 1)).astype(np.uint16)
    labels = {label: value for value, label in enumerate(view.labels, start=1)}
    label_map, extras = np.zeros(view.shape, np.uint8), {}
    for label, value in labels.items():
        masks = {thing: thick > LEAST for (kind, thing), thick in things.items() if _sided(kind, thing) == label}
        for thing, mask in masks.items():
            label_map[mask], extras[thing] = value, mask
    return Simulation(pixels, label_map, labels, (view.spacing, view.spacing), extras,
                      {"view": name, "mirrored": False})


def _thicknesses(person: Person, camera: Camera, warp: _Warp, draw: np.random.Generator):
    """The line integrals of a person, and those of each of its objects."""
    bone, inner, things = np.zeros(camera.shape, np.float32), np.zeros(camera.shape, np.float32), {}
    for item in person.bones:
        vertices = item.surface.vertices @ item.matrix[:, :3].T + item.matrix[:, 3]
        projected = camera.project(warp(vertices))
        if not may_show(projected, camera.shape):
            continue
        whole, hollow, faces = np.zeros_like(bone), np.zeros_like(bone), _outward(item)
        add_thickness(projected, faces, whole)
        within = item.surface.vertices - _normals(item.surface) * item.cortex[:, None]
        add_thickness(camera.project(warp(within @ item.matrix[:, :3].T + item.matrix[:, 3])), faces, hollow)
        bone += whole
        inner += np.clip(hollow, 0.0, np.maximum(whole, 0.0))
        things[item.label, item.thing] = things.get((item.label, item.thing), 0.0) + whole
    soft = united([_soft(person, camera, warp, draw), *_fingers(person, camera, warp)], camera.shape)
    none = np.zeros_like(bone)
    air = none
    if "trunk" in person.nodes():
        air = ndimage.gaussian_filter(_lungs(person, camera, warp, draw), 3.0)
    return Thicknesses(soft, np.maximum(bone, 0), inner, air, none, none), things


def _fingers(person: Person, camera: Camera, warp: _Warp) -> list[np.ndarray]:
    """The flesh of fingers, mm (rows, columns) each: tubes along their bones, which are the hand's last ones."""
    found = []
    for node in sorted(person.nodes()):
        bones = [bone for bone in person.bones if bone.node == node][len(CARPALS) :]
        if not node.startswith("hand") or not bones:
            continue
        across = person.landmarks[f"thumb side {node[-1]}"]
        chains = [bones[:3], *(bones[start : start + 4] for start in range(3, len(bones), 4))]
        for chain in chains:
            ends = [apply(bone.matrix, bone.surface.vertices[-2:]) for bone in chain]
            points = [chain_ends.mean(0) for chain_ends in ends[:1]] + [point for pair in ends[1:] for point in pair]
            tip = points[-1] + 3.0 * person.size * (points[-1] - points[-2]) / np.linalg.norm(points[-1] - points[-2])
            wide = np.linspace(10.5, 7.5, len(points)) * person.size
            path, radii = smooth_path([*points[:-1], tip], [(a, 0.85 * a) for a in wide])
            layer = np.zeros(camera.shape, np.float32)
            body = tube(path, radii, across)
            add_thickness(camera.project(warp(body.vertices)), _facing_out(body), layer)
            found.append(layer)
    return found
