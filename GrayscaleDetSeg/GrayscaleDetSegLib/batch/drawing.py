"""Pens for the overlay pictures: text, labels, dashed rectangles and anti-aliased outlines."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Color = tuple[int, int, int]

BACKGROUND: Color = (22, 24, 28)
PANEL: Color = (33, 36, 42)
TEXT: Color = (236, 238, 241)
FAINT: Color = (160, 166, 176)
LINE: Color = (84, 90, 100)


@functools.lru_cache(maxsize=16)
def font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The font that comes with Pillow, so that pictures look the same everywhere; it has ASCII letters only."""
    return ImageFont.load_default(size)


def plain(text: str) -> str:
    """`text` in the letters of the font: without accents, and with question marks for other scripts."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2013", "-").replace("\u2014", "-"))
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return letters.encode("ascii", "replace").decode("ascii")


def mix(color: Color, other: Color, share: float) -> Color:
    """`color` with a share (0..1) of `other`."""
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(color, other))
    return red, green, blue


def text_width(text: str, size: float) -> int:
    """Width of `text` in px."""
    return int(np.ceil(font(size).getlength(text)))


def shortened(text: str, size: float, width: float) -> str:
    """`text`, its middle left out where it is wider than `width` px."""
    if text_width(text, size) <= width:
        return text
    keep = len(text)
    while keep > 2 and text_width(text[: keep // 2] + "..." + text[-(keep - keep // 2) :], size) > width:
        keep -= 1
    return text[: keep // 2] + "..." + text[-(keep - keep // 2) :]


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The lines of `text` when broken between words at `width` px."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [shortened(line, size, width) for line in lines]


def write(draw: ImageDraw.ImageDraw, xy, text: str, size: float = 14, color: Color = TEXT, anchor: str = "la") -> None:
    """Write `text` at `xy`, with Pillow's anchors."""
    draw.text(xy, text, font=font(size), fill=color, anchor=anchor)


def tag_size(text: str, size: float) -> tuple[int, int]:
    """Width and height in px of what :func:`tag` draws."""
    return text_width(text, size) + 12, round(size * 1.5)


def tag(draw: ImageDraw.ImageDraw, xy: tuple[float, float], text: str, size: float, color: Color) -> None:
    """A filled label with its upper left corner at `xy`, dark or light text by what can be read on `color`."""
    width, height = tag_size(text, size)
    x, y = round(xy[0]), round(xy[1])
    draw.rounded_rectangle((x, y, x + width - 1, y + height - 1), 3, fill=color)
    light = np.dot(color, (0.299, 0.587, 0.114)) < 120
    write(draw, (x + 6, y + height / 2), text, size, (255, 255, 255) if light else (10, 10, 10), "lm")


def dashed_rectangle(draw: ImageDraw.ImageDraw, box, color: Color, width: int, dash: int = 11, gap: int = 7) -> None:
    """A dashed rectangle (x0, y0, x1, y1) in px; every side starts and ends with a dash."""
    x0, y0, x1, y1 = (round(v) for v in box)
    for start, end, other, horizontal in ((x0, x1, y0, 1), (x0, x1, y1, 1), (y0, y1, x0, 0), (y0, y1, x1, 0)):
        count = max(1, round((end - start + gap) / (dash + gap)))
        edges = np.linspace(start, end + gap, count + 1)
        for first, following in zip(edges[:-1], edges[1:]):
            last = max(first, following - gap)
            line = (first, other, last, other) if horizontal else (other, first, other, last)
            draw.line(line, fill=color, width=width)


def paint_mask(picture: Image.Image, coverage: Image.Image, color: Color, width: float, fill: float) -> None:
    """Blend an object into `picture`: its inside faintly, its outline strongly.

    Parameters
    ----------
    coverage : Image, mode "L", size of `picture`
        255 inside the object, 0 outside, between on its border.
    width : float
        Width of the outline in px; it lies half inside and half outside.
    fill : float
        Opacity of the inside, 0..1.
    """
    share = np.arange(256, dtype=np.float32) / 255.0
    # where a blurred mask passes through one half there is an edge, which gives an anti-aliased line of even width
    line, inside = np.clip(2.2 * (4.0 * share * (1.0 - share)) - 0.9, 0.0, 1.0), fill * share
    soft = coverage.filter(ImageFilter.GaussianBlur(width / 2))
    tables = (np.round(255 * each).astype(np.uint8).tolist() for each in (line, inside))  # no floating point pictures
    opacity = ImageChops.lighter(*(each.point(table) for each, table in zip((soft, coverage), tables)))
    picture.paste(color, (0, 0, *picture.size), opacity)
