"""The whole way: radiograph -> regions -> masks by a method -> objects -> result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from . import boxes, crowds, sides
from .assembly import assemble
from .clean_up import CleanUp
from .doubles import without_doubles
from .errors import MethodError, UnknownClassError
from .exclusive import made_exclusive
from .labels import of_class
from .marker_notes import with_markers
from .methods.base import Method
from .methods.checks import checked
from .methods.registry import check_method
from .noise import smoothing_for
from .orientation import Orientation
from .overlaps import EXCLUSIVE, Overlaps
from .polarity_check import CONFIDENT, DOUBTFUL, PolarityCheck
from .radiograph import Radiograph, Spacing
from .regions import RegionMask, RegionProposal, Regions
from .result import SegmentationResult
from .stopwatch import Progress, Stopwatch
from .types import Box2D
from .yolo.detector import RoiDetector

LEAST_SIDE = 32
"""px that an image needs on its shorter side for anything to be known in it."""
CLEARLY = 1.5
"""Factor by which the stored grid's scores must exceed those of the view that its directions ask for."""


class Pipeline:
    """The trained stages, put together; ``loading.load_pipeline`` makes one of a model bundle.

    Each stage can be used alone: `find_regions`, then `segment_regions` with these or with regions drawn by hand.

    Parameters
    ----------
    roi_detector : RoiDetector or None
        Not needed for `segment_regions`.
    methods : mapping of str to Method
        What can turn a region into a mask, by name; the first is the model's own. A plain list will do.
    polarity_check : PolarityCheck or None
    clean_up : CleanUp
    model : str
        Name and version of the bundle, for the record.
    device : str
    device_note : str or None
        What the user should know about the choice of device.
    overlaps : Overlaps
        Which of its objects may share pixels.
    engine : str
        What computes the networks: ``"numpy"`` or ``"torch"``.
    """

    def __init__(
        self,
        roi_detector: RoiDetector | None,
        methods: Mapping[str, Method] | Sequence[Method],
        polarity_check: PolarityCheck | None = None,
        clean_up: CleanUp | None = None,
        model: str = "",
        device: str = "cpu",
        device_note: str | None = None,
        overlaps: Overlaps = EXCLUSIVE,
        engine: str = "numpy",
    ) -> None:
        self.roi_detector: RoiDetector = roi_detector  # type: ignore[assignment]  # None only without find_regions
        self.polarity_check = polarity_check
        self.methods = methods if isinstance(methods, Mapping) else {method.name: method for method in methods}
        self.clean_up, self.model = clean_up or CleanUp(), model
        self.device, self.device_note, self.overlaps, self.engine = device, device_note, overlaps, engine

    @property
    def default_method(self) -> str:
        """The model's own method: the first that it has."""
        return next(iter(self.methods))

    def segment(
        self,
        radiograph: Radiograph,
        *,
        method: str | None = None,
        clean_up: bool = True,
        score_threshold: float | None = None,
        check_polarity: bool = True,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """Everything: find the objects of a radiograph and segment them.

        Parameters
        ----------
        radiograph : Radiograph
        method : str or None
            The name of one of `methods`. With None the model's own makes the masks, and for a class that it does not
            know the next one that does.
        clean_up : bool
            False leaves the masks as the method makes them (overlaps are settled all the same).
        score_threshold : float or None
            ROI score an object needs; the detector's own by default.
        check_polarity : bool
            Whether a picture that plainly looks inverted is turned over (a note then says so).
        exclusive : bool
            Whether every pixel has one object at most: the more confident one, see ``core.exclusive``.
        progress : callable or None
            Called with the name of each stage as it starts.

        Raises
        ------
        MethodError
            If the model has no such method, or the method is at fault.
        """
        self.check_method(method)
        stopwatch = Stopwatch(progress)
        with stopwatch("polarity"):
            is_known = check_polarity and min(radiograph.shape) >= LEAST_SIDE
            settled = self.settle_polarity(radiograph) if is_known else radiograph
        with stopwatch("regions"):
            regions = self.find_regions(settled, score_threshold)
            if settled.polarity != radiograph.polarity and not regions.found:
                # a picture in which nothing is known, whichever way round, is no reason to doubt its file
                settled = radiograph
                regions = self.find_regions(settled, score_threshold)
        result = self.segment_regions(
            settled, regions, method=method, clean_up=clean_up, exclusive=exclusive, progress=progress
        )
        threshold = self.roi_detector.settings.score if score_threshold is None else score_threshold
        return replace(result, score_threshold=threshold, seconds={**stopwatch.seconds, **result.seconds})

    def settle_polarity(self, radiograph: Radiograph) -> Radiograph:
        """The radiograph, turned over if it plainly looks as if bone were dark, and a note that says so; a note alone
        where it may be so."""
        if self.polarity_check is None:
            return radiograph
        probability = self.polarity_check.inverted_probability(
            radiograph.upright.view_of(radiograph.gray_image()).thinned()[0]
        )
        if probability < DOUBTFUL:
            return radiograph
        if probability < CONFIDENT:
            note = f"Polarity is not certain: the picture may be inverted (probability {probability:.2f}), so check it."
            return replace(radiograph, notes=(*radiograph.notes, note))
        reason = f"the picture looks inverted (probability {probability:.3f}), whatever the file says"
        turned = radiograph.inverted(reason)
        return replace(turned, notes=(*turned.notes, f"Polarity turned over: {reason}."))

    def find_regions(self, radiograph: Radiograph, score_threshold: float | None = None) -> Regions:
        """The regions of interest, in px of the stored grid.

        A grid that the file's tags or directions say is flipped or turned is looked at both as stored and as it would
        be hung. The second counts, as it is what the file says, unless the first has clearly higher scores: files
        with wrong tags and directions are common too. Sides are as the tags say, see ``sides``.
        """
        if min(radiograph.shape) < LEAST_SIDE:
            return Regions((), None, Orientation(), (_too_small(radiograph.shape),))
        image = radiograph.gray_image()
        threshold = self.roi_detector.settings.score if score_threshold is None else score_threshold
        column, row, _ = radiograph.geometry.spacing
        aspect = row / column if Spacing(row, column, "").is_plausible else 1.0
        outcomes = []
        for orientation in {Orientation(): None, radiograph.upright: None}:
            seen_aspect = 1.0 / aspect if orientation.transpose else aspect
            gray, step = orientation.view_of(image).thinned()
            candidates = self.roi_detector.candidates(gray, seen_aspect, threshold)
            passing = sum(item.score for item in candidates if item.score >= threshold)
            best = candidates[0].score if candidates else 0.0
            outcomes.append((passing, best, orientation, candidates, gray))
        # where nothing passes, the best candidate decides, because it is named to the user
        stored, hung = outcomes[0], outcomes[-1]
        *_, orientation, candidates, gray = stored if stored[:2] > (CLEARLY * hung[0], hung[1]) else hung
        seen_shape = radiograph.shape[::-1] if orientation.transpose else radiograph.shape
        candidates = [
            replace(item, roi=Box2D(*orientation.roi_to_stored(roi, radiograph.shape)))
            for item, roi in ((item, _enlarged(item.roi, step, seen_shape)) for item in candidates)
        ]
        found = tuple(item for item in candidates if item.score >= threshold)
        notes = _view_notes(radiograph, orientation) if found else ()
        regions = Regions(found, candidates[0] if candidates else None, orientation, notes)
        return with_markers(sides.settled(regions, radiograph, candidates), radiograph, gray, step)

    def segment_regions(
        self,
        radiograph: Radiograph,
        regions: Regions,
        *,
        method: str | None = None,
        clean_up: bool = True,
        exclusive: bool = False,
        progress: Progress | None = None,
    ) -> SegmentationResult:
        """From regions on: a mask for each by a method, overlaps settled, cleaned up, and made an object.

        Parameters and errors as for :meth:`segment`.
        """
        self.check_method(method)
        stopwatch = Stopwatch(progress)
        parts, notes = self.masks_of(radiograph, regions, method, stopwatch)
        parts = self._crowds_settled(radiograph, parts, regions, method, stopwatch)
        parts, doubles = without_doubles(parts, radiograph.shape)
        notes += doubles
        deviation = smoothing_for(radiograph.noise)
        if deviation:
            notes += (f"The image is noisy ({radiograph.noise:.0f} gray levels): smoothed by {deviation:.1f} px.",)
        objects = assemble(radiograph, parts, self.clean_up if clean_up else None, stopwatch, self.overlaps)
        result = SegmentationResult(
            radiograph=radiograph,
            objects=objects,
            best_candidate=regions.best,
            score_threshold=self.roi_detector.settings.score if self.roi_detector else 0.0,
            clean_up=self.clean_up.steps() if clean_up else (),
            orientation=_view_name(radiograph, regions.orientation),
            turn=regions.orientation,
            device=self.device,
            seconds=stopwatch.seconds,
            model=self.model,
            notes=(*regions.notes, *notes),
            overlaps=self.overlaps,
        )
        return made_exclusive(result) if exclusive else result

    def masks_of(
        self, radiograph: Radiograph, regions: Regions, method: str | None = None, stopwatch: Stopwatch | None = None
    ) -> tuple[list[RegionMask], tuple[str, ...]]:
        """The masks of all regions by a method, and one sentence for each class that it does not know.

        Parameters and errors as for :meth:`segment`. Regions of classes that no method knows, or not the one that was
        asked for, are left out.
        """
        stopwatch = stopwatch or Stopwatch()
        chosen = [self._method_for(region.label, method) for region in regions.found]
        found: dict[int, RegionMask] = {}
        for name in dict.fromkeys(each for each in chosen if each is not None):
            which = [index for index, each in enumerate(chosen) if each == name]
            asked = [self._as_known(regions.found[index], name) for index in which]
            own = replace(regions, found=tuple(asked))
            parts = checked(name, self.methods[name].segment(radiograph, own, stopwatch), own.found, radiograph)
            found.update((index, replace(part, region=regions.found[index])) for index, part in zip(which, parts))
        unknown = dict.fromkeys(region.label for region, name in zip(regions.found, chosen) if name is None)
        notes = tuple(f"Left out is {label}: {self._ignorance(method)} does not know it." for label in unknown)
        return [found[index] for index in sorted(found)], notes

    def _crowds_settled(
        self,
        radiograph: Radiograph,
        parts: list[RegionMask],
        regions: Regions,
        method: str | None,
        stopwatch: Stopwatch,
    ) -> list[RegionMask]:
        """The parts, those of classes that stand in rows by a second look, see ``crowds``."""
        settings = getattr(self.roi_detector, "settings", None)
        if settings is None or not settings.shared:
            return parts

        def again(moved: Sequence[RegionProposal]) -> list[RegionMask]:
            return self.masks_of(radiograph, replace(regions, found=tuple(moved)), method, stopwatch)[0]

        return crowds.settled(parts, radiograph.shape, settings.shared, again)

    def mask_of(
        self, radiograph: Radiograph, regions: Regions, method: str | None = None, stopwatch: Stopwatch | None = None
    ) -> RegionMask:
        """The mask of a single region, as :meth:`masks_of`.

        Raises
        ------
        UnknownClassError
            If the method does not know its class.
        """
        parts, _ = self.masks_of(radiograph, regions, method, stopwatch)
        if not parts:
            raise UnknownClassError(
                f"{self._ignorance(method)[:1].upper()}{self._ignorance(method)[1:]} does not know "
                f"'{regions.found[0].label}': choose another method or model to look for it."
            )
        return parts[0]

    def check_method(self, method: str | None) -> None:
        """See to it that the model has a method; None is always there.

        Raises
        ------
        MethodError
            If there is none with this name.
        """
        check_method(method, self.methods, self.model)

    def check_class(self, label: str, method: str | None = None) -> None:
        """See to it that a method, or one of the model's, knows a class.

        Raises
        ------
        UnknownClassError
            If none does.
        MethodError
            If the model has no such method.
        """
        self.check_method(method)
        if self._method_for(label, method) is None:
            known = ", ".join(self.methods[self.default_method if method is None else method].classes)
            who = self._ignorance(method)
            raise UnknownClassError(f"{who[:1].upper()}{who[1:]} does not know '{label}': choose one of {known}.")

    def _method_for(self, label: str, method: str | None) -> str | None:
        """The method that makes the mask of a class; None where it is not known."""
        for name in self.methods if method is None else (method,):
            try:
                if of_class(label, self.methods[name].classes) is not None:
                    return name
            except MethodError:  # a package of somebody else that is broken: the others go on
                if method is not None or name == self.default_method:
                    raise
        return None

    def _as_known(self, region: RegionProposal, method: str) -> RegionProposal:
        """The region under the class by which a method knows it: for a lung without a side, one with a side."""
        label = of_class(region.label, self.methods[method].classes)
        return region if label in (None, region.label) else replace(region, label=label)

    def _ignorance(self, method: str | None) -> str:
        return f"the model {self.model}" if method is None else f"the method '{method}' of the model {self.model}"


def _too_small(shape: tuple[int, int]) -> str:
    return (f"The image has {shape[1]} x {shape[0]} pixels, too few to know anything in it: at least {LEAST_SIDE} on "
            f"each side are needed.")  # fmt: skip


def _view_name(radiograph: Radiograph, orientation: Orientation) -> str:
    if orientation.is_identity:
        return "stored"
    return "canonical" if radiograph.lie.turn is None else "upright"


def _view_notes(radiograph: Radiograph, orientation: Orientation) -> tuple[str, ...]:
    """How the picture was looked at, where that is not as stored or not as its file says."""
    by = radiograph.lie.said_by or "the file's directions"
    if orientation != radiograph.upright:
        return (f"Looked at {orientation.words}, where much more was found than {radiograph.upright.words} as {by} "
                f"{'says' if radiograph.lie.said_by else 'say'}: check them.",)  # fmt: skip
    if orientation.is_identity:
        return ()
    return (f"Looked at {orientation.words}, as {by} {'says' if radiograph.lie.said_by else 'say'}; masks and boxes "
            f"lie on the stored grid.",)  # fmt: skip


def _enlarged(roi: tuple[float, ...], step: int, shape: tuple[int, int]) -> Box2D:
    """A ROI in px of the thinned image in px of the radiograph of `shape`."""
    return Box2D(*(roi if step == 1 else map(float, boxes.clip(np.asarray(roi) * step, shape))))
