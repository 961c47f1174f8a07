"""Save as training case: where to, under which name, and the button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slicer.i18n import tr as _

from ..logic.cases import save_case
from .desk import Desk


class CasePanel:
    """The section "Training case" of the panel; `finish_edits` makes final what is being moved."""

    def __init__(self, desk: Desk, finish_edits: Callable[[], object]) -> None:
        self._desk, self._finish_edits = desk, finish_edits
        self._named: tuple[str, str] | None = None
        desk.ui.saveCaseButton.connect("clicked(bool)", lambda _on=False: self.save())
        desk.ui.caseFolderLineEdit.connect("currentPathChanged(QString)", lambda _path: self.update_button())
        # an empty line is no valid path, of which the signal above does not tell
        desk.ui.caseFolderLineEdit.connect("validInputChanged(bool)", lambda _valid: self.update_button())
        desk.ui.caseNameLineEdit.connect("textChanged(QString)", lambda _text: self.update_button())

    def name_after(self, volume) -> None:
        """Propose a name for the case of another volume; for the same one, what the user has written stays."""
        named, self._named = self._named, None if volume is None else (volume.GetID(), volume.GetName())
        if self._named != named:
            self._desk.ui.caseNameLineEdit.text = "" if volume is None else volume.GetName()

    def save(self) -> None:
        """Write the result that is shown to the chosen folder."""
        desk, ui = self._desk, self._desk.ui
        self._finish_edits()
        node, workspace = desk.node, desk.workspace
        folder = Path(ui.caseFolderLineEdit.currentPath)
        try:
            image, _segments = save_case(
                node, workspace.outcome(node).volume, folder, workspace.grid(node), ui.caseNameLineEdit.text.strip()
            )
        except Exception as error:
            desk.messages.fail(error)
            return
        ui.caseFolderLineEdit.addCurrentPathToHistory()
        desk.messages.say(_("Saved {file} and its segmentation beside it.").format(file=image))

    def update_button(self) -> None:
        """Whether there is something to save, and where to."""
        ui, busy = self._desk.ui, self._desk.runner.is_busy
        if self._desk.node is None:
            reason = _("There is no result to save.")
        elif not ui.caseFolderLineEdit.currentPath:
            reason = _("Choose a folder first.")
        elif not ui.caseNameLineEdit.text.strip():
            reason = _("Give the case a name first.")
        else:
            reason = _("Wait until the run has ended.") if busy else ""
        ui.saveCaseButton.enabled = not reason
        ui.saveCaseButton.toolTip = reason or _("Save image and segments, hand edits included, for training.")
