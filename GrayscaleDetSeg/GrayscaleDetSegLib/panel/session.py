"""What the sections of a panel share: choices, state, messages and signals."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import slicer
from slicer.i18n import tr as _

from ..core.engines import wanted_engine
from ..core.errors import GrayscaleDetSegError
from ..core.methods.registry import registry
from ..core.options import SegmentOptions
from ..logic import dependencies
from ..logic.engine import Engine
from ..logic.jobs import Cancelled
from ..logic.models import Model
from ..logic.segmenter import Segmenter
from .choices import Choices
from .layout import CloudLayout
from .messages import Messages
from .parameters import Parameters, options_of
from .result_view import ResultView
from .run import Runner, load_libraries
from .scene_results import Results
from .signals import Signal
from .slices import image_problem
from .state import Event, State, StateMachine


class Session:
    """The shared state of one panel. Sections use it, and communicate by its signals only.

    Parameters
    ----------
    ui : namespace
        The widgets of all sections by name.
    segmenter : Segmenter

    Attributes
    ----------
    machine : StateMachine
        The state of the panel.
    changed : Signal ()
        Buttons and texts must be updated.
    stage : Signal (str or None)
        A stage of a job has started; None: the job has ended.
    model_chosen : Signal ()
        Another model or method was chosen.
    result_chosen : Signal (segmentation or None)
        Another result was chosen, or the same one again.
    chosen : Signal (volume or None)
        All consequences of a choice are done; the volume that is chosen now.
    refreshed : Signal (Shown or None)
        The result that is shown has changed or was replaced.
    selected : Signal (segment id or None)
        Another object was selected, or the same one again.
    finishing : Signal ()
        Open drags must be finished.
    dropping : Signal ()
        Open drags and drawings must be cancelled.
    found : Signal (Segmented)
        A run has added a result to the scene.
    moved : Signal (segment id, Numbers)
        Thresholds are being moved.
    pixel : Signal (str)
        Text on the pixel under the mouse.
    draw_wanted : Signal (bool)
        Drawing a region must start or be cancelled.
    model_wanted : Signal ()
        The user wants to choose another model.
    region_wanted : Signal (Reading or WholeReading, roi, label, segmentation or None)
        An object must be segmented in a region.
    slice_box_wanted : Signal (segment id)
        Drawing a box of an object in a single slice must start or be cancelled.
    """

    def __init__(self, ui: SimpleNamespace, segmenter: Segmenter) -> None:
        self.ui, self.segmenter, self.results = ui, segmenter, Results(segmenter.workspace)
        self.machine = StateMachine()
        self.changed, self.stage, self.found = Signal(), Signal(), Signal()
        self.finishing, self.dropping = Signal(), Signal()
        self.model_chosen, self.result_chosen, self.chosen = Signal(), Signal(), Signal()
        self.refreshed, self.selected, self.moved, self.pixel = Signal(), Signal(), Signal(), Signal()
        self.draw_wanted, self.model_wanted, self.region_wanted = Signal(), Signal(), Signal()
        self.slice_box_wanted = Signal()
        self.messages, self.layout, self.runner = Messages(ui), CloudLayout(), Runner(self._on_stage)
        self.parameters: Parameters | None = None
        """The user's choices; None while the module is not in use."""
        self.node: Any = None
        """The segmentation whose result is shown."""
        self.selection: str | None = None
        """The segment of the selected object."""
        self.selection_at_start: str | None = None
        """The one that was selected when the last run was started."""
        self.model: Model | None = None
        """The chosen model, whether it can be used or not; None while the module is not in use."""
        self.model_problem = ""
        """Why the chosen model cannot be used, or not by the chosen method."""
        self._is_preparing = False
        self.view, self.choices = ResultView(self), Choices(self)
        self.machine.changed.connect(self._on_state)

    @property
    def state(self) -> State:
        """The state of the panel."""
        return self.machine.state

    @property
    def options(self) -> SegmentOptions:
        """The options of a run, from the user's choices. The module must be in use."""
        assert self.parameters is not None
        return options_of(self.parameters)

    @property
    def is_busy(self) -> bool:
        """Whether a job is running."""
        return self.state is State.BUSY

    @property
    def obstacle(self) -> str:
        """Why the chosen model cannot segment the chosen image; empty if it can."""
        if self.parameters is None:
            return _("The module is not in use.")
        return image_problem(self.parameters.volume, self.takes_volumes) or self.model_problem

    @property
    def takes_volumes(self) -> bool:
        """Whether the chosen model takes whole volumes instead of radiographs."""
        return self.model is not None and self.model.dimensions == 3

    @property
    def shows_volume(self) -> bool:
        """Whether the result that is shown is that of a whole volume."""
        return self.node is not None and self.results.is_whole(self.node)

    def prepare(self) -> None:
        """Install and import the computing libraries.

        Raises
        ------
        GrayscaleDetSegError
            If PyTorch is needed, missing and declined; if it is being installed, while the window accepts clicks; or if
            the user left the module during the installation.
        """
        if self._is_preparing:
            raise GrayscaleDetSegError(_("PyTorch is being installed; wait until that has ended, then try again."))
        self._is_preparing = True
        try:
            needs_torch = self._needs_torch()
            if dependencies.missing(needs_torch):
                dependencies.install(_confirm_installing, self.messages.log, needs_torch)
            load_libraries(self.messages.say, needs_torch)
        finally:
            self._is_preparing = False
        if self.parameters is None:
            raise GrayscaleDetSegError(_("The module was left meanwhile; nothing was changed."))

    def start(
        self,
        text: str,
        work: Callable[[Engine, SegmentOptions, Callable], Any],
        done: Callable[[Any], object],
        undone: Callable[[], object] = lambda: None,
    ) -> None:
        """Call :meth:`prepare`, show `text`, and run a function in a thread.

        Parameters
        ----------
        work : callable (engine, options, progress) -> outcome
            Runs in the thread.
        done : callable (outcome)
            Called with what `work` returned.
        undone : callable
            Called if `work` failed or was cancelled.
        """
        try:
            self._check_model()
            self.prepare()
        except Exception as error:
            self.messages.fail(error)
            undone()
            return
        if not self.machine.allows(Event.RUN):
            self.messages.say(_("Another run is on; wait until it has ended, then try again."))
            undone()
            return
        self.messages.drop_question()
        self.messages.say(text)
        self.selection_at_start = self.selection
        options, engine = self.options, self.segmenter.engine

        def failed(error: BaseException) -> None:
            if isinstance(error, Cancelled):
                self.messages.say(_("Cancelled; nothing was changed."))
            else:
                self.messages.fail(error)
            undone()

        self.runner.start(lambda progress: work(engine, options, progress), done, failed)

    def abandon(self) -> None:
        """Drop the running job, if there is one; its outcome is ignored."""
        if self.runner.is_busy:
            self.messages.say(_("The run was ended; nothing was changed."))
        self.runner.abandon()

    def _on_stage(self, stage: str | None) -> None:
        self.machine.send(Event.RUN_ENDED if stage is None else Event.RUN)
        self.stage.emit(stage)
        self.changed.emit()

    def _on_state(self, _state: State) -> None:
        self.changed.emit()

    def _needs_torch(self) -> bool:
        """Whether PyTorch computes, or the chosen method needs it."""
        if self.parameters is None:
            return False
        options = self.options
        if self.takes_volumes or wanted_engine(options.engine, options.device) == "torch":
            return True
        try:
            return options.method is not None and registry().get(options.method).needs_torch
        except GrayscaleDetSegError:  # said when the method is used
            return False

    def _check_model(self) -> None:
        """Raise GrayscaleDetSegError if the chosen model is not there: no other one is taken in its place."""
        model = None if self.parameters is None else self.segmenter.models.get(self.parameters.model)
        if model is not None and model.problem:
            raise GrayscaleDetSegError(model.problem)

    def is_still_there(self, volume) -> bool:
        """Whether the volume of a finished run is still in the scene; if not, a message says so."""
        if volume.GetScene() is None:
            self.messages.say(_("The image was removed meanwhile, and its result with it."))
            return False
        return self.parameters is not None


def _confirm_installing(requirements: tuple[str, ...]) -> bool:
    return slicer.util.confirmOkCancelDisplay(
        _("This needs {packages}. Install now? The download can take some minutes.").format(
            packages=", ".join(requirements)
        ),
        _("GrayscaleDetSeg needs more packages"),
    )
