"""A region that the user draws over a result: the new object replaces or extends an object there, or is added to it.

``occupant_of`` returns the object in the region before anything is computed. ``DrawnRegion`` applies the user's choice
in two steps: the first one may run in a thread, the second one belongs to the main thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core import boxes
from ..core.editing import without_object
from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
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
    """An object that has the pixels of a region and may not share them.

    Parameters
    ----------
    identity : str
        Id of the object's segment.
    name, label : str
    wanted : str
        The class of the object that the user wants in the region.
    """

    identity: str
    name: str
    label: str
    wanted: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The applicable ones of `CHOICES`: only an object of the same class can be extended."""
        return CHOICES if self.label == self.wanted else (REPLACE, KEEP)

    @property
    def message(self) -> str:
        """One sentence that names the object and the choices."""
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
    """The object that has most pixels of a region, so that a new object of the class `label` would get almost none.

    Objects that may overlap this class are ignored, see ``core.overlaps``.

    Parameters
    ----------
    shown : Shown
        The present result, edits by hand included.
    label : str
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.

    Returns
    -------
    Occupant or None
        Of several, one of the same class, else the one with the most pixels in the region. None if there is no such
        object.
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
    """The changes of a result for a region that was drawn over it.

    Parameters
    ----------
    workspace : Workspace
    node : vtkMRMLSegmentationNode
    shown : Shown
        The result when the region is drawn.
    label : str
        Class of the object.
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.
    occupant : Occupant or None
        The object that is replaced or extended; None adds an object.
    is_extended : bool
        Whether the occupant is extended.
    beside : str
        Name of an object in the region that stays, and whose pixels the new one does not get.
    """

    workspace: Workspace
    node: vtkMRMLSegmentationNode
    shown: Shown
    label: str
    roi: tuple[float, float, float, float]
    occupant: Occupant | None = None
    is_extended: bool = False
    beside: str = ""

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        node: vtkMRMLSegmentationNode,
        label: str,
        roi: tuple[float, float, float, float],
        existing: str | None = None,
    ) -> DrawnRegion:
        """Apply one of `CHOICES` to an object that has the region's pixels.

        Parameters
        ----------
        label : str
            Class of the wanted object.
        roi : tuple of 4 float
            (x0, y0, x1, y1) in px.
        existing : str, optional
            One of `CHOICES`.

        Raises
        ------
        GrayscaleDetSegError
            If there is such an object, and `existing` is None or not applicable; or if the image is no longer in the
            scene or its pixels have changed.
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
            return cls(workspace, node, shown, label, roi, beside=occupant.name)
        return cls(workspace, node, shown, label, roi, occupant, existing == EXTEND)

    def compute(self, engine: Engine, options: SegmentOptions, progress: Progress | None = None) -> SegmentationResult:
        """Segment the object of the region. May be called from a thread.

        Raises
        ------
        GrayscaleDetSegError
            If the object that stays leaves the new one no pixels; also as for ``Engine.add_region``.
        """
        result, occupant = self.shown.of_radiograph, self.occupant
        if occupant is None:
            added = engine.add_region(result, self.roi, self.label, options, progress)
            if not self.beside:
                return added
            if not added.objects[-1].pixel_count:
                raise GrayscaleDetSegError(
                    f"{display_name(self.beside)} leaves no pixels of this region to a new {self.label}, and none was "
                    f"added; draw another region, or replace {self.beside}."
                )
            return replace(added, notes=(*added.notes, f"{self.beside} was there already and keeps its pixels."))
        if occupant.label != self.label:
            rest = without_object(result, occupant.name)
            return engine.add_region(rest, self.roi, self.label, options, progress)
        x0, y0, x1, y1 = roi = self.roi
        if self.is_extended:
            a0, b0, a1, b1 = dict(zip(self.shown.identities, result.objects))[occupant.identity].region
            roi = (min(x0, x1, a0), min(y0, y1, b0), max(x0, x1, a1), max(y0, y1, b1))
        return engine.replace_region(result, occupant.name, roi, options, progress)

    def write(self, result: SegmentationResult) -> str:
        """Show the result of :meth:`compute`, as one change for undo. Returns the id of the segment. Main thread only.
        """
        occupant = self.occupant
        if occupant is None:
            return self.workspace.write_object(self.node, result, result.objects[-1].name)
        if occupant.label != self.label:
            name = result.objects[-1].name
            return self.workspace.write_object(self.node, result, name, instead_of=occupant.identity)
        return self.workspace.write_object(self.node, result, occupant.name, occupant.identity)
