"""Weights of others become a run to start from, and every tensor that is not used or not filled is named."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("lightning", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core.errors import WeightsError  # noqa: E402
from training import box_detector, convert, detector  # noqa: E402
from training.convert import PUBLISHED_ANCHORS, convert_darknet, convert_pointnet  # noqa: E402
from training.darknet_weights import save_darknet  # noqa: E402
from training.data import CLASSES  # noqa: E402
from training.networks import PointNet, PointNetConfig, YoloConfig, build_yolo  # noqa: E402
from training.simulate.sets import write_set  # noqa: E402

WIDTH = 0.0625
NARROW, MIDDLE, FEATURES, DENSE = 4, 8, 64, (32, 16)
"""64, 128, 1024 and (512, 256) of the published network at that width."""


class PublicTransform(nn.Module):
    """A T-Net with the names of the public layouts."""

    def __init__(self, inputs, size):
        super().__init__()
        self.size = size
        self.conv1, self.conv2 = nn.Conv1d(inputs, NARROW, 1), nn.Conv1d(NARROW, MIDDLE, 1)
        self.conv3 = nn.Conv1d(MIDDLE, FEATURES, 1)
        self.fc1, self.fc2 = nn.Linear(FEATURES, DENSE[0]), nn.Linear(*DENSE)
        self.fc3 = nn.Linear(DENSE[1], size * size)
        for number, count in enumerate((NARROW, MIDDLE, FEATURES, *DENSE), start=1):
            setattr(self, f"bn{number}", nn.BatchNorm1d(count))

    def forward(self, x):
        for number in (1, 2, 3):
            x = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x)).relu()
        x = self.bn5(self.fc2(self.bn4(self.fc1(x.amax(2))).relu())).relu()
        return self.fc3(x).view(-1, self.size, self.size) + torch.eye(self.size)


class PublicFeatures(nn.Module):
    def __init__(self, inputs, with_transform):
        super().__init__()
        self.stn = PublicTransform(inputs, 3)
        for number, (before, after) in enumerate(((inputs, NARROW), (NARROW, MIDDLE), (MIDDLE, FEATURES)), start=1):
            setattr(self, f"conv{number}", nn.Conv1d(before, after, 1))
            setattr(self, f"bn{number}", nn.BatchNorm1d(after))
        if with_transform:
            self.fstn = PublicTransform(NARROW, NARROW)

    def forward(self, x):
        x = torch.bmm(x.transpose(1, 2), self.stn(x)).transpose(1, 2)
        x = self.bn1(self.conv1(x)).relu()
        transform = self.fstn(x) if hasattr(self, "fstn") else torch.eye(NARROW)[None]
        x = (x.transpose(1, 2) @ transform).transpose(1, 2)
        return self.bn3(self.conv3(self.bn2(self.conv2(x)).relu())), transform


class Public(nn.Module):
    """A PointNet with the names of the public layouts, whose weights are anything but special."""

    def __init__(self, inputs=3, with_transform=False, classes=40):
        super().__init__()
        self.feat = PublicFeatures(inputs, with_transform)
        self.fc1, self.fc2, self.fc3 = nn.Linear(FEATURES, DENSE[0]), nn.Linear(*DENSE), nn.Linear(DENSE[1], classes)
        self.bn1, self.bn2 = nn.BatchNorm1d(DENSE[0]), nn.BatchNorm1d(DENSE[1])
        generator = torch.Generator().manual_seed(1)
        for name, tensor in self.state_dict().items():
            if "num_batches" not in name:
                tensor.copy_(0.5 * torch.rand(tensor.shape, generator=generator) + 0.1 * ("var" in name) - 0.2 * (
                    "var" not in name))  # fmt: skip
        self.eval()


def config(context=False):
    return PointNetConfig(CLASSES, WIDTH, context)


def everything_is_named(conversion, given, network):
    """No tensor of the file and none of the network goes unmentioned."""
    assert set(conversion.used) | {key.split(",")[0] for key in conversion.unused} >= set(given)
    assert not set(conversion.used) & set(conversion.unused)
    passing = {key for key in network.state_dict() for name in conversion.passing
               if key.startswith(f"{name}.") or key.startswith(f"{name[:-1]}{int(name[-1]) + 1}.")}  # fmt: skip
    told = set(conversion.used.values()) | set(conversion.initial) | passing
    assert {key for key in network.state_dict() if "num_batches" not in key} <= told
    text = conversion.text()
    assert all(name in text for name in (*conversion.unused, *conversion.initial, *conversion.passing))


@pytest.mark.parametrize("layout", ["plain", "nested", "parallel"])
def test_a_public_checkpoint_computes_what_it_did(layout, tmp_path):
    source = Public()
    state = source.state_dict()
    if layout == "nested":
        state = {"epoch": 3, "class_acc": np.float64(0.9), "instance_acc": np.float32(0.8), "model_state_dict": state}
    elif layout == "parallel":
        state = {f"module.{key}": value for key, value in state.items()}
    torch.save(state, tmp_path / "model.pth")
    network, conversion = convert_pointnet(tmp_path / "model.pth", config())
    everything_is_named(conversion, source.state_dict(), network)
    assert set(conversion.unused) == {"fc3.weight", "fc3.bias"} | (
        {"epoch", "class_acc", "instance_acc"} if layout == "nested" else set())  # fmt: skip
    assert conversion.passing == ("first.3", "second.0")
    initial = {name for name in conversion.initial if not name.startswith("feature_transform")}
    assert initial == {"classifier.weight", "classifier.bias"}
    points = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(2))
    network.eval()
    with torch.no_grad():
        theirs = source.feat(points.transpose(1, 2))[0].amax(2).relu()  # ours has a ReLU there, as in the article
        ours = network.point_features(points)[0].amax(1)
        assert theirs.std() > 0.01
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        dense = source.bn2(source.fc2(source.bn1(source.fc1(theirs)).relu())).relu()
        torch.testing.assert_close(network.head(ours), dense, rtol=1e-4, atol=1e-5)


def test_transforms_and_points_with_normals(tmp_path):
    source = Public(6, True)
    torch.save({"model_state_dict": source.state_dict()}, tmp_path / "model.pth")
    network, conversion = convert_pointnet(tmp_path / "model.pth", config())
    everything_is_named(conversion, source.state_dict(), network)
    assert {key for key in conversion.unused if "columns" in key} == {
        "feat.stn.conv1.weight, columns 4 to 6", "feat.conv1.weight, columns 4 to 6"}  # fmt: skip
    assert not any(name.startswith("feature_transform") for name in conversion.initial)
    network.eval()
    features = torch.rand(2, 30, NARROW, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(
            network.feature_transform(features), source.feat.fstn(features.transpose(1, 2)), rtol=1e-4, atol=1e-5
        )
    assert torch.equal(network.first[0].weight, source.feat.conv1.weight[:, :3, 0])


def test_a_head_that_sees_the_whole_region_stays_fresh(tmp_path):
    torch.save(Public().state_dict(), tmp_path / "model.pth")
    network, conversion = convert_pointnet(tmp_path / "model.pth", config(context=True))
    everything_is_named(conversion, Public().state_dict(), network)
    assert "head.0.weight" in conversion.initial and "sees less" in conversion.unused["fc1.weight"]


def test_our_own_names_and_files_that_do_not_fit(tmp_path):
    path = tmp_path / "model.pth"
    own = PointNet(PointNetConfig(("chair", "table"), WIDTH, False))
    torch.save(own.state_dict(), path)
    network, conversion = convert_pointnet(path, config())
    everything_is_named(conversion, own.state_dict(), network)
    assert set(conversion.initial) == {"classifier.weight", "classifier.bias"} == set(conversion.unused)
    assert torch.equal(network.second[0].weight, own.second[0].weight)
    for state, message in (
        ({"backbone.weight": torch.zeros(3)}, "no known PointNet.*backbone.weight"),
        ({}, "is missing"),
        ([torch.zeros(3)], "no named tensors"),
        ({key: value for key, value in Public().state_dict().items() if key != "feat.conv2.weight"}, "'second.3.wei"),
        ({**Public().state_dict(), "feat.conv3.weight": torch.zeros(7, 7, 1)}, "second.6.weight.*width 1"),
        ({**Public().state_dict(), "fc1.bias": torch.zeros(7)}, "'fc1.bias' has the shape"),
    ):
        torch.save(state, path)
        with pytest.raises(WeightsError, match=message):
            convert_pointnet(path, config())
    extra = {**Public().state_dict(), "feat.extra.weight": torch.zeros(3)}
    torch.save(extra, path)
    assert "no such tensor" in convert_pointnet(path, config())[1].unused["feat.extra.weight"]


class Payload:
    """Something that a pickle would run code to make."""

    def __reduce__(self):
        return print, ("code ran",)


def test_pickles_with_more_than_tensors_are_not_opened(tmp_path, capsys):
    path = tmp_path / "model.pth"
    for content in ({"model_state_dict": Public().state_dict(), "args": Payload()}, Public()):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="not opened"):
            convert_pointnet(path, config())
    path.write_bytes(b"no such thing")
    with pytest.raises(WeightsError):
        convert_pointnet(path, config())
    with pytest.raises(WeightsError, match="no file"):
        convert_pointnet(tmp_path / "nowhere.pth", config())
    assert "code ran" not in capsys.readouterr().out


def yolo(variant="tiny", classes=CLASSES):
    anchors = tuple((float(w), float(h)) for w, h in PUBLISHED_ANCHORS[variant])
    return YoloConfig(variant, tuple(classes), anchors, 64, 3, 0.125)


@pytest.mark.parametrize("variant", ["tiny", "darknet53"])
@pytest.mark.parametrize("count", [80, len(CLASSES)])
def test_darknet_weights_without_their_output_layers(variant, count, tmp_path):
    source = build_yolo(yolo(variant, map(str, range(count))))
    save_darknet(source, tmp_path / "coco.weights")
    network, conversion = convert_darknet(tmp_path / "coco.weights", yolo(variant))
    outputs = {name for name, _ in source.named_modules() if name.endswith(".output")}
    assert set(conversion.unused) == outputs and f"{count} classes" in conversion.source
    assert set(conversion.initial) == {f"{name}.{kind}" for name in outputs for kind in ("weight", "bias")}
    given = source.state_dict()
    for key, tensor in network.state_dict().items():
        assert key in conversion.initial or "num_batches" in key or torch.equal(tensor, given[key]), key
        if key in conversion.initial and tensor.shape == given[key].shape and key.endswith("weight"):
            assert not torch.equal(tensor, given[key]), "they stand for other classes, even if as many"


def test_a_darknet_backbone_and_files_that_do_not_fit(tmp_path):
    source, path = build_yolo(yolo()), tmp_path / "yolov3-tiny.conv.15"
    save_darknet(source, path)
    size = sum(tensor.numel() for key, tensor in source.state_dict().items()
               if key.startswith(("shallow", "deep")) and "num_batches" not in key)  # fmt: skip
    path.write_bytes(path.read_bytes()[: 20 + 4 * size])
    network, conversion = convert_darknet(path, yolo())
    assert "backbone" in conversion.source and not conversion.unused
    assert {name.split(".")[0] for name in conversion.initial} == {"head_coarse", "head_middle", "lateral"}
    assert torch.equal(network.shallow[0].convolution.weight, source.shallow[0].convolution.weight)
    for content in (b"", path.read_bytes()[:-4], struct.pack("<3iq", 0, 2, 0, 0)):
        path.write_bytes(content)
        with pytest.raises(WeightsError):
            convert_darknet(path, yolo())
    with pytest.raises(WeightsError, match="cannot be read"):
        convert_darknet(tmp_path / "nowhere.weights", yolo())


DETECTOR = """
variant = "tiny"
input_size = 64
channels = 3
width = 0.125
seed = 3
batch_size = 4
validate_every = 9
sets = ["simulated"]
[[stages]]
trainable = "output"
learning_rate = 1e-3
epochs = 1
"""
BOX = """
width = 0.0625
context = false
side = 8
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
"""


@pytest.mark.parametrize("kind", ["detector", "box"])
def test_a_training_starts_from_converted_weights(kind, tmp_path, capsys):
    write_set(tmp_path / "data" / "simulated", ["chest", "knee"], 5, 64, 0)
    experiment, run, file = tmp_path / "experiment.toml", tmp_path / "converted", tmp_path / "file"
    experiment.write_text(DETECTOR if kind == "detector" else BOX)
    if kind == "detector":
        save_darknet(build_yolo(yolo(classes=map(str, range(80)))), file)
    else:
        torch.save(Public(with_transform=True).state_dict(), file)
    order = [str(file), "--config", str(experiment), "--output", str(run)]
    assert convert.main(order) == 0
    said, kept = capsys.readouterr().out, json.loads((run / "conversion.json").read_text())
    assert all(name in said for name in [*kept["unused"], *kept["initial"]]) and kept["initial"]
    start = torch.load(run / "network.pt", weights_only=True)
    main = {"detector": detector.main, "box": box_detector.main}[kind]
    assert main(["--data", str(tmp_path / "data"), "--config", str(experiment), "--output", str(tmp_path / "run"),
                 "--from", str(run), "--workers", "0", "--accelerator", "cpu"]) == 0  # fmt: skip
    trained = torch.load(tmp_path / "run" / "network.pt", weights_only=True)
    assert {name.split(".")[0] for name in start if not torch.equal(start[name], trained[name])} == (
        {"head_coarse", "head_middle"} if kind == "detector" else {"head", "classifier"})  # fmt: skip
    if kind == "detector":
        described = [json.loads((folder / "network.json").read_text()) for folder in (run, tmp_path / "run")]
        assert described[0]["anchors"] != described[1]["anchors"], "those of the data, for the output layers are fresh"
    file.write_bytes(b"junk")
    assert convert.main(order) == 2 and capsys.readouterr().err.count("\n") == 1
    experiment.write_text("seed = 1")
    assert convert.main(order) == 2
