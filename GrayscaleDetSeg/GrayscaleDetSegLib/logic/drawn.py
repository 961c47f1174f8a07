"""A region drawn by hand over a result, and the objects that are there already: it replaces one, extends it, or joins.

``occupant_of`` says what is in the way, before anything is computed; ``DrawnRegion`` does what the user then wants, its
two halves apart, because the first is for a thread and the second for the main thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core import boxes
from ..core.editing import without_object
from ..core.errors import GrayscaleDetSegError
from ..core.options import SegmentOptions
from ..core.result import SegmentationResult
from ..core.stopwatch import Progress
from ..core.types import Box2D
from .engine import Engine
from .shown import Shown

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from .workspace import Workspace

COVERED = 0.5
"""An object is in the way where so much of it lies in the region, or where objects fill so much of the region."""
REPLACE, EXTEND, KEEP = "replace", "extend", "keep"
CHOICES = (REPLACE, EXTEND, KEEP)
"""What a drawn region can do with an object in its way: replace it; extend it, so that it is looked for in both regions
together; keep it, and get no more than the pixels that it leaves."""


@dataclass(frozen=True)
class Occupant:
    """An object that has the pixels of a region, and may not share them.

    Parameters
    ----------
    identity : str
        Of its segment.
    name, label : str
    wanted : str
        The class that is to be looked for in the region.
    """

    identity: str
    name: str
    label: str
    wanted: str

    @property
    def choices(self) -> tuple[str, ...]:
        """Those of `CHOICES` that make sense: only an object of the same class can be extended."""
        return CHOICES if self.label == self.wanted else (REPLACE, KEEP)

    @property
    def message(self) -> str:
        """One sentence that says so, and what can be done."""
        if self.label == self.wanted:
            return (
                f"{self.name} is there already: replace it by what is found in the region, extend it to the region, "
                f"or keep it and give another {self.wanted} the pixels that are left."
            )
        return (
            f"{self.name} is there already and shares no pixels with {self.wanted}: replace it, or keep it and give "
            f"{self.wanted} the pixels that are left."
        )


def occupant_of(shown: Shown, label: str, roi: Box2D | tuple[float, float, float, float]) -> Occupant | None:
    """The object that has most of a region, so that one of class `label` would get next to nothing there.

    Objects that may lie over one of this class are never in the way, see ``core.overlaps``.

    Parameters
    ----------
    shown : Shown
        Hand edits count.
    label : str
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.

    Returns
    -------
    Occupant or None
        Of several, one of the same class, else that with the most pixels in the region. None where there is room.
    """
    result = shown.of_radiograph
    window = boxes.pixel_slices(boxes.clip(roi, result.radiograph.shape), result.radiograph.shape)
    size = max(1, (window[0].stop - window[0].start) * (window[1].stop - window[1].start))
    apart = []
    for identity, item in zip(shown.identities, result.objects):
        inside = 0 if result.overlaps.may(label, item.label) else int(item.windowed.part(window).sum())
        if inside:
            apart.append((inside, identity, item))
    is_full = sum(inside for inside, *_ in apart) >= COVERED * size
    in_the_way = [each for each in apart if is_full or each[0] >= COVERED * each[2].pixel_count]
    if not in_the_way:
        return None
    _inside, identity, item = max(in_the_way, key=lambda each: (each[2].label == label, each[0]))
    return Occupant(identity, item.name, item.label, label)


@dataclass(frozen=True)
class DrawnRegion:
    """What becomes of a region that was drawn over a result.

    Parameters
    ----------
    workspace : Workspace
    node : vtkMRMLSegmentationNode
    shown : Shown
        What it shows as the region is drawn.
    label : str
        Class of the object.
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.
    occupant : Occupant or None
        What is to be replaced or extended; None adds an object to those that are there.
    is_extended : bool
        Whether the occupant is extended.
    note : str
        What the result's notes say about an object that was in the way and stays.
    """

    workspace: Workspace
    node: vtkMRMLSegmentationNode
    shown: Shown
    label: str
    roi: tuple[float, float, float, float]
    occupant: Occupant | None = None
    is_extended: bool = False
    note: str = ""

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        node: vtkMRMLSegmentationNode,
        label: str,
        roi: tuple[float, float, float, float],
        existing: str | None = None,
    ) -> DrawnRegion:
        """With one of `CHOICES` for an object in the way.

        Raises
        ------
        GrayscaleDetSegError
            If there is one, and none of the choices was made, or one that it does not have; or if the image is gone or
            shows other pixels.
        """
        workspace.settle(node)
        shown = workspace.shown(node)
        if shown is None:
            raise GrayscaleDetSegError(f"{node.GetName()} shows no result; segment the region without it.")
        occupant = occupant_of(shown, label, roi)
        if occupant is not None and existing not in occupant.choices:
            choices = " or ".join(f'"{each}"' for each in occupant.choices)
            raise GrayscaleDetSegError(f"{occupant.message} (existing={choices})")
        if occupant is not None and existing == KEEP:
            note = f"{occupant.name} was there already and keeps its pixels."
            return cls(workspace, node, shown, label, roi, note=note)
        return cls(workspace, node, shown, label, roi, occupant, existing == EXTEND)

    def compute(self, engine: Engine, options: SegmentOptions, progress: Progress | None = None) -> SegmentationResult:
        """Look for the object; may be called from a thread. Errors as ``Engine.add_region``."""
        result, occupant = self.shown.of_radiograph, self.occupant
        if occupant is None:
            added = engine.add_region(result, self.roi, self.label, options, progress)
            return replace(added, notes=(*added.notes, self.note)) if self.note else added
        if occupant.label != self.label:
            rest = without_object(result, occupant.name)
            return engine.add_region(rest, self.roi, self.label, options, progress)
        x0, y0, x1, y1 = roi = self.roi
        if self.is_extended:
            a0, b0, a1, b1 = dict(zip(self.shown.identities, result.objects))[occupant.identity].region
            roi = (min(x0, x1, a0), min(y0, y1, b0), max(x0, x1, a1), max(y0, y1, b1))
        return engine.replace_region(result, occupant.name, roi, options, progress)

    def write(self, result: SegmentationResult) -> str:
        """Show what :meth:`compute` gave; one step for undo. Returns the segment's id. Main thread."""
        occupant = self.occupant
        if occupant is None:
            return self.workspace.write_object(self.node, result, result.objects[-1].name)
        if occupant.label != self.label:
            name = result.objects[-1].name
            return self.workspace.write_object(self.node, result, name, instead_of=occupant.identity)
        return self.workspace.write_object(self.node, result, occupant.name, occupant.identity)
