"""The choice of the model, and other options: polarity, method, device, score, post-processing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import qt
import slicer
from slicer.i18n import tr as _

from ...core.errors import GrayscaleDetSegError
from ...core.methods.registry import registry
from ...logic.models import Model, labels
from ..section import Section
from ..session import Session
from ..state import State


class Advanced(Section):
    """The list of models, and the options that depend on the chosen one; the others are connected to the parameters."""

    order = 800

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self._models = session.segmenter.models
        self._listed: list[Model] = []
        self._usable: Model | None = None  # that was chosen last: settings may still be its own
        own = (ui.scoreSlider, ui.cleanUpCheckBox, ui.exclusiveCheckBox, ui.polarityComboBox)
        self._of_radiographs = [(widget, widget.toolTip) for widget in own]
        self._said: set[str] = set()  # what is wrong with packages of methods, each said once
        session.model_chosen.connect(self.show)
        session.model_wanted.connect(self._on_wanted)
        session.stage.connect(self._on_stage)
        ui.modelComboBox.connect("activated(int)", lambda index: self._on_activated(index))  # by the user alone
        ui.methodComboBox.connect("activated(int)", lambda index: self._on_method(index))
        ui.addModelButton.connect("clicked(bool)", lambda _on=False: self.add())
        ui.removeModelButton.connect("clicked(bool)", lambda _on=False: self.remove())

    @property
    def chosen(self) -> Model | None:
        """The chosen model, whether it can be used or not; None while the module is not in use."""
        return self.session.model

    def leave(self) -> None:
        """As :meth:`Section.leave`."""
        self.session.model, self.session.model_problem, self._usable = None, "", None

    def _on_wanted(self) -> None:
        """Somebody looks for another model."""
        self.ui.advancedCollapsibleButton.collapsed = False
        self.ui.modelComboBox.setFocus()

    def _on_stage(self, stage: str | None) -> None:
        engine = self.session.segmenter.engine
        if stage is None and engine.computing is not None:
            self.ui.deviceLabel.text = engine.device_note or engine.computing

    def _problem(self) -> str:
        """Why the chosen model cannot be used, or not by the chosen method; or nothing."""
        method = self.session.options.method
        if self.chosen.problem or method is None or method in self.chosen.methods:
            return self.chosen.problem
        return _("{model} has no method '{method}'; choose another method or another model.").format(
            model=self.chosen.full_name, method=registry().title(method)
        )

    def show(self) -> None:
        """Read the list of models again, and update what depends on the chosen one; if it cannot be used, show why."""
        parameters, combo = self.session.parameters, self.ui.modelComboBox
        listed = self._models.installed()
        chosen = self._models.get(parameters.model, listed)
        if not any(each.key == chosen.key for each in listed):  # a scene's, from another computer
            listed.append(chosen)
        chosen = next(each for each in listed if each.key == chosen.key)
        self._listed, self.session.model = listed, chosen
        self.session.model_problem = self._problem()
        combo.clear()
        for index, (model, text) in enumerate(zip(listed, labels(listed))):
            combo.addItem(_("{name} (not available)").format(name=text) if model.problem else text)
            combo.setItemData(index, described(model), qt.Qt.ToolTipRole)
        combo.currentIndex = listed.index(chosen)
        combo.toolTip = described(chosen)
        if self.session.model_problem:
            self.session.messages.say(self.session.model_problem)
        if not self.chosen.problem:
            self._usable = self.chosen
        self._show_methods()

    def _show_methods(self) -> None:
        """The methods of the model, its own first; and the one that was chosen, though the model lacks it."""
        combo, methods, title = self.ui.methodComboBox, self.chosen.methods, registry().title
        wanted = self.session.options.method
        combo.clear()
        for number, name in enumerate(methods):
            combo.addItem(_("{name} (the model's own)").format(name=title(name)) if number == 0 else title(name), name)
        if wanted is not None and wanted not in methods:
            combo.addItem(_("{name} (not available)").format(name=title(wanted)), wanted)
        names = [combo.itemData(index) for index in range(combo.count)]
        combo.currentIndex = names.index(wanted) if wanted is not None else 0
        combo.enabled = len(names) > 1
        for problem in registry().problems:
            if problem not in self._said:
                self._said.add(problem)
                self.session.messages.say(problem)

    def _on_method(self, index: int) -> None:
        """Another method was chosen, by the user; the model's own goes on to be the own one of whatever model."""
        if self.session.parameters is not None and 0 <= index < self.ui.methodComboBox.count:
            name = self.ui.methodComboBox.itemData(index)
            self.session.parameters.method = "" if name in self.chosen.methods[:1] else name  # which shows it

    def choose(self, model: Model) -> None:
        """Choose a model. Options that had the default of the former model get the default of this one."""
        before, parameters = self._usable, self.session.parameters
        if parameters.model == model.key:
            self.show()  # it may be back, or another one in its place
        else:
            parameters.model = model.key  # which shows it
        now = self.chosen
        if before is not None and not now.problem:
            if abs(parameters.scoreThreshold - before.score) < 1e-6:
                parameters.scoreThreshold = now.score
        self.session.changed.emit()

    def add(self) -> None:
        """Ask for a folder, add the model in it to the list, and choose it."""
        session, folder = self.session, self._models.user_folder
        start = str(folder) if folder is not None and folder.is_dir() else ""
        title = _("Choose the folder of a model")
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, start)
        if not path or session.parameters is None:  # the module may have been left behind the dialogue
            return
        try:
            model = self._models.add(Path(path))
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return
        self.choose(model)
        text = _("{name} is chosen. It finds: {classes}.").format(
            name=model.full_name, classes=", ".join(model.classes)
        )
        session.messages.say(f"{text} {self.session.model_problem}".rstrip())

    def remove(self) -> None:
        """Remove the chosen model from the list if it was added by path, and choose the shipped one."""
        gone = self.chosen
        if gone is None or not gone.is_added:
            return
        self._models.remove(gone)
        self.choose(self._models.get(""))
        self.session.messages.say(
            _("{name} is off the list; its files stay where they are. {other} is chosen now.").format(
                name=gone.full_name, other=self.chosen.full_name
            )
        )

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        ui, chosen = self.ui, self.chosen
        for widget, text in self._of_radiographs:
            widget.enabled = not self.session.takes_volumes
            widget.toolTip = _("Models for volumes have no use for this.") if self.session.takes_volumes else text
        if chosen is None:
            reason = _("The module is not in use.")
        else:
            reason = "" if chosen.is_added else _("Only a model that was added by its path can be taken off the list.")
        ui.removeModelButton.enabled = not reason
        ui.removeModelButton.toolTip = reason or _("Take this model off the list; its files stay where they are.")
        ui.addModelButton.enabled = chosen is not None
        ui.addModelButton.toolTip = _(
            "Choose the folder of a model of your own; it stays on the list. Those in {folder} are on it by themselves."
        ).format(folder=self._models.user_folder)
        return True

    def _on_activated(self, index: int) -> None:
        if self.session.parameters is not None and 0 <= index < len(self._listed):
            self.choose(self._listed[index])


def described(model: Model) -> str:
    """The description in a model's manifest and its folder, or the reason why it cannot be used."""
    if model.problem:
        return model.problem
    masks = _(" or ").join(registry().get(name).summary or registry().title(name) for name in model.methods)
    lines = [
        _("{name}, version {version}.").format(name=model.name, version=model.version or "?"),
        _("Finds: {classes}.").format(classes=", ".join(model.classes)),
        _("Makes masks by: {masks}.").format(masks=masks),
        _("Use: {use}.").format(use=model.use) if model.use else "",
        _("Folder: {folder}.").format(folder=model.folder),
    ]
    return "\n".join(line for line in lines if line)
