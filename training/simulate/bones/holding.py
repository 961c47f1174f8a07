"""Hands of somebody else on the film: who holds a child, or steadies a limb, is on it with hand and forearm."""

from __future__ import annotations

import numpy as np

from .person import Library, draw_person
from .skeleton import DEGREE, Person, Pose, affine, rotation
from .thickness import Camera

HELD, HELD_ADULT = 0.4, 0.02
"""Share of films of children, and of others, on which somebody's hand shows."""
SECOND = 0.35
"""Share of these with a second hand."""


def draw_helpers(library: Library, patient: Person, generator: np.random.Generator) -> list[Person]:
    """The hands that hold a patient: grown-up people of whom a forearm and a hand are there; mostly nobody."""
    if generator.random() >= (HELD if patient.child else HELD_ADULT):
        return []
    return [_helper(library, generator) for _ in range(1 + int(generator.random() < SECOND))]


def _helper(library: Library, generator: np.random.Generator) -> Person:
    side = str(generator.choice(["R", "L"]))
    curl = generator.uniform(0, 70) * DEGREE
    fingers = np.clip(curl + 10 * DEGREE * generator.standard_normal(5), 0.0, None)
    pose = Pose({
        f"pronation {side}": (generator.uniform(-10, 170) * DEGREE,),
        f"wrist {side}": tuple(15 * DEGREE * generator.standard_normal(2)),
        f"fingers {side}": (*fingers, generator.uniform(-8, 40) * DEGREE),
    })  # fmt: skip
    return draw_person(library, pose, (f"forearm {side}", f"hand {side}"), generator, children=0.0)


def helper_camera(camera: Camera, patient: Person, helper: Person, generator: np.random.Generator) -> Camera:
    """How the tube sees a helper: the knuckles lie near a joint of the patient, the forearm comes from outside.

    Parameters
    ----------
    camera : Camera
        Of the patient.
    patient, helper : Person
        The helper has one hand.
    """
    rows, columns = camera.shape
    middle = np.array([columns / 2, rows / 2])
    joints = [point for name, point in patient.landmarks.items() if not name.startswith("thumb side")]
    places = camera.project(np.array(joints))[:, :2]
    places = places[((places >= 0) & (places < [columns, rows])).all(1)]
    if not len(places) or generator.random() < 0.3:
        places = generator.uniform(0.05, 0.95, (1, 2)) * [columns, rows]
    place = places[generator.integers(len(places))] + 0.06 * max(rows, columns) * generator.standard_normal(2)
    (side,) = {node[-1] for node in helper.nodes()}
    wrist, knuckles = helper.landmarks[f"wrist {side}"], helper.landmarks[f"knuckles {side}"]
    view = rotation((1, 0, 0), 90 * DEGREE) @ rotation((0, 0, 1), generator.uniform(0, 2 * np.pi))
    pointing = view @ (knuckles - wrist)
    inward = middle - place
    angle = np.arctan2(inward[1], inward[0]) - np.arctan2(pointing[1], pointing[0]) + 0.7 * generator.standard_normal()
    view = rotation((0, 0, 1), angle) @ view
    depth = generator.uniform(-80.0, 80.0)
    enlarged = camera.scale * camera.distance / (depth + camera.distance)
    at = np.array([*(place - middle) / enlarged, depth])
    return Camera(affine(view, at - view @ knuckles), camera.distance, camera.scale, camera.shape)
