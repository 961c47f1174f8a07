"""Objects over each other in a scene: areas, pictures, undo, hand edits by Slicer's own editor, saved cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.batch.overlay import draw_overlay, picture_corner
from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.exclusive import made_exclusive
from GrayscaleDetSegLib.core.overlaps import Overlaps
from GrayscaleDetSegLib.core.radiograph import Spacing
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from GrayscaleDetSegLib.logic.engine import Engine
from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.scene import record
from GrayscaleDetSegLib.scene.masks import label_map, mask_of
from GrayscaleDetSegLib.scene.segment_editor import TAG, allows_overlap
from GrayscaleDetSegLib.scene.volumes import grid_of
from Testing.fakes import SHAPE, found, radiograph, result
from Testing.pipelines import UNSMOOTHED, BoxFake, rigged
from Testing.rigged import Bench
from Testing.saved_cases import Shown, trained
from Testing.scene_nodes import add_volume
from Testing.test_overlaps import SKELETON

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def block(rows, columns) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


FEMUR, HIP = block((20, 60), (20, 70)), block((40, 80), (50, 110))
SHARED = int((FEMUR & HIP).sum())


def overlapping(image=None):
    image = radiograph() if image is None else image
    objects = (found(image, "femur", "femur", FEMUR), found(image, "hip bone", "hip bone", HIP, score=0.7))
    return result(image, objects, overlaps=SKELETON)


class Layered(Bench):
    """A volume with a femur, and a hip bone over it."""

    def __init__(self, scene) -> None:
        super().__init__(scene, shows=False)
        self.whole = overlapping(self.reading.radiograph)
        self.node = self.space.show(self.reading, self.whole).segmentation

    def editor(self, mode):
        """Slicer's Segment Editor, set to a way of treating other segments."""
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(TAG)
        node = self.scene.AddNode(node)
        node.SetOverwriteMode(mode)
        node.SetAndObserveSegmentationNode(self.node)
        node.SetAndObserveSourceVolumeNode(self.volume)
        return node

    def paint_with(self, editor, identity, mask):
        """By the editor's own logic, as a stroke of its brush."""
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(self.scene)
        logic.SetSegmentEditorNode(editor)
        logic.SetSegmentationNode(self.node)
        logic.SetSourceVolumeNode(self.volume)
        editor.SetSelectedSegmentID(identity)
        stroke = label_map(self.node, self.volume, self.reading.grid, mask)
        logic.ModifySegmentByLabelmap(self.node, identity, stroke, logic.ModificationModeAdd, False, False)


class Told:
    """A 2D detector that finds what it is told: (class, mask, score)."""

    def __init__(self, *found) -> None:
        self.settings = DetectionSettings()
        self.found = [
            RegionProposal(label, score, tuple(map(float, boxes.of_mask(mask)))) for label, mask, score in found
        ]

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        return self.found


def test_every_object_counts_all_of_its_pixels():
    image = radiograph(spacing=Spacing(0.2, 0.1, "PixelSpacing"))
    femur, hip = overlapping(image).objects
    assert (femur.pixel_count, hip.pixel_count) == (2000, 2400) and SHARED == 400
    assert (femur.area_mm2, hip.area_mm2) == (pytest.approx(40.0), pytest.approx(48.0))
    assert sum(item.pixel_count for item in made_exclusive(overlapping(image)).objects) == 2000 + 2400 - SHARED


def test_the_picture_shows_both_outlines_where_objects_overlap():
    """In the shared part lies the corner of the hip bone's outline and that of the femur's; a plain map has one."""
    whole = overlapping()
    both, plain = (np.asarray(draw_overlay(each), int) for each in (whole, made_exclusive(whole)))
    each = [np.asarray(draw_overlay(replace(whole, objects=(item,))), int) for item in whole.objects]
    scale = 900 / SHAPE[1]
    left, top = picture_corner()
    rows = slice(int(top + 41 * scale), int(top + 61 * scale))
    columns = slice(int(left + 49 * scale), int(left + 71 * scale))
    inner = both[rows, columns]
    assert all(np.abs(inner - other[rows, columns]).mean() > 2.0 for other in each)  # as neither alone
    assert np.abs(inner - plain[rows, columns]).mean() > 2.0


def test_table_and_record_hold_whole_objects(scene):
    bench = Layered(scene)
    assert bench.rows() == [("femur", 2000), ("hip bone", 2400)]
    kept = record.kept_result(bench.node, bench.volume)
    assert kept.overlaps == SKELETON
    assert [item.pixel_count for item in kept.objects] == [2000, 2400]


