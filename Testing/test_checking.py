"""One report of all that is wrong with labelled images, before training starts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="training needs the extra 'training'")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from Testing.labelled_sets import SHAPE, picture, square, write_folder_set, write_table  # noqa: E402
from training.data import load_set, load_sets  # noqa: E402
from training.data.checking import DataError, check, find_sets, main  # noqa: E402


def problems(report, severity="error"):
    return {item.name: item.text for item in report.problems if item.severity == severity}


def test_a_good_set_has_counts_and_nothing_else(tmp_path, capsys):
    folder = write_folder_set(tmp_path / "knees", {"a": "train", "b": "train", "c": "val"})
    report = check([folder], look_at_polarity=False)
    assert report.problems == () and len(report.cases) == 3
    assert report.images == {("knees", "train"): 2, ("knees", "val"): 1}
    assert report.objects == {("knees", "femur", "train"): 2, ("knees", "femur", "val"): 1}
    assert [case.name for case in report.of("train")] == ["a", "b"] and report.of("val", ["others"]) == []
    report.stop_if_bad(False)
    assert main([str(tmp_path), "--no-polarity"]) == 0
    assert "knees: 3 images, 2 for training, 1 for validation" in capsys.readouterr().out


def test_every_kind_of_bad_case_is_named_and_the_others_used(tmp_path, capsys):
    names = ["good", "other", "no mask", "no image", "nothing", "sizes", "value", "image", "label", "colour"]
    folder = write_folder_set(tmp_path / "knees", {**dict.fromkeys(names, "train"), "kept": "val"})
    images, labels = folder / "images", folder / "labels"
    (labels / "no mask.png").unlink()
    (images / "no image.png").unlink()
    for part in (images, labels):
        (part / "nothing.png").unlink()
    Image.fromarray(np.ones((9, 9), np.uint8)).save(labels / "sizes.png")
    Image.fromarray(square().astype(np.uint8) * 255).save(labels / "value.png")
    (images / "image.png").write_bytes((images / "image.png").read_bytes()[:300])
    (labels / "label.png").write_bytes(b"not a picture")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), dtype=np.uint8)).save(labels / "colour.png")
    report = check([folder], look_at_polarity=False)
    expected = {
        "no mask": "without label map", "no image": "no image", "nothing": "no image", "sizes": "sizes differ",
        "value": "value 255", "image": "image.png", "label": "label.png", "colour": "colours",
    }  # fmt: skip
    said = problems(report)
    assert set(said) == set(expected)
    for name, part in expected.items():
        assert part in said[name] and said[name].endswith(".") and "\n" not in said[name], said[name]
    assert [case.name for case in report.cases] == ["good", "other", "kept"]
    with pytest.raises(DataError, match="8 errors.*--skip-bad"):
        report.stop_if_bad(False)
    report.stop_if_bad(True)
    assert main([str(folder), "--no-polarity"]) == 1
    assert capsys.readouterr().out.count("\n    ") == 8
    assert [case.name for case in load_set(folder, "train")] == ["good", "other"]
    assert capsys.readouterr().err.count("\n") == 1 + 8


def test_what_is_only_to_be_looked_at(tmp_path):
    folder = write_folder_set(tmp_path / "knees", {"a": "train", "empty": "train", "tiny": "train", "flat": "train"},
                              {"femur": 1, "tibia": 2})  # fmt: skip
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(folder / "labels" / "empty.png")
    speck = square().astype(np.uint8)
    speck[50, 40] = 2
    Image.fromarray(speck).save(folder / "labels" / "tiny.png")
    Image.fromarray(np.full(SHAPE, 7, np.uint8)).save(folder / "images" / "flat.png")
    Image.fromarray(picture(99)).save(folder / "images" / "unlisted.png")
    report = check([folder], look_at_polarity=False)
    said = problems(report, "warning")
    assert report.errors == [] and set(said) == {"empty", "tiny", "flat", "unlisted"}
    assert "without femur, tibia" in said["empty"] and "1 px at column 40, row 50" in said["tiny"]
    assert len(report.cases) == 4
    report.stop_if_bad(False)


def test_an_image_for_training_that_is_also_in_val(tmp_path):
    """In any set; what is in val stays there, and its twin is not trained on."""
    first = write_folder_set(tmp_path / "first", {"a": "train", "b": "train", "c": "train", "v": "val"})
    second = write_folder_set(tmp_path / "second", {"x": "train", "w": "val"})
    for path, seed in ((first / "images" / "a.png", 50), (second / "images" / "w.png", 50),
                       (second / "images" / "x.png", 60), (first / "images" / "c.png", 1)):  # fmt: skip
        Image.fromarray(picture(seed)).save(path)
    report = check([first, second], look_at_polarity=False)
    assert problems(report) == {"a": "the same image is in val, as second/w; keep one."}
    assert problems(report, "warning") == {"b": "the same image as c."}
    assert [case.name for case in report.cases] == ["b", "c", "v", "x", "w"]
    with pytest.raises(DataError, match="1 error,"):
        report.stop_if_bad(False)


def test_a_copy_that_was_saved_anew_is_suspected(tmp_path):
    folder = write_folder_set(tmp_path / "knees", {"a": "train", "b": "train", "v": "val"})
    rows, columns = np.mgrid[:60, :48]
    smooth = (rows * 3 + 20 * np.sin(columns / 5.0)).clip(0, 255)
    Image.fromarray(smooth.astype(np.uint8)).save(folder / "images" / "a.png")
    Image.fromarray((smooth * 0.9 + picture(3) / 40).astype(np.uint8)).save(folder / "images" / "v.png")
    report = check([folder], look_at_polarity=False)
    assert problems(report, "warning") == {"a": "looks like knees/v in val; is it the same radiograph?"}
    assert report.errors == []


def test_a_patient_in_both_parts(tmp_path):
    folder = write_folder_set(tmp_path / "knees", dict.fromkeys("abcd", "train"))
    write_table(folder, ["a,train,P1", "b,train,P2", "c,val,P1", "d,val,"], "name,split,patient")
    report = check([folder], look_at_polarity=False)
    assert problems(report) == {"a": "other images of its patient, P1, are in val; move some."}
    assert [case.name for case in report.cases] == ["b", "c", "d"]


def test_a_class_that_only_one_part_shows(tmp_path):
    folder = write_folder_set(tmp_path / "knees", {"a": "train", "v": "val"}, {"femur": 1, "tibia": 2})
    Image.fromarray(square().astype(np.uint8) * 2).save(folder / "labels" / "v.png")
    said = problems(check([folder], look_at_polarity=False), "warning")
    assert set(said) == {"femur", "tibia"} and "nothing can be learnt" in said["tibia"]


def test_inverted_images_are_suspected(tmp_path):
    from training.simulate.sets import write_set

    folder = tmp_path / "simulated"
    write_set(folder, ["knee"], 3, 128, 0)
    name = sorted(path.name for path in (folder / "images").iterdir())[0]
    path = folder / "images" / name
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    said = problems(check([folder]), "warning")
    assert {key for key, text in said.items() if "bone looks dark" in text} == {path.stem}
    table = (folder / "split.csv").read_text().splitlines()
    write_table(folder, [f"{line},{'inverted' if line.startswith(path.stem + ',') else ''}" for line in table[1:]],
                "name,split,polarity")  # fmt: skip
    report = check([folder])
    assert not any("bone looks dark" in problem.text for problem in report.problems)
    assert [case.name for case in report.cases if case.inverted] == [path.stem]


def test_a_broken_labels_file_and_folders_without_sets(tmp_path, capsys):
    folder = write_folder_set(tmp_path / "knees", {"a": "train"})
    for content in ("{", '["femur"]', '{"femur": 0}', '{"femur": "1"}', '{"femur": 1, "tibia": 1}'):
        (folder / "labels.json").write_text(content)
        report = check([folder], look_at_polarity=False)
        assert {problem.name for problem in report.errors} == {"labels.json", "set"}
        with pytest.raises(DataError, match="no image to train on"):
            report.stop_if_bad(True)
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 2
    assert "holds no labelled images" in capsys.readouterr().out
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no folder" in str(check([tmp_path / "nowhere"]).errors[0])
    with pytest.raises(FileNotFoundError, match="no set nowhere"):
        load_sets(tmp_path, "train", ("nowhere",))


def test_sets_below_a_folder_and_two_of_one_name(tmp_path):
    for place in ("one", "two"):
        write_folder_set(tmp_path / place / "knees", {"a": "train"})
    assert find_sets([tmp_path / "one", tmp_path / "one" / "knees"]) == [tmp_path / "one" / "knees"]
    report = check([tmp_path / "one", tmp_path / "two"], look_at_polarity=False)
    assert "two sets are called knees" in problems(report)["set"]


def test_the_fingerprint_of_the_data_changes_with_them(tmp_path):
    folder = write_folder_set(tmp_path / "knees", {"a": "train", "b": "val"})
    before = check([folder], look_at_polarity=False).fingerprint
    assert check([folder], look_at_polarity=False).fingerprint == before
    Image.fromarray(square(11).astype(np.uint8)).save(folder / "labels" / "a.png")
    changed = check([folder], look_at_polarity=False).fingerprint
    write_table(folder, ["a,val", "b,train"])
    assert len({before, changed, check([folder], look_at_polarity=False).fingerprint}) == 3


def test_long_lists_are_cut_unless_all_are_wanted(tmp_path, capsys):
    folder = write_folder_set(tmp_path / "knees", {f"image {number}": "train" for number in range(20)})
    for number in range(15):
        (folder / "labels" / f"image {number}.png").unlink()
    assert main([str(folder), "--no-polarity"]) == 1
    short = capsys.readouterr().out
    assert "and 3 more" in short and short.count("without label map") == 12
    assert main([str(folder), "--no-polarity", "--all"]) == 1
    assert capsys.readouterr().out.count("without label map") == 15
    assert json.loads((folder / "labels.json").read_text()) == {"femur": 1}
