"""COCO files as a set: outlines, run-length masks, splits, and where the images lie."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="training needs the extra 'training'")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from Testing.labelled_sets import SHAPE, picture, square, write_table  # noqa: E402
from training.data import load_set, read_set  # noqa: E402
from training.data.coco import decompress, mask_of  # noqa: E402

ROWS, COLUMNS = SHAPE


def outline(row=10, column=8, size=20):
    """The corners of `square`."""
    right, bottom = column + size, row + size
    return [column, row, right, row, right, bottom, column, bottom]


def runs(mask):
    """The uncompressed code of a mask, by its definition: one pixel after the other, down the columns."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def compress(counts):
    """COCO's string of counts, written after the description of its format."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


def write_coco(path, images, annotations, categories=(("femur", 1), ("Tibia", 7)), folder=None):
    """images: name -> seed; annotations: (name, category, segmentation[, more])."""
    numbers = {name: 100 + index for index, name in enumerate(images)}
    content = {
        "images": [{"id": numbers[name], "file_name": name, "width": COLUMNS, "height": ROWS} for name in images],
        "annotations": [
            {"id": index, "image_id": numbers[name], "category_id": category, "segmentation": shape, **dict(*more)}
            for index, (name, category, shape, *more) in enumerate(annotations)
        ],
        "categories": [{"name": name, "id": number} for name, number in categories],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    for name, seed in images.items():
        place = (folder or path.parent) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed)).save(place)


def objects(case):
    return [(label, mask.tolist()) for label, mask in case.objects()]


def test_several_objects_of_a_class_that_overlap(tmp_path):
    second, third = square(20, 18), square(40, 5, 6)
    code = {"size": [ROWS, COLUMNS], "counts": runs(second)}
    write_coco(tmp_path / "set.json", {"a.png": 1, "b.png": 2}, [
        ("a.png", 7, [outline()]),
        ("a.png", 7, code),
        ("a.png", 1, {**code, "counts": compress(runs(third))}),
        ("b.png", 7, [outline()]),
    ])  # fmt: skip
    case, other = load_set(tmp_path)
    expected = [("tibia", square()), ("tibia", second), ("femur", third)]
    assert objects(case) == [(label, mask.tolist()) for label, mask in expected]
    assert (case.pixels == picture(1)).all() and case.split == "train" and case.name == "a"
    assert (case.label_map > 0).tolist() == (square() | second | third).tolist()
    # both classes are looked for in every image: b has no femur
    assert other.labels.keys() == {"femur", "tibia"} and [label for label, _ in other.objects()] == ["tibia"]


def test_a_category_without_objects_is_not_looked_for(tmp_path):
    write_coco(tmp_path / "set.json", {"a.png": 1}, [("a.png", 1, [outline()])], (("femur", 1), ("Knees", 0)))
    assert load_set(tmp_path)[0].labels.keys() == {"femur"}


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_of_any_mask(seed):
    generator = np.random.default_rng(seed)
    mask = generator.random(SHAPE) < (0.5, 0.02, 0.98, 0.5)[seed]
    mask[: seed * 20] = seed == 3  # long runs, and a first run of length 0
    counts = runs(mask)
    assert decompress(compress(counts)) == counts
    for code in (counts, compress(counts)):
        assert (mask_of({"size": list(SHAPE), "counts": code}, SHAPE) == mask).all()


def test_a_compressed_code_as_the_format_defines_it():
    """By hand: 6, 1 and 40 (its low 5 bits with the mark that more follow, then the rest), then -1 as a difference."""
    assert decompress("61X15") == [6, 1, 40, 1 + 5]
    assert decompress("61X1O") == [6, 1, 40, 1 - 1]


def test_polygons_cover_whole_pixels_and_add_up(tmp_path):
    assert (mask_of([outline()], SHAPE) == square()).all()
    assert (mask_of([outline(), outline(40, 30, 5)], SHAPE) == (square() | square(40, 30, 5))).all()
    beyond = mask_of([outline(50, 40, 30)], SHAPE)
    assert (beyond == square(50, 40, 30)).all()
    triangle = mask_of([[0, 0, 40, 0, 0, 40]], SHAPE)
    assert abs(int(triangle.sum()) - 800) <= 40 and triangle[5, 5] and not triangle[30, 30]


@pytest.mark.parametrize("layout", ["beside", "annotations", "folders", "roboflow"])
def test_splits_and_places_of_images(layout, tmp_path):
    files = {
        "beside": ("train.json", "val.json", ".", "."),
        "annotations": ("annotations/instances_train2017.json", "annotations/instances_val2017.json", "train2017",
                        "val2017"),
        "folders": ("annotations/train.json", "annotations/validation.json", "images/train", "images/val"),
        "roboflow": ("train/_annotations.coco.json", "valid/_annotations.coco.json", "train", "valid"),
    }[layout]  # fmt: skip
    for number, (file, place) in enumerate(zip(files[:2], files[2:])):
        name = f"{number}.png"
        write_coco(tmp_path / file, {name: number}, [(name, 1, [outline()])], folder=tmp_path / place)
    found = load_set(tmp_path)
    assert [(case.name, case.split) for case in found] == [("0", "train"), ("1", "val")]
    assert all((case.pixels == picture(int(case.name))).all() for case in found)
    assert [case.name for case in load_set(tmp_path, "val")] == ["1"]


def test_a_split_table_and_patients(tmp_path):
    images = {f"{name}.png": number for number, name in enumerate("abcd")}
    write_coco(tmp_path / "all.json", images, [(name, 1, [outline()]) for name in images])
    write_table(tmp_path, ["a.png;val;P1;", "b;train;P2;inverted", "c;test;;", "x;train;;"],
                "name;split;patient;polarity")  # fmt: skip
    found, problems = read_set(tmp_path)
    assert [(case.name, case.split, case.patient, case.inverted) for case in found] == [
        ("a", "val", "P1", False), ("b", "train", "P2", True), ("d", "train", "", False),
    ]  # fmt: skip
    assert {(item.name, item.severity) for item in problems} == {("c", "warning"), ("x", "warning")}


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    write_coco(tmp_path / "set.json", {"deep.png": 1}, [("deep.png", 1, [outline()])])
    deep = picture(1).astype(np.uint16) * 16 + 7
    Image.fromarray(deep).save(tmp_path / "deep.png")
    (case,) = load_set(tmp_path)
    assert case.pixels.dtype == np.uint16 and (case.pixels == deep).all()
    assert case.radiograph().gray().max() == 255.0


def test_bad_images_are_named_and_the_others_used(tmp_path):
    names = ["good", "missing", "sizes", "category", "box", "points", "letters", "code", "short", "nothing", "crowd"]
    images = {f"{name}.png": number for number, name in enumerate(names)}
    shape = {"size": [ROWS, COLUMNS]}
    write_coco(tmp_path / "set.json", images, [
        ("good.png", 1, [outline()]),
        ("missing.png", 1, [outline()]),
        ("category.png", 3, [outline()]),
        ("box.png", 1, []),
        ("points.png", 1, [[1, 2, 3, 4]]),
        ("letters.png", 1, [["a"] * 6]),
        ("code.png", 1, {**shape, "counts": "61X"}),
        ("short.png", 1, {**shape, "counts": [5, 5]}),
        ("nothing.png", 1, [outline(200, 200)]),
        ("nothing.png", 1, [outline()]),
        ("crowd.png", 1, {**shape, "counts": runs(square())}, {"iscrowd": 1}),
        ("crowd.png", 7, [outline()]),
    ])  # fmt: skip
    (tmp_path / "missing.png").unlink()
    Image.fromarray(picture(1)[:-1]).save(tmp_path / "sizes.png")
    found, problems = read_set(tmp_path)
    said = {item.name: item.text for item in problems if item.severity == "error"}
    expected = {
        "missing": "no image missing.png", "sizes": "sizes differ", "category": "category 3", "box": "no outline",
        "points": "three points", "letters": "no numbers", "code": "damaged", "short": "longer or shorter",
    }  # fmt: skip
    assert set(said) == set(expected)
    for name, part in expected.items():
        assert part in said[name] and said[name].endswith("."), said[name]
    assert [case.name for case in found] == ["good", "nothing", "crowd"]
    assert {item.name for item in problems if item.severity == "warning"} == {"nothing", "crowd"}
    assert [label for label, _ in found[1].objects()] == ["femur"]
    assert found[2].labels.keys() == {"tibia"}, "of a crowd nobody knows where each object is"


def test_images_outside_the_folder_are_refused(tmp_path):
    write_coco(tmp_path / "set" / "set.json", {"../other.png": 1}, [("../other.png", 1, [outline()])])
    found, (problem,) = read_set(tmp_path / "set")
    assert found == [] and "outside the folder" in problem.text


def test_files_that_are_not_coco(tmp_path):
    write_coco(tmp_path / "good.json", {"a.png": 1}, [("a.png", 1, [outline()])])
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "lost.json").write_text(json.dumps(
        {"images": [], "categories": [], "annotations": [{"image_id": 5, "category_id": 1}]}))  # fmt: skip
    (tmp_path / "keys.json").write_text(json.dumps({"images": [{"id": 1}], "categories": [], "annotations": []}))
    (tmp_path / "name.json").write_text(
        json.dumps({"images": [], "categories": [{"id": 1, "name": "Segment_1"}], "annotations": []}))  # fmt: skip
    found, problems = read_set(tmp_path)
    said = {item.name: item.text for item in problems}
    assert [case.name for case in found] == ["a"]
    assert "no COCO file" in said["list.json"] and "cannot be read as JSON" in said["broken.json"]
    assert "does not list" in said["lost.json"] and "file_name" in said["keys.json"]
    assert "Segment_1" in said["name.json"]
