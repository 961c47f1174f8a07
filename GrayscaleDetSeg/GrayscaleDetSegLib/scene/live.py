"""The mask of an object during a drag: written in place at each move, and completely at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .geometry import PixelGrid
from .masks import has_surface, make_surface, own_label_map, write_window

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

Window = tuple[slice, slice]


class LiveMask:
    """The segment of one object during one interaction; create it when the interaction begins.

    It observes nothing. If its nodes are deleted, its methods write nothing.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
    segment_id : str
    volume : vtkMRMLScalarVolumeNode
    grid : PixelGrid
        Grid of the slice that was segmented.
    window : tuple of 2 slice, optional
        Rows and columns that contain the object's pixels now; they are cleared when another window is written.

    Raises
    ------
    KeyError
        If there is no such segment.
    """

    def __init__(
        self,
        node: vtkMRMLSegmentationNode,
        segment_id: str,
        volume: vtkMRMLScalarVolumeNode,
        grid: PixelGrid,
        window: Window | None = None,
    ) -> None:
        self.node, self.segment_id, self.volume, self.grid = node, segment_id, volume, grid
        self._window = window
        self.had_surface = has_surface(node)
        own_label_map(node, segment_id, volume, grid)

    @property
    def is_alive(self) -> bool:
        """Whether segment and volume still exist."""
        if self.node.GetScene() is None or self.volume.GetScene() is None:
            return False
        return self.node.GetSegmentation().GetSegment(self.segment_id) is not None

    def write(self, mask: np.ndarray, window: Window) -> bool:
        """Show another mask. This is fast enough to be called at each mouse move.

        Parameters
        ----------
        mask : ndarray of bool, shape of the window
        window : tuple of 2 slice
            Rows and columns of the slice, ``boxes.pixel_slices(field.roi, shape)``.

        Returns
        -------
        bool
            False if the nodes no longer exist.
        """
        if not self.is_alive:
            return False
        whole, part = (mask, window) if self._window in (None, window) else _joined(mask, window, self._window)
        if not write_window(self.node, self.segment_id, self.grid, whole, part):
            own_label_map(self.node, self.segment_id, self.volume, self.grid)
            write_window(self.node, self.segment_id, self.grid, whole, part)
        self._window = window
        return True

    def finish(self, mask: np.ndarray, window: Window) -> bool:
        """End the interaction with the final mask.

        Closed surfaces, which a drag removes, are created again if there were any.

        Parameters
        ----------
        mask : ndarray of bool, shape of the window
        window : tuple of 2 slice
            Rows and columns of the slice.

        Returns
        -------
        bool
            False if the nodes no longer exist.
        """
        if not self.write(mask, window):
            return False
        if self.had_surface and not has_surface(self.node):
            make_surface(self.node)
        return True


def _joined(mask: np.ndarray, window: Window, before: Window) -> tuple[np.ndarray, Window]:
    """A mask in the smallest window that holds its own and another one, false outside of its own."""
    rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(window, before))
    both = rows, columns
    joined = np.zeros(tuple(part.stop - part.start for part in both), bool)
    joined[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(window, both))] = mask
    return joined, both
