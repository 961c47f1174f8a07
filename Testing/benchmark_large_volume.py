"""Memory and time of a large CT in a scene: reading, segmenting, dragging a box twice, undo, writing.

    python -m Testing.benchmark_large_volume [--method step_wise|rstn] [--model FOLDER] [--shape 400 512 512]
        [--enlarge FILE]

The CT is simulated, or with ``--enlarge`` a volume brought to this shape, for models that find nothing in the CT; the
method's networks are the small ones of the tests, unless a model is given. Printed is the most that each step held
beside the program with PyTorch and slicer-core (Linux alone), and its processor time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.scene.files import write_node, write_result
from Testing.scene_nodes import scene_with_logics
from Testing.volume_models import write_model

STATUS = Path("/proc/self/status")


def held(kind: str) -> float:
    """MB: VmRSS, what is held now, or VmHWM, the most since the last mark."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{kind}:"))
    return int(line.split()[1]) / 1024


@contextmanager
def step(name: str, program: float) -> Iterator[None]:
    """Print what a step held at most, and its time."""
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    yield
    seconds = time.process_time() - start
    print(f"{name:32} {held('VmHWM') - program:6.0f} MB {seconds:6.1f} s", flush=True)


def simulated(shape: tuple[int, ...], path: Path) -> None:
    """A body of soft tissue with a bright organ in it, in Hounsfield units, with noise."""
    random, voxels = np.random.default_rng(0), np.empty(shape, np.int16)
    z, y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape)
    for index in range(shape[0]):
        body = (y[:, None] / 0.7) ** 2 + (x / 0.9) ** 2 < 1
        organ = ((z[index] - 0.1) / 0.35) ** 2 + ((y[:, None] - 0.1) / 0.25) ** 2 + ((x + 0.05) / 0.3) ** 2 < 1
        voxels[index] = np.select([organ, body], [300, 40], -1000) + random.normal(0, 20, body.shape)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.7, 0.9))
    sitk.WriteImage(image, str(path))


def enlarged(file: Path, shape: tuple[int, ...], path: Path) -> None:
    """A volume with so many voxels (int16) in the same place."""
    image = sitk.ReadImage(str(file), sitk.sitkFloat32)
    size = shape[::-1]
    spacing = [old * each / new for old, each, new in zip(image.GetSpacing(), image.GetSize(), size)]
    found = sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), spacing, image.GetDirection(), 0.0,
        sitk.sitkInt16, True,
    )  # fmt: skip
    sitk.WriteImage(found, str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--method", default="step_wise")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--shape", type=int, nargs=3, default=(400, 512, 512), help="slices, rows, columns")
    parser.add_argument("--enlarge", type=Path, help="a volume in the place of the simulated one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or write_model(folder / "model", [{"method": options.method, "label": "block"}])
        if options.enlarge:
            enlarged(options.enlarge, tuple(options.shape), folder / "ct.nrrd")
        else:
            simulated(tuple(options.shape), folder / "ct.nrrd")
        scene = scene_with_logics(folder)
        segmenter, program = Segmenter(scene), held("VmRSS")
        print(f"the program: {program:.0f} MB")
        with step("read", program):
            volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "ct")
            storage = scene.AddNewNodeByClass("vtkMRMLNRRDStorageNode")
            storage.SetFileName(str(folder / "ct.nrrd"))
            assert storage.ReadData(volume)
        with step("segment", program):
            found = segmenter.segment(volume, model=model)
        assert found.objects, found.message
        node, item = found.segmentation, found.objects[0]
        region = next(iter(found.outcome.regions.values()))
        region.SetSize(*(1.1 * side for side in region.GetSize()))
        for number, by in enumerate((4.0, -6.0)):
            region.SetCenter(*(place + by for place in region.GetCenter()))
            with step("drag a box" if not number else "drag it again", program):
                moved = segmenter.move_box(node, item.name, region, model=model)
        with step("undo", program):
            assert segmenter.undo(node)
        with step("write .seg.nrrd of the node", program):
            write_node(node, folder / "node.seg.nrrd")
        with step("write .seg.nrrd of the result", program):
            write_result(moved.result, folder / "result.seg.nrrd")
        with step("write .mrb", program):
            assert scene.WriteToMRB(str(folder / "scene.mrb"))


if __name__ == "__main__":
    main()
