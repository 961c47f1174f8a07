"""A detector with more channels finds what it found before, and its new channels can learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from training import widened as command
from training.networks import YoloConfig, build_yolo
from training.widened import widened

CLASSES = ("femur", "hand", "teeth")


def network(variant: str = "tiny-3l", width: float = 0.25):
    """A network whose norms have seen something, so that they are not all alike."""
    anchors = tuple((8.0 * number, 6.0 * number) for number in range(1, (6 if variant == "tiny" else 9) + 1))
    torch.manual_seed(3)
    made = build_yolo(YoloConfig(variant, CLASSES, anchors, 64, 1, width))
    for name, values in made.state_dict().items():
        if values.dim() == 1:
            values.copy_(torch.rand_like(values) + (0.5 if name.endswith(("var", "weight")) else -0.2))
    return made.eval()


@pytest.mark.parametrize("width", [0.25, 0.3125, 0.5])
def test_the_outputs_stay(width):
    before = network()
    after = widened(before, width).eval()
    assert after.config.width == width
    picture = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        for former, now in zip(before(picture), after(picture)):
            np.testing.assert_allclose(now, former, atol=2e-5)


def test_the_new_channels_learn():
    wider = widened(network(), 0.5).train()
    before = {name: values.clone() for name, values in wider.state_dict().items()}
    optimizer = torch.optim.SGD(wider.parameters(), 0.05)
    for _ in range(2):  # what comes in of the new channels can learn once something goes out of them
        optimizer.zero_grad()
        sum((output**2).mean() for output in wider(torch.rand(2, 1, 64, 64))).backward()
        optimizer.step()
    weights = wider.shallow[1].convolution.weight
    old = before["shallow.1.convolution.weight"]
    assert (weights[:32, 16:] != old[:32, 16:]).any() and (weights[32:] != old[32:]).any()


def test_the_seed_decides():
    one, same, other = (widened(network(), 0.5, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("variant", "width", "said"), [("tiny", 0.5, "variant"), ("tiny-3l", 0.125, "forget")])
def test_what_cannot_be_widened_is_said(variant, width, said):
    with pytest.raises(ValueError, match=said):
        widened(network(variant), width)


def test_a_run_becomes_a_wider_run(tmp_path, capsys):
    run, before = tmp_path / "run", network()
    run.mkdir()
    (run / "network.json").write_text(json.dumps(before.config.to_dict()), encoding="utf-8")
    torch.save(before.state_dict(), run / "network.pt")
    assert command.main([str(run), "--width", "0.5", "--output", str(tmp_path / "wider")]) == 0
    config = YoloConfig.from_dict(json.loads((tmp_path / "wider" / "network.json").read_text(encoding="utf-8")))
    after = build_yolo(config)
    after.load_state_dict(torch.load(tmp_path / "wider" / "network.pt", weights_only=True))
    picture = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        for former, now in zip(before(picture), after.eval()(picture)):
            np.testing.assert_allclose(now, former, atol=2e-5)
    assert command.main([str(run), "--width", "0.1", "--output", str(tmp_path / "narrower")]) == 2
    assert command.main([str(tmp_path / "none"), "--width", "0.5", "--output", str(tmp_path / "narrower")]) == 2
    said = capsys.readouterr().err
    assert "forget" in said and "network.json" in said and not (tmp_path / "narrower").exists()
