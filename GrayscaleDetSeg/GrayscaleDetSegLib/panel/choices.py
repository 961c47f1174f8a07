"""The choice of image, result, model and method, and the changes that follow from a choice or from deleted nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
import slicer
import vtk

from ..logic.observers import Observers
from ..scene.geometry import WHOLE

if TYPE_CHECKING:
    from .session import Session


class Choices:
    """Observes the parameters and the scene while the module is in use, and emits the session's signals.

    A choice may change another one: choosing a volume chooses its last result, and choosing a result chooses its
    volume.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen: tuple = ()
        self._observers, self._of_volume = Observers(), Observers()
        self._gone = qt.QTimer()
        self._gone.setSingleShot(True)
        self._gone.connect("timeout()", self._look_for_gone)

    def enter(self) -> None:
        """Begin to observe, and choose an image if none is chosen."""
        parameters, scene = self._session.parameters, slicer.mrmlScene
        self._observers.add(parameters, vtk.vtkCommand.ModifiedEvent, self.look)
        self._observers.add(scene, scene.NodeRemovedEvent, self._on_nodes_removed)
        self._observers.add(scene, scene.EndBatchProcessEvent, self._on_nodes_removed)
        if parameters.volume is None:
            parameters.volume = _likely_volume()
        self._seen = ()
        self.look()

    def leave(self) -> None:
        """Stop observing."""
        self._gone.stop()
        self._observers.remove_all()
        self._of_volume.remove_all()
        self._seen = ()

    def show_found(self, node) -> None:
        """Choose the segmentation that a run has written; if it is chosen already, show it again."""
        parameters = self._session.parameters
        if parameters.segmentation is node:
            self._seen = ()
            self.look()
        else:
            parameters.segmentation = node

    def look(self) -> None:
        """Read the present choices, and emit signals for those that have changed."""
        session, parameters = self._session, self._session.parameters
        if parameters is None or slicer.mrmlScene.IsBatchProcessing():  # half a scene; we look at its end
            return
        volume, node, cloud = parameters.volume, parameters.segmentation, parameters.showCloud
        now = (volume, node, cloud, parameters.model, parameters.method)
        before, self._seen = self._seen, now
        if not before or before[3] != now[3]:
            session.messages.drop_question()  # its answer would be another model's
        if not before or before[3:] != now[3:]:
            session.model_chosen.emit()
        if before and before[1] is not node:
            session.messages.drop_question()  # it was about the other result
        own = None if node is None else session.results.nodes(node).volume
        if before and before[1] is not node and own is not None and own is not volume:
            parameters.volume = own  # a result was chosen that belongs to another image
            return
        if not before or before[0] is not volume:
            if before and not session.is_busy:
                model = session.model  # what was said was about the other image; what is wrong with the model stays
                session.messages.say("" if model is None else model.problem)
            self._on_volume(volume)
            if session.parameters.segmentation is not node:
                return  # choosing the volume's result has brought us here again
        if not before or before[0] is not volume or before[1] is not node or before[2] != cloud:
            session.result_chosen.emit(node)
        session.chosen.emit(volume)
        session.changed.emit()

    def _on_volume(self, volume) -> None:
        """Another volume: show it, and the last result on it."""
        session = self._session
        session.messages.drop_question()
        self._of_volume.remove_all()
        if volume is not None:  # it may get its pixels later, or another name
            self._of_volume.add(volume, volume.ImageDataModifiedEvent, session.changed.emit)
            self._of_volume.add(volume, vtk.vtkCommand.ModifiedEvent, session.changed.emit)
        session.layout.show_volume(volume, WHOLE if session.takes_volumes else None)
        known = [] if volume is None else session.results.on(volume)
        if session.parameters.segmentation not in known:
            session.parameters.segmentation = known[-1] if known else None

    def _on_nodes_removed(self) -> None:
        """Nodes may be gone that the panel shows; look when the scene is done with it."""
        if not self._session.results.is_writing:
            self._gone.start()

    def _look_for_gone(self) -> None:
        if self._session.parameters is not None and not slicer.mrmlScene.IsBatchProcessing():
            self._session.results.forget_gone()
            self._session.view.drop_gone()
            self.look()


def _likely_volume():
    """The volume in the Red view, else the first that is there."""
    scene = slicer.mrmlScene
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    shown = None if composite is None else scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
    for node in (shown, scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")):
        if node is not None and not node.IsA("vtkMRMLLabelMapVolumeNode"):
            return node
    return None
