"""The comparison from end to end on simulated radiographs: every part runs, resumes, and its figures add up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("lightning", reason="training needs the extra 'training'")
pytest.importorskip("monai", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core import boxes  # noqa: E402
from Testing.fakes import letter_l  # noqa: E402
from training import benchmark, surfaces  # noqa: E402
from training.baselines.networks import NETWORKS, build  # noqa: E402
from training.baselines.training import AUGMENTATION, WholeImageDataset, predict  # noqa: E402
from training.compare import __main__ as compare  # noqa: E402
from training.compare import robustness, tables  # noqa: E402
from training.compare.curves import chosen, of_one_class  # noqa: E402
from training.compare.oracle_bounds import best_cells  # noqa: E402
from training.compare.session import classes_of  # noqa: E402
from training.compare.statistics import Bootstrap  # noqa: E402
from training.data import CLASSES, Case  # noqa: E402
from training.intervals import best_interval  # noqa: E402
from training.metrics import overlap  # noqa: E402
from training.networks import SurfaceConfig, SurfaceNetwork  # noqa: E402
from training.simulate.sets import write_set  # noqa: E402
from training.surface_data import SurfaceAugmentation, SurfaceDataset, collate  # noqa: E402

CONFIG = """
margin = 0.1
seed = 1
batch_size = 4
validate_every = 9
sets = ["simulated"]
[network]
grid = 16
per_cell = 2
features = 8
channels = [8, 16]
fine = true
[[stages]]
trainable = "head"
learning_rate = 2e-3
epochs = 1
[[stages]]
trainable = "all"
learning_rate = 2e-3
epochs = 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder with a small set of knees and chests, and one of chests."""
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "simulated", ["chest", "knee"], 6, 96, 0)
    write_set(folder / "others", ["chest"], 5, 96, 50)
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("config") / "surfaces.toml"
    path.write_text(CONFIG)
    return path


def an_l(set_name: str = "knee_femur", label: str = "femur") -> Case:
    mask = letter_l((64, 80))
    pixels = np.where(mask, 200, 60).astype(np.uint8)
    pixels[:, 60:] = 200  # as bright as the object, elsewhere
    return Case(set_name, "1", "train", pixels, mask.astype(np.uint8), {label: 1})


def test_the_surfaces_train_and_their_bundle_entry_describes_them(data, config, tmp_path):
    output = tmp_path / "run"
    arguments = ["--data", data, "--config", config, "--output", output, "--workers", "0"]
    assert surfaces.main([str(argument) for argument in arguments]) == 0
    described = json.loads((output / "network.json").read_text())
    network = SurfaceNetwork(SurfaceConfig.from_dict(described["config"]))
    network.load_state_dict(torch.load(output / "network.pt", weights_only=True))
    assert described["margin"] == 0.1 and network.config.classes == CLASSES


def test_a_stage_for_the_head_leaves_the_rest_as_it_was(data, tmp_path):
    path = tmp_path / "head.toml"
    path.write_text(CONFIG[: CONFIG.rindex("[[stages]]")])
    arguments = ["--data", data, "--config", path, "--output", tmp_path / "run", "--workers", "0"]
    assert surfaces.main([str(argument) for argument in arguments]) == 0
    torch.manual_seed(0)
    trained = torch.load(tmp_path / "run" / "network.pt", weights_only=True)
    assert trained["head.weight"].abs().sum() > 0  # it starts at nothing
    assert trained["pillars.layers.1.num_batches_tracked"] == 0


def test_a_surface_sample_holds_the_pixels_of_its_place():
    """Without augmentation the points are the ROI's own pixels; with a flip the L is mirrored, label and all."""
    case = an_l()
    dataset = SurfaceDataset([case], ("femur", "tibia"), 32)
    (sample,) = dataset[0]
    x0, y0, x1, y1 = boxes.of_mask(case.label_map == 1)
    x, y, g = sample.points.numpy().T
    column = np.floor(x0 + (x + 1) / 2 * (x1 - x0)).astype(int)
    row = np.floor(y0 + (y + 1) / 2 * (y1 - y0)).astype(int)
    np.testing.assert_array_equal(sample.inside.numpy() > 0, case.label_map[row, column] == 1)
    levels = case.radiograph().gray()[row, column]
    assert np.abs((g + 1) * 127.5 - levels).max() <= 0.51
    only_flips = SurfaceAugmentation(0, 0, 0, 0, 1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    (mirrored,) = SurfaceDataset([case], ("femur", "tibia"), 32, only_flips)[0]
    picture = sample.inside.view(32, 32)
    assert (mirrored.inside.view(32, 32).flip(1) != picture).float().mean() < 0.1
    assert (mirrored.inside.view(32, 32) != picture).float().mean() > 0.2


def test_the_sides_change_places_in_the_mirror():
    flips = SurfaceAugmentation(flip=1.0)
    dataset = SurfaceDataset([an_l("jsrt_lungs", "right lung")], CLASSES, 8, flips)
    _, _, labels = collate([dataset[0], dataset[1]])
    assert [CLASSES[label] for label in labels] == ["left lung"] * 2
    whole = WholeImageDataset([an_l("jsrt_lungs", "right lung")], CLASSES, AUGMENTATION)
    seen = {tuple(whole[index].masks.flatten(1).any(1).tolist()) for index in range(20)}
    assert seen == {(True, False, False, False, False), (False, True, False, False, False)}


def test_what_a_set_does_not_mark_stays_out_of_the_loss():
    settled = WholeImageDataset([an_l()], CLASSES, None)[0].settled
    assert dict(zip(CLASSES, settled.tolist())) == {
        "right lung": True, "left lung": True, "femur": True, "tibia": False, "teeth": True,
    }  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_baselines_give_a_mask_per_class_at_full_size(name):
    torch.manual_seed(0)
    masks = predict(build(name, 3).eval(), np.full((70, 130), 100.0, np.float32), [0, 2])
    assert masks.shape == (2, 70, 130) and masks.dtype == bool


def test_the_bound_of_one_cell_is_that_of_one_box_and_more_cells_reach_further():
    case = an_l()
    mask, gray = case.label_map == 1, case.radiograph().gray()
    gray = gray + np.linspace(0, 80, 80)[None] * mask  # no single interval fits
    roi = np.array([0.0, 0.0, 80.0, 64.0])
    one = overlap(best_cells(gray, mask, roi, 1), mask).iou
    assert one == pytest.approx(best_interval(gray.clip(0, 254.9), mask).iou, abs=1e-3)
    assert overlap(best_cells(gray, mask, roi, 32), mask).iou > max(0.99, one)


def test_tables_name_the_best_baseline_and_how_sure_the_difference_is():
    rows = [
        {"method": method, "set": "s", "class": "c", "name": str(image), "iou": iou + 0.01 * (image % 3)}
        for method, iou in (("ours", 0.9), ("a", 0.8), ("b", 0.85))
        for image in range(12)
    ]
    statistics = Bootstrap(rows)
    assert statistics.mean("b", [("s", "c")]) == pytest.approx(0.86)
    row = tables.by_class(statistics, ["ours", "a", "b"], "ours", ["a", "b"]).splitlines()[2]
    assert row == "| s | c | 12 | 0.910 | 0.810 | 0.860 | b | +0.050 (+0.050 to +0.050) |"


def test_smaller_choices_are_part_of_larger_ones():
    cases = [an_l(label=label) for label in ("femur",) * 6 + ("tibia",) * 3]
    femurs = of_one_class(cases, "femur")
    assert len(femurs) == 6
    assert {id(case) for case in chosen(femurs, 2)} < {id(case) for case in chosen(femurs, 5)}


def test_the_whole_comparison_runs_and_goes_on_where_it_was(data, config, tmp_path, capsys, monkeypatch):
    """In two runs, parts in any order; a third, with every network there, trains nothing and measures nothing anew."""
    few = ("as it is", "turned by 8 degrees", "collimated")
    monkeypatch.setattr(robustness, "ALTERATIONS", {name: robustness.ALTERATIONS[name] for name in few})
    common = [
        "--data", data, "--output", tmp_path, "--sets", "simulated", "others", "--rivals", "FCN", "--config", config,
        "--images", "8", "--search-images", "4", "--timed", "1", "--altered", "1", "--counts", "2",
        "--cross-sets", "simulated", "others", "--cross-images", "4", "--cross-search-images", "0",
        "--curve-set", "simulated", "--curve-class", "femur", "--curve-images", "8",
    ]  # fmt: skip

    def run(*more: str) -> str:
        assert compare.main([str(argument) for argument in (*common, *more)]) == 0
        return capsys.readouterr().out

    first = run("--parts", "curves", "accuracy")
    assert "| simulated | femur |" in first and "| FCN in the ROI |" in first
    assert first.count("**Missing.**") == 4 and "--parts robustness" in first
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.csv")}
    assert len(made) == 16 and len(kept) == 2 * (6 + 2) + 3, "8 per set; multi-Otsu, times, curves"
    (cost,) = (line for line in first.splitlines() if line.startswith("| FCN |") and "| 8 |" in line)
    assert cost.split(" | ")[-2] == "8", "images seen"
    rows = (tmp_path / "records" / "FCN" / "simulated.csv").read_text().splitlines()
    assert rows[0] == "method,set,class,name,iou,dsc,fn,fp" and len(rows) == 5, "two lungs, femur, tibia"
    second = run("--parts", "cross", "pictures", "robustness")
    assert "| surfaces in the FCN's boxes |" in second and "| collimated |" in second
    assert first.split("## Accuracy")[1].split("## Pictures")[0] in second, "finished parts stay in the report"
    assert second.count("**Missing.**") == 1
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img ") == 3 + 2 * 2 and "<script" not in page and str(tmp_path) in page
    assert all(path.stat().st_mtime_ns == when for path, when in {**made, **kept}.items())
    everything = {path: path.stat().st_mtime_ns for kind in ("*.pt", "*.csv") for path in tmp_path.rglob(kind)}
    again = run("--parts", "robustness", "accuracy", "curves", "cross", "--no-training")
    assert all(path.stat().st_mtime_ns == when for path, when in everything.items())
    assert second.split("## Accuracy")[1].split("## Time")[0] == again.split("## Accuracy")[1].split("## Time")[0]


@pytest.fixture
def new_sets(tmp_path) -> Path:
    """Two sets of later versions: two vertebrae each under their own names, and a humerus; the last is for val."""
    for name, labels in (("aasce_spine_ap", {"T1": 1, "T2": 2}), ("elbow_humerus_lat", {"humerus": 1})):
        folder = tmp_path / "new" / name
        rows = ["name,split"]
        for number in range(4):
            label_map = np.zeros((96, 64), np.uint8)
            for value in labels.values():
                label_map[30 * value - 20 : 30 * value + 4, 14 + 4 * number : 44 + 2 * number] = value
            noise = np.random.default_rng([number, len(labels)]).integers(0, 20, label_map.shape)
            for kind, picture in (("images", np.where(label_map > 0, 180, 50) + noise), ("labels", label_map)):
                (folder / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture.astype(np.uint8)).save(folder / kind / f"{number}.png")
            rows.append(f"{number},{'val' if number == 3 else 'train'}")
        (folder / "labels.json").write_text(json.dumps(labels))
        (folder / "split.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "new"


def test_what_is_learnt_is_what_the_sets_mark():
    assert classes_of(["jsrt_lungs"]) == CLASSES and classes_of(["somebody's own"]) == CLASSES
    assert classes_of(["aasce_spine_ap", "elbow_humerus_lat"]) == ("humerus", "vertebra")
    assert classes_of(["knee_femur", "jsrt_heart_clavicles"])[5:] == ("heart", "right clavicle", "left clavicle")


def test_later_sets_are_compared_by_their_classes_and_in_their_group(new_sets, config, tmp_path, capsys):
    """Labels of single vertebrae are one class; nothing is searched, and a short comparison has no thresholds."""
    order = [
        "--data", new_sets, "--output", tmp_path / "out", "--sets", "aasce_spine_ap", "elbow_humerus_lat", "--rivals",
        "FCN", "--config", config, "--images", "8", "--search-images", "0", "--timed", "1", "--short", "--parts",
        "accuracy",
    ]  # fmt: skip
    assert compare.main([str(argument) for argument in order]) == 0
    said = capsys.readouterr().out
    assert "| aasce_spine_ap | vertebra |" in said and "| elbow_humerus_lat | humerus |" in said
    assert "**small parts** (aasce_spine_ap; 1 images)" in said and "**musculoskeletal radiographs** (elbow" in said
    assert "| Otsu |" not in said and "| one box, best |" not in said and "| single box |" in said
    made = sorted(path.parent.name for path in (tmp_path / "out").rglob("network.pt"))
    assert made == ["final", "final"], "the surfaces and FCN, each once"
    network = torch.load(next((tmp_path / "out" / "surfaces").rglob("network.pt")), weights_only=True)
    assert len(network["head.bias"]) == 2 * 2, "two classes"


def test_the_benchmark_tells_stages_growth_and_memory(monkeypatch):
    assert 50.0 < benchmark.peak_memory(benchmark.chest(128), "box") < 2000.0
    monkeypatch.setattr(benchmark, "peak_memory", lambda radiograph, method: 1.0)
    text = benchmark.report(benchmark.load_pipeline(None, "cpu"), [128, 256], 1, baselines=False)
    assert "| box | 256 |" in text and "| 128 to 256 |" in text and "post-processing" in text
