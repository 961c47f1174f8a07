"""Attention of segmentation by detection: regions of slices, the attention volume, anchors and their offsets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core.volumes.attention import (
    around,
    attention_of,
    box_of,
    span,
)
from GrayscaleDetSegLib.core.volumes.proposals import SliceRegions, anchor_boxes, chosen, decoded
from GrayscaleDetSegLib.core.volumes.views import VIEWS
from Testing.attention_models import regions
from training.volumes.regions import offsets_of

SHAPE = (5, 7, 9)


@st.composite
def some_regions(draw):
    view = draw(st.sampled_from(sorted(VIEWS)))
    sides = [side for axis, side in enumerate(SHAPE) if axis != VIEWS[view]]
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        box = []
        for side in (sides[1], sides[0]):
            low = draw(st.floats(0, side - 1))
            box.append((low, draw(st.floats(low + 1, side))))
        rows.append((draw(st.integers(0, SHAPE[VIEWS[view]] - 1)), (box[0][0], box[1][0], box[0][1], box[1][1]), 0.9))
    return view, rows


@given(some_regions())
@settings(max_examples=60, deadline=None)
def test_the_attention_volume_is_the_stack_of_all_regions(drawn):
    """Voxel by voxel: its middle lies in a region of its own slice."""
    view, rows = drawn
    found = attention_of(SHAPE, view, SliceRegions.of(rows))
    wanted = np.zeros(SHAPE, bool)
    for place in np.ndindex(SHAPE):
        rest = [each for axis, each in enumerate(place) if axis != VIEWS[view]]
        for index, (x0, y0, x1, y1), _ in rows:
            if index == place[VIEWS[view]] and x0 <= rest[1] + 0.5 < x1 and y0 <= rest[0] + 0.5 < y1:
                wanted[place] = True
    assert np.array_equal(found, wanted)
    corners = around(view, SliceRegions.of(rows))
    assert (corners is None) == (not rows) and not (wanted & ~box_of(SHAPE, corners)).any()


def test_thin_regions_fill_a_voxel_and_those_at_the_edge_stay_inside():
    assert span(2.1, 2.2, 9) == (2, 3) and span(8.9, 9.0, 9) == (8, 9) and span(-4.0, 30.0, 9) == (0, 9)
    assert attention_of(SHAPE, "axial", regions((4, (8.8, 6.8, 9.0, 7.0), 0.5))).sum() == 1


def test_anchors_lie_around_the_middles_of_cells():
    found = anchor_boxes(2, 3, 8, (0.5, 1.0), (1.0, 4.0), 16.0).reshape(2, 3, 4, 4)
    assert found[0, 0, 0].tolist() == [0.0, 0.0, 8.0, 8.0] and found[1, 2, 0].tolist() == [16.0, 8.0, 24.0, 16.0]
    sides = found[0, 0, :, 2:] - found[0, 0, :, :2]
    assert sides.tolist() == [[8, 8], [4, 16], [16, 16], [8, 32]], "as wide and high, then four times as high as wide"


def test_offsets_make_of_an_anchor_what_they_were_made_of():
    random = np.random.default_rng(0)
    low = random.uniform(0, 20, (2, 30, 2))
    anchors, truth = np.concatenate([low, low + random.uniform(1, 20, (2, 30, 2))], -1)
    np.testing.assert_allclose(decoded(anchors, offsets_of(anchors, truth)), truth, atol=1e-9)
    assert np.isfinite(decoded(anchors, np.full((30, 4), 1e4))).all()


def test_of_regions_that_show_the_same_the_best_counts():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [3, 3, 3, 9], [0, 20, 9, 30]], float)
    scores = np.array([0.7, 0.9, 0.6, 0.99, 0.4])
    found, kept = chosen(boxes, scores, 0.5, 0.3, 9)
    assert found.tolist() == [[1, 0, 11, 10], [20, 20, 30, 30]] and kept.tolist() == [0.9, 0.6]
    assert len(chosen(boxes, scores, 0.5, 0.3, 1)[0]) == 1 and len(chosen(boxes, scores, 0.995, 0.3, 9)[0]) == 0


def test_margins_are_shares_of_the_slices_longest_side():
    found = regions((0, (4.0, 4.0, 6.0, 6.0), 0.9)).grown(0.25, (8, 20))
    assert found.boxes.tolist() == [[0.0, 0.0, 11.0, 8.0]], "5 px more on every side, cut off at the edges"
