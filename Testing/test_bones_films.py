"""Films drawn from the analytic library: every scene, the same film from the same number, labels; films in files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("numba", reason="drawing films of bones needs numba")
pytest.importorskip("skimage", reason="the analytic parts need the extra 'training'")

from training.films.film import Film, FilmObject, read_films, write_films  # noqa: E402
from training.films.knowledge import CLASSES  # noqa: E402
from training.simulate.bones import __main__ as command  # noqa: E402
from training.simulate.bones.analytic import analytic_library  # noqa: E402
from training.simulate.bones.draw import (  # noqa: E402
    IN_TRUNKS,
    LABELS,
    LONGEST,
    PIXELS,
    draw_film,
    draw_films,
    film_of,
)
from training.simulate.bones.exposure import Thicknesses, expose  # noqa: E402
from training.simulate.bones.person import draw_person  # noqa: E402
from training.simulate.bones.scenes import SCENES, Scene, chest, draw_scene, knee_frontal, named_scenes  # noqa: E402
from training.simulate.bones.skeleton import Pose  # noqa: E402

NAMES = [scene.__name__ for scene in SCENES]


@pytest.fixture(scope="module")
def library():
    return analytic_library(2, 1)


def equal(first: Film, second: Film) -> bool:
    """Whether two films are the same, bit for bit."""
    objects = [[(item.label, tuple(item.window), item.bits.tobytes(), item.asked) for item in film.objects]
               for film in (first, second)]  # fmt: skip
    masks = [film.ignore_mask for film in (first, second)]
    ignored = [None if mask is None else (mask.shape, mask.tobytes()) for mask in masks]
    facts = [(film.set_name, film.name, film.settled, film.kind, film.boxed, film.image.shape, film.image.tobytes())
             for film in (first, second)]  # fmt: skip
    return objects[0] == objects[1] and ignored[0] == ignored[1] and facts[0] == facts[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_scene_draws_a_film(name, library):
    film = draw_film(library, np.random.default_rng([3, NAMES.index(name)]), "one", [name])
    rows, columns = film.image.shape
    assert film.image.dtype == np.uint8 and max(rows, columns) <= LONGEST and rows * columns <= 1.02 * PIXELS
    assert film.image.std() > 5 and film.name == "one" and film.set_name.startswith("simulated")
    assert film.objects and film.settled <= set(CLASSES)
    for item in film.objects:
        assert item.label in LABELS and item.label in film.settled
        mask = item.mask(film.image.shape)
        assert mask.sum() == item.crop().sum() >= 12
        window = item.window
        assert mask[[window[0], window[2] - 1]].any(1).all() and mask[:, [window[1], window[3] - 1]].any(0).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_a_scene_leaves_open_is_neither_marked_nor_settled(name, library):
    draw = np.random.default_rng(NAMES.index(name))
    scene = draw_scene(draw, named_scenes([name]))
    assert isinstance(scene, Scene) and set(scene.unmarked) <= set(CLASSES) and scene.field > 0 < scene.aspect
    person = draw_person(library, scene.pose, scene.parts, draw)
    assert person.nodes() == set(scene.parts)
    assert all(mark in person.landmarks for mark, _ in scene.centre)
    assert not scene.frame or scene.frame in person.nodes()
    film = film_of(scene, person, draw)
    assert not film.settled & set(scene.unmarked) and not {item.label for item in film.objects} & set(scene.unmarked)
    # what shows where a trunk is and is not drawn as an object
    assert set(IN_TRUNKS) <= film.settled if "trunk" not in scene.parts else not set(IN_TRUNKS) & film.settled
    assert set(LABELS) - set(scene.unmarked) <= film.settled


def test_a_film_follows_from_its_seed_and_number(library):
    scenes = ["fingers", "hand"]
    three = list(draw_films(library, 3, 7, 2, scenes))
    assert [film.name for film in three] == ["7-2", "7-3", "7-4"]
    (alone,) = draw_films(library, 1, 7, 3, scenes)
    assert equal(alone, three[1]) and not equal(three[0], three[1])
    (other,) = draw_films(library, 1, 8, 3, scenes)
    assert other.image.shape != alone.image.shape or (other.image != alone.image).any()


def test_the_share_of_children_can_be_told(library):
    own, none = (draw_film(library, np.random.default_rng(8), "one", ["arm_beside_trunk"], share) for share in (None, 0))
    assert not equal(own, none)  # the scene's own share is 0.7
    again = draw_film(library, np.random.default_rng(8), "one", ["arm_beside_trunk"], 0.7)
    assert equal(own, again)


def test_both_knees_are_objects_of_their_own(library):
    for seed in range(40):
        draw = np.random.default_rng(seed)
        scene = knee_frontal(draw, "R")
        if scene.kind == "knees" and abs(scene.turn[0]) < 0.3:
            break
    scene = replace(scene, turn=(0.0, 0.0, 0.0), field=420.0, aspect=1.2, shift=(0.0, 0.0, 0.0))
    film = film_of(scene, draw_person(library, Pose({}), scene.parts, draw), draw)
    labels = [item.label for item in film.objects]
    for label in ("femur", "tibia", "fibula", "patella"):
        assert labels.count(label) == 2, label
    femora = [np.nonzero(item.mask(film.image.shape))[1].mean() for item in film.objects if item.label == "femur"]
    assert abs(femora[0] - femora[1]) > 0.15 * film.image.shape[1]


@pytest.mark.parametrize("behind", [False, True], ids=["from in front", "from behind"])
def test_the_patients_right_is_on_the_viewers_left_from_in_front(behind, library):
    draw = np.random.default_rng(5)
    scene = replace(chest(draw, "R"), turn=(np.pi if behind else 0.0, 0.0, 0.0), unmarked=(), field=480.0, aspect=1.0,
                    shift=(0.0, 0.0, 40.0))  # fmt: skip
    film = film_of(scene, draw_person(library, Pose({}), scene.parts, draw), draw)
    found = {item.label: np.nonzero(item.mask(film.image.shape))[1].mean() for item in film.objects}
    assert (found["right clavicle"] < found["left clavicle"]) != behind


def test_scenes_that_are_not_there_are_named():
    with pytest.raises(ValueError, match="no scene elbwo"):
        named_scenes(["elbow", "elbwo"])
    assert [scene.__name__ for scene in named_scenes(["elbow"])] == ["elbow"] and list(named_scenes()) == list(SCENES)


def test_bone_is_bright_and_air_is_dark():
    y, x = np.mgrid[:120, :100].astype(np.float32)
    soft = np.where(np.hypot(x - 50, y - 60) < 45, 80.0, 0.0).astype(np.float32)
    bone = np.where(np.abs(x - 50) < 8, 25.0, 0.0).astype(np.float32) * (soft > 0)
    none = np.zeros_like(soft)
    for seed in range(4):
        film = expose(Thicknesses(soft, bone, 0.5 * bone, none, none, none), np.random.default_rng(seed))
        assert film.shape == soft.shape and film.min() >= 0 and film.max() <= 1
        assert film[bone > 0].mean() > film[(soft > 0) & (bone == 0)].mean() + 0.1 > film[soft == 0].mean() + 0.1


def made_up() -> list[Film]:
    draw, films = np.random.default_rng(0), []
    for number, shape in enumerate([(30, 41), (8, 9), (77, 20)]):
        masks = [draw.random(shape) < 0.4, np.ones(shape, bool)][: 2 - number % 3]
        objects = tuple(FilmObject.of(label, mask, label == "ulna") for label, mask in zip(("radius", "ulna"), masks))
        ignore_mask = draw.random(shape) < 0.1 if number == 2 else None
        films.append(Film("set ü", f"film {number}", draw.integers(0, 256, shape).astype(np.uint8), objects,
                          frozenset(["radius", "hand"][:number]), ignore_mask, "elbow", number == 1))  # fmt: skip
    return films


def test_films_come_back_bit_for_bit(tmp_path, library):
    films = [*made_up(), *draw_films(library, 1, 4, 0, ["fingers"])]
    path = tmp_path / "below" / "films.npz"
    assert write_films(iter(films), path) == 4
    back = list(read_films(path))
    assert len(back) == 4 and all(equal(*pair) for pair in zip(films, back))
    assert back[2].ignore_mask is not None and back[0].ignore_mask is None and not back[2].objects
    assert not equal(back[0], back[1])


def test_a_file_of_no_films(tmp_path):
    assert write_films([], tmp_path / "none.npz") == 0 and list(read_films(tmp_path / "none.npz")) == []


def test_a_mask_comes_back_from_its_window():
    mask = np.zeros((13, 17), bool)
    mask[4:9, 3:14] = np.random.default_rng(1).random((5, 11)) < 0.5
    mask[4, 5] = mask[8, 9] = mask[6, 3] = mask[5, 13] = True
    item = FilmObject.of("hand", mask)
    assert item.window == (4, 3, 9, 14) and np.array_equal(item.mask(mask.shape), mask) and len(item.bits) == 7


def test_the_command_draws_files_and_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "A_FILE", 2)
    arguments = ["analytic", str(tmp_path), "--films", "4", "--seed", "6", "--scenes", "fingers"]
    assert command.main([*arguments, "--part", "1/2"]) == 0
    assert [path.name for path in sorted(tmp_path.glob("*"))] == ["6-0001.npz"]
    before = (tmp_path / "6-0001.npz").read_bytes()
    assert command.main(arguments) == 0
    assert (tmp_path / "6-0001.npz").read_bytes() == before
    films = [film for path in sorted(tmp_path.glob("*")) for film in read_films(path)]
    assert [film.name for film in films] == ["6-0", "6-1", "6-2", "6-3"]
    printed = capsys.readouterr().out
    assert "4 films" in printed and "fingers" in printed and "hand 100%" in printed
