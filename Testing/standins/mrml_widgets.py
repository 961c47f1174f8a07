"""The qMRML widgets that panels use, on the real scene.

Confirmed against Slicer's Libs/MRML/Widgets and Modules/Loadable/Segmentations/Widgets (main, 2026-08).
"""

from __future__ import annotations

import weakref
from typing import Any

import slicer
from PySide6.QtCore import Property, QItemSelection, QItemSelectionModel, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget
from shiboken6 import Shiboken

from .ctk import ctkCollapsibleButton, ctkComboBox, ctkRangeWidget, ctkSliderWidget, kept
from .pythonqt import emit_overload


class Observing:
    """Observers that end with the widget, as those of the C++ widgets do."""

    def _observe(self, obj: Any, events: list, method: Any) -> None:
        this = weakref.WeakMethod(method)

        def forward(*_):
            if this() is not None and Shiboken.isValid(this().__self__):
                this()()

        if "_observed" not in self.__dict__:
            observed = self._observed = []
            self.destroyed.connect(lambda: Observing._drop(observed))
        self._observed += [(obj, obj.AddObserver(event, forward)) for event in events]

    def _ignore(self) -> None:
        Observing._drop(self.__dict__.get("_observed", []))

    @staticmethod
    def _drop(observed: list) -> None:
        for obj, tag in observed:
            obj.RemoveObserver(tag)
        observed.clear()


class qMRMLWidget(QWidget):
    """A widget that knows the scene and passes it on by `mrmlSceneChanged(vtkMRMLScene*)`."""

    mrmlSceneChanged = Signal(object)
    _scene = None

    def __init__(self, parent=None):
        super().__init__(parent)

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(qMRMLWidget):
    """The same, of Slicer's Base."""


class qMRMLCollapsibleButton(ctkCollapsibleButton):
    """A ctkCollapsibleButton that takes the scene."""

    def setMRMLScene(self, scene):
        pass


class qMRMLSliderWidget(ctkSliderWidget):
    """A ctkSliderWidget; the scene's units are not looked at."""

    def setMRMLScene(self, scene):
        pass


class qMRMLRangeWidget(ctkRangeWidget):
    """A ctkRangeWidget; the scene's units are not looked at."""

    def setMRMLScene(self, scene):
        pass


