"""A pipeline that asks its networks only once about what they have seen before: the same picture, the same answer."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from GrayscaleDetSegLib.core.gray_image import GrayImage
from GrayscaleDetSegLib.core.pipeline import Pipeline


class Remembering:
    """Stands for an object; what its named methods give is kept by what they are given."""

    def __init__(self, asked: Any, *names: str) -> None:
        self._asked, self._names, self._known = asked, names, {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._asked, name)
        if name not in self._names:
            return value

        def remembered(*arguments: Any) -> Any:
            key = name, *map(_digest, arguments)
            if key not in self._known:
                self._known[key] = value(*arguments)
            return self._known[key]

        return remembered


def remembering(pipeline: Pipeline) -> Pipeline:
    """The pipeline, its detectors remembering."""
    pipeline.roi_detector = Remembering(pipeline.roi_detector, "candidates")
    if pipeline.polarity_check is not None:
        pipeline.polarity_check = Remembering(pipeline.polarity_check, "inverted_probability")
    for name in pipeline.methods:
        method = pipeline.methods[name]
        detector = getattr(method, "detector", None)
        if detector is not None and not isinstance(detector, Remembering):
            method.detector = Remembering(detector, "detect", "detect_all")
    return pipeline


def _digest(value: Any) -> Any:
    if isinstance(value, GrayImage):
        return _digest(value.pixels), repr(asdict(value.mapping) if is_dataclass(value.mapping) else value.mapping)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, hashlib.blake2b(np.ascontiguousarray(value)).hexdigest()
    return repr(value)
