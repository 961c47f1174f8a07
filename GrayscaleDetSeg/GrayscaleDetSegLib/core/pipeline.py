"""The whole method: radiograph -> regions -> thresholds -> masks -> result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import boxes
from .assembly import Finding, assemble
from .clean_up import CleanUp
from .gray_image import GrayImage
from .orientation import Orientation, canonical
from .polarity_check import CONFIDENT, PolarityCheck
from .radiograph import Radiograph
from .regions import Regions
from .result import Candidate, SegmentationResult
from .single_box.detected import DetectedBox
from .single_box.detector import BoxDetector
from .stopwatch import Progress, Stopwatch
from .surfaces.detector import SurfaceDetector
from .surfaces.field import ThresholdField
from .yolo.detector import RoiDetector

METHODS = ("surfaces", "box")
"""What can turn a region into a mask: many boxes, each with its own thresholds, or the article's single one."""

CLEARLY = 1.1
"""Factor by which the stored grid's scores must exceed those of the view that its directions ask for."""


class Pipeline:
    """The trained stages, put together; ``loading.load_pipeline`` makes one of a model bundle.

    Each stage can be used alone: `find_regions`, then `segment_regions` with these or with regions drawn by hand.

    Parameters
    ----------
    roi_detector : RoiDetector or None
        Not needed for `segment_regions`.
    box_detector : BoxDetector
        Its box is reported whatever the method.
    polarity_check : PolarityCheck or None
    clean_up : CleanUp
    model : str
        Name and version of the bundle, for the record.
    device : str
    device_note : str or None
        What the user should know about the choice of device.
    surface_detector : SurfaceDetector or None
        Without it, and for classes that it does not know, the single box makes the mask.
    margin : float
        What the surfaces look at beyond a found region, on every side, as a share of its size.
    """

    def __init__(
        self,
        roi_detector: RoiDetector | None,
        box_detector: BoxDetector,
        polarity_check: PolarityCheck | None = None,
        clean_up: CleanUp | None = None,
        model: str = "",
        device: str = "cpu",
        device_note: str | None = None,
        surface_detector: SurfaceDetector | None = None,
        margin: float = 0.1,
    ) -> None:
        self.roi_detector, self.box_detector, self.polarity_check = roi_detector, box_detector, polarity_check
        self.clean_up, self.model = clean_up or CleanUp(), model
        self.device, self.device_note = device, device_note
        self.surface_detector, self.margin = surface_detector, margin

    @property
    def default_method(self) -> str:
        """``"surfaces"`` where the model has them, else ``"box"``."""
        return "box" if self.surface_detector is None else "surfaces"

    def segment(
        self,
        radiograph: Radiograph,
        *,
        method: str | None = None,
        clean_up: bool = True,
        score_threshold: float | None = None,
        check_polarity: bool = True,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """Everything: find the objects of a radiograph and segment them.

        Parameters
        ----------
        radiograph : Radiograph
        method : str or None
            One of `METHODS`; the default one if None.
        clean_up : bool
            False leaves the masks as the rule makes them (overlaps are settled all the same).
        score_threshold : float or None
            ROI score an object needs; the detector's own by default.
        check_polarity : bool
            Whether a picture that plainly looks inverted is turned over (a note then says so).
        progress : callable or None
            Called with the name of each stage as it starts.

        Raises
        ------
        ValueError
            If there is no such method.
        """
        method = self.checked_method(method)
        stopwatch = Stopwatch(progress)
        with stopwatch("polarity"):
            settled = self.settle_polarity(radiograph) if check_polarity else radiograph
        with stopwatch("regions"):
            regions = self.find_regions(settled, score_threshold)
            if settled is not radiograph and not regions.found:
                # a picture in which nothing is known, whichever way round, is no reason to doubt its file
                settled = radiograph
                regions = self.find_regions(settled, score_threshold)
        result = self.segment_regions(settled, regions, method=method, clean_up=clean_up, progress=progress)
        threshold = self.roi_detector.settings.score if score_threshold is None else score_threshold
        return replace(result, score_threshold=threshold, seconds={**stopwatch.seconds, **result.seconds})

    def settle_polarity(self, radiograph: Radiograph) -> Radiograph:
        """The radiograph, turned over if it plainly looks as if bone were dark, with a note that says so."""
        if self.polarity_check is None:
            return radiograph
        probability = self.polarity_check.inverted_probability(radiograph.gray_image().thinned()[0])
        if probability < CONFIDENT:
            return radiograph
        reason = f"the picture looks inverted (probability {probability:.3f}), whatever the file says"
        turned = radiograph.inverted(reason)
        return replace(turned, notes=(*turned.notes, f"Polarity turned over: {reason}."))

    def find_regions(self, radiograph: Radiograph, score_threshold: float | None = None) -> Regions:
        """The regions of interest, in px of the stored grid.

        A grid that the file's directions say is flipped or turned is looked at both as stored and as it would be
        hung. The second counts, as it is what the directions say, unless the first has clearly higher scores: files
        with wrong directions are common too.
        """
        gray, step = radiograph.gray_image().thinned()
        threshold = self.roi_detector.settings.score if score_threshold is None else score_threshold
        spacing = radiograph.geometry.spacing
        aspect = spacing[1] / spacing[0]
        outcomes = []
        for orientation in {Orientation(): None, canonical(radiograph.geometry): None}:
            seen_aspect = 1.0 / aspect if orientation.transpose else aspect
            candidates = self.roi_detector.candidates(orientation.view(gray), seen_aspect, threshold)
            passing = sum(item.score for item in candidates if item.score >= threshold)
            best = candidates[0].score if candidates else 0.0
            outcomes.append((passing, best, orientation, candidates))
        # where nothing passes, the best candidate decides, because it is named to the user
        stored, hung = outcomes[0], outcomes[-1]
        *_, orientation, candidates = stored if stored[:2] > (CLEARLY * hung[0], hung[1]) else hung
        candidates = [
            replace(item, roi=_enlarged(orientation.roi_to_stored(item.roi, gray.shape), step, radiograph.shape))
            for item in candidates
        ]
        found = tuple(item for item in candidates if item.score >= threshold)
        return Regions(found, candidates[0] if candidates else None, orientation)

    def segment_regions(
        self,
        radiograph: Radiograph,
        regions: Regions,
        *,
        method: str | None = None,
        clean_up: bool = True,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """From regions on: the thresholds of each, the masks, and the numbers that explain them.

        Parameters and errors as for :meth:`segment`.
        """
        method = self.checked_method(method)
        stopwatch = Stopwatch(progress)
        findings = self.detect(radiograph, regions, method, stopwatch)
        objects = assemble(radiograph, findings, self.clean_up if clean_up else None, stopwatch)
        return SegmentationResult(
            radiograph=radiograph,
            objects=objects,
            best_candidate=regions.best,
            score_threshold=self.roi_detector.settings.score if self.roi_detector else 0.0,
            clean_up=self.clean_up.steps() if clean_up else (),
            orientation="stored" if regions.orientation.is_identity else "canonical",
            device=self.device,
            seconds=stopwatch.seconds,
            model=self.model,
        )

    def detect(
        self, radiograph: Radiograph, regions: Regions, method: str, stopwatch: Stopwatch | None = None
    ) -> list[Finding]:
        """The single box of every region, and the thresholds by which `method` makes its mask."""
        stopwatch, gray = stopwatch or Stopwatch(), radiograph.gray_image()
        with stopwatch("boxes"):
            found = [self._detect_box(gray, region, regions.orientation) for region in regions.found]
        fields = [ThresholdField.uniform(item.roi, box.box[2], box.box[5]) for item, box in zip(regions.found, found)]
        methods = ["box"] * len(fields)
        if method == "surfaces" and self.surface_detector is not None:
            with stopwatch("surfaces"):
                known = [i for i, region in enumerate(regions.found) if self.surface_detector.knows(region.label)]
                for index, field in zip(known, self._detect_fields(gray, regions, known)):
                    fields[index], methods[index] = field, "surfaces"
        return [Finding(*parts) for parts in zip(regions.found, found, methods, fields)]

    def checked_method(self, method: str | None) -> str:
        """A method by its name, the default one for None; ValueError if there is no such method."""
        method = self.default_method if method is None else method
        if method not in METHODS:
            raise ValueError(f"There is no method '{method}': choose one of {', '.join(METHODS)}.")
        return method

    def _detect_fields(self, gray: GrayImage, regions: Regions, which: list[int]) -> list[ThresholdField]:
        """The surfaces of some regions; like the boxes, they are looked for in the view the regions were found in."""
        chosen = [regions.found[index] for index in which]
        margins = [0.0 if region.drawn else self.margin for region in chosen]
        rois = [tuple(boxes.grown(region.roi, margin, gray.shape)) for region, margin in zip(chosen, margins)]
        labels = [region.label for region in chosen]
        if regions.orientation.is_identity:
            return self.surface_detector.detect_all(gray, rois, labels)
        fields = []
        for roi, label in zip(rois, labels):
            seen, whole, window = _seen(gray, roi, regions.orientation)
            field = self.surface_detector.detect(seen, whole, label)
            stored = (regions.orientation.stored(surface) for surface in (field.low, field.high))
            fields.append(ThresholdField(window, *stored))
        return fields

    def _detect_box(self, gray: GrayImage, region: Candidate, orientation: Orientation) -> DetectedBox:
        """The 3D box of a region; the network sees the view that the region was found in."""
        if orientation.is_identity:
            return self.box_detector.detect(gray, region.roi, region.label)
        seen, whole, _ = _seen(gray, region.roi, orientation)
        item = self.box_detector.detect(seen, whole, region.label)
        across = np.asarray(region.roi)
        proposal, box = (boxes.extrude(across, part[2], part[5]) for part in (item.proposal, item.box))
        return replace(item, proposal=tuple(map(float, proposal)), box=tuple(map(float, box)))


def _seen(gray: GrayImage, roi: tuple[float, ...], orientation: Orientation):
    """The pixels of a ROI in another view, their whole extent there, and the same extent in the stored grid."""
    rows, columns = boxes.pixel_slices(roi, gray.shape)
    seen = GrayImage(orientation.view(gray.pixels[rows, columns]), gray.mapping)
    window = tuple(map(float, (columns.start, rows.start, columns.stop, rows.stop)))
    return seen, (0.0, 0.0, float(seen.shape[1]), float(seen.shape[0])), window


def _enlarged(roi: tuple[float, ...], step: int, shape: tuple[int, int]) -> tuple[float, ...]:
    """A ROI in px of the thinned image in px of the radiograph of `shape`."""
    return roi if step == 1 else tuple(map(float, boxes.clip(np.asarray(roi) * step, shape)))
