"""The pipeline, loaded when it is first needed and kept; all that computes without a scene, so that threads can."""

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
    """Runs the method. One pipeline is kept: that of the model and the device asked for last.

    A model that has been trained anew in its place is another one, and is loaded anew.

    Nothing here knows a scene; all methods may be called from a thread.

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
        """What the kept pipeline computes on; None before there is one."""
        return None if self._kept is None else self._kept[1].device

    @property
    def computing(self) -> str | None:
        """What the kept pipeline computes with, and on what, for people; None before there is one."""
        return None if self._kept is None else f"{self.device} ({TITLES[self._kept[1].engine]})"

    @property
    def device_note(self) -> str | None:
        """What the user should know about the choice of the device, such as a fall-back."""
        return None if self._kept is None else self._kept[1].device_note

    def segment(
        self, image: AnyImage, options: SegmentOptions, progress: Progress | None = None
    ) -> AnyResult:
        """Find the objects of a radiograph, or of a volume, and segment them; errors as :meth:`pipeline`.

        Raises
        ------
        MethodError
            Also if the image is of another kind than the model takes.
        """
        kind = "volumes" if isinstance(image, Volume) else "radiographs"
        return self._of(kind, options, progress).segment(
            image,
            method=options.method,
            clean_up=options.clean_up,
            score_threshold=options.score_threshold,
            check_polarity=options.polarity == "auto",  # an order of the user's is not second-guessed
            exclusive=options.exclusive,
            progress=progress,
        )

    def segment_region(
        self, radiograph: Radiograph, roi: Roi, label: str, options: SegmentOptions, progress: Progress | None = None
    ) -> SegmentationResult:
        """Segment one object in a region drawn by hand; the 2D detector is not asked.

        Parameters
        ----------
        roi : tuple of 4 float
            (x0, y0, x1, y1) in px.
        label : str
            Class of the object, one of the model's.

        Raises
        ------
        UnknownClassError
            If the model does not know the class.
        WeightsError, DeviceError
            As :meth:`pipeline`.
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
        """A result with one more object, from a region drawn by hand; the others keep their pixels.

        Raises
        ------
        UnknownClassError, WeightsError, DeviceError
            As :meth:`segment_region`.
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
        """A result after the region of one object was moved or drawn anew; the others keep their pixels.

        Raises
        ------
        KeyError
            If no object has this name.
        UnknownClassError
            If the model does not know the object's class, because another one has made it.
        WeightsError, DeviceError
            As :meth:`pipeline`.
        """
        from ..core.editing import with_region

        pipeline = self._of("radiographs", options, progress)
        return with_region(pipeline, result, name, roi, options.clean_up, progress)


    def segment_box(
        self, volume: Volume, box: VolumeBox, label: str, options: SegmentOptions, progress: Progress | None = None
    ) -> VolumeResult:
        """Segment one object of a volume from a box given by hand; errors as ``VolumePipeline.segment_from_box``."""
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
        """A result of a volume after the box of one object was dragged, or drawn for a label that it lacks.

        Errors as ``core.volumes.editing.with_box``; what has changed, ``changed_names`` there says.
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
        """A result of a volume after a box of one object was drawn in a single slice.

        Errors as ``core.volumes.editing.with_slice_box``.
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
