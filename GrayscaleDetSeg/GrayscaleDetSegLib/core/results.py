"""Results of either kind, of a radiograph or of a volume, and what goes for both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

from . import editing
from .radiograph import Radiograph
from .result import SegmentationResult, SegmentedObject
from .volumes import editing as of_volumes
from .volumes.result import VolumeObject, VolumeResult
from .volumes.volume import Volume

AnyResult = Union[SegmentationResult, VolumeResult]
AnyObject = Union[SegmentedObject, VolumeObject]
AnyImage = Union[Radiograph, Volume]


def image_of(result: AnyResult) -> AnyImage:
    """What was segmented."""
    return result.volume if isinstance(result, VolumeResult) else result.radiograph


def leaving(item: AnyObject, others: Iterable[AnyObject], result: AnyResult) -> AnyObject:
    """An object of a result without what others have that it may not overlap with."""
    if isinstance(result, VolumeResult):
        return of_volumes.leaving(item, others, result)  # type: ignore[arg-type]
    return editing.leaving(item, others, result)  # type: ignore[arg-type]


def size_text(item: AnyObject) -> str:
    """How large an object is, for people: mm2 at the detector, mm3 in the body, or pixels without a spacing."""
    if isinstance(item, VolumeObject):
        return f"{item.volume_mm3:.0f} mm³"
    return area_text(item.pixel_count, item.area_mm2)


def area_text(pixels: int, area_mm2: float | None) -> str:
    """An area for people, in px where the spacing is not known."""
    return f"{pixels} px" if area_mm2 is None else f"{area_mm2:.0f} mm²"
