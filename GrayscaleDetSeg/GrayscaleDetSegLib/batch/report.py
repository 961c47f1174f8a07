"""A result as JSON: everything but the masks, in the form that `result.schema.json` describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import __version__
from ..core import codec, old_formats
from ..core.labels import Anatomy, anatomy
from ..core.radiograph import Spacing, corrected_area
from ..core.reading import describe
from ..core.result import SegmentationResult, SegmentedObject
from ..core.schemas import schema_of
from .documents import (
    Code,
    Input,
    MadeWith,
    Report,
    ReportedObject,
    SegmentReference,
    Settings,
    Software,
    Terminology,
    segment_references,
)
from .plain import SCHEMA, SCHEMA_VERSION, dumps, printable

__all__ = ["dumps", "generated_schema", "read_report", "report", "schema"]


def schema() -> dict:
    """The JSON Schema of :func:`report`."""
    return json.loads(Path(__file__).with_name("result.schema.json").read_text(encoding="utf-8"))


def report(result: SegmentationResult, made_with: dict[str, Any] | None = None) -> dict:
    """The result as a dictionary that JSON can hold; see `result.schema.json` for every field and its unit.

    Parameters
    ----------
    made_with : dict, optional
        See ``process.made_with_of``.
    """
    source = result.radiograph
    described = {**describe(source), "file": None if source.source is None else printable(source.source)}
    document = Report(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        software=Software("GrayscaleDetSeg", __version__),
        model=result.model,
        device=result.device,
        input=codec.decode(Input, codec.encode(described, exact=False)),
        settings=Settings(
            result.score_threshold, result.clean_up, result.orientation, exclusive=not result.overlaps.allowed,
            turn=result.view,
        ),
        message=result.message,
        objects=tuple(
            _object(item, segment, source.spacing) for item, segment in zip(result.objects, segment_references(result))
        ),
        best_candidate=result.best_candidate,
        seconds={stage: round(float(seconds), 6) for stage, seconds in result.seconds.items()},
        notes=result.notes,
        made_with=None if made_with is None else codec.decode(MadeWith, made_with),
    )
    return codec.encode(document, exact=False)


def read_report(document: dict[str, Any]) -> Report:
    """What :func:`report` has made of a result, of this version or the one before.

    Raises
    ------
    CodecError
        If it is something else.
    """
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise codec.CodecError("This is no report of grayscale-detseg.")
    version = document.get("schema_version")
    if version == 2:
        document = old_formats.report_of_version_2(document)
    elif version != SCHEMA_VERSION:
        raise codec.CodecError(f"This report is of version {version}, which this program does not know; update it.")
    return codec.decode(Report, document)


def generated_schema() -> dict[str, Any]:
    """What ``result.schema.json`` holds: ``python -m GrayscaleDetSegLib.batch.report > .../result.schema.json``."""
    return schema_of(Report, "Result of grayscale-detseg on one radiograph")


def _object(item: SegmentedObject, segment: SegmentReference, spacing: Spacing | None) -> ReportedObject:
    kind = anatomy(item.label, item.side)
    return ReportedObject(
        name=item.name,
        label=item.label,
        segment=segment,
        color=kind.color,
        terminology=_terminology(kind),
        region=item.region,
        score=item.score,
        method=item.method,
        pixel_count=item.pixel_count,
        area_mm2=item.area_mm2,
        explanation=item.explanation,
        side=item.side,
        area_corrected_mm2=corrected_area(item.area_mm2, spacing),
    )


def _terminology(kind: Anatomy) -> Terminology:
    modifier = None if kind.laterality is None else Code(*kind.laterality)
    return Terminology(Code(*kind.category), Code(*kind.structure), modifier)


if __name__ == "__main__":
    print(json.dumps(generated_schema(), indent=1))
