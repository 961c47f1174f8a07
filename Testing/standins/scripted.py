"""`slicer.ScriptedLoadableModule`: the base classes of a scripted module.

Confirmed against Slicer's Base/Python/slicer/ScriptedLoadableModule.py. The section for developers (reload, test) is
left out, whatever the setting; `onReload` reloads the module as its button would.
"""

from __future__ import annotations

import unittest
from pathlib import Path

import slicer
import slicer.util

from .pythonqt import QtGui, QtWidgets

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleWidget",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
]


def without(name: str, ending: str) -> str:
    return name[: -len(ending)] if name.endswith(ending) else name


class ScriptedLoadableModule:
    """Holds the metadata, which it writes on `parent`."""

    def __init__(self, parent):
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        icons = (Path(self.resourcePath(f"Icons/{self.moduleName}{ending}")) for ending in (".svg", ".png"))
        icon = next((each for each in icons if each.is_file()), None)
        if icon:
            parent.icon = QtGui.QIcon(str(icon))
        slicer.selfTests = getattr(slicer, "selfTests", {})
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename):
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage=None):
        app = slicer.app
        url = app.documentationBaseUrl + docPage if docPage else app.moduleDocumentationUrl(self.moduleName)
        return f'<p><a href="{url}">{url}</a></p>'

    def runTest(self, msec=100, **kwargs):
        import sys

        case = getattr(sys.modules[type(self).__module__], self.moduleName + "Test")()
        case.messageDelay = msec
        case.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """The panel, in the layout of `parent`; alone, without a parent, it sets itself up and shows itself."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = without(type(self).__name__, "Widget")
        self.developerMode = False
        self.parent = parent
        if not parent:
            self.parent = slicer.qMRMLWidget()
            self.parent.setLayout(QtWidgets.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        if not parent:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename):
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self):
        pass

    def cleanup(self):
        pass

    def _onModuleAboutToBeUnloaded(self, moduleName):
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def onReload(self):
        slicer.util.reloadScriptedModule(self.moduleName)


class ScriptedLoadableModuleLogic:
    """The logic, with one parameter node a scene (or several, with `isSingletonParameterNode` off)."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = without(type(self).__name__, "Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node:
                node.SetAttribute("ModuleName", self.moduleName)  # closing the scene may have taken it away
        else:
            node = next(iter(self.getAllParameterNodes()), None)
        return node or slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self):
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The self test: `runTest` runs every test method, `delayDisplay` only lets events happen."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        super(unittest.TestCase, self).__init__()  # mix-ins that come after it

    def delayDisplay(self, message, requestedDelay=None, msec=None):
        slicer.app.processEvents()

    def takeScreenshot(self, name, description, type=-1):
        self.delayDisplay(description)

    def runTest(self):
        for name in [each for each in dir(self) if each.startswith("test")]:
            self.setUp()
            getattr(self, name)()
            self.tearDown()


class SegmentEditorWidget(ScriptedLoadableModuleWidget):
    """The panel of Segment Editor: `editor` with the scene's one vtkMRMLSegmentEditorNode."""

    def setup(self):
        node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag("SegmentEditor")
            node = slicer.mrmlScene.AddNode(node)
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMRMLSegmentEditorNode(node)
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(self.editor)
