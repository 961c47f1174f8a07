"""The row "Model" of the panel: its list, adding, removing, what follows the choice, and models that are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from Testing import standins
from Testing.model_bundles import change_manifest, renamed_copy, write_bundle
from Testing.panel_helpers import MODULE, Bench
from Testing.test_panel_regions import DRAWN, begin_drawing, place_drawn

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

SHIPPED = ["radiographs", "heart-mr", "hippocampus-mr", "prostate-us"]
"""What comes with the software is listed first."""
BOX_ALONE = ("roi_detector", "box_detector", "refinement")


@pytest.fixture
def knees(tmp_path) -> Path:
    """A model that knows the patella and the femur, and asks for a score of its own."""
    return write_bundle(tmp_path / "knees", "knees", classes=["patella", "femur"], score=0.55)


@pytest.fixture
def done(bench):
    """A bench with a result of the shipped model's."""
    bench.volume()
    bench.run()
    return bench


def classes(bench) -> list[str]:
    combo = bench.ui.classComboBox
    return [combo.itemData(index) for index in range(combo.count)]


def test_the_shipped_model_is_listed_and_chosen(bench):
    ui = bench.ui
    assert bench.models() == SHIPPED and ui.modelComboBox.currentText == "radiographs"
    tip = ui.modelComboBox.toolTip
    assert "radiographs, version 3." in tip and "femur, tibia, teeth" in tip and "research only" in tip
    assert str(bench.panel.section("Advanced").chosen.folder) in tip
    assert classes(bench)[:5] == ["right lung", "left lung", "femur", "tibia", "teeth"] and len(classes(bench)) == 20
    assert ui.addModelButton.enabled and not ui.removeModelButton.enabled
    assert "added by its path" in ui.removeModelButton.toolTip
    bench.leave()
    assert not ui.addModelButton.enabled and ui.removeModelButton.toolTip == "The module is not in use."


def test_a_run_uses_the_model_that_is_chosen(bench, knees):
    bench.volume()
    bench.run()
    bench.add_model(knees)
    assert bench.status == "knees 1 is chosen. It finds: patella, femur."
    bench.run()
    assert bench.rig.models == [None, knees]
    bench.choose_model("radiographs")
    bench.run()
    assert bench.rig.models == [None, knees, None]


def test_a_model_is_added_and_there_after_a_restart(panel_session, knees):
    bench = Bench(panel_session)
    bench.add_model(knees)
    shown = bench.session.dialogs.shown[0]
    assert shown.kind == "QFileDialog.getExistingDirectory"
    assert bench.models() == [*SHIPPED, "knees"] and bench.panel.parameters.model == str(knees)
    bench.widget.onReload()
    assert bench.models() == [*SHIPPED, "knees"] and bench.ui.modelComboBox.currentText == "knees"
    bench.scene.Clear(0)  # a new scene begins with the shipped model
    bench.session.process()
    assert bench.models() == [*SHIPPED, "knees"] and bench.ui.modelComboBox.currentText == "radiographs"


def test_the_users_folder_is_listed_and_said_where_it_lies(bench):
    folder = bench.panel.segmenter.models.user_folder
    assert str(folder) in bench.ui.addModelButton.toolTip and bench.models() == SHIPPED
    write_bundle(folder / "mine", "hands")
    bench.leave()
    bench.enter()
    assert bench.models() == [*SHIPPED, "hands"]
    bench.choose_model("hands")
    assert not bench.ui.removeModelButton.enabled


def test_the_dialogue_is_cancelled(bench):
    bench.ui.addModelButton.click()
    assert len(bench.session.dialogs.shown) == 1 and bench.models() == SHIPPED and bench.status == ""


def test_what_is_no_model_is_refused_in_one_sentence(bench, tmp_path):
    bench.add_model(tmp_path)
    assert bench.status.startswith(f"{tmp_path} is no model: manifest.json is missing; choose a folder")
    broken = write_bundle(tmp_path / "broken")
    (broken / "manifest.json").write_text("{")
    bench.add_model(broken)
    assert "cannot be read" in bench.status and "Traceback" not in bench.log
    assert bench.models() == SHIPPED and bench.panel.parameters.model == ""


def test_the_module_is_left_behind_the_dialogue(bench, knees):
    import slicer
    from PySide6.QtWidgets import QFileDialog

    def leave(*_, **__):
        slicer.util.selectModule("SegmentEditor")
        return str(knees)

    bench.session.conventions.replace(QFileDialog, "getExistingDirectory", staticmethod(leave))
    bench.ui.addModelButton.click()
    bench.enter()
    assert bench.models() == SHIPPED


