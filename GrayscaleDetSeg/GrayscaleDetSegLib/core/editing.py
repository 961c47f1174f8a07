"""What follows when a person moves a threshold or a region: the least that must be computed again, and no more.

Thresholds are moved without any network. The functions take a result and return a new one; the old one stays as it is,
which makes undo a matter of keeping it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import boxes
from .assembly import made_object
from .errors import MethodError, UnknownClassError
from .explanations.threshold_map import ThresholdMap
from .explanations.thresholds import explained
from .post_processing import PostProcessing
from .radiograph import Radiograph
from .regions import RegionMask, RegionProposal, Regions
from .result import SegmentationResult, SegmentedObject
from .sides import of_drawn
from .stopwatch import Progress, Stopwatch
from .types import AnyBox2D, Box2D
from .windowed import WindowedMask

if TYPE_CHECKING:
    from .pipeline import Pipeline


class MovingThresholds:
    """The mask of a field while all of its bottoms move together, and all of its tops: made as a drag begins.

    How far each pixel lies above its bottom and below its top is worked out once; a move then costs two comparisons a
    pixel. Where a pixel lies on a threshold to the last digit, ``mask.field_mask`` of the moved field decides.

    Parameters
    ----------
    radiograph : Radiograph
    field : ThresholdMap
        As it is before the drag.
    """

    def __init__(self, radiograph: Radiograph, field: ThresholdMap) -> None:
        self.window = boxes.pixel_slices(field.roi, radiograph.shape)
        pixels = radiograph.denoised[self.window]
        self._moved, (darkest, brightest) = (field.bottom, field.top), field.ends
        self._above, self._below = np.empty((2, *pixels.shape), np.float32)
        self._unmoved = np.empty((2, *pixels.shape), bool)  # by bottoms and by tops as the network has put them
        for rows, (low, high) in replace(field, bottom=0.0, top=0.0).bands(self.window):
            gray = radiograph.mapping.to_gray(pixels[rows])
            np.greater_equal(gray, low, out=self._unmoved[0, rows])
            np.less_equal(gray, high, out=self._unmoved[1, rows])
            # as in ThresholdMap, thresholds beyond the object move from where they take effect
            np.subtract(gray, np.maximum(low, np.float32(darkest)), out=self._above[rows])
            np.subtract(np.minimum(high, np.float32(brightest)), gray, out=self._below[rows])

    def mask(self, bottom: float = 0.0, top: float = 0.0) -> np.ndarray:
        """The mask (bool, in `window`) with all bottoms and all tops moved by so many gray levels from the start."""
        bottom, top = self._moved[0] + bottom, self._moved[1] + top
        mask = self._above >= np.float32(bottom) if bottom else self._unmoved[0].copy()
        mask &= self._below >= np.float32(-top) if top else self._unmoved[1]
        return mask


def with_thresholds(
    result: SegmentationResult,
    name: str,
    bottom: float = 0.0,
    top: float = 0.0,
    cell: tuple[int, int] | None = None,
    clean_up: PostProcessing | None = None,
    taken: np.ndarray | None = None,
) -> SegmentationResult:
    """The result after the thresholds of one object were moved, see ``ThresholdRule.moved``; the others keep their
    pixels.

    Parameters
    ----------
    name : str
        Of the object.
    clean_up : PostProcessing, optional
        None leaves the object's mask as the rule makes it.
    taken : ndarray of bool, shape (rows, columns), optional
        Further pixels that the object must leave alone.

    Raises
    ------
    KeyError
        If no object has this name.
    IndexError
        If it has no such cell.
    MethodError
        If it isn't explained by thresholds.
    """
    item = _find(result, name)
    if item.thresholds is None:
        raise MethodError(f"There are no thresholds to move: '{name}' was made by the method '{item.method}'.")
    region = RegionProposal(item.label, item.score, item.region, side=item.side)
    (part,) = explained(result.radiograph, [(region, item.thresholds.rule.moved(bottom, top, cell))])
    return _replaced(result, item, replace(part, method=item.method), clean_up, taken)


def with_region(
    pipeline: Pipeline,
    result: SegmentationResult,
    name: str,
    roi: AnyBox2D,
    clean_up: bool = True,
    progress: Progress | None = None,
) -> SegmentationResult:
    """The result after the region of one object was replaced by one drawn by hand: 2D detection and the others stay.

    Parameters
    ----------
    pipeline : Pipeline
        The object is looked for again by the method that made it.
    name : str
        Of the object.
    roi : tuple of 4 float
        Two opposite corners (x0, y0, x1, y1) in px, in any order; cut off at the edges of the image.
    clean_up : bool
        False leaves the object's mask as the rule makes it.
    progress : callable or None
        Called with the name of each stage as it starts.

    Raises
    ------
    KeyError
        If no object has this name.
    UnknownClassError, MethodError
        If the model, which may be another than that which made the object, does not know its class or its method.
    """
    item = _find(result, name)
    try:
        pipeline.check_class(item.label)
    except UnknownClassError as error:
        raise UnknownClassError(
            f"The model {pipeline.model} does not know '{item.label}': choose another model to look for it again."
        ) from error
    pipeline.check_class(item.label, item.method)
    drawn = replace(_drawn(result.radiograph, item.label, roi), side=item.side)
    regions = Regions((drawn,), None, result.view)
    part = pipeline.mask_of(result.radiograph, regions, item.method, Stopwatch(progress))
    return _replaced(result, item, part, pipeline.clean_up if clean_up else None).also_by(pipeline.model)


def with_object(
    pipeline: Pipeline,
    result: SegmentationResult,
    label: str,
    roi: AnyBox2D,
    method: str | None = None,
    clean_up: bool = True,
    progress: Progress | None = None,
) -> SegmentationResult:
    """The result with one more object, the last, from a region drawn by hand; pixels of the others stay theirs.

    Parameters
    ----------
    label : str
        Class of the object, one of the model's.
    roi : tuple of 4 float
        As for :func:`with_region`.
    method : str or None
        One of the pipeline's; the model's own if None.

    Raises
    ------
    UnknownClassError
        If the model, or the method, does not know the class.
    MethodError
        If the model has no such method.
    """
    others = [item.label for item in result.objects]
    drawn = drawn_regions(pipeline, result.radiograph, label, roi, method, others)
    regions = replace(drawn, orientation=result.view)
    part = pipeline.mask_of(result.radiograph, regions, method, Stopwatch(progress))
    names = [item.name for item in result.objects]
    number, name = 1, label
    while name in names:
        number += 1
        name = f"{label} {number}"
    new = _made(result, part, name, result.objects, pipeline.clean_up if clean_up else None)
    return replace(result, objects=(*result.objects, new)).also_by(pipeline.model)


def without_object(result: SegmentationResult, name: str) -> SegmentationResult:
    """The result without one of its objects; KeyError if no object has this name."""
    item = _find(result, name)
    return replace(result, objects=tuple(other for other in result.objects if other is not item))


def leaving(
    item: SegmentedObject, others: Iterable[SegmentedObject], result: SegmentationResult
) -> SegmentedObject:
    """An object of a result without the pixels that others have with which it may not overlap."""
    apart = (each for each in others if not result.overlaps.may(item.label, each.label))
    left = item.windowed.without(each.windowed for each in apart)
    return item if left is item.windowed else item.with_mask(left, result.radiograph.spacing)


def drawn_regions(
    pipeline: Pipeline,
    radiograph: Radiograph,
    label: str,
    roi: AnyBox2D,
    method: str | None = None,
    others: Iterable[str] = (),
) -> Regions:
    """A region drawn by hand in place of what the 2D detector finds, for ``Pipeline.segment_regions``.

    Parameters
    ----------
    roi : tuple of 4 float
        Two opposite corners in px, in any order; cut off at the edges of the image.
    method : str or None
        By which the object will be segmented.
    others : iterable of str
        Classes of the other objects in the picture, see ``sides.of_drawn``.

    Raises
    ------
    UnknownClassError
        If the model, or the method, does not know the class.
    MethodError
        If the model has no such method.
    """
    pipeline.check_class(label, method)
    region = _drawn(radiograph, label, roi, others)
    return Regions((region,), None, radiograph.upright)


def _drawn(radiograph: Radiograph, label: str, roi: AnyBox2D, others: Iterable[str] = ()) -> RegionProposal:
    corners = boxes.clip(np.sort(np.reshape(roi, (2, 2)), axis=0).ravel(), radiograph.shape)
    side = of_drawn(label, radiograph.lie, others)
    return RegionProposal(label, 1.0, Box2D(*map(float, corners)), drawn=True, side=side)


def _find(result: SegmentationResult, name: str) -> SegmentedObject:
    for item in result.objects:
        if item.name == name:
            return item
    raise KeyError(f"The result has no object '{name}'.")


def _replaced(
    result: SegmentationResult,
    item: SegmentedObject,
    part: RegionMask,
    clean_up: PostProcessing | None,
    taken: np.ndarray | None = None,
) -> SegmentationResult:
    """The result with another mask for one object; pixels of the others are left to them."""
    others = [other for other in result.objects if other is not item]
    new = _made(result, part, item.name, others, clean_up, taken)
    return replace(result, objects=tuple(new if other is item else other for other in result.objects))


def _made(
    result: SegmentationResult,
    part: RegionMask,
    name: str,
    others: Iterable[SegmentedObject],
    clean_up: PostProcessing | None,
    taken: np.ndarray | None = None,
) -> SegmentedObject:
    """What a method says of a region as an object.

    Pixels that are taken are left alone, and those of other objects with which it may not overlap.
    """
    window = part.window(result.radiograph.shape)
    mask = part.mask.copy() if clean_up is None else clean_up.apply(part.mask, part.region.label)
    for other in others:
        if not result.overlaps.may(part.region.label, other.label):
            other.windowed.take_from(mask, window)
    if taken is not None:
        mask &= ~taken[window]
    return made_object(result.radiograph, part, name, WindowedMask.within(mask, window, result.radiograph.shape))