class qMRMLNodeComboBox(Observing, QWidget):
    """The scene's nodes of `nodeTypes`, and which one is chosen.

    As there: the first node is chosen by itself only where neither None nor an action (add, remove, edit, rename)
    stands in the list; when the chosen node goes, its neighbour is chosen; renaming the chosen node emits the signals
    again; without a scene it is disabled. The actions are no rows here: call `addNode()`, `removeCurrentNode()`.
    """

    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    nodeActivated, nodeAdded, nodeAddedByUser = Signal(object), Signal(object), Signal(object)
    noneDisplay, setNoneDisplay = kept("noneDisplay", str, "None")
    baseName, setBaseName = kept("baseName", str, "")
    selectNodeUponCreation, setSelectNodeUponCreation = kept("selectNodeUponCreation", bool, True)
    interactionNodeSingletonTag, setInteractionNodeSingletonTag = kept("interactionNodeSingletonTag", str, "Singleton")
    sizeAdjustPolicy, setSizeAdjustPolicy = kept("sizeAdjustPolicy", int, 0)
    _scene, _wanted = None, ""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._attributes: dict[str, tuple[str, str | None]] = {}
        self._ids: list[str] = []
        self._box = ctkComboBox(self)
        QHBoxLayout(self).addWidget(self._box)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self._box.currentIndexChanged.connect(self._announce)
        self._box.connect("activated(int)", lambda _: self.nodeActivated.emit(self.currentNode()))
        self.enabled = False

    def _listed(name, kind, default):  # a property that changes what is listed
        stored, put = kept(name, kind, default)

        def change(self, value):
            put(self, value)
            self._update()

        return Property(kind, stored.fget, change), change

    nodeTypes, setNodeTypes = _listed("nodeTypes", "QStringList", [])
    showHidden, setShowHidden = _listed("showHidden", bool, False)
    showChildNodeTypes, setShowChildNodeTypes = _listed("showChildNodeTypes", bool, True)
    hideChildNodeTypes, setHideChildNodeTypes = _listed("hideChildNodeTypes", "QStringList", [])
    noneEnabled, setNoneEnabled = _listed("noneEnabled", bool, False)
    addEnabled, setAddEnabled = _listed("addEnabled", bool, True)
    removeEnabled, setRemoveEnabled = _listed("removeEnabled", bool, True)
    editEnabled, setEditEnabled = _listed("editEnabled", bool, False)
    renameEnabled, setRenameEnabled = _listed("renameEnabled", bool, False)

    def addAttribute(self, nodeType, name, value=None):
        self._attributes[nodeType] = (name, None if value is None else str(value))
        self._update()

    def _lists(self, node) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        for kind in self.nodeTypes:
            child = node.GetClassName() != kind
            hidden = child and (not self.showChildNodeTypes or any(node.IsA(each) for each in self.hideChildNodeTypes))
            if node.IsA(kind) and not hidden:
                name, value = self._attributes.get(kind, (None, None))
                found = node.GetAttribute(name) if name else None
                return name is None or (found is not None and value in (None, found))
        return not self.nodeTypes

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is self._scene:
            return
        wanted, self._scene, self.enabled = self._wanted or self.currentNodeID, scene, scene is not None
        self._update()
        self._wanted = ""
        if wanted:
            self.setCurrentNodeID(wanted)

    def _update(self) -> None:
        """Lists the nodes anew, keeps the choice or makes it as the real one would, and tells of a change.

        Not while a scene is closed or imported, as there: at the end of it.
        """
        if self._scene is not None and (self._scene.IsClosing() or self._scene.IsImporting()):
            return
        before, row, had = (self.currentNodeID, self._box.currentText), self._row(), bool(self._ids)
        self._ignore()
        nodes = []
        if self._scene is not None:
            names = ("NodeAdded", "NodeRemoved", "EndClose", "EndImport", "EndBatchProcess")
            self._observe(self._scene, [getattr(self._scene, name + "Event") for name in names], self._update)
            nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
            nodes = [node for node in nodes if self._lists(node)]
        for node in nodes:
            self._observe(node, ["ModifiedEvent"], self._renamed)
        self._ids = [node.GetID() for node in nodes]
        blocked = self._box.blockSignals(True)
        self._box.clear()
        self._box.addItems([self.noneDisplay] * self.noneEnabled + [node.GetName() or "" for node in nodes])
        actions = self.addEnabled or self.removeEnabled or self.editEnabled or self.renameEnabled
        if before[0] in self._ids:
            row = self._ids.index(before[0])
        elif row >= 0 and self._ids:
            row = min(row, len(self._ids) - 1)
        else:
            row = 0 if self._ids and not had and not actions and not self.noneEnabled else -1
        self._box.setCurrentIndex(row + self.noneEnabled)
        self._box.blockSignals(blocked)
        if before != (self.currentNodeID, self._box.currentText):
            self._announce()

    def _renamed(self) -> None:
        names = [self._scene.GetNodeByID(each).GetName() for each in self._ids if self._scene.GetNodeByID(each)]
        if names != [self._box.itemText(index) for index in range(self.noneEnabled, self._box.count)]:
            self._update()

    def _row(self) -> int:
        return max(self._box.currentIndex - self.noneEnabled, -1)

    def _announce(self, *_) -> None:
        node = self.currentNode()
        emit_overload(self, "currentNodeChanged(PyObject)", node)
        emit_overload(self, "currentNodeChanged(bool)", node is not None)
        self.currentNodeIDChanged.emit(self.currentNodeID)

    def currentNode(self):
        return self.nodeFromIndex(self._row())

    def nodeCount(self):
        return len(self._ids)

    def nodeFromIndex(self, index):
        return self._scene.GetNodeByID(self._ids[index]) if self._scene and 0 <= index < len(self._ids) else None

    def setCurrentNodeID(self, nodeID):
        if self._scene is None:
            self._wanted = nodeID
        self.setCurrentNodeIndex(self._ids.index(nodeID) if nodeID in self._ids else -1)

    currentNodeID = Property(str, lambda self: self._ids[self._row()] if self._row() >= 0 else "", setCurrentNodeID)

    def setCurrentNode(self, node):
        self.setCurrentNodeID(node.GetID() or "" if node is not None else "")

    def setCurrentNodeIndex(self, index):
        self._box.setCurrentIndex(index + self.noneEnabled)

    def addNode(self, nodeType=None):
        name = self._scene.GetUniqueNameByString(self.baseName) if self.baseName else ""
        node = self._scene.AddNewNodeByClass(nodeType or self.nodeTypes[0], name)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self):
        self._scene.RemoveNode(self.currentNode())


