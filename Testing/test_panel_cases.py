"""Save as training case, from the panel: when it can be clicked, what it writes, what it says."""

from __future__ import annotations

import numpy as np
import pytest

from Testing import standins
from Testing.panel_helpers import Bench, picture

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def done(bench):
    """A bench with a result on a turned image."""
    bench.volume()
    bench.run()
    return bench


def read(path) -> np.ndarray:
    import SimpleITK

    return np.squeeze(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))))


def test_the_button_says_what_is_missing(bench, tmp_path):
    button, folder, name = bench.ui.saveCaseButton, bench.ui.caseFolderLineEdit, bench.ui.caseNameLineEdit
    assert not button.enabled and button.toolTip == "There is no result to save."
    bench.volume("hand")
    assert button.toolTip == "There is no result to save." and name.text == "hand"
    bench.run()
    assert not button.enabled and button.toolTip == "Choose a folder first."
    folder.currentPath = str(tmp_path)
    assert button.enabled and "training" in button.toolTip
    name.text = "  "
    assert not button.enabled and button.toolTip == "Give the case a name first."
    name.text = "hand 1"
    assert button.enabled
    folder.currentPath = ""
    assert not button.enabled and button.toolTip == "Choose a folder first."
    folder.currentPath = str(tmp_path)
    bench.begin()
    assert not button.enabled and button.toolTip == "Wait until the run has ended."
    name.text = "hand 2"
    assert not button.enabled, "typing while a run is on"
    bench.finish()
    assert button.enabled
    bench.leave()
    assert not button.enabled


def test_a_case_is_saved_with_hand_edits(done, tmp_path):
    import slicer

    done.paint()
    done.ui.caseFolderLineEdit.currentPath = str(tmp_path / "cases")
    done.ui.caseNameLineEdit.text = "case 1"
    done.ui.saveCaseButton.click()
    image, labels = sorted((tmp_path / "cases").iterdir())
    assert (image.name, labels.name) == ("case_1.nrrd", "case_1.seg.nrrd") and str(image) in done.status
    np.testing.assert_array_equal(read(image), picture())
    values = read(labels)
    assert values[82, 5] and values[done.mask()].all() and values[done.mask("tibia")].all()
    assert (values > 0).sum() == (done.mask() | done.mask("tibia")).sum()
    done.ui.saveCaseButton.click()
    assert len(list((tmp_path / "cases").iterdir())) == 4 and "case_1-2.nrrd" in done.status
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_a_threshold_that_moves_is_saved_as_it_will_be(done, tmp_path):
    done.ui.cleanUpCheckBox.checked = False
    done.ui.caseFolderLineEdit.currentPath = str(tmp_path)
    done.ui.grayRangeWidget.minimumValue = 200.0
    done.ui.saveCaseButton.click()
    assert not done.panel.session.machine.is_moving and done.item().thresholds.interval[0] == pytest.approx(200.0)
    values = read(tmp_path / "knee.seg.nrrd")
    np.testing.assert_array_equal(values > 0, done.mask() | done.mask("tibia"))


def test_what_cannot_be_saved_is_one_line(done, tmp_path):
    done.ui.caseFolderLineEdit.currentPath = str(tmp_path)
    segment = done.node.GetSegmentation().AddEmptySegment("Segment_1", "Segment_1")
    done.paint(segment)
    done.ui.saveCaseButton.click()
    assert "Segment_1 has no name that says what it shows" in done.status and not list(tmp_path.iterdir())
    done.node.GetSegmentation().RemoveSegment(segment)
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    done.ui.caseFolderLineEdit.currentPath = str(blocked)
    done.ui.saveCaseButton.click()
    assert "choose another folder" in done.status and "Traceback" not in done.log
    assert blocked.read_text() == "in the way"


def test_the_folder_is_kept_for_the_next_time(panel_session, tmp_path):
    bench = Bench(panel_session)
    bench.volume()
    bench.run()
    bench.ui.caseFolderLineEdit.currentPath = str(tmp_path)
    bench.ui.saveCaseButton.click()
    bench.widget.onReload()
    assert bench.ui.caseFolderLineEdit.currentPath == str(tmp_path)


def test_a_folder_is_browsed_for(done, tmp_path):
    from PySide6.QtWidgets import QToolButton

    done.session.dialogs.answers.append(str(tmp_path))
    done.ui.caseFolderLineEdit.findChildren(QToolButton)[0].click()
    assert done.session.dialogs.shown[0].kind == "QFileDialog.getExistingDirectory"
    assert done.ui.saveCaseButton.enabled


def test_the_name_follows_the_image(done):
    done.ui.caseNameLineEdit.text = "anonymous"
    done.ui.cloudCheckBox.click()  # which shows the same result anew
    assert done.ui.caseNameLineEdit.text == "anonymous"
    done.run()
    done.leave()
    done.enter()
    assert done.ui.caseNameLineEdit.text == "anonymous", "the patient's name may be back"
    done.volume("foot", "flipped")
    assert done.ui.caseNameLineEdit.text == "foot"
