"""One picture per volume: the middle slices of three views with outlines, and how the method came to them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ...core.explanations.base import Explanation
from ...core.labels import anatomy, display_name
from ...core.volumes.attention import AttentionBoxes
from ...core.volumes.result import VolumeResult
from ...core.volumes.rounds import Rounds
from ...core.volumes.views import VIEWS
from ...core.volumes.volume import canonical_view, stored_axes
from .. import drawing
from .located import HEIGHT, draw_boxes, draw_heat_maps, located

SIDE = 420
"""Px of the longest side of all slices, shown at one scale."""
_MARGIN, _HEADER, _CURVE = 16, 46, 200


def draw_picture(result: VolumeResult) -> Image.Image:
    """The picture of a result, RGB. Where a detector has looked at slices, its regions are drawn as rectangles.

    The slices go through the middle of the first object (of the volume where there is none). Axial slices are seen
    from below, the patient's left on the right; the two others have the head above, sagittal ones the front on the
    left.
    """
    volume = result.volume
    axes, _ = stored_axes(volume.geometry)
    seen = canonical_view(volume.voxels, volume.geometry)
    spacing = [volume.spacing[axis] for axis in axes]
    masks = [canonical_view(item.mask, volume.geometry) for item in result.objects]
    centre = _centre(masks[0]) if masks else tuple(side // 2 for side in seen.shape)
    scale = SIDE / max(side * step for side, step in zip(seen.shape, spacing))
    pictures = []
    for view, axis in VIEWS.items():
        index = centre[axis]
        down, across = (step for other, step in enumerate(spacing) if other != axis)
        gray = _upright(volume.mapping.to_gray(np.take(seen, index, axis)), axis)
        size = (max(1, round(gray.shape[1] * across * scale)), max(1, round(gray.shape[0] * down * scale)))
        slice_picture = Image.fromarray(np.rint(gray).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        picture = slice_picture.convert("RGB")
        for item, mask in zip(result.objects, masks):
            shown = _upright(np.take(mask, index, axis), axis)
            coverage = Image.fromarray(shown.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
            drawing.paint_mask(picture, coverage, anatomy(item.label).color, 2.0, 0.18)
            for rows, columns in _regions(item.explanation, result, view, index):
                if axis != VIEWS["axial"]:
                    rows = gray.shape[0] - rows[1], gray.shape[0] - rows[0]
                y0, y1 = (value * down * scale for value in rows)
                x0, x1 = (value * across * scale for value in columns)
                ImageDraw.Draw(picture).rectangle((x0, y0, x1 - 1, y1 - 1), outline=anatomy(item.label).color)
        draw_boxes(picture, result, view, index)
        pictures.append((f"{view} {index + 1} of {seen.shape[axis]}", picture))
    return _sheet(result, pictures)


def _regions(
    explanation: Explanation | None, result: VolumeResult, view: str, index: int
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Rows and columns, in voxels, of the regions that a detector has seen in a slice of its view."""
    if not isinstance(explanation, AttentionBoxes) or explanation.view != view:
        return []
    found = []
    axes, turned = stored_axes(result.volume.geometry)
    for region in explanation.regions:
        ends: list[tuple[float, float]] = []
        for axis, turn in zip(axes, turned):
            low, high, side = region.box[2 - axis], region.box[5 - axis], result.volume.shape[axis]
            ends.append((side - high, side - low) if turn else (low, high))
        low, high = ends.pop(VIEWS[view])
        if low <= index + 0.5 < high:
            found.append((ends[0], ends[1]))
    return found


def _upright(values: np.ndarray, axis: int) -> np.ndarray:
    """A slice with the head above: rows of the other two views begin at the feet."""
    return values if axis == VIEWS["axial"] else values[::-1]


def _centre(mask: np.ndarray) -> tuple[int, ...]:
    """For each axis the slice that shows most of a mask."""
    return tuple(
        int(np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis)).argmax())
        for axis in range(3)
    )


