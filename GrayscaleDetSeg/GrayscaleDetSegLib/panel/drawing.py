"""Drawing a region by hand, with two clicks in a slice view at opposite corners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import qt
import slicer

from ..logic.observers import Observers
from ..scene import regions
from ..scene.geometry import PixelGrid, numpy_matrix
from ..scene.nodes import remove

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode

LEAST = 2.0
"""A drawn region has at least this many px each way; a double click draws none."""
_KIND = "vtkMRMLMarkupsROINode"
_COLOR = (255, 214, 61)


class RegionDrawing:
    """Lets the user draw one region at a time.

    The region is drawn in Slicer's place mode, which ends after the second click, or earlier by a right click, Escape,
    another tool, or the removal of the node or the scene. All of these are observed, and handled after Slicer has
    finished its own processing.
    """

    def __init__(self) -> None:
        self._observers = Observers()
        self._node: Any = None
        self._shortcut: Any = None
        self._is_due = False
        self.across: int | None = None
        """The axis of the volume (0 columns, 1 rows, 2 slices) that the view of the last drawn region looks along."""

    @property
    def active(self) -> bool:
        """Whether a region is being drawn."""
        return self._node is not None

    def start(
        self,
        name: str,
        volume: vtkMRMLScalarVolumeNode,
        grid: PixelGrid,
        on_drawn: Callable[[vtkMRMLMarkupsROINode], None],
        on_cancelled: Callable[[], None],
        color: Sequence[int] = _COLOR,
    ) -> None:
        """Start place mode; an earlier drawing is cancelled. Does nothing without a main window.

        Parameters
        ----------
        name : str
            Name of the node.
        volume : vtkMRMLScalarVolumeNode
        grid : PixelGrid
            Grid of the slice that is shown, see ``volumes.grid_of``.
        on_drawn : callable
            Called once with the node, which then belongs to the caller. It lies inside the image, parallel to its rows
            and columns, one slice thick (in a whole volume one voxel along :attr:`across`), and is displayed as by
            ``regions.add_region``, in slice views only.
        on_cancelled : callable
            Called once instead if nothing was drawn; the node is removed then.
        color : sequence of 3 int
            0..255.
        """
        self.cancel()
        if slicer.app.layoutManager() is None:
            return
        self._volume, self._grid, self._on_drawn, self._on_cancelled = volume, grid, on_drawn, on_cancelled
        logic = slicer.app.applicationLogic()
        selection = self._selection = logic.GetSelectionNode()
        interaction = self._interaction = logic.GetInteractionNode()
        self.across = None
        # asked before there is a node: the Markups logic makes new ones active
        self._before = (
            selection.GetActivePlaceNodeClassName(),
            selection.GetActivePlaceNodeID(),
            interaction.GetPlaceModePersistence(),
        )
        scene = slicer.mrmlScene
        slices = [
            scene.GetNthNodeByClass(number, "vtkMRMLSliceNode").GetID()
            for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode"))
        ]
        node = self._node = scene.AddNewNodeByClass(_KIND, name)
        node.CreateDefaultDisplayNodes()
        self._display = node.GetDisplayNode()
        regions.dress_region(node, color, slices)
        node.GetDisplayNode().SetHandlesInteractive(False)
        regions.turn_region(node, volume, grid)  # so that the clicks are corners in the directions of the image
        selection.SetReferenceActivePlaceNodeClassName(_KIND)
        selection.SetReferenceActivePlaceNodeID(node.GetID())
        interaction.SwitchToSinglePlaceMode()
        self._observers.add(interaction, interaction.InteractionModeChangedEvent, self._notice)
        self._observers.add(selection, selection.ActivePlaceNodeIDChangedEvent, self._notice)
        self._observers.add(scene, scene.NodeRemovedEvent, self._notice)
        for event in (node.PointModifiedEvent, node.PointPositionDefinedEvent):
            self._observers.add(node, event, self._note_plane)
        self._observers.add(scene, scene.EndCloseEvent, self._notice)
        self._shortcut = qt.QShortcut(qt.QKeySequence("Esc"), slicer.util.mainWindow())
        self._shortcut.connect("activated()", self.cancel)

    def cancel(self) -> None:
        """End the drawing without a region. Does nothing if there is no drawing."""
        if self._node is not None:
            node = self._end()
            remove(slicer.mrmlScene, [node, self._display])  # which stays alone where the node was deleted
            self._on_cancelled()

    def _note_plane(self) -> None:
        """While there are two corners, they lie in the plane of the view; the node itself gets some depth at once."""
        node = self._node
        if node is None or node.GetNumberOfControlPoints() != 2:
            return
        first, second = (np.array(node.GetNthControlPointPosition(number)) for number in range(2))
        sides = np.abs(numpy_matrix(node.GetObjectToNodeMatrix())[:3, :3].T @ (second - first))
        if np.count_nonzero(sides > 1e-6) > 1:
            self.across = int(sides.argmin())

    def _notice(self) -> None:
        if not self._is_due:
            self._is_due = True
            qt.QTimer.singleShot(0, self._look)

    def _look(self) -> None:
        self._is_due = False
        if self._node is None:
            return
        node = self._node
        is_here = bool(slicer.mrmlScene.IsNodePresent(node))
        if is_here and self._is_placing():
            return
        drawn = self._drawn() if is_here else None
        if drawn is None:
            self.cancel()
            return
        self._end()
        regions.place_region(node, self._volume, self._grid, drawn)
        node.GetDisplayNode().SetHandlesInteractive(True)
        self._on_drawn(node)

    def _is_placing(self) -> bool:
        is_place_mode = self._interaction.GetCurrentInteractionMode() == self._interaction.Place
        return is_place_mode and self._selection.GetActivePlaceNodeID() == self._node.GetID()

    def _drawn(self) -> regions.Roi | None:
        """The region in px, None where it was not drawn to its end, or is too small, or lies beside the image."""
        node = self._node
        # a second corner that only follows the mouse is no defined point yet
        is_whole = 0 < node.GetNumberOfControlPoints() == node.GetNumberOfDefinedControlPoints()
        if not (is_whole and np.count_nonzero(node.GetSize()) > 1 and slicer.mrmlScene.IsNodePresent(self._volume)):
            return None
        roi = regions.region_of(node, self._volume, self._grid)
        if roi is None:
            return None
        if len(roi) == 6 and self.across is not None:
            roi = _flattened(roi, self.across)
        axes = len(roi) // 2
        sides = sorted((roi[axis + axes] - roi[axis] for axis in range(axes)), reverse=True)
        return roi if sides[1] >= LEAST else None

    def _end(self) -> vtkMRMLMarkupsROINode:
        """Take back all but the node."""
        self._observers.remove_all()
        shortcut, self._shortcut = self._shortcut, None
        shortcut.setEnabled(False)  # its own signal may be what brought us here, so its connection goes with it, later
        shortcut.deleteLater()
        node, self._node = self._node, None
        kind, place_id, persistence = self._before
        if self._selection.GetActivePlaceNodeID() in (node.GetID(), None):  # no other tool has taken over
            self._interaction.SwitchToViewTransformMode()
            if kind is not None:
                self._selection.SetReferenceActivePlaceNodeClassName(kind)
            is_there = place_id is not None and slicer.mrmlScene.GetNodeByID(place_id) is not None
            self._selection.SetReferenceActivePlaceNodeID(place_id if is_there else None)
        self._interaction.SetPlaceModePersistence(persistence)
        return node


def _flattened(roi: regions.Roi, across: int) -> regions.Roi:
    """A box made as thick as one voxel along an axis, about its middle."""
    middle = (roi[across] + roi[across + 3]) / 2.0
    flat = list(roi)
    flat[across], flat[across + 3] = middle - 0.5, middle + 0.5
    return tuple(flat)
