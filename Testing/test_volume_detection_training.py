"""Training of segmentation by detection: samples and losses, runs that go on, foreign weights, table and command."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import save_file

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch.volumes import report
from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.methods.organ_then_part import OrganThenPart
from GrayscaleDetSegLib.core.volumes.attention import attention_of, box_of
from GrayscaleDetSegLib.core.volumes.cascade import CascadeSettings
from GrayscaleDetSegLib.core.volumes.given import GivenBoxes
from GrayscaleDetSegLib.core.volumes.rpn import Rpn, RpnConfig
from GrayscaleDetSegLib.core.volumes.views import bounding_box, dsc
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.core.weights import Bundle
from Testing.attention_models import cascade_networks, regions, trained, write_blocks, write_config
from Testing.test_volume_grid import copies, oblique
from Testing.volume_models import block, bright_networks, write_model
from training.runs.stages import Stage
from training.volumes import attention_table
from training.volumes import detection_attention as training
from training.volumes.backbones import load_backbone
from training.volumes.bundle import write_bundle
from training.volumes.cases import VolumeDataError, read_volume_set
from training.volumes.data import Prepared
from training.volumes.regions import (
    anchor_recall,
    detection_loss,
    fitted_shapes,
    matched,
    sampled,
    true_attention,
    true_boxes,
    true_regions,
)
from training.volumes.whole import Variation, VolumeDataset, patch_window, varied


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


def two_blobs() -> np.ndarray:
    mask = np.zeros((4, 20, 30), bool)
    mask[1, 2:6, 3:10] = mask[1, 12:18, 20:29] = mask[2, 5:9, 5:9] = True
    mask[2, 15, 15] = True  # a single voxel is no region beside another one
    mask[3, 7, 7] = True
    return mask


def test_every_part_of_a_slice_has_a_tight_box():
    mask = two_blobs()
    assert true_boxes(mask[1]).tolist() == [[3, 2, 10, 6], [20, 12, 29, 18]]
    assert true_boxes(mask[2]).tolist() == [[5, 5, 9, 9]] and true_boxes(mask[3]).tolist() == [[7, 7, 8, 8]]
    assert true_boxes(mask[0]).shape == (0, 4)
    assert true_regions(mask, "axial").index.tolist() == [1, 1, 2, 3]
    attention = true_attention(mask, "axial")
    assert attention.sum() == 4 * 7 + 6 * 9 + 16 + 1 and attention[mask].sum() == mask.sum() - 1
    assert np.array_equal(training.true_box(mask), box_of(mask.shape, bounding_box(mask)))
    assert training.true_box(mask, 0.1).sum() > training.true_box(mask).sum()
    assert not training.true_box(np.zeros_like(mask), 0.1).any()


def test_anchors_learn_what_they_meet():
    truth = np.array([[0, 0, 10, 10], [30, 30, 34, 40]], float)
    anchors = np.array(
        [[0, 0, 10, 9], [0, 0, 10, 6], [0, 0, 9, 2], [50, 50, 60, 60], [30, 30, 40, 40]], float
    )  # IoU 0.9, 0.6, below 0.3, 0; and 0.4 with the second box, which no other anchor meets
    kind, nearest = matched(anchors, truth)
    assert kind.tolist() == [1, -1, 0, 0, 1] and nearest[[0, 4]].tolist() == [0, 1]
    assert matched(anchors, np.zeros((0, 4)))[0].tolist() == [0] * 5
    assert matched(anchors + 500, truth)[0].tolist() == [0] * 5, "an anchor that meets nothing is the best of nothing"


def test_a_step_learns_from_some_objects_and_all_background():
    kind = np.array([1, 0, 0, 0, -1, 0, 0, 1])
    objects, background = sampled(kind, 8, np.random.default_rng(0))
    assert objects.tolist() == [0, 7] and background.tolist() == [1, 2, 3, 5, 6]
    many, _ = sampled(np.ones(20), 4, np.random.default_rng(0))
    assert len(set(many.tolist())) == 4 and many.tolist() == sorted(many)


def test_the_loss_is_log_loss_and_smooth_l1():
    logits = torch.tensor([[0.0, 2.0], [1.0, 0.0], [5.0, 5.0], [3.0, 0.0]])
    offsets = torch.tensor([[0.5, 0.0, 0.0, 2.0], [9.0] * 4, [9.0] * 4, [9.0] * 4])
    chosen = np.array([0]), np.array([1, 3]), np.zeros((1, 4))
    scores, places = detection_loss(logits, offsets, *chosen, 2.0)
    of_object, *of_background = (np.log1p(np.exp(-margin)) for margin in (2.0, 1.0, 3.0))
    assert float(scores) == pytest.approx((of_object + sum(of_background)) / 3, rel=1e-5), "as two drawn of two"
    heavier, _ = detection_loss(logits, offsets, *chosen, 8.0)
    assert float(heavier) == pytest.approx((of_object + 4 * sum(of_background)) / 9, rel=1e-5)
    assert float(places) == pytest.approx(0.5 * 0.25 + 1.5), "0.5 t^2 below 1, |t| - 0.5 above, summed over x, y, w, h"
    alone, nothing = detection_loss(logits, offsets, np.zeros(0, int), np.array([1, 3]), np.zeros((0, 4)), 2.0)
    assert float(nothing) == 0.0 and float(alone) == pytest.approx(sum(of_background) / 2, rel=1e-5)


def test_anchors_are_fitted_to_the_boxes_of_train():
    mask = np.zeros((8, 40, 20), bool)
    for index, side in enumerate((6, 6, 10, 10, 20, 20)):
        mask[index, : 2 * (side // 2), : side // 2] = True
    scales, ratios = fitted_shapes([mask], "axial")
    np.testing.assert_allclose(scales, np.sqrt([18, 50, 200]) / 40, atol=0.03)
    assert ratios == [2.0, 2.0, 2.0]
    assert anchor_recall([mask], "axial", scales, [2.0], 1 / 40) > 0.9
    assert anchor_recall([mask], "axial", [0.9], [1.0], 1 / 40) == 0.0


def test_volumes_are_varied_with_their_masks():
    voxels, mask, _ = block()
    image = (voxels / 1000.0).astype(np.float32)
    still = Variation(0.0, 0.0, 0.0, 0.0)
    same, known = varied(image, mask, np.random.default_rng(0), still)
    np.testing.assert_allclose(same, image, atol=1e-4)
    assert np.array_equal(known, mask)
    for seed in range(4):
        other, moved = varied(image, mask, np.random.default_rng(seed), Variation(20.0, 0.1, 0.1, 0.0))
        assert dsc(moved, other > 0.5) > 0.93 and dsc(moved, mask) < 0.97
        assert moved.sum() == pytest.approx(mask.sum(), rel=0.45)


def test_samples_depend_on_their_number_alone():
    voxels, mask, _ = block()
    cases = [Prepared(np.clip(voxels / 4, 0, 255).astype(np.uint8), mask)]
    first, again = (VolumeDataset(cases, 3, "coronal", 6, (8, 99, 10)) for _ in range(2))
    one, other = first[7], again[7]
    assert torch.equal(one.image, other.image) and one.slices == other.slices and one.window == other.window
    assert not torch.equal(first[8].image, one.image)
    assert len(set(one.slices)) == 6 and one.image[one.window].shape == (8, 26, 10)
    shown = np.flatnonzero(one.truth.numpy().any((0, 2)))
    assert len(set(one.slices) & set(shown.tolist())) >= 3
    with pytest.raises(VolumeDataError, match="No volume shows the target"):
        VolumeDataset([Prepared(cases[0].gray, np.zeros_like(mask))], 3, "axial", 6)


def test_most_windows_hold_some_of_the_target():
    mask = np.zeros((40, 40, 40), bool)
    mask[35, 2, 20] = True
    random = np.random.default_rng(0)
    windows = [patch_window(mask, (8, 8, 80), random) for _ in range(300)]
    assert all((z.stop - z.start, y.stop - y.start, x.stop - x.start) == (8, 8, 40) for z, y, x in windows)
    held = np.mean([mask[window].any() for window in windows])
    assert 0.6 < held < 0.8 and min(z.start for z, _, _ in windows) >= 0


def module_of(attention: str) -> training.CascadeTraining:
    torch.manual_seed(0)
    stages = [Stage("detector", 1e-3, 1), Stage("segmentation", 1e-3, 1)]
    return training.CascadeTraining(cascade_networks(attention), stages, 1, CascadeSettings(), dice=0.5)


def test_each_stage_teaches_its_own_network(monkeypatch):
    voxels, mask, _ = block()
    sample = VolumeDataset([Prepared(np.clip(voxels / 4, 0, 255).astype(np.uint8), mask)], 3, "axial", 6)[0]
    module = module_of("slices")
    monkeypatch.setattr(module, "log_dict", lambda *_, **__: None)
    for stage, other in (("detector", "segmentation"), ("segmentation", "detector")):
        module.zero_grad()
        module.freeze(stage)
        losses = getattr(module, "detection" if stage == "detector" else "segmentation")([sample])
        torch.stack(list(losses.values())).sum().backward()
        assert all(each.grad is not None and each.grad.abs().sum() > 0 for name, each in
                   getattr(module.network, stage).named_parameters() if not name.startswith("regress"))
        assert all(each.grad is None for each in getattr(module.network, other).parameters())
    assert set(losses) == {"entropy", "dice"}


def test_the_attention_of_training_is_that_of_use(monkeypatch):
    voxels, mask, _ = block()
    sample = VolumeDataset([Prepared(np.clip(voxels / 4, 0, 255).astype(np.uint8), mask)], 3, "axial", 6)[0]
    truth = sample.truth.numpy()
    assert module_of("none").attention(sample) is None
    assert np.array_equal(module_of("box_3d").attention(sample), training.true_box(truth))
    module, nothing = module_of("slices"), regions()
    said = regions((8, (3.0, 4.0, 9.0, 9.0), 0.8))
    for found, wanted in ((said, attention_of(truth.shape, "axial", said)), (nothing, true_attention(truth, "axial"))):
        monkeypatch.setattr("GrayscaleDetSegLib.core.volumes.cascade.proposed", lambda *_, found=found: found)
        assert np.array_equal(module.attention(sample), wanted)


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


def vgg_state(config: RpnConfig, **more) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    body = Rpn(config).backbone.body
    state = {f"features.{name}": torch.rand_like(values) for name, values in body.state_dict().items()}
    return {**state, "classifier.0.weight": torch.rand(4, 4), **more}


VGG = RpnConfig("vgg16", channels=(2, 4, 4, 8, 8), width=4)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_weights_of_imagenet_are_loaded_from_a_local_file(kind, tmp_path):
    state, path = vgg_state(VGG), tmp_path / f"vgg.{kind}"
    (save_file if kind == "safetensors" else torch.save)(state, path)
    network = Rpn(VGG)
    report = load_backbone(network, path)
    assert len(report.loaded) == 26 and report.unused == ("classifier.0.weight",)
    assert report.text == "26 tensors of the backbone loaded; unused: classifier.0.weight"
    assert torch.equal(network.backbone.body[28].weight, state["features.28.weight"])


def test_weights_that_are_none_of_vgg_16(tmp_path):
    path = tmp_path / "vgg.pth"
    cases = [
        ({key: each for key, each in vgg_state(VGG).items() if "10" not in key}, "'features.10.weight' is missing"),
        ({**vgg_state(VGG), "features.2.bias": torch.rand(3)}, r"'features.2.bias' has the shape \(3,\) instead"),
        ([1, 2], "holds no state dict of tensors"),
        ({"a": "text"}, "holds no state dict of tensors"),
    ]
    for state, reason in cases:
        torch.save(state, path)
        network = Rpn(VGG)
        before = network.backbone.body[0].weight.clone()
        with pytest.raises(WeightsError, match=reason):
            load_backbone(network, path)
        assert torch.equal(network.backbone.body[0].weight, before)
    torch.save(Stage("all", 1.0, 1), path)  # a pickle that would run code
    with pytest.raises(WeightsError, match="cannot be read"):
        load_backbone(Rpn(VGG), path)
    for name, content in (("a.safetensors", b"nothing"), ("a.pth", b"nothing")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match="cannot be read"):
            load_backbone(Rpn(VGG), tmp_path / name)
    with pytest.raises(WeightsError, match="cannot be read .No such file"):
        load_backbone(Rpn(VGG), tmp_path / "absent.pth")
    with pytest.raises(WeightsError, match="do not fit the backbone 'small'"):
        load_backbone(Rpn(RpnConfig()), path)


def test_a_run_with_the_articles_backbone(data, tmp_path, capsys):
    channels = 'channels = [8, 8, 16] -> backbone = "vgg16"\nchannels = [2, 4, 4, 8, 8]'
    config = write_config(tmp_path / "config.toml", length=1, a=channels)
    torch.save(vgg_state(VGG), tmp_path / "vgg.pth")
    assert trained(data, config, tmp_path / "run", "--backbone", str(tmp_path / "vgg.pth")) == 0
    assert "unused: classifier.0.weight" in (tmp_path / "run" / "log.txt").read_text()
    assert "9 anchors at each place" in (tmp_path / "run" / "log.txt").read_text()
    assert trained(data, config, tmp_path / "other", "--backbone", str(tmp_path / "absent.pth")) == 2
    assert "cannot be read (No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changed, more, reason",
    [
        ('trainable = "detector" -> trainable = "head"', [], "A stage trains 'head'; here each trains detector or seg"),
        ('label = "block" -> label = "block"\nwithin = "block"', [], "looks at whole volumes"),
        ('view = "axial" -> view = "front"', [], "There is no view 'front', but coronal, sagittal, axial"),
        ("width = 16 -> wide = 16", [], r"\[network\] cannot be used"),
        ('"slices" -> "none"', ["--backbone", "a.pth"], "no detector, and no backbone to load"),
        ('"slices" -> "box_3d"', ["--detector", "nowhere"], "nowhere is no finished run"),
    ],
)
def test_configurations_that_cannot_be_used(changed, more, reason, data, tmp_path, capsys):
    assert trained(data, write_config(tmp_path / "config.toml", a=changed), tmp_path / "run", *more) == 2
    import re

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
    assert [line.split(" | ")[0] for line in printed.splitlines() if line.startswith("| ")][1:] == [
        f"| {title}" for title in attention_table.ROWS.values()
    ]
    found = json.loads((tmp_path / "table" / "table.json").read_text())
    assert set(found["table"]) == set(attention_table.ROWS) and (tmp_path / "table" / "curves.png").exists()
    stamps = [(tmp_path / "table" / kind / "network.pt").stat().st_mtime_ns for kind in attention_table.VARIANTS]
    assert attention_table.main(order) == 0, "what is finished is not trained again"
    assert stamps == [
        (tmp_path / "table" / kind / "network.pt").stat().st_mtime_ns for kind in attention_table.VARIANTS
    ]
    write_config(tmp_path / "config.toml", a='attention = "slices" -> view_ = "axial"')
    assert attention_table.main(order) == 2 and 'must say attention = "slices"' in capsys.readouterr().err


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
