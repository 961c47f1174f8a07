"""The main button: a run over the whole image, its progress and outcome, and the next step for the user."""

from __future__ import annotations

import re
from types import SimpleNamespace

from slicer.i18n import tr as _

from ...core.errors import GrayscaleDetSegError
from ...core.labels import display_name
from ...core.methods.registry import registry
from ...core.results import image_of
from ...logic.segmenter import Segmented
from ...logic.shown import AnyReading
from ..section import Section
from ..session import Session
from ..slices import current_slice
from ..state import State

STAGES = {
    "loading the model": "Loading the model",
    "grid": "Bringing the volume into the model's grid",
    "polarity": "Checking the polarity",
    "regions": "Looking for regions",
    "masks": "Comparing pixels",
    "explanation": "Explaining",
    "overlaps": "Settling overlaps",
    "post-processing": "Smoothing and filling masks",
}
"""What the panel says of the stages that all methods share; each method says its own, see ``Method.stages``."""


class Segment(Section):
    """The button Segment or Cancel, progress, status, question, and the line with the next step."""

    order = 300

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        ui.segmentButton.connect("clicked(bool)", lambda _on=False: self.segment_or_cancel())
        session.stage.connect(self._on_stage)
        session.found.connect(self._on_found)

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        session, button = self.session, self.ui.segmentButton
        reason = session.obstacle
        if state is State.BUSY:
            button.enabled, button.toolTip = not session.runner.is_cancelled, _("Stop at the next stage.")
        else:
            button.text, button.enabled = _("Segment"), not reason
            button.toolTip = reason or _("Find the objects in {name} and segment them (Ctrl+Shift+S).").format(
                name=session.parameters.volume.GetName()
            )
        text = next_step(session, state)
        self.ui.nextLabel.text = text
        self.ui.nextLabel.visible = bool(text)
        return True

    def leave(self) -> None:
        """As :meth:`Section.leave`."""
        self.session.abandon()
        self.session.messages.drop_question()

    # running

    def segment_or_cancel(self) -> None:
        """Handle the button: segment, or cancel the running job."""
        if self.session.is_busy:
            self.session.runner.cancel()
        elif self.ui.segmentButton.enabled:
            self.segment()

    def segment(self, into_new: bool = False, replace_edits: bool = False) -> None:
        """Segment the chosen volume; ask before edits by hand or locked objects are replaced."""
        session = self.session
        if session.is_busy or session.parameters is None:
            return
        session.messages.drop_question()
        session.draw_wanted.emit(False)
        session.finishing.emit()
        parameters, results = session.parameters, session.results
        volume, into = parameters.volume, None if into_new else parameters.segmentation
        reading: AnyReading
        try:
            if session.takes_volumes:
                reading = results.read_whole(volume)
            else:
                reading = results.read(volume, parameters.polarity.value, current_slice(volume))
            if into is not None and not results.fits(into, reading):
                into = results.last_on(volume, reading.grid.index)  # each slice has a result of its own
            if into is not None and not replace_edits and results.would_lose_work(into):
                self._ask_about_work(into)
                return
        except Exception as error:
            session.messages.fail(error)
            return
        session.start(
            _("Segmenting {name}...").format(name=volume.GetName()),
            lambda engine, options, progress: engine.segment(reading.image, options, progress),
            lambda result: self._show(reading, result, into),
        )

    def _show(self, reading, result, into) -> None:
        """What a run has found, in the scene."""
        session = self.session
        if not session.is_still_there(reading.volume):
            return
        if not result.objects:
            session.messages.say(result.message)
            self._offer_ways_out(reading, result, into)
            return
        if into is not None and into.GetScene() is None:
            into = None
        try:
            outcome = session.results.show(reading, result, into)
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return
        session.found.emit(Segmented(result, outcome))

    def _on_found(self, found: Segmented) -> None:
        """Choose a result that has just come into the scene, unless the user has gone on to another image."""
        session = self.session
        seconds = sum(found.result.seconds.values())
        notes = "".join(f" {note[:1].upper()}{note[1:].rstrip('.')}." for note in image_of(found.result).notes)
        text = _("{message} ({seconds:.1f} s)").format(message=found.message, seconds=seconds) + notes
        note = session.segmenter.engine.device_note
        text = f"{text} {note}" if note else text
        session.messages.log(_("Model: {model}.").format(model=found.result.model))
        if session.parameters.volume is not found.outcome.volume:
            session.messages.say(f"{found.outcome.volume.GetName()}: {text}")
            return
        session.messages.say(text)
        if session.node is found.segmentation:
            session.view.stop()  # so that the first object is the selected one
        session.choices.show_found(found.segmentation)

    # questions

    def _offer_ways_out(self, reading, result, into) -> None:
        """Nothing known was found: say so, and what can be done."""
        session, model = self.session, self.session.model
        candidate = getattr(result, "best_candidate", None)  # methods for volumes have none
        choices = []
        if candidate is not None:

            def anyway() -> None:
                session.region_wanted.emit(reading, candidate.roi, candidate.label, into)

            choices.append((_("Segment {label} anyway").format(label=candidate.label), anyway))
        choices += [
            (_("Draw a region"), lambda: session.draw_wanted.emit(True)),
            (_("Another model"), session.model_wanted.emit),
        ]
        session.messages.ask(
            _(
                "Not known: {model} has found none of what it knows in {name}. If it should know it, draw a region "
                "around it. If it cannot, take another model, or teach one: save corrected results as training cases."
            ).format(model=result.model if model is None else model.full_name, name=reading.volume.GetName()),
            choices,
        )

    def _ask_about_work(self, into) -> None:
        self.session.messages.ask(
            _("{name} was edited by hand, or holds locked objects. Replace it? Undo brings it back.").format(
                name=into.GetName()
            ),
            [
                (_("Replace"), lambda: self.segment(replace_edits=True)),
                (_("New segmentation"), lambda: self.segment(into_new=True)),
                (_("Cancel"), lambda: None),
            ],
        )

    def _on_stage(self, stage: str | None) -> None:
        """Another stage of a job has begun, or none runs any more."""
        if stage is None:
            self.ui.progressBar.visible = False
            return
        self.ui.progressBar.visible = True
        self.ui.progressBar.setRange(0, 0)
        self.ui.progressBar.format = ""
        self.ui.segmentButton.text = _("Cancelling...") if self.session.runner.is_cancelled else _("Cancel")
        if stage:
            self.ui.statusLabel.text = _(stage_text(stage)) + "..."


