"""The section "Training case": folder, name and button."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from slicer.i18n import tr as _

from ...logic.cases import save_case
from ..section import Section
from ..session import Session
from ..state import State


class Cases(Section):
    """The section "Training case" of the panel."""

    order = 700

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self._named: tuple[str, str] | None = None
        session.chosen.connect(self.name_after)
        ui.saveCaseButton.connect("clicked(bool)", lambda _on=False: self.save())
        ui.caseFolderLineEdit.connect("currentPathChanged(QString)", lambda _path: self.update_button())
        # an empty line is no valid path, of which the signal above does not tell
        ui.caseFolderLineEdit.connect("validInputChanged(bool)", lambda _valid: self.update_button())
        ui.caseNameLineEdit.connect("textChanged(QString)", lambda _text: self.update_button())

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        self.update_button()
        return self.session.node is not None and not self.session.shows_volume  # a volume and its segments are saved

    def name_after(self, volume) -> None:
        """Propose a name for the case of another volume. For the same volume, a name that the user has typed stays."""
        named, self._named = self._named, None if volume is None else (volume.GetID(), volume.GetName())
        if self._named != named:
            self.ui.caseNameLineEdit.text = "" if volume is None else volume.GetName()

    def save(self) -> None:
        """Save the result that is shown in the chosen folder."""
        session, ui = self.session, self.ui
        session.finishing.emit()
        node, results = session.node, session.results
        folder = Path(ui.caseFolderLineEdit.currentPath)
        try:
            image, _segments = save_case(
                node, results.nodes(node).volume, folder, results.grid(node), ui.caseNameLineEdit.text.strip()
            )
        except Exception as error:
            session.messages.fail(error)
            return
        ui.caseFolderLineEdit.addCurrentPathToHistory()
        session.messages.say(_("Saved {file} and its segmentation beside it.").format(file=image))

    def update_button(self) -> None:
        """Enable the button if there is a result to save and a folder."""
        ui, busy = self.ui, self.session.is_busy
        if self.session.node is None:
            reason = _("There is no result to save.")
        elif not ui.caseFolderLineEdit.currentPath:
            reason = _("Choose a folder first.")
        elif not ui.caseNameLineEdit.text.strip():
            reason = _("Give the case a name first.")
        else:
            reason = _("Wait until the run has ended.") if busy else ""
        ui.saveCaseButton.enabled = not reason
        ui.saveCaseButton.toolTip = reason or _("Save image and segments, hand edits included, for training.")
