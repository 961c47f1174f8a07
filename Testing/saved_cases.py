"""What the tests of training cases share: a result in the scene, and what training reads of a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.logic import cases
from GrayscaleDetSegLib.scene import files, masks, record, segmentation, volumes
from Testing.fakes import GEOMETRIES, SHAPE, radiograph, result
from Testing.scene_nodes import add_transform, add_volume


class Shown:
    """A volume and what was found in it: the L as right lung, the bar as femur 2."""

    def __init__(self, scene, geometry="turned", is_moved=False, stack=0, polarity=None, with_record=True) -> None:
        pixels = np.array(radiograph().pixels)
        shown = pixels if polarity is None else polarity.apply(pixels)
        self.pixels, self.scene = pixels, scene
        self.volume = add_volume(
            scene, np.stack([shown // 2] * (stack - 1) + [shown]) if stack else shown, GEOMETRIES[geometry], "knee"
        )
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
        self.grid = volumes.grid_of(self.volume, stack - 1 if stack else None)
        image = volumes.read_volume(self.volume, self.grid.index, "as-is")
        if polarity is not None:
            image = replace(image, pixels=polarity.apply(image.pixels), polarity=polarity)
        self.result = result(image)
        self.node = segmentation.add_segmentation_for(self.volume, self.grid, self.result, scene)
        if with_record:
            record.keep_result(self.node, self.result, self.grid)

    def write(self, identity, mask):
        masks.write_mask(self.node, identity, self.volume, self.grid, mask)

    def add(self, name, mask, is_shown=True):
        identity = self.node.GetSegmentation().AddEmptySegment("", name)
        self.write(identity, mask)
        self.node.GetDisplayNode().SetSegmentVisibility(identity, is_shown)
        return identity

    def save(self, folder, **options):
        return cases.save_case(self.node, self.volume, folder, self.grid, **options)


def corner() -> np.ndarray:
    """A patch in the upper right, which overlaps neither L nor bar."""
    mask = np.zeros(SHAPE, bool)
    mask[3:20, 100:127] = True
    return mask


def trained(folder, split=None):
    """The one case that training reads from a folder."""
    from training.data.cases import read_cases

    found_cases, problems = read_cases(folder, split)
    assert not problems
    (case,) = found_cases
    return case


def objects(case):
    return [(label, mask.tolist()) for label, mask in case.objects()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def save_as_slicer_does(shown, path, crop=True, image_path=None):
    """File > Save: the node as it is, cropped to its segments unless told otherwise."""
    storage = shown.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    storage.SetCropToMinimumExtent(crop)
    assert storage.WriteData(shown.node)
    files.write_node(shown.volume, image_path or path.with_name("knee.nrrd"))
