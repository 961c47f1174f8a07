"""Which models are installed, without a panel: found, added, remembered, refused, named; and what runs with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from GrayscaleDetSegLib.core import weights
from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError, UnknownClassError, WeightsError
from GrayscaleDetSegLib.core.options import SegmentOptions
from GrayscaleDetSegLib.core.result import is_among_makers
from GrayscaleDetSegLib.core.weights import MANIFEST, shipped_bundle
from GrayscaleDetSegLib.logic import models as logic_models
from GrayscaleDetSegLib.logic.engine import Engine
from GrayscaleDetSegLib.logic.models import ADDED, Memory, Models, labels, read_model
from Testing.fakes import radiograph
from Testing.fakes import result as fake_result
from Testing.model_bundles import change_manifest, renamed_copy, write_bundle
from Testing.rigged import film, rigged_engine, rigged_pipeline

SHIPPED = "radiographs"


@pytest.fixture(autouse=True)
def alone(request, monkeypatch):
    """The list begins with the model of radiographs; those of volumes beside it are left out but in their own test."""
    if "volumes" in request.node.name:
        return
    beside, found = shipped_bundle().parent, logic_models._bundles_in
    monkeypatch.setattr(logic_models, "_bundles_in", lambda folder: iter(()) if folder == beside else found(folder))


def test_the_models_of_volumes_are_on_the_list():
    names_of_all = names(Models())
    assert names_of_all == [SHIPPED, "heart-mr", "hippocampus-mr", "prostate-us"]
    assert not any(model.problem for model in Models().installed())
    assert Models().find("heart-mr 1") == shipped_bundle().parent / "heart-mr"


def names(models: Models) -> list[str]:
    return [model.name for model in models.installed()]


def test_what_the_shipped_models_manifest_says():
    (model,) = Models().installed()
    assert (model.name, model.version, model.full_name, model.key) == ("radiographs", "3", "radiographs 3", "")
    assert model.classes[:5] == ("right lung", "left lung", "femur", "tibia", "teeth") and len(model.classes) == 20
    assert model.methods == ("surfaces", "box")
    assert model.folder == shipped_bundle() and not model.is_added and not model.problem
    assert model.use == "research only" and model.clean_up.largest_parts == {"teeth": 0, "hand": 0, "foot": 0}


def test_the_score_where_the_manifest_names_none_is_the_detectors_own():
    from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings

    assert logic_models.SCORE == DetectionSettings().score


def test_the_users_folder_and_others_beside_the_shipped_one(tmp_path, monkeypatch):
    user, shipped = tmp_path / "user", tmp_path / "Models"
    write_bundle(shipped / "radiographs", SHIPPED)
    write_bundle(shipped / "hands", "hands")
    monkeypatch.setattr(weights, "shipped_bundle", lambda: shipped / "radiographs")
    models = Models(user)
    assert names(models) == [SHIPPED, "hands"], "a folder that is not there yet"
    write_bundle(user / "b", "second")
    write_bundle(user / "A", "first", classes=["patella"], score=0.45)
    (user / "b.work").mkdir()
    (user / "note.txt").write_text("no bundle")
    write_bundle(user / ".c.part", "half written")
    assert names(models) == [SHIPPED, "hands", "first", "second"]
    first = models.installed()[2]
    assert (first.classes, first.score, first.key) == (("patella",), 0.45, str(user / "A"))
    assert not any(model.is_added or model.problem for model in models.installed())


def test_added_models_are_there_after_a_restart(tmp_path):
    """With the settings as Qt writes them to a file, which gives back texts."""
    core = pytest.importorskip("PySide6.QtCore")
    file = str(tmp_path / "Slicer.ini")
    folders = [write_bundle(tmp_path / name, f"m{n}") for n, name in enumerate(("a, b", 'q"uo\\te', "Knie größer"))]
    settings = core.QSettings(file, core.QSettings.IniFormat)
    for folder in folders:
        assert Models(settings=settings).add(folder).is_added
        settings.sync()
        settings = core.QSettings(file, core.QSettings.IniFormat)
        assert isinstance(settings.value(ADDED), str)
    models = Models(settings=settings)
    assert [model.folder for model in models.installed()[1:]] == folders
    models.remove(models.installed()[2])
    settings.sync()
    again = Models(settings=core.QSettings(file, core.QSettings.IniFormat))
    assert [model.folder for model in again.installed()[1:]] == [folders[0], folders[2]]
    assert (folders[1] / MANIFEST).is_file(), "the files stay"


def test_a_folder_is_on_the_list_once(tmp_path):
    user = tmp_path / "user"
    inside, outside = write_bundle(user / "in"), write_bundle(tmp_path / "out", "out")
    settings = Memory()
    models = Models(user, settings)
    assert not models.add(inside).is_added and not models.add(shipped_bundle()).is_added
    assert settings.value(ADDED) is None
    for spelling in (outside, tmp_path / "user" / ".." / "out", str(outside) + "/"):
        assert models.add(Path(spelling)).is_added
    assert names(models) == [SHIPPED, "knees", "out"] and json.loads(settings.value(ADDED)) == [str(outside)]
    assert models.get("").folder == models.get(str(shipped_bundle())).folder == shipped_bundle()


def test_a_relative_path_is_remembered_as_a_whole_one(tmp_path, monkeypatch):
    write_bundle(tmp_path / "mine", "mine")
    monkeypatch.chdir(tmp_path)
    models = Models()
    assert models.add(Path("mine")).folder == tmp_path / "mine"
    monkeypatch.chdir("/")
    assert names(models) == [SHIPPED, "mine"] and not models.installed()[1].problem


BROKEN = {
    "text": (lambda folder: (folder / MANIFEST).write_text("{"), "cannot be read"),
    "bytes": (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "format": (lambda folder: change_manifest(folder, lambda m: m.update(format=99)), "not of format 1"),
    "list": (lambda folder: (folder / MANIFEST).write_text("[]"), "not of format 1"),
    "networks": (lambda folder: change_manifest(folder, lambda m: m.update(networks=[])), "incomplete"),
    "no box": (lambda folder: change_manifest(folder, lambda m: m["networks"].pop("box_detector")), "incomplete"),
    "classes": (lambda folder: change_manifest(folder, lambda m: m.update(classes="femur")), "incomplete"),
    "numbers": (lambda folder: change_manifest(folder, lambda m: m.update(classes=[1])), "incomplete"),
    "post-processing": (
        lambda folder: change_manifest(folder, lambda m: m.update(clean_up={"magic": 1})),
        "incomplete",
    ),
    "score": (
        lambda folder: change_manifest(folder, lambda m: m["networks"]["roi_detector"].update(settings={"score": "x"})),
        "incomplete",
    ),
    "weights": (lambda folder: (folder / "refinement.safetensors").unlink(), "lacks refinement.safetensors"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_bundle_says_why_and_raises_nothing(how, tmp_path):
    damage, reason = BROKEN[how]
    models = Models()
    folder = models.add(write_bundle(tmp_path / "broken")).folder
    damage(folder)
    (model,) = models.installed()[1:]
    assert reason in model.problem and model.problem.endswith(".") and "\n" not in model.problem
    assert model.is_added and model.name
    with pytest.raises(WeightsError, match=reason):
        Models().add(folder)


def test_a_folder_that_is_gone_stays_on_the_list_and_can_be_taken_off(tmp_path):
    models = Models()
    folder = models.add(write_bundle(tmp_path / "knees")).folder
    folder.rename(tmp_path / "elsewhere")
    gone = models.installed()[1]
    assert gone.problem.startswith(f"There is no model in {folder} on this computer;") and gone.is_added
    assert gone == models.get(str(folder))
    models.remove(gone)
    assert names(models) == [SHIPPED]


def test_what_is_no_model_is_refused(tmp_path):
    models = Models()
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(WeightsError, match="is no model: manifest.json is missing; choose a folder that"):
            models.add(folder)
    assert names(models) == [SHIPPED]


@pytest.mark.parametrize("value", [None, "", "{", '{"a": 1}', "[1, null]", ["/a"], 7, "null"])
def test_settings_that_somebody_else_wrote(value):
    settings = Memory()
    settings.setValue(ADDED, value)
    models = Models(settings=settings)
    assert names(models)[0] == SHIPPED and len(models.installed()) <= 2


def test_models_of_the_same_name_are_told_apart_by_their_folders(tmp_path):
    folders = [tmp_path / "one" / "run" / "knees", tmp_path / "two" / "run" / "knees", tmp_path / "hands"]
    models = Models()
    for folder in folders:
        models.add(write_bundle(folder, "knees"))
    models.add(write_bundle(tmp_path / "x", "other"))
    ends = [Path("one", "run", "knees"), Path("two", "run", "knees"), "hands"]
    assert labels(models.installed()) == [SHIPPED, f"knees ({ends[0]})", f"knees ({ends[1]})", "knees (hands)", "other"]


def test_a_model_is_found_by_its_name(tmp_path, monkeypatch):
    models = Models()
    one = models.add(write_bundle(tmp_path / "a", "knees", "1")).folder
    two = models.add(write_bundle(tmp_path / "b", "knees", "2")).folder
    assert models.find(None) is None and models.find("radiographs") is None and models.find("radiographs 3") is None
    assert models.find("knees 2") == two and models.find(str(one)) == one and models.find(tmp_path) == tmp_path
    with pytest.raises(WeightsError, match="Several models are called 'knees': give the folder") as several:
        models.find("knees")
    assert str(one) in str(several.value) and str(two) in str(several.value)
    with pytest.raises(WeightsError, match="no model 'hands': choose one of radiographs 3, knees 1, knees 2, or"):
        models.find("hands")
    monkeypatch.chdir(tmp_path)
    assert models.find("a") == Path("a")


def test_an_edited_object_is_cleaned_up_as_its_own_model_says(tmp_path):
    models = Models()
    knees = write_bundle(tmp_path / "k", "knees", classes=["meniscus"], clean_up={"smooth": 0.5})
    hands = write_bundle(tmp_path / "h", "hands", classes=["meniscus", "teeth"], clean_up={"smooth": 0.25})
    hands = models.add(hands).key
    gone = str(tmp_path / "nowhere")
    shipped = models.get("").clean_up
    assert models.clean_up_of("teeth", "radiographs 3", hands) == shipped, "not what another model says"
    assert models.clean_up_of("meniscus", "hands 1", "").smooth == 0.25
    assert models.clean_up_of("meniscus", "radiographs 3 + hands 1", "").smooth == 0.25, "made by one of two"
    assert models.clean_up_of("teeth", "radiographs 3", gone) == shipped
    assert models.clean_up_of("meniscus", "knees 1", hands).smooth == 0.25, "its maker is not installed"
    models.add(knees)
    assert models.clean_up_of("meniscus", "knees 1", hands).smooth == 0.5


def test_a_model_trained_anew_in_its_place_is_loaded_anew(tmp_path):
    loaded, folder = [], write_bundle(tmp_path / "knees")
    engine, options = Engine(lambda *wanted: loaded.append(wanted) or rigged_pipeline()), SegmentOptions(model=folder)
    engine.pipeline(options)
    engine.pipeline(options)
    assert loaded == [(folder, "auto", "auto")]
    change_manifest(folder, lambda manifest: manifest["networks"]["surfaces"].update(sha256="other"))
    engine.pipeline(options)
    assert len(loaded) == 2
    (folder / MANIFEST).unlink()
    with pytest.raises(WeightsError):
        Engine().pipeline(options)


def test_a_class_that_the_present_model_does_not_know_is_one_sentence():
    image, engine = replace(radiograph(), pixels=film()), rigged_engine()
    mine = replace(fake_result(image), model="knees 1")  # a right lung, and a femur
    with pytest.raises(UnknownClassError, match="The model rigged 1 does not know 'right lung': choose another model"):
        engine.replace_region(mine, "right lung", (5.0, 5.0, 60.0, 50.0), SegmentOptions())
    with pytest.raises(GrayscaleDetSegError, match="does not know 'hand': choose one of femur, tibia"):
        engine.add_region(mine, (5.0, 5.0, 60.0, 50.0), "hand", SegmentOptions())


def test_a_result_names_all_models_that_made_its_objects():
    image, engine = replace(radiograph(), pixels=film()), rigged_engine()
    mine = replace(fake_result(image), model="a + b 1")
    moved = engine.replace_region(mine, "femur 2", (60.0, 50.0, 125.0, 85.0), SegmentOptions())
    assert moved.model == "a + b 1 + rigged 1"
    again = engine.add_region(moved, (60.0, 50.0, 125.0, 85.0), "tibia", SegmentOptions())
    assert again.model == moved.model
    assert is_among_makers("rigged 1", moved.model) and is_among_makers("a + b 1", moved.model)
    assert not is_among_makers("rigged", moved.model) and not is_among_makers("rigged 11", moved.model)
    assert replace(mine, model="").also_by("x 1").model == "x 1" and mine.also_by("") is mine


def test_a_result_in_the_scene_keeps_the_names_of_its_models():
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from GrayscaleDetSegLib.logic.segmenter import Segmenter
    from Testing.scene_nodes import add_volume, scene_with_logics

    scene = scene_with_logics()
    segmenter = Segmenter(scene, rigged_engine())
    node = segmenter.segment(add_volume(scene, film())).segmentation
    shown = segmenter.workspace.shown(node)
    changed = shown.result.also_by("hands 1")
    segmenter.workspace.write_object(node, changed, shown.result.objects[0].name, shown.identities[0])
    segmenter.workspace.forget_all()
    assert segmenter.workspace.shown(node).result.model == "rigged 1 + hands 1"


def test_a_run_by_name_uses_that_model(tmp_path):
    """The shipped networks under other names, on the module's own sample."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    import SimpleITK

    from GrayscaleDetSegLib.logic.segmenter import Segmenter
    from Testing.panel_helpers import MODULE
    from Testing.scene_nodes import add_volume, scene_with_logics

    scene, models = scene_with_logics(), Models(tmp_path)
    renamed_copy(tmp_path / "mine", "mine", {"femur": "thigh bone"})
    sample = SimpleITK.ReadImage(str(MODULE.parent / "Resources" / "Samples" / "knee.nrrd"))
    volume = add_volume(scene, SimpleITK.GetArrayFromImage(sample)[0], name="knee")
    segmenter = Segmenter(scene, models=models)
    found = segmenter.segment(volume, model="mine", device="cpu")
    assert {item.label for item in found.objects} >= {"thigh bone", "tibia"} and found.result.model == "mine 3"
    assert {item.label for item in segmenter.segment(volume, device="cpu").objects} >= {"femur", "tibia"}
    (tmp_path / "mine" / "refinement.safetensors").write_bytes(b"damaged")
    change_manifest(tmp_path / "mine", lambda manifest: manifest.update(version="4"))
    with pytest.raises(WeightsError, match="is damaged"):
        segmenter.segment(volume, model="mine", device="cpu")


def test_the_applications_models_lie_beside_its_settings(panel_session):
    import slicer

    models = logic_models.application_models()
    assert models.user_folder == Path(slicer.app.slicerUserSettingsFilePath).parent / "GrayscaleDetSeg" / "Models"
    slicer.app.userSettings().setValue(ADDED, json.dumps(["/somewhere"]))
    assert [str(model.folder) for model in models.installed()[1:]] == ["/somewhere"]


def test_a_bundle_without_a_list_of_classes_knows_those_of_its_2d_detector(tmp_path):
    folder = write_bundle(tmp_path / "old", classes=["ulna"], networks=("roi_detector", "box_detector", "refinement"))
    change_manifest(folder, lambda manifest: manifest.pop("classes"))
    model = read_model(folder)
    assert model.classes == ("ulna",) and model.methods == ("box",) and not model.problem
