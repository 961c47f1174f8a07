"""Draws the pictures of module and panel, run by 3D Slicer itself, on simulated radiographs.

Slicer --no-splash --additional-module-paths GrayscaleDetSeg --python-script Resources/make_slicer_pictures.py

Needs a window of 1280 x 800 px. `make_screenshots.py` draws what the command draws, without Slicer.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import qt
import slicer
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Resources"))

from make_screenshots import save  # noqa: E402 (it lies in the folder above)

PATIENCE = 120.0
"""Seconds that a run may take."""


def wait(seconds: float) -> None:
    """Let Slicer go on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.005)


class Module:
    """The module on one sample."""

    def __init__(self, sample: str) -> None:
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("GrayscaleDetSeg")
        self.panel = slicer.modules.GrayscaleDetSegWidget.panel
        file = ROOT / "GrayscaleDetSeg" / "Resources" / "Samples" / f"{sample}.nrrd"
        volume = slicer.util.loadVolume(str(file), {"name": f"simulated {sample}"})
        self.panel.ui.inputSelector.setCurrentNode(volume)

    def segment(self, method: str, chosen: str) -> None:
        """Click Segment, with a method chosen under Advanced, and choose an object."""
        ui = self.panel.ui
        ui.methodComboBox.setCurrentIndex(ui.methodComboBox.findText(method))
        ui.methodComboBox.activated(ui.methodComboBox.currentIndex)
        ui.segmentButton.click()
        end = time.monotonic() + PATIENCE
        while self.panel.runner.is_busy and time.monotonic() < end:
            wait(0.1)
        if not ui.statusLabel.text.startswith("Found"):
            raise RuntimeError(f"There is no result: {ui.statusLabel.text}")
        table = ui.objectsTable
        for row in range(table.rowCount):
            if chosen in [table.item(row, column).text() for column in range(table.columnCount)]:
                table.selectRow(row)
        wait(2.0)

    def drag_bottom(self, levels: float) -> None:
        """Pull the bottom of the thresholds up by so many gray levels."""
        values = self.panel.ui.grayRangeWidget
        values.setValues(values.minimumValue + levels, values.maximumValue)
        wait(2.0)

    @staticmethod
    def save(name: str) -> None:
        """The whole window."""
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "window.png")
            slicer.util.mainWindow().grab().save(path)
            with Image.open(path) as picture:
                save(picture, name)


def main() -> None:
    """All pictures."""
    slicer.util.mainWindow().showMaximized()
    wait(2.0)
    module = Module("knee")
    module.segment("Threshold surfaces", "Femur")
    module.save("knee-views")
    module.segment("Single box", "Femur")
    module.save("knee-box")
    module.drag_bottom(25.0)
    module.save("knee-box-dragged")
    for sample, chosen in (("chest", "Right lung"), ("pelvis", "Femur")):
        module = Module(sample)
        module.segment("Threshold surfaces", chosen)
        module.save(f"{sample}-views")
    slicer.util.exit(0)


qt.QTimer.singleShot(1000, main)