def next_step(session: Session, state: State) -> str:
    """The next step for the user in one short line; empty if a message says it already."""
    parameters, node = session.parameters, session.node
    if parameters is None or state is State.BUSY or session.model_problem:
        return ""
    if parameters.volume is None:
        return _("Next: load an image: drag a file into the window, or take one from Sample Data.")
    if session.obstacle:
        return ""
    if state is State.DRAWING:
        return _("Next: click two opposite corners of the region.")
    if state is State.DRAGGING:
        return _("Next: let go; the mask becomes final.")
    if node is None:
        return _("Next: click Segment.")
    if session.results.can_undo(node) and session.shows_volume:
        return _("Next: save: File, Save Data.")
    if session.results.can_undo(node):
        return _("Next: save: File, Save Data; or as a training case, below.")
    if session.shows_volume:
        return _("Next: click an object; drag its box, or Edit it; save.")
    return _("Next: click an object; drag its region or thresholds; save.")


ROUND = re.compile(r"round (\d+), (\w+)")


def stage_text(stage: str) -> str:
    """The text for a stage while it runs; the name of the stage if there is no text.

    A stage of one of several objects has the object's name and a colon in front of it.
    """
    name, _colon, own = stage.rpartition(": ")
    if name:
        return f"{display_name(name)}: {stage_text(own)}"
    in_round = ROUND.fullmatch(stage)
    if in_round is not None:
        return _("Round {number}, {view} slices").format(number=in_round[1], view=in_round[2])
    for stages in (STAGES, *(method.stages for method in registry().usable())):
        if stage in stages:
            return stages[stage]
    return stage
