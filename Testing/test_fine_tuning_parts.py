"""The parts of a fine-tuning: moved rows of classes, plans that end in time, configurations."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("lightning", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core.labels import mirrored  # noqa: E402
from GrayscaleDetSegLib.core.weights import Bundle  # noqa: E402
from GrayscaleDetSegLib.core.yolo.decode import decode  # noqa: E402
from training.data import Case  # noqa: E402
from training.fine_tuning import heads, result  # noqa: E402
from training.fine_tuning.context import Budget, Context  # noqa: E402
from training.fine_tuning.errors import FineTuningError  # noqa: E402
from training.fine_tuning.fitting import Plan, Timing, plan  # noqa: E402
from training.fine_tuning.gathered_data import gather  # noqa: E402
from training.fine_tuning.settings import DEFAULTS, read_settings  # noqa: E402
from training.networks import PointNetConfig, SurfaceConfig, YoloConfig  # noqa: E402

OLD = ("right lung", "left lung", "femur", "tibia", "teeth")


def case(name, labels=("femur",), set_name="knees") -> Case:
    """An image of noise with one object of each label."""
    generator = np.random.default_rng([ord(letter) for letter in f"{set_name}/{name}"])
    label_map = np.zeros((12, 12), np.uint8)
    for value, _ in enumerate(labels, start=1):
        label_map[2 * value : 2 * value + 2, 3:9] = value
    values = {label: value for value, label in enumerate(labels, start=1)}
    return Case(set_name, name, "train", generator.integers(0, 255, (12, 12), np.uint8), label_map, values)


def test_sides_swap_in_names_nobody_knows():
    assert mirrored("left hip") == "right hip" and mirrored("Hip_Right") == "Hip_Left"
    assert mirrored("LEFT-ulna") == "RIGHT-ulna" and mirrored("right lung") == "left lung"
    assert mirrored("leftover") == "leftover" and mirrored("femur") == "femur"


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return Bundle.open()


def test_rows_of_known_classes_are_copied_and_new_ones_are_made():
    rows, fresh = torch.arange(15.0).view(5, 3), -torch.ones(3, 3)
    new = ("tibia", "patella", "femur")
    moved = heads.head_transfer(OLD, new)(rows, fresh)
    assert torch.equal(moved, torch.stack([rows[3], rows.mean(0), rows[2]]))
    moved = heads.head_transfer(OLD, new, forgotten=("femur",))(rows, fresh)
    assert torch.equal(moved, torch.stack([rows[3], rows[[0, 1, 3, 4]].mean(0), rows[[0, 1, 3, 4]].mean(0)]))
    assert torch.equal(heads.head_transfer(OLD, new, OLD)(rows, fresh), fresh)
    assert torch.equal(heads.head_transfer(OLD, new, mean=False)(rows, fresh)[1], fresh[1])


def test_moved_networks_say_the_same_of_known_classes(shipped):
    """Also with other anchors, boxes stay where they were."""
    new = ("tibia", "patella", "right lung")
    move, order = heads.head_transfer(OLD, new), [3, 0]
    image = torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(1))
    old = YoloConfig.from_dict(shipped.network("roi_detector")["config"])
    other = YoloConfig.from_dict({**old.to_dict(), "classes": new, "anchors": [(w + 9, 2 * h) for w, h in old.anchors]})
    before = heads.moved_detector(shipped, old, heads.head_transfer(OLD, OLD)).eval()
    after = heads.moved_detector(shipped, other, move).eval()
    with torch.inference_mode():
        boxes_before, scores_before = decode(before, before(image))
        boxes_after, scores_after = decode(after, after(image))
    assert torch.allclose(boxes_before, boxes_after, rtol=1e-3, atol=1e-2)
    assert torch.allclose(scores_before[..., order], scores_after[..., [0, 2]], atol=1e-6)

    entry = shipped.network("box_detector")["config"]
    pooled = torch.rand(1, 4, 768, generator=torch.Generator().manual_seed(2))
    nets = [
        heads.moved_pointnet(
            shipped, PointNetConfig.from_dict({**entry, "classes": names}), heads.head_transfer(OLD, names)
        )
        for names in (OLD, new)
    ]
    logits = [net.eval().classify(pooled) for net in nets]
    assert torch.allclose(logits[0][..., [0, 4, 1]], logits[1][..., [0, 1, 3]], atol=1e-5)
    layer = torch.nn.Linear(768, 6)
    heads.moved_offsets(shipped, layer, move)
    expected = torch.cat([pooled[0, 0], torch.ones(1)]) @ shipped.tensors("refinement")["tibia"]
    assert torch.allclose(layer(pooled[0, 0])[:2], expected, atol=1e-4)

    entry = shipped.network("surfaces")["config"]
    points = torch.rand(1, 128 * 128, 3, generator=torch.Generator().manual_seed(3)) * 2 - 1
    with torch.inference_mode():
        fields = [
            heads.moved_surfaces(
                shipped, SurfaceConfig.from_dict({**entry, "classes": classes}), heads.head_transfer(OLD, classes)
            ).eval()(points)
            for classes in (OLD, new)
        ]
    assert torch.allclose(fields[0][:, order], fields[1][:, [0, 2]], atol=1e-5)


def write(folder, labels, names=("a", "b")):
    """A set of the noisy images."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for name in names:
        item = case(name, tuple(labels), set_name=folder.name)
        Image.fromarray(np.kron(item.pixels, np.ones((5, 5), np.uint8))).save(folder / "images" / f"{name}.png")
        Image.fromarray(np.kron(item.label_map, np.ones((5, 5), np.uint8))).save(folder / "labels" / f"{name}.png")
    (folder / "labels.json").write_text(json.dumps({label: value for value, label in enumerate(labels, start=1)}))
    return folder


