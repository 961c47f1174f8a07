"""Pipelines of rigged detectors, put together as a model bundle's are."""

from __future__ import annotations

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.methods.box import Box
from GrayscaleDetSegLib.core.methods.surfaces import Surfaces
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.fakes import bar, letter_l


def methods(box, surfaces=None, margin: float = 0.1) -> list:
    """The methods of these detectors, the model's own first; without surfaces the single box alone."""
    single = Box(box)
    return [single] if surfaces is None else [Surfaces(surfaces, single, margin), single]


def rigged(roi, box, polarity=None, clean_up=None, model="", *, surfaces=None, margin: float = 0.1, **more) -> Pipeline:
    """A pipeline of these detectors."""
    return Pipeline(roi, methods(box, surfaces, margin), polarity, clean_up, model, **more)


SHAPE = (90, 130)
LOW, HIGH = 140.0, 255.0


def picture(shape=SHAPE) -> np.ndarray:
    """L (level 200) and bar (230) on a ground that goes up and down (40 to 110) in units of 10 per gray level."""
    y, x = np.indices(shape)
    gray = 41 + 68 * np.abs((x + 0.6 * y) / 14 % 2 - 1) + np.random.default_rng(0).uniform(-1, 1, shape)
    gray[letter_l(shape)] = 200.5
    gray[bar(shape)] = 230.5
    return (gray * 10).astype(np.uint16)


def radiograph(pixels=None, **fields) -> Radiograph:
    return Radiograph(picture() if pixels is None else pixels, GrayMapping.window(0, 2550, "full range"), **fields)


class RoiFake:
    """Finds bright things as `labels`, brightest row first: it knows them by their place in the hung picture."""

    def __init__(self, labels=("femur", "femur"), scores=(0.9, 0.8), needs_upright=False) -> None:
        self.labels, self.scores, self.needs_upright = labels, scores, needs_upright
        self.settings, self.calls = DetectionSettings(), []

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        self.calls.append((gray.copy(), pixel_aspect, score_threshold))
        upright = gray.shape == SHAPE and (gray[letter_l()] > 150).all()
        found = []
        for label, score, level in zip(self.labels, self.scores, (200.5, 230.5)):
            if not (np.abs(gray - level) < 1).any():  # in the inversion
                continue
            x0, y0, x1, y1 = boxes.of_mask(np.abs(gray - level) < 1)
            weaker = 0.2 if self.needs_upright and not upright else 1.0
            found.append(RegionProposal(label, score * weaker, (x0 - 2.25, y0 - 1.5, x1 + 1.75, y1 + 2.5)))
        return sorted(found, key=lambda item: -item.score)


class BoxFake:
    """Gives every region the same interval; remembers what it saw."""

    classes = ("femur", "tibia", "teeth", "right lung", "left lung")

    def __init__(self, low: float = LOW, high: float = HIGH) -> None:
        self.interval, self.calls = (low, high), []

    def detect(self, gray, roi, label):
        self.calls.append((gray[boxes.pixel_slices(roi, gray.shape)].copy(), label))
        proposal = boxes.extrude(np.asarray(roi), self.interval[0] - 20, self.interval[1])
        box = boxes.extrude(np.asarray(roi), *self.interval)
        return DetectedBox(tuple(map(float, proposal)), tuple(map(float, box)), 0.7)


class PolarityFake:
    def __init__(self, probability: float) -> None:
        self.probability, self.seen = probability, []

    def inverted_probability(self, gray):
        self.seen.append(gray.copy())
        return self.probability


UNSMOOTHED = PostProcessing(smooth=0.0)


def pipeline(roi=None, box=None, polarity=None, clean_up=None) -> Pipeline:
    # without smoothing, which rounds the corners of the small phantoms; it has tests of its own
    return rigged(roi or RoiFake(), box or BoxFake(), polarity, clean_up or UNSMOOTHED, model="rigged 1")
