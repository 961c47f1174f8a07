"""Segmenting a volume of the scene in one call: for the Python console, scripts and the module's logic class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError, RadiographError
from ..core.options import SegmentOptions
from ..core.result import SegmentationResult, SegmentedObject
from ..core.stopwatch import Progress
from ..scene import regions
from ..scene.outcome import Outcome
from .dependencies import require
from .drawn import DrawnRegion
from .engine import Engine
from .models import Models
from .shown import Reading
from .workspace import Workspace

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLMarkupsROINode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLSegmentationNode,
        vtkMRMLTableNode,
    )


@dataclass(frozen=True, eq=False)
class Segmented:
    """What came out of one run.

    Parameters
    ----------
    result : SegmentationResult
        All numbers and masks.
    outcome : Outcome or None
        The nodes that show it; None where nothing was found, because then there is nothing to show.
    """

    result: SegmentationResult
    outcome: Outcome | None = None

    @property
    def message(self) -> str:
        """One sentence on what was found."""
        return self.result.message

    @property
    def objects(self) -> tuple[SegmentedObject, ...]:
        """The objects, highest score first."""
        return self.result.objects

    @property
    def segmentation(self) -> vtkMRMLSegmentationNode | None:
        """The segmentation node."""
        return None if self.outcome is None else self.outcome.segmentation

    @property
    def table(self) -> vtkMRMLTableNode | None:
        """The table node with a row per object."""
        return None if self.outcome is None else self.outcome.table


class Segmenter:
    """Segments volumes of a scene, with or without a window: no message boxes, no views.

    Parameters
    ----------
    scene : vtkMRMLScene
    engine : Engine, optional
    models : Models, optional
        The list of models; those that come with the software by default.
    """

    def __init__(self, scene: vtkMRMLScene, engine: Engine | None = None, models: Models | None = None) -> None:
        self.engine, self.workspace, self.models = engine or Engine(), Workspace(scene), models or Models()

    def segment(
        self,
        volume: vtkMRMLScalarVolumeNode,
        *,
        slice_index: int | None = None,
        segmentation: vtkMRMLSegmentationNode | None = None,
        replace_edits: bool = False,
        polarity: str = "auto",
        method: str | None = None,
        clean_up: bool = True,
        exclusive: bool = False,
        score_threshold: float | None = None,
        device: str = "auto",
        engine: str = "auto",
        model: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Segmented:
        """Find the objects of a radiograph, segment them, and show them beside the volume.

        Parameters
        ----------
        volume : vtkMRMLScalarVolumeNode
            Or of a derived class, such as the colour volumes that pictures are loaded as.
        slice_index : int, optional
            Needed where the volume has more than one slice.
        segmentation : vtkMRMLSegmentationNode, optional
            Where to show the result; a new node by default.
        replace_edits : bool
            Whether what was edited by hand in `segmentation` may be replaced (`undo` brings it back).
        model : str or Path, optional
            An installed model by its name, or the folder of any; see ``Models.find``. The shipped one by default.
        polarity, method, clean_up, exclusive, score_threshold, device, engine
            See ``core.options.SegmentOptions``.
        progress : callable, optional
            Called with the name of each stage as it starts.

        Raises
        ------
        GrayscaleDetSegError
            With one sentence that says what is wrong and what to do; the scene is as before.
        ValueError
            If there is no such method or polarity.
        """
        options = self._options(method, polarity, clean_up, score_threshold, device, engine, model, exclusive)
        reading = self.workspace.read(_volume(volume), options.polarity, slice_index)
        if segmentation is not None:
            self.workspace.check_place(segmentation, reading)
            self._check_edits(segmentation, replace_edits)
        require()
        return self._shown(reading, self.engine.segment(reading.radiograph, options, progress), segmentation)

    def segment_region(
        self,
        volume: vtkMRMLScalarVolumeNode,
        region: vtkMRMLMarkupsROINode,
        label: str,
        *,
        slice_index: int | None = None,
        segmentation: vtkMRMLSegmentationNode | None = None,
        existing: str | None = None,
        polarity: str = "auto",
        method: str | None = None,
        clean_up: bool = True,
        exclusive: bool = False,
        device: str = "auto",
        engine: str = "auto",
        model: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Segmented:
        """Segment one object in a region drawn by hand, without the 2D detector.

        Parameters
        ----------
        region : vtkMRMLMarkupsROINode
            Any box over the image; it is only read.
        label : str
            Class of the object, for example "femur".
        segmentation : vtkMRMLSegmentationNode, optional
            A result on the same slice that gets the object as well; a new node by default.
        exclusive : bool
            For a new result: that of `segmentation` keeps to what it was made with.
        existing : str, optional
            What to do where an object of `segmentation` has the region's pixels already: ``"replace"``, ``"extend"`` or
            ``"keep"``, see ``logic.drawn``.

        Raises
        ------
        GrayscaleDetSegError
            As :meth:`segment`; also where the box lies beside the image, the model does not know the class, or an
            object has the region's pixels and `existing` does not say what to do.
        """
        options = self._options(method, polarity, clean_up, None, device, engine, model, exclusive)
        reading = self.workspace.read(_volume(volume), options.polarity, slice_index)
        if segmentation is not None:
            self.workspace.check_place(segmentation, reading)
        roi = regions.region_of(_region(region), volume, reading.grid)
        if roi is None:
            raise RadiographError(f"{region.GetName()} lies beside {volume.GetName()}; move it onto the image.")
        require()
        is_new = segmentation is None or self.workspace.shown(segmentation) is None
        try:
            if is_new:
                result = self.engine.segment_region(reading.radiograph, roi, label, options, progress)
                return self._shown(reading, result, segmentation)
            drawn = DrawnRegion.of(self.workspace, segmentation, label, roi, existing)
            result = drawn.compute(self.engine, options, progress)
        except ValueError as error:
            raise GrayscaleDetSegError(str(error)) from error
        drawn.write(result)
        return Segmented(result, self.workspace.outcome(segmentation))

    def undo(self, segmentation: vtkMRMLSegmentationNode) -> bool:
        """Bring back what a segmentation showed before the last change; whether there was such a state."""
        return self.workspace.undo(segmentation)

    def _check_edits(self, segmentation: vtkMRMLSegmentationNode, replace_edits: bool) -> None:
        if not replace_edits and self.workspace.would_lose_edits(segmentation):
            raise GrayscaleDetSegError(
                f"{segmentation.GetName()} was edited by hand; choose another segmentation, or replace the edits "
                "(replace_edits=True)."
            )

    def _shown(self, reading: Reading, result: SegmentationResult, into: vtkMRMLSegmentationNode | None) -> Segmented:
        if not result.objects:
            return Segmented(result)
        return Segmented(result, self.workspace.show(reading, result, into))

    def _options(self, method, polarity, clean_up, score_threshold, device, engine, model, exclusive) -> SegmentOptions:
        found = self.models.find(model)
        return SegmentOptions(
            method, polarity, clean_up, score_threshold, device, found, engine=engine, exclusive=exclusive
        )


def _volume(volume: vtkMRMLScalarVolumeNode | None) -> vtkMRMLScalarVolumeNode:
    if not _is_a(volume, "vtkMRMLScalarVolumeNode"):
        raise RadiographError("That is no image volume; choose the volume node of a radiograph.")
    return volume


def _region(region: vtkMRMLMarkupsROINode | None) -> vtkMRMLMarkupsROINode:
    if not _is_a(region, "vtkMRMLMarkupsROINode"):
        raise RadiographError("That is no region; choose the ROI node of a box over the image.")
    return region


def _is_a(node: object, kind: str) -> bool:
    return hasattr(node, "IsA") and bool(node.IsA(kind))
