"""What the JSON report of a result holds; ``result.schema.json`` is generated from these types and their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.explanations.base import Explanation
from ..core.gray import GrayMapping, Polarity
from ..core.lie import UNSAID, Lie
from ..core.orientation import Orientation
from ..core.radiograph import Geometry
from ..core.regions import RegionProposal
from ..core.result import SegmentationResult
from ..core.types import Box2D, Count, Share
from ..core.volumes.result import VolumeResult
from ..scene.segmentation import segment_id


@dataclass(frozen=True)
class Software:
    """The program that made the result."""

    name: str
    version: str


@dataclass(frozen=True)
class Size:
    """Of an image, in px."""

    rows: Count
    columns: Count


@dataclass(frozen=True)
class PixelSpacing:
    """Distance of neighbouring pixels in mm.

    Parameters
    ----------
    row_mm, column_mm : float
        Of neighbouring rows, and of neighbouring columns.
    source : str
        The tag or header it comes from.
    plane : str
        Where it holds: at the detector, calibrated (by what), of the scanned film; empty where the file does not say.
    magnification : float or None
        How much larger things are there than in the patient, by the file; null where it does not say, or where the
        spacing has been corrected.
    """

    row_mm: float
    column_mm: float
    source: str
    plane: str = ""
    magnification: float | None = None


@dataclass(frozen=True)
class Input:
    """The image, as ``grayscale-detseg info --json`` prints it.

    Parameters
    ----------
    file : str or None
        The path as it was given.
    modality : str or None
        DICOM modality; null for other formats.
    size : Size
        In px.
    dtype : str
        Type of the pixel values in numpy's words.
    value_range : tuple of 2 float
        Lowest and highest value in the image's own units.
    polarity : Polarity
        How the file's values relate to bone-bright ones.
    spacing : PixelSpacing or None
        Null if the file does not say.
    gray_mapping : GrayMapping
        From the image's own units to gray levels.
    geometry : Geometry
        Placement of the pixel grid in patient coordinates (LPS, mm), as in NAME.seg.nrrd.
    notes : tuple of str
        What a user should know about how the file was read.
    lie : Lie
        What the file says of how the picture lies in the pixel grid.
    """

    file: str | None
    modality: str | None
    size: Size
    dtype: str
    value_range: tuple[float, float]
    polarity: Polarity
    spacing: PixelSpacing | None
    gray_mapping: GrayMapping
    geometry: Geometry
    notes: tuple[str, ...]
    lie: Lie = UNSAID


@dataclass(frozen=True)
class Settings:
    """How the image was segmented.

    Parameters
    ----------
    score_threshold : float
        The score that a region needed.
    clean_up : tuple of str
        The post-processing steps that ran; empty if the masks are as the method made them.
    orientation : str
        stored, canonical or upright: which view of the pixels the detectors saw, the file's, one by the directions
        of its axes, or one by its tags.
    turn : Orientation
        That view; masks and boxes are on the stored grid.
    exclusive : bool
        Whether no two objects may share a pixel.
    """

    score_threshold: Share
    clean_up: tuple[str, ...]
    orientation: str
    exclusive: bool = True
    turn: Orientation = Orientation()


@dataclass(frozen=True)
class SegmentReference:
    """Where the object's pixels or voxels are in NAME.seg.nrrd.

    Parameters
    ----------
    id : str
        Of the segment.
    label_value : int
        Their value in the layer, from 1 on.
    layer : int
        Of the layers of the file, from 0 on: there are several where objects overlap.
    """

    id: str
    label_value: Count
    layer: Count = 0


def segment_references(result: SegmentationResult | VolumeResult) -> list[SegmentReference]:
    """Where each object of a result is in NAME.seg.nrrd, in the order of the objects."""
    found = {
        index: SegmentReference(segment_id(result.objects[index].name), value, layer)
        for layer, indices in enumerate(result.layer_members())
        for value, index in enumerate(indices, start=1)
    }
    return [found[index] for index in range(len(result.objects))]


@dataclass(frozen=True)
class Code:
    """A code of a standard; the scheme SCT is SNOMED CT."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Terminology:
    """Standard codes of an object; the modifier is the laterality."""

    category: Code
    type: Code
    modifier: Code | None


