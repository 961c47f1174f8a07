"""A dragged object for tests: a case whose cloud's view shows it, and what its segment should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from GrayscaleDetSegLib.core import boxes, editing
from GrayscaleDetSegLib.core.clean_up import CleanUp
from GrayscaleDetSegLib.core.radiograph import Spacing
from GrayscaleDetSegLib.logic.drag import ThresholdDrag
from GrayscaleDetSegLib.scene import masks, record, segmentation
from Testing.test_threshold_view import Case

START = {"right_lung": (120.0, 230.0), "femur_2": (120.0, 255.0)}
NAMES = {"right_lung": "right lung", "femur_2": "femur 2"}
CLEAN = CleanUp(smooth=0.0)


class Dragged(Case):
    """A case whose cloud's view shows one object, which is dragged."""

    def __init__(self, scene, identity="right_lung", clean_up=None, **where) -> None:
        super().__init__(scene, **where)
        self.identity = identity
        self.image = replace(self.result.radiograph, spacing=Spacing(0.3, 0.2, "PixelSpacing"))
        self.result = replace(self.result, radiograph=self.image)
        self.show(identity)
        self.clean_up = clean_up

    def begin(self):
        return ThresholdDrag(self.parts, self.result, self.identity, self.grid, self.clean_up)

    def mask(self, identity=None):
        return masks.mask_of(self.node, identity or self.identity, self.volume, self.grid)

    def paint(self, identity, rows, columns, value=True):
        window = (slice(*rows), slice(*columns))
        painted = np.full([part.stop - part.start for part in window], value)
        assert masks.write_window(self.node, identity, self.grid, painted, window)

    def edits(self):
        return segmentation.edits_of(self.node, self.volume, self.grid)

    @property
    def item(self):
        return record.objects_by_segment(self.node, self.result)[self.identity]

    def live(self, bottom, top):
        """What the segment should be during the drag."""
        field = self.item.thresholds.field.shifted(bottom, top)
        whole = np.zeros(self.grid.shape, bool)
        whole[boxes.pixel_slices(field.roi, whole.shape)] = editing.live_mask(self.image, field)
        return whole
