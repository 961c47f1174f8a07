"""Methods for volumes: the whole working volume in, an outcome for each label out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import MethodError
from ..volumes.rounds import Rounds
from .base import Method

if TYPE_CHECKING:
    from ..explanations.base import Explanation
    from ..radiograph import Radiograph
    from ..regions import RegionMask, Regions
    from ..stopwatch import Stopwatch
    from ..volumes.given import WorkingBoxes
    from ..volumes.grid import Grid
    from ..volumes.iteration import IterationSettings
    from ..volumes.networks import Networks
    from ..weights import Bundle

REACH = 15 / 512
"""How far from its organ a part is looked for, as a share of the image's longest side; the article's 15 voxels."""


@dataclass
class Found:
    """What a method says of one label.

    Parameters
    ----------
    label : str
    outcome : Outcome or None
        Of other methods whatever has its `mask` and `probability`. None where it was not looked for, because what it
        lies in was not found, or there was no place to look at.
    settings : IterationSettings or None
        None of a method that does not iterate.
    within : str or None
        The label that it lies in, and may share voxels with.
    drawn : bool
        Whether it was looked for in a box given by hand.
    explain : callable (Grid) -> Explanation, optional
        What explains it, in voxels of the stored grid; asked where it was found. By default its rounds do.
    note : str
        Why it was not looked for, where that is not because of `within`; one sentence.
    """

    label: str
    outcome: Any
    settings: IterationSettings | None = None
    within: str | None = None
    drawn: bool = False
    explain: Callable[[Grid], Explanation] | None = None
    note: str = ""


@dataclass(frozen=True)
class Part:
    """The networks of one label, or of several that one network finds together.

    Parameters
    ----------
    label : str
        Their names with commas, where there are several.
    networks : Networks
        In evaluation mode.
    settings : IterationSettings
    explanation : type
        The kind of explanation, a :class:`Rounds`.
    within : str or None
        The label that it lies in.
    reach : float
        How far from that it is looked for, as a share of the longest side.
    several : tuple of str
        The labels, where there are several.
    """

    label: str
    networks: Networks
    settings: IterationSettings
    explanation: type[Rounds]
    within: str | None = None
    reach: float = REACH
    several: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All that its networks find."""
        return self.several or (self.label,)


class VolumeMethod(Method):
    """A method that takes volumes."""

    dimensions = 3
    needs_torch = True
    takes_slice_boxes: ClassVar[bool] = False
    """Whether boxes of single slices can be drawn in the place of what it has seen in them, see `segment_given_one`."""

    @abstractmethod
    def segment_volume(self, working: np.ndarray, stopwatch: Stopwatch) -> list[Found]:
        """What is found of each label, in the order of :attr:`classes`.

        Parameters
        ----------
        working : ndarray, float32, 0..1
            In the working grid, (superior, posterior, left).
        stopwatch : Stopwatch
        """

    def segment_from_box(
        self, working: np.ndarray, label: str, box: np.ndarray, known: Mapping[str, np.ndarray], stopwatch: Stopwatch
    ) -> list[Found]:
        """What comes after the first look for one label, from a box given by hand in its place.

        Parameters
        ----------
        working : ndarray, float32, 0..1
            In the working grid.
        label : str
            One of :attr:`classes`.
        box : ndarray of bool
            Its voxels in the working grid; there are some.
        known : mapping of str to ndarray of bool
            The voxels that other labels have, looked up when they are needed.
        stopwatch : Stopwatch

        Returns
        -------
        list of Found
            Of the label first, then of those that follow from it.

        Raises
        ------
        MethodError
            If the method knows no way to begin from a box, or not from this one.
        """
        raise MethodError(f"{self.title} looks for its boxes itself and takes none; choose another method.")

    def segment_given(
        self, working: np.ndarray, stopwatch: Stopwatch, given: Mapping[str, WorkingBoxes]
    ) -> list[Found]:
        """As :meth:`segment_volume`, where somebody has drawn boxes of some labels; for methods that take any.

        Raises
        ------
        MethodError
            If the method takes none, or knows no such label.
        """
        raise MethodError(f"The method '{self.name}' takes no boxes; choose another method, or give none.")

    def segment_given_one(
        self, working: np.ndarray, label: str, given: WorkingBoxes, stopwatch: Stopwatch
    ) -> list[Found]:
        """One label (of :attr:`classes`) by the boxes that somebody has drawn of it.

        Raises
        ------
        MethodError
            If the method does not take such boxes, see :attr:`takes_slice_boxes`.
        """
        raise MethodError(f"{self.title} takes no boxes of single slices; drag the box around the whole object.")

    def segment(self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch) -> list[RegionMask]:
        """Nothing: there is no such thing as a region of a radiograph here."""
        raise MethodError(f"The method '{self.name}' takes volumes, not radiographs; choose another model.")