def test_a_model_is_taken_off_the_list(bench, knees):
    bench.add_model(knees)
    assert bench.ui.removeModelButton.enabled
    bench.ui.removeModelButton.click()
    assert bench.models() == SHIPPED and bench.panel.parameters.model == ""
    assert bench.status == "knees 1 is off the list; its files stay where they are. radiographs 3 is chosen now."
    assert (knees / "manifest.json").is_file() and not bench.ui.removeModelButton.enabled
    bench.widget.onReload()
    assert bench.models() == SHIPPED


def test_models_of_one_name_show_their_folders(bench, knees, tmp_path):
    bench.add_model(knees)
    bench.add_model(write_bundle(tmp_path / "later", "knees", "2"))
    assert bench.models() == [*SHIPPED, "knees (knees)", "knees (later)"]
    bench.choose_model("knees (knees)")
    assert bench.panel.parameters.model == str(knees) and "version 1." in bench.ui.modelComboBox.toolTip
    from PySide6.QtCore import Qt

    assert "version 2." in bench.ui.modelComboBox.itemData(5, Qt.ToolTipRole)


def test_the_classes_follow_the_model(bench, tmp_path):
    combo = bench.ui.classComboBox
    combo.currentIndex = 2
    bench.add_model(write_bundle(tmp_path / "menisci", "menisci", classes=["meniscus", "femur"]))
    assert classes(bench) == ["meniscus", "femur"] and combo.currentText == "Femur", "it knows the femur, too"
    combo.currentIndex = 0
    bench.choose_model("radiographs")
    assert "meniscus" not in classes(bench) and len(classes(bench)) == 20 and combo.currentIndex == 0


def test_the_score_follows_the_model_unless_the_user_has_set_it(bench, knees):
    slider = bench.ui.scoreSlider
    bench.add_model(knees)
    assert slider.value == pytest.approx(0.55) and bench.panel.parameters.scoreThreshold == pytest.approx(0.55)
    bench.choose_model("radiographs")
    assert slider.value == pytest.approx(0.3)
    slider.value = 0.42
    bench.choose_model("knees")
    assert slider.value == pytest.approx(0.42)


def methods_of(bench) -> list[str]:
    combo = bench.ui.methodComboBox
    return [combo.itemText(index) for index in range(combo.count)]


def test_the_methods_are_those_of_the_model(bench, tmp_path):
    """Its own is first, and needs no choice; what the user chose besides stays chosen."""
    ui, parameters = bench.ui, bench.panel.parameters
    bench.add_model(write_bundle(tmp_path / "box", "box alone", networks=BOX_ALONE))
    assert methods_of(bench) == ["Single box (the model's own)"]
    assert parameters.method == "" and not ui.methodComboBox.enabled
    bench.choose_model("radiographs")
    assert methods_of(bench) == ["Threshold surfaces (the model's own)", "Single box"] and ui.methodComboBox.enabled
    bench.choose_method("box")
    bench.add_model(write_bundle(tmp_path / "both", "both"))
    assert parameters.method == "box" and ui.methodComboBox.currentText == "Single box", "what the user chose stays"
    bench.choose_method("surfaces")
    assert parameters.method == "", "the model's own is that of whatever model"


def test_a_model_without_the_chosen_method_segments_nothing(bench, tmp_path):
    bench.volume()
    bench.panel.parameters.method = "SURFACES"  # as a scene of a former version says it
    assert bench.ui.methodComboBox.currentIndex == 0 and bench.ui.segmentButton.enabled
    bench.add_model(write_bundle(tmp_path / "box", "box alone", networks=BOX_ALONE))
    assert methods_of(bench) == ["Single box (the model's own)", "Threshold surfaces (not available)"]
    reason = "box alone 1 has no method 'Threshold surfaces'; choose another method or another model."
    assert bench.status.endswith(reason) and not bench.ui.segmentButton.enabled
    assert bench.ui.segmentButton.toolTip == reason
    bench.choose_method("box")
    assert bench.ui.segmentButton.enabled and bench.panel.parameters.method == ""


def test_settings_follow_from_a_model_that_went_away_meanwhile(bench, tmp_path):
    folder = write_bundle(tmp_path / "box", "box alone", networks=BOX_ALONE, score=0.6)
    bench.add_model(folder)
    shutil.rmtree(folder)
    bench.choose_model("box alone")  # which is looked at again
    assert "There is no model in" in bench.status
    bench.choose_model("radiographs")
    assert bench.panel.parameters.method == "" and bench.ui.scoreSlider.value == pytest.approx(0.3)


