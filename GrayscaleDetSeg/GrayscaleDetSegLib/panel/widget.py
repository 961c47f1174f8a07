"""The panel: it ties widgets, scene and method together, and holds nothing that a script would need."""

from __future__ import annotations

from types import SimpleNamespace

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..core.errors import GrayscaleDetSegError
from ..core.methods.registry import registry
from ..logic.observers import Observers
from ..logic.segmenter import Segmented, Segmenter
from ..scene import volumes
from ..scene.nodes import attribute
from .cases import CasePanel
from .desk import Desk, current_slice
from .models import ModelPanel
from .parameters import Parameters, connect
from .results import ResultPanel

STAGES = {
    "loading the model": "Loading the model",
    "polarity": "Checking the polarity",
    "regions": "Looking for regions",
    "masks": "Comparing pixels",
    "explanation": "Explaining",
    "overlaps": "Settling overlaps",
    "clean-up": "Cleaning up",
}
"""What the panel says of the stages that all methods share; each method says its own, see ``Method.stages``."""


class Panel:
    """The module's panel.

    Parameters
    ----------
    ui : namespace
        The widgets of the .ui file by name.
    segmenter : Segmenter
    """

    def __init__(self, ui: SimpleNamespace, segmenter: Segmenter) -> None:
        desk = self.desk = Desk(ui, segmenter, self.update_buttons, self._on_stage, self.show_result)
        self.ui, self.segmenter, self.messages = ui, segmenter, desk.messages
        self.layout, self.runner = desk.layout, desk.runner
        self.is_entered = False
        self._disconnect = None  # unties the widgets from the parameters
        self._seen: tuple = ()
        self._observers, self._of_volume = Observers(), Observers()
        self._gone = qt.QTimer()
        self._gone.setSingleShot(True)
        self._gone.connect("timeout()", self._look_for_gone)
        self.results = ResultPanel(desk)
        self.cases = CasePanel(desk, self.results.finish_edits)
        self.models = ModelPanel(desk)
        ui.segmentButton.connect("clicked(bool)", lambda _on=False: self.segment_or_cancel())
        ui.drawButton.connect("clicked(bool)", lambda _on=False: self.results.regions.draw())
        self._shortcuts = [
            self._shortcut("Ctrl+Shift+S", self.segment_or_cancel),
            self._shortcut("Ctrl+Shift+Z", self.results.undo),
            self._shortcut("Ctrl+Shift+E", self.results.edit),
            self._shortcut("Ctrl+Shift+D", self.results.regions.draw),
        ]
        self._enable_shortcuts(False)

    @property
    def parameters(self) -> Parameters | None:
        """The user's choices; None while the module is not in use."""
        return self.desk.parameters

    # entering and leaving

    def enter(self, parameters: Parameters) -> None:
        """The user has come to the module, or a scene has been opened in it."""
        if self.is_entered:
            self.results.finish_edits()
        self.leave_scene()
        self.is_entered = True
        self.desk.parameters = parameters
        self._disconnect = connect(parameters, self.ui)
        self._observers.add(parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        scene = slicer.mrmlScene
        self._observers.add(scene, scene.NodeRemovedEvent, self._on_nodes_removed)
        self._observers.add(scene, scene.EndBatchProcessEvent, self._on_nodes_removed)
        if parameters.volume is None:
            parameters.volume = self._likely_volume()
        self._seen = ()
        self._enable_shortcuts(True)
        self._on_parameters()

    def leave_scene(self) -> None:
        """Let go of the scene: the user leaves the module, or the scene is closed."""
        if self.runner.is_busy:
            self.messages.say(_("The run was ended; nothing was changed."))
        self.runner.abandon()
        self._gone.stop()
        self.results.stop()
        self._observers.remove_all()
        self._of_volume.remove_all()
        self.messages.drop_question()
        self._enable_shortcuts(False)
        if self._disconnect is not None:
            self._disconnect()
        self.desk.parameters, self._disconnect, self._seen = None, None, ()
        self.is_entered = False
        self.models.forget()
        self.update_buttons()

    def leave(self) -> None:
        """The user goes to another module."""
        self.results.freeze()
        self.leave_scene()
        self.layout.restore()

    def close(self) -> None:
        """The panel goes for good."""
        self.leave()
        self.results.close()
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    # segmenting

    def segment_or_cancel(self) -> None:
        """The button's two meanings."""
        if self.runner.is_busy:
            self.runner.cancel()
        elif self.ui.segmentButton.enabled:
            self.segment()

    def segment(self, into_new: bool = False, replace_edits: bool = False) -> None:
        """Segment the chosen volume; ask before what was edited by hand is replaced."""
        if self.runner.is_busy or self.parameters is None:
            return
        self.messages.drop_question()
        self.results.regions.drawing.cancel()
        self.results.finish_edits()
        parameters, workspace = self.parameters, self.segmenter.workspace
        volume, into = parameters.volume, None if into_new else parameters.segmentation
        try:
            reading = workspace.read(volume, parameters.polarity.value, current_slice(volume))
            if into is not None and not workspace.fits(into, reading):
                into = None  # another slice of the same image has a result of its own
            if into is not None and not replace_edits and workspace.would_lose_edits(into):
                self._ask_about_edits(into)
                return
        except Exception as error:
            self.messages.fail(error)
            return
        self.desk.start(
            _("Segmenting {name}...").format(name=volume.GetName()),
            lambda engine, options, progress: engine.segment(reading.radiograph, options, progress),
            lambda result: self._show(reading, result, into),
        )

    def _show(self, reading, result, into) -> None:
        """What a run has found, in the scene."""
        self._show_device()
        if not self.desk.is_still_there(reading.volume):
            return
        if not result.objects:
            self.messages.say(result.message)
            self._offer_candidate(reading, result, into)
            return
        if into is not None and into.GetScene() is None:
            into = None
        try:
            outcome = self.segmenter.workspace.show(reading, result, into)
        except GrayscaleDetSegError as error:
            self.messages.fail(error)
            return
        self.show_result(Segmented(result, outcome))

    def show_result(self, found: Segmented) -> None:
        """Choose a result that has just come into the scene, unless the user has gone on to another image."""
        seconds = sum(found.result.seconds.values())
        notes = "".join(f" {note[:1].upper()}{note[1:].rstrip('.')}." for note in found.result.radiograph.notes)
        text = _("{message} ({seconds:.1f} s)").format(message=found.message, seconds=seconds) + notes
        note = self.segmenter.engine.device_note
        text = f"{text} {note}" if note else text
        self.messages.log(_("Model: {model}.").format(model=found.result.model))
        if self.parameters.volume is not found.outcome.volume:
            self.messages.say(f"{found.outcome.volume.GetName()}: {text}")
            return
        self.messages.say(text)
        self.results.select_first_of(found)
        if self.parameters.segmentation is found.segmentation:
            self._seen = ()
            self._on_parameters()
        else:
            self.parameters.segmentation = found.segmentation

    def _offer_candidate(self, reading, result, into) -> None:
        candidate = result.best_candidate
        if candidate is None:
            return

        def anyway() -> None:
            self.results.regions.segment_region(reading, candidate.roi, candidate.label, into)

        self.messages.ask(
            _("Segment the best candidate, {label}, nevertheless?").format(label=candidate.label),
            [(_("Segment it"), anyway), (_("No"), lambda: None)],
        )

    def _ask_about_edits(self, into) -> None:
        self.messages.ask(
            _("{name} was edited by hand. Replace it? Undo brings the edits back.").format(name=into.GetName()),
            [
                (_("Replace"), lambda: self.segment(replace_edits=True)),
                (_("New segmentation"), lambda: self.segment(into_new=True)),
                (_("Cancel"), lambda: None),
            ],
        )

    # what the panel shows

    def _on_stage(self, stage: str | None) -> None:
        """Another stage of a job has begun, or none runs any more."""
        if stage is not None:
            self.ui.progressBar.visible = True
            self.ui.progressBar.setRange(0, 0)
            self.ui.progressBar.format = ""
            self.ui.segmentButton.text = _("Cancelling...") if self.runner.is_cancelled else _("Cancel")
            if stage:
                self.ui.statusLabel.text = _(stage_text(stage)) + "..."
        else:
            self.ui.progressBar.visible = False
        self.update_buttons()

    def _on_parameters(self) -> None:
        """Something else was chosen."""
        parameters = self.parameters
        if parameters is None or slicer.mrmlScene.IsBatchProcessing():  # half a scene; we look at its end
            return
        volume, node, cloud, model = parameters.volume, parameters.segmentation, parameters.showCloud, parameters.model
        before, self._seen = self._seen, (volume, node, cloud, model, parameters.method)
        if not before or before[3] != model:
            self.messages.drop_question()  # its answer would be another model's
            self.models.show()
        elif before[4] != parameters.method:
            self.models.show()
        if before and before[1] is not node:
            self.messages.drop_question()  # it was about the other result
        self.ui.readingLabel.text = reading_text(volume)
        own = None if node is None else self.segmenter.workspace.outcome(node).volume
        if before and before[1] is not node and own is not None and own is not volume:
            parameters.volume = own  # a result was chosen that belongs to another image
            return
        if not before or before[0] is not volume:
            self._on_volume(volume)
            if self.parameters.segmentation is not node:
                return  # choosing the volume's result has brought us here again
        if not before or before[0] is not volume or before[1] is not node or before[2] != cloud:
            self.results.show(node)
        self.cases.name_after(volume)
        self.update_buttons()

    def _on_volume(self, volume) -> None:
        """Another volume: show it, and the last result on it."""
        self.messages.drop_question()
        self._of_volume.remove_all()
        if volume is not None:  # it may get its pixels later, or another name
            self._of_volume.add(volume, volume.ImageDataModifiedEvent, self.update_buttons)
            self._of_volume.add(volume, vtk.vtkCommand.ModifiedEvent, self.update_buttons)
        self.layout.show_volume(volume)
        node = self.parameters.segmentation
        known = [] if volume is None else self.segmenter.workspace.results_on(volume)
        if node not in known:
            self.parameters.segmentation = known[-1] if known else None

    def _on_nodes_removed(self) -> None:
        """Nodes may be gone that the panel shows; look when the scene is done with it."""
        if not self.segmenter.workspace.is_writing:
            self._gone.start()

    def _look_for_gone(self) -> None:
        if self.parameters is not None and not slicer.mrmlScene.IsBatchProcessing():
            self.segmenter.workspace.forget_gone()
            self.results.drop_gone()
            self._on_parameters()

    def update_buttons(self) -> None:
        """Which buttons can be used, and why the others cannot."""
        busy, parameters = self.runner.is_busy, self.parameters
        reason = _("The module is not in use.") if parameters is None else self._obstacle(parameters.volume)
        reason = reason or self.models.obstacle
        button = self.ui.segmentButton
        if busy:
            button.enabled, button.toolTip = not self.runner.is_cancelled, _("Stop at the next stage.")
        else:
            button.text, button.enabled = _("Segment"), not reason
            button.toolTip = reason or _("Find the objects in {name} and segment them (Ctrl+Shift+S).").format(
                name=parameters.volume.GetName()
            )
        self.results.update_buttons(busy, reason)
        self.cases.update_button()
        self.models.update_buttons()

    @staticmethod
    def _obstacle(volume) -> str:
        """Why a volume cannot be segmented, or nothing."""
        if volume is None:
            return _("Choose a radiograph first.")
        try:
            volumes.grid_of(volume, 0)
        except GrayscaleDetSegError as error:
            return str(error)
        return ""

    def _show_device(self) -> None:
        engine = self.segmenter.engine
        self.ui.deviceLabel.text = engine.device_note or engine.computing or _("not started")

    @staticmethod
    def _likely_volume():
        """The volume in the Red view, else the first that is there."""
        scene = slicer.mrmlScene
        composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
        shown = None if composite is None else scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
        for node in (shown, scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")):
            if node is not None and not node.IsA("vtkMRMLLabelMapVolumeNode"):
                return node
        return None

    def _shortcut(self, keys: str, call) -> qt.QShortcut:
        shortcut = qt.QShortcut(qt.QKeySequence(keys), slicer.util.mainWindow() or self.ui.segmentButton)
        shortcut.connect("activated()", call)
        return shortcut

    def _enable_shortcuts(self, on: bool) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(on)


def stage_text(stage: str) -> str:
    """What to say while a stage runs; its name where nobody says more."""
    for stages in (STAGES, *(method.stages for method in registry().usable())):
        if stage in stages:
            return stages[stage]
    return stage


def reading_text(volume) -> str:
    """How a volume was understood when it was segmented last; nothing before."""
    if volume is None or attribute(volume, "Polarity") is None:
        return ""
    spacing, source = attribute(volume, "Spacing"), attribute(volume, "SpacingSource")
    spacing = _("spacing not known, so no areas in mm²") if not source else _("{spacing}, by {source}").format(
        spacing=spacing, source=source
    )
    return _("{polarity}: {reason}; {spacing}.").format(
        polarity=attribute(volume, "Polarity"), reason=attribute(volume, "PolarityReason"), spacing=spacing
    )
