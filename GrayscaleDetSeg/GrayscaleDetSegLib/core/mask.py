"""The seventh stage: from boxes to masks at full resolution, what happens where they overlap, and the clean-up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from . import boxes
from .gray import GRAY_MAX
from .radiograph import Radiograph
from .result import Stability

Box2D = tuple[float, float, float, float]


def rule_mask(radiograph: Radiograph, roi: Box2D, low: float, high: float) -> np.ndarray:
    """The pure box rule: the pixels of a ROI with low <= g <= high.

    The thresholds are brought to the image's own units once, and the pixels compared as they are. A threshold at gray
    0 or 255 is open.

    Parameters
    ----------
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.
    low, high : float
        Gray levels 0..255.

    Returns
    -------
    ndarray of bool
        The shape of the ROI's pixels, ``boxes.pixel_slices(roi, radiograph.shape)``.
    """
    window = radiograph.pixels[boxes.pixel_slices(roi, radiograph.shape)]
    lower, upper = radiograph.mapping.interval_to_units(low, high)
    return (window >= lower) & (window <= upper)


def stability(gray: np.ndarray, low: float, high: float) -> Stability:
    """How much the area of {low <= g <= high} changes per gray level, see :class:`Stability`.

    Parameters
    ----------
    gray : ndarray of float, any shape
        Gray levels of the ROI's pixels. A threshold at 0 or 255 is open: nothing lies beyond it.
    """

    def area(bottom: float, top: float) -> int:
        return int(np.count_nonzero((gray >= bottom) & (gray <= top)))

    now = area(low, high)

    def per_level(threshold: float, *moved: int) -> float:
        if threshold <= 0.0 or threshold >= GRAY_MAX:
            return 0.0
        return sum(abs(other - now) for other in moved) / (2.0 * max(now, 1))

    return Stability(
        per_level(low, area(low - 1.0, high), area(low + 1.0, high)),
        per_level(high, area(low, high - 1.0), area(low, high + 1.0)),
    )


def settle_overlaps(masks: list[np.ndarray], rois: list[Box2D], shape: tuple[int, int]) -> list[np.ndarray]:
    """Disjoint masks at full size: a pixel in two masks goes to the object in whose ROI it lies deeper.

    Depth is the distance to the nearest edge of the ROI as a share of its half size, so that neither the larger nor
    the first object wins by that alone; of equal depths, the first wins.

    Parameters
    ----------
    masks : list of ndarray of bool
        Each in its own ROI's window.
    rois : list of (x0, y0, x1, y1)
    shape : tuple of 2 int
        (rows, columns) of the image.
    """
    owner = np.zeros(shape, np.uint8)
    depth_of_owner = np.zeros(shape, np.float32)
    for number, (mask, roi) in enumerate(zip(masks, rois), start=1):
        window = boxes.pixel_slices(roi, shape)
        depth = _depth(roi, window)
        wins = mask & ((owner[window] == 0) | (depth > depth_of_owner[window]))
        owner[window][wins] = number
        depth_of_owner[window][wins] = depth[wins]
    return [owner == number for number in range(1, len(masks) + 1)]


def _depth(roi: Box2D, window: tuple[slice, slice]) -> np.ndarray:
    x0, y0, x1, y1 = roi
    y, x = (np.arange(part.start, part.stop, dtype=np.float32) + 0.5 for part in window)
    across = np.minimum(x - x0, x1 - x) / max(x1 - x0, 1e-6)
    down = np.minimum(y - y0, y1 - y) / max(y1 - y0, 1e-6)
    return np.minimum(down[:, None], across[None, :])


def majority(mask: np.ndarray, radius: int) -> np.ndarray:
    """The median filter of a mask: true where most of the (2 radius + 1)^2 pixels around are; its edges go on outside.

    By running sums, so that its time does not grow with the radius.
    """
    if radius < 1:
        return mask
    size = 2 * radius + 1
    counts = np.pad(np.pad(mask, radius, mode="edge"), ((1, 0), (1, 0))).astype(np.int32)
    counts = counts.cumsum(axis=0)
    counts = (counts[size:] - counts[:-size]).cumsum(axis=1)
    counts = counts[:, size:] - counts[:, :-size]
    return counts > size * size // 2


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask with its holes filled: background that no path of side-by-side pixels joins to the outside.

    By the components of the background, whose time does not grow with the number of holes.
    """
    import SimpleITK as sitk

    background = np.pad(~mask, 1, constant_values=True)
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(background.astype(np.uint8)), False))
    return (parts != parts[0, 0])[1:-1, 1:-1]


@dataclass(frozen=True)
class CleanUp:
    """What is done to a mask after the rule; every step can be switched off.

    Parameters
    ----------
    smooth : float
        Radius of a median filter (:func:`majority`), as a share of the object's shorter side; 0 is off.
    keep_largest : bool
        Whether only the largest connected parts are kept.
    largest_parts : dict of str to int
        How many a class keeps, largest first; classes not named keep one, and 0 keeps all.
    fill_holes : bool
    """

    smooth: float = 0.015
    keep_largest: bool = True
    largest_parts: dict[str, int] = field(default_factory=dict)
    fill_holes: bool = True

    @classmethod
    def from_dict(cls, values: dict) -> CleanUp:
        """The inverse of :meth:`to_dict`, from parsed JSON."""
        return cls(**values)

    def to_dict(self) -> dict:
        """The parameters for a JSON file."""
        return asdict(self)

    def steps(self) -> tuple[str, ...]:
        """The names of the steps that are on, for the report, in the order they run."""
        named = {
            "smooth": self.smooth > 0,
            "keep largest parts": self.keep_largest,
            "fill holes": self.fill_holes,
        }
        return tuple(name for name, on in named.items() if on)

    def apply(self, mask: np.ndarray, label: str) -> np.ndarray:
        """The cleaned mask (rows, columns); an empty mask stays empty."""
        if not mask.any():
            return mask
        x0, y0, x1, y1 = boxes.of_mask(mask).astype(int)
        margin = 2
        window = (
            slice(max(0, y0 - margin), y1 + margin),
            slice(max(0, x0 - margin), x1 + margin),
        )
        cleaned = np.zeros_like(mask)
        cleaned[window] = self._apply(mask[window], label, min(x1 - x0, y1 - y0))
        return cleaned

    def _apply(self, mask: np.ndarray, label: str, shortest: int) -> np.ndarray:
        import SimpleITK as sitk

        smoothed = majority(mask, int(round(self.smooth * shortest)))
        image = sitk.GetImageFromArray((smoothed if smoothed.any() else mask).astype(np.uint8))
        keep = self.largest_parts.get(label, 1) if self.keep_largest else 0
        if keep > 0:
            parts = sitk.RelabelComponent(sitk.ConnectedComponent(image, True), sortByObjectSize=True)
            image = sitk.Cast(sitk.And(sitk.Greater(parts, 0), sitk.LessEqual(parts, keep)), sitk.sitkUInt8)
        kept = sitk.GetArrayFromImage(image).astype(bool)
        return filled(kept) if self.fill_holes else kept
