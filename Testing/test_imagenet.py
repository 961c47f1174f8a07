"""Encoders that start from weights of ImageNet in local files, and files that hold none."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.lsnet.networks import LNet
from GrayscaleDetSegLib.core.lsnet.settings import LSNetConfig
from GrayscaleDetSegLib.core.volumes.rpn import Rpn
from Testing.attention_models import VGG, vgg_state
from training.imagenet import load_encoder
from training.runs.stages import Stage


def resnet(layout: str = "resnet18") -> torch.nn.Module:
    return LNet(LSNetConfig(locator=layout)).encoder


def save(state, path) -> None:
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_vgg_16_is_loaded_from_a_local_file(kind, tmp_path):
    state, path = vgg_state(), tmp_path / f"vgg.{kind}"
    save(state, path)
    body = Rpn(VGG).backbone.body
    report = load_encoder(body, path, "features.")
    assert len(report.loaded) == 26 and report.unused == ("classifier.0.weight",)
    assert report.text == f"26 tensors of vgg.{kind} loaded; unused: classifier.0.weight"
    assert torch.equal(body[28].weight, state["features.28.weight"])


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_resnets_are_loaded_with_what_their_batch_norms_know(kind, tmp_path):
    given = {name: torch.rand(each.shape) for name, each in resnet().state_dict().items() if each.ndim}
    assert "layer1.0.conv1.weight" in given and "layer2.0.downsample.0.weight" in given and "bn1.running_var" in given
    given |= {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    save(given, tmp_path / f"a.{kind}")
    encoder = resnet()
    report = load_encoder(encoder, tmp_path / f"a.{kind}")
    assert report.unused == ("fc.bias", "fc.weight") and len(report.loaded) == len(given) - 2
    for name in ("layer4.1.conv2.weight", "layer4.1.bn2.running_var"):
        assert torch.equal(encoder.state_dict()[name], given[name])


def test_half_precision_becomes_the_networks_own(tmp_path):
    save({name: values.half() for name, values in vgg_state().items()}, tmp_path / "half.pth")
    body = Rpn(VGG).backbone.body
    load_encoder(body, tmp_path / "half.pth", "features.")
    assert {values.dtype for values in body.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"features.10.weight": None}, "no tensor 'features.10.weight'"),
        ({"features.2.bias": torch.rand(3)}, r"'features.2.bias' has the shape \(3,\) instead of \(2,\)"),
    ],
)
def test_weights_of_another_network_change_nothing(changed, reason, tmp_path):
    state = {name: values for name, values in {**vgg_state(), **changed}.items() if values is not None}
    save(state, tmp_path / "other.pth")
    body = Rpn(VGG).backbone.body
    before = {name: values.clone() for name, values in body.state_dict().items()}
    with pytest.raises(WeightsError, match=reason):
        load_encoder(body, tmp_path / "other.pth", "features.")
    assert all(torch.equal(values, before[name]) for name, values in body.state_dict().items())


class Harmful:
    def __reduce__(self):
        return (print, ("never",))


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("harm.pth", {"a": Harmful()}, "cannot be read"),
        ("object.pth", Stage("all", 1.0, 1), "cannot be read"),
        ("list.pth", [1, 2], "no table of tensors"),
        ("text.pth", {"a": "text"}, "no table of tensors"),
        ("nested.pth", {"model": {"conv1.weight": torch.zeros(1)}}, "no table of tensors"),
        ("none.pth", b"nothing", "cannot be read"),
        ("none.safetensors", b"nothing", "cannot be read"),
        ("cut.safetensors", b"\x10\0\0\0\0\0\0\0{", "cannot be read .its header is longer than the file"),
        ("absent.pth", None, "There is no weights file"),
        ("absent.safetensors", None, "There is no weights file"),
    ],
)
def test_files_that_hold_no_weights(name, content, reason, tmp_path, capsys):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        torch.save(content, tmp_path / name)
    with pytest.raises(WeightsError, match=reason):
        load_encoder(resnet("tiny"), tmp_path / name)
    assert capsys.readouterr().out == "", "nothing in a file is ever run"
