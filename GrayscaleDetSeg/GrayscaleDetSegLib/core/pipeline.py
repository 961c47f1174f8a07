"""The whole way: radiograph -> regions -> masks by a method -> objects -> result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from . import crowds, region_finding
from .assembly import finish
from .exclusive import made_exclusive
from .methods.base import Method
from .methods.choice import MethodChoice
from .overlaps import EXCLUSIVE, Overlaps
from .polarity_check import PolarityCheck
from .post_processing import PostProcessing
from .radiograph import Radiograph
from .regions import RegionMask, RegionProposal, Regions
from .result import SegmentationResult
from .stopwatch import Progress, Stopwatch
from .yolo.detector import RoiDetector


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
    clean_up : PostProcessing
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
        clean_up: PostProcessing | None = None,
        model: str = "",
        device: str = "cpu",
        device_note: str | None = None,
        overlaps: Overlaps = EXCLUSIVE,
        engine: str = "numpy",
    ) -> None:
        self.roi_detector: RoiDetector = roi_detector  # type: ignore[assignment]  # None only without find_regions
        self.polarity_check = polarity_check
        self.methods = methods if isinstance(methods, Mapping) else {method.name: method for method in methods}
        self.clean_up, self.model = clean_up or PostProcessing(), model
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
            Whether every pixel has one object at most, see ``core.exclusive``.
        progress : callable or None
            Called with the name of each stage as it starts.

        Raises
        ------
        MethodError
            If the model has no such method, or the method is at fault.
        """
        choice, stopwatch = MethodChoice(self.methods, self.model, method), Stopwatch(progress)
        threshold = self._threshold(score_threshold)
        check = self.polarity_check if check_polarity else None
        settled, regions = region_finding.find(radiograph, self.roi_detector, threshold, check, stopwatch)
        result = self._segmented(settled, regions, choice, clean_up, exclusive, stopwatch)
        return replace(result, score_threshold=threshold)

    def settle_polarity(self, radiograph: Radiograph) -> Radiograph:
        """The radiograph, bone bright by the picture, see ``region_finding.settled_polarity``."""
        return region_finding.settled_polarity(radiograph, self.polarity_check)

    def find_regions(self, radiograph: Radiograph, score_threshold: float | None = None) -> Regions:
        """The regions of interest, in px of the stored grid, see ``region_finding.find_regions``."""
        return region_finding.find_regions(radiograph, self.roi_detector, self._threshold(score_threshold))

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
        choice = MethodChoice(self.methods, self.model, method)
        return self._segmented(radiograph, regions, choice, clean_up, exclusive, Stopwatch(progress))

    def _segmented(
        self,
        radiograph: Radiograph,
        regions: Regions,
        choice: MethodChoice,
        clean_up: bool,
        exclusive: bool,
        stopwatch: Stopwatch,
    ) -> SegmentationResult:
        parts, unknown = choice.masks(radiograph, regions, stopwatch)
        parts = self._second_look(radiograph, parts, regions, choice, stopwatch)
        alongside = self.roi_detector.settings.alongside if self.roi_detector else ()
        cleaner = self.clean_up if clean_up else None
        is_drawn = bool(regions.found) and all(region.drawn for region in regions.found)
        objects, notes = finish(radiograph, parts, cleaner, stopwatch, self.overlaps, alongside)
        result = SegmentationResult(
            radiograph=radiograph,
            objects=objects,
            best_candidate=regions.best,
            score_threshold=self.roi_detector.settings.score if self.roi_detector and not is_drawn else 0.0,
            clean_up=self.clean_up.steps() if clean_up else (),
            orientation=regions.view_name(radiograph),
            turn=regions.orientation,
            device=self.device,
            seconds=stopwatch.seconds,
            model=self.model,
            notes=(*regions.notes, *unknown, *notes),
            overlaps=self.overlaps,
        )
        return made_exclusive(result) if exclusive else result

    def _second_look(
        self,
        radiograph: Radiograph,
        parts: list[RegionMask],
        regions: Regions,
        choice: MethodChoice,
        stopwatch: Stopwatch,
    ) -> list[RegionMask]:
        """The parts, those of classes that stand in rows and those with loose regions by a second look: ``crowds``."""
        settings = self.roi_detector.settings if self.roi_detector else None
        if settings is None or not (settings.shared or settings.loose):
            return parts

        def again(moved: Sequence[RegionProposal]) -> list[RegionMask]:
            return choice.masks(radiograph, replace(regions, found=tuple(moved)), stopwatch)[0]

        return crowds.settled(parts, radiograph.shape, settings.shared, again, settings.loose)

    def masks_of(
        self, radiograph: Radiograph, regions: Regions, method: str | None = None, stopwatch: Stopwatch | None = None
    ) -> tuple[list[RegionMask], tuple[str, ...]]:
        """The masks of all regions by a method, and one sentence for each class that it does not know.

        Parameters and errors as for :meth:`segment`. Regions of classes that no method knows, or not the one that was
        asked for, are left out.
        """
        return MethodChoice(self.methods, self.model, method).masks(radiograph, regions, stopwatch or Stopwatch())

    def mask_of(
        self, radiograph: Radiograph, regions: Regions, method: str | None = None, stopwatch: Stopwatch | None = None
    ) -> RegionMask:
        """The mask of a single region, as :meth:`masks_of`; UnknownClassError if the method does not know its class."""
        return MethodChoice(self.methods, self.model, method).mask(radiograph, regions, stopwatch or Stopwatch())

    def check_method(self, method: str | None) -> None:
        """See to it that the model has a method; None is always there. MethodError if there is none with this name."""
        MethodChoice(self.methods, self.model, method)

    def check_class(self, label: str, method: str | None = None) -> None:
        """See to it that a method, or one of the model's, knows a class.

        Raises
        ------
        UnknownClassError
            If none does.
        MethodError
            If the model has no such method.
        """
        MethodChoice(self.methods, self.model, method).check_class(label)

    def _threshold(self, asked: float | None) -> float:
        """The score that a region needs."""
        return self.roi_detector.settings.score if asked is None else asked
