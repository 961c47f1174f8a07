"""What computes: numpy, without PyTorch anywhere on the way, or PyTorch; and both make the same masks."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch.arguments import options_of, parser
from GrayscaleDetSegLib.core import engines
from GrayscaleDetSegLib.core.errors import DependencyError, DeviceError
from GrayscaleDetSegLib.core.loading import ModelMethods, load_pipeline
from GrayscaleDetSegLib.core.methods.registry import Entry, Registry
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.weights import Bundle

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = [ROOT / "Resources/Samples/knee.dcm", *sorted((ROOT / "GrayscaleDetSeg/Resources/Samples").glob("*.nrrd"))]


@pytest.fixture
def machine(monkeypatch):
    """Pretends a machine: whether PyTorch is there, for GPUs, and a GPU for it."""

    def pretend(torch: bool = False, for_gpus: bool = False, gpu: bool = False) -> None:
        monkeypatch.setattr(engines, "torch_is_there", lambda: torch)
        monkeypatch.setattr(engines, "_torch_sees_gpus", lambda: for_gpus)
        monkeypatch.setattr(engines, "_has_nvidia_gpu", lambda: gpu)

    return pretend


@pytest.mark.parametrize("there", [(torch, for_gpus, gpu) for torch in (0, 1) for for_gpus in (0, 1) for gpu in (0, 1)])
def test_automatic_takes_pytorch_where_a_gpu_helps(machine, there):
    machine(*map(bool, there))
    assert engines.chosen_engine() == ("torch" if all(there) else "numpy")
    assert engines.chosen_engine("auto", "cpu") == engines.chosen_engine("numpy", "auto") == "numpy"


def test_what_is_asked_for_by_name_must_be_there(machine):
    machine(torch=True)
    assert engines.chosen_engine("torch", "cpu") == engines.chosen_engine("auto", "cuda") == "torch"
    machine(torch=False)
    for choice, who in ((("torch", "auto"), "The engine 'torch'"), (("auto", "mps"), "The device 'mps'")):
        with pytest.raises(DependencyError, match=f"^{who} needs PyTorch, which is not installed: pip ") as caught:
            engines.chosen_engine(*choice)
        assert "\n" not in str(caught.value)
        assert engines.wanted_engine(*choice) == "torch"


def test_contradictions_are_refused(machine):
    machine(torch=True)
    with pytest.raises(DeviceError, match="numpy can't compute on the device 'cuda'"):
        engines.chosen_engine("numpy", "cuda")
    with pytest.raises(DeviceError, match="There is no engine 'jax': choose one of auto, numpy, torch"):
        engines.chosen_engine("jax")


def test_the_command_takes_an_engine():
    arguments = parser().parse_args(["segment", "a.dcm", "--engine", "torch"])
    assert options_of(arguments).engine == "torch"
    assert options_of(parser().parse_args(["segment", "a.dcm"])).engine == "auto"


def test_a_method_that_needs_pytorch_asks_for_it(monkeypatch):
    import GrayscaleDetSegLib.core.loading as loading
    from Testing.strangers.grayscale_otsu import Otsu

    class Needy(Otsu):
        name, needs_torch = "needy", True

    shipped = Bundle.open()
    bundle = replace(shipped, manifest={**shipped.manifest, "method": "needy"})
    methods = ModelMethods(bundle, "cpu", Registry([Entry("needy", "a test", lambda: Needy)]))
    monkeypatch.setattr(loading, "torch_is_there", lambda: False)
    with pytest.raises(DependencyError, match="The method 'needy' needs PyTorch"):
        methods["needy"]
    monkeypatch.setattr(loading, "torch_is_there", lambda: True)
    assert methods["needy"].classes == shipped.classes


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_both_engines_make_the_same_masks(path):
    """Whole runs on all samples: at most 1 pixel in 10,000 differs."""
    radiograph = read_radiograph(path)
    ours, theirs = (pipelines(engine).segment(radiograph) for engine in ("numpy", "torch"))
    assert [item.name for item in ours.objects] == [item.name for item in theirs.objects] != []
    for one, other in zip(ours.objects, theirs.objects):
        assert one.score == pytest.approx(other.score, abs=1e-4)
        np.testing.assert_allclose(one.region, other.region, atol=0.01)
        assert (one.mask != other.mask).sum() <= max(1, one.mask.size // 10_000)


KEPT: dict = {}


def pipelines(engine: str):
    if engine not in KEPT:
        KEPT[engine] = load_pipeline(None, "cpu", engine)
        assert KEPT[engine].engine == engine and KEPT[engine].device == "cpu"
    return KEPT[engine]


WITHOUT_TORCH = """
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "safetensors", "slicer", "vtk", "scipy"):
            raise ImportError(f"{name} was imported")

sys.meta_path.insert(0, Refuses())
from GrayscaleDetSegLib.batch.main import main
code = main(sys.argv[1:])
print(sorted({"torch", "safetensors", "slicer", "vtk", "scipy"} & set(sys.modules)))
sys.exit(code)
"""


@pytest.mark.parametrize("method", ["surfaces", "box"])
def test_the_command_runs_where_importing_pytorch_raises(method, tmp_path):
    sample = ROOT / "Resources/Samples/knee.dcm"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "segment", sample, "-o", tmp_path, "--method", method],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, found = done.stdout.splitlines()[:2]
    assert first == "Computing with numpy on cpu."
    assert "Found tibia" in found and "femur" in found
    assert done.stdout.splitlines()[-1] == "[]"
    assert {path.name for path in tmp_path.iterdir()} == {"knee.json", "knee.png", "knee.seg.nrrd"}
    asked = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "segment", sample, "--json", "-", "--engine", "torch"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert asked.returncode == 4 and "needs PyTorch, which is not installed" in asked.stderr
    assert "Traceback" not in asked.stderr