def test_sets_that_mark_all_they_show(tmp_path):
    folders = [write(tmp_path / "one", ["femur"]), write(tmp_path / "two", ["patella", "fibula"])]
    for is_complete in (False, True):
        gathered = gather(folders, is_complete)
        assert gathered.labels == ("femur", "patella", "fibula") and not gathered.errors
        assert all(item.is_settled("femur") == (is_complete or item.set_name == "one") for item in gathered.cases)
        assert gathered.counts() == {"femur": 2, "patella": 2, "fibula": 2}, "none is there that was not marked"
    assert gather(folders).fingerprint() == gather(folders).fingerprint() != gather(folders, True).fingerprint()


def test_labels_that_differ_in_capitals_alone(tmp_path):
    folders = [write(tmp_path / "one", ["patella"]), write(tmp_path / "two", ["Patella"])]
    with pytest.raises(FineTuningError, match="'patella' and 'Patella' differ in capitals alone"):
        gather(folders)


def test_new_classes_start_undecided_in_the_2d_detector(shipped):
    context = Context(shipped, ("femur", "meniscus"), (), (), [], [], read_settings(), Path(), None, None)
    rows, fresh = torch.arange(60.0).view(20, 3), torch.zeros(2, 3)
    assert torch.equal(context.head_transfer("roi_detector")(rows, fresh), torch.stack([rows[2], fresh[1]]))
    assert torch.equal(context.head_transfer("surfaces")(rows, fresh), torch.stack([rows[2], rows.mean(0)]))


def test_one_side_alone_is_not_mirrored(shipped):
    for classes, flip in ((("left lung", "femur"), 0.0), (("left lung", "right lung"), 0.5), (("left hip",), 0.0)):
        context = Context(shipped, classes, (), (), [], [], read_settings(), Path(), None, None)
        assert context.without_flip({"flip": 0.5})["flip"] == flip


def test_a_plan_fits_its_time():
    settings = read_settings().networks["detector"]
    for allotted, step, images in ((600, 0.5, 16), (600, 0.5, 20000), (60, 0.1, 300), (3000, 0.02, 500)):
        made = plan(settings, images, 6, Timing(allotted, step, 1.0))
        steps = sum(made.epochs) * made.epoch_length / settings.batch_size
        assert 0.6 * allotted < steps * step + 6 + 0.4 * sum(made.epochs) <= allotted, (allotted, step, images, made)
        assert len(made.epochs) == 2 and made.epochs[0] < made.epochs[1]
        assert sum(made.epochs) >= 8, "checkpoints often enough"
        assert made.epoch_length % settings.batch_size == 0
    assert plan(settings, 16, 6, Timing(0.0, 0.5, 1.0)).epochs == [1, 1]


def test_fixed_epochs_see_every_image_once(tmp_path):
    text = DEFAULTS.read_text().replace("share = 0.15\n", "epochs = 3\n").replace("share = 0.85\n", "epochs = 4\n")
    (tmp_path / "mine.toml").write_text(text)
    settings = read_settings(tmp_path / "mine.toml", seed=7)
    assert settings.seed == 7 and settings.networks["detector"].is_fixed and not settings.networks["box"].is_fixed
    assert plan(settings.networks["detector"], 40, 3, None) == Plan([3, 4], 48, 2)
    assert plan(replace(settings.networks["detector"], epoch_length=100), 40, 3, None) == Plan([3, 4], 112, 2)


def test_time_that_a_network_leaves_goes_to_the_others():
    budget = Budget(1000.0, 100.0, {"detector": 0.5, "box": 0.2, "surfaces": 0.3})
    assert budget.allotted("detector") == pytest.approx(450) and budget.after("detector") == pytest.approx(550)
    budget.spent["detector"] = 700.0
    assert budget.allotted("box") == pytest.approx(80) and budget.after("box") == pytest.approx(220)
    budget.spent["box"] = 500.0
    assert budget.allotted("surfaces") == 0.0


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seed = 1", "seeds = 1", "no seeds"),
        ('new_classes = "mean"', 'new_classes = "none"', 'new_classes must be "mean" or "fresh"'),
        ('trainable = "output"', 'trainable = "head"', 'trainable of detector must be "all" or "output"'),
        ("share = 0.85\n", "epochs = 2\n", "give epochs to all or to none"),
        ("minutes = 25.0", "minutes = -1", "minutes must be above 0"),
        ("[surfaces]\n", "[surface]\n", "lacks share of [surfaces]"),
        ("seed = 1", "seed = = 1", "is no TOML file"),
    ],
)
def test_what_a_configuration_complains_of(old, new, sentence, tmp_path):
    path = tmp_path / "mine.toml"
    shutil.copy(DEFAULTS, path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(FineTuningError) as raised:
        read_settings(path)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(FineTuningError, match="cannot be read"):
        read_settings(tmp_path / "nothing.toml")


def test_a_bundle_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    """The old one is renamed aside first, and comes back where the new one cannot take its place."""
    new, output = tmp_path / "new", tmp_path / "out" / "bundle"
    for folder, text in ((new, "new"), (output, "old")):
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(text)
    rename = os.replace

    def fails(source, target):
        if Path(target) == output and Path(source).name.endswith(".part"):
            raise PermissionError("in use")
        rename(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(PermissionError):
        result._put(new, output)
    assert (output / "manifest.json").read_text() == "old"
    monkeypatch.setattr(os, "replace", rename)
    result._put(new, output)
    assert (output / "manifest.json").read_text() == "new"
    assert [path.name for path in output.parent.iterdir()] == ["bundle"]
