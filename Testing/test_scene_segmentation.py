"""Segmentations beside a volume: masks in place, live and in full; edits by hand noticed; former states back."""

from __future__ import annotations

import time

import numpy as np
import pytest

from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.core.radiograph import Geometry
from GrayscaleDetSegLib.scene import files, live, masks, segmentation, snapshot, volumes
from GrayscaleDetSegLib.scene.geometry import moved
from Testing.fakes import GEOMETRIES, SHAPE, bar, found, letter_l, radiograph, result
from Testing.scene_nodes import add_transform, add_volume, ids, read_node

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

WHOLE = (slice(0, SHAPE[0]), slice(0, SHAPE[1]))


class Case:
    """A volume and the segmentation of L and bar on it."""

    def __init__(self, scene, name="turned", is_moved=False, stack=0) -> None:
        pixels = np.array(radiograph().pixels)
        self.scene = scene
        self.volume = add_volume(scene, np.stack([pixels] * stack) if stack else pixels, GEOMETRIES[name])
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
        self.grid = volumes.grid_of(self.volume, stack - 1 if stack else None)
        self.result = result(volumes.read_volume(self.volume, self.grid.index))
        self.node = segmentation.add_segmentation_for(self.volume, self.grid, self.result, scene)

    def mask(self, identity="right_lung"):
        return masks.mask_of(self.node, identity, self.volume, self.grid)

    def edits(self):
        return segmentation.edits_of(self.node, self.volume, self.grid)

    def image(self, identity="right_lung"):
        return self.node.GetSegmentation().GetSegment(identity).GetRepresentation("Binary labelmap")


def places_in_world(case, identity):
    """RAS of the middles of a segment's voxels, as its label map and its transforms say."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    image = case.image(identity)
    value = case.node.GetSegmentation().GetSegment(identity).GetLabelValue()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    matrix, to_world = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(case.node.GetParentTransformNode(), None, to_world)
    first = image.GetExtent()[::2]
    places = []
    for k, j, i in np.argwhere(values == value):
        local = matrix.MultiplyPoint((i + first[0], j + first[1], k + first[2], 1.0))
        places.append(to_world.MultiplyPoint(local)[:3])
    return np.array(places)


@pytest.mark.parametrize("stack", [0, 3])
@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_masks_lie_where_the_pixels_lie(name, is_moved, stack, scene):
    case = Case(scene, name, is_moved, stack)
    to_world = volumes.pixel_to_world(case.volume, case.grid)
    for identity, mask in (("right_lung", letter_l()), ("femur_2", bar())):
        rows, columns = np.nonzero(mask)
        expected = moved(to_world, np.column_stack([columns + 0.5, rows + 0.5, np.zeros(len(rows))]))
        assert np.allclose(places_in_world(case, identity), expected, atol=1e-6)
        assert (case.mask(identity) == mask).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_slice_that_stands_upright(axis, scene):
    pixels = np.expand_dims(np.array(radiograph().pixels), 2 - axis)
    volume = add_volume(scene, pixels, GEOMETRIES["turned"])
    grid = volumes.grid_of(volume)
    node = segmentation.add_segmentation_for(volume, grid, result(volumes.read_volume(volume)), scene)
    assert (masks.mask_of(node, "right_lung", volume, grid) == letter_l()).all()
    assert masks.write_window(node, "right_lung", grid, bar(), WHOLE)
    assert (masks.mask_of(node, "right_lung", volume, grid) == bar()).all()


def test_the_node_belongs_to_the_volume(scene):
    before = ids(scene)
    case = Case(scene, is_moved=True)
    node = case.node
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is case.volume
    assert node.GetParentTransformNode() is case.volume.GetParentTransformNode()
    assert node.GetName() == "image segmentation" and node.GetDisplayNode() is not None
    again = segmentation.add_segmentation_for(case.volume, case.grid, case.result, scene)
    assert again.GetName() != node.GetName()
    assert len(ids(scene) - before) == 2 + 1 + 4  # volume with display, transform, two segmentations with display


def test_segments_have_name_colour_terminology_and_a_layer_each(scene):
    case = Case(scene)
    inner = case.node.GetSegmentation()
    assert inner.GetNumberOfLayers() == 2
    assert segmentation.segment_ids(case.node) == ["right_lung", "femur_2"]
    for index, (name, label) in enumerate((("right lung", "right lung"), ("femur 2", "femur"))):
        segment = inner.GetNthSegment(index)
        assert segment.GetName() == name and segment.GetLabelValue() == 1
        assert np.allclose(np.multiply(segment.GetColor(), 255), anatomy(label).color, atol=1e-3)
        assert slicer.vtkSegment.GetTerminologyEntryTagName() == "TerminologyEntry"
        assert case.image(inner.GetNthSegmentID(index)).GetExtent() == case.grid.extent


@pytest.mark.parametrize("name", GEOMETRIES)
def test_through_a_file(name, scene, tmp_path):
    """Written by Slicer's storage node, layers and all, and read back over the volume."""
    case = Case(scene, name)
    files.write_node(case.node, tmp_path / "a.seg.nrrd")
    node = read_node(tmp_path / "a.seg.nrrd", scene)
    for identity, mask in (("right_lung", letter_l()), ("femur_2", bar())):
        assert (masks.mask_of(node, identity, case.volume, case.grid) == mask).all()


