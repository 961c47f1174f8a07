"""The whole way for volumes: window, working grid, a method, and the masks back in the grid of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..devices import resolve_device
from ..engines import need_of_torch, torch_is_there
from ..errors import DependencyError, DeviceError, MethodError, WeightsError
from ..loading import ModelMethods
from ..methods.registry import check_method
from ..methods.volumetric import Found, VolumeMethod
from ..stopwatch import Progress, Stopwatch
from ..weights import Bundle
from .given import GivenBoxes, in_working_grid
from .grid import Grid
from .result import VolumeBox, VolumeMask, VolumeObject, VolumeResult
from .rounds import Round, Rounds, SaliencyRounds
from .views import bounding_box
from .volume import Volume

if TYPE_CHECKING:
    from .iteration import Outcome

HOUNSFIELD_AIR = -900.0
"""A volume that reaches below this holds air in Hounsfield units: it is CT, whether its file says so or not."""


@dataclass(frozen=True)
class VolumeSettings:
    """What a model needs to see a volume as it has learnt to.

    Parameters
    ----------
    spacing : float or None
        Of the working grid in mm; the finest of the volume if None.
    longest : int
        Voxels that the longest side of the working grid has at most.
    window : tuple of 2 float or None
        In the volume's own units, as for CT; from percentiles if None, as for MR and ultrasound.
    modality : str or None
        That it has learnt from: "MR", "CT" or "US".
    """

    spacing: float | None = None
    longest: int = 256
    window: tuple[float, float] | None = None
    modality: str | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> VolumeSettings:
        """Of a manifest or a configuration file."""
        return cls(**{**content, "window": tuple(content["window"]) if content.get("window") else None})


class VolumePipeline:
    """The trained method of a bundle for volumes.

    Parameters
    ----------
    methods : mapping of str to VolumeMethod, or a list of them
        By name; the first is the model's own.
    settings : VolumeSettings
    model : str
        Name and version of the bundle.
    device : str
    device_note : str or None
    """

    dimensions = 3
    engine = "torch"

    def __init__(
        self,
        methods: Mapping[str, VolumeMethod] | Sequence[VolumeMethod],
        settings: VolumeSettings | None = None,
        model: str = "",
        device: str = "cpu",
        device_note: str | None = None,
    ) -> None:
        self.methods = methods if isinstance(methods, Mapping) else {method.name: method for method in methods}
        self.settings, self.model = settings or VolumeSettings(), model
        self.device, self.device_note = device, device_note

    @property
    def default_method(self) -> str:
        """The model's own method."""
        return next(iter(self.methods))

    def check_method(self, method: str | None) -> None:
        """See to it that the model has a method; MethodError if there is none with this name."""
        check_method(method, self.methods, self.model)

    def segment(
        self,
        volume: Volume,
        *,
        method: str | None = None,
        clean_up: bool = True,
        score_threshold: float | None = None,
        check_polarity: bool = True,
        progress: Progress | None = None,
        given: Mapping[str, GivenBoxes] | None = None,
    ) -> VolumeResult:
        """Segment a volume.

        Parameters
        ----------
        volume : Volume
        method : str or None
            The name of one of `methods`; the model's own if None.
        clean_up, score_threshold, check_polarity
            As for radiographs; methods for volumes have none of these.
        progress : callable or None
            Called with the name of each stage, view and round as it starts.
        given : mapping of str to GivenBoxes, optional
            By label: boxes in the place of what the method would detect, or around it. Not all methods take any.

        Raises
        ------
        MethodError
            If the model has no such method, the image is no volume, or the method can't use the boxes.
        """
        if not isinstance(volume, Volume):
            raise MethodError(f"The model {self.model} takes volumes, not radiographs; choose another model.")
        self.check_method(method)
        chosen, stopwatch = self.methods[method or self.default_method], Stopwatch(progress)
        notes = list(self._doubts(volume))
        with stopwatch("grid"):
            if self.settings.window is not None:
                volume = volume.windowed(*self.settings.window)
            grid = Grid.of(volume, self.settings.spacing, self.settings.longest)
            working = grid.working(volume)
        if given:
            boxes = {label: in_working_grid(each, grid, label) for label, each in given.items()}
            found = chosen.segment_given(working, stopwatch, boxes)
        else:
            found = chosen.segment_volume(working, stopwatch)
        with stopwatch("masks"):
            objects, more = assemble(volume, grid, found, chosen.name)
        return VolumeResult(
            volume, objects, grid.size, grid.spacing, self.device, stopwatch.seconds, self.model, (*notes, *more)
        )

    def find_regions(self, *_: object, **__: object) -> None:
        """Raises MethodError: a radiograph cannot be segmented by this model."""
        raise MethodError(f"The model {self.model} takes volumes, not radiographs; choose another model.")

    segment_regions = masks_of = mask_of = find_regions

    def _doubts(self, volume: Volume) -> list[str]:
        """A sentence where the volume is not what the model has learnt from."""
        learnt, given = self.settings.modality, volume.modality
        if learnt is None:
            return []
        if given is None and learnt != "CT" and float(volume.voxels.min()) <= HOUNSFIELD_AIR:
            given = "CT (it holds the values of air in Hounsfield units)"
        if given is None or given == learnt:
            return []
        return [f"The model has learnt from {learnt} and the volume is {given}: do not trust what it finds."]


