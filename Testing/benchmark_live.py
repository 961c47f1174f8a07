"""How long a move of the thresholds takes: python -m Testing.benchmark_live [sizes in px ...]

Prints median and 95th percentile, in ms, of moves of both ends of one object that covers about half of a square image:
the mask alone, the cloud's colours alone, the surfaces alone, and a whole move; then of the end of a drag. With
--views, also of a move together with drawing a slice view and the cloud's view (offscreen, often without a GPU).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np

from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.result import SegmentationResult
from GrayscaleDetSegLib.logic.threshold_view import show_thresholds
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import cloud, outcome, record, segmentation, surface_models, table, views, volumes
from Testing.fakes import found, result
from Testing.scene_nodes import add_volume, scene_with_logics

CELLS = 64
"""Rows and columns of boxes, as the shipped model's surfaces have them."""
MOVES = 60
TARGET = 50.0
"""ms for a whole move on 2048 x 2048 px."""
VIEW_IDS = ("vtkMRMLViewNodePointCloud",)


def femur_like(size: int) -> np.ndarray:
    """A bright ellipse on a slope with noise, 12 bit, which covers half of the image."""
    y, x = np.mgrid[:size, :size] / size
    pixels = 500.0 + 900.0 * x + 300.0 * y
    pixels[(x - 0.5) ** 2 / 0.45**2 + (y - 0.5) ** 2 / 0.36**2 < 1.0] += 1500.0
    pixels += np.random.default_rng(0).normal(0.0, 60.0, pixels.shape)
    return np.clip(pixels, 0, 4095).astype(np.uint16)


def result_on(image, method: str) -> SegmentationResult:
    """One object in a region that reaches almost to the edges."""
    size = image.shape[0]
    gray, roi = image.gray(), (0.03 * size, 0.1 * size, 0.97 * size, 0.9 * size)
    field = None
    if method == "surfaces":
        row, column = np.mgrid[:CELLS, :CELLS] / CELLS
        low = (110.0 + 50.0 * column + 15.0 * row).astype(np.float32)
        field = ThresholdMap(roi, low, low + 85.0)
    mask = np.zeros(image.shape, bool)
    mask[int(roi[1]) : int(roi[3]), int(roi[0]) : int(roi[2])] = True
    mask &= gray >= 130.0
    return result(image, (found(image, "femur", "femur", mask, low=130.0, high=245.0, field=field),))


class Drag:
    """A scene with one result, and a drag in it."""

    def __init__(self, scene, size: int, method: str) -> None:
        self.volume = add_volume(scene, femur_like(size))
        self.grid = volumes.grid_of(self.volume)
        self.result = result_on(volumes.read_volume(self.volume), method)
        node = segmentation.add_segmentation_for(self.volume, self.grid, self.result, scene)
        self.parts = outcome.Outcome(node, self.volume, table=table.add_table(scene, self.result))
        outcome.connect(self.parts)
        record.keep_result(node, self.result, self.grid)
        self.frame = show_thresholds(self.parts, self.result, "femur", VIEW_IDS)
        self.item, self.start = self.result.objects[0], time.perf_counter()
        self.drag = Workspace(scene).drag(node, "femur", PostProcessing())
        self.begin = 1000.0 * (time.perf_counter() - self.start)

    def parts_of_a_move(self) -> Iterator[tuple[str, Callable[[float], object]]]:
        """Name of each part, and what does it with both ends moved by some gray levels."""
        drag, field = self.drag, self.item.thresholds.field
        # what a move does to the mask, without the rest
        yield "mask", lambda shift: drag._live.write(drag._mask((shift, shift)), drag._moving.window)
        points = cloud.MovingCloud(self.parts.cloud, field)
        yield "cloud", lambda shift: points.show(field.shifted(shift, shift))
        if self.parts.surfaces:
            surfaces = surface_models.MovingSurfaces(self.parts.surfaces, field)
            yield "surfaces", lambda shift: surfaces.show(field.shifted(shift, shift))
        yield "all", self.move

    def move(self, shift: float) -> None:
        """A whole move, as the panel asks for it."""
        bottom, top = self.item.thresholds.interval
        self.drag.move((bottom + shift, top + shift), move_box=True)


def timed(call: Callable[[float], object], moves: int) -> np.ndarray:
    """ms of each move, to and fro."""
    shifts = 9.0 * np.sin(np.linspace(0.1, 6.0, moves)) + np.linspace(0.0, 0.9, moves)
    call(-10.0)  # what is made once
    spent = []
    for shift in shifts:
        start = time.perf_counter()
        call(float(shift))
        spent.append(1000.0 * (time.perf_counter() - start))
    return np.array(spent)


def line(size: int, method: str, what: str, spent: np.ndarray) -> str:
    """One line of the table."""
    median, late = np.percentile(spent, (50, 95))
    return f"{size:>5}  {method:<9} {what:<9} {median:>8.1f} {late:>8.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[512, 1024, 2048, 4096], help="edges of the images in px")
    parser.add_argument("--moves", type=int, default=MOVES)
    parser.add_argument("--views", action="store_true", help="draw a slice view and the cloud's view, too")
    arguments = parser.parse_args()
    print(f"{'px':>5}  {'method':<9} {'part':<9} {'median':>8} {'95 %':>8}  (ms; target {TARGET:g} for all at 2048)")
    for size in arguments.sizes:
        for method in ("surfaces", "box"):
            scene = scene_with_logics()
            case = Drag(scene, size, method)
            case.move(1.0)
            for what, call in case.parts_of_a_move():
                print(line(size, method, what, timed(call, arguments.moves)))
            start = time.perf_counter()
            case.drag.finish((140.0, 240.0))
            end = 1000.0 * (time.perf_counter() - start)
            print(f"{size:>5}  {method:<9} begin {case.begin:.0f}, end {end:.0f}", flush=True)
            scene.Clear(True)
            if arguments.views:
                print(line(size, method, "and views", frames(size, method, arguments.moves)), flush=True)


def frames(size: int, method: str, moves: int) -> np.ndarray:
    """ms of a move and of drawing what it changes."""
    from Testing.scene_views import Application, SliceView, SpaceView

    application = Application()
    space = SpaceView(application)
    views.dress_view(space.node)
    case = Drag(application.scene, size, method)
    plane = SliceView(application, case.volume, case.grid)
    views.aim_camera(space.camera, case.frame, case.item.thresholds.field.roi)

    def draw(shift: float) -> None:
        case.move(shift)
        plane.window.Render()
        space.window.Render()

    spent = timed(draw, moves)
    application.close()
    return spent


if __name__ == "__main__":
    main()
