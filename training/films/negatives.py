"""Pictures that hold none of the classes, so that a model leaves alone what it does not know.

Slices of volumes (train parts; other parts are for judging) and pictures made up here: blobs, textures, lines, letters.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK
from PIL import Image, ImageDraw
from scipy import ndimage

from .film import Film
from .knowledge import CLASSES

VOLUMES = ("acdc_heart", "msd_hippocampus", "prostate_trus3d", "prostate_mr")
A_VOLUME = 4
"""Slices of each, one along every axis and one more."""


def volume_slices(data: Path, generator: np.random.Generator) -> Iterator[Film]:
    """Slices of the volumes' train parts, along any axis, as films without objects."""
    for name in VOLUMES:
        table = data / name / "split.csv"
        if not table.exists():
            continue
        with open(table, newline="", encoding="utf-8") as file:
            names = [row["name"] for row in csv.DictReader(file) if row["split"] == "train"]
        for item in names:
            path = data / name / "images" / (item if item.endswith(".nii.gz") else f"{item}.nii.gz")
            if not path.exists():
                continue
            volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).astype(np.float32)
            while volume.ndim > 3:
                volume = volume[0]
            for number in range(A_VOLUME):
                axis = number % 3
                at = int(generator.uniform(0.2, 0.8) * volume.shape[axis])
                yield _film(f"{name}-{item}-{number}", np.take(volume, at, axis), generator)


def made_up(count: int, generator: np.random.Generator) -> Iterator[Film]:
    """Pictures of nothing of a body."""
    for number in range(count):
        rows, columns = (int(side) for side in generator.integers(120, 400, 2))
        yield _film(f"made-{number}", _picture(rows, columns, generator), generator)


def _picture(rows: int, columns: int, draw: np.random.Generator) -> np.ndarray:
    kind = draw.integers(8)
    if kind == 6:
        return _page(rows, columns, draw)
    if kind == 7:
        return _strokes(rows, columns, draw)
    noise = draw.standard_normal((rows, columns)).astype(np.float32)
    if kind == 0:
        return ndimage.gaussian_filter(noise, draw.uniform(0, 12))
    y, x = np.mgrid[:rows, :columns] / max(rows, columns)
    if kind == 1:
        return np.sin(2 * np.pi * (x * draw.uniform(-12, 12) + y * draw.uniform(-12, 12))) + draw.uniform(0, 1) * noise
    if kind == 2:  # a bright body of some shape, as a slice or a fruit shows
        value = draw.uniform(0, 0.2) * noise
        for _ in range(draw.integers(1, 9)):
            middle, size = draw.uniform(0.1, 0.9, 2), draw.uniform(0.03, 0.4, 2)
            inside = ((y - middle[0]) / size[0]) ** 2 + ((x - middle[1]) / size[1]) ** 2 < 1
            soft = ndimage.gaussian_filter(inside.astype(np.float32), draw.uniform(0, 6))
            value = value + draw.uniform(-1, 1.5) * soft
        return value
    picture = Image.new("L", (columns, rows), int(draw.uniform(0, 120)))
    pen = ImageDraw.Draw(picture)
    for _ in range(draw.integers(2, 25)):
        ends = (draw.uniform(0, 1, 4) * [columns, rows, columns, rows]).tolist()
        level = int(draw.uniform(0, 255))
        if kind == 3:
            pen.line(ends, fill=level, width=int(draw.integers(1, 25)))
        elif kind == 4:
            pen.text(ends[:2], str(draw.integers(10**9)) * 2, fill=level, font_size=int(draw.integers(8, 60)))
        else:
            box = [min(ends[0], ends[2]), min(ends[1], ends[3]), max(ends[0], ends[2]) + 1, max(ends[1], ends[3]) + 1]
            (pen.rectangle, pen.ellipse)[draw.integers(2)](box, fill=level)
    return ndimage.gaussian_filter(np.asarray(picture, np.float32), draw.uniform(0, 2.5)) + draw.uniform(0, 12) * noise


def _page(rows: int, columns: int, draw: np.random.Generator) -> np.ndarray:
    """Blocks of words with strokes between them, as on a form, a chart or a photographed page."""
    dark, bright = draw.uniform(0, 70), draw.uniform(90, 255)
    picture = Image.new("L", (columns, rows), int(dark))
    pen = ImageDraw.Draw(picture)
    letters = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:")
    for _ in range(draw.integers(1, 9)):
        size = int(draw.integers(7, 22))
        words = ("".join(draw.choice(letters, draw.integers(2, 10))) for _ in range(draw.integers(2, 30)))
        lines = [" ".join(words)] if draw.random() < 0.4 else list(words)
        place = draw.uniform(-0.1, 0.9, 2) * (columns, rows)
        level = int(bright * draw.uniform(0.5, 1))
        pen.multiline_text(place.tolist(), "\n".join(lines), fill=level, font_size=size)
        if draw.random() < 0.7:
            corners = draw.uniform(0, 1, (draw.integers(2, 6), 2)) * (columns, rows)
            pen.line(list(map(tuple, corners.tolist())), fill=level, width=int(draw.integers(1, 8)))
        if draw.random() < 0.2:
            low, high = np.sort(draw.uniform(0, 1, (2, 2)), 0) * (columns, rows)
            pen.rectangle((*low.tolist(), *high.tolist()), outline=level, width=int(draw.integers(1, 4)))
    values = np.asarray(picture, np.float32)
    if draw.random() < 0.5:
        return values
    noise = draw.uniform(0, 6) * draw.standard_normal(values.shape)
    return ndimage.gaussian_filter(values, draw.uniform(0, 1.5)) + noise


def _strokes(rows: int, columns: int, draw: np.random.Generator) -> np.ndarray:
    """Bent strokes across each other, words between them: a sketch, in which thin bones are easily seen."""
    picture = Image.new("L", (columns, rows), int(draw.uniform(0, 70)))
    pen = ImageDraw.Draw(picture)
    for _ in range(draw.integers(2, 16)):
        level = int(draw.uniform(50, 255))
        reach = draw.uniform(0.1, 1) if draw.random() < 0.4 else 1.0
        corners = (draw.uniform(0, 1 - reach, 2) + draw.uniform(0, reach, (draw.integers(2, 7), 2))) * (columns, rows)
        pen.line(list(map(tuple, corners.tolist())), fill=level, width=int(draw.integers(1, 9)))
        if draw.random() < 0.4:
            place = (draw.uniform(-0.1, 0.9, 2) * (columns, rows)).tolist()
            words = " ".join(str(number) for number in draw.integers(10**5, size=draw.integers(1, 12)))
            pen.text(place, words, fill=level, font_size=int(draw.integers(8, 18)))
    values = np.asarray(picture, np.float32)
    return ndimage.gaussian_filter(values, draw.uniform(0, 1.2)) if draw.random() < 0.5 else values


def _film(name: str, values: np.ndarray, draw: np.random.Generator) -> Film:
    low, high = np.percentile(values, [draw.uniform(0, 2), draw.uniform(98, 100)])
    gray = (255 * np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)).round().astype(np.uint8)
    factor = max(1.0, 96 / min(gray.shape))
    if factor > 1:
        gray = np.asarray(Image.fromarray(gray).resize([round(side * factor) for side in gray.shape[::-1]]))
    return Film("nothing", name, gray, (), frozenset(CLASSES), kind="nothing")
