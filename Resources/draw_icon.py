"""Draws the module's icon: a bone in a region, half of it as the points between two thresholds.

python Resources/draw_icon.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE, FINER = 256, 4
TARGET = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg" / "Resources" / "Icons" / "GrayscaleDetSeg.png"
GROUND, BONE, REGION = (34, 40, 52), (246, 240, 226), (242, 153, 28)


def canvas() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("L", (SIZE * FINER, SIZE * FINER))
    return picture, ImageDraw.Draw(picture)


def circle(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, fill: int = 255) -> None:
    draw.ellipse([FINER * (value + sign * radius) for sign in (-1, 1) for value in (x, y)], fill=fill)


def bone() -> Image.Image:
    """A long bone from the lower left to the upper right."""
    picture, draw = canvas()
    for sign in (-1, 1):
        for x, y in ((58, 26), (26, 58)):  # the two rounded ends of a joint
            circle(draw, 128 + sign * x, 128 - sign * y, 31)
    draw.line([FINER * value for value in (86, 170, 170, 86)], fill=255, width=FINER * 46)
    return picture


def points() -> Image.Image:
    """A cloud of points, larger the nearer to the solid half."""
    picture, draw = canvas()
    for u in np.arange(-15, 16):
        for v in np.arange(-15, 16):
            x, y = 128 + 12.5 * (u + v) / 1.414, 128 + 12.5 * (u - v) / 1.414
            along = (x - y) / 2  # from the middle of the bone towards its upper right
            if along > 4:
                circle(draw, x, y, max(3.4, 5.6 - along / 36))
    return picture


def half() -> Image.Image:
    """The lower left half of the picture."""
    picture, draw = canvas()
    side = SIZE * FINER
    draw.polygon([0, 0, side, side, 0, side], fill=255)
    return picture


def region() -> Image.Image:
    """The four corners of a rectangle."""
    picture, draw = canvas()
    frame = [FINER * 26, FINER * 26, FINER * 230, FINER * 230]
    draw.rounded_rectangle(frame, FINER * 10, outline=255, width=FINER * 13)
    for gap in ([92, 0, 164, 256], [0, 92, 256, 164]):
        draw.rectangle([FINER * value for value in gap], fill=0)
    return picture


def main() -> None:
    ground, draw = canvas()
    draw.rounded_rectangle([0, 0, SIZE * FINER - 1, SIZE * FINER - 1], FINER * 44, fill=255)
    picture = Image.new("RGBA", ground.size)
    picture.paste(Image.new("RGBA", ground.size, (*GROUND, 255)), mask=ground)
    picture.paste(Image.new("RGBA", ground.size, (*REGION, 255)), mask=region())
    shape = np.asarray(bone(), int) * np.maximum(np.asarray(half(), int), np.asarray(points(), int)) // 255
    picture.paste(Image.new("RGBA", ground.size, (*BONE, 255)), mask=Image.fromarray(shape.astype(np.uint8)))
    picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
