"""Documents of former versions, brought to the present form: this module alone knows what they looked like.

Beside the packages of the methods it is the only place that may name one.
"""

from __future__ import annotations

from typing import Any

BOX_METHOD = "box"
"""The method whose single box made the mask, when there were two methods and both had a box."""
PARAMETERS = {"SURFACES": "surfaces", "BOX": "box"}
"""What scenes of former versions say where the panel now keeps the name of a method."""

_BOX = ("x0", "y0", "g0", "x1", "y1", "g1")
_RECTANGLE = ("x0", "y0", "x1", "y1")


def record_of_version_1(document: dict[str, Any]) -> dict[str, Any]:
    """What a segmentation said of its result before its objects had explanations, as ``scene.record`` says it now."""
    objects = document["objects"]
    best = document["best_candidate"]
    result = {
        **{name: document[name] for name in ("score_threshold", "clean_up", "orientation", "device", "seconds")},
        "model": document["model"],
        "best_candidate": None if best is None else {**best, "roi": _named(_RECTANGLE, best["roi"])},
        "objects": [_recorded_object(entry) for entry in objects],
    }
    image = {name: document[name] for name in ("spacing", "polarity", "mapping", "modality", "notes")}
    return {
        "version": 2,
        **{name: document[name] for name in ("slice", "shape")},
        **{name: document[name] for name in ("sample", "fingerprint") if name in document},
        "image": image,
        "segments": [entry["segment"] for entry in objects],
        "result": result,
    }


def report_of_version_2(document: dict[str, Any]) -> dict[str, Any]:
    """The JSON report of a result before its objects had explanations, as ``batch.report`` writes it now."""
    return {
        **document,
        "schema_version": 3,
        "objects": [_reported_object(entry) for entry in document["objects"]],
        "notes": [],
    }


def method_of(parameter: str) -> str:
    """The name of a method that a scene's parameters say."""
    return PARAMETERS.get(parameter, parameter)


def _recorded_object(entry: dict[str, Any]) -> dict[str, Any]:
    field = entry["field"]
    bottom, top = field["moved"]
    array = {"dtype": "<f4", "shape": field["shape"]}
    explanation = {
        "kind": "thresholds",
        "rule": {
            "box": _named(_BOX, entry["box"]),
            "field": {
                "roi": _named(_RECTANGLE, field["roi"]),
                "low": {**array, "data": field["low"]},
                "high": {**array, "data": field["high"]},
                "bottom": bottom, "top": top, "reach": field["reach"],
            },
            "single": entry["method"] == BOX_METHOD,
            "proposal": _named(_BOX, entry["proposal"]),
            "box_score": entry["box_score"],
        },
        "interval_units": _ends(entry["interval_units"]),
        "interval_file": _ends(entry["interval_file"]),
        **{name: entry[name] for name in ("rule_pixel_count", "confidence", "stability", "box_agreement")},
    }  # fmt: skip
    return {
        **{name: entry[name] for name in ("name", "label", "method")},
        "region": _named(_RECTANGLE, entry["roi"]),
        "score": entry["roi_score"],
        "explanation": explanation,
    }


def _reported_object(entry: dict[str, Any]) -> dict[str, Any]:
    surfaces = entry["surfaces"]
    if surfaces is None:
        ends = entry["box"]
        field = {"roi": entry["roi"], "low": [[ends["g0"]]], "high": [[ends["g1"]]]}
    else:
        field = {name: surfaces[name] for name in ("roi", "low", "high")}
    explanation = {
        "kind": "thresholds",
        "rule": {
            "box": entry["box"],
            "field": {**field, "bottom": 0.0, "top": 0.0, "reach": None},
            "single": entry["method"] == BOX_METHOD,
            "proposal": entry["proposal"],
            "box_score": entry["box_score"],
        },
        **{name: entry[name] for name in ("interval_units", "interval_file", "rule_pixel_count", "confidence")},
        "stability": {end: entry["stability"][end] for end in ("bottom", "top")},
        "box_agreement": entry["box_agreement"],
    }
    kept = ("name", "label", "segment", "color", "terminology", "method", "pixel_count", "area_mm2")
    return {
        **{name: entry[name] for name in kept},
        "region": entry["roi"],
        "score": entry["roi_score"],
        "explanation": explanation,
    }


def _named(names: tuple[str, ...], values: list[float]) -> dict[str, float]:
    return dict(zip(names, values))


def _ends(interval: list[float]) -> dict[str, float | None]:
    """An interval whose open ends stood as infinity."""
    bottom, top = (None if abs(value) == float("inf") else value for value in interval)
    return {"bottom": bottom, "top": top}