class qMRMLSegmentsTableView(Observing, qMRMLWidget):
    """The segments of a segmentation: colour and name, and which rows are chosen. Not the buttons in its cells."""

    selectionChanged = Signal(QItemSelection, QItemSelection)
    readOnly, setReadOnly = kept("readOnly", bool, False)
    selectionMode, setSelectionMode = kept("selectionMode", int, 3)
    headerVisible, setHeaderVisible = kept("headerVisible", bool, True)
    visibilityColumnVisible, setVisibilityColumnVisible = kept("visibilityColumnVisible", bool, True)
    colorColumnVisible, setColorColumnVisible = kept("colorColumnVisible", bool, True)
    opacityColumnVisible, setOpacityColumnVisible = kept("opacityColumnVisible", bool, True)
    statusColumnVisible, setStatusColumnVisible = kept("statusColumnVisible", bool, False)
    filterBarVisible, setFilterBarVisible = kept("filterBarVisible", bool, False)
    _node = None

    def __init__(self, parent=None):
        super().__init__(parent)
        self._ids: list[str] = []
        self._table = QTableWidget(0, 2, self)
        self._table.setHorizontalHeaderLabels(["", "Name"])
        self._table.setSelectionBehavior(QAbstractItemView.SelectRows)
        QVBoxLayout(self).addWidget(self._table)
        self._table.selectionModel().selectionChanged.connect(lambda on, off: self.selectionChanged.emit(on, off))

    segmentCount = Property(int, lambda self: len(self._ids))

    def tableWidget(self):
        return self._table

    def segmentationNode(self):
        return self._node

    def setSegmentationNode(self, node):
        self._ignore()
        self._node = node
        if node is not None:
            kinds = slicer.vtkSegmentation
            events = [kinds.SegmentAdded, kinds.SegmentRemoved, kinds.SegmentModified, kinds.SegmentsOrderModified]
            self._observe(node, events, self._update)
        self._update()

    def _update(self):
        chosen = self.selectedSegmentIDs()
        segmentation = self._node.GetSegmentation() if self._node else None
        self._ids = list(segmentation.GetSegmentIDs()) if segmentation else []
        self._table.setRowCount(len(self._ids))
        for row, segment in enumerate(segmentation.GetSegment(each) for each in self._ids):
            colour = QTableWidgetItem()
            colour.setBackground(QColor.fromRgbF(*segment.GetColor()))
            self._table.setItem(row, 0, colour)
            self._table.setItem(row, 1, QTableWidgetItem(segment.GetName()))
        self.setSelectedSegmentIDs([each for each in chosen if each in self._ids])

    def selectedSegmentIDs(self):
        rows = sorted({index.row() for index in self._table.selectionModel().selectedRows()})
        return [self._ids[row] for row in rows if row < len(self._ids)]

    def setSelectedSegmentIDs(self, ids):
        if list(ids) != self.selectedSegmentIDs():
            self._table.clearSelection()
            for row in [row for row, each in enumerate(self._ids) if each in ids]:
                index = self._table.model().index(row, 0)
                self._table.selectionModel().select(index, QItemSelectionModel.Select | QItemSelectionModel.Rows)


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """What is chosen in Segment Editor, kept in the real vtkMRMLSegmentEditorNode as there. No effects, no widgets."""

    currentSegmentIDChanged = Signal(str)
    segmentationNodeChanged, sourceVolumeNodeChanged = Signal(object), Signal(object)
    _editor = None

    def mrmlSegmentEditorNode(self):
        return self._editor

    def setMRMLSegmentEditorNode(self, node):
        self._editor = node

    def segmentationNode(self):
        return self._editor.GetSegmentationNode()

    def setSegmentationNode(self, node):
        self._editor.SetAndObserveSegmentationNode(node)
        self.segmentationNodeChanged.emit(node)

    def sourceVolumeNode(self):
        return self._editor.GetSourceVolumeNode()

    def setSourceVolumeNode(self, node):
        self._editor.SetAndObserveSourceVolumeNode(node)
        self.sourceVolumeNodeChanged.emit(node)

    def currentSegmentID(self):
        return self._editor.GetSelectedSegmentID() or ""

    def setCurrentSegmentID(self, segmentID):
        self._editor.SetSelectedSegmentID(segmentID)
        self.currentSegmentIDChanged.emit(segmentID)
