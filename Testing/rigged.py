"""A pipeline whose detectors are rigged, and a volume whose results it shows in a scene."""

from __future__ import annotations

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.logic.engine import Engine
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import masks, record, regions, segmentation, volumes
from Testing.fakes import GEOMETRIES, result
from Testing.pipelines import BoxFake, RoiFake, picture, pipeline
from Testing.scene_nodes import add_transform, add_volume, ids


def film() -> np.ndarray:
    """The picture with a marker on its edge, so that the gray levels of L and bar differ by percentiles, too."""
    pixels = picture()
    pixels[86:, :65], pixels[-1, -1] = 2600, 2700
    return pixels


class Bright(RoiFake):
    """Finds L and bar by their gray levels, however the picture is hung and its values are mapped; nothing else."""

    LEVELS = ((170.0, 200.0), (205.0, 240.0))

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        self.calls.append((gray.copy(), pixel_aspect, score_threshold))
        found = []
        for label, score, (low, high) in zip(self.labels, self.scores, self.LEVELS):
            mask = (gray >= low) & (gray <= high)
            if 100 < mask.sum() < 2000:
                x0, y0, x1, y1 = map(float, boxes.of_mask(mask))
                found.append(RegionProposal(label, score, (x0 - 2.25, y0 - 1.5, x1 + 1.75, y1 + 2.5)))
        return found


class Interval(BoxFake):
    classes = ("femur", "tibia")


def rigged_pipeline(polarity=None, **roi):
    """Finds "femur" (the L of :func:`film`) and "femur 2" (its bar), or what `roi` says."""
    return pipeline(Bright(**roi), Interval(), polarity)


def rigged_engine(calls=None, **rigged):
    """An engine with that pipeline; the models and devices asked for are added to `calls`."""

    def load(*wanted):
        if calls is not None:
            calls.append(wanted)
        return rigged_pipeline(**rigged)

    return Engine(load)


def change(image, step=3, add=500):
    """Other pixels under a result, as a sequence or an editor brings them."""
    from vtk.util.numpy_support import vtk_to_numpy

    scalars = image.GetPointData().GetScalars()
    vtk_to_numpy(scalars)[::step] += np.array(add).astype(vtk_to_numpy(scalars).dtype)
    scalars.Modified()
    image.Modified()


class Bench:
    """A volume whose slice shows the rigged pipeline's objects, "femur" (L) and "femur 2" (bar)."""

    def __init__(self, scene, name="turned", stack=0, is_moved=False, shows=True) -> None:
        self.scene, self.space, self.stack = scene, Workspace(scene), stack
        pixels = film()
        pixels = np.stack([pixels // (2 + n) for n in range(stack - 1)] + [pixels]) if stack else pixels
        self.volume = add_volume(scene, pixels, GEOMETRIES[name])
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
        self.pipeline = rigged_pipeline()
        self.reading = self.read()
        self.node = self.show().segmentation if shows else None

    def read(self, polarity="auto"):
        return self.space.read(self.volume, polarity, self.stack - 1 if self.stack else None)

    def show(self, into=None, objects=None, polarity="auto"):
        reading = self.read(polarity)
        whole = self.pipeline.segment(reading.radiograph)
        if objects is not None:
            whole = result(reading.radiograph, objects)
        return self.space.show(reading, whole, into)

    def mask(self, identity, node=None):
        return masks.mask_of(node or self.node, identity, self.volume, self.reading.grid)

    def paint(self, identity="femur", node=None, rows=(0, 4), columns=(60, 70)):
        """By hand: a patch that nothing else has."""
        own, node = self.mask(identity, node), node or self.node
        own[slice(*rows), slice(*columns)] = True
        masks.write_mask(node, identity, self.volume, self.reading.grid, own)
        return own

    def add_segment(self, identity="implant", node=None, mask=None):
        import slicer

        node, segment = node or self.node, slicer.vtkSegment()
        segment.SetName(identity)
        mask = np.eye(*self.reading.grid.shape, dtype=bool) if mask is None else mask
        segment.AddRepresentation(masks.binary(), masks.label_map(node, self.volume, self.reading.grid, mask))
        node.GetSegmentation().AddSegment(segment, identity)

    def segments(self, node=None):
        segments = (node or self.node).GetSegmentation()
        return [segments.GetNthSegmentID(number) for number in range(segments.GetNumberOfSegments())]

    def own_node(self):
        """A segmentation that the user made."""
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
        node.CreateDefaultDisplayNodes()
        return node

    def rows(self, node=None):
        table = self.space.outcome(node or self.node).table
        return [(table.GetCellText(n, 0), int(table.GetCellText(n, 8))) for n in range(table.GetNumberOfRows())]

    def state(self, node=None):
        """All that undo has to bring back."""
        node, grid = node or self.node, self.reading.grid
        shown, parts = self.space.shown(node), self.space.outcome(node)
        segments, display = node.GetSegmentation(), node.GetDisplayNode()
        return {
            "nodes": ids(self.scene),
            "document": record.kept_document(node),
            "masks": {each: self.mask(each, node).tobytes() for each in self.segments(node)},
            "names": [segments.GetSegment(each).GetName() for each in self.segments(node)],
            "visible": [display.GetSegmentVisibility(each) for each in self.segments(node)],
            "edits": segmentation.edits_of(node, self.volume, grid),
            "objects": shown
            and [(item.name, item.thresholds.interval, item.pixel_count) for item in shown.result.objects],
            "identities": shown and shown.identities,
            "regions": {each: regions.region_of(box, self.volume, grid) for each, box in parts.regions.items()},
            "table": parts.table and self.rows(node),
            "reading": self.volume.GetAttribute("GrayscaleDetSeg.Polarity"),
        }

    def drag(self, identity="femur", bottom=190.0):
        with self.space.drag(self.node, identity) as drag:
            drag.finish((bottom, 255.0))


def box(scene, volume, roi=(60.0, 50.0, 125.0, 85.0), index=0):
    """A region drawn by hand over a slice of a volume, (x0, y0, x1, y1) in px."""
    grid = volumes.grid_of(volume, index)
    return regions.add_region(scene, volume, grid, roi, "drawn", (1, 2, 3))
