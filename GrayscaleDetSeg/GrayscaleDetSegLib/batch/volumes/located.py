"""What L-SNet explains its masks by, in the picture of a volume: boxes in the slices, and heat maps below them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ...core.labels import anatomy, display_name
from ...core.lsnet.localisation import Localisation
from ...core.volumes.result import VolumeObject, VolumeResult
from ...core.volumes.views import VIEWS
from ...core.volumes.volume import stored_axes
from .. import drawing

HEIGHT = 170
"""Px of the panel with the heat maps."""


def located(objects: Sequence[VolumeObject]) -> list[tuple[VolumeObject, Localisation]]:
    """The objects that were located so."""
    return [(item, item.explanation) for item in objects if isinstance(item.explanation, Localisation)]


def draw_boxes(picture: Image.Image, result: VolumeResult, view: str, index: int) -> None:
    """Draw the boxes of one slice into its picture.

    Parameters
    ----------
    picture : Image
        The whole slice as the overview shows it, the head above.
    index : int
        Of the canonical grid, along the view.
    """
    axes, turned = stored_axes(result.volume.geometry)
    shape = [result.volume.shape[axis] for axis in axes]
    axis = VIEWS[view]
    down, across = (other for other in range(3) if other != axis)
    draw = ImageDraw.Draw(picture)
    for item, explanation in located(result.objects):
        for each in explanation.boxes:
            if each.view != view:
                continue
            low, high = each.box[2::-1], each.box[:2:-1]  # stored, (z, y, x)
            ends = [
                (shape[number] - high[own], shape[number] - low[own]) if turn else (low[own], high[own])
                for number, (own, turn) in enumerate(zip(axes, turned))
            ]
            if not ends[axis][0] <= index + 0.5 < ends[axis][1]:
                continue
            x0, x1 = (value * picture.width / shape[across] for value in ends[across])
            y0, y1 = (value * picture.height / shape[down] for value in ends[down])
            if axis != VIEWS["axial"]:
                y0, y1 = picture.height - y1, picture.height - y0
            draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=anatomy(item.label).color)


def draw_heat_maps(
    sheet: Image.Image, frame: tuple[int, int, int, int], items: Sequence[tuple[VolumeObject, Localisation]]
) -> None:
    """Draw the heat maps of all objects side by side into a frame (x0, y0, x1, y1), as many as there is room for."""
    draw = ImageDraw.Draw(sheet)
    x0, y0, x1, y1 = frame
    draw.rectangle(frame, fill=drawing.PANEL)
    drawing.write(draw, (x0 + 10, y0 + 6), "Where centres are likely, in the slice that shows most", 13)
    side, x = y1 - y0 - 56, x0 + 12
    for item, explanation in items:
        for each in explanation.maps:
            values = each.values.astype(np.float32)
            values = values if each.view == "axial" else values[::-1]  # the head above
            colour = np.array(anatomy(item.label).color, np.float32) / 255.0
            picture = Image.fromarray(np.rint(values[..., None] * colour).astype(np.uint8))
            text = drawing.plain(f"{display_name(item.name)}, {each.view}")
            if x + side > x1:
                return
            sheet.paste(picture.resize((side, side), Image.Resampling.NEAREST), (x, y0 + 30))
            drawing.write(draw, (x, y1 - 20), drawing.shortened(text, 12, side + 20), 12, drawing.FAINT)
            x += side + 28
