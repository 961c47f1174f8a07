"""Training of segmentation by detection: runs that go on, the table of the article, the command."""

from __future__ import annotations

import json
import re

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch.volumes import report
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.methods.organ_then_part import OrganThenPart
from GrayscaleDetSegLib.core.volumes.given import GivenBoxes
from GrayscaleDetSegLib.core.volumes.views import dsc
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.core.weights import Bundle
from Testing.attention_models import regions, trained, vgg_state, write_blocks, write_config
from Testing.test_volume_grid import copies, oblique
from Testing.volume_models import bright_networks, write_model
from training.volumes import attention_table
from training.volumes import detection_attention as training
from training.volumes.bundle import write_bundle
from training.volumes.cases import read_volume_set
from training.volumes.compare import shorter


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_blocks(folder / "blocks")
    return folder


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run that has learnt to find blocks, in a few seconds."""
    folder = tmp_path_factory.mktemp("finished")
    config = write_config(folder / "config.toml", length=24, detector=3, segmentation=4)
    assert trained(data, config, folder / "run") == 0
    return folder / "run"


@pytest.fixture(scope="module")
def model(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_bundle([finished], folder, "blocks", terms="Simulated.")
    return folder


def test_a_run_that_was_cut_off_ends_as_an_unbroken_one(data, tmp_path, monkeypatch):
    config = write_config(tmp_path / "config.toml", length=3)
    assert trained(data, config, tmp_path / "whole") == 0
    kept = training.CascadeTraining.training_step
    for step in (1, 4):  # within either stage
        def cut(self, batch, batch_idx, step=step):
            if self.global_step == step:
                raise RuntimeError("power cut")
            return kept(self, batch, batch_idx)

        monkeypatch.setattr(training.CascadeTraining, "training_step", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            trained(data, config, tmp_path / "cut", "--save-minutes", "0")
    monkeypatch.setattr(training.CascadeTraining, "training_step", kept)
    assert trained(data, config, tmp_path / "cut") == 0
    one, other = (torch.load(tmp_path / name / "network.pt", weights_only=True) for name in ("whole", "cut"))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    record = json.loads((tmp_path / "cut" / "run.json").read_text())
    assert [session["outcome"] for session in record["sessions"]] == ["cut off", "cut off", "finished"]


def test_the_box_network_takes_the_detector_of_another_run(data, tmp_path):
    assert trained(data, write_config(tmp_path / "long.toml", length=2), tmp_path / "long") == 0
    config = write_config(tmp_path / "box.toml", length=2, a='"slices" -> "box_3d"')
    assert trained(data, config, tmp_path / "box", "--detector", str(tmp_path / "long")) == 0
    one, other = (torch.load(tmp_path / name / "network.pt", weights_only=True) for name in ("long", "box"))
    own = [key for key in one if key.startswith("detector.")]
    assert own and all(torch.equal(one[key], other[key]) for key in own), "taken over, and not trained on"
    assert any(not torch.equal(one[key], other[key]) for key in one if key.startswith("segmentation."))
    assert json.loads((tmp_path / "box" / "run.json").read_text())["sessions"][-1]["step"] == 2


def test_the_second_network_learns_nothing_while_the_first_does(data, tmp_path):
    only = write_config(tmp_path / "a.toml", length=2, a='trainable = "segmentation" -> trainable = "detector"')
    assert trained(data, only, tmp_path / "a") == 0
    again = write_config(tmp_path / "b.toml", length=2, segmentation=2,
                         a='trainable = "segmentation" -> trainable = "detector"')
    assert trained(data, again, tmp_path / "b") == 0
    one, other = (torch.load(tmp_path / name / "network.pt", weights_only=True) for name in "ab")
    for key in one:
        if key.startswith("segmentation."):
            assert torch.equal(one[key], other[key])
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_a_run_with_the_articles_backbone(data, tmp_path, capsys):
    channels = 'channels = [8, 8, 16] -> backbone = "vgg16"\nchannels = [2, 4, 4, 8, 8]'
    config = write_config(tmp_path / "config.toml", length=1, a=channels)
    torch.save(vgg_state(), tmp_path / "vgg.pth")
    assert trained(data, config, tmp_path / "run", "--backbone", str(tmp_path / "vgg.pth")) == 0
    assert "unused: classifier.0.weight" in (tmp_path / "run" / "log.txt").read_text()
    assert "9 anchors at each place" in (tmp_path / "run" / "log.txt").read_text()
    assert trained(data, config, tmp_path / "other", "--backbone", str(tmp_path / "absent.pth")) == 2
    assert "There is no weights file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changed, more, reason",
    [
        ('trainable = "detector" -> trainable = "head"', [], "A stage trains 'head'; here each trains detector or seg"),
        ('label = "block" -> label = "block"\nwithin = "block"', [], "looks at whole volumes"),
        ('view = "axial" -> view = "front"', [], "There is no view 'front', but coronal, sagittal, axial"),
        ("width = 16 -> wide = 16", [], r"\[network\] cannot be used"),
        ('"slices" -> "none"', ["--backbone", "a.pth"], "no detector, and no backbone to load"),
        ("width = 16 -> width = 16", ["--backbone", "a.pth"], "VGG-16 do not fit the backbone 'small'; choose vgg16"),
        ('"slices" -> "box_3d"', ["--detector", "nowhere"], "nowhere is no finished run"),
    ],
)
def test_configurations_that_cannot_be_used(changed, more, reason, data, tmp_path, capsys):
    assert trained(data, write_config(tmp_path / "config.toml", a=changed), tmp_path / "run", *more) == 2
    assert re.search(reason, capsys.readouterr().err)


def test_a_detector_of_other_slices_is_refused(data, finished, tmp_path, capsys):
    config = write_config(tmp_path / "config.toml", a='"axial" -> "coronal"')
    assert trained(data, config, tmp_path / "run", "--detector", str(finished)) == 2
    assert "looks at other slices" in capsys.readouterr().err


def test_a_finished_run_becomes_a_model_that_finds_and_says_where_it_looked(model, data, tmp_path, capsys):
    assert "detection_attention | block" in (model / "MODEL_CARD.md").read_text()
    case = read_volume_set(data / "blocks")[-1]
    assert command.main(["segment", str(case.image), "--model", str(model), "-o", str(tmp_path / "out")]) == 0
    assert "Found block." in capsys.readouterr().out
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / f"{case.name}.seg.nrrd"))) == 1
    assert dsc(found, case.mask((1,))) > 0.85
    document = json.loads((tmp_path / "out" / f"{case.name}.json").read_text())
    jsonschema.validate(document, report.generated_schema())
    said = document["objects"][0]["explanation"]
    assert (said["kind"], said["attention"], said["view"]) == ("attention", "slices", "axial")
    assert len(said["regions"]) >= 8 and all(0.3 <= each["score"] <= 1 for each in said["regions"])
    assert (tmp_path / "out" / f"{case.name}.png").stat().st_size > 1000


def test_a_trained_model_finds_the_same_in_turned_and_oblique_copies(model, data):
    pipeline, case = load_pipeline(model, "cpu"), read_volume_set(data / "blocks")[-1]
    volume = case.volume()
    (first,) = pipeline.segment(volume).objects
    for number, (values, placed, turn) in enumerate(copies(volume.voxels, volume.geometry)):
        if number % 11 == 0:
            (other,) = pipeline.segment(Volume.from_array(values, oblique(placed))).objects
            assert dsc(other.mask, turn(first.mask)) > 0.99
    box = GivenBoxes(first.explanation.box, detect=False)
    (given,) = pipeline.segment(volume, given={"block": box}).objects
    assert dsc(given.mask, first.mask) > 0.8
    blank = np.random.default_rng(0).normal(100.0, 1.0, volume.shape).astype(np.float32)
    assert pipeline.segment(Volume.from_array(blank, volume.geometry)).message.startswith(("Nothing", "Found"))


def test_networks_of_another_kind_are_no_organ_of_a_composition(tmp_path):
    parts = [
        {"method": "detection_attention", "label": "heart", "config": {}},
        {"method": "step_wise", "label": "heart"},
        {"method": "rstn", "label": "ventricle", "within": "heart"},
    ]
    made = bright_networks({"saliency": "3x3"})
    write_model(tmp_path, [dict(part) for part in parts[1:]], method="organ_then_part")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["networks"]["another"] = {**parts[0], "file": "none", "sha256": ""}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    method = OrganThenPart.from_bundle(Bundle.open(tmp_path), "cpu")
    assert set(method.organs) == {"heart"} and made is not None


def test_table_1_of_the_article(data, tmp_path, capsys):
    config = write_config(tmp_path / "config.toml", length=4)
    order = ["--data", str(data), "--config", str(config), "--output", str(tmp_path / "table")]
    assert attention_table.main(order) == 0
    printed = capsys.readouterr().out
    assert "IoU on 1 volumes of 1 patients" in printed and "| | Best IoU | Worst IoU | Average IoU |" in printed
    told, _, fallen = printed.partition("| cross entropy, steps |")
    assert [line.split(" | ")[0] for line in told.splitlines() if line.startswith("| ")][1:] == [
        f"| {title}" for title in attention_table.ROWS.values()
    ]
    assert all(f"| {title} |" in fallen for title in attention_table.VARIANTS.values()), "the article's Fig. 4"
    found = json.loads((tmp_path / "table" / "table.json").read_text())
    assert set(found["table"]) == set(attention_table.ROWS) and (tmp_path / "table" / "curves.png").exists()
    stamps = [(tmp_path / "table" / kind / "network.pt").stat().st_mtime_ns for kind in attention_table.VARIANTS]
    assert attention_table.main(order) == 0, "what is finished is not trained again"
    assert stamps == [
        (tmp_path / "table" / kind / "network.pt").stat().st_mtime_ns for kind in attention_table.VARIANTS
    ]
    write_config(tmp_path / "config.toml", a='attention = "slices" -> view_ = "axial"')
    assert attention_table.main(order) == 2 and 'must say attention = "slices"' in capsys.readouterr().err


def test_losses_as_they_fall():
    steps = np.arange(0, 120, 10)
    found = {"slices": (steps, np.linspace(1.2, 0.1, 12)), "none": (steps[:0], np.zeros(0))}
    lines = attention_table.falling(found).splitlines()
    assert lines[0].startswith("| cross entropy, steps | 0 to 18 | 18 to 37 |") and lines[0].endswith("| 92 to 111 |")
    assert lines[2] == "| ours | 1.1500 | 0.9500 | 0.7500 | 0.5500 | 0.3500 | 0.1500 ± 0.0500 |"
    assert lines[3] == "| 3D U-Net |" + "  |" * attention_table.PARTS


def test_trainings_can_be_shorter():
    text = "batch_size = 4\nepoch_length = 60\n"
    assert shorter(text, 0.5) == "batch_size = 4\nepoch_length = 30\n" and shorter(text, 1.0) == text
    assert "epoch_length = 4\n" in shorter(text, 0.01), "a batch is seen"


def test_the_figures_of_the_table():
    rows = [
        {"patient": patient, "iou": dict.fromkeys(attention_table.ROWS, value) | {"none": 0.5},
         "regions": (1, 2, 3, 4), "attention": 0.25, "name": patient}
        for patient, value in (("a", 0.4), ("a", 0.8), ("b", 0.9))
    ]  # fmt: skip
    found = attention_table.summary(rows)
    ours = found["table"]["slices"]
    assert (ours["best"], ours["worst"], ours["won"]) == (0.9, 0.4, 2) and ours["mean"] == pytest.approx(0.7)
    assert ours["more"] == pytest.approx(0.2) and ours["interval"] == pytest.approx((0.6, 0.9)), "by patient"
    assert (found["detector"]["recall"], found["detector"]["precision"]) == (0.5, 0.75)
    assert (found["volumes"], found["patients"]) == (3, 2)
    text = attention_table.markdown(found, {kind: 1234 for kind in attention_table.VARIANTS})
    assert "| 3D U-Net | 0.500 | 0.500 | 0.500 (0.500 to 0.500) |  |  | 1,234 |" in text
    assert "50 % of the true boxes met" in text


def test_regions_are_right_where_they_meet_a_true_box():
    true = regions((1, (0, 0, 10, 10), 1.0), (2, (0, 0, 10, 10), 1.0), (2, (20, 20, 30, 30), 1.0))
    found = regions((1, (0, 0, 10, 8), 0.9), (2, (0, 0, 4, 4), 0.9), (5, (0, 0, 9, 9), 0.9))
    assert training.region_figures(found, true) == (1, 3, 1, 3)
    assert training.region_figures(regions(), true) == (0, 3, 0, 0)
    assert training.iou_of(np.zeros(3, bool), np.zeros(3, bool)) == 1.0
