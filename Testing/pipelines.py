"""Pipelines of rigged detectors, put together as a model bundle's are."""

from __future__ import annotations

from GrayscaleDetSegLib.core.methods.box import Box
from GrayscaleDetSegLib.core.methods.surfaces import Surfaces
from GrayscaleDetSegLib.core.pipeline import Pipeline


def methods(box, surfaces=None, margin: float = 0.1) -> list:
    """The methods of these detectors, the model's own first; without surfaces the single box alone."""
    single = Box(box)
    return [single] if surfaces is None else [Surfaces(surfaces, single, margin), single]


def rigged(roi, box, polarity=None, clean_up=None, model="", *, surfaces=None, margin: float = 0.1, **more) -> Pipeline:
    """A pipeline of these detectors."""
    return Pipeline(roi, methods(box, surfaces, margin), polarity, clean_up, model, **more)
