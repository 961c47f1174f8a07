"""Turning stored grids the way radiographs are hung, and boxes back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.orientation import Orientation, canonical
from GrayscaleDetSegLib.core.radiograph import Geometry
from Testing.fakes import letter_l

ALL = [Orientation(*turn) for turn in itertools.product([False, True], repeat=3)]
AXES = {"L": (1, 0, 0), "P": (0, 1, 0), "S": (0, 0, 1), "R": (-1, 0, 0), "A": (0, -1, 0), "I": (0, 0, -1)}


def geometry(columns, rows) -> Geometry:
    """From where the column index and the row index run to, by letter or vector."""
    x, y = (np.asarray(AXES.get(axis, axis), float) if isinstance(axis, str) else np.asarray(axis, float)
            for axis in (columns, rows))
    matrix = np.stack([x, y, np.cross(x, y)], axis=1)
    return Geometry(direction=tuple(map(float, matrix.ravel())))


def test_the_eight_views_differ():
    mask = letter_l((40, 40))
    assert len({orientation.view(mask).tobytes() for orientation in ALL}) == 8


@pytest.mark.parametrize("orientation", ALL, ids=str)
def test_a_box_found_in_the_view_lies_on_the_object_in_the_stored_grid(orientation):
    mask = letter_l((40, 70))
    seen = boxes.of_mask(orientation.view(mask))
    stored = orientation.roi_to_stored(tuple(seen), mask.shape)
    np.testing.assert_array_equal(stored, boxes.of_mask(mask))
    window = boxes.pixel_slices(stored, mask.shape)
    np.testing.assert_array_equal(orientation.view(mask[window]),
                                  orientation.view(mask)[boxes.pixel_slices(seen, orientation.view(mask).shape)])


@pytest.mark.parametrize("orientation", ALL, ids=str)
def test_views_are_views(orientation):
    image = np.zeros((4, 6))
    assert np.shares_memory(orientation.view(image), image)
    assert orientation.is_identity == (orientation == Orientation())


@pytest.mark.parametrize(
    "columns, rows, expected",
    [
        ("L", "P", (False, False, False)),  # what Slicer gives a picture without geometry
        ("L", "I", (False, False, False)),  # a frontal radiograph as hung
        ("P", "I", (False, False, False)),  # a lateral one
        ("L", "S", (False, True, False)),
        ("R", "I", (False, False, True)),
        ("R", "S", (False, True, True)),
        ("R", "P", (False, False, True)),
        ("L", "A", (False, True, False)),
        ("A", "I", (False, False, True)),
        ("I", "L", (True, False, False)),
        ("S", "L", (True, True, False)),
        ("I", "R", (True, False, True)),
        ("S", "R", (True, True, True)),
        ("P", "L", (True, False, False)),
        ("A", "R", (True, True, True)),
    ],
)
def test_known_planes(columns, rows, expected):
    assert canonical(geometry(columns, rows)) == Orientation(*expected)


@pytest.mark.parametrize("plane", [("L", "I"), ("P", "I"), ("L", "P")])
@pytest.mark.parametrize("turn", ALL, ids=str)
def test_every_storage_of_a_picture_comes_back_as_it_is_hung(plane, turn):
    """Store a picture turned in each of the 8 ways, with directions that say so: the view is the picture."""
    hung = letter_l((40, 70))
    stored = turn.view(hung)
    x, y = (np.array(AXES[axis], float) for axis in plane)
    across, down = (y, x) if turn.transpose else (x, y)  # where the stored columns and rows run to
    across, down = (-across if turn.flip_columns else across), (-down if turn.flip_rows else down)
    np.testing.assert_array_equal(canonical(geometry(across, down)).view(stored), hung)


@pytest.mark.parametrize("angle", [-40, -10, 10, 40])
def test_oblique_axes_count_as_the_nearest(angle):
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    assert canonical(geometry((cos, 0, sin), (sin, 0, -cos))) == Orientation()
    assert canonical(geometry((-cos, 0, -sin), (sin, 0, -cos))) == Orientation(flip_columns=True)


def test_axes_nearest_to_the_same_patient_axis_are_left_as_stored():
    skewed = (0.8, 0.7, 0.0, 0.6, -0.1, 0.0, 0.0, 0.0, 1.0)
    assert canonical(Geometry(direction=skewed)) == Orientation()
