"""The overlay: everything where it belongs, at a sensible size, whatever the shape."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from GrayscaleDetSegLib.batch import drawing, histogram, overlay
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
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


def plot(outcome) -> tuple[np.ndarray, np.ndarray]:
    """Of the only panel, below the radiograph: the strip above the bars, and the bars, as wide as all gray levels."""
    left, top = overlay.picture_corner()
    top += overlay.picture_size(outcome.radiograph)[1] + 16
    sheet = np.asarray(overlay.draw_overlay(outcome))[:, left + 14 : left + histogram.WIDTH - 14]
    return sheet[top + 85 : top + 88], sheet[top + 88 : top + 190]


def grays(part: np.ndarray, color) -> np.ndarray:
    """The gray levels at which a part of the plot has the colour."""
    columns = np.flatnonzero((distance(part, color) < 10).any(axis=0))
    return columns / (part.shape[1] - 1) * 255


def test_thresholds_stand_in_the_panel():
    """Two vertical lines in the object's colour, at bottom and top on the scale of gray levels."""
    image, color = radiograph((300, 700)), anatomy("femur").color
    above, bars = plot(result(image, [found(image, "femur", "femur", bar((300, 700)), low=64.0, high=192.0)]))
    for gray in (64, 192):
        assert (np.abs(grays(above, color) - gray) < 2).any() and (np.abs(grays(bars, color) - gray) < 2).any()
    assert len(grays(above, color)) == 4


def test_the_mask_stands_in_the_histogram_beside_what_the_interval_takes():
    """A mask of dark ground by surfaces, part of it beyond the ROI, beside a bright bar that the interval takes."""
    shape = (300, 700)
    image, color = radiograph(shape), anatomy("femur").color
    gray, low, high = image.gray(), 150.0, 250.0
    mask = np.zeros(shape, bool)
    mask[195:208, 250:450] = True
    field = ThresholdMap((240.0, 190.0, 660.0, 250.0), np.full((3, 4), 20.0), np.full((3, 4), 120.0))
    item = found(image, "femur", "femur", mask, low, high, field=field)
    item = replace(item, region=(380.0, 190.0, 660.0, 250.0))
    _, bars = plot(result(image, [item]))
    taken = grays(bars, color)
    lines = (np.abs(taken - low) < 3) | (np.abs(taken - high) < 3)
    assert lines.any() and not lines.all()
    assert taken[~lines].min() == pytest.approx(gray[mask].min(), abs=3)
    assert taken[~lines].max() == pytest.approx(gray[mask].max(), abs=3)
    bright = gray[bar(shape)].max()
    assert np.abs(grays(bars, histogram.pale(color)) - bright).max() < 3
    # the ROI goes on to the right, where the ground is brighter than in the mask
    assert gray[mask].max() < grays(bars, histogram.REST).max() < low


def test_a_mask_by_the_box_leaves_the_interval_nothing_of_its_own():
    image, color = radiograph((300, 700)), anatomy("femur").color
    _, bars = plot(result(image, [found(image, "femur", "femur", bar((300, 700)), low=150.0, high=250.0)]))
    assert len(grays(bars, color)) > 4 and not len(grays(bars, histogram.pale(color)))


def test_the_panel_says_what_made_the_mask(monkeypatch):
    image, written = radiograph((300, 700)), []
    monkeypatch.setattr(drawing, "write", lambda draw, place, text, *_, **__: written.append(text))
    field = ThresholdMap((400.0, 190.0, 660.0, 260.0), np.zeros((24, 32)), np.ones((24, 32)))
    for given in (None, field):
        overlay.draw_overlay(result(image, [found(image, "femur", "femur", bar((300, 700)), field=given)]))
    made = [text for text in written if text.startswith(("Single", "Threshold"))]
    assert made == ["Single box", "Threshold surfaces, 32 x 24 cells"]
    trust = [text for text in written if "confidence" in text]
    assert trust == ["confidence 0.90", "confidence 0.90   box agreement 0.64"]


@pytest.mark.parametrize("method", ["surfaces", "a method of another package with a title that is far too long for it"])
def test_no_text_of_the_panel_lies_over_another(monkeypatch, method):
    """Method, confidence and agreement, on a grid of cells as fine as the shipped model's."""
    image, boxes, write = radiograph((300, 700)), [], drawing.write

    def noted(draw, place, text, size=14, color=drawing.TEXT, anchor="la"):
        boxes.append((text, draw.textbbox(place, text, font=drawing.font(size), anchor=anchor)))
        write(draw, place, text, size, color, anchor)

    monkeypatch.setattr(drawing, "write", noted)
    field = ThresholdMap((400.0, 190.0, 660.0, 260.0), np.zeros((64, 64)), np.ones((64, 64)))
    item = replace(found(image, "femur", "femur", bar((300, 700)), field=field), method=method)
    histogram.draw_panel(ImageDraw.Draw(Image.new("RGB", (histogram.WIDTH, histogram.HEIGHT))), (0, 0),
                         result(image, [item]), 0)  # fmt: skip
    assert any("confidence" in text for text, _ in boxes)
    for (text, a), (other, b) in itertools.combinations(boxes, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{text!r} lies over {other!r}"
    assert all(0 <= box[0] and box[2] <= histogram.WIDTH for _, box in boxes)
