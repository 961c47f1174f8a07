"""The parts of networks: numpy computes what PyTorch does, layer by layer and network by network."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from GrayscaleDetSegLib.core.engines import answer
from GrayscaleDetSegLib.core.layers import operations, parts, torch_operations
from GrayscaleDetSegLib.core.layers.parts import Part
from GrayscaleDetSegLib.core.layers.resizing import block_means, reduced
from GrayscaleDetSegLib.core.layers.torch_parts import mirrored
from GrayscaleDetSegLib.core.methods.registry import methods_of
from GrayscaleDetSegLib.core.polarity_check import PolarityNetwork
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.single_box.description import PointNet, PointNetConfig
from GrayscaleDetSegLib.core.surfaces.description import SurfaceConfig, SurfaceNetwork
from GrayscaleDetSegLib.core.weights import Bundle, shipped_bundle
from GrayscaleDetSegLib.core.yolo.description import ANCHORS, YoloConfig, described_yolo

BUNDLES = [folder for folder in sorted(path.parent for path in shipped_bundle().parent.glob("*/manifest.json"))
           if json.loads((folder / "manifest.json").read_text(encoding="utf-8")).get("dimensions", 2) == 2]
"""The shipped models of radiographs; those of volumes need PyTorch."""
CLASSES = ("femur", "tibia", "teeth")


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def same(ours, theirs, tolerance: float = 1e-5) -> None:
    """Equal to 1e-5 of the largest number; lists item by item."""
    if isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            same(one, other, tolerance)
        return
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * max(1.0, float(np.abs(theirs).max(initial=0.0))))


def tensors_of(network: nn.Module, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights that leave nothing at its beginner's value, as arrays; the network has them, too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0, generator=generator)
            elif tensor.is_floating_point():
                tensor.add_(0.2 * torch.randn(tensor.shape, generator=generator))
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


def both(part: Part, seed: int = 0) -> tuple[Part, nn.Module]:
    """A part with weights, and PyTorch's with the same."""
    torch.manual_seed(seed)
    theirs = mirrored(part).eval()
    part.load(tensors_of(theirs, seed))
    return part, theirs


SHAPES = [(1, 5, 9, 12), (3, 5, 8, 8), (2, 5, 1, 7), (70, 5, 4, 6), (1, 5, 150, 150)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size, stride", [(1, 1), (3, 1), (3, 2), (5, 1), (1, 2), (5, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_convolution(shape, size, stride, bias):
    ours, theirs = both(parts.Convolution(5, 7, size, stride, bias))
    maps = random(*shape)
    expected = theirs(torch.from_numpy(maps))
    same(ours(maps), expected)
    same(ours(operations.outer(operations.inner(maps))), expected)  # in memory as layers give it


def test_convolution_of_one_channel():
    ours, theirs = both(parts.Convolution(1, 4, 3))
    for shape in ((1, 1, 40, 50), (2, 1, 200, 190)):
        same(ours(random(*shape)), theirs(torch.from_numpy(random(*shape))))


@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias):
    ours, theirs = both(parts.Linear(4, 9, bias))
    same(ours(random(*shape)), theirs(torch.from_numpy(random(*shape))))


@pytest.mark.parametrize("axes, shape", [(2, (2, 6, 5, 4)), (0, (11, 6))])
def test_batch_norm_alone_and_folded(axes, shape):
    ours, theirs = both(parts.BatchNorm(6, axes))
    same(ours(random(*shape)), theirs(torch.from_numpy(random(*shape))))
    layer = parts.Convolution(6, 6, 3) if axes else parts.Linear(6, 6, False)
    ours, theirs = both(parts.Sequence(layer, parts.BatchNorm(6, axes), parts.Relu()))
    same(ours(random(*shape)), theirs(torch.from_numpy(random(*shape))))
    assert not [part for _, part in ours.parts() if isinstance(part, parts.BatchNorm)]


