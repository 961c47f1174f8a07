"""One picture per result: the radiograph with ROIs and outlines, and for every object the interval on its histogram."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from ..core.labels import anatomy, display_name
from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult, SegmentedObject
from . import drawing, histogram

LONGEST = 1200
_SHORTEST_LONGEST = 900  # small images are enlarged to this, so that lines and names fit
_MARGIN = 16
_HEADER = 62
_ROWS_AT_ONCE = 32
_STRETCH = 1.1  # from this ratio of the spacings on the pixels are shown as the oblongs that they are


def picture_size(radiograph: Radiograph) -> tuple[int, int]:
    """Width and height in px at which the radiograph is shown: in proportion, 900 to 1200 on its long side."""
    rows, columns = radiograph.shape
    width, height = float(columns), float(rows)
    if radiograph.spacing is not None:
        ratio = radiograph.spacing.row / radiograph.spacing.column
        if math.isfinite(ratio) and ratio > 0 and max(ratio, 1 / ratio) >= _STRETCH:
            height *= ratio
    longest = max(width, height)
    factor = min(max(longest, _SHORTEST_LONGEST), LONGEST) / longest
    return max(1, round(width * factor)), max(1, round(height * factor))


def picture_corner() -> tuple[int, int]:
    """Where the upper left corner of the radiograph lies in the overlay, (x, y) in px."""
    return _MARGIN, _HEADER


def draw_overlay(result: SegmentationResult) -> Image.Image:
    """The overlay of a result as an RGB picture.

    Left or above is the radiograph, its pixel grid neither turned nor mirrored, with every object's outline and ROI in
    its colour; right or below stands one histogram per object.
    """
    size = picture_size(result.radiograph)
    picture = _annotated(result, size)
    panels, total = _arrange(size, len(result.objects))
    message = drawing.wrapped(drawing.plain(result.message), 14, total[0] - 2 * _MARGIN)
    sheet = Image.new("RGB", (total[0], total[1] + 20 * len(message) + 10), drawing.BACKGROUND)
    sheet.paste(picture, picture_corner())
    del picture
    draw = ImageDraw.Draw(sheet)
    _header(draw, result, total[0])
    for index, corner in enumerate(panels):
        histogram.draw_panel(draw, corner, result, index)
    for line, text in enumerate(message):
        drawing.write(draw, (_MARGIN, total[1] + 20 * line), text, 14, drawing.FAINT)
    return sheet


def _arrange(size: tuple[int, int], count: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """The corners of the panels, and the size of picture and panels with their margins."""
    width, height = size
    left, top = picture_corner()
    beside = height >= 0.7 * width
    step_x, step_y = histogram.WIDTH + _MARGIN, histogram.HEIGHT + _MARGIN
    across = max(1, (width + _MARGIN) // step_x)
    down = max(1, (height + _MARGIN) // step_y)
    corners = []
    for index in range(count):
        if beside:
            corners.append((left + width + _MARGIN + index // down * step_x, top + index % down * step_y))
        else:
            corners.append((left + index % across * step_x, top + height + _MARGIN + index // across * step_y))
    total_width = max([left + width, 640 - _MARGIN, *(x + histogram.WIDTH for x, _ in corners)]) + _MARGIN
    total_height = max([top + height, *(y + histogram.HEIGHT for _, y in corners)]) + _MARGIN
    return corners, (total_width, total_height)


def _header(draw: ImageDraw.ImageDraw, result: SegmentationResult, width: int) -> None:
    radiograph = result.radiograph
    rows, columns = radiograph.shape
    name = "Radiograph" if radiograph.source is None else drawing.plain(radiograph.source.name)
    facts = [f"{columns} x {rows} px"]
    if radiograph.spacing is not None:
        facts.append(f"{radiograph.spacing.column:.3g} x {radiograph.spacing.row:.3g} mm")
    if radiograph.modality:
        facts.append(radiograph.modality)
    if radiograph.polarity.inverted:
        facts.append("inverted")
    facts += [result.model, result.device]
    room = width - 2 * _MARGIN
    drawing.write(draw, (_MARGIN, 12), drawing.shortened(name, 19, room), 19)
    drawing.write(draw, (_MARGIN, 38), drawing.shortened(drawing.plain("   ".join(facts)), 13, room), 13, drawing.FAINT)


def _annotated(result: SegmentationResult, size: tuple[int, int]) -> Image.Image:
    """The radiograph at `size` with outlines, ROIs and names."""
    shape = result.radiograph.shape
    picture = _resized(functools.partial(_levels, result.radiograph), shape, size).convert("RGB")
    thick = 2.0 if max(size) < 900 else 2.6
    for item in result.objects:
        coverage = _resized(functools.partial(_coverage, item), shape, size)
        drawing.paint_mask(picture, coverage, anatomy(item.label).color, thick, 0.16)
    draw = ImageDraw.Draw(picture)
    scale = np.array([size[0] / shape[1], size[1] / shape[0]] * 2)
    shown = [(item.name, item.score, item.region, anatomy(item.label).color) for item in result.objects]
    if not shown and result.best_candidate is not None:
        candidate = result.best_candidate
        shown = [(f"{candidate.label}?", candidate.score, candidate.roi, (200, 204, 210))]
    rectangles = [np.clip(np.asarray(roi) * scale, 0, [size[0] - 1, size[1] - 1] * 2) for _, _, roi, _ in shown]
    for rectangle, (_, _, _, color) in zip(rectangles, shown):
        drawing.dashed_rectangle(draw, rectangle, color, 2)
    taken: list[tuple[float, float, float, float]] = []
    for rectangle, (name, score, _, color) in zip(rectangles, shown):  # names last, so that no line crosses one
        _name(draw, drawing.plain(f"{display_name(name)}  {score:.2f}"), rectangle, color, size, taken)
    return picture


def _coverage(item: SegmentedObject, rows: slice) -> np.ndarray:
    """Some rows of the radiograph, uint8: 255 where the object is, and 0."""
    window = rows, slice(0, item.windowed.shape[1])
    return item.windowed.part(window).view(np.uint8) * np.uint8(255)


def _levels(radiograph: Radiograph, rows: slice) -> np.ndarray:
    """Gray levels of some rows, uint8."""
    return np.round(radiograph.mapping.to_gray(radiograph.pixels[rows])).astype(np.uint8)


def _resized(part: Callable[[slice], np.ndarray], shape: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """A gray picture of `shape` (rows, columns) at `size` (width, height), of which a few rows at a time are made.

    Pillow resizes across first and down then, so nothing changes when it does the first with a few rows at a time.
    """
    how = _filter(shape, size)
    if how == Image.Resampling.NEAREST or size[0] >= shape[1]:
        return Image.fromarray(part(slice(0, shape[0]))).resize(size, how)
    narrow = Image.new("L", (size[0], shape[0]))
    for start in range(0, shape[0], _ROWS_AT_ONCE):
        rows = part(slice(start, min(start + _ROWS_AT_ONCE, shape[0])))
        narrow.paste(Image.fromarray(rows).resize((size[0], len(rows)), how), (0, start))
    return narrow.resize(size, how)


def _name(draw: ImageDraw.ImageDraw, text: str, roi, color, size, taken: list) -> None:
    """The name at the upper left corner of a ROI, above it where there is room, off the names in `taken`."""
    letters = 15 if max(size) >= 900 else 13
    width, height = drawing.tag_size(text, letters)
    x = min(max(0.0, roi[0]), max(0, size[0] - width))
    y = roi[1] - height - 2 if roi[1] >= height + 2 else roi[1] + 3
    for _ in range(len(taken) + 1):
        hit = [b for b in taken if x < b[2] and b[0] < x + width and y < b[3] and b[1] < y + height]
        if not hit:
            break
        y = max(b[3] for b in hit) + 2
    taken.append((x, y, x + width, y + height))
    drawing.tag(draw, (x, y), text, letters, color)


def _filter(shape: tuple[int, int], size: tuple[int, int]) -> Image.Resampling:
    """Area means when shrinking, smooth when enlarging a little; else plain pixels, because the eye should see them."""
    factor = max(size[0] / shape[1], size[1] / shape[0])
    if factor <= 1:
        return Image.Resampling.BOX
    return Image.Resampling.BILINEAR if factor < 3 else Image.Resampling.NEAREST
