"""Line integrals through closed surfaces against what geometry says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("numba", reason="drawing films of bones needs numba")

from training.simulate.bones.draw import _outward  # noqa: E402
from training.simulate.bones.skeleton import MIRROR, PlacedBone, affine, rotation  # noqa: E402
from training.simulate.bones.surface import Surface, repaired  # noqa: E402
from training.simulate.bones.thickness import Camera, add_thickness, may_show  # noqa: E402

FAR = 1e7
"""mm to a source whose rays are as good as parallel."""


def sphere(radius: float, around: int = 96) -> Surface:
    angles, heights = np.arange(around) * 2 * np.pi / around, np.linspace(0, np.pi, around // 2 + 1)[1:-1]
    rings = np.concatenate([np.column_stack([np.sin(t) * np.cos(angles), np.sin(t) * np.sin(angles),
                                             np.full(around, np.cos(t))])
                            for t in heights])  # fmt: skip
    vertices = radius * np.concatenate([rings, [(0, 0, 1), (0, 0, -1)]])
    here, there, faces = np.arange(around), (np.arange(around) + 1) % around, []
    for ring in range(0, (len(heights) - 1) * around, around):
        faces += [np.column_stack([ring + here, ring + around + here, ring + around + there]),
                  np.column_stack([ring + here, ring + around + there, ring + there])]  # fmt: skip
    last, top = (len(heights) - 1) * around, len(heights) * around
    faces += [np.column_stack([np.full(around, top), here, there]),
              np.column_stack([np.full(around, top + 1), last + there, last + here])]
    return Surface(vertices.astype(np.float32), np.concatenate(faces).astype(np.int32))


def box(sides: tuple[float, float, float]) -> Surface:
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float) * np.array(sides) / 2
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return repaired(corners, np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]))


def seen(surface: Surface, scale: float = 4.0, shape: tuple[int, int] = (240, 260), shift=(0, 0, 0), distance=FAR):
    """The thickness image from in front, x to the right and y down."""
    camera = Camera(affine(np.eye(3), shift), distance, scale, shape)
    image = np.zeros(shape, np.float32)
    add_thickness(camera.project(surface.vertices.astype(float)), surface.faces, image)
    return image


def test_a_sphere():
    image = seen(sphere(20.0), 4.0)
    assert image.sum() / 16 == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.005)
    assert image.max() == pytest.approx(40.0, abs=0.05) and image.min() > -1e-3
    assert (image > 0).sum() / 16 == pytest.approx(np.pi * 400, rel=0.01)
    y, x = (np.mgrid[:240, :260] + 0.5) / 4.0
    squared = (x - 32.5) ** 2 + (y - 30) ** 2
    inside = squared < 19.0**2
    np.testing.assert_allclose(image[inside], 2 * np.sqrt(400 - squared[inside]), atol=0.2)
    assert not image[squared > 20.3**2].any()


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.4, 0.9, -0.3), (1.2, -0.5, 2.0)])
def test_an_oblique_box(angles):
    sides, turn = (18.0, 26.0, 11.0), np.eye(3)
    for axis, angle in zip(np.eye(3), angles):
        turn = rotation(axis, angle) @ turn
    image = seen(box(sides).moved(affine(turn)), 5.0)
    assert image.sum() / 25 == pytest.approx(np.prod(sides), rel=0.003)
    tilt = np.abs(turn[2])  # how much of each side's direction lies along the rays
    assert image.max() == pytest.approx(min(side / part for side, part in zip(sides, tilt) if part > 1e-9), abs=0.12)
    silhouette = sum(sides[n - 2] * sides[n - 1] * tilt[n] for n in range(3))
    assert (image > 1e-4).sum() / 25 == pytest.approx(silhouette, rel=0.01)


def test_shared_edges_count_once():
    """Edges and a fan's middle that run right through the middles of pixels."""
    cube = box((20.0, 20.0, 7.0))
    image = seen(cube, 1.0, (41, 41))
    assert image.sum() == pytest.approx(2800.0, abs=1e-2)
    assert set(np.unique(image.round(3))) == {0.0, 7.0}, "no pixel gets an edge twice or never"
    rim = np.array([(np.cos(a), np.sin(a)) for a in np.arange(8) * np.pi / 4]) * 10
    vertices = np.concatenate([np.column_stack([rim, np.full(8, height)]) for height in (0, 5)] + [[(0, 0, 0),
                                                                                                    (0, 0, 5)]])
    here, there = np.arange(8), (np.arange(8) + 1) % 8
    faces = np.concatenate([np.column_stack([there, here, np.full(8, 16)]),
                            np.column_stack([8 + here, 8 + there, np.full(8, 17)]),
                            np.column_stack([here, there, 8 + there]),
                            np.column_stack([here, 8 + there, 8 + here])])  # fmt: skip
    disc = seen(repaired(vertices, faces), 1.0, (41, 41))
    assert set(np.unique(disc.round(3))) == {0.0, 5.0}


def test_mirrored_bones_are_as_thick():
    cube = box((10.0, 24.0, 6.0)).moved(affine(rotation((1, 1, 0), 0.5), (7.3, 1.2, 0)))
    matrix = affine(MIRROR)
    placed = PlacedBone("femur", "femur L", "thigh L", cube, np.zeros(8), matrix)
    camera = Camera(affine(np.eye(3)), FAR, 3.0, (120, 120))
    image = np.zeros((120, 120), np.float32)
    add_thickness(camera.project(cube.vertices @ matrix[:, :3].T), _outward(placed), image)
    straight = seen(cube, 3.0, (120, 120))
    assert image.min() > -1e-3 and image.sum() == pytest.approx(straight.sum(), rel=1e-3)
    assert np.abs(image[:, ::-1] - straight).max() < 0.5
    again = np.zeros_like(image)
    add_thickness(camera.project(cube.vertices @ matrix[:, :3].T), cube.faces, again)
    assert again.max() < 1e-3, "without the turn it would be negative"


def test_bodies_add_up():
    first, second = box((10, 10, 10)), sphere(6.0)
    both = np.zeros((240, 260), np.float32)
    camera = Camera(affine(np.eye(3)), FAR, 4.0, both.shape)
    for surface in (first, second):
        add_thickness(camera.project(surface.vertices.astype(float)), surface.faces, both)
    np.testing.assert_allclose(both, seen(first) + seen(second), atol=1e-3)
    assert both.max() == pytest.approx(22.0, abs=0.05)


def test_what_is_nearer_to_the_tube_is_larger():
    areas = [(seen(sphere(8.0), 4.0, (300, 300), (0, 0, depth), 1000.0) > 0).sum() for depth in (-300.0, 0.0, 300.0)]
    assert areas[0] / areas[1] == pytest.approx((1000 / 700) ** 2, rel=0.02)
    assert areas[2] / areas[1] == pytest.approx((1000 / 1300) ** 2, rel=0.02)


def test_what_lies_beside_the_picture_is_left_out():
    camera = Camera(affine(np.eye(3), (200.0, 0, 0)), FAR, 4.0, (100, 100))
    projected = camera.project(sphere(10.0).vertices.astype(float))
    image = np.zeros((100, 100), np.float32)
    add_thickness(projected, sphere(10.0).faces, image)
    assert not may_show(projected, image.shape) and not image.any()
    half = Camera(affine(np.eye(3), (12.5, 0, 0)), FAR, 4.0, (100, 100)).project(sphere(10.0).vertices.astype(float))
    assert may_show(half, image.shape)
    add_thickness(half, sphere(10.0).faces, image)
    assert image.sum() / 16 == pytest.approx(2 / 3 * np.pi * 1000, rel=0.02)
