"""Methods of other packages, installed as a stranger's are, everywhere where methods show: no line here knows them.

One explains its masks by thresholds and learns nothing, the other has a network in the model and explains nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch import report
from GrayscaleDetSegLib.core import codec
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.methods.registry import BUILT_IN, registry
from GrayscaleDetSegLib.logic.models import read_model
from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import masks
from Testing.scene_nodes import scene_with_logics
from Testing.strangers import OTSU, PIXELS, bundle_with_pixels, installed, site

pytest.importorskip("slicer", reason="slicer-core is not installed")

ROOT = Path(__file__).resolve().parents[1]
KNEE = ROOT / "Resources" / "Samples" / "knee.dcm"
BOTH = [("otsu", True), ("label-pixels", False)]
"""The methods, and whether they explain their masks by thresholds."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    return site(tmp_path_factory.mktemp("site"), {**OTSU, **PIXELS})


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return bundle_with_pixels(tmp_path_factory.mktemp("model") / "pixels")


@pytest.fixture
def strangers(packages):
    with installed(packages):
        yield


@pytest.fixture
def scene(tmp_path):
    made = scene_with_logics(tmp_path / "unpacked")
    yield made
    made.Clear(True)


def test_they_are_known_by_name_before_anything_of_them_is_imported(strangers):
    assert registry().names == (*BUILT_IN, "otsu", "label-pixels")
    assert not {"grayscale_otsu", "grayscale_pixels"} & set(sys.modules)
    titles = registry().titles()
    assert set(titles) == {*BUILT_IN, "otsu", "label-pixels"}
    assert [titles[name] for name in ("surfaces", "box", "otsu", "label-pixels")] == [
        "Threshold surfaces", "Single box", "Otsu's threshold", "Label per pixel",
    ]  # fmt: skip
    assert registry().problems == ()


def test_a_model_has_those_that_it_has_networks_for(strangers, model):
    assert read_model(model).methods == ("surfaces", "box", "label-pixels", "otsu")
    assert list(load_pipeline(None, "cpu").methods) == ["surfaces", "box", "otsu"]


def test_a_model_may_name_its_own(strangers, tmp_path):
    assert load_pipeline(bundle_with_pixels(tmp_path / "own", method="otsu"), "cpu").default_method == "otsu"


@pytest.mark.parametrize("method, is_explained", BOTH)
def test_the_command(method, is_explained, strangers, model, tmp_path, capsys):
    jsonschema = pytest.importorskip("jsonschema")
    from PIL import Image

    out = tmp_path / "out"
    arguments = [str(KNEE), "-o", str(out), "--method", method, "--model", str(model), "--device", "cpu"]
    assert command.main(["segment", *arguments]) == 0, capsys.readouterr()
    document = json.loads((out / "knee.json").read_text())
    jsonschema.Draft202012Validator(report.schema()).validate(document)
    bones = [item for item in document["objects"] if item["name"] in ("tibia", "femur")]
    assert len(bones) == 2  # some know a fibula, too
    for item in bones:
        assert item["method"] == method and item["pixel_count"] > 10_000
        assert (item["explanation"] is not None) is is_explained
    again = report.read_report(document)
    assert codec.encode(again, exact=False) == document
    stage = {"otsu": "otsu", "label-pixels": "labels"}[method]
    assert stage in document["seconds"]
    picture = np.asarray(Image.open(out / "knee.png"))
    assert picture.std() > 20 and (out / "knee.seg.nrrd").stat().st_size > 100


def test_the_help_names_them(packages):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "GrayscaleDetSeg"), str(packages)])}
    ask = [sys.executable, "-m", "GrayscaleDetSegLib.batch.main", "segment"]
    done = subprocess.run([*ask, "--help"], env=environment, capture_output=True, text=True, check=True)
    assert f"one of: {', '.join(BUILT_IN)}, otsu, label-pixels" in " ".join(done.stdout.split()).replace("- ", "-")


def test_a_model_that_lacks_one_is_refused(strangers, tmp_path, capsys):
    arguments = [str(KNEE), "-o", str(tmp_path / "out"), "--method", "label-pixels", "--device", "cpu"]
    assert command.main(["segment", *arguments]) == 2
    assert "The model radiographs 3 has no method 'label-pixels': choose one of surfaces, box, otsu" in (
        capsys.readouterr().err
    )


def volume_in(scene):
    from GrayscaleDetSegLib.core.reading import read_radiograph
    from Testing.scene_nodes import add_volume

    image = read_radiograph(KNEE)
    return add_volume(scene, np.array(image.pixels), image.geometry)