@dataclass(frozen=True)
class ReportedObject:
    """One object.

    Parameters
    ----------
    name : str
        Unique in this result: the label, numbered from the second object of a class on; the segment's name.
    label : str
        Class of the object.
    segment : SegmentReference
        Where its pixels are.
    color : tuple of 3 int
        sRGB, 0 to 255.
    terminology : Terminology
        Standard codes.
    region : Box2D
        Where it was looked for, in px.
    score : float
        Score of the region by the 2D detector; 1 for a region given by hand.
    method : str
        What made the mask.
    pixel_count : int
        Pixels of the final mask.
    area_mm2 : float or None
        In the plane of the spacing; null without one.
    explanation : Explanation or None
        How the method came to the mask; null where it can't say so.
    side : str or None
        right or left in the patient; null where it is not known, or there is none.
    area_corrected_mm2 : float or None
        In the patient, by the magnification that the file estimates; null where it has none, or the spacing has been
        corrected already.
    """

    name: str
    label: str
    segment: SegmentReference
    color: tuple[int, int, int]
    terminology: Terminology
    region: Box2D
    score: Share
    method: str
    pixel_count: Count
    area_mm2: float | None
    explanation: Explanation | None
    side: str | None = None
    area_corrected_mm2: float | None = None


@dataclass(frozen=True)
class FileState:
    """What tells a file from one that was put in its place.

    Parameters
    ----------
    bytes : int
        Its size.
    modified_ns : int
        When it was changed, in nanoseconds since 1970.
    """

    bytes: Count
    modified_ns: int


@dataclass(frozen=True)
class MadeWith:
    """What decided the result: a run that is resumed keeps those that were made with the same.

    Parameters
    ----------
    version : str
        Of the program.
    model_sha256 : str or None
        Of the manifest of the model bundle, which holds the checksums of its weights.
    options : dict of str to Any
        How the image was to be read and segmented.
    file : FileState or None
        The file of the image; null where it could not be looked at.
    run : str
        Names the run that made it.
    """

    version: str
    model_sha256: str | None
    options: dict[str, Any]
    file: FileState | None
    run: str


@dataclass(frozen=True)
class Report:
    """The result of one radiograph. Boxes are in px of the input, x along a row and y down a column, counted from the
    outer corner of the first pixel: pixel (row i, column j) covers x from j to j + 1 and y from i to i + 1. Gray levels
    run from 0 to 255 with bone bright. The version counts up when a field changes its meaning or goes; fields may be
    added without.

    Parameters
    ----------
    schema : str
        What this document is: grayscale-detseg/result.
    schema_version : int
        Of the form that is described here.
    software : Software
        The program that made the result.
    model : str
        Name and version of the model bundle.
    device : str
        What it ran on, for example cpu.
    input : Input
        The image.
    settings : Settings
        How it was segmented.
    message : str
        What was found, for the user.
    objects : tuple of ReportedObject
        Highest score first; the masks are in NAME.seg.nrrd.
    best_candidate : RegionProposal or None
        The 2D detector's best region, even below the threshold; null if it did not run.
    seconds : dict of str to float
        Wall time of each stage.
    notes : tuple of str
        What a user should know about how the objects were segmented.
    made_with : MadeWith or None
        What decided the result; null where the command did not make it.
    """

    schema: str
    schema_version: int
    software: Software
    model: str
    device: str
    input: Input
    settings: Settings
    message: str
    objects: tuple[ReportedObject, ...]
    best_candidate: RegionProposal | None
    seconds: dict[str, float]
    notes: tuple[str, ...]
    made_with: MadeWith | None = None
