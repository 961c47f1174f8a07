"""The coordinates of the point cloud's view: the plane of the image in mm, and gray levels along the third axis."""

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
    """The map from pixels and gray levels to coordinates of the cloud's view.

    Seen from Slicer's default direction (the patient's front) and from above, the image lies as it is hung: x to the
    viewer's right, y towards the viewer, gray upwards. Slicer's first axis points to the viewer's left there.

    Parameters
    ----------
    center : tuple of 2 float
        The point (x, y) in px that becomes the origin.
    spacing : tuple of 2 float
        mm per px along x and along y.
    level : float
        mm per gray level.
    """

    center: tuple[float, float]
    spacing: tuple[float, float]
    level: float

    @classmethod
    def of(
        cls, radiograph: Radiograph, roi: tuple[float, float, float, float], level: float | None = None
    ) -> CloudFrame:
        """The frame centred on a region, (x0, y0, x1, y1) in px.

        Parameters
        ----------
        radiograph : Radiograph
            Gives the spacing.
        roi : tuple of 4 float
        level : float, optional
            mm per gray level; by default the gray scale is `HEIGHT` times as high as the longer side of the region.
        """
        x0, y0, x1, y1 = roi
        across, down = radiograph.geometry.spacing[:2]
        if level is None:
            level = HEIGHT * max((x1 - x0) * across, (y1 - y0) * down) / GRAY_MAX
        return cls(((x0 + x1) / 2.0, (y0 + y1) / 2.0), (across, down), float(level))

    @property
    def matrix(self) -> np.ndarray:
        """The matrix (4 x 4) from (x, y, gray), in px and gray levels, to coordinates of the view in mm."""
        matrix = np.diag([-self.spacing[0], self.spacing[1], self.level, 1.0])
        matrix[0, 3] = self.spacing[0] * self.center[0]
        matrix[1, 3] = -self.spacing[1] * self.center[1]
        return matrix

    def to_view(self, points: ArrayLike) -> np.ndarray:
        """Map points (x, y, gray), shape (n, 3), to coordinates of the view, shape (n, 3), in mm; float32 stays
        float32.
        """
        points = np.asarray(points)
        matrix = self.matrix.astype(points.dtype if points.dtype == np.float32 else float)
        return points * matrix.diagonal()[:3] + matrix[:3, 3]

    def from_view(self, places: ArrayLike) -> np.ndarray:
        """Map coordinates of the view, shape (n, 3), in mm, to points (x, y, gray), shape (n, 3). Inverse of
        :meth:`to_view`.
        """
        matrix = self.matrix
        return (np.asarray(places, float) - matrix[:3, 3]) / matrix.diagonal()[:3]

    def dumps(self) -> str:
        """The frame as text, to be stored on a node."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str | None) -> CloudFrame:
        """Read the text that :meth:`dumps` wrote.

        Raises
        ------
        ValueError
            If `text` is None or no JSON.
        """
        fields = json.loads(text or "")
        return cls(tuple(fields["center"]), tuple(fields["spacing"]), float(fields["level"]))
