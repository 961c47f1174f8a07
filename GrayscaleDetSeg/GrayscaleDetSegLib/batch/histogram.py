"""The panel beside the overlay that explains an object: what its thresholds took, and what one interval would take."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from ..core import boxes
from ..core.explanations.thresholds import Thresholds
from ..core.gray import GrayMapping
from ..core.labels import anatomy, display_name, side_in
from ..core.mask import rule_mask
from ..core.methods.registry import registry
from ..core.radiograph import Radiograph, Spacing, corrected_area
from ..core.result import SegmentationResult, SegmentedObject
from ..core.types import Window
from ..core.windowed import shared_parts
from . import drawing

WIDTH, HEIGHT = 400, 260
_BINS = 128
_ROWS_AT_ONCE = 32
REST: drawing.Color = (104, 110, 121)
"""The shade of what neither takes."""


def draw_panel(draw: ImageDraw.ImageDraw, corner: tuple[int, int], result: SegmentationResult, index: int) -> None:
    """Draw the panel of object `index` of `result` with its upper left `corner` (x, y); it is WIDTH x HEIGHT px."""
    item = result.objects[index]
    color = anatomy(item.label).color
    x, y = corner
    draw.rounded_rectangle((x, y, x + WIDTH - 1, y + HEIGHT - 1), 6, fill=drawing.PANEL)
    draw.rounded_rectangle((x + 12, y + 13, x + 25, y + 26), 3, fill=color)
    thresholds = item.thresholds
    box_score = None if thresholds is None else thresholds.box_score
    scores = f"ROI {item.score:.2f}" + ("" if box_score is None else f"   box {box_score:.2f}")
    room = WIDTH - 60 - drawing.text_width(scores, 13)
    drawing.write(draw, (x + 33, y + 20), drawing.shortened(_title(item), 16, room), 16, anchor="lm")
    drawing.write(draw, (x + WIDTH - 12, y + 20), scores, 13, drawing.FAINT, "rm")
    drawing.write(draw, (x + 12, y + 42), drawing.shortened(_method(item), 13, WIDTH - 24), 13, anchor="lm")
    if thresholds is not None:
        drawing.write(draw, (x + 12, y + 60), _trust(thresholds), 13, drawing.FAINT, "lm")
    _plot(draw, (x + 14, y + 88, x + WIDTH - 14, y + HEIGHT - 70), result.radiograph, item, color)
    _legend(draw, (x + 12, y + HEIGHT - 38), color, thresholds is not None)
    drawing.write(draw, (x + WIDTH - 12, y + HEIGHT - 38), "gray level (own units)", 11, drawing.FAINT, "rm")
    drawing.write(draw, (x + 12, y + HEIGHT - 16), _figures(item, result.radiograph.spacing), 13, drawing.TEXT, "lm")


def _title(item: SegmentedObject) -> str:
    side = "" if item.side is None or side_in(item.name) else f", {item.side}"
    return drawing.plain(display_name(item.name) + side)


def _method(item: SegmentedObject) -> str:
    """What made the mask; as for the picture's own size, the width comes first."""
    title = drawing.plain(registry().title(item.method))
    if item.thresholds is None:
        return f"{title}: no thresholds"
    rows, columns = item.thresholds.field.shape
    return title if item.thresholds.rule.single else f"{title}, {columns} x {rows} cells"


def _trust(thresholds: Thresholds) -> str:
    parts = [f"confidence {thresholds.confidence:.2f}"]
    if not thresholds.rule.single:
        parts.append(f"box agreement {thresholds.box_agreement:.2f}")
    return "   ".join(parts)


def _figures(item: SegmentedObject, spacing: Spacing | None = None) -> str:
    """Size, in the patient as well where the file tells the magnification, and stability where there are thresholds."""
    parts = [f"{item.pixel_count:,} px".replace(",", " ")]
    if item.area_mm2 is not None:
        parts.append(_area(item.area_mm2))
        corrected = corrected_area(item.area_mm2, spacing)
        if corrected is not None:
            parts.append(f"{_area(corrected)} in the patient")
    if item.thresholds is not None:
        parts.append(f"stability {item.thresholds.stability.value:.2f}")
    return "   ".join(parts)


def _area(area: float) -> str:
    return f"{area / 100:.1f} cm2" if area >= 1000 else f"{area:.1f} mm2"


