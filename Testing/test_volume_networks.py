"""The networks of coarse-to-fine methods: layouts, sizes and the saliency transformation."""

from __future__ import annotations

import pytest
import torch

from GrayscaleDetSegLib.core.volumes.networks import KERNELS, FCN8s, NetworkConfig, Networks, Saliency, SmallNetwork


@pytest.mark.parametrize("size", [(24, 32), (5, 7), (33, 18)])
@pytest.mark.parametrize("layout", ["small", "fcn8s"])
def test_logits_have_the_size_of_the_image(layout, size):
    config = NetworkConfig(layout, channels=(4, 8, 8), width=2)
    network = Networks(config)["axial"].fine.eval()
    assert network(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_the_articles_layout_is_vgg_16_with_skips():
    with torch.device("meta"):
        network = FCN8s(NetworkConfig("fcn8s"))
    convolutions = [layer for block in network.blocks for layer in block if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert network.full[0].weight.shape == (4096, 512, 7, 7) and network.full[3].weight.shape == (4096, 4096, 1, 1)
    assert sum(parameter.numel() for parameter in network.parameters()) > 134e6


def test_upsampling_begins_bilinear():
    torch.manual_seed(0)
    layer = FCN8s(NetworkConfig("fcn8s", width=2)).up[2]
    flat = layer(torch.ones(1, 3, 6, 6))
    assert flat.shape[-1] == 48 and torch.allclose(flat[..., 8:-8, 8:-8], torch.ones(1), atol=1e-5)


@pytest.mark.parametrize("kernels", KERNELS)
def test_saliency_keeps_the_size_and_begins_near_one(kernels):
    torch.manual_seed(0)
    weights = Saliency(3, KERNELS[kernels])(torch.rand(1, 3, 12, 10))
    assert weights.shape == (1, 3, 12, 10) and (weights - 1).abs().max() < 0.6
    networks = Networks(NetworkConfig(channels=(4,), saliency=kernels))
    images = torch.rand(1, 3, 8, 8)
    assert networks["axial"].weighted(images, torch.rand(1, 3, 8, 8)).shape == images.shape
    plain = Networks(NetworkConfig(channels=(4,)))["axial"]
    assert plain.weighted(images, images) is images


def test_small_network_trains_on_two_cores():
    assert sum(parameter.numel() for parameter in SmallNetwork(NetworkConfig()).parameters()) < 120_000


@pytest.mark.parametrize("wrong", [{"layout": "huge"}, {"saliency": "7x7"}, {"slices": 2}])
def test_what_cannot_be_built(wrong):
    with pytest.raises(ValueError, match="there is no|an odd number"):
        NetworkConfig.from_dict(wrong)
    assert NetworkConfig.from_dict(NetworkConfig(channels=[4, 8]).to_dict()) == NetworkConfig(channels=(4, 8))
