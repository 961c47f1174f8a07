"""Splits by patient, and the table that says them; images of any depth."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="training needs the extra 'training'")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from Testing.labelled_sets import picture, square, write_folder_set, write_table  # noqa: E402
from training.data import Case, load_set, read_set  # noqa: E402
from training.data.objects import ObjectsCase  # noqa: E402
from training.data.split_table import read_table  # noqa: E402
from training.data.splits import SplitError, main, split  # noqa: E402


def case(name, patient="", labels=("femur",), seed=0, side="train", set_name="set"):
    label_map = np.zeros((8, 8), np.uint8)
    for value, _ in enumerate(labels, start=1):
        label_map[value] = value
    values = {label: value for value, label in enumerate(labels, start=1)}
    return Case(set_name, name, side, picture(seed, (8, 8)), label_map, values, patient=patient)


def sides(divided) -> tuple[set[str], set[str]]:
    return {item.name for item in divided.training}, {item.name for item in divided.validation}


@pytest.mark.parametrize("seed", range(5))
def test_a_patient_is_on_one_side(seed):
    cases = [case(f"{patient} {number}", patient, seed=17 * number + ord(patient)) for patient in "abcdefghij"
             for number in range(3)]  # fmt: skip
    divided = split(cases, 0.3, seed)
    patients = [{item.patient for item in part} for part in (divided.training, divided.validation)]
    assert not patients[0] & patients[1] and len(divided.validation) == 9
    assert all(item.split == "train" for item in cases), "the cases that came in stay as they were"
    assert {item.split for item in divided.validation} == {"val"}


def test_the_seed_decides_and_nothing_else():
    cases = [case(f"{number:02d}", seed=number) for number in range(30)]

    def held_out(items, seed):
        return sides(split(items, 0.2, seed))[1]

    assert held_out(cases, 1) == held_out(cases[::-1], 1)
    assert len(held_out(cases, 1)) == 6
    assert len({frozenset(held_out(cases, seed)) for seed in range(6)}) > 3


def test_a_given_split_is_kept():
    cases = [case("a", seed=1), case("b", seed=2), case("c", seed=3, side="val")]
    divided = split(cases, 0.5, 1)
    assert sides(divided) == ({"a", "b"}, {"c"}) and divided.how == "as split.csv says"


def test_images_of_a_patient_stay_together_across_sets():
    cases = [case(f"{n}", patient=f"P{n // 4}", seed=n, set_name=f"set {n % 2}") for n in range(20)]
    for seed in range(5):
        training, validation = sides(split(cases, 0.2, seed))
        assert len(validation) == 4 and len(training) == 16
        assert len({int(name) // 4 for name in validation}) == 1


@pytest.mark.parametrize("form", ["P{:02d}_left", "P{:02d}_right", "{}-1", "{}-2"])
def test_without_patients_the_names_tell_who_is_who(form):
    names = [name for number in range(10) for name in (form.format(number), f"{form.format(number)}b")]
    divided = split([case(name, seed=number) for number, name in enumerate(names)], 0.2, 3)
    assert "file names" in divided.how and len(divided.validation) == 4
    training, validation = ({name.rstrip("b") for name in names} for names in sides(divided))
    assert not training & validation


def test_names_that_are_all_alike_tell_nothing():
    divided = split([case(f"IM-0001-{number:04d}", seed=number) for number in range(10)], 0.3, 1)
    assert "by image" in divided.how and len(divided.validation) == 3


def test_exact_copies_stay_together():
    pairs = [case(f"{number}", seed=number, set_name=name) for name in ("one", "two") for number in range(10)]
    for seed in range(5):
        training, validation = sides(split(pairs, 0.3, seed))
        assert validation and not training & validation


def test_copies_and_patients_of_a_given_split_go_with_it():
    given = [case("x", "P", seed=1), case("y", seed=2), case("z", "Q", side="val", seed=3)]
    free = [("x2", "", 1), ("z2", "", 3), ("w", "", 4), ("p", "P", 5), ("q", "Q", 6)]
    for seed in range(5):
        more = [case(name, patient, seed=own, set_name="more") for name, patient, own in free]
        training, validation = sides(split(given + more, 0.3, seed))
        assert {"z2", "q"} <= validation and {"x2", "p"} <= training


@pytest.mark.parametrize("seed", range(5))
def test_val_shows_every_class_that_it_can(seed):
    cases = [case(f"f{number}x", seed=number) for number in range(16)]
    cases += [case(f"r{number}x", labels=("rare",), seed=100 + number) for number in range(2)]
    cases += [case("only", labels=("single",), seed=200)]
    divided = split(cases, 0.2, seed)
    shown = [{label for item in part for label in item.labels} for part in (divided.training, divided.validation)]
    assert shown == [{"femur", "rare", "single"}, {"femur", "rare"}]


def test_splits_that_cannot_be_drawn():
    for share in (0.0, 1.0):
        with pytest.raises(SplitError, match="between 0 and 1"):
            split([case("a", seed=1), case("b", seed=2)], share, 0)
    with pytest.raises(SplitError, match="two images or more"):
        split([case("a")], 0.2, 1)
    with pytest.raises(SplitError, match="patient P1 is in train and in val"):
        split([case("a", "P1"), case("b", "P1", side="val")], 0.2, 1)
    needed = [case("a", seed=1), case("b", labels=("tibia",), seed=2)]
    assert not split(needed, 0.2, 1).validation, "each class is needed in training"
    one = [case("a", "P", seed=1), case("b", "P", seed=2)]
    assert not split(one, 0.5, 0).validation, "one patient cannot be divided"


def test_the_command_writes_the_table_and_keeps_what_it_says(tmp_path, capsys):
    folder = write_folder_set(tmp_path / "knees", dict.fromkeys("abcdefgh", "train"))
    lines = [f"{name},,P{number // 2},{'inverted' if name == 'c' else ''}" for number, name in enumerate("abcdefgh")]
    write_table(folder, [*lines, "i,test,P9,"], "name,split,patient,polarity")
    assert main([str(folder), "--share", "0.25"]) == 0
    assert "6 for training, 2 for validation: by the patients of split.csv" in capsys.readouterr().out
    rows, problems = read_table(folder)
    assert rows["i"].split == "test" and rows["c"].polarity == "inverted" and rows["a"].patient == "P0"
    held_out = {rows[name].patient for name in "abcdefgh" if rows[name].split == "val"}
    assert len(held_out) == 1 and [item.split for item in load_set(folder)].count("val") == 2
    before = (folder / "split.csv").read_text()
    assert main([str(folder)]) == 2 and "nothing is drawn" in capsys.readouterr().err
    assert (folder / "split.csv").read_text() == before
    (folder / "split.csv").unlink()
    assert main([str(folder), "--share", "0.25", "--seed", "3"]) == 0
    assert [item.split for item in load_set(folder)].count("val") == 2
    assert main([str(tmp_path / "nowhere")]) == 2 and "no folder" in capsys.readouterr().err


def test_a_moved_case_keeps_its_objects():
    masks = [square(2, 2, 20), square(10, 10, 20)]
    before = ObjectsCase.of("set", "a", "train", picture(1), [("tooth", mask) for mask in masks])
    after = before.moved("val")
    assert (before.split, after.split) == ("train", "val") and len(before.objects()) == 2
    assert [mask.tolist() for _, mask in after.objects()] == [mask.tolist() for mask in masks]


def test_tables_of_all_sorts(tmp_path):
    assert read_table(tmp_path) == (None, [])
    lines = ["a\tval\tP 1", "b\ttrain\t", "b\tval\t", "c\ttrain\t\tdark"]
    write_table(tmp_path, lines, "\ufeffname\tsplit\tpatient\tpolarity")
    rows, problems = read_table(tmp_path)
    assert (rows["a"].split, rows["a"].patient, rows["b"].split) == ("val", "P 1", "train")
    assert {item.name: item.text.split(",")[0] for item in problems} == {
        "b": "stands twice in split.csv", "c": "split.csv says polarity 'dark'"}  # fmt: skip
    write_table(tmp_path, ["a,val"], "image,split")
    assert "no column called name" in str(read_table(tmp_path)[1][0])
    (tmp_path / "split.csv").write_bytes(b"name,split\n\xff,val\n")
    assert "cannot be read" in str(read_table(tmp_path)[1][0])


def test_a_set_without_a_table_is_for_training(tmp_path):
    folder = write_folder_set(tmp_path / "set", {"a": "val", "b": "val"})
    (folder / "split.csv").unlink()
    (folder / "labels" / "b.png").unlink()
    cases, (problem,) = read_set(folder)
    assert [(item.name, item.split) for item in cases] == [("a", "train")]
    assert problem.name == "b" and problem.severity == "warning"  # it may be labelled one day


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_deep_images_and_polarity(kind, tmp_path):
    folder = write_folder_set(tmp_path / "set", {"a": "train", "b": "train"})
    (folder / "images" / "a.png").unlink()
    deep = picture(1).astype(np.uint16) * 200 + 3
    Image.fromarray(deep).save(folder / "images" / f"a.{kind}")
    write_table(folder, ["a,train,p,inverted", "b,train,q,inverted"], "name,split,patient,polarity")
    first, second = load_set(folder)
    assert first.pixels.dtype == np.uint16 and (first.pixels == deep).all() and first.inverted and first.patient == "p"
    assert (first.radiograph().pixels == 65535 - deep).all()
    assert (second.radiograph().pixels == 255 - picture(1)).all()


def test_polarity_of_values_with_a_sign():
    pixels = np.array([[-5, 0], [3, 10]], np.int16)
    turned = Case("set", "a", "train", pixels, np.zeros((2, 2), np.uint8), {}, True).radiograph().pixels
    assert turned.tolist() == [[10, 5], [2, -5]]
