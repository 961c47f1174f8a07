"""From volume nodes to radiographs: the right pixels at the right place, and refusals in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.radiograph import Geometry
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.scene import volumes
from GrayscaleDetSegLib.scene.geometry import geometry_of, ijk_to_ras, moved
from GrayscaleDetSegLib.scene.nodes import attribute
from Testing.fakes import GEOMETRIES, SHAPE, radiograph
from Testing.scene_nodes import add_bending_transform, add_transform, add_volume

KNEE = Path(__file__).resolve().parents[1] / "Resources" / "Samples" / "knee.dcm"

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

# corners and inner places of the image, in px
PLACES = np.array([(0.0, 0.0), (130.0, 0.0), (0.0, 90.0), (17.25, 61.5), (130.0, 90.0)])


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


@pytest.fixture
def pixels():
    return np.array(radiograph().pixels)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("is_moved", [False, True])
def test_pixels_to_ras_and_back(name, is_moved, scene, pixels):
    """The middle of pixel (i, j) lies where Slicer says that the voxel (j, i, 0) lies."""
    import vtk

    volume = add_volume(scene, pixels, GEOMETRIES[name])
    if is_moved:
        volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    matrix = volumes.pixel_to_world(volume, volumes.grid_of(volume))
    to_ras, to_world = vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform()
    volume.GetIJKToRASMatrix(to_ras)
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, to_world)
    for x, y in PLACES:
        expected = to_world.TransformPoint(to_ras.MultiplyPoint((x - 0.5, y - 0.5, 0.0, 1.0))[:3])
        ras = moved(matrix, [(x, y, 0.0)])
        assert np.allclose(ras, expected, atol=1e-9)
        assert np.allclose(moved(np.linalg.inv(matrix), ras), (x, y, 0.0), atol=1e-9)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_radiograph_is_what_the_node_holds(name, scene, pixels):
    geometry = GEOMETRIES[name]
    image = volumes.read_volume(add_volume(scene, pixels, geometry))
    assert (image.pixels == pixels).all() and image.pixels.dtype == np.uint16
    for ours, theirs in zip(
        (image.geometry.spacing, image.geometry.origin, image.geometry.direction),
        (geometry.spacing, geometry.origin, geometry.direction),
    ):
        assert np.allclose(ours, theirs)
    assert (image.spacing.row, image.spacing.column) == pytest.approx((geometry.spacing[1], geometry.spacing[0]))
    assert image.spacing.source == "volume" and not image.polarity.inverted
    assert image.mapping.source == "percentile" and image.notes == ()


def test_the_pixels_are_a_copy(scene, pixels):
    volume = add_volume(scene, pixels)
    image = volumes.read_volume(volume)
    volume.GetImageData().GetPointData().GetScalars().Fill(7)
    assert (image.pixels == pixels).all()


def test_matrices_of_geometries_come_back():
    for geometry in GEOMETRIES.values():
        assert np.allclose(ijk_to_ras(geometry_of(ijk_to_ras(geometry))), ijk_to_ras(geometry))
    with pytest.raises(RadiographError, match="without length"):
        geometry_of(np.diag([1.0, 0.0, 1.0, 1.0]))


def test_one_of_many_slices(scene, pixels):
    stack = np.stack([pixels[::-1], pixels, pixels[:, ::-1]])
    volume = add_volume(scene, stack, GEOMETRIES["sideways"])
    with pytest.raises(RadiographError, match="has 3 slices"):
        volumes.read_volume(volume)
    with pytest.raises(RadiographError, match="no slice 4, only 3"):
        volumes.read_volume(volume, 3)
    image = volumes.read_volume(volume, 2)
    assert (image.pixels == stack[2]).all() and image.notes == ("slice 3 of 3 is used",)
    third = ijk_to_ras(GEOMETRIES["sideways"]) @ np.array([0.0, 0.0, 2.0, 1.0])
    assert np.allclose(ijk_to_ras(image.geometry)[:, 3], third)


@pytest.mark.parametrize("is_moved", [False, True])
def test_the_slice_at_a_place(is_moved, scene, pixels):
    volume = add_volume(scene, np.stack([pixels] * 5), GEOMETRIES["sideways"])
    if is_moved:
        volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    for index in range(5):
        matrix = volumes.pixel_to_world(volume, volumes.grid_of(volume, index))
        assert volumes.slice_at(volume, moved(matrix, [(20.0, 30.0, 0.4)])[0]) == index
        assert volumes.slice_at(volume, moved(matrix, [(20.0, 30.0, 9.0)])[0]) == 4


@pytest.mark.parametrize("axis", [0, 1])
def test_a_slice_that_stands_upright_in_its_volume(axis, scene, pixels):
    """One voxel along i or j, as sagittal and coronal images have it."""
    upright = np.expand_dims(pixels, 2 - axis)  # numpy's axes run k, j, i
    volume = add_volume(scene, upright, GEOMETRIES["turned"])
    grid, image = volumes.grid_of(volume), volumes.read_volume(volume)
    assert grid.axes == ((1, 2, 0), (0, 2, 1))[axis]
    assert (image.pixels == pixels).all()
    row, column = 11, 23
    ijk = np.zeros(4)
    ijk[grid.axes[0]], ijk[grid.axes[1]], ijk[3] = column, row, 1.0
    expected = (ijk_to_ras(GEOMETRIES["turned"]) @ ijk)[:3]
    assert np.allclose(moved(grid.pixel_to_ras, [(column + 0.5, row + 0.5, 0.0)]), expected)
    assert (grid.plane(grid.slab(pixels)) == pixels).all()


@pytest.mark.parametrize("components", [3, 4])
def test_gray_in_colours(components, scene, pixels):
    gray = (pixels // 16).astype(np.uint8)
    colours = np.repeat(gray[..., None], components, axis=-1)
    colours[..., 3:] = 255
    volume = add_volume(scene, colours, kind="vtkMRMLVectorVolumeNode")
    image = volumes.read_volume(volume)
    assert (image.pixels == gray).all() and image.spacing is None
    volume.SetSpacing(0.3, 0.3, 1.0)
    assert volumes.read_volume(volume).spacing.column == pytest.approx(0.3)


def test_a_vector_volume_with_one_value_a_pixel(scene, pixels):
    image = volumes.read_volume(add_volume(scene, pixels[..., None], kind="vtkMRMLVectorVolumeNode"))
    assert (image.pixels == pixels).all() and image.spacing is None


def test_a_faint_tint_is_luminance(scene, pixels):
    gray = (pixels // 16).astype(np.uint8)
    colours = np.stack([gray, gray, np.maximum(gray, 12) - 12], -1)
    image = volumes.read_volume(add_volume(scene, colours, kind="vtkMRMLVectorVolumeNode"))
    assert np.abs(image.pixels.astype(int) - gray).max() <= 2
    assert "Rec. 601 luminance" in image.notes[0]


def refusals():
    generator = np.random.default_rng(1)
    whole = np.array(radiograph().pixels)
    yield "a colour picture", generator.integers(0, 255, (*SHAPE, 3)).astype(np.uint8), "vtkMRMLVectorVolumeNode"
    yield "label map", whole, "vtkMRMLLabelMapVolumeNode"
    yield "is blank", np.full(SHAPE, 7, np.int16), "vtkMRMLScalarVolumeNode"
    yield "at least 8 x 8", whole[:5], "vtkMRMLScalarVolumeNode"
    yield "at least 8 x 8", whole[:1], "vtkMRMLScalarVolumeNode"
    yield "no finite pixel", np.full(SHAPE, np.nan, np.float32), "vtkMRMLScalarVolumeNode"


@pytest.mark.parametrize("message, pixels, kind", list(refusals()))
def test_what_cannot_be_segmented_is_refused(message, pixels, kind, scene):
    with pytest.raises(RadiographError, match=message) as raised:
        volumes.read_volume(add_volume(scene, pixels, name="film", kind=kind))
    assert str(raised.value).startswith("film ") and "\n" not in str(raised.value)


def test_a_volume_without_pixels_is_refused(scene):
    with pytest.raises(RadiographError, match="holds no pixels"):
        volumes.read_volume(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
    with pytest.raises(RadiographError, match="holds no pixels"):
        volumes.read_volume(scene.AddNewNodeByClass("vtkMRMLStreamingVolumeNode", "stream"))


def test_a_bending_transform_is_refused_where_places_matter(scene, pixels):
    volume = add_volume(scene, pixels, name="film")
    volume.SetAndObserveTransformNodeID(add_bending_transform(scene).GetID())
    assert (volumes.read_volume(volume).pixels == pixels).all()
    with pytest.raises(RadiographError, match="film lies under a transform that bends it; harden"):
        volumes.pixel_to_world(volume, volumes.grid_of(volume))


def test_the_proxy_of_a_sequence_is_a_volume(scene, pixels):
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "frames")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    for number in range(3):
        frame = add_volume(scene, np.roll(pixels, number, axis=1), GEOMETRIES["turned"])
        sequence.SetDataNodeAtValue(frame, str(number))
        scene.RemoveNode(frame)
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    image = volumes.read_volume(browser.GetProxyNode(sequence))
    assert (image.pixels == np.roll(pixels, 1, axis=1)).all()
    assert np.allclose(image.geometry.direction, GEOMETRIES["turned"].direction)


@pytest.mark.parametrize(
    "choice, inverted, words",
    [("auto", False, "bone is bright"), ("as-is", False, "kept"), ("inverted", True, "request")],
)
def test_polarity_on_request(choice, inverted, words, scene, pixels):
    image = volumes.read_volume(add_volume(scene, pixels), polarity=choice)
    assert image.polarity.inverted is inverted and words in image.polarity.reason
    assert (image.pixels == (4095 - pixels if inverted else pixels)).all()


def test_an_unknown_polarity_is_a_fault_of_the_caller(scene, pixels):
    with pytest.raises(ValueError, match="polarity must be one of"):
        volumes.read_volume(add_volume(scene, pixels), polarity="maybe")


def test_nan_becomes_the_least_value(scene, pixels):
    values = pixels.astype(np.float32)
    values[3, 4] = np.nan
    image = volumes.read_volume(add_volume(scene, values))
    assert image.pixels[3, 4] == np.nanmin(values) and "NaN" in image.notes[0]


def test_what_was_done_is_stored_on_the_node(scene, pixels):
    volume = add_volume(scene, pixels, Geometry((0.2, 0.1, 1.0)))
    events = []
    volume.AddObserver("ModifiedEvent", lambda *_: events.append(1))
    image = volumes.read_volume(volume, polarity="inverted")
    assert events == [] and attribute(volume, "Polarity") is None
    volumes.note_reading(volume, image)
    assert attribute(volume, "Polarity") == "inverted" and float(attribute(volume, "PolarityPivot")) == 4095
    assert attribute(volume, "Spacing") == "0.1 x 0.2 mm (row x column)" and len(events) == 1
    volumes.note_reading(volume, image)
    assert len(events) == 1


def test_the_same_file_through_slicer_and_through_our_reader(scene):
    """The sample radiograph, loaded as Slicer loads DICOM."""
    logic = slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLScene(scene)
    ours = read_radiograph(KNEE)
    theirs = volumes.read_volume(logic.AddArchetypeVolume(str(KNEE), "knee", 0))
    assert (theirs.pixels == ours.pixels).all()
    assert np.allclose(ijk_to_ras(theirs.geometry), ijk_to_ras(ours.geometry))
    assert theirs.mapping == ours.mapping and theirs.source.path == KNEE
