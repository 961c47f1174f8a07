"""The tables of L-SNet's article: its rivals, hard crops, and one command that trains and judges all of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.lsnet.networks import Networks, SNet
from GrayscaleDetSegLib.core.lsnet.recalibration import of_boxes, recalibrated
from GrayscaleDetSegLib.core.lsnet.settings import LSNetConfig, LSNetSettings
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.lsnet_models import bright_networks, write_films
from Testing.pipelines import BoxFake, rigged
from training.lsnet import losses, systems, table_texts, tables
from training.lsnet.data import Batch
from training.lsnet.peers import AttentionUNet, FineTraining, cropped
from training.lsnet.training import LSNetTraining, StepSettings, masks_of
from training.simulate.volumes import write_set

CONFIG = """
seed = 3
sets = ["{sets}"]
batch_size = 2
epoch_length = 4
validate_every = 5
{more}
[network]
locator = "tiny"
segmenter = "tiny"
side = 32
{network}
[[stages]]
trainable = "all"
learning_rate = 5e-3
epochs = 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "phantoms", 5, size=24)
    write_films(folder / "films")
    return folder


def ordered(data, folder, *more, of_volumes=False, network="") -> int:
    folder.mkdir(exist_ok=True)
    target = '[target]\nlabel = "organ"\nof = ["organ", "lesion"]' if of_volumes else ""
    text = CONFIG.format(sets="phantoms" if of_volumes else "films", more=target, network=network)
    (folder / "config.toml").write_text(text)
    order = ["--data", str(data), "--config", str(folder / "config.toml"), "--output", str(folder / "out"), *more]
    return tables.main(order if of_volumes else [*order, "--workers", "0"])


def test_hard_crops_have_whole_px_and_stay_in_the_image():
    boxes = torch.tensor([[0.26, 0.11, 0.52, 0.49], [-0.2, 0.9, 0.3, 1.4], [0.5, 0.5, 0.5, 0.5]])
    found = cropped(of_boxes(boxes, 0.0), 20)
    low, high = (found[:, 2:] - found[:, :2] + 1) * 10, (found[:, 2:] + found[:, :2] + 1) * 10
    wanted = torch.tensor([[5.0, 2, 11, 10], [0, 18, 6, 20]])
    assert torch.allclose(torch.cat([low, high], 1)[:2], wanted, atol=1e-4)
    assert ((high - low)[2] > 1.999).all(), "nothing is no region"
    image = torch.rand(1, 1, 20, 20)
    side = recalibrated(image, cropped(of_boxes(torch.tensor([[0.25, 0.1, 0.65, 0.5]]), 0.0), 20), 8)
    assert torch.allclose(side, image[..., 2:10, 5:13], atol=1e-5), "a crop of its own size is a cut-out"


def test_attention_gates_decide_what_passes():
    torch.manual_seed(0)
    config = LSNetConfig(("a",), "tiny", "tiny", "unet", 32)
    network, plain = AttentionUNet(config).eval(), SNet(config).eval()
    extra = {name for name in network.state_dict() if "gates" in name}
    assert set(network.state_dict()) - extra == set(plain.state_dict()) and len(network.decoder.gates) == 4
    plain.load_state_dict({name: values for name, values in network.state_dict().items() if name not in extra})
    images = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        assert not torch.allclose(network(images), plain(images), atol=1e-4)
        for gate in network.decoder.gates:
            gate.passing.bias.fill_(50.0)
        assert torch.allclose(network(images), plain(images), atol=1e-5), "open gates change nothing"


def test_the_fine_network_learns_from_crops_of_true_boxes():
    images = torch.zeros(2, 1, 40, 40)
    images[0, :, 10:20, 20:36] = 1.0
    boxes = [torch.tensor([[0.0, 0.5, 0.25, 0.9, 0.5]]), torch.zeros((0, 5))]
    batch = Batch(images, images.clone(), torch.ones(2, 1, dtype=torch.bool), boxes)
    module = FineTraining(SNet(LSNetConfig(("a",), "tiny", "tiny", "unet", 32)), [], 1, 32, 0.0, shift=0.0)
    seen, masks = module.seen(batch)
    assert seen.shape == masks.shape == (2, 1, 32, 32)
    assert masks[0, :, 2:-2, 2:-2].min() > 0.99, "the crop is the box"
    assert masks[1].max() == 0.0, "what shows nothing is looked at in another's box"


