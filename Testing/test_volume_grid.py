"""The grid that networks see is the same however a file holds a volume, and the way back is exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from GrayscaleDetSegLib.core.radiograph import Geometry
from GrayscaleDetSegLib.core.volumes.grid import Grid, weights
from GrayscaleDetSegLib.core.volumes.views import dsc
from GrayscaleDetSegLib.core.volumes.volume import Volume, canonical_view, stored_axes
from Testing.volume_models import block


def copies(voxels: np.ndarray, geometry: Geometry):
    """The same volume in all 48 orders of its axes: (voxels, geometry, how arrays of the first become its)."""
    directions = np.reshape(geometry.direction, (3, 3))
    for order in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            def turn(values, order=order, flips=flips):
                return values.transpose(order)[tuple(slice(None, None, flip) for flip in flips)]

            # axis k of the array is index axis 2 - k of the geometry
            index = [2 - order[2 - axis] for axis in range(3)]
            signs = [flips[2 - axis] for axis in range(3)]
            spacing = tuple(geometry.spacing[axis] for axis in index)
            origin = np.array(geometry.origin)
            for axis, sign in zip(index, signs):
                if sign < 0:
                    origin = origin + directions[:, axis] * geometry.spacing[axis] * (voxels.shape[2 - axis] - 1)
            moved = directions[:, index] * signs
            yield turn(voxels), Geometry(spacing, tuple(origin), tuple(moved.reshape(-1))), turn


def oblique(geometry: Geometry, degrees: float = 20.0) -> Geometry:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    moved = tilt @ turn @ np.reshape(geometry.direction, (3, 3))
    return Geometry(geometry.spacing, geometry.origin, tuple(moved.reshape(-1)))


@pytest.mark.parametrize("spacing", [None, 1.5, 2.5])
def test_all_orders_and_oblique_headers_give_the_same_working_volume(spacing):
    voxels, mask, geometry = block((12, 20, 28), (1.0, 1.2, 3.0))
    first = Volume.from_array(voxels, geometry)
    grid = Grid.of(first, spacing)
    wanted = grid.working(first)
    back = grid.mask_to_stored(grid.of_mask(mask))
    for values, placed, turn in copies(voxels, geometry):
        for each in (placed, oblique(placed)):
            other = Volume.from_array(values, each)
            seen = Grid.of(other, spacing)
            assert seen.size == grid.size and seen.spacing == pytest.approx(grid.spacing)
            np.testing.assert_allclose(seen.working(other), wanted, atol=1e-5)
            assert np.array_equal(seen.mask_to_stored(seen.of_mask(turn(mask))), turn(back))


def test_the_axes_of_the_working_grid_are_superior_posterior_left():
    voxels = np.zeros((4, 5, 6), np.int16)
    geometry = Geometry((1.0, 1.0, 1.0), direction=(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    # columns run to the front, rows upwards, slices to the left
    assert stored_axes(geometry) == ((1, 2, 0), (False, True, False))
    assert canonical_view(voxels, geometry).shape == (5, 6, 4)


def test_a_grid_that_is_not_resampled_gives_masks_back_bit_for_bit():
    voxels, _, geometry = block()
    random = np.random.default_rng(1).random(voxels.shape) < 0.3
    for values, placed, turn in copies(voxels, geometry):
        grid = Grid.of(Volume.from_array(values, placed))
        assert grid.size == (24, 26, 28)
        assert np.array_equal(grid.mask_to_stored(grid.of_mask(turn(random))), turn(random))


def test_what_resampling_there_and_back_costs():
    voxels, mask, geometry = block((10, 48, 52), (0.8, 0.8, 4.0))
    big = np.zeros(voxels.shape, bool)
    big[2:7, 10:40, 12:44] = True
    grid = Grid.of(Volume.from_array(voxels, geometry), 1.6)
    assert grid.size == (25, 24, 26) and grid.spacing == pytest.approx((1.6, 1.6, 1.6))
    assert dsc(grid.mask_to_stored(grid.of_mask(big)), big) > 0.99
    assert not grid.mask_to_stored(np.zeros(grid.size, bool)).any()
    assert grid.mask_to_stored(np.ones(grid.size, np.float32)).all()


def test_boxes_go_back_with_their_voxels():
    voxels, mask, geometry = block()
    for values, placed, turn in copies(voxels, geometry):
        grid = Grid.of(Volume.from_array(values, placed))
        z, y, x = (np.flatnonzero(grid.of_mask(turn(mask)).any(axis)) for axis in ((1, 2), (0, 2), (0, 1)))
        found = grid.box_to_stored((z[0], y[0], x[0], z[-1] + 1, y[-1] + 1, x[-1] + 1))
        zs, ys, xs = (np.flatnonzero(turn(mask).any(axis)) for axis in ((1, 2), (0, 2), (0, 1)))
        assert found == (xs[0], ys[0], zs[0], xs[-1] + 1, ys[-1] + 1, zs[-1] + 1)


def test_the_longest_side_has_a_limit():
    grid = Grid.over((400, 512, 512), Geometry((0.7, 0.7, 0.8)), 1.0, 128)
    assert max(grid.size) == 128 and grid.spacing[1] == pytest.approx(512 * 0.7 / 128)


@pytest.mark.parametrize("before, after", [(10, 10), (10, 25), (25, 10), (7, 4), (4, 9)])
def test_weights_keep_what_is_even_and_what_rises(before, after):
    matrix = weights(before, after)
    np.testing.assert_allclose(matrix.sum(1), 1.0, atol=1e-6)
    rising = matrix @ np.arange(before, dtype=np.float32)
    assert (np.diff(rising) >= -1e-6).all() and (before != after or np.array_equal(matrix, np.eye(before)))


def test_a_coarser_voxel_is_the_mean_of_what_it_covers():
    matrix = weights(8, 4)
    np.testing.assert_allclose(matrix @ np.array([0, 0, 1, 1, 0, 1, 0, 0], np.float32), [0.0, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(weights(5, 2)[0], [0.4, 0.4, 0.2, 0.0, 0.0], atol=1e-6)


def test_a_finer_copy_of_a_volume_is_hardly_blurred():
    fine = weights(20, 40)
    slices = np.zeros(20, np.float32)
    slices[10] = 1.0
    again = weights(40, 20) @ fine @ slices
    assert again[10] >= 0.75 and again[8] == again[12] == 0.0


def test_a_box_goes_to_the_stored_grid_and_back_in_all_orders():
    voxels, _, geometry = block((12, 20, 28), (1.0, 1.2, 3.0))
    for spacing in (None, 1.5):
        for values, placed, _turn in copies(voxels, geometry):
            grid = Grid.of(Volume.from_array(values, placed), spacing)
            z0, y0, x0, z1, y1, x1 = box = (3, 5, 8, 9, 11, 20)
            wanted = np.zeros(grid.size, bool)
            wanted[z0:z1, y0:y1, x0:x1] = True
            stored = grid.box_to_stored(box)
            assert np.array_equal(grid.box_mask(stored), wanted)
            assert np.array_equal(grid.box_mask((*stored[3:], *stored[:3])), wanted), "corners in any order"
    grid = Grid.of(Volume.from_array(voxels, geometry))
    assert not grid.box_mask((28.0, 0.0, 0.0, 40.0, 5.0, 5.0)).any(), "beside the volume"
    assert grid.box_mask((-5.0, -5.0, -5.0, 90.0, 90.0, 90.0)).all(), "cut off at the edges"
    assert grid.box_mask((3.1, 3.1, 3.1, 3.2, 3.2, 3.2)).sum() >= 1, "one voxel at least"
