"""Darknet's weight files: the layout is written here by hand, in the order of the published cfg files."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.errors import WeightsError
from training import networks
from training.darknet_weights import load_darknet, number_count, save_darknet
from training.networks import YoloConfig

CLASSES = ("right lung", "left lung", "femur", "tibia", "teeth")
ANCHORS = tuple((10.0 * i, 12.0 * i) for i in range(1, 10))

# (name of our layer, filters, size, inputs) of every [convolutional] in pjreddie/darknet cfg/yolov3-tiny.cfg, in order;
# filters None is the linear output layer without batch norm (filters=255 for COCO)
TINY = [
    ("shallow.0", 16, 3, 3),
    ("shallow.2", 32, 3, 16),
    ("shallow.4", 64, 3, 32),
    ("shallow.6", 128, 3, 64),
    ("shallow.8", 256, 3, 128),
    ("deep.1", 512, 3, 256),
    ("deep.3", 1024, 3, 512),
    ("deep.4", 256, 1, 1024),
    ("head_coarse.hidden", 512, 3, 256),
    ("head_coarse.output", None, 1, 512),
    ("lateral", 128, 1, 256),
    ("head_middle.hidden", 256, 3, 128 + 256),
    ("head_middle.output", None, 1, 256),
]


def residuals(stage: int, filters: int, repeats: int) -> list[tuple]:
    """The [convolutional] pairs before each [shortcut] of a stage."""
    layers = []
    for block in range(1, repeats + 1):
        layers.append((f"backbone.stages.{stage}.{block}.squeeze", filters // 2, 1, filters))
        layers.append((f"backbone.stages.{stage}.{block}.expand", filters, 3, filters // 2))
    return layers


# cfg/yolov3.cfg
BACKBONE = [
    ("backbone.stem", 32, 3, 3),
    ("backbone.stages.0.0", 64, 3, 32),
    *residuals(0, 64, 1),
    ("backbone.stages.1.0", 128, 3, 64),
    *residuals(1, 128, 2),
    ("backbone.stages.2.0", 256, 3, 128),
    *residuals(2, 256, 8),
    ("backbone.stages.3.0", 512, 3, 256),
    *residuals(3, 512, 8),
    ("backbone.stages.4.0", 1024, 3, 512),
    *residuals(4, 1024, 4),
]
DARKNET53 = [
    *BACKBONE,
    ("neck_coarse.layers.0", 512, 1, 1024),
    ("neck_coarse.layers.1", 1024, 3, 512),
    ("neck_coarse.layers.2", 512, 1, 1024),
    ("neck_coarse.layers.3", 1024, 3, 512),
    ("neck_coarse.layers.4", 512, 1, 1024),
    ("head_coarse.hidden", 1024, 3, 512),
    ("head_coarse.output", None, 1, 1024),
    ("lateral_middle", 256, 1, 512),
    ("neck_middle.layers.0", 256, 1, 256 + 512),
    ("neck_middle.layers.1", 512, 3, 256),
    ("neck_middle.layers.2", 256, 1, 512),
    ("neck_middle.layers.3", 512, 3, 256),
    ("neck_middle.layers.4", 256, 1, 512),
    ("head_middle.hidden", 512, 3, 256),
    ("head_middle.output", None, 1, 512),
    ("lateral_fine", 128, 1, 256),
    ("neck_fine.layers.0", 128, 1, 128 + 256),
    ("neck_fine.layers.1", 256, 3, 128),
    ("neck_fine.layers.2", 128, 1, 256),
    ("neck_fine.layers.3", 256, 3, 128),
    ("neck_fine.layers.4", 128, 1, 256),
    ("head_fine.hidden", 256, 3, 128),
    ("head_fine.output", None, 1, 256),
]
LAYERS = {"tiny": TINY, "darknet53": DARKNET53}


def build(variant: str, width: float = 1.0, classes=CLASSES, channels: int = 3):
    anchors = ANCHORS[: {"tiny": 6, "darknet53": 9}[variant]]
    return networks.build_yolo(YoloConfig(variant, tuple(classes), anchors, 64, channels, width))


def written(path, layers, classes: int, width: float = 1.0, version=(0, 2, 0), seed=0) -> dict[str, np.ndarray]:
    """Write random numbers in Darknet's layout; returns what each of our tensors must hold afterwards."""
    random, expected = np.random.default_rng(seed), {}
    head = struct.pack("<3i", *version)
    head += struct.pack("<q" if version[0] * 10 + version[1] >= 2 else "<i", 1234)

    def narrow(count: int) -> int:
        return round(count * width)

    with open(path, "wb") as stream:
        stream.write(head)
        for name, filters, size, inputs in layers:
            first = name in ("shallow.0", "backbone.stem")
            inputs = inputs if first else narrow(inputs)
            outputs = 3 * (5 + classes) if filters is None else narrow(filters)
            if filters is None:
                keys, shapes = ["bias"], [(outputs,)]
                weights = "weight"
            else:
                keys = ["norm.bias", "norm.weight", "norm.running_mean", "norm.running_var"]
                shapes, weights = [(outputs,)] * 4, "convolution.weight"
            keys, shapes = [*keys, weights], [*shapes, (outputs, inputs, size, size)]
            for key, shape in zip(keys, shapes):
                values = random.random(shape, np.float32) + (0.5 if key == "norm.running_var" else -0.5)
                stream.write(values.astype("<f4").tobytes())
                expected[f"{name}.{key}"] = values
    return expected


