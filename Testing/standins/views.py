"""Stand-ins for the layout manager and the view widgets: real MRML nodes and logics, no rendering.

Confirmed against Slicer's Libs/MRML/Widgets (qMRMLLayoutManager, qMRMLSliceWidget, qMRMLThreeDWidget).
"""

from __future__ import annotations

import vtk
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtWidgets import QWidget


class View(QWidget):
    """qMRMLSliceView, qMRMLThreeDView and their controllers: what they are told is kept in `calls`, nothing is drawn.

    The interactor is a real one without a window: a test can `InvokeEvent` on it.
    """

    TOLD = ("scheduleRender", "forceRender", "resetFocalPoint", "resetCamera", "fitSliceToBackground")

    def __init__(self, parent, node):
        super().__init__(parent)
        self._node, self._calls, self._interactor = node, [], vtk.vtkGenericRenderWindowInteractor()

    calls = Property("QVariantList", lambda self: self._calls)

    def __getattr__(self, name):
        if name not in self.TOLD and not name.startswith("setSlice"):
            raise AttributeError(f"the stand-in of a view has no '{name}'")
        return lambda *arguments: self._calls.append((name, *arguments))

    def mrmlViewNode(self):
        return self._node

    mrmlSliceNode = mrmlViewNode

    def interactor(self):
        return self._interactor

    def renderWindow(self):
        return self._interactor.GetRenderWindow()

    def displayableManagerByClassName(self, name):
        """None: there are none here."""


class SliceWidget(QWidget):
    """qMRMLSliceWidget: slice node, composite node and logic are real, so volumes can be shown in it."""

    def __init__(self, parent, node, application_logic):
        import slicer

        super().__init__(parent)
        self._node, self._view = node, View(self, node)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(node.GetScene())
        self._logic.SetSliceNode(node)
        application_logic.GetSliceLogics().AddItem(self._logic)

    def mrmlSliceNode(self):
        return self._node

    def sliceLogic(self):
        return self._logic

    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode()

    def sliceView(self):
        return self._view

    sliceController = sliceView


class ThreeDView(View):
    """qMRMLThreeDView: as its camera displayable manager does, it sees to a camera node that bears the view's name."""

    def cameraNode(self):
        scene, name = self._node.GetScene(), self._node.GetLayoutName()
        camera = scene.GetSingletonNode(name, "vtkMRMLCameraNode")
        if camera is None:
            camera = scene.CreateNodeByClass("vtkMRMLCameraNode")
            camera.SetLayoutName(name)
            camera.UnRegister(None)
            camera = scene.AddNode(camera)
        return camera


class ThreeDWidget(QWidget):
    """qMRMLThreeDWidget with its real view node."""

    def __init__(self, parent, node):
        super().__init__(parent)
        self._node, self._view = node, ThreeDView(self, node)

    def mrmlViewNode(self):
        return self._node

    def threeDView(self):
        return self._view

    threeDController = threeDView


class LayoutManager(QObject):
    """qSlicerLayoutManager over the real layout logic, which makes the view nodes of a layout."""

    layoutChanged = Signal(int)

    def __init__(self, scene, application_logic):
        import slicer

        super().__init__()
        self._scene, self._application_logic, self._widgets = scene, application_logic, {}
        application_logic.SetSliceLogics(vtk.vtkCollection())
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        for name in self.sliceViewNames():
            self.sliceWidget(name)

    def setLayout(self, layout):
        node = self._logic.GetLayoutNode()
        if layout != node.GetViewArrangement():
            node.SetViewArrangement(layout if node.IsLayoutDescription(layout) else node.SlicerLayoutConventionalView)
            self.layoutChanged.emit(node.GetViewArrangement())

    layout = Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)
    threeDViewCount = Property(int, lambda self: len(self._nodes("vtkMRMLViewNode")))

    def layoutLogic(self):
        return self._logic

    def mrmlSliceLogics(self):
        return self._application_logic.GetSliceLogics()

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        self._scene = scene
        self._logic.SetMRMLScene(scene)

    def _nodes(self, kind):
        count = self._scene.GetNumberOfNodesByClass(kind)
        return [self._scene.GetNthNodeByClass(index, kind) for index in range(count)]

    def _widget(self, node, kind, *more):
        if node is not None and node.GetID() not in self._widgets:
            self._widgets[node.GetID()] = kind(None, node, *more)
        return None if node is None else self._widgets[node.GetID()]

    def sliceViewNames(self):
        return tuple(node.GetName() for node in self._nodes("vtkMRMLSliceNode"))

    def sliceWidget(self, name):
        found = (node for node in self._nodes("vtkMRMLSliceNode") if node.GetName() == name)
        return self._widget(next(found, None), SliceWidget, self._application_logic)

    def threeDWidget(self, which):
        """By number, or by the name of the node ("ViewPointCloud"), not by that of the layout ("PointCloud")."""
        nodes = dict(enumerate(self._nodes("vtkMRMLViewNode")))
        nodes.update({node.GetName(): node for node in nodes.values()})
        return self._widget(nodes.get(which), ThreeDWidget)

    def viewWidget(self, node):
        """The widget of a view node, of whatever kind."""
        kind = "" if node is None else node.GetClassName()
        if kind == "vtkMRMLSliceNode":
            return self._widget(node, SliceWidget, self._application_logic)
        return self._widget(node, ThreeDWidget) if kind == "vtkMRMLViewNode" else None

    def resetSliceViews(self):
        for name in self.sliceViewNames():
            self.sliceWidget(name).sliceController().fitSliceToBackground()

    def resetThreeDViews(self):
        for index in range(self.threeDViewCount):
            self.threeDWidget(index).threeDView().resetFocalPoint()
