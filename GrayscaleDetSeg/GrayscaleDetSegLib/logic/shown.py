"""What is read of a volume, and what a segmentation shows of it, hand edits included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult, SegmentedObject
from ..scene.geometry import PixelGrid

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode


@dataclass(frozen=True, eq=False)
class Reading:
    """A slice of a volume as a radiograph, and where its pixels lie."""

    volume: vtkMRMLScalarVolumeNode
    grid: PixelGrid
    radiograph: Radiograph
    stamp: int | None = None
    """Which pixels the volume had then, ``volumes.stamp_of``."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a segmentation shows: a result, and the id of the segment of each of its objects."""

    result: SegmentationResult
    identities: tuple[str, ...]
    stamp: int | None = None
    """Which pixels the image had then, ``scene.volumes.stamp_of``."""

    def object_of(self, identity: str | None) -> SegmentedObject | None:
        """The object that a segment shows; None where it shows none of them."""
        return None if identity is None else dict(zip(self.identities, self.result.objects)).get(identity)
