"""The training from end to end on a handful of simulated radiographs: it runs, resumes, and its bundle segments."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

lightning = pytest.importorskip("lightning", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core.loading import load_pipeline  # noqa: E402
from training import box_detector as box_training  # noqa: E402
from training import bundle, evaluate, prepared  # noqa: E402
from training import detector as detector_training  # noqa: E402
from training.data import CLASSES, load_sets, side_by_side  # noqa: E402
from training.networks import PolarityNetwork  # noqa: E402
from training.simulate.sets import write_set  # noqa: E402

DETECTOR = """
variant = "tiny"
input_size = 64
channels = 1
width = 0.125
seed = 3
batch_size = 4
validate_every = 9
sets = ["simulated"]
[[stages]]
trainable = "output"
learning_rate = 1e-3
epochs = 1
[[stages]]
trainable = "all"
learning_rate = 1e-3
epochs = {epochs}
decay = "cosine"
"""

BOX = """
width = 0.0625
context = true
side = 12
seed = 3
batch_size = 4
validate_every = 9
sets = ["simulated"]
[anchors]
bins = 32
scales = [10, 16, 24]
stride = 2
[[stages]]
trainable = "head"
learning_rate = 1e-3
epochs = 1
[[stages]]
trainable = "all"
learning_rate = 1e-3
epochs = 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder with one small set of knees and chests."""
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "simulated", ["chest", "knee", "teeth"], 5, 96, 0)
    return folder


def run(main, config: str, data: Path, output: Path) -> Path:
    path = output.with_suffix(".toml")
    path.write_text(config)
    assert main(["--data", str(data), "--config", str(path), "--output", str(output), "--workers", "0"]) == 0
    return output


@pytest.fixture(scope="module")
def detector_run(data, tmp_path_factory) -> Path:
    return run(detector_training.main, DETECTOR.format(epochs=2), data, tmp_path_factory.mktemp("runs") / "detector")


@pytest.fixture(scope="module")
def box_run(data, tmp_path_factory) -> Path:
    return run(box_training.main, BOX, data, tmp_path_factory.mktemp("runs") / "box")


def test_a_run_keeps_what_it_was_made_of(detector_run, box_run):
    for folder in (detector_run, box_run):
        assert {"config.toml", "network.json", "network.pt"} <= {path.name for path in folder.iterdir()}
        assert list(folder.glob("events.out.tfevents.*")), "no curves for TensorBoard"
        assert (folder / "checkpoints" / "last.ckpt").exists()


def test_a_run_that_was_cut_off_ends_as_an_unbroken_one(data, detector_run, tmp_path):
    """Stop after 2 of 3 epochs, start again: the same weights, bit for bit."""
    cut = tmp_path / "cut"
    config = DETECTOR.format(epochs=2)
    original = detector_training.DetectorTraining.on_train_batch_start

    def interrupted(self, batch, batch_idx):
        if self.current_epoch == 2:
            raise RuntimeError("power cut")
        original(self, batch, batch_idx)

    detector_training.DetectorTraining.on_train_batch_start = interrupted
    try:
        with pytest.raises(RuntimeError, match="power cut"):
            run(detector_training.main, config, data, cut)
    finally:
        detector_training.DetectorTraining.on_train_batch_start = original
    assert not (cut / "network.pt").exists()
    run(detector_training.main, config, data, cut)
    expected, actual = (torch.load(folder / "network.pt", weights_only=True) for folder in (detector_run, cut))
    for name, tensor in expected.items():
        assert torch.equal(tensor, actual[name]), name


def test_a_run_whose_images_do_not_fit_into_memory_is_the_same(data, detector_run, tmp_path, monkeypatch):
    kept, end = [], detector_training.Run.end
    monkeypatch.setattr(prepared, "MEMORY", 20000)
    monkeypatch.setattr(detector_training.Run, "end", lambda run: kept.extend(run.samples.iterdir()) or end(run))
    folder = run(detector_training.main, DETECTOR.format(epochs=2), data, tmp_path / "files")
    assert len(kept) == 12 and not (folder / "samples").exists(), "kept for as long as they are needed"
    expected, actual = (torch.load(path / "network.pt", weights_only=True) for path in (detector_run, folder))
    assert all(torch.equal(tensor, actual[name]) for name, tensor in expected.items())


def test_the_first_stage_trains_the_output_layers_alone(data, tmp_path):
    folder = run(detector_training.main, DETECTOR.format(epochs=0), data, tmp_path / "frozen")
    config = detector_training.YoloConfig.from_dict(json.loads((folder / "network.json").read_text()))
    lightning.seed_everything(3, verbose=False)
    fresh = detector_training.build_yolo(config).state_dict()
    trained = torch.load(folder / "network.pt", weights_only=True)
    changed = {name for name in fresh if not torch.equal(fresh[name], trained[name])}
    assert changed == {f"head_{scale}.output.{kind}" for scale in ("coarse", "middle") for kind in ("weight", "bias")}


def test_bundle_loads_segments_and_is_scored(data, detector_run, box_run, tmp_path, capsys):
    polarity = tmp_path / "polarity"
    polarity.mkdir()
    torch.save(PolarityNetwork().state_dict(), polarity / "network.pt")
    folder = tmp_path / "bundle"
    arguments = ["--detector", detector_run, "--box", box_run, "--polarity", polarity, "--output", folder]
    assert bundle.main([str(argument) for argument in arguments]) == 0

    pipeline = load_pipeline(folder, "cpu")
    case = load_sets(data, "val", ("simulated",))[0]
    result = pipeline.segment(case.radiograph(), score_threshold=0.0)
    assert {item.label for item in result.objects} <= set(CLASSES)
    assert result.best_candidate is not None

    report = tmp_path / "report"
    arguments = ["--data", str(data), "--sets", "simulated", "--model", str(folder), "--output", str(report)]
    assert evaluate.main(arguments) == 0
    assert "| simulated | femur |" in capsys.readouterr().out
    rows = json.loads((report / "summary.json").read_text())
    assert all(0.0 <= row["found_iou"] <= row["ceiling"] + 1e-6 or row["roi"] < 1.0 for row in rows)
    shutil.rmtree(folder)


def test_side_by_side_legs_are_two_objects_and_broken_masks_are_one():
    mask = np.zeros((20, 20), bool)
    mask[2:18, 2:6] = mask[3:19, 12:16] = True
    parts = side_by_side(mask)
    assert [part.sum() for part in parts] == [64, 64]
    assert parts[0][:, :8].any() and parts[1][:, 10:].any()
    above = np.zeros((20, 20), bool)
    above[1:8, 5:9] = above[10:18, 6:12] = True  # one below the other: one bone with a gap
    assert len(side_by_side(above)) == 1


def test_what_lies_side_by_side_is_in_order_and_crumbs_are_no_objects():
    mask = np.zeros((100, 100), bool)
    mask[60:90, 70:95] = mask[10:40, 20:60] = True
    assert [int(part.sum()) for part in side_by_side(mask)] == [1200, 750]
    mask[:], mask[50, 5:9], mask[50, 20:24] = False, True, True
    assert len(side_by_side(mask)) == 2 and len(side_by_side(mask, least=0.001)) == 1
    assert not any(part.any() for part in side_by_side(np.zeros((9, 9), bool)))
