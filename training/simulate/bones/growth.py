"""Growth plates: near its ends a child's long bone is cartilage, and a film shows a dark line there.

Surfaces of grown-up people, made small, have none: they are cut here, where a child's bone grows. `analytic` has its
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from .parts import Bone, Part
from .surface import Surface, joined

PLATES: Mapping[str, tuple[float, ...]] = MappingProxyType({
    "femur": (0.93,),
    "tibia": (0.06, 0.93),
    "fibula": (0.055, 0.93),
    "humerus": (0.1,),
    "radius": (0.9,),
    "ulna": (0.93,),
})
"""Where the plates of a bone lie, as shares of its length from its upper end."""
COVER = 0.6
"""mm of compact bone on both sides of a plate."""


def with_growth_plates(part: Part, thick: float) -> Part:
    """A part whose long bones, those in `PLATES`, are cut by plates of so many mm across their length."""
    if part.plates or not any(bone.label in PLATES for bone in part.bones):
        return part
    bones = tuple(_grown(bone, thick) if bone.label in PLATES else bone for bone in part.bones)
    return replace(part, bones=bones, plates=True)


def _grown(bone: Bone, thick: float) -> Bone:
    heights = bone.surface.vertices[:, 2]
    top, length = float(heights.max()), float(np.ptp(heights))
    levels = [top - share * length for share in PLATES[bone.label]]
    # what is left of the bone lies between the plates, from the upper end to the lower one
    edges = [np.inf, *(edge for level in levels for edge in (level + thick / 2, level - thick / 2)), -np.inf]
    pieces = [between(bone.surface, bone.cortex, low, high) for high, low in zip(edges[::2], edges[1::2])]
    surfaces, cortices = zip(*pieces)
    return replace(bone, surface=joined(*surfaces), cortex=np.concatenate(cortices))


def between(surface: Surface, cortex: np.ndarray, low: float, high: float) -> tuple[Surface, np.ndarray]:
    """What of a closed surface lies between two heights (z, mm), closed again, with the thickness of its compact bone.

    Parameters
    ----------
    surface : Surface
    cortex : ndarray (vertices,)
        mm.
    low, high : float
        Infinite where nothing is cut.
    """
    for height, sign in ((low, -1.0), (high, 1.0)):
        if np.isfinite(height):
            surface, cortex = _below(surface, cortex, height, sign)
    return surface, cortex


def _below(surface: Surface, cortex: np.ndarray, height: float, sign: float) -> tuple[Surface, np.ndarray]:
    """What lies below a height (above it, with a sign of -1); a fan about the middle of the cut closes it."""
    vertices, faces = surface.vertices.astype(np.float64), surface.faces.astype(np.int64)
    over = sign * (vertices[:, 2] - height)
    over[over == 0.0] = 1e-9  # no vertex lies in the plane
    outside = over > 0
    count = outside[faces].sum(1)
    crossing = (count == 1) | (count == 2)
    whole, cut = faces[count == 0], faces[crossing]
    if not len(cut):
        return Surface(surface.vertices, whole.astype(np.int32)), cortex
    # the corner that is alone on its side comes first
    lonely = outside[cut] == (count[crossing] == 1)[:, None]
    turn = (lonely.argmax(1)[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(cut, turn, 1).T
    crossed = np.concatenate([np.stack([a, b], 1), np.stack([a, c], 1)])
    keys, which = np.unique(np.sort(crossed, axis=1), axis=0, return_inverse=True)
    share = over[keys[:, 0]] / (over[keys[:, 0]] - over[keys[:, 1]])
    met = vertices[keys[:, 0]] + share[:, None] * (vertices[keys[:, 1]] - vertices[keys[:, 0]])
    on_ab, on_ac = len(vertices) + which.reshape(2, -1)
    middle = len(vertices) + len(met)
    gone = outside[a]
    kept = [whole, np.stack((a, on_ab, on_ac), 1)[~gone]]
    kept += [np.stack(each, 1)[gone] for each in ((b, c, on_ac), (b, on_ac, on_ab))]
    # each cut face leaves an edge, which the fan runs through the other way
    start, end = np.where(gone, on_ac, on_ab), np.where(gone, on_ab, on_ac)
    kept.append(np.stack([end, start, np.full(len(a), middle)], 1))
    everything = np.concatenate([vertices, met, met.mean(0, keepdims=True)])
    thickness = np.concatenate([cortex, np.full(len(met) + 1, COVER)])
    used, numbers = np.unique(np.concatenate(kept), return_inverse=True)
    closed = Surface(everything[used].astype(np.float32), numbers.reshape(-1, 3).astype(np.int32))
    return closed, thickness[used].astype(np.float32)