def _sheet(result: VolumeResult, pictures: list[tuple[str, Image.Image]]) -> Image.Image:
    tallest = max(picture.height for _, picture in pictures)
    width = max(760, sum(picture.width + _MARGIN for _, picture in pictures) + _MARGIN)
    curves = [item for item in result.objects if isinstance(item.explanation, Rounds)]
    message = drawing.wrapped(drawing.plain(result.message), 14, width - 2 * _MARGIN)
    top = _HEADER + tallest + 26
    heats = located(result.objects)
    middle = top + (_CURVE + _MARGIN if curves else 0)
    below = middle + (HEIGHT + _MARGIN if heats else 0)
    sheet = Image.new("RGB", (width, below + 20 * len(message) + _MARGIN), drawing.BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    source = result.volume.source
    title = drawing.plain("Volume" if source is None else source.name)
    drawing.write(draw, (_MARGIN, 14), drawing.shortened(title, 18, width - 2 * _MARGIN), 18)
    x = _MARGIN
    for text, picture in pictures:
        sheet.paste(picture, (x, _HEADER))
        drawing.write(draw, (x, _HEADER + picture.height + 4), text, 13, drawing.FAINT)
        x += picture.width + _MARGIN
    if curves:
        _curve(draw, (_MARGIN, top, width - _MARGIN, top + _CURVE), curves)
    if heats:
        draw_heat_maps(sheet, (_MARGIN, middle, width - _MARGIN, middle + HEIGHT), heats)
    for line, text in enumerate(message):
        drawing.write(draw, (_MARGIN, below + 20 * line), text, 14, drawing.FAINT)
    return sheet


def _curve(draw: ImageDraw.ImageDraw, frame: tuple[int, int, int, int], items: list) -> None:
    """DSC of each round with the one before, a line for each object, and the threshold that ends them."""
    x0, y0, x1, y1 = frame
    draw.rectangle(frame, fill=drawing.PANEL)
    left, top, right, bottom = x0 + 52, y0 + 30, x1 - 220, y1 - 26
    drawing.write(draw, (x0 + 10, y0 + 6), "DSC of each round with the one before", 13)
    longest = max(1, *(len(item.explanation.rounds) - 1 for item in items))
    values = [each.similarity for item in items for each in item.explanation.rounds if each.similarity is not None]
    floor = min(0.9, *(np.floor(10 * value) / 10 for value in values)) if values else 0.9

    def place(number: int, value: float) -> tuple[float, float]:
        share = (number - 1) / (longest - 1) if longest > 1 else 0.5
        return left + share * (right - left), bottom - (value - floor) / (1.0 - floor) * (bottom - top)

    for value in (floor, 1.0):
        y = place(1, value)[1]
        draw.line((left, y, right, y), fill=drawing.LINE)
        drawing.write(draw, (left - 6, y), f"{value:.2f}", 12, drawing.FAINT, "rm")
    y = place(1, items[0].explanation.threshold)[1]
    for start in range(int(left), int(right), 10):
        draw.line((start, y, start + 5, y), fill=drawing.FAINT)
    for number in range(1, longest + 1):
        drawing.write(draw, (place(number, floor)[0], bottom + 6), str(number), 12, drawing.FAINT, "ma")
    for row, item in enumerate(items):
        color = anatomy(item.label).color
        points = [place(each.number, each.similarity) for each in item.explanation.rounds if each.number]
        if len(points) > 1:
            draw.line(points, fill=color, width=2)
        for x, height in points:
            draw.ellipse((x - 3, height - 3, x + 3, height + 3), fill=color)
        state = "agreed" if item.explanation.converged else "did not agree"
        text = f"{display_name(item.name)}: {item.volume_mm3:.0f} mm3, {state}"
        text = drawing.shortened(drawing.plain(text), 12, 195)
        drawing.write(draw, (right + 18, top + 18 * row), text, 12, color)
