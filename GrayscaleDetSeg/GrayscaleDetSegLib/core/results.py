"""Results of either kind, of a radiograph or of a volume, and what goes for both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Union

import numpy as np

from .radiograph import Radiograph
from .result import SegmentationResult, SegmentedObject
from .volumes.result import VolumeObject, VolumeResult
from .volumes.volume import Volume

AnyResult = Union[SegmentationResult, VolumeResult]
AnyObject = Union[SegmentedObject, VolumeObject]
AnyImage = Union[Radiograph, Volume]


def image_of(result: AnyResult) -> AnyImage:
    """What was segmented."""
    return result.volume if isinstance(result, VolumeResult) else result.radiograph


def objects_of(result: AnyResult) -> tuple[AnyObject, ...]:
    """The objects of a result."""
    return result.objects


def with_objects(result: AnyResult, objects: Iterable[AnyObject], **more: Any) -> AnyResult:
    """A result with these objects in place of its own, and more fields changed."""
    changed: Any = tuple(objects)
    return replace(result, objects=changed, **more)


def repainted(result: AnyResult, item: AnyObject, mask: np.ndarray) -> AnyObject:
    """One of the objects of a result with other pixels."""
    given: Any = item
    return result.repainted(given, mask)


def leaving(item: AnyObject, others: Iterable[AnyObject], result: AnyResult) -> AnyObject:
    """An object of a result without what others have that it may not overlap with."""
    if isinstance(result, VolumeResult):
        from .volumes import editing as of_volumes

        return of_volumes.leaving(item, others, result)  # type: ignore[arg-type]
    from . import editing

    return editing.leaving(item, others, result)  # type: ignore[arg-type]


def size_text(item: AnyObject) -> str:
    """How large an object is, for people: mm3 of a volume, of a radiograph as :func:`area_text`."""
    if isinstance(item, VolumeObject):
        return f"{item.volume_mm3:.0f} mm³"
    return area_text(item.pixel_count, item.area_mm2)


def area_text(pixel_count: int, area_mm2: float | None, plane: str = "") -> str:
    """An area in mm2 for people, or in px where there is no spacing.

    Parameters
    ----------
    pixel_count : int
    area_mm2 : float or None
        In the plane of the image's spacing.
    plane : str
        That plane, see ``Spacing``; empty leaves it out.
    """
    if area_mm2 is None:
        return f"{pixel_count} px"
    return f"{area_mm2:.0f} mm²" + (f", {plane}" if plane else "")
