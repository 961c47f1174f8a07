"""An organ, then what lies in it: four stages of either method (chapters 3.3.3 and 3.4.3 of the article)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...errors import MethodError
from ...stopwatch import Stopwatch
from ...volumes.rounds import Rounds
from ...weights import Bundle
from ..volumetric import Found, Iterating, Part, VolumeMethod, entries, load_part


class OrganThenPart(VolumeMethod):
    """The composition: the second input is the volume where it is near the first organ's mask, and black elsewhere.

    Parameters
    ----------
    organs : mapping of str to Part
        By label; what others lie in.
    parts : mapping of str to Part
        By label; each says what it lies `within`.
    device : str
    """

    name = "organ_then_part"
    title = "Organ, then part"
    summary = "for volumes: an organ first, then what lies in it"
    stages = {"around": "Cutting out what is around the organ"}
    networks = ("organ", "part")
    explanation = Rounds

    def __init__(self, organs: Mapping[str, Part], parts: Mapping[str, Part], device: str = "cpu") -> None:
        self.organs, self.parts, self.device = dict(organs), dict(parts), device
        lost = sorted({str(part.within) for part in self.parts.values()} - set(self.organs))
        if lost:
            raise MethodError(f"The model has no networks for {', '.join(lost)}, which others lie in; get it again.")

    @property
    def classes(self) -> tuple[str, ...]:
        """The organs, then their parts."""
        return (*self.organs, *(label for part in self.parts.values() for label in part.labels))

    @classmethod
    def is_in(cls, bundle: Bundle) -> bool:
        """Whether something in it lies within something else."""
        return any(True for _ in entries(bundle, None, lambda entry: "within" in entry))

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str) -> OrganThenPart:
        """The networks of all parts, and of the organs that they lie in: those of the same method where there are."""
        parts: dict[str, Part] = {}
        organs: dict[str, Part] = {}
        for name in entries(bundle, None, lambda entry: "within" in entry):
            entry = bundle.network(name)
            part = load_part(bundle, name, _explanation(entry["method"]), device)
            parts[part.label] = part
            of_organ = [
                (other["method"] != entry["method"], each)
                for each in entries(bundle, None, lambda other: "within" not in other and _iterates(other["method"]))
                for other in [bundle.network(each)]
                if other.get("label") == entry["within"]
            ]
            if of_organ:
                _, each = min(of_organ)
                organs.setdefault(
                    entry["within"], load_part(bundle, each, _explanation(bundle.network(each)["method"]), device)
                )
        return cls(organs, parts, device)

    def segment_volume(self, working: np.ndarray, stopwatch: Stopwatch) -> list[Found]:
        """Organs on the whole volume; each part around its organ, or not at all where that was not found."""
        found, masks = [], {}
        for label in self.organs:
            found.append(self._organ(label, working, stopwatch))
            masks[label] = _mask_of(found[-1])
        for part in self.parts.values():
            found += self._part(part, masks[str(part.within)], working, stopwatch)
        return found

    def segment_from_box(
        self, working: np.ndarray, label: str, box: np.ndarray, known: Mapping[str, np.ndarray], stopwatch: Stopwatch
    ) -> list[Found]:
        """An organ from the box, and what lies in it anew; or a part from the box, around its organ as that is."""
        if label in self.organs:
            organ = self._organ(label, working, stopwatch, box)
            inside = [part for part in self.parts.values() if part.within == label]
            following = [self._part(part, _mask_of(organ), working, stopwatch) for part in inside]
            return [organ, *(each for found in following for each in found)]
        part = next(part for part in self.parts.values() if label in part.labels)
        within, more = str(part.within), []
        mask = known.get(within)
        if mask is None or not mask.any():
            more = [self._organ(within, working, stopwatch)]
            mask = _mask_of(more[0])
        (found,) = self._part(part, mask, working, stopwatch, label, box)
        return [found, *more]

    def _organ(
        self, label: str, working: np.ndarray, stopwatch: Stopwatch, box: np.ndarray | None = None
    ) -> Found:
        from ...volumes.iteration import fixed_point

        organ = self.organs[label]
        outcome = fixed_point(
            working, organ.networks, organ.settings, stopwatch.of(label), self.device, start=box
        )
        return Found(label, outcome, organ.settings, drawn=box is not None)

    def _part(
        self,
        part: Part,
        mask: np.ndarray,
        working: np.ndarray,
        stopwatch: Stopwatch,
        label: str | None = None,
        box: np.ndarray | None = None,
    ) -> list[Found]:
        """A part near the mask (bool) of its organ; not looked for where that is empty. Of a box, its label alone."""
        from ...volumes.iteration import fixed_points
        from ...volumes.views import bounding_box, near

        if not mask.any():
            return [Found(each, None, part.settings, part.within) for each in part.labels if label in (None, each)]
        with stopwatch("around"):
            around = near(mask, part.reach * max(working.shape))
            z0, y0, x0, z1, y1, x1 = bounding_box(around) or (0,) * 6
            window = slice(z0, z1), slice(y0, y1), slice(x0, x1)
            cut = np.where(around[window], working[window], np.float32(0.0))
        start = None if box is None else (box & around)[window]
        if start is not None and not start.any():
            raise MethodError(f"The box of the {label} lies away from the {part.within}; move it onto that.")
        outcomes = fixed_points(
            cut, part.networks, part.settings, stopwatch.of(part.label), self.device, start=start,
            started=0 if label is None else part.labels.index(label),
        )  # fmt: skip
        return [
            Found(each, outcome.placed(window, working.shape), part.settings, part.within, box is not None)
            for each, outcome in zip(part.labels, outcomes)
            if label in (None, each)
        ]


def _mask_of(found: Found) -> np.ndarray:
    assert found.outcome is not None
    return found.outcome.mask


def _explanation(method: str) -> type:
    from ..registry import registry

    return registry().get(method).explanation or Rounds


def _iterates(method: str) -> bool:
    """Whether a method's networks are of those that find a fixed point; others have networks of other kinds."""
    from ..registry import registry

    return issubclass(registry().get(method), Iterating)