def test_an_object_without_pixels(scene):
    case = Case(scene)
    empty = found(case.result.radiograph, "tibia", "tibia", np.zeros(SHAPE, bool))
    segmentation.show_objects(case.node, case.volume, case.grid, (empty,))
    assert segmentation.segment_ids(case.node) == ["tibia"] and not case.mask("tibia").any()
    assert not case.edits()


def test_live_writes_in_place(scene):
    case = Case(scene)
    events, image = [], case.image()
    case.node.AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, lambda *_: events.append(1))
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    window = (slice(20, 60), slice(30, 100))
    part = np.random.default_rng(0).random((40, 70)) < 0.5
    scalars = image.GetPointData().GetScalars()
    before = scalars.GetMTime()
    assert session.write(part, window)
    expected = letter_l()
    expected[window] = part
    assert (case.mask() == expected).all() and (case.mask("femur_2") == bar()).all()
    assert case.image() is image and len(events) == 1 and scalars.GetMTime() > before


def test_live_in_a_window_that_moves(scene):
    """What lay in the former window goes; pixels beside it are not ours to clear."""
    case = Case(scene)
    former = (slice(0, 50), slice(0, 70))
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid, former)
    for window in ((slice(30, 60), slice(40, 90)), (slice(70, 80), slice(5, 25)), (slice(70, 80), slice(5, 25))):
        part = np.ones(tuple(edge.stop - edge.start for edge in window), bool)
        assert session.write(part, window)
        expected = np.zeros(SHAPE, bool)
        expected[window] = True
        assert (case.mask() == expected).all()


def test_the_end_of_an_interaction(scene):
    case = Case(scene)
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    session.write(np.ones((10, 10), bool), (slice(0, 10), slice(0, 10)))
    assert session.finish(bar(), WHOLE) and (case.mask() == bar()).all()
    assert case.edits().changed == ("right_lung",)
    segmentation.note_written(case.node, "right_lung", case.mask("right_lung"))
    assert not case.edits() and segmentation.segment_ids(case.node) == ["right_lung", "femur_2"]


def test_surfaces_come_back_after_a_drag(scene):
    case = Case(scene)
    case.node.CreateClosedSurfaceRepresentation()
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    session.write(np.ones((40, 40), bool), (slice(0, 40), slice(0, 40)))
    assert not masks.has_surface(case.node)
    session.finish(bar(), WHOLE)
    assert masks.has_surface(case.node)
    segmentation.show_objects(case.node, case.volume, case.grid, case.result.objects)
    assert masks.has_surface(case.node)


def share_layer(case):
    """As after the Segment Editor, or a file: one label map for all, cropped."""
    case.node.GetSegmentation().CollapseBinaryLabelmaps(True)
    assert case.image("right_lung") is case.image("femur_2")


def test_live_on_a_layer_that_is_shared(scene):
    case = Case(scene)
    share_layer(case)
    assert (case.mask() == letter_l()).all() and (case.mask("femur_2") == bar()).all()
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    assert case.image("right_lung") is not case.image("femur_2")
    assert (case.mask() == letter_l()).all() and (case.mask("femur_2") == bar()).all()
    assert session.write(np.ones((8, 8), bool), (slice(0, 8), slice(0, 8)))
    share_layer(case)  # by somebody else, in the middle of the drag
    assert session.write(np.ones((4, 4), bool), (slice(40, 44), slice(60, 64)))
    assert case.mask()[40:44, 60:64].all() and (case.mask("femur_2") == bar()).all()


def test_the_second_of_a_shared_layer(scene):
    """Its value is not 1 there."""
    case = Case(scene)
    share_layer(case)
    assert case.node.GetSegmentation().GetSegment("femur_2").GetLabelValue() == 2
    masks.write_mask(case.node, "femur_2", case.volume, case.grid, letter_l()[::-1])
    assert (case.mask("femur_2") == letter_l()[::-1]).all() and (case.mask() == letter_l()).all()


