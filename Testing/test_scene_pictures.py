"""What the views show, drawn offscreen by Slicer's displayable managers: places and colours, before and after a drag.

The pictures lie in pytest's folder for this run, to be looked at: pytest --basetemp=/tmp/pictures.
"""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.scene import (
    axis,
    cloud,
    live,
    regions,
    segmentation,
    surface_models,
    threshold_box,
    views,
    volumes,
)
from GrayscaleDetSegLib.scene.frame import CloudFrame
from Testing.fakes import GEOMETRIES, bar, found, letter_l, radiograph, result
from Testing.scene_nodes import add_transform, add_volume, recoloured

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

BLUE, ORANGE = anatomy("right lung").color, anatomy("femur").color


@pytest.fixture(scope="module", autouse=True)
def _can_draw():
    import vtk

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    if not window.SupportsOpenGL():
        pytest.skip("this machine cannot draw")


@pytest.fixture
def application():
    from Testing.scene_views import Application

    application = Application()
    yield application
    application.close()


def likeness(picture: np.ndarray, color) -> np.ndarray:
    """How far each pixel of a picture is coloured like `color`: the share of its own direction away from gray."""
    wanted = np.array(color, float) - np.mean(color)
    tint = picture.astype(float) - picture.mean(axis=-1, keepdims=True)
    return tint @ wanted / (np.linalg.norm(wanted) * 255.0)