def test_undo_brings_both_back(scene):
    bench = Layered(scene)
    before = bench.state()
    shown = bench.space.shown(bench.node)
    moved = found(bench.whole.radiograph, "femur", "femur", block((10, 70), (30, 100)))
    bench.space.write_object(bench.node, replace(shown.result, objects=(moved, shown.result.objects[1])), "femur",
                             "femur")  # fmt: skip
    assert bench.mask("femur").sum() == 60 * 70 and bench.mask("hip_bone").sum() == 2400
    assert bench.space.undo(bench.node)
    assert bench.state() == before


STROKE = block((30, 62), (60, 90))
MODES = [("OverwriteAllSegments", False), ("OverwriteVisibleSegments", False), ("OverwriteNone", True)]


@pytest.mark.parametrize(("mode", "keeps"), MODES)
def test_the_editors_choice_for_other_segments_is_respected(mode, keeps, scene):
    """Painting the femur takes from the hip bone or not, as the editor is set; all of ours follows, and stays so."""
    bench = Layered(scene)
    editor = bench.editor(getattr(slicer.vtkMRMLSegmentEditorNode, mode))
    bench.paint_with(editor, "femur", STROKE)
    femur = FEMUR | STROKE
    hip = HIP if keeps else HIP & ~STROKE
    np.testing.assert_array_equal(bench.mask("femur"), femur)
    np.testing.assert_array_equal(bench.mask("hip_bone"), hip)
    shown = bench.space.sync(bench.node).result
    assert [item.pixel_count for item in shown.objects] == [femur.sum(), hip.sum()]
    assert bench.rows() == [("femur", femur.sum()), ("hip bone", hip.sum())]
    bench.drag("hip_bone", 140.0)  # thresholds know nothing of strokes; the femur keeps what was painted
    np.testing.assert_array_equal(bench.mask("femur"), femur)


@pytest.mark.parametrize(("mode", "keeps"), MODES)
def test_a_drag_goes_over_segments_of_others_where_the_editor_allows_overlap(mode, keeps, scene):
    bench = Layered(scene)
    bench.add_segment("implant", mask=block((70, 80), (100, 112)) & ~HIP | block((30, 40), (80, 100)))
    free = bench.mask("implant")
    bench.editor(getattr(slicer.vtkMRMLSegmentEditorNode, mode))
    assert allows_overlap(scene) is keeps
    bench.drag("hip_bone", 0.0)
    assert (bench.mask("hip_bone") & free).any() == keeps
    np.testing.assert_array_equal(bench.mask("implant"), free)


def test_without_an_editor_segments_of_others_are_left_alone(scene):
    assert not allows_overlap(scene) and not allows_overlap(None)


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_call_in_the_console_gives_what_was_asked_for(exclusive, scene):
    """With overlaps as the model allows them, or without: in the result, in the segments, and for what comes later."""
    pixels = np.where(FEMUR | HIP, 2000, 600) + np.random.default_rng(0).integers(0, 200, SHAPE)
    volume = add_volume(scene, pixels.astype(np.uint16))
    detector = Told(("femur", FEMUR, 0.9), ("tibia", HIP, 0.8))
    pipeline = rigged(detector, BoxFake(), None, UNSMOOTHED, overlaps=Overlaps(True))
    segmenter = Segmenter(scene, Engine(lambda *_: pipeline))
    done = segmenter.segment(volume, exclusive=exclusive, polarity="as-is")
    first, second = (mask_of(done.segmentation, each, volume, grid_of(volume)) for each in ("femur", "tibia"))
    np.testing.assert_array_equal(first, FEMUR)
    np.testing.assert_array_equal(second, HIP & ~FEMUR if exclusive else HIP)
    assert ("femur (" in done.message) is exclusive
    kept = record.kept_result(done.segmentation, volume)
    assert kept.overlaps.may("femur", "tibia") is not exclusive and kept.notes == done.result.notes


def test_a_saved_case_trains_whole_objects(scene, tmp_path):
    pytest.importorskip("scipy", reason="training needs the extra 'training'")
    shown = Shown(scene, with_record=False)
    for identity in shown.node.GetSegmentation().GetSegmentIDs():
        shown.node.GetSegmentation().RemoveSegment(identity)
    for name, mask in (("femur", FEMUR), ("hip bone", HIP), ("patella", block((42, 50), (52, 60)))):
        shown.add(name, mask)
    shown.save(tmp_path)
    case = trained(tmp_path)
    read = dict(case.objects())
    np.testing.assert_array_equal(read["femur"], FEMUR)
    np.testing.assert_array_equal(read["hip bone"], HIP)
    assert read["patella"].sum() == 64
