"""What every stage of the pipeline starts from: one radiograph, bone-bright, with all that was found out about it."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .gray import GrayMapping, Polarity
from .gray_image import GrayImage
from .lie import UNSAID, Lie
from .noise import noise_level, smoothed, smoothing_for
from .orientation import Orientation, canonical
from .pixel_values import tidy

MOST_UNEQUAL = 5.0
"""Row over column spacing, or the reverse, up to which a spacing can be a radiograph's."""
LEAST_PIXEL, LARGEST_PIXEL = 0.001, 20.0
"""Sides in mm that a radiograph's pixels can have: those of micro-focus tubes have a few micrometres, those of a whole
leg in a picture of 64 pixels have 20 mm. What is written in metres or micrometres lies beyond."""


@dataclass(frozen=True)
class Spacing:
    """Distance of neighbouring pixels in mm, the tag or header it comes from, and the plane that it holds in.

    Parameters
    ----------
    row, column : float
        Of neighbouring rows, and of neighbouring columns.
    source : str
        The tag or header it comes from.
    plane : str
        What the file says of it: "at the detector", "calibrated (fiducial)", "of the scanned film"; empty where it says
        nothing.
    magnification : float or None
        How much larger things are in this plane than in the patient, by the file's estimate; None where it has none, or
        where the spacing has been corrected already.
    """

    row: float
    column: float
    source: str
    plane: str = ""
    magnification: float | None = None

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in mm2."""
        return self.row * self.column

    @property
    def is_plausible(self) -> bool:
        """Whether a radiograph can have it: square pixels, or nearly so, of a size that pixels have."""
        return self.is_nearly_square and LEAST_PIXEL <= min(self.row, self.column) \
            and max(self.row, self.column) <= LARGEST_PIXEL

    @property
    def is_nearly_square(self) -> bool:
        """Whether its pixels are as detectors have them, whatever the unit of length."""
        return max(self.row, self.column) <= MOST_UNEQUAL * min(self.row, self.column)


def corrected_area(area: float | None, spacing: Spacing | None) -> float | None:
    """An area in mm2 as it is in the patient, by the file's estimate of the magnification; None where it has none."""
    if area is None or spacing is None or spacing.magnification is None:
        return None
    return area / spacing.magnification**2


def area_of(pixel_count: int, spacing: Spacing | None) -> float | None:
    """The area of so many pixels in mm2; None where the spacing is not known."""
    return None if spacing is None else float(pixel_count) * spacing.pixel_area


@dataclass(frozen=True)
class Geometry:
    """Placement of the pixel grid as Slicer loads the file: ITK's convention, patient coordinates LPS, mm.

    Parameters
    ----------
    spacing, origin : tuple of 3 float
        Along and at the first index of (column, row, slice).
    direction : tuple of 9 float
        Row-major 3 x 3 matrix; its columns are the directions of the column, row and slice index.
    """

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Source:
    """Where a radiograph comes from: its file, and what DICOM calls it. It can be given to `open` as a path.

    ``reading.dicom.dataset_of`` reads the data set anew when it is asked for; nothing of it is held here.

    Parameters
    ----------
    path : Path
        The file.
    modality, sop_class_uid, sop_instance_uid, series_instance_uid, study_instance_uid : str or None
        Of a DICOM file; None where it does not say them, and for other formats.
    transfer_syntax_uid : str or None
        How the DICOM file is encoded.
    """

    path: Path
    modality: str | None = None
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    series_instance_uid: str | None = None
    study_instance_uid: str | None = None
    transfer_syntax_uid: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


