"""The third stage: anchor boxes that share the ROI in x and y and slide along the gray axis."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from .. import boxes
from ..gray import GRAY_MAX


@dataclass(frozen=True)
class AnchorConfig:
    """Anchors (lh, lw): centre height and width along g (Ge et al. 2022, "Anchor boxes").

    Their edges lie on a grid of equal gray bins, so that features can be pooled once per bin.

    Parameters
    ----------
    bins : int
        Bins over 0..255.
    scales : tuple of int
        Widths, in bins; the article takes three.
    stride : int
        Distance of neighbouring positions, in bins.
    """

    bins: int = 64
    scales: tuple[int, ...] = (18, 30, 44)
    stride: int = 2

    def __post_init__(self) -> None:
        if not all(0 < scale <= self.bins for scale in self.scales) or self.stride < 1:
            raise ValueError(f"Anchor scales must lie in 1..{self.bins} bins and the stride must be 1 or more.")

    @classmethod
    def from_dict(cls, values: dict) -> AnchorConfig:
        """The inverse of :meth:`to_dict`, from parsed JSON."""
        return cls(**{**values, "scales": tuple(values["scales"])})

    def to_dict(self) -> dict:
        """The parameters for a JSON file."""
        return asdict(self)

    @property
    def bin_width(self) -> float:
        """Gray levels per bin."""
        return GRAY_MAX / self.bins

    def positions(self, scale: int) -> int:
        """How many anchors of a scale lie wholly inside 0..255."""
        return (self.bins - scale) // self.stride + 1

    def intervals(self) -> np.ndarray:
        """(low, high) of all anchors in gray levels, shape (n, 2), scale by scale and then by height."""
        starts = [np.arange(self.positions(scale)) * self.stride for scale in self.scales]
        low = np.concatenate(starts) * self.bin_width
        width = np.repeat(self.scales, [len(start) for start in starts]) * self.bin_width
        return np.stack([low, low + width], axis=1)

    def boxes(self, roi: tuple[float, float, float, float]) -> np.ndarray:
        """All anchors over a ROI as 3D boxes (n, 6) in px and gray levels."""
        intervals = self.intervals()
        return boxes.extrude(np.asarray(roi), intervals[:, 0], intervals[:, 1])
