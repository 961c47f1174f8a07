"""What the parts of the panel share: widgets, method, choices, views, the job that runs, and who says what."""

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
from ..logic.segmenter import Segmented, Segmenter
from ..scene import volumes
from .layout import CloudLayout
from .messages import Messages
from .parameters import Parameters, options_of
from .run import Runner, load_libraries


class Desk:
    """One for a panel; its parts know it, and each other only from the upper to the lower.

    Parameters
    ----------
    ui : namespace
        The widgets of the .ui file by name.
    segmenter : Segmenter
    on_change : callable
        Called when buttons may be on or off that were not: a job has begun or ended, something was chosen.
    on_stage : callable (stage or None)
        Called when a job has come to another stage, and with None at its end.
    on_found : callable (Segmented)
        Called with a result that has just come into the scene.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        segmenter: Segmenter,
        on_change: Callable[[], object],
        on_stage: Callable[[str | None], object],
        on_found: Callable[[Segmented], object],
    ) -> None:
        self.ui, self.segmenter, self.workspace = ui, segmenter, segmenter.workspace
        self.changed, self.found = on_change, on_found
        self.messages, self.layout, self.runner = Messages(ui), CloudLayout(), Runner(on_stage)
        self.parameters: Parameters | None = None
        """The user's choices; None while the module is not in use."""
        self.node = None
        """The segmentation whose result is shown."""
        self._is_preparing = False

    def prepare(self) -> None:
        """See to it that what computes is there and loaded, the module still in use.

        Raises
        ------
        GrayscaleDetSegError
            Where PyTorch is needed, not there and not wanted, is being installed (clicks are heeded meanwhile), or the
            module was left before it was there.
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
        """Prepare, say `text`, and do a piece of work in a thread.

        Parameters
        ----------
        work : callable (engine, options, progress) -> outcome
            Runs in the thread.
        done : callable (outcome)
            Called with what it returned.
        undone : callable
            Called where nothing came of it.
        """
        try:
            self._check_model()
            self.prepare()
        except Exception as error:
            self.messages.fail(error)
            undone()
            return
        if self.runner.is_busy:
            self.messages.say(_("Another run is on; wait until it has ended, then try again."))
            undone()
            return
        self.messages.drop_question()
        self.messages.say(text)
        options, engine = options_of(self.parameters), self.segmenter.engine

        def failed(error: BaseException) -> None:
            if isinstance(error, Cancelled):
                self.messages.say(_("Cancelled; nothing was changed."))
            else:
                self.messages.fail(error)
            undone()

        self.runner.start(lambda progress: work(engine, options, progress), done, failed)

    def _needs_torch(self) -> bool:
        """Whether PyTorch computes, or the chosen method needs it."""
        if self.parameters is None:
            return False
        options = options_of(self.parameters)
        if wanted_engine(options.engine, options.device) == "torch":
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
        """Whether the volume of a run that has ended is in the scene; says so where it is not."""
        if volume.GetScene() is None:
            self.messages.say(_("The image was removed meanwhile, and its result with it."))
            return False
        return self.parameters is not None


def current_slice(volume) -> int | None:
    """The slice of a volume that the Red view shows; None where there is only one."""
    grid = volumes.grid_of(volume, 0)
    if grid.dimensions[grid.axes[2]] == 1:
        return None
    node = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    if node is None:
        return grid.dimensions[grid.axes[2]] // 2
    matrix = node.GetSliceToRAS()
    return volumes.slice_at(volume, tuple(matrix.GetElement(row, 3) for row in range(3)))


def _confirm_installing(requirements: tuple[str, ...]) -> bool:
    return slicer.util.confirmOkCancelDisplay(
        _("This needs {packages}. Install now? The download can take some minutes.").format(
            packages=", ".join(requirements)
        ),
        _("GrayscaleDetSeg needs more packages"),
    )