def inner_places(mask: np.ndarray) -> list[tuple[int, int]]:
    """(column, row) of the pixels of a mask whose neighbours belong to it, too."""
    rows, columns = mask.shape
    return [
        (x, y)
        for y in range(1, rows - 1)
        for x in range(1, columns - 1)
        if mask[y - 1 : y + 2, x - 1 : x + 2].all()
    ]


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_mask_and_region_lie_over_the_object(name, is_moved, application, tmp_path):
    """The L of the image is where the L of the mask is, the frame around it, whatever the volume's directions."""
    from Testing.scene_views import SliceView

    scene, mask = application.scene, letter_l()
    volume = add_volume(scene, np.array(radiograph().pixels), GEOMETRIES[name])
    if is_moved:
        volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    grid = volumes.grid_of(volume)
    view = SliceView(application, volume, grid)
    plain = view.picture().astype(int)
    image = volumes.read_volume(volume)
    objects = (found(image, "right lung", "right lung", mask),)
    node = segmentation.add_segmentation_for(volume, grid, result(image, objects), scene)
    masked = view.picture(tmp_path / "mask.png").astype(int)
    roi = tuple(boxes.of_mask(mask) + [-4, -4, 4, 4])
    region = regions.add_region(scene, volume, grid, roi, "right lung", ORANGE, [view.node.GetID()])
    region.GetDisplayNode().SetHandlesInteractive(False)
    framed = view.picture(tmp_path / "region.png").astype(int)

    def at(picture, x, y):
        return picture[view.screen(x, y)]

    bright = [(x + 0.5, y + 0.5) for y in range(90) for x in range(130) if letter_l()[y, x] or bar()[y, x]]
    dark = [(x + 0.5, y + 0.5) for y in range(2, 88, 5) for x in range(2, 128, 5) if not (mask | bar())[y, x]]
    assert min(at(plain, x, y).min() for x, y in bright) > max(at(plain, x, y).max() for x, y in dark)
    tint = likeness(masked - plain, BLUE)
    assert min(tint[view.screen(x + 0.5, y + 0.5)] for x, y in inner_places(mask)) > 0.02
    far = [(x, y) for x, y in dark if not mask[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].any()]
    assert len(far) > 100 and max(abs(tint[view.screen(x, y)]) for x, y in far) < 0.01
    frame = likeness(framed - masked, ORANGE)
    x0, y0, x1, y1 = roi
    for x, y in ((x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2), ((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1)):
        row, column = view.screen(x, y)
        assert frame[row - 2 : row + 3, column - 2 : column + 3].max() > 0.15
    beside = [(x, y) for x, y in dark if not (x0 - 4 < x < x1 + 4 and y0 - 4 < y < y1 + 4)]
    assert len(beside) > 100 and max(abs(frame[view.screen(x, y)]) for x, y in beside) < 0.01
    assert node.GetDisplayNode().GetVisibility2D()


def test_the_mask_follows_a_drag(application, tmp_path):
    from Testing.scene_views import SliceView

    scene = application.scene
    volume = add_volume(scene, np.array(radiograph().pixels), GEOMETRIES["turned"])
    grid = volumes.grid_of(volume)
    image = volumes.read_volume(volume)
    node = segmentation.add_segmentation_for(volume, grid, result(image), scene)
    view = SliceView(application, volume, grid)
    before = view.picture(tmp_path / "before.png").astype(int)
    roi = (0.0, 0.0, 130.0, 90.0)
    session = live.LiveMask(node, "right_lung", volume, grid)
    shown = field_mask(image, ThresholdMap.uniform(roi, 60.0, 110.0))
    session.write(shown, boxes.pixel_slices(roi, image.shape))
    after = view.picture(tmp_path / "after.png").astype(int)
    gained, lost = shown & ~letter_l(), letter_l() & ~shown
    tint = likeness(after - before, BLUE)
    for mask, sign in ((gained, 1), (lost, -1)):
        inner = inner_places(mask)
        assert len(inner) > 20
        assert min(sign * tint[view.screen(x + 0.5, y + 0.5)] for x, y in inner) > 0.02


def knee_like():
    """A bright disk and a bar on a sloping ground, with noise: points on every level."""
    y, x = np.mgrid[:200, :160]
    pixels = 600 + 4 * x + 2 * y
    pixels = np.where((x - 60) ** 2 + (y - 80) ** 2 < 45**2, pixels + 1500, pixels)
    pixels = np.where((x > 110) & (x < 150) & (y > 120), pixels + 900, pixels)
    noise = np.random.default_rng(0).normal(0.0, 60.0, pixels.shape)
    return np.clip(pixels + noise, 0, 4095).astype(np.uint16)


def test_the_cloud_before_and_after_a_drag(application, tmp_path):
    """Points between the thresholds are coloured, the rest gray; a drag of the box moves what is coloured."""
    from Testing.scene_views import SpaceView

    scene = application.scene
    view = SpaceView(application)
    views.dress_view(view.node)
    ids = [view.node.GetID()]
    image = volumes.read_volume(add_volume(scene, knee_like()))
    roi = (10.0, 25.0, 155.0, 190.0)
    frame, field = CloudFrame.of(image, roi), ThresholdMap.uniform(roi, 150.0, 255.0)
    points = cloud.add_cloud(scene, image, roi, field, frame, "femur", ORANGE, ids)
    views.aim_camera(view.camera, frame, roi)
    alone = view.picture(tmp_path / "points.png")
    drawn = np.argwhere(likeness(alone, ORANGE) > 0.1)
    gray = np.argwhere((likeness(alone, ORANGE) < 0.01) & (alone.max(axis=-1) > 40))
    assert len(drawn) > 3000 and len(gray) > 3000
    # the disk's top lies above the ground: its points are coloured
    disk = view.screen(cloud.place_of_pixel(points, 80, 60, float(image.gray()[75:85, 55:65].mean())))
    assert (likeness(alone, ORANGE)[disk[0] - 4 : disk[0] + 5, disk[1] - 4 : disk[1] + 5] > 0.1).mean() > 0.5

    axis.add_axis(scene, frame, roi, "femur", ids)
    box = threshold_box.add_threshold_box(scene, frame, roi, (150.0, 255.0), "femur", ORANGE, ids)
    view.picture(tmp_path / "before.png")
    threshold_box.set_interval(box, (190.0, 240.0))
    bottom, top = threshold_box.interval_of(box)
    recoloured(points, ThresholdMap.uniform(roi, bottom, top))
    view.picture(tmp_path / "after.png")
    box.SetDisplayVisibility(False)
    fewer = np.argwhere(likeness(view.picture(), ORANGE) > 0.1)
    assert 0.1 * len(drawn) < len(fewer) < 0.8 * len(drawn)


@pytest.mark.parametrize("size", [(450, 600), (700, 500)])
@pytest.mark.parametrize("roi", [(10.0, 25.0, 155.0, 190.0), (60.0, 5.0, 90.0, 195.0), (5.0, 90.0, 155.0, 110.0)])
def test_cloud_and_axis_fit_into_the_view(roi, size, application, tmp_path):
    from Testing.scene_views import SpaceView

    view = SpaceView(application, size=size)
    views.dress_view(view.node)
    image = volumes.read_volume(add_volume(application.scene, knee_like()))
    frame, ids = CloudFrame.of(image, roi), [view.node.GetID()]
    threshold_box.add_threshold_box(application.scene, frame, roi, (0.0, 255.0), "femur", ORANGE, ids)
    axis.add_axis(application.scene, frame, roi, "femur", ids)
    views.aim_camera(view.camera, frame, roi)
    drawn = np.argwhere(view.picture(tmp_path / "fits.png").max(axis=-1) > 60)
    margins = (*drawn.min(axis=0), *(np.array(size[::-1]) - 1 - drawn.max(axis=0)))
    assert min(margins) >= 3
    if size[0] < size[1]:  # a view as in the module's layout is filled
        assert min((margins[0] + margins[2]) / size[1], (margins[1] + margins[3]) / size[0]) < 0.2


def test_the_surfaces_in_the_cloud(application, tmp_path):
    from Testing.scene_views import SpaceView

    scene = application.scene
    view = SpaceView(application)
    views.dress_view(view.node)
    ids = [view.node.GetID()]
    image = volumes.read_volume(add_volume(scene, knee_like()))
    roi = (10.0, 25.0, 155.0, 190.0)
    y, x = np.mgrid[:16, :16]
    low = (100.0 + 4 * x + 2 * y).astype(np.float32)
    high = np.minimum(low + 70.0, 255.0)
    high[:4, 10:] = low[:4, 10:] - 1.0  # closed
    field, frame = ThresholdMap(roi, low, high), CloudFrame.of(image, roi)
    points = cloud.add_cloud(scene, image, roi, field, frame, "femur", ORANGE, ids)
    views.aim_camera(view.camera, frame, roi)
    before = view.picture()
    nodes = surface_models.add_surfaces(scene, frame, field, "femur", ids)
    shown = view.picture(tmp_path / "surfaces.png")
    assert (np.abs(shown.astype(int) - before).max(axis=-1) > 20).mean() > 0.1
    surface_models.set_surfaces(nodes, field.shifted(30.0, 0.0))
    recoloured(points, field.shifted(30.0, 0.0))
    assert (view.picture(tmp_path / "moved.png") != shown).any()


def test_nothing_of_the_cloud_shows_elsewhere(application):
    """Each node keeps to the views it was given."""
    from Testing.scene_views import SliceView, SpaceView

    scene = application.scene
    volume = add_volume(scene, knee_like())
    grid, image = volumes.grid_of(volume), volumes.read_volume(volume)
    anatomy_view, cloud_view = SpaceView(application, "1"), SpaceView(application)
    slice_view = SliceView(application, volume, grid)
    empty, plain = anatomy_view.picture(), slice_view.picture()
    ids, roi = [cloud_view.node.GetID()], (10.0, 25.0, 155.0, 190.0)
    frame, field = CloudFrame.of(image, roi), ThresholdMap.uniform(roi, 150.0, 255.0)
    cloud.add_cloud(scene, image, roi, field, frame, "femur", ORANGE, ids)
    axis.add_axis(scene, frame, roi, "femur", ids)
    threshold_box.add_threshold_box(scene, frame, roi, (150.0, 255.0), "femur", ORANGE, ids)
    surface_models.add_surfaces(scene, frame, field, "femur", ids)
    assert (anatomy_view.picture() == empty).all() and (slice_view.picture() == plain).all()
    before = cloud_view.picture()
    regions.add_region(scene, volume, grid, roi, "femur", ORANGE, [slice_view.node.GetID(), anatomy_view.node.GetID()])
    assert (cloud_view.picture() == before).all()
    assert (anatomy_view.picture() != empty).any() and (slice_view.picture() != plain).any()