def test_a_scene_brings_its_model_back(done, knees, tmp_path):
    file = done.scene_file(tmp_path)
    done.add_model(knees)
    done.ui.scoreSlider.value = 0.2
    assert done.scene.WriteToMRB(str(file), None)
    done.scene.Clear(0)
    done.session.process()
    assert done.ui.modelComboBox.currentText == "radiographs"
    assert done.scene.ReadFromMRB(str(file))
    done.session.process()
    assert done.ui.modelComboBox.currentText == "knees" and done.panel.parameters.model == str(knees)
    assert done.ui.scoreSlider.value == pytest.approx(0.2) and classes(done) == ["patella", "femur"]
    done.run()
    assert done.rig.models[-1] == knees


def test_a_scene_whose_model_is_not_here_is_not_segmented_by_another(done, knees, tmp_path):
    file = done.scene_file(tmp_path)
    done.add_model(knees)
    assert done.scene.WriteToMRB(str(file), None)
    done.ui.removeModelButton.click()
    done.scene.Clear(0)
    done.session.process()
    shutil.move(knees, tmp_path / "elsewhere")
    loads = len(done.rig.loads)
    assert done.scene.ReadFromMRB(str(file))
    done.session.process()
    ui, panel = done.ui, done.panel
    sentence = (
        f"There is no model in {knees} on this computer; choose another model, or add the folder where it lies now."
    )
    assert done.status == sentence and ui.segmentButton.toolTip == sentence and not ui.segmentButton.enabled
    assert ui.drawButton.toolTip == sentence and ui.modelComboBox.toolTip == sentence and classes(done) == []
    assert done.models() == [*SHIPPED, "knees (not available)"]
    assert ui.modelComboBox.currentText == "knees (not available)" and not ui.removeModelButton.enabled
    assert done.names() == ["Femur", "Tibia"], "what is in the scene can be worked on"
    ui.statusLabel.text = ""
    panel.section("Segment").segment()  # as a script may
    assert done.status == sentence and len(done.rig.loads) == loads
    done.drag(done.workspace.outcome(done.node).regions["femur"], lambda: done.place("femur", (10.0, 6.0, 56.0, 47.0)))
    done.rest()
    assert done.status == sentence and len(done.rig.loads) == loads
    assert done.roi("femur") == pytest.approx(done.item().region, abs=0.05), "the region is put back"
    done.ui.grayRangeWidget.minimumValue = 190.0
    done.rest()
    assert done.item().thresholds.interval[0] == pytest.approx(190.0) and "Traceback" not in done.log
    done.add_model(tmp_path / "elsewhere")
    assert ui.segmentButton.enabled and done.models() == [*SHIPPED, "knees"]
    done.run()
    assert done.rig.models[-1] == tmp_path / "elsewhere"


def test_an_added_model_that_went_away_comes_back(bench, knees):
    bench.volume()
    bench.add_model(knees)
    knees.rename(knees.parent / "aside")
    bench.ui.segmentButton.click()  # nobody has looked since
    assert "There is no model in" in bench.status and bench.rig.loads == []
    bench.leave()
    bench.enter()
    assert bench.models() == [*SHIPPED, "knees (not available)"] and not bench.ui.segmentButton.enabled
    assert bench.ui.removeModelButton.enabled, "it can be taken off"
    (knees.parent / "aside").rename(knees)
    bench.choose_model("knees (not available)")  # the same one again
    assert bench.models() == [*SHIPPED, "knees"] and bench.ui.segmentButton.enabled


def test_a_damaged_model_does_not_hide_the_others(bench, knees, tmp_path):
    bench.add_model(knees)
    bench.add_model(write_bundle(tmp_path / "good", "good"))
    change_manifest(knees, lambda manifest: manifest["networks"].pop("box_detector"))
    bench.leave()
    bench.enter()
    assert bench.models() == [*SHIPPED, "knees (not available)", "good"] and bench.status.startswith("good 1")
    bench.choose_model("knees (not available)")
    assert "incomplete, or does not fit this version" in bench.status and "Traceback" not in bench.log


