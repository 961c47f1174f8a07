"""Save as training case: where to, under which name, and the button."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..logic.cases import save_case

if TYPE_CHECKING:
    from .widget import Panel


class CasePanel:
    """The section "Training case" of the panel."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        panel.ui.saveCaseButton.connect("clicked(bool)", lambda _on=False: self.save())
        panel.ui.caseFolderLineEdit.connect("currentPathChanged(QString)", lambda _path: self.update_button())
        # an empty line is no valid path, of which the signal above does not tell
        panel.ui.caseFolderLineEdit.connect("validInputChanged(bool)", lambda _valid: self.update_button())
        panel.ui.caseNameLineEdit.connect("textChanged(QString)", lambda _text: self.update_button())

    def name_after(self, volume) -> None:
        """Propose a name for the case of another volume."""
        self._panel.ui.caseNameLineEdit.text = "" if volume is None else volume.GetName()

    def save(self) -> None:
        """Write the result that is shown to the chosen folder."""
        panel, ui = self._panel, self._panel.ui
        panel.results.finish_edits()
        node, workspace = panel.results.node, panel.segmenter.workspace
        folder = Path(ui.caseFolderLineEdit.currentPath)
        try:
            image, _segments = save_case(
                node, workspace.outcome(node).volume, folder, workspace.grid(node), ui.caseNameLineEdit.text.strip()
            )
        except Exception as error:
            panel.messages.fail(error)
            return
        ui.caseFolderLineEdit.addCurrentPathToHistory()
        panel.messages.say(_("Saved {file} and its segmentation beside it.").format(file=image))

    def update_button(self) -> None:
        """Whether there is something to save, and where to."""
        ui, busy = self._panel.ui, self._panel.runner.is_busy
        if self._panel.results.node is None:
            reason = _("There is no result to save.")
        elif not ui.caseFolderLineEdit.currentPath:
            reason = _("Choose a folder first.")
        elif not ui.caseNameLineEdit.text.strip():
            reason = _("Give the case a name first.")
        else:
            reason = _("Wait until the run has ended.") if busy else ""
        ui.saveCaseButton.enabled = not reason
        ui.saveCaseButton.toolTip = reason or _("Save image and segments, hand edits included, for training.")
