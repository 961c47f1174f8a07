"""From the masks of regions to finished objects: overlaps settled, masks cleaned up, names given.

No network takes part: this is also what runs after every edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .clean_up import CleanUp
from .mask import settle_overlaps, without_overlaps
from .radiograph import Radiograph, area_of
from .regions import RegionMask
from .result import SegmentedObject
from .stopwatch import Stopwatch
from .types import Box2D
from .windowed import WindowedMask

Settle = Callable[[Sequence[RegionMask], tuple[int, int]], "list[np.ndarray]"]
"""What makes masks share no pixel: the parts and the shape of the image in, masks in the same windows out."""


def settled(parts: Sequence[RegionMask], shape: tuple[int, int]) -> list[np.ndarray]:
    """The masks of all parts, disjoint: a pixel goes to the object in whose extent it lies deeper."""
    return settle_overlaps([part.mask for part in parts], [part.extent for part in parts], shape)


def assemble(
    radiograph: Radiograph,
    parts: Sequence[RegionMask],
    clean_up: CleanUp | None,
    stopwatch: Stopwatch | None = None,
    settle: Settle | None = settled,
) -> tuple[SegmentedObject, ...]:
    """The objects of all parts.

    Parameters
    ----------
    radiograph : Radiograph
    parts : sequence of RegionMask
    clean_up : CleanUp or None
        None leaves the masks as the method makes them.
    stopwatch : Stopwatch, optional
    settle : callable or None
        What makes the masks disjoint; None lets them overlap.
    """
    stopwatch, shape = stopwatch or Stopwatch(), radiograph.shape
    windows = [part.window(shape) for part in parts]
    with stopwatch("overlaps"):
        masks = [part.mask for part in parts] if settle is None else settle(parts, shape)
    if clean_up is not None:
        with stopwatch("clean-up"):
            masks = [clean_up.apply(mask, part.region.label) for mask, part in zip(masks, parts)]
            masks = masks if settle is None else without_overlaps(masks, windows)
    names = unique_names([part.region.label for part in parts])
    return tuple(
        made_object(radiograph, part, name, WindowedMask.within(mask, window, shape))
        for part, name, mask, window in zip(parts, names, masks, windows)
    )


def made_object(radiograph: Radiograph, part: RegionMask, name: str, mask: WindowedMask) -> SegmentedObject:
    """What a method says of a region as an object, with its final pixels."""
    region = part.region
    return SegmentedObject(
        name=name,
        label=region.label,
        region=Box2D(*region.roi),
        score=region.score,
        windowed=mask,
        area_mm2=area_of(mask.count, radiograph.spacing),
        method=part.method,
        explanation=part.explanation,
    )


def unique_names(labels: list[str]) -> list[str]:
    """Names for objects in order: the label, with a number from the second of a class on."""
    counts: dict[str, int] = {}
    names = []
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
        names.append(label if counts[label] == 1 else f"{label} {counts[label]}")
    return names
