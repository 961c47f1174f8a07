"""Stand-ins for the application: `slicer.app`, its main window, and `slicer.modules`.

Confirmed against Slicer's Base/QTCore and Base/QTGUI (qSlicerCoreApplication, qSlicerApplication, qSlicerModulePanel,
qSlicerScriptedLoadableModule and its widget).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMainWindow, QScrollArea, QToolBar, QVBoxLayout

from ..scene_nodes import forget_converter_rules
from .ctk import kept
from .mrml_widgets import qSlicerWidget
from .qt import QSettings
from .views import LayoutManager

LOGICS = {  # modules whose logic is in slicer-core
    "Units": "vtkSlicerUnitsLogic",
    "Colors": "vtkSlicerColorLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Models": "vtkSlicerModelsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
}


class LogicModule(QObject):
    """qSlicerLoadableModule of a module in C++: its name and its real logic, no widget."""

    def __init__(self, name, logic):
        super().__init__()
        self._name, self._logic = name, logic

    name = Property(str, lambda self: self._name)

    def logic(self):
        return self._logic


class qSlicerScriptedLoadableModule(QObject):
    """What a ScriptedLoadableModule finds as `parent`, and `slicer.modules.<name>` gives."""

    title, setTitle = kept("title", str, "")
    categories, setCategories = kept("categories", "QStringList", [])
    dependencies, setDependencies = kept("dependencies", "QStringList", [])
    contributors, setContributors = kept("contributors", "QStringList", [])
    associatedNodeTypes, setAssociatedNodeTypes = kept("associatedNodeTypes", "QStringList", [])
    helpText, setHelpText = kept("helpText", str, "")
    acknowledgementText, setAcknowledgementText = kept("acknowledgementText", str, "")
    icon, setIcon = kept("icon", QIcon, None)
    hidden, setHidden = kept("hidden", bool, False)
    index, setIndex = kept("index", int, -1)

    def __init__(self, path):
        super().__init__()
        self._path, self._widget, self._logic = path, None, slicer.vtkSlicerScriptedLoadableModuleLogic()

    name = Property(str, lambda self: Path(self._path).stem)
    path = Property(str, lambda self: str(self._path))

    def logic(self):
        return self._logic

    def widgetRepresentation(self):
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget()
            self._widget.setPythonSource(self.path)
            self._widget.setup()
            self._widget.setMRMLScene(slicer.mrmlScene)
        return self._widget


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """What a ScriptedLoadableModuleWidget finds as `parent`. Errors of its methods are raised, not printed."""

    def __init__(self, parent=None):
        super().__init__(parent)
        QVBoxLayout(self)
        self._entered, self._self, self._source = False, None, ""

    isEntered = Property(bool, lambda self: self._entered)

    def setPythonSource(self, path):
        name = Path(path).stem
        self._source = path
        self._self = getattr(sys.modules[name], name + "Widget")(self)
        setattr(slicer.modules, name + "Widget", self._self)
        return True

    def self(self):
        return self._self

    def setup(self):
        self.objectName = Path(self._source).stem + "ModuleWidget"
        self._self.setup()

    def reload(self):
        self.setPythonSource(self._source)
        self.setup()

    def _call(self, name):
        getattr(self._self, name, lambda: None)()

    def enter(self):
        self._entered = True
        self._call("enter")

    def exit(self):
        self._entered = False
        self._call("exit")


class ModuleSelector(QToolBar):
    """qSlicerModuleSelectorToolBar together with the module panel: one module is entered at a time."""

    moduleSelected = Signal(str)

    def __init__(self, window, manager):
        super().__init__(window)
        self._manager, self._current, self._area = manager, None, QScrollArea(window)
        self._area.widgetResizable = True
        window.setCentralWidget(self._area)

    selectedModule = Property(str, lambda self: self._current.name if self._current else "")

    def selectModule(self, name):
        if name == self.selectedModule:
            return
        new = self._manager.module(name)
        if new is None and name:
            raise RuntimeError(f"there is no module named {name}")
        if self._current:
            self._current.widgetRepresentation().exit()
            self._area.takeWidget().visible = False
        self._current = new
        if new:
            self._area.setWidget(new.widgetRepresentation())
            new.widgetRepresentation().visible = True
            new.widgetRepresentation().enter()
            self.moduleSelected.emit(name)


class ModuleManager(QObject):
    """qSlicerModuleManager and its factory manager."""

    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self):
        super().__init__()
        self._modules = {}

    def _add(self, module):
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)
        setattr(slicer.moduleNames, module.name, module.name)

    def module(self, name):
        return self._modules.get(name)

    def modulesNames(self):
        return list(self._modules)

    def factoryManager(self):
        return SimpleNamespace(loadedModuleNames=self.modulesNames)


class Application(QObject):
    """qSlicerApplication; what it does not have itself it takes from the QApplication, as the real one inherits it."""

    startupCompleted, aboutToQuit, renderPaused = Signal(), Signal(), Signal(bool)
    majorVersion, minorVersion = Property(int, lambda self: 5), Property(int, lambda self: 8)
    applicationName = Property(str, lambda self: "Slicer")
    revision = Property(str, lambda self: "standins")
    temporaryPath = Property(str, lambda self: self._temporary.name)
    slicerHome = Property(str, lambda self: self._temporary.name)
    slicerUserSettingsFilePath = Property(str, lambda self: f"{self._temporary.name}/settings/Slicer.ini")
    documentationBaseUrl = Property(str, lambda self: "https://slicer.readthedocs.io/en/latest/")

    def __init__(self, main_window=True, testing=False):
        super().__init__()
        self._temporary, self._testing, self._exits = tempfile.TemporaryDirectory(), testing, []
        self._options = SimpleNamespace(runPythonAndExit=False)
        self._scene, self._logic = slicer.vtkMRMLScene(), slicer.vtkSlicerApplicationLogic()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self._scene.AddNode(crosshair)  # the application's own doing, in qSlicerCoreApplication::setMRMLScene
        self._logic.SetMRMLScene(self._scene)
        self._manager, self._layouts, self._window = ModuleManager(), None, None
        slicer.app, slicer.mrmlScene = self, self._scene
        slicer.modules, slicer.moduleNames = ModuleType("slicer.modules"), ModuleType("slicer.moduleNames")
        self._add_logics()
        if main_window:
            self._layouts = LayoutManager(self._scene, self._logic)
            self._window = QMainWindow()
            self._window.objectName = "qSlicerMainWindow"
            selector = ModuleSelector(self._window, self._manager)
            self._window.__dict__["moduleSelector"] = lambda: selector
            self._window.resize(500, 800)

    def __getattr__(self, name):
        return getattr(QApplication.instance(), name)

    def _add_logics(self):
        shown = vtk.vtkObject.GetGlobalWarningDisplay()
        forget_converter_rules()
        vtk.vtkObject.GlobalWarningDisplayOff()  # the wheel lacks the files of terminologies and colours
        for name, kind in LOGICS.items():
            logic = getattr(slicer, kind)()
            logic.SetMRMLApplicationLogic(self._logic)
            logic.SetMRMLScene(self._scene)
            self._logic.SetModuleLogic(name, logic)
            self._manager._add(LogicModule(name, logic))
        vtk.vtkObject.SetGlobalWarningDisplay(shown)

    def _load(self, path):
        """Loads a scripted module from its file, as the module factory does; returns `slicer.modules.<name>`."""
        path = Path(path).resolve()
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        specification = importlib.util.spec_from_file_location(path.stem, path)
        source = importlib.util.module_from_spec(specification)
        sys.modules[path.stem] = source
        specification.loader.exec_module(source)
        module = qSlicerScriptedLoadableModule(path)
        module._instance = getattr(source, path.stem)(module)
        setattr(slicer.modules, path.stem + "Instance", module._instance)
        self._manager._add(module)
        return module

    def _close(self):
        """What the end of the application does for the modules and the scene."""
        if self._window:
            self._window.moduleSelector().selectModule("")
        for name in self._manager.modulesNames():
            self._manager.moduleAboutToBeUnloaded.emit(name)
        self.aboutToQuit.emit()
        if self._layouts:
            self._layouts.setMRMLScene(None)
        self._scene.Clear(1)
        self._temporary.cleanup()

    def layoutManager(self):
        return self._layouts

    def mrmlScene(self):
        return self._scene

    def applicationLogic(self):
        return self._logic

    def moduleManager(self):
        return self._manager

    def commandOptions(self):
        return self._options

    def testingEnabled(self):
        return self._testing

    def settings(self):
        return QSettings()

    userSettings = revisionUserSettings = settings

    def exit(self, status=0):
        self._exits.append(status)

    def translate(self, context, text):
        return text

    def moduleDocumentationUrl(self, name):
        return f"{self.documentationBaseUrl}user_guide/modules/{name.lower()}.html"

    def pauseRender(self):
        self.renderPaused.emit(True)

    def resumeRender(self):
        self.renderPaused.emit(False)

    def startupEnvironment(self):
        return SimpleNamespace(keys=lambda: list(os.environ), value=os.environ.get)