MAPS = {
    "relu": (lambda to, x: to.relu(x), functional.relu),
    "leaky": (lambda to, x: to.leaky_relu(x, 0.1), lambda x: functional.leaky_relu(x, 0.1)),
    "max pool": (lambda to, x: to.max_pool(x, 2), lambda x: functional.max_pool2d(x, 2)),
    "max pool of 3": (lambda to, x: to.max_pool(x, 3), lambda x: functional.max_pool2d(x, 3)),
    "max pool of 1": (lambda to, x: to.max_pool(x, 1), lambda x: x),
    "max pool with a stride": (lambda to, x: to.max_pool(x, 3, 2), lambda x: functional.max_pool2d(x, 3, 2)),
    "max pool of the same size": (
        lambda to, x: to.same_size_max_pool(x),
        lambda x: functional.max_pool2d(functional.pad(x, (0, 1, 0, 1), value=float("-inf")), 2, 1),
    ),
    "mean pool": (lambda to, x: to.mean_pool(x, 3), lambda x: functional.avg_pool2d(x, 3)),
    "enlarged": (lambda to, x: to.enlarged(x, 2), lambda x: functional.interpolate(x, scale_factor=2.0)),
    "joined": (lambda to, x: to.joined([x, x + 1, x], 1), lambda x: torch.cat([x, x + 1, x], 1)),
    "stacked": (lambda to, x: to.stacked([x, x * 2]), lambda x: torch.stack([x, x * 2], -1)),
    "permuted": (lambda to, x: to.permuted(x, (2, 0, 3, 1)), lambda x: x.permute(2, 0, 3, 1)),
    "largest": (lambda to, x: to.largest(x, (2, 3)), lambda x: x.amax((2, 3))),
    "larger": (lambda to, x: to.larger(x, -x), lambda x: torch.maximum(x, -x)),
    "at most": (lambda to, x: to.at_most(x, 0.5), lambda x: x.clamp(max=0.5)),
    "exponential": (lambda to, x: to.exponential(x), torch.exp),
    "sigmoid": (lambda to, x: to.sigmoid(30 * x), lambda x: (30 * x).sigmoid()),
    "softmax": (lambda to, x: to.softmax(50 * x), lambda x: (50 * x).softmax(-1)),
    "counted": (lambda to, x: to.counted(5, x), lambda x: torch.arange(5.0)),
    "identity": (lambda to, x: to.identity(4, x), lambda x: torch.eye(4)),
    "array": (lambda to, x: to.array([[1, 2.5]], x), lambda x: torch.tensor([[1, 2.5]])),
    "repeated": (lambda to, x: to.repeated(x[0, 0, 0], 3), lambda x: x[0, 0, 0].repeat_interleave(3)),
    "spread": (lambda to, x: to.spread(x[0, 0], 4), lambda x: x[0, 0][:, None].expand(-1, 4, -1)),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("is_inner", [False, True])
def test_operations(name, is_inner):
    ours, theirs = MAPS[name]
    maps = random(2, 5, 9, 12)
    expected = theirs(torch.from_numpy(maps.copy()))
    laid = operations.outer(operations.inner(maps)) if is_inner else maps.copy()
    same(ours(operations, laid), expected, 1e-6)
    same(ours(torch_operations, torch.from_numpy(maps.copy())).numpy(), expected, 1e-6)


@pytest.mark.parametrize("count, rows", [(5, 40), (9, 3), (4, 0)])
def test_maxima_of_groups(count, rows):
    values, groups = np.abs(random(rows, 3)), np.random.default_rng(1).integers(0, count, rows)
    expected = np.stack([values[groups == group].max(axis=0, initial=0.0) for group in range(count)])
    same(operations.group_maxima(values, groups, count), expected)
    if rows:
        same(torch_operations.group_maxima(*map(torch.from_numpy, (values, groups)), count).numpy(), expected)


@pytest.mark.parametrize("shape", [(300, 400), (301, 47), (90, 5), (1, 1), (7, 900)], ids=str)
@pytest.mark.parametrize("wanted", [(64, 80), (13, 200), (1, 1), (301, 47)], ids=str)
def test_resizing_is_antialiased_as_in_pytorch(shape, wanted):
    image = random(*shape)
    tensor = torch.from_numpy(image)[None, None]
    expected = functional.interpolate(tensor, wanted, mode="bilinear", antialias=True, align_corners=False)
    same(reduced(image, wanted), expected[0, 0])
    turned = tensor.flip(2).transpose(2, 3)
    expected = functional.interpolate(turned, wanted, mode="bilinear", antialias=True, align_corners=False)
    same(reduced(image[::-1].T, wanted), expected[0, 0])


@pytest.mark.parametrize("shape", [(30, 40), (31, 43), (5, 5), (1, 9)], ids=str)
@pytest.mark.parametrize("factors", [(1, 1), (2, 3), (4, 1), (5, 9)], ids=str)
def test_block_means_at_the_edges_are_of_what_is_there(shape, factors):
    image = random(*shape)
    expected = functional.avg_pool2d(torch.from_numpy(image)[None, None], factors, ceil_mode=True)
    same(block_means(image, *factors), expected[0, 0])


def yolo(variant: str, channels: int = 1) -> Part:
    anchors = tuple((10.0 * n, 12.0 * n) for n in range(1, ANCHORS[variant] + 1))
    return described_yolo(YoloConfig(variant, CLASSES, anchors, 64, channels, 0.125))


CLOUD = random(2, 100, 3).clip(-1, 1)
LEVELS = (CLOUD[..., 2] + 1) * 127.5
NETWORKS = {
    **{name: (lambda name=name: yolo(name), (random(2, 1, 64, 64),)) for name in ANCHORS},
    "of three channels": (lambda: yolo("tiny", 3), (random(1, 3, 64, 64),)),
    "polarity": (PolarityNetwork, (random(2, 1, 96, 96),)),
    "box": (lambda: PointNet(PointNetConfig(CLASSES, 0.125)), (CLOUD, LEVELS, AnchorConfig(16, (4, 9), 2))),
    "article's box": (
        lambda: PointNet(PointNetConfig(CLASSES, 0.125, False)),
        (CLOUD[:1], LEVELS[:1], AnchorConfig(16, (4, 9), 2), True),
    ),
    "surfaces": (lambda: SurfaceNetwork(SurfaceConfig(CLASSES, 8, 4, 6, (8, 10))), (random(3, 1024, 3),)),
    "coarse surfaces": (
        lambda: SurfaceNetwork(SurfaceConfig(CLASSES, 8, 3, 6, (8,), fine=False, relative=False)),
        (random(1, 576, 3),),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_say_what_pytorchs_say(name):
    make, inputs = NETWORKS[name]
    ours, theirs = both(make())
    given = [each.copy() if isinstance(each, np.ndarray) else each for each in inputs]
    same(answer(ours, *given), answer(theirs, *inputs), 2e-5)
    for before, after in zip(inputs, given):  # a layer that writes to its input must not reach ours
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", NETWORKS)
def test_tensors_have_the_names_and_shapes_of_pytorchs(name):
    ours, theirs = NETWORKS[name][0](), mirrored(NETWORKS[name][0]())
    wanted = {
        f"{prefix}.{tensor}" if prefix else tensor: shape
        for prefix, part in ours.parts()
        for tensor, shape in part.shapes().items()
    }
    given = {key: tuple(value.shape) for key, value in theirs.state_dict().items() if not key.endswith(parts.COUNTER)}
    assert wanted == given and list(wanted) == list(given)


def entry_of(bundle: Bundle, name: str) -> tuple[Part, tuple]:
    """The description of a network of a bundle, and something to ask it."""
    entry = bundle.network(name)
    if name == "roi_detector":
        config = YoloConfig.from_dict(entry["config"])
        return described_yolo(config), (random(1, config.channels, config.input_size, config.input_size),)
    if name == "surfaces":
        config = SurfaceConfig.from_dict(entry["config"])
        return SurfaceNetwork(config), (random(2, config.side**2, 3).clip(-1, 1),)
    if name == "box_detector":
        return PointNet(PointNetConfig.from_dict(entry["config"])), (
            CLOUD[:1], LEVELS[:1], AnchorConfig.from_dict(entry["anchors"])
        )  # fmt: skip
    assert name == "polarity", f"the network {name} of {bundle.folder} is compared nowhere"
    return PolarityNetwork(), (random(2, 1, 96, 96),)


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda path: path.name)
def test_every_shipped_network_says_the_same_by_both(folder):
    bundle = Bundle.open(folder)
    assert methods_of(bundle)
    for name in set(bundle.manifest["networks"]) - {"refinement"}:
        description, asked = entry_of(bundle, name)
        theirs = replace(bundle, engine="torch").ready(entry_of(bundle, name)[0], name)
        assert isinstance(theirs, nn.Module)
        same(answer(bundle.ready(description, name), *asked), answer(theirs, *asked), 2e-5)


def test_a_network_takes_its_own_tensors_and_no_others():
    network, tensors = PolarityNetwork(), tensors_of(mirrored(PolarityNetwork()))
    network.load({name: values for name, values in tensors.items() if not name.endswith(parts.COUNTER)})
    for change, message in (
        (lambda given: given.pop("output.bias"), "the tensor 'output.bias' is missing"),
        (lambda given: given.update(more=random(3)), "there is no place for the tensor 'more'"),
        (lambda given: given.update({"output.bias": random(2)}), r"has the shape \(2,\) instead of \(1,\)"),
        (lambda given: given["layers.0.weight"].fill(np.nan), "'layers.0.weight' holds values that are no finite"),
        (lambda given: given["layers.1.running_var"].fill(-1.0), "a variance of a batch norm is negative"),
    ):
        given = {name: values.copy() for name, values in tensors.items()}
        change(given)
        with pytest.raises(ValueError, match=message):
            PolarityNetwork().load(given)
