"""The comparison of methods for volumes: trained once, judged once, and what its tables say."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks, by_label
from training.simulate.volumes import write_set
from training.volumes import compare
from training.volumes.data import Prepared
from training.volumes.dynunet import DynUNet, VolumeDataset, masks_of
from training.volumes.run import VolumeDataError, begin_from
from training.volumes.table import OWN, Judged, interval

pytest.importorskip("monai", reason="it comes with the training")

SHARED = """
seed = 3
sets = ["phantoms"]
batch_size = 2
epoch_length = 8
validate_every = 5
validate_with = 1
[target]
labels = ["organ", "lesion"]
[iteration]
rounds = 2
vote = "mean"
[training]
loss = "dsc+ce"
[augmentation]
[[stages]]
trainable = "all"
learning_rate = 5e-3
epochs = 1
[network]
"""
OWN_LINES = {
    "step_wise": 'channels = [4, 8]\nviews = ["axial"]\ncoarse_step = 2\n',
    "rstn": 'channels = [4, 8]\nviews = ["axial"]\ncoarse_step = 2\nsaliency = "1x1"\n',
    "dynunet": "channels = [4, 8, 8]\nflat = 1\npatch = [8, 16, 16]\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    write_set(folder / "data" / "phantoms", 5, size=24)
    (folder / "configs").mkdir()
    for method, lines in OWN_LINES.items():
        (folder / "configs" / f"small_{method}.toml").write_text(SHARED + lines)
    return folder


def run(folder) -> int:
    return compare.main([
        "--data", str(folder / "data"), "--output", str(folder / "out"), "--configs", str(folder / "configs"),
        "--only", "small", "--share", "0.5",
    ])  # fmt: skip


def test_every_row_is_made_once_and_the_same_command_goes_on(folder, capsys, monkeypatch):
    assert run(folder) == 0
    printed = capsys.readouterr().out
    out = folder / "out"
    rows = json.loads((out / "rows.json").read_text())
    assert {row["method"] for row in rows} == {"step_wise", "rstn", "dynunet"}
    assert {row["label"] for row in rows} == {"mean of all", "organ", "lesion"}
    names = {row["row"] for row in rows if row["method"] == "rstn"}
    assert {"coarse", "after 1 round", "after d > 0.99", "oracle boxes", OWN} <= names
    for row in rows:
        assert row["slices"] == (4 * 8 if row["method"] == "dynunet" else 4), "half as long as the configuration says"
        assert 0.0 <= row["worst"] <= row["mean"] <= row["best"] <= 1.0 and row["parameters"] > 0
    assert "### small: lesion" in printed and "| DynUNet |" in printed and "won : lost" in printed

    for method in compare.TRAININGS:
        monkeypatch.setitem(compare.TRAININGS, method, lambda arguments: pytest.fail("it is trained already"))
    (out / "small_rstn" / "judged.json").unlink()
    assert run(folder) == 0, "judged again, and not trained"
    again = json.loads((out / "rows.json").read_text())
    pairs = [(row["mean"], other["mean"]) for row, other in zip(rows, again)]
    assert len(rows) == len(again) and all(one == other for one, other in pairs)


def test_a_recurrent_network_begins_with_the_weights_of_a_step_wise_one(folder):
    from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks

    torch.manual_seed(0)
    config = NetworkConfig(channels=(4,), saliency="1x1")
    first, start = Networks(NetworkConfig(channels=(4,))), folder / "start"
    start.mkdir()
    torch.save(first.state_dict(), start / "network.pt")
    network = Networks(config)
    begin_from(network, start)
    assert torch.equal(network["axial"].fine.head.weight, first["axial"].fine.head.weight)
    with pytest.raises(VolumeDataError, match="is no finished run with such networks"):
        begin_from(Networks(NetworkConfig(channels=(8,))), start)
    with pytest.raises(VolumeDataError, match="has networks of another kind"):
        begin_from(Networks(NetworkConfig(channels=(4,), views=("axial",))), start)
    with pytest.raises(VolumeDataError, match="is no finished run"):
        begin_from(network, folder / "nowhere")


def test_a_run_of_one_label_begins_with_what_one_of_several_says_of_it(tmp_path):
    torch.manual_seed(0)
    several, one = Networks(NetworkConfig(channels=(4,), labels=2)), Networks(NetworkConfig(channels=(4,)))
    torch.save(several.state_dict(), tmp_path / "network.pt")
    (tmp_path / "network.json").write_text(json.dumps({"labels": ["a", "b"]}))
    images = torch.rand(1, 3, 8, 8)
    first, other = several["axial"], one["axial"]
    none, a, b = by_label(first.fine(images), 2).unbind(1)
    for wanted, logits in ((["b"], b - (none + a) / 2), (["a", "b"], (a + b) / 2 - none)):
        begin_from(one, tmp_path, wanted)
        torch.testing.assert_close(other.fine(images), logits)
    anew = Networks(NetworkConfig(channels=(4,)))
    before = anew["axial"].fine.head.weight.clone()
    begin_from(anew, tmp_path, ["a", "c"])
    assert torch.equal(anew["axial"].fine.head.weight, before), "it knows no c"
    assert torch.equal(anew["axial"].fine.down[0][0][0].weight, first.fine.down[0][0][0].weight)


def test_the_peer_sees_volumes_of_any_size():
    torch.manual_seed(0)
    network = DynUNet(2, (4, 8, 8), flat=1)
    assert network.multiple == (2, 4, 4)
    with torch.no_grad():
        likely = network.likely(torch.rand(1, 7, 18, 21))
    assert likely.shape == (1, 2, 7, 18, 21) and likely.sum(1).max() < 1.0
    labels = np.zeros((7, 18, 21), np.uint8)
    labels[2:5, 4:9, 4:9] = 2
    case = Prepared(labels * 50, labels)
    seen, likely = [], network.eval().likely
    network.likely = lambda pieces: seen.append(pieces.shape[1:]) or likely(pieces)
    masks = masks_of(case, network, compare.IterationSettings(vote="mean", largest=True), (8, 12, 16))
    assert masks.shape == (2, 7, 18, 21) and not (masks[0] & masks[1]).any()
    assert set(seen) == {(8, 12, 16)} and len(seen) == 4, "in pieces as it has learnt from, and no larger ones"
    dataset = VolumeDataset([case], 1, compare_augmentation(), ("axial", "sagittal"), 2, (5, 24, 16))
    for index in range(4):
        sample = dataset[index]
        assert sample.image.shape == (5, 24, 16) and sample.truth.shape == (2, 5, 24, 16)
        assert torch.equal(sample.truth[1] > 0.999, sample.image > 0.38) or sample.truth[1].max() < 1.0


def compare_augmentation():
    from training.volumes.augmentation import Augmentation

    return Augmentation(0, 0, 0, 0, 0, 0, 0, 0)


def test_intervals_are_of_patients():
    scores = np.array([0.9, 0.9, 0.5, 0.5])
    low, high = interval(scores, ["a", "a", "b", "b"])
    assert (low, high) == (0.5, 0.9), "two patients, whatever the number of volumes"
    assert np.isnan(interval(scores, ["a"] * 4)).all()
    judged = Judged(("x", "y"), ("a", "b"), ({"r": ([0.2, 0.6], 1.0)}, {"r": ([0.4, 0.8], 3.0)}), 10, 0.5)
    mean, x, y = judged.summary()
    assert (mean["mean"], x["mean"], y["worst"]) == (pytest.approx(0.5), pytest.approx(0.3), 0.6)
    assert mean["rounds"] == 2.0 and mean["patients"] == 2
