"""Results whose image was moved or rescaled: masks, regions and segments of others stay on its pixels, areas follow."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.results import with_objects
from GrayscaleDetSegLib.logic import cases, file_spacing
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import masks, record, regions, segmentation, volumes
from Testing.fakes import GEOMETRIES
from Testing.rigged import Bench, change
from Testing.scene_nodes import add_transform, scene_with_logics

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def rescale(bench):
    bench.volume.SetSpacing(0.2, 0.2, 1.0)


def centre(bench):
    """What Center Volume does."""
    bounds = [0.0] * 6
    bench.volume.GetRASBounds(bounds)
    origin = bench.volume.GetOrigin()
    bench.volume.SetOrigin(*(at - (low + high) / 2 for at, low, high in zip(origin, bounds[::2], bounds[1::2])))


def turn(bench):
    """A transform that is put on the volume alone, and hardened."""
    bench.volume.SetAndObserveTransformNodeID(add_transform(bench.scene).GetID())
    bench.volume.HardenTransform()


def looked_at(bench):
    """The result as it is now, and where its segments and regions are in the image, in px."""
    result = bench.space.sync(bench.node).result
    grid, parts = bench.space.grid(bench.node), bench.space.outcome(bench.node)
    bench.reading = bench.read()
    return (
        result,
        {each: masks.mask_of(bench.node, each, bench.volume, grid).tobytes() for each in bench.segments()},
        {each: regions.region_of(box, bench.volume, grid) for each, box in parts.regions.items()},
    )


@pytest.mark.parametrize("move", [rescale, centre, turn])
@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_a_result_follows_its_image(name, move, scene):
    bench = Bench(scene, name)
    bench.paint("femur")
    bench.add_segment("implant")
    result, segments, boxes = looked_at(bench)
    edits = segmentation.edits_of(bench.node, bench.volume, bench.reading.grid)
    move(bench)
    after, now, places = looked_at(bench)
    assert now == segments and places == boxes
    assert segmentation.edits_of(bench.node, bench.volume, bench.reading.grid) == edits
    assert bench.space.would_lose_edits(bench.node)
    pixel = bench.read().radiograph.spacing.pixel_area
    assert [item.area_mm2 for item in after.objects] == [item.pixel_count * pixel for item in after.objects]
    assert [item.pixel_count for item in after.objects] == [item.pixel_count for item in result.objects]
    assert bench.rows() == [(item.name, item.pixel_count) for item in result.objects]


def test_a_spacing_set_in_volumes_gives_the_areas_by_it(scene):
    bench = Bench(scene, "plain")
    rescale(bench)
    assert [item.area_mm2 for item in looked_at(bench)[0].objects] == pytest.approx([701 * 0.04, 351 * 0.04])
    assert bench.volume.GetAttribute("GrayscaleDetSeg.Spacing").startswith("0.2 x 0.2 mm")


@pytest.mark.parametrize("move", [rescale, centre, turn])
@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_new_and_saved_label_maps_get_the_geometry_that_it_has_now(name, move, scene):
    bench = Bench(scene, name)
    move(bench)
    bench.space.sync(bench.node)
    converter, geometry = slicer.vtkSegmentationConverter, slicer.vtkOrientedImageData()
    text = bench.node.GetSegmentation().GetConversionParameter(converter.GetReferenceImageGeometryParameterName())
    assert converter.DeserializeImageGeometry(text, geometry, False)
    held = bench.node.GetSegmentation().GetSegment("femur").GetRepresentation(masks.binary())
    assert slicer.vtkOrientedImageDataResample.DoGeometriesMatch(geometry, held)


@pytest.mark.parametrize("move", [rescale, centre])
def test_undo_after_it_brings_back_what_lies_on_the_image(move, scene):
    bench = Bench(scene, "plain")
    before = looked_at(bench)
    bench.drag("femur", 190.0)
    move(bench)
    assert bench.space.undo(bench.node)
    assert looked_at(bench)[1:] == before[1:]


def test_thresholds_can_be_dragged_at_once(scene):
    bench = Bench(scene, "plain")
    bench.paint("femur")
    centre(bench)
    with bench.space.drag(bench.node, "femur") as drag:
        drag.finish((151.0, 255.0))
    assert drag.kept_edited == "femur_edited"
    assert [item.pixel_count for item in looked_at(bench)[0].objects][1] == 351


def test_an_open_drag_ends_where_the_image_was(scene):
    bench = Bench(scene, "plain")
    drag = bench.space.drag(bench.node, "femur")
    drag.move((190.0, 255.0))
    rescale(bench)
    result, *_ = looked_at(bench)
    assert result.objects[0].thresholds.interval[0] == pytest.approx(190.0) and result.objects[1].pixel_count == 351
    drag.cancel()
    assert looked_at(bench)[0].objects[1].pixel_count == 351


@pytest.mark.parametrize("order", ["volume", "both", "volume, then segmentation"])
def test_a_transform_that_is_hardened_moves_nothing(order, scene):
    bench = Bench(scene, "turned", is_moved=True)
    before = looked_at(bench)
    bench.volume.HardenTransform()
    if "," in order:
        assert looked_at(bench)[1:] == before[1:]
    if order != "volume":
        bench.node.HardenTransform()
    assert looked_at(bench)[1:] == before[1:]
    rescale(bench)
    assert looked_at(bench)[1:] == before[1:]


def test_segments_in_one_label_map_and_surfaces_follow(scene):
    bench = Bench(scene, "plain")
    bench.node.GetSegmentation().CollapseBinaryLabelmaps(True)
    masks.make_surface(bench.node)
    before = looked_at(bench)
    rescale(bench)
    assert looked_at(bench)[1:] == before[1:] and masks.has_surface(bench.node)
    bounds = [0.0] * 6
    bench.node.GetSegmentation().GetSegment("femur").GetRepresentation("Closed surface").GetBounds(bounds)
    assert bounds[1] - bounds[0] < 15.0


def test_a_segmentation_of_surfaces_follows(scene):
    bench = Bench(scene, "plain")
    masks.make_surface(bench.node)
    bench.node.SetSourceRepresentationToClosedSurface()
    bench.node.GetSegmentation().RemoveRepresentation(masks.binary())
    before = [item.pixel_count for item in looked_at(bench)[0].objects]
    rescale(bench)
    after = [item.pixel_count for item in looked_at(bench)[0].objects]
    assert np.allclose(after, before, rtol=0.05)


def test_a_result_of_a_former_version_follows_once_it_was_seen(scene):
    bench = Bench(scene, "plain")
    document = json.loads(record.kept_document(bench.node))
    document.pop("placement")
    record.set_document(bench.node, json.dumps(document))
    before = looked_at(bench)
    rescale(bench)
    assert looked_at(bench)[1:] == before[1:]


def test_a_result_of_another_image_stays_where_it_is(scene):
    """As after Crop Volume into the same node: the segments lie on the patient's anatomy, wherever the pixels are."""
    bench = Bench(scene, "plain")
    image = bench.node.GetSegmentation().GetSegment("femur").GetRepresentation(masks.binary())
    before, document = image.GetOrigin(), record.kept_document(bench.node)
    change(bench.volume.GetImageData())
    centre(bench)
    assert not bench.space.follow_image(bench.node)
    assert image.GetOrigin() == before and record.kept_document(bench.node) == document
    change(bench.volume.GetImageData(), add=-500)
    assert [item.pixel_count for item in looked_at(bench)[0].objects] == [701, 351]


