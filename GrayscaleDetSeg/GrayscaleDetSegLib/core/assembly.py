"""From the masks of regions to finished objects: doubles left out, overlaps settled, masks cleaned up, names given.

No network takes part. Edits share :func:`made_object` alone: there the other objects keep their pixels, see
``core.editing``.
"""

from __future__ import annotations

from collections.abc import Sequence

from .doubles import without_doubles
from .mask import settle_overlaps
from .overlaps import EXCLUSIVE, Overlaps
from .post_processing import PostProcessing
from .radiograph import Radiograph, area_of
from .regions import RegionMask
from .result import SegmentedObject
from .stopwatch import Stopwatch
from .types import Box2D
from .windowed import WindowedMask


def finish(
    radiograph: Radiograph,
    parts: Sequence[RegionMask],
    clean_up: PostProcessing | None,
    stopwatch: Stopwatch | None = None,
    overlaps: Overlaps = EXCLUSIVE,
    alongside: Sequence[Sequence[str]] = (),
) -> tuple[tuple[SegmentedObject, ...], tuple[str, ...]]:
    """The objects of all parts, as :func:`assemble`, but one thing under two names once; and what a user should know.

    Regions that were drawn by hand all stay. `alongside` are the groups of ``doubles.without_doubles``.
    """
    kept, notes = without_doubles(parts, radiograph.shape, alongside)
    smoothing = radiograph.smoothing
    if smoothing:
        notes += (f"The image is noisy ({radiograph.noise:.0f} gray levels): smoothed by {smoothing:.1f} px.",)
    return assemble(radiograph, kept, clean_up, stopwatch, overlaps), notes


def assemble(
    radiograph: Radiograph,
    parts: Sequence[RegionMask],
    clean_up: PostProcessing | None,
    stopwatch: Stopwatch | None = None,
    overlaps: Overlaps = EXCLUSIVE,
) -> tuple[SegmentedObject, ...]:
    """The objects of all parts.

    Parameters
    ----------
    radiograph : Radiograph
    parts : sequence of RegionMask
    clean_up : PostProcessing or None
        None leaves the masks as the method makes them.
    stopwatch : Stopwatch, optional
    overlaps : Overlaps
        Which objects may share pixels. Of a pixel that two others claim, the one in whose extent it lies deeper has it.
    """
    stopwatch, shape = stopwatch or Stopwatch(), radiograph.shape
    windows = [part.window(shape) for part in parts]

    def may(first: int, second: int) -> bool:
        return overlaps.may(parts[first].region.label, parts[second].region.label)

    with stopwatch("overlaps"):
        masks = settle_overlaps([part.mask for part in parts], [part.extent for part in parts], shape, may)
    masks.reverse()  # each is let go of when its smaller copy is made
    if clean_up is None:
        final = [WindowedMask.within(masks.pop(), window, shape) for window in windows]
    else:
        with stopwatch("post-processing"):
            cleaned = [
                WindowedMask.within(clean_up.apply(masks.pop(), part.region.label), window, shape)
                for part, window in zip(parts, windows)
            ]
            final = [
                mask.without(cleaned[first] for first in range(second) if not may(first, second))
                for second, mask in enumerate(cleaned)
            ]
    names = unique_names([part.region.label for part in parts])
    return tuple(made_object(radiograph, *each) for each in zip(parts, names, final))


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
        side=region.side,
    )


def unique_names(labels: list[str]) -> list[str]:
    """Names for objects in order: the label, with a number from the second of a class on."""
    counts: dict[str, int] = {}
    names = []
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
        names.append(label if counts[label] == 1 else f"{label} {counts[label]}")
    return names
