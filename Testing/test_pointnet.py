"""PointNet: pooling over anchors against loops over points, its transforms, and checkpoints for other classes."""

from __future__ import annotations

import json

import pytest
import torch

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from training.losses import orthogonality_loss
from training.networks import PointNet, PointNetConfig, pool_bins
from training.pretrained import load_pretrained

ANCHORS = [AnchorConfig(), AnchorConfig(13, (5, 2, 11), 3), AnchorConfig(16, (1, 16), 1), AnchorConfig(9, (4, 4), 2)]
CLASSES = ("femur", "tibia", "teeth")


def network(context: bool = True, classes=CLASSES, seed: int = 0) -> PointNet:
    torch.manual_seed(seed)
    return PointNet(PointNetConfig(tuple(classes), 0.125, context)).eval()


def stirred(net: PointNet) -> PointNet:
    """With T-Nets that are no identities, and norms that have seen data."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    for transform in (net.input_transform, net.feature_transform):
        torch.nn.init.normal_(transform.output.weight, std=0.2)
    return net


def cloud(points: int = 90, batch: int = 1, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    normalised = torch.rand((batch, points, 3), generator=random) * 2 - 1
    return normalised, (normalised[..., 2] + 1) * 127.5


def naive_pool(features: torch.Tensor, gray: torch.Tensor, anchors: AnchorConfig) -> torch.Tensor:
    """Maximum over the points inside each anchor, one by one."""
    rows = []
    for low, high in anchors.intervals():
        inside = (gray >= float(low)) & (gray <= float(high))
        rows.append(features[inside].amax(0) if inside.any() else torch.zeros(features.shape[1]))
    return torch.stack(rows)


@pytest.mark.parametrize("anchors", ANCHORS, ids=str)
@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("points", [1, 5, 200])
def test_pooled_features_are_the_maxima_inside_each_anchor(anchors, context, points):
    net = network(context)
    random = torch.Generator().manual_seed(points)
    features = torch.rand((2, points, net.features), generator=random)
    # in the middle of bins, so that rounding at their edges does not matter
    gray = (torch.randint(0, anchors.bins, (2, points), generator=random) + 0.5) * anchors.bin_width
    pooled = net.pool_anchors(features, gray, anchors)
    assert pooled.shape == (2, len(anchors.intervals()), net.pooled_features)
    for item in range(2):
        expected = naive_pool(features[item], gray[item], anchors)
        torch.testing.assert_close(pooled[item, :, : net.features], expected)
        if context:
            whole = features[item].amax(0).expand(len(expected), -1)
            torch.testing.assert_close(pooled[item, :, net.features :], whole)


def test_bins_hold_their_points_and_the_last_one_255():
    anchors = AnchorConfig(bins=5, scales=(1,), stride=1)
    gray = torch.tensor([[0.0, 50.9, 51.1, 254.9, 255.0]])
    features = torch.tensor([[[1.0], [2.0], [3.0], [4.0], [5.0]]])
    assert pool_bins(features, gray, anchors).flatten().tolist() == [2, 3, 0, 0, 5]


@pytest.mark.parametrize("context", [False, True])
def test_shared_pass_equals_separate_passes_when_the_transforms_are_identities(context):
    net, (points, gray) = network(context), cloud()
    anchors = AnchorConfig(16, (4, 7, 12), 2)
    with torch.no_grad():
        shared = net.pool_anchors(net.point_features(points)[0], gray, anchors)
        separate = net.pool_anchors_separately(points, gray, anchors)
    torch.testing.assert_close(shared, separate, rtol=1e-4, atol=1e-5)
    assert (shared[..., : net.features].std(dim=1) > 0).any(), "the anchors differ"


def test_separate_passes_use_transforms_of_each_anchors_own_points():
    net, (points, gray) = stirred(network(False)), cloud()
    anchors = AnchorConfig(16, (4, 7, 12), 2)
    with torch.no_grad():
        shared = net.pool_anchors(net.point_features(points)[0], gray, anchors)
        separate = net.pool_anchors_separately(points, gray, anchors)
        low, high = anchors.intervals()[3]
        inside = (gray[0] >= low) & (gray[0] < high)
        alone = net.point_features(points[:, inside])[0].amax(1)[0]
    torch.testing.assert_close(separate[0, 3], alone)
    assert not torch.allclose(shared, separate, rtol=1e-2)


def test_anchors_without_points_have_no_features_either_way():
    net = network(False)
    points, gray = cloud(4)[0], torch.full((1, 4), 10.0)
    anchors = AnchorConfig(16, (4,), 4)
    with torch.no_grad():
        for pooled in (
            net.pool_anchors(net.point_features(points)[0], gray, anchors),
            net.pool_anchors_separately(points, gray, anchors),
        ):
            assert (pooled[0, 1:] == 0).all() and (pooled[0, 0] > 0).any()


def test_the_order_of_points_does_not_matter():
    net, (points, gray) = stirred(network()), cloud(200)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    anchors = AnchorConfig()
    with torch.no_grad():
        first = net.classify(net.pool_anchors(net.point_features(points)[0], gray, anchors))
        second = net.classify(net.pool_anchors(net.point_features(points[:, order])[0], gray[:, order], anchors))
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)
    assert first.std() > 1e-6


def test_clouds_of_a_batch_do_not_mix():
    net, (points, gray) = stirred(network()), cloud(60, batch=3)
    anchors = AnchorConfig()
    with torch.no_grad():
        together = net.classify(net.pool_anchors(net.point_features(points)[0], gray, anchors))
        for item in range(3):
            one = slice(item, item + 1)
            alone = net.classify(net.pool_anchors(net.point_features(points[one])[0], gray[one], anchors))
            torch.testing.assert_close(together[one], alone, rtol=1e-4, atol=1e-5)


def test_transforms_start_as_the_identity_and_then_act():
    net, (points, _) = network(), cloud()
    with torch.no_grad():
        torch.testing.assert_close(net.input_transform(points), torch.eye(3)[None])
        features, transform = net.point_features(points)
        torch.testing.assert_close(transform, torch.eye(8)[None])
        net.input_transform.output.bias += torch.randn(9)
        assert not torch.allclose(net.point_features(points)[0], features)
    assert (features >= 0).all(), "pooling starts from 0"


def test_orthogonality_loss():
    rotation = torch.linalg.qr(torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0)))[0]
    assert orthogonality_loss(rotation).item() == pytest.approx(0, abs=1e-9)
    doubled = torch.eye(3)[None] * 2  # I - 4 I has three entries of -3
    assert orthogonality_loss(doubled).item() == pytest.approx(27)
    assert orthogonality_loss(torch.cat([doubled, torch.eye(3)[None]])).item() == pytest.approx(13.5)


def test_gradients_reach_every_parameter():
    net, (points, gray) = stirred(network()).train(), cloud(64, batch=2)
    features, transform = net.point_features(points)
    logits = net.classify(net.pool_anchors(features, gray, AnchorConfig()))
    (logits.square().mean() + orthogonality_loss(transform)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_published_sizes():
    """Width 1 without context is the published network: 9 and 4096 transform entries, 1024 features."""
    with torch.device("meta"):
        net = PointNet(PointNetConfig(tuple(map(str, range(39))), context=False))
    state = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert state["input_transform.output.weight"] == (9, 256)
    assert state["feature_transform.output.weight"] == (64 * 64, 256)
    assert state["second.6.weight"] == (1024, 128)
    assert (state["head.0.weight"], state["head.3.weight"]) == ((512, 1024), (256, 512))
    assert state["classifier.weight"] == (40, 256)


def test_configuration_survives_json():
    config = PointNetConfig(CLASSES, 0.5, False)
    assert PointNetConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def modelnet_checkpoint(convolutions: bool) -> dict[str, torch.Tensor]:
    """As if trained on 40 shapes: outputs of its own count (no background there: 39 and one), no context."""
    tensors = stirred(network(context=False, classes=map(str, range(39)), seed=5)).state_dict()
    if convolutions:
        tensors = {
            name: value[..., None] if value.ndim == 2 and name.startswith(("first", "second")) else value
            for name, value in tensors.items()
        }
    return {name: value.clone() for name, value in tensors.items()}


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("convolutions", [False, True])
def test_pretrained_loads_all_but_the_replaced_head(context, convolutions):
    net, checkpoint = network(context), modelnet_checkpoint(convolutions)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    report = load_pretrained(net, checkpoint)
    replaced = {"classifier.weight", "classifier.bias", *(["head.0.weight"] if context else [])}
    assert set(report.skipped) == replaced
    assert set(report.loaded) == set(before) - replaced
    for name, value in net.state_dict().items():
        expected = before[name] if name in replaced else checkpoint[name].reshape(value.shape)
        assert torch.equal(value, expected), name
    points, gray = cloud()
    with torch.no_grad():
        logits = net.classify(net.pool_anchors(net.point_features(points)[0], gray, AnchorConfig()))
    assert logits.shape[-1] == 1 + len(CLASSES)


def test_pretrained_features_are_those_of_the_checkpoint():
    source, net = stirred(network(False, map(str, range(39)), 5)), network(True)
    load_pretrained(net, source.state_dict())
    points, _ = cloud()
    with torch.no_grad():
        torch.testing.assert_close(net.point_features(points)[0], source.point_features(points)[0])


def test_a_classifier_of_the_same_size_stays_fresh_too():
    net = network(False)
    before = net.classifier.weight.clone()
    load_pretrained(net, network(False, ("chair", "table", "plane"), 7).state_dict())
    assert torch.equal(net.classifier.weight, before)


def test_counters_of_batch_norms_may_be_missing():
    checkpoint = modelnet_checkpoint(False)
    trimmed = {name: value for name, value in checkpoint.items() if "num_batches" not in name}
    assert "first.1.num_batches_tracked" not in load_pretrained(network(), trimmed).loaded


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda tensors: tensors.pop("second.0.weight"), "'second.0.weight' is missing"),
        (lambda tensors: tensors.update({"first.0.bias": torch.zeros(8)}), "no tensor 'first.0.bias'"),
        (lambda tensors: tensors.update({"first.0.weight": torch.zeros(8, 4)}), r"shape \(8, 4\)"),
        (lambda tensors: tensors.update({"first.0.weight": torch.zeros(8, 3, 3)}), r"shape \(8, 3, 3\)"),
        (lambda tensors: tensors.update({"head.0.weight": torch.zeros(64, 100)}), r"shape \(64, 100\)"),
    ],
)
def test_other_mismatches_are_refused_and_change_nothing(change, message):
    net, checkpoint = network(), modelnet_checkpoint(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    change(checkpoint)
    with pytest.raises(WeightsError, match=message):
        load_pretrained(net, checkpoint)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_without_context_the_heads_first_layer_must_fit():
    with pytest.raises(WeightsError, match="head.0.weight"):
        load_pretrained(network(False), network(True).state_dict())
