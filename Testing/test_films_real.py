"""Real films for training: what each set's labels say, and that films kept for judging never come out of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from training.clinical.judge import read_boxes  # noqa: E402
from training.data.checking import DataError  # noqa: E402
from training.data.labelled import Case  # noqa: E402
from training.films import real  # noqa: E402
from training.films.collection import all_films, sampling_weights  # noqa: E402
from training.films.film import Film, write_films  # noqa: E402
from training.films.knowledge import BODY_PARTS, BOXED, CARDS, CLASSES, SetCard, absent_in  # noqa: E402
from training.films.real import clinical_films, film_of_case, further_films, sealed_films  # noqa: E402
from training.networks import YoloConfig  # noqa: E402

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def unlabelled() -> Path:
    folder = DATA / "body_parts_unlabelled"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the films that were kept for judging cannot be looked for")
    return folder


def test_cards_and_body_parts_name_known_classes():
    assert len(set(CLASSES)) == len(CLASSES) <= 31, "the class maps of films have 31 bits for them"
    for name, card in CARDS.items():
        assert set(card.marks.values()) | set(card.absent) <= set(CLASSES), name
        assert not set(card.marks.values()) & set(card.absent), f"{name} marks what it says it cannot show"
        assert card.marks and card.weight > 0 and card.terms, name
        if card.stretch:
            assert 0 < card.stretch[0] < card.stretch[1]
    for beginnings, absent in BODY_PARTS:
        assert beginnings and set(absent) <= set(CLASSES) and set(absent) != set(CLASSES), beginnings
    YoloConfig("tiny-3l", CLASSES, tuple((8.0 * n, 8.0 * n) for n in range(1, 10)))


def test_each_set_of_pictures_has_a_card():
    folders = sorted(path.parent for path in DATA.glob("*/labels.json"))
    if not folders:
        pytest.skip(f"{DATA} is not there: no sets to compare the cards with")
    for folder in folders:
        if any(folder.glob("images/*.nii.gz")) or folder.name == "ct_torso":
            continue  # volumes: no films
        assert folder.name in CARDS, f"{folder.name} has labels but no card"
        names = set(json.loads((folder / "labels.json").read_text(encoding="utf-8")))
        assert set(CARDS[folder.name].marks) <= names, folder.name


def test_each_folder_of_films_is_known_or_left_out_on_purpose():
    folders = [path.name for path in unlabelled().iterdir() if path.is_dir()]
    mixed = ("lower_limbs_child", "thorax_arms_child")  # of which nothing can be said
    assert {name for name in folders if absent_in(name) is None} <= set(mixed)
    assert absent_in("somewhere") is None
    assert "femur" in absent_in("MURA_elbow_ap") and "vertebra" not in absent_in("MURA_shoulder")


def test_sealed_films_are_those_of_the_boxes():
    assert sealed_films() == set(read_boxes())


def test_sealed_films_are_left_out(tmp_path):
    sealed = sorted(name for name in sealed_films() if absent_in(name.split("/")[0]) is not None)[0]
    folder, name = sealed.split("/")
    (tmp_path / folder).mkdir()
    (tmp_path / "somewhere").mkdir()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 500), dtype=np.uint8))
    for path in (tmp_path / sealed, tmp_path / folder / f"other-{name}", tmp_path / "somewhere" / "film.png",
                 tmp_path / folder / "notes.gif"):  # fmt: skip
        picture.save(path)
    films = list(clinical_films(tmp_path))
    assert [film.name for film in films] == [f"{folder}/other-{name}"]
    (film,) = films
    assert film.settled == frozenset(absent_in(folder)) and not film.objects and max(film.image.shape) == real.LONGEST


def test_no_film_of_the_clinical_set_is_trained_on(monkeypatch):
    """By name; and that the sealed ones are among the files, so that the test cannot pass for want of them."""
    folder = unlabelled()
    tiny = Image.new("L", (12, 16))
    monkeypatch.setattr(real.Image, "open", lambda path: tiny)
    names = {film.name for film in clinical_films(folder)}
    assert names and not names & sealed_films()
    assert not set(real._rows(real.TRAINING_BOXES)) & sealed_films(), "no film is boxed for both"
    there = {name for name in sealed_films() if (folder / name).is_file()}
    assert len(there) == len(sealed_films()) == 135
    files = {f"{path.parent.name}/{path.name}" for path in folder.glob("*/*") if path.suffix in (".jpg", ".png")}
    usable = {name for name in files if absent_in(name.split("/")[0]) is not None}
    assert usable - sealed_films() <= names <= files - sealed_films()


def test_boxes_set_by_eye_become_rectangles(tmp_path, monkeypatch):
    table = tmp_path / "boxes.csv"
    table.write_text("film,class,x0,y0,x1,y1,part,certain,note\nknee_ap/a.png,femur,100,50,300,450,whole,yes,\n"
                     "knee_ap/a.png,tibia,100,850,300,896,little,yes,\nknee_ap/a.png,clavicle,0,0,9,9,good,no,\n",
                     encoding="utf-8")  # fmt: skip
    monkeypatch.setattr(real, "TRAINING_BOXES", table)
    (tmp_path / "knee_ap").mkdir()
    for name in "ab":
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (896, 600), dtype=np.uint8)).save(
            tmp_path / "knee_ap" / f"{name}.png")  # fmt: skip
    boxed, plain = clinical_films(tmp_path)
    assert boxed.boxed and not plain.boxed and not plain.objects and plain.set_name != boxed.set_name
    assert [(item.label, item.window, item.asked) for item in boxed.objects] == [
        ("femur", (25, 50, 225, 150), True), ("tibia", (425, 50, 448, 150), False)]  # fmt: skip
    assert boxed.settled == (set(BOXED) | set(absent_in("knee_ap"))) - {"right clavicle", "left clavicle"}


def test_bones_that_a_set_does_not_mark_are_boxed_beside_those_that_it_does(tmp_path):
    folder = tmp_path / "knee_femur"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    (folder / "labels.json").write_text('{"femur": 1}', encoding="utf-8")
    (folder / "split.csv").write_text("name,split\na,train\nb,train\nc,val\n", encoding="utf-8")
    label_map = np.zeros((896, 600), np.uint8)
    label_map[100:400, 200:300] = 1
    for name in "abc":
        Image.fromarray(np.where(label_map, 180, 60).astype(np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(label_map).save(folder / "labels" / f"{name}.png")
    table = tmp_path / "boxes.csv"
    table.write_text("film,class,x0,y0,x1,y1,part,certain,note\nknee_femur/a,tibia,100,500,300,890,whole,yes,\n"
                     "knee_femur/a,fibula,60,500,90,890,most,no,hidden\n"
                     "knee_femur/c,fibula,1,2,30,40,whole,yes,\n", encoding="utf-8")  # fmt: skip
    (film,) = further_films(tmp_path, np.random.default_rng(0), table)
    assert film.boxed and film.name == "a" and film.set_name == real.FURTHER, "c is of val, b has no row"
    found = {item.label: (item.window, int(item.crop().sum())) for item in film.objects}
    fibula = found.pop("fibula")
    assert found == {"femur": ((50, 100, 200, 150), 150 * 50), "tibia": ((250, 50, 445, 150), 195 * 100)}
    assert fibula[0] == (250, 30, 445, 45) and [item.label for item in film.objects if not item.asked] == ["fibula"]
    assert {"femur", "tibia", "fibula", "hand"} <= film.settled and "patella" not in film.settled


def case(labels: dict[str, int], label_map: np.ndarray) -> Case:
    pixels = np.where(label_map, 180, 60).astype(np.uint8)
    return Case("made up", "one", "train", pixels, label_map, labels)


def test_a_case_becomes_a_film():
    label_map = np.zeros((900, 600), np.uint8)
    label_map[100:800, 60:160], label_map[100:800, 400:520] = 1, 1
    label_map[300:304, 300:303] = 1  # a crumb
    card = SetCard({"femur": "femur"}, ("heart", "hand"))
    film = film_of_case(case({"femur": 1, "odd": 2}, label_map), card, np.random.default_rng(0))
    assert film.image.shape == (448, 299) and film.settled == {"femur", "heart", "hand"} and film.ignore_mask is None
    assert [item.label for item in film.objects] == ["femur", "femur"], "both legs are objects of their own"
    left, right = sorted(item.window[1] for item in film.objects)
    assert left == pytest.approx(30, abs=1) and right == pytest.approx(199, abs=1)


def test_nobody_marked_what_is_above_the_first_vertebra():
    label_map = np.zeros((400, 160), np.uint8)
    label_map[120:160, 60:100], label_map[170:210, 60:100] = 1, 2
    card = SetCard({"T1": "vertebra", "T2": "vertebra"}, touching=True)
    film = film_of_case(case({"T1": 1, "T2": 2}, label_map), card, np.random.default_rng(0))
    assert [item.label for item in film.objects] == ["vertebra", "vertebra"]
    assert film.ignore_mask[:110].all() and not film.ignore_mask[118:].any()


def test_squeezed_films_are_stretched_anew():
    label_map = np.zeros((400, 400), np.uint8)
    label_map[50:350, 100:200] = 1
    card = SetCard({"femur": "femur"}, stretch=(0.2, 0.4))
    shapes = {film_of_case(case({"femur": 1}, label_map), card, np.random.default_rng(n)).image.shape for n in range(6)}
    assert len(shapes) > 3 and all(0.19 < columns / rows < 0.41 for rows, columns in shapes)


def test_drawn_films_come_first_and_share_as_told(tmp_path):
    films = [Film("simulated_bones", str(number), np.zeros((9, 9), np.uint8), (), frozenset()) for number in range(4)]
    write_films(films[:3], tmp_path / "a.npz")
    write_films(films[3:], tmp_path / "b.npz")
    assert [film.name for film in all_films([tmp_path], None, 0)] == ["0", "1", "2", "3"]
    assert [film.name for film in all_films([tmp_path], None, 0, most=2)] == ["0", "1"]
    names = ["simulated_bones"] * 3 + ["knee_femur", "jsrt_lungs"]
    weights = sampling_weights(names, 0.6)
    assert weights[:3].sum() == pytest.approx(0.6) and weights.sum() == pytest.approx(1.0)
    assert weights[3] == pytest.approx(CARDS["knee_femur"].weight / CARDS["jsrt_lungs"].weight * weights[4])


def test_sets_are_drawn_more_often_where_told():
    names = ["simulated_bones"] * 2 + ["nothing", "aasce_spine_ap", "jsrt_lungs", "jsrt_lungs"]
    plain, often = (sampling_weights(names, 0.5, factor) for factor in (None, {"aasce_spine_ap": 3.0}))
    assert often[3] / often[4] == pytest.approx(3.0 * plain[3] / plain[4])
    assert often[:3] == pytest.approx(plain[:3]) and often.sum() == pytest.approx(1.0)
    assert sampling_weights(names, 0.5, {"nothing": 3.0})[2] == pytest.approx(3.0 * plain[2])
    with pytest.raises(DataError, match="names femora, of which there is no film"):
        sampling_weights(names, 0.5, {"femora": 2.0})
