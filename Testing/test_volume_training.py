"""Training on volumes: the slices that are learnt from, the losses, runs that go on, and bundles that segment."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings
from Testing.volume_models import block, bright_networks
from training.simulate.volumes import LABELS, phantom, write_set
from training.volumes import rstn, step_wise, table
from training.volumes.bundle import write_bundle
from training.volumes.cases import VolumeDataError, read_volume_set
from training.volumes.data import Prepared, SliceDataset, Target, prepared, random_window
from training.volumes.losses import dsc_loss, round_weights

CONFIG = """
seed = 3
sets = ["phantoms"]
batch_size = 2
epoch_length = {length}
balance = 0.0
validate_every = 5
validate_with = 1
[target]
label = "{label}"
{target}
[network]
channels = [4, 8]
[iteration]
rounds = 2
[training]
rounds = 1
predictions_from = 0.5
[[stages]]
trainable = "all"
learning_rate = 5e-3
epochs = {epochs}
"""
ORGAN = ("organ", 'of = ["organ", "lesion"]')
LESION = ("lesion", 'within = "organ"\nwithin_of = ["organ", "lesion"]\nreach = 0.1')


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "phantoms", 5, size=24)
    return folder


def config(folder, target=ORGAN, length=4, epochs=1):
    path = folder / "config.toml"
    path.write_text(CONFIG.format(label=target[0], target=target[1], length=length, epochs=epochs))
    return path


def run(module, data, folder, **how) -> int:
    folder.mkdir(exist_ok=True)
    return module.main(["--data", str(data), "--config", str(config(folder, **how)), "--output", str(folder / "run")])


def test_phantoms_hold_a_small_target_among_look_alikes():
    for seed in range(3):
        made = phantom(seed, 40)
        organ, lesion = made.labels > 0, made.labels == LABELS["lesion"]
        assert 0.001 < organ.mean() < 0.015 and 0 < lesion.sum() < organ.sum() / 2
        alike = np.abs(made.voxels - 550) < 60
        assert np.count_nonzero(alike & ~organ) > 2 * np.count_nonzero(organ)
    assert np.array_equal(phantom(1, 24).voxels, phantom(1, 24).voxels)
    assert not np.array_equal(phantom(1, 24).voxels, phantom(2, 24).voxels)


def test_the_loss_is_one_minus_the_soft_dice_coefficient():
    truth = torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert dsc_loss(truth, truth) == 0.0 and dsc_loss(1 - truth, truth) == 1.0
    likely = torch.tensor([0.5, 1.0, 0.25, 0.0])
    assert dsc_loss(likely, truth) == pytest.approx(1 - 2 * 1.5 / 3.75)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_the_weights_of_the_rounds_are_the_articles(rounds):
    coarse, *fine = round_weights(rounds)
    assert len(fine) == rounds and set(fine) == {2 * coarse} and fine[0] == pytest.approx(2 / (2 * rounds + 1))
    assert coarse + sum(fine) == pytest.approx(1.0)


def test_windows_hold_the_box_with_margins_of_all_sizes():
    mask = np.zeros((60, 80), bool)
    mask[20:30, 40:52] = True
    random = np.random.default_rng(0)
    found = np.array([random_window(mask, 0.1, random) for _ in range(200)])
    assert (found[:, 0] <= 20).all() and (found[:, 2] >= 30).all() and (found[:, 1] <= 40).all()
    assert ((found[:, 2] - found[:, 0]) % 8 == 0).all() and ((found[:, 3] - found[:, 1]) % 8 == 0).all()
    assert found[:, 0].min() >= 20 - 6 - 8 and len(np.unique(found[:, 1])) > 3


def test_slices_that_show_enough_of_the_target_are_learnt_from():
    mask = np.zeros((20, 30, 40), bool)
    mask[5:8, 10:20, 10:30] = True
    mask[8, 10, 10] = True
    gray = np.full(mask.shape, 100, np.uint8)
    dataset = SliceDataset([Prepared(gray, mask)], 3, seed=1, least=2 / (30 * 40))
    assert sorted(index for _, view, index in dataset.items if view == "axial") == [5, 6, 7]
    sample = dataset[0]
    assert (1, *sample.image.shape) == sample.truth.shape and sample.image.shape[0] == 3 and sample.image.max() <= 1.0
    again = SliceDataset([Prepared(gray, mask)], 3, seed=1, least=2 / (30 * 40))
    assert torch.equal(again[7].image, dataset[7].image) and again[7].window == dataset[7].window
    later = dataset[7 + 5 * len(dataset)]
    assert not torch.equal(later.image, dataset[7].image), "another epoch, another contrast"
    with pytest.raises(VolumeDataError, match="No slice shows enough"):
        SliceDataset([Prepared(gray, np.zeros_like(mask))], 3, seed=1)


def test_of_a_part_only_what_is_near_its_organ_is_seen(data):
    case = read_volume_set(data / "phantoms")[0]
    whole = prepared(case, Target("organ", (1, 2)), VolumeSettings())
    inner = prepared(case, Target("lesion", (2,), "organ", (1, 2), 0.05), VolumeSettings())
    assert whole.mask.sum() == case.mask((1, 2)).sum() and inner.mask.sum() == case.mask((2,)).sum()
    assert inner.gray.size < whole.gray.size / 4 and (inner.gray == 0).any() and inner.working.max() > 0.5


def test_sets_that_cannot_be_used(data, tmp_path):
    with pytest.raises(VolumeDataError, match="has no split.csv"):
        read_volume_set(tmp_path)
    for text, reason in (("name,split\na_1,test\n", "neither train nor val"), ("name,split\na,train\n", "no volume")):
        (tmp_path / "split.csv").write_text(text)
        with pytest.raises(VolumeDataError, match=reason):
            read_volume_set(tmp_path)
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        for name in ("p1_a", "p1_b"):
            (tmp_path / part / f"{name}.nrrd").touch()
    (tmp_path / "split.csv").write_text("name,split\np1_a,train\np1_b,val\n")
    with pytest.raises(VolumeDataError, match="The patient p1 is in train and in val"):
        read_volume_set(tmp_path)


def unrolled(by_truth: bool):
    torch.manual_seed(0)
    networks = Networks(NetworkConfig(channels=(4,), saliency="3x3"))
    module = rstn.RstnTraining(networks, [], 1, rounds=2, margin=0.0)
    truth = torch.zeros(1, 1, 3, 24, 32)
    truth[..., 8:16, 8:24] = 1.0
    return module, networks, module.unrolled(networks["axial"], torch.rand(1, 3, 24, 32), truth, by_truth), truth


def test_rounds_are_unrolled_into_one_graph():
    module, networks, said, truth = unrolled(True)
    assert len(said) == 3 and all(each.shape == truth.shape for each in said)
    outside = said[1].detach().clone()
    outside[..., 8:16, 8:24] = 0.0
    assert not outside.any() and said[0].detach().min() > 0.0, "cut to the true box; the coarse stage sees all"
    dsc_loss(said[2], truth).backward()
    for parts in (networks["axial"].coarse, networks["axial"].fine, networks["axial"].saliency):
        assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in parts.parameters())


def test_windows_come_from_the_predictions_later_and_from_the_truth_where_there_are_none():
    module, _, said, truth = unrolled(False)
    nothing, elsewhere = torch.zeros_like(truth), torch.zeros_like(truth)
    elsewhere[:, :, 1, 0:8, 0:8] = 0.9
    assert module.window(elsewhere[0], truth[0]) == (0, 0, 8, 8)
    assert module.window(nothing[0], truth[0]) == module.window(truth[0], truth[0]) == (8, 8, 16, 24)
    assert module.window(nothing[0], nothing[0]) is None


@pytest.mark.parametrize("module", [step_wise, rstn], ids=["step_wise", "rstn"])
def test_a_run_that_was_cut_off_ends_as_an_unbroken_one(module, data, tmp_path, monkeypatch):
    assert run(module, data, tmp_path / "whole", epochs=2) == 0
    steps = module.StepWiseTraining if module is step_wise else module.RstnTraining
    kept = steps.training_step

    def cut(self, batch, batch_idx):
        if self.global_step == 3:
            raise RuntimeError("power cut")
        return kept(self, batch, batch_idx)

    monkeypatch.setattr(steps, "training_step", cut)
    with pytest.raises(RuntimeError, match="power cut"):
        run(module, data, tmp_path / "cut", epochs=2)
    monkeypatch.setattr(steps, "training_step", kept)
    assert run(module, data, tmp_path / "cut", epochs=2) == 0
    one, other = (torch.load(tmp_path / name / "run" / "network.pt", weights_only=True) for name in ("whole", "cut"))
    assert all(torch.equal(one[key], other[key]) for key in one) and one.keys() == other.keys()
    record = json.loads((tmp_path / "cut" / "run" / "run.json").read_text())
    assert [session["outcome"] for session in record["sessions"]] == ["cut off", "finished"]


def test_finished_runs_become_a_model_that_segments(data, tmp_path, capsys):
    assert run(step_wise, data, tmp_path / "organ", length=40, epochs=1) == 0
    assert run(rstn, data, tmp_path / "lesion", target=LESION, length=10, epochs=1) == 0
    runs = [tmp_path / name / "run" for name in ("organ", "lesion")]
    manifest = write_bundle(runs, tmp_path / "model", "phantom", terms="Simulated.")
    assert manifest["method"] == "organ_then_part" and manifest["classes"] == ["organ", "lesion"]
    assert "| lesion | organ |" in (tmp_path / "model" / "MODEL_CARD.md").read_text()
    pipeline = load_pipeline(tmp_path / "model", "cpu")
    assert pipeline.methods["organ_then_part"].parts["lesion"].reach == 0.1
    settings = pipeline.methods["organ_then_part"].parts["lesion"].settings
    assert (settings.threshold, settings.vote, settings.rounds) == (0.99, "mean", 2)
    case = read_volume_set(data / "phantoms")[4]
    result = pipeline.segment(case.volume())
    assert result.objects or "was found" in result.message
    assert table.main(["--run", str(runs[0]), "--data", str(data)]) == 0
    rows = json.loads((runs[0] / "table.json").read_text())
    assert [row["row"] for row in rows][:2] == ["coarse", "after 1 round"] and rows[-1]["row"] == "oracle boxes"
    assert "| best of all rounds |" in capsys.readouterr().out
    with pytest.raises(VolumeDataError, match="is not finished"):
        (runs[0] / "network.pt").unlink()
        write_bundle(runs, tmp_path / "other", "phantom")


def test_a_run_does_not_go_on_with_another_configuration(data, tmp_path, capsys):
    assert run(step_wise, data, tmp_path, length=2) == 0
    assert run(step_wise, data, tmp_path, length=4) != 0
    assert "holds a run of another configuration" in capsys.readouterr().err


def test_the_rows_of_the_table_are_read_from_the_rounds():
    voxels, mask, _ = block()
    case = Prepared(np.clip(voxels / 4, 0, 255).astype(np.uint8), mask)
    rows = table.case_rows(case, bright_networks(), IterationSettings(margin=0.1))
    assert rows["coarse"] == ([1.0], 0.0) and rows["after 10 rounds"] == ([1.0], 10.0)
    assert rows["after d > 0.95"] == ([1.0], 1.0) and rows["oracle boxes"] == ([1.0], 1.0)
    better = {name: ([0.5], used) for name, (_, used) in rows.items()}
    judged = table.Judged(("block",), ("first", "second"), (rows, better), 1, 0.0)
    (first, *_) = judged.summary()
    assert (first["mean"], first["deviation"], first["best"], first["worst"]) == (0.75, 0.25, 1.0, 0.5)
    assert "| block | coarse | 75.00 ± 25.00 | 50.0 to 100.0 | 100.00 | 50.00 | 0.00 |" in table.markdown([first])
