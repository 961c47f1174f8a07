"""What follows when a person moves a threshold or a region: the least that must be computed again, and no more.

Thresholds are moved without any network. The functions take a result and return a new one; the old one stays as it is,
which makes undo a matter of keeping it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import boxes
from .assembly import Finding, describe_object
from .clean_up import CleanUp
from .gray import GRAY_MAX
from .mask import field_mask, placed
from .pipeline import Pipeline, Regions
from .radiograph import Radiograph
from .result import Candidate, SegmentationResult, SegmentedObject
from .single_box.detector import DetectedBox
from .surfaces.field import Roi, ThresholdField


def finding_of(item: SegmentedObject) -> Finding:
    """What an object was made from."""
    region = Candidate(item.label, item.roi_score, item.roi)
    return Finding(region, DetectedBox(item.proposal, item.box, item.box_score), item.method, item.field)


def moved(finding: Finding, bottom: float = 0.0, top: float = 0.0, cell: tuple[int, int] | None = None) -> Finding:
    """A finding with its thresholds moved by some gray levels: those of one cell, or of all cells and of the box.

    The box stays within 0..255; so does the field of the method "box", whose only cell it is.

    Raises
    ------
    IndexError
        If there is no such cell.
    """
    field = finding.field.shifted(bottom, top, cell)
    if cell is not None and finding.method == "surfaces":
        return replace(finding, field=field)
    x0, y0, low, x1, y1, high = finding.box.box
    low, high = (float(np.clip(value, 0.0, GRAY_MAX)) for value in (low + bottom, high + top))
    if finding.method == "box":
        field = ThresholdField.uniform(field.roi, low, high)
    return replace(finding, field=field, box=replace(finding.box, box=(x0, y0, low, x1, y1, high)))


def live_mask(
    radiograph: Radiograph,
    field: ThresholdField,
    mask: np.ndarray | None = None,
    cell: tuple[int, int] | None = None,
) -> np.ndarray:
    """The mask of a field in the window of its ROI, fast enough to follow a drag: the rule alone, no clean-up.

    Parameters
    ----------
    mask : ndarray of bool, optional
        The mask before a single cell was moved, in the same window; it is changed in place.
    cell : tuple of 2 int, optional
        With `mask`: the (row, column) of the cell. Only the pixels in its reach are compared again.

    Raises
    ------
    IndexError
        If there is no such cell.
    ValueError
        If the mask is not one of the ROI's window.
    """
    if mask is None or cell is None:
        return field_mask(radiograph, field)
    part = field.reach_of(cell, radiograph.shape)
    window = boxes.pixel_slices(field.roi, radiograph.shape)
    expected = tuple(w.stop - w.start for w in window)
    if mask.shape != expected:
        raise ValueError(f"The mask of this field has the shape {expected}, not {mask.shape}.")
    local = tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, window))
    mask[local] = field_mask(radiograph, field, part)
    return mask


class MovingThresholds:
    """The mask of a field while all of its bottoms move together, and all of its tops: made as a drag begins.

    How far each pixel lies above its bottom and below its top is worked out once; a move then costs two comparisons a
    pixel. Where a pixel lies on a threshold to the last digit, :func:`live_mask` of the moved field decides.

    Parameters
    ----------
    radiograph : Radiograph
    field : ThresholdField
        As it is before the drag.
    """

    def __init__(self, radiograph: Radiograph, field: ThresholdField) -> None:
        self.window = boxes.pixel_slices(field.roi, radiograph.shape)
        pixels = radiograph.pixels[self.window]
        self._above, self._below = np.empty((2, *pixels.shape), np.float32)
        for rows, (low, high) in field.bands(self.window):
            gray = radiograph.mapping.to_gray(pixels[rows])
            np.subtract(gray, low, out=self._above[rows])
            np.subtract(high, gray, out=self._below[rows])

    def mask(self, bottom: float = 0.0, top: float = 0.0) -> np.ndarray:
        """The mask (bool, in `window`) with all bottoms and all tops moved by so many gray levels from the start."""
        mask = self._above >= np.float32(bottom)
        mask &= self._below >= np.float32(-top)
        return mask


def with_thresholds(
    result: SegmentationResult,
    name: str,
    bottom: float = 0.0,
    top: float = 0.0,
    cell: tuple[int, int] | None = None,
    clean_up: CleanUp | None = None,
) -> SegmentationResult:
    """The result after the thresholds of one object were moved, see :func:`moved`; the others keep their pixels.

    Parameters
    ----------
    name : str
        Of the object.
    clean_up : CleanUp, optional
        None leaves the object's mask as the rule makes it.

    Raises
    ------
    KeyError
        If no object has this name.
    IndexError
        If it has no such cell.
    """
    item = _find(result, name)
    return _replaced(result, item, moved(finding_of(item), bottom, top, cell), clean_up)


def with_region(
    pipeline: Pipeline, result: SegmentationResult, name: str, roi: Roi, clean_up: bool = True
) -> SegmentationResult:
    """The result after the region of one object was replaced by one drawn by hand: 2D detection and the others stay.

    Parameters
    ----------
    pipeline : Pipeline
        Its detectors look for the object's thresholds again, by the method that made the object.
    name : str
        Of the object.
    roi : tuple of 4 float
        Two opposite corners (x0, y0, x1, y1) in px, in any order; cut off at the edges of the image.
    clean_up : bool
        False leaves the object's mask as the rule makes it.

    Raises
    ------
    KeyError
        If no object has this name.
    """
    item = _find(result, name)
    corners = boxes.clip(np.sort(np.reshape(roi, (2, 2)), axis=0).ravel(), result.radiograph.shape)
    region = Candidate(item.label, 1.0, tuple(map(float, corners)), drawn=True)
    regions = Regions((region,), None, result.view)
    finding = pipeline.detect(result.radiograph, regions, item.method)[0]
    return _replaced(result, item, finding, pipeline.clean_up if clean_up else None)


def _find(result: SegmentationResult, name: str) -> SegmentedObject:
    for item in result.objects:
        if item.name == name:
            return item
    raise KeyError(f"The result has no object '{name}'.")


def _replaced(
    result: SegmentationResult, item: SegmentedObject, finding: Finding, clean_up: CleanUp | None
) -> SegmentationResult:
    """The result with another finding for one object; pixels of the others are left to them."""
    radiograph = result.radiograph
    window = boxes.pixel_slices(finding.field.roi, radiograph.shape)
    rule = finding.rule(radiograph)
    mask = rule if clean_up is None else clean_up.apply(rule, item.label)
    mask = placed(mask, window, radiograph.shape)
    for other in result.objects:
        if other is not item:
            mask[window] &= ~other.mask[window]
    new = describe_object(radiograph, finding, item.name, mask, int(np.count_nonzero(rule)))
    return replace(result, objects=tuple(new if other is item else other for other in result.objects))
