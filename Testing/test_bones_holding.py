"""Hands of somebody else on drawn films: where they lie, that they are objects of their own, whom they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("numba", reason="drawing films of bones needs numba")
pytest.importorskip("skimage", reason="the analytic parts need the extra 'training'")

from training.simulate.bones.analytic import analytic_library  # noqa: E402
from training.simulate.bones.draw import camera_of, film_of  # noqa: E402
from training.simulate.bones.holding import HELD, HELD_ADULT, draw_helpers, helper_camera  # noqa: E402
from training.simulate.bones.person import draw_person  # noqa: E402
from training.simulate.bones.scenes import SCENES, arm_beside_trunk, knee_frontal, named_scenes  # noqa: E402
from training.simulate.bones.skeleton import Person, Pose  # noqa: E402


@pytest.fixture(scope="module")
def library():
    return analytic_library(2, 1)


def a_helper(library, draw) -> Person:
    while True:
        helpers = draw_helpers(library, Person(child=True), draw)
        if helpers:
            return helpers[0]


def test_children_are_held_far_more_often_than_others(library):
    draw = np.random.default_rng(0)
    held = sum(bool(draw_helpers(library, Person(child=True), draw)) for _ in range(100))
    others = sum(bool(draw_helpers(library, Person(child=False), draw)) for _ in range(100))
    assert abs(held / 100 - HELD) < 0.15 and others / 100 < HELD_ADULT + 0.06 and HELD_ADULT < HELD


def test_a_helper_is_a_grown_up_with_one_hand_and_its_forearm(library):
    helper = a_helper(library, np.random.default_rng(1))
    assert not helper.child and helper.size >= 0.8
    assert {bone.label for bone in helper.bones} == {"radius", "ulna", "hand"}
    assert len({node[-1] for node in helper.nodes()}) == 1


@pytest.mark.parametrize("seed", range(6))
def test_the_hand_lies_on_the_film_and_the_forearm_comes_from_further_out(seed, library):
    draw = np.random.default_rng(seed)
    scene = replace(knee_frontal(draw, "R"), field=400.0, aspect=1.0)
    patient = draw_person(library, Pose({}), scene.parts, draw)
    camera = camera_of(scene, patient, draw)
    inward = []
    for _ in range(30):
        helper = a_helper(library, draw)
        (side,) = {node[-1] for node in helper.nodes()}
        beside = helper_camera(camera, patient, helper, draw)
        assert beside.shape == camera.shape and beside.scale == camera.scale and beside.distance == camera.distance
        assert np.linalg.det(beside.matrix[:, :3]) == pytest.approx(1.0)  # a right hand stays a right hand
        wrist, knuckles = beside.project(np.array([helper.landmarks[f"{name} {side}"]
                                                   for name in ("wrist", "knuckles")]))[:, :2]  # fmt: skip
        rows, columns = camera.shape
        assert (knuckles > [-0.35 * columns, -0.35 * rows]).all() and (knuckles < [1.35 * columns, 1.35 * rows]).all()
        middle = np.array([columns, rows]) / 2
        inward.append((knuckles - wrist) @ (middle - knuckles) > 0)
    assert np.mean(inward) > 0.7


def test_a_helpers_hand_is_an_object_of_its_own(library):
    draw = np.random.default_rng(4)
    scene = replace(arm_beside_trunk(draw, "R"), field=900.0, aspect=1.0, turn=(0.0, 0.0, 0.0))
    patient = draw_person(library, scene.pose, scene.parts, draw, children=1.0)
    assert patient.child
    helpers = [a_helper(library, draw) for _ in range(4)]
    counts = []
    for held in ((), helpers):
        film = film_of(scene, patient, np.random.default_rng(9), "one", held)
        counts.append(sum(item.label == "hand" for item in film.objects))
    assert counts[1] > counts[0]


def test_every_scene_says_how_many_are_children():
    draw = np.random.default_rng(2)
    shares = {scene.__name__: scene(draw, "L").children for scene in named_scenes(None)}
    assert len(shares) == len(SCENES) and all(0 <= share <= 1 for share in shares.values())
    assert shares["arm_beside_trunk"] > shares["elbow"] and shares["child"] > shares["knee_frontal"]