def test_a_run_that_ends_after_it_is_shown_on_the_image(scene):
    bench = Bench(scene, "plain")
    before, reading = looked_at(bench), bench.read()
    rescale(bench)
    bench.space.show(reading, bench.pipeline.segment(reading.radiograph), bench.node)
    assert looked_at(bench)[1:] == before[1:]


# left-handed volumes, which Slicer's reader makes right-handed


def saved(bench, folder):
    """The volume, the node and the workspace of a scene that was saved and opened again."""
    path, scene = folder / "scene.mrb", bench.scene
    assert scene.WriteToMRB(str(path), None)
    scene.Clear(True)
    assert scene.ReadFromMRB(str(path), True)
    bench.volume = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    bench.node = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    bench.space = Workspace(scene)


@pytest.mark.parametrize("stack", [0, 2, 3])
@pytest.mark.parametrize("is_former", [False, True])
def test_a_left_handed_volume_can_be_saved(is_former, stack, tmp_path):
    scene = scene_with_logics(tmp_path)
    bench = Bench(scene, "flipped", stack=stack)
    bench.paint("femur")
    before = looked_at(bench)
    if is_former:
        document = json.loads(record.kept_document(bench.node))
        document.pop("placement")
        record.set_document(bench.node, json.dumps(document))
    saved(bench, tmp_path)
    readings = [bench.space.read(bench.volume, slice_index=index) for index in range(stack or 1)]
    assert [bench.space.fits(bench.node, each) for each in readings] == [index == 0 for index in range(stack or 1)]
    bench.stack = 1 if stack else 0  # the first slice
    after = looked_at(bench)
    assert after[1:] == before[1:] and bench.rows() == [(item.name, item.pixel_count) for item in before[0].objects]
    assert bench.space.would_lose_edits(bench.node)
    scene.Clear(True)