def test_without_alternating_one_step_moves_both():
    torch.manual_seed(1)
    images = torch.rand(2, 1, 32, 32)
    boxes = [torch.tensor([[0.0, 0.2, 0.2, 0.7, 0.8]])] * 2
    batch = Batch(images, (images > 0.5).float(), torch.ones(2, 1, dtype=torch.bool), boxes)
    networks = Networks(LSNetConfig(("a",), "tiny", "tiny", "unet", 32))
    module = LSNetTraining(networks, [], 1, StepSettings(alternate=False, decay=0.0))
    module.log_dict = lambda *_, **__: None
    before = networks.locator.heat[-1].weight.clone()
    loss = module.training_step(batch, 0)
    assert torch.equal(networks.locator.heat[-1].weight, before), "nothing has moved yet"
    loss.backward()
    assert networks.locator.heat[-1].weight.grad.abs().sum() > 0
    assert networks.segmenter.head.weight.grad.abs().sum() > 0


def test_the_loss_can_be_plain_cross_entropy():
    logits, truth = torch.randn(2, 1, 4, 4), (torch.rand(2, 1, 4, 4) > 0.5).float()
    settled = torch.tensor([[True], [False]])
    found = losses.entropy(logits, truth, settled)
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits[:1], truth[:1])
    assert torch.isclose(found, wanted) and not torch.isclose(losses.classification(logits, truth, settled), wanted)
    with pytest.raises(ValueError, match="no loss 'x', but focal, entropy"):
        StepSettings(loss="x")


def test_a_system_of_two_stages_is_l_snet_itself():
    networks = bright_networks()
    settings = LSNetSettings()
    gray = np.full((80, 70), 20.0, np.float32)
    gray[20:50, 15:45] = 250.0
    look = systems.of_two_stages(
        systems.by_heat_map(networks, settings), networks.segmenter, networks.config, settings, crop=False
    )  # fmt: skip
    found, (mask, regions) = look(gray), masks_of(networks, settings, gray, ["block"])["block"]
    assert found.mask.any() and np.array_equal(found.mask, mask) and found.regions == regions
    nothing = look(np.full((80, 70), 20.0, np.float32))
    assert not nothing.mask.any() and nothing.regions == []


def test_figures_of_a_case_are_of_the_images_that_show_it():
    truth = np.zeros((8, 8), bool)
    truth[2:6, 2:6] = True
    gray = np.zeros((8, 8), np.float32)
    case = systems.JudgedCase("a", "p", [gray, gray], [truth, truth & False])
    half = truth.copy()
    half[:4] = False
    found = systems.case_figures(case, lambda gray: systems.Look(half, None))
    assert found["dsc"] == pytest.approx(2 * 8 / 24) and found["whole"] == pytest.approx(2 * 8 / (24 + 8))
    assert (found["precision"], found["recall"]) == (1.0, 0.5) and "box" not in found


def test_tables_say_who_won_by_how_much():
    def row(*scores):
        cases = [
            {"name": str(n), "patient": str(n // 2), "dsc": each, "whole": each, "precision": 1.0, "recall": 1.0,
             "box": each, "slices": 1} for n, each in enumerate(scores)
        ]  # fmt: skip
        return {
            "cases": cases, "parameters": 1234, "first": 12, "minutes": 1.0, "images": 40, "box_in_training": 0.9
        }  # fmt: skip

    rows = {"U-Net": row(0.5, 0.5, 0.5, 0.5), table_texts.OURS: row(0.6, 0.6, 0.6, 0.4)}
    text = table_texts.text_of(rows, {name: tables.TABLES[name] for name in rows})
    assert "4 cases of 2 patients; 40 images" in text and "DSC of volumes" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("| U-Net |")]
    assert "50.00 ± 0.00 | 50.00 to 50.00 | 50.00 | 50.00" in line
    assert "+5.00 (+0.00 to +10.00) | 3, 1 | 1,234" in line
    assert "Table 3" not in text and "| 0.1 | 90.00 | 55.00" in text
    rows = {"Coarse-to-fine U-Net": row(0.5, 0.5, 0.5, 0.5), "L-Net, then hard crops": row(0.3, 0.3, 0.5, 0.5)}
    text = table_texts.text_of(rows, {name: (3,) for name in rows})
    assert "| U-Net | 50.00 (50.00 to 50.00) |  | 90.00 | 50.00 (50.00 to 50.00) |  | 12 |" in text
    assert "| L-Net | 40.00 (30.00 to 50.00) | -10.00 (-20.00 to +0.00) | 90.00 |" in text


