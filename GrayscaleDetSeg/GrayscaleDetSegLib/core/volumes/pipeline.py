"""The whole way for volumes: window, working grid, a method, and the masks back in the grid of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..devices import give_back, resolve_device
from ..engines import need_of_torch, torch_is_there
from ..errors import DependencyError, DeviceError, MethodError, RadiographError, UnknownClassError, WeightsError
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
    spacing : float, tuple of 3 float, or None
        Of the working grid in mm, in all directions or along (superior, posterior, left), as for thick slices; the
        finest of the volume if None.
    longest : int
        Voxels that the longest side of the working grid has at most.
    window : tuple of 2 float or None
        In the volume's own units, as for CT; from percentiles if None, as for MR and ultrasound.
    modality : str or None
        That it has learnt from: "MR", "CT" or "US".
    """

    spacing: float | tuple[float, float, float] | None = None
    longest: int = 256
    window: tuple[float, float] | None = None
    modality: str | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> VolumeSettings:
        """Of a manifest or a configuration file."""
        spacing = content.get("spacing")
        given = {"window": tuple(content["window"]) if content.get("window") else None}
        return cls(**{**content, **given, "spacing": tuple(spacing) if isinstance(spacing, (list, tuple)) else spacing})


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
        self._kept: tuple[tuple[Any, ...], Grid, np.ndarray] | None = None

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
        exclusive: bool = False,
        progress: Progress | None = None,
        given: Mapping[str, GivenBoxes] | None = None,
    ) -> VolumeResult:
        """Segment a volume.

        Parameters
        ----------
        volume : Volume
        method : str or None
            The name of one of `methods`; the model's own if None.
        clean_up, score_threshold, check_polarity, exclusive
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
        chosen, stopwatch = self._chosen(volume, method), Stopwatch(progress)
        notes = list(self._doubts(volume))
        volume, grid, working = self._seen(volume, stopwatch)
        if given:
            boxes = {label: in_working_grid(each, grid, label) for label, each in given.items()}
            found = chosen.segment_given(working, stopwatch, boxes)
        else:
            found = chosen.segment_volume(working, stopwatch)
        return self._assembled(volume, grid, found, chosen.name, stopwatch, tuple(notes))

    def segment_from_box(
        self,
        volume: Volume,
        label: str,
        box: tuple[float, float, float, float, float, float] | GivenBoxes,
        *,
        method: str | None = None,
        known: Mapping[str, np.ndarray] | None = None,
        progress: Progress | None = None,
    ) -> VolumeResult:
        """Segment one object from a box given by hand: what comes after the first look is done from there.

        For coarse-to-fine methods the fine rounds begin with the box in the place of the coarse stage's mask. Nothing
        binds them to it: later boxes are those of what was found.

        Parameters
        ----------
        label : str
            One of the method's classes.
        box : tuple of 6 float, or GivenBoxes
            (x0, y0, z0, x1, y1, z1) in voxels of the volume's own grid, from its outer corner; what lies outside is
            cut off. Or what is known of single slices.
        method : str or None
            The name of one of `methods`; the model's own if None.
        known : mapping of str to ndarray of bool, optional
            The voxels (slices, rows, columns) that other labels have, for what lies in one of them.
        progress : callable or None
            As for :meth:`segment`.

        Returns
        -------
        VolumeResult
            The object, and those that follow from it, such as the parts of an organ.

        Raises
        ------
        MethodError
            If the model has no such method, the method begins from no such box, or the image is no volume.
        UnknownClassError
            If the method does not know the label.
        RadiographError
            If the box lies beside the volume.
        """
        chosen, stopwatch = self._chosen(volume, method), Stopwatch(progress)
        if label not in chosen.classes:
            raise UnknownClassError(
                f"The model {self.model} does not know '{label}': choose one of {', '.join(chosen.classes)}."
            )
        volume, grid, working = self._seen(volume, stopwatch)
        if isinstance(box, GivenBoxes):
            found = chosen.segment_given_one(working, label, in_working_grid(box, grid, label), stopwatch)
            return self._assembled(volume, grid, found, chosen.name, stopwatch)
        start = grid.box_mask(box)
        if not start.any():
            raise RadiographError("The box lies beside the volume; move it onto that.")
        masks = _Working(grid, known or {})
        found = chosen.segment_from_box(working, label, start, masks, stopwatch)
        result = self._assembled(volume, grid, found, chosen.name, stopwatch)
        z, y, x = volume.shape
        corners = np.sort(np.reshape(box, (2, 3)), axis=0).clip(0.0, [x, y, z])
        drawn = VolumeBox(*map(float, corners.ravel()))
        objects = tuple(replace(each, region=drawn) if each.label == label else each for each in result.objects)
        return replace(result, objects=objects)

    def _assembled(
        self, volume: Volume, grid: Grid, found: Sequence[Found], method: str, stopwatch: Stopwatch, notes: tuple = ()
    ) -> VolumeResult:
        """The result of what was found, in the grid of the file."""
        with stopwatch("masks"):
            give_back()
            objects, more = assemble(volume, grid, found, method)
        give_back()
        shared = volume, objects, grid.size, grid.spacing, self.device, stopwatch.seconds, self.model
        return VolumeResult(*shared, (*notes, *more))

    def _chosen(self, volume: Volume, method: str | None) -> VolumeMethod:
        if not isinstance(volume, Volume):
            raise MethodError(f"The model {self.model} takes volumes, not radiographs; choose another model.")
        self.check_method(method)
        return self.methods[method or self.default_method]

    def _seen(self, volume: Volume, stopwatch: Stopwatch) -> tuple[Volume, Grid, np.ndarray]:
        """The volume in the model's window, the working grid, and the volume in that.

        The last one is kept, for a box that is dragged, if somebody has asked for the volume's fingerprint before.
        """
        with stopwatch("grid"):
            if self.settings.window is not None:
                volume = volume.windowed(*self.settings.window)
            key = None if volume.known_fingerprint is None else (volume.fingerprint, volume.mapping, volume.geometry)
            if key is None or self._kept is None or self._kept[0] != key:
                self._kept = None  # before another one is made
                grid = Grid.of(volume, self.settings.spacing, self.settings.longest)
                working = grid.working(volume)
                working.flags.writeable = False
                if key is None:
                    return volume, grid, working
                self._kept = key, grid, working
            return volume, *self._kept[1:]

    def find_regions(self, *_: object, **__: object) -> None:
        """Raises MethodError: a radiograph cannot be segmented by this model."""
        raise MethodError(f"The model {self.model} takes volumes, not radiographs; choose another model.")

    segment_regions = masks_of = mask_of = find_regions

    def _doubts(self, volume: Volume) -> list[str]:
        """Sentences where slices may be missing, or the volume is not what the model has learnt from."""
        learnt, given = self.settings.modality, volume.modality
        missing = [volume.missing] if volume.missing else []
        if learnt is None:
            return missing
        if given is None and learnt != "CT" and float(volume.voxels.min()) <= HOUNSFIELD_AIR:
            given = "CT (it holds the values of air in Hounsfield units)"
        if given is None or given == learnt:
            return missing
        return [*missing, f"The model has learnt from {learnt} and the volume is {given}: do not trust what it finds."]


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
                region=_first_look(item.outcome, grid) or stored.box,
                within=item.within,
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
        rounds.append(
            Round(
                number,
                _box_of(mask, grid),
                float(np.count_nonzero(mask)) * content,
                outcome.similarities[number - 1] if number else None,
            )
        )
    settings = item.settings
    assert settings is not None
    shared = (
        tuple(rounds), settings.threshold, settings.rounds, outcome.converged, settings.margin, item.within, item.drawn
    )  # fmt: skip
    if not outcome.maps:
        return Rounds(*shared)
    return SaliencyRounds(*shared, tuple(replace(each, box=_placed(each.box, grid)) for each in outcome.maps))


def _first_look(outcome: Any, grid: Grid) -> VolumeBox | None:
    """Around what the first stage found; None for methods that keep no masks of stages."""
    masks = getattr(outcome, "masks", None)
    return _box_of(masks[0], grid) if masks else None


def _box_of(mask: np.ndarray, grid: Grid) -> VolumeBox | None:
    """Around the voxels of a mask of the working grid, in voxels of the stored one; None where there are none."""
    box = bounding_box(mask)
    return None if box is None else VolumeBox(*grid.box_to_stored(box))


def _placed(box: VolumeBox | None, grid: Grid) -> VolumeBox | None:
    """A box of the working grid in voxels of the stored one."""
    return None if box is None else VolumeBox(*grid.box_to_stored((*box[2::-1], *box[:2:-1])))


class _Working(Mapping[str, np.ndarray]):
    """Masks of the stored grid in the working one, each made when it is asked for."""

    def __init__(self, grid: Grid, stored: Mapping[str, np.ndarray]) -> None:
        self._grid, self._stored = grid, stored

    def __getitem__(self, label: str) -> np.ndarray:
        return self._grid.of_mask(self._stored[label])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


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
