"""Segment a volume of the scene by one call: for the Python console, scripts and the module's logic class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError, RadiographError
from ..core.options import SegmentOptions
from ..core.results import AnyObject, AnyResult
from ..core.stopwatch import Progress
from ..core.types import Box2D
from ..core.volumes.result import VolumeBox, VolumeResult
from ..scene import regions
from ..scene.outcome import Outcome
from .dependencies import require
from .drawn import KEEP, DrawnRegion
from .engine import Engine
from .models import Models
from .shown import AnyReading, WholeReading
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
    """The outcome of one run.

    Parameters
    ----------
    result : SegmentationResult or VolumeResult
        All figures and masks.
    outcome : Outcome or None
        The nodes that show it; None if nothing was found.
    """

    result: AnyResult
    outcome: Outcome | None = None

    @property
    def message(self) -> str:
        """One sentence on what was found."""
        return self.result.message

    @property
    def objects(self) -> tuple[AnyObject, ...]:
        """The objects, in the order of the result."""
        return self.result.objects

    @property
    def segmentation(self) -> vtkMRMLSegmentationNode | None:
        """The segmentation node."""
        return None if self.outcome is None else self.outcome.segmentation

    @property
    def table(self) -> vtkMRMLTableNode | None:
        """The table node with one row per object."""
        return None if self.outcome is None else self.outcome.table


class Segmenter:
    """Segments volumes of a scene, with or without a window. It opens no message boxes and changes no views.

    Parameters
    ----------
    scene : vtkMRMLScene
    engine : Engine, optional
    models : Models, optional
        The list of models; by default those shipped with the software.
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
        """Find and segment the objects of a radiograph or a whole volume, and show them beside the volume.

        The model determines which of the two is segmented.

        Parameters
        ----------
        volume : vtkMRMLScalarVolumeNode
            Or a derived class, such as the colour volumes of picture files.
        slice_index : int, optional
            Needed for a radiograph if the volume has more than one slice.
        segmentation : vtkMRMLSegmentationNode, optional
            Node that will show the result; by default a new one.
        replace_edits : bool
            Whether edits by hand in `segmentation` may be replaced (`undo` restores them).
        model : str or Path, optional
            Name of an installed model, or the folder of any model, see ``Models.find``. By default the shipped model.
        polarity, method, clean_up, exclusive, score_threshold, device, engine
            See ``core.options.SegmentOptions``; models for volumes use method and device only.
        progress : callable, optional
            Called with the name of each stage that starts.

        Raises
        ------
        GrayscaleDetSegError
            The message is one sentence that says what is wrong and what to do; the scene is unchanged.
        ValueError
            If there is no such method or polarity.
        """
        options = self._options(method, polarity, clean_up, score_threshold, device, engine, model, exclusive)
        reading = self._read(_volume(volume), options, slice_index)
        if segmentation is not None:
            self.workspace.check_place(segmentation, reading)
            self._check_edits(segmentation, replace_edits)
        require(self.models.dimensions(options.model) == 3)
        return self._shown(reading, self.engine.segment(reading.image, options, progress), segmentation)

    def segment_region(
        self,
        volume: vtkMRMLScalarVolumeNode,
        region: vtkMRMLMarkupsROINode,
        label: str,
        *,
        slice_index: int | None = None,
        segmentation: vtkMRMLSegmentationNode | None = None,
        existing: str | None = KEEP,
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

        With a model for volumes, the region is a box in the volume, which replaces the first stage of the method. An
        object of `segmentation` with this label is segmented again; `slice_index`, `existing` and the options for
        radiographs have no effect.

        Parameters
        ----------
        region : vtkMRMLMarkupsROINode
            Any box over the image; it is not changed.
        label : str
            Class of the object, for example "femur".
        segmentation : vtkMRMLSegmentationNode, optional
            A result on the same slice, to which the object is added; by default a new node.
        exclusive : bool
            For a new result only; the result of `segmentation` keeps its own setting.
        existing : str or None
            What to do if an object of `segmentation` has the region's pixels: ``"replace"``, ``"extend"`` or ``"keep"``
            (the new object gets the other pixels, and a note says so), see ``logic.drawn``. None raises an error.

        Raises
        ------
        GrayscaleDetSegError
            As for :meth:`segment`; also if the box lies outside the image, the class is none of the model's, or an
            object has the region's pixels and `existing` is None, or it is to be replaced and locked, or to be kept
            and leaves none.
        """
        options = self._options(method, polarity, clean_up, None, device, engine, model, exclusive)
        reading = self._read(_volume(volume), options, slice_index)
        if segmentation is not None:
            self.workspace.check_place(segmentation, reading)
        roi = regions.region_of(_region(region), volume, reading.grid)
        if roi is None:
            raise RadiographError(f"{region.GetName()} lies beside {volume.GetName()}; move it onto the image.")
        require(isinstance(reading, WholeReading))
        if isinstance(reading, WholeReading):
            return self._from_box(reading, VolumeBox(*roi), label, options, progress, segmentation)
        is_new = segmentation is None or self.workspace.shown(segmentation) is None
        try:
            if is_new:
                result = self.engine.segment_region(reading.radiograph, Box2D(*roi), label, options, progress)
                return self._shown(reading, result, segmentation)
            drawn = DrawnRegion.of(self.workspace, segmentation, label, Box2D(*roi), existing)
            result = drawn.compute(self.engine, options, progress)
        except ValueError as error:
            raise GrayscaleDetSegError(str(error)) from error
        drawn.write(result)
        return Segmented(result, self.workspace.outcome(segmentation))

    def undo(self, segmentation: vtkMRMLSegmentationNode) -> bool:
        """Restore what a segmentation showed before the last change. Returns False if there is no such state."""
        return self.workspace.undo(segmentation)

    def move_box(
        self,
        segmentation: vtkMRMLSegmentationNode,
        name: str,
        region: vtkMRMLMarkupsROINode,
        *,
        device: str = "auto",
        model: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Segmented:
        """Segment one object of a volume's result again in another box, and what depends on it, such as parts of an
        organ.

        Parameters
        ----------
        segmentation : vtkMRMLSegmentationNode
        name : str
            Name of the object.
        region : vtkMRMLMarkupsROINode
            Any box over the volume; it is not changed.
        model : str or Path, optional
            The model, as for :meth:`segment`; it must have the object's class.

        Raises
        ------
        GrayscaleDetSegError
            If `segmentation` shows no result of a volume or no object of this name, or nothing is found from the box.
        """
        return self._moved(segmentation, name, region, self.engine.replace_box, device, model, progress)

    def draw_slice_box(
        self,
        segmentation: vtkMRMLSegmentationNode,
        name: str,
        region: vtkMRMLMarkupsROINode,
        *,
        device: str = "auto",
        model: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Segmented:
        """Segment one object of a volume's result again, with another box in one slice.

        For methods that look for boxes slice by slice; the other slices keep theirs. Parameters as :meth:`move_box`;
        `region` lies in one slice of the view that the method looks at.

        Raises
        ------
        GrayscaleDetSegError
            As for :meth:`move_box`; also if the method takes no such boxes, or uses another view.
        """
        return self._moved(segmentation, name, region, self.engine.replace_slice_box, device, model, progress)

    def _moved(self, segmentation, name, region, replace, device, model, progress) -> Segmented:
        shown = self.workspace.shown(segmentation)
        if shown is None or not isinstance(shown.result, VolumeResult):
            raise GrayscaleDetSegError(f"{segmentation.GetName()} shows no result of a volume; segment one first.")
        if all(item.name != name for item in shown.result.objects):
            names = ", ".join(item.name for item in shown.result.objects)
            raise GrayscaleDetSegError(f"{segmentation.GetName()} has no object '{name}', but {names}.")
        options = self._options(None, "auto", True, None, device, "auto", model, False)
        volume, grid = self.workspace.outcome(segmentation).volume, self.workspace.grid(segmentation)
        roi = regions.region_of(_region(region), volume, grid)
        if roi is None:
            raise RadiographError(f"{region.GetName()} lies beside {volume.GetName()}; move it onto the image.")
        require(True)
        after = replace(shown.result, name, VolumeBox(*roi), options, progress)
        return self._written(segmentation, shown.result, after, name)

    def _from_box(self, reading, box, label, options, progress, segmentation) -> Segmented:
        shown = None if segmentation is None else self.workspace.shown(segmentation)
        if shown is None or not isinstance(shown.result, VolumeResult):
            return self._shown(
                reading, self.engine.segment_box(reading.image, box, label, options, progress), segmentation
            )
        after = self.engine.replace_box(shown.result, label, box, options, progress)
        return self._written(segmentation, shown.result, after, label)

    def _written(self, segmentation, before, after, wanted: str) -> Segmented:
        self.workspace.write_found(segmentation, before, after, wanted)
        return Segmented(after, self.workspace.outcome(segmentation))

    def _read(self, volume: vtkMRMLScalarVolumeNode, options: SegmentOptions, slice_index: int | None) -> AnyReading:
        """What the model takes of a volume: one slice, or all of them."""
        if self.models.dimensions(options.model) == 3:
            if slice_index is not None:
                raise RadiographError("This model takes whole volumes: leave the slice out, or choose another model.")
            return self.workspace.read_whole(volume)
        return self.workspace.read(volume, options.polarity, slice_index)

    def _check_edits(self, segmentation: vtkMRMLSegmentationNode, replace_edits: bool) -> None:
        if not replace_edits and self.workspace.would_lose_edits(segmentation):
            raise GrayscaleDetSegError(
                f"{segmentation.GetName()} was edited by hand; choose another segmentation, or replace the edits "
                "(replace_edits=True)."
            )
        if not replace_edits and self.workspace.holds_locked(segmentation):
            raise GrayscaleDetSegError(
                f"{segmentation.GetName()} holds locked objects; choose another segmentation, or replace them "
                "(replace_edits=True)."
            )

    def _shown(self, reading: AnyReading, result: AnyResult, into: vtkMRMLSegmentationNode | None) -> Segmented:
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
