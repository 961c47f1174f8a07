"""The objects of the result: the choice of the result, the table, and actions on one object or on many."""

from __future__ import annotations

from types import SimpleNamespace

import slicer
from slicer.i18n import tr as _

from ...core.errors import GrayscaleDetSegError
from ...core.labels import display_name
from ...core.results import area_text
from ...logic.drag import Numbers
from ...logic.shown import Shown
from ..objects_table import ObjectsTable
from ..section import Section
from ..session import Session
from ..state import State

MANY = 4
"""With more objects than this there are the controls to find them and to show, hide and lock them together."""


class Objects(Section):
    """The result, the table, and the buttons Undo, Delete and Edit."""

    order = 500

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self.table = ObjectsTable(ui.objectsTable)
        self.table.selected_by_user.connect(session.view.select)
        self.table.shown_by_user.connect(self.show)
        self.table.locked_by_user.connect(self.lock)
        session.refreshed.connect(self._on_refreshed)
        session.selected.connect(self._on_selected)
        session.moved.connect(self._on_moved)
        self._is_opened = False
        for button, call in (
            (ui.undoButton, self.undo),
            (ui.deleteButton, self.delete),
            (ui.editButton, self.edit),
            (ui.showButton, lambda: self.show_listed(True)),
            (ui.hideButton, lambda: self.show_listed(False)),
            (ui.lockButton, lambda: self.lock_listed(True)),
            (ui.unlockButton, lambda: self.lock_listed(False)),
        ):
            button.connect("clicked(bool)", lambda _on=False, call=call: call())
        ui.findLineEdit.connect("textChanged(QString)", lambda _text: self._filter())
        ui.filterComboBox.connect("activated(int)", lambda _index: self._filter())

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        session, ui, node = self.session, self.ui, self.session.node
        wait = _("Wait until the run has ended.") if state is State.BUSY else ""
        has_undo = node is not None and session.results.can_undo(node)
        chosen = "" if session.selection is not None else _("Choose an object in the table first.")
        locked = ""
        if session.selection is not None and session.results.is_locked(node, session.selection):
            locked = _("This object is locked; unlock it in the table first.")
        for button, reason, text in (
            (ui.undoButton, wait or ("" if has_undo else _("There is nothing to undo.")),
             _("Bring back the state before the last change (Ctrl+Shift+Z).")),
            (ui.deleteButton, wait or chosen or locked,
             _("Take this object out of the result; Undo brings it back.")),
            (ui.editButton, wait or chosen, _("Correct this object by hand in Segment Editor (Ctrl+Shift+E).")),
        ):  # fmt: skip
            button.enabled, button.toolTip = not reason, reason or text
        if node is not None and not self._is_opened:  # once; then it is as the user wants it
            self._is_opened = True
            ui.objectsCollapsibleButton.collapsed = False
        if session.parameters is None:
            return False
        return node is not None or slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") > 0

    # what is shown

    def _on_refreshed(self, shown: Shown | None) -> None:
        node, results = self.session.node, self.session.results
        identities = () if shown is None else shown.identities
        display = None if not identities else node.GetDisplayNode()
        colors = {each: node.GetSegmentation().GetSegment(each).GetColor() for each in identities}
        visible = [each for each in identities if display is None or display.GetSegmentVisibility(each)]
        locked = [each for each in identities if results.is_locked(node, each)]
        self.table.fill(shown, colors, visible, locked, self.session.selection)
        self._show_filter(shown)

    def _on_selected(self, identity: str | None) -> None:
        if identity is not None and identity not in self.table.listed:
            self.ui.findLineEdit.text = ""
            self.ui.filterComboBox.currentIndex = 0
            self._filter()
        self.table.select(identity)

    def _on_moved(self, identity: str, numbers: Numbers) -> None:
        self.table.update_row(identity, numbers.interval, area_text(numbers.pixel_count, numbers.area_mm2))

    def _show_filter(self, shown: Shown | None) -> None:
        """The classes to choose from, and whether there are so many objects that one would."""
        combo = self.ui.filterComboBox
        labels = [] if shown is None else list(dict.fromkeys(item.label for item in shown.result.objects))
        if [combo.itemData(index) for index in range(1, combo.count)] != labels:
            before = combo.itemData(combo.currentIndex) if combo.count else None
            combo.clear()
            combo.addItem(_("All classes"), None)
            for label in labels:
                combo.addItem(display_name(label), label)
            combo.currentIndex = 1 + labels.index(before) if before in labels else 0
        is_many = shown is not None and len(shown.identities) > MANY
        self.ui.filterFrame.visible = is_many
        if not is_many:
            self.ui.findLineEdit.text = ""
            combo.currentIndex = 0
        self._filter()

    def _filter(self) -> None:
        combo = self.ui.filterComboBox
        label = combo.itemData(combo.currentIndex) if combo.currentIndex > 0 else None
        self.table.filter(self.ui.findLineEdit.text.strip(), label)

    # one object and many

    def show(self, identity: str, on: bool) -> None:
        """Show or hide an object and its region."""
        node = self.session.node
        if node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetSegmentVisibility(identity, on)
        region = self.session.results.nodes(node).regions.get(identity)
        if region is not None and region.GetDisplayNode() is not None:
            region.GetDisplayNode().SetVisibility(on)

    def lock(self, identity: str, on: bool) -> None:
        """Lock or unlock an object."""
        self._lock((identity,), on)

    def show_listed(self, on: bool) -> None:
        """Show or hide all objects that are listed."""
        for identity in self.table.listed:
            self.show(identity, on)
        self.session.view.refresh()

    def lock_listed(self, on: bool) -> None:
        """Lock or unlock all objects that are listed."""
        self._lock(self.table.listed, on)

    def _lock(self, identities: tuple[str, ...], on: bool) -> None:
        self.session.finishing.emit()
        self.session.messages.drop_question()  # its answers may not hold any more
        for identity in identities:
            self.session.results.set_locked(self.session.node, identity, on)
        self.session.view.refresh()

    # the buttons below the table

    def undo(self) -> None:
        """Restore the state before the last change."""
        session, node = self.session, self.session.node
        if node is None or session.is_busy:
            return
        session.finishing.emit()
        try:
            text = session.results.undo(node)
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return
        if text:
            session.messages.drop_question()  # it was about the other state
            session.messages.say(text)
            session.view.refresh()
            session.view.select(session.results.nodes(node).shown_segment or next(iter(self.table.identities), None))

    def delete(self) -> None:
        """Remove the selected object from the result."""
        session, identity = self.session, self.session.selection
        if identity is None or session.is_busy or session.results.is_locked(session.node, identity):
            return
        session.finishing.emit()
        shown = session.view.shown()
        if shown is None:
            return
        name = shown.object_of(identity).name
        session.results.remove(session.node, identity)
        session.messages.drop_question()  # it may be about this object
        session.messages.say(_("{name} was deleted; Undo brings it back.").format(name=display_name(name)))
        session.view.refresh()
        session.view.select(next(iter(self.table.identities), None))

    def edit(self) -> None:
        """Open Segment Editor with segmentation, volume and segment selected."""
        session, identity, node = self.session, self.session.selection, self.session.node
        if identity is None:
            return
        session.finishing.emit()
        volume = session.results.nodes(node).volume
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(node)
        editor.setSourceVolumeNode(volume)
        editor.setCurrentSegmentID(identity)
