"""The module GrayscaleDetSeg: its metadata, its panel, its logic and its test; all else is in GrayscaleDetSegLib."""

import importlib
import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from GrayscaleDetSegLib.logic.models import application_models
from GrayscaleDetSegLib.logic.segmenter import Segmenter


class GrayscaleDetSeg(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent) -> None:
        super().__init__(parent)
        parent.title = _("Grayscale Detection Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The GrayscaleDetSeg developers"]
        parent.helpText = _(
            "Segments bones, lungs and teeth in radiographs, and shows why: a region, and an interval of gray levels "
            "for every object. Choose the image and click Segment; drag regions and thresholds to correct the result. "
            "For research, not for diagnosis. See the <a href='{url}'>documentation</a>."
        ).format(url="https://github.com/GrayscaleDetSeg/SlicerGrayscaleDetSeg/tree/main/Resources/Documentation")
        parent.acknowledgementText = _(
            "The method follows Ge Y, Zhang Q, Sun Y, Shen Y, Wang X: Grayscale medical image segmentation method "
            "based on 2D&3D object detection with deep learning. BMC Medical Imaging 22, 33 (2022). The software was "
            "written anew from the article, not by its authors. The model card, beside the weights, names the images "
            "that they learned from."
        )
        slicer.app.connect("startupCompleted()", on_startup)


def on_startup() -> None:
    """Once Slicer runs: sample data and the module's layout become known to it."""
    from GrayscaleDetSegLib.panel import layout, samples

    samples.register()
    layout.CloudLayout.register()


def forget_library() -> None:
    """Let Python forget GrayscaleDetSegLib, so that the next import reads its files again, in the order of imports.

    What runs already goes on with the modules that it has.
    """
    for name in [each for each in sys.modules if each.partition(".")[0] == "GrayscaleDetSegLib"]:
        del sys.modules[name]
    importlib.invalidate_caches()


class GrayscaleDetSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Places the panel, and tells it when the user and the scene come and go."""

    def __init__(self, parent=None) -> None:
        VTKObservationMixin.__init__(self)
        self.logic = self.panel = None
        ScriptedLoadableModuleWidget.__init__(self, parent)  # which sets up where there is no parent

    def setup(self) -> None:
        """Called when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        from GrayscaleDetSegLib.panel.widget import Panel

        on_startup()  # for a module that was loaded when Slicer ran already
        widget = slicer.util.loadUI(self.resourcePath("UI/GrayscaleDetSeg.ui"))
        self.layout.addWidget(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = GrayscaleDetSegLogic()
        self.panel = Panel(widget, self.logic.segmenter)
        self.ui = self.panel.ui
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.enterAgain()  # after a reload, Slicer does not do it

    def onReload(self) -> None:
        """Called by the button Reload, for developers: the library below this file is loaded anew as well."""
        forget_library()
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self) -> None:
        """Called whenever the user comes to the module."""
        self.panel.enter(self.logic.getParameterNode())

    def exit(self) -> None:
        """Called whenever the user goes to another module."""
        if self.panel is not None:  # a panel that could not be made has said why
            self.panel.leave()

    def cleanup(self) -> None:
        """Called when the application closes, and before the module is reloaded."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def onSceneStartClose(self, caller, event) -> None:
        """The scene is about to be emptied."""
        self.panel.leave_scene()
        self.panel.session.layout.forget()
        self.logic.segmenter.workspace.forget_all()

    def onSceneEndClose(self, caller, event) -> None:
        """The scene is empty."""
        self.enterAgain()

    def onSceneEndImport(self, caller, event) -> None:
        """A scene was loaded; its parameters may have come with it."""
        self.enterAgain()

    def enterAgain(self) -> None:
        """Enter if the user is in the module; a widget that was made alone, without a module, is never left."""
        if getattr(self.parent, "isEntered", True):
            self.enter()


class GrayscaleDetSegLogic(ScriptedLoadableModuleLogic):
    """Segments without a panel, with or without a window; see ``GrayscaleDetSegLib.logic.segmenter``.

    ``GrayscaleDetSegLogic().segment(volumeNode)`` gives a result with `message`, `objects`, `segmentation` and `table`.
    """

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self.segmenter = Segmenter(slicer.mrmlScene, models=application_models())

    def segment(self, volumeNode, **options):
        """Segment a radiograph, or a volume by a model for volumes: ``Segmenter.segment``, whose options these are."""
        return self.segmenter.segment(volumeNode, **options)

    def segmentRegion(self, volumeNode, regionNode, label, **options):
        """Segment one object in a region drawn by hand: ``Segmenter.segment_region``."""
        return self.segmenter.segment_region(volumeNode, regionNode, label, **options)

    def moveBox(self, segmentationNode, name, regionNode, **options):
        """Find one object of a volume again, from another box: ``Segmenter.move_box``."""
        return self.segmenter.move_box(segmentationNode, name, regionNode, **options)

    def drawSliceBox(self, segmentationNode, name, regionNode, **options):
        """Find one object of a volume again, with a box drawn in one slice: ``Segmenter.draw_slice_box``."""
        return self.segmenter.draw_slice_box(segmentationNode, name, regionNode, **options)

    def undo(self, segmentationNode) -> bool:
        """Bring back what a segmentation showed before the last change; whether there was such a state."""
        return self.segmenter.undo(segmentationNode)

    def getParameterNode(self):
        """The module's parameters, which are saved with the scene."""
        from GrayscaleDetSegLib.panel.parameters import Parameters

        return Parameters(super().getParameterNode())


class GrayscaleDetSegTest(ScriptedLoadableModuleTest):
    """The self test; see ``GrayscaleDetSegLib.panel.self_test``."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def test_logic(self) -> None:
        """Sample, segmentation, thresholds, undo, saved and loaded again; with or without a window."""
        from GrayscaleDetSegLib.panel import self_test

        self_test.check_logic(self, GrayscaleDetSegLogic().segmenter)

    def test_models(self) -> None:
        """A model of one's own, put on the list, used by its name, and taken off again."""
        from GrayscaleDetSegLib.panel import self_test

        self_test.check_models(self, GrayscaleDetSegLogic().segmenter)

    def test_panel(self) -> None:
        """The same by the panel's own controls, where there is a window."""
        from GrayscaleDetSegLib.panel import self_test

        self_test.check_panel(self)

    def test_images(self) -> None:
        """Several images with results of their own, and one that is too small, where there is a window."""
        from GrayscaleDetSegLib.panel import self_test_findings

        self_test_findings.check_images(self)

    def test_drag(self) -> None:
        """What a drag shows stays; a region over an object that is there."""
        from GrayscaleDetSegLib.panel import self_test_findings

        self_test_findings.check_drag(self, GrayscaleDetSegLogic().segmenter)

    def test_dicom(self) -> None:
        """Two films of one series, loaded by the DICOM module, where there is one."""
        from GrayscaleDetSegLib.panel import self_test_findings

        self_test_findings.check_dicom(self, GrayscaleDetSegLogic().segmenter)

    def test_volume(self) -> None:
        """A volume by a model for volumes: a box moved, undo; with or without a window, where there is PyTorch."""
        from GrayscaleDetSegLib.panel import self_test_volumes

        self_test_volumes.check_volume(self, GrayscaleDetSegLogic().segmenter)

    def test_volume_panel(self) -> None:
        """The same by the panel's own controls, where there is a window and PyTorch."""
        from GrayscaleDetSegLib.panel import self_test_volumes

        self_test_volumes.check_volume_panel(self)