def _number(value: float) -> str:
    """At most four figures where there is no integer part to lose."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plot(draw: ImageDraw.ImageDraw, frame, radiograph: Radiograph, item: SegmentedObject, color) -> None:
    left, top, right, bottom = frame

    def across(gray: float) -> float:
        return left + gray / 255.0 * (right - left)

    low, high = (0.0, 255.0) if item.thresholds is None else item.thresholds.interval
    if item.thresholds is not None:
        shade = (across(low), top, max(across(high), across(low) + 1), bottom)
        draw.rectangle(shade, fill=drawing.mix(drawing.PANEL, color, 0.14))
    _bars(draw, frame, radiograph, item, color)
    draw.line((left, bottom, right, bottom), fill=drawing.LINE)
    for level in (0, 64, 128, 192, 255):
        draw.line((across(level), bottom, across(level), bottom + 4), fill=drawing.LINE)
        drawing.write(draw, (across(level), bottom + 6), str(level), 11, drawing.FAINT, "ma")
    if item.thresholds is None:
        return
    for gray in (low, high):  # edged, because the bars may have the same colour
        draw.line((across(gray), top - 4, across(gray), bottom - 1), fill=drawing.PANEL, width=4)
        draw.line((across(gray), top - 4, across(gray), bottom - 1), fill=color, width=2)
    _threshold_labels(draw, (left, right, top - 6), (across(low), across(high)), item.thresholds)


def _bars(draw: ImageDraw.ImageDraw, frame, radiograph: Radiograph, item: SegmentedObject, color) -> None:
    """Bars of the region's gray levels: in the object's colour the mask, paler what only the interval would take."""
    left, top, right, bottom = frame
    # a mask may reach a little beyond the region
    inner = boxes.pixel_slices(item.region, radiograph.shape)
    rows, columns = _joined(inner, item)
    every, either, kept = np.zeros((3, _BINS), np.int64)
    before = 0
    for start in range(rows.start, rows.stop, _ROWS_AT_ONCE):  # all of a large region would fill the memory
        window = slice(start, min(start + _ROWS_AT_ONCE, rows.stop)), columns
        mask, interval = item.windowed.part(window), _interval(radiograph, item, inner, window)
        shown = mask.copy()
        shared = shared_parts(window, inner)
        if shared is not None:
            shown[shared[0]] = True
        gray = _spread(radiograph.mapping, radiograph.denoised[window][shown], before)
        before += gray.size
        of_mask = mask[shown]
        for counts, values in ((every, gray), (either, gray[interval[shown] | of_mask]), (kept, gray[of_mask])):
            counts += np.histogram(values, _BINS, (0, 255))[0]
    # saturated pixels pile up at both ends and would press everything else flat
    scale = max(1, every[1:-1].max() if every[1:-1].any() else every.max())
    edges = np.linspace(left, right, _BINS + 1)
    for counts, shade in ((every, REST), (either, pale(color)), (kept, color)):
        heights = np.minimum(1.0, np.sqrt(counts / scale)) * (bottom - top)  # the root lets small counts be seen
        for start, end, height in zip(edges[:-1], edges[1:], heights):
            if height > 0:
                draw.rectangle((start, bottom - max(height, 1), max(start, end - 1), bottom - 1), fill=shade)


def _interval(radiograph: Radiograph, item: SegmentedObject, inner: Window, window: Window) -> np.ndarray:
    """The pixels of a window that the single box of an object would take, within the window of its region, `inner`."""
    found = np.zeros([part.stop - part.start for part in window], bool)
    shared = shared_parts(window, inner)
    if item.thresholds is not None and shared is not None:
        part = tuple(slice(own.start + each.start, own.start + each.stop) for own, each in zip(window, shared[0]))
        found[shared[0]] = rule_mask(radiograph, item.region, *item.thresholds.interval, part)
    return found


def _joined(window: Window, item: SegmentedObject) -> Window:
    """The smallest window that holds another one and all pixels of an object."""
    if not item.pixel_count:
        return window
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(window, item.windowed.window)
    )


def pale(color: drawing.Color) -> drawing.Color:
    """The shade of what the interval takes and the mask does not."""
    return drawing.mix(color, (255, 255, 255), 0.62)


def _legend(draw: ImageDraw.ImageDraw, place: tuple[int, int], color: drawing.Color, has_interval: bool = True) -> None:
    """What the bars' colours mean, in a line whose middle on the left is `place` (x, y)."""
    x, y = place
    interval = [("interval alone", pale(color))] if has_interval else []
    for text, shade in (("mask", color), *interval, ("rest of region", REST)):
        draw.rectangle((x, y - 4, x + 8, y + 4), fill=shade)
        drawing.write(draw, (x + 14, y), text, 11, drawing.FAINT, "lm")
        x += 14 + drawing.text_width(text, 11) + 12


def _spread(mapping: GrayMapping, pixels: np.ndarray, before: int = 0) -> np.ndarray:
    """Gray levels of `pixels`, those of an 8 bit image spread evenly over the step to the next value.

    Without that a bin holds one value here and two there, and the histogram looks like a comb. `before` is how many
    pixels of the same histogram were spread already.
    """
    gray = mapping.to_gray(pixels)
    if np.issubdtype(pixels.dtype, np.integer):
        step = 255.0 / (mapping.units[-1] - mapping.units[0])
        numbers = np.arange(before, before + gray.size, dtype=np.float64).reshape(gray.shape)
        fractions = numbers * 0.6180339887 % 1.0 - 0.5
        gray = np.where((gray > 0) & (gray < 255), np.clip(gray + step * fractions, 0.0, 255.0), gray)
    return gray


def _threshold_labels(draw: ImageDraw.ImageDraw, frame, positions, thresholds: Thresholds) -> None:
    """"gray level (own units)" above each threshold, moved apart where they would overlap."""
    left, right, base = frame
    texts = []
    for name, gray, units in zip(("bottom", "top"), thresholds.interval, thresholds.interval_units):
        texts.append(f"{name} {_number(gray)} ({_number(units) if np.isfinite(units) else 'open'})")
    widths = [drawing.text_width(text, 12) for text in texts]
    first = min(max(positions[0] - widths[0] / 2, left), right - widths[0])
    second = min(max(positions[1] - widths[1] / 2, left), right - widths[1])
    overlap = first + widths[0] + 12 - second
    if overlap > 0:
        first = max(left, first - overlap / 2)
        second = min(first + widths[0] + 12, right - widths[1])
        first = max(left, min(first, second - 12 - widths[0]))
    drawing.write(draw, (first, base), texts[0], 12, drawing.TEXT, "ls")
    drawing.write(draw, (second, base), texts[1], 12, drawing.TEXT, "ls")
