"""A small scripted module, written as for Slicer, that the tests of the stand-ins run."""

from typing import Annotated

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class StandinsDemo(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Stand-ins demo")
        slicer.app.connect("startupCompleted()", lambda: setattr(self, "started", True))


@parameterNodeWrapper
class StandinsDemoParameters:
    input: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(-100, 500)] = 100
    invert: bool = False
    method: Annotated[str, Choice(["surfaces", "box"])] = "surfaces"


class StandinsDemoWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic, self.parameters, self.tag, self.runs = StandinsDemoLogic(), None, None, []

    def setup(self):
        super().setup()
        widget = slicer.util.loadUI(self.resourcePath("UI/StandinsDemo.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, lambda *_: self.setParameters(None))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.timer = qt.QTimer()
        self.timer.setSingleShot(True)
        self.timer.connect("timeout()", lambda: self.runs.append(self.parameters.threshold))
        self.enter()

    def enter(self):
        self.setParameters(self.logic.getParameterNode())

    def onSceneEndClose(self, *_args):
        if self.parent.isEntered:
            self.enter()

    def exit(self):
        self.setParameters(None)

    def cleanup(self):
        self.setParameters(None)
        self.removeObservers()

    def setParameters(self, parameters):
        if self.parameters:
            self.parameters.disconnectGui(self.tag)
            self.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.update)
        self.parameters = parameters
        if parameters:
            widgets = [each for each in vars(self.ui).values() if each.property("SlicerParameterName")]
            named = {each.property("SlicerParameterName"): each for each in widgets}
            self.tag = parameters.connectParametersToGui(named)  # connectGui gives no tag
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self.update)
            self.update()

    def update(self, *_args):
        self.ui.applyButton.enabled = self.parameters.input is not None
        self.ui.applyButton.toolTip = _("Run") if self.parameters.input else _("Choose an image first")

    def onApply(self):
        if slicer.util.confirmOkCancelDisplay(_("Run on {name}?").format(name=self.parameters.input.GetName())):
            self.timer.start(1)


class StandinsDemoLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return StandinsDemoParameters(super().getParameterNode())


class StandinsDemoTest(ScriptedLoadableModuleTest):
    def test_parameters(self):
        self.assertEqual(StandinsDemoLogic().getParameterNode().method, "surfaces")
