"""The space of the point cloud's own view: the plane of the image in mm, and gray levels on the third axis."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..core.gray import GRAY_MAX
from ..core.radiograph import Radiograph

HEIGHT = 0.8
"""Height of the cloud from gray 0 to 255, as a share of the longer side of its region."""


@dataclass(frozen=True)
class CloudFrame:
    """How places and gray levels become places in the cloud's view.

    Seen from Slicer's default direction (the patient's front) and from above, the image lies as it is hung: x to the
    viewer's right, y towards the viewer, gray upwards. Slicer's first axis points to the viewer's left there.

    Parameters
    ----------
    center : tuple of 2 float
        (x, y) in px that is the origin.
    spacing : tuple of 2 float
        mm a px along x and along y.
    level : float
        mm a gray level.
    """

    center: tuple[float, float]
    spacing: tuple[float, float]
    level: float

    @classmethod
    def of(
        cls, radiograph: Radiograph, roi: tuple[float, float, float, float], level: float | None = None
    ) -> CloudFrame:
        """The frame about the middle of a region, (x0, y0, x1, y1) in px; `level` by default from `HEIGHT`."""
        x0, y0, x1, y1 = roi
        across, down = radiograph.geometry.spacing[:2]
        if level is None:
            level = HEIGHT * max((x1 - x0) * across, (y1 - y0) * down) / GRAY_MAX
        return cls(((x0 + x1) / 2.0, (y0 + y1) / 2.0), (across, down), float(level))

    @property
    def matrix(self) -> np.ndarray:
        """The matrix (4 x 4) from (x, y, gray) in px and gray levels to the view's coordinates in mm."""
        matrix = np.diag([-self.spacing[0], self.spacing[1], self.level, 1.0])
        matrix[0, 3] = self.spacing[0] * self.center[0]
        matrix[1, 3] = -self.spacing[1] * self.center[1]
        return matrix

    def to_view(self, points: ArrayLike) -> np.ndarray:
        """Places in the view (n, 3) of points (x, y, gray), shape (n, 3); float32 stays float32."""
        points = np.asarray(points)
        matrix = self.matrix.astype(points.dtype if points.dtype == np.float32 else float)
        return points * matrix.diagonal()[:3] + matrix[:3, 3]

    def from_view(self, places: ArrayLike) -> np.ndarray:
        """Points (x, y, gray), shape (n, 3), of places in the view; the inverse of :meth:`to_view`."""
        matrix = self.matrix
        return (np.asarray(places, float) - matrix[:3, 3]) / matrix.diagonal()[:3]

    def dumps(self) -> str:
        """The frame as text, to be kept on a node."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str | None) -> CloudFrame:
        """The frame that :meth:`dumps` wrote; ValueError where there is none."""
        fields = json.loads(text or "")
        return cls(tuple(fields["center"]), tuple(fields["spacing"]), float(fields["level"]))
