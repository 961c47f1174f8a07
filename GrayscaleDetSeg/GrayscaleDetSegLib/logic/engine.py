"""The pipeline, loaded when it is first needed and kept; all that computes without a scene, so that threads can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.engines import TITLES
from ..core.options import SegmentOptions
from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult
from ..core.stopwatch import Progress
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
        self, radiograph: Radiograph, options: SegmentOptions, progress: Progress | None = None
    ) -> SegmentationResult:
        """Find the objects of a radiograph and segment them; errors as :meth:`pipeline`."""
        return self.pipeline(options, progress).segment(
            radiograph,
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

        pipeline = self.pipeline(options, progress)
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

        pipeline = self.pipeline(options, progress)
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

        return with_region(self.pipeline(options, progress), result, name, roi, options.clean_up, progress)


def _manifest_of(model: Path | None) -> bytes | None:
    """What a bundle says of its weights at this moment, their checksums among it; None where there is none."""
    try:
        return ((model or shipped_bundle()) / MANIFEST).read_bytes()
    except OSError:
        return None
