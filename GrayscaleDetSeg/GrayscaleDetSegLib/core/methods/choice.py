"""The methods of a model and the regions of an image: which method makes which mask, and whether it may be believed.

What a method gives back is checked here before anything is made of it: a package of somebody else may be at fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..codec import CodecError, check_storable
from ..errors import MethodError, UnknownClassError
from ..explanations.thresholds import Thresholds
from ..labels import display_name, of_class
from ..radiograph import Radiograph
from ..regions import RegionMask, RegionProposal, Regions
from ..stopwatch import Stopwatch
from .base import Method
from .registry import check_method


class MethodChoice:
    """The methods of a model, and which of them is to make the masks.

    Parameters
    ----------
    methods : mapping of str to Method
        By name; the first is the model's own.
    model : str
        Name and version of the model, for messages.
    method : str or None
        The one that was asked for. With None the model's own makes the masks, and for a class that it does not know
        the next one that does.

    Raises
    ------
    MethodError
        If the model has no such method.
    """

    def __init__(self, methods: Mapping[str, Method], model: str, method: str | None) -> None:
        check_method(method, methods, model)
        self.methods, self.model, self.method = methods, model, method

    def masks(
        self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch
    ) -> tuple[list[RegionMask], tuple[str, ...]]:
        """The masks of all regions, in their order, and one sentence for each class that no method here knows.

        Regions of such classes are left out.

        Raises
        ------
        MethodError
            If a method is at fault.
        """
        chosen = [self.method_for(region.label) for region in regions.found]
        found: dict[int, RegionMask] = {}
        for name in dict.fromkeys(each for each in chosen if each is not None):
            method, which = self.methods[name], [index for index, each in enumerate(chosen) if each == name]
            asked = replace(regions, found=tuple(_as_known(regions.found[index], method) for index in which))
            parts = checked(name, method.segment(radiograph, asked, stopwatch), asked.found, radiograph)
            found.update((index, replace(part, region=regions.found[index])) for index, part in zip(which, parts))
        unknown = dict.fromkeys(region.label for region, name in zip(regions.found, chosen) if name is None)
        notes = tuple(f"Left out is {label}: {self._who} does not know it." for label in unknown)
        return [found[index] for index in sorted(found)], notes

    def mask(self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch) -> RegionMask:
        """The mask of a single region, as :meth:`masks`.

        Raises
        ------
        UnknownClassError
            If no method here knows its class.
        """
        parts, _ = self.masks(radiograph, regions, stopwatch)
        if not parts:
            raise UnknownClassError(
                f"{display_name(self._who)} does not know '{regions.found[0].label}': choose another method or model "
                "to look for it."
            )
        return parts[0]

    def check_class(self, label: str) -> None:
        """See to it that a method here knows a class.

        Raises
        ------
        UnknownClassError
            If none does.
        """
        if self.method_for(label) is None:
            known = ", ".join(self.methods[self._own].classes)
            raise UnknownClassError(f"{display_name(self._who)} does not know '{label}': choose one of {known}.")

    def method_for(self, label: str) -> str | None:
        """The name of the method that makes the mask of a class; None where no method here knows it."""
        for name in self.methods if self.method is None else (self.method,):
            try:
                if of_class(label, self.methods[name].classes) is not None:
                    return name
            except MethodError:  # a package of somebody else that is broken: the others go on
                if name == self._own:
                    raise
        return None

    @property
    def _own(self) -> str:
        """The method that was asked for, or the model's own: the first."""
        return next(iter(self.methods)) if self.method is None else self.method

    @property
    def _who(self) -> str:
        """What does not know a class, within a sentence."""
        model = f"the model {self.model}"
        return model if self.method is None else f"the method '{self.method}' of {model}"


def _as_known(region: RegionProposal, method: Method) -> RegionProposal:
    """The region under the class by which a method knows it: for a lung without a side, one with a side."""
    label = of_class(region.label, method.classes)
    return region if label in (None, region.label) else replace(region, label=label)


def checked(
    name: str, given: Any, regions: Sequence[RegionProposal], radiograph: Radiograph
) -> list[RegionMask]:
    """The parts that a method has given back for these regions, each with the name of its method.

    Raises
    ------
    MethodError
        If they are not one for each region, a mask has the wrong type or shape, or an explanation can't be stored.
    """
    parts = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(parts) != len(regions) or not all(isinstance(part, RegionMask) for part in parts):
        raise _fault(name, f"it gave {len(parts)} results for {len(regions)} regions, or results of another type")
    for part in parts:
        mask = part.mask
        if not isinstance(mask, np.ndarray) or mask.dtype != bool:
            kind = f"an array of {mask.dtype}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise _fault(name, f"a mask is {kind}, not an array of bool")
        expected = tuple(each.stop - each.start for each in part.window(radiograph.shape))
        if mask.shape != expected:
            raise _fault(name, f"a mask has the shape {mask.shape}, while the window of its extent has {expected}")
        if type(part.explanation) is Thresholds:  # which can always be stored
            continue
        try:
            check_storable(part.explanation)
        except CodecError as error:
            raise _fault(name, f"its explanation cannot be stored ({error})") from error
    return [replace(part, method=name, region=region) for part, region in zip(parts, regions)]


def _fault(name: str, what: str) -> MethodError:
    return MethodError(f"The method '{name}' is at fault: {what}; use another one, or tell its makers.")
