"""The panel from its real files, on the stand-ins, with a method that needs no weights: for tests of the panel."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.fakes import GEOMETRIES, radiograph
from Testing.pipelines import rigged
from Testing.scene_nodes import add_volume

MODULE = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg" / "GrayscaleDetSeg.py"
FOUND = (
    RegionProposal("femur", 0.93, (8.0, 5.0, 70.0, 48.0)),
    RegionProposal("tibia", 0.71, (72.0, 58.0, 122.0, 78.0)),
)
LOW, HIGH = 150.0, 240.0


class Rigged:
    """Detectors that find what `found` says; with a closed `gate` they wait in the stage "regions"."""

    classes = ("femur", "tibia", "right lung")

    def __init__(self) -> None:
        self.found, self.settings, self.error = list(FOUND), DetectionSettings(score=0.3), None
        self.gate, self.began, self.searches = threading.Event(), threading.Event(), []
        self.gate.set()
        self.device, self.note, self.loads, self.models = "cpu", None, [], []

    def load(self, model, device, engine) -> Pipeline:
        self.loads.append(device)
        self.models.append(model)
        surfaces = None if self.surfaces is None else self
        made = rigged(self, self, model="rig", surfaces=surfaces, device=self.device, device_note=self.note)
        made.methods.update({method.name: method for method in self.more})
        return made

    more = ()
    """Further methods."""
    surfaces = None
    """Set to how the surfaces bend, in gray levels, for the method "surfaces"."""

    def wait(self) -> None:
        self.began.set()
        assert self.gate.wait(10.0)
        if self.error is not None:
            raise self.error

    def candidates(self, gray, aspect, threshold) -> list[RegionProposal]:
        self.wait()
        return list(self.found)

    def knows(self, label) -> bool:
        return True

    def detect_all(self, gray, rois, labels):
        row, column = np.mgrid[:4, :3].astype(np.float32)
        bend = (row - 1.5) * self.surfaces
        return [ThresholdMap(tuple(roi), LOW + bend, HIGH + bend) for roi in rois]

    def detect(self, gray, roi, label) -> DetectedBox:
        self.searches.append((label, tuple(roi)))
        if threading.current_thread() is not threading.main_thread():
            self.wait()
        x0, y0, x1, y1 = map(float, roi)
        return DetectedBox((x0, y0, LOW - 6, x1, y1, HIGH), (x0, y0, LOW, x1, y1, HIGH), 0.8)


class Bench:
    """The module, opened, with rigged detectors; what tests do to it over and over."""

    def __init__(self, session, surfaces: float | None = None, enter: bool = True) -> None:
        import slicer

        self.session, self.scene, self.rig = session, slicer.mrmlScene, Rigged()
        self.rig.surfaces = surfaces
        session.load(MODULE)
        if enter:
            self.enter()

    @property
    def widget(self):
        import slicer

        return slicer.modules.GrayscaleDetSegWidget

    @property
    def panel(self):
        return self.widget.panel

    @property
    def ui(self):
        return self.panel.ui

    @property
    def workspace(self):
        return self.panel.segmenter.workspace

    @property
    def node(self):
        return self.panel.session.node

    def enter(self) -> None:
        import slicer

        from GrayscaleDetSegLib.logic.engine import Engine

        slicer.util.selectModule("GrayscaleDetSeg")
        self.panel.segmenter.engine = Engine(self.rig.load)
        self.panel.section("Thresholds").editor._rest.setInterval(150)  # tests are quicker than people
        self.panel.section("Draw").regions.watch._timer.setInterval(100)

    def leave(self) -> None:
        import slicer

        slicer.util.selectModule("SegmentEditor")

    def volume(self, name="knee", geometry="turned", pixels=None):
        """A radiograph with L and bar, chosen in the panel; with a tilted ground, so that thresholds cut it."""
        pixels = picture() if pixels is None else pixels
        node = add_volume(self.scene, pixels, GEOMETRIES[geometry], name=name)
        if self.panel is not None and self.panel.parameters is not None:
            self.ui.inputSelector.setCurrentNode(node)
            self.session.process()
        return node

    def run(self) -> None:
        """Click Segment, and wait."""
        assert self.ui.segmentButton.enabled, self.ui.segmentButton.toolTip
        self.ui.segmentButton.click()
        self.finish()

    def finish(self) -> None:
        """Let the run that is on end."""
        self.rig.gate.set()
        assert self.session.wait(lambda: not self.panel.runner.is_busy)
        self.session.process()

    def begin(self) -> None:
        """Click Segment with a closed gate: the run is on when this returns."""
        self.rig.gate.clear()
        self.rig.began.clear()
        self.ui.segmentButton.click()
        assert self.session.wait(self.rig.began.is_set)

    def rest(self) -> None:
        """Until thresholds and regions have come to rest, and what follows from that has ended."""
        panel = self.panel
        self.session.wait(lambda: False, 0.05)
        editor, watch = panel.section("Thresholds").editor, panel.section("Draw").regions.watch
        assert self.session.wait(lambda: not (editor.is_moving or watch.held))
        assert self.session.wait(lambda: not panel.runner.is_busy)
        self.session.process()

    def scene_file(self, folder: Path) -> Path:
        """A file for `scene.WriteToMRB` and `ReadFromMRB`, which work from now on, as slicer-core has them."""
        import slicer

        cache, manager = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        cache.SetRemoteCacheDirectory(str(folder))
        manager.SetCacheManager(cache)
        self.scene.SetCacheManager(cache)
        self.scene.SetDataIOManager(manager)
        return folder / "scene.mrb"

    def choose_method(self, name: str) -> None:
        """Choose a method in the combo box, as a user does."""
        combo = self.ui.methodComboBox
        names = [combo.itemData(index) for index in range(combo.count)]
        combo.currentIndex = names.index(name)
        combo.activated.emit(combo.currentIndex)

    def choose_model(self, text: str) -> None:
        """Choose a model from the list, as the user does."""
        combo = self.ui.modelComboBox
        assert combo.findText(text) >= 0, self.models()
        combo.currentIndex = combo.findText(text)
        combo.activated.emit(combo.currentIndex)
        self.session.process()

    def add_model(self, folder) -> None:
        """Click Add, and choose a folder in the dialogue."""
        self.session.dialogs.answers.append(str(folder))
        self.ui.addModelButton.click()
        self.session.process()

    def models(self) -> list[str]:
        """What the list of models says."""
        return [self.ui.modelComboBox.itemText(index) for index in range(self.ui.modelComboBox.count)]

    @property
    def status(self) -> str:
        return self.ui.statusLabel.text

    @property
    def log(self) -> str:
        return self.ui.logText.plainText

    def cells(self, row: int) -> list[str]:
        table = self.ui.objectsTable
        return [table.item(row, column).text() for column in range(2, table.columnCount)]

    def names(self) -> list[str]:
        return [self.cells(row)[0] for row in range(self.ui.objectsTable.rowCount)]

    def mask(self, identity="femur"):
        from GrayscaleDetSegLib.scene.masks import mask_of

        outcome = self.workspace.outcome(self.node)
        return mask_of(self.node, identity, outcome.volume, self.workspace.grid(self.node))

    def paint(self, identity="femur", node=None) -> None:
        """An edit by hand: a corner of the image, by somebody else."""
        from GrayscaleDetSegLib.scene import masks

        node = self.node if node is None else node
        grid = self.workspace.grid(node)
        masks.own_label_map(node, identity, self.workspace.outcome(node).volume, grid)
        assert masks.write_window(node, identity, grid, np.ones((6, 9), bool), (slice(80, 86), slice(3, 12)))

    def choose(self, row: int) -> None:
        """A click on a row of the table."""
        self.ui.objectsTable.selectRow(row)
        self.session.process()

    def drag(self, node, *changes) -> None:
        """Take hold of a ROI node with the mouse, make changes, let go."""
        node.InvokeEvent(node.PointStartInteractionEvent)
        for change in changes:
            change()
            self.session.wait(lambda: False, 0.03)
            self.session.wait(lambda: self.panel.section("Thresholds").editor._wanted is None)
        node.InvokeEvent(node.PointEndInteractionEvent)

    def place(self, identity, roi) -> None:
        """Put a region somewhere, as somebody else does."""
        from GrayscaleDetSegLib.scene import regions

        outcome = self.workspace.outcome(self.node)
        regions.place_region(outcome.regions[identity], outcome.volume, self.workspace.grid(self.node), roi)

    def roi(self, identity):
        from GrayscaleDetSegLib.scene import regions

        outcome = self.workspace.outcome(self.node)
        return regions.region_of(outcome.regions[identity], outcome.volume, self.workspace.grid(self.node))

    def item(self, identity="femur"):
        return self.workspace.shown(self.node).object_of(identity)


def picture() -> np.ndarray:
    """L and bar, shaded from 1800 to 3400, on a darker ground: gray levels spread, so that every threshold counts."""
    plain = np.asarray(radiograph().pixels)
    shade = np.linspace(0, 1400, plain.shape[1])[None] + np.linspace(0, 200, plain.shape[0])[:, None]
    return np.where(plain == 3000, 1800 + shade, plain * 0.6 + shade / 8).astype(np.int16)


def observers(*nodes) -> dict[str, int]:
    """How many observers VTK objects have, by event; without those by which Python learns of an object's end."""
    found: dict[str, int] = {}
    for node in nodes:
        for event in re.findall(r"EventName: (\w+)", str(node)):
            if event != "DeleteEvent":
                found[event] = found.get(event, 0) + 1
    return found


@pytest.fixture
def bench(panel_session):
    """The module, opened, with rigged detectors."""
    return Bench(panel_session)