class Measured:
    """What is found out about pixels once, however many radiographs with other notes are made of them.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns)
    mapping : GrayMapping
    """

    def __init__(self, pixels: np.ndarray, mapping: GrayMapping) -> None:
        self.pixels, self.mapping = pixels, mapping

    def is_of(self, pixels: np.ndarray, mapping: GrayMapping) -> bool:
        """Whether it was measured of this array and this mapping themselves; equal copies are others."""
        return self.pixels is pixels and self.mapping is mapping

    @functools.cached_property
    def fingerprint(self) -> str:
        """See :attr:`Radiograph.fingerprint`."""
        digest = hashlib.blake2b(f"{self.pixels.dtype.str}{self.pixels.shape}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()

    @functools.cached_property
    def noise(self) -> float:
        """See :attr:`Radiograph.noise`."""
        return noise_level(self.pixels, self.mapping)

    @functools.cached_property
    def denoised(self) -> np.ndarray:
        """See :attr:`Radiograph.denoised`."""
        deviation = smoothing_for(self.noise)
        return smoothed(self.pixels, deviation) if deviation else self.pixels


@dataclass(frozen=True)
class Radiograph:
    """One radiograph.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns), integer or float32
        Values in the image's own units (after the modality LUT), bone bright. Read-only.
    mapping : GrayMapping
        The map from `pixels` to gray levels 0..255.
    polarity : Polarity
        Whether the file's values were inverted to get `pixels`.
    spacing : Spacing or None
        In mm; None where the file does not say.
    geometry : Geometry
        Placement of the grid, as Slicer loads the same file.
    source : Source or None
        Where it comes from; a path becomes one.
    modality : str or None
        DICOM modality (CR, DX, ...); None for other formats.
    notes : tuple of str
        What a user should know about how the file was read.
    lie : Lie
        What the file says of how the picture lies in the grid.
    measured : Measured, optional
        What is known of these pixels already; made anew where it is of others.
    """

    pixels: np.ndarray
    mapping: GrayMapping
    polarity: Polarity = field(default_factory=Polarity)
    spacing: Spacing | None = None
    geometry: Geometry = field(default_factory=Geometry)
    source: Source | None = None
    modality: str | None = None
    notes: tuple[str, ...] = ()
    lie: Lie = UNSAID
    measured: Measured = field(default=None, repr=False, compare=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.size == 0:
            raise ValueError(f"A radiograph has two dimensions, not the shape {self.pixels.shape}.")
        if self.source is not None and not isinstance(self.source, Source):
            object.__setattr__(self, "source", Source(Path(self.source)))
        if self.pixels.flags.writeable:
            view = self.pixels.view()
            view.flags.writeable = False
            object.__setattr__(self, "pixels", view)
        if self.measured is None or not self.measured.is_of(self.pixels, self.mapping):
            object.__setattr__(self, "measured", Measured(self.pixels, self.mapping))

    @classmethod
    def from_array(cls, pixels: np.ndarray, spacing: Spacing | None = None) -> Radiograph:
        """A radiograph of an array, its gray mapping from percentiles.

        Parameters
        ----------
        pixels : ndarray, shape (rows, columns)
            Bone-bright; booleans, integers or real numbers. NaN and infinite values become the smallest other one, and
            a note says so.
        spacing : Spacing, optional

        Raises
        ------
        RadiographError
            If no value is finite, or if single precision would lose their differences.
        ValueError
            If it has other than two dimensions.
        """
        values, notes = tidy(pixels, "The array")
        return cls(values, GrayMapping.from_percentiles(values), spacing=spacing, notes=tuple(notes))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) in px."""
        return self.pixels.shape

    @property
    def upright(self) -> Orientation:
        """How to look at the grid as radiographs are hung: as the file's tags say, or the directions of its axes."""
        return canonical(self.geometry) if self.lie.turn is None else self.lie.turn

    @property
    def fingerprint(self) -> str:
        """A digest of all pixels, their type and the shape: another one means other pixels. Computed once."""
        return self.measured.fingerprint

    @property
    def noise(self) -> float:
        """Standard deviation of the noise in gray levels, see `noise.noise_level`. Measured once."""
        return self.measured.noise

    @property
    def smoothing(self) -> float:
        """px (standard deviation) by which `denoised` is smoothed; 0 where it is not."""
        return smoothing_for(self.noise)

    @property
    def denoised(self) -> np.ndarray:
        """What masks and networks look at: `pixels`, smoothed where their noise would reach the masks."""
        return self.measured.denoised

    def gray(self) -> np.ndarray:
        """The gray levels as they are seen by the methods: float32, 0..255, shape (rows, columns)."""
        return self.mapping.to_gray(self.denoised)

    def gray_image(self) -> GrayImage:
        """The gray levels on demand: nothing is mapped before it is asked for."""
        return GrayImage(self.denoised, self.mapping)

    def inverted(self, reason: str) -> Radiograph:
        """The same radiograph with its polarity turned over (own units mirrored about their range).

        The gray mapping is turned over with the pixels, so that a VOI window and what it left out stay in force.
        """
        if self.polarity.inverted:  # two inversions: a shift remains only if the pivots differ, so undo the first
            turn, polarity = self.polarity, Polarity(False, 0.0, reason)
        else:
            turn = polarity = Polarity(True, float(self.pixels.max()) + float(self.pixels.min()), reason)
        return replace(self, pixels=turn.apply(self.pixels), polarity=polarity,
                       mapping=self.mapping.turned_over(turn.pivot))
