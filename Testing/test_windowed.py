"""A mask kept as the window that it fills is the same mask; of any number of axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core.windowed import WindowedMask


@st.composite
def masks(draw, count=1):
    shape = draw(st.lists(st.integers(1, 7), min_size=2, max_size=3))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return [random.random(shape) < draw(st.sampled_from([0.0, 0.05, 0.5, 1.0])) for _ in range(count)]


@settings(deadline=None)
@given(masks())
def test_it_is_the_mask(given_masks):
    (mask,) = given_masks
    held = WindowedMask.of(mask)
    np.testing.assert_array_equal(held.whole(), mask)
    assert held.count == mask.sum() and held.is_of(mask) and not held.whole().flags.writeable
    assert all(held.crop.any(axis=axis).any() for axis in range(mask.ndim)) or not mask.any()
    changed = mask.copy()
    changed[(0,) * mask.ndim] ^= True
    assert not held.is_of(changed) and not held.is_of(mask[..., None])


@settings(deadline=None)
@given(masks(3))
def test_others_are_taken_out_and_added(given_masks):
    one, two, three = given_masks
    held, others = WindowedMask.of(one), [WindowedMask.of(two), WindowedMask.of(three)]
    np.testing.assert_array_equal(held.without(others).whole(), one & ~two & ~three)
    assert held.without([]) is held
    window = tuple(slice(size // 3, size) for size in one.shape)
    part = held.part(window)
    np.testing.assert_array_equal(part, one[window])
    others[0].take_from(part, window)
    others[1].add_to(part, window)
    np.testing.assert_array_equal(part, (one & ~two | three)[window])


def test_a_large_image_with_a_small_object_is_kept_small():
    mask = np.zeros((4096, 4096), bool)
    mask[100:110, 200:230] = True
    held = WindowedMask.of(mask)
    assert held.crop.nbytes == 300 and held.crop.base is None
    with pytest.raises(ValueError):
        held.crop[0, 0] = False
