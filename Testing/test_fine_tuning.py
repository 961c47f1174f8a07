"""`grayscale-detseg train` from end to end on simulated knees: new classes, kept ones, a kill, and what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("lightning", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.batch import training as library_side  # noqa: E402
from GrayscaleDetSegLib.batch.main import main  # noqa: E402
from GrayscaleDetSegLib.core.loading import load_pipeline  # noqa: E402
from GrayscaleDetSegLib.core.methods.box import Box  # noqa: E402
from GrayscaleDetSegLib.core.methods.surfaces import Surfaces  # noqa: E402
from GrayscaleDetSegLib.core.weights import Bundle, shipped_bundle  # noqa: E402
from Testing.stranger_packages import install  # noqa: E402
from Testing.strangers import OTSU, installed, site  # noqa: E402
from training.data import load_set  # noqa: E402
from training.fine_tuning import fitting, networks, tuning  # noqa: E402
from training.fine_tuning.errors import FineTuningError  # noqa: E402
from training.fine_tuning.heads import moved_detector, moved_pointnet  # noqa: E402
from training.fine_tuning.settings import DEFAULTS  # noqa: E402
from training.fine_tuning.steps import Step, Trained, steps_of  # noqa: E402
from training.networks import PointNetConfig, YoloConfig  # noqa: E402
from training.simulate.sets import write_set  # noqa: E402

OLD = ["right lung", "left lung", "femur", "tibia", "teeth"]


def configuration(path: Path, detector=(1, 1), box=(1, 1), surfaces=(1, 1), length=0) -> Path:
    """The shipped configuration with small batches and fixed epochs (last layers, everything) of some length."""
    lines, epochs = [], iter((*detector, *box, *surfaces))
    stage = False
    for line in DEFAULTS.read_text().splitlines():
        stage = line.startswith("[[") or (stage and not line.startswith("["))
        if line.startswith("batch_size"):
            line = f"batch_size = 4\nepoch_length = {length}"
        elif line.startswith("validations"):
            line = "validations = 2"
        elif stage and line.startswith("share"):
            line = f"epochs = {next(epochs)}"
        lines.append(line)
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module", autouse=True)
def _few_draws():
    """The refinement is fitted to fewer clouds."""
    before, networks.DRAWS = networks.DRAWS, 100
    yield
    networks.DRAWS = before


@pytest.fixture(scope="module")
def knees(tmp_path_factory) -> Path:
    """Eight knees of 6 patients; the femur is known, what was the tibia is now a class that nobody knows."""
    folder = tmp_path_factory.mktemp("data") / "knees"
    write_set(folder, ["knee"], 8, 128, 11)
    (folder / "labels.json").write_text(json.dumps({"femur": 1, "shin bone": 2}))
    rows = (folder / "split.csv").read_text().splitlines()[1:]
    patients = [f"{row.partition(',')[0]},train,P{max(0, number - 2)}" for number, row in enumerate(rows)]
    (folder / "split.csv").write_text("\n".join(["name,split,patient", *patients]))
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """The shipped bundle, its networks set to look at fewer pixels: the same weights, several times faster."""
    folder = tmp_path_factory.mktemp("start") / "radiographs"
    shutil.copytree(shipped_bundle(), folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    networks = manifest["networks"]
    networks["box_detector"]["settings"]["side"] = 12
    networks["surfaces"]["config"]["grid"] //= 2
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def train(start):
    """Run the command from that bundle; returns the exit code."""
    return lambda *arguments: command("--from", start, *arguments)


def command(*arguments: object) -> int:
    return main(["train", *map(str, arguments), "--workers", "0", "--verbose"])


@pytest.fixture(scope="module")
def trained(knees, start, tmp_path_factory) -> Path:
    """A bundle after enough epochs to find what it was taught."""
    folder = tmp_path_factory.mktemp("trained")
    config = configuration(folder / "mine.toml", detector=(1, 3), box=(1, 1), surfaces=(1, 1), length=32)
    assert command("--from", start, "--output", folder / "bundle", "--config", config, knees) == 0
    return folder


def test_the_bundle_knows_the_classes_of_the_data_and_finds_them(trained, knees):
    pipeline = load_pipeline(trained / "bundle", "cpu")
    assert pipeline.roi_detector.network.config.classes == ("femur", "shin bone")
    found = []
    for case in load_set(knees)[:3]:
        result = pipeline.segment(case.radiograph(), score_threshold=0.05)
        masks = {item.label: item.mask for item in sorted(result.objects, key=lambda item: item.score)}  # the surest
        for label, truth in case.objects():
            mask = masks.get(label, np.zeros(truth.shape, bool))
            found.append((label, (mask & truth).sum() / (mask | truth).sum()))
    for wanted in ("femur", "shin bone"):
        assert np.mean([iou for label, iou in found if label == wanted]) > 0.5, found


def test_the_bundle_tells_what_it_is(trained):
    bundle = Bundle.open(trained / "bundle")
    assert bundle.name == "bundle 1" and bundle.manifest["classes"] == ["femur", "shin bone"]
    for entry in bundle.manifest["networks"].values():
        assert (bundle.folder / entry["file"]).is_file()
    polarity = Bundle.open().tensors("polarity")
    assert all(torch.equal(tensor, polarity[name]) for name, tensor in bundle.tensors("polarity").items())
    rows = bundle.manifest["validation"]
    assert {row["class"] for row in rows} == {"femur", "shin bone"}
    assert all(0.0 < row["ceiling"] <= 1.0 and 0.0 <= row["surfaces_iou"] <= 1.0 for row in rows)
    card = (bundle.folder / "MODEL_CARD.md").read_text()
    for part in ("Research use only", "shin bone", "radiographs 3", "by the patients of split.csv", "| ceiling |"):
        assert part in card, part
    assert "montgomery_lungs" in card, "whoever uses it must know what the start had seen"
    assert not list(trained.glob(".*")), "nothing half-written stays"


def test_the_run_keeps_what_it_was_made_of(trained):
    work = trained / "bundle.work"
    about = json.loads((work / "run.json").read_text())
    session = about["sessions"][-1]
    assert about["made_of"]["seed"] == 1 and session["code"]["version"] and session["software"]["torch"]
    assert session["outcome"] == "finished"
    assert (work / "config.toml").read_text() == (trained / "mine.toml").read_text()
    log = (work / "log.txt").read_text()
    for part in ("new: shin bone", "dropped", "right lung", "1 + 3 epochs of 32", "2D detector: epoch 4 of 4"):
        assert part in log, part
    for name in ("detector", "box", "surfaces"):
        assert list((work / name).glob("events.out.tfevents.*"))
        assert (work / name / "checkpoints" / "last.ckpt").exists()
    assert json.loads((work / "validation" / "summary.json").read_text())


def weights(folder: Path) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in Bundle.open(folder).manifest["networks"].items()}


class PowerCut(BaseException):
    """Nothing that anybody would catch."""


@pytest.mark.parametrize("place", [("detector", 1), ("box", 1)])
def test_a_run_that_was_cut_off_ends_as_an_unbroken_one(place, knees, start, unbroken, tmp_path, monkeypatch):
    config = configuration(tmp_path / "mine.toml")
    original = fitting.Progress.on_train_batch_end

    def interrupted(self, trainer, *arguments):
        original(self, trainer, *arguments)
        if (self.folder.name, trainer.current_epoch) == place:
            raise PowerCut

    request = tuning.TrainingRequest([knees], tmp_path / "bundle", start, config=config, workers=0)
    with monkeypatch.context() as patch:
        patch.setattr(fitting.Progress, "on_train_batch_end", interrupted)
        with pytest.raises(PowerCut):
            tuning.tune(request, lambda text: None, lambda *_: None)
    assert not request.output.exists() and (tmp_path / "bundle.work" / place[0] / "checkpoints" / "last.ckpt").exists()
    said = []
    tuning.tune(request, said.append, lambda *_: None)
    assert any("finished before" in line for line in said) == (place[0] != "detector")
    assert weights(request.output) == unbroken


@pytest.fixture(scope="module")
def unbroken(knees, start, tmp_path_factory) -> dict[str, str]:
    """The weights of a run of `configuration()` that nothing stopped."""
    folder = tmp_path_factory.mktemp("unbroken")
    config = configuration(folder / "mine.toml")
    request = tuning.TrainingRequest([knees], folder / "bundle", start, config=config, workers=0)
    tuning.tune(request, lambda text: None, lambda *_: None)
    return weights(request.output)


def test_one_method_alone(knees, start, tmp_path, monkeypatch, capsys):
    """What another one needs is neither trained nor in the new model; and it is said."""

    def untrained(context, _detector):
        entry = context.start.network("box_detector")
        network = moved_pointnet(
            context.start,
            PointNetConfig.from_dict({**entry["config"], "classes": context.classes}),
            context.head_transfer("box_detector"),
        )
        rows = context.start.tensors("refinement")
        refinement = {label: rows.get(label, rows["femur"]).clone() for label in context.classes}
        changes = {"config": network.config.to_dict(), "anchors": entry["anchors"]}
        return {"box_detector": Trained(network.state_dict(), changes), "refinement": Trained(refinement)}

    def detector(context):
        config = {**context.start.network("roi_detector")["config"], "classes": context.classes}
        return moved_detector(context.start, YoloConfig.from_dict(config), context.head_transfer("roi_detector"))

    monkeypatch.setattr(networks, "BOX", Step("box", ("box_detector", "refinement"), untrained))
    monkeypatch.setattr(tuning, "tune_detector", detector)
    assert command("--from", start, "-o", tmp_path / "bundle", "--method", "box", knees) == 0
    assert "Not trained, and not in the new model: surfaces" in capsys.readouterr().out
    bundle = Bundle.open(tmp_path / "bundle")
    assert set(bundle.manifest["networks"]) == {"roi_detector", "box_detector", "refinement", "polarity"}
    assert bundle.manifest["method"] == "box" and "surfaces.safetensors" not in os.listdir(bundle.folder)
    assert next(iter(load_pipeline(tmp_path / "bundle", "cpu").methods)) == "box"


def test_a_method_that_says_not_how_it_is_trained(knees, tmp_path, capsys):
    with installed(site(tmp_path / "site", OTSU)):
        assert command("-o", tmp_path / "bundle", "--method", "otsu", knees) == 2
    said = capsys.readouterr().err
    assert "The method 'otsu' does not say how it is trained; choose another one with --method" in said


def test_a_method_of_another_package_brings_its_own_training(tmp_path):
    """Steps that methods share run once; what cannot be imported is one sentence."""
    code = """
        from training.fine_tuning.steps import Step
        MINE = Step("mine", ("mine",), lambda context, detector: {})
    """
    install(tmp_path, "mine_training", code, {})
    needed = {
        "mine": ("mine_training:MINE",),
        "both": (*Box.trained_by, "mine_training:MINE"),
        "broken": ("mine_training:NONE",),
    }
    named = {name: type(name, (), {"name": name, "trained_by": steps}) for name, steps in needed.items()}
    sys.path.insert(0, str(tmp_path))
    try:
        found = steps_of([Surfaces, Box, named["both"], named["mine"]])
        assert sorted(step.name for step in found) == ["box", "mine", "surfaces"]
        assert [step.name for step in steps_of([Surfaces])] == ["box", "surfaces"]
        with pytest.raises(FineTuningError, match="'broken' cannot be trained: mine_training:NONE cannot be imported"):
            steps_of([named["broken"]])
    finally:
        sys.path.remove(str(tmp_path))


def test_kept_classes_keep_their_rows(train, knees, tmp_path, capsys):
    config = configuration(tmp_path / "mine.toml")
    arguments = ("--config", config, "--keep", "right lung", "left lung", "--complete", "--name", "mine")
    assert train(knees, "-o", tmp_path / "bundle", *arguments) == 0
    assert "kept as they are (only last layers learn): right lung, left lung" in capsys.readouterr().out
    start, bundle = Bundle.open(), Bundle.open(tmp_path / "bundle")
    assert bundle.manifest["classes"] == ["femur", "shin bone", "right lung", "left lung"]
    before, after = start.tensors("surfaces"), bundle.tensors("surfaces")
    changed = {name for name in before if name in after and not torch.equal(before[name], after[name])}
    assert changed == {"head.weight", "head.bias"}
    for name in changed:
        assert torch.equal(before[name][:4], after[name][4:8])
    refinement = bundle.tensors("refinement")
    assert torch.equal(refinement["left lung"], start.tensors("refinement")["left lung"])
    box = bundle.tensors("box_detector")
    changed = {name for name, tensor in start.tensors("box_detector").items() if not torch.equal(tensor, box[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert "Kept from radiographs 3 without training data" in (bundle.folder / "MODEL_CARD.md").read_text()


def test_by_the_time_it_ends_in_time(train, knees, tmp_path, capsys):
    """Two seconds are too few for anything: every stage still has its epoch, and there is a bundle at the end."""
    assert train(knees, "-o", tmp_path / "bundle", "--minutes", 0.03) == 0
    said = capsys.readouterr().out
    assert "1 + 1 epochs of" in said and "s left" in said and "min;" in said
    load_pipeline(tmp_path / "bundle", "cpu")


def test_what_is_wrong_is_said_in_a_sentence(train, knees, trained, tmp_path, capsys):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.txt").write_text("not yours")
    empty = tmp_path / "empty"
    shutil.copytree(knees, empty)
    for path in (empty / "labels").iterdir():
        Image.fromarray(np.zeros((128, 128), np.uint8)).save(path)
    extension = tmp_path / "extension"
    extension.mkdir()
    (extension / "manifest.json").write_text('{"manifest_version": 3, "name": "of a browser"}')
    more = tmp_path / "more"
    shutil.copytree(trained / "bundle", more)
    (more / "thesis.docx").write_text("years of work")
    output = ("-o", tmp_path / "bundle")
    expected = {
        (tmp_path / "nowhere", *output): (2, "nowhere"),
        (tmp_path / "nothing", *output): (2, "nothing"),
        (empty, *output): (2, "nothing to learn"),
        (knees, "-o", trained / "bundle"): (2, "exists already: use another output folder, or --overwrite"),
        (knees, "-o", tmp_path / "full", "--overwrite"): (2, "is no model bundle and is not replaced"),
        (knees, "-o", extension, "--overwrite"): (2, "is no model bundle and is not replaced"),
        (knees, "-o", more, "--overwrite"): (2, "holds something else than a model bundle (thesis.docx)"),
        (knees, *output, "--work", tmp_path / "full"): (2, "holds something else"),
        (knees, *output, "--work", trained / "bundle.work", "--seed", 5): (2, "holds another training (configuration"),
        (knees, *output, "--keep", "meniscus"): (2, "--keep: radiographs 3 does not know 'meniscus', only right lung"),
        (knees, *output, "--keep", "teeth", "--forget", "teeth"): (2, "cannot be kept and forgotten"),
        (knees, *output, "--config", tmp_path / "no.toml"): (2, "cannot be read"),
        (knees, *output, "--from", tmp_path / "nothing"): (4, "There is no model bundle"),
    }
    for arguments, (code, part) in expected.items():
        assert train(*arguments) == code, arguments
        said = capsys.readouterr().err
        assert part in said and "fault" not in said, said
    assert not (tmp_path / "bundle").exists() and not (tmp_path / "bundle.work").exists()
    assert (tmp_path / "full" / "holiday.txt").exists()
    for arguments in (["--minutes", "0"], ["--threads", "0"], ["--workers", "-1"], []):
        assert main(["train", str(knees), *arguments]) == 2


def test_bad_images_are_listed_before_anything_is_done(train, knees, tmp_path, capsys):
    bad = tmp_path / "bad"
    shutil.copytree(knees, bad)
    path = next((bad / "labels").iterdir())
    Image.fromarray(np.zeros((50, 40), np.uint8)).save(path)
    assert train(bad, "-o", tmp_path / "bundle") == 3
    said = capsys.readouterr().err
    assert path.stem in said and "--skip-bad" in said and "fault" not in said
    assert not (tmp_path / "bundle.work").exists()


def test_without_the_training_the_command_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(library_side.importlib.util, "find_spec", lambda name: None)
    assert main(["train", str(tmp_path), "-o", str(tmp_path / "bundle")]) == 4
    said = capsys.readouterr().err
    assert "The training is not installed" in said and "pip install . ./training" in said
    monkeypatch.undo()

    def without(name):
        raise ModuleNotFoundError("No module named 'lightning.pytorch'", name="lightning.pytorch")

    monkeypatch.setattr(library_side.importlib, "import_module", without)
    assert main(["train", str(tmp_path), "-o", str(tmp_path / "bundle")]) == 4
    assert "needs the Python package 'lightning'" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(library_side, "_OLDEST", (4, 0))
    assert main(["train", str(tmp_path), "-o", str(tmp_path / "bundle")]) == 4
    assert "Training needs Python 4.0 or later" in capsys.readouterr().err