def test_objects_of_another_model_go_on_working(done, knees):
    """Their regions are looked at again only by a model that knows the class; their thresholds need none."""
    tibia, roi = done.mask("tibia"), done.item("tibia").region
    done.add_model(knees)
    done.rig.classes = ("patella", "femur")
    outcome = done.workspace.outcome(done.node)
    done.drag(outcome.regions["tibia"], lambda: done.place("tibia", (70.0, 50.0, 120.0, 80.0)))
    done.rest()
    assert done.status == "The model rig does not know 'tibia': choose another model to look for it again."
    assert "Traceback" not in done.log and done.roi("tibia") == pytest.approx(roi, abs=0.05)
    np.testing.assert_array_equal(done.mask("tibia"), tibia)
    done.drag(outcome.regions["femur"], lambda: done.place("femur", (10.0, 6.0, 56.0, 47.0)))
    done.rest()
    assert done.item("femur").region == pytest.approx((10.0, 6.0, 56.0, 47.0), abs=0.05)
    assert done.rig.models[-1] == knees


def test_a_region_is_drawn_for_a_class_of_the_chosen_model(done, knees):
    done.add_model(knees)
    done.rig.classes = ("patella", "femur")
    place_drawn(done, begin_drawing(done, "patella"), DRAWN)
    done.finish()
    assert done.names() == ["Femur", "Tibia", "Patella"] and done.rig.models[-1] == knees


def test_a_drag_is_cleaned_up_as_the_objects_own_model_says(done, knees, tmp_path):
    """That is called "rig", and another one is chosen meanwhile."""
    from GrayscaleDetSegLib.core.post_processing import PostProcessing

    seen = []
    models = done.panel.segmenter.models
    asked = models.clean_up_of

    def clean_up_of(*arguments):
        seen.append(arguments)
        return asked(*arguments)

    models.clean_up_of = clean_up_of
    done.add_model(write_bundle(tmp_path / "rig", "rig", "", ["femur"], clean_up={"smooth": 0.0, "fill_holes": False}))
    done.choose_model("radiographs")
    done.ui.grayRangeWidget.minimumValue = 190.0
    done.rest()
    assert seen == [("femur", "rig", "")] and asked(*seen[0]) == PostProcessing(smooth=0.0, fill_holes=False)
    done.ui.cleanUpCheckBox.checked = False
    done.ui.grayRangeWidget.minimumValue = 180.0
    done.rest()
    assert len(seen) == 1


def test_a_question_is_dropped_with_the_model_that_it_was_about(bench, knees):
    from GrayscaleDetSegLib.core.result import RegionProposal

    bench.volume()
    bench.rig.found = [RegionProposal("femur", 0.1, (8.0, 5.0, 70.0, 48.0))]
    bench.run()
    assert bench.panel.messages.is_asking
    bench.add_model(knees)
    assert not bench.panel.messages.is_asking


def test_a_script_chooses_a_model_by_the_parameter(bench, knees):
    bench.volume()
    bench.panel.parameters.model = str(knees)
    bench.session.process()
    assert bench.models() == [*SHIPPED, "knees"] and classes(bench) == ["patella", "femur"]
    assert not bench.ui.removeModelButton.enabled, "it is not remembered"
    bench.run()
    assert bench.rig.models == [knees]


def test_a_model_of_ones_own_from_the_list_to_the_objects(panel_session, tmp_path):
    """Nothing rigged: the shipped networks under other names, on the module's sample."""
    import slicer

    panel_session.load(MODULE)
    file = MODULE.parent / "Resources" / "Samples" / "knee.nrrd"
    slicer.modules.volumes.logic().AddArchetypeVolume(str(file), "Simulated knee", 0)
    slicer.util.selectModule("GrayscaleDetSeg")
    panel, bundle = slicer.modules.GrayscaleDetSegWidget.panel, tmp_path / "mine"
    renamed_copy(bundle, "mine", {"femur": "thigh bone", "tibia": "shin bone"})
    panel_session.dialogs.answers.append(str(bundle))
    panel.ui.addModelButton.click()
    panel.ui.segmentButton.click()
    assert panel_session.wait(lambda: not panel.runner.is_busy, 60.0)
    table = panel.ui.objectsTable
    cells = {table.item(row, column).text() for row in range(table.rowCount) for column in range(table.columnCount)}
    assert cells >= {"Thigh bone", "Shin bone"}
    assert panel.segmenter.workspace.shown(panel.session.node).result.model == "mine 3"
    assert "Model: mine 3." in panel.ui.logText.plainText
    (bundle / "surfaces.safetensors").write_bytes(b"damaged")
    change_manifest(bundle, lambda manifest: manifest.update(version="4"))  # so that it is loaded anew
    panel.ui.segmentButton.click()
    assert panel_session.wait(lambda: not panel.runner.is_busy, 60.0)
    assert "surfaces.safetensors is damaged" in panel.ui.statusLabel.text
    assert "Traceback" not in panel.ui.logText.plainText and table.rowCount >= 2