class Iterating(VolumeMethod):
    """A coarse-to-fine method with networks of its own for every label, or for several together.

    Parameters
    ----------
    parts : mapping of str to Part
        By :attr:`Part.label`, in the order of the model's classes.
    device : str
    """

    def __init__(self, parts: Mapping[str, Part], device: str = "cpu") -> None:
        self.parts, self.device = dict(parts), device

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that it has networks for."""
        return tuple(label for part in self.parts.values() for label in part.labels)

    @classmethod
    def is_in(cls, bundle: Bundle) -> bool:
        """Whether it has networks of this method that need no other label first."""
        return any(True for _ in entries(bundle, cls.name, lambda entry: "within" not in entry))

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str) -> Iterating:
        """The method with all its networks."""
        own = entries(bundle, cls.name, lambda entry: "within" not in entry)
        parts = [load_part(bundle, name, cls.explanation, device) for name in own]
        return cls({part.label: part for part in parts}, device)

    def segment_volume(self, working: np.ndarray, stopwatch: Stopwatch) -> list[Found]:
        """The labels of each part by themselves."""
        from ..volumes.iteration import fixed_points

        several = len(self.parts) > 1
        found = []
        for name, part in self.parts.items():
            watch = stopwatch.of(name) if several else stopwatch
            outcomes = fixed_points(working, part.networks, part.settings, watch, self.device)
            found += [Found(label, outcome, part.settings) for label, outcome in zip(part.labels, outcomes)]
        return found

    def segment_from_box(
        self, working: np.ndarray, label: str, box: np.ndarray, known: Mapping[str, np.ndarray], stopwatch: Stopwatch
    ) -> list[Found]:
        """The rounds of the fine networks, from the box."""
        from ..volumes.iteration import fixed_points

        part = next(part for part in self.parts.values() if label in part.labels)
        at = part.labels.index(label)
        outcomes = fixed_points(
            working, part.networks, part.settings, stopwatch, self.device, start=box, started=at
        )
        return [Found(label, outcomes[at], part.settings, drawn=True)]


def entries(bundle: Bundle, method: str | None, wanted) -> Iterator[str]:
    """The names of the networks of a method in a bundle, or of any, that are `wanted` (entry -> bool)."""
    for name, entry in bundle.manifest["networks"].items():
        known: Any = isinstance(entry, dict) and ("label" in entry or "labels" in entry) and "method" in entry
        if known and method in (None, entry["method"]) and wanted(entry):
            yield name


def load_part(bundle: Bundle, name: str, explanation: type | None, device: str) -> Part:
    """The networks of one label of a bundle, or of several together."""
    from ..volumes.iteration import IterationSettings
    from ..volumes.networks import NetworkConfig, Networks

    entry = bundle.network(name)
    networks = bundle.once(
        (name, device),
        lambda: bundle.load_into(Networks(NetworkConfig.from_dict(entry["config"])), name).to(device).eval(),
    )
    labels = tuple(entry["labels"]) if "labels" in entry else (entry["label"],)
    if len(labels) != networks.config.labels:
        raise ValueError(f"{name} names {len(labels)} labels, and its networks find {networks.config.labels}")
    return Part(
        ", ".join(labels), networks, IterationSettings.from_dict(entry.get("settings", {})), explanation or Rounds,
        entry.get("within"), float(entry.get("reach", REACH)), labels,
    )  # fmt: skip