def assemble(
    volume: Volume, grid: Grid, found: Sequence[Found], method: str
) -> tuple[tuple[VolumeObject, ...], list[str]]:
    """The objects in the grid of the file, and what to say of labels that are not there.

    A voxel that two labels claim goes to the larger probability, unless one of them lies within the other.
    """
    masks = settled(found)
    objects: list[VolumeObject] = []
    notes: list[str] = []
    for item in found:
        if item.outcome is None:
            notes.append(item.note or f"No {item.within} was found, so {item.label} was not looked for.")
            continue
        mask = masks[item.label]
        stored = VolumeMask.of(grid.mask_to_stored(mask)) if mask.any() else None
        if stored is None or not stored.count:
            notes.append(f"No {item.label} was found.")
            continue
        objects.append(
            VolumeObject(
                name=item.label,
                label=item.label,
                box=stored.box,
                voxels=stored,
                volume_mm3=stored.count * volume.voxel_mm3,
                confidence=float(item.outcome.probability[mask].mean()),
                method=method,
                explanation=item.explain(grid) if item.explain else explained(item, item.outcome, grid),
            )
        )
    return tuple(objects), notes


def settled(found: Sequence[Found]) -> dict[str, np.ndarray]:
    """The masks of the working grid by label, without voxels that another label has a larger probability for."""
    there = [(item, item.outcome) for item in found if item.outcome is not None]
    masks = {item.label: outcome.mask.copy() for item, outcome in there}
    for number, (first, one) in enumerate(there):
        for second, other in there[number + 1 :]:
            if second.within == first.label or first.within == second.label:
                continue
            both = masks[first.label] & masks[second.label]
            if both.any():
                keeps = one.probability >= other.probability
                masks[first.label] &= ~(both & ~keeps)
                masks[second.label] &= ~(both & keeps)
    return masks


def explained(item: Found, outcome: Outcome, grid: Grid) -> Rounds:
    """How the rounds of one label went."""
    content = float(np.prod(grid.spacing))
    rounds = []
    for number, mask in enumerate(outcome.masks):
        box = bounding_box(mask)
        rounds.append(
            Round(
                number,
                None if box is None else VolumeBox(*grid.box_to_stored(box)),
                float(np.count_nonzero(mask)) * content,
                outcome.similarities[number - 1] if number else None,
            )
        )
    settings = item.settings
    assert settings is not None
    shared = (tuple(rounds), settings.threshold, settings.rounds, outcome.converged, settings.margin, item.within)
    return SaliencyRounds(*shared, tuple(outcome.maps)) if outcome.maps else Rounds(*shared)


def load_volume_pipeline(folder: Path | str | None, device: str = "auto", engine: str = "auto") -> VolumePipeline:
    """The pipeline of a bundle for volumes, whose networks PyTorch alone computes.

    Raises
    ------
    WeightsError
        If the bundle is damaged or incomplete.
    DeviceError
        If the device cannot be used, or another engine is asked for.
    DependencyError
        If PyTorch is not there.
    """
    if engine == "numpy":
        raise DeviceError("numpy can't compute models of volumes: take --engine auto or torch.")
    if not torch_is_there():
        raise DependencyError(need_of_torch("A model of volumes"))
    bundle, chosen = Bundle.open(folder, "torch"), resolve_device(device)
    methods = ModelMethods(bundle, chosen.name)
    methods.load_default()
    try:
        settings = VolumeSettings.from_dict(bundle.manifest.get("volume", {}))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"The model manifest in {bundle.folder} does not fit this version ({error}); reinstall it."
        ) from error
    return VolumePipeline(methods, settings, bundle.name, chosen.name, chosen.note)
