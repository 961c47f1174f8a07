"""Segments on a finer grid than the image's, as Segment Editor's "Specify geometry" makes them."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.scene import geometry, masks, segmentation
from Testing.test_scene_segmentation import Case

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def resampled(case, identity, factor, change=lambda pixels: None):
    """What "Specify geometry" with oversampling makes of a segment, and a change to its finer pixels."""
    from vtk.util.numpy_support import numpy_to_vtk

    mask = np.kron(case.mask(identity), np.ones((factor, factor), np.uint8)).astype(np.uint8)
    change(mask)
    (rows, columns), image = mask.shape, slicer.vtkOrientedImageData()
    finer = np.diag([1.0 / factor, 1.0 / factor, 1.0, 1.0])
    finer[:2, 3] = (1.0 / factor - 1.0) / 2.0
    image.SetExtent(0, columns - 1, 0, rows - 1, 0, 0)
    image.SetImageToWorldMatrix(geometry.vtk_matrix(case.grid.ijk_to_ras @ finer))
    image.GetPointData().SetScalars(numpy_to_vtk(mask.ravel(), deep=True))
    case.node.GetSegmentation().GetSegment(identity).AddRepresentation(masks.binary(), image)
    image.Modified()


@pytest.mark.parametrize("factor", [2, 3])
def test_an_oversampled_geometry_is_no_edit(factor, scene):
    case = Case(scene)
    before = case.mask()
    for identity in ("right_lung", "femur_2"):
        resampled(case, identity, factor)
    assert not case.edits() and (case.mask() == before).all()
    resampled(case, "right_lung", factor, lambda pixels: pixels[:4, :4].fill(1))
    assert case.edits() == segmentation.Edits(changed=("right_lung",))


def test_less_than_a_pixel_painted_in_an_oversampled_geometry_is_an_edit(scene):
    """No pixel of the slice tells of it: its middle is another voxel's."""
    case = Case(scene)
    resampled(case, "right_lung", 3, lambda pixels: pixels[:1, :1].fill(1))
    assert case.edits() == segmentation.Edits(changed=("right_lung",))
