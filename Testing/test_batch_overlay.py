"""The overlay: everything where it belongs, at a sensible size, whatever the shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch import overlay
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.core.radiograph import Spacing
from Testing.fakes import SHAPE, bar, found, letter_l, radiograph, result


def distance(sheet: np.ndarray, color) -> np.ndarray:
    return np.abs(sheet.astype(int) - np.asarray(color)).max(axis=2)


def picture(outcome) -> np.ndarray:
    """The part of the overlay that shows the radiograph."""
    left, top = overlay.picture_corner()
    width, height = overlay.picture_size(outcome.radiograph)
    return np.asarray(overlay.draw_overlay(outcome))[top : top + height, left : left + width]


def outline_share(shown: np.ndarray, mask: np.ndarray, color) -> float:
    """Share of the points on the edge of `mask` beside which the picture has the colour."""
    rows, columns = mask.shape
    hits = distance(shown, color) < 40
    inner = mask[1:-1, 1:-1] & ~(mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:])
    points = np.argwhere(inner) + 1
    reach = int(np.ceil(max(shown.shape[0] / rows, shown.shape[1] / columns))) + 1
    count = 0
    for row, column in points:
        y, x = round((row + 0.5) * shown.shape[0] / rows), round((column + 0.5) * shown.shape[1] / columns)
        count += hits[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].any()
    return count / len(points)


@pytest.mark.parametrize("shape", [SHAPE, (900, 1300), (1600, 2300), (2000, 700), (300, 300)])
def test_outlines_lie_on_the_objects_and_nowhere_else(shape):
    """Neither mirrored nor transposed, at any scale."""
    image = radiograph(shape)
    shown = picture(result(image))
    for mask, label in ((letter_l(shape), "right lung"), (bar(shape), "femur")):
        color = anatomy(label).color
        assert outline_share(shown, mask, color) > 0.97
        for wrong in (mask[:, ::-1], mask[::-1], mask[::-1, ::-1]):
            assert outline_share(shown, wrong, color) < 0.5


def test_the_radiograph_is_shown_the_right_way_round():
    image = radiograph()
    shown = picture(result(image, objects=()))
    small = shown[5::10, 5::10, 0][: SHAPE[0], : SHAPE[1]].astype(float)
    gray = image.gray()
    rows = np.linspace(0, SHAPE[0] - 1, small.shape[0]).round().astype(int)
    columns = np.linspace(0, SHAPE[1] - 1, small.shape[1]).round().astype(int)
    assert np.corrcoef(small.ravel(), gray[np.ix_(rows, columns)].ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("shape", "spacing", "size"),
    [
        ((1000, 1000), None, (1000, 1000)),
        ((4000, 2000), None, (600, 1200)),
        ((100, 50), None, (450, 900)),
        ((1000, 1000), (0.2, 0.1), (600, 1200)),
        ((1000, 1000), (0.105, 0.1), (1000, 1000)),
        ((5000, 3), None, (1, 1200)),
    ],
)
def test_size(shape, spacing, size):
    image = radiograph(shape, spacing=spacing and Spacing(*spacing, "test"))
    assert overlay.picture_size(image) == size
    assert overlay.draw_overlay(result(image, objects=())).mode == "RGB"


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (3, 400), (400, 3), (257, 513)])
def test_any_shape_and_objects_without_pixels(shape):
    image = radiograph(shape)
    objects = [found(image, "tibia", "tibia", np.zeros(shape, bool), low=0.0, high=0.0)]
    objects.append(found(image, "paw", "paw", np.ones(shape, bool), low=254.9))
    overlay.draw_overlay(result(image, objects))


def test_many_objects_get_a_panel_each():
    image = radiograph((900, 700), source=Path("Knie – 膝 " + "long " * 60 + ".png"))
    objects = [found(image, f"femur {i}", "femur", bar((900, 700))) for i in range(9)]
    few, many = (overlay.draw_overlay(result(image, objects[:n])) for n in (1, 9))
    assert many.width > few.width and many.height == few.height


def test_thresholds_stand_in_the_panel():
    """Two vertical lines in the object's colour, at bottom and top on the scale of gray levels."""
    image = radiograph((300, 700))
    outcome = result(image, [found(image, "femur", "femur", bar((300, 700)), low=64.0, high=192.0)])
    sheet = np.asarray(overlay.draw_overlay(outcome))
    left, top = overlay.picture_corner()
    panel = sheet[top + overlay.picture_size(image)[1] + 16 :]
    columns = np.flatnonzero((distance(panel, anatomy("femur").color) < 10)[40:].sum(axis=0) > 90)
    scale = (columns - (left + 14)) / (400 - 28) * 255
    assert (np.abs(scale - 64) < 2).any() and (np.abs(scale - 192) < 2).any()
