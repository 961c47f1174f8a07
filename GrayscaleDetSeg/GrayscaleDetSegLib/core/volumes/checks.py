"""What makes an array a volume that can be segmented, said in one sentence where it is none."""

from __future__ import annotations

import numpy as np

from ..errors import RadiographError
from ..radiograph import Geometry, Source
from ..reading.common import tidy
from .volume import Volume, canonical_view, window_of

LEAST_SIDE = 4
MOST_VOXELS = 1_600_000_000
FEW_VALUES = 12
"""So many different whole numbers, or fewer, are labels and no image."""


def check_size(name: str, size: tuple[int, ...]) -> None:
    """Raise RadiographError for a (column, row, slice) size that no volume has."""
    text = " x ".join(map(str, size))
    if int(np.prod(size, dtype=object)) > MOST_VOXELS:
        raise RadiographError(f"{name} claims {text} voxels, more than {MOST_VOXELS // 10**6} million; reduce it.")
    if min(size) == 1:
        raise RadiographError(f"{name} holds a single slice ({text}); this model needs a whole volume.")
    if min(size) < LEAST_SIDE:
        raise RadiographError(f"{name} has {text} voxels; a volume needs at least {LEAST_SIDE} along each axis.")


def finished(
    values: np.ndarray,
    geometry: Geometry,
    name: str,
    source: Source | None = None,
    modality: str | None = None,
    notes: tuple[str, ...] = (),
    says_spacing: bool = True,
    missing: str | None = None,
) -> Volume:
    """The volume of values (slices, rows, columns), their window from percentiles; the rest as :class:`Volume` has it.

    Raises
    ------
    RadiographError
        If it is blank, holds nothing finite, or is a label map.
    """
    values, more = tidy(values, name)
    if values.min() == values.max():
        raise RadiographError(f"{name} is blank: all voxels have the same value; choose another volume.")
    if looks_like_labels(values, geometry):
        raise RadiographError(
            f"{name} holds no more than {FEW_VALUES} different values, so it is a label map and no image; "
            "choose the volume that it belongs to."
        )
    more = [note.replace("pixels", "voxels") for note in more]
    mapping = window_of(values, geometry)
    return Volume(values, mapping, geometry, says_spacing, source, modality, (*notes, *more), missing)


def looks_like_labels(values: np.ndarray, geometry: Geometry) -> bool:
    """Whether an array holds few whole numbers and nothing else."""
    seen = canonical_view(values, geometry)
    step = max(1, round((values.size / 2**17) ** (1 / 3)))
    sample = np.unique(seen[::step, ::step, ::step])
    if sample.size > FEW_VALUES or not np.array_equal(sample, np.rint(sample)):
        return False
    found: set = set()
    for piece in values:
        found |= set(np.unique(piece).tolist())
        if len(found) > FEW_VALUES:
            return False
    return all(float(value).is_integer() and value >= 0 for value in found)
