"""A result as JSON: everything but the masks, in the form that `result.schema.json` describes."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np

from .. import __version__
from ..core.labels import Anatomy, anatomy
from ..core.reading import describe
from ..core.result import Candidate, SegmentationResult, SegmentedObject
from ..core.surfaces.field import ThresholdField
from ..scene.segmentation import segment_id

SCHEMA = "grayscale-detseg/result"
FAILURE_SCHEMA = "grayscale-detseg/failure"
SCHEMA_VERSION = 2

# a string cannot hold a line break, so what follows one after a bracket is no text
_NUMBERS = re.compile(r"\[\n([-+.,eE\d\s]+)\]")


def schema() -> dict:
    """The JSON Schema of :func:`report`."""
    return json.loads(Path(__file__).with_name("result.schema.json").read_text(encoding="utf-8"))


def report(result: SegmentationResult) -> dict:
    """The result as a dictionary that JSON can hold; see `result.schema.json` for every field and its unit."""
    source = result.radiograph
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "software": {"name": "GrayscaleDetSeg", "version": __version__},
        "model": result.model,
        "device": result.device,
        "input": {**describe(source), "file": None if source.source is None else printable(source.source)},
        "settings": {
            "score_threshold": float(result.score_threshold),
            "clean_up": list(result.clean_up),
            "orientation": result.orientation,
        },
        "message": result.message,
        "objects": [_object(item, value) for value, item in enumerate(result.objects, start=1)],
        "best_candidate": _candidate(result.best_candidate),
        "seconds": {stage: round(float(seconds), 6) for stage, seconds in result.seconds.items()},
    }


def failure(path: Path, reason: str) -> dict:
    """What stands in the place of a result for an input that failed, where several are reported together."""
    identity = {"schema": FAILURE_SCHEMA, "schema_version": SCHEMA_VERSION}
    return {**identity, "file": printable(path), "reason": printable(reason)}


def printable(text: object) -> str:
    """`text` as it can be encoded; file names of undecodable bytes hold characters that cannot."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def dumps(document: dict | list) -> str:
    """Indented JSON text, in plain characters where they are letters; numbers are always finite.

    A list of numbers stands on one line, or a table of thresholds would fill a thousand.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=np.generic.item)
    return _NUMBERS.sub(lambda numbers: f"[{' '.join(numbers[1].split())}]", text)


def _object(item: SegmentedObject, label_value: int) -> dict:
    kind = anatomy(item.label)
    return {
        "name": item.name,
        "label": item.label,
        "segment": {"id": segment_id(item.name), "label_value": label_value},
        "color": list(kind.color),
        "terminology": _terminology(kind),
        "roi": _box(item.roi),
        "roi_score": float(item.roi_score),
        "proposal": _box(item.proposal),
        "box": _box(item.box),
        "box_score": float(item.box_score),
        "method": item.method,
        "surfaces": _surfaces(item.field) if item.method == "surfaces" else None,
        "box_agreement": float(item.box_agreement),
        "confidence": float(item.confidence),
        "interval_gray": _interval(item.interval),
        "interval_units": _interval(item.interval_units),
        "interval_file": _interval(item.interval_file),
        "pixel_count": item.pixel_count,
        "rule_pixel_count": int(item.rule_pixel_count),
        "area_mm2": None if item.area_mm2 is None else float(item.area_mm2),
        "stability": {
            "bottom": float(item.stability.bottom),
            "top": float(item.stability.top),
            "value": float(item.stability.value),
        },
    }


def _surfaces(field: ThresholdField) -> dict:
    rows, columns = field.shape
    # adding 0 takes the sign off a negative zero
    low, high = ((np.round(values.astype(np.float64), 1) + 0.0).tolist() for values in field.cells)
    return {"roi": _box(field.roi), "rows": rows, "columns": columns, "low": low, "high": high}


def _candidate(candidate: Candidate | None) -> dict | None:
    if candidate is None:
        return None
    return {"label": candidate.label, "score": float(candidate.score), "roi": _box(candidate.roi)}


def _terminology(kind: Anatomy) -> dict:
    def code(triple: tuple[str, str, str] | None) -> dict | None:
        return None if triple is None else dict(zip(("scheme", "value", "meaning"), triple))

    return {"category": code(kind.category), "type": code(kind.structure), "modifier": code(kind.laterality)}


def _box(box: tuple[float, ...]) -> dict:
    axes = ("x0", "y0", "x1", "y1") if len(box) == 4 else ("x0", "y0", "g0", "x1", "y1", "g1")
    return {axis: float(value) for axis, value in zip(axes, box)}


def _interval(ends: tuple[float, float]) -> dict:
    bottom, top = (float(value) if math.isfinite(value) else None for value in ends)
    return {"bottom": bottom, "top": top}