@pytest.mark.parametrize("of_volumes", [False, True], ids=["radiographs", "volumes"])
def test_one_command_makes_the_tables(of_volumes, data, tmp_path, capsys):
    assert ordered(data, tmp_path, "--tables", "1", "3", "4", of_volumes=of_volumes) == 0
    text = (tmp_path / "out" / "tables.md").read_text()
    assert all(f"Table {number}\n" in text for number in (1, 3, 4)) and "Table 2" not in text
    assert ("DSC of volumes" in text) == of_volumes
    names = {path.stem for path in (tmp_path / "out" / "judged").iterdir()}
    assert names == {name for name, each in tables.SYSTEMS.items() if {1, 3, 4} & set(each.tables)}
    row = json.loads((tmp_path / "out" / "judged" / "Coarse-to-fine U-Net.json").read_text())
    assert all(0 <= case[figure] <= 1 for case in row["cases"] for figure in ("dsc", "whole", "box"))
    assert not (tmp_path / "out" / "together").exists() and "gamma_0: 4 images" in capsys.readouterr().out
    assert ordered(data, tmp_path, "--tables", "1", "3", "4", of_volumes=of_volumes) == 0
    said = capsys.readouterr().out
    assert "images\n" not in said.partition("Table 1")[0] and "judged" not in said, "nothing is done again"
    assert (tmp_path / "out" / "tables.md").read_text() == text


def test_orders_that_cannot_be_carried_out(data, tmp_path, capsys):
    assert ordered(data, tmp_path, network='classes = ["femur", "tibia"]') == 2
    assert "The tables are of one class" in capsys.readouterr().err
    assert ordered(data, tmp_path / "volumes", "--shipped", of_volumes=True) == 2
    assert "leave out --shipped" in capsys.readouterr().err
    assert ordered(data, tmp_path / "films", "--tables", "3") == 0
    assert ordered(data, tmp_path / "films", "--tables", "3", network="detail = 2") == 2
    assert "holds a training of another configuration" in capsys.readouterr().err


class BrightModel:
    """Regions around what is bright, called `label`, and surfaces between which it lies."""

    settings = DetectionSettings()

    def __init__(self, label: str) -> None:
        self.label = label

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        rows, columns = np.nonzero(gray > 128)
        box = (columns.min() - 1.0, rows.min() - 1.0, columns.max() + 2.0, rows.max() + 2.0)
        return [RegionProposal(self.label, 0.9, tuple(map(float, box)))]

    def knows(self, label):
        return True

    def detect_all(self, gray, rois, labels):
        return [ThresholdMap(roi, np.full((4, 4), 128.0), np.full((4, 4), 300.0)) for roi in rois]


@pytest.mark.parametrize("label", ["femur", "tibia"])
def test_the_shipped_surfaces_stand_beside_the_others(label, data, tmp_path, monkeypatch):
    model, seen = BrightModel(label), []
    pipeline = rigged(model, BoxFake(250.0), clean_up=PostProcessing(smooth=0.0), surfaces=model)
    monkeypatch.setattr(tables, "load_pipeline", lambda *of, **how: seen.append((of, how)) or pipeline)
    assert ordered(data, tmp_path, "--tables", "1", "--shipped") == 0
    assert seen == [((), {"device": "cpu"})], "the model that ships"
    text = (tmp_path / "out" / "tables.md").read_text()
    (row,) = [line.split(" | ") for line in text.splitlines() if line.startswith(f"| {tables.SHIPPED} |")]
    figures = [float(row[column].split(" ")[0]) for column in (1, 5, 6)]
    assert all(figure > 97 for figure in figures) if label == "femur" else figures == [0, 0, 0]
    assert sum(map(int, row[8].split(", "))) <= 2 and "±" in row[1], "both films of val, beside L-SNet's"
    assert [cell.strip(" |") for cell in row[9:]] == ["", ""], "what others trained has no minutes here"
