"""The second part of the module's self test: errors that were seen in the application only.

The tests outside Slicer use stand-ins for its widgets, which had the same errors.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest import TestCase

import numpy as np
import slicer

from ..core.errors import GrayscaleDetSegError
from ..logic.segmenter import Segmenter
from . import self_test
from .self_test import wait_until


def check_images(case: TestCase) -> None:
    """Of the results of several images, only the chosen one is visible, and the image fills its view."""
    manager = slicer.app.layoutManager()
    if manager is None:
        case.skipTest("There is no window.")
    panel = _panel()
    first = _segmented(panel, self_test.load_sample("knee"))
    if slicer.util.mainWindow().visible:
        image = panel.ui.inputSelector.currentNode()
        wait_until(lambda: _fills(manager.sliceWidget("Red"), image), "Fitting the image into its view")
    second = _segmented(panel, self_test.load_sample("pelvis"))
    results = panel.session.results
    case.assertTrue(_is_shown(results, second) and not _is_shown(results, first), "Two results lie over each other.")
    panel.ui.inputSelector.setCurrentNode(results.nodes(first).volume)
    slicer.app.processEvents()
    case.assertTrue(_is_shown(results, first) and not _is_shown(results, second), "The former image's result stays.")

    tiny = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "tiny")
    slicer.util.updateVolumeFromArray(tiny, np.random.default_rng(0).integers(0, 255, (1, 16, 16)).astype(np.uint8))
    panel.ui.inputSelector.setCurrentNode(tiny)
    panel.ui.segmentButton.click()
    wait_until(lambda: not panel.runner.is_busy, "Segmenting")
    case.assertEqual(panel.ui.objectsTable.rowCount, 0, "An image of 16 x 16 pixels is too small.")
    case.assertIn("16 x 16", panel.ui.statusLabel.text)
    slicer.mrmlScene.Clear()


def check_drag(case: TestCase, segmenter: Segmenter) -> None:
    """The mask during a drag is the final mask; drawing a region over an object asks a question."""
    volume, workspace = self_test.load_sample(), segmenter.workspace
    node = segmenter.segment(volume).segmentation
    identity = next(each for each in workspace.shown(node).identities if each.startswith("femur"))
    low, high = workspace.shown(node).object_of(identity).thresholds.interval
    with workspace.drag(node, identity) as drag:
        for part in (0.3, 0.5, 0.7):  # so far that the object falls to pieces
            drag.move((low + part * (high - low), high), move_box=True)
        seen = _pixels(node, identity, volume)
    case.assertTrue(np.array_equal(_pixels(node, identity, volume), seen), "Letting go has changed what was seen.")
    case.assertTrue(workspace.undo(node))

    region = workspace.outcome(node).regions[identity]
    with case.assertRaises(GrayscaleDetSegError, msg="A region over an object asks what to do with it."):
        segmenter.segment_region(volume, region, "femur", segmentation=node, existing=None)
    slicer.mrmlScene.Clear()


def check_dicom(case: TestCase, segmenter: Segmenter) -> None:
    """The spacing of a file is used where Slicer has another one, also for the second of two films of one series."""
    try:
        from DICOMLib import DICOMUtils
    except ImportError:
        case.skipTest("This Slicer has no DICOM module.")
    folder = Path(slicer.app.temporaryPath) / "GrayscaleDetSegTestDICOM"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    try:
        values = slicer.util.arrayFromVolume(self_test.load_sample())[0].clip(0, 4095).astype(np.uint16)
        slicer.mrmlScene.Clear()
        _write_series(folder / "in", values, (0.168, 0.2))
        with DICOMUtils.TemporaryDICOMDatabase(str(folder / "database")) as database:
            DICOMUtils.importDicom(str(folder / "in"), database)
            for patient in database.patients():
                DICOMUtils.loadPatientByUID(patient)
            volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            case.assertEqual(volume.GetImageData().GetDimensions()[2], 2, "The series is not one volume of two slices.")
            found = [segmenter.segment(volume, slice_index=index) for index in (0, 1)]
        femora = [next(item for item in each.objects if item.label == "femur") for each in found]
        sides = sorted(round(((femur.area_mm2 or 0.0) / femur.pixel_count) ** 0.5, 4) for femur in femora)
        case.assertEqual(sides, [0.168, 0.2], "The areas are not by the spacing of each film.")
        pixels = {femur.pixel_count for femur in femora}
        case.assertEqual(len(pixels), 1, "Two pictures of one knee, one of them stored inverted, give two masks.")
    finally:
        slicer.mrmlScene.Clear()
        shutil.rmtree(folder, ignore_errors=True)


def _panel():
    slicer.util.selectModule("GrayscaleDetSeg")
    return slicer.modules.GrayscaleDetSegWidget.panel


def _segmented(panel, volume):
    """The result of a click on Segment."""
    panel.ui.inputSelector.setCurrentNode(volume)
    panel.ui.segmentButton.click()
    wait_until(lambda: not panel.runner.is_busy, "Segmenting")
    return panel.session.node


def _is_shown(results, node) -> bool:
    """Whether masks and regions of a result are in the views."""
    nodes = results.nodes(node)
    displays = [node.GetDisplayNode(), *(region.GetDisplayNode() for region in nodes.regions.values())]
    return any(each.GetVisibility() for each in displays)


def _fills(widget, volume) -> bool:
    """Whether an image is seen whole in a slice view, and reaches its borders one way or the other."""
    columns, rows, _one = volume.GetImageData().GetDimensions()
    across, up, _depth = volume.GetSpacing()
    width, height, _off = widget.mrmlSliceNode().GetFieldOfView()
    return abs(max(columns * across / width, rows * up / height) - 1.0) < 0.05


def _pixels(node, identity: str, volume) -> np.ndarray:
    return np.squeeze(slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume)).copy()


def _write_series(folder: Path, values: np.ndarray, spacings: tuple[float, float]) -> None:
    """Two films of one series, as a reader of plates stores them; the second is stored inverted."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

    study, series = generate_uid(), generate_uid()
    for number, spacing in enumerate(spacings, start=1):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ComputedRadiographyImageStorage, generate_uid()
        data = Dataset()
        data.file_meta, data.is_little_endian, data.is_implicit_VR = meta, True, False
        data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        data.PatientName, data.PatientID, data.Modality, data.SeriesDescription = "Self^Test", "self-test", "CR", "knee"
        data.StudyInstanceUID, data.SeriesInstanceUID = study, series
        data.StudyDate, data.StudyTime, data.SeriesNumber, data.InstanceNumber = "20260101", "100000", 1, number
        data.Rows, data.Columns = values.shape
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.PixelRepresentation, data.SamplesPerPixel = 0, 1
        data.PhotometricInterpretation = f"MONOCHROME{3 - number}"
        data.PixelSpacing = [spacing, spacing]
        data.PixelData = (values if number == 1 else 4095 - values).tobytes()
        data.save_as(folder / f"{number}.dcm", write_like_original=False)
