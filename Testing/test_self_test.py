"""The module's own self test, as far as it runs outside of Slicer: there it is run by those who have Slicer."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import numpy as np
import pytest

from Testing.fakes import GEOMETRIES
from Testing.scene_nodes import add_volume

MODULE = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg" / "GrayscaleDetSeg.py"


@pytest.fixture
def module(panel_session, monkeypatch, tmp_path):
    """The module, with loading and saving of files as slicer-core has them instead of the application's."""
    import slicer

    cache, manager = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(str(tmp_path))
    manager.SetCacheManager(cache)
    slicer.mrmlScene.SetCacheManager(cache)
    slicer.mrmlScene.SetDataIOManager(manager)
    panel_session.load(MODULE)
    from GrayscaleDetSegLib.panel import samples, self_test

    def load_sample(name="knee"):
        import SimpleITK

        values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(samples.RESOURCES / "Samples" / f"{name}.nrrd")))
        return add_volume(slicer.mrmlScene, np.squeeze(values), GEOMETRIES["plain"], name=name)

    monkeypatch.setattr(self_test, "load_sample", load_sample)
    monkeypatch.setattr(slicer.util, "saveScene", lambda path: slicer.mrmlScene.WriteToMRB(path, None))
    monkeypatch.setattr(slicer.util, "loadScene", lambda path: slicer.mrmlScene.ReadFromMRB(path))
    return sys.modules["GrayscaleDetSeg"]


PARTS = ("logic", "models", "panel", "images", "drag", "volume", "volume_panel")


@pytest.mark.parametrize("part", PARTS)
def test_self_test(part, module):
    case = module.GrayscaleDetSegTest(f"test_{part}")
    case.setUp()
    getattr(case, f"test_{part}")()


@pytest.mark.parametrize("part", ["volume", "volume_panel"])
def test_without_pytorch_the_parts_for_volumes_say_why_they_are_skipped(part, module, monkeypatch):
    from GrayscaleDetSegLib.logic import dependencies

    monkeypatch.setattr(dependencies, "missing", lambda torch=False: ("torch>=2.0",) if torch else ())
    case = module.GrayscaleDetSegTest(f"test_{part}")
    case.setUp()
    with pytest.raises(unittest.SkipTest, match="PyTorch is not installed in this Slicer, and models for volumes need"):
        getattr(case, f"test_{part}")()
