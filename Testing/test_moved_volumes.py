"""Results of whole volumes whose image was moved or rescaled, or reversed by Slicer's reader."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import regions, volumes
from GrayscaleDetSegLib.scene.geometry import WHOLE
from Testing.scene_nodes import scene_with_logics
from Testing.test_volume_scene import Bench
from Testing.volume_models import write_model

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def segmenter(tmp_path):
    scene = scene_with_logics(tmp_path)
    yield Segmenter(scene)
    scene.Clear(True)


def reopened(scene, path):
    """The volume and the segmentation of a scene that was saved and opened again."""
    assert scene.WriteToMRB(str(path))
    scene.Clear(True)
    assert scene.ReadFromMRB(str(path), True)
    volume = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    return volume, scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")


def test_a_left_handed_volume_can_be_saved(segmenter, model, tmp_path):
    """Slicer's reader makes it right-handed and reverses its slices."""
    bench = Bench(segmenter, model, "flipped")
    painted, (before,) = bench.paint(), segmenter.workspace.shown(bench.node).result.objects
    matrix = bench.grid.ijk_to_ras
    volume, node = reopened(bench.scene, tmp_path / "scene.mrb")
    assert np.linalg.det(volumes.grid_of(volume, WHOLE).ijk_to_ras) * np.linalg.det(matrix) < 0
    space = Workspace(bench.scene)
    (item,) = space.shown(node).result.objects
    assert np.array_equal(item.mask, painted) and (item.box, item.region) == (before.box, before.region)
    assert item.explanation == before.explanation and space.would_lose_edits(node)
    assert np.allclose(volumes.grid_of(volume, WHOLE).ijk_to_ras, matrix)
    box = regions.region_of(space.outcome(node).regions["block"], volume, space.grid(node))
    assert box == pytest.approx(item.region, abs=0.02)
    # a result that was made of the volume as the reader left it keeps it so
    volume, node = reopened(bench.scene, tmp_path / "again.mrb")
    other = Segmenter(bench.scene)
    found = other.segment(volume, model=model).segmentation
    with pytest.raises(RadiographError, match="other pixels"):
        other.workspace.shown(node)
    assert other.workspace.shown(found).result.objects


def test_a_whole_volume_takes_its_result_along(segmenter, model):
    bench = Bench(segmenter, model, "oblique")
    painted, space = bench.paint(), segmenter.workspace
    (before,) = space.shown(bench.node).result.objects
    bench.volume.SetSpacing(*(2 * side for side in bench.volume.GetSpacing()))
    (item,) = space.sync(bench.node).result.objects
    assert np.array_equal(item.mask, painted) and item.box == before.box
    assert item.volume_mm3 == pytest.approx(8 * before.volume_mm3) and space.would_lose_edits(bench.node)
    box = regions.region_of(bench.outcome.regions["block"], bench.volume, space.grid(bench.node))
    assert box == pytest.approx(item.region, abs=0.02)
