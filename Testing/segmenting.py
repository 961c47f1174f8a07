"""What tests of segmenting by one call share: a segmenter with a rigged engine, and what its results show."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.scene import masks, volumes
from Testing.rigged import rigged_engine

BOTH = ("femur", "femur 2")


@pytest.fixture
def segmenter(scene):
    """Finds "femur" and "femur 2" in the film of ``rigged``."""
    return Segmenter(scene, rigged_engine())


def names(segmented) -> tuple[str, ...]:
    """The names of the objects."""
    return tuple(item.name for item in segmented.objects)


def mask(segmented, identity: str = "femur", index: int = 0) -> np.ndarray:
    """The pixels of a segment, bool (rows, columns), in a slice."""
    volume = segmented.outcome.volume
    return masks.mask_of(segmented.segmentation, identity, volume, volumes.grid_of(volume, index))
