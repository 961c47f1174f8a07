"""What was read of a volume, and the result that a segmentation shows, edits by hand included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from ..core.errors import GrayscaleDetSegError
from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult
from ..core.results import AnyObject, AnyResult, objects_of
from ..core.volumes.result import VolumeResult
from ..core.volumes.volume import Volume
from ..scene.geometry import PixelGrid

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode


@dataclass(frozen=True, eq=False)
class Reading:
    """A slice of a volume as a radiograph, and its pixel grid."""

    volume: vtkMRMLScalarVolumeNode
    grid: PixelGrid
    radiograph: Radiograph
    stamp: int | None = None
    """Which pixels the volume had then, ``volumes.stamp_of``."""
    context: Mapping[str, object] = field(default_factory=dict)
    """What was known of the volume's file, ``dicom_context.context_of``."""

    @property
    def image(self) -> Radiograph:
        """The radiograph."""
        return self.radiograph


@dataclass(frozen=True, eq=False)
class WholeReading:
    """A whole volume, and its voxel grid."""

    volume: vtkMRMLScalarVolumeNode
    grid: PixelGrid
    image: Volume
    stamp: int | None = None
    """Which pixels the volume had then, ``volumes.stamp_of``."""


AnyReading = Union[Reading, WholeReading]


@dataclass(frozen=True, eq=False)
class Shown:
    """A result that a segmentation shows, and the id of the segment of each of its objects."""

    result: AnyResult
    identities: tuple[str, ...]
    stamp: int | None = None
    """Which pixels the image had then, ``scene.volumes.stamp_of``."""

    @property
    def is_whole(self) -> bool:
        """Whether the result is that of a whole volume."""
        return isinstance(self.result, VolumeResult)

    @property
    def of_radiograph(self) -> SegmentationResult:
        """The result of a radiograph.

        Raises
        ------
        GrayscaleDetSegError
            If the result is that of a volume.
        """
        if isinstance(self.result, VolumeResult):
            raise GrayscaleDetSegError("This is the result of a volume, which has no thresholds and no regions in px.")
        return self.result

    @property
    def by_name(self) -> dict[str, str]:
        """The ids of the segments by the names of their objects."""
        return {item.name: each for each, item in zip(self.identities, objects_of(self.result))}

    def object_of(self, identity: str | None) -> AnyObject | None:
        """The object that a segment shows, or None."""
        return None if identity is None else dict(zip(self.identities, objects_of(self.result))).get(identity)
