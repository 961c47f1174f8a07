"""Masks for the boxes that were set by eye, by a model's own surfaces: such films can be turned by any angle then.

    python -m training.films.box_masks --data DATA --model BUNDLE --output FOLDER

Of a turned rectangle nobody knows the box of the turned bone; of a turned mask everybody does. The boxes stay what
people set: each mask is stretched until it fills its box. Where the model's mask does not fit the box, an ellipse in
the box takes its place; a film with too many of them stays as it is. The folder is given to ``training.detector``
beside those of drawn films, and its films take the place of the same films with rectangles. Masks of a model teach no
surfaces: the surfaces' training is not given this folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal, Regions

from .film import Film, FilmObject, write_films
from .outlined import nearest
from .real import clinical_films, further_films

LEAST_FIT = 0.6
"""IoU of a mask's box with the box that it was asked for in."""
LEAST_FILL = 0.1
"""Share of the box that the mask fills."""
MOST_ELLIPSES = 0.34
"""Share of a film's objects that may be ellipses."""


def stretched(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask's own window, bool, enlarged or reduced to `shape` (rows, columns), so that it fills it."""
    rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return window[nearest(window.shape, shape)]


def ellipse(shape: tuple[int, int]) -> np.ndarray:
    """The ellipse, bool, that touches all four sides of a rectangle of (rows, columns)."""
    y, x = (((np.arange(side) + 0.5) / side * 2 - 1) ** 2 for side in shape)
    inside = y[:, None] + x[None] <= 1.0
    inside[shape[0] // 2], inside[:, shape[1] // 2] = True, True
    return inside


def shape_of(item: FilmObject, mask: np.ndarray | None) -> tuple[FilmObject, bool]:
    """A rectangle as what lies in it, and whether that is an ellipse.

    `mask` is the model's, bool, of the whole film, or None.
    """
    y0, x0, y1, x1 = item.window
    size = y1 - y0, x1 - x0
    fits = False
    if mask is not None and mask.any():
        own = FilmObject.of(item.label, mask).window
        overlap = boxes.iou(np.array(item.window, float), np.array([own], float))[0]
        fits = overlap >= LEAST_FIT and mask[y0:y1, x0:x1].mean() >= LEAST_FILL
    found = stretched(mask, size) if fits else ellipse(size)
    return replace(item, bits=np.packbits(found)), not fits


def with_shapes(film: Film, pipeline: Pipeline) -> Film | None:
    """The film with masks in the place of its rectangles; None where too few fit their boxes."""
    shape = film.image.shape
    boxed = [number for number, item in enumerate(film.objects) if item.crop().all()]
    radiograph = Radiograph.from_array(film.image)
    asked = [
        RegionProposal(item.label, 1.0, (item.window[1], item.window[0], item.window[3], item.window[2]), drawn=True)
        for item in (film.objects[number] for number in boxed)
    ]
    parts, _ = pipeline.masks_of(radiograph, Regions(tuple(asked), None, Orientation()))
    found = {}
    for part in parts:
        whole = np.zeros(shape, bool)
        whole[part.window(shape)] = part.mask
        found[part.region] = whole
    objects, ellipses = list(film.objects), 0
    for number, region in zip(boxed, asked):
        objects[number], is_ellipse = shape_of(film.objects[number], found.get(region))
        ellipses += is_ellipse and objects[number].asked
    if ellipses > MOST_ELLIPSES * sum(item.asked for item in objects):
        return None
    return replace(film, objects=tuple(objects), boxed=False)


def boxed_films(data: Path) -> Iterator[Film]:
    """All training films with boxes that were set by eye."""
    yield from (film for film in clinical_films(data / "body_parts_unlabelled") if film.boxed)
    yield from further_films(data, np.random.default_rng(0))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--model", type=Path, help="bundle whose masks are taken; the shipped one by default")
    parser.add_argument("--output", type=Path, required=True, help="folder for the films")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pipeline = load_pipeline(options.model)
    films = list(boxed_films(options.data))
    shaped = [with_shapes(film, pipeline) if film.objects else replace(film, boxed=False) for film in films]
    kept = [film for film in shaped if film is not None]
    write_films(kept, options.output / "boxed.npz")
    print(f"{len(kept)} of {len(films)} films with boxes have masks now")
    return 0


if __name__ == "__main__":
    sys.exit(main())
