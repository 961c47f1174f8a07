"""Networks whose batch norms are folded away say what they said before."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from GrayscaleDetSegLib.core.batch_norm_folding import fold_batch_norms
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from training.networks import (
    PointNet,
    PointNetConfig,
    PolarityNetwork,
    SurfaceConfig,
    SurfaceNetwork,
    YoloConfig,
    build_yolo,
)

CLASSES = ("femur", "tibia")


def yolo(variant: str) -> nn.Module:
    count = {"darknet53": 9, "tiny": 6}[variant]
    anchors = tuple((10.0 * n, 12.0 * n) for n in range(1, count + 1))
    return build_yolo(YoloConfig(variant, CLASSES, anchors, 64, 1, 0.125))


class Scores(nn.Module):
    """PointNet from points to the scores of its anchors, in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.network = PointNet(PointNetConfig(CLASSES, 0.125))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        levels = (points[..., 2] + 1.0) * 127.5
        features = self.network.point_features(points)[0]
        return self.network.classify(self.network.pool_anchors(features, levels, AnchorConfig(16, (4, 8), 2)))


NETWORKS = {
    "tiny": (lambda: yolo("tiny"), (2, 1, 64, 64)),
    "darknet53": (lambda: yolo("darknet53"), (2, 1, 64, 64)),
    "polarity": (PolarityNetwork, (2, 1, 96, 96)),
    "pointnet": (Scores, (2, 100, 3)),
    "surfaces": (lambda: SurfaceNetwork(SurfaceConfig(CLASSES, 8, 2, 6, (8, 10))), (2, 256, 3)),
    "plain surfaces": (lambda: SurfaceNetwork(SurfaceConfig(CLASSES, 8, 1, 6, (8,), fine=False)), (2, 64, 3)),
}


def shake(network: nn.Module) -> None:
    """Batch norms, and layers that begin at 0, as after a training."""
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for tensor, ends in ((module.running_mean, (-0.5, 0.5)), (module.running_var, (0.5, 2.0))):
                tensor.uniform_(*ends)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        elif isinstance(module, (nn.Linear, nn.Conv2d)):
            with torch.no_grad():
                module.weight.add_(0.1 * torch.randn_like(module.weight))


def answers(network: nn.Module, given: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        found = network(given)
    return list(found) if isinstance(found, (list, tuple)) else [found]


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_changes_no_answer(name):
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    network, given = make().eval(), torch.rand(shape) * 2 - 1
    given[1] *= 0.2
    shake(network)
    before = answers(network, given)
    assert max(float(part.std()) for part in before) > 1e-3, "else any network would do"
    folded = fold_batch_norms(network.train())
    assert folded is network and not network.training
    for one, other in zip(answers(folded, given), before):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))
    assert not [part for part in folded.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert not any(parameter.requires_grad for parameter in folded.parameters())
