"""A mask that follows a drag: written in place while the mouse moves, and once in full at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .geometry import PixelGrid
from .masks import has_surface, make_surface, own_label_map, write_mask, write_window

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

Window = tuple[slice, slice]


class LiveMask:
    """The segment of one object during one interaction; made as it begins.

    It observes nothing, and outlives the deletion of its nodes: then nothing is written any more.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
    segment_id : str
    volume : vtkMRMLScalarVolumeNode
    grid : PixelGrid
        Of the slice that was segmented.
    window : tuple of 2 slice, optional
        Rows and columns that the object's pixels lie in now; they are cleared when another window is written.

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
        """Whether segment and volume are still there."""
        if self.node.GetScene() is None or self.volume.GetScene() is None:
            return False
        return self.node.GetSegmentation().GetSegment(self.segment_id) is not None

    def write(self, mask: np.ndarray, window: Window) -> bool:
        """Show another mask; cheap enough for every move of the mouse.

        Parameters
        ----------
        mask : ndarray of bool, shape of the window
        window : tuple of 2 slice
            Rows and columns of the slice, ``boxes.pixel_slices(field.roi, shape)``.

        Returns
        -------
        bool
            False where the nodes are gone.
        """
        if not self.is_alive:
            return False
        whole, part = (mask, window) if self._window in (None, window) else _joined(mask, window, self._window)
        if not write_window(self.node, self.segment_id, self.grid, whole, part):
            own_label_map(self.node, self.segment_id, self.volume, self.grid)
            write_window(self.node, self.segment_id, self.grid, whole, part)
        self._window = window
        return True

    def finish(self, mask: np.ndarray, window: Window | None = None) -> bool:
        """End the interaction with the final mask, of the whole slice or of a window; False where the nodes are gone.

        Closed surfaces, which a drag takes away, are made anew if they were there.
        """
        if not self.is_alive:
            return False
        if window is None:
            write_mask(self.node, self.segment_id, self.volume, self.grid, mask)
        else:
            self.write(mask, window)
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