def check(network, expected, skip=()):
    state = network.state_dict()
    compared = 0
    for key, values in expected.items():
        if not key.startswith(tuple(skip)) or not skip:
            np.testing.assert_array_equal(state[key].numpy(), values, err_msg=key)
            compared += 1
    tensors = [key for key in state if "num_batches" not in key and not (skip and key.startswith(tuple(skip)))]
    assert compared == len(tensors), "the hand-written list has every tensor of the network, and no other"


@pytest.mark.parametrize("variant, width", [("tiny", 0.25), ("tiny", 1.0), ("darknet53", 0.125)])
@pytest.mark.parametrize("version", [(0, 2, 0), (0, 1, 0)])
def test_reads_the_published_layout(tmp_path, variant, width, version):
    expected = written(tmp_path / "a.weights", LAYERS[variant], len(CLASSES), width, version)
    network = build(variant, width)
    report = load_darknet(network, tmp_path / "a.weights")
    check(network, expected)
    assert report.loaded == tuple(name for name, *_ in LAYERS[variant])
    assert report.skipped == report.absent == ()
    assert report.seen == 1234


@pytest.mark.parametrize("variant, width", [("tiny", 0.25), ("darknet53", 0.125)])
def test_writes_the_published_layout(tmp_path, variant, width):
    written(tmp_path / "a.weights", LAYERS[variant], len(CLASSES), width)
    network = build(variant, width)
    load_darknet(network, tmp_path / "a.weights")
    save_darknet(network, tmp_path / "b.weights", seen=1234)
    assert (tmp_path / "a.weights").read_bytes() == (tmp_path / "b.weights").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.weights", "b.weights"]


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.weights"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_darknet(build("tiny", 0.125), path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("variant, numbers", [("darknet53", 62_001_757), ("tiny", 8_858_734)])
def test_number_counts_are_those_of_the_published_files(variant, numbers):
    """yolov3.weights has 248,007,048 bytes, yolov3-tiny.weights 35,434,956: 20 of them are the header."""
    with torch.device("meta"):
        network = build(variant)
    assert number_count(network, 80) == numbers
    with torch.device("meta"):
        own = build(variant, classes=range(80))
    assert number_count(own) == numbers


def test_backbone_count_is_that_of_the_published_file():
    """darknet53.conv.74 has 162,482,580 bytes."""
    with torch.device("meta"):
        backbone = build("darknet53").backbone
    tensors = [tensor for name, tensor in backbone.state_dict().items() if "num_batches" not in name]
    assert 20 + 4 * sum(tensor.numel() for tensor in tensors) == 162_482_580


@pytest.mark.parametrize("variant, width", [("tiny", 0.25), ("darknet53", 0.125)])
def test_output_layers_of_other_classes_are_skipped(tmp_path, variant, width):
    expected = written(tmp_path / "coco.weights", LAYERS[variant], 80, width)
    network = build(variant, width)
    outputs = [name for name, filters, *_ in LAYERS[variant] if filters is None]
    before = {key: value.clone() for key, value in network.state_dict().items() if key.startswith(tuple(outputs))}
    report = load_darknet(network, tmp_path / "coco.weights", file_classes=80)
    check(network, expected, skip=outputs)
    assert report.skipped == tuple(outputs)
    assert set(report.loaded) == {name for name, *_ in LAYERS[variant]} - set(outputs)
    for key, value in before.items():
        assert torch.equal(network.state_dict()[key], value)