@pytest.mark.parametrize("method, is_explained", BOTH)
def test_the_console_record_table_undo_and_bundle(method, is_explained, strangers, model, scene, tmp_path):
    segmenter = Segmenter(scene)
    found = segmenter.segment(volume_in(scene), method=method, model=model, device="cpu")
    names = [item.name for item in found.objects]
    assert {"tibia", "femur"} <= set(names) and {item.method for item in found.objects} == {method}
    table, node = found.table, found.segmentation
    columns = {table.GetColumnName(number): number for number in range(table.GetNumberOfColumns())}
    assert table.GetCellText(0, columns["Method"]) == method
    assert (table.GetCellText(0, columns["Bottom (image)"]) != "") is is_explained
    other = Workspace(scene).shown(node)  # by node and volume alone
    for one, two in zip(found.objects, other.result.objects):
        assert codec.encode(one) == codec.encode(two) and (one.mask == two.mask).all()
        assert (two.thresholds is not None) is is_explained
    assert (segmenter.workspace.show_object(node, other.identities[0]) is not None) is is_explained

    before = segmenter.workspace.shown(node)
    segmenter.workspace.remove_object(node, before.identities[0])
    assert len(segmenter.workspace.shown(node).identities) == len(names) - 1 and segmenter.undo(node)
    assert segmenter.workspace.shown(node).identities == before.identities
    volume, grid, femur = found.outcome.volume, segmenter.workspace.grid(node), before.by_name["femur"]
    left = masks.mask_of(node, femur, volume, grid)
    left[::2] = False  # what another femur can have
    masks.write_mask(node, femur, volume, grid, left)
    again = segmenter.segment_region(
        volume, found.outcome.regions["femur"], "femur", segmentation=node, method=method, model=model
    )
    assert [item.name for item in again.objects] == [*names, "femur 2"] and again.objects[-1].method == method

    file = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(file), None)
    scene.Clear(0)
    assert scene.ReadFromMRB(str(file))
    (volume,) = [scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")]
    loaded = Workspace(scene)
    (node,) = loaded.results_on(volume)
    for one, two in zip(again.objects, loaded.shown(node).result.objects):
        assert codec.encode(one) == codec.encode(two) and (one.mask == two.mask).all()


def test_a_scene_opens_where_the_method_is_not_installed(packages, scene):
    """What it says of the method, and what explains the objects, is kept."""
    with installed(packages):
        found = Segmenter(scene).segment(volume_in(scene), method="otsu", device="cpu")
    assert "otsu" not in registry().names and registry().title("otsu") == "otsu"
    shown = Workspace(scene).shown(found.segmentation).result.objects
    assert {item.method for item in shown} == {"otsu"} and len(shown) >= 2 and shown[0].thresholds is not None


@pytest.fixture
def done(bench, packages, model):
    """The panel with both methods, and an image in it."""
    with installed(packages):
        from grayscale_otsu import Otsu
        from grayscale_pixels import Pixels, build

        network = build(3)
        for parameter, value in zip(network.parameters(), (10.0, -5.5)):
            parameter.data.fill_(value)
        bench.rig.more = (Otsu(bench.rig.classes), Pixels(network, bench.rig.classes))
        bench.add_model(model)
        bench.volume()
        yield bench


def test_the_panel_shows_thresholds_where_there_are_any(done):
    combo = done.ui.methodComboBox
    listed = [combo.itemText(index) for index in range(combo.count)]
    assert listed[2:] == ["Label per pixel", "Otsu's threshold"]
    done.choose_method("otsu")
    done.run()
    assert done.item().method == "otsu" and done.cells(0)[4] != ""
    assert done.ui.grayRangeWidget.enabled and done.ui.numbersLabel.text.startswith("The single box makes the mask")
    assert done.workspace.outcome(done.node).cloud is not None
    before = done.item()
    done.ui.grayRangeWidget.minimumValue = 254.0
    done.rest()
    assert done.item().pixel_count < before.pixel_count and done.item().method == "otsu"
    done.ui.undoButton.click()
    assert codec.encode(done.item()) == codec.encode(before) and "Traceback" not in done.log


def test_the_panel_says_why_there_are_none(done):
    done.choose_method("label-pixels")
    done.run()
    assert done.names() == ["Femur", "Tibia"] and done.item().explanation is None
    reason = "Label per pixel explains its masks by no thresholds: there are none to show or to move."
    assert done.ui.numbersLabel.text.startswith(reason) and not done.ui.grayRangeWidget.enabled
    confidence, interval, area, stability = done.cells(0)[2:]
    assert (confidence, interval, stability) == ("", "", "") and area.startswith(("1", "2", "3", "4", "5", "6", "7"))
    assert done.workspace.outcome(done.node).cloud is None
    before = done.mask()
    region = done.workspace.outcome(done.node).regions["femur"]
    done.drag(region, lambda: done.place("femur", (10.0, 6.0, 56.0, 47.0)))
    done.rest()
    assert done.item().region == pytest.approx((10.0, 6.0, 56.0, 47.0), abs=0.05)
    assert done.item().method == "label-pixels" and (done.mask() != before).any()
    done.ui.undoButton.click()
    np.testing.assert_array_equal(done.mask(), before)
    done.choose_method("otsu")  # over the same result: thresholds come, and go with the next
    done.run()
    assert done.ui.grayRangeWidget.enabled and done.workspace.outcome(done.node).cloud is not None
    done.choose_method("label-pixels")
    done.run()
    assert not done.ui.grayRangeWidget.enabled and done.workspace.outcome(done.node).cloud is None
    assert "Traceback" not in done.log
