"""Training of L-SNet: what is learnt from, the two steps in one, runs that go on, and models of finished ones."""

from __future__ import annotations

import json
import re
from argparse import Namespace

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.lsnet.networks import Networks
from GrayscaleDetSegLib.core.lsnet.settings import MARGIN, LSNetConfig
from Testing.lsnet_models import write_films
from training.baselines.experiment import Budget
from training.compare.session import Session
from training.data import load_set
from training.lsnet import __main__ as lsnet
from training.lsnet import bundle, compare, rival
from training.lsnet.data import Batch, LocatedDataset, SlicesDataset, boxes_of, collate
from training.lsnet.training import DECAY, LSNetTraining, StepSettings, box_figure
from training.simulate.volumes import write_set
from training.volumes.bundle import write_bundle as write_volume_bundle
from training.volumes.cases import VolumeDataError
from training.volumes.data import Prepared

CONFIG = """
seed = 3
sets = ["{sets}"]
batch_size = 2
epoch_length = {length}
balance = 0.0
validate_every = 5
validate_with = 1
{more}
[network]
locator = "tiny"
segmenter = "tiny"
side = 32
{network}
[training]
true_boxes = 0.5
[[stages]]
trainable = "all"
learning_rate = 5e-3
epochs = {epochs}
"""
ORGAN = '[target]\nlabel = "organ"\nof = ["organ", "lesion"]'


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "phantoms", 5, size=24)
    write_films(folder / "films")
    return folder


def run(data, folder, of_volumes=False, length=4, epochs=1, network="", more="") -> int:
    folder.mkdir(exist_ok=True)
    path = folder / "config.toml"
    path.write_text(
        CONFIG.format(
            sets="phantoms" if of_volumes else "films", more=(ORGAN if of_volumes else "") + more, length=length,
            epochs=epochs, network=network,
        )
    )  # fmt: skip
    more_options = [] if of_volumes else ["--workers", "0"]
    return lsnet.main(["--data", str(data), "--config", str(path), "--output", str(folder / "run"), *more_options])


def test_objects_are_connected_parts():
    masks = np.zeros((2, 40, 50), bool)
    masks[0, 5:15, 10:20] = masks[0, 25:35, 30:45] = True
    masks[0, 38, 48] = True  # a speck
    found = boxes_of(masks)
    assert found[:, 0].tolist() == [0, 0] and found[0, 1:].tolist() == pytest.approx([0.2, 0.125, 0.4, 0.375])
    assert boxes_of(masks[1:]).shape == (0, 5)


def test_slices_with_and_without_the_target_are_drawn():
    mask = np.zeros((10, 20, 20), bool)
    mask[3:5, 5:12, 5:12] = True
    mask[5, 5, 5] = True
    case = Prepared(np.where(mask, 200, 50).astype(np.uint8), mask)
    dataset = SlicesDataset([case], ("axial",), 32, None, 1, least=4 / 400, empty=0.25)
    assert len(dataset) == 9 and dataset.weights.sum() == pytest.approx(1.0)
    shows = np.array([dataset[index].masks.any().item() for index in range(9)])
    assert shows.sum() == 2 and dataset.weights[shows].sum() == pytest.approx(0.75)
    sample = LocatedDataset(dataset)[3]
    assert sample.image.shape == (1, 32, 32)
    assert sample.boxes[0, 1:].tolist() == pytest.approx([0.25, 0.25, 0.6, 0.6], abs=0.04)
    batch = collate([sample, LocatedDataset(dataset)[0]])
    assert batch.images.shape == (2, 1, 32, 32) and [len(each) for each in batch.boxes] == [1, 0]
    with pytest.raises(VolumeDataError, match="No slice shows enough"):
        SlicesDataset([Prepared(case.gray, np.zeros_like(mask))], ("axial",), 32, None, 1, 0.01)


def a_batch(count: int = 2, side: int = 64) -> Batch:
    torch.manual_seed(0)
    masks = torch.zeros(count, 1, side, side)
    masks[..., 16:40, 20:50] = 1.0
    boxes = [torch.tensor([[0.0, 20 / side, 16 / side, 50 / side, 40 / side]])] * count
    return Batch(torch.rand(masks.shape) * 0.3 + 0.5 * masks, masks, torch.ones(count, 1, dtype=torch.bool), boxes)


def stepping(**steps) -> tuple[LSNetTraining, torch.optim.Optimizer]:
    torch.manual_seed(1)
    module = LSNetTraining(Networks(LSNetConfig(("a",), "tiny", "tiny", "unet", 32, 2)), [], 1, StepSettings(**steps))
    optimizer = torch.optim.AdamW(module.network.parameters(), 1e-3)
    module.optimizers = lambda use_pl_optimizer=True: optimizer
    module.log_dict = lambda *_, **__: None
    return module, optimizer