@pytest.mark.parametrize(
    "variant, width, layers",
    [("darknet53", 0.125, BACKBONE), ("tiny", 0.25, TINY[:8]), ("tiny", 0.25, TINY[:9])],
    ids=["darknet53.conv.74", "tiny backbone", "yolov3-tiny.conv.15"],
)
def test_backbone_files(tmp_path, variant, width, layers):
    expected = written(tmp_path / "backbone", layers, 80, width)
    network = build(variant, width)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    report = load_darknet(network, tmp_path / "backbone", stop_after="backbone")
    assert report.loaded == tuple(name for name, *_ in layers)
    assert report.absent == tuple(name for name, *_ in LAYERS[variant][len(layers) :])
    for key, value in network.state_dict().items():
        assert torch.equal(value, torch.from_numpy(expected[key]) if key in expected else before[key]), key
    with pytest.raises(WeightsError, match="truncated"):
        load_darknet(network, tmp_path / "backbone")


def test_a_backbone_file_must_hold_the_whole_backbone(tmp_path):
    written(tmp_path / "backbone", TINY[:7], 80, 0.25)
    with pytest.raises(WeightsError, match="truncated"):
        load_darknet(build("tiny", 0.25), tmp_path / "backbone", stop_after="backbone")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: b"", "empty"),
        (lambda data: data[:7], "header"),
        (lambda data: data[:18], "header"),
        (lambda data: data[:20], "truncated"),
        (lambda data: data[:-4], "truncated"),
        (lambda data: data[:-1], "end within a number"),
        (lambda data: data + b"\0", "end within a number"),
        (lambda data: data + b"\0\0\0\0", "go on after their end"),
        (lambda data: data[:40] + b"\xff\xff\xff\xff" + data[44:], "damaged"),
        (lambda data: b"PK\x03\x04" + data[4:], "known version"),
        (lambda data: data[:16] + data[20:] + b"\0\0\0\0", "damaged"),  # shifted by one number
    ],
)
def test_damaged_files(tmp_path, change, message):
    path = tmp_path / "a.weights"
    written(path, TINY, len(CLASSES), 0.125)
    path.write_bytes(change(path.read_bytes()))
    network = build("tiny", 0.125)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(WeightsError, match=message) as raised:
        load_darknet(network, path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.weights", tmp_path):
        with pytest.raises(WeightsError, match="cannot be read"):
            load_darknet(build("tiny", 0.125), path)


@pytest.mark.parametrize("channels, width", [(1, 1.0), (3, 0.5)])
def test_published_files_need_the_published_network(tmp_path, channels, width):
    path = tmp_path / "a.weights"
    with open(path, "wb") as stream:  # the length is what counts
        stream.write(struct.pack("<3iq", 0, 2, 0, 0))
        stream.truncate(20 + 4 * 8_858_734)
    with pytest.raises(WeightsError, match="3 channels and width 1"):
        load_darknet(build("tiny", width, channels=channels), path, file_classes=80)


def test_the_message_names_the_class_count_that_fits(tmp_path):
    path = tmp_path / "a.weights"
    with open(path, "wb") as stream:
        stream.write(struct.pack("<3iq", 0, 2, 0, 0))
        stream.truncate(20 + 4 * 8_858_734)
    with pytest.raises(WeightsError, match="file_classes=80 would fit"):
        load_darknet(build("tiny"), path)


def test_unknown_place_to_stop(tmp_path):
    with pytest.raises(ValueError, match="stop_after"):
        load_darknet(build("tiny", 0.125), tmp_path / "a", stop_after="neck")


def darknet_convolution(x, tensors, key, stride=1, size=3):
    """A [convolutional] section in numpy, as Darknet's CPU code computes it."""
    beta, gamma, mean, variance = (tensors[f"{key}.norm.{part}"][:, None, None] for part in (
        "bias", "weight", "running_mean", "running_var"))
    weight, pad = tensors[f"{key}.convolution.weight"], size // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = (x.shape[1] - size) // stride + 1, (x.shape[2] - size) // stride + 1
    out = np.zeros((len(weight), rows, columns))
    for i in range(size):
        for j in range(size):
            part = x[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            out += np.einsum("oc,chw->ohw", weight[:, :, i, j], part)
    out = gamma * (out - mean) / (np.sqrt(variance) + 1e-6) + beta
    return np.where(out > 0, out, 0.1 * out)


def test_tiny_computes_what_the_cfg_says(tmp_path):
    """Section by section: pooling, routes and their order of concatenation, upsampling, the output's channel order."""
    tensors = written(tmp_path / "a.weights", TINY, len(CLASSES), 0.125)
    network = build("tiny", 0.125).eval()
    load_darknet(network, tmp_path / "a.weights")
    image = np.random.default_rng(1).random((3, 64, 64), np.float32)

    def pool(x):
        return x.reshape(x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2).max((2, 4))

    def output(x, key):
        return np.einsum("oc,chw->ohw", tensors[f"{key}.weight"][:, :, 0, 0], x) + tensors[f"{key}.bias"][:, None, None]

    x = image
    for index in (0, 2, 4, 6):
        x = pool(darknet_convolution(x, tensors, f"shallow.{index}"))
    layer_8 = darknet_convolution(x, tensors, "shallow.8")
    x = darknet_convolution(pool(layer_8), tensors, "deep.1")
    padded = np.pad(x, ((0, 0), (0, 1), (0, 1)), constant_values=-np.inf)  # [maxpool] size=2 stride=1
    x = np.max([padded[:, :-1, :-1], padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, 1:, 1:]], axis=0)
    x = darknet_convolution(x, tensors, "deep.3")
    layer_13 = darknet_convolution(x, tensors, "deep.4", size=1)
    coarse = output(darknet_convolution(layer_13, tensors, "head_coarse.hidden"), "head_coarse.output")
    x = darknet_convolution(layer_13, tensors, "lateral", size=1)  # [route] layers=-4
    x = np.concatenate([x.repeat(2, axis=1).repeat(2, axis=2), layer_8])  # [upsample], [route] layers=-1, 8
    middle = output(darknet_convolution(x, tensors, "head_middle.hidden"), "head_middle.output")

    with torch.no_grad():
        outputs = network(torch.from_numpy(image)[None])
    for ours, darknet in zip(outputs, (coarse, middle)):
        per_anchor = darknet.reshape(3, 5 + len(CLASSES), *darknet.shape[1:]).transpose(0, 2, 3, 1)
        np.testing.assert_allclose(ours[0].numpy(), per_anchor, rtol=1e-3, atol=1e-3 * np.abs(per_anchor).max())


def test_darknet53_computes_what_the_cfg_says(tmp_path):
    """Shortcuts, strides, and the order of the routes ``-1, 61`` and ``-1, 36``."""
    tensors = written(tmp_path / "a.weights", DARKNET53, len(CLASSES), 0.125)
    for key, values in tensors.items():
        # 75 layers deep: keep the numbers near 1, and what comes in larger than the biases
        if key.endswith("convolution.weight"):
            values *= np.sqrt(12.0 / values[0].size)
        elif key.endswith("norm.weight"):
            values += 1.0
    network = build("darknet53", 0.125).eval()
    state = {key: torch.from_numpy(values) for key, values in tensors.items()}
    network.load_state_dict(state, strict=False)

    def convolution(x, key):
        size = tensors[f"{key}.convolution.weight"].shape[-1]
        return darknet_convolution(x, tensors, key, 2 if key.endswith(".0") and "stages" in key else 1, size)

    image = np.random.default_rng(1).random((3, 64, 64), np.float32)
    x, levels = image, []
    for name, *_ in BACKBONE:
        if name.endswith("squeeze"):
            shortcut = x
        x = convolution(x, name)
        if name.endswith("expand"):
            x = x + shortcut
            levels.append(x)
    layer_36, layer_61, layer_74 = levels[1 + 2 + 8 - 1], levels[1 + 2 + 8 + 8 - 1], levels[-1]
    expected, x = [], layer_74
    for scale, route in (("coarse", layer_61), ("middle", layer_36), ("fine", None)):
        for index in range(5):
            x = convolution(x, f"neck_{scale}.layers.{index}")
        hidden = convolution(x, f"head_{scale}.hidden")
        weight, bias = tensors[f"head_{scale}.output.weight"][:, :, 0, 0], tensors[f"head_{scale}.output.bias"]
        raw = np.einsum("oc,chw->ohw", weight, hidden) + bias[:, None, None]
        expected.append(raw.reshape(3, 5 + len(CLASSES), *raw.shape[1:]).transpose(0, 2, 3, 1))
        if route is not None:
            x = convolution(x, "lateral_middle" if scale == "coarse" else "lateral_fine")
            x = np.concatenate([x.repeat(2, axis=1).repeat(2, axis=2), route])
    with torch.no_grad():
        outputs = network(torch.from_numpy(image)[None])
    for ours, darknet in zip(outputs, expected):
        np.testing.assert_allclose(ours[0].numpy(), darknet, rtol=1e-3, atol=2e-3 * np.abs(darknet).max())


def test_scales_use_the_anchors_that_the_cfg_masks_name():
    assert networks.YoloV3.anchor_indices == ((6, 7, 8), (3, 4, 5), (0, 1, 2))
    assert networks.YoloV3Tiny.anchor_indices == ((3, 4, 5), (0, 1, 2))
    assert networks.YoloV3.strides == (32, 16, 8) and networks.YoloV3Tiny.strides == (32, 16)
