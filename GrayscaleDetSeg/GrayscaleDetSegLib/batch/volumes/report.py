"""The result of a volume as JSON: everything but the masks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ... import __version__
from ...core import codec
from ...core.explanations.base import Explanation
from ...core.gray import GrayMapping
from ...core.labels import anatomy
from ...core.radiograph import Geometry
from ...core.schemas import schema_of
from ...core.types import Count, Share
from ...core.volumes.result import VolumeBox, VolumeObject, VolumeResult
from ..documents import MadeWith, SegmentReference, Software, segment_references
from ..plain import VOLUME_SCHEMA, printable

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class VolumeSize:
    """In voxels."""

    slices: Count
    rows: Count
    columns: Count


@dataclass(frozen=True)
class VolumeInput:
    """The volume as it was read.

    Parameters
    ----------
    file : str or None
        The path as it was given.
    modality : str or None
        DICOM modality; null for other formats.
    size : VolumeSize
    dtype : str
        Type of the voxels in numpy's words.
    value_range : tuple of 2 float
        Lowest and highest value in own units.
    gray_mapping : GrayMapping
        The window: from own units to gray levels.
    geometry : Geometry
        Placement in patient coordinates (LPS, mm), as in NAME.seg.nrrd.
    says_spacing : bool
        Whether the file gives the spacing; 1 mm is taken where it does not.
    notes : tuple of str
        What a user should know about how it was read.
    """

    file: str | None
    modality: str | None
    size: VolumeSize
    dtype: str
    value_range: tuple[float, float]
    gray_mapping: GrayMapping
    geometry: Geometry
    says_spacing: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ReportedVolumeObject:
    """One object.

    Parameters
    ----------
    name, label : str
    segment : SegmentReference
    color : tuple of 3 int
        sRGB.
    box : VolumeBox
        The smallest box around it, in voxels of the file's grid.
    voxel_count : int
    volume_mm3 : float
    confidence : float
        Mean probability of its voxels by the networks' last round.
    method : str
    explanation : Explanation or None
        How the method came to the mask.
    """

    name: str
    label: str
    segment: SegmentReference
    color: tuple[int, int, int]
    box: VolumeBox
    voxel_count: Count
    volume_mm3: float
    confidence: Share
    method: str
    explanation: Explanation | None


@dataclass(frozen=True)
class VolumeReport:
    """The result of one volume.

    Parameters
    ----------
    working_size, working_spacing : tuple of 3
        Voxels and mm of the grid that the networks saw, along (superior, posterior, left).
    seconds : dict of str to float
        Wall time of each stage.
    made_with : MadeWith or None
        What decides the result.
    """

    schema: str
    schema_version: int
    software: Software
    model: str
    device: str
    input: VolumeInput
    working_size: tuple[int, int, int]
    working_spacing: tuple[float, float, float]
    message: str
    objects: tuple[ReportedVolumeObject, ...]
    seconds: dict[str, float]
    notes: tuple[str, ...]
    made_with: MadeWith | None


def report(result: VolumeResult, made_with: dict[str, Any] | None = None) -> dict:
    """The result as a dictionary that JSON can hold."""
    volume = result.volume
    document = VolumeReport(
        schema=VOLUME_SCHEMA,
        schema_version=SCHEMA_VERSION,
        software=Software("GrayscaleDetSeg", __version__),
        model=result.model,
        device=result.device,
        input=VolumeInput(
            None if volume.source is None else printable(volume.source),
            volume.modality,
            VolumeSize(*volume.shape),
            str(volume.voxels.dtype),
            (float(volume.voxels.min()), float(volume.voxels.max())),
            volume.mapping,
            volume.geometry,
            volume.says_spacing,
            volume.notes,
        ),
        working_size=result.working_size,
        working_spacing=result.working_spacing,
        message=result.message,
        objects=tuple(_object(item, segment) for item, segment in zip(result.objects, segment_references(result))),
        seconds={stage: round(float(seconds), 6) for stage, seconds in result.seconds.items()},
        notes=result.notes,
        made_with=None if made_with is None else codec.decode(MadeWith, made_with),
    )
    return codec.encode(document, exact=False)


def _object(item: VolumeObject, segment: SegmentReference) -> ReportedVolumeObject:
    return ReportedVolumeObject(
        item.name, item.label, segment, anatomy(item.label).color,
        item.box, item.voxel_count, item.volume_mm3, item.confidence, item.method, item.explanation,
    )  # fmt: skip


def generated_schema() -> dict[str, Any]:
    """What ``result.schema.json`` holds: ``python -m GrayscaleDetSegLib.batch.volumes.report`` prints it."""
    return schema_of(VolumeReport, "Result of grayscale-detseg on one volume")


if __name__ == "__main__":
    print(json.dumps(generated_schema(), indent=1))
