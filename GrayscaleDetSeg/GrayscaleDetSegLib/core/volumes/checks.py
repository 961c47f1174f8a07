"""What makes an array a volume that can be segmented, said in one sentence where it is none."""

from __future__ import annotations

import numpy as np

from ..errors import RadiographError
from ..pixel_values import tidy
from ..radiograph import Geometry, Source
from .volume import Volume, canonical_view, window_of

LEAST_SIDE = 4
MOST_VOXELS = 1_600_000_000
FEW_VALUES = 12
"""So many different whole numbers, or fewer, are labels and no image."""
LEAST_SPACING, LARGEST_SPACING = 0.005, 50.0
"""Distances of voxels in mm that are believed: from micro-CT to slices with wide gaps. Lengths written in micrometres
or metres lie beyond, as a rule."""


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
    more = [note.replace("pixels", "voxels") for note in more] + _spacing_notes(geometry)
    mapping = window_of(values, geometry)
    return Volume(values, mapping, geometry, says_spacing, source, modality, (*notes, *more), missing)


def _spacing_notes(geometry: Geometry) -> list[str]:
    """A sentence where the distances of voxels are none of a scan; they stay, because Slicer places the volume so."""
    if all(LEAST_SPACING <= distance <= LARGEST_SPACING for distance in geometry.spacing):
        return []
    said = " x ".join(f"{distance:g}" for distance in geometry.spacing)
    return [
        f"the voxels lie {said} mm apart (column x row x slice), which no scan has: the file may be in another unit "
        "than mm, so mend its spacing before you believe any mm or mm3"
    ]


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