def test_a_cropped_and_a_foreign_label_map(scene):
    """What other tools leave: the smallest extent, and a grid of twice the resolution."""
    case = Case(scene)
    resample = slicer.vtkOrientedImageDataResample
    extent = [0] * 6
    resample.CalculateEffectiveExtent(case.image(), extent)
    cropped = slicer.vtkOrientedImageData()
    resample.CopyImage(case.image(), cropped, extent)
    segment = case.node.GetSegmentation().GetSegment("right_lung")
    segment.AddRepresentation("Binary labelmap", cropped)
    assert (case.mask() == letter_l()).all() and not case.edits()
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    assert case.image().GetExtent() == case.grid.extent and (case.mask() == letter_l()).all()

    assert session.is_alive


def test_a_label_map_of_another_geometry(scene):
    """Drawn on an image of half the spacing: read at the pixels' middles."""
    coarse = add_volume(scene, letter_l().astype(np.uint8), GEOMETRIES["plain"])
    doubled = np.kron(letter_l(), np.ones((2, 2), np.uint8))
    fine = add_volume(scene, doubled, Geometry((0.5, 0.5, 1.0), (-0.25, -0.25, 0.0)))
    image = volumes.read_volume(fine)
    objects = result(image, (found(image, "l", "femur", doubled > 0),))
    node = segmentation.add_segmentation_for(fine, volumes.grid_of(fine), objects, scene)
    read = masks.mask_of(node, "l", coarse, volumes.grid_of(coarse))
    # the middle of a pixel is the corner of four small ones; which of them is read is Slicer's affair
    assert all((read[1:-1, 1:-1] == letter_l()[1:-1, 1:-1]).flat)


def test_nothing_is_written_when_the_nodes_are_gone(scene):
    case = Case(scene)
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    case.node.GetSegmentation().RemoveSegment("right_lung")
    assert not session.write(np.ones((8, 8), bool), (slice(0, 8), slice(0, 8)))
    other = live.LiveMask(case.node, "femur_2", case.volume, case.grid)
    scene.RemoveNode(case.node)
    assert not other.write(np.ones((8, 8), bool), (slice(0, 8), slice(0, 8))) and not other.finish(bar(), WHOLE)
    with pytest.raises(KeyError, match="no segment 'tibia'"):
        live.LiveMask(Case(scene).node, "tibia", case.volume, case.grid)


def test_closing_the_scene_during_a_drag(scene):
    case = Case(scene)
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    scene.Clear(False)
    assert not session.write(np.ones((8, 8), bool), (slice(0, 8), slice(0, 8)))


def test_edits_by_hand_are_noticed(scene):
    case = Case(scene)
    assert not case.edits()
    one = np.ones((1, 1), bool)
    masks.write_window(case.node, "right_lung", case.grid, one, (slice(80, 81), slice(3, 4)))
    assert case.edits() == segmentation.Edits(changed=("right_lung",))
    masks.write_window(case.node, "right_lung", case.grid, ~one, (slice(80, 81), slice(3, 4)))
    assert not case.edits()
    case.node.GetSegmentation().GetSegment("femur_2").SetName("my femur")
    assert case.edits().changed == ("femur_2",)
    case.node.GetSegmentation().GetSegment("femur_2").SetName("femur 2")
    case.node.GetSegmentation().GetSegment("femur_2").SetColor(1.0, 0.0, 0.0)
    assert not case.edits()
    case.node.GetSegmentation().AddEmptySegment("mine", "mine")
    case.node.GetSegmentation().RemoveSegment("femur_2")
    assert case.edits() == segmentation.Edits((), ("mine",), ("femur_2",)) and case.edits()


def test_sharing_and_cropping_are_no_edits(scene):
    case = Case(scene)
    share_layer(case)
    assert not case.edits()


def test_a_segmentation_of_somebody_else_is_all_by_hand(scene):
    case = Case(scene)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("a", "a")
    assert segmentation.edits_of(node, case.volume, case.grid) == segmentation.Edits(added=("a",))


