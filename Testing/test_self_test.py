"""The module's own self test, as far as it runs outside of Slicer: there it is run by those who have Slicer."""

from __future__ import annotations

import sys
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


@pytest.mark.parametrize("name", ["test_logic", "test_models", "test_panel", "test_images", "test_drag"])
def test_self_test(name, module):
    case = module.GrayscaleDetSegTest(name)
    case.setUp()
    getattr(case, name)()
