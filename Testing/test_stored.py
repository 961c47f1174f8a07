"""Images that stay in their files: what is held of them, what a second check opens, what is prepared once."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

pytest.importorskip("scipy", reason="training needs the extra 'training'")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from Testing.labelled_sets import picture, square, write_folder_set, write_table  # noqa: E402
from training import evaluate, prepared  # noqa: E402
from training.box_data import BoxAugmentation, BoxDataset  # noqa: E402
from training.compare import __main__ as compare  # noqa: E402
from training.data import CLASSES, folders, load_set, stored  # noqa: E402
from training.data.checking import KEPT, DataError, check  # noqa: E402
from training.data.stored import ChangedError, Recent  # noqa: E402
from training.detection_data import AugmentationSettings, DetectionDataset  # noqa: E402
from training.prepared import Prepared, SpaceError  # noqa: E402
from training.surface_data import SurfaceAugmentation, SurfaceDataset  # noqa: E402


@pytest.fixture
def recent(monkeypatch):
    """Room for two of the images (with their labels) that the sets here are made of."""
    held = Recent(2 * 2 * 60 * 48)
    monkeypatch.setattr(stored, "RECENT", held)
    return held


@pytest.fixture
def opened(monkeypatch):
    """The names of the images that are read."""
    names, read = [], folders.read_pixels

    def noted(path, *rest):
        names.append(path.stem)
        return read(path, *rest)

    monkeypatch.setattr(folders, "read_pixels", noted)
    return names


@pytest.fixture
def knees(tmp_path):
    return write_folder_set(tmp_path / "knees", {**dict.fromkeys("abcdef", "train"), "v": "val"})


def test_a_case_holds_no_pixels_and_few_are_kept(knees, recent, opened):
    cases = load_set(knees)
    assert opened == list("abcdefv")
    assert not {"pixels", "label_map"} & {name for case in cases for name in vars(case)}
    del opened[:]
    assert (cases[6].pixels == picture(6)).all() and (cases[6].label_map == square()).all() and not opened
    for case in cases:
        assert (case.pixels == picture("abcdefv".index(case.name))).all() and case.objects()[0][0] == "femur"
    assert opened == list("abcdefv"), "each is read once, however often it is looked at"
    assert len(recent._held) == 2 and recent._bytes == recent.limit
    with pytest.raises(ValueError, match="read-only"):
        cases[0].pixels[0, 0] = 1  # somebody else looks at the same ones
    with pytest.raises(AttributeError, match="no attribute 'pixel'"):
        cases[0].pixel  # noqa: B018


def test_copies_of_a_case(knees, recent):
    case = load_set(knees)[0]
    moved = case.moved("val")
    assert moved.split == "val" and case.split == "train" and (moved.pixels == picture(0)).all()
    other = pickle.loads(pickle.dumps(case))
    assert "pixels" not in vars(other) and (other.pixels == picture(0)).all()
    none = replace(case, labels={})
    assert none.objects() == [] and "pixels" in vars(none) and len(case.objects()) == 1


def test_files_that_change_under_a_training(knees, recent):
    cases = load_set(knees)
    Image.fromarray(picture(77)).save(knees / "images" / "a.png")
    (knees / "labels" / "b.png").unlink()
    for case in cases[:2]:
        with pytest.raises(ChangedError, match=f"{case.name}.png .* has changed since the data were read") as raised:
            case.pixels  # noqa: B018
        assert "\n" not in str(raised.value)
    assert (cases[2].pixels == picture(2)).all()


def summary(report):
    return report.problems, report.images, report.objects, report.fingerprint, [vars(c).keys() for c in report.cases]


def test_a_second_check_opens_only_what_has_changed(knees, tmp_path, recent, opened):
    Image.fromarray(np.zeros((60, 48), np.uint8)).save(knees / "labels" / "b.png")
    first = check([knees], False, tmp_path)
    assert opened == list("abcdefv") and [item.name for item in first.warnings] == ["b"]
    first.keep(tmp_path)
    del opened[:]
    assert summary(check([knees], False, tmp_path)) == summary(first) and not opened
    path = knees / "images" / "c.png"
    path.write_bytes(path.read_bytes())
    os.utime(path, (1, 1))
    assert check([knees], False, tmp_path).fingerprint == first.fingerprint and opened == ["c"]
    Image.fromarray(picture(6)).save(path)  # that of v
    changed = check([knees], False, tmp_path)
    assert [item.name for item in changed.errors] == ["c"] and changed.fingerprint != first.fingerprint
    # what decides how files are read counts as well
    del opened[:]
    lines = ["a,train,inverted", *(f"{name},train," for name in "bcdef"), "v,val,"]
    write_table(knees, lines, "name,split,polarity")
    assert [case.inverted for case in check([knees], False, tmp_path).cases][0] and sorted(set(opened)) == ["a", "c"]
    del opened[:]
    (knees / "labels.json").write_text(json.dumps({"femur": 1, "tibia": 2}))
    check([knees], False, tmp_path)
    assert sorted(set(opened)) == list("abcdefv")


def test_what_is_kept_may_be_damaged_or_of_another_kind(knees, tmp_path, opened):
    first = check([knees], False)
    first.keep(tmp_path)
    content = (tmp_path / KEPT).read_bytes()
    for damaged in (b"", content[:200], content[:-300], b"no archive"):
        (tmp_path / KEPT).write_bytes(damaged)
        assert summary(check([knees], False, tmp_path)) == summary(first)
    (tmp_path / KEPT).write_bytes(content)
    del opened[:]
    assert check([knees], True, tmp_path).errors == [] and opened, "nobody had looked at the polarity"


def data_sets(cases, **options):
    yield DetectionDataset(cases, CLASSES, 64, AugmentationSettings(), 3, **options)
    yield BoxDataset(cases, CLASSES, 8, BoxAugmentation(), 3, **options)
    yield SurfaceDataset(cases, CLASSES, 8, SurfaceAugmentation(), seed=3, **options)


def same(first, second):
    if isinstance(first, (tuple, list)):
        return len(first) == len(second) and all(map(same, first, second))
    return np.array_equal(np.asarray(first), np.asarray(second))


def test_samples_from_files_are_those_from_memory(knees, tmp_path, monkeypatch):
    cases = load_set(knees)
    held = [[data[index] for index in range(2 * len(data))] for data in data_sets(cases)]
    assert not (tmp_path / "samples").exists(), "a small lab has no such files"
    monkeypatch.setattr(prepared, "MEMORY", 30000)
    for _ in range(2):  # as they are prepared, and as they are found
        for data, expected in zip(data_sets(cases, folder=tmp_path / "samples"), held):
            assert same([data[index] for index in range(2 * len(data))], expected)
    files = list((tmp_path / "samples").iterdir())
    assert len(files) == 3 * len(cases) and all(path.suffix == ".safetensors" for path in files)
    for data, expected in zip(data_sets(cases), held):  # in a folder that goes with them
        assert same([data[index] for index in range(2 * len(data))], expected)


def prepare(case):
    return [{"gray": case.pixels[:1].astype(np.float32)}, {"gray": case.pixels[1:2].astype(np.float32)}]


class Rows(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return torch.from_numpy(self.items.part(index, 1)["gray"])


def test_images_are_prepared_by_who_draws_them_and_once(knees, tmp_path, opened):
    cases, folder = load_set(knees), tmp_path / "samples"
    del opened[:]
    items = Prepared(cases, prepare, (), folder, limit=500)
    assert len(list(folder.iterdir())) == 2, "until the memory was full"
    rows = torch.cat(list(DataLoader(Rows(items), num_workers=1)))
    assert np.array_equal(rows[:, 0], [case.pixels[1] for case in cases])
    assert len(list(folder.iterdir())) == len(cases)
    again = Prepared(cases, lambda case: pytest.fail(f"{case.name} is prepared again"), (), folder)
    assert all(same(again.parts(index)[0]["gray"], case.pixels[:1]) for index, case in enumerate(cases))
    # another setting, other labels: other files
    assert len({items._path(cases[0]), Prepared([], prepare, ("x",), folder)._path(cases[0]),
                items._path(replace(cases[0], labels={}))}) == 3  # fmt: skip
    path = items._path(cases[3])
    path.write_bytes(path.read_bytes()[:100])
    assert same(items.part(3, 0)["gray"], cases[3].pixels[:1]) and path.stat().st_size > 100


def test_no_room_for_prepared_images(knees, tmp_path):
    (tmp_path / "samples").write_text("a file where the folder should be")
    with pytest.raises(SpaceError, match="make room there") as raised:
        Prepared(load_set(knees), prepare, (), tmp_path / "samples", limit=10)
    assert "\n" not in str(raised.value)


def test_prepared_images_without_a_folder_go_with_them(knees, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared.tempfile, "tempdir", str(tmp_path))
    items = Prepared(load_set(knees), prepare, limit=10)
    assert items.folder.parent == tmp_path and items.folder.is_dir()
    del items
    assert not list(tmp_path.glob("samples-*"))


def test_what_only_measures_refuses_bad_data_as_well(knees, tmp_path, capsys):
    Image.fromarray(np.ones((9, 9), np.uint8)).save(knees / "labels" / "b.png")
    data = ["--data", str(knees.parent), "--sets", "knees"]
    for main, more in (
        (evaluate.main, []),
        (compare.main, ["--output", str(tmp_path / "report"), "--parts", "robustness", "--no-training"]),
    ):
        assert main([*data, *more]) == 2
        said = capsys.readouterr()
        assert "b: sizes differ" in said.err and "1 error, see the list" in said.err and not said.out
    write_table(knees, ["a,train", "v,train"])
    assert evaluate.main([*data, "--skip-bad"]) == 2
    assert "no image for validation" in capsys.readouterr().err
    assert evaluate.main(["--data", str(tmp_path), "--sets", "nowhere"]) == 2
    assert "no folder" in capsys.readouterr().err


def test_evaluation_without_what_is_bad(knees, tmp_path, capsys):
    Image.fromarray(np.ones((9, 9), np.uint8)).save(knees / "labels" / "b.png")
    arguments = ["--data", str(knees.parent), "--sets", "knees", "--skip-bad", "--output", str(tmp_path / "report")]
    assert evaluate.main(arguments) == 0
    assert "on val, 1 images" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "report").iterdir()} == {KEPT, "objects.csv", "summary.json"}
    with pytest.raises(DataError, match="to train on"):
        check([], False).stop_if_bad(True)
