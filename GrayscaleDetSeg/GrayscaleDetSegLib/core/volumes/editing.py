"""Results of volumes that are changed by hand: a box that was dragged or drawn, and who keeps which voxels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GrayscaleDetSegError, MethodError
from ..explanations.seen import seen_boxes
from ..stopwatch import Progress
from .given import GivenBoxes
from .result import VolumeBox, VolumeObject, VolumeResult
from .views import VIEWS
from .volume import stored_axes

if TYPE_CHECKING:
    from .pipeline import VolumePipeline


class KnownMasks(Mapping[str, np.ndarray]):
    """The voxels (bool) of objects by their labels, each made when it is asked for.

    Parameters
    ----------
    objects : iterable of VolumeObject
        Of several with one label the first counts.
    """

    def __init__(self, objects: Iterable[VolumeObject]) -> None:
        self._held: dict[str, VolumeObject] = {}
        for item in objects:
            self._held.setdefault(item.label, item)

    def __getitem__(self, label: str) -> np.ndarray:
        return self._held[label].mask

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def with_box(
    pipeline: VolumePipeline, result: VolumeResult, name: str, box: VolumeBox, progress: Progress | None = None
) -> VolumeResult:
    """A result after the box of one object was dragged, or drawn for a label that it lacks.

    The object is looked for again from the box, by the method that made it, and so is what follows from it, such as
    the parts of an organ. The others keep their voxels: these are taken from what was found, unless one of the two lies
    within the other.

    Parameters
    ----------
    name : str
        Of the object, or the label of a new one.
    box : VolumeBox
        In voxels of the volume.

    Raises
    ------
    GrayscaleDetSegError
        If nothing was found from the box, or the box lies beside the volume.
    UnknownClassError, MethodError
        As ``VolumePipeline.segment_from_box``.
    """
    before = next((item for item in result.objects if item.name == name), None)
    return _found_again(pipeline, result, name, before, box, progress)


def with_slice_box(
    pipeline: VolumePipeline, result: VolumeResult, name: str, box: VolumeBox, progress: Progress | None = None
) -> VolumeResult:
    """A result after a box was drawn in one slice, in the place of what the method of an object has seen there.

    What it has seen in the other slices, or somebody has drawn there, stays.

    Parameters
    ----------
    name : str
        Of the object.
    box : VolumeBox
        In voxels of the volume, in one slice along the view that the method looks at.

    Raises
    ------
    MethodError
        If there is no such object, or the method that made it is not there, or takes no boxes of single slices, or the
        box lies in slices of another view, or goes through several.
    GrayscaleDetSegError
        As :func:`with_box`.
    """
    before = next((item for item in result.objects if item.name == name), None)
    if before is None:
        raise MethodError(f"The result has no object '{name}'; choose one that it has, or segment again.")
    if before.method not in pipeline.methods:
        raise MethodError(f"{pipeline.model} lacks the method that made the {name}; choose the model that has it.")
    seen, title = seen_boxes(before.explanation), pipeline.methods[before.method].title
    if not (seen and pipeline.methods[before.method].takes_slice_boxes):
        raise MethodError(f"{title} takes no boxes of single slices; drag the box around the whole {name}.")
    view = seen[0].view
    axis = 2 - stored_axes(result.volume.geometry)[0][VIEWS[view]]
    drawn = _of_one_slice(box, axis, view, title)
    others = [each for each in seen if not _share_a_slice(each.box, drawn, axis)]
    given = GivenBoxes(
        None, (*(each.box for each in others), drawn), detect=False, scores=(*(each.score for each in others), None)
    )
    return _found_again(pipeline, result, name, before, given, progress)


THICKEST = 2.0
"""Voxels along a view that a box may go through and still count as drawn in one of its slices."""


def _of_one_slice(box: VolumeBox, axis: int, view: str, title: str) -> VolumeBox:
    """A box cut to the slice of the stored grid that its middle lies in; `axis` is that of x, y, z across the view."""
    low, high = list(box[:3]), list(box[3:])
    sides = [last - first for first, last in zip(low, high)]
    if sides[axis] > THICKEST or min(sides) < sides[axis]:
        raise MethodError(f"{title} looks at {view} slices; draw the box in one of these, along the image's own axes.")
    low[axis] = float(np.floor((low[axis] + high[axis]) / 2.0))
    high[axis] = low[axis] + 1.0
    return VolumeBox(*low, *high)


def _share_a_slice(one: VolumeBox, other: VolumeBox, axis: int) -> bool:
    """Whether the middle of one of two boxes lies within the other, along an axis."""
    ends = [(box[axis], box[axis + 3]) for box in (one, other)]
    return any(first <= sum(middle) / 2.0 < last for (first, last), middle in (ends, ends[::-1]))


def _found_again(
    pipeline: VolumePipeline,
    result: VolumeResult,
    name: str,
    before: VolumeObject | None,
    box: VolumeBox | GivenBoxes,
    progress: Progress | None,
) -> VolumeResult:
    """A result with one object looked for again from a box, or boxes, and with what follows from it."""
    held = {item.name: item for item in result.objects}
    label = name if before is None else before.label
    method = None if before is None or before.method not in pipeline.methods else before.method
    known = KnownMasks(item for item in result.objects if item is not before)
    anew = pipeline.segment_from_box(result.volume, label, box, method=method, known=known, progress=progress)
    found = {item.label: item for item in anew.objects}
    if label not in found:
        raise GrayscaleDetSegError(f"No {label} was found from this box; draw it around the {label}, and larger.")
    found[label] = replace(found[label], name=name)
    changed = {item.name: item for item in found.values()}
    gone = {item.name for item in result.objects if item.within == label and item.label not in found}
    order = {each: item for each, item in {**held, **changed}.items() if each not in gone}
    others = [item for item in result.objects if item.name not in changed and item.name not in gone]
    settled = {each: leaving(item, others, result) for each, item in changed.items()}
    if not settled[name].pixel_count:
        raise GrayscaleDetSegError(f"What was found of the {label} belongs to other objects; move its box.")
    objects = tuple(settled.get(each, item) for each, item in order.items() if settled.get(each, item).pixel_count)
    notes = tuple(dict.fromkeys((*result.notes, *anew.notes)))
    return replace(result, objects=objects, notes=notes).also_by(anew.model)


def changed_names(before: VolumeResult, after: VolumeResult) -> tuple[str, ...]:
    """The names of the objects that one result has otherwise than another one, or not at all any more."""
    old, new = ({item.name: item for item in each.objects} for each in (before, after))
    gone = [name for name in old if name not in new]
    return (*(name for name, item in new.items() if old.get(name) is not item), *gone)


def leaving(item: VolumeObject, others: Iterable[VolumeObject], result: VolumeResult) -> VolumeObject:
    """An object without the voxels of others, unless one of the two lies within the other."""
    apart = [each for each in others if each.within != item.label and item.within != each.label]
    left = item.voxels.without(each.voxels for each in apart)
    return item if left is item.voxels else item.with_mask(left, result.volume.voxel_mm3)
