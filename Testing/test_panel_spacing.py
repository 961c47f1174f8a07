"""The button that gives an image its file's spacing, and the line that says what happened, of the right image."""

from __future__ import annotations

import numpy as np
import pytest

from Testing import standins
from Testing.panel_helpers import picture
from Testing.reading_files import write_dicom
from Testing.test_dicom_context import Database

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def load(bench, monkeypatch, tmp_path):
    """Loads a film of these tags as Slicer's DICOM module does, with a spacing in mm along x and y."""
    import slicer

    def loaded(x: float, y: float, **tags):
        pixels = np.array(picture())
        path = write_dicom(tmp_path / "a.dcm", pixels, Modality="CR", **tags)
        monkeypatch.setattr(slicer, "dicomDatabase", Database(files={"2.25.1": str(path)}), raising=False)
        volume = bench.volume("film", "plain", pixels)
        volume.SetSpacing(x, y, 1)
        volume.SetAttribute("DICOM.instanceUIDs", "2.25.1")
        volume.Modified()
        bench.session.process()
        return volume

    return loaded


@pytest.fixture
def film(load):
    """One whose PixelSpacing Slicer's DICOM module does not look at: 1 mm."""
    return load(1, 1, PixelSpacing=[0.2, 0.168])


def test_the_file_spacing_is_offered_given_and_taken_back(bench, film):
    button = bench.ui.spacingButton
    bench.run()
    masks = [item.mask for item in bench.workspace.shown(bench.node).result.objects]
    assert button.isVisibleTo(bench.widget.parent) and button.enabled and "0.2 x 0.168 mm" in button.toolTip
    button.click()
    bench.session.process()
    assert film.GetSpacing() == pytest.approx((0.168, 0.2, 1.0)) and "0.2 x 0.168 mm" in bench.status
    assert button.text == "Take the file's spacing back" and bench.names() == ["Femur", "Tibia"]
    for item, mask in zip(bench.workspace.shown(bench.node).result.objects, masks):
        np.testing.assert_array_equal(item.mask, mask)
    button.click()
    bench.session.process()
    assert film.GetSpacing() == (1.0, 1.0, 1.0) and button.text == "Use the file's spacing"
    assert bench.names() == ["Femur", "Tibia"] and button.isVisibleTo(bench.widget.parent)


@pytest.mark.parametrize("closes", [True, False])
def test_what_is_offered_is_the_spacing_of_the_images_own_file(closes, bench, tmp_path):
    """Volumes of two scenes have the same id, and one volume may get another file."""
    button, offered, volume = bench.ui.spacingButton, [], None
    for name, spacing in (("a.dcm", [0.2, 0.168]), ("b.dcm", [0.4, 0.4])):
        path = write_dicom(tmp_path / name, np.array(picture()), Modality="CR", PixelSpacing=spacing)
        if volume is None or closes:
            volume = bench.volume(name, "plain")
        storage = bench.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        volume.SetAndObserveStorageNodeID(storage.GetID())
        bench.panel.update()
        offered.append((button.isVisibleTo(bench.widget.parent), button.toolTip))
        if closes:
            bench.scene.Clear(False)
            bench.session.process()
    assert [is_seen for is_seen, _text in offered] == [True, True]
    assert "0.2 x 0.168 mm" in offered[0][1] and "0.4 x 0.4 mm" in offered[1][1]


def test_it_waits_while_a_run_is_on(bench, film):
    bench.begin()
    assert not bench.ui.spacingButton.enabled
    bench.panel.section("Image").set_spacing()
    assert film.GetSpacing() == (1.0, 1.0, 1.0)
    bench.finish()
    assert bench.ui.spacingButton.enabled


def test_it_is_not_there_where_there_is_nothing_to_give(bench):
    bench.volume("plain", "plain")
    assert not bench.ui.spacingButton.isVisibleTo(bench.widget.parent)


def test_an_area_says_the_plane_that_it_holds_in(bench, load):
    load(0.168, 0.2, ImagerPixelSpacing=[0.2, 0.168])
    bench.run()
    area = f"{bench.item().pixel_count * 0.2 * 0.168:.0f} mm²"
    assert bench.cells(0)[4] == area and bench.ui.numbersLabel.text.endswith(f"Area: {area}, at the detector.")
    bench.ui.grayRangeWidget.minimumValue = 190.0
    assert bench.session.wait(lambda: bench.ui.numbersLabel.text.startswith("Gray levels 190.0"))
    assert bench.ui.numbersLabel.text.endswith(" mm², at the detector.")


def test_what_was_said_of_an_image_goes_with_it(bench):
    first = bench.volume("first")
    bench.run()
    assert "femur" in bench.status
    bench.volume("second")
    assert bench.status == ""
    bench.begin()
    bench.ui.inputSelector.setCurrentNode(first)
    bench.session.process()
    bench.finish()
    assert bench.status.startswith("second: ")


@pytest.mark.parametrize("leaves", [True, False])
def test_a_spacing_set_in_volumes_is_that_of_the_result(leaves, bench):
    volume = bench.volume("knee", "plain")
    bench.run()
    before, mask = [bench.cells(row) for row in (0, 1)], bench.mask()
    if leaves:
        bench.leave()
    volume.SetSpacing(0.2, 0.2, 1.0)
    if leaves:
        bench.enter()
    bench.session.wait(lambda: False, 0.2)
    assert [item.area_mm2 for item in bench.workspace.shown(bench.node).result.objects] == [
        pytest.approx(item.pixel_count * 0.04) for item in bench.workspace.shown(bench.node).result.objects
    ]
    assert (bench.mask() == mask).all() and [bench.cells(row) for row in (0, 1)] != before
    assert "0.2 mm" in bench.ui.readingLabel.text
