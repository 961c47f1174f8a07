"""The whole method: radiograph -> regions -> boxes -> masks -> result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from . import boxes
from .box_detector import BoxDetector, DetectedBox
from .mask import CleanUp, rule_mask, settle_overlaps, stability
from .orientation import Orientation, canonical
from .polarity_check import CONFIDENT, PolarityCheck
from .radiograph import Radiograph
from .result import Candidate, SegmentationResult, SegmentedObject
from .yolo.detector import RoiDetector

Progress = Callable[[str], None]

CLEARLY = 1.1
"""Factor by which the stored grid's scores must exceed those of the view that its directions ask for."""


@dataclass(frozen=True)
class Regions:
    """The outcome of the 2D stage: what passed, the best of all, and the view it was found in."""

    found: tuple[Candidate, ...]
    best: Candidate | None
    orientation: Orientation


class Pipeline:
    """The trained stages, put together; ``loading.load_pipeline`` makes one of a model bundle.

    Each stage can be used alone: `find_regions`, then `segment_regions` with these or with regions drawn by hand.

    Parameters
    ----------
    roi_detector : RoiDetector or None
        Not needed for `segment_regions`.
    box_detector : BoxDetector
    polarity_check : PolarityCheck or None
    clean_up : CleanUp
    model : str
        Name and version of the bundle, for the record.
    device : str
    device_note : str or None
        What the user should know about the choice of device.
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
    ) -> None:
        self.roi_detector, self.box_detector, self.polarity_check = roi_detector, box_detector, polarity_check
        self.clean_up, self.model = clean_up or CleanUp(), model
        self.device, self.device_note = device, device_note

    def segment(
        self,
        radiograph: Radiograph,
        *,
        clean_up: bool = True,
        score_threshold: float | None = None,
        check_polarity: bool = True,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """Everything: find the objects of a radiograph and segment them.

        Parameters
        ----------
        radiograph : Radiograph
        clean_up : bool
            False leaves the masks as the box rule makes them (overlaps are settled all the same).
        score_threshold : float or None
            ROI score an object needs; the detector's own by default.
        check_polarity : bool
            Whether a picture that plainly looks inverted is turned over (a note then says so).
        progress : callable or None
            Called with the name of each stage as it starts.
        """
        seconds: dict[str, float] = {}
        with _timed("polarity", seconds, progress):
            gray = as_read = radiograph.gray()
            settled = self.settle_polarity(radiograph, gray) if check_polarity else radiograph
            if settled is not radiograph:
                gray = settled.gray()
        with _timed("regions", seconds, progress):
            regions = self.find_regions(settled, gray, score_threshold)
            if settled is not radiograph and not regions.found:
                # a picture in which nothing is known, whichever way round, is no reason to doubt its file
                settled, gray = radiograph, as_read
                regions = self.find_regions(settled, gray, score_threshold)
        radiograph = settled
        result = self.segment_regions(radiograph, regions, gray=gray, clean_up=clean_up, progress=progress)
        threshold = self.roi_detector.settings.score if score_threshold is None else score_threshold
        return replace(result, score_threshold=threshold, seconds={**seconds, **result.seconds})

    def settle_polarity(self, radiograph: Radiograph, gray: np.ndarray | None = None) -> Radiograph:
        """The radiograph, turned over if it plainly looks as if bone were dark, with a note that says so."""
        if self.polarity_check is None:
            return radiograph
        gray = radiograph.gray() if gray is None else gray
        probability = self.polarity_check.inverted_probability(gray)
        if probability < CONFIDENT:
            return radiograph
        reason = f"the picture looks inverted (probability {probability:.3f}), whatever the file says"
        turned = radiograph.inverted(reason)
        return replace(turned, notes=(*turned.notes, f"Polarity turned over: {reason}."))

    def find_regions(
        self, radiograph: Radiograph, gray: np.ndarray | None = None, score_threshold: float | None = None
    ) -> Regions:
        """The regions of interest, in px of the stored grid.

        A grid that the file's directions say is flipped or turned is looked at both as stored and as it would be
        hung. The second counts, as it is what the directions say, unless the first has clearly higher scores: files
        with wrong directions are common too.
        """
        gray = radiograph.gray() if gray is None else gray
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
            replace(item, roi=orientation.roi_to_stored(item.roi, radiograph.shape)) for item in candidates
        ]
        found = tuple(item for item in candidates if item.score >= threshold)
        return Regions(found, candidates[0] if candidates else None, orientation)

    def segment_regions(
        self,
        radiograph: Radiograph,
        regions: Regions,
        *,
        gray: np.ndarray | None = None,
        clean_up: bool = True,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """From regions on: the box of each, the masks, and the numbers that explain them."""
        seconds: dict[str, float] = {}
        gray = radiograph.gray() if gray is None else gray
        with _timed("boxes", seconds, progress):
            detected = [self._detect_box(gray, region, regions.orientation) for region in regions.found]
        with _timed("masks", seconds, progress):
            rois = [region.roi for region in regions.found]
            intervals = [(item.box[2], item.box[5]) for item in detected]
            ruled = [rule_mask(radiograph, roi, *interval) for roi, interval in zip(rois, intervals)]
            masks = settle_overlaps(ruled, rois, radiograph.shape)
        if clean_up:
            with _timed("clean-up", seconds, progress):
                masks = [self.clean_up.apply(mask, region.label) for mask, region in zip(masks, regions.found)]
                masks = without_overlaps(masks)
        names = unique_names([region.label for region in regions.found])
        objects = []
        for name, region, item, interval, mask, rule in zip(names, regions.found, detected, intervals, masks, ruled):
            mask.flags.writeable = False
            units = radiograph.mapping.interval_to_units(*interval)
            objects.append(
                SegmentedObject(
                    name=name,
                    label=region.label,
                    roi_score=region.score,
                    roi=region.roi,
                    proposal=item.proposal,
                    box=item.box,
                    box_score=item.score,
                    interval_units=units,
                    interval_file=radiograph.polarity.interval_to_file(*units),
                    mask=mask,
                    rule_pixel_count=int(np.count_nonzero(rule)),
                    area_mm2=radiograph.spacing and float(np.count_nonzero(mask)) * radiograph.spacing.pixel_area,
                    stability=stability(gray[boxes.pixel_slices(region.roi, gray.shape)], *interval),
                )
            )
        return SegmentationResult(
            radiograph=radiograph,
            objects=tuple(objects),
            best_candidate=regions.best,
            score_threshold=self.roi_detector.settings.score if self.roi_detector else 0.0,
            clean_up=self.clean_up.steps() if clean_up else (),
            orientation="stored" if regions.orientation.is_identity else "canonical",
            device=self.device,
            seconds=seconds,
            model=self.model,
        )

    def _detect_box(self, gray: np.ndarray, region: Candidate, orientation: Orientation) -> DetectedBox:
        """The 3D box of a region; the network sees the view that the region was found in."""
        if orientation.is_identity:
            return self.box_detector.detect(gray, region.roi, region.label)
        window = boxes.pixel_slices(region.roi, gray.shape)
        seen = orientation.view(gray[window])
        item = self.box_detector.detect(seen, (0.0, 0.0, float(seen.shape[1]), float(seen.shape[0])), region.label)
        across = np.asarray(region.roi)
        proposal, box = (boxes.extrude(across, part[2], part[5]) for part in (item.proposal, item.box))
        return replace(item, proposal=tuple(map(float, proposal)), box=tuple(map(float, box)))


def unique_names(labels: list[str]) -> list[str]:
    """Names for objects in order: the label, with a number from the second of a class on."""
    counts: dict[str, int] = {}
    names = []
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
        names.append(label if counts[label] == 1 else f"{label} {counts[label]}")
    return names


def without_overlaps(masks: list[np.ndarray]) -> list[np.ndarray]:
    """The masks with pixels that an earlier one holds taken out (filled holes can reach into a neighbour)."""
    if not masks:
        return masks
    taken, disjoint = np.zeros_like(masks[0]), []
    for mask in masks:
        disjoint.append(mask & ~taken)
        taken |= mask
    return disjoint


@contextmanager
def _timed(stage: str, seconds: dict[str, float], progress: Progress | None) -> Iterator[None]:
    if progress is not None:
        progress(stage)
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
