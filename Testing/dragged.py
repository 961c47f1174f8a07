"""A dragged object for tests: a case whose cloud's view shows it, and what its segment should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.radiograph import Spacing
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import cloud, masks, record, segmentation, threshold_box
from Testing.scene_nodes import ids
from Testing.test_threshold_view import Case

START = {"right_lung": (120.0, 230.0), "femur_2": (120.0, 255.0)}
NAMES = {"right_lung": "right lung", "femur_2": "femur 2"}
CLEAN = PostProcessing(smooth=0.0)


class Dragged(Case):
    """A case whose cloud's view shows one object, which is dragged."""

    def __init__(self, scene, identity="right_lung", clean_up=None, **where) -> None:
        super().__init__(scene, **where)
        self.identity, self.clean_up, self.space = identity, clean_up, Workspace(scene)
        self.keep(replace(self.result, radiograph=replace(
            self.result.radiograph, spacing=Spacing(0.3, 0.2, "PixelSpacing")
        )))  # fmt: skip
        self.image = self.result.radiograph
        self.show(identity)

    def keep(self, result):
        """Let the node say this of its result."""
        record.keep_result(self.node, result, self.grid)
        self.result = self.space.shown(self.node).result

    def begin(self):
        return self.space.drag(self.node, self.identity, self.clean_up)

    def mask(self, identity=None):
        return masks.mask_of(self.node, identity or self.identity, self.volume, self.grid)

    def paint(self, identity, rows, columns, value=True):
        window = (slice(*rows), slice(*columns))
        painted = np.full([part.stop - part.start for part in window], value)
        assert masks.write_window(self.node, identity, self.grid, painted, window)

    def edits(self):
        return segmentation.edits_of(self.node, self.volume, self.grid)

    def segments(self):
        segments = self.node.GetSegmentation()
        return [segments.GetNthSegmentID(number) for number in range(segments.GetNumberOfSegments())]

    def everything(self):
        """All that a drag may change."""
        display, table = self.node.GetDisplayNode(), self.parts.table
        colors = self.parts.cloud.GetPolyData().GetPointData().GetArray(cloud.INSIDE)
        return {
            "masks": {each: self.mask(each).tobytes() for each in self.segments()},
            "visible": [display.GetSegmentVisibility(each) for each in self.segments()],
            "edits": self.edits(),
            "document": record.kept_document(self.node),
            "table": [table.GetCellText(0, column) for column in range(table.GetNumberOfColumns())],
            "cloud": sum(colors.GetValue(number) for number in range(colors.GetNumberOfTuples())),
            "surfaces": [node.GetPolyData().GetBounds() for node in self.parts.surfaces],
            "box": [round(end, 2) for end in threshold_box.interval_of(self.parts.box)],
            "nodes": ids(self.scene),
        }

    @property
    def item(self):
        return record.objects_by_segment(self.node, self.result)[self.identity]

    def live(self, bottom, top):
        """What the segment should be during the drag, but for the pixels of others."""
        field = self.item.thresholds.field.shifted(bottom, top)
        mask, whole = field_mask(self.image, field), np.zeros(self.grid.shape, bool)
        if self.clean_up is not None:
            mask = self.clean_up.apply(mask, self.item.label)
        whole[boxes.pixel_slices(field.roi, whole.shape)] = mask
        return whole
