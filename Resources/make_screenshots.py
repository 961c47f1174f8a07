"""Draws the pictures of README, documentation and the extension's catalogue entry from simulated radiographs.

python Resources/make_screenshots.py

The panel runs on the tests' stand-ins, so it is drawn in Qt's own style, not in Slicer's. The views are drawn by
Slicer's own displayable managers, offscreen. It needs what the tests need (`make test` installs it).
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "GrayscaleDetSeg")]

from Testing import standins  # noqa: E402 (the folders above come first)

FOLDER = ROOT / "Resources" / "Screenshots"
VIEW = (560, 720)
"""Width and height of a view in px, drawn larger than it is shown so that noise and lines are smooth."""
WIDTH = 960
"""Of a picture with two views side by side, in px."""
OVERLAY = 880
"""Width of what the command draws, in px."""
GAP, GAP_GRAY = 4, 70
LARGEST = 200_000
"""Bytes of a picture at most."""
PANEL = (500, 842)


class Module:
    """The module in the stand-ins' session, on one sample, its two views drawn."""

    def __init__(self, session: standins.Session, sample: str) -> None:
        import slicer

        from GrayscaleDetSegLib.scene import volumes
        from Testing.panel_screen import Screen
        from Testing.scene_views import SliceView, SpaceView

        self.session, self.screen = session, Screen()
        self.cloud_view = SpaceView(self.screen, size=VIEW)
        session.load(ROOT / "GrayscaleDetSeg" / "GrayscaleDetSeg.py")
        file = ROOT / "GrayscaleDetSeg" / "Resources" / "Samples" / f"{sample}.nrrd"
        self.volume = slicer.modules.volumes.logic().AddArchetypeVolume(str(file), f"Simulated {sample}", 0)
        slicer.util.selectModule("GrayscaleDetSeg")
        self.widget = slicer.modules.GrayscaleDetSegWidget
        self.panel, self.ui = self.widget.panel, self.widget.ui
        self.segment()
        logic = slicer.app.layoutManager().sliceWidget("Red").sliceLogic()
        self.slice_view = SliceView(self.screen, self.volume, volumes.grid_of(self.volume), VIEW, logic=logic)

    def segment(self, method: str = "Threshold surfaces") -> None:
        """Click Segment, with a method chosen under Advanced, and wait for the result."""
        combo, table = self.ui.methodComboBox, self.ui.objectsTable
        combo.currentIndex = combo.findText(method)
        combo.activated.emit(combo.currentIndex)
        self.ui.segmentButton.click()
        self.session.wait(lambda: not self.panel.runner.is_busy, 120.0)
        if not self.ui.statusLabel.text.startswith("Found"):
            raise SystemExit(f"There is no result: {self.ui.statusLabel.text}")
        for row in range(table.rowCount):
            if "Femur" in {table.item(row, column).text() for column in range(table.columnCount)}:
                table.selectRow(row)
        self.session.wait(lambda: False, 0.2)

    @property
    def box(self):
        """The threshold box of the chosen object."""
        return self.panel.segmenter.workspace.outcome(self.panel.session.node).box

    def drag_bottom(self, levels: float) -> None:
        """Take the box by the handle of its bottom with the mouse, and pull it up by so many gray levels."""
        from GrayscaleDetSegLib.scene.cloud import frame_of
        from GrayscaleDetSegLib.scene.threshold_box import interval_of

        start = interval_of(self.box)[0]
        bounds = np.zeros(6)
        self.box.GetBounds(bounds)
        handle = np.array([bounds[:2].mean(), bounds[2:4].mean(), bounds[4]])
        frame = frame_of(self.panel.segmenter.workspace.outcome(self.panel.session.node).cloud)
        target = handle + (0.0, 0.0, levels * frame.level)
        self.cloud_view.drag(self.cloud_view.screen(handle), self.cloud_view.screen(target))
        self.session.wait(lambda: not self.panel.section("Thresholds").editor.is_moving)
        self.cloud_view.move((5, 5))  # no handle under the mouse any more
        if abs(interval_of(self.box)[0] - start - levels) > 5.0:
            raise SystemExit("The mouse has missed the handle of the box's bottom.")

    def views(self) -> Image.Image:
        """Slice view and cloud's view side by side, as the module's layout has them."""
        left, right = self.slice_view.picture(), self.cloud_view.picture()
        gap = np.full((len(left), GAP, 3), GAP_GRAY, np.uint8)
        picture = Image.fromarray(np.concatenate([left, gap, right], axis=1))
        return picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)

    def grab(self, path: Path) -> None:
        """The panel as a picture."""
        import slicer

        window = slicer.util.mainWindow()
        window.resize(*PANEL)
        window.show()
        self.session.wait(lambda: False, 0.5)  # until what was shown late has its place
        self.widget.parent.grab().save(str(path))

    def close(self) -> None:
        """Take the drawn views down before the session ends."""
        for view in self.screen.views:
            view.close()


def save(picture: Image.Image, name: str) -> None:
    """Write a picture with the palette that changes it least of those with which it fits into `LARGEST` bytes."""
    wanted, best, least = np.asarray(picture.convert("RGB"), float), None, np.inf
    for method in (Image.Quantize.FASTOCTREE, Image.Quantize.MAXCOVERAGE):
        for colors in (256, 192, 128, 96, 64):
            few = picture.convert("RGB").quantize(colors, method, kmeans=2, dither=Image.Dither.NONE)
            stream, error = io.BytesIO(), np.square(np.asarray(few.convert("RGB"), float) - wanted).mean()
            few.save(stream, "PNG", optimize=True)
            if stream.tell() <= LARGEST and error < least:
                best, least = stream.getvalue(), error
    if best is None:
        raise SystemExit(f"{name} has more than {LARGEST} bytes; draw it smaller.")
    (FOLDER / f"{name}.png").write_bytes(best)
    print(f"{name}.png: {picture.width} x {picture.height} px, {len(best) // 1000} kB, {least**0.5:.1f} off")


def knee() -> None:
    """Views and panel after a run; the single box before and after a drag."""
    with standins.Session() as session:
        module = Module(session, "knee")
        save(module.views(), "knee-views")
        with tempfile.TemporaryDirectory() as folder:
            module.grab(Path(folder) / "panel.png")
            save(Image.open(Path(folder) / "panel.png"), "panel")
        module.segment("Single box")
        save(module.views(), "knee-box")
        module.drag_bottom(25.0)
        save(module.views(), "knee-box-dragged")
        module.close()


def chest() -> None:
    """Views after a run."""
    with standins.Session() as session:
        module = Module(session, "chest")
        save(module.views(), "chest-views")
        module.close()


def overlay() -> None:
    """What the command draws."""
    from GrayscaleDetSegLib.batch.main import main as command

    with tempfile.TemporaryDirectory() as folder:
        sample = ROOT / "Resources" / "Samples" / "knee.dcm"
        if command(["segment", str(sample), "--output", folder, "--device", "cpu"]):
            raise SystemExit("The command has failed.")
        with Image.open(Path(folder) / "knee.png") as picture:
            height = round(picture.height * OVERLAY / picture.width)
            save(picture.convert("RGB").resize((OVERLAY, height), Image.Resampling.LANCZOS), "knee-overlay")


def main() -> None:
    """All pictures."""
    reason = standins.missing()
    if reason:
        raise SystemExit(reason)
    FOLDER.mkdir(exist_ok=True)
    knee()
    chest()
    overlay()


if __name__ == "__main__":
    main()