def test_another_result_in_the_same_node(scene):
    case = Case(scene)
    before, image = ids(scene), case.result.radiograph
    inner = case.node.GetSegmentation()
    inner.AddEmptySegment("mine", "mine")
    inner.GetSegment("right_lung").SetColor(1.0, 0.0, 0.0)
    objects = (
        found(image, "tibia", "tibia", bar()[::-1]),
        found(image, "right lung", "right lung", letter_l()[:, ::-1]),
    )
    assert segmentation.show_objects(case.node, case.volume, case.grid, objects) == ["tibia", "right_lung"]
    assert [inner.GetNthSegmentID(n) for n in range(inner.GetNumberOfSegments())] == ["tibia", "right_lung", "mine"]
    assert (case.mask("right_lung") == letter_l()[:, ::-1]).all() and (case.mask("tibia") == bar()[::-1]).all()
    assert inner.GetSegment("right_lung").GetColor() == (1.0, 0.0, 0.0)  # chosen by hand, and kept
    assert case.edits() == segmentation.Edits(added=("mine",)) and ids(scene) == before


def test_a_segment_of_the_same_id_by_somebody_else_stays(scene):
    case = Case(scene)
    inner = case.node.GetSegmentation()
    inner.AddEmptySegment("tibia", "drawn by hand")
    objects = (found(case.result.radiograph, "tibia", "tibia", bar()),)
    for _ in range(2):
        assert segmentation.show_objects(case.node, case.volume, case.grid, objects) == ["tibia-2"]
        assert inner.GetSegment("tibia").GetName() == "drawn by hand"
        assert (case.mask("tibia-2") == bar()).all()


def test_a_former_state_comes_back(scene):
    case = Case(scene)
    masks.write_window(case.node, "right_lung", case.grid, np.ones((5, 5), bool), (slice(80, 85), slice(3, 8)))
    edited = case.mask()
    former = snapshot.snapshot(case.node)
    other = (found(case.result.radiograph, "tibia", "tibia", bar()),)
    for _ in range(2):
        segmentation.show_objects(case.node, case.volume, case.grid, other)
        assert segmentation.segment_ids(case.node) == ["tibia"]
        snapshot.bring_back(case.node, former)
        assert (case.mask() == edited).all() and (case.mask("femur_2") == bar()).all()
        assert case.edits() == segmentation.Edits(changed=("right_lung",))


def test_a_segmentation_that_was_turned_into_surfaces(scene):
    """Show 3D, and then the surface made the source: pixels are read through it, and writing goes back to pixels."""
    case = Case(scene)
    case.node.CreateClosedSurfaceRepresentation()
    case.node.SetSourceRepresentationToClosedSurface()
    assert (case.mask() != letter_l()).mean() < 0.02  # an outline made of pixels and back
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    assert session.write(np.ones((8, 8), bool), (slice(0, 8), slice(0, 8))) and case.mask()[:8, :8].all()


def test_a_segmentation_moved_away_from_its_volume(scene):
    case = Case(scene, "plain")
    case.node.SetAndObserveTransformNodeID(
        add_transform(scene, [[1, 0, 0, -4.0], [0, 1, 0, -2.0], [0, 0, 1, 0], [0, 0, 0, 1]]).GetID()
    )
    shifted = np.zeros(SHAPE, bool)
    shifted[2:, 4:] = letter_l()[:-2, :-4]
    assert (case.mask() == shifted).all()


def test_speed_on_2048(scene):
    """Targets: about 1 ms a move beside the mask itself. The best of many, as the machine may be busy."""
    shape = (2048, 2048)
    image = radiograph(shape)
    volume = add_volume(scene, np.array(image.pixels))
    grid = volumes.grid_of(volume)
    node = segmentation.add_segmentation_for(volume, grid, result(image), scene)
    window = (slice(100, 1900), slice(100, 1900))
    part = np.random.default_rng(0).random((1800, 1800)) < 0.5
    session = live.LiveMask(node, "right_lung", volume, grid)
    moves, ends = [], []
    for _ in range(7):
        start = time.perf_counter()
        session.write(part, window)
        middle = time.perf_counter()
        session.finish(letter_l(shape), (slice(0, 2048), slice(0, 2048)))
        moves.append(middle - start)
        ends.append(time.perf_counter() - middle)
    assert min(moves) < 0.005 and min(ends) < 0.02


def test_the_thresholds_of_a_field_move_the_mask(scene):
    """The whole way of a drag: field, mask, segment."""
    from GrayscaleDetSegLib.core import boxes

    case = Case(scene)
    image, roi = case.result.radiograph, (0.0, 0.0, 130.0, 90.0)
    session = live.LiveMask(case.node, "right_lung", case.volume, case.grid)
    for low in (100.0, 150.0, 190.0):
        field = ThresholdMap.uniform(roi, low, 255.0)
        session.write(field_mask(image, field), boxes.pixel_slices(roi, image.shape))
        assert (case.mask() == (image.gray() >= low)).all()