def gradient(module, decay: float, monkeypatch) -> torch.Tensor:
    """Of L-Net's last layer, by the loss of S-Net."""
    monkeypatch.setattr(module, "steps", StepSettings(decay=decay))
    module.zero_grad()
    torch.manual_seed(5)
    batch = a_batch()
    module.segmentation_loss(batch, batch.images, torch.nn.functional.avg_pool2d(batch.images, 2)).backward()
    found = module.network.locator.distances[-1].weight.grad
    return torch.zeros(1) if found is None else found.clone()


def test_the_gradient_to_l_net_is_multiplied_by_gamma(monkeypatch):
    module, _ = stepping()
    module.eval()
    whole = gradient(module, 1.0, monkeypatch)
    assert whole.abs().sum() > 0 and StepSettings().decay == DECAY == 0.1
    assert torch.allclose(gradient(module, 0.1, monkeypatch), 0.1 * whole, rtol=1e-4, atol=1e-9)
    assert not gradient(module, 0.0, monkeypatch).any()


def test_a_step_moves_l_net_first_and_then_both():
    module, optimizer = stepping()
    before = {name: values.clone() for name, values in module.network.named_parameters()}
    loss = module.training_step(a_batch(), 0)

    def moved(part):
        return {name for name, values in module.network.named_parameters()
                if name.startswith(part) and not torch.equal(values, before[name])}  # fmt: skip

    assert moved("locator") and not moved("segmenter")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    assert moved("segmenter") and optimizer.state[module.network.locator.heat[-1].weight]["step"] == 2 - 1, (
        "the heat map has no gradient from S-Net"
    )
    assert optimizer.state[module.network.locator.distances[-1].weight]["step"] == 2


def test_regions_are_of_the_surest_places_or_of_true_boxes():
    module, _ = stepping()
    batch = a_batch(1)
    logits = torch.full((1, 1, 8, 8), -5.0)
    logits[0, 0, 2, 3:6] = torch.tensor([1.0, 3.0, 2.0])
    distances = torch.full((1, 1, 4, 8, 8), 0.1)
    seen = {tuple(module.transformations(logits, distances, batch)[0].tolist()) for _ in range(40)}
    assert {round((each[2] + 1) / 2 * 8 - 0.5) for each in seen} == {3, 4, 5}
    assert all(each[0] == pytest.approx(0.2 + MARGIN) for each in seen)
    module.steps = StepSettings(true_boxes=1.0, shift=0.1)
    sizes = torch.stack([module.transformations(logits, distances, batch)[0, 0] for _ in range(40)])
    true = 30 / 64 + MARGIN
    assert sizes.std() > 0 and (sizes - true).abs().max() <= 0.2 * 30 / 64 + 1e-6
    empty = Batch(batch.images, batch.masks * 0, batch.settled, [torch.zeros((0, 5))])
    assert module.transformations(logits, distances, empty).shape == (1, 4)
    assert box_figure([], batch.boxes[0][:, 1:]) == 0.0


@pytest.mark.parametrize("of_volumes", [False, True], ids=["radiographs", "volumes"])
def test_a_run_that_was_cut_off_ends_as_an_unbroken_one(of_volumes, data, tmp_path, monkeypatch):
    assert run(data, tmp_path / "whole", of_volumes, epochs=2) == 0
    kept = LSNetTraining.training_step

    def cut(self, batch, batch_idx):
        if self.global_step == 3:
            raise RuntimeError("power cut")
        return kept(self, batch, batch_idx)

    monkeypatch.setattr(LSNetTraining, "training_step", cut)
    with pytest.raises(RuntimeError, match="power cut"):
        run(data, tmp_path / "cut", of_volumes, epochs=2)
    monkeypatch.setattr(LSNetTraining, "training_step", kept)
    assert run(data, tmp_path / "cut", of_volumes, epochs=2) == 0
    one, other = (torch.load(tmp_path / name / "run" / "network.pt", weights_only=True) for name in ("whole", "cut"))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    record = json.loads((tmp_path / "cut" / "run" / "run.json").read_text())
    assert [session["outcome"] for session in record["sessions"]] == ["cut off", "finished"]
    assert record["sessions"][-1]["step"] == 4, "two steps in one count once"


def test_finished_runs_become_models(data, tmp_path, capsys):
    assert run(data, tmp_path / "films", network="detail = 2") == 0
    arguments = ["--run", str(tmp_path / "films" / "run"), "--name", "knee", "--output", str(tmp_path / "model")]
    assert bundle.main(arguments) == 0
    pipeline = load_pipeline(tmp_path / "model", "cpu")
    assert pipeline.default_method == "lsnet" and pipeline.methods["lsnet"].classes == ("femur",)
    assert "Learnt from the train part of: films" in (tmp_path / "model" / "MODEL_CARD.md").read_text()
    assert run(data, tmp_path / "volumes", True) == 0
    manifest = write_volume_bundle([tmp_path / "volumes" / "run"], tmp_path / "volume", "phantom")
    assert manifest["method"] == "lsnet" and "L-Net" in manifest["networks"]["lsnet 1"]["what"]
    assert load_pipeline(tmp_path / "volume", "cpu").methods["lsnet"].classes == ("organ",)
    capsys.readouterr()
    arguments[1] = str(tmp_path / "volumes" / "run")
    assert bundle.main(arguments) == 2 and "take training.volumes.bundle" in capsys.readouterr().err
    arguments[1] = str(tmp_path)
    assert bundle.main(arguments) == 2 and "is not finished" in capsys.readouterr().err


