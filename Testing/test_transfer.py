"""Drawn films alone: nothing real is seen, finished parts are kept, and figures say what is false."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("lightning", reason="training needs the extra 'training'")
pytest.importorskip("monai", reason="training needs the extra 'training'")

from PIL import Image  # noqa: E402

from GrayscaleDetSegLib.core.regions import RegionProposal  # noqa: E402
from training import detector, step_times, surfaces  # noqa: E402
from training.clinical.judge import Box  # noqa: E402
from training.films import collection  # noqa: E402
from training.films.film import Film, FilmObject, read_films, write_films  # noqa: E402
from training.films.formula import formula_film, formula_films  # noqa: E402
from training.films.knowledge import CLASSES  # noqa: E402
from training.simulate.sets import write_set  # noqa: E402
from training.transfer import __main__ as transfer  # noqa: E402
from training.transfer import figures, models  # noqa: E402

CONFIGS = models.CONFIGS


def drawn(name: str, label: str, place: int) -> Film:
    mask = np.zeros((60, 60), bool)
    mask[10:50, place : place + 12] = True
    image = np.where(mask, 200, 40).astype(np.uint8)
    return Film("simulated_bones", name, image, (FilmObject.of(label, mask),), frozenset(CLASSES))


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    labels = ["femur", "hand", "humerus", "femur"]
    write_films([drawn(f"{n}", label, 5 + 8 * n) for n, label in enumerate(labels)], folder / "a.npz")
    return folder


CHANGES = {"epoch_length = 8000": "epoch_length = 4", "epoch_length = 2400": "epoch_length = 4",
           "epoch_length = 4000": "epoch_length = 4", "epoch_length = 600": "epoch_length = 4",
           "epoch_length = 1600": "epoch_length = 4",
           "batch_size = 16": "batch_size = 2", "batch_size = 6": "batch_size = 2", "epochs = 3": "epochs = 1",
           "input_size = 256": "input_size = 64", "width = 0.5": "width = 0.125"}  # fmt: skip


def shortened(text: str) -> str:
    """A configuration that takes a second."""
    for old, new in CHANGES.items():
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("network", ["detector", "surfaces"])
def test_without_sets_nothing_but_the_films_is_read(network, films, tmp_path, monkeypatch):
    """No folder of data is looked into, no real film is loaded, and the run ends with weights of all classes."""
    for name in ("training_films", "volume_slices"):
        monkeypatch.setattr(collection, name, lambda *_: pytest.fail("a real film was asked for"))
    text = (models.CONFIGS / f"{network}_simulated.toml").read_text(encoding="utf-8")
    assert "sets = []" in text and "simulated = 1.0" in text
    config = tmp_path / "config.toml"
    config.write_text(shortened(text), encoding="utf-8")
    absent = tmp_path / "there is no such folder"
    order = ["--data", absent, "--config", config, "--films", films, "--output", tmp_path / "run", "--workers", "0"]
    training = {"detector": detector.main, "surfaces": surfaces.main}[network]
    assert training([str(part) for part in order]) == 0
    assert (tmp_path / "run" / "network.pt").exists()


def test_without_sets_and_without_films_there_is_nothing_to_train_on(tmp_path, capsys):
    order = ["--data", str(tmp_path), "--config", str(models.CONFIGS / "detector_simulated.toml")]
    assert detector.main([*order, "--output", str(tmp_path / "run")]) == 2
    assert "no image to train on" in capsys.readouterr().err


def test_films_by_formula_have_what_surfaces_of_bones_lack():
    chest, jaw = formula_films(1, 1, seed=3)
    assert {item.label for item in chest.objects} == {"right lung", "left lung"}
    assert {item.label for item in jaw.objects} == {"teeth"}
    assert "femur" in chest.settled and "heart" not in chest.settled and "right lung" in jaw.settled
    right, left = (next(item for item in chest.objects if item.label == side) for side in ("right lung", "left lung"))
    assert right.window[1] < left.window[1]  # the patient's right is the picture's left
    assert (formula_film("chest", 3).image == chest.image).all() and chest.set_name.startswith("simulated")


def test_films_without_a_class_have_none_of_it(films, tmp_path):
    folder = models.films_without([films], ("hand",), tmp_path / "left")
    assert [film.name for path in folder.glob("*.npz") for film in read_films(path)] == ["0", "2", "3"]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    models.films_without([films], ("hand",), folder)
    thinned = models.films_without([films], (), tmp_path / "thinned", every=3)
    assert [film.name for path in thinned.glob("*.npz") for film in read_films(path)] == ["0", "3"]
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before  # kept


def test_more_real_films_contain_the_fewer(tmp_path):
    write_set(tmp_path / "knee_femur", ["knee"], 10, 96, 0)
    names = {}
    for count in (2, 5):
        folder = models.few_real_films(tmp_path, ("knee_femur",), count, tmp_path / f"few_{count}")
        found = list(read_films(folder / "real.npz"))
        names[count] = {film.name for film in found}
        assert len(found) == count and all(film.set_name == "knee_femur" for film in found)
    assert names[2] < names[5]


class Finder:
    """Stands for a pipeline that finds given regions."""

    def __init__(self, *found):
        self.found = found

    def settle_polarity(self, radiograph):
        return radiograph

    def find_regions(self, radiograph, score=None):
        return self


def region(label: str, *roi: float) -> RegionProposal:
    return RegionProposal(label, 0.9, roi)


def test_what_is_false_on_a_boxed_film_is_told_by_its_boxes(tmp_path):
    folder = tmp_path / "body_parts_unlabelled" / "hand"
    folder.mkdir(parents=True)
    Image.fromarray(np.arange(6400, dtype=np.uint8).reshape(80, 80)).save(folder / "1.png")
    films = {"hand/1.png": [Box("radius", (10, 10, 30, 40), "good", True), Box("hand", (20, 40, 70, 80), "good", True)]}
    assert figures.films_with(films, "hand") == films and not figures.films_with(films, "femur")
    finder = Finder(region("radius", 11, 10, 30, 40), region("tibia", 20, 40, 70, 80))
    assert list(figures.false_on_boxed(finder, films, tmp_path)) == [("hand/1.png", 1, ("tibia",))]


def test_the_sets_stand_beside_each_other_by_model():
    record = {"set": "a", "class": "femur", "name": "1", "recall": 1.0, "roi": 0.8, "true": 0.9, "found": 0.7}
    text = figures.table_of_sets({"0": [record, {**record, "found": 0.5}], "5": [record]})
    assert text.splitlines()[2] == "| a | femur | 2 | 1.000 | 1.000 | 0.800 | 0.800 | 0.900 | 0.900 | 0.600 | 0.700 |"


def test_figures_of_an_evaluation_are_taken_for_the_images_that_are_looked_at(tmp_path):
    path = tmp_path / "objects.csv"
    columns = "set,class,name,recall,roi,ceiling,surfaces_true_iou,surfaces_iou"
    path.write_text(f"{columns}\na,femur,1,1.0,0.8,0.5,0.9,0.7\na,femur,2,0.0,0.1,0.5,0.9,0.0\n", encoding="utf-8")
    assert figures.evaluated_records(path, {("a", "1")}) == [
        {"set": "a", "class": "femur", "name": "1", "recall": 1.0, "roi": 0.8, "true": 0.9, "found": 0.7}]  # fmt: skip


def test_what_is_kept_is_not_made_again(films, tmp_path, monkeypatch, capsys):
    """The whole part `unknown` with a training and a finder that count their calls."""
    calls = []
    monkeypatch.setattr(models, "trained", lambda *order: calls.append("training") or tmp_path)
    finder = Finder(region("teeth", 1, 1, 9, 9))

    def pipeline_of(*_):
        return finder

    monkeypatch.setattr(models, "pipeline_of", pipeline_of)
    monkeypatch.setattr(transfer, "load_pipeline", lambda *_: None)
    monkeypatch.setattr(transfer, "read_boxes", lambda _: {})
    monkeypatch.setattr(transfer, "JAWS", ("ufba425_teeth",))
    monkeypatch.setattr(transfer, "weights_digest", lambda *_: "the same")
    finder.roi_detector = type("Detector", (), {"network": None})
    write_set(tmp_path / "data" / "ufba425_teeth", ["teeth"], 5, 96, 0)
    order = ["--data", str(tmp_path / "data"), "--films", str(films), "--output", str(tmp_path / "out"), "--parts"]
    assert transfer.main([*order, "unknown"]) == 0
    said = capsys.readouterr().out
    assert "| ufba425_teeth | 1 | 1 | 1 | 1.00 (0.21 to 1.00) |" in said
    finder.found = ()
    assert transfer.main([*order, "unknown"]) == 0
    assert capsys.readouterr().out == said and calls == ["training", "training"]


def test_a_few_real_films_go_on_from_drawn_ones_and_all_is_measured(films, tmp_path, monkeypatch, capsys):
    """The parts `alone` and `few` from end to end; a second time, nothing is trained and no image is measured."""
    monkeypatch.setattr(models, "CONFIGS", tmp_path)
    for path in CONFIGS.glob("*_*.toml"):
        (tmp_path / path.name).write_text(shortened(path.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setattr(transfer, "FEW_SETS", ("knee_femur",))
    monkeypatch.setattr(transfer, "COUNTS", (2,))
    monkeypatch.setattr(transfer, "DRAWN", 1)
    write_set(tmp_path / "data" / "knee_femur", ["knee"], 5, 96, 0)
    order = ["--data", tmp_path / "data", "--films", films, "--output", tmp_path / "out", "--sets", "knee_femur",
             "--workers", "0", "--no-clinical", "--parts", "alone", "few"]  # fmt: skip
    order = [str(part) for part in order]
    assert transfer.main(order) == 0
    said = capsys.readouterr().out
    (line,) = (line for line in said.split("## few")[0].splitlines() if line.startswith("| knee_femur | femur |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2] == "1" and float(cells[8]) > 0.5, "the shipped surfaces know the true region of a knee"
    assert "| recall, 0 | recall, 2 | recall, shipped |" in said
    record = json.loads((tmp_path / "out" / "few_2" / "detector" / "run.json").read_text(encoding="utf-8"))
    assert record["start"].endswith("alone/detector")
    monkeypatch.setattr(figures, "object_records", lambda *_: pytest.fail("measured once more"))
    monkeypatch.setattr(models, "TRAININGS", dict.fromkeys(models.TRAININGS, lambda _: pytest.fail("trained again")))
    assert transfer.main(order) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")] == [
        line for line in said.splitlines() if line.startswith("|")]  # fmt: skip


def test_the_cost_of_a_schedule_is_its_steps_by_their_time(tmp_path, capsys, monkeypatch):
    """Both detectors make steps of both stages; where the backbone is frozen only the last layers have gradients."""
    text = (models.CONFIGS / "detector_article.toml").read_text(encoding="utf-8")
    changes = (("darknet53", "tiny"), ("input_size = 416", "input_size = 64"), ("width = 1.0", "width = 0.125"))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "small.toml").write_text(text, encoding="utf-8")
    box = (models.CONFIGS / "box_detector_article.toml").read_text(encoding="utf-8")
    (tmp_path / "box.toml").write_text(box.replace("width = 1.0", "width = 0.125"), encoding="utf-8")
    learning = []

    def seconds(module, batch, stage, steps, precision):
        value = measured(module, batch, stage, steps, precision)
        learning.append(sum(one.requires_grad for one in module.network.parameters()))
        assert value > 0 and torch.isfinite(module.training_step(batch, 0))
        return 1.8

    measured = step_times.seconds_a_step
    monkeypatch.setattr(step_times, "seconds_a_step", seconds)
    order = [str(tmp_path / "small.toml"), str(tmp_path / "box.toml"), "--samples", "80", "--steps", "1"]
    assert step_times.main(order) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split(" | ")[2:] for line in lines] == [
        ["output", "1.80", "250", "0.1 |"], ["all", "1.80", "250", "0.1 |"],
        ["head", "1.80", "500", "0.2 |"], ["all", "1.80", "500", "0.2 |"],
    ]  # fmt: skip
    assert 0 < learning[0] < learning[1] and 0 < learning[2] < learning[3]