def test_a_volume_mirrored_by_a_hardened_transform_can_be_saved(tmp_path):
    scene = scene_with_logics(tmp_path)
    bench = Bench(scene, "plain", stack=3)
    before = looked_at(bench)
    bench.volume.SetAndObserveTransformNodeID(add_transform(scene, np.diag([-1.0, 1.0, 1.0, 1.0])).GetID())
    bench.volume.HardenTransform()
    assert looked_at(bench)[1:] == before[1:]
    saved(bench, tmp_path)
    bench.stack = 1
    assert looked_at(bench)[1:] == before[1:]
    scene.Clear(True)


def test_a_mirror_through_the_middle_is_not_taken_for_the_reader(scene):
    bench = Bench(scene, "plain", stack=3)
    before = looked_at(bench)
    mirror = np.diag([1.0, 1.0, -1.0, 1.0])
    mirror[2, 3] = 2.0
    bench.volume.SetAndObserveTransformNodeID(add_transform(scene, mirror).GetID())
    bench.volume.HardenTransform()
    assert looked_at(bench)[1:] == before[1:] and record.kept_slice(bench.node) == 2
    change(bench.volume.GetImageData())
    assert not bench.space.follow_image(bench.node)
    assert volumes.grid_of(bench.volume, 2).shape == bench.space.grid(bench.node).shape


@pytest.mark.parametrize("move", [rescale, centre])
def test_undo_after_it_keeps_no_copy_of_what_nobody_edited(move, scene):
    bench = Bench(scene, "plain")
    before = looked_at(bench)[1]
    bench.drag("femur", 190.0)
    move(bench)
    looked_at(bench)
    assert bench.space.undo(bench.node)
    assert looked_at(bench)[1] == before


def test_what_undo_brings_back_after_it_is_saved_on_the_image(tmp_path):
    scene = scene_with_logics(tmp_path)
    bench = Bench(scene, "plain")
    found = bench.space.shown(bench.node).result
    added = replace(found.objects[0], name="extra")
    bench.space.write_object(bench.node, with_objects(found, (*found.objects, added)), "extra")
    rescale(bench)
    looked_at(bench)
    assert bench.space.undo(bench.node)
    before = [item.pixel_count for item in looked_at(bench)[0].objects]
    saved(bench, tmp_path)
    assert [item.pixel_count for item in looked_at(bench)[0].objects] == before == [701, 351]
    scene.Clear(True)


def test_a_result_that_stayed_where_it_was_stays_there_when_the_spacing_is_given(scene):
    """The image has other pixels for a while, at another place, and is given the spacing of its file meanwhile."""
    bench = Bench(scene, "plain")
    before = {each: bench.mask(each) for each in bench.segments()}
    change(bench.volume.GetImageData())
    bench.volume.SetOrigin(50.0, 30.0, 0.0)
    file_spacing._change(bench.space, bench.volume, [0.2, 0.2, 1.0])
    change(bench.volume.GetImageData(), add=-500)
    assert looked_at(bench)[1] == {each: mask.tobytes() for each, mask in before.items()}


def test_a_case_is_not_saved_of_segments_that_have_not_followed(scene):
    bench = Bench(scene, "plain")
    rescale(bench)
    grid = volumes.grid_of(bench.volume)
    with pytest.raises(RadiographError, match="was moved since; look at the result in the module first"):
        cases.case_segments(bench.node, bench.volume, grid)
    looked_at(bench)
    assert [int(item.mask.sum()) for item in cases.case_segments(bench.node, bench.volume, grid)] == [701, 351]
