"""Skeletons put together and posed: which way joints turn, and that left is the mirror image of right."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage", reason="the analytic parts need the extra 'training'")

from training.simulate.bones.analytic import analytic_library, plain_parts  # noqa: E402
from training.simulate.bones.person import draw_person  # noqa: E402
from training.simulate.bones.skeleton import Assembly, Person, Pose, apply, rotation, scale_to  # noqa: E402

PARTS = {part.kind: part for part in plain_parts(False)}
HIP, SHOULDER = np.array([-88.0, 0.0, 0.0]), np.array([-160.0, 10.0, 400.0])


@lru_cache(maxsize=64)
def limbs(angles: tuple[tuple[str, tuple[float, ...]], ...] = ()) -> Person:
    """Both legs and both arms; angles are given without sides."""
    pose = Pose({f"{joint} {side}": values for joint, values in angles for side in "RL"})
    assembly = Assembly(1.0, np.ones(3))
    for side in "RL":
        assembly.leg(HIP, side, PARTS["thigh"], PARTS["shank"], PARTS["foot"], pose, 1.0)
        assembly.arm(SHOULDER, side, PARTS["upper arm"], PARTS["forearm"], PARTS["hand"], pose, 1.0)
    return assembly.person


def posed(joint: str, *values: float) -> Person:
    return limbs(((joint, values),))


def change(person: Person, landmark: str) -> np.ndarray:
    """How far a landmark is from where it rests, mm."""
    return person.landmarks[landmark] - limbs().landmarks[landmark]


def middle(person: Person, kind: str, name: str, side: str = "R") -> np.ndarray:
    """The middle of a bone in the body."""
    number = [bone.name for bone in PARTS[kind].bones].index(name)
    placed = [bone for bone in person.bones if bone.node == f"{kind} {side}"][number]
    return apply(placed.matrix, placed.surface.vertices).mean(0)


def shifted(person: Person, kind: str, name: str) -> np.ndarray:
    return middle(person, kind, name) - middle(limbs(), kind, name)


def test_at_rest_limbs_hang_straight_down():
    marks = limbs().landmarks
    assert marks["knee R"] == pytest.approx(HIP + (0, 0, -430), abs=1e-6)
    assert marks["ankle R"] == pytest.approx(marks["knee R"] + (0, 0, -411), abs=1e-6)
    assert marks["toes R"][1] < marks["heel R"][1] - 150, "toes are in front (-y)"
    assert marks["fingertips R"][2] < marks["knuckles R"][2] < marks["wrist R"][2]
    assert marks["thumb side R"] @ (-1, 0, 0) > 0.99 and marks["thumb side L"] @ (1, 0, 0) > 0.99


@pytest.mark.parametrize(
    ("joint", "values", "landmark", "direction"),
    [
        ("knee", (1.0,), "ankle R", (0, 1, 0)),
        ("hip", (0.8, 0.0, 0.0), "knee R", (0, -1, 0)),
        ("hip", (0.0, 0.4, 0.0), "knee R", (-1, 0, 0)),
        ("hip", (0.0, 0.0, 0.4), "toes R", (-1, 0, 0)),
        ("ankle", (0.5,), "toes R", (0, 0, -1)),
        ("shoulder", (0.8, 0.0, 0.0), "elbow R", (0, -1, 0)),
        ("shoulder", (0.0, 1.0, 0.0), "elbow R", (-1, 0, 0)),
        ("elbow", (1.2,), "wrist R", (0, -1, 0)),
        ("elbow", (1.2,), "wrist R", (0, 0, 1)),
        ("wrist", (0.7, 0.0), "fingertips R", (0, -1, 0)),
    ],
)
def test_which_way_a_joint_turns(joint, values, landmark, direction):
    assert change(posed(joint, *values), landmark) @ np.array(direction) > 30


def test_joints_above_stay():
    for landmark in ("hip R", "knee R"):
        assert not change(posed("knee", 1.0), landmark).any()
    assert not change(posed("elbow", 1.0), "elbow R").any() and change(posed("elbow", 1.0), "wrist R").any()


@pytest.mark.parametrize("finger", [2, 3, 4, 5])
def test_fingers_curl_to_the_palm(finger):
    curls = [0.0] * 5
    curls[finger - 1] = 0.7
    person = posed("fingers", *curls, 0.0)
    tip, knuckle = shifted(person, "hand", f"distal phalanx {finger}"), shifted(person, "hand", f"metacarpal {finger}")
    assert tip[1] < -25 and tip[2] > 5 and np.abs(knuckle).max() < 1e-6
    other = 2 if finger != 2 else 3
    assert np.abs(shifted(person, "hand", f"distal phalanx {other}")).max() < 1e-6


def test_each_joint_of_a_finger_bends_further_than_the_one_before():
    person, straight = posed("fingers", 0, 0, 0.6, 0, 0, 0), limbs()
    number = {bone.name: n for n, bone in enumerate(PARTS["hand"].bones)}
    turned = []
    for word in ("proximal", "middle", "distal"):
        first, second = ([bone for bone in each.bones if bone.node == "hand R"][number[f"{word} phalanx 3"]].matrix[:,
                                                                                                                    :3]
                         for each in (straight, person))  # fmt: skip
        turned.append(np.arccos(np.clip((np.trace(second @ first.T) - 1) / 2, -1, 1)))
    assert turned == pytest.approx([0.6, 1.2, 1.2 + 0.8 * 0.6], abs=1e-3)


def test_the_thumb_closes_towards_the_palm():
    person = posed("fingers", 0.6, 0, 0, 0, 0, 0)
    goal = middle(limbs(), "hand", "metacarpal 5") + (0, -25, 0)
    far, near = (np.linalg.norm(middle(each, "hand", "distal phalanx 1") - goal) for each in (limbs(), person))
    assert near < far - 15


def test_spread_fingers_are_further_apart():
    def across(person):
        return (middle(person, "hand", "distal phalanx 5") - middle(person, "hand", "distal phalanx 2"))[0]

    assert across(posed("fingers", 0, 0, 0, 0, 0, 0.5)) > across(limbs()) + 15


def test_toes_bend_up():
    shift = shifted(posed("toes", 0.4), "foot", "phalanx 2.2")
    assert shift[2] > 5 and np.abs(shifted(posed("toes", 0.4), "foot", "metatarsal 2")).max() < 1e-6


def test_pronation_brings_the_thumb_forwards_and_across():
    quarter, half = (posed("pronation", angle) for angle in (np.pi / 2, np.pi))
    assert quarter.landmarks["thumb side R"] @ (0, -1, 0) > 0.9
    assert half.landmarks["thumb side R"] @ (1, 0, 0) > 0.9
    assert not shifted(half, "forearm", "ulna").any() and np.linalg.norm(shifted(half, "forearm", "radius")) > 5


def test_the_kneecap_stays_before_the_femur():
    for angle in (0.0, 0.5, 1.0, 1.5):
        person = posed("knee", angle)
        patella, knee = middle(person, "shank", "patella"), person.landmarks["knee R"]
        assert patella[1] < knee[1] - 25, "in front"
        assert np.linalg.norm(patella - knee) == pytest.approx(43, abs=8)


def test_left_is_the_mirror_image_of_right():
    angles = (("hip", (0.4, 0.2, 0.3)), ("knee", (0.7,)), ("ankle", (0.3,)), ("toes", (0.2,)),
              ("shoulder", (0.3, 0.5, 0.4)),
              ("elbow", (0.9,)), ("pronation", (1.1,)), ("wrist", (0.2, 0.1)),
              ("fingers", (0.2, 0.5, 0.3, 0.4, 0.1, 0.3)))  # fmt: skip
    person = limbs(angles)
    sides = [[bone for bone in person.bones if bone.node.endswith(side)] for side in "RL"]
    assert len(sides[0]) == len(sides[1]) == 1 + 3 + 26 + 1 + 2 + 27
    for right, left in zip(*sides):
        assert left.thing == right.thing[:-1] + "L" and left.label == right.label
        points = apply(right.matrix, right.surface.vertices[::50]) * (-1, 1, 1)
        np.testing.assert_allclose(apply(left.matrix, left.surface.vertices[::50]), points, atol=1e-4)
        assert np.linalg.det(left.matrix[:, :3]) < 0 < np.linalg.det(right.matrix[:, :3])
    for name, place in person.landmarks.items():
        if name.endswith("R"):
            np.testing.assert_allclose(person.landmarks[f"{name[:-1]}L"], place * (-1, 1, 1), atol=1e-6)


def test_bones_meet_at_their_joints():
    """Neighbours of an adult at rest come within 8 mm of each other, and no vertex of one lies deep in the other."""
    from scipy.spatial import cKDTree

    person = limbs()
    bones = {bone.label: bone for bone in person.bones if bone.node.endswith("R") and bone.label not in ("hand",
                                                                                                         "foot")}
    for first, second in (("femur", "tibia"), ("femur", "patella"), ("tibia", "fibula"), ("humerus", "ulna"),
                          ("humerus", "radius")):
        clouds = [apply(bones[name].matrix, bones[name].surface.vertices) for name in (first, second)]
        distance, nearest = cKDTree(clouds[0]).query(clouds[1])
        assert distance.min() < 8, (first, second)
        normals = bones[first].surface.normals()[nearest]
        depth = -np.einsum("ij,ij->i", clouds[1] - clouds[0][nearest], normals @ bones[first].matrix[:, :3].T)
        assert depth.max() < 4.5, (first, second)


def test_parts_are_scaled_to_fit():
    from dataclasses import replace

    thigh, shank = PARTS["thigh"], PARTS["shank"]
    assert scale_to(thigh, "knee", shank) == pytest.approx(1.0)
    assert scale_to(thigh, "knee", replace(shank, width=1.25 * shank.width)) == pytest.approx(0.8)
    assert scale_to(thigh, "knee", replace(shank, width=9.0)) == 2.0
    assert scale_to(replace(thigh, widths={}), "knee", shank) == 1.0


def test_rotations_follow_the_right_hand():
    np.testing.assert_allclose(rotation((0, 0, 2), np.pi / 2) @ (1, 0, 0), (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(rotation((1, 0, 0), np.pi / 2) @ (0, 1, 0), (0, 0, 1), atol=1e-12)


@pytest.fixture(scope="module")
def library():
    return analytic_library(2, 1)


def test_a_person_follows_from_its_generator(library):
    nodes = ("pelvis", "thigh R", "shank R", "hand L", "forearm L", "upper arm L")
    first, again, other = (draw_person(library, Pose({}), nodes, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.nodes() == set(nodes)
    assert all(np.array_equal(one.matrix, two.matrix) and one.surface is two.surface for one,
               two in zip(first.bones, again.bones))
    assert any(not np.array_equal(one.matrix, two.matrix) for one, two in zip(first.bones, other.bones))
    assert {"hip R", "knee R", "ankle R", "wrist L", "fingertips L", "lumbosacral", "neck"} <= set(first.landmarks)


def test_children_are_made_of_parts_of_children(library):
    sizes = []
    for seed in range(24):
        person = draw_person(library, Pose({}), ("pelvis", "thigh R", "thigh L", "shank R"),
                             np.random.default_rng(seed))
        own = {id(bone.surface) for part in library["thigh"] if part.child for bone in part.bones}
        child = {id(bone.surface) in own for bone in person.bones if bone.label == "femur"}
        length = np.linalg.norm(person.landmarks["knee R"] - person.landmarks["hip R"])
        sizes.append((child == {True}, length))
        assert len(child) == 1, "both thighs alike"
    lengths = [[length for child, length in sizes if child == wanted] for wanted in (True, False)]
    assert all(lengths) and max(lengths[0]) < min(lengths[1])


def test_libraries_need_not_have_every_part(library):
    few = {kind: parts for kind, parts in library.items() if kind in ("thigh", "shank", "upper arm", "forearm")}
    nodes = ("pelvis", "trunk", "thigh R", "shank R", "foot R", "shoulder R", "upper arm R", "forearm R", "hand R")
    person = draw_person(few, Pose({}), nodes, np.random.default_rng(0))
    assert person.nodes() == {"thigh R", "shank R", "upper arm R", "forearm R"}
