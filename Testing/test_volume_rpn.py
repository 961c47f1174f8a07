"""The networks of segmentation by detection: the detector, its backbones, the 3D U-Net, and its tiles."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.volumes import unet3d
from GrayscaleDetSegLib.core.volumes.cascade import CascadeConfig
from GrayscaleDetSegLib.core.volumes.rpn import Rpn, RpnConfig, proposed
from GrayscaleDetSegLib.core.volumes.unet3d import UNet3D, likely, padded
from Testing.attention_models import Threshold, cascade_networks


@pytest.mark.parametrize("config", [{}, {"side": 40, "slices": 1}, {"backbone": "vgg16", "channels": (4,) * 5}])
def test_a_detector_says_a_score_and_a_box_of_every_anchor(config):
    torch.manual_seed(0)
    network = Rpn(RpnConfig(**{"channels": (4, 4, 8), "width": 8, "side": None, **config})).eval()
    images = torch.rand(2, network.config.slices, 33, 50)
    logits, offsets = network(network.seen(images))
    anchors = network.anchors((33, 50))
    assert logits.shape == (2, len(anchors), 2) and offsets.shape == (2, len(anchors), 4)
    assert network.config.anchors == 9 and len(anchors) % 9 == 0
    size = network.seen_size((33, 50))
    assert size == ((33, 50) if network.config.side is None else (26, 40))
    middles = (anchors[:, :2] + anchors[:, 2:]) / 2
    assert middles[-1, 0] >= size[1] - network.backbone.stride and middles[0].max() == network.backbone.stride / 2


def test_the_places_of_a_detectors_features_are_those_of_its_anchors():
    """Made to say high scores where the picture is bright, it proposes anchors there."""
    network = cascade_networks().detector
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    bright = torch.zeros(1, 8, 1, 1)

    class Bright(torch.nn.Module):
        stride = multiple = 4

        def forward(self, images):
            return torch.nn.functional.avg_pool2d(images[:, 1:2], 4) - 0.5 + bright

    network.backbone = Bright()
    with torch.no_grad():
        network.window = torch.nn.Conv2d(8, 8, 1)
        network.norm = torch.nn.Identity()
        network.window.weight.copy_(torch.eye(8)[:, :, None, None])
        network.window.bias.zero_()
        network.classify.weight[1, 0] = 20.0  # the first anchor's score of an object
        network.classify.bias[0] = 1.0
        network.classify.bias[2::2] = 9.0  # all other anchors are background
    slices = np.zeros((6, 24, 32), np.float32)
    slices[3, 8:12, 20:24] = 1.0
    found = proposed(network, slices, 0.6, 0.3, 4)
    assert found.index.tolist() == [3] and found.scores[0] > 0.99
    middle = (found.boxes[0, :2] + found.boxes[0, 2:]) / 2
    assert middle.tolist() == [22.0, 10.0]


def test_the_articles_backbone_is_vgg_16_without_its_last_pooling():
    with torch.device("meta"):
        network = Rpn(RpnConfig("vgg16", channels=(64, 128, 256, 512, 512), width=512, side=184))
    names = [name for name in network.backbone.body.state_dict() if name.endswith("weight")]
    assert names == [f"{number}.weight" for number in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]
    assert sum(each.numel() for each in network.backbone.parameters()) == 14_714_688
    assert network.classify.out_channels == 18 and network.regress.out_channels == 36


@pytest.mark.parametrize(
    "wrong",
    [{"backbone": "huge"}, {"slices": 2}, {"backbone": "vgg16"}, {"channels": (4, 4)}, {"scales": ()},
     {"ratios": (0.0,)}],
)  # fmt: skip
def test_detectors_that_cannot_be_built(wrong):
    with pytest.raises(ValueError, match="there is no|slices|levels|anchors"):
        RpnConfig.from_dict(wrong)


def test_what_a_configuration_says_comes_back_from_a_manifest():
    config = CascadeConfig("box_3d", "coronal", (4, 8), RpnConfig(scales=(0.1, 0.2, 0.3)))
    assert CascadeConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    for wrong in ({"attention": "all"}, {"view": "front"}):
        with pytest.raises(ValueError, match="there is no"):
            CascadeConfig.from_dict(wrong)


@pytest.mark.parametrize("size", [(9, 12, 7), (8, 8, 8)])
def test_a_3d_u_net_says_a_logit_of_every_voxel(size):
    network = UNet3D(2, (4, 8, 8)).eval()
    assert network(torch.rand(1, 2, *size)).shape == (1, *size)
    grown = padded(torch.rand(1, 1, *size), 4)
    assert all(side % 4 == 0 for side in grown.shape[2:]) and torch.equal(grown[..., -1, :, :][..., 0], grown[
        0, 0, size[0] - 1, :, 0][None, None])


def test_a_large_volume_is_looked_at_in_tiles_where_there_is_attention(monkeypatch):
    monkeypatch.setattr(unet3d, "OVERLAP", 4)
    image = np.random.default_rng(0).uniform(0, 1, (20, 31, 16)).astype(np.float32)
    attention = np.zeros(image.shape, bool)
    attention[0:3, 0:6, 4:11] = True
    network = Threshold()
    tiled = likely(network, image, None, 16)
    assert np.array_equal(tiled >= 0.5, likely(Threshold(), image, None, 64) >= 0.5)
    assert set(network.sizes) == {(1, 16, 16, 16)} and len(network.sizes) == 2 * 3
    network = Threshold()
    found = likely(network, image, attention, 16) >= 0.5
    assert len(network.sizes) == 1, "the others hold no attention"
    assert np.array_equal(found, (image >= 0.5) & attention)