@pytest.mark.parametrize("of_volumes", [False, True], ids=["radiographs", "volumes"])
def test_one_command_compares_it_with_networks_of_one_stage(of_volumes, data, tmp_path, capsys):
    path = tmp_path / "config.toml"
    more = ORGAN if of_volumes else ""
    sets = "phantoms" if of_volumes else "films"
    path.write_text(CONFIG.format(sets=sets, more=more, length=4, epochs=1, network=""))
    order = ["--data", str(data), "--config", str(path), "--output", str(tmp_path / "out")]
    order += ["--rivals", "one stage", "FCN", *([] if of_volumes else ["--workers", "0"])]
    assert compare.main(order) == 0
    lines = (tmp_path / "out" / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == ["L-SNet", "one stage", "FCN"]
    assert ("DSC of volumes" in lines[0]) == of_volumes and all("| 4 |" in line for line in lines[2:])
    kept = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert {row["method"] for row in kept["rows"]} == {"L-SNet", "one stage", "FCN"}
    assert all(0 <= row[figure] <= 1 for row in kept["rows"] for figure in ("dsc", "precision", "recall", "iou"))
    capsys.readouterr()
    assert compare.main(order) == 0 and "epoch 1" not in capsys.readouterr().out, "nothing is done again"
    again = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert again == kept


@pytest.mark.parametrize("search, rates", [(0, (2e-3,)), (960, (4e-3, 2e-3, 1e-3, 5e-4))])
def test_its_rates_in_the_comparison_are_searched_where_those_of_all_are(search, rates, tmp_path, monkeypatch):
    session = Session.__new__(Session)
    session.options, session.folder = Namespace(search_images=search, images=8, precision="32"), tmp_path
    vars(session).update(training=[], validation=[], classes=("femur",))
    asked = []
    monkeypatch.setattr(rival, "finished_lsnet", lambda classes, folder, tried: asked.append(tried))
    monkeypatch.setattr(rival, "train_lsnet", lambda *order: asked.append(order[-1]))
    session._baseline("L-SNet", True)
    assert asked == [rates, rates]


def test_it_trains_like_the_baselines_of_the_comparison(data, tmp_path, monkeypatch):
    monkeypatch.setattr(rival, "config_of", lambda classes: LSNetConfig(classes, "tiny", "tiny", side=32))
    cases = load_set(data / "films")
    budget = Budget(4, 2, 2, 1)
    trained = rival.train_lsnet(cases[:3], cases[3:4], ("femur",), budget, tmp_path, (1e-3, 1e-4))
    assert set(trained.tried) == {1e-3, 1e-4} and trained.rate in trained.tried
    kept = rival.finished_lsnet(("femur",), tmp_path, (1e-3, 1e-4))
    found = rival.of_lsnet(kept, tmp_path)
    masks = found.masks(cases[3])
    assert found.name == "L-SNet" and list(masks) == ["femur"] and masks["femur"].shape == (60, 48)
    assert found.parameters == sum(each.numel() for each in Networks(rival.config_of(("femur",))).parameters())
    assert rival.finished_lsnet(("femur",), tmp_path / "none") is None


def test_figures_of_overlaps():
    mask, truth = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    truth[:2], mask[1:4, :2] = True, True
    found = compare.overlap_figures(mask, truth)
    assert found == pytest.approx({"dsc": 4 / 14, "precision": 2 / 6, "recall": 2 / 8, "iou": 2 / 12})
    assert compare.overlap_figures(mask & False, truth)["precision"] == 0.0


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"network": "structure = 'x'"}, r"The table \[network\] .* no structure 'x'"),
        ({"network": "unheard = 1"}, r"The table \[network\] .* knows no 'unheard'"),
        ({"more": "[settings]\nviews = ['any']"}, r"The table \[settings\] .* views"),
        ({"more": "[pretrained]\nlocator = 'a.pth'"}, "layout 'tiny' has no pretrained weights"),
        ({"more": "[pretrained]\nother = 'a.pth'"}, "names 'locator' and 'segmenter', not 'other'"),
        ({"of_volumes": True, "more": "\nwithin = 'organ'"}, "leave out 'within'"),
    ],
)
def test_configurations_that_cannot_be_used(how, reason, data, tmp_path, capsys):
    assert run(data, tmp_path, **how) == 2
    assert re.search(reason, capsys.readouterr().err)


def test_orders_that_cannot_be_carried_out(data, tmp_path, capsys):
    missing = ["--data", str(data), "--config", str(tmp_path / "none.toml"), "--output", str(tmp_path / "run")]
    assert lsnet.main(missing) == 2 and "There is no configuration" in capsys.readouterr().err
    (tmp_path / "none.toml").write_text("seed = = 1")
    assert lsnet.main(missing) == 2 and "is no TOML file" in capsys.readouterr().err
