"""The pipeline, loaded when it is first needed and then kept. All computation without a scene is here, for threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.engines import TITLES
from ..core.errors import MethodError
from ..core.options import SegmentOptions
from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult
from ..core.results import AnyImage, AnyResult
from ..core.stopwatch import Progress
from ..core.volumes.result import VolumeBox, VolumeResult
from ..core.volumes.volume import Volume
from ..core.weights import MANIFEST, shipped_bundle

if TYPE_CHECKING:
    from ..core.pipeline import Pipeline

Roi = tuple[float, float, float, float]

LOADING = "loading the model"
"""The stage before those of the pipeline."""


class Engine:
    """Runs the method. It keeps one pipeline: that of the last model and device.

    A model that was trained again in the same folder is loaded again.

    It uses no scene. All methods may be called from a thread.

    Parameters
    ----------
    load : callable (folder, device, engine) -> Pipeline, optional
        Replaces ``core.loading.load_pipeline``.
    """

    def __init__(self, load: Callable[[Path | None, str, str], Pipeline] | None = None) -> None:
        self._load, self._lock = load, threading.Lock()
        self._kept: tuple[tuple[Path | None, str, str, bytes | None], Pipeline] | None = None

    def pipeline(self, options: SegmentOptions, progress: Progress | None = None) -> Pipeline:
        """The pipeline for a model and a device.

        Raises
        ------
        WeightsError, DeviceError, DependencyError
            As ``core.loading.load_pipeline``.
        """
        wanted = options.model, options.device, options.engine, _manifest_of(options.model)
        with self._lock:
            if self._kept is None or self._kept[0] != wanted:
                if progress is not None:
                    progress(LOADING)
                load = self._load
                if load is None:
                    from ..core.loading import load_pipeline

                    load = load_pipeline
                self._kept = wanted, load(options.model, options.device, options.engine)
            return self._kept[1]

    @property
    def device(self) -> str | None:
        """The device of the kept pipeline; None if there is none."""
        return None if self._kept is None else self._kept[1].device

    @property
    def computing(self) -> str | None:
        """The library and the device of the kept pipeline, as a text for users; None if there is no pipeline."""
        return None if self._kept is None else f"{self.device} ({TITLES[self._kept[1].engine]})"

    @property
    def device_note(self) -> str | None:
        """A note for the user on the choice of the device, such as a fall-back; None if there is none."""
        return None if self._kept is None else self._kept[1].device_note

    def segment(
        self, image: AnyImage, options: SegmentOptions, progress: Progress | None = None
    ) -> AnyResult:
        """Find and segment the objects of a radiograph or of a volume.

        Raises
        ------
        MethodError
            If the model takes the other kind of image.
        WeightsError, DeviceError, DependencyError
            As for :meth:`pipeline`.
        """
        kind = "volumes" if isinstance(image, Volume) else "radiographs"
        return self._of(kind, options, progress).segment(image, **options.of_segment, progress=progress)

    def segment_region(
        self, radiograph: Radiograph, roi: Roi, label: str, options: SegmentOptions, progress: Progress | None = None
    ) -> SegmentationResult:
        """Segment one object in a region drawn by hand, without the 2D detector.

        Parameters
        ----------
        roi : tuple of 4 float
            (x0, y0, x1, y1) in px.
        label : str
            Class of the object, one of the model's.

        Raises
        ------
        UnknownClassError
            If the class is none of the model's.
        WeightsError, DeviceError
            As for :meth:`pipeline`.
        """
        from ..core.editing import drawn_regions

        pipeline = self._of("radiographs", options, progress)
        if options.polarity == "auto":
            radiograph = pipeline.settle_polarity(radiograph)
        regions = drawn_regions(pipeline, radiograph, label, roi, options.method)
        return pipeline.segment_regions(
            radiograph,
            regions,
            method=options.method,
            clean_up=options.clean_up,
            exclusive=options.exclusive,
            progress=progress,
        )

    def add_region(
        self,
        result: SegmentationResult,
        roi: Roi,
        label: str,
        options: SegmentOptions,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """Add an object to a result, from a region drawn by hand; the other objects keep their pixels.

        Parameters
        ----------
        roi : tuple of 4 float
            (x0, y0, x1, y1) in px.

        Raises
        ------
        UnknownClassError, WeightsError, DeviceError
            As for :meth:`segment_region`.
        """
        from ..core.editing import with_object

        pipeline = self._of("radiographs", options, progress)
        return with_object(pipeline, result, label, roi, options.method, options.clean_up, progress)

    def replace_region(
        self,
        result: SegmentationResult,
        name: str,
        roi: Roi,
        options: SegmentOptions,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """Segment one object of a result again after its region was moved or drawn again; the others keep their pixels.

        Parameters
        ----------
        name : str
            Name of the object.
        roi : tuple of 4 float
            The new region, (x0, y0, x1, y1) in px.

        Raises
        ------
        KeyError
            If no object has this name.
        UnknownClassError
            If the object's class is none of the model's, because another model found it.
        WeightsError, DeviceError
            As for :meth:`pipeline`.
        """
        from ..core.editing import with_region

        pipeline = self._of("radiographs", options, progress)
        return with_region(pipeline, result, name, roi, options.clean_up, progress)


    def segment_box(
        self, volume: Volume, box: VolumeBox, label: str, options: SegmentOptions, progress: Progress | None = None
    ) -> VolumeResult:
        """Segment one object of a volume in a box drawn by hand. Errors as for ``VolumePipeline.segment_from_box``."""
        pipeline = self._of("volumes", options, progress)
        result: VolumeResult = pipeline.segment_from_box(volume, label, box, method=options.method, progress=progress)
        return result

    def replace_box(
        self,
        result: VolumeResult,
        name: str,
        box: VolumeBox,
        options: SegmentOptions,
        progress: Progress | None = None,
    ) -> VolumeResult:
        """Segment an object of a volume's result again after its box was dragged, or a missing label in a new box.

        Errors as for ``core.volumes.editing.with_box``; ``changed_names`` of that module lists the objects that
        changed.
        """
        from ..core.volumes.editing import with_box

        return with_box(self._of("volumes", options, progress), result, name, box, progress)

    def replace_slice_box(
        self,
        result: VolumeResult,
        name: str,
        box: VolumeBox,
        options: SegmentOptions,
        progress: Progress | None = None,
    ) -> VolumeResult:
        """Segment an object of a volume's result again with a box that was drawn in a single slice.

        Errors as for ``core.volumes.editing.with_slice_box``.
        """
        from ..core.volumes.editing import with_slice_box

        return with_slice_box(self._of("volumes", options, progress), result, name, box, progress)

    def _of(self, kind: str, options: SegmentOptions, progress: Progress | None) -> Any:
        """The pipeline, where it takes "radiographs", or "volumes"; MethodError where it takes the other."""
        pipeline: Any = self.pipeline(options, progress)
        takes = "volumes" if getattr(pipeline, "dimensions", 2) == 3 else "radiographs"
        if takes != kind:
            raise MethodError(f"The model {pipeline.model} takes {takes}, not {kind}; choose another model.")
        return pipeline


def _manifest_of(model: Path | None) -> bytes | None:
    """What a bundle says of its weights at this moment, their checksums among it; None where there is none."""
    try:
        return ((model or shipped_bundle()) / MANIFEST).read_bytes()
    except OSError:
        return None
