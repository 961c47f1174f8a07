"""What a method gives back is checked before anything is made of it: a package of somebody else may be at fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..codec import CodecError, check_storable
from ..errors import MethodError
from ..explanations.thresholds import Thresholds
from ..radiograph import Radiograph
from ..regions import RegionMask, RegionProposal


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
