"""Splits by patient, and the table that says them; images of any depth."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="training needs the extra 'training'")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from Testing.labelled_sets import picture, square, write_folder_set, write_table  # noqa: E402
from training.data import Case, load_set, read_set  # noqa: E402
from training.objects import ObjectsCase  # noqa: E402
from training.splits import read_table, split_by_patient  # noqa: E402


def case(name, patient="", labels=("femur",), seed=0):
    label_map = np.zeros((8, 8), np.uint8)
    for value, _ in enumerate(labels, start=1):
        label_map[value] = value
    pixels = picture(seed, (8, 8))
    return Case("set", name, "train", pixels, label_map, {label: value for value, label in enumerate(labels, start=1)},
                patient=patient)  # fmt: skip


def sides(cases):
    found = defaultdict(set)
    for item in cases:
        found[item.patient].add(item.split)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_patient_is_on_one_side(seed):
    cases = [case(f"{patient} {number}", patient, seed=17 * number + ord(patient)) for patient in "abcdefghij"
             for number in range(3)]  # fmt: skip
    drawn = split_by_patient(cases, 0.3, seed)
    assert all(len(splits) == 1 for splits in sides(drawn).values())
    assert [item.name for item in drawn] == [item.name for item in cases]
    assert sum(item.split == "val" for item in drawn) == 9
    assert all(item.split == "train" for item in cases), "the cases that came in stay as they were"


def test_the_seed_decides_and_nothing_else():
    cases = [case(f"{number:02d}", seed=number) for number in range(30)]

    def held_out(items, seed):
        return {item.name for item in split_by_patient(items, 0.2, seed) if item.split == "val"}

    assert held_out(cases, 1) == held_out(cases[::-1], 1)
    assert len(held_out(cases, 1)) == 6
    assert len({frozenset(held_out(cases, seed)) for seed in range(6)}) > 3


def test_exact_copies_stay_together():
    cases = [case(f"{number}", seed=number // 2) for number in range(20)]
    for seed in range(5):
        drawn = {item.name: item.split for item in split_by_patient(cases, 0.3, seed)}
        assert all(drawn[f"{number}"] == drawn[f"{number + 1}"] for number in range(0, 20, 2))


@pytest.mark.parametrize("seed", range(5))
def test_val_shows_every_class_that_it_can(seed):
    cases = [case(f"f{number}", seed=number) for number in range(16)]
    cases += [case(f"r{number}", labels=("rare",), seed=100 + number) for number in range(2)]
    cases += [case("only", labels=("single",), seed=200)]
    drawn = split_by_patient(cases, 0.2, seed)
    shown = {split: {label for item in drawn if item.split == split for label in item.labels} for split in
             ("train", "val")}  # fmt: skip
    assert shown == {"train": {"femur", "rare", "single"}, "val": {"femur", "rare"}}


def test_splits_that_cannot_be_drawn():
    one = [case("a", "P", seed=1), case("b", "P", seed=2)]
    with pytest.raises(ValueError, match="one patient"):
        split_by_patient(one, 0.5, 0)
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            split_by_patient(one, share, 0)
    # two patients of one class each: one of them has to go, whatever it shows
    two = [case("a", "P", ("femur",), 1), case("b", "Q", ("tibia",), 2), case("c", "Q", ("tibia",), 3)]
    drawn = split_by_patient(two, 0.1, 0)
    assert [item.split for item in drawn] == ["val", "train", "train"]


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
